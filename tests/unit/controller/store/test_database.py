"""Is the database set up, migrated, locked and journalled as promised?"""

import multiprocessing
import os
import signal
import threading
import warnings
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, text

from controller.errors import ConfigurationError, DatabaseError, Kind
from controller.services import networks, ports
from controller.store.database import Database
from controller.store.metadata import METADATA
from controller.store.segment_ranges import numbers_for
from controller.store.snapshot import journal_after, load_epoch
from controller.store.transaction import DefaultRange, Settings
from tests.databases import NAME, a_database
from tests.unit.controller.store.builders import ADMIN, a_network, a_port, a_subnet

SPAWN = multiprocessing.get_context("spawn")


def test_an_empty_database_is_set_up_in_a_directory_that_need_not_exist(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/var/deep/weft.db")
    database.migrate()
    with database.read() as tx:
        assert load_epoch(tx)
        assert networks.find(tx, ADMIN, networks.Query()) == []
    database.close()


def test_migrating_twice_keeps_the_epoch_and_what_is_stored(database: Database) -> None:
    with database.write() as tx:
        epoch, network = load_epoch(tx), a_network(tx)
    database.migrate()
    with database.read() as tx:
        assert (epoch, network) == (load_epoch(tx), networks.get(tx, ADMIN, network.id))


def test_only_who_has_settings_changes_the_default_ranges(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/weft.db"
    vlans = DefaultRange(network_type="vlan", physical_network="physnet1", minimum=100, maximum=199)
    for settings in (Settings(segment_ranges=(vlans,)), None):  # weft serve, then weft token create
        database = Database(url, settings=settings)
        database.migrate()
        with database.read() as tx:
            assert numbers_for(tx, "p", "vlan", "physnet1"), settings
        database.close()


def test_two_databases_have_different_epochs(tmp_path: Path) -> None:
    epochs = set()
    for name in ("a", "b"):
        database = Database(f"sqlite:///{tmp_path / name}.db")
        database.migrate()
        with database.read() as tx:
            epochs.add(load_epoch(tx))
        database.close()
    assert len(epochs) == 2


def test_the_migrations_make_the_schema_the_code_works_with(database: Database) -> None:
    with database.read() as tx, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # SQLAlchemy cannot reflect the index over an expression; checked below
        context = MigrationContext.configure(tx.connection, opts={"compare_type": True})
        assert compare_metadata(context, METADATA) == []
        migrated = _definitions(tx.connection)
    fresh = create_engine("sqlite://")
    METADATA.create_all(fresh)
    with fresh.connect() as connection:
        assert migrated == _definitions(connection)
    fresh.dispose()


def _definitions(connection: object) -> dict[str, set[str]]:
    """Return the words of every table and index definition; their order does not matter."""
    rows = connection.execute(  # type: ignore[attr-defined]
        text(
            "SELECT name, sql FROM sqlite_master"
            " WHERE type IN ('table', 'index') AND sql IS NOT NULL AND name NOT LIKE 'alembic%'"
        )
    )
    return {name: set(sql.replace(",", " ").replace('"', "").split()) for name, sql in rows}


def test_a_database_of_a_newer_weft_is_refused_and_left_alone(database: Database) -> None:
    with database.write() as tx:
        tx.connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(ConfigurationError, match=r"9999.*newer version.*restore") as refused:
        database.migrate()
    assert refused.value.kind is Kind.INVALID
    with database.read() as tx:
        assert tx.connection.execute(text("SELECT version_num FROM alembic_version")).scalar() == "9999"


def test_a_database_that_was_never_set_up_says_so(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'weft.db'}")
    with pytest.raises(DatabaseError), database.read() as tx:
        load_epoch(tx)
    database.close()


@pytest.mark.parametrize("url", ["nonsense", "mysql://x/y", "sqlite://", "sqlite:///:memory:"])
def test_a_url_weft_cannot_use_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError):
        Database(url)


def _migrate(directory: str) -> None:
    database = Database(f"sqlite:///{directory}/{NAME}")
    database.migrate()
    database.close()


def test_two_processes_may_set_up_one_database_at_once(tmp_path: Path) -> None:
    starters = [SPAWN.Process(target=_migrate, args=(str(tmp_path),)) for _ in range(2)]
    for starter in starters:
        starter.start()
    for starter in starters:
        starter.join(60)
    assert [starter.exitcode for starter in starters] == [0, 0]
    database = a_database(tmp_path)
    with database.read() as tx:
        assert tx.connection.execute(text("SELECT count(*) FROM meta WHERE name = 'epoch'")).scalar() == 1
    database.close()


def test_an_exception_undoes_the_whole_transaction(database: Database) -> None:
    heard: list[None] = []
    database.add_listener(lambda: heard.append(None))
    with pytest.raises(ZeroDivisionError), database.write() as tx:
        1 // len(a_port(tx, a_network(tx)).fixed_ips)
    with database.read() as tx:
        assert networks.find(tx, ADMIN, networks.Query()) == []
        assert journal_after(tx, 0) == []
    assert heard == []


def _die_in_mid_transaction(directory: str) -> None:
    database = a_database(Path(directory))
    with database.write() as tx:
        network = a_network(tx, name="half")
        a_subnet(tx, network)
        a_port(tx, network)
        tx.write_journal()
        os.kill(os.getpid(), signal.SIGKILL)


def test_a_process_killed_in_mid_transaction_leaves_nothing(tmp_path: Path) -> None:
    database = a_database(tmp_path)
    victim = SPAWN.Process(target=_die_in_mid_transaction, args=(str(tmp_path),))
    victim.start()
    victim.join(60)
    assert victim.exitcode == -signal.SIGKILL
    with database.write() as tx:
        assert networks.find(tx, ADMIN, networks.Query()) == []
        assert journal_after(tx, 0) == []
        a_network(tx)
    database.close()


def test_listeners_hear_of_commits_that_change_intent_and_of_no_others(database: Database) -> None:
    heard: list[int] = []

    def listener() -> None:
        with database.read() as tx:
            heard.append(len(journal_after(tx, 0)))

    database.add_listener(listener)
    with database.write() as tx:
        a_network(tx)
    with database.write() as tx:
        networks.find(tx, ADMIN, networks.Query())
    assert heard == [1]


def test_one_transaction_has_one_instant_in_whole_seconds(tmp_path: Path) -> None:
    seconds = iter(range(100))
    database = a_database(tmp_path, now=lambda: datetime(2026, 11, 21, 6, 0, next(seconds), 999_999, tzinfo=UTC))
    with database.write() as tx:
        network = a_network(tx)
        port = a_port(tx, network)
        assert network.created_at == port.created_at == tx.now
        assert tx.now.microsecond == 0
    with database.write() as tx:
        assert ports.update(tx, ADMIN, port.id, {"name": "x"}).updated_at > port.updated_at
    database.close()


def test_a_reader_sees_one_state_while_others_write(database: Database) -> None:
    with database.read() as reader:
        assert networks.find(reader, ADMIN, networks.Query()) == []
        with database.write() as tx:
            a_network(tx)
        assert networks.find(reader, ADMIN, networks.Query()) == []
    with database.read() as reader:
        assert len(networks.find(reader, ADMIN, networks.Query())) == 1


def test_the_order_of_the_journal_is_the_order_of_commits(database: Database) -> None:
    seen: list[int] = []
    failures: list[Exception] = []
    done = threading.Event()

    def read() -> None:
        try:
            while not done.is_set() or not seen or seen[-1] < 200:
                with database.read() as tx:
                    seen.extend(entry.seq for entry in journal_after(tx, seen[-1] if seen else 0, limit=7))
        except DatabaseError as error:
            failures.append(error)

    def write() -> None:
        for _ in range(50):
            with database.write() as tx:
                a_network(tx)

    reader = threading.Thread(target=read)
    writers = [threading.Thread(target=write) for _ in range(4)]
    for thread in (reader, *writers):
        thread.start()
    for thread in writers:
        thread.join()
    done.set()
    reader.join(30)
    assert failures == []
    assert list(range(1, 201)) == seen
