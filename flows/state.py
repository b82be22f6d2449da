"""What is desired of one bridge, and what does a change of some units change?

`BridgeState` merges the contributions of all units. Most flows belong to one unit; where several units claim one key,
`flows.merging` says what stands for all, whatever the order in which they came, so that an incremental state equals a
full one.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Generic, TypeVar

from flows.contribution import NOTHING, BucketKey, Contribution
from flows.delta import Delta, Tables, flushed_zones, ordered_groups, same_in_switch
from flows.flow import Bucket, Flow, FlowKey, Group, Meter
from flows.groups import Roster
from flows.intent import Unit
from flows.merging import merge_flows

_K = TypeVar("_K")
_V = TypeVar("_V")


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
        claim = unit, value
        first = self._first.setdefault(key, claim)
        if first is claim:
            return
        if first[0] == unit:
            self._first[key] = claim
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
        if self._mixed and (mixed := self._mixed.get(key)) is not None:
            return mixed
        first = self._first.get(key)
        return None if first is None else first[1]

    def items(self) -> Iterator[tuple[_K, _V]]:
        if not self._mixed:
            return ((key, first[1]) for key, first in self._first.items())
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


def _without_common_flows(old: Contribution, new: Contribution) -> tuple[Contribution, Contribution]:
    """Return two contributions of a unit without the flows that are in both, as one object.

    A thousand rules and one more are a thousand flows that nobody has to look at. No two flows of a contribution have
    one key, so that what is left out stands for itself.
    """
    if not (old.flows and new.flows):
        return old, new
    before, after = {id(flow) for flow in old.flows}, {id(flow) for flow in new.flows}
    if before.isdisjoint(after):
        return old, new
    return (
        replace(old, flows=tuple(flow for flow in old.flows if id(flow) not in after)),
        replace(new, flows=tuple(flow for flow in new.flows if id(flow) not in before)),
    )


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
        self._rosters: dict[int, Roster] = {}
        """The members of each group that is declared or has any."""
        self._shown: set[int] = set()
        """Groups that are part of the desired state: those declared."""

    def replace(self, changes: Mapping[Unit, Contribution | None]) -> Delta:
        """Replace the contributions of some units (None takes a unit away) and return what that changes.

        Costs as much as the changed units have flows and members of groups, however many other units and members there
        are; of a unit's flows, those that are the same objects as before are not looked at.
        """
        flows: dict[FlowKey, Flow | None] = {}
        meters: dict[int, Meter | None] = {}
        groups: dict[int, set[BucketKey]] = {}
        wholes: dict[int, Group | None] = {}
        for unit in sorted(changes):
            was, wanted = self._units.get(unit, NOTHING), changes[unit] or NOTHING
            old, new = _without_common_flows(was, wanted)
            for key in (*old.keys, *new.keys):
                if key not in flows:
                    flows[key] = self._flows.get(key)
            for meter in (*old.meters, *new.meters):
                meters.setdefault(meter.id, self._meters.get(meter.id))
            for group in (*old.whole_groups, *new.whole_groups):
                wholes.setdefault(group.id, self._whole_groups.get(group.id))
            for group_id in (*old.groups, *new.groups):
                groups.setdefault(group_id, set())
            for member in (*old.members, *new.members):
                groups.setdefault(member.group_id, set()).add(member.key)
            self._withdraw(unit, old)
            self._claim(unit, new)
            self._keep(unit, wanted)
        return self._delta(flows, meters, groups, wholes)

    def tables(self) -> Tables:
        """Return the whole desired state."""
        return Tables(
            flows=dict(self._flows.items()),
            groups={
                **dict(self._whole_groups.items()),
                **{i: g for group_id in self._shown for i, g in self._rosters[group_id].groups.items()},
            },
            meters=dict(self._meters.items()),
        )

    @property
    def flow_count(self) -> int:
        """How many flows are desired."""
        return len(self._flows)

    def flows_of(self, unit: Unit) -> int:
        """Return how many flows a unit asks for; several units may ask for one."""
        return len(self._units.get(unit, NOTHING).flows)

    def units(self) -> frozenset[Unit]:
        """Return the units that contribute something."""
        return frozenset(self._units)

    def flow(self, key: FlowKey) -> Flow | None:
        """Return the desired flow with this key."""
        return self._flows.get(key)

    def _keep(self, unit: Unit, wanted: Contribution) -> None:
        if wanted is NOTHING:
            self._units.pop(unit, None)
        else:
            self._units[unit] = wanted

    def _withdraw(self, unit: Unit, old: Contribution) -> None:
        for key in set(old.keys):
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
        for key, flow in zip(new.keys, new.flows, strict=True):
            self._flows.add(key, unit, flow)
        for meter in new.meters:
            self._meters.add(meter.id, unit, meter)
        for group_id in new.groups:
            self._groups.add(group_id, unit, group_id)
        for group in new.whole_groups:
            self._whole_groups.add(group.id, unit, group)
        for member in new.members:
            self._members.setdefault(member.group_id, _Claims(_lowest)).add(member.key, unit, member.bucket)

    def _delta(
        self,
        flows: Mapping[FlowKey, Flow | None],
        meters: Mapping[int, Meter | None],
        groups: Mapping[int, set[BucketKey]],
        wholes: Mapping[int, Group | None],
    ) -> Delta:
        standing = {number: self._whole_groups.get(number) for number in wholes}
        set_groups = [group for number, group in standing.items() if group is not None and group != wholes[number]]
        deleted_groups = [number for number, group in standing.items() if group is None and wholes[number] is not None]
        for group_id, members in groups.items():
            changed, gone = self._rebuild_group(group_id, members)
            set_groups += changed
            deleted_groups += gone
        set_flows: list[Flow] = []
        deleted_flows: list[Flow] = []
        now_flows = {key: self._flows.get(key) for key in flows}
        for key, old in flows.items():
            new = now_flows[key]
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
            flushed_zones=flushed_zones((old, now_flows[key]) for key, old in flows.items()),
        )

    def _rebuild_group(self, group_id: int, members: Iterable[BucketKey]) -> tuple[Iterable[Group], Iterable[int]]:
        """Bring a group up to date of which these members may have changed; return what is set and what is deleted."""
        claims, roster = self._members.get(group_id), self._rosters.setdefault(group_id, Roster(group_id))
        before = list(roster.groups)
        for key in members:
            roster.put(key, None if claims is None else claims.get(key))
        changed, gone = roster.rebuild()
        was_shown = group_id in self._shown
        if self._groups.get(group_id) is not None:
            self._shown.add(group_id)
            return (changed, gone) if was_shown else (roster.groups.values(), ())
        self._shown.discard(group_id)
        if not roster:
            del self._rosters[group_id]
        return (), before if was_shown else ()
