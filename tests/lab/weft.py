"""How is ``weft serve`` started, watched and killed? As a user would, by its command line."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.lab import process, registry
from tests.lab.api import Api
from tests.lab.hypervisor import Hypervisor
from tests.lab.laboratory import Lab
from tests.lab.process import LabError, eventually

ROOT = Path(__file__).resolve().parents[2]
READY = re.compile(r"^weft ready api=(?P<api>http://\S+) openflow=(?P<openflow>\S+)$", re.MULTILINE)
READY_S = 30.0
STOP_S = 15.0
PORT_STATUS_S = 20.0
HOST_UP_S = 30.0


def weft_command(*arguments: str) -> list[str]:
    """Return the argument list that runs ``weft`` from this clone with the interpreter in use.

    The same function as the console script, without the need to have installed it; -P keeps the current directory
    out of the import path.
    """
    return [sys.executable, "-P", "-c", "import sys; from controller.cli import main; sys.exit(main())", *arguments]


class Weft:
    """One ``weft serve`` and its database; it can be stopped, killed and started again."""

    def __init__(
        self,
        directory: Path,
        *,
        lab: Lab | None = None,
        database: str | None = None,
        api_listen: str = "127.0.0.1:0",
        openflow_listen: str | None = None,
        arguments: Sequence[str] = (),
    ) -> None:
        """Say what to run; nothing runs before `start` (or ``with``).

        Args:
            directory: for its output and, unless `database` is given, its SQLite file.
            lab: whose hypervisors it controls; OpenFlow listens on the laboratory's management address.
            database: SQLAlchemy URL.
            api_listen: HOST:PORT; port 0 takes a free one, which a restart keeps.
            openflow_listen: HOST:PORT, the same.
            arguments: more of them for ``weft serve``.
        """
        self.directory = directory
        self.log = directory / "weft.log"
        self.database = database or f"sqlite:///{directory / 'weft.db'}"
        self._api_listen = api_listen
        self._openflow_listen = openflow_listen or f"{lab.controller_ip if lab else '127.0.0.1'}:0"
        self._arguments = tuple(arguments)
        self._environment = {**os.environ, "PYTHONPATH": str(ROOT), registry.MARK: lab.id if lab else "none"}
        self._output = directory / "weft.out"
        self._running: subprocess.Popen[bytes] | None = None
        self._api: Api | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        try:
            if self.is_running:
                self.stop(check=error is None)
        finally:
            self.kill()

    # ---- life

    @property
    def is_running(self) -> bool:
        """Whether the process is there."""
        return self._running is not None and self._running.poll() is None

    @property
    def pid(self) -> int:
        """The process id of ``weft serve``."""
        if self._running is None:
            raise LabError("weft serve does not run")
        return self._running.pid

    @property
    def api(self) -> Api:
        """A client for its REST API."""
        if self._api is None:
            raise LabError("weft serve was not started")
        return self._api

    @property
    def url(self) -> str:
        """The API's URL."""
        return self.api.url

    @property
    def openflow(self) -> str:
        """HOST:PORT where it listens for switches."""
        return self._openflow_listen

    def start(self, timeout_s: float = READY_S) -> None:
        """Start and wait for the ready line.

        Raises:
            LabError: it ended or did not get ready, with the end of its log.
        """
        if self.is_running:
            raise LabError("weft serve runs already")
        self.directory.mkdir(parents=True, exist_ok=True)
        argv = weft_command(
            *("serve", "--database", self.database, "--api-listen", self._api_listen),
            *("--openflow-listen", self._openflow_listen, *self._arguments),
        )
        with self._output.open("wb") as output, self.log.open("ab") as log:
            self._running = process.start(argv, env=self._environment, stdout=output, stderr=log, cwd=self.directory)
        try:
            ready = eventually(self._ready_line, timeout_s, lambda: f"ready line\n{process.tail(self.log)}")
        except BaseException:
            self.kill()
            raise
        if self._api is not None:
            self._api.close()
        self._api = Api(ready["api"])
        # A restart comes back where it was: clients and switches need not be told.
        self._api_listen = ready["api"].removeprefix("http://").rstrip("/")
        self._openflow_listen = ready["openflow"]

    def _ready_line(self) -> re.Match[str] | None:
        if not self.is_running:
            code = self._running.returncode if self._running else None
            raise LabError(f"weft serve ended with code {code} before it was ready:\n{process.tail(self.log)}")
        return READY.search(self._output.read_text())

    def stop(self, timeout_s: float = STOP_S, *, check: bool = True) -> None:
        """Ask it to stop (SIGTERM).

        Raises:
            LabError: it did not end in time, or (if `check`) not with exit code 0.
        """
        if self._running is None:
            raise LabError("weft serve does not run")
        self._running.send_signal(signal.SIGTERM)
        try:
            code = self._running.wait(timeout=timeout_s)
        except subprocess.TimeoutExpired as error:
            raise LabError(f"weft serve ignores SIGTERM for {timeout_s:g} s:\n{process.tail(self.log)}") from error
        self._close_api()
        if check and code:
            raise LabError(f"weft serve ended with code {code} after SIGTERM:\n{process.tail(self.log)}")

    def kill(self, *, only_parent: bool = False) -> None:
        """Kill it (kill -9): the whole of it, or only the process that was started, as a user's ``kill -9 PID`` would.

        Nothing happens when it does not run.
        """
        self._close_api()
        if self._running is None:
            return
        if only_parent:
            self._running.kill()
        else:
            # The process leads a session of its own; its group is all that it started, also when it is dead itself.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._running.pid, signal.SIGKILL)
        self._running.wait(timeout=STOP_S)
        if not only_parent:
            self._running = None

    def restart(self) -> None:
        """Stop and start again at the same addresses on the same database."""
        self.stop()
        self.start()

    def _close_api(self) -> None:
        if self._api is not None:
            self._api.close()

    # ---- the command line

    def command(self, *arguments: str, check: bool = True, timeout_s: float = 60.0) -> str:
        """Run a ``weft`` command against this server and return what it printed.

        Raises:
            CommandError: it failed and `check` is true.
        """
        environment = {**self._environment, "WEFT_URL": self.url}
        argv = weft_command(*arguments)
        done = process.run(argv, env=environment, cwd=self.directory, timeout_s=timeout_s, check=check)
        return done.stdout if check else done.stdout + done.stderr

    def add_host(self, hypervisor: Hypervisor, *arguments: str, wait_s: int = 30) -> None:
        """Register a hypervisor with ``weft host add`` and wait until it is programmed."""
        self.command(
            *("host", "add", hypervisor.name, "--ovsdb", hypervisor.ovsdb, "--tunnel-ip", hypervisor.tunnel_ip),
            *("--datapath-type", "netdev", "--wait", str(wait_s), *arguments),
            timeout_s=wait_s + 15,
        )

    def wait_for_host(self, name: str, timeout_s: float = HOST_UP_S) -> dict[str, Any]:
        """Wait until a registered host is connected and programmed, and return it.

        Raises:
            TimeoutError: with what the API says about the host.
        """

        def found() -> list[dict[str, Any]]:
            return self.api.list("hosts", name=name)

        def up() -> dict[str, Any] | None:
            return next((host for host in found() if host["status"] == "UP"), None)

        return eventually(up, timeout_s, lambda: f"host {name} is UP; Weft says {found()}", every_s=0.1)

    def wait_for_port(self, port_id: str, status: str = "ACTIVE", timeout_s: float = PORT_STATUS_S) -> dict[str, Any]:
        """Wait until a port has a status, and return the port.

        Raises:
            TimeoutError: with what ``GET /v2.0/ports/ID/status`` says about it.
        """

        def reached() -> dict[str, Any] | None:
            port = self.api.show("port", port_id)
            return port if port["status"] == status else None

        def message() -> str:
            why = self.api.request("GET", f"/v2.0/ports/{port_id}/status").text
            return f"port {port_id} is {status}; Weft says {json.dumps(why)}"

        return eventually(reached, timeout_s, message)
