"""How is the database opened, migrated, read and written?

One ``Database`` a process. SQLite is the default: write-ahead log, every commit on the disk, writers take the lock when
they begin and queue in the process instead of polling for it. PostgreSQL runs the same code.
"""

import fcntl
import os
import random
import sqlite3
import uuid
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, event, func, select
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from controller.errors import ConfigurationError, DatabaseError, TransactionConflict
from controller.ipam_drivers.hand import Hand, carry_out, rehearse
from controller.ipam_drivers.registry import Services
from controller.ipam_drivers.stand_ins import StandIn
from controller.plugins.faces import Faces
from controller.plugins.registry import load
from controller.plugins.settings import DEFAULT, names_of
from controller.store import identities as _identities  # noqa: F401 - its tables join the metadata
from controller.store import ipam_driver_schema as _ipam_driver_schema  # noqa: F401
from controller.store import plugin_schema as _plugin_schema  # noqa: F401
from controller.store import sharing as _sharing  # noqa: F401
from controller.store.dialects import insert_or_ignore
from controller.store.group_commit import GroupCommit
from controller.store.repeating import is_conflict, repeated
from controller.store.schema import META
from controller.store.segment_ranges import store_default_ranges
from controller.store.touched import Touched
from controller.store.transaction import JOURNAL_LOCK, Settings, Transaction

__all__ = ["Database", "Settings", "Transaction"]
T = TypeVar("T")

BUSY_TIMEOUT_MS = 60_000
"""How long a writer waits for another process's write (sqlite.org, pragma busy_timeout)."""
PAGE_CACHE_KIB = 32_768
POOLED_CONNECTIONS = 16
MIGRATIONS = Path(__file__).parent / "migrations"

_INSERT_META = insert_or_ignore(META)

Look = Callable[[Transaction, Transaction, Touched], None]
"""Given the database as it is and as it would be, and which objects the statements touched."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rehearsal:
    """What is done instead of committing."""

    look: Look
    readers: ExitStack
    """The transactions that see the database as it was; open until the rehearsal ends."""
    imagined: list[StandIn]
    """Addresses that stand for those a service would give."""


_REHEARSAL: ContextVar[_Rehearsal | None] = ContextVar("rehearsal", default=None)


class Database:
    """The intent store of one process; safe to use from any thread."""

    def __init__(
        self,
        url: str,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        rng: random.Random | None = None,
        new_id: Callable[[], str] = lambda: str(uuid.uuid4()),
        settings: Settings | None = None,
        faces: Faces | None = None,
        services: Services | None = None,
    ) -> None:
        """Prepare to open ``url``; nothing is opened yet.

        Raises:
            ConfigurationError: the URL names no database Weft can use.
        """
        self._now = now
        self._rng = rng or random.Random()  # noqa: S311 - free addresses are drawn with it, no secrets
        self._new_id = new_id
        self._settings = settings or Settings()
        self._has_settings = settings is not None
        self._faces = faces or Faces(load(names_of(DEFAULT), {}))
        self._services = services or Services()
        self._listeners: list[Callable[[], None]] = []
        self._engine = _engine(url)
        self._is_sqlite = self._engine.dialect.name == "sqlite"
        self._group = GroupCommit(self._open, _run) if self._is_sqlite else None
        self._readers: deque[Connection] = deque()
        """Idle ones of SQLite: to take one out of the pool and to put it back costs more than most reads."""

    @property
    def faces(self) -> Faces:
        """The plug-ins its transactions ask."""
        return self._faces

    @property
    def services(self) -> Services:
        """The services outside Weft that give out addresses."""
        return self._services

    def migrate(self) -> None:
        """Bring the database to the newest schema: create, upgrade or leave it. Safe in two processes at once.

        The default segment ranges become those of the settings; without settings, as in a command that makes a token,
        those that are stored stay.

        Raises:
            ConfigurationError: a newer Weft has written it.
            DatabaseError: it cannot be opened or changed.
        """
        if self._is_sqlite:
            self._use_write_ahead_log()
        with self.write() as tx:
            if not self._is_sqlite:
                tx.connection.execute(select(func.pg_advisory_xact_lock(JOURNAL_LOCK)))
            _upgrade(tx.connection, self._engine.url)
            made = tx.connection.execute(tx.variant(_INSERT_META), {"name": "epoch", "value": tx.new_id()})
            if self._has_settings or made.rowcount:
                store_default_ranges(tx)

    @contextmanager
    def read(self) -> Iterator[Transaction]:
        """Open a transaction that sees one state of the database and changes nothing."""
        with self._reading() as connection, _wrapped():
            yield self._transaction(connection)

    def carry_out(self, work: Callable[[Transaction], T]) -> T:
        """Do one unit of work, which commits or leaves no trace; services outside Weft may be asked for it.

        The work is repeated when one has to be asked, and when the database ends its transaction because of another
        one: it must do nothing but through its transaction.

        Raises:
            DatabaseError, and what ``controller.ipam_drivers.hand.carry_out`` and the work raise
        """
        if self._services.is_alone:
            return repeated(lambda: self._done_once(work), rng=self._rng)
        hand = Hand(self._services, seed=self._rng.getrandbits(64), new_id=self._new_id)
        rehearsal = _REHEARSAL.get()
        if rehearsal is None:
            return carry_out(self, hand, work)
        done = rehearse(self, hand, work)
        rehearsal.imagined.extend(hand.imagined)
        return done

    @contextmanager
    def write(self, *, hand: Hand | None = None) -> Iterator[Transaction]:
        """Open a transaction that commits at the end of the block, or leaves no trace when the block raises.

        Args:
            hand: what services outside Weft have given for it.

        Raises:
            DatabaseError: the database refused, or was locked for longer than the busy timeout.
        """
        rehearsal = _REHEARSAL.get()
        if rehearsal is not None:
            with self._rehearsed(rehearsal, hand) as tx:
                yield tx
            return
        with self._writing() as connection:
            tx = self._transaction(connection, hand)
            with _wrapped():
                yield tx
                tx.write_journal()
            if tx.is_journalled and self._group is not None:
                self._group.note()
        if tx.is_journalled and self._group is None:
            self._tell()

    @contextmanager
    def planning(self, look: Look) -> Iterator[Sequence[StandIn]]:
        """Take back whatever this thread writes in the block, having looked at it; nobody is told of it.

        Gives a list that then has the addresses which stand for those that services would have been asked for.

        Args:
            look: called at the end of each write with two transactions, one that sees the database as it is and stays
                open until the block ends, one that sees it as it would be and holds the write lock: be quick with it.
        """
        with ExitStack() as readers:
            rehearsal = _Rehearsal(look=look, readers=readers, imagined=[])
            token = _REHEARSAL.set(rehearsal)
            try:
                yield rehearsal.imagined
            finally:
                _REHEARSAL.reset(token)

    @property
    def is_planning(self) -> bool:
        """Whether what this thread writes now is taken back: nothing outside the database may be changed either."""
        return _REHEARSAL.get() is not None

    def add_listener(self, listener: Callable[[], None]) -> None:
        """Call ``listener`` after each commit of this process that changed intent: a hint, the journal is the truth.

        Writers that share a commit share the call.
        """
        self._listeners.append(listener)

    def close(self) -> None:
        """Close every idle connection."""
        while (reader := self._idle_reader()) is not None:
            reader.close()
        if self._group is not None:
            self._group.close()
        self._engine.dispose()

    def _done_once(self, work: Callable[[Transaction], T]) -> T:
        with self.write() as tx:
            return work(tx)

    def _tell(self) -> None:
        for listener in self._listeners:
            listener()

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        """Give a connection on which a transaction has begun."""
        if not self._is_sqlite:
            with self._connect() as connection:
                yield connection.execution_options(isolation_level="REPEATABLE READ")
            return
        connection = self._idle_reader() or self._open()
        try:
            _run(connection, "BEGIN")
            yield connection
            _run(connection, "ROLLBACK")
        except BaseException:
            connection.close()
            raise
        self._readers.append(connection)

    def _idle_reader(self) -> Connection | None:
        try:
            return self._readers.pop()
        except IndexError:
            return None

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        """Give a connection and commit: with others that write at the same time on SQLite, alone on PostgreSQL."""
        if self._group is not None:
            with self._group.write(self._tell) as connection:
                yield connection
        else:
            with self._connect() as connection, _wrapped():
                connection.begin()
                yield connection
                connection.commit()

    @contextmanager
    def _rehearsed(self, rehearsal: _Rehearsal, hand: Hand | None) -> Iterator[Transaction]:
        with self._trying() as connection, _wrapped():
            # Nobody else can write now, so the reader sees what the writer began with, and goes on seeing it.
            before = rehearsal.readers.enter_context(self.read())
            before.connection.execute(select(META.c.name).limit(1))
            tx = self._transaction(connection, hand)
            touched = Touched.by(connection)
            yield tx
            rehearsal.look(before, tx, touched)

    @contextmanager
    def _trying(self) -> Iterator[Connection]:
        """Give a connection whose changes are taken back."""
        if self._group is not None:
            with self._group.rehearse(self._tell) as connection:
                yield connection
        else:
            with self._connect() as connection, _wrapped():
                connection.begin()
                try:
                    yield connection
                finally:
                    connection.rollback()

    def _transaction(self, connection: Connection, hand: Hand | None = None) -> Transaction:
        now = self._now().astimezone(UTC).replace(microsecond=0)
        rng, new_id = (self._rng, self._new_id) if hand is None else hand.rewind()
        return Transaction(
            connection, now=now, rng=rng, new_id=new_id, settings=self._settings, faces=self._faces, hand=hand
        )

    def _open(self) -> Connection:
        with _wrapped():
            connection = self._engine.connect()
            connection.begin()
        return connection

    @contextmanager
    def _connect(self) -> Iterator[Connection]:
        with _wrapped():
            connection = self._engine.connect()
        with connection:
            yield connection

    def _use_write_ahead_log(self) -> None:
        """Switch the file to write-ahead logging, which it keeps (sqlite.org, wal, section 3)."""
        path = self._engine.url.database
        if path:
            try:
                Path(path).parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise ConfigurationError(f"The directory of the database {path} cannot be made: {error}.") from error
        # The switch fails at once, whatever the busy timeout, when another process is at it: let one go first.
        with _locked(Path(path or ".").parent), self._connect() as connection:
            _run(connection, "PRAGMA journal_mode=WAL")


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """Hold the directory's lock (flock(2)), which the kernel gives back however this process ends."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _engine(url: str) -> Engine:
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise ConfigurationError(
            f"{url!r} is no database URL. Use sqlite:///PATH or postgresql+psycopg://USER@HOST/NAME."
        ) from error
    backend = parsed.get_backend_name()
    if backend not in {"sqlite", "postgresql"}:
        raise ConfigurationError(f"Weft does not know the database {backend!r}. Use sqlite or postgresql.")
    if backend == "sqlite" and parsed.database in {None, "", ":memory:"}:
        raise ConfigurationError("A database in memory cannot be shared between processes. Use sqlite:///PATH.")
    try:
        engine = create_engine(parsed, pool_size=POOLED_CONNECTIONS, max_overflow=-1)
    except ImportError as error:
        raise ConfigurationError(f"The driver of {backend} is not installed: {error}.") from error
    if backend == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
    return engine


def _prepare_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # BEGIN is ours, see Database.write
    connection.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute(f"PRAGMA cache_size=-{PAGE_CACHE_KIB}")


def _run(connection: Connection, statement: str) -> None:
    """Run a transaction statement below SQLAlchemy, which would otherwise decide by itself when to begin."""
    driver = connection.connection.driver_connection
    if not isinstance(driver, sqlite3.Connection):
        raise DatabaseError("The database connection was lost.")
    try:
        driver.execute(statement)
    except sqlite3.Error as error:
        raise DatabaseError(f"The database cannot be used now: {error}. Nothing was stored.") from error


@contextmanager
def _wrapped() -> Iterator[None]:
    """Turn what the database layer raises into Weft's own error, once."""
    try:
        yield
    except SQLAlchemyError as error:
        cause = getattr(error, "orig", None) or error
        kind = TransactionConflict if is_conflict(cause) else DatabaseError
        raise kind(f"The database refused: {cause}. Nothing was stored.") from error


def _upgrade(connection: Connection, url: URL) -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    scripts = ScriptDirectory.from_config(config)
    known = {script.revision for script in scripts.walk_revisions()}
    current = set(MigrationContext.configure(connection).get_current_heads())
    if current - known:
        raise ConfigurationError(
            f"The database {url.render_as_string()} has schema revision {', '.join(sorted(current - known))}, which "
            "this version of Weft does not know: a newer version has migrated it. Run that version, or restore the "
            "copy made before the upgrade."
        )
    if current != set(scripts.get_heads()):
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
