"""How is a REST server loaded with as little cost of the client's own as Python allows? Sockets, prepared bytes."""

import json
import socket
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

TIMEOUT_S = 300.0
FIRST_ERROR = 400
"""RFC 9110 section 15.5: this status and those above say that the request failed."""


class Client:
    """One kept-alive connection, one request at a time (RFC 9112)."""

    def __init__(self, url: str) -> None:
        parts = urllib.parse.urlsplit(url)
        self._head = f"Host: {parts.netloc}\r\nAccept: application/json\r\n"
        self._socket = socket.create_connection((parts.hostname, parts.port), timeout=TIMEOUT_S)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()

    def request(self, method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
        """Send one request; return status and body.

        Raises:
            ConnectionError: the server closed the connection.
        """
        head = f"{method} {path} HTTP/1.1\r\n{self._head}"
        if body:
            head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        self._socket.sendall(head.encode() + b"\r\n" + body)
        received = b""
        while b"\r\n\r\n" not in received:
            received += self._receive()
        top, _, rest = received.partition(b"\r\n\r\n")
        lines = top.decode("latin-1").lower().split("\r\n")
        length = next((int(line.partition(":")[2]) for line in lines if line.startswith("content-length:")), 0)
        parts, have = [rest], len(rest)
        while have < length:
            parts.append(self._receive())
            have += len(parts[-1])
        return int(lines[0].split()[1]), b"".join(parts)

    def _receive(self) -> bytes:
        piece = self._socket.recv(1 << 20)
        if not piece:
            raise ConnectionError("the server closed the connection")
        return piece

    def json(self, method: str, path: str, body: Any = None) -> Any:
        """Send one request and return the decoded body; raises RuntimeError on an error status."""
        status, answer = self.request(method, path, b"" if body is None else json.dumps(body).encode())
        if status >= FIRST_ERROR:
            raise RuntimeError(f"{method} {path}: {status} {answer[:300]!r}")
        return json.loads(answer) if answer else None


@dataclass(slots=True)
class Load:
    """What came of requests sent by several clients at once."""

    seconds: float = 0.0
    times_ms: list[float] = field(default_factory=list)
    answers: list[bytes] = field(default_factory=list)
    errors: int = 0

    @property
    def per_second(self) -> float:
        """Answers a second."""
        return len(self.times_ms) / self.seconds


def drive(url: str, clients: int, seconds: float, request: Callable[[int], tuple[str, str, bytes]]) -> Load:
    """Send requests from so many connections for so long; `request` makes the n-th."""
    load, lock, go = Load(), threading.Lock(), threading.Event()
    numbers: Iterable[int] = iter(range(1 << 31))
    deadline = [0.0]

    def run() -> None:
        client, mine, answers, errors = Client(url), [], [], 0
        go.wait()
        while time.monotonic() < deadline[0]:
            with lock:
                number = next(numbers)  # type: ignore[call-overload]
            began = time.monotonic()
            status, answer = client.request(*request(number))
            if status < FIRST_ERROR:
                mine.append((time.monotonic() - began) * 1000)
                answers.append(answer)
            else:
                errors += 1
        client.close()
        with lock:
            load.times_ms += mine
            load.answers += answers
            load.errors += errors

    workers = [threading.Thread(target=run, daemon=True) for _ in range(clients)]
    for worker in workers:
        worker.start()
    time.sleep(0.05)
    began = time.monotonic()
    deadline[0] = began + seconds
    go.set()
    for worker in workers:
        worker.join()
    load.seconds = time.monotonic() - began
    return load
