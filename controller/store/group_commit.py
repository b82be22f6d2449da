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
        self._kept: Connection | None = None
        """Of the last commit, for the next: to take one out of the pool and to put it back costs more than to write."""

    def close(self) -> None:
        """Close the connection that is kept."""
        with self._turn:
            kept, self._kept = self._kept, None
        if kept is not None:
            kept.close()

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Give the connection for one unit of work, and return when what it wrote is on the disk.

        Raises:
            DatabaseError: The commit failed; nothing of the whole group is stored. What the block raises itself takes
                back its own changes only.
        """
        with self._count:
            self._waiting += 1
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
                    self._run(group.connection, "ROLLBACK TO one")
                    raise
                finally:
                    self._run(group.connection, "RELEASE one")
            finally:
                if not self._waiting or group.writers >= MOST_WRITERS:
                    self._commit(group)
        group.committed.wait()
        if group.error is not None:
            raise DatabaseError(f"The database refused to commit: {group.error}. Nothing was stored.") from group.error

    @contextmanager
    def rehearse(self) -> Iterator[Connection]:
        """Give a connection for one unit of work that is always taken back; it waits its turn, and rides in no group.

        Who has written and left the commit to those that follow is not kept waiting by what commits nothing.
        """
        with self._turn:
            if self._group is not None:
                self._commit(self._group)
            connection = self._locked()
            try:
                yield connection
            finally:
                try:
                    self._run(connection, "ROLLBACK")
                finally:
                    connection.close()

    def _begin(self) -> _Group:
        self._group = _Group(self._locked())
        return self._group

    def _locked(self) -> Connection:
        kept, self._kept = self._kept, None
        connection = kept or self._connect()
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
            self._kept = group.connection
        except Exception as error:  # noqa: BLE001 - every writer of the group raises it
            group.error = error
            group.connection.close()  # takes back what was not committed
        finally:
            group.committed.set()
