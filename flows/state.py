"""What is desired of one bridge, and what does a change of some units change?

`BridgeState` merges the contributions of all units. Most flows belong to one unit; where several units claim one key,
`flows.merging` says what stands for all, whatever the order in which they came, so that an incremental state equals a
full one.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Generic, TypeVar

from flows.contribution import NOTHING, BucketKey, Contribution
from flows.delta import Delta, Tables, flushed_zones, ordered_groups, same_in_switch
from flows.flow import Bucket, Flow, FlowKey, Group, Meter, ToGroup
from flows.intent import Unit
from flows.merging import merge_flows

_K = TypeVar("_K")
_V = TypeVar("_V")

BUCKETS_PER_GROUP = 400
"""A group message holds at most 65,535 octets (OpenFlow 1.4 section 7.1); larger groups are chained."""
CHUNK_SHIFT = 24
"""Chunk n of group g has the id g | n << 24; segment keys have 24 bits."""


def chained_groups(group_id: int, buckets: tuple[Bucket, ...]) -> tuple[Group, ...]:
    """Return the groups that together are one group of `buckets`, the root last."""
    if len(buckets) <= BUCKETS_PER_GROUP:
        return (Group(id=group_id, buckets=buckets),)
    chunks = [buckets[at : at + BUCKETS_PER_GROUP] for at in range(0, len(buckets), BUCKETS_PER_GROUP)]
    groups = [Group(id=group_id | n << CHUNK_SHIFT, buckets=chunk) for n, chunk in enumerate(chunks, start=1)]
    root = Group(id=group_id, buckets=tuple(Bucket(actions=(ToGroup(g.id),)) for g in groups))
    return ordered_groups([root, *groups])


class _Claims(Generic[_K, _V]):
    """Who claims which key with which value.

    Almost every key has one claimant, and almost all claimants of one key want the same; both cases are kept cheap.
    Where they differ, `resolve` makes one value of all.
    """

    __slots__ = ("_first", "_mixed", "_resolve", "_rivals")

    def __init__(self, resolve: Callable[[Mapping[Unit, _V]], _V]) -> None:
        self._resolve = resolve
        self._first: dict[_K, tuple[Unit, _V]] = {}
        self._rivals: dict[_K, dict[Unit, _V]] = {}
        self._mixed: dict[_K, _V] = {}

    def add(self, key: _K, unit: Unit, value: _V) -> None:
        first = self._first.setdefault(key, (unit, value))
        if first[0] == unit:
            self._first[key] = (unit, value)
            return
        self._rivals.setdefault(key, {})[unit] = value
        if key in self._mixed or (value is not first[1] and value != first[1]):
            self._mixed[key] = self._resolve(self._claims(key))

    def remove(self, key: _K, unit: Unit) -> None:
        rivals = self._rivals.get(key)
        if not rivals:
            del self._first[key]
            return
        if self._first[key][0] == unit:
            heir = next(iter(rivals))  # whichever: they want the same, or `_mixed` has the value
            self._first[key] = (heir, rivals.pop(heir))
        else:
            del rivals[unit]
        if not rivals:
            del self._rivals[key]
        if key in self._mixed:
            self._settle(key)

    def get(self, key: _K) -> _V | None:
        mixed = self._mixed.get(key)
        if mixed is not None:
            return mixed
        first = self._first.get(key)
        return None if first is None else first[1]

    def items(self) -> Iterator[tuple[_K, _V]]:
        return ((key, self._mixed.get(key, first[1])) for key, first in self._first.items())

    def __len__(self) -> int:
        return len(self._first)

    def _claims(self, key: _K) -> dict[Unit, _V]:
        unit, value = self._first[key]
        return {unit: value, **self._rivals.get(key, {})}

    def _settle(self, key: _K) -> None:
        claims = self._claims(key)
        value = self._first[key][1]
        if all(claimed == value for claimed in claims.values()):
            del self._mixed[key]
        else:
            self._mixed[key] = self._resolve(claims)


def _lowest(claims: Mapping[Unit, _V]) -> _V:
    return claims[min(claims)]


class BridgeState:
    """The merged contributions of a bridge's units."""

    def __init__(self) -> None:
        self._units: dict[Unit, Contribution] = {}
        self._flows: _Claims[FlowKey, Flow] = _Claims(merge_flows)
        self._meters: _Claims[int, Meter] = _Claims(_lowest)
        self._groups: _Claims[int, int] = _Claims(_lowest)
        self._whole_groups: _Claims[int, Group] = _Claims(_lowest)
        self._members: dict[int, _Claims[BucketKey, Bucket]] = {}
        self._chained: dict[int, tuple[Group, ...]] = {}

    def replace(self, changes: Mapping[Unit, Contribution | None]) -> Delta:
        """Replace the contributions of some units (None takes a unit away) and return what that changes.

        Costs as much as the changed units have flows and the touched groups have buckets, however many other units
        there are.
        """
        flows: dict[FlowKey, Flow | None] = {}
        meters: dict[int, Meter | None] = {}
        groups: set[int] = set()
        for unit in sorted(changes):
            old = self._units.get(unit, NOTHING)
            new = changes[unit] or NOTHING
            for flow in (*old.flows, *new.flows):
                flows.setdefault(flow.key, self._flows.get(flow.key))
            for meter in (*old.meters, *new.meters):
                meters.setdefault(meter.id, self._meters.get(meter.id))
            groups.update(old.groups, new.groups, (m.group_id for m in (*old.members, *new.members)))
            groups.update(g.id for g in (*old.whole_groups, *new.whole_groups))
            self._swap(unit, old, new)
        return self._delta(flows, meters, sorted(groups))

    def tables(self) -> Tables:
        """Return the whole desired state."""
        return Tables(
            flows=dict(self._flows.items()),
            groups={g.id: g for chain in self._chained.values() for g in chain},
            meters=dict(self._meters.items()),
        )

    @property
    def flow_count(self) -> int:
        """How many flows are desired."""
        return len(self._flows)

    def units(self) -> frozenset[Unit]:
        """Return the units that contribute something."""
        return frozenset(self._units)

    def flow(self, key: FlowKey) -> Flow | None:
        """Return the desired flow with this key."""
        return self._flows.get(key)

    def _swap(self, unit: Unit, old: Contribution, new: Contribution) -> None:
        self._withdraw(unit, old)
        self._claim(unit, new)
        if new is NOTHING:
            self._units.pop(unit, None)
        else:
            self._units[unit] = new

    def _withdraw(self, unit: Unit, old: Contribution) -> None:
        for key in {flow.key for flow in old.flows}:  # rules may overlap: one unit may want a flow twice
            self._flows.remove(key, unit)
        for meter in old.meters:
            self._meters.remove(meter.id, unit)
        for group_id in old.groups:
            self._groups.remove(group_id, unit)
        for group in old.whole_groups:
            self._whole_groups.remove(group.id, unit)
        for member in old.members:
            claims = self._members[member.group_id]
            claims.remove(member.key, unit)
            if not len(claims):
                del self._members[member.group_id]

    def _claim(self, unit: Unit, new: Contribution) -> None:
        for flow in new.flows:
            self._flows.add(flow.key, unit, flow)
        for meter in new.meters:
            self._meters.add(meter.id, unit, meter)
        for group_id in new.groups:
            self._groups.add(group_id, unit, group_id)
        for group in new.whole_groups:
            self._whole_groups.add(group.id, unit, group)
        for member in new.members:
            self._members.setdefault(member.group_id, _Claims(_lowest)).add(member.key, unit, member.bucket)

    def _delta(
        self, flows: Mapping[FlowKey, Flow | None], meters: Mapping[int, Meter | None], groups: Iterable[int]
    ) -> Delta:
        set_groups: list[Group] = []
        deleted_groups: list[int] = []
        for group_id in groups:
            before = {g.id: g for g in self._chained.get(group_id, ())}
            after = self._rebuild_group(group_id)
            set_groups.extend(g for g in after if before.get(g.id) != g)
            deleted_groups.extend(before.keys() - {g.id for g in after})
        set_flows: list[Flow] = []
        deleted_flows: list[Flow] = []
        for key, old in flows.items():
            new = self._flows.get(key)
            if new is None:
                if old is not None:
                    deleted_flows.append(old)
            elif not same_in_switch(old, new):
                set_flows.append(new)
        now = {meter_id: self._meters.get(meter_id) for meter_id in sorted(meters)}
        return Delta(
            meters=tuple(m for i, m in now.items() if m is not None and m != meters[i]),
            groups=ordered_groups(set_groups),
            flows=tuple(set_flows),
            deleted_flows=tuple(deleted_flows),
            deleted_groups=tuple(sorted(deleted_groups)),
            deleted_meters=tuple(i for i, m in now.items() if m is None and meters[i] is not None),
            flushed_zones=flushed_zones((old, self._flows.get(key)) for key, old in flows.items()),
        )

    def _rebuild_group(self, group_id: int) -> tuple[Group, ...]:
        whole = self._whole_groups.get(group_id)
        if whole is not None:
            self._chained[group_id] = (whole,)
            return self._chained[group_id]
        if self._groups.get(group_id) is None:
            self._chained.pop(group_id, None)
            return ()
        claims = self._members.get(group_id)
        buckets = () if claims is None else tuple(bucket for _, bucket in sorted(claims.items(), key=lambda i: i[0]))
        self._chained[group_id] = chained_groups(group_id, buckets)
        return self._chained[group_id]
