"""Does a connection live? Kernel sockets in two guests, and a thread that keeps something moving between them."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator, Sequence

from tests.lab.process import eventually
from tests.lab_guests.stage import Family, Guest

PORT = 7000
CHUNK = b"w" * 8192
GAP_S = 0.004
STILL_S = 0.3
"""So long nothing comes before a stream counts as stopped."""
STOP_S, RESUME_S = 5.0, 12.0
"""A sender whose segments vanish tries again after 0.2, 0.4, 0.8, ... s (RFC 6298 section 5.5)."""


class Stream:
    """Something that is sent all the time; `octets` grows while it arrives."""

    def __init__(self, sender: socket.socket, receiver: socket.socket, to: tuple[str, int] | None) -> None:
        self.octets = 0
        self.sender, self.receiver = sender, receiver
        self._to = to
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="stream", daemon=True)
        for end in (sender, receiver):
            end.setblocking(False)
        self._thread.start()

    def _run(self) -> None:
        while not self._stopping.wait(GAP_S):
            with contextlib.suppress(BlockingIOError, ConnectionError):
                if self._to is None:
                    self.sender.send(CHUNK)
                else:
                    self.sender.sendto(b"w" * 64, self._to)
            with contextlib.suppress(BlockingIOError, ConnectionError):
                while found := self.receiver.recv(65536):
                    self.octets += len(found)

    def close(self) -> None:
        """Stop sending."""
        self._stopping.set()
        self._thread.join()

    def arrives(self, within_s: float = RESUME_S) -> bool:
        """Wait until more arrives."""
        before = self.octets
        eventually(lambda: self.octets > before, within_s, "the stream goes on")
        return True


def all_stop(streams: Sequence[Stream], within_s: float = STOP_S) -> bool:
    """Wait until nothing has arrived by any of the streams for a while, and hold that it stays so."""

    def moving() -> list[int]:
        before = [stream.octets for stream in streams]
        time.sleep(STILL_S)
        return [number for number, stream in enumerate(streams) if stream.octets != before[number]]

    eventually(lambda: not moving(), within_s, lambda: f"the streams stop; of {len(streams)}, these go on: {moving()}")
    return not moving()


@contextlib.contextmanager
def transfer(client: Guest, server: Guest, family: Family, port: int = PORT) -> Iterator[Stream]:
    """Send octets over a TCP connection for as long as the block runs."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(server.open_socket(family, socket.SOCK_STREAM, port))
        listener.listen()
        listener.settimeout(5)
        connecting = stack.enter_context(client.open_socket(family, socket.SOCK_STREAM))
        connecting.settimeout(5)
        connecting.connect((server.ip(family), port))
        accepted, _ = listener.accept()
        stack.enter_context(accepted)
        stream = Stream(connecting, accepted, None)
        stack.callback(stream.close)
        yield stream


@contextlib.contextmanager
def answers_only(
    client: Guest, server: Guest, family: Family, port: int = PORT, *, within_s: float = 3.0
) -> Iterator[Stream]:
    """Ask by UDP until the server has heard it; from then on only the server sends, for as long as the block runs.

    Raises:
        TimeoutError: it did not hear.
    """
    with contextlib.ExitStack() as stack:
        served = stack.enter_context(server.open_socket(family, socket.SOCK_DGRAM, port))
        asked = stack.enter_context(client.open_socket(family, socket.SOCK_DGRAM))
        served.setblocking(False)

        def heard() -> tuple[str, int] | None:
            ask(asked, server, family, port)
            time.sleep(0.02)
            with contextlib.suppress(BlockingIOError):
                address: tuple[str, int] = served.recvfrom(2048)[1][:2]
                return address
            return None

        stream = Stream(served, asked, eventually(heard, within_s, "the server hears the question", every_s=0.05))
        stack.callback(stream.close)
        yield stream


def ask(asker: socket.socket, server: Guest, family: Family, port: int = PORT) -> None:
    """Send the one datagram that opens the way for answers."""
    asker.sendto(b"?", (server.ip(family), port))


def can_connect(client: Guest, server: Guest, family: Family, port: int = PORT, timeout_s: float = 0.5) -> bool:
    """Say whether a TCP connection comes about."""
    with server.open_socket(family, socket.SOCK_STREAM, port) as listener:
        listener.listen()
        with client.open_socket(family, socket.SOCK_STREAM) as connecting:
            connecting.settimeout(timeout_s)
            try:
                connecting.connect((server.ip(family), port))
            except OSError:
                return False
            return True


def datagram_arrives(
    sender: Guest, receiver: Guest, family: Family, port: int, size: int, *, timeout_s: float = 0.3, tries: int = 1
) -> bool:
    """Send a datagram of any size, in fragments if it must, and say whether the receiver's kernel has it whole."""
    with receiver.open_socket(family, socket.SOCK_DGRAM, port) as listening:
        listening.settimeout(timeout_s)
        with sender.open_socket(family, socket.SOCK_DGRAM) as sending:
            for _ in range(tries):
                sending.sendto(b"f" * size, (receiver.ip(family), port))
                with contextlib.suppress(TimeoutError):
                    return len(listening.recv(65536)) == size
    return False
