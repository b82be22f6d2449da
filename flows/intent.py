"""What must one bridge realise? The compiler's input, one value per unit of compilation.

A unit is (bridge, object). Each value holds all that the unit's flows depend on, so compiling it needs nothing else
and a change recompiles exactly the units whose value changed. Numbers are integers here: MACs 48 bits, IPv4 addresses
32 bits.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple


class UnitKind(IntEnum):
    """In the order in which units win where two claim one flow key."""

    BASE = 0
    PEER = 1
    SEGMENT = 2
    LOCAL_PORT = 3
    REMOTE_PORT = 4


class Unit(NamedTuple):
    """Names one unit of a bridge; `key` is 0, the peer's IPv4 endpoint, a segment key or a port key."""

    kind: UnitKind
    key: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseIntent:
    """What every bridge has, whatever is asked of it."""

    @property
    def unit(self) -> Unit:
        """The unit's name."""
        return Unit(UnitKind.BASE, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerIntent:
    """A registered host that may send to this one through the tunnel."""

    tunnel_ofport: int
    endpoint: int
    """IPv4 address of the peer's tunnel endpoint."""

    @property
    def unit(self) -> Unit:
        """The unit's name."""
        return Unit(UnitKind.PEER, self.endpoint)


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentIntent:
    """A segment with at least one port on this bridge."""

    segment: int
    """Segment key, 24 bits."""
    service_mac: int
    service_addresses: tuple[int, ...]
    """IPv4 addresses the network itself answers ARP for: DHCP server identifiers that no port owns. Sorted."""

    @property
    def unit(self) -> Unit:
        """The unit's name."""
        return Unit(UnitKind.SEGMENT, self.segment)


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalPortIntent:
    """A port bound to this host that has, or will have, a device with a known OpenFlow number."""

    port: int
    """Port key, 32 bits."""
    segment: int
    ofport: int
    mac: int
    guarded_macs: tuple[int, ...]
    """Source MACs the port may use, sorted; empty when port security is off: then every source passes."""
    dhcp: bool
    """Whether a request to UDP port 67 is punted to the controller."""
    meter: int
    """Id of the port's punt meter."""

    @property
    def unit(self) -> Unit:
        """The unit's name."""
        return Unit(UnitKind.LOCAL_PORT, self.port)


@dataclass(frozen=True, slots=True, kw_only=True)
class RemotePortIntent:
    """A port on another host, of a segment that has ports here."""

    port: int
    segment: int
    vni: int
    """24 bits, the number on the wire (RFC 7348 section 5)."""
    mac: int
    endpoint: int
    """IPv4 address of the other host's tunnel endpoint."""
    tunnel_ofport: int

    @property
    def unit(self) -> Unit:
        """The unit's name."""
        return Unit(UnitKind.REMOTE_PORT, self.port)


UnitIntent = BaseIntent | PeerIntent | SegmentIntent | LocalPortIntent | RemotePortIntent
