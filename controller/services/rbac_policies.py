"""What can a caller do with policies that share objects?

Neutron, extension rbac-policies.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Row, insert, select
from sqlalchemy import delete as sql_delete
from sqlalchemy import update as sql_update

from controller.caller import Caller
from controller.errors import InvalidInput
from controller.network_errors import DuplicateRbacPolicy, RbacPolicyInitError, RbacPolicyInUse, RbacPolicyNotFound
from controller.policy.words import Target
from controller.services import (
    address_groups,
    address_scopes,
    listing,
    networks,
    quotas,
    security_groups,
    sharing,
    subnetpools,
)
from controller.services.query import Query
from controller.services.rules import authorize, each
from controller.services.visibility import of_owned
from controller.store.pools_schema import ADDRESS_SCOPES, SUBNETPOOLS
from controller.store.schema import NETWORKS
from controller.store.sharing import EVERYBODY, EXTERNAL, RBAC_POLICIES, SHARED, ids_shared_with
from controller.store.transaction import Transaction

_RESOURCES: Mapping[str, listing.Resource] = {
    sharing.NETWORK: networks.RESOURCE,
    sharing.SECURITY_GROUP: security_groups.RESOURCE,
    sharing.ADDRESS_GROUP: address_groups.RESOURCE,
    sharing.SUBNETPOOL: subnetpools.RESOURCE,
    sharing.ADDRESS_SCOPE: address_scopes.RESOURCE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RbacPolicy:
    """One object, shared with one project or with every one."""

    id: str
    project_id: str
    object_type: str
    object_id: str
    action: str
    target_project: str


RESOURCE = listing.Resource(
    rows=select(RBAC_POLICIES),
    table=RBAC_POLICIES,
    columns={column.name: column for column in RBAC_POLICIES.columns},
    not_found=RbacPolicyNotFound,
    rule="get_rbac_policy",
    facts=of_owned(RBAC_POLICIES),
)


def create(tx: Transaction, caller: Caller, wanted: Mapping[str, Any]) -> RbacPolicy:
    """Share an object with a project, or with every one.

    Raises:
        PolicyNotAuthorized, OverQuota, InvalidInput, DuplicateRbacPolicy, RbacPolicyInitError
        and that the object is not there for this caller
    """
    kind = sharing.SHAREABLE.get(wanted["object_type"])
    if kind is None:
        raise InvalidInput(f"'{wanted['object_type']}' is not a valid RBAC object type")
    if wanted["action"] not in kind.actions:
        raise InvalidInput(
            f"Invalid action '{wanted['action']}' for object type '{wanted['object_type']}'. "
            f"Valid actions: {', '.join(kind.actions)}"
        )
    if wanted["target_project"] is None:
        raise InvalidInput("'None' is not a valid target project ID; expected a project or '*'")
    authorize(caller, "create_rbac_policy", _target(wanted["project_id"], wanted["target_project"]), wanted)
    quotas.reserve(tx, "rbac_policy", wanted["project_id"])
    shared = listing.one(tx, caller, _RESOURCES[wanted["object_type"]], wanted["object_id"], lock=True)
    if shared.project_id != caller.project_id and not caller.is_admin:
        raise InvalidInput("Only admins can manipulate policies on objects they do not own")
    made = RbacPolicy(
        id=tx.new_id(),
        **{name: wanted[name] for name in ("project_id", "object_type", "object_id", "action", "target_project")},
    )
    _check_new(tx, made)
    tx.connection.execute(
        insert(RBAC_POLICIES),
        {name: getattr(made, name) for name in RBAC_POLICIES.columns.keys()},  # noqa: SIM118
    )
    if made.action == EXTERNAL:
        _set_external(tx, made.object_id)
    _changed(tx, made)
    return made


def create_many(tx: Transaction, caller: Caller, wanted: Sequence[Mapping[str, Any]]) -> list[RbacPolicy]:
    """Make all policies or none; ``create`` says what may be raised."""
    return each(create, tx, caller, wanted)


def get(tx: Transaction, caller: Caller, object_id: str) -> RbacPolicy:
    """Return one policy.

    Raises:
        RbacPolicyNotFound: not for this caller.
    """
    return _record(listing.one(tx, caller, RESOURCE, object_id))


def find(tx: Transaction, caller: Caller, query: Query) -> list[RbacPolicy]:
    """Return the policies a query asks for, with one statement.

    Raises:
        RbacPolicyNotFound: the marker is no policy of this caller.
        InvalidInput: a filter or sort name is unknown.
    """
    return [_record(row) for row in listing.many(tx, caller, RESOURCE, query)]


def update(
    tx: Transaction, caller: Caller, object_id: str, changes: Mapping[str, Any], *, if_revision: int | None = None
) -> RbacPolicy:
    """Share the object with another target instead; policies have no revision.

    Raises:
        RbacPolicyNotFound, PolicyNotAuthorized, DuplicateRbacPolicy, RbacPolicyInitError
        RbacPolicyInUse: the old target uses the object.
    """
    del if_revision
    old = _record(listing.one(tx, caller, RESOURCE, object_id, lock=True))
    new = replace(old, target_project=changes.get("target_project", old.target_project))
    authorize(caller, "update_rbac_policy", _target(old.project_id, new.target_project), changes)
    if new == old:
        return old
    _check_new(tx, new)
    if new.target_project != EVERYBODY:
        _check_unused(tx, old)
    values = {"target_project": new.target_project}
    tx.connection.execute(sql_update(RBAC_POLICIES).where(RBAC_POLICIES.c.id == old.id).values(values))
    _changed(tx, new)
    return new


def delete(tx: Transaction, caller: Caller, object_id: str, *, if_revision: int | None = None) -> None:
    """Share the object with the target no longer.

    Raises:
        RbacPolicyNotFound, PolicyNotAuthorized
        RbacPolicyInUse: the target uses the object.
    """
    del if_revision
    old = _record(listing.one(tx, caller, RESOURCE, object_id, lock=True))
    authorize(caller, "delete_rbac_policy", _target(old.project_id, old.target_project))
    _check_unused(tx, old)
    tx.connection.execute(sql_delete(RBAC_POLICIES).where(RBAC_POLICIES.c.id == old.id))
    if old.action == EXTERNAL:
        _set_external(tx, old.object_id)
    _changed(tx, old)


def _target(project_id: str, target_project: str) -> Target:
    return Target(project_id=project_id, wildcard=target_project == EVERYBODY)


def _check_new(tx: Transaction, policy: RbacPolicy) -> None:
    same = select(RBAC_POLICIES.c.id).where(
        RBAC_POLICIES.c.id != policy.id,
        *(RBAC_POLICIES.c[name] == getattr(policy, name) for name in ("object_id", "action", "target_project")),
    )
    if tx.connection.execute(same).first() is not None:
        raise DuplicateRbacPolicy
    if policy.object_type == sharing.SUBNETPOOL:
        _check_scope_is_shared(tx, policy)


def _check_scope_is_shared(tx: Transaction, policy: RbacPolicy) -> None:
    """Refuse to share a pool with who may not use the address scope it is in (Neutron, rbac-subnetpool)."""
    scopes = select(ADDRESS_SCOPES.c.id, ADDRESS_SCOPES.c.project_id).join(
        SUBNETPOOLS, SUBNETPOOLS.c.address_scope_id == ADDRESS_SCOPES.c.id
    )
    scope = tx.connection.execute(scopes.where(SUBNETPOOLS.c.id == policy.object_id)).first()
    if scope is None or scope.project_id == policy.target_project:
        return
    shared = ids_shared_with(sharing.ADDRESS_SCOPE, SHARED, policy.target_project)
    if tx.connection.execute(shared.where(RBAC_POLICIES.c.object_id == scope.id)).first() is None:
        raise RbacPolicyInitError(policy.object_id, "target project doesn't have access to associated address scope")


def _check_unused(tx: Transaction, policy: RbacPolicy) -> None:
    if policy.action != SHARED:
        return
    table = sharing.SHAREABLE[policy.object_type].table
    owner = tx.connection.scalar(select(table.c.project_id).where(table.c.id == policy.object_id)) or ""
    using = sharing.dependants(
        tx, policy.object_type, policy.object_id, owner, target=policy.target_project, without=policy.id
    )
    if using:
        raise RbacPolicyInUse(policy.object_id, f"it is used by project {', '.join(using)}")


def _set_external(tx: Transaction, network_id: str) -> None:
    """A network is external as long as a policy lets somebody use it so (Neutron, extension external-net)."""
    policies = select(RBAC_POLICIES.c.id).where(
        RBAC_POLICIES.c.object_id == network_id, RBAC_POLICIES.c.action == EXTERNAL
    )
    is_external = tx.connection.execute(policies.limit(1)).first() is not None
    networks_of_id = sql_update(NETWORKS).where(NETWORKS.c.id == network_id)
    tx.connection.execute(networks_of_id.values(router_external=is_external))


def _changed(tx: Transaction, policy: RbacPolicy) -> None:
    """Note it in the revision of the object, as Neutron does for networks."""
    if policy.object_type == sharing.NETWORK:
        networks.bump(tx, policy.object_id)


def _record(row: Row[Any]) -> RbacPolicy:
    return RbacPolicy(**row._mapping)  # noqa: SLF001 - SQLAlchemy's public name for a row by column
