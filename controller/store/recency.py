"""Which indexes find what changed since a moment (``changed_since``)?

Tables with as many rows as there are machines or lines of configuration have none: they are looked through.
"""

from sqlalchemy import Index

from controller.store.pools_schema import SUBNETPOOLS
from controller.store.schema import (
    ADDRESS_GROUPS,
    NETWORKS,
    PORTS,
    SECURITY_GROUP_RULES,
    SECURITY_GROUPS,
    SEGMENTS,
    SUBNETS,
)
from controller.store.vnics_schema import VNICS

INDEXES = tuple(
    Index(f"ix_{table.name}_updated_at", table.c.updated_at)
    for table in (
        NETWORKS,
        SEGMENTS,
        SUBNETS,
        PORTS,
        SECURITY_GROUPS,
        SECURITY_GROUP_RULES,
        ADDRESS_GROUPS,
        SUBNETPOOLS,
        VNICS,
    )
)
