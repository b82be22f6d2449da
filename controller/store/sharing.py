"""Which objects are shared with which projects? One row says that one object is, with one project or with every one.

``shared`` of a network or group is a row with the target ``*``: there is no other place where it is written.
"""

from typing import Any

from sqlalchemy import Column, ColumnElement, Exists, Index, Select, String, Table, UniqueConstraint, or_, select

from controller.store.schema import METADATA, NAME_LENGTH, UUID_LENGTH

EVERYBODY = "*"
SHARED = "access_as_shared"
EXTERNAL = "access_as_external"
_KIND_LENGTH = 32

RBAC_POLICIES = Table(
    "rbac_policies",
    METADATA,
    Column("id", String(UUID_LENGTH), primary_key=True),
    Column("project_id", String(NAME_LENGTH), nullable=False, index=True),
    Column("object_type", String(_KIND_LENGTH), nullable=False),
    Column("object_id", String(UUID_LENGTH), nullable=False),
    Column("action", String(_KIND_LENGTH), nullable=False),
    Column("target_project", String(NAME_LENGTH), nullable=False),
    UniqueConstraint("object_id", "action", "target_project"),
    Index("ix_rbac_policies_target_project", "target_project", "action", "object_type", "object_id"),
)


def ids_shared_with(object_type: str, action: str, project_id: ColumnElement[str] | str) -> Select[Any]:
    """Return a select of the ids of objects that a project may use, as everybody or by name."""
    target = RBAC_POLICIES.c.target_project
    return select(RBAC_POLICIES.c.object_id).where(
        RBAC_POLICIES.c.object_type == object_type,
        RBAC_POLICIES.c.action == action,
        or_(target == EVERYBODY, target == project_id),
    )


def is_shared_with_everybody(object_id: ColumnElement[str]) -> Exists:
    """Return whether every project may use an object."""
    return (
        select(1)
        .where(
            RBAC_POLICIES.c.object_id == object_id,
            RBAC_POLICIES.c.action == SHARED,
            RBAC_POLICIES.c.target_project == EVERYBODY,
        )
        .exists()
    )
