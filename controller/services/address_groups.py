"""What can a caller do with address groups: named lists of prefixes that security group rules refer to?"""

import ipaddress
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Row, insert, or_, select
from sqlalchemy import delete as sql_delete
from sqlalchemy import update as sql_update

from controller.caller import Caller
from controller.errors import PolicyNotAuthorized
from controller.policy.words import Target
from controller.records import AddressGroup
from controller.security_errors import (
    AddressesAlreadyExist,
    AddressesNotFound,
    AddressGroupInUse,
    AddressGroupNotFound,
)
from controller.services import listing, sharing, tags, visibility
from controller.services.query import Query
from controller.services.rules import authorize, check_revision, each
from controller.store.loading import SELECT_ADDRESS_GROUPS, address_group_of
from controller.store.rulesets import next_key
from controller.store.schema import ADDRESS_GROUPS, DEFAULT_SECURITY_GROUP_RULES, SECURITY_GROUP_RULES
from controller.store.transaction import Transaction

_PLAIN_CHANGES = ("name", "description")

RESOURCE = listing.Resource(
    rows=SELECT_ADDRESS_GROUPS,
    table=ADDRESS_GROUPS,
    columns={column.name: column for column in ADDRESS_GROUPS.columns if column.name != "addresses"},
    not_found=AddressGroupNotFound,
    rule="get_address_group",
    facts=visibility.of_shared(ADDRESS_GROUPS, sharing.ADDRESS_GROUP),
    caller_conditions={"shared": sharing.filter_shared(sharing.ADDRESS_GROUP, ADDRESS_GROUPS.c.id)},
    conditions=tags.conditions(ADDRESS_GROUPS),
)


def create(tx: Transaction, caller: Caller, wanted: Mapping[str, Any]) -> AddressGroup:
    """Create an address group.

    Raises:
        PolicyNotAuthorized, RuleKeyExhausted
    """
    authorize(caller, "create_address_group", Target(project_id=wanted["project_id"]), wanted)
    group = AddressGroup(
        id=tx.new_id(),
        key=next_key(tx),
        project_id=wanted["project_id"],
        name=wanted["name"],
        description=wanted["description"],
        addresses=_canonical(wanted["addresses"]),
        created_at=tx.now,
        updated_at=tx.now,
        revision_number=0,
    )
    row = {name: getattr(group, name) for name in ("id", "key", "project_id", *_PLAIN_CHANGES, "revision_number")}
    row |= {"addresses": json.dumps(group.addresses), "created_at": tx.timestamp, "updated_at": tx.timestamp}
    tx.connection.execute(insert(ADDRESS_GROUPS), row)
    tx.journal("address_group", group.id)
    return group


def create_many(tx: Transaction, caller: Caller, wanted: Sequence[Mapping[str, Any]]) -> list[AddressGroup]:
    """Create all address groups or none; ``create`` says what may be raised."""
    return each(create, tx, caller, wanted)


def get(tx: Transaction, caller: Caller, object_id: str) -> AddressGroup:
    """Return one address group.

    Raises:
        AddressGroupNotFound: not for this caller.
    """
    return address_group_of(listing.one(tx, caller, RESOURCE, object_id))


def find(tx: Transaction, caller: Caller, query: Query) -> list[AddressGroup]:
    """Return the address groups a query asks for, with one statement.

    Raises:
        AddressGroupNotFound: the marker is no address group of this caller.
        InvalidInput: a filter or sort name is unknown.
    """
    return [address_group_of(row) for row in listing.many(tx, caller, RESOURCE, query)]


def update(
    tx: Transaction, caller: Caller, object_id: str, changes: Mapping[str, Any], *, if_revision: int | None = None
) -> AddressGroup:
    """Change an address group's name or description; a change to the same values leaves its revision alone.

    Raises:
        AddressGroupNotFound, PolicyNotAuthorized, RevisionNumberConstraintFailed
    """
    old = _held(tx, caller, object_id, "update_address_group", if_revision)
    return _store(tx, old, replace(old, **{name: changes[name] for name in _PLAIN_CHANGES if name in changes}))


def add_addresses(
    tx: Transaction, caller: Caller, object_id: str, addresses: Sequence[str], *, if_revision: int | None = None
) -> AddressGroup:
    """Add prefixes to an address group.

    Raises:
        AddressGroupNotFound, PolicyNotAuthorized, RevisionNumberConstraintFailed
        AddressesAlreadyExist: some are in it; none is added.
    """
    old = _held(tx, caller, object_id, "add_addresses", if_revision)
    added = _canonical(addresses)
    known = [address for address in added if address in old.addresses]
    if known:
        raise AddressesAlreadyExist(known, old.id)
    return _store(tx, old, replace(old, addresses=tuple(sorted((*old.addresses, *added)))))


def remove_addresses(
    tx: Transaction, caller: Caller, object_id: str, addresses: Sequence[str], *, if_revision: int | None = None
) -> AddressGroup:
    """Remove prefixes from an address group.

    Raises:
        AddressGroupNotFound, PolicyNotAuthorized, RevisionNumberConstraintFailed
        AddressesNotFound: some are not in it; none is removed.
    """
    old = _held(tx, caller, object_id, "remove_addresses", if_revision)
    removed = _canonical(addresses)
    unknown = [address for address in removed if address not in old.addresses]
    if unknown:
        raise AddressesNotFound(unknown, old.id)
    return _store(tx, old, replace(old, addresses=tuple(one for one in old.addresses if one not in removed)))


def delete(tx: Transaction, caller: Caller, object_id: str, *, if_revision: int | None = None) -> None:
    """Delete an address group.

    Raises:
        AddressGroupNotFound, PolicyNotAuthorized, RevisionNumberConstraintFailed
        AddressGroupInUse: rules refer to it.
    """
    row = listing.one(tx, caller, RESOURCE, object_id, lock=True)
    _authorize_owner(caller, "delete_address_group", row)
    check_revision(if_revision, row.revision_number)
    used = or_(
        *(
            listing.exists_where(table.c.remote_address_group_id == row.id)
            for table in (SECURITY_GROUP_RULES, DEFAULT_SECURITY_GROUP_RULES)
        )
    )
    if tx.connection.execute(select(used)).scalar():
        raise AddressGroupInUse(row.id)
    sharing.forget(tx, row.id)
    tx.connection.execute(sql_delete(ADDRESS_GROUPS).where(ADDRESS_GROUPS.c.id == row.id))
    tx.journal("address_group", row.id)


def _held(tx: Transaction, caller: Caller, object_id: str, rule: str, if_revision: int | None) -> AddressGroup:
    group = address_group_of(listing.one(tx, caller, RESOURCE, object_id, lock=True))
    _authorize_owner(caller, rule, group)
    check_revision(if_revision, group.revision_number)
    return group


def _authorize_owner(caller: Caller, rule: str, group: AddressGroup | Row[Any]) -> None:
    """Ask the policy; a group somebody shares is not there for those who would change it, as in Neutron.

    Raises:
        AddressGroupNotFound, PolicyNotAuthorized
    """
    try:
        authorize(caller, rule, Target(project_id=group.project_id))
    except PolicyNotAuthorized as error:
        if group.project_id != caller.project_id:
            raise AddressGroupNotFound(group.id) from error
        raise


def _store(tx: Transaction, old: AddressGroup, new: AddressGroup) -> AddressGroup:
    if new == old:
        return old
    new = replace(new, updated_at=tx.now, revision_number=old.revision_number + 1)
    values: dict[str, Any] = {name: getattr(new, name) for name in (*_PLAIN_CHANGES, "revision_number")}
    values |= {"addresses": json.dumps(new.addresses), "updated_at": tx.timestamp}
    tx.connection.execute(sql_update(ADDRESS_GROUPS).where(ADDRESS_GROUPS.c.id == old.id).values(values))
    tx.journal("address_group", old.id)
    return new


def _canonical(addresses: Sequence[str]) -> tuple[str, ...]:
    """Return prefixes without host bits, each once, sorted."""
    return tuple(sorted({str(ipaddress.ip_network(address, strict=False)) for address in addresses}))
