"""What do a stored subnet pool and a stored address scope look like?"""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressScope:
    """A Neutron address scope (API reference, address scopes): where an address means one thing."""

    id: str
    project_id: str
    name: str
    ip_version: int
    shared: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SubnetPool:
    """A Neutron subnet pool (API reference, subnet pools): prefixes that subnets are cut from."""

    id: str
    project_id: str
    name: str
    description: str
    ip_version: int
    prefixes: tuple[str, ...]
    """The fewest CIDRs that cover the pool, by address."""
    min_prefixlen: int
    max_prefixlen: int
    default_prefixlen: int
    default_quota: int | None
    """What one project may have of it, in addresses (IPv4) or /64 prefixes (IPv6); None or 0: everything."""
    is_default: bool
    """One pool of an IP version may be the one that subnets get when they name none."""
    shared: bool
    address_scope_id: str | None
    created_at: datetime
    updated_at: datetime
    revision_number: int
