"""Do hosts that a plug-in finds become hosts to bind ports to, for its own networks only?"""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import update

from controller.plugins.contract import Condition, FoundHost, Health
from controller.records import HostName
from controller.services import hosts, ports
from controller.services.query import Query
from controller.store.database import Database
from controller.store.plugin_states import load_conditions, save_health
from controller.store.schema import NETWORKS
from controller.store.transaction import Transaction
from tests.databases import a_database
from tests.unit.controller.store.builders import ADMIN, a_host, a_network, a_port

CHASSIS = HostName("chassis-1")


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = a_database(tmp_path)
    yield database
    database.close()


def found(tx: Transaction, *names: str, **attributes: str) -> bool:
    chassis = {HostName(name): FoundHost(datapath_type="netdev", **attributes) for name in names}  # type: ignore[arg-type]
    return save_health(tx, "ovn", Health(condition=Condition.UP, hosts=chassis))


def test_a_found_host_binds_ports_of_its_plugins_networks_and_no_others(database: Database) -> None:
    with database.write() as tx:
        assert found(tx, CHASSIS)
        a_host(tx, name="registered")
        own, other = a_network(tx), a_network(tx)
        tx.connection.execute(update(NETWORKS).where(NETWORKS.c.id == own.id).values(plugin="ovn"))
    with database.write() as tx:
        bound = [
            (network.plugin, host, a_port(tx, network, host=host).binding)
            for network in (own, other)
            for host in (CHASSIS, "registered")
        ]
    assert [one and one.datapath_type is not None for _, _, one in bound] == [True, False, False, True]
    with database.read() as tx:
        stored = ports.find(tx, ADMIN, Query())
        assert {(one.network_id, one.binding.host, one.binding.datapath_type) for one in stored if one.binding} == {
            (own.id, CHASSIS, "netdev"),
            (own.id, "registered", None),
            (other.id, CHASSIS, None),
            (other.id, "registered", "netdev"),
        }


def test_a_host_no_longer_found_goes_and_the_binding_counts_again_when_it_is_back(database: Database) -> None:
    with database.write() as tx:
        found(tx, CHASSIS)
        network = a_network(tx)
        tx.connection.execute(update(NETWORKS).where(NETWORKS.c.id == network.id).values(plugin="ovn"))
        port = a_port(tx, network, host=CHASSIS)
    for names, is_there in (((), False), ((CHASSIS,), True)):
        with database.write() as tx:
            assert found(tx, *names)
            binding = ports.get(tx, ADMIN, port.id).binding
            assert binding is not None
            assert (binding.datapath_type is not None) is is_there


def test_what_is_told_again_is_no_news_and_what_changed_is(database: Database) -> None:
    with database.write() as tx:
        assert found(tx, CHASSIS)
        assert not found(tx, CHASSIS)
        assert found(tx, CHASSIS, tunnel_ip="192.0.2.1")
        (host,) = hosts.find(tx, ADMIN, Query())
        assert (host.plugin, host.tunnel_ip, host.revision_number) == ("ovn", "192.0.2.1", 2)


@pytest.mark.parametrize("is_registered_first", [True, False])
def test_a_registered_host_that_is_found_too_takes_ports_of_both_and_the_directory_says_so(
    database: Database, *, is_registered_first: bool
) -> None:
    with database.write() as tx:
        if not is_registered_first:
            found(tx, CHASSIS)
        registered = a_host(tx, name=CHASSIS)
        assert found(tx, CHASSIS) is is_registered_first
        assert not found(tx, CHASSIS)
        assert hosts.find(tx, ADMIN, Query()) == [registered]
        assert "1 of its hosts are registered for another plug-in, too (chassis-1)" in (
            load_conditions(tx)["ovn"][0].detail
        )
        own, other = a_network(tx), a_network(tx)
        tx.connection.execute(update(NETWORKS).where(NETWORKS.c.id == other.id).values(plugin="ovn"))
        bound = [a_port(tx, network, host=CHASSIS).id for network in (own, other)]
        kept = [ports.get(tx, ADMIN, one).binding for one in bound]
        assert [one and one.datapath_type for one in kept] == ["netdev", "netdev"]
    with database.write() as tx:
        assert found(tx)
        binding = ports.get(tx, ADMIN, bound[1]).binding
        assert binding is not None
        assert binding.datapath_type is None


def test_no_two_hosts_get_one_datapath_id(tmp_path: Path) -> None:
    class Twice(random.Random):
        """Draws every number twice."""

        def randrange(self, *_args: int) -> int:
            self.drawn = getattr(self, "drawn", 1) + 1
            return self.drawn // 2

    database = a_database(tmp_path, rng=Twice())
    with database.write() as tx:
        found(tx, "one", "two", "three")
        assert len({host.datapath_id for host in hosts.find(tx, ADMIN, Query())}) == 3
    database.close()


def test_how_a_plugin_is_can_be_read_with_the_time_it_was_told(database: Database) -> None:
    health = Health(condition=Condition.DEGRADED, detail="one of three is away", versions={"ovn": "23.03"})
    with database.write() as tx:
        save_health(tx, "ovn", health)
        assert load_conditions(tx) == {"ovn": (health, tx.timestamp)}
