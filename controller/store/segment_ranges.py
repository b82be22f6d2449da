"""Which numbers may a project's networks get on the wire?

Ranges are rows: those of the configuration, written anew whenever Weft starts, and those administrators made. A project
draws from its own ranges first, then from the shared ones without what other projects have for themselves (Neutron,
network segment range).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import delete, insert, select

from controller.store.schema import NETWORK_SEGMENT_RANGES
from controller.store.transaction import DefaultRange, Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """An interval of segmentation ids, bounds included."""

    physical_network: str | None
    first: int
    last: int

    def __len__(self) -> int:
        """Return how many ids there are."""
        return self.last - self.first + 1


def store_default_ranges(tx: Transaction) -> None:
    """Make the stored default ranges those of the settings; a range that stays keeps its id."""
    rows = tx.connection.execute(select(NETWORK_SEGMENT_RANGES).where(NETWORK_SEGMENT_RANGES.c.default)).all()
    stored = {
        DefaultRange(
            network_type=row.network_type,
            physical_network=row.physical_network,
            minimum=row.minimum,
            maximum=row.maximum,
        ): row.id
        for row in rows
    }
    wanted = dict.fromkeys(tx.settings.segment_ranges)
    gone = [range_id for one, range_id in stored.items() if one not in wanted]
    if gone:
        tx.connection.execute(delete(NETWORK_SEGMENT_RANGES).where(NETWORK_SEGMENT_RANGES.c.id.in_(gone)))
    added = [
        {
            "id": tx.new_id(),
            "project_id": None,
            "name": "",
            "description": "",
            "default": True,
            "shared": True,
            "network_type": one.network_type,
            "physical_network": one.physical_network,
            "minimum": one.minimum,
            "maximum": one.maximum,
            "created_at": tx.timestamp,
            "updated_at": tx.timestamp,
            "revision_number": 0,
        }
        for one in wanted
        if one not in stored
    ]
    if added:
        tx.connection.execute(insert(NETWORK_SEGMENT_RANGES), added)


def numbers_for(tx: Transaction, project_id: str, network_type: str, physical_network: str | None) -> list[Numbers]:
    """Return where a project's network of a type draws from, best first; None means any physical network."""
    ranges = tx.connection.execute(
        select(NETWORK_SEGMENT_RANGES)
        .where(NETWORK_SEGMENT_RANGES.c.network_type == network_type)
        .order_by(NETWORK_SEGMENT_RANGES.c.physical_network, NETWORK_SEGMENT_RANGES.c.minimum)
    ).all()
    of_type = [
        (row, Numbers(physical_network=row.physical_network, first=row.minimum, last=row.maximum))
        for row in ranges
        if physical_network is None or row.physical_network == physical_network
    ]
    own = [numbers for row, numbers in of_type if not row.shared and row.project_id == project_id]
    shared = [numbers for row, numbers in of_type if row.shared]
    others = [numbers for row, numbers in of_type if not row.shared and row.project_id != project_id]
    return own + [left for one in shared for left in without(one, others)]


def without(numbers: Numbers, others: Sequence[Numbers]) -> Iterator[Numbers]:
    """Yield what is left of an interval when others of the same physical network are taken out."""
    first = numbers.first
    for other in sorted(others, key=lambda other: other.first):
        if other.physical_network != numbers.physical_network or other.last < first or other.first > numbers.last:
            continue
        if other.first > first:
            yield Numbers(physical_network=numbers.physical_network, first=first, last=other.first - 1)
        first = other.last + 1
    if first <= numbers.last:
        yield Numbers(physical_network=numbers.physical_network, first=first, last=numbers.last)
