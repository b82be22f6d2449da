"""From a REST call to a ping on real Open vSwitch, on two hosts."""

import re

import pytest

from controller.reconcile.ways import TUNNEL_OFPORT
from flows.pipeline import RECIRCULATE
from tests.lab.cloud import Cloud, address
from tests.lab.packets import ethertype, ipv4_addresses, is_echo_request
from tests.lab.process import eventually, run

LAB_ETHERTYPE = 0x88B5
"""IEEE 802 local experimental EtherType 1."""


def raw_frame(dst: str, src: str, ethertype_: int = LAB_ETHERTYPE, payload: bytes = b"weft") -> bytes:
    header = bytes.fromhex(dst.replace(":", "") + src.replace(":", "")) + ethertype_.to_bytes(2, "big")
    return header + payload.ljust(46, b"\0")


def is_experimental(frame: bytes) -> bool:
    return ethertype(frame) == LAB_ETHERTYPE


def test_ports_of_one_network_reach_each_other_on_one_host_and_across_hosts(cloud: Cloud) -> None:
    red = cloud.network()
    (one, _), (_, two_port), (_, three_port) = cloud.vm(red, cloud.h1), cloud.vm(red, cloud.h1), cloud.vm(red, cloud.h2)
    assert one.ping(address(two_port)).lost == 0
    one.ping_until_answered(address(three_port))
    assert one.ping(address(three_port)).lost == 0
    assert one.ping(address(three_port), size=1400).lost == 0


def test_networks_with_the_same_addresses_are_isolated(cloud: Cloud) -> None:
    red, blue = cloud.network("10.10.0.0/24"), cloud.network("10.10.0.0/24")
    fixed = [{"ip_address": "10.10.0.50"}]
    red_vm, _ = cloud.vm(red, cloud.h1)
    blue_near, _ = cloud.vm(blue, cloud.h1, fixed_ips=fixed)
    blue_far, blue_far_port = cloud.vm(blue, cloud.h2)
    with blue_near.capture() as near, blue_far.capture() as far:
        assert red_vm.ping("10.10.0.50").received == 0
        assert red_vm.ping(address(blue_far_port)).received == 0
        red_vm.send_frame(raw_frame("ff:ff:ff:ff:ff:ff", red_vm.mac), raw_frame(blue_near.mac, red_vm.mac))
        assert blue_near.ping(address(blue_far_port), count=5).received > 0, "the other network itself works"
        for capture in (near, far):
            assert not capture.frames(is_experimental)
            assert not [f for f in capture.frames(is_echo_request) if f[6:12].hex(":") == red_vm.mac]


def test_broadcast_reaches_every_member_once_and_no_host_without_one(cloud: Cloud) -> None:
    red = cloud.network()
    sender, _ = cloud.vm(red, cloud.h1)
    near, _ = cloud.vm(red, cloud.h1)
    far, far_port = cloud.vm(red, cloud.h2)
    sender.ping_until_answered(address(far_port))
    with sender.capture() as own, near.capture() as one, far.capture() as two:
        sender.send_frame(raw_frame("ff:ff:ff:ff:ff:ff", sender.mac))
        two.wait_for(is_experimental)
        assert len(one.frames(is_experimental)) == 1
        assert len(two.frames(is_experimental)) == 1
        assert not own.frames(is_experimental)
    cloud.weft.api.delete(f"/v2.0/ports/{far_port['id']}")
    eventually(
        lambda: not any("tun_dst" in line for line in cloud.h1.ofctl("dump-groups", "br-int").splitlines()),
        5,
        "h1 still sends broadcast to h2, which has no port in the network any more",
    )


def test_unknown_unicast_and_foreign_source_macs_are_dropped(cloud: Cloud) -> None:
    red = cloud.network()
    sender, _ = cloud.vm(red, cloud.h1)
    receiver, _ = cloud.vm(red, cloud.h1)
    with receiver.capture() as capture:
        sender.send_frame(raw_frame("02:00:00:00:99:99", sender.mac), raw_frame(receiver.mac, "02:00:00:00:00:66"))
        last = raw_frame(receiver.mac, sender.mac, payload=b"the end")
        sender.send_frame(last)
        capture.wait_for(lambda frame: frame == last)
        assert capture.frames(is_experimental) == [last]


def test_an_interface_nobody_asked_for_gets_nothing(cloud: Cloud) -> None:
    red = cloud.network()
    member, port = cloud.vm(red, cloud.h1, fixed_ips=[{"ip_address": "10.10.0.10"}])
    stranger = cloud.h1.boot_vm("stranger", device="stranger0", mac="02:00:00:00:00:66")
    cloud.h1.vsctl("add-port", "br-int", "stranger0")
    cloud.h1.ofport("stranger0")
    stranger.address_set("10.10.0.200/24")
    with member.capture() as capture, stranger.capture() as overheard:
        assert stranger.ping(address(port)).received == 0
        member.send_frame(raw_frame("ff:ff:ff:ff:ff:ff", member.mac))
        assert not capture.frames(lambda frame: frame[6:12].hex(":") == stranger.mac)
        assert not overheard.frames(is_experimental)
    cloud.h1.unplug(stranger)


def test_a_prewired_port_works_with_no_controller_running(cloud: Cloud) -> None:
    """Addresses and flows are there before the VM; only a static address is shown here, DHCP needs the controller."""
    red = cloud.network()
    one, _ = cloud.vm(red, cloud.h1)
    late = cloud.port(red, cloud.h1)
    device = f"tap{late['id'][:11]}"
    eventually(lambda: device in cloud.h1.vsctl("list-ports", "br-int"), 5, "the row of the port to come")
    eventually(lambda: any(late["mac_address"] in f for f in cloud.h1.flows()), 5, "the flows of the port to come")
    cloud.weft.stop()
    try:
        vm = cloud.boot(cloud.h1, late)
        vm.address_set(f"{address(late)}/24")
        assert one.ping_until_answered(address(late)) < 5
    finally:
        cloud.weft.start()
    cloud.weft.wait_for_port(late["id"])


def test_the_first_plug_binds_a_port_that_is_bound_to_no_host(cloud: Cloud) -> None:
    red = cloud.network()
    one, _ = cloud.vm(red, cloud.h1)
    port = cloud.port(red)
    assert port["binding:vif_type"] == "unbound"
    vm = cloud.h2.boot_vm("unbound", device="vnet7", mac=port["mac_address"])
    cloud.h2.plug(vm, port["id"])
    port = cloud.weft.wait_for_port(port["id"])
    assert port["binding:host_id"] == "h2"
    assert port["binding:vif_type"] == "ovs"
    vm.address_set(f"{address(port)}/24")
    assert one.ping_until_answered(address(port)) < 5


def test_an_interface_may_be_there_before_its_port_is_bound_to_the_host(cloud: Cloud) -> None:
    red = cloud.network()
    port = cloud.port(red, cloud.h1)
    vm = cloud.h2.boot_vm("early", device="vnet8", mac=port["mac_address"])
    cloud.h2.plug(vm, port["id"])
    why = eventually(
        lambda: (s := status(cloud, port["id"]))["reason"] == "PLUGGED_ELSEWHERE" and s, 5, "plugged elsewhere"
    )
    assert "h2" in why["detail"]
    assert cloud.weft.api.show("port", port["id"])["status"] == "DOWN"
    cloud.weft.api.put(f"/v2.0/ports/{port['id']}", {"port": {"binding:host_id": "h2"}})
    cloud.weft.wait_for_port(port["id"])


def test_a_port_deleted_while_plugged_is_cut_off(cloud: Cloud) -> None:
    red = cloud.network()
    one, one_port = cloud.vm(red, cloud.h1)
    two, two_port = cloud.vm(red, cloud.h1)
    assert one.ping(address(two_port)).lost == 0
    cloud.weft.api.delete(f"/v2.0/ports/{two_port['id']}")
    eventually(lambda: one.ping(address(two_port), count=1, timeout_s=0.3).received == 0, 5, "the port is cut off")
    assert two.ping(address(one_port)).received == 0
    eventually(lambda: not [f for f in cloud.h1.flows() if two_port["mac_address"] in f], 5, "its flows are gone")


def test_a_port_moves_to_another_host(cloud: Cloud) -> None:
    red = cloud.network()
    one, _ = cloud.vm(red, cloud.h1)
    two, port = cloud.vm(red, cloud.h1)
    assert one.ping(address(port)).lost == 0
    cloud.h1.destroy_vm(two)
    cloud.weft.api.put(f"/v2.0/ports/{port['id']}", {"port": {"binding:host_id": "h2"}})
    moved = cloud.boot(cloud.h2, port)
    eventually(lambda: status(cloud, port["id"])["host"] == "h2", 5, "the status names the new host")
    cloud.weft.wait_for_port(port["id"])
    moved.address_set(f"{address(port)}/24")
    one.forget_neighbours()
    assert one.ping_until_answered(address(port)) < 5
    assert f"tap{port['id'][:11]}" not in cloud.h1.vsctl("list-ports", "br-int")


def test_two_devices_with_one_port_id_are_both_left_unwired(cloud: Cloud) -> None:
    red = cloud.network()
    one, one_port = cloud.vm(red, cloud.h1)
    two, port = cloud.vm(red, cloud.h1)
    double = cloud.h1.boot_vm("double", device="double0", mac=port["mac_address"])
    cloud.h1.plug(double, port["id"])
    eventually(lambda: status(cloud, port["id"])["reason"] == "DUPLICATE_PLUG", 5, "the duplicate is seen")
    eventually(lambda: two.ping(address(one_port), count=1, timeout_s=0.3).received == 0, 5, "neither is wired")
    cloud.h1.unplug(double)
    cloud.weft.wait_for_port(port["id"])
    assert one.ping_until_answered(address(port)) < 5


@pytest.mark.parametrize("what", ["port", "network"])
def test_admin_state_down_cuts_traffic_and_up_gives_it_back(cloud: Cloud, what: str) -> None:
    red = cloud.network()
    one, _ = cloud.vm(red, cloud.h1)
    _, port = cloud.vm(red, cloud.h2)
    one.ping_until_answered(address(port))
    path = f"/v2.0/{what}s/{port['id'] if what == 'port' else red}"
    cloud.weft.api.put(path, {what: {"admin_state_up": False}})
    eventually(lambda: one.ping(address(port), count=1, timeout_s=0.3).received == 0, 5, "the traffic is cut")
    assert status(cloud, port["id"])["reason"] == "ADMIN_DOWN"
    cloud.weft.api.put(path, {what: {"admin_state_up": True}})
    one.ping_until_answered(address(port))


def test_nothing_but_the_base_is_left_when_everything_is_deleted(cloud: Cloud) -> None:
    before = len(cloud.h1.flows()), len(cloud.h2.flows())
    red = cloud.network()
    cloud.vm(red, cloud.h1)
    cloud.vm(red, cloud.h2)
    cloud.clear()
    eventually(lambda: (len(cloud.h1.flows()), len(cloud.h2.flows())) == before, 5, "flows are left behind")
    for host in (cloud.h1, cloud.h2):
        groups = re.findall(r"group_id=(\d+)", host.ofctl("dump-groups", "br-int"))
        assert groups == [str(RECIRCULATE)], "the one that every bridge has"
        meters = re.findall(r"meter=(\d+)", host.ofctl("dump-meters", "br-int"))
        assert meters == [str(TUNNEL_OFPORT)], "that of the probes, as long as there is another host"
        assert "tap" not in host.vsctl("list-ports", "br-int")


def status(cloud: Cloud, port_id: str) -> dict[str, str]:
    """Return why a port has its status."""
    return dict(cloud.weft.api.get(f"/v2.0/ports/{port_id}/status")["port_status"])


def test_ipv4_addresses_reads_what_ping_sends(cloud: Cloud) -> None:
    """The captures above prove something only if the reader of frames is right."""
    red = cloud.network()
    one, one_port = cloud.vm(red, cloud.h1)
    two, two_port = cloud.vm(red, cloud.h1)
    with two.capture() as capture:
        one.ping(address(two_port), count=1)
        frame = capture.wait_for(is_echo_request)
    assert ipv4_addresses(frame) == (address(one_port), address(two_port))


def test_a_device_that_its_switch_left_down_is_set_up_and_one_set_down_later_is_left_alone(cloud: Cloud) -> None:
    """OVS writes back the flags it read when it opens a device, and so undoes whoever set it up meanwhile."""
    port = cloud.port(cloud.network(), cloud.h1)
    vm = cloud.boot(cloud.h1, port, device="elsewhere")
    device = f"tap{port['id'][:11]}"
    run(["ip", "-n", cloud.h1.namespace, "link", "set", "elsewhere", "down"])
    run(["ip", "-n", cloud.h1.namespace, "link", "set", "elsewhere", "name", device])
    assert vm.dhcp().address == address(port)
    run(["ip", "-n", cloud.h1.namespace, "link", "set", device, "down"])
    eventually(lambda: "down" in cloud.h1.vsctl("get", "interface", device, "admin_state"), 5, "OVS sees it down")
    with pytest.raises(TimeoutError):
        eventually(lambda: "up" in cloud.h1.vsctl("get", "interface", device, "admin_state"), 2, "nobody does this")
