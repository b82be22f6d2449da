"""What is desired of one bridge, and what does a change of some units change?

`BridgeState` merges the contributions of all units. Most flows belong to one unit; where several units claim one key,
the lowest unit wins, whatever the order in which they came, so that an incremental state equals a full one.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Generic, TypeVar

from flows.contribution import NOTHING, BucketKey, Contribution
from flows.delta import Delta, Tables, ordered_groups, same_in_switch
from flows.flow import Bucket, Flow, FlowKey, Group, Meter
from flows.groups import Roster
from flows.intent import Unit

_K = TypeVar("_K")
_V = TypeVar("_V")


class _Claims(Generic[_K, _V]):
    """Who claims which key with which value; almost every key has one claimant, so that case is kept small."""

    __slots__ = ("_rivals", "_winners")

    def __init__(self) -> None:
        self._winners: dict[_K, tuple[Unit, _V]] = {}
        self._rivals: dict[_K, dict[Unit, _V]] = {}

    def add(self, key: _K, unit: Unit, value: _V) -> None:
        winner = self._winners.setdefault(key, (unit, value))
        if winner[0] == unit:
            self._winners[key] = (unit, value)
            return
        rivals = self._rivals.setdefault(key, {})
        if unit < winner[0]:
            self._winners[key] = (unit, value)
            rivals[winner[0]] = winner[1]
        else:
            rivals[unit] = value

    def remove(self, key: _K, unit: Unit) -> None:
        rivals = self._rivals.get(key)
        if self._winners[key][0] != unit:
            del self._rivals[key][unit]
        elif rivals:
            heir = min(rivals)
            self._winners[key] = (heir, rivals.pop(heir))
        else:
            del self._winners[key]
        if rivals is not None and not rivals:
            del self._rivals[key]

    def get(self, key: _K) -> _V | None:
        winner = self._winners.get(key)
        return None if winner is None else winner[1]

    def items(self) -> Iterator[tuple[_K, _V]]:
        return ((key, winner[1]) for key, winner in self._winners.items())

    def __len__(self) -> int:
        return len(self._winners)


class BridgeState:
    """The merged contributions of a bridge's units."""

    def __init__(self) -> None:
        self._units: dict[Unit, Contribution] = {}
        self._flows: _Claims[FlowKey, Flow] = _Claims()
        self._meters: _Claims[int, Meter] = _Claims()
        self._groups: _Claims[int, int] = _Claims()
        self._members: dict[int, _Claims[BucketKey, Bucket]] = {}
        self._rosters: dict[int, Roster] = {}
        """The members of each group that is declared or has any."""
        self._shown: set[int] = set()
        """Groups that are part of the desired state: those declared."""

    def replace(self, changes: Mapping[Unit, Contribution | None]) -> Delta:
        """Replace the contributions of some units (None takes a unit away) and return what that changes.

        Costs as much as the changed units have flows and members of groups, however many other units and members there
        are.
        """
        flows: dict[FlowKey, Flow | None] = {}
        meters: dict[int, Meter | None] = {}
        groups: dict[int, set[BucketKey]] = {}
        for unit in sorted(changes):
            old = self._units.get(unit, NOTHING)
            new = changes[unit] or NOTHING
            for flow in (*old.flows, *new.flows):
                flows.setdefault(flow.key, self._flows.get(flow.key))
            for meter in (*old.meters, *new.meters):
                meters.setdefault(meter.id, self._meters.get(meter.id))
            for group_id in (*old.groups, *new.groups):
                groups.setdefault(group_id, set())
            for member in (*old.members, *new.members):
                groups.setdefault(member.group_id, set()).add(member.key)
            self._swap(unit, old, new)
        return self._delta(flows, meters, groups)

    def tables(self) -> Tables:
        """Return the whole desired state."""
        return Tables(
            flows=dict(self._flows.items()),
            groups={i: g for group_id in self._shown for i, g in self._rosters[group_id].groups.items()},
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
        for flow in old.flows:
            self._flows.remove(flow.key, unit)
        for meter in old.meters:
            self._meters.remove(meter.id, unit)
        for group_id in old.groups:
            self._groups.remove(group_id, unit)
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
        for member in new.members:
            self._members.setdefault(member.group_id, _Claims()).add(member.key, unit, member.bucket)

    def _delta(
        self,
        flows: Mapping[FlowKey, Flow | None],
        meters: Mapping[int, Meter | None],
        groups: Mapping[int, set[BucketKey]],
    ) -> Delta:
        set_groups: list[Group] = []
        deleted_groups: list[int] = []
        for group_id, members in groups.items():
            changed, gone = self._rebuild_group(group_id, members)
            set_groups += changed
            deleted_groups += gone
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
