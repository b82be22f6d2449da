"""Which block of 256 addresses does an address belong to, and what may be drawn from the open ones?

The pools of a subnet, one after the other, are cut into blocks of at most 256 addresses, numbered from 0. A block is
*open* when its free addresses are counted in the store; blocks open in order, so one number says which are. A small
subnet is open as a whole; a huge one opens step by step as it fills, so that no subnet costs more than a step.

Nothing here stores or chooses; that is ``ipam.allocator``.
"""

from collections.abc import Sequence

from ipam.addresses import Pool

BLOCK_SIZE = 256
OPEN_STEP = 256
"""Blocks opened at a time: 65,536 addresses, a whole IPv4 /16."""
MAX_BLOCK_NUMBER = (1 << 62) - 1
"""Numbers fit a signed 64-bit column; blocks of an IPv6 pool beyond are never opened."""


def block_count(pools: Sequence[Pool]) -> int:
    """Return how many blocks the pools have."""
    return sum(_blocks_of(pool) for pool in pools)


def block_range(pools: Sequence[Pool], number: int) -> Pool:
    """Return the addresses of a block.

    Raises:
        ValueError: the pools have no such block.
    """
    ahead = number
    for pool in pools:
        count = _blocks_of(pool)
        if ahead < count:
            first = pool.first + ahead * BLOCK_SIZE
            return Pool(version=pool.version, first=first, last=min(first + BLOCK_SIZE - 1, pool.last))
        ahead -= count
    raise ValueError(f"no block {number} behind the last pool")


def block_of(pools: Sequence[Pool], address: int) -> int | None:
    """Return the number of the block an address is in, or None outside the pools (or too far out to be numbered)."""
    before = 0
    for pool in pools:
        if address in pool:
            number = before + (address - pool.first) // BLOCK_SIZE
            return number if number <= MAX_BLOCK_NUMBER else None
        before += _blocks_of(pool)
    return None


def open_size(pools: Sequence[Pool], open_blocks: int) -> int:
    """Return how many addresses the first ``open_blocks`` blocks have."""
    size, ahead = 0, open_blocks
    for pool in pools:
        count = _blocks_of(pool)
        if ahead <= count:
            return size + min(ahead * BLOCK_SIZE, pool.size)
        size += pool.size
        ahead -= count
    return size


def nth_address(pools: Sequence[Pool], index: int) -> int:
    """Return an address by its position in the pools, counted from 0.

    Raises:
        ValueError: the pools have fewer addresses.
    """
    ahead = index
    for pool in pools:
        if ahead < pool.size:
            return pool.first + ahead
        ahead -= pool.size
    raise ValueError(f"position {index} behind the last pool")


def _blocks_of(pool: Pool) -> int:
    return -(-pool.size // BLOCK_SIZE)
