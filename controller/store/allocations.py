"""Which addresses are held, and which blocks have room? The store behind ``ipam.allocator``.

A port's address is a live row. The partial unique index over what is taken - live rows, and those held for nobody
(``controller.store.holds``) - decides who gets it. A row given back keeps its time in ``released_at`` for a day, so
that "who had this address?" can be answered, and is then removed by later releases, a few at a time.
"""

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import cache
from operator import itemgetter
from typing import Any

from sqlalchemy import BindParameter, Row, bindparam, delete, func, insert, select, update

from controller.store import holds, sightings
from controller.store.blocks import count
from controller.store.dialects import insert_or_ignore
from controller.store.direct import Direct
from controller.store.loading import in_chunks
from controller.store.schema import ADDRESS_BLOCKS, ALLOCATIONS, HAS_ROOM, SUBNETS, TAKEN
from controller.store.transaction import Transaction
from ipam.addresses import parse_address, text
from ipam.allocator import Claim, SubnetSpace, open_more
from ipam.driver import Assigned

RELEASED_KEPT_S = 86_400
"""As long as a DHCP lease, the longest a guest may go on using an address it lost."""
PRUNED_AT_ONCE = 100
FEW = 16
"""Addresses that are looked up by a statement made for their number; one port asks for that many."""

_IS_LIVE = ALLOCATIONS.c.released_at.is_(None)
_TAKEN = select(ALLOCATIONS.c.subnet_id, ALLOCATIONS.c.address).where(
    ALLOCATIONS.c.subnet_id.in_(bindparam("subnet_ids", expanding=True)),
    ALLOCATIONS.c.address.in_(bindparam("addresses", expanding=True)),
    TAKEN,
)
_CLAIM = Direct(
    insert_or_ignore(
        ALLOCATIONS,
        conflict=(ALLOCATIONS.c.subnet_id, ALLOCATIONS.c.address),
        where=TAKEN,
        returning=(ALLOCATIONS.c.subnet_id, ALLOCATIONS.c.address),
    ),
    columns=("subnet_id", "address", "block", "port_id"),
)
_RELEASED = (
    ALLOCATIONS.c.id,
    ALLOCATIONS.c.subnet_id,
    ALLOCATIONS.c.address,
    ALLOCATIONS.c.block,
    ALLOCATIONS.c.port_id,
)
_RELEASE = (
    update(ALLOCATIONS)
    .where(ALLOCATIONS.c.subnet_id == bindparam("of_subnet"), ALLOCATIONS.c.address == bindparam("held"), _IS_LIVE)
    .values(released_at=bindparam("at"))
    .returning(*_RELEASED)
)
_RELEASE_ALL_OF_PORT = (
    update(ALLOCATIONS)
    .where(ALLOCATIONS.c.port_id == bindparam("owner"), _IS_LIVE)
    .values(released_at=bindparam("at"))
    .returning(*_RELEASED)
)
_PRUNE = delete(ALLOCATIONS).where(
    ALLOCATIONS.c.id.in_(
        select(ALLOCATIONS.c.id)
        .where(ALLOCATIONS.c.subnet_id == bindparam("of_subnet"), ALLOCATIONS.c.released_at < bindparam("before"))
        .where(ALLOCATIONS.c.held_until.is_(None))
        .limit(PRUNED_AT_ONCE)
    )
)
_WITH_ROOM = (
    select(ADDRESS_BLOCKS.c.number)
    .where(ADDRESS_BLOCKS.c.subnet_id == bindparam("of_subnet"), HAS_ROOM)
    .order_by(ADDRESS_BLOCKS.c.number)
    .limit(bindparam("at_most"))
)
_IN_BLOCK = select(ALLOCATIONS.c.address).where(
    ALLOCATIONS.c.subnet_id == bindparam("of_subnet"), ALLOCATIONS.c.block == bindparam("number"), TAKEN
)
_WITH_ROOM_ALONE = _WITH_ROOM.with_for_update()
_LOCK = (
    select(ADDRESS_BLOCKS.c.number)
    .where(
        ADDRESS_BLOCKS.c.subnet_id == bindparam("of_subnet"),
        ADDRESS_BLOCKS.c.number.in_(bindparam("numbers", expanding=True)),
    )
    .order_by(ADDRESS_BLOCKS.c.number)
    .with_for_update()
)


@cache
def _taken_among(count: int) -> Direct:
    """Return the statement that asks for so few addresses of one subnet."""
    asked: list[BindParameter[str]] = [bindparam(f"address_{number}") for number in range(count)]
    return Direct(
        select(ALLOCATIONS.c.address).where(
            ALLOCATIONS.c.subnet_id == bindparam("of_subnet"), ALLOCATIONS.c.address.in_(asked), TAKEN
        )
    )


def attempt(tx: Transaction) -> AbstractContextManager[object]:
    """Open what is undone alone when it fails, and keeps no locks then; SQLite, where nobody competes, needs none."""
    return tx.connection.begin_nested() if tx.connection.dialect.name == "postgresql" else nullcontext()


class Allocations:
    """The allocation table as one transaction sees it; implements ``ipam.allocator.AllocationStore``."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx
        self._connection = tx.connection

    def taken(self, candidates: Collection[tuple[str, int, int]]) -> set[tuple[str, int]]:
        """Return which of the (subnet id, version, address) candidates are held."""
        wanted = {(subnet_id, text(version, address)): address for subnet_id, version, address in candidates}
        subnet_ids = list({subnet_id for subnet_id, _ in wanted})
        if len(subnet_ids) == 1 and len(wanted) <= FEW:
            asked = {f"address_{number}": address for number, (_, address) in enumerate(wanted)}
            few = _taken_among(len(wanted)).rows(self._connection, {"of_subnet": subnet_ids[0], **asked})
            return {(subnet_ids[0], wanted[subnet_ids[0], row.address]) for row in few}
        found: set[tuple[str, str]] = set()
        for addresses in in_chunks(list({address for _, address in wanted})):
            rows = self._connection.execute(_TAKEN, {"subnet_ids": subnet_ids, "addresses": addresses})
            found.update((row.subnet_id, row.address) for row in rows)
        return {(place[0], wanted[place]) for place in found & wanted.keys()}

    def blocks_with_room(self, subnet_id: str, at_most: int, *, alone: bool = False) -> list[int]:
        """Return the numbers of the first open blocks that have a free address; ``alone``: others wait to ask so.

        Who waited for a block that is full then gets fewer rows, or none, although there are more (PostgreSQL, SELECT,
        "The Locking Clause"): as long as there are any, the question is asked again.
        """
        asked = {"of_subnet": subnet_id, "at_most": at_most}
        while True:
            found = list(self._connection.scalars(_WITH_ROOM_ALONE if alone else _WITH_ROOM, asked))
            if found or not alone or not list(self._connection.scalars(_WITH_ROOM, asked)):
                return found

    def taken_in_block(self, subnet_id: str, block: int) -> set[int]:
        """Return the addresses held in one block."""
        rows = self._connection.scalars(_IN_BLOCK, {"of_subnet": subnet_id, "number": block})
        return {parse_address(address)[1] for address in rows}

    def seen(self, subnet_id: str) -> frozenset[int]:
        """Return the addresses somebody was seen to use."""
        return sightings.seen_in(self._tx, subnet_id)

    def open_blocks(self, subnet_id: str, sizes: Mapping[int, int]) -> None:
        """Start to count the free addresses of blocks that follow the open ones."""
        if not sizes:
            return
        first, last = min(sizes), max(sizes)
        opened = self._connection.execute(
            update(SUBNETS)
            .where(SUBNETS.c.id == subnet_id, SUBNETS.c.open_blocks == first)
            .values(open_blocks=last + 1)
        )
        if opened.rowcount == 0:
            return  # another transaction has just opened them
        held = self._connection.execute(
            select(ALLOCATIONS.c.block, func.count())
            .where(ALLOCATIONS.c.subnet_id == subnet_id, ALLOCATIONS.c.block.between(first, last), TAKEN)
            .group_by(ALLOCATIONS.c.block)
        )
        used = {block: found for block, found in held}  # noqa: C416  (a row is no pair to dict()'s types)
        rows = [
            {"subnet_id": subnet_id, "number": number, "free": size - used.get(number, 0)}
            for number, size in sizes.items()
        ]
        self._connection.execute(insert(ADDRESS_BLOCKS), rows)

    def claim(self, claims: Sequence[Claim]) -> Collection[tuple[str, int]]:
        """Store the claims and return those that were free."""
        wanted = {(claim.subnet_id, text(claim.version, claim.address)): claim for claim in claims}
        if self._connection.dialect.name == "postgresql":
            self._lock(claims)
        rows = [
            {"subnet_id": subnet_id, "address": address, "block": claim.block, "port_id": claim.owner}
            for (subnet_id, address), claim in sorted(wanted.items(), key=itemgetter(0))
        ]
        result = _CLAIM.rows_of_each(self._connection, rows)
        stored = [wanted[row.subnet_id, row.address] for row in result]
        count(self._tx, ((claim.subnet_id, claim.block) for claim in stored), sign=-1)
        return {(claim.subnet_id, claim.address) for claim in stored}

    def release(self, addresses: Sequence[Assigned]) -> None:
        """Mark addresses as free again, or hold those that are to be held."""
        freed: list[Row[Any]] = []
        for one in sorted(addresses, key=lambda one: (one.subnet_id, one.address)):
            rows = self._connection.execute(
                _RELEASE,
                {"of_subnet": one.subnet_id, "held": text(one.version, one.address), "at": self._tx.timestamp},
            )
            freed += rows.all()
        self._freed(freed)

    def release_all(self, port_id: str) -> None:
        """Mark every address of a port as free again, or hold those that are to be held."""
        self._freed(self._connection.execute(_RELEASE_ALL_OF_PORT, {"owner": port_id, "at": self._tx.timestamp}).all())

    def recount(self, space: SubnetSpace) -> None:
        """Number the blocks of a subnet anew after its pools or exclusions changed; as dear as it has addresses."""
        subnet_id = space.subnet_id
        held = self._connection.execute(
            select(ALLOCATIONS.c.id, ALLOCATIONS.c.address).where(ALLOCATIONS.c.subnet_id == subnet_id, TAKEN)
        )
        moved = [{"row": row_id, "number": space.block_of(parse_address(address)[1])} for row_id, address in held]
        if moved:
            statement = update(ALLOCATIONS).where(ALLOCATIONS.c.id == bindparam("row"))
            self._connection.execute(statement.values(block=bindparam("number")), moved)
        self._connection.execute(delete(ADDRESS_BLOCKS).where(ADDRESS_BLOCKS.c.subnet_id == subnet_id))
        self._connection.execute(update(SUBNETS).where(SUBNETS.c.id == subnet_id).values(open_blocks=0))
        open_more(replace(space, open_blocks=0), self)

    def _lock(self, claims: Sequence[Claim]) -> None:
        """Keep others from the blocks that are counted below, in one order; SQLite has locked everything.

        Two who each stored what the other is about to would else wait for each other.
        """
        blocks: dict[str, set[int]] = {}
        for claim in claims:
            if claim.block is not None:
                blocks.setdefault(claim.subnet_id, set()).add(claim.block)
        for subnet_id in sorted(blocks):
            self._connection.execute(_LOCK, {"of_subnet": subnet_id, "numbers": sorted(blocks[subnet_id])})

    def _freed(self, released: Sequence[Row[Any]]) -> None:
        if not released:
            return
        held = holds.keep(self._tx, released)
        count(self._tx, [(row.subnet_id, row.block) for row in released if row.id not in held], sign=1)
        for subnet_id in {row.subnet_id for row in released}:
            oldest = self._tx.timestamp - RELEASED_KEPT_S
            self._connection.execute(_PRUNE, {"of_subnet": subnet_id, "before": oldest})
