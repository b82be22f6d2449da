"""How does a container get members, and lose them, one at a time? And how is each of them now?

A member that was added belongs to the container as those of its flavor do: it goes with it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import func, select
from sqlalchemy import update as sql_update

from controller.caller import Caller
from controller.container_errors import (
    AlreadyMember,
    ContainerInUse,
    ContainerMemberNotFound,
    InvalidTemplate,
    MemberOfFlavor,
)
from controller.containers.difference import CREATED, DELETED, Change
from controller.containers.expand import Wanted
from controller.containers.problems import TemplateError
from controller.errors import InvalidInput
from controller.services import container_kinds, containers, vnics
from controller.services.container_changes import Work, with_seen
from controller.services.container_dependents import dependents
from controller.services.container_kinds import GROUP, PLUG, VNIC, Kinds
from controller.store.containers import Container, Member, forget_members, load, members_of, store_members
from controller.store.containers_schema import CONTAINER_MEMBERS, CONTAINERS
from controller.store.loading import in_chunks
from controller.store.schema import NETWORKS, PORTS, SECURITY_GROUP_RULES, SECURITY_GROUPS, SUBNETS
from controller.store.transaction import Transaction
from controller.store.vnics_schema import VNICS

ADDED = "added/"
"""The paths of added members begin with it; no resource of a template is called so."""
MISSING, PRESENT = "MISSING", "ACTIVE"
_TABLES = {
    "network": NETWORKS,
    "subnet": SUBNETS,
    "port": PORTS,
    GROUP: SECURITY_GROUPS,
    "security_group_rule": SECURITY_GROUP_RULES,
    VNIC: VNICS,
}


def add(tx: Transaction, caller: Caller, object_id: str, wanted: Mapping[str, Any], *, kinds: Kinds) -> Container:
    """Add a member: an object there is (``object_id``), or a new one (``properties``).

    Raises:
        ContainerNotFound, PolicyNotAuthorized
        InvalidInput: neither or both are given.
        InvalidTemplate: the properties do not fit.
        ContainerMemberNotFound: the object is not there for the caller.
        AlreadyMember: it is in a container, or the name is taken.
        and whatever the service of a new member raises
    """
    container = containers.held(tx, caller, object_id, "add_container_member")
    kind, existing, properties = wanted["type"], wanted.get("object_id"), wanted.get("properties")
    if (existing is None) == (properties is None):
        raise InvalidInput("either object_id or properties must be given")
    path = f"{ADDED}{wanted['name']}"
    taken = CONTAINER_MEMBERS.c.container_id == container.id, CONTAINER_MEMBERS.c.path == path
    if tx.connection.execute(select(CONTAINER_MEMBERS.c.path).where(*taken)).first() is not None:
        raise AlreadyMember(path, container.id)
    if existing is not None:
        member = _existing(tx, caller, kinds, container, path=path, kind=kind, object_id=existing)
    else:
        member = _new(tx, caller, kinds, container, Wanted(path=path, type=kind, properties=properties or {}))
    most = select(func.max(CONTAINER_MEMBERS.c.position)).where(CONTAINER_MEMBERS.c.container_id == container.id)
    first = (tx.connection.scalar(most) or 0) + 1
    store_members(tx, with_seen(tx, caller, kinds, [member]), first=first)
    return _touched(tx, container, Change(path=path, type=kind, change=CREATED))


def remove(tx: Transaction, caller: Caller, object_id: str, wanted: Mapping[str, Any], *, kinds: Kinds) -> Container:
    """Let go of an added member, or with ``delete`` delete it.

    Raises:
        ContainerNotFound, PolicyNotAuthorized, ContainerMemberNotFound
        MemberOfFlavor: the flavor asks for it.
        ContainerInUse: it is to be deleted, and something else stands on it.
    """
    container = containers.held(tx, caller, object_id, "remove_container_member")
    members = members_of(tx, container.id)
    named = wanted["member"]
    member = next((one for one in members if named in (one.path, one.object_id)), None)
    if member is None:
        raise ContainerMemberNotFound(container.id, f"member {named}")
    if not member.added:
        raise MemberOfFlavor(container.id, member.path)
    if wanted.get("delete"):
        outside = dependents(tx, [member], [member])
        if outside:
            raise ContainerInUse(container.name or container.id, [str(one) for one in outside])
        if kinds[member.type].views(tx, caller, [member.object_id], ("id",)):
            work = Work(tx, caller, kinds, container_id=container.id, project_id=container.project_id, members=members)
            work.remove([member], with_=[member])
    forget_members(tx, container.id, [member.path])
    return _touched(tx, container, Change(path=member.path, type=member.type, change=DELETED))


def states(tx: Transaction, container_ids: Sequence[str]) -> dict[str, list[tuple[Member, str]]]:
    """Return the members of containers with what is to be said of each: a port's status, or whether it is there."""
    found: dict[str, list[tuple[Member, str]]] = {container_id: [] for container_id in container_ids}
    for chunk in in_chunks(container_ids):
        those = CONTAINER_MEMBERS.c.container_id.in_(chunk)
        there: dict[str, str] = {}
        for kind, table in _TABLES.items():
            of_kind = select(CONTAINER_MEMBERS.c.object_id).where(those, CONTAINER_MEMBERS.c.type == kind)
            status = PORTS.c.status if table is PORTS else table.c.id
            rows = tx.connection.execute(select(table.c.id, status.label("status")).where(table.c.id.in_(of_kind)))
            there |= {row.id: row.status if table is PORTS else PRESENT for row in rows}
        ordered = select(CONTAINER_MEMBERS).where(those)
        ordered = ordered.order_by(CONTAINER_MEMBERS.c.position, CONTAINER_MEMBERS.c.path)
        for row in tx.connection.execute(ordered):
            member = Member(
                container_id=row.container_id,
                path=row.path,
                type=row.type,
                object_id=row.object_id,
                added=row.added,
                properties={},
            )
            found[row.container_id].append((member, there.get(row.object_id, MISSING)))
    return found


def _existing(
    tx: Transaction, caller: Caller, kinds: Kinds, container: Container, *, path: str, kind: str, object_id: str
) -> Member:
    view = kinds[kind].views(tx, caller, [object_id], ("id", "project_id")).get(object_id)
    if view is None or view.get("project_id") != container.project_id:
        raise ContainerMemberNotFound(container.id, f"{kind} {object_id} of project {container.project_id}")
    other = select(CONTAINER_MEMBERS.c.container_id).where(CONTAINER_MEMBERS.c.object_id == object_id)
    holder = tx.connection.scalar(other)
    if holder is not None:
        raise AlreadyMember(f"{kind} {object_id}", holder)
    came: tuple[str, ...] = ()
    if kind == GROUP:
        rules = select(SECURITY_GROUP_RULES.c.id).where(SECURITY_GROUP_RULES.c.security_group_id == object_id)
        came = tuple(tx.connection.scalars(rules))
    return Member(
        container_id=container.id,
        path=path,
        type=kind,
        object_id=object_id,
        added=True,
        properties={},
        came_with=came,
    )


def _new(tx: Transaction, caller: Caller, kinds: Kinds, container: Container, wanted: Wanted) -> Member:
    try:
        container_kinds.check(kinds, [wanted])
    except TemplateError as error:
        raise InvalidTemplate(str(error)) from error
    given = container_kinds.given(wanted)
    plug = given.pop(PLUG, None) if wanted.type == VNIC else None
    kind = kinds[wanted.type]
    asked = kind.wanted(caller, given | {"project_id": container.project_id})
    (record,) = kind.create_many(tx, caller, [asked])
    if plug is not None:
        vnics.plug(tx, caller, record.id, {PLUG: plug})
    return Member(
        container_id=container.id,
        path=wanted.path,
        type=wanted.type,
        object_id=record.id,
        added=True,
        properties=wanted.properties,
        came_with=tuple(rule.id for rule in record.rules) if wanted.type == GROUP else (),
    )


def _touched(tx: Transaction, container: Container, change: Change) -> Container:
    values = {"updated_at": tx.timestamp, "revision_number": container.revision_number + 1}
    tx.connection.execute(sql_update(CONTAINERS).where(CONTAINERS.c.id == container.id).values(values))
    return load(tx, container.id, (change,))
