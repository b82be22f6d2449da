"""What do these tests stand on? A real API process on a port of its own, started as ``weft serve`` starts it."""

import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.databases import NAME, a_database

ROOT = Path(__file__).parents[2]


@dataclass(kw_only=True)
class Server:
    """A running API process."""

    process: subprocess.Popen[bytes]
    port: int
    database: str
    control: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=20)


def start(directory: Path) -> Server:
    """Start a server and wait for its line."""
    url = f"sqlite:///{directory}/{NAME}"
    a_database(directory).close()
    ready, says_ready = os.pipe()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        arguments = ["--database", url, "--fd", str(listener.fileno())]
        arguments += ["--control", str(directory / "control.sock"), "--ready-fd", str(says_ready)]
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "api.serve", *arguments],
            pass_fds=(listener.fileno(), says_ready),
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
    os.close(says_ready)
    with os.fdopen(ready, "rb") as line:
        assert select.select([line], [], [], 30)[0], "the server did not say that it is ready"
        assert line.read() == b"ready\n"
    return Server(process=process, port=port, database=url, control=directory / "control.sock")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = start(tmp_path)
    yield server
    if server.process.poll() is None:
        server.process.kill()
    server.process.wait()
