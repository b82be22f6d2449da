"""Does a poll bring whole records of what changed, and None for what is gone?"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.reconcile.feed import Feed
from controller.services import address_groups, security_group_rules, security_groups
from controller.store.database import Database
from tests.unit.controller.reconcile.test_reconciler import create_address_group, create_group, create_rule
from tests.unit.controller.reconcile.world import ADMIN


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{tmp_path / 'weft.db'}")
    database.migrate()
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
