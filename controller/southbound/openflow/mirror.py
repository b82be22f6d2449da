"""What should a switch hold, as bytes, and what does a change of the desired state change in them?

The mirror is kept while the switch is away, too. It knows no connection and sends nothing. A complete state becomes
bytes some flows at a time (`Mirror.slices`), so that the first can be in the switch before the last are made.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from controller.southbound.openflow.encode import Encoder, FlowId, WireFlow
from controller.southbound.openflow.errors import EncodeError
from controller.southbound.openflow.events import Refusal
from flows.delta import Delta, Tables
from flows.flow import Flow

SLICE = 500
"""Flows that become bytes together: some milliseconds of work."""
SHARED = 16_384
"""Different lists of actions remembered while a state becomes bytes."""
_COOKIE_SIZE = 8
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
        self._holdings = Holdings()
        self._raw: Sequence[Flow] = ()
        """Desired flows, of which those from `_raw_at` on are not bytes yet; from the last table to the first."""
        self._raw_at = 0
        self._shared: dict[tuple[int, int | None, int | None], tuple[object, bytes]] = {}
        """Instructions of the flows that are bytes by now: most flows of a large state do one of a few things."""
        self.unencodable: list[Refusal] = []
        """What has no OpenFlow form and is left out, since the last `load` or whoever took it."""
        self.removed = Removed()
        """What deltas removed since `forget_removed`: deletes that need no other reason."""
        self._before_flows: dict[FlowId, bytes | None] = {}
        self._before_groups: dict[int, bytes | None] = {}
        self._before_meters: dict[int, bytes | None] = {}

    @property
    def desired(self) -> Holdings:
        """Everything that is desired; what is not bytes yet becomes so."""
        for _ in self.slices():
            pass
        return self._holdings

    @property
    def desired_parts(self) -> Holdings:
        """The groups and meters alone."""
        return Holdings(groups=self._holdings.groups, meters=self._holdings.meters)

    def load(self, tables: Tables) -> None:
        """Replace everything; the flows become bytes when they are asked for."""
        encoder, self.unencodable = self._encoder, []
        self._holdings = Holdings(
            groups=dict(_encoded(encoder.numbered_group, tables.groups.values(), self.unencodable)),
            meters=dict(_encoded(encoder.numbered_meter, tables.meters.values(), self.unencodable)),
        )
        self._raw, self._raw_at, self._shared = sorted(tables.flows.values(), key=_table, reverse=True), 0, {}
        self.forget_changes()

    def slices(self) -> Iterator[dict[FlowId, bytes]]:
        """Yield all desired flows in parts, from the last table to the first, but for what deltas added.

        First come those that are bytes already. A part must not be changed, and is of use only until the next.
        """
        if self._holdings.flows:
            yield self._holdings.flows
        while self._raw:
            refusals: list[Refusal] = []
            batch = self._raw[self._raw_at : self._raw_at + SLICE]
            part = dict(_encoded(self._flow, batch, refusals))
            self._holdings.flows.update(part)
            self.unencodable += refusals
            self._raw_at += len(batch)
            if self._raw_at >= len(self._raw):
                self._raw, self._raw_at, self._shared = (), 0, {}
            yield part

    def _flow(self, flow: Flow) -> tuple[FlowId, bytes]:
        """Return a flow's bytes; raises EncodeError."""
        recent = self._encoder.recall(flow)
        if recent is not None:
            return recent
        # An id is as good as the actions themselves, which are kept, and looking for it costs a tenth of hashing them.
        shape = id(flow.actions), flow.goto, flow.meter
        known = self._shared.get(shape)
        if known is not None:
            entry = flow.cookie.to_bytes(_COOKIE_SIZE, "big") + known[1]
            return self._encoder.remember(flow, WireFlow(self._encoder.flow_id(flow), entry))
        wire = self._encoder.flow(flow)
        if len(self._shared) < SHARED:
            self._shared[shape] = flow.actions, wire.entry[_COOKIE_SIZE:]
        return wire

    def apply(self, delta: Delta) -> None:
        """Take a delta in; `changes` tells what it and others before it changed."""
        encoder, desired = self._encoder, self.desired
        refusals = self.unencodable
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

    def changes(self) -> Change:
        """Return what differs from the time of the last call, however many deltas came between, and start anew."""
        desired = self.desired
        change = Change(
            flows=_changed(desired.flows, self._before_flows),
            groups=_changed(desired.groups, self._before_groups),
            meters=_changed(desired.meters, self._before_meters),
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


def _table(flow: Flow) -> int:
    return flow.table


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
    return Change(
        flows={**missing(desired.flows, installed.flows), **superfluous(desired.flows, installed.flows, is_ours)},
        groups=_difference(desired.groups, installed.groups),
        meters=_difference(desired.meters, installed.meters),
        had_groups=frozenset(installed.groups),
        had_meters=frozenset(installed.meters),
    )


def missing(desired: dict[FlowId, bytes], installed: dict[FlowId, bytes]) -> dict[FlowId, bytes]:
    """Return the flows that are not installed as they are desired."""
    have = installed.get
    return {flow: entry for flow, entry in desired.items() if have(flow) != entry}


def superfluous(
    desired: dict[FlowId, bytes], installed: dict[FlowId, bytes], is_ours: Callable[[bytes], bool]
) -> dict[FlowId, None]:
    """Return the flows that are installed and ours and not desired."""
    return {flow: None for flow, entry in installed.items() if flow not in desired and is_ours(entry)}


def _difference(desired: dict[int, bytes], installed: dict[int, bytes]) -> dict[int, bytes | None]:
    changed: dict[int, bytes | None] = {k: v for k, v in desired.items() if installed.get(k) != v}
    changed.update((k, None) for k in installed if k not in desired)
    return changed
