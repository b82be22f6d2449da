"""Which way does the packet take, host by host? Through tunnel or physical network, without a switch.

A physical network brings a frame to all hosts that are connected to it; who is not concerned does nothing with it.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address
from itertools import islice
from typing import Protocol

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
    tunnels: Mapping[str, int]
    """OpenFlow number of each tunnel port, by its type."""
    endpoint: int
    """IPv4 address of its tunnel endpoint, or 0."""
    ports: Mapping[int, PortId]
    """Who has which OpenFlow port number."""
    wires: Mapping[int, str]
    """The physical network behind each OpenFlow port by which the packet's network leaves this host."""
    unread: frozenset[int] = frozenset()
    """Cookies of live flows that this Weft cannot read, and that a walk therefore did not see."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hop:
    """What happened on one host."""

    site: Site
    came_from: HostName | None
    """The host that sent it here; None: it came from the port."""
    vni: int
    """In the tunnel."""
    physical_network: str | None = None
    """By which it came; None: by a tunnel, or from the port."""
    journey: Journey

    def leads_to(self, end: End) -> str | None:
        """Return the physical network an end leads to."""
        return self.site.wires.get(end.ofport) if end.kind is EndKind.PORT else None


class _Everywhere:
    """Conntrack that says the same in every zone."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def look_up(self, zone: int, values: Mapping[Field, int]) -> Connection:  # noqa: ARG002 - a Connections
        return self._connection


class Sites(Protocol):
    """The other hosts."""

    def at(self, endpoint: int) -> Site | None:
        """Return the host with a tunnel endpoint, or None when there is none."""

    def on(self, physical_network: str) -> Iterable[Site]:
        """Return the hosts on which the packet's network leaves for a physical network."""


def follow(probe: Probe, ofport: int, first: Site, sites: Sites) -> tuple[Hop, ...]:
    """Follow the packet from the port it leaves.

    Args:
        probe: The packet.
        ofport: Number of the port on its host.
        first: That host.
        sites: The others.
    """
    connections = _Everywhere(CONNECTION[probe.stage])
    journey = Walker(first.tables).walk({**probe.packet, fields.IN_PORT: ofport}, connections)
    hops = [Hop(site=first, came_from=None, vni=0, journey=journey)]
    for end in journey.ends:
        hops += islice(_next(hops[0], end, sites, connections), max(0, MOST_HOSTS + 1 - len(hops)))
    return tuple(hops)


def _next(first: Hop, end: End, sites: Sites, connections: _Everywhere) -> Iterator[Hop]:
    physical_network = first.leads_to(end)
    if physical_network is not None:
        for site in sites.on(physical_network):
            if site.host != first.site.host:
                yield _arrive(first, end, site, _from_wire(end, site, physical_network), connections)
    elif end.kind is EndKind.TUNNEL:
        there = sites.at(end.packet[fields.TUN_DST])
        tunnel = None if there is None else _same_tunnel(end, first.site, there)
        if there is not None and tunnel is not None:
            yield _arrive(first, end, there, _through_tunnel(end, first.site, there, tunnel), connections)


def _arrive(first: Hop, end: End, site: Site, packet: Mapping[Field, int], connections: _Everywhere) -> Hop:
    return Hop(
        site=site,
        came_from=first.site.host,
        vni=end.packet[fields.TUN_ID] if end.kind is EndKind.TUNNEL else 0,
        physical_network=first.leads_to(end),
        journey=Walker(site.tables).walk(packet, connections),
    )


def _from_wire(end: End, receiver: Site, physical_network: str) -> dict[Field, int]:
    """Return the frame as it comes from a physical network, tag and all."""
    wires = (ofport for ofport, name in receiver.wires.items() if name == physical_network)
    return {**{field: end.packet[field] for field in HEADERS}, fields.IN_PORT: min(wires)}


def _same_tunnel(end: End, sender: Site, receiver: Site) -> int | None:
    """Return the receiver's tunnel port of the type of the sender's that the frame leaves by."""
    kind = next((kind for kind, ofport in sender.tunnels.items() if ofport == end.ofport), None)
    return None if kind is None else receiver.tunnels.get(kind)


def _through_tunnel(end: End, sender: Site, receiver: Site, ofport: int) -> dict[Field, int]:
    """Return the frame as it comes out of the tunnel: its headers, and what the outer ones say (RFC 7348 section 5)."""
    return {
        **{field: end.packet[field] for field in HEADERS},
        fields.IN_PORT: ofport,
        fields.TUN_SRC: sender.endpoint,
        fields.TUN_DST: receiver.endpoint,
        fields.TUN_ID: end.packet[fields.TUN_ID],
    }


def endpoint_text(end: End) -> str:
    """Return the tunnel endpoint an end leads to."""
    return str(IPv4Address(end.packet[fields.TUN_DST]))
