"""May two ports of one network talk? Private VLANs: promiscuous, isolated and community ports (RFC 5517 section 3).

The receiver's host decides, for every frame it delivers, unicast or not. It knows the role of a sender on another host
by the source MAC address, which that host has guarded: no tunnel header says it. So the ports of a private VLAN other
than promiscuous ones need port security, on every host.
"""

from collections.abc import Iterator
from functools import lru_cache

from flows import fields
from flows.cookie import Feature
from flows.flow import Flow, Load
from flows.intent import ISOLATED, PROMISCUOUS, LocalPortIntent, RemotePortIntent, SegmentIntent
from flows.pipeline import FROM_ROLE, ISOLATION, L2_LOOKUP, SEGMENT, SENDER, TO_ROLE, TO_TRACK, Priority


def base_flows() -> Iterator[Flow]:
    """Yield what depends on no port: a promiscuous end may talk to all."""
    yield SENDER.flow(
        priority=Priority.MISS, feature=Feature.BASE, goto=L2_LOOKUP, why="the sender is a promiscuous port"
    )
    for role, name in ((FROM_ROLE, "sender"), (TO_ROLE, "receiver")):
        yield ISOLATION.flow(
            priority=Priority.UNICAST,
            feature=Feature.BASE,
            match=[role.eq(PROMISCUOUS)],
            goto=TO_TRACK,
            why=f"the {name} is a promiscuous port",
        )
    yield ISOLATION.flow(
        priority=Priority.MISS,
        feature=Feature.BASE,
        why="isolated ports, and ports of different communities, may not talk (RFC 5517 section 3)",
    )


def local_flows(port: LocalPortIntent) -> Iterator[Flow]:
    """Yield the flow that lets a community talk among itself; its ports share it."""
    if port.role not in {PROMISCUOUS, ISOLATED}:
        yield _community(port.role)


@lru_cache(maxsize=4096)
def _community(role: int) -> Flow:
    return ISOLATION.flow(
        priority=Priority.DEFAULT,
        feature=Feature.ISOLATION,
        match=[FROM_ROLE.eq(role), TO_ROLE.eq(role)],
        goto=TO_TRACK,
        why="both are ports of one community",
    )


def segment_flows(segment: SegmentIntent) -> Iterator[Flow]:
    """Yield the flow that takes an unknown sender of a private VLAN for an isolated port.

    A new port may send before this host has heard of it. On a physical network an unknown sender is the router: there
    the roles of ports are told before they are on any host (`RemotePortIntent.awaited`).
    """
    if segment.private and segment.wire is None:
        yield SENDER.flow(
            priority=Priority.DEFAULT,
            feature=Feature.ISOLATION,
            match=[SEGMENT.eq(segment.segment)],
            actions=[Load(FROM_ROLE, ISOLATED)],
            goto=L2_LOOKUP,
            why="nobody this host knows: until it does, it is taken for an isolated port",
        )


def remote_flows(port: RemotePortIntent) -> Iterator[Flow]:
    """Yield the flows that tell the role of a port on another host by the MAC addresses it may send from.

    Isolated and community ports may send from their own only, which counts before what promiscuous ones may use beside
    theirs.
    """
    if port.role != PROMISCUOUS:
        yield _sender(port, port.mac, Priority.UNICAST)
    elif port.private:
        yield _sender(port, port.mac, Priority.UNICAST)
        for mac in sorted({owned.mac for owned in port.owned} - {port.mac}):
            yield _sender(port, mac, Priority.SHARED)


def _sender(port: RemotePortIntent, mac: int, priority: Priority) -> Flow:
    return SENDER.flow(
        priority=priority,
        feature=Feature.ISOLATION,
        key=port.port,
        match=[SEGMENT.eq(port.segment), fields.ETH_SRC.eq(mac)],
        actions=[Load(FROM_ROLE, port.role)],
        goto=L2_LOOKUP,
        why="this MAC address is a port of the private VLAN on another host",
    )
