"""What must one bridge realise? The compiler's input, one value per unit of compilation.

A unit is (bridge, object). Each value holds all that the unit's flows depend on, so compiling it needs nothing else
and a change recompiles exactly the units whose value changed. Numbers are integers here: MACs 48 bits, IPv4 addresses
32 bits, IPv6 addresses 128 bits.
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
    RULESET = 5
    ADDRESS_GROUP = 6


class Unit(NamedTuple):
    """Names one unit of a bridge.

    `key` is 0, the peer's IPv4 endpoint, or the key of a segment, port, ruleset or address group.
    """

    kind: UnitKind
    key: int


class Prefix(NamedTuple):
    """Some addresses; a single one has the full length."""

    version: int
    """4 or 6."""
    address: int
    """Without host bits."""
    length: int


class Guard(NamedTuple):
    """A source a port may use."""

    mac: int
    prefix: Prefix


class Owned(NamedTuple):
    """Addresses a port stands for in its segment: a fixed address, or an allowed pair."""

    prefix: Prefix
    mac: int
    answered: bool
    """Whether the network answers ARP and ND for it: a fixed address that no other port may claim."""
    pair: bool = False
    """Whether it is an allowed pair, which other ports may have as well, and not a fixed address."""


class Seen(NamedTuple):
    """An address that somebody in a segment was seen to use who is no port with it."""

    address: Prefix
    mac: int


PROMISCUOUS, ISOLATED = 0, 1
"""Roles in a private VLAN (RFC 5517 section 3); any other number is a community, the same on all hosts."""


class Moving(IntEnum):
    """Which end of a live migration a port is; while it lasts, frames for the port go to both."""

    NOT = 0
    SOURCE = 1
    TARGET = 2
    """The guest is not running here yet: its first RARP is punted, for the controller to switch over."""


NO_RULES = 0
"""Ruleset of a port whose traffic no rule filters: port security is off."""
DENY_ALL = 1
"""Ruleset of a port with port security and no security group."""
FORWARDED = 2
"""What the directory of addresses says of an address that no port has, where some port may use every address."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleIntent:
    """What a packet of a new connection must look like to be allowed. Attributes that are None do not matter."""

    version: int
    """4 or 6."""
    protocol: int | None = None
    """IP protocol number."""
    low: int | None = None
    """First destination port of TCP, UDP or SCTP; type of ICMP."""
    high: int | None = None
    """Last destination port, inclusive; code of ICMP."""
    prefix: Prefix | None = None
    """Where the far end is."""
    group: int | None = None
    """Conjunction id of the security group or address group the far end is in; see `address_group_id`."""
    why: str
    """Which rules say so."""


def address_group_id(key: int) -> int:
    """Return the conjunction id of an address group; that of a security group is its key, 31 bits."""
    return 1 << 31 | key


@dataclass(frozen=True, slots=True, kw_only=True)
class RulesetIntent:
    """The rules of a set of security groups that some port of this bridge has."""

    ruleset: int
    """Key of the set, 31 bits; a single group's is the group's own."""
    stateful: bool
    """Whether answers pass by themselves (conntrack)."""
    from_port: tuple[RuleIntent, ...]
    """Rules for what the port sends, Neutron's egress; sorted, no condition twice."""
    to_port: tuple[RuleIntent, ...]
    """Rules for what the port receives, Neutron's ingress."""

    @property
    def unit(self) -> Unit:
        """The unit's name."""
        return Unit(UnitKind.RULESET, self.ruleset)


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressGroupIntent:
    """An address group that rules of this bridge refer to."""

    key: int
    """31 bits."""
    prefixes: tuple[Prefix, ...]
    """Sorted, none twice."""

    @property
    def unit(self) -> Unit:
        """The unit's name."""
        return Unit(UnitKind.ADDRESS_GROUP, self.key)


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
    more_ofports: tuple[int, ...] = ()
    """Tunnel ports of other types, by which it may send as well."""

    @property
    def unit(self) -> Unit:
        """The unit's name."""
        return Unit(UnitKind.PEER, self.endpoint)

    @property
    def tunnels(self) -> tuple[int, ...]:
        """OpenFlow numbers of the tunnels by which it may send."""
        return (self.tunnel_ofport, *self.more_ofports)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wire:
    """How a segment leaves this bridge for a physical network."""

    ofport: int
    """OpenFlow port of the patch to the provider bridge."""
    vlan: int | None
    """802.1Q VLAN id, 1..4094; None for a flat network, whose frames bear no tag."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentIntent:
    """A segment with at least one port on this bridge."""

    segment: int
    """Segment key, 24 bits."""
    service_mac: int
    service_addresses: tuple[int, ...]
    """IPv4 addresses the network itself answers ARP for: DHCP server identifiers that no port owns. Sorted."""
    wire: Wire | None = None
    """For a provider network; None for an overlay, or where this host has no way to the physical network."""
    private: bool = False
    """Whether it is a private VLAN."""
    watched: tuple[Prefix, ...] = ()
    """Subnets of which it is to be told who on the physical network uses an address; sorted."""
    seen: tuple[Seen, ...] = ()
    """What was told lately and need not be told again; sorted."""

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
    number: int
    """The binding's number on this host, 32768..65199: the port's conntrack zone, and what its meter ids are made
    of."""
    guarded: bool
    """Whether the port has port security."""
    guards: tuple[Guard, ...]
    """Sources a guarded port may use, sorted: fixed addresses and allowed pairs."""
    owned: tuple[Owned, ...]
    """Addresses it stands for, sorted."""
    ruleset: int
    """`NO_RULES`, `DENY_ALL`, or the key of its set of security groups."""
    groups: tuple[int, ...]
    """Keys of its security groups, sorted; determined by `ruleset`."""
    dhcp: bool
    """Whether a request to UDP port 67 is punted to the controller."""
    dhcp6: bool = False
    """Whether a request to UDP port 547 is."""
    router: bool = False
    """Whether the network answers router solicitations."""
    role: int = PROMISCUOUS
    """In a private VLAN."""
    moving: Moving = Moving.NOT
    watched: tuple[Prefix, ...] = ()
    """Subnets of which it is to be told that a port nobody guards uses an address that is not its own; sorted."""
    seen: tuple[Seen, ...] = ()
    """What was told of it lately and need not be told again; sorted."""

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
    """0 when the port is reached through the physical network."""
    owned: tuple[Owned, ...]
    """Addresses it stands for, sorted."""
    ruleset: int
    groups: tuple[int, ...]
    """As a local port's."""
    role: int = PROMISCUOUS
    """In a private VLAN."""
    private: bool = False
    """Whether the network is a private VLAN."""
    takes_unknown: bool = False
    """Whether frames for unknown unicast addresses go to its host: port security is off."""
    wire: Wire | None = None
    """The way to it through the physical network, for a provider network."""
    moving: bool = False
    """Whether the port is being moved between that host and this one: both get its frames."""
    also: int | None = None
    """Endpoint of a third host, when the port is being moved between two others: both get its frames."""
    awaited: bool = False
    """Whether it is on no host yet that this one reaches: only its role is told, so that it is never taken for
    another's."""

    @property
    def unit(self) -> Unit:
        """The unit's name."""
        return Unit(UnitKind.REMOTE_PORT, self.port)


UnitIntent = (
    BaseIntent | PeerIntent | SegmentIntent | LocalPortIntent | RemotePortIntent | RulesetIntent | AddressGroupIntent
)
