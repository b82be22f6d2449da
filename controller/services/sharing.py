"""What is shared, who uses it, and what happens to it when an object comes or goes?

``SHAREABLE`` is the registry: a new type of object is one line of it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from sqlalchemy import ColumnElement, Select, delete, insert, select

from controller.caller import Caller
from controller.store.pools_schema import ADDRESS_SCOPES, POOLED_SUBNETS, SUBNETPOOLS
from controller.store.rulesets import has_group
from controller.store.schema import (
    ADDRESS_GROUPS,
    NETWORKS,
    PORTS,
    SECURITY_GROUP_RULES,
    SECURITY_GROUPS,
    SUBNETS,
)
from controller.store.sharing import EVERYBODY, EXTERNAL, RBAC_POLICIES, SHARED, ids_shared_with
from controller.store.transaction import Transaction

NETWORK, SECURITY_GROUP, ADDRESS_GROUP = "network", "security_group", "address_group"
SUBNETPOOL, ADDRESS_SCOPE = "subnetpool", "address_scope"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shareable:
    """A type of object that can be shared."""

    table: Any
    """Its rows have ``id`` and ``project_id``."""
    users: Callable[[str], Sequence[Select[Any]]]
    """Selects of ``project_id``, of what uses an object and so of whom."""
    actions: tuple[str, ...] = (SHARED,)


def _users_of_network(network_id: str) -> Sequence[Select[Any]]:
    return [select(table.c.project_id).where(table.c.network_id == network_id) for table in (PORTS, SUBNETS)]


def _users_of_security_group(group_id: str) -> Sequence[Select[Any]]:
    rules = select(SECURITY_GROUP_RULES.c.project_id).where(SECURITY_GROUP_RULES.c.remote_group_id == group_id)
    return [select(PORTS.c.project_id).where(has_group([group_id])), rules]


def _users_of_address_group(group_id: str) -> Sequence[Select[Any]]:
    rules = select(SECURITY_GROUP_RULES.c.project_id)
    return [rules.where(SECURITY_GROUP_RULES.c.remote_address_group_id == group_id)]


def _users_of_subnetpool(pool_id: str) -> Sequence[Select[Any]]:
    return [select(POOLED_SUBNETS.c.project_id).where(POOLED_SUBNETS.c.subnetpool_id == pool_id)]


def _users_of_address_scope(scope_id: str) -> Sequence[Select[Any]]:
    return [select(SUBNETPOOLS.c.project_id).where(SUBNETPOOLS.c.address_scope_id == scope_id)]


SHAREABLE: Mapping[str, Shareable] = {
    NETWORK: Shareable(table=NETWORKS, users=_users_of_network, actions=(SHARED, EXTERNAL)),
    SECURITY_GROUP: Shareable(table=SECURITY_GROUPS, users=_users_of_security_group),
    ADDRESS_GROUP: Shareable(table=ADDRESS_GROUPS, users=_users_of_address_group),
    SUBNETPOOL: Shareable(table=SUBNETPOOLS, users=_users_of_subnetpool),
    ADDRESS_SCOPE: Shareable(table=ADDRESS_SCOPES, users=_users_of_address_scope),
}


class Shared(Protocol):
    """A record that can be shared."""

    @property
    def id(self) -> str: ...  # noqa: D102 - the names speak
    @property
    def project_id(self) -> str: ...  # noqa: D102
    @property
    def shared(self) -> bool: ...  # noqa: D102


S = TypeVar("S", bound=Shared)


def share(tx: Transaction, object_type: str, object_id: str, project_id: str, action: str) -> None:
    """Share an object with every project, unless it is already."""
    row = {
        "project_id": project_id,
        "object_type": object_type,
        "object_id": object_id,
        "action": action,
        "target_project": EVERYBODY,
    }
    known = select(RBAC_POLICIES.c.id).where(*(RBAC_POLICIES.c[name] == value for name, value in row.items()))
    if tx.connection.execute(known).first() is None:
        tx.connection.execute(insert(RBAC_POLICIES), row | {"id": tx.new_id()})


def unshare(tx: Transaction, object_id: str, action: str, *, target: str | None = None) -> None:
    """Take the sharing of an object back: with one target, or with all."""
    gone = delete(RBAC_POLICIES).where(RBAC_POLICIES.c.object_id == object_id, RBAC_POLICIES.c.action == action)
    tx.connection.execute(gone if target is None else gone.where(RBAC_POLICIES.c.target_project == target))


def forget(tx: Transaction, object_id: str) -> None:
    """Remove what says that an object is shared, when it goes."""
    tx.connection.execute(delete(RBAC_POLICIES).where(RBAC_POLICIES.c.object_id == object_id))


def dependants(
    tx: Transaction, object_type: str, object_id: str, owner: str, *, target: str, without: str | None = None
) -> list[str]:
    """Return the projects that could no longer use what they use, if an object were not shared with the target.

    Args:
        tx: The transaction.
        object_type: Of ``SHAREABLE``.
        object_id: Of the object.
        owner: The object's project, which needs no sharing.
        target: A project, or everybody.
        without: Id of the policy that would go; without one, the policy about everybody.
    """
    others = select(RBAC_POLICIES.c.target_project).where(
        RBAC_POLICIES.c.object_id == object_id, RBAC_POLICIES.c.action == SHARED
    )
    others = others.where(RBAC_POLICIES.c.id != without) if without else others.where(_is_named())
    covered = set(tx.connection.scalars(others))
    if EVERYBODY in covered:
        return []
    found: set[str] = set()
    for users in SHAREABLE[object_type].users(object_id):
        project = users.selected_columns[0]
        asked = users.where(project != owner).distinct()
        asked = asked if target == EVERYBODY else asked.where(project == target)
        found.update(tx.connection.scalars(asked))
    return sorted(found - covered)


def marked(tx: Transaction, caller: Caller, object_type: str, records: Sequence[S]) -> dict[str, bool]:
    """Return by id whether each record is shared with the caller's project.

    Of a foreign object that is not shared with everybody it takes a look, one for a whole page.
    """
    open_ = [one.id for one in records if not one.shared and one.project_id != caller.project_id]
    named: set[str] = set()
    if open_:
        seen = ids_shared_with(object_type, SHARED, caller.project_id)
        named = set(tx.connection.scalars(seen.where(RBAC_POLICIES.c.object_id.in_(open_))))
    return {one.id: one.shared or one.id in named for one in records}


def filter_shared(
    object_type: str, object_id: ColumnElement[str]
) -> Callable[[Caller, tuple[object, ...]], ColumnElement[bool]]:
    """Return the filter ``shared=`` of a type of object, which depends on who asks."""

    def condition(caller: Caller, values: tuple[object, ...]) -> ColumnElement[bool]:
        is_shared = object_id.in_(ids_shared_with(object_type, SHARED, caller.project_id))
        wanted = {bool(value) for value in values}
        if wanted == {True}:
            return is_shared
        return ~is_shared if wanted == {False} else object_id.is_not(None)

    return condition


def _is_named() -> ColumnElement[bool]:
    return RBAC_POLICIES.c.target_project != EVERYBODY
