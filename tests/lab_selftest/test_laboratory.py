"""Does the laboratory itself do what tests rely on? Proven without the product: the flows here are written by hand."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.lab import Hypervisor, Lab, LabError, Vm, eventually, netns, registry, sweep
from tests.lab.packets import ethertype, is_echo_request
from tests.lab.weft import ROOT
from tests.lab_selftest.dhcp_server import DhcpServer

TUNNEL = 1
VNI = 77
EXPERIMENTAL = 0x88B5
"""EtherType for private experiments (IEEE Std 802a)."""


def make_integration_bridge(host: Hypervisor) -> None:
    """Play the controller: a br-int with one flow-based VXLAN port."""
    host.vsctl(
        *("add-br", "br-int", "--", "set", "Bridge", "br-int", "datapath_type=netdev", "fail_mode=secure"),
        *("--", "add-port", "br-int", "vxlan0", "--", "set", "Interface", "vxlan0", "type=vxlan"),
        *("options:remote_ip=flow", "options:key=flow", f"ofport_request={TUNNEL}"),
    )


def join(host: Hypervisor, vm: Vm, peer: Hypervisor) -> None:
    """Send everything the guest says to the other host, and what comes from there to the guest."""
    host.plug(vm, f"port-of-{vm.name}")
    guest = host.ofport(vm.device)
    flows = (
        f"in_port={guest} actions=set_field:{peer.tunnel_ip}->tun_dst,set_field:{VNI}->tun_id,output:{TUNNEL}\n"
        f"in_port={TUNNEL},tun_id={VNI} actions=output:{guest}\n"
    )
    host.ofctl("add-flows", "br-int", "-", stdin=flows)


def two_joined_guests(lab: Lab) -> tuple[Vm, Vm]:
    """Build two hosts with one guest each, joined over VXLAN."""
    first, second = lab.hypervisor("h1"), lab.hypervisor("h2")
    for host in (first, second):
        make_integration_bridge(host)
    one = first.boot_vm("one", device="tapone", mac="fa:16:3e:00:00:01")
    two = second.boot_vm("two", device="taptwo", mac="fa:16:3e:00:00:02")
    join(first, one, second)
    join(second, two, first)
    return one, two


def remains(lab_id: str) -> list[str]:
    """List everything on this machine that bears a laboratory's id."""
    found = netns.names(f"weft-{lab_id}-")
    found += [f"process {pid}" for pid in registry.processes(lab_id)]
    found += [path.name for path in Path("/sys/class/net").iterdir() if path.name == registry.root_device(lab_id)]
    found += [str(path) for path in (registry.STATE_ROOT / lab_id,) if path.exists()]
    return found


def test_guests_on_two_hosts_reach_each_other_over_vxlan(lab: Lab) -> None:
    one, two = two_joined_guests(lab)
    one.address_set("10.0.0.1/24", "fd00::1/64")
    two.address_set("10.0.0.2/24", "fd00::2/64")

    first = one.ping("10.0.0.2", count=3)
    assert (first.sent, first.received) == (3, 3)
    assert len(first.rtts) == 3
    assert one.ping("fd00::2", count=2).received == 2
    assert two.ping("10.0.0.1", count=2, size=1472).received == 2
    assert one.ping("10.0.0.99", count=1).received == 0
    assert two.mac == one.neighbour("10.0.0.2")


def test_without_flows_nothing_passes(lab: Lab) -> None:
    """fail_mode=secure: a bridge without a controller forwards nothing (ovs-vswitchd.conf.db(5), Bridge)."""
    one, two = two_joined_guests(lab)
    one.address_set("10.0.0.1/24")
    two.address_set("10.0.0.2/24")
    lab.hypervisors["h2"].ofctl("del-flows", "br-int")

    assert lab.hypervisors["h2"].flows() == []
    with two.capture() as capture:
        assert one.ping("10.0.0.2", count=2).received == 0
        assert capture.frames(lambda frame: ethertype(frame) in (0x0800, 0x0806)) == []


def test_a_background_ping_counts_what_was_lost(lab: Lab) -> None:
    one, two = two_joined_guests(lab)
    one.address_set("10.0.0.1/24")
    two.address_set("10.0.0.2/24")

    with one.pinging("10.0.0.2", interval_s=0.01) as going:
        eventually(lambda: going.received() >= 20, 10, "twenty answers")
        host = lab.hypervisors["h1"]
        host.hang_vswitchd()
        hung = going.received()
        eventually(lambda: one.ping("10.0.0.2", count=1, timeout_s=0.2).received == 0, 5, "a hung switch loses packets")
        host.resume_vswitchd()
        eventually(lambda: going.received() > hung + 20, 10, "answers again")
        result = going.stop()
    assert result.lost + result.received == result.sent
    assert one.ping_until_answered("10.0.0.2") < 5


def test_a_capture_shows_frames_as_they_were_sent_with_their_vlan_tag(lab: Lab) -> None:
    one, two = two_joined_guests(lab)
    head = bytes.fromhex("ffffffffffff fa163e000001")
    plain = head + EXPERIMENTAL.to_bytes(2) + bytes(46)
    tagged = head + bytes.fromhex("8100 0064") + EXPERIMENTAL.to_bytes(2) + bytes(46)

    with two.capture() as capture:
        one.send_frame(plain, tagged)
        assert plain == capture.wait_for(lambda frame: ethertype(frame) == EXPERIMENTAL)
        assert tagged == capture.wait_for(lambda frame: ethertype(frame) == 0x8100)


def test_a_capture_knows_echo_requests_and_forgets_what_the_guest_sent(lab: Lab) -> None:
    one, two = two_joined_guests(lab)
    one.address_set("10.0.0.1/24")
    two.address_set("10.0.0.2/24")
    with one.capture() as sender, two.capture() as receiver:
        one.ping("10.0.0.2", count=2)
        assert len(receiver.frames(is_echo_request)) == 2
        assert sender.frames(is_echo_request) == []


@pytest.mark.parametrize("client", ["udhcpc", "dhclient"])
def test_a_real_dhcp_client_applies_and_records_its_lease(lab: Lab, client: str) -> None:
    one, two = two_joined_guests(lab)
    with DhcpServer(two, offered="10.9.0.5") as server:
        lease = one.dhcp("dhclient" if client == "dhclient" else "udhcpc")

        assert (lease.address, lease.prefix_length) == ("10.9.0.5", 20)
        assert server.address == lease.server_id
        assert (lease.mtu, lease.lease_s) == (1400, 3600)
        assert lease.dns == ("192.0.2.53", "192.0.2.54")
        assert lease.routes == (("198.51.100.0/25", "10.9.0.7"), ("0.0.0.0/0", "10.9.0.1"))
        shown = one.run(["ip", "address", "show", "dev", "eth0"]).stdout
        assert "10.9.0.5/20" in shown
        assert "mtu 1400" in shown
        assert "default via 10.9.0.1" in one.run(["ip", "route"]).stdout
        assert "198.51.100.0/25 via 10.9.0.7" in one.run(["ip", "route"]).stdout


def test_a_client_that_stays_renews_when_asked(lab: Lab) -> None:
    one, two = two_joined_guests(lab)
    with DhcpServer(two, offered="10.9.0.5") as server:
        one.dhcp(stay=True)
        before = server.requests
        lease = one.renew()
        assert (lease.event, lease.address) == ("renew", "10.9.0.5")
        assert server.requests > before
        one.stop_dhcp()


def test_a_lease_of_an_earlier_laboratory_in_the_same_directory_is_not_mistaken_for_a_new_one(tmp_path: Path) -> None:
    with Lab(tmp_path) as lab:
        one, two = two_joined_guests(lab)
        with DhcpServer(two, offered="10.9.0.5"):
            assert one.dhcp().address == "10.9.0.5"
    with Lab(tmp_path) as lab:
        one, _ = two_joined_guests(lab)
        with pytest.raises(TimeoutError):
            one.dhcp(timeout_s=1)


def test_no_server_no_lease(lab: Lab) -> None:
    one, _ = two_joined_guests(lab)
    with pytest.raises(TimeoutError, match="no lease"):
        one.dhcp(timeout_s=2)


def test_ovs_survives_stops_and_kills_of_its_daemons(lab: Lab) -> None:
    one, two = two_joined_guests(lab)
    one.address_set("10.0.0.1/24")
    two.address_set("10.0.0.2/24")
    host = lab.hypervisors["h1"]

    assert one.ping_until_answered("10.0.0.2") < 5
    flows = host.flows()
    host.kill_ovsdb()
    host.start_ovsdb()
    assert "br-int" in host.vsctl("list-br")
    # Seen with OVS 3.1: the userspace datapath forwards in the main thread, which idles until the database is back.
    assert one.ping_until_answered("10.0.0.2", timeout_s=15) < 15
    assert host.flows() == flows

    host.kill_vswitchd()
    assert one.ping("10.0.0.2", count=1, timeout_s=0.3).received == 0
    host.start_vswitchd()
    lab.warm_up()
    assert host.flows() == []
    join(host, one, lab.hypervisors["h2"])
    assert one.ping_until_answered("10.0.0.2", timeout_s=10) < 10

    host.stop_vswitchd()
    host.stop_ovsdb()
    with pytest.raises(LabError):
        host.stop_ovsdb()


def test_a_guest_can_be_unplugged_and_destroyed(lab: Lab) -> None:
    one, _ = two_joined_guests(lab)
    host = lab.hypervisors["h1"]
    host.unplug(one)
    assert "tapone" not in host.vsctl("list-ports", "br-int")
    host.plug(one, "port-of-one")
    assert "port-of-one" in host.vsctl("get", "Interface", "tapone", "external_ids:iface-id")
    host.destroy_vm(one)
    assert one.namespace not in netns.names()
    again = host.boot_vm("one", device="tapone", mac="fa:16:3e:00:00:01")
    assert again.namespace in netns.names()


def test_a_device_name_too_long_for_the_kernel_is_refused(lab: Lab) -> None:
    host = lab.hypervisor("h1")
    with pytest.raises(LabError, match="longer than 15"):
        host.boot_vm("one", device="tap0123456789abc", mac="fa:16:3e:00:00:01")


def test_nothing_is_left_behind(tmp_path: Path) -> None:
    with Lab(tmp_path) as lab:
        identity = lab.id
        two_joined_guests(lab)
        assert len(netns.names(f"weft-{identity}-")) == 5
        assert len(registry.processes(identity)) >= 4
    assert remains(identity) == []


def test_a_failure_in_the_middle_leaves_nothing_behind(tmp_path: Path) -> None:
    identities = []

    def fail_in_the_middle() -> None:
        with Lab(tmp_path) as lab:
            identities.append(lab.id)
            lab.hypervisor("h1")
            lab.hypervisor("h1")

    with pytest.raises(LabError, match="in use"):
        fail_in_the_middle()
    assert remains(identities[0]) == []


def test_laboratories_work_side_by_side(tmp_path: Path) -> None:
    results: list[int] = []

    def work(number: int) -> None:
        with Lab(tmp_path / str(number)) as lab:
            one, two = two_joined_guests(lab)
            one.address_set("10.0.0.1/24")
            two.address_set("10.0.0.2/24")
            results.append(one.ping("10.0.0.2", count=3).received)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [3, 3, 3]


def test_the_management_network_of_an_earlier_run_is_taken_when_free(tmp_path: Path) -> None:
    with Lab(tmp_path / "a") as first:
        network = first.management
        with Lab(tmp_path / "b", management=network) as second:
            assert network != second.management
    with Lab(tmp_path / "c", management=network) as third:
        assert network == third.management


def test_a_laboratory_whose_owner_was_killed_is_swept_and_a_living_one_is_not(tmp_path: Path, lab: Lab) -> None:
    lab.hypervisor("h1")
    program = (
        "import pathlib, sys, time\n"
        "from tests.lab import Lab\n"
        "lab = Lab(pathlib.Path(sys.argv[1]))\n"
        "lab.create()\n"
        "lab.hypervisor('h1').boot_vm('vm', device='tap0', mac='fa:16:3e:00:00:01')\n"
        "print(lab.id, flush=True)\n"
        "time.sleep(600)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path / "dead")],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as owner:
        assert owner.stdout is not None
        identity = owner.stdout.readline().strip()
        owner.send_signal(signal.SIGKILL)

    assert remains(identity)
    assert identity in sweep()
    assert remains(identity) == []
    assert "br-phy" in lab.hypervisors["h1"].vsctl("list-br")


def test_another_process_can_attach_to_a_kept_laboratory(tmp_path: Path) -> None:
    lab = Lab(tmp_path, kept=True)
    lab.create()
    try:
        original = lab.hypervisor("h1")
        attached = Lab.attach(lab.id)
        assert original.ovsdb == attached.hypervisors["h1"].ovsdb
        assert "br-phy" in attached.hypervisors["h1"].vsctl("list-br")
        assert lab.id in registry.kept()
        assert lab.id not in sweep()
    finally:
        lab.close()
