"""May what a switch holds and nobody desires be deleted, or does somebody have to say so first?

A restored database, or another one, looks, seen from the switch, like a lot of flows that are no longer desired. A few
deletes are always carried out; many only if something explains them: a delta of this process, the journal (the switch's
mark is of this or an earlier state of the same database), or a new table layout. The rest is withheld.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace

from controller.southbound.openflow.encode import FlowId, cookie_of
from controller.southbound.openflow.events import Subject
from controller.southbound.openflow.intent_mark import IntentMark
from controller.southbound.openflow.mark import Mark
from controller.southbound.openflow.mirror import Change, Holdings, Removed
from flows.cookie import LAYOUT, is_ours

FUSE_LEAST = 50
"""Deletes that need no explanation."""
FUSE_SHARE = 0.3
"""The share of Weft's flows in a switch whose deletion needs none either."""
_LAYOUT_SHIFT, _LAYOUT_BITS = 48, 0xFF


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """What must not be deleted now.

    Attributes:
        flows: Ids of the flows that stay.
        groups: Groups that stay.
        meters: Meters that stay.
        installed: How many of Weft's flows are in the switch.
        why: Why nothing explains their deletion; empty when nothing stays.
        is_upgrade: Everything may go, but only when all that is new is there.
    """

    flows: frozenset[FlowId] = frozenset()
    groups: frozenset[int] = frozenset()
    meters: frozenset[int] = frozenset()
    installed: int = 0
    why: str = ""
    is_upgrade: bool = False

    @property
    def deletes(self) -> int:
        """How many flows and groups stay."""
        return len(self.flows) + len(self.groups)

    @property
    def problem(self) -> str | None:
        """The whole as one sentence, or None when nothing stays."""
        if not self.why:
            return None
        return (
            f"{self.deletes} of {self.installed} flows would be deleted and no change explains it: "
            f"weft reconcile HOST --accept ({self.why})"
        )

    def is_same(self, other: "Ruling") -> bool:
        """Whether the same is withheld."""
        return (self.flows, self.groups, self.meters) == (other.flows, other.groups, other.meters)

    def subjects(self) -> Collection[Subject]:
        """Return what stays, as a comparison names it."""
        return {*self.flows, *(("group", n) for n in self.groups), *(("meter", n) for n in self.meters)}

    def spare(self, change: Change) -> Change:
        """Return a change without the deletes that must not be."""
        if not self.why:
            return change
        return Change(
            flows={k: v for k, v in change.flows.items() if v is not None or k not in self.flows},
            groups={k: v for k, v in change.groups.items() if v is not None or k not in self.groups},
            meters={k: v for k, v in change.meters.items() if v is not None or k not in self.meters},
            had_groups=change.had_groups | self.groups,
            had_meters=change.had_meters | self.meters,
        )

    def upgraded(self, *, has_refusals: bool) -> tuple[Change, "Ruling"]:
        """Return what is to be sent, and what stays then, once everything of the new layout was sent."""
        if has_refusals:
            why = "the switch refused a part of the new table layout"
            return Change(), replace(self, why=why, is_upgrade=False)
        gone = Change(
            flows=dict.fromkeys(self.flows), groups=dict.fromkeys(self.groups), meters=dict.fromkeys(self.meters)
        )
        return gone, Ruling()

    def without(self, change: Change) -> "Ruling":
        """Return the same without what a change has set or deleted by now."""
        if not self.why:
            return self
        left = replace(
            self,
            flows=self.flows - change.flows.keys(),
            groups=self.groups - change.groups.keys(),
            meters=self.meters - change.meters.keys(),
        )
        return left if left.deletes or left.meters else Ruling()


def judge(
    change: Change,
    *,
    desired: Holdings,
    installed: Holdings,
    removed: Removed,
    mark: Mark | None,
    intent: IntentMark | None,
    before: Ruling,
) -> Ruling:
    """Rule on the deletes of a resync.

    Args:
        change: What makes the switch hold what is desired.
        desired: What it should hold.
        installed: What it holds, its mark apart.
        removed: What deltas of this process took out of the desired state since the switch last held it.
        mark: The switch's mark.
        intent: What the desired state was compiled from; None when the caller does not say: then nothing is withheld.
        before: The ruling up to now.
    """
    if intent is None:
        return Ruling()
    flows = frozenset(k for k, v in change.flows.items() if v is None and k not in removed.flows)
    groups = frozenset(k for k, v in change.groups.items() if v is None and k not in removed.groups)
    meters = frozenset(k for k, v in change.meters.items() if v is None and k not in removed.meters)
    if not (flows or groups):
        return Ruling()
    ours = sum(is_ours(cookie_of(entry)) for entry in installed.flows.values())
    if len(flows) + len(groups) <= max(FUSE_LEAST, FUSE_SHARE * ours):
        # What was withheld once stays so, however little of it is left.
        flows, groups, meters = flows & before.flows, groups & before.groups, meters & before.meters
    why = _unexplained(mark, intent)
    if not why or not (flows or groups):
        return Ruling()
    is_upgrade = bool(flows) and len(desired.flows) >= (1 - FUSE_SHARE) * len(flows)
    is_upgrade = is_upgrade and all(_layout(installed.flows[flow]) != LAYOUT for flow in flows)
    return Ruling(flows=flows, groups=groups, meters=meters, installed=ours, why=why, is_upgrade=is_upgrade)


def _unexplained(mark: Mark | None, intent: IntentMark) -> str:
    """Return why the journal does not explain what lies between a mark and an intent; empty when it does."""
    if mark is None:
        return "the switch has no mark of the intent it was filled from"
    if mark.is_hold:
        return "they were withheld before, and nobody has accepted them"
    if mark.epoch != intent.epoch:
        return f"the switch was filled from another database, epoch {mark.epoch:08x} and not {intent.epoch:08x}"
    if mark.seq > intent.seq:
        return f"the switch was filled at change {mark.seq}, and the database is at {intent.seq}"
    if mark.seq < intent.first - 1:
        return f"the switch was filled at change {mark.seq}, and the journal begins at {intent.first}"
    return ""


def _layout(entry: bytes) -> int:
    return cookie_of(entry) >> _LAYOUT_SHIFT & _LAYOUT_BITS
