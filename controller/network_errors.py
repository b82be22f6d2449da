"""What can go wrong with kinds of networks, private VLANs and second bindings, in Neutron's words?

The tree (one class per Neutron exception)::

    WeftError (controller.errors)
    ├── INVALID    SegmentsSetInConjunctionWithProviders, SegmentsContainDuplicateEntry,
    │              NetworkSegmentRangeNetTypeNotSupported, NetworkSegmentRangeDefaultReadOnly, NetworkTunnelRangeError,
    │              NetworkVlanRangeError, PVLANNotEnabledOnNetwork, PVLANCannotSetCommunityName,
    │              PVLANCommunityNameRequired, PVLANPortSecurityDisabled, PVLANNetworkPortSecurityDisabled,
    │              NetworkIdsDontMatch, SubnetsNotAllAssociatedWithSegments,
    │              RbacPolicyInitError
    ├── NOT_FOUND  SegmentNotFound, NetworkSegmentRangeNotFound, PortBindingNotFound
    └── CONFLICT   NetworkMTUSubnetConflict, VlanIdInUse, FlatNetworkInUse, SegmentInUse, NetworkSegmentRangeOverlaps,
                   NetworkSegmentRangeReferencedByProject, PortBindingAlreadyExists, PortBindingAlreadyActive,
                   PortBindingError, SubnetSegmentAssociationChangeNotAllowed,
                   NoUpdateSubnetWhenMultipleSegmentsOnNetwork, HostNotConnectedToAnySegment,
                   HostNotCompatibleWithFixedIps, RbacPolicyInUse, DuplicateRbacPolicy
"""

# ruff: noqa: N818  (the class names are Neutron's, they go on the wire)

from collections.abc import Sequence

from controller.errors import InvalidInput, Kind, WeftError

# --- segments ------------------------------------------------------------------------------------------------------


class SegmentsSetInConjunctionWithProviders(InvalidInput):
    """A network says twice what its segments are."""

    def __init__(self) -> None:
        WeftError.__init__(self, "Segments and provider values cannot both be set.")


class SegmentsContainDuplicateEntry(InvalidInput):
    """Two segments of one request are the same."""

    def __init__(self) -> None:
        WeftError.__init__(self, "Duplicate segment entry in request.")


class SegmentNotFound(WeftError):
    """No such segment for this caller."""

    kind = Kind.NOT_FOUND

    def __init__(self, segment_id: str) -> None:
        self.segment_id = segment_id
        super().__init__(f"Segment {segment_id} could not be found.")


class SegmentInUse(WeftError):
    """Ports need the segment."""

    kind = Kind.CONFLICT

    def __init__(self, segment_id: str, reason: str) -> None:
        self.segment_id, self.reason = segment_id, reason
        super().__init__(f"Segment '{segment_id}' cannot be deleted: {reason}.")


class NetworkIdsDontMatch(InvalidInput):
    """A subnet is to be for a segment of another network."""

    def __init__(self, subnet_network: str, segment_id: str) -> None:
        self.subnet_network, self.segment_id = subnet_network, segment_id
        super().__init__(
            f"The subnet's network id, '{subnet_network}', doesn't match the network_id of segment '{segment_id}'"
        )


class SubnetsNotAllAssociatedWithSegments(InvalidInput):
    """Some subnets of a network are for segments and others are not."""

    def __init__(self, network_id: str) -> None:
        self.network_id = network_id
        super().__init__(
            f"All of the subnets on network '{network_id}' must either all be associated with segments or all not "
            "associated with any segments."
        )


class SubnetSegmentAssociationChangeNotAllowed(WeftError):
    """A subnet stays on its segment."""

    kind = Kind.CONFLICT

    def __init__(self) -> None:
        super().__init__(
            "A subnet that is already associated with a segment cannot have its segment association changed."
        )


class NoUpdateSubnetWhenMultipleSegmentsOnNetwork(WeftError):
    """It cannot be known which of the segments a subnet was on."""

    kind = Kind.CONFLICT

    def __init__(self, network_id: str) -> None:
        self.network_id = network_id
        super().__init__(
            f"The network '{network_id}' has multiple segments, it is only possible to associate an existing subnet "
            "with a segment on networks with a single segment."
        )


class HostNotConnectedToAnySegment(WeftError):
    """No address of a routed network can be used on the host."""

    kind = Kind.CONFLICT

    def __init__(self, host: str, network_id: str) -> None:
        self.host, self.network_id = host, network_id
        super().__init__(
            f"Host {host} is not connected to any segments on routed provider network '{network_id}'.  "
            "It should be connected to one."
        )


class HostNotCompatibleWithFixedIps(WeftError):
    """The addresses a port has are of another segment than the host's."""

    kind = Kind.CONFLICT

    def __init__(self, host: str, port_id: str) -> None:
        self.host, self.port_id = host, port_id
        super().__init__(
            f"Host {host} is not connected to a segment where the existing fixed_ips on port {port_id} will function "
            "given the routed network topology."
        )


class VlanIdInUse(WeftError):
    """Another segment has the VLAN."""

    kind = Kind.CONFLICT

    def __init__(self, vlan_id: int, physical_network: str) -> None:
        self.vlan_id, self.physical_network = vlan_id, physical_network
        super().__init__(
            f"Unable to create the network. The VLAN {vlan_id} on physical network {physical_network} is in use."
        )


class NetworkMTUSubnetConflict(WeftError):
    """A subnet's IP version needs larger packets than the network carries (neutron-lib)."""

    kind = Kind.CONFLICT

    def __init__(self, network_id: str, lowest: int) -> None:
        self.network_id, self.lowest = network_id, lowest
        super().__init__(f"MTU of {network_id} is not valid, subnet requires a minimum of {lowest}")


class FlatNetworkInUse(WeftError):
    """Another segment has the physical network's untagged frames."""

    kind = Kind.CONFLICT

    def __init__(self, physical_network: str) -> None:
        self.physical_network = physical_network
        super().__init__(f"Unable to create the flat network. Physical network {physical_network} is in use.")


# --- segment ranges ------------------------------------------------------------------------------------------------


class NetworkSegmentRangeNotFound(WeftError):
    """No such range for this caller."""

    kind = Kind.NOT_FOUND

    def __init__(self, range_id: str) -> None:
        self.range_id = range_id
        super().__init__(f"Network Segment Range {range_id} could not be found.")


class NetworkSegmentRangeNetTypeNotSupported(WeftError):
    """Networks of the type have no numbers to draw from a range."""

    kind = Kind.INVALID

    def __init__(self, network_type: str) -> None:
        self.network_type = network_type
        super().__init__(f"Network type {network_type} does not support network segment ranges.")


class NetworkSegmentRangeDefaultReadOnly(WeftError):
    """The range comes from the configuration."""

    kind = Kind.INVALID

    def __init__(self, range_id: str) -> None:
        self.range_id = range_id
        super().__init__(
            f"Network Segment Range {range_id} is a default segment range which could not be updated or deleted."
        )


class NetworkSegmentRangeOverlaps(WeftError):
    """Another range of the type has some of the numbers."""

    kind = Kind.CONFLICT

    def __init__(self, range_ids: Sequence[str]) -> None:
        self.range_ids = tuple(range_ids)
        super().__init__(f"Network segment range overlaps with range(s) with id {', '.join(range_ids)}")


class NetworkSegmentRangeReferencedByProject(WeftError):
    """Networks have numbers of the range."""

    kind = Kind.CONFLICT

    def __init__(self, range_id: str) -> None:
        self.range_id = range_id
        super().__init__(f"Network Segment Range {range_id} is referenced by one or more tenant networks.")


class NetworkTunnelRangeError(WeftError):
    """A range of VNIs is none. Neutron answers 500 here; the fault is the caller's."""

    kind = Kind.INVALID

    def __init__(self, minimum: int, maximum: int, reason: str) -> None:
        self.minimum, self.maximum, self.reason = minimum, maximum, reason
        super().__init__(f"Invalid network tunnel range: '{minimum}:{maximum}' - {reason}.")


class NetworkVlanRangeError(WeftError):
    """A range of VLANs is none. Neutron answers 500 here; the fault is the caller's."""

    kind = Kind.INVALID

    def __init__(self, minimum: int, maximum: int, reason: str) -> None:
        self.minimum, self.maximum, self.reason = minimum, maximum, reason
        super().__init__(f"Invalid network VLAN range: '{minimum}:{maximum}' - '{reason}'.")


# --- private VLANs -------------------------------------------------------------------------------------------------


class PVLANNotEnabledOnNetwork(WeftError):
    """A port has a private VLAN type on an ordinary network."""

    kind = Kind.INVALID

    def __init__(self, network_id: str) -> None:
        self.network_id = network_id
        super().__init__(f"PVLAN is not enabled on network {network_id}.")


class PVLANCannotSetCommunityName(WeftError):
    """Only community ports are in a community."""

    kind = Kind.INVALID

    def __init__(self, port_id: str) -> None:
        self.port_id = port_id
        super().__init__(
            f'PVLAN community name cannot be set if port type is not "community" for this port: {port_id}.'
        )


class PVLANCommunityNameRequired(WeftError):
    """A community port is in some community."""

    kind = Kind.INVALID

    def __init__(self, port_id: str) -> None:
        self.port_id = port_id
        super().__init__(f'Community name is required for ports with PVLAN type "community": {port_id}.')


class PVLANPortSecurityDisabled(WeftError):
    """The sender's place in a private VLAN is told by its MAC address, which only port security vouches for."""

    kind = Kind.INVALID

    def __init__(self, port_id: str) -> None:
        self.port_id = port_id
        super().__init__(f"Port security is disabled for port {port_id}, cannot set PVLAN.")


class PVLANNetworkPortSecurityDisabled(WeftError):
    """A private VLAN network's ports are guarded."""

    kind = Kind.INVALID

    def __init__(self, network_id: str) -> None:
        self.network_id = network_id
        super().__init__(f"Port security is disabled on network {network_id}, cannot enable PVLAN.")


# --- bindings ------------------------------------------------------------------------------------------------------


class PortBindingNotFound(WeftError):
    """The port is not bound to the host."""

    kind = Kind.NOT_FOUND

    def __init__(self, port_id: str, host: str) -> None:
        self.port_id, self.host = port_id, host
        super().__init__(f"Binding for port {port_id} for host {host} could not be found.")


class PortBindingAlreadyExists(WeftError):
    """The port is bound to the host already."""

    kind = Kind.CONFLICT

    def __init__(self, port_id: str, host: str) -> None:
        self.port_id, self.host = port_id, host
        super().__init__(f"Binding for port {port_id} on host {host} already exists.")


class PortBindingAlreadyActive(WeftError):
    """The port is on the host already."""

    kind = Kind.CONFLICT

    def __init__(self, port_id: str, host: str) -> None:
        self.port_id, self.host = port_id, host
        super().__init__(f"Binding for port {port_id} on host {host} is already active.")


class PortBindingError(WeftError):
    """The binding cannot be."""

    kind = Kind.CONFLICT

    def __init__(self, port_id: str, host: str, reason: str) -> None:
        self.port_id, self.host, self.reason = port_id, host, reason
        super().__init__(f"Binding for port {port_id} on host {host} could not be created or updated: {reason}.")


class RbacPolicyNotFound(WeftError):
    """No such policy, or another project's."""

    kind = Kind.NOT_FOUND

    def __init__(self, policy_id: str) -> None:
        self.policy_id = policy_id
        super().__init__(f"RBAC policy of type unknown with ID {policy_id} not found")


class RbacPolicyInitError(WeftError):
    """Whom the object would be shared with cannot use what it is part of."""

    kind = Kind.INVALID

    def __init__(self, object_id: str, reason: str) -> None:
        self.object_id, self.reason = object_id, reason
        super().__init__(f"Failed to create RBAC policy on object {object_id} because {reason}.")


class RbacPolicyInUse(WeftError):
    """Projects use the object because it is shared with them."""

    kind = Kind.CONFLICT

    def __init__(self, object_id: str, details: str) -> None:
        self.object_id, self.details = object_id, details
        super().__init__(
            f"RBAC policy on object {object_id} cannot be removed because other objects depend on it.\n"
            f"Details: {details}"
        )


class DuplicateRbacPolicy(WeftError):
    """The object is shared so already."""

    kind = Kind.CONFLICT

    def __init__(self) -> None:
        super().__init__("An RBAC policy already exists with those values.")
