"""What was chosen about a subnet's addresses, as the store has it?"""

import json
from typing import Any

from sqlalchemy import Row, delete

from controller.ipam_records import USUAL, SubnetIpam
from controller.store.dialects import insert_or_update
from controller.store.ipam_schema import SUBNET_IPAM
from controller.store.transaction import Transaction
from ipam.allocator import Strategy

COLUMNS = (
    SUBNET_IPAM.c.strategy.label("ipam_strategy"),
    SUBNET_IPAM.c.quarantine.label("ipam_quarantine"),
    SUBNET_IPAM.c.excluded_ranges,
    SUBNET_IPAM.c.excluded_octets,
)
"""What a select of subnets, outer joined, has for ``chosen_of``."""
_STORE = insert_or_update(SUBNET_IPAM, conflict=(SUBNET_IPAM.c.subnet_id,))


def chosen_of(row: Row[Any]) -> SubnetIpam:
    """Return what the columns of a row say."""
    if row.ipam_strategy is None:
        return USUAL
    return SubnetIpam(
        strategy=Strategy(row.ipam_strategy),
        quarantine_s=row.ipam_quarantine,
        excluded_ranges=tuple((first, last) for first, last in json.loads(row.excluded_ranges)),
        excluded_octets=tuple(json.loads(row.excluded_octets)),
    )


def store(tx: Transaction, subnet_id: str, chosen: SubnetIpam) -> None:
    """Store what was chosen; the usual has no row."""
    if chosen == USUAL:
        tx.connection.execute(delete(SUBNET_IPAM).where(SUBNET_IPAM.c.subnet_id == subnet_id))
        return
    row = {
        "subnet_id": subnet_id,
        "strategy": chosen.strategy.value,
        "quarantine": chosen.quarantine_s,
        "excluded_ranges": json.dumps(chosen.excluded_ranges),
        "excluded_octets": json.dumps(chosen.excluded_octets),
    }
    tx.connection.execute(tx.variant(_STORE), row)
