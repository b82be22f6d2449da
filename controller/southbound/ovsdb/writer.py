"""When is which transaction sent to a host? Desired state, drift, and patience where a host does not become as desired.

No sockets and no clock here: ``propose`` is asked whenever anything changed or the time in ``deadline`` has come.
"""

import logging
from enum import Enum, auto

from controller.southbound.ovsdb.draft import Plan
from controller.southbound.ovsdb.model import DEFAULT_BRIDGE, HostDesired
from controller.southbound.ovsdb.plan import plan, plan_clear
from controller.southbound.ovsdb.replica import Replica
from controller.southbound.ovsdb.session import Outcome

RETRY_FIRST_S = 0.1
RETRY_MOST_S = 2.0
CALM_S = 10.0
"""Drift that comes back sooner than this is a fight with somebody: repair it ever more slowly."""
SETTLE_MOST_S = 2.0
"""Longest wait for ovs-vswitchd to take a change in; it may not be running at all."""
_SHOWN_CHANGES = 8

_log = logging.getLogger(__name__)


class ClearState(Enum):
    """How far the clearing of a host has come."""

    NOT_ASKED = auto()
    ASKED = auto()
    DONE = auto()


class Writer:
    """Decides what to write to one host."""

    def __init__(self, host: str) -> None:
        self.error: str | None = None
        """Why the host is not as desired, one sentence."""
        self.clearing = ClearState.NOT_ASKED
        self.bridge_name = DEFAULT_BRIDGE
        self._host = host
        self._desired: HostDesired | None = None
        self._in_flight: Plan | None = None
        self._satisfied_revision = -1
        """Revision of the replica that was found to be as desired."""
        self._was_satisfied = False
        """The present desire was once fulfilled: a difference is drift."""
        self._repaired_at: dict[str, float] = {}
        """When which drift was last repaired."""
        self._pause_s = 0.0
        self._not_before = float("-inf")
        self._asked_at = float("-inf")
        self._settling: tuple[int, float] | None = None
        """The ``cur_cfg`` to wait for, and how long to wait."""

    @property
    def deadline(self) -> float | None:
        """When ``propose`` should be asked although nothing happened."""
        if self._in_flight:
            return None
        if self._settling:
            return self._settling[1]
        return self._not_before if self._not_before > self._asked_at else None

    def want(self, desired: HostDesired) -> None:
        """State what the host should be like from now on."""
        if desired == self._desired:
            return
        self._desired = desired
        self.bridge_name = desired.bridge.name
        self._start_afresh()

    def clear(self) -> None:
        """Ask for everything of Weft's to be removed, instead of what was desired."""
        self.clearing = ClearState.ASKED
        self._start_afresh()

    def propose(self, replica: Replica, now: float) -> Plan | None:
        """Return the transaction to send now, or None."""
        if self._in_flight:
            return None
        self._asked_at = now
        if not self._is_time(replica, now):
            return None
        if self.clearing is ClearState.ASKED:
            return self._propose_clear(replica)
        if self.clearing is ClearState.DONE or self._desired is None or replica.revision == self._satisfied_revision:
            return None
        planned = plan(replica, self._desired)
        if not planned.operations:
            self._satisfied(replica, planned)
            return None
        if self._was_satisfied and self._must_wait(planned, now):
            return None
        self._in_flight = planned
        return planned

    def on_outcome(self, outcome: Outcome, replica: Replica, now: float) -> None:
        """Take note of what became of the transaction under way."""
        done, self._in_flight = self._in_flight, None
        if done is None:
            return
        if outcome.error:
            level = logging.DEBUG if outcome.error == self.error else logging.WARNING
            self.error = outcome.error
            self._slow_down(now)
            _log.log(
                level, "ovsdb_write_failed host=%s error=%r retry_s=%.1f", self._host, outcome.error, self._pause_s
            )
        elif outcome.outdated:
            _log.info("ovsdb_write_outdated host=%s", self._host)
        else:
            self.error = _sentence(done.problems)
            what = _shown(done.changes)
            _log.info("ovsdb_written host=%s operations=%d what=%r", self._host, len(done.operations), what)
            if done.must_settle and replica.switch:
                self._settling = (replica.switch.next_cfg, now + SETTLE_MOST_S)

    def on_lost(self) -> None:
        """Forget the transaction under way: the next replica will show whether it was done."""
        if self._in_flight:
            self.error = (
                "the connection was lost during a write; whether it was done is read back on the next connection"
            )
            _log.warning("ovsdb_write_unknown host=%s what=%r", self._host, _shown(self._in_flight.changes))
        self._in_flight = None
        self._settling = None
        self._satisfied_revision = -1

    def _start_afresh(self) -> None:
        self._satisfied_revision = -1
        self._was_satisfied = False
        self._pause_s = 0.0
        self._not_before = float("-inf")

    def _is_time(self, replica: Replica, now: float) -> bool:
        if self._settling:
            cur_cfg = replica.switch.cur_cfg if replica.switch else 0
            if cur_cfg < self._settling[0] and now < self._settling[1]:
                return False
            self._settling = None
        return now >= self._not_before

    def _propose_clear(self, replica: Replica) -> Plan | None:
        planned = plan_clear(replica, self.bridge_name)
        if planned.operations:
            self._in_flight = planned
            return planned
        self.clearing = ClearState.DONE
        self.error = None
        return None

    def _satisfied(self, replica: Replica, planned: Plan) -> None:
        self._satisfied_revision = replica.revision
        self.error = _sentence(planned.problems)
        if not self._was_satisfied and not planned.problems:
            _log.info("ovsdb_in_sync host=%s bridge=%s", self._host, self.bridge_name)
        self._was_satisfied = not planned.problems

    def _must_wait(self, planned: Plan, now: float) -> bool:
        """Note drift, and return whether its repair must wait because it comes back again and again."""
        level = logging.WARNING if planned.bridge_changes else logging.INFO
        _log.log(level, "ovsdb_drift host=%s what=%r", self._host, _shown(planned.changes))
        self._was_satisfied = False
        if planned.must_settle:
            return False  # a device went: that is an event of its own, nobody fights
        recent = {change: at for change, at in self._repaired_at.items() if now - at < CALM_S}
        is_fight = not recent.keys().isdisjoint(planned.changes)
        self._repaired_at = recent | dict.fromkeys(planned.changes, now)
        if is_fight:
            self._slow_down(now)
        else:
            self._pause_s = 0.0
        return is_fight

    def _slow_down(self, now: float) -> None:
        self._pause_s = min(max(self._pause_s * 2, RETRY_FIRST_S), RETRY_MOST_S)
        self._not_before = now + self._pause_s


def _sentence(problems: tuple[str, ...]) -> str | None:
    return "; ".join(problems) or None


def _shown(changes: tuple[str, ...]) -> str:
    more = len(changes) - _SHOWN_CHANGES
    return ", ".join(changes[:_SHOWN_CHANGES]) + (f" and {more} more" if more > 0 else "")
