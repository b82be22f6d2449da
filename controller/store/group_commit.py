"""How do many small writes share one commit? Each in a savepoint of one SQLite transaction; the last one commits it.

A durable commit costs a sync of the file, several times what the statements cost. SQLite has one writer at a time, so
writers queue anyway: whoever finds others waiting leaves the commit to them, and the last one commits for all. Nobody
returns before the commit that holds its changes; what fails is taken back alone (sqlite.org, lang_savepoint).

    A: BEGIN  SAVEPOINT ... RELEASE ─┐
    B:                               └ SAVEPOINT ... ROLLBACK TO ─┐          (B failed)
    C:                                                            └ SAVEPOINT ... RELEASE  COMMIT ─▶ A, C return
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy import Connection

from controller.errors import DatabaseError

MOST_WRITERS = 64
"""In one commit: the first of them waits for all."""


class _Group:
    """Writers that share one commit."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.writers = 0
        self.has_failed = False
        self.has_news = False
        self.committed = threading.Event()
        self.error: Exception | None = None


class GroupCommit:
    """Hands one connection from writer to writer."""

    def __init__(self, connect: Callable[[], Connection], run: Callable[[Connection, str], None]) -> None:
        """Prepare.

        Args:
            connect: Opens a connection.
            run: Runs a transaction statement on it; raises when the database refuses.
        """
        self._connect, self._run = connect, run
        self._turn = threading.Lock()
        self._count = threading.Lock()
        self._waiting = 0
        self._group: _Group | None = None
        self._spare: Connection | None = None

    def note(self) -> None:
        """Say, inside ``write``, that this unit of work is news once it is committed."""
        if self._group is not None:
            self._group.has_news = True

    @contextmanager
    def write(self, tell: Callable[[], None] = lambda: None) -> Iterator[Connection]:
        """Give the connection for one unit of work, and return when what it wrote is on the disk.

        Args:
            tell: Called after the commit, by one writer of the group, if any of them had news (``note``).

        Raises:
            DatabaseError: The commit failed; nothing of the whole group is stored. What the block raises itself takes
                back its own changes only.
        """
        with self._count:
            self._waiting += 1
        is_last = False
        try:
            with self._turn:
                with self._count:
                    self._waiting -= 1
                group = self._group or self._begin()
                group.writers += 1
                try:
                    self._run(group.connection, "SAVEPOINT one")
                    try:
                        yield group.connection
                    except BaseException:
                        group.has_failed = True
                        self._run(group.connection, "ROLLBACK TO one")
                        raise
                    finally:
                        self._run(group.connection, "RELEASE one")
                finally:
                    is_last = not self._waiting or group.writers >= MOST_WRITERS
                    if is_last:
                        self._commit(group)
        finally:
            if is_last and group.has_news and group.error is None:
                tell()
        group.committed.wait()
        if group.error is not None:
            raise DatabaseError(f"The database refused to commit: {group.error}. Nothing was stored.") from group.error

    @contextmanager
    def rehearse(self, tell: Callable[[], None] = lambda: None) -> Iterator[Connection]:
        """Give a connection for one unit of work that is always taken back; it waits its turn, and rides in no group.

        Who has written and left the commit to those that follow is not kept waiting by what commits nothing.

        Args:
            tell: Called if what those had written was news.
        """
        with self._turn:
            if (left := self._group) is not None:
                self._commit(left)
                if left.has_news and left.error is None:
                    tell()
            connection = self._locked(self._connect())
            try:
                yield connection
            finally:
                try:
                    self._run(connection, "ROLLBACK")
                finally:
                    connection.close()

    def close(self) -> None:
        """Give back the connection that is kept from one group to the next."""
        with self._turn:
            if self._spare is not None:
                self._spare.close()
                self._spare = None

    def _begin(self) -> _Group:
        connection, self._spare = self._spare or self._connect(), None
        self._group = _Group(self._locked(connection))
        return self._group

    def _locked(self, connection: Connection) -> Connection:
        try:
            # Taking the lock now cannot fail half-way through, as turning a read lock into a write lock can
            # (sqlite.org, lang_transaction, section 2.2).
            self._run(connection, "BEGIN IMMEDIATE")
        except BaseException:
            connection.close()
            raise
        return connection

    def _commit(self, group: _Group) -> None:
        self._group = None
        try:
            self._run(group.connection, "COMMIT")
        except Exception as error:  # noqa: BLE001 - every writer of the group raises it
            group.error = error
        finally:
            if group.error is None and not group.has_failed:
                self._spare = group.connection  # opening one is dearer than most writes
            else:
                group.connection.close()  # takes back what was not committed
            group.committed.set()
