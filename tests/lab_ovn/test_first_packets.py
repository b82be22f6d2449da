"""From a REST call to a ping through a real OVN cluster, on two chassis."""

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import ICMPv6ND_NS, ICMPv6ND_RA, ICMPv6NDOptSrcLLAddr, IPv6
from scapy.layers.l2 import Ether

from controller.dhcp6.frame import link_local
from scripts.three_tier import FLAVOR, Application
from tests.lab.api import ApiError
from tests.lab.cloud import address
from tests.lab.guest import Vm
from tests.lab.process import eventually
from tests.lab_ovn.conftest import Cloud, status

ALL_NODES, ALL_NODES_MAC = "ff02::1", "33:33:00:00:00:01"
NOBODY = "fe80::666"
"""Asked for, so that OVN does not know the answer."""


def to_all(mac: str, ip6: str) -> dict[str, bytes]:
    """Return a router's advertisement, a neighbour's solicitation and a datagram, by what they are."""
    ether, mine = Ether(src=mac, dst=ALL_NODES_MAC), link_local(mac)
    asked = Ether(src=mac, dst="33:33:ff:00:06:66") / IPv6(src=mine, dst="ff02::1:ff00:666", hlim=255)
    return {
        "udp": bytes(ether / IPv6(src=ip6, dst=ALL_NODES) / UDP(sport=4000, dport=9)),
        "router": bytes(ether / IPv6(src=mine, dst=ALL_NODES, hlim=255) / ICMPv6ND_RA(routerlifetime=0)),
        "neighbour": bytes(asked / ICMPv6ND_NS(tgt=NOBODY) / ICMPv6NDOptSrcLLAddr(lladdr=mac)),
    }


def broadcast4(mac: str, ip: str) -> bytes:
    """Return a datagram to everybody."""
    return bytes(Ether(src=mac, dst="ff:ff:ff:ff:ff:ff") / IP(src=ip, dst="255.255.255.255") / UDP(sport=4000, dport=9))


def arrived(sender: Vm, sent: dict[str, bytes], receivers: list[Vm]) -> list[set[str]]:
    """Send frames, the last of them until everybody has it, and return which of them each receiver got."""
    *_, last = sent.values()
    with ExitStack() as stack:
        captures = [stack.enter_context(one.capture()) for one in receivers]
        sender.send_frame(*sent.values())

        def is_over() -> bool:
            sender.send_frame(last)
            return all(last in capture.frames() for capture in captures)

        eventually(is_over, 10, "the last frame arrives", every_s=0.2)
        return [{name for name, frame in sent.items() if frame in capture.frames()} for capture in captures]


def test_ports_of_one_network_reach_each_other_on_one_chassis_and_across_chassis(cloud: Cloud) -> None:
    red = cloud.network()
    (one, _), (_, two_port), (_, three_port) = cloud.vm(red, cloud.h1), cloud.vm(red, cloud.h1), cloud.vm(red, cloud.h2)
    assert one.ping(address(two_port)).lost == 0
    one.ping_until_answered(address(three_port))
    assert one.ping(address(three_port)).lost == 0
    assert one.ping(address(three_port), size=1400).lost == 0


def test_the_chassis_of_the_cluster_are_hosts_nobody_registered(cloud: Cloud) -> None:
    hosts = {host["name"]: host for host in cloud.weft.api.list("hosts")}
    assert set(hosts) == {"h1", "h2"}
    assert hosts["h1"]["datapath_type"] == "netdev"
    assert hosts["h1"]["tunnel_ip"] == cloud.h1.tunnel_ip
    assert hosts["h1"]["physnets"] == [{"physical_network": "physnet1", "bridge": "br-physnet1"}]


def test_networks_with_the_same_addresses_are_isolated(cloud: Cloud) -> None:
    red, blue = cloud.network(), cloud.network()
    fixed = [{"ip_address": "10.10.0.50"}]
    red_vm, _ = cloud.vm(red, cloud.h1)
    blue_near, _ = cloud.vm(blue, cloud.h1, fixed_ips=fixed)
    _, blue_far_port = cloud.vm(blue, cloud.h2)
    blue_near.ping_until_answered(address(blue_far_port))
    assert red_vm.ping("10.10.0.50").received == 0
    assert red_vm.ping(address(blue_far_port)).received == 0


def test_a_guest_gets_its_address_and_what_its_subnet_says_by_dhcp(cloud: Cloud) -> None:
    red = cloud.network(
        subnet={
            "gateway_ip": "10.10.0.1",
            "dns_nameservers": ["192.0.2.53", "192.0.2.54"],
            "host_routes": [{"destination": "198.51.100.0/24", "nexthop": "10.10.0.9"}],
        }
    )
    one, one_port = cloud.vm(red, cloud.h1, by_hand=False)
    two, two_port = cloud.vm(
        red, cloud.h2, by_hand=False, extra_dhcp_opts=[{"opt_name": "domain-name", "opt_value": "weft.example"}]
    )
    named, _ = cloud.vm(red, cloud.h2, by_hand=False, dns_name="db", dns_domain="own.example.")
    told = named.dhcp(options=("-O", "hostname")).variables
    assert [told[name] for name in ("hostname", "domain", "search")] == ["db", "own.example", "own.example"]
    lease, other = one.dhcp(), two.dhcp()
    assert str(lease.address).partition("/")[0] == address(one_port)
    assert str(other.address).partition("/")[0] == address(two_port)
    said = one.run(["ip", "route"]).stdout
    assert "198.51.100.0/24 via 10.10.0.9" in said
    assert "weft.example" in str(other)
    assert "192.0.2.53" in str(lease)
    assert one.ping_until_answered(address(two_port)) < 10


def test_a_closed_port_opens_when_a_rule_lets_somebody_in_and_closes_again(cloud: Cloud) -> None:
    red = cloud.network()
    closed = cloud.group()
    one, one_port = cloud.vm(red, cloud.h1, security_groups=[cloud.group({"direction": "ingress"})])
    two, two_port = cloud.vm(red, cloud.h2, security_groups=[closed])
    two.ping_until_answered(address(one_port))  # what it asks for itself is answered: the group is stateful
    assert one.ping(address(two_port)).received == 0
    rule = {"direction": "ingress", "ethertype": "IPv4", "protocol": "icmp", "security_group_id": closed}
    body = {"security_group_rule": {**rule, "remote_ip_prefix": f"{address(one_port)}/32"}}
    created = cloud.weft.api.post("/v2.0/security-group-rules", body)["security_group_rule"]["id"]
    one.ping_until_answered(address(two_port))
    cloud.weft.api.delete(f"/v2.0/security-group-rules/{created}")
    eventually(lambda: one.ping(address(two_port), count=1, timeout_s=0.3).received == 0, 10, "the port is closed")


def test_members_of_one_group_may_be_let_in_and_others_not(cloud: Cloud) -> None:
    red = cloud.network()
    friends, others = cloud.group(), cloud.group()
    cloud.weft.api.post(
        "/v2.0/security-group-rules",
        {
            "security_group_rule": {
                "security_group_id": friends,
                "direction": "ingress",
                "ethertype": "IPv4",
                "remote_group_id": friends,
            }
        },
    )
    one, _ = cloud.vm(red, cloud.h1, security_groups=[friends])
    stranger, _ = cloud.vm(red, cloud.h1, security_groups=[others])
    _, port = cloud.vm(red, cloud.h2, security_groups=[friends])
    one.ping_until_answered(address(port))
    assert stranger.ping(address(port)).received == 0


def test_a_guest_may_use_no_address_but_its_own_and_its_pairs(cloud: Cloud) -> None:
    red = cloud.network()
    one, one_port = cloud.vm(red, cloud.h1)
    _, two_port = cloud.vm(red, cloud.h2, port_security_enabled=False, security_groups=[])
    one.ping_until_answered(address(two_port))
    one.run(["ip", "addr", "add", "10.10.0.222/24", "dev", "eth0"])
    command = ["ping", "-n", "-c", "2", "-W", "1", "-I", "10.10.0.222", address(two_port)]
    assert "100% packet loss" in one.run(command, check=False).stdout
    pairs = {"allowed_address_pairs": [{"ip_address": "10.10.0.222"}]}
    cloud.weft.api.put(f"/v2.0/ports/{one_port['id']}", {"port": pairs})
    eventually(lambda: " 0% packet loss" in one.run(command, check=False).stdout, 15, "the pair may be used")


def test_the_first_plug_binds_a_port_that_is_bound_to_no_host(cloud: Cloud) -> None:
    red = cloud.network()
    port = cloud.port(red)
    assert port["binding:vif_type"] == "unbound"
    cloud.boot(cloud.h2, port)
    port = cloud.weft.wait_for_port(port["id"])
    assert port["binding:host_id"] == "h2"
    assert port["binding:vif_type"] == "ovs"
    assert port["binding:vif_details"]["datapath_type"] == "netdev"


def test_a_bound_port_says_what_it_waits_for(cloud: Cloud) -> None:
    red = cloud.network()
    port = cloud.port(red, cloud.h1)
    eventually(lambda: status(cloud, port["id"])["reason"] == "NOT_PLUGGED", 10, "nobody has plugged it")


@pytest.mark.parametrize("what", ["port", "network"])
def test_admin_state_down_cuts_traffic_and_up_gives_it_back(cloud: Cloud, what: str) -> None:
    red = cloud.network()
    one, _ = cloud.vm(red, cloud.h1)
    _, port = cloud.vm(red, cloud.h2)
    one.ping_until_answered(address(port))
    path = f"/v2.0/{what}s/{port['id'] if what == 'port' else red}"
    cloud.weft.api.put(path, {what: {"admin_state_up": False}})
    eventually(lambda: one.ping(address(port), count=1, timeout_s=0.3).received == 0, 10, "the traffic is cut")
    eventually(lambda: status(cloud, port["id"])["reason"] == "ADMIN_DOWN", 10, "the port says why")
    cloud.weft.api.put(path, {what: {"admin_state_up": True}})
    one.ping_until_answered(address(port))


def test_a_port_on_a_host_without_its_physical_network_says_so(cloud: Cloud) -> None:
    wanted: dict[str, Any] = {
        "provider:network_type": "vlan",
        "provider:physical_network": "physnet1",
        "provider:segmentation_id": 77,
    }
    red = cloud.network(**wanted)
    port = cloud.port(red, cloud.h2)
    eventually(lambda: status(cloud, port["id"])["reason"] == "PHYSNET_MISSING", 10, "the host has no way")


def test_frames_of_a_vlan_network_carry_its_tag_on_the_provider_bridge(cloud: Cloud) -> None:
    wanted: dict[str, Any] = {
        "provider:network_type": "vlan",
        "provider:physical_network": "physnet1",
        "provider:segmentation_id": 78,
    }
    red = cloud.network(**wanted)
    one, _ = cloud.vm(red, cloud.h1, security_groups=[cloud.group({"direction": "ingress"})])
    router = cloud.h1.boot_vm("router", device="router0", mac="02:00:00:00:00:01")
    for tag, is_reached in ((78, True), (79, False)):
        cloud.h1.vsctl(
            "--may-exist", "add-port", "br-physnet1", "router0", "--", "set", "Port", "router0", f"tag={tag}"
        )
        router.address_set("10.10.0.1/24")
        if is_reached:
            one.ping_until_answered("10.10.0.1", timeout_s=15)
        else:
            eventually(lambda: one.ping("10.10.0.1", count=1, timeout_s=0.3).received == 0, 10, "another VLAN")
    cloud.h1.vsctl("del-port", "br-physnet1", "router0")


def test_a_guest_gets_its_ipv6_address_by_dhcp(cloud: Cloud) -> None:
    red = cloud.network(cidr=None)
    v6 = {"ip_version": 6, "cidr": "2001:db8:1::/64", "ipv6_address_mode": "dhcpv6-stateful", "enable_dhcp": True}
    cloud.weft.api.create("subnet", network_id=red, **v6)
    one, port = cloud.vm(red, cloud.h1, by_hand=False)
    show = ["ip", "-6", "addr", "show", "dev", "eth0"]
    eventually(lambda: "tentative" not in one.run([*show, "scope", "link"]).stdout, 10, "a link-local address")
    files = ["-lf", str(one.directory / "leases6"), "-pf", str(one.directory / "pid6")]
    said = one.run(["dhclient", "-6", "-1", "-v", *files, "eth0"], check=False)
    assert address(port) in one.run(show).stdout, said.stderr


def test_guests_find_each_other_by_ipv6(cloud: Cloud) -> None:
    red = cloud.network(cidr=None)
    v6 = {"ip_version": 6, "cidr": "2001:db8:1::/64", "ipv6_address_mode": "dhcpv6-stateful", "enable_dhcp": True}
    cloud.weft.api.create("subnet", network_id=red, **v6)
    (one, own), (near, near_port), (far, far_port) = (
        cloud.vm(red, host, by_hand=False) for host in (cloud.h1, cloud.h1, cloud.h2)
    )
    for vm, port in ((one, own), (near, near_port), (far, far_port)):
        vm.address_set(f"{address(port)}/64")
    one.ping_until_answered(address(near_port))
    one.ping_until_answered(address(far_port))


def test_a_guest_that_migrates_is_heard_where_it_is_and_its_port_follows(cloud: Cloud) -> None:
    red = cloud.network()
    open_to_all = [cloud.group({"direction": "ingress"})]
    one, _ = cloud.vm(red, cloud.h1, security_groups=open_to_all)
    guest, port = cloud.vm(red, cloud.h1, security_groups=open_to_all, device_owner="compute:nova")
    one.ping_until_answered(address(port))
    cloud.weft.api.post(f"/v2.0/ports/{port['id']}/bindings", {"binding": {"host": "h2"}})
    arrived = cloud.boot(cloud.h2, port)
    arrived.address_set(f"{address(port)}/24")
    assert one.ping(address(port)).lost == 0, "the source goes on while the destination waits"
    cloud.h1.unplug(guest)
    cloud.h1.destroy_vm(guest)
    mac = bytes.fromhex(port["mac_address"].replace(":", ""))
    announcement = bytes.fromhex("0001080006040003") + (mac + bytes(4)) * 2  # RFC 903, as QEMU sends it
    frame = (b"\xff" * 6 + mac + bytes.fromhex("8035") + announcement).ljust(60, b"\0")

    def bound() -> bool:
        arrived.send_frame(frame)
        return bool(cloud.weft.api.show("port", port["id"])["binding:host_id"] == "h2")

    eventually(bound, 20, lambda: f"the port follows its guest: {status(cloud, port['id'])}", every_s=0.2)
    cloud.weft.wait_for_port(port["id"])
    one.ping_until_answered(address(port), timeout_s=15)


def test_neighbour_discovery_passes_every_acl_across_chassis(cloud: Cloud) -> None:
    """Why there are no private VLANs and no RA guard: an ACL of the highest priority drops ARP and IP, but not ND.

    ovn-northd(8), Ingress Table ACL: the flow of priority 65532 for ``nd || nd_rs || nd_ra || mldv1 || mldv2``.
    """
    red = cloud.network(cidr=None)
    v6 = {"ip_version": 6, "cidr": "2001:db8:1::/64", "ipv6_address_mode": "dhcpv6-stateful"}
    cloud.weft.api.create("subnet", network_id=red, **v6)
    open_to_all = [cloud.group({"direction": "ingress", "ethertype": "IPv6"})]
    one, own = cloud.vm(red, cloud.h1, by_hand=False, security_groups=open_to_all)
    others = [cloud.vm(red, host, by_hand=False, security_groups=open_to_all)[0] for host in (cloud.h1, cloud.h2)]
    group = next(str(name) for (name,) in cloud.cluster.rows("Port_Group") if "drop" in str(name))
    sent = to_all(own["mac_address"], address(own))
    assert arrived(one, sent, others) == [{"router", "neighbour", "udp"}] * 2
    for direction, side in (("from-lport", "inport"), ("to-lport", "outport")):
        cloud.cluster.nbctl("acl-add", group, direction, "32767", f"{side} == @{group} && (ip || arp)", "drop")
    cloud.cluster.nbctl("--wait=hv", "sync")
    try:
        assert arrived(one, sent, others) == [{"router", "neighbour"}] * 2
    finally:
        for direction, side in (("from-lport", "inport"), ("to-lport", "outport")):
            cloud.cluster.nbctl("acl-del", group, direction, "32767", f"{side} == @{group} && (ip || arp)")


def test_a_guest_without_an_ipv6_address_cannot_advertise_a_router(cloud: Cloud) -> None:
    red = cloud.network()
    open_to_all = [cloud.group({"direction": "ingress"}, {"direction": "ingress", "ethertype": "IPv6"})]
    one, own = cloud.vm(red, cloud.h1, security_groups=open_to_all)
    others = [cloud.vm(red, host, security_groups=open_to_all)[0] for host in (cloud.h1, cloud.h2)]
    sent = {**to_all(own["mac_address"], "2001:db8::9"), "fence": broadcast4(own["mac_address"], address(own))}
    assert arrived(one, sent, others) == [{"fence"}] * 2


def test_a_deleted_port_leaves_nothing(cloud: Cloud) -> None:
    red = cloud.network()
    cloud.vm(red, cloud.h1, extra_dhcp_opts=[{"opt_name": "mtu", "opt_value": "1300"}])
    group = cloud.group({"direction": "ingress", "ethertype": "IPv4"})
    cloud.port(red, cloud.h2, security_groups=[group])
    cloud.clear()

    def left() -> list[Any]:
        tables = ("Logical_Switch", "Logical_Switch_Port", "DHCP_Options", "Address_Set")
        rows = [row for table in tables for row in cloud.cluster.rows(table, "_uuid")]
        return rows + [row for row in cloud.cluster.rows("Port_Group") if "drop" not in str(row)]

    eventually(lambda: not left(), 10, lambda: f"left behind: {left()}")


def test_a_trace_says_what_became_of_a_packet_and_which_rule_decided(cloud: Cloud) -> None:
    red = cloud.network()
    dns = {"protocol": "udp", "port_range_min": 53, "port_range_max": 53}
    group = cloud.group({"direction": "ingress", "ethertype": "IPv4", **dns})
    _, one = cloud.vm(red, cloud.h1, security_groups=[cloud.group()], name="asks")
    _, two = cloud.vm(red, cloud.h2, security_groups=[group], name="serves")

    def traced(**asked: Any) -> dict[str, Any]:
        body = {"trace": {"from": "asks", "to": address(two), **asked}}
        return dict(cloud.weft.api.post("/v2.0/traces", body)["trace"])

    let_in = traced(protocol="udp", port=53)
    assert (let_in["verdict"], let_in["hosts"][-1]["host"]) == ("delivered", "h2")
    rules = cloud.weft.api.get(f"/v2.0/security-groups/{group}")["security_group"]["security_group_rules"]
    assert {rule["id"] for rule in rules if rule["protocol"] == "udp"} <= set(let_in["rules"])
    assert "lets it in" in traced(protocol="udp", port=54)["sentence"]
    assert "port security" in traced(source_ip="10.10.0.99")["sentence"]
    assert traced(protocol="arp")["verdict"] == "answered"
    assert traced(state="reply")["verdict"] == "delivered"
    unplugged = cloud.port(red, cloud.h1)
    eventually(lambda: status(cloud, unplugged["id"])["reason"] == "NOT_PLUGGED", 10, "nobody has plugged it")
    assert "NOT_PLUGGED" in traced(**{"from": unplugged["id"]})["sentence"]
    with pytest.raises(ApiError) as unknown:
        traced(**{"from": "nobody"})
    assert unknown.value.status == 404
    assert one["id"] != two["id"]


def test_what_ovn_cannot_do_is_refused_with_the_reason(cloud: Cloud) -> None:
    with pytest.raises(ApiError) as refused:
        cloud.network(pvlan=True)
    assert "let ND, RS, RA and MLD pass" in str(refused.value)
    red = cloud.network()
    with pytest.raises(ApiError) as refused:
        cloud.weft.api.create(
            "subnet",
            network_id=red,
            ip_version=6,
            cidr="2001:db8::/64",
            ipv6_ra_mode="slaac",
            ipv6_address_mode="slaac",
        )
    assert refused.value.status == 400
    assert "65535 s" in str(refused.value)


def test_an_application_from_a_flavor_is_scaled_on_ovn(cloud: Cloud, tmp_path: Path) -> None:
    """As on Weft's own tables: tests/lab_product/test_containers.py."""
    template = tmp_path / "three-tier.yaml"
    text = FLAVOR.read_text(encoding="utf-8")
    for name in ("front", "back"):
        text = text.replace(f"{{name: {name}}}", f'{{name: {name}, "weft:plugin": ovn}}')
    template.write_text(text, encoding="utf-8")
    application = Application(weft=cloud.weft, hosts=[cloud.h1, cloud.h2], template=template)
    application.create()
    assert {one["weft:plugin"] for one in cloud.weft.api.list("networks")} == {"ovn"}
    application.boot()
    assert [row.what for row in application.pings() if not row.is_right] == []
    application.scale()
    application.boot()
    assert [row.what for row in application.pings() if not row.is_right] == []
    application.close()
    assert cloud.weft.api.list("networks") == cloud.weft.api.list("ports") == []
