"""Geneve, and Geneve beside VXLAN on the same hosts: each through its own tunnel, with its own MTU."""

from flows.features.tunnel import PROBE_VNI
from tests.lab.cloud import address
from tests.lab.packets import ethertype
from tests.lab_kinds.conftest import Kinds
from tests.lab_product.test_first_packets import is_experimental, raw_frame

ALL = "ff:ff:ff:ff:ff:ff"
GENEVE, VXLAN = 6081, 4789
"""UDP ports (RFC 8926 section 3.3, RFC 7348 section 5)."""
MTU = 1450
"""Of 1500 octets, less the outer IPv4 and UDP headers, the tunnel's 8 and the inner Ethernet header."""


def udp_port(frame: bytes) -> int | None:
    """Return the destination port of a UDP datagram over IPv4 without options."""
    is_udp = ethertype(frame) == 0x0800 and frame[23] == 17
    return int.from_bytes(frame[36:38]) if is_udp else None


def key(frame: bytes) -> int:
    """Return a tunnel header's network identifier (the same place in both)."""
    return int.from_bytes(frame[46:49])


def test_guests_of_a_geneve_network_reach_each_other_across_hosts_up_to_its_mtu(kinds: Kinds) -> None:
    red = kinds.network(**{"provider:network_type": "geneve"})
    shown = kinds.weft.api.show("network", red)
    assert shown["mtu"] == MTU
    port = kinds.port(red, kinds.h1)
    one = kinds.boot(kinds.h1, port)
    assert one.dhcp().mtu == MTU
    two, two_port = kinds.guest(red, kinds.h2)
    one.ping_until_answered(address(two_port))
    with kinds.underlay(kinds.h2) as wire:
        assert one.ping(address(two_port), size=MTU - 28).lost == 0
        assert one.ping(address(two_port), size=MTU - 27, count=1).received == 0
        carried = wire.frames(lambda frame: udp_port(frame) == GENEVE and key(frame) != PROBE_VNI)
    assert {key(frame) for frame in carried} == {shown["provider:segmentation_id"]}
    assert max(map(len, carried)) == 14 + 1500, "the underlay is filled to the last octet"
    assert two.ping(address(port)).lost == 0


def test_vxlan_and_geneve_networks_live_on_one_host_with_the_same_number_and_the_same_addresses(kinds: Kinds) -> None:
    """VNIs are numbers of their type (Neutron: a type driver has its own ranges)."""
    guests = {}
    for kind in ("vxlan", "geneve"):
        network = kinds.network(**{"provider:network_type": kind, "provider:segmentation_id": 4711})
        near, _ = kinds.guest(network, kinds.h1, fixed_ips=[{"ip_address": "10.10.0.11"}])
        far, _ = kinds.guest(network, kinds.h2, fixed_ips=[{"ip_address": "10.10.0.12"}])
        guests[kind] = near, far
    with kinds.underlay(kinds.h2) as wire:
        for kind, port in (("vxlan", VXLAN), ("geneve", GENEVE)):
            near, far = guests[kind]
            other = guests["geneve" if kind == "vxlan" else "vxlan"][1]
            near.ping_until_answered("10.10.0.12")
            frame = raw_frame(ALL, near.mac, payload=kind.encode())
            with far.capture() as theirs, other.capture() as others:
                near.send_frame(frame)
                theirs.wait_for(lambda one: one == frame)  # noqa: B023 - waited for here
                assert near.ping("10.10.0.12").lost == 0
                assert not others.frames(is_experimental)
            carried = [one for one in wire.frames() if kind.encode() in one]
            assert {(udp_port(one), key(one)) for one in carried} == {(port, 4711)}


def test_the_tunnels_of_a_host_are_one_for_each_type_whatever_the_number_of_peers(kinds: Kinds) -> None:
    for kind in ("vxlan", "geneve"):
        network = kinds.network(**{"provider:network_type": kind})
        first, _ = kinds.guest(network, kinds.h1)
        for host in (kinds.h2, kinds.h3):
            _, port = kinds.guest(network, host)
            first.ping_until_answered(address(port))
    types = kinds.h1.vsctl("--columns=type", "--bare", "find", "Interface", "options:remote_ip=flow").split()
    assert sorted(types) == ["geneve", "vxlan"]
