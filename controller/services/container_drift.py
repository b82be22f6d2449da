"""How do a container's members differ from what was asked for: which are missing, changed, and what is foreign?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from controller.caller import Caller
from controller.policy.words import Target
from controller.services import container_dependents
from controller.services.container_dependents import Dependent
from controller.services.container_kinds import TYPES, Kinds
from controller.services.rules import authorize
from controller.store.containers import Container, Member, members_of
from controller.store.transaction import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """What others did to members since they were last changed through their container."""

    missing: Mapping[str, Member]
    changed: Mapping[str, Mapping[str, tuple[Any, Any]]]
    """Attributes as they were left and as they are now, by path."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Drift, and what does not belong to the container."""

    drift: Drift
    members: Mapping[str, Member]
    foreign: tuple[Dependent, ...]


def drifted(tx: Transaction, caller: Caller, kinds: Kinds, members: Sequence[Member]) -> Drift:
    """Compare members with what was seen of them; what the caller may not see counts as missing."""
    missing: dict[str, Member] = {}
    changed: dict[str, Mapping[str, tuple[Any, Any]]] = {}
    for kind in TYPES:
        of_kind = [one for one in members if one.type == kind]
        if not of_kind:
            continue
        names = sorted({"id", *(name for one in of_kind for name in one.seen)})
        now = kinds[kind].views(tx, caller, [one.object_id for one in of_kind], names)
        for one in of_kind:
            view = now.get(one.object_id)
            if view is None:
                missing[one.path] = one
                continue
            differing = {
                name: (value, view[name]) for name, value in one.seen.items() if name in view and view[name] != value
            }
            if differing:
                changed[one.path] = differing
    return Drift(missing=missing, changed=changed)


def report(tx: Transaction, caller: Caller, container: Container, *, kinds: Kinds) -> Report:
    """Return a container's drift and what is foreign in it.

    Raises:
        PolicyNotAuthorized
    """
    authorize(caller, "get_container_drift", Target(project_id=container.project_id))
    members = members_of(tx, container.id)
    drift = drifted(tx, caller, kinds, members)
    there = [one for one in members if one.path not in drift.missing]
    foreign = container_dependents.dependents(tx, members, there)
    foreign += container_dependents.foreign_rules(tx, there)
    return Report(drift=drift, members={one.path: one for one in members}, foreign=tuple(foreign))
