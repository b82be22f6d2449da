"""What can a caller do with address scopes: sets of subnet pools in which an address means one thing?

Neutron extension address-scope. A shared scope takes in pools of every project.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Row, insert, select
from sqlalchemy import delete as sql_delete
from sqlalchemy import update as sql_update

from controller.caller import Caller
from controller.pool_errors import AddressScopeInUse, AddressScopeNotFound, AddressScopeUpdateError
from controller.pool_records import AddressScope
from controller.services import listing, sharing, visibility
from controller.services.query import Query
from controller.services.rules import check_owner, each
from controller.store.pools_schema import ADDRESS_SCOPES, SUBNETPOOLS
from controller.store.sharing import SHARED, is_shared_with_everybody
from controller.store.transaction import Transaction

_IS_SHARED = is_shared_with_everybody(ADDRESS_SCOPES.c.id)

RESOURCE = listing.Resource(
    rows=select(ADDRESS_SCOPES, _IS_SHARED.label("shared")),
    table=ADDRESS_SCOPES,
    columns={column.name: column for column in ADDRESS_SCOPES.columns} | {"shared": _IS_SHARED},
    not_found=AddressScopeNotFound,
    rule="get_address_scope",
    facts=visibility.of_shared(ADDRESS_SCOPES, sharing.ADDRESS_SCOPE),
    caller_conditions={"shared": sharing.filter_shared(sharing.ADDRESS_SCOPE, ADDRESS_SCOPES.c.id)},
)


def create(tx: Transaction, caller: Caller, wanted: Mapping[str, Any]) -> AddressScope:
    """Create an address scope.

    Raises:
        PolicyNotAuthorized
    """
    check_owner(caller, wanted["project_id"], "create_address_scope:project_id")
    scope = AddressScope(
        id=tx.new_id(),
        project_id=wanted["project_id"],
        name=wanted["name"],
        ip_version=wanted["ip_version"],
        shared=wanted["shared"],
    )
    values = {column.name: getattr(scope, column.name) for column in ADDRESS_SCOPES.columns}
    tx.connection.execute(insert(ADDRESS_SCOPES), values)
    if scope.shared:
        _share(tx, scope)
    return scope


def create_many(tx: Transaction, caller: Caller, wanted: Sequence[Mapping[str, Any]]) -> list[AddressScope]:
    """Create all scopes or none; ``create`` says what may be raised."""
    return each(create, tx, caller, wanted)


def get(tx: Transaction, caller: Caller, object_id: str) -> AddressScope:
    """Return one scope.

    Raises:
        AddressScopeNotFound: not for this caller.
    """
    return _scope(listing.one(tx, caller, RESOURCE, object_id))


def find(tx: Transaction, caller: Caller, query: Query) -> list[AddressScope]:
    """Return the scopes a query asks for, with one statement.

    Raises:
        AddressScopeNotFound: the marker is no scope of this caller.
        InvalidInput: a filter or sort name is unknown.
    """
    return [_scope(row) for row in listing.many(tx, caller, RESOURCE, query)]


def update(
    tx: Transaction,
    caller: Caller,
    object_id: str,
    changes: Mapping[str, Any],
    *,
    if_revision: int | None = None,  # noqa: ARG001 - a scope has no revision, as in Neutron
) -> AddressScope:
    """Change a scope's name, or share it.

    Raises:
        AddressScopeNotFound, PolicyNotAuthorized
        AddressScopeUpdateError: it is shared and would be so no longer.
    """
    old = held(tx, caller, object_id)
    check_owner(caller, old.project_id, "update_address_scope")
    new = replace(old, **{name: changes[name] for name in ("name", "shared") if name in changes})
    if old.shared and not new.shared:
        raise AddressScopeUpdateError(old.id, "Shared address scope can't be unshared")
    statement = sql_update(ADDRESS_SCOPES).where(ADDRESS_SCOPES.c.id == old.id)
    tx.connection.execute(statement.values(name=new.name))
    if new.shared and not old.shared:
        _share(tx, new)
    return new


def delete(
    tx: Transaction,
    caller: Caller,
    object_id: str,
    *,
    if_revision: int | None = None,  # noqa: ARG001 - as above
) -> None:
    """Delete a scope.

    Raises:
        AddressScopeNotFound, PolicyNotAuthorized
        AddressScopeInUse: subnet pools are in it.
    """
    scope = held(tx, caller, object_id)
    check_owner(caller, scope.project_id, "delete_address_scope")
    pools = select(SUBNETPOOLS.c.id).where(SUBNETPOOLS.c.address_scope_id == scope.id)
    if tx.connection.execute(pools.limit(1)).first() is not None:
        raise AddressScopeInUse(scope.id)
    sharing.forget(tx, scope.id)
    tx.connection.execute(sql_delete(ADDRESS_SCOPES).where(ADDRESS_SCOPES.c.id == scope.id))


def held(tx: Transaction, caller: Caller, object_id: str) -> AddressScope:
    """Return one scope and keep others from changing it, or what is in it, until the transaction ends.

    Raises:
        AddressScopeNotFound: not for this caller.
    """
    return _scope(listing.one(tx, caller, RESOURCE, object_id, lock=True))


def _share(tx: Transaction, scope: AddressScope) -> None:
    sharing.share(tx, sharing.ADDRESS_SCOPE, scope.id, scope.project_id, SHARED)


def _scope(row: Row[Any]) -> AddressScope:
    return AddressScope(
        id=row.id, project_id=row.project_id, name=row.name, ip_version=row.ip_version, shared=bool(row.shared)
    )
