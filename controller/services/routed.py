"""Which subnets of a routed network can a port on some host use?

Neutron administration guide, routed provider networks. A network is routed when its subnets belong to segments: all of
them, or none. An address is good on its segment only, so who has no host yet waits for its addresses (``ip_allocation``
``deferred``).
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import select

from controller.errors import InvalidInput
from controller.network_errors import (
    HostNotCompatibleWithFixedIps,
    HostNotConnectedToAnySegment,
    NetworkIdsDontMatch,
    NoUpdateSubnetWhenMultipleSegmentsOnNetwork,
    SegmentNotFound,
    SubnetSegmentAssociationChangeNotAllowed,
    SubnetsNotAllAssociatedWithSegments,
)
from controller.records import FixedIp, Port, Segment, SegmentId, Subnet
from controller.segment_choice import reached_segment
from controller.store.loading import in_chunks, segment_of
from controller.store.physnets import PHYSNETS
from controller.store.schema import BINDINGS, HOSTS, PORTS, SEGMENTS, SUBNETS
from controller.store.transaction import Transaction

IMMEDIATE, DEFERRED, NO_ADDRESS = "immediate", "deferred", "none"
"""How a port comes to its addresses (extension ip_allocation)."""

_SEGMENTS = select(SEGMENTS).order_by(SEGMENTS.c.position, SEGMENTS.c.key)


def segments_of(tx: Transaction, network_id: str) -> list[Segment]:
    """Return the segments of a network in order."""
    return [segment_of(row) for row in tx.connection.execute(_SEGMENTS.where(SEGMENTS.c.network_id == network_id))]


def segment_on(tx: Transaction, network_id: str, host: str) -> SegmentId:
    """Return the id of the segment on which a host's ports of a routed network are.

    Raises:
        HostNotConnectedToAnySegment: the host is not registered, or reaches none.
    """
    physnets = _physnets_of(tx, [host]).get(host)
    found = None if physnets is None else reached_segment(segments_of(tx, network_id), physnets)
    if found is None:
        raise HostNotConnectedToAnySegment(host, network_id)
    return found.id


def check_compatible(tx: Transaction, port_id: str, host: str, fixed_ips: Iterable[FixedIp], segment_id: str) -> None:
    """Refuse a host on a segment where addresses that a port keeps cannot be used.

    Raises:
        HostNotCompatibleWithFixedIps
    """
    good = set(subnets_on(tx, segment_id))
    if any(one.subnet_id not in good for one in fixed_ips):
        raise HostNotCompatibleWithFixedIps(host, port_id)


def check_host(tx: Transaction, port: Port, host: str) -> None:
    """Refuse one more host for a port that has its addresses, where they cannot be used there.

    Raises:
        HostNotConnectedToAnySegment, HostNotCompatibleWithFixedIps
    """
    if is_routed(tx, port.network_id):
        check_compatible(tx, port.id, host, port.fixed_ips, segment_on(tx, port.network_id, host))


def is_routed(tx: Transaction, network_id: str) -> bool:
    """Whether the subnets of a network belong to segments."""
    routed = select(SUBNETS.c.id).where(SUBNETS.c.network_id == network_id, SUBNETS.c.segment_id.is_not(None))
    return tx.connection.execute(routed.limit(1)).first() is not None


def checked_segment_id(tx: Transaction, network_id: str, wanted: Mapping[str, Any]) -> SegmentId | None:
    """Return the segment a new subnet is for; its network is locked.

    Raises:
        SegmentNotFound, NetworkIdsDontMatch, SubnetsNotAllAssociatedWithSegments
        InvalidInput: the subnet is to be advertised, which is done for a network and not for one of its segments.
    """
    segment_id: SegmentId | None = wanted.get("segment_id")
    if segment_id is not None:
        _check_of_network(tx, network_id, segment_id)
        _check_not_advertised(wanted.get("ipv6_ra_mode"))
    others = tx.connection.scalars(select(SUBNETS.c.segment_id).where(SUBNETS.c.network_id == network_id))
    if any((other is None) != (segment_id is None) for other in others):
        raise SubnetsNotAllAssociatedWithSegments(network_id)
    return segment_id


def changed_segment_id(tx: Transaction, subnet: Subnet, wanted: SegmentId | None) -> SegmentId | None:
    """Return the segment a subnet is for after a change; its network is locked.

    The one change there is: the only subnet of a network with one segment comes to belong to it.

    Raises:
        SegmentNotFound, NetworkIdsDontMatch, SubnetSegmentAssociationChangeNotAllowed, InvalidInput,
        NoUpdateSubnetWhenMultipleSegmentsOnNetwork, SubnetsNotAllAssociatedWithSegments
    """
    if wanted == subnet.segment_id:
        return wanted
    if subnet.segment_id is not None or wanted is None:
        raise SubnetSegmentAssociationChangeNotAllowed
    _check_of_network(tx, subnet.network_id, wanted)
    if len(segments_of(tx, subnet.network_id)) > 1:
        raise NoUpdateSubnetWhenMultipleSegmentsOnNetwork(subnet.network_id)
    others = select(SUBNETS.c.id).where(
        SUBNETS.c.network_id == subnet.network_id, SUBNETS.c.id != subnet.id, SUBNETS.c.segment_id.is_(None)
    )
    if tx.connection.execute(others.limit(1)).first() is not None:
        raise SubnetsNotAllAssociatedWithSegments(subnet.network_id)
    _check_not_advertised(subnet.ipv6_ra_mode)
    return wanted


def subnets_on(tx: Transaction, segment_id: str) -> list[str]:
    """Return the ids of the subnets that belong to a segment."""
    return list(tx.connection.scalars(select(SUBNETS.c.id).where(SUBNETS.c.segment_id == segment_id)))


def hosts_taking(tx: Transaction, network_id: str, segment_id: str) -> list[str]:
    """Return the names of the hosts with ports of a network that take a segment of it."""
    segments = segments_of(tx, network_id)
    bound = (
        select(BINDINGS.c.host).join(PORTS, PORTS.c.id == BINDINGS.c.port_id).where(PORTS.c.network_id == network_id)
    )
    hosts = _physnets_of(tx, sorted(set(tx.connection.scalars(bound))))
    reached = ((name, reached_segment(segments, physnets)) for name, physnets in hosts.items())
    return [name for name, segment in reached if segment is not None and segment.id == segment_id]


def port_bound_through(tx: Transaction, segment: Segment) -> str | None:
    """Return the id of some port that is bound to a host which takes this segment, None when there is none."""
    hosts = hosts_taking(tx, segment.network_id, segment.id)
    bound = select(PORTS.c.id).join(BINDINGS, BINDINGS.c.port_id == PORTS.c.id)
    bound = bound.where(PORTS.c.network_id == segment.network_id, BINDINGS.c.host.in_(hosts))
    return tx.connection.scalar(bound.order_by(PORTS.c.key).limit(1))


def _check_of_network(tx: Transaction, network_id: str, segment_id: str) -> None:
    owner = tx.connection.scalar(select(SEGMENTS.c.network_id).where(SEGMENTS.c.id == segment_id))
    if owner is None:
        raise SegmentNotFound(segment_id)
    if owner != network_id:
        raise NetworkIdsDontMatch(network_id, segment_id)


def _check_not_advertised(ra_mode: str | None) -> None:
    if ra_mode is not None:
        raise InvalidInput(
            "ipv6_ra_mode is not supported for a subnet of a segment: the router of the segment advertises. "
            "Leave ipv6_ra_mode out and set ipv6_address_mode"
        )


def _physnets_of(tx: Transaction, hosts: Sequence[str]) -> dict[str, set[str]]:
    """Return the physical networks of those hosts that are there."""
    found: dict[str, set[str]] = {}
    for chunk in in_chunks(hosts):
        ways = HOSTS.outerjoin(PHYSNETS, PHYSNETS.c.host_id == HOSTS.c.id)
        named = select(HOSTS.c.name, PHYSNETS.c.name).select_from(ways).where(HOSTS.c.name.in_(chunk))
        for host, physnet in tx.connection.execute(named.order_by(HOSTS.c.name)):
            found.setdefault(host, set()).update({physnet} - {None})
    return found
