"""How much may one port, or one tunnel, ask of what all share? The meters, and their numbers.

Meter ids are made of the binding's number (16 bits): no two ports of a bridge share one. That of a
tunnel is its own OpenFlow number, which no binding has.
"""

from collections.abc import Iterator

from flows.flow import Meter
from flows.intent import LocalPortIntent, PeerIntent, SegmentIntent

PUNT_RATE_PPS, PUNT_BURST = 50, 50
"""Packet-ins; a DHCP client sends a handful per lease (RFC 2131 section 4.1)."""
NEIGHBOUR_RATE_PPS, NEIGHBOUR_BURST = 200, 400
"""ARP messages and neighbour solicitations; each may cost the switch an answer made in its slow path."""
CONNECTION_RATE_PPS, CONNECTION_BURST = 2_000, 4_000
"""First packets of connections. Conntrack is shared by all ports of a host: at this rate and the userspace datapath's
longest wait for an answer (60 s for UDP), one port holds 120,000 of its three million entries."""

SIGHTING_RATE_PPS, SIGHTING_BURST = 5, 20
"""Copies of ARP and ND messages that say who uses an address, from one port or one segment's physical network. What was
told is not told again for long, so this bounds what somebody can do who uses ever new ones."""
PROBE_RATE_PPS, PROBE_BURST = 400, 400
"""Probes that arrive through one tunnel; twice as many as the controller sends to all hosts together."""


def punts(number: int) -> int:
    """Return the id of the meter of a port's packet-ins."""
    return number


def neighbours(number: int) -> int:
    """Return the id of the meter of a port's ARP and neighbour solicitations."""
    return number | 1 << 16


def connections(number: int) -> int:
    """Return the id of the meter of a port's new connections."""
    return number | 1 << 17


def sightings(number: int) -> int:
    """Return the id of the meter of what is told of the addresses a port uses."""
    return number | 1 << 18


def wire_sightings(segment: int) -> int:
    """Return the id of the meter of what is told of the addresses used on a segment's physical network."""
    return segment | 1 << 30


def probes(tunnel: int) -> int:
    """Return the id of the meter of the probes that arrive through a tunnel."""
    return tunnel


def of_port(port: LocalPortIntent) -> Iterator[Meter]:
    """Yield the meters a port's flows use."""
    if port.dhcp or port.dhcp6 or port.router or port.moving:
        yield Meter(id=punts(port.number), rate_pps=PUNT_RATE_PPS, burst=PUNT_BURST)
    yield Meter(id=neighbours(port.number), rate_pps=NEIGHBOUR_RATE_PPS, burst=NEIGHBOUR_BURST)
    if port.watched and not port.guarded:
        yield Meter(id=sightings(port.number), rate_pps=SIGHTING_RATE_PPS, burst=SIGHTING_BURST)
    if port.ruleset:
        yield Meter(id=connections(port.number), rate_pps=CONNECTION_RATE_PPS, burst=CONNECTION_BURST)


def of_segment(segment: SegmentIntent) -> Iterator[Meter]:
    """Yield the meter of what is told of a segment's physical network."""
    if segment.watched and segment.wire is not None:
        yield Meter(id=wire_sightings(segment.segment), rate_pps=SIGHTING_RATE_PPS, burst=SIGHTING_BURST)


def of_peer(peer: PeerIntent) -> Iterator[Meter]:
    """Yield the meters of the tunnels by which a host may send; all peers share them."""
    for tunnel in peer.tunnels:
        yield Meter(id=probes(tunnel), rate_pps=PROBE_RATE_PPS, burst=PROBE_BURST)
