"""What must a plug-in be able to say and do? The contract between Weft and whoever realises its networks.

A plug-in has two halves. The *face* lives in the API process: it advertises what it can do, verifies what is asked
before anything is stored, and says what compute must know of a bound port. It decides from its arguments alone, never
waits for a network, and never raises because of what a user asked: an objection is a value. The *engine* lives in the
controller process: it follows the intent of the networks that are the plug-in's own and brings it about, and tells
what became of it through the sink.

An author subclasses ``Plugin`` and, unless somebody else realises the networks, ``Engine``, and names the subclass of
``Plugin`` in the entry-point group ``weft.plugins``. ``weft plugin check MODULE`` tells whether it keeps the contract.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, ClassVar

from controller.records import HostName, Network, Port, Subnet

if TYPE_CHECKING:  # what only engines use, and the store must not need
    from controller.reconcile.feed import Changes, Feed
    from controller.reconcile.neighbours import Sink
    from controller.records import Snapshot

CONTRACT = 1
"""Grows when a plug-in written for the number before would no longer work."""
ENTRY_POINTS = "weft.plugins"


class Feature(StrEnum):
    """What a network may ask for besides its type; each is asked only by those that use it."""

    IPV4_DHCP = "ipv4-dhcp"
    IPV6_RA = "ipv6-ra"
    """Router advertisements, hence SLAAC."""
    IPV6_DHCP = "ipv6-dhcp"
    """Addresses and options by DHCPv6."""
    PORT_SECURITY = "port-security"
    """MAC, IP, ARP and ND guards, and ``port_security_enabled=False``."""
    ALLOWED_ADDRESS_PAIRS = "allowed-address-pairs"
    SECURITY_GROUPS = "security-groups"
    STATELESS_SECURITY_GROUPS = "stateless-security-groups"
    ADDRESS_GROUPS = "address-groups"
    PRIVATE_VLAN = "pvlan"
    SEVERAL_SEGMENTS = "several-segments"
    LIVE_MIGRATION = "live-migration"
    CHOSEN_SEGMENTATION_ID = "chosen-segmentation-id"
    """An administrator may say which number a network has on the wire."""
    TRACE = "trace"
    """``weft trace`` explains what becomes of a packet."""
    EXTRA_DHCP_OPTIONS = "extra-dhcp-options"


@dataclass(frozen=True, slots=True, kw_only=True)
class Capability:
    """A feature, and how far it goes."""

    feature: Feature
    limit: str = ""
    """One sentence on what does not work, or how much; empty when there is nothing to say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Advertisement:
    """What a plug-in can do, whatever hosts there are."""

    summary: str
    """One sentence for the directory."""
    network_types: tuple[str, ...]
    """Neutron's names (``vxlan``, ``geneve``, ``vlan``, ``flat``, or others); the first is what a network that names
    none gets when the configured default is not among them."""
    capabilities: tuple[Capability, ...]
    missing: Mapping[Feature, str] = field(default_factory=dict)
    """Why a feature is not there, where there is something to say."""
    overheads: Mapping[str, int] = field(default_factory=dict)
    """Octets its tunnels put between the outer IP header and the guest's packet, the guest's Ethernet header among
    them, by network type; where it does not say, Weft's own count (`controller.services.network_types`)."""

    def has(self, feature: Feature) -> bool:
        """Say whether a feature is advertised."""
        return any(capability.feature is feature for capability in self.capabilities)


@dataclass(frozen=True, slots=True, kw_only=True)
class Objection:
    """Why something cannot be done: one sentence that names the attribute and what would do instead."""

    attribute: str
    """As it is on the wire, for example ``provider:network_type``."""
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedSegment:
    """One segment as asked for."""

    network_type: str
    physical_network: str | None = None
    segmentation_id: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedNetwork:
    """What the creator of a network, or a change of it, asks for."""

    segments: tuple[AskedSegment, ...]
    """Empty: the default type."""
    features: frozenset[Feature]
    """What its attributes need."""
    mtu: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Vif:
    """What compute must know to plug a port (Neutron, binding:vif_type and binding:vif_details)."""

    vif_type: str
    details: Mapping[str, object] = field(default_factory=dict)


class Condition(StrEnum):
    """How well a plug-in is."""

    UP = "up"
    DEGRADED = "degraded"
    """It works, not all of it."""
    DOWN = "down"


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundHost:
    """A hypervisor a plug-in reaches, which nobody has to register."""

    datapath_type: str
    """``system`` or ``netdev`` (ovs-vswitchd.conf.db(5) Bridge:datapath_type); what compute needs to plug a port."""
    physnets: tuple[tuple[str, str], ...] = ()
    """(physical network, bridge) pairs."""
    tunnel_ip: str | None = None
    is_alive: bool = True
    problem: str | None = None
    """One sentence for the operator, or None."""
    features: Mapping[str, object] = field(default_factory=dict)
    """What it can do, as it was probed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """How a plug-in is, told by its engine whenever it changes."""

    condition: Condition
    detail: str = ""
    """One sentence for the operator; names what is broken and what to do."""
    versions: Mapping[str, str] = field(default_factory=dict)
    """Of what it drives, for example ``{"ovn": "23.03.1"}``."""
    hosts: Mapping[HostName, FoundHost] | None = None
    """Every host it reaches now; None for a plug-in whose hosts are registered, or while it cannot know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineContext:
    """What an engine is given in the controller process."""

    feed: "Feed"
    """The intent of the plug-in's own networks, and nothing else's: whole at first, then what changed."""
    sink: "Sink"
    """Where states of ports and hosts, and bindings by plug, are told."""
    tell_health: Callable[[Health], None]
    """Must be called once after the start and whenever something changes; never blocks."""
    monotonic: Callable[[], float]


class Engine(ABC):
    """Brings a plug-in's networks about, in the controller process; owns its threads."""

    @abstractmethod
    def start(self) -> None:
        """Begin; returns soon, what cannot be reached yet is told as health and tried again."""

    @abstractmethod
    def stop(self) -> None:
        """End within some seconds; what was realised stays and goes on forwarding."""

    @abstractmethod
    def intent_changed(self) -> None:
        """Note that the feed may have more; called from any thread, must not block."""

    def trace(self, asked: Mapping[str, object]) -> Mapping[str, object] | None:  # noqa: ARG002 - for those who override it
        """Return what becomes of a packet as ``POST /v2.0/traces`` answers; called from threads that may wait.

        Args:
            asked: the attributes of a trace that were given.

        Returns:
            None when the sender is no port of the engine's networks, or `Feature.TRACE` is not advertised.

        Raises:
            WeftError: The question makes no sense, or cannot be answered now.
        """
        return None


class Plugin(ABC):
    """The face of a plug-in; made once in each process.

    Args:
        settings: what stands under ``[plugins.NAME]`` in the configuration file, texts by name.

    Raises:
        ConfigurationError: a setting is missing or wrong; the plug-in is left out, and the directory says why.
    """

    name: ClassVar[str]
    """What networks, the directory and the configuration call it: a lower-case word."""
    version: ClassVar[str]
    contract: ClassVar[int] = CONTRACT
    prepares_moves: ClassVar[bool] = False
    """Whether its engine is told of a network before it comes and until it has left (``Network.move``), says through
    the sink when it is ``prepared``, and tells no states of ports meanwhile. Without, a network with bound ports does
    not move from or to the plug-in."""

    def __init__(self, settings: Mapping[str, str]) -> None:
        self.settings = settings

    @abstractmethod
    def advertise(self) -> Advertisement:
        """Return what it can do; does not change while it runs."""

    def verify_network(self, asked: AskedNetwork) -> Sequence[Objection]:  # noqa: ARG002 - for those who override it
        """Return why a network that the advertisement would allow cannot be realised nevertheless."""
        return ()

    def verify_subnet(self, network: Network, subnet: Subnet) -> Sequence[Objection]:  # noqa: ARG002 - for those who override it
        """Return why a subnet, new or changed, cannot be realised."""
        return ()

    def verify_port(self, network: Network, port: Port) -> Sequence[Objection]:  # noqa: ARG002 - for those who override it
        """Return why a port, new or changed, cannot be realised."""
        return ()

    def rows_changed(self, before: "Snapshot", changes: "Changes") -> tuple[int, int, int] | None:  # noqa: ARG002 - for those who override it
        """Return how many rows (or what else it keeps) a change would add, modify and delete; None when it cannot say.

        Asked in the API process for a plan, from the arguments alone: nothing may be connected to.

        Args:
            before: the part of the plug-in's intent that is concerned, its networks whole.
            changes: what becomes of it.
        """
        return None

    @abstractmethod
    def vif(self, datapath_type: str) -> Vif:
        """Return what compute must know to plug a port on a host of the plug-in; its datapath type is given.

        What is said of a port without a host (``unbound``), or on one the plug-in does not know (``binding_failed``),
        is not the plug-in's to say.
        """

    def engine(self, context: EngineContext) -> Engine | None:  # noqa: ARG002 - for those who override it
        """Return the engine, not started; None when nothing has to be done (somebody else does it all)."""
        return None
