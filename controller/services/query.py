"""Which objects does a list request want, in which order, and which page of them?"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """An object passes when its attribute equals one of the values."""

    name: str
    """A record's attribute, or ``fixed_ips:ip_address``, ``fixed_ips:subnet_id``, ``fixed_ips:ip_address_substr``,
    ``host``, ``segment:network_type``, ``segment:physical_network``, ``segment:segmentation_id``,
    ``ipv4_address_scope``, ``ipv6_address_scope``; or ``changed_since``, of what changed then or later."""
    values: tuple[object, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sort:
    """One sort key; earlier ones weigh more."""

    name: str
    descending: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """A list request; filters of different names must all pass."""

    filters: tuple[Filter, ...] = ()
    sorts: tuple[Sort, ...] = ()
    limit: int | None = None
    """None or 0: no limit (Neutron API reference, pagination)."""
    marker: str | None = None
    """Id of the last object of the page before (of the first one when ``page_reverse``)."""
    page_reverse: bool = False
    rules: tuple[str, ...] = ()
    """Rules of the policy that must hold for an object too: those of attributes filtered by that not all may see."""
