"""Who receives a frame? Known unicast addresses one by one, group addresses by the segment's broadcast group."""

from collections.abc import Iterator
from functools import lru_cache

from flows import fields
from flows.contribution import BucketKey, GroupMember
from flows.cookie import Feature
from flows.flow import Action, Bucket, Flow, Load, Output, Resubmit, SetField, ToGroup
from flows.intent import LocalPortIntent, Owned, RemotePortIntent, SegmentIntent
from flows.pipeline import L2_LOOKUP, OUT_PORT, SEGMENT, TO_RULES, TO_TRACK, TO_ZONE, Priority, broadcast_group

HOSTS_REMEMBERED = 16_384
"""Pairs of segment and host."""


def local_flows(port: LocalPortIntent) -> Iterator[Flow]:
    """Yield the flow that delivers unicast frames to a port of this host.

    A port may bear a group address as its MAC (Neutron allows it); such frames go to the group, or one port could take
    every broadcast of its segment.
    """
    if port.mac & fields.MULTICAST_BIT:
        return
    yield L2_LOOKUP.flow(
        priority=Priority.UNICAST,
        feature=Feature.LOCAL_DELIVERY,
        key=port.port,
        match=[SEGMENT.eq(port.segment), fields.ETH_DST.eq(port.mac)],
        actions=_choose(port),
        goto=TO_TRACK,
        why="this MAC address is a port of this host",
    )
    yield from _shared(port, port.mac, port.owned, (*_choose(port), Resubmit(TO_TRACK.id)))


def remote_flows(port: RemotePortIntent) -> Iterator[Flow]:
    """Yield the flow that sends unicast frames straight to the host of a port."""
    if port.mac & fields.MULTICAST_BIT:
        return
    yield L2_LOOKUP.flow(
        priority=Priority.UNICAST,
        feature=Feature.REMOTE_DELIVERY,
        key=port.port,
        match=[SEGMENT.eq(port.segment), fields.ETH_DST.eq(port.mac)],
        actions=_to_host(port.endpoint, port.vni, port.tunnel_ofport),
        why="this MAC address is a port of another host",
    )
    yield from _shared(port, port.mac, port.owned, _to_host(port.endpoint, port.vni, port.tunnel_ofport))


def _choose(port: LocalPortIntent) -> tuple[Action, ...]:
    """Return what makes a port the receiver: its number, its conntrack zone, its rules."""
    return Load(OUT_PORT, port.ofport), Load(TO_ZONE, port.number), Load(TO_RULES, port.ruleset)


def _shared(
    port: LocalPortIntent | RemotePortIntent, own: int, owned: tuple[Owned, ...], deliver: tuple[Action, ...]
) -> Iterator[Flow]:
    """Yield the delivery to MAC addresses that several ports may bear (VRRP, RFC 9568 section 7.3): a copy each."""
    for mac in sorted({pair.mac for pair in owned if pair.mac != own and not pair.mac & fields.MULTICAST_BIT}):
        yield L2_LOOKUP.flow(
            priority=Priority.SHARED,
            feature=Feature.SHARED_DELIVERY,
            key=port.segment,
            match=[SEGMENT.eq(port.segment), fields.ETH_DST.eq(mac)],
            actions=deliver,
            why="ports may use this MAC address beside their own",
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


def local_members(port: LocalPortIntent) -> Iterator[GroupMember]:
    """Yield the port's place in the segment's group; OVS itself leaves out the port a frame came from."""
    yield GroupMember(
        group_id=broadcast_group(port.segment),
        key=BucketKey(0, port.port),
        bucket=Bucket(actions=(*_choose(port), Resubmit(TO_TRACK.id))),
    )


def remote_members(port: RemotePortIntent) -> Iterator[GroupMember]:
    """Yield the remote host's place in the segment's group: one copy a host, only to hosts with a port in it."""
    yield _host_member(port.segment, port.endpoint, port.vni, port.tunnel_ofport)


# What depends on the host alone is one value for all its ports: a large network has thousands of ports and few hosts.


@lru_cache(maxsize=HOSTS_REMEMBERED)
def _to_host(endpoint: int, vni: int, tunnel_ofport: int) -> tuple[Action, ...]:
    return (SetField(fields.TUN_DST, endpoint), SetField(fields.TUN_ID, vni), Output(tunnel_ofport))


@lru_cache(maxsize=HOSTS_REMEMBERED)
def _host_member(segment: int, endpoint: int, vni: int, tunnel_ofport: int) -> GroupMember:
    return GroupMember(
        group_id=broadcast_group(segment),
        key=BucketKey(1, endpoint),
        bucket=Bucket(actions=_to_host(endpoint, vni, tunnel_ofport)),
    )
