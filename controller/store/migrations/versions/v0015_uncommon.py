"""Which indexes find what lists may be filtered by?

Revision ID: 0015
"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

NOT_EMPTY = "{} <> ''"
FALSE = "NOT {}"
TRUE = "{}"
SET = "{} IS NOT NULL"

UNCOMMON = {
    "networks": {
        "description": NOT_EMPTY,
        "admin_state_up": FALSE,
        "router_external": TRUE,
        "port_security_enabled": FALSE,
        "pvlan": TRUE,
    },
    "segments": {"physical_network": SET, "segmentation_id": SET, "name": SET, "description": SET},
    "subnets": {
        "description": NOT_EMPTY,
        "ip_version": "{} <> 4",
        "enable_dhcp": FALSE,
        "gateway_ip": SET,
        "ipv6_ra_mode": SET,
        "ipv6_address_mode": SET,
    },
    "ports": {
        "description": NOT_EMPTY,
        "admin_state_up": FALSE,
        "status": "{} <> 'ACTIVE'",
        "port_security_enabled": FALSE,
        "vnic_type": "{} <> 'normal'",
        "ip_allocation": "{} <> 'immediate'",
        "pvlan_type": SET,
        "pvlan_community": SET,
    },
    "security_groups": {"description": NOT_EMPTY, "stateful": FALSE},
    "security_group_rules": {
        "description": NOT_EMPTY,
        "protocol": SET,
        "port_range_min": SET,
        "port_range_max": SET,
        "remote_ip_prefix": SET,
        "normalized_cidr": SET,
    },
    "address_groups": {"description": NOT_EMPTY},
}


def upgrade() -> None:
    """Create the indexes."""
    op.create_index(op.f("ix_networks_mtu"), "networks", ["mtu"], unique=False)
    op.create_index(op.f("ix_subnets_cidr"), "subnets", ["cidr"], unique=False)
    for table, columns in UNCOMMON.items():
        for name, condition in columns.items():
            where = sa.text(condition.format(name))
            op.create_index(
                f"ix_{table}_{name}_uncommon", table, [name], unique=False, sqlite_where=where, postgresql_where=where
            )
