"""Does a poll bring whole records of what changed, and None for what is gone?"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import update

from controller.reconcile.feed import Changes, Feed
from controller.records import Move
from controller.services import address_groups, networks, ports, security_group_rules, security_groups
from controller.store import network_moves
from controller.store.database import Database
from controller.store.network_moves import NetworkMove
from controller.store.pruning import Keeping, forget_changes
from controller.store.schema import NETWORKS
from controller.store.snapshot import last_seq
from tests.databases import a_database
from tests.unit.controller.reconcile.test_reconciler import create_address_group, create_group, create_rule
from tests.unit.controller.reconcile.world import ADMIN
from tests.unit.controller.store.builders import a_network, a_port, a_subnet


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = a_database(tmp_path)
    yield database
    database.close()


@pytest.fixture
def feed(database: Database) -> Feed:
    feed = Feed(database)
    feed.open()
    return feed


def test_a_rule_brings_its_group_with_all_its_rules(database: Database, feed: Feed) -> None:
    with database.write() as tx:
        group = create_group(tx)
    feed.poll()
    with database.write() as tx:
        rule = create_rule(tx, group.id, protocol="tcp")
    [(group_id, found)] = feed.poll().security_groups.items()
    assert found is not None
    assert (group_id, found.key) == (group.id, group.key)
    assert {one.id for one in found.rules} == {rule.id, *(one.id for one in group.rules)}
    with database.write() as tx:
        security_group_rules.delete(tx, ADMIN, rule.id)
    [found] = feed.poll().security_groups.values()
    assert found is not None
    assert {one.id for one in found.rules} == {one.id for one in group.rules}


def test_a_deleted_group_is_none_and_those_whose_rules_went_with_it_are_told(database: Database, feed: Feed) -> None:
    with database.write() as tx:
        group, other = create_group(tx), create_group(tx)
        create_rule(tx, other.id, remote_group_id=group.id)
    feed.poll()
    with database.write() as tx:
        security_groups.delete(tx, ADMIN, group.id)
    changes = feed.poll().security_groups
    assert changes.keys() == {group.id, other.id}
    assert changes[group.id] is None
    assert changes[other.id] is not None


def test_an_address_group_comes_with_its_addresses_and_goes(database: Database, feed: Feed) -> None:
    with database.write() as tx:
        group = create_address_group(tx, "10.0.0.0/8")
    assert feed.poll().address_groups == {group.id: group}
    with database.write() as tx:
        address_groups.delete(tx, ADMIN, group.id)
    assert feed.poll().address_groups == {group.id: None}


def test_a_snapshot_has_the_groups(database: Database) -> None:
    with database.write() as tx:
        group, addresses = create_group(tx), create_address_group(tx, "10.0.0.0/8")
    snapshot, _ = Feed(database).open()
    assert group.id in {one.id for one in snapshot.security_groups}
    assert snapshot.address_groups == (addresses,)


def hand_over(database: Database, network_id: str, plugin: str) -> None:
    """Give a network to another plug-in, as a move does."""
    with database.write() as tx:
        tx.connection.execute(update(NETWORKS).where(NETWORKS.c.id == network_id).values(plugin=plugin))
        tx.journal("network", network_id, network_id)


@pytest.fixture
def own(database: Database) -> Feed:
    feed = Feed(database, plugin="openflow")
    feed.open()
    return feed


def test_a_plugins_feed_tells_of_its_own_networks_only(database: Database, own: Feed) -> None:
    with database.write() as tx:
        mine, other = a_network(tx), a_network(tx)
    hand_over(database, other.id, "ovn")
    with database.write() as tx:
        subnets = [a_subnet(tx, network, cidr="10.0.0.0/24") for network in (mine, other)]
        members = [a_port(tx, network) for network in (mine, other)]
    changes = own.poll()
    assert [one.id for one in changes.networks.values() if one] == [mine.id]
    assert [one.id for one in changes.subnets.values() if one] == [subnets[0].id]
    assert [one.id for one in changes.ports.values() if one] == [members[0].id]
    snapshot, _ = Feed(database, plugin="ovn").open()
    assert [one.id for one in snapshot.networks] == [other.id]
    assert [one.id for one in snapshot.subnets] == [subnets[1].id]
    assert [one.id for one in snapshot.ports] == [members[1].id]


def test_a_network_that_moves_is_gone_for_the_one_and_new_for_the_other_with_all_that_is_in_it(
    database: Database, own: Feed
) -> None:
    with database.write() as tx:
        network = a_network(tx)
        subnet, port = a_subnet(tx, network, cidr="10.0.0.0/24"), a_port(tx, network)
    other = Feed(database, plugin="ovn")
    other.open()
    own.poll()
    hand_over(database, network.id, "ovn")
    gone, new = own.poll(), other.poll()
    assert (gone.networks, gone.subnets, gone.ports) == ({network.id: None}, {subnet.id: None}, {port.id: None})
    assert [one and one.id for one in new.networks.values()] == [network.id]
    assert [one and one.id for one in new.subnets.values()] == [subnet.id]
    assert [one and one.id for one in new.ports.values()] == [port.id]
    with database.write() as tx:
        ports.delete(tx, ADMIN, port.id)
    assert own.poll().ports == {port.id: None}


def test_an_engine_that_prepares_has_a_network_before_it_comes_and_until_it_has_left(database: Database) -> None:
    with database.write() as tx:
        network = a_network(tx)
        port = a_port(tx, network)
    feeds = {name: Feed(database, plugin=name, prepares_moves=True) for name in ("openflow", "ovn")}
    for feed in feeds.values():
        feed.open()

    def told() -> dict[str, Move | None]:
        found = {name: feed.poll().networks[network.id] for name, feed in feeds.items()}
        assert all(one is not None for one in found.values())
        return {name: one and one.move for name, one in found.items()}

    move = NetworkMove(
        network_id=network.id,
        source="openflow",
        target="ovn",
        source_bridge="br-int",
        target_bridge="br-ovn",
        is_switched=False,
        started_at=0,
    )
    with database.write() as tx:
        network_moves.begin(tx, move)
    leaves, comes = (
        Move(is_target=False, is_switched=False, bridge="br-ovn"),
        Move(is_target=True, is_switched=False, bridge="br-int"),
    )
    assert told() == {"openflow": leaves, "ovn": comes}
    assert [leaves.is_own, comes.is_own] == [True, False]
    with database.write() as tx:
        revision = networks.get(tx, ADMIN, network.id).revision_number
        assert not network_moves.switch(tx, network.id, revision - 1), "a word about an earlier way"
        assert not network_moves.finish(tx, network.id, revision), "it has not left"
        assert network_moves.switch(tx, network.id, revision)
        assert networks.get(tx, ADMIN, network.id).plugin == "ovn"
    left, came = replace(leaves, is_switched=True), replace(comes, is_switched=True)
    assert told() == {"openflow": left, "ovn": came}
    assert [left.is_own, came.is_own] == [False, True]
    snapshot, _ = Feed(database, plugin="openflow", prepares_moves=True).open()
    assert [(one.id, one.move) for one in snapshot.networks] == [(network.id, left)]
    assert [one.id for one in snapshot.ports] == [port.id]
    with database.write() as tx:
        assert network_moves.finish(tx, network.id, revision + 1)
    assert feeds["ovn"].poll().networks[network.id].move is None  # type: ignore[union-attr]
    gone = feeds["openflow"].poll()
    assert (gone.networks, gone.ports) == ({network.id: None}, {port.id: None})


def prune_to(database: Database, changes: int) -> None:
    """Let the journal keep so many changes."""
    for _ in forget_changes(database, Keeping(journal=changes, samples_s=1)):
        pass


@pytest.mark.parametrize("plugin", [None, "openflow"])
def test_a_reader_behind_what_the_journal_keeps_reads_everything_again_and_then_goes_on(
    database: Database, plugin: str | None
) -> None:
    with database.write() as tx:
        network, doomed = a_network(tx), a_network(tx)
    feed = Feed(database, plugin=plugin)
    feed.open()
    with database.write() as tx:
        networks.delete(tx, ADMIN, doomed.id)
        port = a_port(tx, network)
    prune_to(database, 1)
    assert feed.poll() == feed.poll() == Changes(lost=True)
    snapshot, _ = feed.open()
    assert ([one.id for one in snapshot.networks], [one.id for one in snapshot.ports]) == ([network.id], [port.id])
    assert feed.poll() == Changes()
    with database.write() as tx:
        ports.delete(tx, ADMIN, port.id)
    assert feed.poll().ports == {port.id: None}


def test_a_reader_that_is_merely_behind_misses_nothing_when_the_journal_is_pruned(database: Database) -> None:
    with database.write() as tx:
        network = a_network(tx)
    feed = Feed(database)
    feed.open()
    with database.write() as tx:
        before = last_seq(tx)
        made = [a_port(tx, network).id for _ in range(3)]
    with database.read() as tx:
        behind = last_seq(tx) - before
    prune_to(database, behind)
    assert feed.poll().ports.keys() == set(made)
    prune_to(database, 1)
    assert feed.poll() == Changes(), "who has read everything has lost nothing"
