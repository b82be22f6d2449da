"""Do blocks cut pools without gap or overlap?"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ipam.addresses import Pool
from ipam.blocks import BLOCK_SIZE, MAX_BLOCK_NUMBER, block_count, block_of, block_range, nth_address, open_size


@st.composite
def pools(draw: st.DrawFn) -> tuple[Pool, ...]:
    first, made = 0, []
    for _ in range(draw(st.integers(0, 4))):
        first += draw(st.integers(1, 600))
        size = draw(st.integers(1, 900))
        made.append(Pool(version=4, first=first, last=first + size - 1))
        first += size
    return tuple(made)


@given(pools())
def test_every_address_of_a_pool_is_in_exactly_one_block_and_has_one_position(pools: tuple[Pool, ...]) -> None:
    of_pools = [address for pool in pools for address in range(pool.first, pool.last + 1)]
    blocks = [block_range(pools, number) for number in range(block_count(pools))]
    of_blocks = [address for block in blocks for address in range(block.first, block.last + 1)]
    assert of_pools == of_blocks
    assert all(1 <= block.size <= BLOCK_SIZE for block in blocks)
    assert of_pools == [nth_address(pools, position) for position in range(len(of_pools))]
    for number, block in enumerate(blocks):
        assert number == block_of(pools, block.first) == block_of(pools, block.last)
        assert open_size(pools, number) == sum(one.size for one in blocks[:number])
    assert len(of_pools) == open_size(pools, len(blocks))


def test_an_address_outside_the_pools_is_in_no_block() -> None:
    assert block_of((Pool(version=4, first=10, last=20),), 21) is None


def test_a_block_too_far_out_for_the_database_is_not_numbered() -> None:
    huge = (Pool(version=6, first=0, last=2**96),)
    assert block_of(huge, MAX_BLOCK_NUMBER * BLOCK_SIZE) == MAX_BLOCK_NUMBER
    assert block_of(huge, 2**96) is None


def test_there_is_nothing_behind_the_last_pool() -> None:
    few = (Pool(version=4, first=10, last=20),)
    with pytest.raises(ValueError, match="no block 1"):
        block_range(few, 1)
    with pytest.raises(ValueError, match="position 11"):
        nth_address(few, 11)
