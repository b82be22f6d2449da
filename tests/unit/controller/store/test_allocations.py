"""Is every address given out exactly once, at a cost that does not grow, whoever asks at the same time?"""

import itertools
import multiprocessing
import multiprocessing.queues
import random
import tempfile
import threading
import uuid
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from sqlalchemy import func, select

from controller.errors import IpAddressAlreadyAllocated, IpAddressGenerationFailure
from controller.services import networks, ports
from controller.store.allocations import RELEASED_KEPT_S
from controller.store.database import Database
from controller.store.schema import ADDRESS_BLOCKS, ALLOCATIONS
from controller.store.transaction import Transaction
from ipam.addresses import Pool, parse_address
from ipam.blocks import block_range
from tests.databases import NAME, a_database
from tests.unit.controller.store.builders import ADMIN, a_network, a_port, a_subnet, addresses, counted

STEPS_COUNTED_AS_ONE = 10
SPAWN = multiprocessing.get_context("spawn")


def _blocks(tx: Transaction) -> dict[int, int]:
    return {row.number: row.free for row in tx.connection.execute(select(ADDRESS_BLOCKS))}


def test_a_slash_24_gives_exactly_its_pool_and_then_nothing(database: Database) -> None:
    with database.write() as tx:
        network = a_network(tx)
        a_subnet(tx, network)
        given = [addresses(a_port(tx, network))[0] for _ in range(253)]
        assert {f"10.20.0.{last}" for last in range(2, 255)} == set(given)
        assert _blocks(tx) == {0: 0}
        with pytest.raises(
            IpAddressGenerationFailure, match=f"^No more IP addresses available on network {network.id}"
        ):
            a_port(tx, network)
    assert given != sorted(given, key=lambda address: int(address.rsplit(".", 1)[1]))


def _fill(database: Database, cidr: str) -> tuple[list[int], list[int]]:
    """Use up a subnet; return the statements and the work inside SQLite (virtual machine steps) of each port."""
    statements_of_each: list[int] = []
    steps_of_each: list[int] = []
    with database.write() as tx:
        a_port(tx, a_network(tx))  # the first port of a project makes its default security group
        network = a_network(tx)
        subnet = a_subnet(tx, network, cidr=cidr)
        first, last = (parse_address(end)[1] for end in subnet.allocation_pools[0])
        driver = tx.connection.connection.driver_connection
        assert driver is not None
        for number in range(last - first + 1):
            steps = 0
            mac = f"02:00:00:00:{number >> 8:02x}:{number & 0xFF:02x}"  # a drawn one may have to be drawn again

            def count() -> int:
                nonlocal steps
                steps += 1
                return 0

            driver.set_progress_handler(count, STEPS_COUNTED_AS_ONE)
            with counted(database) as statements:
                a_port(tx, network, mac_address=mac)
            driver.set_progress_handler(None, 0)
            statements_of_each.append(len(statements))
            steps_of_each.append(steps)
        with pytest.raises(IpAddressGenerationFailure):
            a_port(tx, network)
    return statements_of_each, steps_of_each


def test_the_cost_of_an_allocation_stays_flat_until_the_last_address(database: Database) -> None:
    """The dearest of 4,093 allocations costs what the dearest of 1,021 does: one search through one block."""
    statements_of_few, steps_of_few = _fill(database, "10.31.0.0/22")
    statements_of_many, steps_of_many = _fill(database, "10.32.0.0/20")
    assert max(statements_of_few) == max(statements_of_many) == 9
    assert sum(statements_of_many[:1000]) / 1000 < 7.1, "random draws suffice while there is room"
    assert max(steps_of_many) <= 1.25 * max(steps_of_few)


def test_the_search_reads_one_block_only(database: Database) -> None:
    """The two statements of the search return at most one number and 256 addresses."""
    with database.write() as tx:
        network = a_network(tx)
        a_subnet(tx, network, cidr="10.32.0.0/22")
        for _ in range(1020):
            a_port(tx, network)
        largest = tx.connection.execute(
            select(func.count()).select_from(ALLOCATIONS).group_by(ALLOCATIONS.c.block).order_by(func.count().desc())
        ).scalar()
        assert largest == 256
        plan = tx.connection.exec_driver_sql(
            "EXPLAIN QUERY PLAN SELECT address FROM allocations "
            "WHERE subnet_id = 'x' AND block = 3 AND released_at IS NULL"
        ).all()
        assert "ix_allocations_live_block" in str(plan)
        plan = tx.connection.exec_driver_sql(
            "EXPLAIN QUERY PLAN SELECT number FROM address_blocks WHERE subnet_id = 'x' AND free > 0 "
            "ORDER BY number LIMIT 1"
        ).all()
        assert "ix_address_blocks_with_room" in str(plan)
        assert "TEMP B-TREE" not in str(plan)


def test_a_huge_subnet_opens_blocks_only_as_it_fills(database: Database) -> None:
    with database.write() as tx:
        network = a_network(tx)
        a_subnet(tx, network, ip_version=6, cidr="2001:db8::/48")
        a_subnet(tx, network, cidr="10.0.0.0/8")
        for _ in range(20):
            a_port(tx, network)
        far = a_port(tx, network, fixed_ips=[{"ip_address": "2001:db8::ffff:ffff:ffff:ffff:fffe"}])
        assert addresses(far) == ["2001:db8:0:ffff:ffff:ffff:ffff:fffe"]
        assert len(tx.connection.execute(select(ADDRESS_BLOCKS)).all()) == 512


def test_released_rows_are_kept_for_a_day_and_then_forgotten(tmp_path: Path) -> None:
    now = [datetime(2026, 11, 21, tzinfo=UTC)]
    database = a_database(tmp_path, now=lambda: now[0])
    rows = select(func.count()).select_from(ALLOCATIONS)
    with database.write() as tx:
        network = a_network(tx)
        a_subnet(tx, network)
        for _ in range(5):
            ports.delete(tx, ADMIN, a_port(tx, network).id)
        assert tx.connection.execute(rows).scalar() == 5
    now[0] += timedelta(seconds=RELEASED_KEPT_S + 1)
    with database.write() as tx:
        ports.delete(tx, ADMIN, a_port(tx, network).id)
        assert tx.connection.execute(rows).scalar() == 1
    database.close()


def _create_until_full(database: Database, network_id: str, created: list[str]) -> None:
    with database.read() as tx:
        network = networks.get(tx, ADMIN, network_id)
    while True:
        try:
            with database.write() as tx:
                port = a_port(tx, network)
        except IpAddressGenerationFailure:
            return
        created.append(addresses(port)[0])


def _in_threads(database: Database, network_id: str, threads: int) -> tuple[list[str], list[BaseException]]:
    created: list[str] = []
    failures: list[BaseException] = []

    def run() -> None:
        try:
            _create_until_full(database, network_id, created)
        except BaseException as error:  # noqa: BLE001  (whatever it is, the test must show it)
            failures.append(error)

    workers = [threading.Thread(target=run) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return created, failures


def test_eight_threads_share_a_slash_24_without_a_duplicate_or_a_lock_error(database: Database) -> None:
    with database.write() as tx:
        network = a_network(tx)
        a_subnet(tx, network)
    created, failures = _in_threads(database, network.id, 8)
    assert failures == []
    assert {f"10.20.0.{last}" for last in range(2, 255)} == set(created)
    assert len(created) == 253


def _process(directory: str, network_id: str, results: "multiprocessing.queues.Queue[object]") -> None:
    database = Database(f"sqlite:///{Path(directory) / NAME}")  # the one that is there, no fresh copy
    created, failures = _in_threads(database, network_id, 2)
    results.put((created, [repr(failure) for failure in failures]))
    database.close()


def test_two_processes_share_a_slash_24_without_a_duplicate_or_a_lock_error(tmp_path: Path) -> None:
    database = a_database(tmp_path)
    with database.write() as tx:
        network = a_network(tx)
        a_subnet(tx, network)
    results = SPAWN.Queue()
    workers = [SPAWN.Process(target=_process, args=(str(tmp_path), network.id, results)) for _ in range(2)]
    for worker in workers:
        worker.start()
    answers = [results.get(timeout=120) for _ in workers]
    for worker in workers:
        worker.join(60)
    database.close()
    assert [failures for _, failures in answers] == [[], []]
    created = [address for some, _ in answers for address in some]
    assert {f"10.20.0.{last}" for last in range(2, 255)} == set(created)
    assert len(created) == 253


class Addresses(RuleBasedStateMachine):
    """Creates, moves and deletes ports in any order on a small subnet with two pools and a hole."""

    POOLS = (("10.20.0.10", "10.20.0.13"), ("10.20.0.20", "10.20.0.22"))
    SPACE = tuple(f"10.20.0.{last}" for last in range(8, 25))

    def __init__(self) -> None:
        super().__init__()
        self.directory = tempfile.TemporaryDirectory()
        ids = (str(uuid.UUID(int=number)) for number in itertools.count())
        # Hypothesis replays what it found, so that chance and identity must be the same each time.
        self.database = a_database(Path(self.directory.name), rng=random.Random(0), new_id=lambda: next(ids))
        with self.database.write() as tx:
            self.network = a_network(tx)
            self.subnet = a_subnet(tx, self.network, allocation_pools=self.POOLS)
        self.held: dict[str, set[str]] = {}

    def teardown(self) -> None:
        self.database.close()
        self.directory.cleanup()

    @property
    def taken(self) -> set[str]:
        return {address for addresses_ in self.held.values() for address in addresses_}

    @property
    def free(self) -> set[str]:
        pooled = {f"10.20.0.{last}" for last in (10, 11, 12, 13, 20, 21, 22)}
        return pooled - self.taken

    @rule()
    def create_anywhere(self) -> None:
        free = self.free
        try:
            with self.database.write() as tx:
                port = a_port(tx, self.network)
        except IpAddressGenerationFailure:
            assert not free
        else:
            assert set(addresses(port)) <= free
            self.held[port.id] = set(addresses(port))

    @rule(address=st.sampled_from(SPACE))
    def create_there(self, address: str) -> None:
        taken = address in self.taken
        try:
            with self.database.write() as tx:
                port = a_port(tx, self.network, fixed_ips=[{"ip_address": address}])
        except IpAddressAlreadyAllocated:
            assert taken
        else:
            assert not taken
            self.held[port.id] = {address}

    @precondition(lambda self: self.held)
    @rule(data=st.data(), wanted=st.sets(st.sampled_from(SPACE), max_size=3))
    def change(self, data: st.DataObject, wanted: set[str]) -> None:
        port_id = data.draw(st.sampled_from(sorted(self.held)))
        others = self.taken - self.held[port_id]
        try:
            with self.database.write() as tx:
                changes = {"fixed_ips": [{"ip_address": address} for address in sorted(wanted)]}
                ports.update(tx, ADMIN, port_id, changes)
        except IpAddressAlreadyAllocated:
            assert wanted & others
        else:
            assert not wanted & others
            self.held[port_id] = wanted

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        port_id = data.draw(st.sampled_from(sorted(self.held)))
        with self.database.write() as tx:
            ports.delete(tx, ADMIN, port_id)
        del self.held[port_id]

    @invariant()
    def every_address_has_one_holder_and_every_block_its_count(self) -> None:
        with self.database.read() as tx:
            live = select(ALLOCATIONS.c.address).where(ALLOCATIONS.c.released_at.is_(None))
            stored = Counter(tx.connection.scalars(live))
            blocks = _blocks(tx)
        assert Counter(self.taken) == stored
        pools = [
            Pool(version=4, first=parse_address(first)[1], last=parse_address(last)[1]) for first, last in self.POOLS
        ]
        taken = {parse_address(address)[1] for address in self.taken}
        for number, free in blocks.items():
            block = block_range(pools, number)
            assert free == sum(1 for address in range(block.first, block.last + 1) if address not in taken)


TestAddresses = Addresses.TestCase
TestAddresses.settings = settings(max_examples=15, stateful_step_count=25, deadline=None)
