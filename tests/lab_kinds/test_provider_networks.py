"""VLAN and flat networks: guests on a physical network that has a switch, a router and machines of its own.

Guests have a security group that lets everything in: what is kept out here is kept out by the network.
"""

import json
from collections.abc import Iterator

import pytest

from tests.lab.cloud import address
from tests.lab.guest import Vm
from tests.lab.packets import ethertype
from tests.lab.physical import UNTAGGED
from tests.lab.process import eventually
from tests.lab_kinds.conftest import PATIENCE_S, PHYSNET, Kinds
from tests.lab_product.test_first_packets import LAB_ETHERTYPE, is_experimental, raw_frame

RED, BLUE = 100, 101
ROUTER, SERVER = "10.10.0.1", "10.10.0.240"
SERVER_MAC = "02:00:00:00:01:00"
ALL = "ff:ff:ff:ff:ff:ff"
LARGEST_PING = 1500 - 28
"""Payload of an echo request in a packet of 1500 octets (RFC 791, RFC 792)."""


@pytest.fixture
def open_group(kinds: Kinds) -> Iterator[str]:
    """Give a security group that lets everything in and out."""
    api = kinds.weft.api
    made = api.post("/v2.0/security-groups", {"security_group": {"name": "open"}})["security_group"]["id"]
    for ethertype_ in ("IPv4", "IPv6"):
        rule = {"security_group_id": made, "direction": "ingress", "ethertype": ethertype_}
        api.post("/v2.0/security-group-rules", {"security_group_rule": rule})
    yield str(made)
    kinds.clear()
    api.delete(f"/v2.0/security-groups/{made}")


def test_guests_of_a_vlan_reach_the_router_a_server_and_each_other(kinds: Kinds, open_group: str) -> None:
    red = kinds.provider(RED)
    leg = kinds.physical.leg(RED, f"{ROUTER}/24")
    server = kinds.physical.machine("server", RED, mac=SERVER_MAC, address=f"{SERVER}/24")
    one, one_port = kinds.guest(red, kinds.h1, security_groups=[open_group])
    two, two_port = kinds.guest(red, kinds.h2, security_groups=[open_group])
    for guest in (one, two):
        guest.ping_until_answered(SERVER)
        guest.ping_until_answered(ROUTER)
        assert guest.ping(SERVER).lost == guest.ping(ROUTER).lost == 0
        assert guest.neighbour(SERVER) == SERVER_MAC, "it answers for itself"
    assert one.ping(address(two_port)).lost == two.ping(address(one_port)).lost == 0
    assert server.ping(address(one_port)).lost == server.ping(address(two_port)).lost == 0
    assert kinds.physical.ping(address(two_port), leg).lost == 0


def test_the_physical_router_is_the_default_gateway_and_joins_vlans_as_it_likes(kinds: Kinds, open_group: str) -> None:
    """A guest's DHCP names it, nobody answers ARP in its stead, and what it forwards arrives."""
    red, blue = kinds.provider(RED), kinds.provider(BLUE, cidr="10.20.0.0/24")
    leg = kinds.physical.leg(RED, f"{ROUTER}/24")
    kinds.physical.leg(BLUE, "10.20.0.1/24")
    one, _ = kinds.guest(red, kinds.h1, security_groups=[open_group])
    two, two_port = kinds.guest(blue, kinds.h2, security_groups=[open_group])
    one.ping_until_answered(address(two_port))
    assert one.ping(address(two_port)).lost == 0
    assert one.neighbour(ROUTER) == kinds.physical.mac(leg)
    two.ping_until_answered(ROUTER)


def test_a_lease_of_a_provider_network_is_renewed_by_unicast(kinds: Kinds, open_group: str) -> None:
    """The server cannot bear the router's address; the client's renewals leave towards the router, and are answered."""
    red = kinds.provider(RED)
    kinds.physical.leg(RED, f"{ROUTER}/24")
    port = kinds.port(red, kinds.h1, security_groups=[open_group])
    one = kinds.boot(kinds.h1, port)
    assert one.dhcp(stay=True).server_id == "169.254.0.1"
    one.ping_until_answered(ROUTER)
    assert one.renew().address == address(port)


def test_what_travels_on_the_trunk_bears_the_network_s_vlan_and_no_tunnel_carries_it(
    kinds: Kinds, open_group: str
) -> None:
    red = kinds.provider(RED)
    one, _ = kinds.guest(red, kinds.h1, security_groups=[open_group])
    two, two_port = kinds.guest(red, kinds.h2, security_groups=[open_group])
    with kinds.physical.capture("t-h1") as trunk, two.capture() as inside:
        one.send_frame(raw_frame(ALL, one.mac))
        tagged = trunk.wait_for(lambda frame: ethertype(frame) == 0x8100 and ethertype(frame[4:]) == LAB_ETHERTYPE)
        assert int.from_bytes(tagged[14:16]) & 0xFFF == RED
        assert inside.wait_for(is_experimental)
        assert one.ping(address(two_port)).lost == 0
    assert not any("tun_dst" in group for group in kinds.h1.ofctl("dump-groups", "br-int").splitlines())


def test_another_vlan_with_the_same_addresses_is_another_world(kinds: Kinds, open_group: str) -> None:
    red, blue = kinds.provider(RED), kinds.provider(BLUE)
    kinds.physical.leg(RED, f"{ROUTER}/24")
    blue_router = kinds.physical.machine("router", BLUE, mac="02:00:00:00:01:01", address=f"{ROUTER}/24")
    red_server = kinds.physical.machine("server", RED, mac=SERVER_MAC, address=f"{SERVER}/24")
    red_guest, _ = kinds.guest(red, kinds.h1, security_groups=[open_group])
    same = [{"ip_address": "10.10.0.77"}]
    blue_near, _ = kinds.guest(blue, kinds.h1, security_groups=[open_group], fixed_ips=same)
    blue_far, _ = kinds.guest(blue, kinds.h2, security_groups=[open_group])
    blue_near.ping_until_answered(ROUTER)
    with blue_near.capture() as near, blue_far.capture() as far, blue_router.capture() as leg:
        red_guest.ping_until_answered(ROUTER)
        assert red_guest.ping("10.10.0.77", count=2, timeout_s=0.3).received == 0
        assert blue_near.ping(SERVER, count=2, timeout_s=0.3).received == 0
        for sender in (red_guest, red_server):
            sender.send_frame(raw_frame(ALL, sender.mac), raw_frame(blue_near.mac, sender.mac))
        mark = raw_frame(ALL, blue_near.mac, payload=b"the end")
        blue_near.send_frame(mark)
        far.wait_for(lambda frame: frame == mark)
        leg.wait_for(lambda frame: frame == mark)
        for capture in (near, far, leg):
            assert [frame for frame in capture.frames(is_experimental) if frame != mark] == []


def test_broadcast_from_outside_reaches_every_guest_once_and_unknown_unicast_those_who_may_have_it(
    kinds: Kinds, open_group: str
) -> None:
    """What is for nobody known is flooded by the switch; of the guests only one without port security may be it."""
    red = kinds.provider(RED)
    server = kinds.physical.machine("server", RED, mac=SERVER_MAC, address=f"{SERVER}/24")
    guarded, _ = kinds.guest(red, kinds.h1, security_groups=[open_group])
    free, _ = kinds.guest(red, kinds.h2, port_security_enabled=False)
    hidden = "02:00:00:00:99:99"
    with guarded.capture() as one, free.capture() as two, server.capture() as outside:
        unknown, everybody = raw_frame(hidden, server.mac, payload=b"who?"), raw_frame(ALL, server.mac)
        server.send_frame(unknown, everybody)
        assert one.wait_for(is_experimental) == two.wait_for(lambda frame: frame == everybody) == everybody
        assert one.frames(is_experimental) == [everybody]
        assert two.frames(is_experimental) == [unknown, everybody]
        theirs = raw_frame(hidden, guarded.mac, payload=b"and who?")
        guarded.send_frame(theirs)
        outside.wait_for(lambda frame: frame == theirs)
        assert outside.frames(is_experimental) == [theirs], "nothing of its own came back"


def test_a_guest_cannot_choose_a_vlan(kinds: Kinds, open_group: str) -> None:
    """IEEE 802.1Q tags of guests are dropped, those of another network and of their own."""
    red, blue = kinds.provider(RED), kinds.provider(BLUE)
    legs = kinds.physical.leg(RED, f"{ROUTER}/24"), kinds.physical.leg(BLUE, "10.20.0.1/24")
    one, _ = kinds.guest(red, kinds.h1, security_groups=[open_group])
    two, _ = kinds.guest(blue, kinds.h2, security_groups=[open_group])
    near, _ = kinds.guest(red, kinds.h2, security_groups=[open_group])
    with (
        two.capture() as blue_guest,
        near.capture() as red_guest,
        kinds.physical.capture(legs[0]) as red_leg,
        kinds.physical.capture(legs[1]) as blue_leg,
    ):
        for vlan in (RED, BLUE, 0):
            inner = LAB_ETHERTYPE.to_bytes(2)
            one.send_frame(raw_frame(ALL, one.mac, 0x8100, vlan.to_bytes(2) + inner + b"tagged"))
        mark = raw_frame(ALL, one.mac)
        one.send_frame(mark)
        red_guest.wait_for(lambda frame: frame == mark)
        red_leg.wait_for(lambda frame: frame == mark)
        for capture in (blue_guest, red_guest, blue_leg, red_leg):
            assert not capture.frames(lambda frame: b"tagged" in frame)


def test_the_mtu_is_that_of_the_kind_of_network_and_packets_of_that_size_pass(kinds: Kinds, open_group: str) -> None:
    """Of 1500 octets between the hosts a VLAN leaves all, VXLAN 1450 (RFC 7348 section 5)."""
    red, overlay = kinds.provider(RED), kinds.network()
    leg = kinds.physical.leg(RED, f"{ROUTER}/24")
    assert [kinds.weft.api.show("network", one)["mtu"] for one in (red, overlay)] == [1500, 1450]
    port = kinds.port(red, kinds.h1, security_groups=[open_group])
    one = kinds.boot(kinds.h1, port)
    assert one.dhcp().mtu == 1500
    two, two_port = kinds.guest(red, kinds.h2, security_groups=[open_group])
    one.ping_until_answered(ROUTER)
    two.ping_until_answered(address(port))
    assert one.ping(ROUTER, size=LARGEST_PING).lost == 0
    assert one.ping(address(two_port), size=LARGEST_PING).lost == 0
    assert kinds.physical.ping(address(two_port), leg, size=LARGEST_PING).lost == 0


def test_a_flat_network_serves_its_guests_by_dhcp_and_its_frames_bear_no_tag(kinds: Kinds, open_group: str) -> None:
    flat = kinds.provider(None)
    kinds.physical.leg(UNTAGGED, f"{ROUTER}/24")
    server = kinds.physical.machine("server", UNTAGGED, mac=SERVER_MAC, address=f"{SERVER}/24")
    one, one_port = kinds.guest(flat, kinds.h1, security_groups=[open_group])
    two, two_port = kinds.guest(flat, kinds.h2, security_groups=[open_group])
    red, _ = kinds.guest(kinds.provider(RED), kinds.h1, security_groups=[open_group])
    one.ping_until_answered(ROUTER)
    two.ping_until_answered(SERVER)
    assert one.ping(address(two_port)).lost == server.ping(address(one_port)).lost == 0
    with red.capture() as elsewhere, kinds.physical.capture("t-h1") as trunk:
        frame = raw_frame(ALL, one.mac)
        one.send_frame(frame)
        assert trunk.wait_for(is_experimental) == frame
        assert red.ping(ROUTER, count=1, timeout_s=0.3).received == 0
        assert not elsewhere.frames(is_experimental)


def test_a_flat_network_without_dhcp_works_with_the_addresses_of_its_network_data(
    kinds: Kinds, open_group: str
) -> None:
    """The founding "flat (static)": a guest is told by its config drive, as cloud-init reads it, and asks nobody."""
    flat = kinds.provider(None, {"enable_dhcp": False})
    kinds.physical.leg(UNTAGGED, f"{ROUTER}/24")
    kinds.physical.machine("server", UNTAGGED, mac=SERVER_MAC, address=f"{SERVER}/24")
    guests = []
    for host in (kinds.h1, kinds.h2):
        port = kinds.port(flat, host, security_groups=[open_group])
        vm = kinds.boot(host, port)
        told = json.loads(kinds.weft.command("port", "network-data", port["id"]))
        _configure(vm, told)
        kinds.weft.wait_for_port(port["id"])
        assert told["networks"][0]["ip_address"] == address(port)
        guests.append((vm, port))
    (one, _), (two, two_port) = guests
    one.ping_until_answered(address(two_port))
    for guest in (one, two):
        guest.ping_until_answered(ROUTER)
        guest.ping_until_answered(SERVER)
    with pytest.raises(TimeoutError):
        one.dhcp(timeout_s=1)


def _configure(vm: Vm, told: dict[str, list[dict[str, object]]]) -> None:
    """Do what cloud-init does with ``network_data.json``: the addresses, the MTU, and the default route."""
    [link], [network] = told["links"], told["networks"]
    assert (network["type"], network["link"]) == ("ipv4", link["id"])
    assert link["ethernet_mac_address"] == vm.mac
    assert isinstance(network["routes"], list)
    [gateway] = [route["gateway"] for route in network["routes"] if route["network"] == "0.0.0.0"]
    bits = sum(int(octet).bit_count() for octet in str(network["netmask"]).split("."))
    vm.address_set(f"{network['ip_address']}/{bits}", gateway=str(gateway), mtu=int(str(link["mtu"])))


def test_a_guest_without_port_security_may_be_a_switch_of_its_own_vlans(kinds: Kinds, open_group: str) -> None:
    """A tag it sends stays inside its network's own: it leads into no other network."""
    red, blue = kinds.provider(RED), kinds.provider(BLUE)
    red_leg, blue_leg = kinds.physical.leg(RED, f"{ROUTER}/24"), kinds.physical.leg(BLUE, "10.20.0.1/24")
    free, _ = kinds.guest(red, kinds.h1, port_security_enabled=False)
    other, _ = kinds.guest(blue, kinds.h2, port_security_enabled=False)
    with (
        other.capture() as capture,
        kinds.physical.capture(blue_leg) as blue_side,
        kinds.physical.capture(red_leg) as red_side,
    ):
        free.send_frame(raw_frame(ALL, free.mac, 0x8100, BLUE.to_bytes(2) + LAB_ETHERTYPE.to_bytes(2) + b"tagged"))
        mark = raw_frame(ALL, free.mac)
        free.send_frame(mark)
        red_side.wait_for(lambda frame: frame == mark)
        for one in (capture, blue_side):
            assert not one.frames(lambda frame: b"tagged" in frame)


def test_each_host_realises_the_segment_it_can_reach_and_segments_are_not_joined(kinds: Kinds, open_group: str) -> None:
    wires = [
        {"provider:network_type": "vlan", "provider:physical_network": PHYSNET, "provider:segmentation_id": RED},
        {"provider:network_type": "vxlan"},
    ]
    red = kinds.network(segments=wires)
    kinds.physical.leg(RED, f"{ROUTER}/24")
    one, _ = kinds.guest(red, kinds.h1, security_groups=[open_group])
    _, two_port = kinds.guest(red, kinds.h2, security_groups=[open_group])
    three, three_port = kinds.guest(red, kinds.h3, security_groups=[open_group])
    four, four_port = kinds.guest(red, kinds.h3, security_groups=[open_group])
    one.ping_until_answered(ROUTER)
    assert one.ping(address(two_port)).lost == 0
    assert three.ping(address(four_port)).lost == four.ping(address(three_port)).lost == 0
    for target in (ROUTER, address(two_port)):
        assert three.ping(target, count=2, timeout_s=0.3).received == 0
    assert one.ping(address(three_port), count=2, timeout_s=0.3).received == 0


def test_a_provider_bridge_keeps_what_its_operator_gave_it_and_its_patch_goes_with_the_physical_network(
    kinds: Kinds, open_group: str
) -> None:
    red = kinds.provider(RED)
    kinds.physical.leg(RED, f"{ROUTER}/24")
    one, _ = kinds.guest(red, kinds.h1, security_groups=[open_group])
    one.ping_until_answered(ROUTER)
    flows = kinds.h1.flows("br-phys")
    assert len(flows) == 1
    assert "actions=NORMAL" in flows[0]
    assert kinds.h1.vsctl("get-controller", "br-phys").strip() == ""
    kinds.weft.api.put("/v2.0/hosts/h1", {"host": {"physnets": []}})
    try:
        eventually(
            lambda: one.ping(ROUTER, count=1, timeout_s=0.3).received == 0, PATIENCE_S, "the host has no way out"
        )
        eventually(
            lambda: "pn" in (ports := kinds.h1.vsctl("list-ports", "br-phys").split()) and len(ports) == 1,
            PATIENCE_S,
            "the patch is gone, the operator's port is not",
        )
    finally:
        kinds.weft.api.put(
            "/v2.0/hosts/h1", {"host": {"physnets": [{"physical_network": PHYSNET, "bridge": "br-phys"}]}}
        )
    one.ping_until_answered(ROUTER)
