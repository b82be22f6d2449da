"""When is which transaction sent to a host? Desired state, drift, and patience where a host does not become as desired.

No sockets and no clock here: ``note`` is told what changed in the replica, and ``propose`` is asked whenever anything
changed or the time in ``deadline`` has come. Only places that changed, here or there, are planned; all of them after a
(re)sync or when the bridge is another one.
"""

import logging
from collections.abc import Iterable, Mapping
from enum import Enum, auto

from controller.southbound.ovsdb.desired import SETTINGS, Desired
from controller.southbound.ovsdb.draft import Note, Plan
from controller.southbound.ovsdb.model import DEFAULT_BRIDGE, BridgeConfig, HostDesired, PrewiredPort
from controller.southbound.ovsdb.patience import Patience, longer
from controller.southbound.ovsdb.plan import all_places, plan, plan_clear
from controller.southbound.ovsdb.replica import Replica, Touched
from controller.southbound.ovsdb.session import Outcome

SETTLE_MOST_S = 2.0
"""Longest wait for ovs-vswitchd to take a change in; it may not be running at all."""
MAX_PLACES = 1000
"""Most ports in one transaction: the server and this thread have other hosts and clients too."""
_SHOWN = 8

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
        self.drift_count = 0
        self.last_drift: str | None = None
        self._host = host
        self._desired: Desired | None = None
        self._in_flight: Plan | None = None
        self._look: set[str] = set()
        """Places that may not be as desired."""
        self._look_everywhere = True
        self._has_news = True
        """Something happened since ``propose`` last found nothing to write."""
        self._bridge_uuid: str | None = None
        self._in_place: set[str] = set()
        """Places once seen as desired and not changed since by anybody entitled to: a difference is drift."""
        self._problems: dict[str, str] = {}
        self._is_told_in_sync = False
        self._patience = Patience()
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
        if self._not_before > self._asked_at:
            return self._not_before
        return None if self.clearing is not ClearState.NOT_ASKED else self._patience.deadline

    # what is wanted ---------------------------------------------------------------------------------------------------

    def want(self, desired: HostDesired) -> None:
        """State what the host should be like from now on."""
        if self._desired is None or self.bridge_name != desired.bridge.name:
            self._desired = Desired(desired)
            self.bridge_name = desired.bridge.name
            self._look_everywhere = True
            self._start_afresh(())
            self._in_place.clear()
        elif places := self._desired.replace(desired):
            self._start_afresh(places)

    def want_bridge(self, bridge: BridgeConfig) -> None:
        """State another bridge; nothing happens before ``want``."""
        if self._desired is None:
            return
        if bridge.name != self.bridge_name:
            self._desired.put_bridge(bridge)
            self.bridge_name = bridge.name
            self._look_everywhere = True
            self._in_place.clear()
            self._start_afresh(())
        elif places := self._desired.put_bridge(bridge):
            self._start_afresh(places)

    def want_ports(self, ports: Mapping[str, PrewiredPort | None]) -> None:
        """State some ports anew; nothing happens before ``want``."""
        if self._desired and (places := self._desired.put_ports(ports)):
            self._start_afresh(places)

    def clear(self) -> None:
        """Ask for everything of Weft's to be removed, instead of what was desired."""
        self.clearing = ClearState.ASKED
        self._start_afresh(())

    # what is there ----------------------------------------------------------------------------------------------------

    def note(self, touched: Touched) -> None:
        """Take note of what changed in the replica."""
        if not touched:
            return
        self._has_news = True
        if self._desired and not self._look_everywhere:
            # Tunnels and patches are few, so they are looked at with the bridge, whatever it was that changed.
            self._look.add(SETTINGS)
            self._look |= self._desired.patch_places()
            self._look |= touched.names
            self._look |= self._desired.concerned(iface_ids=touched.iface_ids, numbers=touched.numbers)

    def propose(self, replica: Replica, now: float) -> Plan | None:
        """Return the transaction to send now, or None."""
        if self._in_flight:
            return None
        self._asked_at = now
        if not self._is_time(replica, now):
            return None
        if self.clearing is ClearState.ASKED:
            return self._propose_clear(replica)
        if self.clearing is ClearState.DONE or self._desired is None:
            return None
        held = self._patience.waiting(now)
        if not self._has_news and self._look <= held:
            return None
        self._see_bridge(replica, self._desired)
        return self._plan(replica, self._desired, now)

    def on_outcome(self, outcome: Outcome, replica: Replica, now: float) -> None:
        """Take note of what became of the transaction under way."""
        done, self._in_flight = self._in_flight, None
        if done is None:
            return
        self._has_news = True
        self._look |= done.places
        if outcome.error:
            level = logging.DEBUG if outcome.error == self.error else logging.WARNING
            self.error = outcome.error
            self._pause_s = longer(self._pause_s)
            self._not_before = now + self._pause_s
            _log.log(
                level, "ovsdb_write_failed host=%s error=%r retry_s=%.1f", self._host, outcome.error, self._pause_s
            )
        elif outcome.outdated:
            _log.info("ovsdb_write_outdated host=%s", self._host)
        else:
            self._pause_s = 0.0
            self.error = self._problem()
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
        self._look_everywhere = True
        self._has_news = True

    # deciding ---------------------------------------------------------------------------------------------------------

    def _start_afresh(self, places: Iterable[str]) -> None:
        """Look at places of which something new is wanted: they do not wait, and a difference is no drift."""
        places = frozenset(places)
        self._look |= places
        self._in_place -= places
        self._patience.forget(places)
        self._has_news = True
        self._is_told_in_sync = False
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

    def _see_bridge(self, replica: Replica, desired: Desired) -> None:
        """Look everywhere if the bridge is another one than before."""
        bridge = replica.bridge(self.bridge_name)
        uuid = bridge.uuid if bridge else None
        if self._look_everywhere or uuid != self._bridge_uuid:
            self._look |= all_places(replica, desired)
            self._look_everywhere = False
        self._bridge_uuid = uuid

    def _plan(self, replica: Replica, desired: Desired, now: float) -> Plan | None:
        """Plan the places to look at, at most ``MAX_PLACES`` of them in one transaction."""
        while places := self._next_places(now):
            if self._bridge_uuid is None and SETTINGS not in places:
                return None  # its making is held back: somebody removes it again and again
            planned = plan(replica, desired, places)
            if planned.is_refused:
                self._refused(planned)
                return None
            waiting = self._judge(planned, now) | self._patience.put_off(planned.changes, now)
            if planned.operations and waiting:
                continue  # plan again without them
            # A new set: one that once held 10,000 places would stay as large to go through when they are gone.
            self._look = self._look - places
            if planned.operations:
                self._in_flight = planned
                return planned
        self._has_news = False
        if not self._look:
            self._satisfied()
        elif self._problems:
            self.error = self._problem()  # what is held back is told all the same
        return None

    def _next_places(self, now: float) -> frozenset[str]:
        ready = self._look - self._patience.waiting(now) if self._look else self._look
        return frozenset(ready if len(ready) <= MAX_PLACES else sorted(ready)[:MAX_PLACES])

    def _refused(self, planned: Plan) -> None:
        self._has_news = False
        self._is_told_in_sync = False
        self._in_place.discard(SETTINGS)
        self.error = planned.problems[0].text

    def _judge(self, planned: Plan, now: float) -> frozenset[str]:
        """Take note of what a plan found; return the places that must wait because they drift again and again."""
        drift = [note for note in planned.changes if note.place in self._in_place and not note.is_life]
        self._in_place -= planned.places
        self._in_place |= planned.in_place
        for place in self._problems.keys() & planned.places:
            del self._problems[place]
        self._problems.update((note.place, note.text) for note in reversed(planned.problems))
        if not drift:
            return frozenset()
        self.drift_count += len(drift)
        self.last_drift = drift[-1].text
        self._is_told_in_sync = False
        level = logging.WARNING if any(note.place == SETTINGS for note in drift) else logging.INFO
        _log.log(level, "ovsdb_drift host=%s what=%r", self._host, _shown(drift))
        return self._patience.drifted(drift, now)

    def _satisfied(self) -> None:
        self.error = self._problem()
        if not self._problems and not self._is_told_in_sync:
            self._is_told_in_sync = True
            _log.info("ovsdb_in_sync host=%s bridge=%s", self._host, self.bridge_name)

    def _problem(self) -> str | None:
        if not self._problems:
            return None
        places = sorted(self._problems)
        more = f"; and {len(places) - _SHOWN} more" if len(places) > _SHOWN else ""
        return "; ".join(self._problems[place] for place in places[:_SHOWN]) + more


def _shown(changes: Iterable[Note]) -> str:
    texts = [note.text for note in changes]
    more = len(texts) - _SHOWN
    return ", ".join(texts[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
