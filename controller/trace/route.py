"""Which way does the packet take, host by host? Through the tunnel into the next host's tables, without a switch."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address

from controller.records import HostName, PortId
from controller.trace.question import CONNECTION, Probe
from flows import fields
from flows.delta import Tables
from flows.fields import Field
from flows.walk.journey import Connection, End, EndKind, Journey
from flows.walk.packet import HEADERS
from flows.walk.walker import Walker

MOST_HOSTS = 64
"""A broadcast reaches every host of its network; of more, the rest is left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """One host as a trace sees it."""

    host: HostName
    tables: Tables
    tunnel_ofport: int | None
    endpoint: int
    """IPv4 address of its tunnel endpoint, or 0."""
    ports: Mapping[int, PortId]
    """Who has which OpenFlow port number."""
    unread: frozenset[int] = frozenset()
    """Cookies of live flows that this Weft cannot read, and that a walk therefore did not see."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hop:
    """What happened on one host."""

    site: Site
    came_from: HostName | None
    """The host that sent it through the tunnel; None: it came from the port."""
    vni: int
    journey: Journey


class _Everywhere:
    """Conntrack that says the same in every zone."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def look_up(self, zone: int, values: Mapping[Field, int]) -> Connection:  # noqa: ARG002 - a Connections
        return self._connection


def follow(probe: Probe, ofport: int, first: Site, site_at: Callable[[int], Site | None]) -> tuple[Hop, ...]:
    """Follow the packet from the port it leaves.

    Args:
        probe: The packet.
        ofport: Number of the port on its host.
        first: That host.
        site_at: Returns the host with a tunnel endpoint, or None when there is none.
    """
    connections = _Everywhere(CONNECTION[probe.stage])
    journey = Walker(first.tables).walk({**probe.packet, fields.IN_PORT: ofport}, connections)
    hops = [Hop(site=first, came_from=None, vni=0, journey=journey)]
    for end in journey.ends:
        if end.kind is not EndKind.TUNNEL or len(hops) > MOST_HOSTS:
            continue
        site = site_at(end.packet[fields.TUN_DST])
        if site is None or site.tunnel_ofport is None:
            continue
        vni = end.packet[fields.TUN_ID]
        arrived = Walker(site.tables).walk(_through_tunnel(end, first, site), connections)
        hops.append(Hop(site=site, came_from=first.host, vni=vni, journey=arrived))
    return tuple(hops)


def _through_tunnel(end: End, sender: Site, receiver: Site) -> dict[Field, int]:
    """Return the frame as it comes out of the tunnel: its headers, and what the outer ones say (RFC 7348 section 5)."""
    return {
        **{field: end.packet[field] for field in HEADERS},
        fields.IN_PORT: receiver.tunnel_ofport or 0,
        fields.TUN_SRC: sender.endpoint,
        fields.TUN_DST: receiver.endpoint,
        fields.TUN_ID: end.packet[fields.TUN_ID],
    }


def endpoint_text(end: End) -> str:
    """Return the tunnel endpoint an end leads to."""
    return str(IPv4Address(end.packet[fields.TUN_DST]))
