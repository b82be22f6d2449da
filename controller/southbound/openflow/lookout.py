"""Is a switch still as Weft left it, as far as it tells or can be counted?

    what the switch tells (`monitor`) ──▶ notes ──▶ foreign flows kept up to date
                                                └─▶ of ours? ──┐
    now and then: how many flows, which groups and meters ─ odd? ──▶ somebody should read the switch (`is_look_due`)

Nothing is repaired here, and nothing is sent but questions; what differs is known when the switch was read.
"""

import logging
import threading
import time
from collections.abc import Callable

from controller.southbound.openflow import decode, drift, mark, monitor
from controller.southbound.openflow.encode import FlowId, cookie_of
from controller.southbound.openflow.events import Subject
from controller.southbound.openflow.mark import Mark
from controller.southbound.openflow.mirror import Change, Holdings, difference
from controller.southbound.openflow.session import Session
from flows.cookie import is_ours

_log = logging.getLogger(__name__)

GATHER_S = 0.05
"""Time for which updates of the switch are gathered before they are read."""


class Lookout:
    """What is known of changes that others make in one switch. Its worker's own, but for `hear`."""

    def __init__(self, dpid: int) -> None:
        self._dpid = dpid
        self._lock = threading.Lock()
        self._notes, self._notes_at = monitor.Notes(), 0.0
        self._pace = drift.Pace(drift.BELT_S, 0.0)
        self._count: int | None = None
        """Flows that are not foreign, at the last audit since Weft last changed any."""
        self.foreign = drift.Foreign()
        self.tells_changes = False
        """Whether the switch tells of every change that others make."""

    def hear(self, message: bytes) -> bool:
        """Take what the switch tells, see `monitor.is_update`; whether it is the first of some, to be read soon."""
        with self._lock:
            is_first = not self._notes
            if is_first:
                self._notes_at = time.monotonic() + GATHER_S
            self._notes.add(message)
            return is_first

    @property
    def due_at(self) -> float:
        """When there is something to look at."""
        with self._lock:
            return min(self._pace.next_at, self._notes_at) if self._notes else self._pace.next_at

    def begin(self, session: Session) -> None:
        """Ask a switch that has just connected to tell what changes.

        Raises:
            UnavailableError: The switch did not answer.
        """
        self.tells_changes = session.listen()
        self._pace = drift.Pace(drift.BELT_S if self.tells_changes else drift.AUDIT_S, time.monotonic())

    def read(self, session: Session) -> tuple[Holdings, Mark | None]:
        """Return what the switch holds, and apart from it what its mark says.

        Raises:
            UnavailableError: The switch did not answer.
            FramingError: Its answer makes no sense.
        """
        began = time.monotonic()
        with self._lock:
            self._notes.take()  # the switch's answer says it all
        installed = session.read()
        seen = mark.take(installed)
        self.foreign.replace(installed.flows)
        self._count = None
        self._pace.looked(began, time.monotonic())
        return installed, seen

    def wrote(self, change: Change) -> None:
        """Note what Weft told the switch: what it set is not foreign, and the number of flows is another one."""
        if self.foreign:
            for flow, entry in change.flows.items():
                if entry is not None and flow in self.foreign:
                    self._say_overwritten(flow)
                    self.foreign.remove(flow)
        self._count = None
        self._pace.wrote(time.monotonic())

    def take_notes(self, desired: Holdings) -> bool:
        """Take in what the switch told, if that is due; whether it told anything of single flows.

        Raises:
            FramingError: What it says makes no sense.
        """
        now = time.monotonic()
        with self._lock:
            messages, is_overflown = self._notes.take() if self._notes and now >= self._notes_at else ([], False)
        updates, is_vague = monitor.read(messages)
        for update in updates:
            self.foreign.update(update)
        if is_vague or is_overflown or any(_concerns(update, desired) for update in updates):
            self._pace.hear(now)
        return bool(updates)

    def is_look_due(self, session: Session, desired: Holdings, known: Callable[[], set[Subject]]) -> bool:
        """Count what the switch holds when that is due; whether the switch is to be read now.

        Args:
            session: To ask it.
            desired: What it was told.
            known: Returns what is known to differ: refused or withheld.

        Raises:
            UnavailableError: The switch did not answer.
            FramingError: Its answer makes no sense.
        """
        if self._pace.is_audit_due(time.monotonic()):
            self._audit(session, desired, known)
        return self._pace.is_look_due(time.monotonic())

    def _audit(self, session: Session, desired: Holdings, known: Callable[[], set[Subject]]) -> None:
        """Count what the switch holds, and compare what it does not tell of; where anything is odd, a look is due."""
        count = session.count() - len(self.foreign)
        is_odd = self._count not in {None, count}
        self._count = count
        if not self.tells_changes:
            parts = Holdings(groups=desired.groups, meters=desired.meters)
            change = difference(parts, session.read_parts(), is_ours=drift.entry_is_ours)
            is_odd = is_odd or not known().issuperset(drift.subjects(change))
        now = time.monotonic()
        self._pace.audited(now)
        if is_odd:
            self._pace.hear(now)

    def _say_overwritten(self, flow: FlowId) -> None:
        table, priority, match = flow
        _log.warning(
            "foreign_flow_overwritten dpid=%016x table=%d priority=%d match=%s",
            *(self._dpid, table, priority, decode.match_text(match)),
        )


def _concerns(update: monitor.Update, desired: Holdings) -> bool:
    """Whether an update is of a flow of ours, or of one in the place of ours; the mark does not count."""
    if update.flow in desired.flows:
        return True
    cookie = cookie_of(update.entry)
    return is_ours(cookie) and not mark.is_mark(cookie)
