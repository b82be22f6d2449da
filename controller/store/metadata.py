"""Which tables are there? Importing this module makes ``METADATA`` whole.

Tables live beside what reads and writes them; ``schema`` has those that many modules share.
"""

from controller.store import (
    agents,
    containers_schema,
    identities,
    ipam_driver_schema,
    ipam_schema,
    physnets,
    plugin_schema,
    pools_schema,
    quotas,
    recency,
    sharing,
    sightings,
    tags,
    uncommon,
    usage_schema,
    vnics_schema,
)
from controller.store.schema import METADATA

__all__ = [
    "METADATA",
    "agents",
    "containers_schema",
    "identities",
    "ipam_driver_schema",
    "ipam_schema",
    "physnets",
    "plugin_schema",
    "pools_schema",
    "quotas",
    "recency",
    "sharing",
    "sightings",
    "tags",
    "uncommon",
    "usage_schema",
    "vnics_schema",
]
