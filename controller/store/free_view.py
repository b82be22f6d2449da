"""What is taken in a subnet, counted and found through indexes? The store behind ``ipam.gaps``."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import func, select

from controller.ipam_records import HeldAs
from controller.store.schema import ADDRESS_BLOCKS, ALLOCATIONS, HAS_ROOM, HELD, TAKEN
from controller.store.transaction import Transaction
from ipam.addresses import parse_address
from ipam.allocator import SubnetSpace
from ipam.gaps import free_count


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """How many addresses of a subnet's pools are what; they add up to ``total``."""

    total: int
    free: int
    used: int
    quarantined: int
    reserved: int
    excluded: int
    outside: int
    """Taken, but outside the pools or excluded: given by name. Not part of the total."""


class TakenRows:
    """The allocation table as the free view sees it; implements ``ipam.gaps.TakenStore``."""

    def __init__(self, tx: Transaction) -> None:
        self._connection = tx.connection

    def open_with_room(self, subnet_id: str, first: int, last: int, at_most: int) -> Mapping[int, int]:
        """Return (number -> free addresses) of the first open blocks in a range of numbers that have room."""
        rows = self._connection.execute(
            select(ADDRESS_BLOCKS.c.number, ADDRESS_BLOCKS.c.free)
            .where(ADDRESS_BLOCKS.c.subnet_id == subnet_id, ADDRESS_BLOCKS.c.number.between(first, last), HAS_ROOM)
            .order_by(ADDRESS_BLOCKS.c.number)
            .limit(at_most)
        )
        return {row.number: row.free for row in rows}

    def next_taken_blocks(self, subnet_id: str, first: int, last: int, at_most: int) -> Sequence[int]:
        """Return the numbers of the first blocks in a range of numbers in which something is taken."""
        rows = self._connection.scalars(
            select(ALLOCATIONS.c.block)
            .where(ALLOCATIONS.c.subnet_id == subnet_id, ALLOCATIONS.c.block.between(first, last), TAKEN)
            .distinct()
            .order_by(ALLOCATIONS.c.block)
            .limit(at_most)
        )
        return [number for number in rows if number is not None]

    def taken_in_blocks(self, subnet_id: str, numbers: Sequence[int]) -> Mapping[int, Collection[int]]:
        """Return what is taken in each of some blocks."""
        found: dict[int, set[int]] = {}
        rows = self._connection.execute(
            select(ALLOCATIONS.c.block, ALLOCATIONS.c.address).where(
                ALLOCATIONS.c.subnet_id == subnet_id, ALLOCATIONS.c.block.in_(numbers), TAKEN
            )
        )
        for block, address in rows:
            found.setdefault(block, set()).add(parse_address(address)[1])
        return found


def totals(tx: Transaction, space: SubnetSpace, *, total: int) -> Totals:
    """Count a subnet whose pools have ``total`` addresses, excluded ones too; costs as much as it has open blocks."""
    of_subnet, connection = ALLOCATIONS.c.subnet_id == space.subnet_id, tx.connection
    in_open = connection.execute(
        select(func.coalesce(func.sum(ADDRESS_BLOCKS.c.free), 0)).where(ADDRESS_BLOCKS.c.subnet_id == space.subnet_id)
    ).scalar_one()
    counting = select(func.count()).select_from(ALLOCATIONS).where(of_subnet)
    in_closed = connection.execute(counting.where(ALLOCATIONS.c.block >= space.open_blocks, TAKEN)).scalar_one()
    outside = connection.execute(counting.where(ALLOCATIONS.c.block.is_(None), TAKEN)).scalar_one()
    held = {
        HeldAs(row.held_as): row.times
        for row in connection.execute(
            select(ALLOCATIONS.c.held_as, func.count().label("times"))
            .where(of_subnet, HELD, ALLOCATIONS.c.block.is_not(None))
            .group_by(ALLOCATIONS.c.held_as)
        )
    }
    free = free_count(space, free_in_open=int(in_open), taken_in_closed=in_closed)
    quarantined, reserved = held.get(HeldAs.QUARANTINE, 0), held.get(HeldAs.RESERVATION, 0)
    return Totals(
        total=total,
        free=free,
        used=space.size - free - quarantined - reserved,
        quarantined=quarantined,
        reserved=reserved,
        excluded=total - space.size,
        outside=outside,
    )
