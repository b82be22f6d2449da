"""What can go wrong with subnet pools and address scopes, in Neutron's words?

The tree (one class per Neutron exception)::

    WeftError (controller.errors)
    ├── INVALID    EmptySubnetPoolPrefixList, PrefixVersionMismatch, IllegalSubnetPoolPrefixBounds,
    │              IllegalSubnetPoolPrefixUpdate, IllegalSubnetPoolUpdate, SubnetPoolDeleteError,
    │              MinPrefixSubnetAllocationError, MaxPrefixSubnetAllocationError, NetworkSubnetPoolAffinityError,
    │              NetworkAddressScopeAffinityError, IllegalSubnetPoolIpVersionAssociationToAddressScope,
    │              AddressScopeUpdateError
    ├── NOT_FOUND  SubnetPoolNotFound, AddressScopeNotFound
    ├── CONFLICT   AddressScopePrefixConflict, AddressScopeInUse, SubnetPoolQuotaExceeded
    └── EXHAUSTED  SubnetAllocationError
"""

# ruff: noqa: N818  (the class names are Neutron's, they go on the wire)

from controller.errors import Kind, WeftError

# --- subnet pools --------------------------------------------------------------------------------------------------


class SubnetPoolNotFound(WeftError):
    """No such subnet pool for this caller."""

    kind = Kind.NOT_FOUND

    def __init__(self, pool_id: str) -> None:
        self.pool_id = pool_id
        super().__init__(f"Subnet pool {pool_id} could not be found.")


class EmptySubnetPoolPrefixList(WeftError):
    """A pool has something to give."""

    kind = Kind.INVALID

    def __init__(self) -> None:
        super().__init__("Empty subnet pool prefix list.")


class PrefixVersionMismatch(WeftError):
    """A pool is of one IP version."""

    kind = Kind.INVALID

    def __init__(self) -> None:
        super().__init__("Cannot mix IPv4 and IPv6 prefixes in a subnet pool.")


class IllegalSubnetPoolPrefixBounds(WeftError):
    """The least, largest and default prefix length of a pool contradict each other."""

    kind = Kind.INVALID

    def __init__(self, name: str, length: int, base_name: str, base_length: int) -> None:
        self.name, self.length, self.base_name, self.base_length = name, length, base_name, base_length
        super().__init__(f"Illegal prefix bounds: {name}={length}, {base_name}={base_length}.")


class IllegalSubnetPoolPrefixUpdate(WeftError):
    """A pool would lose prefixes in a way that is not meant for it, or that subnets have."""

    kind = Kind.INVALID

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"Illegal update to prefixes: {reason}.")


class IllegalSubnetPoolUpdate(WeftError):
    """The pool is not the caller's to change so, or cannot take in what it is given."""

    kind = Kind.INVALID

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"Illegal subnetpool update : {reason}.")


class SubnetPoolDeleteError(WeftError):
    """Subnets have prefixes of the pool."""

    kind = Kind.INVALID

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"Unable to delete subnet pool: {reason}.")


class MinPrefixSubnetAllocationError(WeftError):
    """A subnet larger than the pool gives."""

    kind = Kind.INVALID

    def __init__(self, length: int, least: int) -> None:
        self.length, self.least = length, least
        super().__init__(f"Unable to allocate subnet with prefix length {length}, minimum allowed prefix is {least}.")


class MaxPrefixSubnetAllocationError(WeftError):
    """A subnet smaller than the pool gives."""

    kind = Kind.INVALID

    def __init__(self, length: int, largest: int) -> None:
        self.length, self.largest = length, largest
        super().__init__(f"Unable to allocate subnet with prefix length {length}, maximum allowed prefix is {largest}.")


class SubnetPoolQuotaExceeded(WeftError):
    """The project has as much of the pool as it may have."""

    kind = Kind.CONFLICT

    def __init__(self) -> None:
        super().__init__("Per-tenant subnet pool prefix quota exceeded.")


class SubnetAllocationError(WeftError):
    """The pool has no such prefix to give; Neutron has no status for it and answers 500."""

    kind = Kind.EXHAUSTED

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"Failed to allocate subnet: {reason}.")


class NetworkSubnetPoolAffinityError(WeftError):
    """A network without an address scope has subnets of one pool, or of none, for each IP version."""

    kind = Kind.INVALID

    def __init__(self) -> None:
        super().__init__("Subnets hosted on the same network must be allocated from the same subnet pool.")


# --- address scopes ------------------------------------------------------------------------------------------------


class AddressScopeNotFound(WeftError):
    """No such address scope for this caller."""

    kind = Kind.NOT_FOUND

    def __init__(self, scope_id: str) -> None:
        self.scope_id = scope_id
        super().__init__(f"Address scope {scope_id} could not be found.")


class AddressScopeInUse(WeftError):
    """Subnet pools are in the scope."""

    kind = Kind.CONFLICT

    def __init__(self, scope_id: str) -> None:
        self.scope_id = scope_id
        super().__init__(
            f"Unable to complete operation on address scope {scope_id}. "
            "There are one or more subnet pools in use on the address scope."
        )


class AddressScopeUpdateError(WeftError):
    """A scope that others may use stays so."""

    kind = Kind.INVALID

    def __init__(self, scope_id: str, reason: str) -> None:
        self.scope_id, self.reason = scope_id, reason
        super().__init__(f"Unable to update address scope {scope_id} : {reason}.")


class AddressScopePrefixConflict(WeftError):
    """Inside an address scope an address means one thing."""

    kind = Kind.CONFLICT

    def __init__(self) -> None:
        super().__init__(
            "Failed to associate address scope: subnetpools within an address scope must have unique prefixes."
        )


class IllegalSubnetPoolIpVersionAssociationToAddressScope(WeftError):
    """A scope is of one IP version, and so are its pools."""

    kind = Kind.INVALID

    def __init__(self, pool_id: str, scope_id: str, ip_version: int) -> None:
        self.pool_id, self.scope_id, self.ip_version = pool_id, scope_id, ip_version
        super().__init__(
            f"Illegal subnetpool association: subnetpool {pool_id} cannot associate with address scope {scope_id} "
            f"because subnetpool ip_version is not {ip_version}."
        )


class NetworkAddressScopeAffinityError(WeftError):
    """All subnets of a network and IP version are in one address scope, or in none."""

    kind = Kind.INVALID

    def __init__(self) -> None:
        super().__init__(
            "Subnets of the same address family hosted on the same network "
            "must all participate in the same address scope."
        )
