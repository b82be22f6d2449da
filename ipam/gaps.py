"""Which ranges of a subnet are free, without looking at every address?

Blocks without room are never read, and a run of blocks that nobody has touched is one range whatever its length, so
that an IPv6 /64 answers like a /24. A view is a page: so many ranges, and where the next page begins.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from ipam.addresses import Pool
from ipam.allocator import SubnetSpace
from ipam.blocks import BLOCK_SIZE, MAX_BLOCK_NUMBER, block_count, block_range
from ipam.exclusions import allowed_runs, count

BLOCKS_AT_ONCE = 1024
BLOCKS_A_PAGE = 65_536
"""After so many blocks a page ends, whatever it has: 16,777,216 addresses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Free ranges, lowest first within each pool, and the address the next page starts at; None at the end."""

    ranges: tuple[Pool, ...]
    next: int | None


class TakenStore(Protocol):
    """What must be known of what is taken."""

    def open_with_room(self, subnet_id: str, first: int, last: int, at_most: int) -> Mapping[int, int]:
        """Return (number -> free addresses) of the first open blocks in a range of numbers that have room."""

    def next_taken_blocks(self, subnet_id: str, first: int, last: int, at_most: int) -> Sequence[int]:
        """Return the numbers of the first blocks in a range of numbers in which something is taken."""

    def taken_in_blocks(self, subnet_id: str, numbers: Sequence[int]) -> Mapping[int, Collection[int]]:
        """Return what is taken in each of some blocks."""


def free_page(space: SubnetSpace, store: TakenStore, *, start: int | None, limit: int) -> Page:
    """Return the next ``limit`` free ranges from the address ``start`` on, in the order of the pools."""
    found: list[Pool] = []
    budget = BLOCKS_A_PAGE
    before = 0
    for pool in space.pools:
        blocks = block_count((pool,))
        if start is not None and start not in pool:
            before += blocks
            continue
        first = pool.first if start is None else start
        start = None
        number = before + (first - pool.first) // BLOCK_SIZE
        pieces = _pieces(space, store, number, min(before + blocks - 1, MAX_BLOCK_NUMBER))
        for piece, cost in pieces:
            free = replace(piece, first=max(piece.first, first)) if piece.first < first <= piece.last else piece
            if free.last < first:
                continue
            if budget <= 0:
                return Page(ranges=tuple(found), next=free.first)
            budget -= cost
            for run in allowed_runs(free, space.octets):
                if found and found[-1].last + 1 == run.first and run.first != pool.first:
                    found[-1] = replace(found[-1], last=run.last)
                elif len(found) == limit:
                    return Page(ranges=tuple(found), next=run.first)
                else:
                    found.append(run)
        before += blocks
    return Page(ranges=tuple(found), next=None)


def free_count(space: SubnetSpace, *, free_in_open: int, taken_in_closed: int) -> int:
    """Return how many addresses may still be chosen."""
    unopened = space.size - _size_of_open(space)
    return free_in_open + unopened - taken_in_closed


def _size_of_open(space: SubnetSpace) -> int:
    """Return how many addresses of the open blocks may be chosen."""
    size, ahead = 0, space.open_blocks
    for pool in space.pools:
        if ahead <= 0:
            break
        last = min(pool.last, pool.first + ahead * BLOCK_SIZE - 1)
        size += count(replace(pool, last=last), space.octets)
        ahead -= block_count((pool,))
    return size


def _pieces(space: SubnetSpace, store: TakenStore, first: int, last: int) -> Iterator[tuple[Pool, int]]:
    """Yield free ranges of the blocks from one number to another, octets not looked at, each with what it cost."""
    number = first
    while number <= min(last, space.open_blocks - 1):
        end = min(last, space.open_blocks - 1)
        with_room = store.open_with_room(space.subnet_id, number, end, BLOCKS_AT_ONCE)
        touched = [one for one, free in with_room.items() if free < space.block_size(one)]
        yield from _gaps(space, store, sorted(with_room), frozenset(touched))
        number = end + 1 if len(with_room) < BLOCKS_AT_ONCE else max(with_room) + 1
    while number <= last:
        taken = store.next_taken_blocks(space.subnet_id, number, last, BLOCKS_AT_ONCE)
        for one in taken:
            if one > number:
                yield _run(space, number, one - 1), 1
            yield from _gaps(space, store, [one], frozenset([one]))
            number = one + 1
        if len(taken) < BLOCKS_AT_ONCE and number <= last:
            yield _run(space, number, last), 1
            number = last + 1


def _run(space: SubnetSpace, first: int, last: int) -> Pool:
    """Return the addresses of blocks of one pool."""
    begin, end = block_range(space.pools, first), block_range(space.pools, last)
    return replace(begin, last=end.last)


def _gaps(
    space: SubnetSpace, store: TakenStore, numbers: Sequence[int], touched: Collection[int]
) -> Iterator[tuple[Pool, int]]:
    """Yield what is free in some blocks; only those ``touched`` have anything that is taken."""
    of_touched = 64
    for at in range(0, len(numbers), of_touched):
        some = numbers[at : at + of_touched]
        asked = [number for number in some if number in touched]
        taken = store.taken_in_blocks(space.subnet_id, asked) if asked else {}
        for number in some:
            block = block_range(space.pools, number)
            first, cost = block.first, 1
            for address in sorted(taken.get(number, ())):
                if address > first:
                    yield replace(block, first=first, last=address - 1), cost
                    cost = 0
                first = address + 1
            if first <= block.last:
                yield replace(block, first=first), cost
