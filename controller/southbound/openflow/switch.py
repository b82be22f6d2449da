"""How does one switch come to hold what is desired of it, and stay so?

One worker a datapath, living across connections. It keeps the desired state as bytes, also while the switch is away:

    load / apply ──▶ inbox ──▶ mirror ──┬─ connected for the first time: read the switch, send the difference ──▶ Synced
                                        └─ connected and synced: send what changed since ────────────────────▶ Applied

Whatever goes wrong on the way ends the connection, and the next one begins with reading the switch. Many changes that
wait are sent as one. Nobody but the worker ever waits for the switch.

A synced switch tells of what others change in it (`monitor`); what concerns Weft makes the worker read it again, and
what differs then is drift (`drift`). Deletes that nothing explains are withheld (`fuse`).
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from itertools import islice

from controller.southbound.openflow import decode, drift, dump, fuse, mark, monitor
from controller.southbound.openflow.connection import Connection
from controller.southbound.openflow.dump import DumpedFlow
from controller.southbound.openflow.encode import Encoder, cookie_of
from controller.southbound.openflow.errors import FramingError, NotConnectedError, NotLoadedError, UnavailableError
from controller.southbound.openflow.events import (
    Applied,
    Connected,
    Disconnected,
    Drifted,
    Failed,
    Refusal,
    Subject,
    SwitchEvent,
    Synced,
    Withheld,
)
from controller.southbound.openflow.mark import IntentMark, Mark
from controller.southbound.openflow.messages import Messages
from controller.southbound.openflow.mirror import Change, Holdings, Mirror, difference
from controller.southbound.openflow.plan import Step, change_steps, marked, resync_steps
from controller.southbound.openflow.session import Session
from controller.southbound.openflow.state import SwitchState
from controller.southbound.openflow.zones import Zones
from flows.cookie import is_ours
from flows.delta import Delta, Tables

_log = logging.getLogger(__name__)

GATHER_S = 0.05
"""Time for which updates of the switch are gathered before they are read."""
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
        self._zones_to_flush: set[int] = set()
        """Conntrack zones to be emptied, of the deltas in the inbox and of those a `load` replaced there."""
        self._sent = 0
        self._features: Mapping[str, object] = {}
        self._notes, self._notes_at = monitor.Notes(), 0.0
        self._foreign_seen: tuple[int, int, str | None] = (0, 0, None)
        """How many foreign flows there are, how many bypass Weft, and what is to be said of them."""
        self._drift_count = 0
        self._drift_examples: tuple[str, ...] = ()
        self._withheld = fuse.Ruling()
        self._is_accepted = False
        # The worker's own:
        self._mirror = Mirror(encoder)
        self._zones_in = Zones(encoder)
        self._mirror_is_loaded = False
        self._unencodable: list[Refusal] = []
        self._zones: set[int] = set()
        """Conntrack zones to be emptied once the switch holds what is desired now."""
        self._session: Session | None = None
        self._is_broken = False
        self._prove_at: float | None = None
        """When to look again whether ports have the numbers the flows count on; None when that is not in question."""
        self._last_token: object = None
        self._intent: IntentMark | None = None
        self._refused: set[Subject] = set()
        self._foreign = drift.Foreign()
        self._tells_changes = False
        self._pace = drift.Pace(drift.BELT_S, 0.0)
        self._count: int | None = None
        """Flows that are not foreign, at the last audit since Weft last changed any."""
        self._thread = threading.Thread(target=self._run, name=f"switch-{dpid:016x}", daemon=True)

    # what any thread may call -----------------------------------------------------------------------------------------

    def load(self, tables: Tables, token: object, intent: IntentMark | None = None) -> None:
        """Give the complete desired state: the first time, or when the deltas have a gap. The switch is read again.

        Without the `intent` it was compiled from, the switch gets no mark and no delete is withheld.
        """
        with self._changed:
            # What it replaces is never sent; it answers for it.
            older = [waiting for _, tokens, _ in self._inbox for waiting in tokens]
            self._inbox = [(tables, [*older, token], intent)]
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
            self._zones_to_flush.update(delta.flushed_zones)
            self._changed.notify_all()

    def accept(self) -> int:
        """Let the deletes that are withheld be carried out, now or as soon as the switch is back; return how many."""
        with self._changed:
            deletes = self._withheld.deletes
            if self._withheld.why:
                self._is_accepted, self._is_synced = True, False
                self._changed.notify_all()
        return deletes

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
                pending=len(self._tokens) + sum(len(tokens) for _, tokens, _ in self._inbox),
                sent=self._sent,
                foreign_flows=self._foreign_seen[0],
                foreign_normal=self._foreign_seen[1],
                drift_count=self._drift_count,
                drift_examples=self._drift_examples,
                withheld=self._withheld.deletes,
                problem="; ".join(filter(None, (self._withheld.problem, self._foreign_seen[2]))) or None,
                features=self._features and {**self._features, "foreign_normal": self._foreign_seen[1]},
            )

    @property
    def problem(self) -> str | None:
        """What somebody has to decide or do about the switch, in one sentence; None when nothing."""
        return self.state.problem

    @property
    def drift(self) -> int:
        """How many flows, groups and meters were ever found changed behind Weft's back."""
        return self.state.drift_count

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

    def hear(self, connection: Connection, message: bytes) -> None:
        """Take what the switch tells of changes that others made; see `monitor.is_update`."""
        with self._changed:
            if connection is self._connection:
                if not self._notes:
                    self._notes_at = time.monotonic() + GATHER_S
                    self._changed.notify_all()
                self._notes.add(message)

    # the worker -------------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._has_work():
                    self._changed.wait(self._rest_s())
                if self._is_stopping:
                    return
                connection = self._connection
                inbox, self._inbox = self._inbox, []
                self._zones |= self._zones_to_flush
                self._zones_to_flush = set()
                self._tokens += [token for _, tokens, _ in inbox for token in tokens]
                accepted, self._is_accepted = self._withheld if self._is_accepted else fuse.Ruling(), False
            self._mirror.removed.flows |= accepted.flows
            self._mirror.removed.groups |= accepted.groups
            self._mirror.removed.meters |= accepted.meters
            for state, _, intent in inbox:
                self._take(state, intent)
            self._meet(connection)
            if self._session is not None and not self._is_broken:
                self._tell(self._session, has_news=bool(inbox))

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
        due = min(self._pace.next_at, self._notes_at) if self._notes else self._pace.next_at
        return due - time.monotonic()

    def _take(self, state: Tables | Delta, intent: IntentMark | None) -> None:
        """Bring the mirror up to date."""
        self._intent = intent or self._intent
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
        found = session.describe()
        self._tells_changes = session.listen()
        self._pace = drift.Pace(drift.BELT_S if self._tells_changes else drift.AUDIT_S, time.monotonic())
        with self._changed:
            self._features = {**found, "tells_changes": self._tells_changes}

    def _tell(self, session: Session, *, has_news: bool) -> None:
        if not self._mirror_is_loaded:
            return
        if not session.numbers_are_proved:
            self._attempt(session, self._prove_numbers)
            if self._is_broken or not session.numbers_are_proved:
                return
        if not self._is_up_to_date(session):
            self._attempt(session, self._resync)
        elif has_news:
            self._attempt(session, self._send_changes)
        if not self._is_broken and self._is_up_to_date(session):
            self._attempt(session, self._watch)

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

    # reading and telling ----------------------------------------------------------------------------------------------

    def _resync(self, session: Session) -> None:
        """Read the switch and send what differs."""
        self._mirror.forget_changes()
        installed, seen = self._read(session)
        self._repair(session, installed, seen, difference(self._mirror.desired, installed, is_ours=_entry_is_ours))

    def _read(self, session: Session) -> tuple[Holdings, Mark | None]:
        """Return what the switch holds, and apart from it what its mark says."""
        began = time.monotonic()
        with self._changed:
            self._notes.take()  # the switch's answer says it all
        installed = session.read()
        seen = mark.take(installed)
        for flow in self._foreign.replace(installed.flows):
            if flow in self._mirror.desired.flows:
                table, priority, match = flow
                _log.warning(
                    "foreign_flow_overwritten dpid=%016x table=%d priority=%d match=%s",
                    *(self.dpid, table, priority, decode.match_text(match)),
                )
        self._count = None
        self._pace.looked(began, time.monotonic())
        self._show_foreign()
        return installed, seen

    def _repair(self, session: Session, installed: Holdings, seen: Mark | None, change: Change) -> None:
        """Send what makes the switch hold what is desired, but for deletes that nothing explains."""
        ruling = fuse.judge(
            change,
            desired=self._mirror.desired,
            installed=installed,
            removed=self._mirror.removed,
            mark=seen,
            intent=self._intent,
            before=self._withheld,
        )
        before = session.sent
        told = ruling.spare(change)
        refusals = list(self._unencodable)
        self._zones |= self._zones_in.stale(installed.flows, told.flows)
        if ruling.is_upgrade:
            refusals += session.push(resync_steps(told))
            told, ruling = ruling.upgraded(has_refusals=bool(refusals))
            self._zones |= self._zones_in.stale(installed.flows, told.flows)
        refusals += session.push(self._marked(resync_steps(told), ruling, seen))
        refusals += self._flush(session)
        self._refused.clear()
        self._note_sent(change, refusals)
        self._withhold(ruling)
        _log.info(
            "switch_synced dpid=%016x flows=%d sent=%d refused=%d foreign=%d withheld=%d",
            *(self.dpid, len(self._mirror.desired.flows), session.sent - before, len(refusals), len(self._foreign)),
            ruling.deletes,
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
        withheld = self._withheld
        change = withheld.spare(self._mirror.changes())
        refusals = [*unencodable, *session.push(self._marked(change_steps(change), withheld))]
        refusals += self._flush(session)
        self._note_sent(change, refusals)
        with self._changed:
            self._withheld = withheld.without(change)
        tokens = self._confirm(session)
        self._last_token = tokens[-1] if tokens else self._last_token
        if refusals:
            self._emit_failed(tokens, refusals)
        else:
            for token in tokens:
                self._emit(Applied(token))

    def _flush(self, session: Session) -> list[Refusal]:
        """Empty the conntrack zones of what was just changed; until that has happened they are remembered."""
        refusals = session.flush(self._zones) if self._zones else []
        self._zones.clear()
        return refusals

    def _marked(self, steps: tuple[Step, ...], withheld: fuse.Ruling, seen: Mark | None = None) -> tuple[Step, ...]:
        """Return the steps with the intent's mark; where deletes are withheld, a mark there is says so instead."""
        is_held = seen is not None and seen.is_hold
        if withheld.why:
            return steps if seen is None or is_held else marked(steps, mark.hold_mod(seen), always=True)
        return steps if self._intent is None else marked(steps, mark.mark_mod(self._intent), always=is_held)

    def _note_sent(self, change: Change, refusals: list[Refusal]) -> None:
        """Note what the switch refused, and that what was sent is not foreign."""
        self._refused.difference_update(drift.subjects(change))
        self._refused.update(refusal.subject for refusal in refusals if refusal.subject is not None)
        for flow in change.flows:
            self._foreign.remove(flow)
        self._show_foreign()
        self._count = None
        self._pace.wrote(time.monotonic())

    def _withhold(self, ruling: fuse.Ruling) -> None:
        with self._changed:
            is_news = not ruling.is_same(self._withheld)
            self._withheld = ruling if is_news else self._withheld
        if ruling.why and is_news:
            _log.warning(
                "deletes_withheld dpid=%016x deletes=%d installed=%d why=%r",
                *(self.dpid, ruling.deletes, ruling.installed, ruling.why),
            )
            self._emit(Withheld(ruling.deletes, ruling.installed, ruling.why))

    # watching ---------------------------------------------------------------------------------------------------------

    def _watch(self, session: Session) -> None:
        """Take what the switch told, and look at it when that is due."""
        now = time.monotonic()
        with self._changed:
            messages, is_overflown = self._notes.take() if self._notes and now >= self._notes_at else ([], False)
        updates, is_vague = monitor.read(messages)
        for update in updates:
            self._foreign.update(update)
        if updates:
            self._show_foreign()
        if is_vague or is_overflown or any(self._concerns(update) for update in updates):
            self._pace.hear(now)
        if self._pace.is_audit_due(now):
            self._audit(session)
        if self._pace.is_look_due(time.monotonic()):
            self._look(session)

    def _concerns(self, update: monitor.Update) -> bool:
        """Whether an update is of a flow of ours, or of one in the place of ours; the mark does not count."""
        if update.flow in self._mirror.desired.flows:
            return True
        cookie = cookie_of(update.entry)
        return is_ours(cookie) and not mark.is_mark(cookie)

    def _audit(self, session: Session) -> None:
        """Count what the switch holds, and compare what it does not tell of; where anything is odd, a look is due."""
        count = session.count() - len(self._foreign)
        is_odd = self._count not in {None, count}
        self._count = count
        if not self._tells_changes:
            parts, desired = session.read_parts(), self._mirror.desired
            change = difference(Holdings(groups=desired.groups, meters=desired.meters), parts, is_ours=_entry_is_ours)
            is_odd = is_odd or not self._known_differences().issuperset(drift.subjects(change))
        now = time.monotonic()
        self._pace.audited(now)
        if is_odd:
            self._pace.hear(now)

    def _look(self, session: Session) -> None:
        """Read the switch; what differs is drift, for all that was desired before is in it."""
        installed, seen = self._read(session)
        desired, known = self._mirror.desired, self._known_differences()
        change = difference(desired, installed, is_ours=_entry_is_ours)
        count = sum(subject not in known for subject in drift.subjects(change))
        if not count:
            return
        examples = tuple(islice(drift.differences(desired, installed, change, known), drift.EXAMPLES))
        for what in examples:
            _log.warning("switch_drift dpid=%016x what=%r count=%d", self.dpid, what, count)
        with self._changed:
            self._drift_count += count
            self._drift_examples = examples
        self._emit(Drifted(count, examples))
        self._repair(session, installed, seen, change)

    def _known_differences(self) -> set[Subject]:
        return {*self._refused, *self._withheld.subjects()}

    def _show_foreign(self) -> None:
        seen = (len(self._foreign), self._foreign.bypassing, self._foreign.problem)
        with self._changed:
            self._foreign_seen = seen

    # reporting --------------------------------------------------------------------------------------------------------

    def _confirm(self, session: Session) -> list[object]:
        """Note that the switch is up to date; return the tokens this answers."""
        with self._changed:
            # A load that came meanwhile has made the switch to be read again; then this is not the last word.
            newer_load = any(isinstance(state, Tables) for state, *_ in self._inbox)
            self._is_synced = self._connection is session.connection and not newer_load
            tokens, self._tokens = self._tokens, []
            if self._is_synced:
                self._mirror.forget_removed()
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


def _entry_is_ours(entry: bytes) -> bool:
    return is_ours(cookie_of(entry))
