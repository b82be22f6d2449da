"""What of the addresses nobody guards is told to the controller, and does the frame go on whatever becomes of it?"""

from flows import fields
from flows.compiler import compile_bridge
from flows.features.provider import to_wire
from flows.fields import Field
from flows.flow import CopyToController
from flows.intent import BaseIntent, RemotePortIntent, Seen, UnitIntent, Wire
from flows.walk.journey import EndKind
from flows.walk.walker import Walker
from tests.unit.flows.builders import a_local_port, a_remote_port, a_segment, prefix4, prefix6

NET, NET6, LINK_LOCAL = 0x0A000000, 0xFD00 << 112, 0xFE80 << 112
SUBNETS = (prefix4(NET, 24), prefix6(NET6, 64))
STRANGER = 0x020000000099
WIRE = Wire(ofport=65200, vlan=100)
GUEST = a_local_port(9, addresses=(prefix4(NET + 9),))


def walker(*seen: Seen, units: tuple[UnitIntent, ...] = (), wire: Wire | None = WIRE) -> Walker:
    segment = a_segment(5, wire=wire)
    values = {name: getattr(segment, name) for name in ("segment", "service_mac", "service_addresses", "wire")}
    watching = type(segment)(**values, watched=SUBNETS, seen=tuple(sorted(seen)))
    return Walker(compile_bridge([BaseIntent(), watching, GUEST, *units]).tables())


def arp(sender: int, mac: int = STRANGER, *, target: int = NET + 9, **more: int) -> dict[Field, int]:
    return {
        fields.IN_PORT: WIRE.ofport,
        fields.VLAN_VID: fields.VLAN_PRESENT | 100,
        fields.ETH_SRC: mac,
        fields.ETH_DST: 0xFFFFFFFFFFFF,
        fields.ETH_TYPE: fields.ETH_TYPE_ARP,
        fields.ARP_OP: 1,
        fields.ARP_SHA: mac,
        fields.ARP_SPA: sender,
        fields.ARP_TPA: target,
        **{getattr(fields, name): value for name, value in more.items()},
    }


def nd(kind: int, source: int, target: int, mac: int = STRANGER) -> dict[Field, int]:
    return {
        fields.IN_PORT: WIRE.ofport,
        fields.VLAN_VID: fields.VLAN_PRESENT | 100,
        fields.ETH_SRC: mac,
        fields.ETH_DST: 0x333300000001,
        fields.ETH_TYPE: fields.ETH_TYPE_IPV6,
        fields.IP_PROTO: fields.IP_PROTO_ICMPV6,
        fields.ICMP6_TYPE: kind,
        fields.IPV6_SRC: source,
        fields.IPV6_DST: 0xFF02 << 112 | 1,
        fields.ND_TARGET: target,
    }


def is_told(on: Walker, packet: dict[Field, int]) -> bool:
    """Whether the controller gets a copy; in any case the packet reaches the guest."""
    journey = on.walk(packet)
    if packet[fields.IN_PORT] == WIRE.ofport:
        assert GUEST.ofport in {end.ofport for end in journey.sent if end.kind is EndKind.PORT}
    return bool(journey.told)


def test_a_machine_on_the_physical_network_that_names_an_address_of_a_subnet_is_told_of() -> None:
    """RFC 826 and RFC 5227, RFC 4861 and RFC 4862: what is used, and what is asked for before it is."""
    told = (
        arp(NET + 77),
        arp(0, target=NET + 77),
        nd(135, NET6 + 77, NET6 + 9),
        nd(136, LINK_LOCAL + 5, NET6 + 77),
        nd(135, 0, NET6 + 77),
    )
    assert [is_told(walker(), packet) for packet in told] == [True] * 5
    others = (arp(0x0B000001), nd(135, LINK_LOCAL + 5, NET6 + 9), nd(136, LINK_LOCAL + 5, LINK_LOCAL + 5))
    assert [is_told(walker(), packet) for packet in others] == [False] * 3


def test_the_meter_stands_before_the_copy_and_never_before_the_frame() -> None:
    flows = compile_bridge([a_segment(5, wire=WIRE)]).tables().flows.values()
    assert not any(isinstance(action, CopyToController) for flow in flows for action in flow.actions), "nobody asked"
    journey = walker().walk(arp(NET + 77))
    assert journey.meters == ()
    [told] = journey.told
    assert told.packet[fields.VLAN_VID] == 0, "it is told as it is in the segment"


def test_what_was_seen_is_not_told_again_but_of_another_sender_is() -> None:
    known = walker(Seen(prefix4(NET + 77), STRANGER), Seen(prefix6(NET6 + 77), STRANGER))
    quiet = (arp(NET + 77), nd(135, NET6 + 77, NET6 + 9), nd(136, NET6 + 77, NET6 + 77))
    assert [is_told(known, packet) for packet in quiet] == [False] * 3
    other = STRANGER + 1
    again = (arp(NET + 77, other), arp(NET + 78), nd(136, NET6 + 77, NET6 + 77, other))
    assert [is_told(known, packet) for packet in again] == [True] * 3


def test_a_port_of_another_host_is_looked_at_there_and_not_here() -> None:
    remote: RemotePortIntent = a_remote_port(20, addresses=(prefix4(NET + 20),), wire=WIRE)
    assert to_wire(WIRE)
    assert not is_told(walker(units=(remote,)), arp(NET + 77, remote.mac))


def test_a_port_without_port_security_is_told_of_but_for_its_own_addresses() -> None:
    thief = a_local_port(11, secure=False, addresses=(prefix4(NET + 11), prefix6(NET6 + 11)), dhcp=False)
    values = {name: getattr(thief, name) for name in type(thief).__dataclass_fields__}
    thief = type(thief)(**values | {"watched": SUBNETS, "seen": (Seen(prefix4(NET + 78), thief.mac),)})
    on = walker(units=(thief,), wire=None)

    def told(packet: dict[Field, int]) -> bool:
        return is_told(on, packet | {fields.IN_PORT: thief.ofport, fields.VLAN_VID: 0})

    own = (arp(NET + 11, thief.mac), arp(0, thief.mac, target=NET + 11), nd(136, NET6 + 11, NET6 + 11, thief.mac))
    assert [told(packet) for packet in own] == [False] * 3
    assert not told(arp(NET + 78, thief.mac)), "it was seen lately"
    assert [told(packet) for packet in (arp(NET + 9, thief.mac), arp(NET + 11), nd(136, NET6, NET6 + 9))] == [True] * 3
