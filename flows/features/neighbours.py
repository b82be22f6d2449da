"""Who has which address, and does the network answer a guest that asks for it by ARP (RFC 826) or ND (RFC 4861)?

`addresses` is the segment's directory: one flow an address, for the ports of this host and of others. It says with
which MAC the network answers, and whose security groups the address has (`flows.features.rules`). Allowed pairs, which
several ports may have, are not in it: `flows.features.rules` says of which groups they are members. The network
answers for what has exactly one owner only, and never the owner itself, whose probe for a duplicate address must find
nobody else. A question without an answer goes on to the segment's members, as does a probe from an address that is not
yet used, so that its owner defends itself.

The answer is made in the switch's slow path, so a meter in front of it would come too late: a group that selects makes
the switch look the frame up anew, and the meter stays with the fast path.
"""

from collections.abc import Iterator

from flows import fields
from flows.cookie import Feature
from flows.features.admission import ARP, IPV4, NEIGHBOUR_ADVERTISEMENT, SOLICITATION
from flows.fields import Term
from flows.flow import Action, Bucket, Flow, Group, GroupKind, Load, Move, OutputInPort, Resubmit, SetField, ToGroup
from flows.intent import FORWARDED, LocalPortIntent, Owned, Prefix, RemotePortIntent
from flows.pipeline import (
    ADDRESS,
    ADDRESS_IPV4,
    ADDRESS_MAPPED,
    ADDRESSES,
    ANSWER,
    FROM_TRACK,
    MAPPED,
    ND_ANSWER,
    NEIGHBOURS,
    OWNER_MAC,
    PEER_RULES,
    RECIRCULATE,
    SEGMENT,
    SERVICES,
    Priority,
)

PREFIX_OF_IPV4 = 96
"""Length of the prefix that an IPv4 address has in the lookup."""
IPV4_LOOKUP = 200
"""Priority of looking up IPv4 addresses, plus the length of the prefix; that of IPv6 is the length alone."""
SOLICITED_OVERRIDE = 0x60000000
"""The S and O flags (RFC 4861 section 4.4)."""
TARGET_LINK_LAYER_ADDRESS = 2
"""Option type (RFC 4861 section 4.6.1)."""

LOOK_UP_ARP_TARGET: tuple[Action, ...] = (
    Load(ADDRESS_MAPPED, 0xFFFF),
    Move(fields.ARP_TPA, ADDRESS_IPV4),
    Resubmit(ADDRESSES.id),
)
LOOK_UP_ND_TARGET: tuple[Action, ...] = (Move(fields.ND_TARGET, ADDRESS), Resubmit(ADDRESSES.id))


def base_groups() -> Iterator[Group]:
    """Yield the group that makes the switch look a frame up anew."""
    yield Group(
        id=RECIRCULATE,
        kind=GroupKind.SELECT,
        buckets=(Bucket(actions=(Resubmit(NEIGHBOURS.id),)),),
    )


def base_flows() -> Iterator[Flow]:
    """Yield the way of a question through the tables, the same for all."""
    to_many = fields.ETH_DST.masked(fields.MULTICAST_BIT, fields.MULTICAST_BIT)
    request = (*ARP, fields.ARP_OP.eq(fields.ARP_REQUEST))
    yield SERVICES.flow(
        priority=Priority.MISS, feature=Feature.BASE, goto=FROM_TRACK, why="the network has no answer of its own"
    )
    for match in (request, SOLICITATION):
        yield SERVICES.flow(
            priority=Priority.UNICAST,
            feature=Feature.NEIGHBOUR_ANSWER,
            match=[*match, to_many],
            actions=[ToGroup(RECIRCULATE)],
            why="a guest asks everybody for a neighbour: see whether the network knows",
        )
    yield SERVICES.flow(
        priority=Priority.SERVICE,
        feature=Feature.NEIGHBOUR_ANSWER,
        match=[*SOLICITATION, fields.ND_SLL.eq(0)],
        goto=FROM_TRACK,
        why="a solicitation that names no sender probes for a duplicate (RFC 4862 section 5.4): the owner answers",
    )
    for match, lookup in ((ARP, LOOK_UP_ARP_TARGET), (SOLICITATION, LOOK_UP_ND_TARGET)):
        yield NEIGHBOURS.flow(
            priority=Priority.DEFAULT,
            feature=Feature.NEIGHBOUR_ANSWER,
            match=match,
            actions=lookup,
            goto=ANSWER,
            why="look for the owner of the address",
        )
    yield ANSWER.flow(
        priority=Priority.UNICAST,
        feature=Feature.NEIGHBOUR_ANSWER,
        match=OWNER_MAC.matching(0),
        goto=FROM_TRACK,
        why="the network does not know, or may not say: the question goes on to the segment",
    )
    yield ADDRESSES.flow(
        priority=IPV4_LOOKUP - 1,
        feature=Feature.BASE,
        match=ADDRESS.matching(MAPPED, PREFIX_OF_IPV4),
        why="an IPv4 address is in no IPv6 prefix",
    )
    yield from _answers()


def _answers() -> Iterator[Flow]:
    to_sender = (Move(fields.ETH_SRC, fields.ETH_DST), Move(OWNER_MAC, fields.ETH_SRC))
    yield ANSWER.flow(
        priority=Priority.DEFAULT,
        feature=Feature.NEIGHBOUR_ANSWER,
        match=ARP,
        actions=[
            *to_sender,
            SetField(fields.ARP_OP, fields.ARP_REPLY),
            Move(fields.ARP_SHA, fields.ARP_THA),
            Move(fields.ARP_SPA, fields.ARP_TPA),
            Move(OWNER_MAC, fields.ARP_SHA),
            Move(ADDRESS_IPV4, fields.ARP_SPA),
            OutputInPort(),
        ],
        why="the network answers ARP for an address whose owner it knows",
    )
    yield ANSWER.flow(
        priority=Priority.DEFAULT,
        feature=Feature.NEIGHBOUR_ANSWER,
        match=SOLICITATION,
        actions=[
            *to_sender,
            Move(fields.IPV6_SRC, fields.IPV6_DST),
            Move(fields.ND_TARGET, fields.IPV6_SRC),
            SetField(fields.ND_RESERVED, SOLICITED_OVERRIDE),
            SetField(fields.ND_OPTIONS_TYPE, TARGET_LINK_LAYER_ADDRESS),
            SetField(fields.ICMP6_TYPE, NEIGHBOUR_ADVERTISEMENT),
            Resubmit(ND_ANSWER.id),
        ],
        why="the network answers a neighbour solicitation for an address whose owner it knows",
    )
    yield ND_ANSWER.flow(
        priority=Priority.DEFAULT,
        feature=Feature.NEIGHBOUR_ANSWER,
        match=[term for term in SOLICITATION if term.field is not fields.ICMP6_TYPE]
        + [fields.ICMP6_TYPE.eq(NEIGHBOUR_ADVERTISEMENT)],
        actions=[Move(OWNER_MAC, fields.ND_TLL), OutputInPort()],
        why="the answer names the owner's MAC address",
    )


def own_flows(port: LocalPortIntent) -> Iterator[Flow]:
    """Yield what keeps the network from answering a port for its own addresses.

    It is looked at only after the meter: what is matched before it, a guest that asks for ever new addresses would make
    the switch look up anew for each.
    """
    for owned in port.owned:
        if not owned.answered:
            continue
        _, address = looked_up(owned.prefix)
        yield ANSWER.flow(
            priority=Priority.OWN,
            feature=Feature.ADDRESS,
            key=port.port,
            match=[fields.IN_PORT.eq(port.ofport), *address],
            goto=FROM_TRACK,
            why="the port asks for its own address: only another owner could answer",
        )


def address_flows(port: LocalPortIntent | RemotePortIntent) -> Iterator[Flow]:
    """Yield the port's part of the segment's directory of addresses."""
    for owned in port.owned:
        said = tuple(_said_of(owned, port.ruleset))
        if not said:
            continue
        priority, address = looked_up(owned.prefix)
        yield ADDRESSES.flow(
            priority=priority,
            feature=Feature.ADDRESS,
            key=port.port,
            match=[SEGMENT.eq(port.segment), *address],
            actions=said,
            why="a port may use any address" if owned.pair else "this address is a port's",
        )


def looked_up(prefix: Prefix) -> tuple[int, tuple[Term, ...]]:
    """Return the priority and the condition under which a lookup finds a prefix: the longest wins."""
    if prefix.version == IPV4:
        return IPV4_LOOKUP + prefix.length, ADDRESS.matching(MAPPED | prefix.address, PREFIX_OF_IPV4 + prefix.length)
    return prefix.length, ADDRESS.matching(prefix.address, prefix.length)


def _said_of(owned: Owned, ruleset: int) -> Iterator[Action]:
    if owned.pair:
        if ruleset and not owned.prefix.length:
            yield Load(PEER_RULES, FORWARDED)  # the same for every port, since they share the flow
        return
    if owned.answered:
        yield Load(OWNER_MAC, owned.mac)
    if ruleset:
        yield Load(PEER_RULES, ruleset)
