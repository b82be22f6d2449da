"""May the packet pass the rules of its sender's and its receiver's security groups?

Both ends of a connection on one host have their own conntrack zone, one a port: what one port's rules allowed must not
open another port. Rules are asked of every packet that is no answer, also of a living connection's, so that a revoked
rule stops it: its connection gets a mark, and answers pass only without one.

A port's security groups are one number, its *ruleset*, in a register; so a port costs no flow here, and a rule costs
one flow a ruleset that contains it. A rule for members of a group is a conjunctive match (ovs-fields(7), "Conjunctive
Match Fields") of two dimensions: "this ruleset has such a rule for members of group G" and "the far end is a member of
G". The far end's ruleset comes out of the directory of addresses (`flows.features.neighbours`); so a member costs one
flow, however many rules refer to its groups, and a rule one flow, however many members the group has. An allowed pair,
which ports of different groups may share, is matched itself and costs two.

A stateless ruleset asks conntrack nothing. Where a broadcast comes to its receiver after a bucket of a stateful one,
the state of the stateful one still clings to the packet, and ct_clear does not take it away (Open vSwitch forgets that
there is something to clear). So a stateless port's zone is 0, which is nobody's, and the flows about connections keep
to other zones.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from flows import fields
from flows.cookie import Feature
from flows.features import meters
from flows.features.admission import ICMP6, IP4, IP6, IPV4, UDP4, UDP6, within
from flows.fields import Field, RegField, Term
from flows.flow import Action, Conjunction, Ct, CtClear, Flow, Load, Move, Resubmit
from flows.intent import (
    FORWARDED,
    AddressGroupIntent,
    LocalPortIntent,
    RemotePortIntent,
    RuleIntent,
    RulesetIntent,
    address_group_id,
)
from flows.pipeline import (
    ADDRESS,
    ADDRESS_HIGH,
    ADDRESS_IPV4,
    ADDRESS_MAPPED,
    ADDRESSES,
    FROM_COMMIT,
    FROM_RULE_TABLE,
    FROM_RULES,
    FROM_STATE,
    FROM_TRACK,
    FROM_ZONE,
    L2_LOOKUP,
    OUTPUT,
    PEER_RULES,
    SEGMENT,
    TO_COMMIT,
    TO_RULE_TABLE,
    TO_RULES,
    TO_STATE,
    TO_TRACK,
    TO_ZONE,
    Priority,
    Table,
)

RULES_REMEMBERED = 1 << 14
"""Rules whose flows are kept at hand, some kilobyte each: most of those of a few large sets."""
REVOKED = 1
"""Connection mark: a packet of it was denied, so its answers are."""
NEIGHBOUR_KINDS = (130, 131, 132, 133, 135, 136, 143)
"""ICMPv6 types of multicast listeners (RFC 2710, RFC 3810) and neighbour discovery (RFC 4861): no rule forbids them."""
ROUTER_ADVERTISEMENT = 134
DHCP_PORTS = {"client": 68, "server": 67}
DHCPV6_PORTS = {"client": 546, "server": 547}
PORT_PROTOCOLS: dict[int, Field] = {
    fields.IP_PROTO_TCP: fields.TCP_DST,
    fields.IP_PROTO_UDP: fields.UDP_DST,
    fields.IP_PROTO_SCTP: fields.SCTP_DST,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Direction:
    """One half of the pipeline: rules for what a port sends, or for what it receives."""

    name: str
    track: Table
    state: Table
    rules: Table
    commit: Table
    onward: Table
    ruleset: RegField
    zone: RegField
    far_ipv4: Field
    far_ipv6: Field


FROM = Direction(
    name="sender",
    track=FROM_TRACK,
    state=FROM_STATE,
    rules=FROM_RULE_TABLE,
    commit=FROM_COMMIT,
    onward=L2_LOOKUP,
    ruleset=FROM_RULES,
    zone=FROM_ZONE,
    far_ipv4=fields.IPV4_DST,
    far_ipv6=fields.IPV6_DST,
)
TO = Direction(
    name="receiver",
    track=TO_TRACK,
    state=TO_STATE,
    rules=TO_RULE_TABLE,
    commit=TO_COMMIT,
    onward=OUTPUT,
    ruleset=TO_RULES,
    zone=TO_ZONE,
    far_ipv4=fields.IPV4_SRC,
    far_ipv6=fields.IPV6_SRC,
)
_BOTH = (FROM, TO)
_FAMILIES = ((4, IP4), (6, IP6))


def state(*, plus: int = 0, minus: int = 0) -> Term:
    """Return the condition that these bits of the connection state are set and those are not."""
    return fields.CT_STATE.masked(plus | fields.CT_TRK, plus | minus | fields.CT_TRK)


# for every bridge -----------------------------------------------------------------------------------------------------


def base_flows() -> Iterator[Flow]:
    """Yield what depends on no rule."""
    for way in _BOTH:
        yield from _track(way)
        yield from _state(way)
        yield from _commit(way)


def _base(table: Table, priority: Priority, match: tuple[Term, ...], goto: Table | None, why: str) -> Flow:
    return table.flow(priority=priority, feature=Feature.BASE, match=match, goto=goto, why=why)


def _track(way: Direction) -> Iterator[Flow]:
    yield _base(way.track, Priority.MISS, (), way.onward, "rules are about IP")
    for _, family in _FAMILIES:
        yield _base(way.track, Priority.CLOSED, family, None, f"no rule of the {way.name} allows anything")
    unfiltered = (way.ruleset.eq(0),)
    yield _base(way.track, Priority.OWN, unfiltered, way.onward, f"the {way.name} has no port security: no rules")
    kinds = NEIGHBOUR_KINDS if way is FROM else (*NEIGHBOUR_KINDS, ROUTER_ADVERTISEMENT)
    for kind in kinds:
        match = (*ICMP6, fields.ICMP6_TYPE.eq(kind))
        yield _base(way.track, Priority.SERVICE, match, way.onward, "no rule forbids neighbour discovery")
    for udp, ports in ((UDP4, DHCP_PORTS), (UDP6, DHCPV6_PORTS)):
        source, target = ("client", "server") if way is FROM else ("server", "client")
        match = (*udp, fields.UDP_SRC.eq(ports[source]), fields.UDP_DST.eq(ports[target]))
        yield _base(way.track, Priority.SERVICE, match, way.onward, "no rule forbids DHCP")


def _state(way: Direction) -> Iterator[Flow]:
    yield _base(way.state, Priority.MISS, (), way.rules, "no answer: the rules decide")
    yield _base(
        way.state, Priority.GUARD, (state(plus=fields.CT_INV),), None, "conntrack finds the packet invalid (RFC 9293)"
    )
    for bit, name in ((fields.CT_RPL, "an answer in"), (fields.CT_REL, "an error message about")):
        allowed, revoked = fields.CT_MARK.eq(0), fields.CT_MARK.eq(REVOKED)
        yield _base(
            way.state, Priority.OWN, (state(plus=bit), allowed), way.onward, f"{name} a connection that was allowed"
        )
        yield _base(way.state, Priority.OWN, (state(plus=bit), revoked), None, f"{name} a connection no longer allowed")
    later = fields.IP_FRAG.eq(fields.FRAG_ANY | fields.FRAG_LATER)
    for _, family in _FAMILIES:
        tracked = (*family, later, state())
        yield _base(
            way.state,
            Priority.SERVICE,
            (*tracked, fields.CT_MARK.eq(0)),
            way.commit,
            "a fragment bears no ports: it shares the fate of the first, without which nothing is put together",
        )
        yield _base(way.state, Priority.UNICAST, tracked, None, "a fragment in a connection no longer allowed")


def _commit(way: Direction) -> Iterator[Flow]:
    stateless = (way.zone.eq(0),)
    yield _base(way.rules, Priority.BROADCAST, stateless, None, f"no rule of the {way.name} allows the packet")
    yield _base(way.commit, Priority.SERVICE, stateless, way.onward, f"stateless rules of the {way.name} allow it")
    yield _base(way.commit, Priority.MISS, (), way.onward, f"the {way.name}'s rules allow the packet")
    for _, family in _FAMILIES:
        yield way.commit.flow(
            priority=Priority.UNICAST,
            feature=Feature.BASE,
            match=[*family, state(plus=fields.CT_NEW)],
            actions=[Ct(zone=way.zone, commit=True)],
            goto=way.onward,
            why="a new connection is remembered, so that answers pass",
        )
        yield way.commit.flow(
            priority=Priority.UNICAST,
            feature=Feature.BASE,
            match=[*family, state(plus=fields.CT_EST), fields.CT_MARK.eq(REVOKED)],
            actions=[Ct(zone=way.zone, commit=True, mark=0)],
            goto=way.onward,
            why="the connection is allowed again",
        )
        yield way.rules.flow(
            priority=Priority.DEFAULT,
            feature=Feature.BASE,
            match=[*family, state(plus=fields.CT_EST, minus=fields.CT_RPL), fields.CT_MARK.eq(0)],
            actions=[Ct(zone=way.zone, commit=True, mark=REVOKED)],
            why="no rule allows the connection any longer: its answers stop too",
        )


# for one local port ---------------------------------------------------------------------------------------------------


def port_flows(port: LocalPortIntent) -> Iterator[Flow]:
    """Yield what bounds the connections one port may begin: conntrack is shared by all."""
    if port.ruleset:
        yield FROM_STATE.flow(
            priority=Priority.UNICAST,
            feature=Feature.CONNECTION,
            key=port.port,
            match=[fields.IN_PORT.eq(port.ofport), state(plus=fields.CT_NEW)],
            meter=meters.connections(port.number),
            goto=FROM_RULE_TABLE,
            why="the port begins a connection, at a bounded rate",
        )


@lru_cache(maxsize=4096)
def peer_flows(ruleset: int, groups: tuple[int, ...]) -> tuple[Flow, ...]:
    """Return the flows that say of which groups an address with this ruleset is a member; its ports share them."""
    if not groups:
        return ()
    return tuple(
        way.rules.flow(
            priority=Priority.CONJUNCTION,
            feature=Feature.RULE_PEERS,
            key=ruleset,
            match=[PEER_RULES.eq(ruleset)],
            actions=[Conjunction(group, 2, 2) for group in groups],
            why="the far end is a member of these security groups",
        )
        for way in _BOTH
    )


def pair_flows(port: LocalPortIntent | RemotePortIntent) -> Iterator[Flow]:
    """Yield that the port's allowed pairs are members of its groups, as its fixed addresses are.

    Ports that share a pair share the flow, whose conjunctions are collected (`flows.merging`): the address is a member
    of all their groups. One flow for each prefix, so that an address is also a member by a wider pair. A pair of every
    address says that the port forwards for others: that is no reason to take another port for a member, so it counts
    for those addresses only that the directory knows nobody for.
    """
    if not port.groups:
        return
    for prefix in sorted({owned.prefix for owned in port.owned if owned.pair}):
        is_ipv4 = prefix.version == IPV4
        for way in _BOTH:
            within_pair = within(way.far_ipv4 if is_ipv4 else way.far_ipv6, prefix) or PEER_RULES.eq(FORWARDED)
            yield way.rules.flow(
                priority=Priority.CONJUNCTION,
                feature=Feature.RULE_PEERS,
                key=port.ruleset,
                match=[SEGMENT.eq(port.segment), *(IP4 if is_ipv4 else IP6), within_pair],
                actions=[Conjunction(group, 2, 2) for group in port.groups],
                why="members of these security groups may use the far end's address",
            )


# for a ruleset --------------------------------------------------------------------------------------------------------


def ruleset_flows(ruleset: RulesetIntent) -> Iterator[Flow]:
    """Yield what the rules of a set of security groups allow."""
    for way, rules in ((FROM, ruleset.from_port), (TO, ruleset.to_port)):
        yield from _enter(ruleset, way, rules)
        yield from _direct(ruleset, way, rules)
        yield from _by_group(ruleset, way, rules)


def _enter(ruleset: RulesetIntent, way: Direction, rules: tuple[RuleIntent, ...]) -> Iterator[Flow]:
    looks_up = any(rule.group is not None and rule.group < 1 << 31 for rule in rules)
    for version, family in _FAMILIES:
        lookup = _lookup(way, version) if looks_up else ()
        tracked: tuple[Action, ...] = (Ct(zone=way.zone, table=way.state.id),) if ruleset.stateful else ()
        forget: tuple[Action, ...] = () if ruleset.stateful else (CtClear(), Load(way.zone, 0))
        yield way.track.flow(
            priority=Priority.UNICAST,
            feature=Feature.RULES,
            key=ruleset.ruleset,
            match=[way.ruleset.eq(ruleset.ruleset), *family],
            actions=[*forget, *lookup, *tracked],
            goto=None if ruleset.stateful else way.rules,
            why=f"the {way.name}'s rules are {'stateful' if ruleset.stateful else 'stateless'}",
        )


def _lookup(way: Direction, version: int) -> tuple[Action, ...]:
    """Return what finds out who the far end is; a lookup of the sender's rules may have been there before."""
    forget = (Load(PEER_RULES, 0),) if way is TO else ()
    if version == IPV4:
        load = (Load(ADDRESS_HIGH, 0), Load(ADDRESS_MAPPED, 0xFFFF), Move(way.far_ipv4, ADDRESS_IPV4))
        return (*forget, *load, Resubmit(ADDRESSES.id))
    return (*forget, Move(way.far_ipv6, ADDRESS), Resubmit(ADDRESSES.id))


def _direct(ruleset: RulesetIntent, way: Direction, rules: tuple[RuleIntent, ...]) -> Iterator[Flow]:
    for rule in rules:
        if rule.group is None:
            yield from _allowed(ruleset.ruleset, way is FROM, rule)


@lru_cache(maxsize=RULES_REMEMBERED)
def _allowed(ruleset: int, is_from: bool, rule: RuleIntent) -> tuple[Flow, ...]:
    """Return the flows of one rule that asks for no group; the same ones each time, for most rules of a set stay."""
    way = FROM if is_from else TO
    return tuple(
        way.rules.flow(
            priority=Priority.SERVICE,
            feature=Feature.RULES,
            key=ruleset,
            match=[way.ruleset.eq(ruleset), *_family(rule), *_far_end(way, rule), *layer_4],
            goto=way.commit,
            why=rule.why,
        )
        for layer_4 in _layer_4(rule)
    )


def _by_group(ruleset: RulesetIntent, way: Direction, rules: tuple[RuleIntent, ...]) -> Iterator[Flow]:
    groups: dict[tuple[Term, ...], list[RuleIntent]] = {}
    for rule in rules:
        if rule.group is not None:
            for layer_4 in _layer_4(rule):
                groups.setdefault((*_family(rule), *layer_4), []).append(rule)
    for match, sharing in groups.items():
        ids = sorted({rule.group for rule in sharing if rule.group is not None})
        yield way.rules.flow(
            priority=Priority.CONJUNCTION,
            feature=Feature.RULES,
            key=ruleset.ruleset,
            match=[way.ruleset.eq(ruleset.ruleset), *match],
            actions=[Conjunction(group, 1, 2) for group in ids],
            why="; ".join(sorted({rule.why for rule in sharing})),
        )
    for group in sorted({rule.group for rule in rules if rule.group is not None}):
        yield _allowed_by_group(way is FROM, group)


@lru_cache(maxsize=4096)
def _allowed_by_group(is_from: bool, group: int) -> Flow:
    """Return the flow that every ruleset shares that has a rule for members of a group."""
    way = FROM if is_from else TO
    return way.rules.flow(
        priority=Priority.CONJUNCTION,
        feature=Feature.RULES,
        key=group,
        match=[fields.CONJ_ID.eq(group)],
        goto=way.commit,
        why="a rule allows it for members of a group, and the far end is one",
    )


def _family(rule: RuleIntent) -> tuple[Term, ...]:
    return IP4 if rule.version == IPV4 else IP6


def _far_end(way: Direction, rule: RuleIntent) -> tuple[Term, ...]:
    if rule.prefix is None:
        return ()
    term = within(way.far_ipv4 if rule.version == IPV4 else way.far_ipv6, rule.prefix)
    return () if term is None else (term,)


def _layer_4(rule: RuleIntent) -> Iterator[tuple[Term, ...]]:
    """Yield the conditions, one of which must hold, on what is above IP."""
    if rule.protocol is None:
        yield ()
        return
    protocol = (fields.IP_PROTO.eq(rule.protocol),)
    if rule.protocol in PORT_PROTOCOLS and rule.low is not None and rule.high is not None:
        port = PORT_PROTOCOLS[rule.protocol]
        for value, mask in port_masks(rule.low, rule.high):
            yield (*protocol, *((port.masked(value, mask),) if mask else ()))
        return
    kind, code = _icmp_fields(rule)
    terms = list(protocol)
    if kind is not None and rule.low is not None:
        terms.append(kind.eq(rule.low))
        if code is not None and rule.high is not None:
            terms.append(code.eq(rule.high))
    yield tuple(terms)


def _icmp_fields(rule: RuleIntent) -> tuple[Field | None, Field | None]:
    if rule.version == IPV4 and rule.protocol == fields.IP_PROTO_ICMP:
        return fields.ICMP_TYPE, fields.ICMP_CODE
    if rule.version != IPV4 and rule.protocol == fields.IP_PROTO_ICMPV6:
        return fields.ICMP6_TYPE, fields.ICMP6_CODE
    return None, None


@lru_cache(maxsize=4096)
def port_masks(low: int, high: int) -> tuple[tuple[int, int], ...]:
    """Return the fewest (value, mask) pairs of 16 bits that together match `low` to `high`, inclusive.

    >>> port_masks(1000, 1003)
    ((1000, 65532),)
    """
    pairs: list[tuple[int, int]] = []
    while low <= high:
        size = low & -low or 1 << 16
        while low + size - 1 > high:
            size >>= 1
        pairs.append((low, 0xFFFF ^ (size - 1)))
        low += size
    return tuple(pairs)


# for an address group -------------------------------------------------------------------------------------------------


def address_group_flows(group: AddressGroupIntent) -> Iterator[Flow]:
    """Yield which addresses an address group holds; groups with the same prefix share the flow (`flows.state`)."""
    for prefix in group.prefixes:
        for way in _BOTH:
            is_ipv4 = prefix.version == IPV4
            term = within(way.far_ipv4 if is_ipv4 else way.far_ipv6, prefix)
            yield way.rules.flow(
                priority=Priority.CONJUNCTION,
                feature=Feature.RULE_PEERS,
                match=[*(IP4 if is_ipv4 else IP6), *(() if term is None else (term,))],
                actions=[Conjunction(address_group_id(group.key), 2, 2)],
                why="the far end is in these address groups",
            )
