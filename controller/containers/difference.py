"""What must be done so that a container becomes what is wanted? Members are compared by path.

What keeps its attributes is not touched. An attribute that can be updated is; else the member is replaced, and with it
whatever cannot follow to the new one. Nothing here knows the API: which attributes can change is an argument.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from controller.containers.expand import Wanted, in_order, subnets_by_network, subnets_of
from controller.containers.expressions import Json, references

CREATED, CHANGED, REPLACED, DELETED = "created", "changed", "replaced", "deleted"
FIXED_IPS = "fixed_ips"
NOTHING: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Changeable:
    """Which attributes of a type can change while a member stays what it is."""

    updatable: frozenset[str]
    resettable: frozenset[str]
    """Those that go back to a default when nothing is said of them any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """How a container's members are."""

    members: Sequence[Wanted]
    """As they were wanted when they were last changed."""
    missing: Collection[str] = ()
    """Paths of those that somebody deleted."""
    drifted: Mapping[str, Collection[str]] = field(default_factory=dict)
    """Attributes that somebody changed, by path."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What happens to one member."""

    path: str
    type: str
    change: str
    attributes: tuple[str, ...] = ()
    """Of those changed, or that a replacement is needed for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything that happens, in the order of dependency; deletions last, in the reverse order."""

    changes: tuple[Change, ...]

    def paths(self, *kinds: str) -> dict[str, Change]:
        """Return the changes of some kinds by path."""
        return {one.path: one for one in self.changes if one.change in kinds}


def difference(found: Found, wanted: Sequence[Wanted], changeable: Mapping[str, Changeable]) -> Plan:
    """Return what makes the members found those wanted."""
    before = {one.path: one for one in found.members}
    after = {one.path: one for one in wanted}
    on_network = subnets_by_network(wanted)
    ordered = in_order(wanted)
    changes: list[Change] = []
    before_on_network = subnets_by_network(found.members)
    gone = [one for one in in_order(found.members) if one.path not in after]
    lost = {one.path for one in gone}
    renewed: set[str] = {path for path in found.missing if path in after}
    touched: dict[str, Collection[str]] = {}
    for one in ordered:
        old = before.get(one.path)
        if old is None or one.path in found.missing:
            changes.append(Change(path=one.path, type=one.type, change=CREATED))
            if old is not None:
                renewed.add(one.path)
            continue
        if old.type != one.type:
            changes.append(Change(path=one.path, type=one.type, change=REPLACED, attributes=("type",)))
            renewed.add(one.path)
            continue
        names = _differing(old, one, renewed, touched) | set(found.drifted.get(one.path, ()))
        if set(subnets_of(one, on_network)) & renewed or set(subnets_of(old, before_on_network)) & lost:
            names.add(FIXED_IPS)
        if not names:
            continue
        can = changeable[one.type]
        stuck = {name for name in names if not _can_change(can, one, name)}
        kind = REPLACED if stuck else CHANGED
        changes.append(Change(path=one.path, type=one.type, change=kind, attributes=tuple(sorted(stuck or names))))
        if stuck:
            renewed.add(one.path)
        else:
            touched[one.path] = names
    changes += [Change(path=one.path, type=one.type, change=DELETED) for one in reversed(gone)]
    return Plan(changes=tuple(changes))


def _can_change(can: Changeable, one: Wanted, name: str) -> bool:
    """Say whether an attribute can become what is wanted, or what it is when nothing is said of it."""
    return name in can.updatable and (name in one.properties or name in can.resettable or name == FIXED_IPS)


def _differing(old: Wanted, new: Wanted, renewed: Collection[str], touched: Mapping[str, Collection[str]]) -> set[str]:
    """Return the attributes that are wanted differently, or the same of something that has become another."""
    missing = object()
    return {
        name
        for name in old.properties.keys() | new.properties.keys()
        if old.properties.get(name, missing) != new.properties.get(name, missing)
        or _follows(new.properties.get(name), renewed, touched)
    }


def _follows(value: Json, renewed: Collection[str], touched: Mapping[str, Collection[str]]) -> bool:
    return any(
        one.path in renewed or (bool(one.steps) and one.steps[0] in touched.get(one.path, NOTHING))
        for one in references(value)
    )
