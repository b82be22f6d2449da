"""What is one switch told, so that it comes to hold what is desired of it, and stays so?

The keeper has the desired state as bytes, what the switch refused and what is withheld from it, and knows one way each
to read and repair it (`resync`), to tell it what changed (`send_changes`) and to look after it (`watch`). It lives
across connections, in the one thread of the switch's worker; when and over which connection is the worker's affair
(`switch`).
"""

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice

from controller.southbound.openflow import decode, drift, fuse, mark
from controller.southbound.openflow.encode import Encoder
from controller.southbound.openflow.events import Drifted, Refusal, Subject, SwitchEvent, Withheld
from controller.southbound.openflow.intent_mark import IntentMark
from controller.southbound.openflow.lookout import Lookout
from controller.southbound.openflow.mark import Mark
from controller.southbound.openflow.mirror import Change, Holdings, Mirror, difference
from controller.southbound.openflow.plan import Step, change_steps, marked, resync_steps, sweep_steps
from controller.southbound.openflow.resync import Comparison
from controller.southbound.openflow.session import Session
from controller.southbound.openflow.zones import Zones
from flows.delta import Delta, Tables

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What may be known of a keeper in other threads: a value, replaced as a whole.

    Attributes:
        foreign: How many flows in the switch are not Weft's.
        bypassing: How many of them bypass Weft.
        foreign_problem: What is to be said of them.
        drift_count: Flows, groups and meters ever found changed behind Weft's back.
        drift_examples: Some of those found last, as text.
        withheld: What is not deleted until somebody says so.
    """

    foreign: int = 0
    bypassing: int = 0
    foreign_problem: str | None = None
    drift_count: int = 0
    drift_examples: tuple[str, ...] = ()
    withheld: fuse.Ruling = field(default_factory=fuse.Ruling)

    @property
    def problem(self) -> str | None:
        """What somebody has to decide or do, in one sentence; None when nothing."""
        return "; ".join(filter(None, (self.withheld.problem, self.foreign_problem))) or None


class Keeper:
    """Keeps one switch. Everything but `shown` and `lookout.hear` belongs to the worker's thread."""

    def __init__(self, dpid: int, *, encoder: Encoder, emit: Callable[[SwitchEvent], None]) -> None:
        self._dpid, self._emit = dpid, emit
        self._mirror = Mirror(encoder)
        self._intent: IntentMark | None = None
        self._refused: set[Subject] = set()
        self._zones_in = Zones(encoder)
        self._flushed: set[int] = set()
        """Conntrack zones to be emptied once the switch holds what is desired now."""
        self._revoked: set[int] = set()
        """Those to be emptied of what nobody acknowledges."""
        self._sweeps = False
        """Flows of others are deleted when the switch is filled for the first time."""
        self.is_loaded = False
        """Whether a complete desired state was ever given; without one, nothing is told."""
        self.lookout = Lookout(dpid)
        self.shown = Shown()

    # what is desired --------------------------------------------------------------------------------------------------

    def take(self, state: Tables | Delta, intent: IntentMark | None) -> None:
        """Take a whole desired state or a change of it, and what it was compiled from."""
        self._intent = intent or self._intent
        if isinstance(state, Tables):
            self._mirror.load(state)
            self.is_loaded = True
        else:
            self._mirror.apply(state)
            self._flushed.update(state.flushed_zones)
            self._revoked.update(state.revoked_zones)

    def accept(self, ruling: fuse.Ruling) -> None:
        """Let what was withheld go at the next resync."""
        self._mirror.removed.flows |= ruling.flows
        self._mirror.removed.groups |= ruling.groups
        self._mirror.removed.meters |= ruling.meters

    def sweep(self) -> None:
        """Let flows of others go when a switch is next read that Weft has never filled."""
        self._sweeps = True

    def prepare(self) -> Iterator[object]:
        """Make what is desired into bytes, so that it only has to be sent when the switch comes; yield now and then."""
        return self._mirror.slices()

    def settled(self) -> None:
        """Note that the switch holds what is desired, but for what it refused and what is withheld."""
        self._mirror.forget_removed()

    # a connection's work ----------------------------------------------------------------------------------------------

    def begin(self, session: Session) -> Mapping[str, object]:
        """Ask a switch that has just connected what it can do and to tell of changes; raises as `resync`."""
        found = session.describe()
        self.lookout.begin(session)
        return {**found, "tells_changes": self.lookout.tells_changes}

    def resync(self, session: Session) -> list[Refusal]:
        """Read the switch and send what differs; return what it refused or what has no OpenFlow form.

        Raises:
            UnavailableError: The switch did not answer; what is in it must be read.
            FramingError: Its answer makes no sense.
        """
        self._mirror.forget_changes()
        installed, seen = self.lookout.read(session)
        before = session.sent
        swept = self._sweep(session, installed) if self._sweeps and seen is None else []
        found = Comparison(self._mirror, installed, is_ours=drift.entry_is_ours)
        refusals = [*swept, *session.push(found.early())]
        refusals = [*self._mirror.unencodable, *refusals, *self._repair(session, installed, seen, found.rest, refusals)]
        added = {flow: entry for flow, entry in found.change.flows.items() if entry is not None}
        self._flushed |= self._zones_in.stale(installed.flows, added)
        refusals += self._flush(session)
        self._sweeps = False
        self._note_sent(found.change, refusals)
        self._say_synced(session.sent - before, refusals)
        return refusals

    def send_changes(self, session: Session) -> list[Refusal]:
        """Send what changed since the switch was last up to date; return as `resync`, raise UnavailableError."""
        unencodable, self._mirror.unencodable = self._mirror.unencodable, []
        withheld = self.shown.withheld
        change = withheld.spare(self._mirror.changes())
        refusals = [*unencodable, *session.push(self._marked(change_steps(change), withheld)), *self._flush(session)]
        self._note_sent(change, refusals)
        self.shown = replace(self.shown, withheld=withheld.without(change))
        return refusals

    def watch(self, session: Session) -> list[Refusal] | None:
        """Look at the switch if that is due; None if it holds what it should, else it was repaired: as `resync`."""
        desired = self._mirror.desired
        if self.lookout.take_notes(desired):
            self._show_foreign()
        if not self.lookout.is_look_due(session, desired, self._known_differences):
            return None
        known = self._known_differences()
        installed, seen = self.lookout.read(session)
        self._show_foreign()
        change = difference(desired, installed, is_ours=drift.entry_is_ours)
        # What differs is drift: all that was desired before is in the switch.
        count = sum(subject not in known for subject in drift.subjects(change))
        if not count:
            return None
        self._say_drift(count, tuple(islice(drift.differences(desired, installed, change, known), drift.EXAMPLES)))
        before = session.sent
        refusals = [*self._mirror.unencodable, *self._repair(session, installed, seen, change, [])]
        refusals += self._flush(session)
        self._note_sent(change, refusals)
        self._say_synced(session.sent - before, refusals)
        return refusals

    # how a switch is repaired -----------------------------------------------------------------------------------------

    def _sweep(self, session: Session, installed: Holdings) -> list[Refusal]:
        """Delete the flows of others; return what the switch refused."""
        foreign = tuple(self.lookout.foreign)
        for flow in foreign[: drift.EXAMPLES]:
            text = decode.flow_id_text(flow)
            _log.warning("foreign_flow_removed dpid=%016x flow=%r count=%d", self._dpid, text, len(foreign))
        refusals = session.push(sweep_steps(foreign))
        for flow in foreign:
            self.lookout.foreign.remove(flow)
            del installed.flows[flow]
        return refusals

    def _repair(
        self, session: Session, installed: Holdings, seen: Mark | None, change: Change, refused: list[Refusal]
    ) -> list[Refusal]:
        """Send a change, but for deletes that nothing explains; return what is refused now, beside `refused`."""
        ruling = fuse.judge(
            change,
            desired=self._mirror.desired,
            installed=installed,
            removed=self._mirror.removed,
            mark=seen,
            intent=self._intent,
            before=self.shown.withheld,
        )
        told, refusals = ruling.spare(change), list[Refusal]()
        if ruling.is_upgrade:
            refusals += session.push(resync_steps(told))
            has_refusals = bool(refusals or refused or self._mirror.unencodable)
            told, ruling = ruling.upgraded(has_refusals=has_refusals)
        refusals += session.push(self._marked(resync_steps(told), ruling, seen))
        self._flushed |= self._zones_in.stale(installed.flows, told.flows)
        self._refused.clear()
        self._withhold(ruling)
        return refusals

    def _flush(self, session: Session) -> list[Refusal]:
        """Empty the conntrack zones of what was just changed; until that has happened they are remembered."""
        if not self._flushed and not self._revoked:
            return []
        refusals = session.flush(self._flushed, self._revoked - self._flushed)
        self._flushed.clear()
        self._revoked.clear()
        return refusals

    def _marked(self, steps: tuple[Step, ...], withheld: fuse.Ruling, seen: Mark | None = None) -> tuple[Step, ...]:
        """Return the steps with the intent's mark; where deletes are withheld, a mark there is says so instead."""
        is_held = seen is not None and seen.is_hold
        if withheld.why:
            return steps if seen is None or is_held else marked(steps, mark.hold_mod(seen), always=True)
        return steps if self._intent is None else marked(steps, mark.mark_mod(self._intent), always=is_held)

    def _note_sent(self, change: Change, refusals: list[Refusal]) -> None:
        """Note what the switch refused, and that what was sent is not foreign."""
        if self._refused:
            self._refused.difference_update(drift.subjects(change))
        self._refused.update(refusal.subject for refusal in refusals if refusal.subject is not None)
        self.lookout.wrote(change)
        self._show_foreign()

    def _withhold(self, ruling: fuse.Ruling) -> None:
        if ruling.is_same(self.shown.withheld):
            return
        self.shown = replace(self.shown, withheld=ruling)
        if ruling.why:
            _log.warning(
                "deletes_withheld dpid=%016x deletes=%d installed=%d why=%r",
                *(self._dpid, ruling.deletes, ruling.installed, ruling.why),
            )
            self._emit(Withheld(ruling.deletes, ruling.installed, ruling.why))

    def _known_differences(self) -> set[Subject]:
        return {*self._refused, *self.shown.withheld.subjects()}

    # what is said of it -----------------------------------------------------------------------------------------------

    def _say_drift(self, count: int, examples: tuple[str, ...]) -> None:
        for what in examples:
            _log.warning("switch_drift dpid=%016x what=%r count=%d", self._dpid, what, count)
        self.shown = replace(self.shown, drift_count=self.shown.drift_count + count, drift_examples=examples)
        self._emit(Drifted(count, examples))

    def _say_synced(self, sent: int, refusals: list[Refusal]) -> None:
        _log.info(
            "switch_synced dpid=%016x flows=%d sent=%d refused=%d foreign=%d withheld=%d",
            *(self._dpid, len(self._mirror.desired.flows), sent, len(refusals), self.shown.foreign),
            self.shown.withheld.deletes,
        )

    def _show_foreign(self) -> None:
        foreign = self.lookout.foreign
        seen = (len(foreign), foreign.bypassing, foreign.problem)
        if seen != (self.shown.foreign, self.shown.bypassing, self.shown.foreign_problem):
            self.shown = replace(self.shown, foreign=seen[0], bypassing=seen[1], foreign_problem=seen[2])
