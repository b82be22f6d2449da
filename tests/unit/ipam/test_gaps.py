"""Are the free ranges of a subnet exactly what is left of its pools, page by page, and cheaply?"""

from collections.abc import Collection, Mapping, Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from ipam.addresses import Cidr, Pool, parse_cidr, parse_pool, text
from ipam.allocator import Strategy, SubnetSpace
from ipam.blocks import block_count
from ipam.exclusions import allowed_runs, count, without
from ipam.gaps import free_count, free_page

BASE = parse_cidr("10.0.0.0/21")


class Taken:
    """Implements ``ipam.gaps.TakenStore`` over a set of addresses, and counts what it is asked."""

    def __init__(self, space: SubnetSpace, taken: Collection[int]) -> None:
        self.space, self.asked = space, 0
        self.blocks: dict[int, set[int]] = {}
        for address in taken:
            number = space.block_of(address)
            if number is not None:
                self.blocks.setdefault(number, set()).add(address)

    def _free(self, number: int) -> int:
        return self.space.block_size(number) - len(self.blocks.get(number, ()))

    def open_with_room(self, subnet_id: str, first: int, last: int, at_most: int) -> Mapping[int, int]:
        self.asked += 1
        numbers = (number for number in range(first, last + 1) if self._free(number))
        return {number: self._free(number) for number, _ in zip(numbers, range(at_most), strict=False)}

    def next_taken_blocks(self, subnet_id: str, first: int, last: int, at_most: int) -> Sequence[int]:
        self.asked += 1
        return sorted(number for number in self.blocks if first <= number <= last)[:at_most]

    def taken_in_blocks(self, subnet_id: str, numbers: Sequence[int]) -> Mapping[int, Collection[int]]:
        self.asked += 1
        return {number: self.blocks[number] for number in numbers if number in self.blocks}


def _space(cidr: Cidr, pools: Sequence[Pool], open_blocks: int, octets: Collection[int] = ()) -> SubnetSpace:
    return SubnetSpace(subnet_id="s", cidr=cidr, pools=tuple(pools), open_blocks=open_blocks, octets=frozenset(octets))


addresses = st.integers(BASE.first, BASE.last)
octets = st.sets(st.integers(0, 255), max_size=6)


@settings(max_examples=150, deadline=None)
@given(
    ends=st.lists(addresses, min_size=2, max_size=6, unique=True),
    excluded=st.lists(st.tuples(addresses, st.integers(0, 300)), max_size=3),
    octets=octets,
    taken=st.sets(addresses, max_size=40) | st.builds(lambda a: set(range(a, a + 600)), addresses),
    size=st.tuples(st.integers(0, 9), st.integers(1, 7)),
)
def test_the_pages_are_what_is_left_of_the_pools(
    ends: list[int], excluded: list[tuple[int, int]], octets: set[int], taken: set[int], size: tuple[int, int]
) -> None:
    opened, limit = size
    bounds = sorted(ends)[: len(ends) // 2 * 2]
    whole = [Pool(version=4, first=a, last=b) for a, b in zip(bounds[::2], bounds[1::2], strict=True)]
    ranges = [Pool(version=4, first=first, last=first + more) for first, more in excluded]
    pools = without(whole, ranges)
    space = _space(BASE, pools, min(opened, block_count(pools)), octets)
    out = {address for one in ranges for address in range(one.first, one.last + 1)}
    left = [a for pool in whole for a in range(pool.first, pool.last + 1) if a not in out and a % 256 not in octets]
    assert space.size == len(left)
    free = [address for address in left if address not in taken]

    store, shown, start = Taken(space, taken), list[int](), None
    while True:
        page = free_page(space, store, start=start, limit=limit)
        assert len(page.ranges) <= limit
        shown += [address for one in page.ranges for address in range(one.first, one.last + 1)]
        if page.next is None:
            break
        start = page.next
    assert shown == free
    in_open = sum(store._free(number) for number in range(space.open_blocks))
    in_closed = sum(len(held) for number, held in store.blocks.items() if number >= space.open_blocks)
    assert free_count(space, free_in_open=in_open, taken_in_closed=in_closed) == len(free)


@settings(max_examples=100, deadline=None)
@given(first=addresses, size=st.integers(1, 900), octets=octets)
def test_runs_without_some_octets_are_what_is_counted(first: int, size: int, octets: set[int]) -> None:
    pool = Pool(version=4, first=first, last=first + size - 1)
    runs = list(allowed_runs(pool, frozenset(octets)))
    kept = [address for address in range(pool.first, pool.last + 1) if address % 256 not in octets]
    assert [address for run in runs for address in range(run.first, run.last + 1)] == kept
    assert count(pool, frozenset(octets)) == len(kept)


def test_a_nearly_empty_slash_64_is_seen_with_as_few_questions_as_a_slash_24() -> None:
    pool = parse_pool("2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff")
    space = _space(parse_cidr("2001:db8::/64"), [pool], 256)
    store = Taken(space, {pool.first + 5, pool.first + 70_000, pool.last - 1})
    page = free_page(space, store, start=None, limit=10)
    assert [f"{text(6, one.first)} {text(6, one.last)}" for one in page.ranges] == [
        "2001:db8::1 2001:db8::5",
        "2001:db8::7 2001:db8::1:1170",
        "2001:db8::1:1172 2001:db8::ffff:ffff:ffff:fffd",
        "2001:db8::ffff:ffff:ffff:ffff 2001:db8::ffff:ffff:ffff:ffff",
    ]
    assert store.asked < 10
    assert space.strategy is Strategy.RANDOM
