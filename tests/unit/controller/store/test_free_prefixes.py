"""Is what a pool has free always what no subnet has? Any order of use, held against netaddr's sets."""

import doctest
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from netaddr import IPNetwork, IPSet
from sqlalchemy import select

from controller.pool_errors import (
    IllegalSubnetPoolPrefixUpdate,
    SubnetAllocationError,
)
from controller.pool_records import SubnetPool
from controller.records import Network, Subnet
from controller.services import networks, subnetpools, subnets
from controller.store import free_prefixes
from controller.store.database import Database
from controller.store.pools_schema import FREE_PREFIXES
from tests.databases import a_database
from tests.unit.controller.store.builders import ADMIN, a_network, a_subnet, a_subnetpool

OFFSETS = st.integers(0, 255)
LENGTHS = st.integers(24, 30)


def _cidr(offset: int, length: int) -> str:
    return str(IPNetwork(f"10.0.0.{offset}/{length}").cidr)


class PoolMachine(RuleBasedStateMachine):
    """One pool inside 10.0.0.0/24, its subnets, and the prefixes it should have."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = tempfile.TemporaryDirectory()
        self.database: Database = a_database(Path(self.directory.name))
        self.subnets: dict[str, tuple[IPNetwork, str]] = {}

    @initialize(prefixes=st.lists(st.builds(_cidr, OFFSETS, LENGTHS), min_size=1, max_size=4, unique=True))
    def make(self, prefixes: list[str]) -> None:
        with self.database.write() as tx:
            self.pool: SubnetPool = a_subnetpool(tx, *prefixes)
        self.prefixes = IPSet(prefixes)

    def teardown(self) -> None:
        self.database.close()
        self.directory.cleanup()

    def _keep(self, subnet: Subnet) -> None:
        new = IPNetwork(subnet.cidr)
        assert new in self.prefixes
        assert not IPSet([new]) & IPSet(cidr for cidr, _network in self.subnets.values())
        self.subnets[subnet.id] = (new, subnet.network_id)

    @rule(length=LENGTHS)
    def cut_any(self, length: int) -> None:
        free = self.prefixes - IPSet(cidr for cidr, _network in self.subnets.values())
        holes = [hole for hole in free.iter_cidrs() if hole.prefixlen <= length]
        try:
            with self.database.write() as tx:
                self._keep(a_subnet(tx, a_network(tx), cidr=None, subnetpool_id=self.pool.id, prefixlen=length))
        except SubnetAllocationError:
            assert not holes
        else:
            smallest = min(holes, key=lambda hole: (-hole.prefixlen, hole.first))
            assert (smallest.first, length) == max(
                ((cidr.first, cidr.prefixlen) for cidr, _network in self.subnets.values() if cidr in smallest),
                default=None,
            )

    @rule(offset=OFFSETS, length=LENGTHS)
    def cut_this(self, offset: int, length: int) -> None:
        wanted = _cidr(offset, length)
        free = self.prefixes - IPSet(cidr for cidr, _network in self.subnets.values())
        try:
            with self.database.write() as tx:
                self._keep(a_subnet(tx, a_network(tx), cidr=wanted, subnetpool_id=self.pool.id))
        except SubnetAllocationError:
            assert IPNetwork(wanted) not in free
        else:
            assert IPNetwork(wanted) in free

    @precondition(lambda self: self.subnets)
    @rule(data=st.data(), with_network=st.booleans())
    def give_back(self, data: st.DataObject, with_network: bool) -> None:
        subnet_id = data.draw(st.sampled_from(list(self.subnets)))
        _cidr, network_id = self.subnets.pop(subnet_id)
        with self.database.write() as tx:
            if with_network:
                networks.delete(tx, ADMIN, network_id)
            else:
                subnets.delete(tx, ADMIN, subnet_id)

    @rule(offset=OFFSETS, length=LENGTHS)
    def add(self, offset: int, length: int) -> None:
        with self.database.write() as tx:
            subnetpools.add_prefixes(tx, ADMIN, self.pool.id, [_cidr(offset, length)])
        self.prefixes.add(_cidr(offset, length))

    @rule(offset=OFFSETS, length=LENGTHS)
    def remove(self, offset: int, length: int) -> None:
        gone = IPSet([_cidr(offset, length)])
        used = IPSet(cidr for cidr, _network in self.subnets.values())
        try:
            with self.database.write() as tx:
                subnetpools.remove_prefixes(tx, ADMIN, self.pool.id, [_cidr(offset, length)])
        except IllegalSubnetPoolPrefixUpdate:
            assert gone & used
        else:
            assert not gone & used
            self.prefixes -= gone

    @rule(offset=OFFSETS, length=LENGTHS)
    def onboard(self, offset: int, length: int) -> None:
        cidr = IPNetwork(_cidr(offset, length))
        used = IPSet(cidr for cidr, _network in self.subnets.values())
        with self.database.write() as tx:
            network: Network = a_network(tx)
            subnet = a_subnet(tx, network, cidr=str(cidr))
        try:
            with self.database.write() as tx:
                subnetpools.onboard(tx, ADMIN, self.pool.id, network.id)
        except subnetpools.IllegalSubnetPoolUpdate:
            assert IPSet([cidr]) & used
        else:
            self.prefixes.add(cidr)
            self._keep(subnet)

    @invariant()
    def what_is_free_is_what_no_subnet_has(self) -> None:
        if not hasattr(self, "pool"):
            return
        with self.database.read() as tx:
            pool = subnetpools.get(tx, ADMIN, self.pool.id)
            rows = tx.connection.execute(select(FREE_PREFIXES).order_by(FREE_PREFIXES.c.first)).all()
        assert list(pool.prefixes) == [str(one) for one in sorted(self.prefixes.iter_cidrs())]
        free = self.prefixes - IPSet(cidr for cidr, _network in self.subnets.values())
        stored = [str(free_prefixes.stored_cidr(4, row.first, row.prefix_length)) for row in rows]
        assert stored == [str(one) for one in sorted(free.iter_cidrs())]


TestPool = PoolMachine.TestCase
TestPool.settings = settings(
    max_examples=25, stateful_step_count=15, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)


def test_the_examples_in_the_docstrings_are_true() -> None:
    assert doctest.testmod(free_prefixes).failed == 0
