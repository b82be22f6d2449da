"""How does one switch come to hold what is desired of it, and stay so?

One worker a datapath, living across connections. It keeps the desired state as bytes, also while the switch is away:

    load / apply ──▶ inbox ──▶ mirror ──┬─ connected for the first time: read the switch, send the difference ──▶ Synced
                                        └─ connected and synced: send what changed since ────────────────────▶ Applied

Whatever goes wrong on the way ends the connection, and the next one begins with reading the switch. Many changes that
wait are sent as one. Nobody but the worker ever waits for the switch.
"""

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from controller.southbound.openflow import decode, dump
from controller.southbound.openflow.connection import Connection
from controller.southbound.openflow.dump import DumpedFlow
from controller.southbound.openflow.encode import Encoder, cookie_of
from controller.southbound.openflow.errors import FramingError, NotConnectedError, NotLoadedError, UnavailableError
from controller.southbound.openflow.events import (
    Applied,
    Connected,
    Disconnected,
    Failed,
    Refusal,
    SwitchEvent,
    Synced,
)
from controller.southbound.openflow.messages import Messages
from controller.southbound.openflow.mirror import Holdings, Mirror, difference
from controller.southbound.openflow.plan import change_steps, resync_steps
from controller.southbound.openflow.session import Session
from flows.cookie import is_ours
from flows.delta import Delta, Tables

_log = logging.getLogger(__name__)

DEADLINE_S = 10.0
"""Silence of a switch after which a request is given up and the connection ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SwitchState:
    """What is known of a switch now."""

    connected: bool
    synced: bool
    """It was read in this connection, and everything but `pending` changes and refused messages is in it."""
    pending: int
    """Tokens given and not reported yet."""
    sent: int
    """Flow, group and meter modifications ever sent."""
    foreign_flows: int
    """Flows in it that are not Weft's, when it was last read."""
    features: Mapping[str, object]


class Switch:
    """The worker of one datapath. Made by `OpenFlowService.switch`."""

    def __init__(
        self,
        dpid: int,
        *,
        encoder: Encoder,
        messages: Messages,
        on_event: Callable[[int, SwitchEvent], None],
        deadline_s: float = DEADLINE_S,
    ) -> None:
        self.dpid = dpid
        self._messages, self._on_event, self._deadline_s = messages, on_event, deadline_s
        self._changed = threading.Condition()
        # Under the lock of `_changed`:
        self._connection: Connection | None = None
        self._inbox: list[tuple[Tables | Delta, list[object]]] = []
        """What waits, each with the tokens it answers."""
        self._is_loaded = False
        self._is_stopping = False
        self._is_synced = False
        self._tokens: list[object] = []
        """Taken from the inbox and not reported yet, in order."""
        self._sent = 0
        self._foreign = 0
        self._features: Mapping[str, object] = {}
        # The worker's own:
        self._mirror = Mirror(encoder)
        self._mirror_is_loaded = False
        self._unencodable: list[Refusal] = []
        self._session: Session | None = None
        self._is_broken = False
        self._last_token: object = None
        self._thread = threading.Thread(target=self._run, name=f"switch-{dpid:016x}", daemon=True)

    # what any thread may call -----------------------------------------------------------------------------------------

    def load(self, tables: Tables, token: object) -> None:
        """Give the complete desired state: the first time, or when the deltas have a gap. The switch is read again."""
        with self._changed:
            # What it replaces is never sent; it answers for it.
            older = [waiting for _, tokens in self._inbox for waiting in tokens]
            self._inbox = [(tables, [*older, token])]
            self._is_loaded = True
            self._is_synced = False
            self._changed.notify_all()

    def apply(self, delta: Delta, token: object) -> None:
        """Give what changes; never waits.

        Raises:
            NotLoadedError: There is no complete state that it could change.
        """
        with self._changed:
            if not self._is_loaded:
                raise NotLoadedError(self.dpid)
            self._inbox.append((delta, [token]))
            self._changed.notify_all()

    def dump(self, deadline_s: float) -> list[DumpedFlow]:
        """Return the flows that are in the switch now.

        Raises:
            UnavailableError: Not connected, or no answer within `deadline_s` seconds.
            FramingError: The answer makes no sense.
        """
        with self._changed:
            connection = self._connection
        if connection is None:
            raise NotConnectedError(self.dpid)
        waiting = connection.replies.expect()
        connection.write(self._messages.dump_flows(waiting.xid))
        return list(dump.flows(connection.replies.wait(waiting, "flow dump", deadline_s, whole=True)))

    @property
    def state(self) -> SwitchState:
        """What is known now."""
        with self._changed:
            return SwitchState(
                connected=self._connection is not None,
                synced=self._is_synced and self._connection is not None,
                pending=len(self._tokens) + sum(len(tokens) for _, tokens in self._inbox),
                sent=self._sent,
                foreign_flows=self._foreign,
                features=self._features,
            )

    @property
    def features(self) -> Mapping[str, object]:
        """What the switch said it is and can do, when it last connected; empty before."""
        return self.state.features

    @property
    def sent(self) -> int:
        """How many flow, group and meter modifications were ever sent."""
        return self.state.sent

    # what the service calls -------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End the worker and its connection; the switch keeps what it holds. No event comes after this returns."""
        with self._changed:
            self._is_stopping = True
            connection = self._connection
            self._changed.notify_all()
        if connection is not None:
            connection.close()
        if self._thread is not threading.current_thread():
            self._thread.join()

    def attach(self, connection: Connection) -> None:
        """Take a new connection; an older one is as good as dead."""
        with self._changed:
            older, self._connection = self._connection, connection
            is_stopping = self._is_stopping
            self._changed.notify_all()
        if older is not None:
            older.close("replaced by a newer connection")
        if is_stopping:
            connection.close()

    def detach(self, connection: Connection) -> None:
        """Note that a connection ended."""
        with self._changed:
            if self._connection is connection:
                self._connection = None
                self._is_synced = False
                self._changed.notify_all()

    # the worker -------------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(self._has_work)
                if self._is_stopping:
                    return
                connection = self._connection
                inbox, self._inbox = self._inbox, []
                self._tokens += [token for _, tokens in inbox for token in tokens]
            for state, _ in inbox:
                self._take(state)
            self._meet(connection)
            if self._session is not None and not self._is_broken:
                self._tell(self._session)

    def _has_work(self) -> bool:
        known = None if self._session is None else self._session.connection
        return self._is_stopping or bool(self._inbox) or self._connection is not known

    def _take(self, state: Tables | Delta) -> None:
        """Bring the mirror up to date."""
        if isinstance(state, Tables):
            self._unencodable = self._mirror.load(state)
            self._mirror_is_loaded = True
            with self._changed:
                self._is_synced = False
        else:
            self._unencodable += self._mirror.apply(state)

    def _meet(self, connection: Connection | None) -> None:
        """Note which connection there is, and tell of it."""
        if self._session is not None and self._session.connection is not connection:
            self._session = None
            self._emit(Disconnected())
        if self._session is None and connection is not None:
            self._session, self._is_broken = Session(connection, self._messages, self._deadline_s), False
            with self._changed:
                self._is_synced = False
            self._emit(Connected())
            self._attempt(self._session, self._describe)

    def _describe(self, session: Session) -> None:
        found = session.describe()
        with self._changed:
            self._features = found

    def _tell(self, session: Session) -> None:
        with self._changed:
            is_synced = self._is_synced and self._connection is session.connection
        if not self._mirror_is_loaded:
            return
        self._attempt(session, self._send_changes if is_synced else self._resync)

    def _attempt(self, session: Session, work: Callable[[Session], None]) -> None:
        """Do what needs the switch; when it fails, end the connection, so that the next one starts by reading."""
        before = session.sent
        try:
            work(session)
        except (UnavailableError, FramingError) as error:
            _log.warning("switch_unavailable dpid=%016x error=%r", self.dpid, str(error))
            self._give_up(session, str(error))
        except Exception as error:  # noqa: BLE001 - whatever it is, a dead worker would never tell
            _log.exception("switch_worker_failed dpid=%016x", self.dpid)
            self._give_up(session, f"an error in Weft: {error!r}")
        finally:
            with self._changed:
                self._sent += session.sent - before

    def _give_up(self, session: Session, why: str) -> None:
        self._is_broken = True
        session.connection.close(why)

    def _resync(self, session: Session) -> None:
        """Read the switch and send what differs."""
        self._mirror.forget_changes()
        installed = session.read()
        self._count_foreign(installed)
        change = difference(self._mirror.desired, installed, is_ours=_entry_is_ours)
        before = session.sent
        refusals = [*self._unencodable, *session.push(resync_steps(change))]
        _log.info(
            "switch_synced dpid=%016x flows=%d sent=%d refused=%d foreign=%d",
            *(self.dpid, len(self._mirror.desired.flows), session.sent - before, len(refusals), self._foreign),
        )
        tokens = self._confirm(session)
        self._last_token = tokens[-1] if tokens else self._last_token
        if refusals:
            self._emit_failed([self._last_token], refusals)
        else:
            self._emit(Synced(self._last_token))

    def _send_changes(self, session: Session) -> None:
        """Send what the deltas changed since the switch was last up to date."""
        unencodable, self._unencodable = self._unencodable, []
        refusals = [*unencodable, *session.push(change_steps(self._mirror.changes()))]
        tokens = self._confirm(session)
        self._last_token = tokens[-1] if tokens else self._last_token
        if refusals:
            self._emit_failed(tokens, refusals)
        else:
            for token in tokens:
                self._emit(Applied(token))

    def _confirm(self, session: Session) -> list[object]:
        """Note that the switch is up to date; return the tokens this answers."""
        with self._changed:
            # A load that came meanwhile has made the switch to be read again; then this is not the last word.
            newer_load = any(isinstance(state, Tables) for state, _ in self._inbox)
            self._is_synced = self._connection is session.connection and not newer_load
            tokens, self._tokens = self._tokens, []
        return tokens

    def _emit_failed(self, tokens: list[object], refusals: list[Refusal]) -> None:
        for refusal in refusals:
            _log.error("switch_refused_message dpid=%016x what=%r error=%r", self.dpid, refusal.what, refusal.error)
        for token in tokens:
            self._emit(Failed(token, tuple(refusals)))

    def _count_foreign(self, installed: Holdings) -> None:
        foreign = [flow for flow, entry in installed.flows.items() if not _entry_is_ours(entry)]
        for table, priority, match in foreign:
            if (table, priority, match) in self._mirror.desired.flows:
                _log.warning(
                    "foreign_flow_overwritten dpid=%016x table=%d priority=%d match=%s",
                    *(self.dpid, table, priority, decode.match_text(match)),
                )
        with self._changed:
            self._foreign = len(foreign)

    def _emit(self, event: SwitchEvent) -> None:
        try:
            self._on_event(self.dpid, event)
        except Exception:  # noqa: BLE001
            # The listener's mistake must not end the worker: the switch would never be written again.
            _log.exception("switch_event_failed dpid=%016x event=%r", self.dpid, event)


def _entry_is_ours(entry: bytes) -> bool:
    return is_ours(cookie_of(entry))
