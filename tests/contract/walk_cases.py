"""Which networks, and which packets in them, are worth comparing? Random ones, biased to what is nearly allowed.

Everything comes from one `random.Random`, so that a seed names a case.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from flows import fields
from flows.features.admission import link_local
from flows.fields import CT_EST, CT_INV, CT_NEW, CT_REL, CT_RPL, CT_TRK, FRAG_ANY, FRAG_LATER, Field
from flows.intent import (
    DENY_ALL,
    ISOLATED,
    NO_RULES,
    PROMISCUOUS,
    AddressGroupIntent,
    BaseIntent,
    Guard,
    LocalPortIntent,
    Moving,
    Owned,
    PeerIntent,
    Prefix,
    RemotePortIntent,
    RuleIntent,
    RulesetIntent,
    Seen,
    SegmentIntent,
    UnitIntent,
    Wire,
    address_group_id,
)
from tests.contract.trace import ENDPOINT, GENEVE_OFPORT, LOCAL_OFPORTS, PEERS, TUNNEL_OFPORT, WIRE_OFPORTS

SEGMENTS = (5, 6, 0xFFFFFF)
TUNNELS = {5: TUNNEL_OFPORT, 6: GENEVE_OFPORT, 0xFFFFFF: TUNNEL_OFPORT}
VNI = {5: 77, 6: 78, 0xFFFFFF: 0xFFFFFE}
WIRES = (
    Wire(ofport=WIRE_OFPORTS[0], vlan=100),
    Wire(ofport=WIRE_OFPORTS[0], vlan=101),
    Wire(ofport=WIRE_OFPORTS[1], vlan=None),
)
"""Of each segment, where it is a provider network's: two VLANs of one physical network, and a flat one."""
ROLES = (PROMISCUOUS, PROMISCUOUS, ISOLATED, ISOLATED, 30, 31)
MACS = tuple(0xFA163E000001 + n for n in range(10))
STRANGER, MULTICAST, BROADCAST = 0xFA163E0000FF, 0x01005E000012, 0xFFFFFFFFFFFF
SERVICE_MAC = 0x025745465401
NET4, NET6 = 0x0A000000, 0xFD00 << 112
ADDRESSES4 = tuple(NET4 + n for n in (1, 2, 3, 4, 5, 6, 7, 129, 130))
ADDRESSES6 = tuple(NET6 + n for n in (1, 2, 3, 4, 5, 6, 7, 0x1001, 0x1002))
FOREIGN4, FOREIGN6 = 0xC0000201, 0x20010DB8 << 96 | 1
GROUPS, SETS, ADDRESS_GROUPS = (16, 17, 18), (19, 20), (40, 41)
PREFIXES4 = (Prefix(4, NET4, 24), Prefix(4, NET4, 25), Prefix(4, NET4 + 128, 25), Prefix(4, 0, 0))
WATCHED = (Prefix(4, NET4, 24), Prefix(6, NET6, 64))
PREFIXES6 = (Prefix(6, NET6, 64), Prefix(6, NET6 + 0x1000, 116), Prefix(6, 0, 0))
NUMBERS = (1, 22, 53, 67, 68, 80, 81, 443, 546, 547, 1000, 65535)
RANGES = ((22, 22), (80, 81), (80, 83), (1, 1023), (1000, 2000), (5, 65535), (443, 443))
ICMP_KINDS = (0, 3, 8)
ICMP6_KINDS = (1, 128, 129, 130, 131, 132, 133, 134, 135, 136, 137, 143)
TAGS = (0, *(fields.VLAN_PRESENT | vlan for vlan in (0, 1, 100, 101)))
STATES = tuple(
    CT_TRK | bits
    for bits in (CT_NEW, CT_NEW, CT_EST, CT_EST, CT_EST | CT_RPL, CT_REL, CT_REL | CT_RPL, CT_INV, CT_NEW | CT_REL)
)
PROTOCOLS = (1, 6, 6, 17, 17, 58, 132, 47)

_Groups = dict[int, tuple[int, ...]]
"""Which security groups are in each ruleset."""


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """One bridge."""

    units: tuple[UnitIntent, ...]
    locals: tuple[LocalPortIntent, ...]
    remotes: tuple[RemotePortIntent, ...]
    wires: dict[int, Wire]
    """How segments leave for a physical network; the others are overlays."""


def a_world(rng: random.Random) -> World:
    """Return a random bridge."""
    groups = {key: (key,) for key in GROUPS} | dict(zip(SETS, ((16, 17), (16, 17, 18)), strict=True))
    rulesets = [_ruleset(rng, key) for key in groups]
    locals_: list[LocalPortIntent] = []
    remotes: list[RemotePortIntent] = []
    wires = {segment: wire for segment, wire in zip(SEGMENTS, WIRES, strict=True) if rng.random() < 0.4}
    for segment in SEGMENTS:
        private = rng.random() < 0.5
        addresses = [*zip(ADDRESSES4, ADDRESSES6, strict=True)]
        macs = list(MACS)
        rng.shuffle(addresses)
        rng.shuffle(macs)
        for _ in range(rng.randint(1, 3)):
            if len(locals_) < len(LOCAL_OFPORTS):
                place = len(locals_)
                port = _local(rng, segment, place=place, mac=macs.pop(), addresses=addresses.pop(), groups=groups)
                locals_.append(_in_private_vlan(rng, port) if private else port)
        for _ in range(rng.randint(0, 3)):
            key = 100 + len(remotes)
            port_there = _remote(rng, segment, port=key, mac=macs.pop(), addresses=addresses.pop(), groups=groups)
            port_there = replace(port_there, tunnel_ofport=0, wire=wires[segment]) if segment in wires else port_there
            remotes.append(_in_private_vlan(rng, port_there) if private else port_there)
        _migrate(rng, segment, locals_, remotes)
    units: list[UnitIntent] = [BaseIntent(), *locals_, *remotes, *rulesets]
    units += [
        PeerIntent(tunnel_ofport=TUNNEL_OFPORT, more_ofports=(GENEVE_OFPORT,), endpoint=peer) for peer in PEERS[:2]
    ]
    units += [
        SegmentIntent(
            segment=segment,
            service_mac=SERVICE_MAC,
            service_addresses=(NET4 + 254,) if rng.random() < 0.5 else (),
            wire=wires.get(segment),
            watched=WATCHED if rng.random() < 0.5 else (),
            seen=tuple(
                Seen(Prefix(6 if address >> 32 else 4, address, 128 if address >> 32 else 32), rng.choice(MACS))
                for address in sorted(rng.sample((*ADDRESSES4, *ADDRESSES6), 4))
            ),
        )
        for segment in SEGMENTS
    ]
    units += [_address_group(rng, key) for key in ADDRESS_GROUPS]
    return World(units=tuple(units), locals=tuple(locals_), remotes=tuple(remotes), wires=wires)


_LocalOrRemote = TypeVar("_LocalOrRemote", LocalPortIntent, RemotePortIntent)


def _in_private_vlan(rng: random.Random, port: _LocalOrRemote) -> _LocalOrRemote:
    """Return the port with a role; without port security it can be promiscuous alone, which the API sees to."""
    unguarded = not port.guarded if isinstance(port, LocalPortIntent) else port.takes_unknown
    return port if unguarded else replace(port, role=rng.choice(ROLES))


def _migrate(rng: random.Random, segment: int, locals_: list[LocalPortIntent], remotes: list[RemotePortIntent]) -> None:
    """Let some port of the segment be on its way between this host and another, or between two others."""
    here = [place for place, port in enumerate(locals_) if port.segment == segment]
    there = [place for place, port in enumerate(remotes) if port.segment == segment]
    if here and rng.random() < 0.3:
        place = rng.choice(here)
        one = locals_[place] = replace(locals_[place], moving=rng.choice((Moving.SOURCE, Moving.TARGET)))
        wire = next((remotes[other].wire for other in there), None)
        remotes.append(
            RemotePortIntent(
                port=one.port,
                segment=segment,
                vni=VNI[segment],
                mac=one.mac,
                endpoint=rng.choice(PEERS[:2]),
                tunnel_ofport=0 if wire else TUNNELS[segment],
                owned=one.owned,
                ruleset=one.ruleset,
                groups=one.groups,
                role=one.role,
                takes_unknown=not one.guarded,
                wire=wire,
                moving=True,
            )
        )
    elif there and rng.random() < 0.3:
        place = rng.choice(there)
        old = remotes[place]
        if old.wire is None:
            remotes[place] = replace(old, also=next(peer for peer in PEERS[:2] if peer != old.endpoint))


def _ruleset(rng: random.Random, key: int) -> RulesetIntent:
    def rules() -> tuple[RuleIntent, ...]:
        found: dict[object, RuleIntent] = {}
        for n in range(rng.randint(0, 6)):
            rule = _rule(rng, f"rule {key}.{n}")
            found.setdefault((rule.version, rule.protocol, rule.low, rule.high, rule.prefix, rule.group), rule)
        return tuple(found.values())

    return RulesetIntent(ruleset=key, stateful=rng.random() < 0.75, from_port=rules(), to_port=rules())


def _rule(rng: random.Random, why: str) -> RuleIntent:
    version = rng.choice((4, 6))
    protocol = rng.choice((None, *PROTOCOLS))
    low = high = None
    if protocol in {6, 17, 132} and rng.random() < 0.7:
        low, high = rng.choice(RANGES)
    elif (version, protocol) in {(4, 1), (6, 58)} and rng.random() < 0.5:
        low = rng.choice(ICMP_KINDS if version == 4 else ICMP6_KINDS)
        high = rng.choice((None, 0, 1))
    prefix = group = None
    match rng.randint(0, 3):
        case 0:
            prefix = rng.choice(PREFIXES4 if version == 4 else PREFIXES6)
            if rng.random() < 0.5:
                prefix = Prefix(version, rng.choice(ADDRESSES4 if version == 4 else ADDRESSES6), 32 * version - 96)
                prefix = prefix._replace(length=32 if version == 4 else 128)
            prefix = prefix if prefix.length else None
        case 1:
            group = rng.choice(GROUPS)
        case 2:
            group = address_group_id(rng.choice(ADDRESS_GROUPS))
    return RuleIntent(version=version, protocol=protocol, low=low, high=high, prefix=prefix, group=group, why=why)


def _address_group(rng: random.Random, key: int) -> AddressGroupIntent:
    single = [Prefix(4, a, 32) for a in ADDRESSES4] + [Prefix(6, a, 128) for a in ADDRESSES6]
    chosen = rng.sample([*single, *PREFIXES4[:3], *PREFIXES6[:2]], rng.randint(0, 5))
    return AddressGroupIntent(key=key, prefixes=tuple(sorted(chosen)))


def _owned(rng: random.Random, mac: int, addresses: tuple[int, int]) -> tuple[tuple[Guard, ...], tuple[Owned, ...]]:
    families = rng.choice(((4,), (6,), (4, 6), (4, 6), ()))
    guards, owned = [], []
    for version, address in zip((4, 6), addresses, strict=True):
        if version in families:
            prefix = Prefix(version, address, 32 if version == 4 else 128)
            guards.append(Guard(mac, prefix))
            owned.append(Owned(prefix, mac, rng.random() < 0.8))
    for _ in range(rng.choice((0, 0, 1, 2))):
        prefix = rng.choice(
            (*PREFIXES4[1:], *PREFIXES6[1:], Prefix(4, ADDRESSES4[-1], 32), Prefix(6, ADDRESSES6[-1], 128))
        )
        pair = Guard(rng.choice((mac, MACS[-1], 0x00005E000101)), prefix)
        if pair not in guards:
            guards.append(pair)
            owned.append(Owned(prefix, pair.mac, False, pair=True))
    return tuple(sorted(guards)), tuple(sorted(_distinct(owned)))


def _distinct(owned: Sequence[Owned]) -> list[Owned]:
    return list({one.prefix: one for one in reversed(owned)}.values())


def _local(
    rng: random.Random, segment: int, *, place: int, mac: int, addresses: tuple[int, int], groups: _Groups
) -> LocalPortIntent:
    guarded = rng.random() < 0.8
    ruleset = rng.choice((DENY_ALL, *groups, *groups)) if guarded else NO_RULES
    guards, owned = _owned(rng, mac, addresses)
    return LocalPortIntent(
        port=place + 1,
        segment=segment,
        ofport=LOCAL_OFPORTS[place],
        mac=mac,
        number=40_000 + place,
        guarded=guarded,
        guards=guards if guarded else (),
        owned=owned,
        ruleset=ruleset,
        groups=groups.get(ruleset, ()),
        dhcp=rng.random() < 0.5,
        dhcp6=rng.random() < 0.5,
        router=rng.random() < 0.5,
        watched=() if guarded else WATCHED,
    )


def _remote(
    rng: random.Random, segment: int, *, port: int, mac: int, addresses: tuple[int, int], groups: _Groups
) -> RemotePortIntent:
    ruleset = rng.choice((NO_RULES, DENY_ALL, *groups))
    return RemotePortIntent(
        port=port,
        segment=segment,
        vni=VNI[segment],
        mac=mac,
        endpoint=rng.choice(PEERS[:2]),
        tunnel_ofport=TUNNELS[segment],
        owned=_owned(rng, mac, addresses)[1],
        ruleset=ruleset,
        groups=groups.get(ruleset, ()),
        takes_unknown=not ruleset,
    )


# packets --------------------------------------------------------------------------------------------------------------


def a_packet(rng: random.Random, world: World) -> dict[Field, int]:
    """Return a random packet, most often one that its sender may send to somebody."""
    ports: tuple[LocalPortIntent | RemotePortIntent, ...] = (*world.locals, *world.remotes)
    sender = rng.choice((*world.locals, *world.locals, *ports))
    same = [port for port in ports if port.segment == sender.segment and port is not sender]
    receiver = rng.choice(same) if same and rng.random() < 0.9 else rng.choice(ports)
    version = rng.choice((4, 6))
    source = _address(rng, version, sender.owned)
    packet: dict[Field, int] = {
        fields.ETH_SRC: _mac_of(sender.owned, source, sender.mac),
        fields.ETH_DST: receiver.mac,
    }
    if isinstance(sender, LocalPortIntent):
        packet[fields.IN_PORT] = sender.ofport
    elif sender.wire is not None:
        packet[fields.IN_PORT] = _nearly(rng, sender.wire.ofport, WIRE_OFPORTS)
        tag = 0 if sender.wire.vlan is None else fields.VLAN_PRESENT | sender.wire.vlan
        packet[fields.VLAN_VID] = _nearly(rng, tag, TAGS)
    else:
        packet |= {
            fields.IN_PORT: _nearly(rng, sender.tunnel_ofport, (TUNNEL_OFPORT, GENEVE_OFPORT)),
            fields.TUN_SRC: _nearly(rng, sender.endpoint, PEERS),
            fields.TUN_DST: ENDPOINT,
            fields.TUN_ID: _nearly(rng, sender.vni, (*VNI.values(), 1)),
        }
    target = _address(rng, version, receiver.owned)
    kind = rng.choice((_ip, _ip, _ip, _ip, _ip, _arp, _arp, _nd, _nd, _dhcp, _other))
    packet |= kind(rng, version, packet[fields.ETH_SRC], source, target)
    packet[fields.ETH_SRC] = _nearly(rng, packet[fields.ETH_SRC], (*MACS, STRANGER, 0x00005E000101))
    packet[fields.ETH_DST] = _nearly(rng, packet[fields.ETH_DST], (*MACS, STRANGER, MULTICAST, BROADCAST, SERVICE_MAC))
    if isinstance(sender, LocalPortIntent) and rng.random() < 0.04:
        packet[fields.VLAN_VID] = rng.choice(TAGS)
    if rng.random() < 0.08 and packet.get(fields.ETH_TYPE) in {fields.ETH_TYPE_IPV4, fields.ETH_TYPE_IPV6}:
        _fragment(rng, packet)
    if rng.random() < 0.2:
        packet[fields.CT_MARK] = 1
    return packet


def states(rng: random.Random) -> tuple[int, ...]:
    """Return what conntrack is to say, time after time."""
    return tuple(rng.choice(STATES) for _ in range(rng.randint(0, 8)))


def _nearly(rng: random.Random, value: int, others: Sequence[int]) -> int:
    return rng.choice(others) if rng.random() < 0.06 else value


def _address(rng: random.Random, version: int, owned: Sequence[Owned]) -> int:
    own = [one.prefix for one in owned if one.prefix.version == version]
    pool = (*ADDRESSES4, FOREIGN4, 0) if version == 4 else (*ADDRESSES6, FOREIGN6, 0, link_local(MACS[0]).address)
    if own and rng.random() < 0.9:
        prefix = rng.choice(own)
        inside = [a for a in pool if (a ^ prefix.address) >> (32 if version == 4 else 128) - prefix.length == 0]
        return rng.choice(inside or [prefix.address])
    return rng.choice(pool)


def _mac_of(owned: Sequence[Owned], address: int, own: int) -> int:
    return next((one.mac for one in owned if one.prefix.address == address), own)


def _numbers(rng: random.Random) -> int:
    return rng.choice(NUMBERS) if rng.random() < 0.8 else rng.randint(0, 65535)


def _ends(version: int, source: int, target: int) -> dict[Field, int]:
    if version == 4:
        return {fields.ETH_TYPE: fields.ETH_TYPE_IPV4, fields.IPV4_SRC: source, fields.IPV4_DST: target}
    return {fields.ETH_TYPE: fields.ETH_TYPE_IPV6, fields.IPV6_SRC: source, fields.IPV6_DST: target}


def _ip(rng: random.Random, version: int, _mac: int, source: int, target: int) -> dict[Field, int]:
    protocol = rng.choice(PROTOCOLS)
    packet = _ends(version, source, target) | {fields.IP_PROTO: protocol}
    if protocol == 6:
        packet[fields.TCP_DST] = _numbers(rng)
    elif protocol == 17:
        packet |= {fields.UDP_SRC: _numbers(rng), fields.UDP_DST: _numbers(rng)}
    elif protocol == 132:
        packet[fields.SCTP_DST] = _numbers(rng)
    elif (version, protocol) == (4, 1):
        packet |= {fields.ICMP_TYPE: rng.choice(ICMP_KINDS), fields.ICMP_CODE: rng.choice((0, 0, 1))}
    elif (version, protocol) == (6, 58):
        packet |= {fields.ICMP6_TYPE: rng.choice(ICMP6_KINDS), fields.ICMP6_CODE: rng.choice((0, 0, 1))}
    return packet


def _arp(rng: random.Random, _version: int, mac: int, source: int, target: int) -> dict[Field, int]:
    source, target = (rng.choice(ADDRESSES4) if address >> 32 else address for address in (source, target))
    packet = {
        fields.ETH_TYPE: rng.choice((fields.ETH_TYPE_ARP,) * 9 + (fields.ETH_TYPE_RARP,)),
        fields.ARP_OP: rng.choice((1, 1, 1, 1, 2, 3)),
        fields.ARP_SHA: _nearly(rng, mac, (*MACS, 0)),
        fields.ARP_SPA: _nearly(rng, source, (0, FOREIGN4, *ADDRESSES4)),
        fields.ARP_TPA: _nearly(rng, target, (NET4 + 254, FOREIGN4, source)),
    }
    if rng.random() < 0.8:
        packet[fields.ETH_DST] = rng.choice((BROADCAST, BROADCAST, BROADCAST, SERVICE_MAC))
    return packet


def _nd(rng: random.Random, _version: int, mac: int, source: int, target: int) -> dict[Field, int]:
    source, target = (address if address >> 32 else rng.choice(ADDRESSES6) for address in (source, target))
    kind = rng.choice((135, 135, 136))
    packet = _ends(6, _nearly(rng, source, (0, link_local(mac).address)), target) | {
        fields.IP_PROTO: fields.IP_PROTO_ICMPV6,
        fields.ICMP6_TYPE: kind,
        fields.ICMP6_CODE: _nearly(rng, 0, (1,)),
    }
    if packet[fields.ICMP6_CODE] == 0:
        packet[fields.ND_TARGET] = _nearly(rng, target if kind == 135 else source, ADDRESSES6)
        packet[fields.ND_SLL if kind == 135 else fields.ND_TLL] = rng.choice((mac, mac, mac, 0, MACS[0]))
    if rng.random() < 0.7:
        packet[fields.ETH_DST] = 0x333300000000 | 0xFF000000 | target & 0xFFFFFF
    return packet


def _dhcp(rng: random.Random, version: int, _mac: int, source: int, target: int) -> dict[Field, int]:
    ports = (68, 67) if version == 4 else (546, 547)
    if rng.random() < 0.3:
        ports = ports[::-1]
    packet = _ends(version, rng.choice((source, 0)), rng.choice((target, 0xFFFFFFFF if version == 4 else FOREIGN6)))
    packet |= {fields.IP_PROTO: fields.IP_PROTO_UDP, fields.UDP_SRC: ports[0], fields.UDP_DST: ports[1]}
    packet[fields.ETH_DST] = rng.choice((BROADCAST, SERVICE_MAC, MULTICAST, MACS[0]))
    return packet


def _other(rng: random.Random, _version: int, _mac: int, _source: int, _target: int) -> dict[Field, int]:
    return {fields.ETH_TYPE: rng.choice((0x88CC, 0x8863, 0x0600, 0x8847))}


def _fragment(rng: random.Random, packet: dict[Field, int]) -> None:
    later = rng.random() < 0.5
    packet[fields.IP_FRAG] = FRAG_ANY | FRAG_LATER if later else FRAG_ANY
    if later:
        for field in (
            *(fields.TCP_DST, fields.UDP_SRC, fields.UDP_DST, fields.SCTP_DST, fields.ICMP_TYPE, fields.ICMP_CODE),
            *(fields.ICMP6_TYPE, fields.ICMP6_CODE, fields.ND_TARGET, fields.ND_SLL, fields.ND_TLL),
        ):
            packet.pop(field, None)
