"""Which prefix does a new subnet get, and from which subnet pool?

A subnet without a pool brings its own prefix. One with a pool asks for a prefix, or for one of a length, or for the
pool's usual length. The pool's row is locked while a prefix is cut, so that two subnets never get one address twice.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, select

from controller.caller import Caller
from controller.errors import BadRequest
from controller.pool_errors import (
    MaxPrefixSubnetAllocationError,
    MinPrefixSubnetAllocationError,
    NetworkAddressScopeAffinityError,
    NetworkSubnetPoolAffinityError,
    SubnetAllocationError,
    SubnetPoolQuotaExceeded,
)
from controller.services import listing, pool_rules, subnet_rules, subnetpools
from controller.services.sentinels import DEFAULT_GATEWAY
from controller.store import free_prefixes
from controller.store.pools_schema import POOLED_SUBNETS, SUBNETPOOLS
from controller.store.schema import SUBNETS
from controller.store.transaction import Transaction
from ipam.addresses import Cidr, parse_cidr, text
from ipam.prefixes import size

_POOLS_OF_NETWORK = (
    select(POOLED_SUBNETS.c.subnetpool_id, SUBNETPOOLS.c.address_scope_id)
    .select_from(
        SUBNETS.outerjoin(POOLED_SUBNETS, POOLED_SUBNETS.c.subnet_id == SUBNETS.c.id).outerjoin(
            SUBNETPOOLS, SUBNETPOOLS.c.id == POOLED_SUBNETS.c.subnetpool_id
        )
    )
    .distinct()
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """A subnet's place: its prefix, and where that came from."""

    cidr: Cidr
    gateway_ip: str | None
    pool_id: str | None
    address_scope_id: str | None


def check_asked(wanted: Mapping[str, Any]) -> None:
    """Refuse a request that says too much or too little about its prefix.

    Raises:
        BadRequest, InvalidInput
    """
    if wanted["cidr"] is not None and wanted.get("prefixlen") is not None:
        raise BadRequest("subnets", "cidr and prefixlen must not be supplied together")
    if wanted.get("use_default_subnetpool") and wanted.get("subnetpool_id") is not None:
        raise BadRequest("subnets", "subnetpool_id and use_default_subnetpool cannot both be specified")
    is_pooled = wanted.get("use_default_subnetpool") or wanted.get("subnetpool_id") is not None
    if wanted["cidr"] is not None:
        subnet_rules.checked_cidr(wanted["cidr"], wanted["ip_version"])
    elif not is_pooled:
        raise BadRequest("subnets", "a subnetpool must be specified in the absence of a cidr")
    elif wanted["allocation_pools"]:
        raise BadRequest("subnets", "allocation_pools allowed only for specific subnet requests.")


def cut(tx: Transaction, caller: Caller, wanted: Mapping[str, Any]) -> Cut:
    """Return the prefix of a new subnet, taken out of its pool if it has one.

    Raises:
        SubnetPoolNotFound, BadRequest, InvalidInput, MinPrefixSubnetAllocationError,
        MaxPrefixSubnetAllocationError, SubnetPoolQuotaExceeded, SubnetAllocationError
    """
    pool = _pool(tx, caller, wanted)
    gateway_ip = wanted["gateway_ip"]
    if pool is None:
        cidr = subnet_rules.checked_cidr(wanted["cidr"], wanted["ip_version"])
        if gateway_ip is DEFAULT_GATEWAY:
            gateway_ip = subnet_rules.default_gateway_ip(cidr)
        return Cut(cidr=cidr, gateway_ip=gateway_ip, pool_id=None, address_scope_id=None)
    if wanted["ip_version"] != pool.ip_version:
        raise BadRequest(
            "subnets", f"Cannot allocate IPv{wanted['ip_version']} subnet from IPv{pool.ip_version} subnet pool"
        )
    asked = _asked_prefix(wanted, pool)
    length = _asked_length(wanted, pool) if asked is None else asked.prefix_length
    _check_may_have(tx, pool, wanted["project_id"], length)
    if asked is None:
        cidr = _any(tx, pool, length)
        if gateway_ip is DEFAULT_GATEWAY:
            # The first host address also in IPv6, as Neutron does for prefixes it chose itself.
            gateway_ip = text(cidr.version, min(cidr.first + 1, cidr.last))
    else:
        cidr = asked
        if not free_prefixes.take(tx, pool.id, cidr):
            raise SubnetAllocationError("Cannot allocate requested subnet from the available set of prefixes")
        if gateway_ip is DEFAULT_GATEWAY:
            gateway_ip = subnet_rules.default_gateway_ip(cidr)
    subnet_rules.checked_cidr(str(cidr), pool.ip_version)
    return Cut(cidr=cidr, gateway_ip=gateway_ip, pool_id=pool.id, address_scope_id=pool.address_scope_id)


def check_affinity(tx: Transaction, network_id: str, made: Cut) -> None:
    """Refuse to mix pools in a network: one for each IP version, or those of one address scope.

    Raises:
        NetworkSubnetPoolAffinityError, NetworkAddressScopeAffinityError
    """
    rows = tx.connection.execute(
        _POOLS_OF_NETWORK.where(SUBNETS.c.network_id == network_id, SUBNETS.c.ip_version == made.cidr.version)
    ).all()
    scopes = {row.address_scope_id for row in rows if row.address_scope_id is not None}
    if made.pool_id is not None and scopes:
        if scopes != {made.address_scope_id}:
            raise NetworkAddressScopeAffinityError
    elif any(row.subnetpool_id != made.pool_id for row in rows):
        raise NetworkSubnetPoolAffinityError


def _pool(tx: Transaction, caller: Caller, wanted: Mapping[str, Any]) -> Row[Any] | None:
    """Return the pool's row, locked, or None for a subnet that has none."""
    pool_id = wanted.get("subnetpool_id")
    if wanted.get("use_default_subnetpool"):
        version = wanted["ip_version"]
        default = listing.visible(subnetpools.RESOURCE, caller).where(
            SUBNETPOOLS.c.is_default, SUBNETPOOLS.c.ip_version == version
        )
        pool_id = tx.connection.execute(default.with_only_columns(SUBNETPOOLS.c.id)).scalar()
        if pool_id is None:
            raise BadRequest("subnets", f"No default subnetpool found for IPv{version}")
    if pool_id is None:
        return None
    return listing.one(tx, caller, subnetpools.RESOURCE, pool_id, lock=True)


def _asked_length(wanted: Mapping[str, Any], pool: Row[Any]) -> int:
    length = wanted.get("prefixlen")
    return int(pool.default_prefixlen if length is None else length)


def _asked_prefix(wanted: Mapping[str, Any], pool: Row[Any]) -> Cidr | None:
    """Return the prefix a request names, itself or by its gateway; None when any will do."""
    if wanted["cidr"] is not None:
        return parse_cidr(wanted["cidr"])
    gateway_ip = wanted["gateway_ip"]
    if gateway_ip is DEFAULT_GATEWAY or gateway_ip is None:
        return None
    length = _asked_length(wanted, pool)
    if length > pool.max_prefixlen:
        raise MaxPrefixSubnetAllocationError(length, pool.max_prefixlen)
    return subnet_rules.checked_cidr(f"{gateway_ip}/{length}", pool.ip_version)


def _check_may_have(tx: Transaction, pool: Row[Any], project_id: str, length: int) -> None:
    if length > pool.max_prefixlen:
        raise MaxPrefixSubnetAllocationError(length, pool.max_prefixlen)
    if length < pool.min_prefixlen:
        raise MinPrefixSubnetAllocationError(length, pool.min_prefixlen)
    if pool.default_quota:
        held = free_prefixes.addresses_held(tx, pool.id, project_id, pool.ip_version)
        quota = pool_rules.quota_in_addresses(pool.ip_version, pool.default_quota)
        if held + size(pool.ip_version, length) > quota:
            raise SubnetPoolQuotaExceeded


def _any(tx: Transaction, pool: Row[Any], length: int) -> Cidr:
    cidr = free_prefixes.take_any(tx, pool.id, pool.ip_version, length)
    if cidr is None:
        raise SubnetAllocationError(f"Insufficient prefix space to allocate subnet size /{length}")
    return cidr
