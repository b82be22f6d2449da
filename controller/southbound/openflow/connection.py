"""How do bytes travel between Weft and one switch?

One thread a connection reads, writes what could not be written at once, and keeps time:

    any thread ── write() ──▶ socket, or the backlog when the socket is full ──┐
    the thread:  poll ─┬─ readable: cut into messages ─▶ negotiation (os-ken), packet-ins, answers
                       ├─ writable: drain the backlog  ◀────────────────────────┘
                       └─ silence: ask with an echo, then give up

os-ken's own connection leaves threads behind and does not report a lost switch with the native hub, and blocks its
senders without bound; its negotiation is used unchanged.
"""

import contextlib
import logging
import os
import select
import socket
import threading
import time
from collections import deque
from struct import Struct
from typing import Any, Protocol

from controller.southbound.openflow import monitor
from controller.southbound.openflow.errors import ConnectionLostError, FramingError
from controller.southbound.openflow.framing import Framer
from controller.southbound.openflow.messages import HEADER_SIZE, Messages, header
from controller.southbound.openflow.osken import (
    DEAD_DISPATCHER,
    MAIN_DISPATCHER,
    Datapath,
    ofp,
    ofp_msg_to_ev,
    ofproto_parser,
)
from controller.southbound.openflow.replies import Replies
from controller.southbound.openflow.watchdog import Limits, Watchdog

_log = logging.getLogger(__name__)

READ_SIZE = 256 << 10
_ANSWERS = frozenset({ofp.OFPT_ERROR, ofp.OFPT_MULTIPART_REPLY, ofp.OFPT_BARRIER_REPLY, ofp.OFPT_BUNDLE_CONTROL})
_FEATURES = Struct("!8xQ4xB")
"""Header, datapath id, number of buffers, number of tables (OpenFlow 1.4 section 7.3.1)."""


class Owner(Protocol):
    """Who is told of a connection's life; called in the connection's thread and must not block."""

    def admit(self, dpid: int) -> bool:
        """Whether the datapath id is known."""

    def up(self, connection: "Connection") -> None:
        """Take a connection whose negotiation is over."""

    def down(self, connection: "Connection", why: str) -> None:
        """Note that a connection ended; `up` may never have been called for it."""

    def packet_in(self, connection: "Connection", message: bytes) -> None:
        """Take a packet-in."""

    def update(self, connection: "Connection", message: bytes) -> None:
        """Take what the switch tells of changes in it, see `monitor`."""


class Connection(Datapath):  # type: ignore[misc]
    """One TCP connection from a switch; `serve` is its thread's work."""

    def __init__(self, sock: socket.socket, address: Any, owner: Owner, messages: Messages, limits: Limits) -> None:
        self.peer = f"{address[0]}:{address[1]}"
        self.replies = Replies(self.peer)
        self._owner, self._messages, self._limits = owner, messages, limits
        self._lock = threading.Lock()
        self._room = threading.Condition(self._lock)
        self._backlog: deque[memoryview] = deque()
        self._backlog_size = 0
        self._moved_at = time.monotonic()
        """When the peer last took an octet, or when something last began to wait for it."""
        self._closing: str | None = None
        self._is_last_write = False
        self._thread_id: int | None = None
        self.n_tables = 0
        self.is_stray = False
        """Whether it was gone before it said who it is, as switches are that called while this process was starting."""
        self._wake: int | None = None
        super().__init__(sock, address)
        sock.setblocking(False)

    # what other threads call ------------------------------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        """Send bytes; waits for room while too much waits already, as long as the peer takes some.

        Raises:
            ConnectionLostError: The connection is over; what was written may not have arrived.
        """
        with self._lock:
            while self._backlog_size > self._limits.backlog and self._closing is None:
                self._room.wait(self._limits.stuck_s)
            if self._closing is not None:
                raise ConnectionLostError(self.peer, self._closing)
            self._enqueue(data)

    def offer(self, data: bytes) -> bool:
        """Send bytes unless too much waits already, without ever waiting; whether they were taken."""
        with self._lock:
            if self._closing is not None or self._backlog_size > self._limits.backlog:
                return False
            self._enqueue(data)
            return True

    def close(self, why: str = "closed by Weft") -> None:
        """End the connection; its thread does the rest."""
        with self._lock:
            if self._closing is None:
                self._closing = why
            self._room.notify_all()
            self._ring()

    # what os-ken's negotiation calls, in the connection's thread ------------------------------------------------------

    def send(self, buf: bytes | bytearray, close_socket: bool = False) -> bool:
        """Send bytes without ever waiting; whether the connection still takes any."""
        with self._lock:
            if self._backlog_size > 2 * self._limits.backlog:
                self._closing = self._closing or "asks and does not read the answers"
            if self._closing is None:
                self._enqueue(bytes(buf))
                self._is_last_write = self._is_last_write or close_socket
            return self._closing is None

    def set_xid(self, msg: Any) -> int:
        """Give a message of the negotiation its transaction id, from the one counter there is."""
        xid = self.replies.xids(1)
        msg.set_xid(xid)
        return xid

    def set_state(self, state: str) -> None:
        """Note how far the negotiation is."""
        super().set_state(state)
        if state == MAIN_DISPATCHER:
            _log.info("switch_connected dpid=%016x peer=%s", self.id, self.peer)
            self._owner.up(self)

    # the connection's thread ------------------------------------------------------------------------------------------

    def serve(self) -> None:
        """Work until the connection ends, whoever ends it."""
        why = "an error in Weft"
        try:
            self.send_msg(self.ofproto_parser.OFPHello(self))
            why = self._run()
        except (FramingError, OSError) as error:
            why = str(error)
            self.is_stray = self.id is None and isinstance(error, OSError)
        except Exception as error:  # noqa: BLE001 - what os-ken raises on octets it does not know is not listed
            why = f"not understood: {error!r}"
            _log.exception("switch_message_not_understood peer=%s", self.peer)
        finally:
            self._end(why)

    def _run(self) -> str:
        """Serve the socket; return why it ended."""
        self._thread_id = threading.get_ident()
        wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        with self._lock:
            self._wake = wake
        poll = select.poll()
        poll.register(wake, select.POLLIN)
        framer, watchdog = Framer(), Watchdog(self._limits, time.monotonic())
        while True:
            with self._lock:
                if self._closing is not None:
                    return self._closing
                waiting_since = self._moved_at if self._backlog else None
            if self._is_last_write and waiting_since is None:
                return "negotiation failed"
            poll.register(self.socket, select.POLLIN | (select.POLLOUT if waiting_since is not None else 0))
            negotiating = self.state != MAIN_DISPATCHER
            # One millisecond more: poll rounds down, and would find the time not yet come.
            timeout = watchdog.timeout(time.monotonic(), waiting_since, negotiating=negotiating) * 1000 + 1
            events = dict(poll.poll(timeout))
            if wake in events:
                os.eventfd_read(wake)
            on_socket = events.get(self.socket.fileno(), 0)
            if on_socket & select.POLLOUT:
                self._drain()
                waiting_since = None
            # What has arrived counts before silence does, or a pause of this process would kill every connection.
            if on_socket & ~select.POLLOUT and not self._receive(framer, watchdog):
                return "closed by the switch"
            now = time.monotonic()
            verdict = watchdog.verdict(now, waiting_since, negotiating=negotiating)
            if verdict is not None:
                return verdict
            if watchdog.wants_echo(now):
                self.send(self._messages.echo_request(self.replies.xids(1)))

    def _receive(self, framer: Framer, watchdog: Watchdog) -> bool:
        """Read and handle what has arrived; whether the stream goes on."""
        try:
            piece = self.socket.recv(READ_SIZE)
        except (BlockingIOError, InterruptedError):
            return True
        watchdog.hear(time.monotonic())
        for message in framer.feed(piece):
            if self._closing is not None:
                break
            self._take(message)
        return bool(piece)

    def _take(self, message: bytes) -> None:
        """Handle one message."""
        kind = message[1]
        if self.state == MAIN_DISPATCHER:
            if kind == ofp.OFPT_PACKET_IN:
                self._owner.packet_in(self, message)
            elif monitor.is_update(message):
                self._owner.update(self, message)
            elif kind in _ANSWERS:
                self.replies.route(message)
            elif kind == ofp.OFPT_ECHO_REQUEST:
                self.send(self._messages.echo_reply(header(message)[3], rest=message[HEADER_SIZE:]))
            return
        if kind == ofp.OFPT_FEATURES_REPLY:
            dpid, self.n_tables = _FEATURES.unpack_from(message)
            if not self._owner.admit(dpid):
                _log.warning(
                    "switch_refused dpid=%016x peer=%s reason=%r", dpid, self.peer, "no such host is registered"
                )
                self.close("unknown datapath id")
                return
        self._negotiate(message)

    def _negotiate(self, message: bytes) -> None:
        """Let os-ken handle a message of the negotiation, as its own connection would."""
        version, kind, size, xid = header(message)
        parsed = ofproto_parser.msg(self, version, kind, size, xid, message)
        if parsed is None or self.ofp_brick is None:
            return
        event = ofp_msg_to_ev(parsed)
        for handler in list(self.ofp_brick.get_handlers(event, self.state)):
            handler(event)

    # writing ----------------------------------------------------------------------------------------------------------

    def _enqueue(self, data: bytes) -> None:
        """Write what the socket takes now and keep the rest; the lock is held."""
        rest = memoryview(data)
        if not self._backlog:
            try:
                rest = rest[self.socket.send(rest) :]
            except (BlockingIOError, InterruptedError):
                pass
            except OSError as error:
                self._closing = str(error)
                self.is_stray = self.id is None
                self._ring()
                return
            self._moved_at = time.monotonic()
        if rest:
            self._backlog.append(rest)
            self._backlog_size += len(rest)
            if len(self._backlog) == 1 and threading.get_ident() != self._thread_id:
                self._ring()

    def _drain(self) -> None:
        """Write from the backlog what the socket takes."""
        with self._lock:
            while self._backlog:
                piece = self._backlog[0]
                try:
                    taken = self.socket.send(piece)
                except (BlockingIOError, InterruptedError):
                    break
                self._moved_at = time.monotonic()
                self._backlog_size -= taken
                if taken < len(piece):
                    self._backlog[0] = piece[taken:]
                    break
                self._backlog.popleft()
            if self._backlog_size <= self._limits.backlog:
                self._room.notify_all()

    def _ring(self) -> None:
        """Wake the connection's thread; the lock is held, so that the descriptor cannot be another's by now."""
        if self._wake is not None:
            os.eventfd_write(self._wake, 1)

    def _end(self, why: str) -> None:
        self.is_active = False
        super().set_state(DEAD_DISPATCHER)
        with self._lock:
            self._closing = self._closing or why
            self._backlog.clear()
            self._backlog_size = 0
            self._room.notify_all()
        with contextlib.suppress(OSError):  # the peer was faster
            self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        with self._lock:
            if self._wake is not None:
                os.close(self._wake)
                self._wake = None
        self.replies.lose(why)
        self._owner.down(self, why)
