"""What can a caller do with subnet pools: prefixes that subnets are cut from?

Neutron API reference, subnet pools; extensions subnet_allocation, default-subnetpools, subnetpool-prefix-ops,
subnet_onboard. How a subnet gets its prefix is in ``controller.services.pooling``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Row, insert, select
from sqlalchemy import delete as sql_delete
from sqlalchemy import update as sql_update

from controller.caller import Caller
from controller.pool_errors import (
    IllegalSubnetPoolPrefixUpdate,
    IllegalSubnetPoolUpdate,
    SubnetPoolDeleteError,
    SubnetPoolNotFound,
)
from controller.pool_records import SubnetPool
from controller.records import Subnet
from controller.services import listing, networks, pool_rules, quotas, sharing, tags, visibility
from controller.services.query import Query
from controller.services.rules import check_owner, check_revision, each
from controller.store import free_prefixes
from controller.store.loading import SELECT_SUBNETS, in_chunks, instant, subnets_of
from controller.store.pools_schema import POOLED_SUBNETS, SUBNETPOOL_PREFIXES, SUBNETPOOLS
from controller.store.schema import SUBNETS
from controller.store.sharing import SHARED, is_shared_with_everybody
from controller.store.transaction import Transaction
from ipam.addresses import Cidr, parse_cidr
from ipam.prefixes import compact, intersect, subtract

_PLAIN = ("name", "description", "default_quota", "is_default", "address_scope_id")
_BOUNDS = ("min_prefixlen", "max_prefixlen", "default_prefixlen")
_STORED = (*_PLAIN, *_BOUNDS, "id", "project_id", "ip_version", "revision_number")

_IS_SHARED = is_shared_with_everybody(SUBNETPOOLS.c.id)

RESOURCE = listing.Resource(
    rows=select(SUBNETPOOLS, _IS_SHARED.label("shared")),
    table=SUBNETPOOLS,
    columns={column.name: column for column in SUBNETPOOLS.columns} | {"shared": _IS_SHARED},
    not_found=SubnetPoolNotFound,
    conditions=tags.conditions(SUBNETPOOLS),
    rule="get_subnetpool",
    facts=visibility.of_shared(SUBNETPOOLS, sharing.SUBNETPOOL),
    caller_conditions={"shared": sharing.filter_shared(sharing.SUBNETPOOL, SUBNETPOOLS.c.id)},
)


def create(tx: Transaction, caller: Caller, wanted: Mapping[str, Any]) -> SubnetPool:
    """Create a pool; all of it is free.

    Raises:
        PolicyNotAuthorized, InvalidInput, AddressScopeNotFound, and what ``pool_rules`` raises
    """
    check_owner(caller, wanted["project_id"], "create_subnetpool:project_id")
    quotas.reserve(tx, "subnetpool", wanted["project_id"])
    prefixes = pool_rules.checked_prefixes(wanted["prefixes"])
    version = prefixes[0].version
    values: dict[str, Any] = {name: wanted[name] for name in _PLAIN} | pool_rules.checked_bounds(version, wanted)
    pool = SubnetPool(
        id=tx.new_id(),
        project_id=wanted["project_id"],
        ip_version=version,
        prefixes=_as_text(prefixes),
        shared=wanted["shared"],
        **values,
        created_at=tx.now,
        updated_at=tx.now,
        revision_number=0,
    )
    if pool.is_default:
        pool_rules.check_only_default(tx, version)
    if pool.address_scope_id is not None:
        pool_rules.check_scope(tx, caller, pool.id, pool.address_scope_id, version=version, prefixes=prefixes)
    row = {name: getattr(pool, name) for name in _STORED}
    tx.connection.execute(insert(SUBNETPOOLS), row | {"created_at": tx.timestamp, "updated_at": tx.timestamp})
    if pool.shared:
        sharing.share(tx, sharing.SUBNETPOOL, pool.id, pool.project_id, SHARED)
    free_prefixes.store_prefixes(tx, pool.id, prefixes)
    for prefix in prefixes:
        free_prefixes.give(tx, pool.id, prefix)
    return pool


def create_many(tx: Transaction, caller: Caller, wanted: Sequence[Mapping[str, Any]]) -> list[SubnetPool]:
    """Create all pools or none; ``create`` says what may be raised."""
    return each(create, tx, caller, wanted)


def get(tx: Transaction, caller: Caller, object_id: str) -> SubnetPool:
    """Return one pool.

    Raises:
        SubnetPoolNotFound: not for this caller.
    """
    return _pools_of(tx, [listing.one(tx, caller, RESOURCE, object_id)])[0]


def find(tx: Transaction, caller: Caller, query: Query) -> list[SubnetPool]:
    """Return the pools a query asks for, with two statements whatever their number.

    Raises:
        SubnetPoolNotFound: the marker is no pool of this caller.
        InvalidInput: a filter or sort name is unknown.
    """
    return _pools_of(tx, listing.many(tx, caller, RESOURCE, query))


def update(
    tx: Transaction, caller: Caller, object_id: str, changes: Mapping[str, Any], *, if_revision: int | None = None
) -> SubnetPool:
    """Change a pool; its prefixes may only grow this way.

    Raises:
        SubnetPoolNotFound, RevisionNumberConstraintFailed, PolicyNotAuthorized, InvalidInput, AddressScopeNotFound,
        IllegalSubnetPoolPrefixUpdate, IllegalSubnetPoolUpdate, and what ``pool_rules`` raises
    """
    old = _held(tx, caller, object_id, "update_subnetpool", if_revision)
    values = {name: changes[name] for name in (*_PLAIN, *_BOUNDS) if name in changes}
    if "prefixes" in changes:
        prefixes = pool_rules.checked_prefixes(changes["prefixes"])
        if subtract(_cidrs(old.prefixes), prefixes):
            raise IllegalSubnetPoolPrefixUpdate("Existing prefixes must be a subset of the new prefixes")
        values["prefixes"] = _as_text(prefixes)
    return _change(tx, caller, old, values)


def delete(tx: Transaction, caller: Caller, object_id: str, *, if_revision: int | None = None) -> None:
    """Delete a pool.

    Raises:
        SubnetPoolNotFound, RevisionNumberConstraintFailed, PolicyNotAuthorized
        SubnetPoolDeleteError: subnets have prefixes of it.
    """
    pool = _held(tx, caller, object_id, "delete_subnetpool", if_revision)
    subnets = select(POOLED_SUBNETS.c.subnet_id).where(POOLED_SUBNETS.c.subnetpool_id == pool.id)
    if tx.connection.execute(subnets.limit(1)).first() is not None:
        raise SubnetPoolDeleteError("Subnet pool has existing allocations")
    sharing.forget(tx, pool.id)
    tx.connection.execute(sql_delete(SUBNETPOOLS).where(SUBNETPOOLS.c.id == pool.id))


def add_prefixes(tx: Transaction, caller: Caller, object_id: str, prefixes: Sequence[str]) -> SubnetPool:
    """Add prefixes to a pool; those it has already stay as they are.

    Raises:
        SubnetPoolNotFound, PolicyNotAuthorized, and what ``update`` raises
    """
    old = _held(tx, caller, object_id, "add_prefixes")
    return _change(tx, caller, old, {"prefixes": _as_text(pool_rules.checked_prefixes([*old.prefixes, *prefixes]))})


def remove_prefixes(tx: Transaction, caller: Caller, object_id: str, prefixes: Sequence[str]) -> SubnetPool:
    """Take prefixes, or parts of prefixes, out of a pool; what the pool does not have is passed over.

    Raises:
        SubnetPoolNotFound, PolicyNotAuthorized, PrefixVersionMismatch
        IllegalSubnetPoolPrefixUpdate: subnets have addresses of them.
    """
    old = _held(tx, caller, object_id, "remove_prefixes")
    had = _cidrs(old.prefixes)
    removed = intersect(had, pool_rules.checked_prefixes(prefixes))
    # A prefix that is free as a whole is part of one free prefix, so what cannot be taken, some subnet has.
    if not all(free_prefixes.take(tx, old.id, prefix) for prefix in removed):
        raise IllegalSubnetPoolPrefixUpdate("One or more the prefixes to be removed is in use by a subnet")
    return _store(tx, old, replace(old, prefixes=_as_text(subtract(had, removed)))) if removed else old


def onboard(tx: Transaction, caller: Caller, object_id: str, network_id: str) -> list[Subnet]:
    """Take the subnets of a network that are of the pool's IP version into the pool, and their prefixes with them.

    Raises:
        SubnetPoolNotFound, NetworkNotFound, PolicyNotAuthorized, and what ``update`` raises
        IllegalSubnetPoolUpdate: a subnet of the pool has some of the addresses.
    """
    network = listing.one(tx, caller, networks.RESOURCE, network_id, lock=True)
    check_owner(caller, network.project_id, "onboard_network_subnets")
    pool = _held(tx, caller, object_id, "onboard_network_subnets")
    rows = tx.connection.execute(
        SELECT_SUBNETS.where(SUBNETS.c.network_id == network_id, SUBNETS.c.ip_version == pool.ip_version).order_by(
            SUBNETS.c.key
        )
    ).all()
    moved = subnets_of(tx.connection, rows)
    pool = _change(
        tx, caller, pool, {"prefixes": _as_text(compact(_cidrs([*pool.prefixes, *(s.cidr for s in moved)])))}
    )
    free_prefixes.give_back(tx, [subnet.id for subnet in moved if subnet.subnetpool_id not in {None, pool.id}])
    for subnet in moved:
        cidr = parse_cidr(subnet.cidr)
        if not free_prefixes.take(tx, pool.id, cidr):
            raise IllegalSubnetPoolUpdate(
                f"Onboarding subnet {subnet.id}: {subnet.cidr} conflicts with allocated prefixes in subnet pool "
                f"{pool.id}"
            )
        free_prefixes.note_subnet(tx, pool.id, subnet.id, subnet.project_id, cidr)
        tx.connection.execute(
            sql_update(SUBNETS)
            .where(SUBNETS.c.id == subnet.id)
            .values(updated_at=tx.timestamp, revision_number=SUBNETS.c.revision_number + 1)
        )
        tx.journal("subnet", subnet.id, subnet.network_id)
    return moved


def _held(tx: Transaction, caller: Caller, object_id: str, rule: str, if_revision: int | None = None) -> SubnetPool:
    """Return a pool the caller may change, kept from others until the transaction ends."""
    pool = _pools_of(tx, [listing.one(tx, caller, RESOURCE, object_id, lock=True)])[0]
    check_owner(caller, pool.project_id, rule)
    check_revision(if_revision, pool.revision_number)
    return pool


def _change(tx: Transaction, caller: Caller, old: SubnetPool, values: Mapping[str, Any]) -> SubnetPool:
    """Store a pool whose prefixes are those it had, and perhaps more."""
    new = replace(old, **values)
    pool_rules.checked_bounds(new.ip_version, {name: getattr(new, name) for name in _BOUNDS})
    if old.address_scope_id is not None:
        pool_rules.check_leaves_scope(tx, caller, old.id, old.address_scope_id)
    if new == old:
        return old
    if new.is_default and not old.is_default:
        pool_rules.check_only_default(tx, new.ip_version)
    added = subtract(_cidrs(new.prefixes), _cidrs(old.prefixes))
    is_moved = new.address_scope_id != old.address_scope_id
    if new.address_scope_id is not None:
        entering = _cidrs(new.prefixes) if is_moved else added
        pool_rules.check_scope(tx, caller, new.id, new.address_scope_id, version=new.ip_version, prefixes=entering)
    if is_moved:
        pool_rules.check_networks_follow(tx, new.id, new.ip_version)
    for prefix in added:
        free_prefixes.give(tx, new.id, prefix)
    return _store(tx, old, new)


def _store(tx: Transaction, old: SubnetPool, new: SubnetPool) -> SubnetPool:
    new = replace(new, updated_at=tx.now, revision_number=old.revision_number + 1)
    values: dict[str, Any] = {name: getattr(new, name) for name in _STORED} | {"updated_at": tx.timestamp}
    tx.connection.execute(sql_update(SUBNETPOOLS).where(SUBNETPOOLS.c.id == old.id).values(values))
    if new.prefixes != old.prefixes:
        free_prefixes.store_prefixes(tx, old.id, _cidrs(new.prefixes))
    return new


def _pools_of(tx: Transaction, rows: Sequence[Row[Any]]) -> list[SubnetPool]:
    prefixes: dict[str, list[Row[Any]]] = {}
    for chunk in in_chunks([row.id for row in rows]):
        statement = (
            select(SUBNETPOOL_PREFIXES)
            .where(SUBNETPOOL_PREFIXES.c.subnetpool_id.in_(chunk))
            .order_by(SUBNETPOOL_PREFIXES.c.first)
        )
        for one in tx.connection.execute(statement):
            prefixes.setdefault(one.subnetpool_id, []).append(one)
    return [
        SubnetPool(
            **{name: getattr(row, name) for name in _STORED},
            shared=bool(row.shared),
            prefixes=tuple(
                str(free_prefixes.stored_cidr(row.ip_version, one.first, one.prefix_length))
                for one in prefixes.get(row.id, ())
            ),
            created_at=instant(row.created_at),
            updated_at=instant(row.updated_at),
        )
        for row in rows
    ]


def _cidrs(prefixes: Sequence[str]) -> tuple[Cidr, ...]:
    return tuple(parse_cidr(one) for one in prefixes)


def _as_text(prefixes: Sequence[Cidr]) -> tuple[str, ...]:
    return tuple(str(one) for one in prefixes)
