"""What does the service keep for one host? Its socket, the session on it, the writer, and when to look at it again.

Sockets never block here. A method that raises PeerError or OSError is answered by ``lose``; nobody else is touched.
"""

import errno
import logging
import os
import selectors
import socket
from dataclasses import replace

from controller.southbound.ovsdb.errors import PeerError
from controller.southbound.ovsdb.model import HostView
from controller.southbound.ovsdb.replica import Touched
from controller.southbound.ovsdb.session import Session
from controller.southbound.ovsdb.shown import Shown, host_view
from controller.southbound.ovsdb.target import Target
from controller.southbound.ovsdb.writer import ClearState, Writer

BACKOFF_FIRST_S = 0.1
BACKOFF_MOST_S = 2.0
CONNECT_TIMEOUT_S = 5.0
_READ_BYTES = 1 << 18
_LOOPBACK = "127.0.0.1"

_log = logging.getLogger(__name__)


class Peer:
    """One host's connection; owned by the service's thread."""

    def __init__(self, name: str, target: Target, selector: selectors.BaseSelector) -> None:
        self.name = name
        self.target = target
        self.writer = Writer(name)
        self.view = HostView()
        self.shown = Shown()
        self.timer_at: float | None = None
        """When the service means to call ``tick``; the service's own note."""
        self._clear_by: float | None = None
        self._selector = selector
        self._socket: socket.socket | None = None
        self._session: Session | None = None
        """None while the connection is still being made."""
        self._retry_at = float("-inf")
        self._connect_by = 0.0
        self._backoff_s = BACKOFF_FIRST_S
        self._shown_bridge = self.writer.bridge_name
        self._barren: set[str] = set()
        """Why connections ended that never showed a database, since one did."""

    @property
    def deadline(self) -> float:
        """When ``tick`` must be called, at the latest."""
        if self._socket is None:
            at = self._retry_at
        elif self._session is None:
            at = self._connect_by
        else:
            at = self._session.deadline
            if self._session.is_synced and self.writer.deadline is not None:
                at = min(at, self.writer.deadline)
        return at if self._clear_by is None else min(at, self._clear_by)

    @property
    def is_cleared(self) -> bool:
        """Nothing of Weft's is left in the database."""
        return self.writer.clearing is ClearState.DONE

    def begin_clearing(self, give_up_at: float) -> None:
        """Turn to removing what Weft wrote."""
        self._clear_by = give_up_at
        self.writer.clear()

    def has_overstayed(self, now: float) -> bool:
        """Clearing took longer than was allowed."""
        return self._clear_by is not None and now >= self._clear_by

    def handle(self, events: int, now: float) -> None:
        """Do what the socket is ready for; raises PeerError or OSError when the connection is lost."""
        if self._socket is None:
            return
        if self._session is None:
            self._finish_connecting(self._socket, now)
        if events & selectors.EVENT_READ:
            self._read(now)
        self.advance(now)

    def tick(self, now: float) -> None:
        """Do what is due by time; raises PeerError or OSError when the connection is lost."""
        if self._socket is None:
            if now >= self._retry_at:
                self._connect(now)
        elif self._session is None:
            if now >= self._connect_by:
                raise PeerError(why=f"did not accept a connection in {CONNECT_TIMEOUT_S:g} s")
        else:
            self._session.tick(now)
            self.advance(now)

    def advance(self, now: float) -> None:
        """Write what the host lacks, publish what it shows, and send what waits to be sent."""
        session = self._session
        if session is None:
            return
        if session.is_synced:
            self._backoff_s = BACKOFF_FIRST_S
            touched = session.replica.take_touched()
            self.writer.note(touched)
            planned = self.writer.propose(session.replica, now)
            if planned:
                session.transact(planned.operations, now)
            self._show(session, touched)
        self._flush()

    def lose(self, error: Exception, now: float) -> None:
        """Give the connection up and try again later."""
        why = _why(error)
        if self.view.connected or self.view.error is None:
            level = logging.DEBUG if why in self._barren else logging.WARNING  # told once, not every other second
            _log.log(level, "ovsdb_lost host=%s target=%s error=%r", self.name, self.target.text, why)
        if self.view.connected and not self.view.synced:
            self._barren.add(why)
        self.close()
        self.writer.on_lost()
        self.view = replace(self.view, connected=False, synced=False, error=f"OVSDB server {self.target.text} {why}")
        self._retry_at = now + self._backoff_s
        self._backoff_s = min(self._backoff_s * 2, BACKOFF_MOST_S)

    def close(self) -> None:
        """Close the connection, if any."""
        if self._socket is not None:
            self._selector.unregister(self._socket)
            self._socket.close()
        self._socket = None
        self._session = None

    def _connect(self, now: float) -> None:
        peer = socket.socket(self.target.family, socket.SOCK_STREAM)
        peer.setblocking(False)
        result = peer.connect_ex(self.target.address)
        # A unix socket answers EAGAIN when the listener's queue is full (unix(7)): that is a failure, try later.
        if result not in {0, errno.EINPROGRESS}:
            peer.close()
            raise OSError(result, os.strerror(result))
        self._socket = peer
        self._connect_by = now + CONNECT_TIMEOUT_S
        self._selector.register(peer, selectors.EVENT_READ | selectors.EVENT_WRITE, self)

    def _finish_connecting(self, peer: socket.socket, now: float) -> None:
        result = peer.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if result:
            raise OSError(result, os.strerror(result))
        local_address = _LOOPBACK
        if self.target.family != socket.AF_UNIX:
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            local_address = peer.getsockname()[0]
        self._session = Session(now)
        self.view = replace(self.view, connected=True, synced=False, local_address=local_address, error=None)
        level = logging.DEBUG if self._barren else logging.INFO
        _log.log(level, "ovsdb_connected host=%s target=%s local=%s", self.name, self.target.text, local_address)

    def _read(self, now: float) -> None:
        if self._socket is None or self._session is None:
            return
        try:
            received = self._socket.recv(_READ_BYTES)
        except BlockingIOError:
            return
        if not received:
            raise PeerError(why="closed the connection")
        for outcome in self._session.feed(received, now):
            self.writer.on_outcome(outcome, self._session.replica, now)

    def _show(self, session: Session, touched: Touched) -> None:
        """Make the view new; views that say the same are one object, so that nobody is told twice."""
        replica, name, writer = session.replica, self.writer.bridge_name, self.writer
        is_new = not self.view.synced
        if is_new or name != self._shown_bridge:
            self._shown_bridge = name
            self.shown.restart()
            self.shown.note(replica, name, replica.interfaces)
            touched.settings = True
        else:
            self.shown.note(replica, name, touched.interfaces)
        if is_new:
            self._barren.clear()
            _log.info("ovsdb_synced host=%s interfaces=%d", self.name, len(self.shown))
        if touched.settings or writer.drift_count != self.view.drift_count:
            view = host_view(
                replica,
                name,
                local_address=self.view.local_address,
                drift_count=writer.drift_count,
                last_drift=writer.last_drift,
            )
            if view != self.view:
                self.view = view

    def _flush(self) -> None:
        if self._socket is None or self._session is None:
            return
        outgoing = self._session.outgoing
        try:
            while outgoing:
                del outgoing[: self._socket.send(outgoing)]
        except BlockingIOError:
            pass
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if outgoing else 0)
        if self._selector.get_key(self._socket).events != events:
            self._selector.modify(self._socket, events, self)


def _why(error: Exception) -> str:
    if isinstance(error, PeerError):
        return error.why
    if isinstance(error, OSError):
        return f"cannot be reached: {error.strerror or error}"
    return f"cannot be handled ({type(error).__name__}: {error})"
