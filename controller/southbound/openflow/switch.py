"""When, and over which connection, is one switch told what is desired of it?

One worker a datapath, living across connections. What comes for it is kept as bytes, also while the switch is away:

    load / apply ──▶ inbox ──▶ keeper ──┬─ connected for the first time: read the switch, send the difference ──▶ Synced
                                        └─ connected and synced: send what changed since ────────────────────▶ Applied

Whatever goes wrong on the way ends the connection, and the next one begins with reading the switch. Many changes that
wait are sent as one. Nobody but the worker ever waits for the switch. What is told, and what is done about changes that
others make in the switch, is the keeper's (`keeper`).
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping

from controller.southbound.openflow import dump, fuse
from controller.southbound.openflow.connection import Connection
from controller.southbound.openflow.dump import DumpedFlow, PortCounters
from controller.southbound.openflow.encode import Encoder
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
from controller.southbound.openflow.intent_mark import IntentMark
from controller.southbound.openflow.keeper import Keeper
from controller.southbound.openflow.messages import Messages
from controller.southbound.openflow.session import Session
from controller.southbound.openflow.state import SwitchState
from flows.delta import Delta, Tables

_log = logging.getLogger(__name__)

PROVE_AGAIN_S = 0.05
"""Time between two looks at the numbers of a switch's ports while they are not those the flows count on."""
DEADLINE_S = 10.0
"""Silence of a switch after which a request is given up and the connection ended."""
Misnumbered = Callable[[int, Mapping[int, str]], str | None]
"""Given a datapath id and the device name of each OpenFlow number: why no flow may go in yet, or None."""


class Switch:
    """The worker of one datapath. Made by `OpenFlowService.switch`."""

    def __init__(
        self,
        dpid: int,
        *,
        encoder: Encoder,
        messages: Messages,
        on_event: Callable[[int, SwitchEvent], None],
        misnumbered: Misnumbered,
        deadline_s: float = DEADLINE_S,
    ) -> None:
        self.dpid = dpid
        self._misnumbered = misnumbered
        self._messages, self._on_event, self._deadline_s = messages, on_event, deadline_s
        self._changed = threading.Condition()
        # Under the lock of `_changed`:
        self._connection: Connection | None = None
        self._inbox: list[tuple[Tables | Delta, list[object], IntentMark | None]] = []
        """What waits, each with the tokens it answers and the intent it was compiled from."""
        self._is_loaded = False
        self._is_stopping = False
        self._is_synced = False
        self._tokens: list[object] = []
        """Taken from the inbox and not reported yet, in order."""
        self._sent = 0
        self._features: Mapping[str, object] = {}
        self._is_accepted = False
        # The worker's own:
        self._keeper = Keeper(dpid, encoder=encoder, emit=self._emit)
        self._session: Session | None = None
        self._is_broken = False
        self._prove_at: float | None = None
        """When to look again whether ports have the numbers the flows count on; None when that is not in question."""
        self._last_token: object = None
        self._thread = threading.Thread(target=self._run, name=f"switch-{dpid:016x}", daemon=True)

    # what any thread may call -----------------------------------------------------------------------------------------

    def load(self, tables: Tables, token: object, intent: IntentMark | None = None) -> None:
        """Give the complete desired state: the first time, or when the deltas have a gap. The switch is read again.

        Without the `intent` it was compiled from, the switch gets no mark and no delete is withheld.
        """
        with self._changed:
            # What it replaces is never sent; it answers for it.
            older = [waiting for _, tokens, _ in self._inbox for waiting in tokens]
            stale = [_only_zones(state) for state, *_ in self._inbox if isinstance(state, Delta)]
            self._inbox = [(tables, [*older, token], intent), *((zones, [], intent) for zones in stale if zones)]
            self._is_loaded = True
            self._is_synced = False
            self._changed.notify_all()

    def apply(self, delta: Delta, token: object, intent: IntentMark | None = None) -> None:
        """Give what changes; never waits.

        Raises:
            NotLoadedError: There is no complete state that it could change.
        """
        with self._changed:
            if not self._is_loaded:
                raise NotLoadedError(self.dpid)
            self._inbox.append((delta, [token], intent))
            self._changed.notify_all()

    def adopt(self) -> None:
        """Let flows of others be deleted when the switch is next read, if Weft has never filled it."""
        self._keeper.sweep()

    def accept(self) -> int:
        """Let the deletes that are withheld be carried out, now or as soon as the switch is back; return how many."""
        with self._changed:
            withheld = self._keeper.shown.withheld
            if withheld.why:
                self._is_accepted, self._is_synced = True, False
                self._changed.notify_all()
        return withheld.deletes

    def dump(self, deadline_s: float) -> list[DumpedFlow]:
        """Return the flows that are in the switch now.

        Raises:
            UnavailableError: Not connected, or no answer within `deadline_s` seconds.
            FramingError: The answer makes no sense.
        """
        return list(dump.flows(self._question(self._messages.dump_flows, "flow dump", deadline_s)))

    def port_counters(self, deadline_s: float) -> dict[int, PortCounters]:
        """Return what the switch counted at each of its ports, by OpenFlow number; raises as `dump`."""
        return dump.port_counters(self._question(self._messages.count_ports, "port statistics", deadline_s))

    def _question(self, request: Callable[[int], bytes], what: str, deadline_s: float) -> list[bytes]:
        """Return the parts of the answer to a question that is not the worker's."""
        with self._changed:
            connection = self._connection
        if connection is None:
            raise NotConnectedError(self.dpid)
        waiting = connection.replies.expect()
        connection.write(request(waiting.xid))
        return connection.replies.wait(waiting, what, deadline_s, whole=True)

    @property
    def state(self) -> SwitchState:
        """What is known now."""
        with self._changed:
            shown = self._keeper.shown
            return SwitchState(
                connected=self._connection is not None,
                synced=self._is_synced and self._connection is not None,
                pending=len(self._tokens) + sum(len(tokens) for _, tokens, _ in self._inbox),
                sent=self._sent,
                foreign_flows=shown.foreign,
                foreign_normal=shown.bypassing,
                drift_count=shown.drift_count,
                drift_examples=shown.drift_examples,
                withheld=shown.withheld.deletes,
                problem=shown.problem,
                features=self._features and {**self._features, "foreign_normal": shown.bypassing},
            )

    @property
    def problem(self) -> str | None:
        """What somebody has to decide or do about the switch, in one sentence; None when nothing."""
        return self._keeper.shown.problem

    @property
    def drift(self) -> int:
        """How many flows, groups and meters were ever found changed behind Weft's back."""
        return self._keeper.shown.drift_count

    @property
    def features(self) -> Mapping[str, object]:
        """What the switch said it is and can do, when it last connected; empty before."""
        with self._changed:
            found = self._features
        return found and {**found, "foreign_normal": self._keeper.shown.bypassing}

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

    def hear(self, connection: Connection, message: bytes) -> None:
        """Take what the switch tells of changes that others made; see `monitor.is_update`."""
        with self._changed:
            if connection is self._connection and self._keeper.lookout.hear(message):
                self._changed.notify_all()

    # the worker -------------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._has_work():
                    self._changed.wait(self._rest_s())
                if self._is_stopping:
                    return
                connection = self._connection
            has_news = self._take_waiting()
            self._meet(connection)
            if self._session is not None and not self._is_broken:
                self._tell(self._session, has_news=has_news)
            self._prepare()

    def _take_waiting(self) -> bool:
        """Hand everything that came to the keeper; return whether anything did."""
        with self._changed:
            inbox, self._inbox = self._inbox, []
            self._tokens += [token for _, tokens, _ in inbox for token in tokens]
            accepted, self._is_accepted = self._keeper.shown.withheld if self._is_accepted else fuse.Ruling(), False
        self._keeper.accept(accepted)
        for state, _, intent in inbox:
            self._take(state, intent)
        return bool(inbox)

    def _prepare(self) -> None:
        """Make bytes of what is desired until there is something else to do."""
        for _ in self._keeper.prepare():
            with self._changed:
                if self._has_work():
                    return

    def _has_work(self) -> bool:
        known = None if self._session is None else self._session.connection
        if self._is_stopping or self._inbox or self._is_accepted or self._connection is not known:
            return True
        rest_s = self._rest_s()
        return rest_s is not None and rest_s <= 0

    def _rest_s(self) -> float | None:
        """Return in how many seconds there is something to look at, None when only news can make it so."""
        if self._prove_at is not None:
            return self._prove_at - time.monotonic()
        if not self._is_synced or self._connection is None or self._is_broken:
            return None
        return self._keeper.lookout.due_at - time.monotonic()

    def _take(self, state: Tables | Delta, intent: IntentMark | None) -> None:
        """Hand what came to the keeper."""
        self._keeper.take(state, intent)
        if isinstance(state, Tables):
            with self._changed:
                self._is_synced = False

    def _meet(self, connection: Connection | None) -> None:
        """Note which connection there is, and tell of it."""
        if self._session is not None and self._session.connection is not connection:
            self._session, self._prove_at = None, None
            self._emit(Disconnected())
        if self._session is None and connection is not None:
            self._session, self._is_broken = Session(connection, self._messages, self._deadline_s), False
            with self._changed:
                self._is_synced = False
            self._prove_at = None
            self._emit(Connected())
            self._attempt(self._session, self._describe)

    def _describe(self, session: Session) -> None:
        features = self._keeper.begin(session)
        with self._changed:
            self._features = features

    def _tell(self, session: Session, *, has_news: bool) -> None:
        if not self._keeper.is_loaded:
            return
        if not (session.numbers_are_proved or self._proves_numbers(session)):
            return
        if not self._is_up_to_date(session):
            self._attempt(session, self._resync)
        elif has_news:
            self._attempt(session, self._send_changes)
        if not self._is_broken and self._is_up_to_date(session):
            self._attempt(session, self._watch)

    def _proves_numbers(self, session: Session) -> bool:
        """Whether the numbers in the flows, as they are when this returns, are those of the switch."""
        self._attempt(session, self._prove_numbers)
        # What made them right may have come while they were asked about: the first flows must have it.
        self._take_waiting()
        return session.numbers_are_proved and not self._is_broken

    def _prove_numbers(self, session: Session) -> None:
        """Let nothing into a switch that has given the numbers in the flows to other devices; look again soon."""
        why = self._misnumbered(self.dpid, session.devices())
        if why is None:
            session.numbers_are_proved, self._prove_at = True, None
            return
        if self._prove_at is None:
            _log.warning("switch_misnumbered dpid=%016x why=%r", self.dpid, why)
        self._prove_at = time.monotonic() + PROVE_AGAIN_S

    def _is_up_to_date(self, session: Session) -> bool:
        with self._changed:
            return self._is_synced and self._connection is session.connection

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

    # reporting --------------------------------------------------------------------------------------------------------

    def _resync(self, session: Session) -> None:
        self._report_whole(session, self._keeper.resync(session))

    def _watch(self, session: Session) -> None:
        refusals = self._keeper.watch(session)
        if refusals is not None:
            self._report_whole(session, refusals)

    def _report_whole(self, session: Session, refusals: list[Refusal]) -> None:
        """Report that the switch holds everything that is desired."""
        tokens = self._confirm(session)
        self._last_token = tokens[-1] if tokens else self._last_token
        if refusals:
            self._emit_failed([self._last_token], refusals)
        else:
            self._emit(Synced(self._last_token))

    def _send_changes(self, session: Session) -> None:
        refusals = self._keeper.send_changes(session)
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
            newer_load = any(isinstance(state, Tables) for state, *_ in self._inbox)
            self._is_synced = self._connection is session.connection and not newer_load
            tokens, self._tokens = self._tokens, []
            if self._is_synced:
                self._keeper.settled()
        return tokens

    def _emit_failed(self, tokens: list[object], refusals: list[Refusal]) -> None:
        for refusal in refusals:
            _log.error("switch_refused_message dpid=%016x what=%r error=%r", self.dpid, refusal.what, refusal.error)
        for token in tokens:
            self._emit(Failed(token, tuple(refusals)))

    def _emit(self, event: SwitchEvent) -> None:
        try:
            self._on_event(self.dpid, event)
        except Exception:  # noqa: BLE001
            # The listener's mistake must not end the worker: the switch would never be written again.
            _log.exception("switch_event_failed dpid=%016x event=%r", self.dpid, event)


def _only_zones(delta: Delta) -> Delta:
    """Return what a delta that is never sent leaves to be done: conntrack zones are in no table."""
    return Delta(flushed_zones=delta.flushed_zones, revoked_zones=delta.revoked_zones)
