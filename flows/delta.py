"""What must change to get from one state of a bridge to another?

The order in which a switch must be told (OpenFlow 1.4 sections 6.4, 6.5, 7.3.4): meters, groups, flows added or
changed, then flows deleted, then groups and meters deleted. Deleting a group or a meter deletes every flow that uses
it, so what is changed is modified, never deleted and added.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from flows.flow import Flow, FlowKey, Group, Load, Meter
from flows.pipeline import CLASSIFY, FROM_ZONE


@dataclass(frozen=True, slots=True, kw_only=True)
class Delta:
    """The difference between two states; empty when they are equal."""

    meters: tuple[Meter, ...] = ()
    """Added or changed."""
    groups: tuple[Group, ...] = ()
    """Added or changed, those that others refer to first."""
    flows: tuple[Flow, ...] = ()
    """Added or changed."""
    deleted_flows: tuple[Flow, ...] = ()
    """As they were; their key is what is deleted."""
    deleted_groups: tuple[int, ...] = ()
    deleted_meters: tuple[int, ...] = ()
    flushed_zones: tuple[int, ...] = ()
    """Conntrack zones to be emptied once all that is done: their port came or went. Sorted."""
    revoked_zones: tuple[int, ...] = ()
    """Conntrack zones whose port lost a rule: what may go on without the port's own packets being asked again, that is
    all but TCP, whose every answer is acknowledged, is to be forgotten. Sorted."""

    def __bool__(self) -> bool:
        """Whether anything changes."""
        return bool(
            self.meters
            or self.groups
            or self.flows
            or self.deleted_flows
            or self.deleted_groups
            or self.deleted_meters
            or self.flushed_zones
            or self.revoked_zones
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    """A plain state: what a switch would hold."""

    flows: Mapping[FlowKey, Flow]
    groups: Mapping[int, Group]
    meters: Mapping[int, Meter]


def diff(old: Tables, new: Tables) -> Delta:
    """Return the delta that turns `old` into `new`; a flow whose `why` alone differs is unchanged in a switch."""
    return Delta(
        meters=tuple(m for i, m in sorted(new.meters.items()) if old.meters.get(i) != m),
        groups=ordered_groups(g for i, g in new.groups.items() if old.groups.get(i) != g),
        flows=tuple(f for k, f in new.flows.items() if not same_in_switch(old.flows.get(k), f)),
        deleted_flows=tuple(f for k, f in old.flows.items() if k not in new.flows),
        deleted_groups=tuple(sorted(i for i in old.groups if i not in new.groups)),
        deleted_meters=tuple(sorted(i for i in old.meters if i not in new.meters)),
        flushed_zones=flushed_zones(
            (old.flows.get(key), new.flows.get(key)) for key in old.flows.keys() | new.flows.keys()
        ),
    )


def apply(delta: Delta, old: Tables) -> Tables:
    """Return the state after `delta`; what a switch does, without one."""
    flows = {k: f for k, f in old.flows.items() if k not in {d.key for d in delta.deleted_flows}}
    flows.update((f.key, f) for f in delta.flows)
    groups = {i: g for i, g in old.groups.items() if i not in delta.deleted_groups}
    groups.update((g.id, g) for g in delta.groups)
    meters = {i: m for i, m in old.meters.items() if i not in delta.deleted_meters}
    meters.update((m.id, m) for m in delta.meters)
    return Tables(flows=flows, groups=groups, meters=meters)


def flushed_zones(changes: Iterable[tuple[Flow | None, Flow | None]]) -> tuple[int, ...]:
    """Return the conntrack zones that some port no longer has or did not have before, given flows as they were and are.

    A zone outlives its port in the switch; what is left in it would open the next one that gets the number.
    """
    zones: set[int] = set()
    for old, new in changes:
        before, after = zone_of(old), zone_of(new)
        if before != after:
            zones.update((before, after))
    return tuple(sorted(zone for zone in zones if zone))


def zone_of(flow: Flow | None) -> int:
    """Return the conntrack zone of the port a flow admits, or 0 when it admits none."""
    if flow is None or flow.table != CLASSIFY.id:
        return 0
    return next((a.value for a in flow.actions if isinstance(a, Load) and a.dst is FROM_ZONE), 0)


def same_in_switch(one: Flow | None, other: Flow) -> bool:
    """Whether a switch could not tell the two flows apart (they have one key)."""
    return (
        one is not None
        and one.cookie == other.cookie
        and one.actions == other.actions
        and one.goto == other.goto
        and one.meter == other.meter
    )


def ordered_groups(groups: Iterable[Group]) -> tuple[Group, ...]:
    """Order groups so that one comes after those its buckets refer to: chunk ids are greater than their root's."""
    return tuple(sorted(groups, key=lambda g: -g.id))
