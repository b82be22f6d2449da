"""Who receives a frame? Known unicast addresses one by one, group addresses by the segment's broadcast group."""

from collections.abc import Iterator
from functools import lru_cache

from flows import fields
from flows.contribution import BucketKey, GroupMember
from flows.cookie import Feature
from flows.features.provider import to_wire
from flows.flow import Action, Bucket, Flow, Load, Output, Resubmit, SetField, ToGroup
from flows.intent import LocalPortIntent, RemotePortIntent, SegmentIntent
from flows.pipeline import (
    ISOLATION,
    L2_LOOKUP,
    OUT_PORT,
    SEGMENT,
    TO_ROLE,
    TO_RULES,
    TO_ZONE,
    Priority,
    broadcast_group,
    unknown_group,
)

HOSTS_REMEMBERED = 16_384
"""Pairs of segment and host."""


def local_flows(port: LocalPortIntent) -> Iterator[Flow]:
    """Yield the flow that delivers unicast frames to a port of this host.

    A port may bear a group address as its MAC (Neutron allows it); such frames go to the group, or one port could take
    every broadcast of its segment.
    """
    if port.mac & fields.MULTICAST_BIT:
        return
    chosen = (*_choose(port), Resubmit(ISOLATION.id))
    if port.moving:
        yield _delivery(port.segment, port.mac, chosen, Priority.UNICAST, "the port is being moved: both hosts get it")
    else:
        yield L2_LOOKUP.flow(
            priority=Priority.UNICAST,
            feature=Feature.LOCAL_DELIVERY,
            key=port.port,
            match=[SEGMENT.eq(port.segment), fields.ETH_DST.eq(port.mac)],
            actions=_choose(port),
            goto=ISOLATION,
            why="this MAC address is a port of this host",
        )
    yield from _shared(port, chosen)


def remote_flows(port: RemotePortIntent) -> Iterator[Flow]:
    """Yield the flow that sends unicast frames straight to the host of a port."""
    if port.mac & fields.MULTICAST_BIT:
        return
    way = _way(port)
    if port.moving:
        yield _delivery(port.segment, port.mac, way, Priority.UNICAST, "the port is being moved: both hosts get it")
    else:
        yield L2_LOOKUP.flow(
            priority=Priority.UNICAST,
            feature=Feature.REMOTE_DELIVERY,
            key=port.port,
            match=[SEGMENT.eq(port.segment), fields.ETH_DST.eq(port.mac)],
            actions=way,
            why="this MAC address is a port of another host",
        )
    yield from _shared(port, way)


def _way(port: RemotePortIntent) -> tuple[Action, ...]:
    """Return what takes a frame to a port of another host, or of two while it is being moved between them."""
    if port.wire is not None:
        return to_wire(port.wire)
    way = _to_host(port.endpoint, port.vni, port.tunnel_ofport)
    return way if port.also is None else (*way, *_to_host(port.also, port.vni, port.tunnel_ofport))


def _choose(port: LocalPortIntent) -> tuple[Action, ...]:
    """Return what makes a port the receiver: its number, its conntrack zone, its rules, its role."""
    return (
        Load(OUT_PORT, port.ofport),
        Load(TO_ZONE, port.number),
        Load(TO_RULES, port.ruleset),
        Load(TO_ROLE, port.role),
    )


def _shared(port: LocalPortIntent | RemotePortIntent, deliver: tuple[Action, ...]) -> Iterator[Flow]:
    """Yield the delivery to MAC addresses that several ports may bear (VRRP, RFC 9568 section 7.3): a copy each."""
    others = {pair.mac for pair in port.owned if pair.mac != port.mac and not pair.mac & fields.MULTICAST_BIT}
    for mac in sorted(others):
        yield _delivery(port.segment, mac, deliver, Priority.SHARED, "ports may use this MAC address beside their own")


def _delivery(segment: int, mac: int, deliver: tuple[Action, ...], priority: Priority, why: str) -> Flow:
    """Return a delivery that `flows.merging` joins with others to the same address."""
    return L2_LOOKUP.flow(
        priority=priority,
        feature=Feature.SHARED_DELIVERY,
        key=segment,
        match=[SEGMENT.eq(segment), fields.ETH_DST.eq(mac)],
        actions=deliver,
        why=why,
    )


def segment_flows(segment: SegmentIntent) -> Iterator[Flow]:
    """Yield the flow that hands broadcast and multicast frames to the segment's group."""
    yield L2_LOOKUP.flow(
        priority=Priority.BROADCAST,
        feature=Feature.BROADCAST,
        key=segment.segment,
        match=[
            SEGMENT.eq(segment.segment),
            fields.ETH_DST.masked(fields.MULTICAST_BIT, fields.MULTICAST_BIT),
        ],
        actions=[ToGroup(broadcast_group(segment.segment))],
        why="broadcast and multicast go to the members of the segment",
    )
    yield L2_LOOKUP.flow(
        priority=Priority.DEFAULT,
        feature=Feature.UNKNOWN_DELIVERY,
        key=segment.segment,
        match=[SEGMENT.eq(segment.segment)],
        actions=[ToGroup(unknown_group(segment.segment))],
        why="an unknown address: it may be on the physical network, or behind a port without port security",
    )


def local_members(port: LocalPortIntent) -> Iterator[GroupMember]:
    """Yield the port's place in the segment's groups; OVS itself leaves out the port a frame came from."""
    bucket = Bucket(actions=(*_choose(port), Resubmit(ISOLATION.id)))
    yield GroupMember(group_id=broadcast_group(port.segment), key=BucketKey(0, port.port), bucket=bucket)
    if not port.guarded:
        yield GroupMember(group_id=unknown_group(port.segment), key=BucketKey(0, port.port), bucket=bucket)


def remote_members(port: RemotePortIntent) -> Iterator[GroupMember]:
    """Yield the remote host's place in the segment's groups: one copy a host, only to hosts with a port in it."""
    if not port.tunnel_ofport:
        return
    groups = [broadcast_group(port.segment)]
    if port.takes_unknown:
        groups.append(unknown_group(port.segment))
    for endpoint in (port.endpoint,) if port.also is None else (port.endpoint, port.also):
        for group_id in groups:
            yield _host_member(group_id, endpoint, port.vni, port.tunnel_ofport)


# What depends on the host alone is one value for all its ports: a large network has thousands of ports and few hosts.


@lru_cache(maxsize=HOSTS_REMEMBERED)
def _to_host(endpoint: int, vni: int, tunnel_ofport: int) -> tuple[Action, ...]:
    return (SetField(fields.TUN_DST, endpoint), SetField(fields.TUN_ID, vni), Output(tunnel_ofport))


@lru_cache(maxsize=HOSTS_REMEMBERED)
def _host_member(group_id: int, endpoint: int, vni: int, tunnel_ofport: int) -> GroupMember:
    return GroupMember(
        group_id=group_id,
        key=BucketKey(1, endpoint),
        bucket=Bucket(actions=_to_host(endpoint, vni, tunnel_ofport)),
    )
