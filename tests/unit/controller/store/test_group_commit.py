"""Writers that queue share one commit, and fail alone."""

import contextlib
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.engine import Engine

from controller.errors import DatabaseError
from controller.store.group_commit import GroupCommit
from tests.lab.process import eventually


class Store:
    """A database file that counts what is run on it and can refuse to commit."""

    def __init__(self, directory: Path) -> None:
        self.engine: Engine = create_engine(f"sqlite:///{directory / 'group.db'}")
        self.statements: list[str] = []
        self.refusing = False
        self.group = GroupCommit(self.connect, self.run)
        with self.engine.connect() as connection:
            connection.execute(text("CREATE TABLE t (n INTEGER PRIMARY KEY)"))
            connection.commit()

    def connect(self) -> Connection:
        connection = self.engine.connect()
        driver = connection.connection.driver_connection
        assert isinstance(driver, sqlite3.Connection)
        driver.isolation_level = None
        connection.begin()
        return connection

    def run(self, connection: Connection, statement: str) -> None:
        self.statements.append(statement)
        if self.refusing and statement == "COMMIT":
            raise sqlite3.OperationalError("disk is full")
        driver = connection.connection.driver_connection
        assert isinstance(driver, sqlite3.Connection)
        driver.execute(statement)

    def write(self, number: int) -> None:
        with self.group.write() as connection:
            connection.execute(text("INSERT INTO t VALUES (:n)"), {"n": number})

    def stored(self) -> list[int]:
        with self.engine.connect() as connection:
            return [row.n for row in connection.execute(text("SELECT n FROM t ORDER BY n"))]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(tmp_path)
    yield made
    made.group.close()
    made.engine.dispose()


def together(store: Store, numbers: list[int]) -> dict[int, Exception]:
    """Write from as many threads at once, all of them waiting before the first may finish."""
    failed: dict[int, Exception] = {}

    def one(number: int) -> None:
        try:
            store.write(number)
        except Exception as error:  # noqa: BLE001 - looked at by the test
            failed[number] = error

    threads = [threading.Thread(target=one, args=(number,)) for number in numbers]
    with store.group.write():
        for thread in threads:
            thread.start()
        eventually(lambda: store.group._waiting == len(numbers), 5, "everybody waits")
    for thread in threads:
        thread.join()
    return failed


def test_a_writer_alone_commits_before_it_returns(store: Store) -> None:
    store.write(1)
    assert store.stored() == [1]
    assert store.statements == ["BEGIN IMMEDIATE", "SAVEPOINT one", "RELEASE one", "COMMIT"]


def test_writers_that_queue_share_one_commit(store: Store) -> None:
    assert together(store, list(range(20))) == {}
    assert store.stored() == list(range(20))
    assert store.statements.count("COMMIT") == 1


def test_who_fails_is_taken_back_alone(store: Store) -> None:
    store.write(3)
    failed = together(store, [1, 2, 3, 4])
    assert list(failed) == [3]
    assert store.stored() == [1, 2, 3, 4]


def test_a_failed_commit_fails_everybody_and_stores_nothing(store: Store) -> None:
    store.refusing = True
    with pytest.raises(DatabaseError, match="disk is full"):
        together(store, [1, 2])
    assert store.stored() == []
    store.refusing = False
    store.write(5)
    assert store.stored() == [5]


def test_one_connection_goes_from_commit_to_commit_until_one_is_refused(store: Store) -> None:
    connections = []
    for number, refusing in enumerate((False, False, True, False)):
        store.refusing = refusing
        with contextlib.suppress(DatabaseError), store.group.write() as connection:
            connections.append(connection)
            connection.execute(text("INSERT INTO t VALUES (:n)"), {"n": number})
    assert [connection is connections[0] for connection in connections] == [True, True, True, False]
    assert store.stored() == [0, 1, 3]
    store.group.close()
    assert connections[3].closed
