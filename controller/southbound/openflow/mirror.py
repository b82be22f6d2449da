"""What should a switch hold, as bytes, and what does a change of the desired state change in them?

The mirror is kept while the switch is away, too. It knows no connection and sends nothing.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

from controller.southbound.openflow.encode import Encoder, FlowId
from controller.southbound.openflow.errors import EncodeError
from controller.southbound.openflow.events import Refusal
from flows.delta import Delta, Tables

_K = TypeVar("_K")
_V = TypeVar("_V")
_W = TypeVar("_W")


@dataclass(slots=True, kw_only=True)
class Holdings:
    """What a switch holds or should hold.

    Attributes:
        flows: Cookie and instructions of each flow.
        groups: Buckets of each group.
        meters: Band of each meter.
    """

    flows: dict[FlowId, bytes] = field(default_factory=dict)
    groups: dict[int, bytes] = field(default_factory=dict)
    meters: dict[int, bytes] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Removed:
    """What deltas took out of the desired state.

    Attributes:
        flows: Ids of flows.
        groups: Numbers of groups.
        meters: Numbers of meters.
    """

    flows: set[FlowId] = field(default_factory=set)
    groups: set[int] = field(default_factory=set)
    meters: set[int] = field(default_factory=set)


@dataclass(slots=True, kw_only=True)
class Change:
    """What is to be different; None means gone.

    Attributes:
        had_groups: Groups that are in the switch before, so that they are modified and not added.
        had_meters: Meters that are in the switch before.
    """

    flows: dict[FlowId, bytes | None] = field(default_factory=dict)
    groups: dict[int, bytes | None] = field(default_factory=dict)
    meters: dict[int, bytes | None] = field(default_factory=dict)
    had_groups: frozenset[int] = frozenset()
    had_meters: frozenset[int] = frozenset()

    def __bool__(self) -> bool:
        """Whether anything is to be sent."""
        return bool(self.flows or self.groups or self.meters)


class Mirror:
    """The desired state of one switch as bytes, changed by deltas and asked for what they changed since."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self.desired = Holdings()
        self.removed = Removed()
        """What deltas removed since `forget_removed`: deletes that need no other reason."""
        self._before_flows: dict[FlowId, bytes | None] = {}
        self._before_groups: dict[int, bytes | None] = {}
        self._before_meters: dict[int, bytes | None] = {}

    def load(self, tables: Tables) -> list[Refusal]:
        """Replace everything; return what has no OpenFlow form and is left out."""
        encoder = self._encoder
        refusals: list[Refusal] = []
        self.desired = Holdings(
            flows=dict(_encoded(encoder.flow, tables.flows.values(), refusals)),
            groups=dict(_encoded(encoder.numbered_group, tables.groups.values(), refusals)),
            meters=dict(_encoded(encoder.numbered_meter, tables.meters.values(), refusals)),
        )
        self.forget_changes()
        return refusals

    def apply(self, delta: Delta) -> list[Refusal]:
        """Take a delta in; `changes` tells what it and others before it changed.

        Returns:
            What has no OpenFlow form and is left out; the rest of the delta is taken.
        """
        encoder, desired = self._encoder, self.desired
        refusals: list[Refusal] = []
        for flow_id in _encoded(encoder.flow_id, delta.deleted_flows, refusals):
            _put(desired.flows, self._before_flows, flow_id, None)
            self.removed.flows.add(flow_id)
        for group_id in delta.deleted_groups:
            _put(desired.groups, self._before_groups, group_id, None)
        for meter_id in delta.deleted_meters:
            _put(desired.meters, self._before_meters, meter_id, None)
        self.removed.groups.update(delta.deleted_groups)
        self.removed.meters.update(delta.deleted_meters)
        for flow_id, entry in _encoded(encoder.flow, delta.flows, refusals):
            _put(desired.flows, self._before_flows, flow_id, entry)
            self.removed.flows.discard(flow_id)
        for group_id, buckets in _encoded(encoder.numbered_group, delta.groups, refusals):
            _put(desired.groups, self._before_groups, group_id, buckets)
        for meter_id, band in _encoded(encoder.numbered_meter, delta.meters, refusals):
            _put(desired.meters, self._before_meters, meter_id, band)
        return refusals

    def changes(self) -> Change:
        """Return what differs from the time of the last call, however many deltas came between, and start anew."""
        change = Change(
            flows=_changed(self.desired.flows, self._before_flows),
            groups=_changed(self.desired.groups, self._before_groups),
            meters=_changed(self.desired.meters, self._before_meters),
            had_groups=frozenset(i for i, old in self._before_groups.items() if old is not None),
            had_meters=frozenset(i for i, old in self._before_meters.items() if old is not None),
        )
        self.forget_changes()
        return change

    def forget_changes(self) -> None:
        """Start anew without asking: the switch is going to be read as a whole."""
        self._before_flows, self._before_groups, self._before_meters = {}, {}, {}

    def forget_removed(self) -> None:
        """Note that the switch no longer holds what was removed."""
        self.removed = Removed()


def _encoded(encode: Callable[[_V], _W], values: Iterable[_V], refusals: list[Refusal]) -> Iterator[_W]:
    """Yield the bytes of values, and note those that have none: one impossible flow must not keep the others out."""
    for value in values:
        try:
            yield encode(value)
        except EncodeError as error:
            refusals.append(Refusal(str(value), getattr(value, "cookie", None), str(error)))


def _put(now: dict[_K, bytes], before: dict[_K, bytes | None], key: _K, value: bytes | None) -> None:
    before.setdefault(key, now.get(key))
    if value is None:
        now.pop(key, None)
    else:
        now[key] = value


def _changed(now: dict[_K, bytes], before: dict[_K, bytes | None]) -> dict[_K, bytes | None]:
    return {key: now.get(key) for key, old in before.items() if now.get(key) != old}


def difference(desired: Holdings, installed: Holdings, *, is_ours: Callable[[bytes], bool]) -> Change:
    """Return what makes a switch that holds `installed` hold `desired`.

    A flow that is not ours is left alone, unless its id is one of ours; groups and meters are all ours, they bear no
    cookie.
    """
    have = installed.flows
    flows: dict[FlowId, bytes | None] = {k: v for k, v in desired.flows.items() if have.get(k) != v}
    flows.update((k, None) for k, entry in have.items() if k not in desired.flows and is_ours(entry))
    return Change(
        flows=flows,
        groups=_difference(desired.groups, installed.groups),
        meters=_difference(desired.meters, installed.meters),
        had_groups=frozenset(installed.groups),
        had_meters=frozenset(installed.meters),
    )


def _difference(desired: dict[int, bytes], installed: dict[int, bytes]) -> dict[int, bytes | None]:
    changed: dict[int, bytes | None] = {k: v for k, v in desired.items() if installed.get(k) != v}
    changed.update((k, None) for k in installed if k not in desired)
    return changed
