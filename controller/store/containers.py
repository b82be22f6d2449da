"""How do rows of flavors, containers and members become records, and records rows?"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Row, delete, insert, select

from controller.containers.difference import Change
from controller.containers.expand import Wanted
from controller.containers.expressions import from_json, to_json
from controller.store.containers_schema import (
    CONTAINER_FLAVOR_PARTS,
    CONTAINER_FLAVORS,
    CONTAINER_MEMBERS,
    CONTAINERS,
)
from controller.store.loading import in_chunks, instant
from controller.store.transaction import Transaction

SELECT_FLAVORS = select(CONTAINER_FLAVORS)
SELECT_CONTAINERS = select(
    CONTAINERS, CONTAINER_FLAVORS.c.name.label("flavor"), CONTAINER_FLAVORS.c.version.label("flavor_version")
).select_from(CONTAINERS.outerjoin(CONTAINER_FLAVORS, CONTAINER_FLAVORS.c.id == CONTAINERS.c.flavor_id))


@dataclass(frozen=True, slots=True, kw_only=True)
class Flavor:
    """A version of a template in the catalog."""

    id: str
    project_id: str
    name: str
    version: int
    description: str
    public: bool
    template: Mapping[str, Any]
    template_yaml: str | None
    created_at: datetime
    updated_at: datetime
    revision_number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """An object in a container."""

    container_id: str
    path: str
    type: str
    object_id: str
    added: bool
    """By somebody; else its flavor asks for it."""
    properties: Mapping[str, Any]
    """As it is wanted, with references."""
    seen: Mapping[str, Any] = field(default_factory=dict)
    """What the API showed of it when it was last changed."""
    came_with: tuple[str, ...] = ()
    """Ids of what was made with it: the first rules of a security group."""

    @property
    def wanted(self) -> Wanted:
        """The member as it should be."""
        return Wanted(path=self.path, type=self.type, properties=self.properties)


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """An instance of a flavor, or a container built by hand."""

    id: str
    project_id: str
    name: str
    description: str
    flavor_id: str | None
    flavor: str | None
    flavor_version: int | None
    parameters: Mapping[str, Any]
    endpoints: Mapping[str, str]
    outputs: Mapping[str, Any]
    created_at: datetime
    updated_at: datetime
    revision_number: int
    changes: tuple[Change, ...] | None = None
    """What a request has just done; None when it only looked."""


def flavor_of(row: Row[Any]) -> Flavor:
    """Turn a row of ``SELECT_FLAVORS`` into a record."""
    return Flavor(
        id=row.id,
        project_id=row.project_id,
        name=row.name,
        version=row.version,
        description=row.description,
        public=row.public,
        template=json.loads(row.template),
        template_yaml=row.template_yaml,
        created_at=instant(row.created_at),
        updated_at=instant(row.updated_at),
        revision_number=row.revision_number,
    )


def container_of(row: Row[Any], changes: tuple[Change, ...] | None = None) -> Container:
    """Turn a row of ``SELECT_CONTAINERS`` into a record."""
    return Container(
        id=row.id,
        project_id=row.project_id,
        name=row.name,
        description=row.description,
        flavor_id=row.flavor_id,
        flavor=row.flavor,
        flavor_version=row.flavor_version,
        parameters=json.loads(row.parameters),
        endpoints=json.loads(row.endpoints),
        outputs=json.loads(row.outputs),
        created_at=instant(row.created_at),
        updated_at=instant(row.updated_at),
        revision_number=row.revision_number,
        changes=changes,
    )


def load(tx: Transaction, container_id: str, changes: tuple[Change, ...] | None = None) -> Container:
    """Return a container that is there."""
    row = tx.connection.execute(SELECT_CONTAINERS.where(CONTAINERS.c.id == container_id)).one()
    return container_of(row, changes)


def load_flavor(tx: Transaction, flavor_id: str) -> Flavor:
    """Return a flavor that is there, whoever may see it."""
    return flavor_of(tx.connection.execute(SELECT_FLAVORS.where(CONTAINER_FLAVORS.c.id == flavor_id)).one())


def parts_of(tx: Transaction, flavor_id: str) -> dict[str, str]:
    """Return the ids of the flavors that a flavor's template names."""
    found = select(CONTAINER_FLAVOR_PARTS).where(CONTAINER_FLAVOR_PARTS.c.flavor_id == flavor_id)
    return {row.name: row.part_id for row in tx.connection.execute(found)}


def members_of(tx: Transaction, container_id: str) -> list[Member]:
    """Return a container's members, in the order in which they were made."""
    of_container = select(CONTAINER_MEMBERS).where(CONTAINER_MEMBERS.c.container_id == container_id)
    rows = tx.connection.execute(of_container.order_by(CONTAINER_MEMBERS.c.position, CONTAINER_MEMBERS.c.path))
    return [_member_of(row) for row in rows]


def holders(tx: Transaction, object_ids: Sequence[str]) -> frozenset[str]:
    """Return the ids of the containers that have any of some objects as members."""
    found: set[str] = set()
    for chunk in in_chunks(object_ids):
        those = select(CONTAINER_MEMBERS.c.container_id).where(CONTAINER_MEMBERS.c.object_id.in_(chunk))
        found.update(tx.connection.scalars(those))
    return frozenset(found)


def forget_members(tx: Transaction, container_id: str, paths: Sequence[str]) -> None:
    """Remove members' rows."""
    for chunk in in_chunks(paths):
        gone = CONTAINER_MEMBERS.c.container_id == container_id, CONTAINER_MEMBERS.c.path.in_(chunk)
        tx.connection.execute(delete(CONTAINER_MEMBERS).where(*gone))


def store_members(tx: Transaction, members: Sequence[Member], *, first: int = 0) -> None:
    """Write members' rows in the place of those of the same paths; ``first`` is the position of the first."""
    if not members:
        return
    forget_members(tx, members[0].container_id, [one.path for one in members])
    rows = [
        {
            "container_id": one.container_id,
            "path": one.path,
            "position": position,
            "type": one.type,
            "object_id": one.object_id,
            "added": one.added,
            "wanted": json.dumps(to_json(one.properties)),
            "seen": json.dumps(one.seen),
            "came_with": json.dumps(one.came_with),
        }
        for position, one in enumerate(members, start=first)
    ]
    tx.connection.execute(insert(CONTAINER_MEMBERS), rows)


def _member_of(row: Row[Any]) -> Member:
    return Member(
        container_id=row.container_id,
        path=row.path,
        type=row.type,
        object_id=row.object_id,
        added=row.added,
        properties=from_json(json.loads(row.wanted)),
        seen=json.loads(row.seen),
        came_with=tuple(json.loads(row.came_with)),
    )
