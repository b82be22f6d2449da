"""How do callers talk about hosts' databases? One thread and one epoll for all hosts; callers do not wait for hosts.

Callers put what they want into an inbox and read the last values; the loop goes

    inbox -> sockets -> sessions -> writers -> last values -> on_change -> caller
"""

import heapq
import logging
import selectors
import socket
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from controller.southbound.ovsdb.entry import Entry, News
from controller.southbound.ovsdb.errors import (
    HostExistsError,
    NotDesiredError,
    OvsdbError,
    PeerError,
    UnknownHostError,
)
from controller.southbound.ovsdb.model import (
    BridgeConfig,
    HostDesired,
    HostView,
    PrewiredPort,
    RowChanges,
)
from controller.southbound.ovsdb.peer import Peer
from controller.southbound.ovsdb.target import parse_target

CLEAR_TIMEOUT_S = 3.0
"""Longest time ``remove_host(clear=True)`` spends on a host that does not answer."""
_STOP_TIMEOUT_S = 10.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Removal:
    """A host on its way out."""

    peer: Peer
    clear: bool


class OvsdbService:
    """Reads and writes the Open vSwitch databases of all hosts."""

    def __init__(self, on_change: Callable[[str], None], *, clock: Callable[[], float] = time.monotonic) -> None:
        """Make the service; nothing happens before ``start``.

        ``on_change`` gets the name of a host whose view or write error changed, on the service's thread: it must be
        quick and must not wait for the service.
        """
        self._on_change = on_change
        self._clock = clock
        self._lock = threading.Lock()
        self._entries: dict[str, Entry] = {}
        self._arrivals: list[Peer] = []
        self._news: list[str] = []
        self._removals: list[_Removal] = []
        self._stopping = False
        self._thread: threading.Thread | None = None
        self._selector = selectors.DefaultSelector()
        self._wake_in, self._wake_out = socket.socketpair()
        self._wake_in.setblocking(False)
        self._wake_out.setblocking(False)
        self._peers: set[Peer] = set()
        """Loop's own: everything with a connection, also hosts that are being cleared."""
        self._leaving: dict[Peer, _Removal] = {}
        self._arriving: list[Peer] = []
        """New hosts whose address is still in use by one that is being cleared."""
        self._timers: list[tuple[float, int, Peer]] = []
        """Heap of (when, a number that breaks ties, whose); a host may be in it more than once."""
        self._timer_number = 0

    def start(self) -> None:
        """Begin to connect to hosts."""
        self._selector.register(self._wake_out, selectors.EVENT_READ, None)
        self._thread = threading.Thread(target=self._run, name="ovsdb", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Close every connection and end the thread; hosts being cleared get the time they were promised.

        What is written on the other hosts stays.
        """
        with self._lock:
            if self._stopping:
                return
            self._stopping = True
        self._wake()
        if self._thread is not None:
            self._thread.join(_STOP_TIMEOUT_S)
            if self._thread.is_alive():
                raise OvsdbError(
                    f"the OVSDB thread did not end in {_STOP_TIMEOUT_S:g} s: on_change is waiting for something"
                )
            self._thread = None
        self._selector.close()
        self._wake_in.close()
        self._wake_out.close()

    def add_host(self, name: str, target: str) -> None:
        """Begin to watch a host.

        Raises:
            TargetError: the address cannot be used.
            HostExistsError: the name is in use.
        """
        peer = Peer(name, parse_target(target), self._selector)
        with self._lock:
            if name in self._entries:
                raise HostExistsError(host=name)
            self._entries[name] = Entry(peer=peer, view=peer.view)
            self._arrivals.append(peer)
        self._wake()

    def remove_host(self, name: str, *, clear: bool) -> None:
        """Stop watching a host; with ``clear``, first take what Weft wrote off its bridge.

        The clearing goes on without the caller, for at most ``CLEAR_TIMEOUT_S``: a host that cannot be reached keeps
        its rows, which is logged. A host added at the same address meanwhile waits until it is over.

        Raises:
            UnknownHostError: there is no such host.
        """
        with self._lock:
            self._removals.append(_Removal(peer=self._entry(name).peer, clear=clear))
            del self._entries[name]
        self._wake()

    def set_desired(self, name: str, desired: HostDesired) -> None:
        """State what a host should be like, whole; applied as soon as it is synced and whenever it drifts from it.

        Raises:
            UnknownHostError: there is no such host.
        """
        with self._lock:
            entry = self._entry(name)
            entry.is_desired = True
            news = self._news_of(name, entry)
            news.desired, news.bridge, news.ports = desired, None, {}
        self._wake()

    def set_bridge(self, name: str, bridge: BridgeConfig) -> None:
        """State what a host's bridge should be like from now on, its ports unchanged.

        Raises:
            UnknownHostError: there is no such host.
            NotDesiredError: nothing was desired of it before: its ports would be taken off.
        """
        with self._lock:
            self._news_of(name, self._changeable(name)).bridge = bridge
        self._wake()

    def set_ports(self, name: str, ports: Mapping[str, PrewiredPort | None]) -> None:
        """State some ports of a host anew, by their iface-id, or that they are no longer wanted when None.

        The cost is that of the ports named; what comes while a transaction is under way goes into the next one.

        Raises:
            UnknownHostError: there is no such host.
            NotDesiredError: nothing was desired of it before: its other ports would be taken off.
        """
        with self._lock:
            self._news_of(name, self._changeable(name)).ports.update(ports)
        self._wake()

    def take_changes(self, name: str) -> RowChanges:
        """Return what became of a host's interfaces since this was last asked; whole at first and after a resync.

        Raises:
            UnknownHostError: there is no such host.
        """
        with self._lock:
            entry = self._entry(name)
            changes = RowChanges(view=entry.view, whole=entry.is_whole, rows=entry.rows)
            entry.rows, entry.is_whole = {}, False
            return changes

    def view(self, name: str) -> HostView:
        """Return what is known of a host now; raises UnknownHostError."""
        with self._lock:
            return self._entry(name).view

    def write_error(self, name: str) -> str | None:
        """Return why a host is not as desired, or None; raises UnknownHostError."""
        with self._lock:
            return self._entry(name).write_error

    def _entry(self, name: str) -> Entry:
        entry = self._entries.get(name)
        if entry is None:
            raise UnknownHostError(host=name)
        return entry

    def _changeable(self, name: str) -> Entry:
        entry = self._entry(name)
        if not entry.is_desired:
            raise NotDesiredError(host=name)
        return entry

    def _news_of(self, name: str, entry: Entry) -> News:
        if entry.news is None:
            entry.news = News()
            self._news.append(name)
        return entry.news

    def _wake(self) -> None:
        with suppress(BlockingIOError):  # when full, the loop has not even read the earlier calls to wake up
            self._wake_in.send(b"\0")

    def _run(self) -> None:
        while self._turn():
            pass
        for peer in self._peers:
            peer.close()

    def _turn(self) -> bool:
        """Do everything that is due, then tell of what changed; return whether to go on."""
        timeout = max(0.0, self._timers[0][0] - self._clock()) if self._timers else None
        touched: set[Peer] = set()
        ready = self._selector.select(timeout)
        now = self._clock()
        for key, events in ready:
            if key.data is None:
                self._wake_out.recv(4096)
            else:
                self._attempt(key.data, now, partial(key.data.handle, events, now))
                touched.add(key.data)
        is_stopping = self._take_inbox(now, touched)
        # After the sockets: what a peer sent while this thread was busy must count before its silence does.
        while self._timers and self._timers[0][0] <= now:
            when, _, peer = heapq.heappop(self._timers)
            if when != peer.timer_at:
                continue  # overtaken by an earlier one
            peer.timer_at = None
            if peer in self._peers:
                self._attempt(peer, now, partial(peer.tick, now))
                touched.add(peer)
        for peer in touched:
            self._settle(peer, now)
        self._publish(touched)
        return not is_stopping or bool(self._leaving)

    def _take_inbox(self, now: float, touched: set[Peer]) -> bool:
        """Take over what callers asked for since the last turn; return whether to stop."""
        with self._lock:
            is_stopping = self._stopping
            arrivals, self._arrivals = self._arrivals, []
            removals, self._removals = self._removals, []
            wanted = []
            for name in self._news:
                entry = self._entries.get(name)
                if entry and entry.news:
                    wanted.append((entry.peer, entry.news))
                    entry.news = None
            self._news = []
        for peer, news in wanted:
            news.tell(peer.writer)
            self._attempt(peer, now, partial(peer.advance, now))
        for removal in removals:
            self._leaving[removal.peer] = removal
            if removal.clear:
                removal.peer.begin_clearing(now + CLEAR_TIMEOUT_S)
                self._attempt(removal.peer, now, partial(removal.peer.advance, now))
        self._arriving += arrivals
        self._let_in(now, touched)
        touched.update((peer for peer, _ in wanted), (removal.peer for removal in removals))
        return is_stopping

    def _let_in(self, now: float, touched: set[Peer]) -> None:
        """Begin with the new hosts, except where the host that was at the same address is still being cleared."""
        waiting = []
        for peer in self._arriving:
            if any(other is not peer and other.target == peer.target for other in self._leaving):
                waiting.append(peer)
            else:
                self._peers.add(peer)
                self._attempt(peer, now, partial(peer.tick, now))
                touched.add(peer)
        self._arriving = waiting

    def _attempt(self, peer: Peer, now: float, act: Callable[[], None]) -> None:
        """Run one step of one host; whatever goes wrong costs that host its connection and no other host anything."""
        try:
            act()
        except (PeerError, OSError) as error:
            peer.lose(error, now)
        except Exception as error:  # noqa: BLE001 - a defect met by one host must not end the thread of all
            _log.exception("ovsdb_internal_error host=%s", peer.name)
            peer.lose(error, now)

    def _settle(self, peer: Peer, now: float) -> None:
        """Let go of a host that is done leaving, else note when to look at it again."""
        removal = self._leaving.get(peer)
        if removal and (not removal.clear or peer.is_cleared or peer.has_overstayed(now)):
            if removal.clear and not peer.is_cleared:
                _log.warning("ovsdb_not_cleared host=%s target=%s", peer.name, peer.target.text)
            _log.info("ovsdb_host_removed host=%s cleared=%s", peer.name, peer.is_cleared)
            del self._leaving[peer]
            self._peers.discard(peer)
            self._arriving = [other for other in self._arriving if other is not peer]
            peer.close()
            self._wake()  # somebody may have waited for this address
        elif peer in self._peers and (peer.timer_at is None or peer.deadline < peer.timer_at):
            peer.timer_at = peer.deadline
            self._timer_number += 1
            heapq.heappush(self._timers, (peer.timer_at, self._timer_number, peer))

    def _publish(self, touched: set[Peer]) -> None:
        changed = []
        with self._lock:
            for peer in touched:
                entry = self._entries.get(peer.name)
                if entry is None or entry.peer is not peer:
                    continue
                is_whole, rows = peer.shown.take()
                if is_whole or rows:
                    entry.merge(rows, is_whole=is_whole)
                elif (entry.view, entry.write_error) == (peer.view, peer.writer.error):
                    continue
                entry.view, entry.write_error = peer.view, peer.writer.error
                changed.append(peer.name)
        for name in changed:
            try:
                self._on_change(name)
            except Exception:  # noqa: BLE001 - the caller's defect must not end the thread of all hosts
                _log.exception("ovsdb_callback_failed host=%s", name)
