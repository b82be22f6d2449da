"""May a subnet pool look like this, and may it be in that address scope? Neutron's checks, with its messages."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import and_, select

from controller.caller import Caller
from controller.errors import InvalidInput
from controller.pool_errors import (
    AddressScopePrefixConflict,
    EmptySubnetPoolPrefixList,
    IllegalSubnetPoolIpVersionAssociationToAddressScope,
    IllegalSubnetPoolPrefixBounds,
    IllegalSubnetPoolUpdate,
    NetworkAddressScopeAffinityError,
    PrefixVersionMismatch,
)
from controller.services import address_scopes
from controller.store.free_prefixes import hexadecimal
from controller.store.pools_schema import POOLED_SUBNETS, SUBNETPOOL_PREFIXES, SUBNETPOOLS
from controller.store.schema import SUBNETS
from controller.store.transaction import Transaction
from ipam.addresses import IPV4, Cidr, parse_cidr
from ipam.prefixes import compact

MOST_BITS = {4: 32, 6: 128}
LEAST_LENGTH = {4: 8, 6: 64}
"""Least prefix length of a pool that does not say one (Neutron API reference, subnet pools)."""


def checked_prefixes(wanted: Sequence[str]) -> tuple[Cidr, ...]:
    """Return the prefixes of a pool in their canonical form.

    Raises:
        EmptySubnetPoolPrefixList, PrefixVersionMismatch
    """
    if not wanted:
        raise EmptySubnetPoolPrefixList
    prefixes = [parse_cidr(one) for one in wanted]
    if len({one.version for one in prefixes}) > 1:
        raise PrefixVersionMismatch
    return compact(prefixes)


def checked_bounds(version: int, wanted: Mapping[str, Any]) -> dict[str, int]:
    """Return the least, largest and default prefix length, with Neutron's defaults for what is not said.

    Raises:
        IllegalSubnetPoolPrefixBounds
    """
    least = wanted.get("min_prefixlen", LEAST_LENGTH[version])
    largest = wanted.get("max_prefixlen", MOST_BITS[version])
    default = wanted.get("default_prefixlen", least)
    if least > largest:
        raise IllegalSubnetPoolPrefixBounds("min_prefixlen", least, "max_prefixlen", largest)
    if largest > MOST_BITS[version]:
        raise IllegalSubnetPoolPrefixBounds("max_prefixlen", largest, "ip_version_max", MOST_BITS[version])
    if default < least:
        raise IllegalSubnetPoolPrefixBounds("default_prefixlen", default, "min_prefixlen", least)
    if default > largest:
        raise IllegalSubnetPoolPrefixBounds("default_prefixlen", default, "max_prefixlen", largest)
    return {"min_prefixlen": least, "max_prefixlen": largest, "default_prefixlen": default}


def check_only_default(tx: Transaction, version: int) -> None:
    """Refuse a second default pool of an IP version.

    Raises:
        InvalidInput
    """
    found = select(SUBNETPOOLS.c.id).where(SUBNETPOOLS.c.is_default, SUBNETPOOLS.c.ip_version == version)
    if tx.connection.execute(found).first() is not None:
        raise InvalidInput(
            "A default subnetpool for this IP family has already been set. Only one default may exist per IP family"
        )


def check_leaves_scope(tx: Transaction, caller: Caller, pool_id: str, scope_id: str) -> None:
    """Refuse to change a pool in a scope that only its owner may rearrange.

    Raises:
        AddressScopeNotFound, IllegalSubnetPoolUpdate
    """
    scope = address_scopes.get(tx, caller, scope_id)
    if not caller.is_admin and scope.project_id != caller.project_id:
        raise IllegalSubnetPoolUpdate(
            f"subnetpool {pool_id} cannot be updated when associated with shared address scope {scope_id}"
        )


def check_scope(
    tx: Transaction, caller: Caller, pool_id: str, scope_id: str, *, version: int, prefixes: Sequence[Cidr]
) -> None:
    """Refuse prefixes that a scope of another IP version, or one with pools that have some of them, would take in.

    Raises:
        AddressScopeNotFound, IllegalSubnetPoolIpVersionAssociationToAddressScope, AddressScopePrefixConflict
    """
    scope = address_scopes.held(tx, caller, scope_id)
    if scope.ip_version != version:
        raise IllegalSubnetPoolIpVersionAssociationToAddressScope(pool_id, scope_id, scope.ip_version)
    others = (
        select(SUBNETPOOL_PREFIXES.c.first)
        .join(SUBNETPOOLS, SUBNETPOOLS.c.id == SUBNETPOOL_PREFIXES.c.subnetpool_id)
        .where(SUBNETPOOLS.c.address_scope_id == scope_id, SUBNETPOOLS.c.id != pool_id)
        .limit(1)
    )
    for prefix in prefixes:
        overlapping = others.where(
            SUBNETPOOL_PREFIXES.c.first <= hexadecimal(prefix.last),
            SUBNETPOOL_PREFIXES.c.last >= hexadecimal(prefix.first),
        )
        if tx.connection.execute(overlapping).first() is not None:
            raise AddressScopePrefixConflict


def check_networks_follow(tx: Transaction, pool_id: str, version: int) -> None:
    """Refuse to move a pool into or out of a scope when a network would be left with subnets in and out of it.

    Raises:
        NetworkAddressScopeAffinityError
    """
    among = (
        select(SUBNETS.c.network_id)
        .join(POOLED_SUBNETS, POOLED_SUBNETS.c.subnet_id == SUBNETS.c.id)
        .where(POOLED_SUBNETS.c.subnetpool_id == pool_id)
    )
    ours = and_(POOLED_SUBNETS.c.subnet_id == SUBNETS.c.id, POOLED_SUBNETS.c.subnetpool_id == pool_id)
    left = (
        select(SUBNETS.c.id)
        .outerjoin(POOLED_SUBNETS, ours)
        .where(SUBNETS.c.network_id.in_(among), SUBNETS.c.ip_version == version, POOLED_SUBNETS.c.subnet_id.is_(None))
        .limit(1)
    )
    if tx.connection.execute(left).first() is not None:
        raise NetworkAddressScopeAffinityError


def quota_in_addresses(version: int, quota: int) -> int:
    """Return how many addresses a quota allows: its unit is a /32 or a /64 (API reference, default_quota)."""
    return quota if version == IPV4 else quota << 64
