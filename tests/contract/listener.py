"""What does a switch tell a second controller, byte for byte, while the first one writes?"""

import contextlib
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from controller.southbound.openflow import monitor
from controller.southbound.openflow.messages import HEADER_SIZE, Messages, header

HELLO, ECHO_REQUEST, ERROR = 0, 2, 1
WAIT_S = 15.0


@contextlib.contextmanager
def monitored(path: Path) -> Iterator[Callable[[int], list[monitor.Update]]]:
    """Listen to changes over a bridge's management socket; give a function that waits for so many of them.

    Args:
        path: The unix socket of ovs-vswitchd(8), ``<bridge>.mgmt``.
    """
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(WAIT_S)
        connection.connect(str(path))
        messages = Messages()
        connection.sendall(bytes([5, HELLO, 0, HEADER_SIZE, 0, 0, 0, 1]))
        connection.sendall(messages.monitor_flows(2) + messages.barrier(3))
        heard = _messages(connection, messages)
        while header(message := next(heard))[3] != 3:
            if message[1] == ERROR:
                raise RuntimeError(f"the switch refuses to be monitored: {message.hex()}")

        def told(count: int) -> list[monitor.Update]:
            updates: list[monitor.Update] = []
            deadline = time.monotonic() + WAIT_S
            while len(updates) < count and time.monotonic() < deadline:
                message = next(heard)
                if monitor.is_update(message):
                    updates += monitor.read([message])[0]
            return updates

        yield told


def _messages(connection: socket.socket, messages: Messages) -> Iterator[bytes]:
    """Yield what the switch says, and answer its echo requests."""
    rest = b""
    while True:
        while len(rest) < HEADER_SIZE or len(rest) < header(rest)[2]:
            piece = connection.recv(1 << 16)
            if not piece:
                return
            rest += piece
        _, kind, length, xid = header(rest)
        message, rest = rest[:length], rest[length:]
        if kind == ECHO_REQUEST:
            connection.sendall(messages.echo_reply(xid))
        yield message
