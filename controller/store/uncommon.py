"""Which values are so common that no index should lead to them?

Nearly every port is enabled, guarded and undescribed: an index over such a column is dear to keep, and a planner that
takes it for the common value reads the table in a bad order. A partial index over the other values costs nothing where
nobody has them, and finds the few who do. SQLite takes one only when the query says its condition word for word
(sqlite.org, partialindex, section 3), so lists say it too (``predicate``).
"""

from collections.abc import Mapping, Sequence

from sqlalchemy import Index, Table, TextClause, text

from controller.store.schema import (
    ADDRESS_GROUPS,
    NETWORKS,
    PORTS,
    SECURITY_GROUP_RULES,
    SECURITY_GROUPS,
    SEGMENTS,
    SUBNETS,
)

_NOT_EMPTY = ("", "{} <> ''")
_FALSE = (True, "NOT {}")
_TRUE = (False, "{}")
_SET = (None, "{} IS NOT NULL")

_UNCOMMON: Mapping[Table, Mapping[str, tuple[object, str]]] = {
    NETWORKS: {
        "description": _NOT_EMPTY,
        "admin_state_up": _FALSE,
        "router_external": _TRUE,
        "port_security_enabled": _FALSE,
        "pvlan": _TRUE,
        "plugin": ("openflow", "{} <> 'openflow'"),
    },
    SEGMENTS: {"physical_network": _SET, "segmentation_id": _SET, "name": _SET, "description": _SET},
    SUBNETS: {
        "description": _NOT_EMPTY,
        "ip_version": (4, "{} <> 4"),
        "enable_dhcp": _FALSE,
        "gateway_ip": _SET,
        "ipv6_ra_mode": _SET,
        "ipv6_address_mode": _SET,
    },
    PORTS: {
        "description": _NOT_EMPTY,
        "admin_state_up": _FALSE,
        "status": ("ACTIVE", "{} <> 'ACTIVE'"),
        "port_security_enabled": _FALSE,
        "vnic_type": ("normal", "{} <> 'normal'"),
        "ip_allocation": ("immediate", "{} <> 'immediate'"),
        "pvlan_type": _SET,
        "pvlan_community": _SET,
    },
    SECURITY_GROUPS: {"description": _NOT_EMPTY, "stateful": _FALSE},
    SECURITY_GROUP_RULES: {
        "description": _NOT_EMPTY,
        "protocol": _SET,
        "port_range_min": _SET,
        "port_range_max": _SET,
        "remote_ip_prefix": _SET,
        "normalized_cidr": _SET,
    },
    ADDRESS_GROUPS: {"description": _NOT_EMPTY},
}
"""By column: the common value, and the condition that leaves it out."""

INDEXES = tuple(
    Index(
        f"ix_{table.name}_{name}_uncommon",
        table.c[name],
        sqlite_where=text(condition.format(name)),
        postgresql_where=text(condition.format(name)),
    )
    for table, columns in _UNCOMMON.items()
    for name, (_common, condition) in columns.items()
)


def predicate(table: Table, name: str, values: Sequence[object]) -> TextClause | None:
    """Return the condition of the partial index that finds these values; None when the common one is among them."""
    common, condition = _UNCOMMON.get(table, {}).get(name, (None, ""))
    if not condition or common in values or None in values:
        return None
    return text(condition.format(f"{table.name}.{name}"))  # as text, or "NOT x" would be written "x = 0"
