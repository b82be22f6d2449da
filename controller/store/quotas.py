"""How many objects may a project have, where that was set for it?"""

from sqlalchemy import Column, Integer, String, Table

from controller.store.schema import METADATA, NAME_LENGTH

NO_LIMIT = -1
"""A limit that limits nothing (Neutron API reference, quotas)."""
HIGHEST_LIMIT = 2**31 - 1
QUOTA_RESOURCES = (
    "network",
    "subnet",
    "subnetpool",
    "port",
    "rbac_policy",
    "security_group",
    "security_group_rule",
    "ip_reservation",
)
"""What is counted, in the order Neutron shows it, and what Neutron does not have."""

QUOTAS = Table(
    "quotas",
    METADATA,
    Column("project_id", String(NAME_LENGTH), primary_key=True),
    Column("resource", String(64), primary_key=True),
    Column("limit", Integer, nullable=False),
)
"""A project need not exist to have limits (Keystone knows which do)."""
