"""What does one stored object look like? The values that cross every layer of the controller.

A record is what the store read or wrote, whole and frozen; nothing here knows SQL, HTTP or OpenFlow. Wire names
(``router:external``, ``binding:host_id``) do not appear here: the API's attribute map translates them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NewType

if TYPE_CHECKING:
    from controller.sighting_records import Sighting

from controller.ipam_records import USUAL, SubnetIpam

NetworkId = NewType("NetworkId", str)
SubnetId = NewType("SubnetId", str)
PortId = NewType("PortId", str)
SegmentId = NewType("SegmentId", str)
HostName = NewType("HostName", str)
SegmentKey = NewType("SegmentKey", int)
"""24 bits, 1..16777215: lives in registers only, never on the wire."""
PortKey = NewType("PortKey", int)
"""32 bits, 1..4294967295: names a port in cookies."""
RuleKey = NewType("RuleKey", int)
"""31 bits, from 16 on: names a security group, a set of them, or an address group in registers, conjunctions and
cookies; one number is never given twice. 0 and 1 have a fixed meaning (`flows.intent`)."""
OfPort = NewType("OfPort", int)
"""OpenFlow port number; Weft requests 32768..65199, OVS assigns below (ovs-vswitchd.conf.db(5) Interface)."""


class PortStatus(StrEnum):
    """The set Neutron has for a port."""

    ACTIVE = "ACTIVE"
    DOWN = "DOWN"
    BUILD = "BUILD"
    ERROR = "ERROR"


class Reason(StrEnum):
    """Why a port has the status it has; shown by ``GET /v2.0/ports/{id}/status``, never in the port body."""

    WIRED = "WIRED"
    UNBOUND = "UNBOUND"
    HOST_NOT_REGISTERED = "HOST_NOT_REGISTERED"
    PHYSNET_MISSING = "PHYSNET_MISSING"
    HOST_UNREACHABLE = "HOST_UNREACHABLE"
    NOT_PLUGGED = "NOT_PLUGGED"
    PLUGGED_ELSEWHERE = "PLUGGED_ELSEWHERE"
    DUPLICATE_PLUG = "DUPLICATE_PLUG"
    DEVICE_ERROR = "DEVICE_ERROR"
    PROGRAMMING = "PROGRAMMING"
    PROGRAMMING_FAILED = "PROGRAMMING_FAILED"
    ADMIN_DOWN = "ADMIN_DOWN"


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """One layer-2 broadcast domain of a network."""

    id: SegmentId
    key: SegmentKey
    network_id: NetworkId
    network_type: str
    physical_network: str | None
    segmentation_id: int | None
    name: str | None = None
    description: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    revision_number: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkSegmentRange:
    """Segmentation ids that networks of one type may get (API reference, network segment ranges)."""

    id: str
    project_id: str | None
    """Whose networks draw from it; None: everybody's, unless they have a range of their own."""
    name: str
    description: str
    default: bool
    """Taken from the configuration when Weft starts; read-only."""
    shared: bool
    network_type: str
    physical_network: str | None
    minimum: int
    maximum: int
    created_at: datetime
    updated_at: datetime
    revision_number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """A network on its way from one plug-in to another, as the engine of one of the two sees it.

    Until it is switched over the old engine delivers and the new one prepares; from then on the network is the new
    engine's, and the old one keeps what it has until the last device has left its bridge. A device is on one bridge, so
    only one of them ever delivers to it.
    """

    is_target: bool
    """Whether the network comes to this engine; else it leaves it."""
    is_switched: bool
    bridge: str | None
    """The other engine's bridge on the hosts of both; None where it has none."""

    @property
    def is_own(self) -> bool:
        """Whether this engine is the one that tells states and places of the network's ports now."""
        return self.is_target == self.is_switched


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """A Neutron network (API reference, networks)."""

    id: NetworkId
    project_id: str
    name: str
    description: str
    admin_state_up: bool
    mtu: int
    shared: bool
    router_external: bool
    port_security_enabled: bool
    plugin: str
    segments: tuple[Segment, ...]
    """In the order they were asked for."""
    subnet_ids: tuple[SubnetId, ...]
    created_at: datetime
    updated_at: datetime
    revision_number: int
    pvlan: bool = False
    """Whether its ports have private VLAN types (RFC 5517)."""
    dns_domain: str = ""
    """With a dot at the end, or empty."""
    ipv4_address_scope: str | None = None
    """The scope that the pools of its subnets are in."""
    ipv6_address_scope: str | None = None
    l2_adjacency: bool = True
    """Whether all its ports can be in one broadcast domain: none of its subnets belongs to one segment."""
    availability_zone_hints: tuple[str, ...] = ()
    """The zones it is wanted in, in the order they were given; none: all."""
    availability_zones: tuple[str, ...] = ()
    """The zones it is available in; stored nowhere, and empty until somebody works it out."""
    move: Move | None = None
    """Only what a feed tells an engine has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subnet:
    """A Neutron subnet (API reference, subnets). Addresses are canonical text, ``cidr`` without host bits."""

    id: SubnetId
    project_id: str
    network_id: NetworkId
    name: str
    description: str
    ip_version: int
    cidr: str
    gateway_ip: str | None
    enable_dhcp: bool
    ipv6_ra_mode: str | None
    ipv6_address_mode: str | None
    allocation_pools: tuple[tuple[str, str], ...]
    """Inclusive (start, end) pairs."""
    dns_nameservers: tuple[str, ...]
    host_routes: tuple[tuple[str, str], ...]
    """(destination, nexthop) pairs."""
    segment_id: SegmentId | None = None
    """The segment of a routed network where its addresses can be used; None where they can be everywhere."""
    subnetpool_id: str | None = None
    """The pool its prefix is from."""
    created_at: datetime
    updated_at: datetime
    revision_number: int
    service_types: tuple[str, ...] = ()
    """Device owners it is for, when an address is chosen; none: all."""
    driver: str = "built-in"
    """Who gives out its addresses."""
    ipam: SubnetIpam = USUAL
    """How addresses are chosen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FixedIp:
    """One address of a port."""

    subnet_id: SubnetId
    ip_address: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """A port's place on one host; a table of its own because a live migration has two."""

    host: HostName
    vnic_type: str
    profile: Mapping[str, Any]
    active: bool
    ofport: OfPort
    """Number requested for the device, unique on the host, 32768..65199; also its meter id and conntrack zone."""
    datapath_type: str | None = None
    """The host's; None when the network's plug-in has no such host, or it has no way to the network: then nothing can
    be plugged there, and Neutron's ``vif_type`` is ``binding_failed``."""
    vif_type: str | None = None
    """How compute plugs the port; said by the network's plug-in, and only where it is to be shown."""
    vif_details: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Port:
    """A Neutron port (API reference, ports)."""

    id: PortId
    key: PortKey
    project_id: str
    network_id: NetworkId
    name: str
    description: str
    mac_address: str
    admin_state_up: bool
    status: PortStatus
    device_id: str
    device_owner: str
    port_security_enabled: bool
    fixed_ips: tuple[FixedIp, ...]
    allowed_address_pairs: tuple[tuple[str, str], ...]
    """(mac_address, ip_address) pairs."""
    security_group_ids: tuple[str, ...] = ()
    """Sorted."""
    ruleset: RuleKey = RuleKey(1)
    """The set of the port's security groups: the group's own key when it is one, 1 when there is none."""
    extra_dhcp_opts: tuple[tuple[str, str | None, int], ...]
    """(opt_name, opt_value, ip_version) triples."""
    vnic_type: str
    profile: Mapping[str, Any]
    binding: Binding | None
    """The active binding; None while the port is bound to no host."""
    standby: Binding | None = None
    """The second, inactive binding of a live migration."""
    pvlan_type: str | None = None
    """``promiscuous``, ``isolated`` or ``community``; None outside a private VLAN network."""
    pvlan_community: str | None = None
    vnic_id: str | None = None
    """The vNIC plugged into it, whose machine ``device_id`` names then."""
    role: RuleKey = RuleKey(0)
    """0 promiscuous, 1 isolated, else the key of the port's community in its network (``flows.intent``)."""
    dns_name: str = ""
    """Relative to the port's domain, or fully qualified with a dot at the end; empty for none."""
    dns_domain: str = ""
    """With a dot at the end; empty where the network's counts."""
    network_dns_domain: str = ""
    """Its network's, at the time of reading."""
    ip_allocation: str = "immediate"
    """``immediate``, ``deferred`` until a host is known, or ``none`` where no address was wanted."""
    created_at: datetime
    updated_at: datetime
    revision_number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SecurityGroupRule:
    """A Neutron security group rule (API reference, security group rules). Rules only allow."""

    id: str
    project_id: str
    security_group_id: str
    direction: str
    """``ingress`` or ``egress``, as the guest sees it."""
    ethertype: str
    """``IPv4`` or ``IPv6``."""
    protocol: str | None
    """As it was given: a name, a number as text, or None for any."""
    port_range_min: int | None
    """First port; type of ICMP."""
    port_range_max: int | None
    """Last port; code of ICMP."""
    remote_ip_prefix: str | None
    """As it was given; may have host bits."""
    remote_group_id: str | None
    remote_address_group_id: str | None
    description: str
    created_at: datetime
    updated_at: datetime
    revision_number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SecurityGroup:
    """A Neutron security group with its rules (API reference, security groups)."""

    id: str
    key: RuleKey
    project_id: str
    name: str
    description: str
    stateful: bool
    rules: tuple[SecurityGroupRule, ...]
    """By id."""
    created_at: datetime
    updated_at: datetime
    revision_number: int
    shared: bool = False
    """With every project."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressGroup:
    """A Neutron address group (API reference, address groups)."""

    id: str
    key: RuleKey
    project_id: str
    name: str
    description: str
    addresses: tuple[str, ...]
    """CIDRs without host bits, sorted."""
    created_at: datetime
    updated_at: datetime
    revision_number: int
    shared: bool = False
    """With every project."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Physnet:
    """A physical network of a host."""

    name: str
    bridge: str
    """The provider bridge that leads to it."""
    ofport: OfPort
    """Number wanted for our end of the patch pair to the bridge; it stays as long as the host has the bridge."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """A hypervisor: registered by its OVSDB address, or found by a plug-in in what it drives."""

    id: str
    name: HostName
    ovsdb: str
    """``tcp:IP:PORT``, ``ssl:IP:PORT`` or ``unix:PATH``; of a host that was found, ``PLUGIN:NAME``, which leads
    nowhere."""
    tunnel_ip: str | None
    datapath_type: str
    datapath_id: int
    """64 bits, set by Weft in ``other_config:datapath-id``."""
    plugin: str = "openflow"
    """Whose host it is; ports of other plug-ins' networks cannot be bound to it."""
    physnets: tuple[Physnet, ...]
    """In the order they were given."""
    adopt: bool = False
    """Its bridge is taken although others have a controller or flows there."""
    created_at: datetime
    updated_at: datetime
    revision_number: int
    availability_zone: str = "nova"


@dataclass(frozen=True, slots=True, kw_only=True)
class HostState:
    """What the controller last saw of a host; written by the controller only."""

    name: HostName
    ovsdb_connected: bool
    openflow_connected: bool
    programmed: bool
    """Every flow of the current intent is confirmed by a barrier."""
    problem: str | None
    """One sentence for the operator, or None."""
    features: Mapping[str, Any] = field(default_factory=dict)
    """What was probed on connect: ovs_version, datapath_types, meters, groups, ..."""
    seen_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PortEvent:
    """One line of a port's timeline."""

    at: datetime
    status: PortStatus
    reason: Reason
    host: str | None
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PortState:
    """Why a port has its status, and since when; written by the controller only."""

    port_id: PortId
    status: PortStatus
    reason: Reason
    host: str | None
    detail: str
    link_state: str | None
    """``up``, ``down`` or None when no device is there; shown apart, never waited for."""
    timeline: tuple[PortEvent, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalEntry:
    """One change, written in the same transaction as the change itself."""

    seq: int
    kind: str
    """``network``, ``subnet``, ``port``, ``host``, ``security_group`` (its rules too) or ``address_group``."""
    object_id: str
    network_id: NetworkId | None
    """The network a deleted subnet or port belonged to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The whole intent at one instant, read in one transaction."""

    epoch: str
    seq: int
    """The last journal entry contained."""
    networks: tuple[Network, ...]
    subnets: tuple[Subnet, ...]
    ports: tuple[Port, ...]
    hosts: tuple[Host, ...]
    security_groups: tuple[SecurityGroup, ...] = ()
    address_groups: tuple[AddressGroup, ...] = ()
    sightings: "tuple[Sighting, ...]" = ()
