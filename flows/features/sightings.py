"""Who in a segment uses which address of its subnets? What senders that nobody guards say of themselves is told.

A guarded port uses no address but its own. Machines on a physical network, and ports without port security, may use
any: what they say by ARP (RFC 826, RFC 5227) and neighbour discovery (RFC 4861, RFC 4862) about addresses within the
network's subnets goes to the controller as a copy, through a meter that holds back the copy alone. The frame goes on
as it would without. What is known is not told: a port's own addresses, what ports of other hosts say, who look at it
themselves, and who was seen lately with an address. So in a steady state nothing is.
"""

from collections.abc import Iterable, Iterator

from flows import fields
from flows.cookie import Feature
from flows.features import meters
from flows.fields import Field, Term
from flows.flow import CopyToController, Flow
from flows.intent import LocalPortIntent, Prefix, RemotePortIntent, Seen, SegmentIntent
from flows.pipeline import SEGMENT, SIGHTINGS, Priority

IPV4 = 4
ARP: tuple[Term, ...] = (fields.ETH_TYPE.eq(fields.ETH_TYPE_ARP),)
_ND: tuple[Term, ...] = (
    fields.ETH_TYPE.eq(fields.ETH_TYPE_IPV6),
    fields.IP_PROTO.eq(fields.IP_PROTO_ICMPV6),
    fields.ICMP6_CODE.eq(0),
)
SOLICITATION: tuple[Term, ...] = (*_ND, fields.ICMP6_TYPE.eq(135))
ADVERTISEMENT: tuple[Term, ...] = (*_ND, fields.ICMP6_TYPE.eq(136))
"""Types of RFC 4861 sections 4.3 and 4.4."""


def said_in(watched: Iterable[Prefix]) -> tuple[tuple[Term, ...], ...]:
    """Return the kinds of messages in which senders name the addresses they use."""
    versions = {prefix.version for prefix in watched}
    return (*((ARP,) if IPV4 in versions else ()), *((SOLICITATION, ADVERTISEMENT) if versions - {IPV4} else ()))


def segment_flows(segment: SegmentIntent) -> Iterator[Flow]:
    """Yield what is told of a segment's physical network, and what of the segment need not be told again."""
    if segment.wire is None or not segment.watched:
        return
    source = (fields.IN_PORT.eq(segment.wire.ofport), SEGMENT.eq(segment.segment))
    feature, key = Feature.WIRE_SIGHTING, segment.segment
    for prefix in segment.watched:
        for said in (*_used(prefix), *_probed(prefix)):
            yield SIGHTINGS.flow(
                priority=Priority.DEFAULT,
                feature=feature,
                key=key,
                match=[*source, *said],
                actions=[CopyToController(meters.wire_sightings(segment.segment))],
                why="a machine on the physical network names an address of a subnet",
            )
    yield from _known(segment.seen, source, feature, key)


def port_flows(port: LocalPortIntent) -> Iterator[Flow]:
    """Yield what is told of a port without port security: the addresses it uses that are not its own."""
    if port.guarded or not port.watched:
        return
    source = fields.IN_PORT.eq(port.ofport)
    for prefix in port.watched:
        for said in (*_used(prefix), *_probed(prefix)):
            yield SIGHTINGS.flow(
                priority=Priority.DEFAULT,
                feature=Feature.SIGHTING,
                key=port.port,
                match=[source, *said],
                actions=[CopyToController(meters.sightings(port.number))],
                why="a port without port security names an address of a subnet",
            )
    yield from _known(port.seen, (source,), Feature.SIGHTING, port.port)
    for owned in port.owned:
        for said in (*_used(owned.prefix), *_probed(owned.prefix)):
            yield SIGHTINGS.flow(
                priority=Priority.OWN,
                feature=Feature.SIGHTING,
                key=port.port,
                match=[source, *said, _sender(said, owned.mac)],
                why="the port names its own address",
            )


def remote_flows(port: RemotePortIntent) -> Iterator[Flow]:
    """Yield what need not be told of a port whose frames come from the physical network: its own host looks at them."""
    if port.wire is None:
        return
    for mac in sorted({port.mac, *(owned.mac for owned in port.owned)}):
        yield SIGHTINGS.flow(
            priority=Priority.EXEMPT,
            feature=Feature.SIGHTING,
            key=port.port,
            match=[SEGMENT.eq(port.segment), fields.ETH_SRC.eq(mac)],
            why="a port of another host, which looks at what it says",
        )


def _known(seen: Iterable[Seen], source: Iterable[Term], feature: Feature, key: int) -> Iterator[Flow]:
    for one in seen:
        for said in _used(one.address):
            yield SIGHTINGS.flow(
                priority=Priority.GUARD,
                feature=feature,
                key=key,
                match=[*source, *said, _sender(said, one.mac)],
                why="who uses this address was seen lately",
            )


def _used(prefix: Prefix) -> Iterator[tuple[Term, ...]]:
    """Yield the messages in which a sender says that it has an address within a prefix."""
    if prefix.version == IPV4:
        yield (*ARP, *_within(fields.ARP_SPA, prefix))
    else:
        yield (*SOLICITATION, *_within(fields.IPV6_SRC, prefix))
        yield (*ADVERTISEMENT, *_within(fields.ND_TARGET, prefix))


def _probed(prefix: Prefix) -> Iterator[tuple[Term, ...]]:
    """Yield the messages in which a sender asks whether anybody has an address that it is about to use."""
    if prefix.version == IPV4:
        yield (*ARP, fields.ARP_SPA.eq(0), *_within(fields.ARP_TPA, prefix))
    else:
        yield (*SOLICITATION, fields.IPV6_SRC.eq(0), *_within(fields.ND_TARGET, prefix))


def _sender(said: Iterable[Term], mac: int) -> Term:
    """Return the condition that a message is from a MAC address: of ARP the one it names (RFC 826)."""
    return (fields.ARP_SHA if ARP[0] in said else fields.ETH_SRC).eq(mac)


def _within(field: Field, prefix: Prefix) -> tuple[Term, ...]:
    """Return the condition that an address lies within a prefix; none when every address does."""
    if not prefix.length:
        return ()
    return (field.masked(prefix.address, field.full_mask ^ ((1 << field.bits - prefix.length) - 1)),)
