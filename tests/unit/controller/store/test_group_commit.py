"""Writers that queue share one commit, and fail alone."""

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


def test_a_connection_serves_one_group_after_the_other(store: Store) -> None:
    opened: list[Connection] = []
    connect = store.connect

    def counting() -> Connection:
        opened.append(connect())
        return opened[-1]

    store.group = GroupCommit(counting, store.run)
    for number in (1, 2, 3):
        store.write(number)
    assert len(opened) == 1
    assert not opened[0].closed
    with pytest.raises(Exception, match="UNIQUE"):
        store.write(3)
    assert opened[0].closed, "whose writer failed is not trusted with another group"
    store.write(4)
    assert len(opened) == 2
    store.group.close()
    assert opened[1].closed
    assert store.stored() == [1, 2, 3, 4]


def test_a_rehearsal_has_a_connection_of_its_own(store: Store) -> None:
    store.write(1)
    with store.group.rehearse() as connection:
        rehearsed = connection
        connection.execute(text("INSERT INTO t VALUES (2)"))
    with store.group.write() as connection:
        assert connection is not rehearsed
    assert store.stored() == [1]


def test_writers_of_one_group_are_told_of_once_and_only_if_one_had_news(store: Store) -> None:
    told: list[list[int]] = []

    def write(number: int, *, is_news: bool) -> None:
        with store.group.write(lambda: told.append(store.stored())) as connection:
            connection.execute(text("INSERT INTO t VALUES (:n)"), {"n": number})
            if is_news:
                store.group.note()

    threads = [threading.Thread(target=write, args=(n,), kwargs={"is_news": n < 3}) for n in range(1, 6)]
    with store.group.write(lambda: told.append(store.stored())):
        for thread in threads:
            thread.start()
        eventually(lambda: store.group._waiting == len(threads), 5, "everybody waits")
    for thread in threads:
        thread.join()
    assert told == [[1, 2, 3, 4, 5]], "when all of it is there to be read"
    write(6, is_news=False)
    assert len(told) == 1


def test_nobody_is_told_of_a_commit_that_failed(store: Store) -> None:
    told: list[None] = []
    store.refusing = True
    with pytest.raises(DatabaseError), store.group.write(lambda: told.append(None)):
        store.group.note()
    assert told == []


def test_others_of_a_group_are_told_of_when_its_last_writer_fails(store: Store) -> None:
    told: list[None] = []
    committed = threading.Event()

    def first() -> None:
        with store.group.write(lambda: told.append(None)) as connection:
            connection.execute(text("INSERT INTO t VALUES (1)"))
            store.group.note()
            second.start()
            eventually(lambda: store.group._waiting == 1, 5, "the other waits")
        committed.set()

    def fail() -> None:
        with pytest.raises(ZeroDivisionError), store.group.write(lambda: told.append(None)):
            1 // 0  # noqa: B018

    second = threading.Thread(target=fail)
    first()
    second.join()
    assert committed.is_set()
    assert told == [None]
    assert store.stored() == [1]


def test_a_rehearsal_that_commits_what_others_left_tells_of_it(store: Store) -> None:
    told: list[list[int]] = []

    def write() -> None:
        with store.group.write() as connection:
            connection.execute(text("INSERT INTO t VALUES (1)"))
            store.group.note()

    store.group._waiting = 1  # somebody who has not had the turn yet
    writer = threading.Thread(target=write)
    writer.start()
    eventually(lambda: store.group._group is not None and not store.group._turn.locked(), 5, "it has left the commit")
    with store.group.rehearse(lambda: told.append(store.stored())):
        pass
    writer.join()
    assert told == [[1]]
