"""Which addresses of the pools are never chosen, and what do the pools look like without them?

Ranges are taken out of the pools, so that everything about blocks holds for what is left. A last octet of IPv4 comes
back every 256 addresses, which ranges cannot say; it is passed over when an address is chosen and when a block is
counted. What is excluded may still be asked for by name.
"""

from collections.abc import Iterable, Iterator, Sequence

from ipam.addresses import Pool

OCTETS = 256


def without(pools: Sequence[Pool], ranges: Sequence[Pool]) -> tuple[Pool, ...]:
    """Return what is left of pools without some ranges, in the order of the pools.

    >>> [str(one) for one in without([Pool(version=4, first=1, last=9)], [Pool(version=4, first=4, last=5)])]
    ['0.0.0.1-0.0.0.3', '0.0.0.6-0.0.0.9']
    """
    in_order = sorted(ranges, key=lambda one: one.first)
    return tuple(left for pool in pools for left in _cut(pool, in_order))


def _cut(pool: Pool, ranges: Iterable[Pool]) -> Iterator[Pool]:
    first = pool.first
    for one in ranges:
        if one.last < first or one.first > pool.last:
            continue
        if one.first > first:
            yield Pool(version=pool.version, first=first, last=one.first - 1)
        first = one.last + 1
    if first <= pool.last:
        yield Pool(version=pool.version, first=first, last=pool.last)


def count(pool: Pool, octets: frozenset[int]) -> int:
    """Return how many addresses of a range do not end in one of the octets.

    >>> count(Pool(version=4, first=0, last=511), frozenset({0, 255}))
    508
    """
    # Of the numbers up to n, (n - octet) // 256 + 1 end in the octet; Python's division rounds down, also below zero.
    before = pool.first - 1
    passed_over = sum((pool.last - octet) // OCTETS - (before - octet) // OCTETS for octet in octets)
    return pool.size - passed_over


def allowed_runs(pool: Pool, octets: frozenset[int]) -> Iterator[Pool]:
    """Yield the ranges of a range whose addresses do not end in one of the octets, lowest first and one at a time."""
    if not octets:
        yield pool
        return
    if len(octets) == OCTETS:
        return
    ends = sorted(octets)
    first = pool.first
    while first <= pool.last:
        base, at = first - first % OCTETS, first % OCTETS
        end = next((octet for octet in ends if octet >= at), None)
        if end is None:
            end = ends[0] + OCTETS  # of the next 256
        last = min(base + end - 1, pool.last)
        if last >= first:
            yield Pool(version=pool.version, first=first, last=last)
        first = base + end + 1
