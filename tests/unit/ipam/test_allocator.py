"""Does the built-in driver give out every address once, on the fake store and on the real one alike?"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.store.allocations import Allocations
from ipam.addresses import Cidr, Pool, default_pools, parse_cidr, parse_pool, text
from ipam.allocator import AllocationStore, BuiltInDriver, Claim, SubnetSpace, open_more
from ipam.blocks import OPEN_STEP
from ipam.driver import AddressRequest, AnyAddress, Assigned, Driver, Eui64Address, SpecificAddress
from ipam.errors import AddressesExhausted, AddressTaken
from tests.databases import a_database
from tests.unit.controller.store.builders import a_network, a_port, a_subnet
from tests.unit.ipam.stores import MemoryStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """A store that knows one subnet, 10.0.0.0/24 with two pools, and one owner."""

    store: AllocationStore
    space: SubnetSpace
    owner: str

    def driver(self, seed: int = 0) -> Driver:
        return BuiltInDriver(spaces=[self.space], store=self.store, rng=random.Random(seed))

    @property
    def any(self) -> AnyAddress:
        return AnyAddress(subnet_ids=(self.space.subnet_id,))

    def this(self, address: str) -> SpecificAddress:
        return SpecificAddress(subnet_id=self.space.subnet_id, address=parse_cidr(f"{address}/32").first)


POOLS = (parse_pool("10.0.0.10", "10.0.0.12"), parse_pool("10.0.0.20", "10.0.0.24"))


def _a_space(subnet_id: str, cidr: Cidr, pools: tuple[Pool, ...], open_blocks: int) -> SubnetSpace:
    return SubnetSpace(subnet_id=subnet_id, cidr=cidr, pools=pools, open_blocks=open_blocks)


@pytest.fixture(params=["memory", "database"])
def ground(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ground]:
    cidr = parse_cidr("10.0.0.0/24")
    if request.param == "memory":
        memory = MemoryStore()
        space = open_more(_a_space("s", cidr, POOLS, 0), memory)
        yield Ground(store=memory, space=space, owner="p")
        return
    database = a_database(tmp_path)
    with database.write() as tx:
        network = a_network(tx)
        pools = [(text(4, pool.first), text(4, pool.last)) for pool in POOLS]
        subnet = a_subnet(tx, network, cidr="10.0.0.0/24", allocation_pools=pools)
        owner = a_port(tx, network, fixed_ips=[]).id
        yield Ground(store=Allocations(tx), space=_a_space(subnet.id, cidr, POOLS, 2), owner=owner)
    database.close()


def test_every_address_of_the_pools_is_given_out_once_and_then_none(ground: Ground) -> None:
    driver = ground.driver()
    given = []
    for _ in range(8):
        reservation = driver.reserve([ground.any])
        driver.commit(reservation, [ground.owner])
        given += [text(one.version, one.address) for one in reservation.addresses]
    assert {f"10.0.0.{last}" for last in (10, 11, 12, 20, 21, 22, 23, 24)} == set(given)
    assert len(given) == 8
    with pytest.raises(AddressesExhausted):
        driver.reserve([ground.any])


def test_one_request_for_many_addresses_never_gets_one_twice(ground: Ground) -> None:
    """Nothing is counted before the commit: the driver must look past blocks that its own choices filled."""
    driver = ground.driver()
    driver.commit(driver.reserve([ground.this("10.0.0.11")]), [ground.owner])
    reservation = driver.reserve([ground.any, ground.this("10.0.0.24"), *[ground.any] * 5])
    assert len(set(reservation.addresses)) == 7
    with pytest.raises(AddressesExhausted):
        driver.reserve([ground.any] * 8)


def test_a_released_address_can_be_given_out_again(ground: Ground) -> None:
    driver = ground.driver()
    for _ in range(3):
        reservation = driver.reserve([ground.any] * 8)
        driver.commit(reservation, [ground.owner] * 8)
        driver.release(reservation.addresses)
    assert len(driver.reserve([ground.any] * 8).addresses) == 8


def test_a_specific_address_may_lie_outside_the_pools_but_has_one_holder(ground: Ground) -> None:
    driver = ground.driver()
    driver.commit(driver.reserve([ground.this("10.0.0.200")]), [ground.owner])
    with pytest.raises(AddressTaken, match=r"10\.0\.0\.200"):
        driver.reserve([ground.this("10.0.0.200")])
    with pytest.raises(AddressTaken):
        driver.reserve([ground.this("10.0.0.201"), ground.this("10.0.0.201")])


def test_who_loses_the_race_keeps_nothing_and_may_ask_again(ground: Ground) -> None:
    loser, winner = ground.driver(1), ground.driver(2)
    wanted = loser.reserve([ground.this("10.0.0.10"), ground.this("10.0.0.11")])
    winner.commit(winner.reserve([ground.this("10.0.0.11")]), [ground.owner])
    with pytest.raises(AddressTaken, match=r"10\.0\.0\.11"):
        loser.commit(wanted, [ground.owner] * 2)
    again = loser.reserve([ground.any] * 7)
    loser.commit(again, [ground.owner] * 7)
    assert {10, 12, 20, 21, 22, 23, 24} == {one.address & 0xFF for one in again.addresses}


def test_blocks_report_room_and_holders(ground: Ground) -> None:
    store, subnet_id = ground.store, ground.space.subnet_id
    first = POOLS[0].first
    assert store.blocks_with_room(subnet_id, 5) == [0, 1]
    assert store.blocks_with_room(subnet_id, 1) == [0]
    claims = [
        Claim(subnet_id=subnet_id, version=4, address=first + offset, block=0, owner=ground.owner)
        for offset in range(3)
    ]
    assert {(subnet_id, first + offset) for offset in range(3)} == set(store.claim(claims))
    assert store.blocks_with_room(subnet_id, 5) == [1]
    assert {first, first + 1, first + 2} == store.taken_in_block(subnet_id, 0)
    assert {(subnet_id, first)} == store.taken([(subnet_id, 4, first), (subnet_id, 4, first + 10)])
    store.release([Assigned(subnet_id=subnet_id, version=4, address=first)])
    assert store.blocks_with_room(subnet_id, 5) == [0, 1]


def test_an_automatic_address_is_made_from_the_mac_address() -> None:
    cidr = parse_cidr("2001:db8::/64")
    space = _a_space("s6", cidr, default_pools(cidr, None), 0)
    driver = BuiltInDriver(spaces=[space], store=MemoryStore(), rng=random.Random(0))
    reservation = driver.reserve([Eui64Address(subnet_id="s6", mac_address="02:00:00:00:00:77")])
    assert [text(one.version, one.address) for one in reservation.addresses] == ["2001:db8::ff:fe00:77"]


def test_a_subnet_that_is_full_opens_its_next_blocks_then_the_next_subnet() -> None:
    cidr = parse_cidr("10.0.0.0/8")
    store = MemoryStore()
    pools = default_pools(cidr, None)
    space = open_more(_a_space("big", cidr, pools, 0), store)
    assert space.open_blocks == OPEN_STEP
    for number in range(OPEN_STEP):
        store.free["big", number] = 0
    store.held = {("big", pools[0].first + offset): ("x", offset // 256) for offset in range(OPEN_STEP * 256)}
    driver = BuiltInDriver(spaces=[space], store=store, rng=random.Random(0))
    reservation = driver.reserve([AnyAddress(subnet_ids=("big",))])
    assert reservation.addresses[0].address >= pools[0].first + OPEN_STEP * 256
    assert len(store.free) == 2 * OPEN_STEP


@settings(max_examples=60, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 300), min_size=1, max_size=3),
    batches=st.lists(st.integers(1, 40), max_size=40),
    seed=st.integers(0, 1000),
)
def test_no_two_live_allocations_are_ever_equal_and_none_is_missing(
    sizes: list[int], batches: list[int], seed: int
) -> None:
    start, pools = 100, []
    for size in sizes:
        pools.append(Pool(version=4, first=start, last=start + size - 1))
        start += size + 7
    store, rng = MemoryStore(), random.Random(seed)
    space = open_more(_a_space("s", Cidr(version=4, first=0, prefix_length=16), tuple(pools), 0), store)
    driver = BuiltInDriver(spaces=[space], store=store, rng=rng)
    live: list[Assigned] = []
    for number, batch in enumerate(batches):
        requests: list[AddressRequest] = [AnyAddress(subnet_ids=("s",))] * batch
        try:
            reservation = driver.reserve(requests)
        except AddressesExhausted:
            assert len(live) + batch > sum(sizes)
        else:
            driver.commit(reservation, [str(number)] * batch)
            live += reservation.addresses
        assert len(live) == len(set(live)) == len(store.held) <= sum(sizes)
        if number % 3 == 2 and live:
            rng.shuffle(live)
            gone, live = live[: batch // 2], live[batch // 2 :]
            driver.release(gone)


def test_what_is_seen_in_use_is_given_to_who_names_it_and_to_nobody_else() -> None:
    """Blocks count it as free, and there may be more such blocks than the search looks into by itself."""
    pools = (parse_pool("10.0.0.0", "10.0.7.255"),)
    store = MemoryStore()
    space = replace(open_more(_a_space("s", parse_cidr("10.0.0.0/16"), pools, 0), store), has_seen=True)
    left = pools[0].last - 3
    store.seen_in["s"] = [pools[0].first + 256 * block for block in range(7)]
    ground = Ground(store=store, space=space, owner="p")
    driver = ground.driver()
    every = range(pools[0].first, pools[0].last + 1)
    held = [SpecificAddress(subnet_id="s", address=a) for a in every if a not in {*store.seen_in["s"], left}]
    driver.commit(driver.reserve(held), ["p"] * len(held))
    assert [one.address for one in driver.reserve([ground.any]).addresses] == [left]
    with pytest.raises(AddressesExhausted):
        driver.reserve([ground.any] * 2)
    assert driver.reserve([ground.this("10.0.0.0")]).addresses
