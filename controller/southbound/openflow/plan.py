"""In which order, and in which bundles, is a switch told of a change?

The order in which a switch must be told is OpenFlow's: meters, groups, flows, then the groups and meters that are
gone, because deleting a group or a meter deletes every flow that uses it (OpenFlow 1.4 section 6.5). Meter
modifications cannot be bundled.

What fits one bundle is one atomic bundle, whatever it is: what it closes and what it opens happen together, and nobody
is without flows in between. More cannot be, for one huge bundle stalls forwarding. Then a large change closes before it
opens; a large resync, which mostly puts back what is missing, sets everything before it deletes anything, and goes from
the last table to the first, so that a switch that comes from another table layout enters the new tables only when they
are complete.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from controller.southbound.openflow.encode import FlowId
from controller.southbound.openflow.messages import Messages
from controller.southbound.openflow.mirror import Change

BUNDLE_SIZE = 500
"""Messages; with this size a resync of 100,000 flows held up packets for some 20 ms at worst, in one bundle for 340
ms."""


class Verb(Enum):
    """What a message does."""

    SET_FLOW = "set flow"
    DELETE_FLOW = "delete flow"
    SWEEP_FLOW = "delete flow of others"
    ADD_GROUP = "add group"
    MODIFY_GROUP = "modify group"
    DELETE_GROUP = "delete group"
    ADD_METER = "add meter"
    MODIFY_METER = "modify meter"
    DELETE_METER = "delete meter"


METER_VERBS = frozenset({Verb.ADD_METER, Verb.MODIFY_METER, Verb.DELETE_METER})


class FlowMod(NamedTuple):
    """A flow to be set or deleted; `entry` is empty when deleted."""

    verb: Verb
    id: FlowId
    entry: bytes = b""

    def message(self, messages: Messages, xid: int) -> bytes:
        """Return the message with a transaction id."""
        if self.verb is Verb.SET_FLOW:
            return messages.add_flow(xid, self.id, self.entry)
        if self.verb is Verb.SWEEP_FLOW:
            return messages.sweep_flow(xid, self.id)
        return messages.delete_flow(xid, self.id)


class PartMod(NamedTuple):
    """A group or a meter to be added, modified or deleted."""

    verb: Verb
    id: int
    body: bytes = b""

    def message(self, messages: Messages, xid: int) -> bytes:
        """Return the message with a transaction id."""
        match self.verb:
            case Verb.ADD_GROUP:
                return messages.add_group(xid, self.id, self.body)
            case Verb.MODIFY_GROUP:
                return messages.modify_group(xid, self.id, self.body)
            case Verb.DELETE_GROUP:
                return messages.delete_group(xid, self.id)
            case Verb.ADD_METER:
                return messages.add_meter(xid, self.id, self.body)
            case Verb.MODIFY_METER:
                return messages.modify_meter(xid, self.id, self.body)
            case _:
                return messages.delete_meter(xid, self.id)


Mod = FlowMod | PartMod


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Messages that go together; a step begins when the one before is confirmed."""

    mods: tuple[Mod, ...]
    bundled: bool


def resync_steps(change: Change, size: int = BUNDLE_SIZE) -> tuple[Step, ...]:
    """Return the steps of a resync: one atomic bundle, or, when it is large, sets before deletes."""
    return _steps(change, size, deletes_first=False)


def change_steps(change: Change, size: int = BUNDLE_SIZE) -> tuple[Step, ...]:
    """Return the steps of an incremental change: one atomic bundle, or, when it is large, what closes first."""
    return _steps(change, size, deletes_first=True)


def marked(steps: tuple[Step, ...], mark: Mod, *, always: bool = False) -> tuple[Step, ...]:
    """Return the steps with a mark in the last bundle; unless `always`, no steps remain none, for nothing changes."""
    if not steps and not always:
        return ()
    last = next((at for at in reversed(range(len(steps))) if steps[at].bundled), None)
    if last is None:
        return *steps, Step(mods=(mark,), bundled=True)
    return *steps[:last], Step(mods=(*steps[last].mods, mark), bundled=True), *steps[last + 1 :]


def meters_set(change: Change) -> tuple[Step, ...]:
    """Return the step, if any, that adds and modifies meters; it comes before all others."""
    return _plain(
        PartMod(Verb.MODIFY_METER if meter_id in change.had_meters else Verb.ADD_METER, meter_id, band)
        for meter_id, band in sorted(change.meters.items())
        if band is not None
    )


def groups_set(change: Change) -> Iterator[Mod]:
    """Yield what adds and modifies groups; it comes before all flows."""
    # A group's chunks have greater ids than the group that refers to them (flows.delta.ordered_groups): chunks first.
    for group_id, buckets in sorted(change.groups.items(), reverse=True):
        if buckets is not None:
            yield PartMod(Verb.MODIFY_GROUP if group_id in change.had_groups else Verb.ADD_GROUP, group_id, buckets)


def _steps(change: Change, size: int, *, deletes_first: bool) -> tuple[Step, ...]:
    groups, sets, deletes = list(groups_set(change)), list(_flows_set(change)), list(_flows_deleted(change))
    if len(groups) + len(sets) + len(deletes) <= size:
        # Groups come first, flows refer to them; deletes before sets: a deleted flow may be the reason a new one fits.
        bundles = _bundles([*groups, *deletes, *sets], size)
    elif deletes_first:
        bundles = [*_bundles(deletes, size), *_bundles([*groups, *sets], size)]
    else:
        bundles = [*_bundles([*groups, *sets], size), *_bundles(deletes, size)]
    return (
        *meters_set(change),
        *bundles,
        *_bundles(list(_groups_deleted(change)), size),
        *_plain(_meters_deleted(change)),
    )


def _plain(mods: Iterable[Mod]) -> tuple[Step, ...]:
    together = tuple(mods)
    return (Step(mods=together, bundled=False),) if together else ()


def _bundles(mods: list[Mod], size: int) -> list[Step]:
    return [Step(mods=tuple(mods[at : at + size]), bundled=True) for at in range(0, len(mods), size)]


def _meters_deleted(change: Change) -> Iterator[Mod]:
    return (PartMod(Verb.DELETE_METER, i) for i, band in sorted(change.meters.items()) if band is None)


def _groups_deleted(change: Change) -> Iterator[Mod]:
    return (PartMod(Verb.DELETE_GROUP, i) for i, buckets in sorted(change.groups.items()) if buckets is None)


def _flows_set(change: Change) -> Iterator[Mod]:
    wanted = ((i, entry) for i, entry in change.flows.items() if entry is not None)
    return (FlowMod(Verb.SET_FLOW, i, entry) for i, entry in sorted(wanted, key=_table, reverse=True))


def _table(flow: tuple[FlowId, bytes]) -> int:
    return flow[0][0]


def _flows_deleted(change: Change) -> Iterator[Mod]:
    return (FlowMod(Verb.DELETE_FLOW, i) for i, entry in change.flows.items() if entry is None)


def sweep_steps(flows: Sequence[FlowId]) -> Iterator[Step]:
    """Yield what deletes flows, whoever made them."""
    for at in range(0, len(flows), BUNDLE_SIZE):
        yield Step(mods=tuple(FlowMod(Verb.SWEEP_FLOW, flow) for flow in flows[at : at + BUNDLE_SIZE]), bundled=True)
