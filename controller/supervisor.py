"""How do the processes of one Weft live together?

    weft serve ──┬── controller   (intent -> switches)
                 └── API          (HTTP -> intent)

Python's lock makes one process slower at both jobs, so each has its own. The supervisor opens both listening sockets
itself: a port that is taken is an error before anything starts, and a child that is started again finds its socket
open with the clients' connections queued. Children die with it, and are started again when they die without being
asked to.
"""

import contextlib
import fcntl
import hashlib
import logging
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from controller.config import Address, Config
from controller.errors import ConfigurationError
from controller.store.database import Database

_log = logging.getLogger(__name__)

READY_S = 60.0
STOP_S = 15.0
BIND_S = 3.0
"""How long to wait for a port that a killed predecessor has not yet given back."""
RESTART_S = 1.0


@dataclass(slots=True)
class _Child:
    name: str
    arguments: list[str]
    fd: int
    process: "subprocess.Popen[bytes] | None" = None


class Supervisor:
    """Starts, watches and stops the processes of one Weft."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._stopping = False
        self._children: list[_Child] = []

    def run(self) -> int:
        """Run until SIGTERM or Ctrl-C; return 0 after a clean stop.

        Raises:
            ConfigurationError: A listening address cannot be had, the database cannot be used, or another Weft uses it.
        """
        config = self._config
        runtime = runtime_directory()
        _make_database_directory(config.database)
        name = hashlib.sha256(_absolute_url(config.database).encode()).hexdigest()[:16]
        with _only_one(runtime / f"{name}.lock", config.database):
            api, openflow = _listen("api-listen", config.api), _listen("openflow-listen", config.openflow)
            database = Database(config.database, settings=config.settings)
            database.migrate()
            database.close()
            control = runtime / f"{name}.sock"
            common = ["--database", config.database, "--control", str(control), "--log-level", config.log_level]
            common += config.plugin_flags
            advertise = [] if config.advertise is None else ["--advertise", str(config.advertise)]
            self._children = [
                _Child(
                    "controller",
                    [
                        *("controller.main", *common, *advertise),
                        *(*config.usage_flags, *config.seen_flags, *config.journal_flags),
                    ],
                    openflow.fileno(),
                ),
                _Child(
                    "api",
                    ["api.serve", *common, *config.access_flags, *config.network_flags, *config.ipam_flags],
                    api.fileno(),
                ),
            ]
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, self._ask_to_stop)
            try:
                return self._supervise(_address(api), _address(openflow))
            finally:
                self._stop_children()
                control.unlink(missing_ok=True)

    def _supervise(self, api: Address, openflow: Address) -> int:
        for child in self._children:
            if not self._start(child):
                return 0 if self._stopping else 1
        print(f"weft ready api=http://{api} openflow={openflow}", flush=True)  # noqa: T201 - the contract's ready line
        while not self._stopping:
            time.sleep(0.2)
            for child in self._children:
                if child.process is not None and child.process.poll() is not None and not self._stopping:
                    _log.error("process_died name=%s status=%s", child.name, child.process.returncode)
                    time.sleep(RESTART_S)
                    self._start(child)
        return 0

    def _start(self, child: _Child) -> bool:
        """Start a child and wait until it says that it is ready; return whether it did."""
        reading, writing = os.pipe()
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p or str(Path.cwd()) for p in sys.path)}
        command = [sys.executable, "-P", "-m", *child.arguments, "--fd", str(child.fd), "--ready-fd", str(writing)]
        child.process = subprocess.Popen(command, pass_fds=(child.fd, writing), env=environment)
        os.close(writing)
        with os.fdopen(reading, "rb") as ready:
            deadline = time.monotonic() + READY_S
            while not self._stopping and time.monotonic() < deadline:
                if select.select([ready], [], [], 0.1)[0]:
                    return ready.read(1) != b""
        _log.error("process_not_ready name=%s", child.name)
        return False

    def _ask_to_stop(self, *_: object) -> None:
        self._stopping = True

    def _stop_children(self) -> None:
        for child in reversed(self._children):  # the API first: what it accepted must still be seen by the controller
            if child.process is None:
                continue
            with contextlib.suppress(ProcessLookupError):
                child.process.terminate()
            try:
                child.process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                _log.warning("process_killed name=%s", child.name)
                child.process.kill()
                child.process.wait()


def runtime_directory() -> Path:
    """Return the private directory of locks and control sockets, made if need be."""
    path = Path("/run/weft") if os.geteuid() == 0 else Path(tempfile.gettempdir()) / f"weft-{os.geteuid()}"
    path.mkdir(mode=0o700, exist_ok=True)
    if path.stat().st_uid != os.geteuid():
        raise ConfigurationError(f"{path} belongs to somebody else: remove it")
    return path


def _absolute_url(url: str) -> str:
    path = _sqlite_path(url)
    return url if path is None else f"sqlite:///{path.resolve()}"


def _sqlite_path(url: str) -> Path | None:
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise ConfigurationError(
            f"database: {url!r} is no database URL; examples: sqlite:///var/weft.db, "
            "postgresql+psycopg://user@host/weft"
        ) from error
    if parsed.get_backend_name() != "sqlite":
        return None
    if not parsed.database or parsed.database == ":memory:":
        raise ConfigurationError("database: an SQLite database must be a file, two processes share it")
    return Path(parsed.database)


def _make_database_directory(url: str) -> None:
    path = _sqlite_path(url)
    if path is None:
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(f"database: cannot make the directory of {path}: {error.strerror}") from error


@contextlib.contextmanager
def _only_one(path: Path, database: str) -> Iterator[None]:
    """Hold a lock that the kernel releases however this process ends.

    Raises:
        ConfigurationError: Another Weft holds it.
    """
    deadline = time.monotonic() + BIND_S
    while (lock := _try_lock(path)) is None:
        if time.monotonic() > deadline:
            raise ConfigurationError(f"another weft serve runs on {database}: stop it first")
        time.sleep(0.05)
    with lock:
        try:
            for other in path.parent.glob("*.lock"):
                if other != path:
                    _sweep(other)
            yield
        finally:
            path.unlink(missing_ok=True)


def _try_lock(path: Path) -> IO[str] | None:
    """Return the locked file, or None when another process has it or has just removed it."""
    lock = path.open("w")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if path.stat().st_ino == os.fstat(lock.fileno()).st_ino:
            return lock
    except (BlockingIOError, FileNotFoundError):
        pass
    lock.close()
    return None


def _sweep(path: Path) -> None:
    """Remove what a Weft that was killed has left: its lock, which nobody holds, and its control socket."""
    lock = _try_lock(path)
    if lock is not None:
        with lock:
            path.with_suffix(".sock").unlink(missing_ok=True)
            path.unlink(missing_ok=True)


def _listen(setting: str, address: Address) -> socket.socket:
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    deadline = time.monotonic() + BIND_S
    while True:
        try:
            listener.bind((address.host, address.port))
            listener.listen(512)
        except OSError as error:
            if time.monotonic() > deadline:
                raise ConfigurationError(f"{setting}: cannot listen on {address}: {error.strerror}") from error
            time.sleep(0.05)
        else:
            return listener


def _address(listener: socket.socket) -> Address:
    name = listener.getsockname()
    return Address(name[0], name[1])
