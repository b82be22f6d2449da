"""What outside a container stands on its members? Ports, subnets, rules and vNICs, and whose they are."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, select

from controller.services.container_kinds import GROUP, NETWORK, PORT, RULE, SUBNET, VNIC
from controller.services.networks import AUTO_DELETED_OWNERS
from controller.store.containers import Member
from controller.store.loading import in_chunks
from controller.store.schema import (
    ALLOCATIONS,
    PORTS,
    SECURITY_GROUP_RULES,
    SECURITY_GROUP_SET_MEMBERS,
    SECURITY_GROUPS,
    SUBNETS,
)
from controller.store.transaction import Transaction
from controller.store.vnics_schema import VNICS


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependent:
    """Something outside that stands on a member."""

    type: str
    id: str
    name: str
    project_id: str
    on: str
    """The member's path."""

    def __str__(self) -> str:
        """Return a sentence's part."""
        called = f"{self.name} ({self.id})" if self.name else self.id
        return f"{self.type} {called} of project {self.project_id} stands on {self.on}"


def dependents(tx: Transaction, members: Sequence[Member], going: Sequence[Member]) -> list[Dependent]:
    """Return what is no member and would be hurt if these members went.

    Args:
        tx: The transaction.
        members: All of the container.
        going: Those that would go.
    """
    inside = {one.object_id for one in members}
    found: dict[str, Dependent] = {}
    for one in _all(tx, going):
        if one.id not in inside:
            found.setdefault(one.id, one)
    return list(found.values())


def foreign_rules(tx: Transaction, members: Sequence[Member]) -> list[Dependent]:
    """Return the rules in the members' security groups that neither are members nor came with their group."""
    known = {one.object_id for one in members} | {came for one in members for came in one.came_with}
    rules = SECURITY_GROUP_RULES.c
    found = select(rules.id, rules.description.label("name"), rules.project_id, rules.security_group_id.label("on_id"))
    return [one for one in _of(tx, RULE, found, rules.security_group_id, _ids(members, GROUP)) if one.id not in known]


def _all(tx: Transaction, going: Sequence[Member]) -> Iterator[Dependent]:
    networks, subnets = _ids(going, NETWORK), _ids(going, SUBNET)
    groups, ports = _ids(going, GROUP), _ids(going, PORT)
    on_network = select(PORTS.c.id, PORTS.c.name, PORTS.c.project_id, PORTS.c.network_id.label("on_id"))
    on_network = on_network.where(PORTS.c.device_owner.not_in(AUTO_DELETED_OWNERS))
    yield from _of(tx, PORT, on_network, PORTS.c.network_id, networks)
    in_network = select(SUBNETS.c.id, SUBNETS.c.name, SUBNETS.c.project_id, SUBNETS.c.network_id.label("on_id"))
    yield from _of(tx, SUBNET, in_network, SUBNETS.c.network_id, networks)
    with_address = (
        select(PORTS.c.id, PORTS.c.name, PORTS.c.project_id, ALLOCATIONS.c.subnet_id.label("on_id"))
        .join(ALLOCATIONS, ALLOCATIONS.c.port_id == PORTS.c.id)
        .where(ALLOCATIONS.c.released_at.is_(None))
    )
    yield from _of(tx, PORT, with_address, ALLOCATIONS.c.subnet_id, subnets)
    yield from _with_groups(tx, groups)
    rules = SECURITY_GROUP_RULES.c
    about = select(rules.id, rules.description.label("name"), rules.project_id, rules.remote_group_id.label("on_id"))
    about = about.where(rules.security_group_id != rules.remote_group_id)
    gone = {one.object_id for one in going}
    in_going = select(rules.id).where(rules.security_group_id.in_(sorted(groups)))
    left_alone = set(tx.connection.scalars(in_going)) if groups else set()
    for one in _of(tx, RULE, about, rules.remote_group_id, groups):
        if one.id not in left_alone | gone:
            yield one
    plugged = select(VNICS.c.id, VNICS.c.name, VNICS.c.project_id, VNICS.c.port_id.label("on_id"))
    yield from _of(tx, VNIC, plugged, VNICS.c.port_id, ports)


def _with_groups(tx: Transaction, groups: Mapping[str, str]) -> Iterator[Dependent]:
    port = PORTS.c.id, PORTS.c.name, PORTS.c.project_id
    alone = select(*port, SECURITY_GROUPS.c.id.label("on_id")).join(
        SECURITY_GROUPS, SECURITY_GROUPS.c.key == PORTS.c.ruleset
    )
    yield from _of(tx, PORT, alone, SECURITY_GROUPS.c.id, groups)
    sets = SECURITY_GROUP_SET_MEMBERS.c
    in_set = select(*port, sets.security_group_id.label("on_id")).join(
        SECURITY_GROUP_SET_MEMBERS, sets.set_key == PORTS.c.ruleset
    )
    yield from _of(tx, PORT, in_set, sets.security_group_id, groups)


def _of(
    tx: Transaction, kind: str, rows: Select[Any], column: ColumnElement[str], on: Mapping[str, str]
) -> Iterator[Dependent]:
    for chunk in in_chunks(sorted(on)):
        for row in tx.connection.execute(rows.where(column.in_(chunk)).distinct()):
            yield Dependent(type=kind, id=row.id, name=row.name, project_id=row.project_id, on=on[row.on_id])


def _ids(members: Sequence[Member], kind: str) -> dict[str, str]:
    """Return the paths of members of a type by the ids of their objects."""
    return {one.object_id: one.path for one in members if one.type == kind}
