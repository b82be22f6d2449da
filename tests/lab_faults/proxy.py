"""How is a connection hurt from outside? A TCP proxy that cuts at a chosen octet, stalls, delays and trickles.

Who connected is known by its IP address, so one proxy in front of the controller can hurt one of several switches.
Nothing here knows OpenFlow or OVSDB: a cut may fall anywhere.
"""

import contextlib
import select
import socket
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from enum import Enum

TICK_S = 0.02
PIECE = 1 << 16


class Way(Enum):
    """Where octets go."""

    TO_TARGET = "to the target"
    TO_CLIENT = "to the client"


@dataclass(slots=True)
class Faults:
    """What happens to the connections of one client; change it at any time.

    Attributes:
        stalled: Nothing is read or written, connections are accepted: a peer that has stopped.
        refused: Connections are closed as soon as they come.
        delay_s: How long each piece waits, in each direction.
        trickle: Octets at most a tick (20 ms), in each direction.
        cut_after: Octets that still pass in a direction before both ends are closed, once.
        cuts: How often that happened.
    """

    stalled: bool = False
    refused: bool = False
    delay_s: float = 0.0
    trickle: int | None = None
    cut_after: dict[Way, int] = field(default_factory=dict)
    cuts: int = 0

    def heal(self) -> None:
        """Be a wire again."""
        self.stalled = self.refused = False
        self.delay_s, self.trickle = 0.0, None
        self.cut_after.clear()


class Proxy:
    """Copies octets between whoever connects and `target`."""

    def __init__(self, address: str, target: tuple[str, int] | None = None) -> None:
        self.target = target
        self.faults: dict[str, Faults] = {}
        self.accepted = 0
        self.moved = 0
        """Octets passed on, both directions."""
        self._listener = socket.create_server((address, 0))
        self.address: tuple[str, int] = self._listener.getsockname()[:2]
        self._lock = threading.Lock()
        self._pairs: set[_Pair] = set()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._accept, name="proxy", daemon=True)
        self._thread.start()

    def of(self, client: str) -> Faults:
        """Return the faults of one client's connections."""
        return self.faults.setdefault(client, Faults())

    def cut(self, client: str | None = None) -> int:
        """Close every connection (of a client) at once, and return how many there were."""
        with self._lock:
            pairs = [pair for pair in self._pairs if client in (None, pair.client)]
        for pair in pairs:
            pair.shut()
        return len(pairs)

    def open(self, client: str | None = None) -> int:
        """Return how many connections there are now (of a client)."""
        with self._lock:
            return sum(client in (None, pair.client) for pair in self._pairs)

    def close(self) -> None:
        """Close everything for good."""
        self._stopping.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()
        self.cut()
        for pair in list(self._pairs):
            pair.thread.join()

    def _accept(self) -> None:
        while not self._stopping.is_set():
            try:
                near, peer = self._listener.accept()
            except OSError:
                return
            faults = self.of(peer[0])
            far = None if faults.refused or self.target is None else self._connect(self.target)
            if far is None:
                near.close()
                continue
            pair = _Pair(self, peer[0], near, far)
            with self._lock:
                self._pairs.add(pair)
            pair.thread.start()
            self.accepted += 1  # counted when it can be cut

    @staticmethod
    def _connect(target: tuple[str, int]) -> socket.socket | None:
        try:
            return socket.create_connection(target, timeout=2)
        except OSError:
            return None

    def forget(self, pair: "_Pair") -> None:
        """Note that a connection has ended."""
        with self._lock:
            self._pairs.discard(pair)


class _Pair:
    """One connection: its two sockets and what is on its way."""

    def __init__(self, proxy: Proxy, client: str, near: socket.socket, far: socket.socket) -> None:
        self.client = client
        self._proxy, self._faults = proxy, proxy.of(client)
        self._ways = {Way.TO_TARGET: (near, far), Way.TO_CLIENT: (far, near)}
        self._held: dict[Way, deque[tuple[float, bytes]]] = {way: deque() for way in Way}
        for sock in (near, far):
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._shut = threading.Event()
        self.thread = threading.Thread(target=self._run, name=f"proxy-{client}", daemon=True)

    def shut(self) -> None:
        """Close both ends soon; what has not passed is lost."""
        self._shut.set()
        for sock in next(iter(self._ways.values())):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def _run(self) -> None:
        try:
            with contextlib.suppress(OSError):
                while not self._shut.is_set() and self._step():
                    pass
        finally:
            self._proxy.forget(self)
            for sock in next(iter(self._ways.values())):
                sock.close()

    def _step(self) -> bool:
        """Move what may be moved; return whether the connection goes on."""
        if self._faults.stalled:
            self._shut.wait(TICK_S)
            return True
        sources = [source for way, (source, _) in self._ways.items() if len(self._held[way]) < 8]
        sinks = [sink for way, (_, sink) in self._ways.items() if self._is_due(way)]
        readable, writable, _ = select.select(sources, sinks, [], TICK_S)
        for way, (source, sink) in self._ways.items():
            if source in readable:
                piece = source.recv(self._faults.trickle or PIECE)
                if not piece:
                    return False
                self._held[way].append((time.monotonic() + self._faults.delay_s, piece))
            if (sink in writable or source in readable) and self._is_due(way) and not self._write(way, sink):
                return False
        if self._faults.trickle is not None:
            self._shut.wait(TICK_S)
        return True

    def _is_due(self, way: Way) -> bool:
        held = self._held[way]
        return bool(held) and held[0][0] <= time.monotonic()

    def _write(self, way: Way, sink: socket.socket) -> bool:
        due, piece = self._held[way].popleft()
        left = self._faults.cut_after.get(way)
        allowed = piece if left is None else piece[:left]
        try:
            taken = sink.send(allowed) if allowed else 0
        except BlockingIOError:
            taken = 0
        self._proxy.moved += taken
        if left is not None:
            if taken == left:
                del self._faults.cut_after[way]
                self._faults.cuts += 1
                return False
            self._faults.cut_after[way] = left - taken
        if taken < len(piece):
            self._held[way].appendleft((due, piece[taken:]))
        return True
