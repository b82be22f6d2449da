"""What can go wrong with a request, and how does Neutron say it?

The tree (one class per Neutron exception; ``kind`` decides the HTTP status in ``api/faults.py``)::

    WeftError
    ├── INVALID       InvalidInput, BadRequest, InvalidIpForNetwork, InvalidIpForSubnet, InvalidAllocationPool,
    │                 OutOfBoundsAllocationPool, AllocationOnAutoAddressSubnet, QuotaBelowUsed, ConfigurationError,
    │                 IdentityError
    ├── FORBIDDEN     PolicyNotAuthorized
    ├── NOT_FOUND     NetworkNotFound, SubnetNotFound, PortNotFound, HostNotFound, TagNotFound, TagResourceNotFound,
    │                 ProjectQuotaNotFound, AvailabilityZoneNotFound, AgentNotFound
    ├── CONFLICT      IpAddressAlreadyAllocated, MacAddressInUse, NetworkInUse, SubnetInUse, TunnelIdInUse,
    │                 GatewayConflictWithAllocationPools, OverlappingAllocationPools, InvalidSharedSetting, HostInUse,
    │                 HostAlreadyExists
    ├── PRECONDITION  RevisionNumberConstraintFailed
    ├── EXHAUSTED     IpAddressGenerationFailure, MacAddressGenerationFailure, NoNetworkAvailable, OfPortExhausted,
    │                 RuleKeyExhausted, OverQuota, IpAddressGenerationFailureNoMatchingSubnet
    └── UNAVAILABLE   DatabaseError (TransactionConflict), SwitchUnavailable

Those about security groups, address groups and what they ask of a port are in ``controller.security_errors``.

``str(error)`` is the message on the wire, letter for letter Neutron's where Neutron has one; the parts are attributes.
"""

# ruff: noqa: N818  (the class names are Neutron's, they go on the wire)

from collections.abc import Sequence
from enum import Enum
from typing import ClassVar


class Kind(Enum):
    """What a caller can do about an error; one kind is one HTTP status."""

    INVALID = "invalid"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    CONFLICT = "conflict"
    PRECONDITION = "precondition"
    EXHAUSTED = "exhausted"
    UNAVAILABLE = "unavailable"


class WeftError(Exception):
    """Base of every error a use case raises on purpose."""

    kind: ClassVar[Kind] = Kind.INVALID
    neutron_type: ClassVar[str] = "WeftError"
    detail: str = ""
    """Which part of a larger request it is about."""

    def __init_subclass__(cls) -> None:
        """Name the error on the wire after its class, as Neutron does, unless the class says otherwise."""
        super().__init_subclass__()
        if "neutron_type" not in cls.__dict__:
            cls.neutron_type = cls.__name__


# --- INVALID: the request can never succeed as it is ---------------------------------------------------------------


class InvalidInput(WeftError):
    """A value breaks a rule of the API."""

    kind = Kind.INVALID

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"Invalid input for operation: {reason}.")


class BadRequest(WeftError):
    """A request on a resource is incomplete or contradicts itself."""

    kind = Kind.INVALID

    def __init__(self, resource: str, reason: str) -> None:
        self.resource, self.reason = resource, reason
        super().__init__(f"Bad {resource} request: {reason}.")


class InvalidIpForNetwork(WeftError):
    """No subnet of the network contains the address."""

    kind = Kind.INVALID

    def __init__(self, ip_address: str) -> None:
        self.ip_address = ip_address
        super().__init__(f"IP address {ip_address} is not a valid IP for any of the subnets on the specified network.")


class InvalidIpForSubnet(WeftError):
    """The address is outside the subnet, or its network or broadcast address."""

    kind = Kind.INVALID

    def __init__(self, ip_address: str) -> None:
        self.ip_address = ip_address
        super().__init__(f"IP address {ip_address} is not a valid IP for the specified subnet.")


class IdentityError(WeftError):
    """A user or token cannot be made or changed as asked."""

    kind = Kind.INVALID


class AllocationOnAutoAddressSubnet(InvalidInput):
    """A subnet whose hosts make their own addresses (RFC 4862) takes no requested ones."""

    def __init__(self, ip_address: str, subnet_id: str) -> None:
        self.ip_address, self.subnet_id = ip_address, subnet_id
        WeftError.__init__(
            self,
            f"IPv6 address {ip_address} cannot be directly assigned to a port on subnet {subnet_id} "
            "as the subnet is configured for automatic addresses",
        )


class InvalidAllocationPool(WeftError):
    """A pool has the wrong IP version or ends before it starts."""

    kind = Kind.INVALID

    def __init__(self, pool: str) -> None:
        self.pool = pool
        super().__init__(f"The allocation pool {pool} is not valid.")


class OutOfBoundsAllocationPool(WeftError):
    """A pool reaches beyond the usable addresses of its subnet."""

    kind = Kind.INVALID

    def __init__(self, pool: str, cidr: str) -> None:
        self.pool, self.cidr = pool, cidr
        super().__init__(f"The allocation pool {pool} spans beyond the subnet cidr {cidr}.")


class QuotaBelowUsed(WeftError):
    """A limit would be lower than what the project has already; ``force`` sets it all the same."""

    kind = Kind.INVALID
    neutron_type = "HTTPBadRequest"

    def __init__(self, resource: str, limit: int, used: int) -> None:
        self.resource, self.limit, self.used = resource, limit, used
        super().__init__(f"Quota limit {limit} for {resource} must be greater than or equal to already used {used}")


class ConfigurationError(WeftError):
    """Weft cannot run as it is set up; the sentence tells the operator what to change."""

    kind = Kind.INVALID


# --- FORBIDDEN ----------------------------------------------------------------------------------------------------


class PolicyNotAuthorized(WeftError):
    """The caller may see the object but may not do this to it."""

    kind = Kind.FORBIDDEN

    def __init__(self, *rules: str) -> None:
        self.rules = rules
        named = ""
        for rule in rules:  # Neutron joins them two by two
            one = rule if rule.startswith("(") else f"rule:{rule}"
            named = f"({named} and {one})" if named else one
        super().__init__(f"{named} is disallowed by policy")


# --- NOT_FOUND: there is no such object, or it belongs to another project -------------------------------------------


class _NotFound(WeftError):
    kind = Kind.NOT_FOUND
    noun: ClassVar[str] = "Object"

    def __init__(self, object_id: str) -> None:
        self.object_id = object_id
        super().__init__(f"{self.noun} {object_id} could not be found.")


class NetworkNotFound(_NotFound):
    """No such network for this caller."""

    noun = "Network"


class SubnetNotFound(_NotFound):
    """No such subnet for this caller."""

    noun = "Subnet"


class PortNotFound(_NotFound):
    """No such port for this caller."""

    noun = "Port"


class HostNotFound(_NotFound):
    """No host is registered under this name or id."""

    noun = "Host"


class TagNotFound(_NotFound):
    """The object does not have the tag."""

    noun = "Tag"


class AvailabilityZoneNotFound(_NotFound):
    """No registered host is in the availability zone."""

    noun = "AvailabilityZone"


class AgentNotFound(_NotFound):
    """No such agent for this caller."""

    noun = "Agent"


class ProjectQuotaNotFound(WeftError):
    """The project has no limits of its own."""

    kind = Kind.NOT_FOUND
    neutron_type = "TenantQuotaNotFound"

    def __init__(self, project_id: str) -> None:
        self.project_id = project_id
        super().__init__(f"Quota for tenant {project_id} could not be found.")


class TagResourceNotFound(WeftError):
    """There is no object to tag for this caller."""

    kind = Kind.NOT_FOUND

    def __init__(self, collection: str, object_id: str) -> None:
        self.collection, self.object_id = collection, object_id
        super().__init__(f"Resource {collection} {object_id} could not be found.")


# --- CONFLICT: another object stands in the way ---------------------------------------------------------------------


class IpAddressAlreadyAllocated(WeftError):
    """Another port holds the address."""

    kind = Kind.CONFLICT

    def __init__(self, ip_address: str, subnet_id: str) -> None:
        self.ip_address, self.subnet_id = ip_address, subnet_id
        super().__init__(f"IP address {ip_address} already allocated in subnet {subnet_id}")


class MacAddressInUse(WeftError):
    """Another port of the network has the MAC address."""

    kind = Kind.CONFLICT

    def __init__(self, network_id: str, mac_address: str) -> None:
        self.network_id, self.mac_address = network_id, mac_address
        super().__init__(
            f"Unable to complete operation for network {network_id}. The mac address {mac_address} is in use."
        )


class NetworkInUse(WeftError):
    """Ports keep the network from being deleted."""

    kind = Kind.CONFLICT

    def __init__(self, network_id: str, port_ids: Sequence[str]) -> None:
        self.network_id, self.port_ids = network_id, tuple(port_ids)
        super().__init__(
            f"Unable to complete operation on network {network_id}. There are one or more ports still in use "
            f"on the network, id for these ports is: {','.join(port_ids)}."
        )


class InvalidSharedSetting(WeftError):
    """Other projects still use what is to be shared no longer."""

    kind = Kind.CONFLICT

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(f"Unable to reconfigure sharing settings for network {name}. Multiple tenants are using it.")


class SubnetInUse(WeftError):
    """Ports hold addresses of the subnet."""

    kind = Kind.CONFLICT

    def __init__(self, subnet_id: str) -> None:
        self.subnet_id = subnet_id
        super().__init__(
            f"Unable to complete operation on subnet {subnet_id}: "
            "One or more ports have an IP allocation from this subnet."
        )


class TunnelIdInUse(WeftError):
    """Another network has the VNI."""

    kind = Kind.CONFLICT

    def __init__(self, tunnel_id: int) -> None:
        self.tunnel_id = tunnel_id
        super().__init__(f"Unable to create the network. The tunnel ID {tunnel_id} is in use.")


class GatewayConflictWithAllocationPools(WeftError):
    """The gateway lies in a pool and would be handed out."""

    kind = Kind.CONFLICT

    def __init__(self, ip_address: str, pool: str) -> None:
        self.ip_address, self.pool = ip_address, pool
        super().__init__(f"Gateway ip {ip_address} conflicts with allocation pool {pool}.")


class OverlappingAllocationPools(WeftError):
    """Two pools of one subnet share addresses."""

    kind = Kind.CONFLICT

    def __init__(self, pool: str, other: str, cidr: str) -> None:
        self.pool, self.other, self.cidr = pool, other, cidr
        super().__init__(f"Found overlapping allocation pools: {pool} {other} for subnet {cidr}.")


class HostInUse(WeftError):
    """Ports are bound to the host."""

    kind = Kind.CONFLICT

    def __init__(self, name: str, port_count: int) -> None:
        self.name, self.port_count = name, port_count
        super().__init__(
            f"Host {name} has {port_count} bound port(s). Unbind or delete them first, or remove the host with force."
        )


class HostAlreadyExists(WeftError):
    """A host with the same name, or at the same OVSDB address, is registered."""

    kind = Kind.CONFLICT

    def __init__(self, attribute: str, value: str) -> None:
        self.attribute, self.value = attribute, value
        super().__init__(f"A host with {attribute} {value} is already registered. Remove it first, or choose another.")


# --- PRECONDITION -------------------------------------------------------------------------------------------------


class RevisionNumberConstraintFailed(WeftError):
    """The object changed since the caller last saw it (If-Match)."""

    kind = Kind.PRECONDITION

    def __init__(self, expected: int, current: int) -> None:
        self.expected, self.current = expected, current
        super().__init__(f"Constrained to {expected}, but current revision is {current}")


# --- EXHAUSTED: nothing is left to give ---------------------------------------------------------------------------


class IpAddressGenerationFailure(WeftError):
    """Every pool the port may draw from is used up."""

    kind = Kind.EXHAUSTED

    def __init__(self, network_id: str) -> None:
        self.network_id = network_id
        super().__init__(f"No more IP addresses available on network {network_id}.")


class IpAddressGenerationFailureNoMatchingSubnet(WeftError):
    """Every subnet of the network is for ports of other owners (extension subnet-service-types)."""

    kind = Kind.EXHAUSTED

    def __init__(self) -> None:
        super().__init__("No valid service subnet for the given device owner.")


class MacAddressGenerationFailure(WeftError):
    """No free MAC address was drawn within the bounded number of tries."""

    kind = Kind.EXHAUSTED

    def __init__(self, network_id: str) -> None:
        self.network_id = network_id
        super().__init__(f"Unable to generate unique mac on network {network_id}.")


class NoNetworkAvailable(WeftError):
    """Every segmentation id of the configured range is taken."""

    kind = Kind.EXHAUSTED

    def __init__(self) -> None:
        super().__init__("Unable to create the network. No tenant network is available for allocation.")


class OfPortExhausted(WeftError):
    """Every OpenFlow port number Weft may request on the host is taken."""

    kind = Kind.EXHAUSTED

    def __init__(self, host: str) -> None:
        self.host = host
        super().__init__(f"No more OpenFlow port numbers available on host {host}. Move or delete ports bound to it.")


class RuleKeyExhausted(WeftError):
    """Every number for security groups, their sets and address groups was given; none is given twice."""

    kind = Kind.EXHAUSTED

    def __init__(self) -> None:
        super().__init__("No more numbers for security groups and address groups are available. Start a new database.")


class OverQuota(WeftError):
    """The project would have more than its quota allows."""

    kind = Kind.EXHAUSTED

    def __init__(self, *resources: str) -> None:
        self.resources = resources
        super().__init__(f"Quota exceeded for resources: {list(resources)}.")


# --- UNAVAILABLE --------------------------------------------------------------------------------------------------


class DatabaseError(WeftError):
    """The database did not do what it was asked for; nothing was stored."""

    kind = Kind.UNAVAILABLE


class TransactionConflict(DatabaseError):
    """The database ended a transaction because of another one; the same may succeed when it is tried again."""

    neutron_type = "DatabaseError"


class SwitchUnavailable(WeftError):
    """A question needs a switch that cannot be asked now."""

    kind = Kind.UNAVAILABLE

    def __init__(self, host: str, why: str) -> None:
        self.host, self.why = host, why
        super().__init__(f"The switch of host {host} cannot be read now: {why}. See weft host show {host}.")
