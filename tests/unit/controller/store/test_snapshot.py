"""Does a reader get the whole intent with few queries, and every later change in order?"""

from sqlalchemy import select

from controller.services import hosts, networks, ports, subnets
from controller.store.database import Database
from controller.store.schema import JOURNAL
from controller.store.snapshot import (
    journal_after,
    last_seq,
    load_epoch,
    load_hosts,
    load_networks,
    load_ports,
    load_snapshot,
    load_subnets,
    prune_journal,
)
from tests.unit.controller.store.builders import (
    ADMIN,
    NOBODY,
    SLAAC,
    a_host,
    a_network,
    a_port,
    a_subnet,
    counted,
)


def test_a_snapshot_holds_what_the_use_cases_show(database: Database) -> None:
    with database.write() as tx:
        a_host(tx)
        network = a_network(tx)
        a_subnet(tx, network)
        a_subnet(tx, network, **SLAAC)
        a_port(tx, network, host="h1")
        a_port(tx, a_network(tx))
    with database.read() as tx:
        snapshot = load_snapshot(tx)
        everything = networks.Query()
        assert set(map(repr, ports.find(tx, ADMIN, everything))) == set(map(repr, snapshot.ports))
        assert set(networks.find(tx, ADMIN, everything)) == set(snapshot.networks)
        assert set(subnets.find(tx, ADMIN, everything)) == set(snapshot.subnets)
        assert tuple(hosts.find(tx, ADMIN, everything)) == snapshot.hosts
        assert (load_epoch(tx), last_seq(tx)) == (snapshot.epoch, snapshot.seq)


def test_a_snapshot_of_much_costs_as_many_statements_as_one_of_nothing(database: Database) -> None:
    with database.read() as tx, counted(database) as of_nothing:
        load_snapshot(tx)
    with database.write() as tx:
        for _ in range(10):
            network = a_network(tx)
            a_subnet(tx, network)
            for _ in range(10):
                a_port(tx, network)
    with database.read() as tx, counted(database) as of_much:
        assert len(load_snapshot(tx).ports) == 100
    assert len(of_nothing) == len(of_much) <= 16


def test_objects_are_loaded_by_id_and_missing_ones_are_missing(database: Database) -> None:
    with database.write() as tx:
        host, network = a_host(tx), a_network(tx)
        subnet, port = a_subnet(tx, network), a_port(tx, network)
        subnet, port, network = (
            subnets.get(tx, ADMIN, subnet.id),
            ports.get(tx, ADMIN, port.id),
            networks.get(tx, ADMIN, network.id),
        )
        assert {network.id: network} == load_networks(tx, {network.id, NOBODY})
        assert {subnet.id: subnet} == load_subnets(tx, {subnet.id, NOBODY})
        assert {port.id: port} == load_ports(tx, {port.id, NOBODY})
        assert {host.id: host} == load_hosts(tx, {host.id, NOBODY})
        assert load_ports(tx, ()) == {}


def test_the_journal_names_every_change_once_per_transaction(database: Database) -> None:
    with database.write() as tx:
        network = a_network(tx)
        subnet = a_subnet(tx, network)
        port = a_port(tx, network)
        ports.update(tx, ADMIN, port.id, {"name": "x"})
    with database.write() as tx:
        ports.delete(tx, ADMIN, port.id)
    with database.read() as tx:
        entries = journal_after(tx, 0)
        assert [
            (1, "network", network.id, network.id),
            (2, "subnet", subnet.id, network.id),
            (3, "security_group", port.security_group_ids[0], None),
            (4, "port", port.id, network.id),
            (5, "port", port.id, network.id),
        ] == [(entry.seq, entry.kind, entry.object_id, entry.network_id) for entry in entries]
        assert entries[2:3] == journal_after(tx, 2, limit=1)


def test_pruning_keeps_the_place_of_the_journal(database: Database) -> None:
    with database.write() as tx:
        for _ in range(3):
            a_network(tx)
    with database.write() as tx:
        prune_journal(tx, 2)
        assert [entry.seq for entry in journal_after(tx, 0)] == [2, 3]
        prune_journal(tx, 1000)
        assert [entry.seq for entry in journal_after(tx, 0)] == [3]
        a_network(tx)
    with database.read() as tx:
        assert list(tx.connection.scalars(select(JOURNAL.c.seq))) == [3, 4]
