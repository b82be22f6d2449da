"""How many addresses of each network's subnets are used, and how many are there?

Neutron API reference, network IP availability; extensions network-ip-availability, network-ip-availability-details.
Administrators only: to anybody else there is none. The addresses are counted by the database, from an index.

Used is what nobody else can get: a port's address, and one that is quarantined or reserved. An excluded address is not
counted in the pools, as if they had been made without it; so what is left is total less used, as Neutron's clients work
it out, as long as no address was given by name from outside the pools.
"""

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, bindparam, func, or_, select

from controller.caller import Caller
from controller.errors import NetworkNotFound
from controller.ipam_records import space_of
from controller.services import listing
from controller.services.query import Query
from controller.services.visibility import of_networks
from controller.store import subnet_ipam
from controller.store.ipam_schema import SUBNET_IPAM
from controller.store.loading import in_chunks
from controller.store.schema import ALLOCATION_POOLS, ALLOCATIONS, NETWORKS, SUBNETS, TAKEN
from controller.store.transaction import Transaction
from controller.store.uncommon import predicate
from ipam.addresses import Pool, parse_cidr, parse_pool

_IPV4 = 4
_POINT_TO_POINT = 31
"""RFC 3021: a /31 has no network and no broadcast address."""
IP_VERSION = "ip_version"


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Addresses, in all and in the allocation pools."""

    total: int = 0
    """Neutron's ``total_ips``: those of the pools, or of the whole prefix where a subnet has no pool."""
    total_in_subnet: int = 0
    total_in_pools: int = 0
    used: int = 0
    used_in_pools: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        """Return both together."""
        return Counts(
            total=self.total + other.total,
            total_in_subnet=self.total_in_subnet + other.total_in_subnet,
            total_in_pools=self.total_in_pools + other.total_in_pools,
            used=self.used + other.used,
            used_in_pools=self.used_in_pools + other.used_in_pools,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SubnetAvailability:
    """What a subnet has left."""

    subnet_id: str
    name: str
    ip_version: int
    cidr: str
    counts: Counts


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkAvailability:
    """What a network has left, subnet by subnet."""

    network_id: str
    name: str
    project_id: str
    subnets: tuple[SubnetAvailability, ...]

    @property
    def counts(self) -> Counts:
        """All subnets together."""
        return sum((subnet.counts for subnet in self.subnets), start=Counts())


def _has_version(values: tuple[object, ...]) -> ColumnElement[bool]:
    rare = predicate(SUBNETS, IP_VERSION, values)
    found = select(SUBNETS.c.network_id).where(listing.matches(SUBNETS.c.ip_version, values))
    return NETWORKS.c.id.in_(found if rare is None else found.where(rare))


RESOURCE = listing.Resource(
    rows=select(NETWORKS.c.id, NETWORKS.c.name, NETWORKS.c.project_id),
    table=NETWORKS,
    columns={name: NETWORKS.c[name] for name in ("id", "name", "project_id")},
    not_found=NetworkNotFound,
    rule="get_network_ip_availability",
    facts=of_networks,
    conditions={IP_VERSION: _has_version},
)
_AMONG: BindParameter[str] = bindparam("ids", expanding=True)
_SUBNETS = (
    select(
        SUBNETS.c.id, SUBNETS.c.network_id, SUBNETS.c.name, SUBNETS.c.ip_version, SUBNETS.c.cidr, *subnet_ipam.COLUMNS
    )
    .select_from(SUBNETS.outerjoin(SUBNET_IPAM, SUBNET_IPAM.c.subnet_id == SUBNETS.c.id))
    .where(SUBNETS.c.network_id.in_(_AMONG))
    .order_by(SUBNETS.c.id)
)
_POOLS = select(ALLOCATION_POOLS.c.subnet_id, ALLOCATION_POOLS.c.first, ALLOCATION_POOLS.c.last).where(
    ALLOCATION_POOLS.c.subnet_id.in_(_AMONG)
)
# An address inside a pool has the number of its block (``ipam.blocks``).
_USED = (
    select(ALLOCATIONS.c.subnet_id, func.count().label("used"), func.count(ALLOCATIONS.c.block).label("in_pools"))
    .where(
        ALLOCATIONS.c.subnet_id.in_(_AMONG),
        TAKEN,
        or_(ALLOCATIONS.c.held_until.is_(None), ALLOCATIONS.c.held_until > bindparam("at")),
    )
    .group_by(ALLOCATIONS.c.subnet_id)
)


def get(tx: Transaction, caller: Caller, object_id: str) -> NetworkAvailability:
    """Return what one network has left.

    Raises:
        NetworkNotFound: not for this caller.
    """
    return _availabilities(tx, [listing.one(tx, caller, RESOURCE, object_id)])[0]


def find(tx: Transaction, caller: Caller, query: Query) -> list[NetworkAvailability]:
    """Return what the networks a query asks for have left; with a filter by IP version, in subnets of that version.

    Raises:
        NetworkNotFound: the marker is no network of this caller.
        InvalidInput: a filter or sort name is unknown.
    """
    found = _availabilities(tx, listing.many(tx, caller, RESOURCE, query))
    versions: list[set[object]] = [set(one.values) for one in query.filters if one.name == IP_VERSION]
    if not versions:
        return found
    wanted = set.intersection(*versions)
    return [
        replace(one, subnets=tuple(subnet for subnet in one.subnets if subnet.ip_version in wanted)) for one in found
    ]


def _availabilities(tx: Transaction, networks: Sequence[Any]) -> list[NetworkAvailability]:
    subnets = _chunked(tx, _SUBNETS, [network.id for network in networks])
    ids = [subnet.id for subnet in subnets]
    ranges: dict[str, list[Pool]] = {}
    for pool in _chunked(tx, _POOLS, ids):
        ranges.setdefault(pool.subnet_id, []).append(parse_pool(pool.first, pool.last))
    pools = {
        row.id: space_of(row.id, parse_cidr(row.cidr), tuple(ranges[row.id]), 0, subnet_ipam.chosen_of(row)).size
        for row in subnets
        if row.id in ranges
    }
    used = {row.subnet_id: (row.used, row.in_pools) for row in _chunked(tx, _USED, ids, at=tx.timestamp)}
    of_network: dict[str, list[SubnetAvailability]] = {}
    for subnet in subnets:
        of_network.setdefault(subnet.network_id, []).append(_subnet(subnet, pools, used))
    return [
        NetworkAvailability(
            network_id=network.id,
            name=network.name,
            project_id=network.project_id,
            subnets=tuple(of_network.get(network.id, ())),
        )
        for network in networks
    ]


def _subnet(row: Any, pools: Mapping[str, int], used: Mapping[str, tuple[int, int]]) -> SubnetAvailability:
    prefix = ipaddress.ip_network(row.cidr)
    size = prefix.num_addresses
    has_ends = prefix.version == _IPV4 and prefix.prefixlen < _POINT_TO_POINT
    in_all, in_pools = used.get(row.id, (0, 0))
    counts = Counts(
        total=pools.get(row.id, size),
        total_in_subnet=size - 2 if has_ends else size,
        total_in_pools=pools.get(row.id, 0),
        used=in_all,
        used_in_pools=in_pools,
    )
    return SubnetAvailability(subnet_id=row.id, name=row.name, ip_version=row.ip_version, cidr=row.cidr, counts=counts)


def _chunked(tx: Transaction, statement: Any, ids: Sequence[str], **more: int) -> list[Any]:
    return [row for chunk in in_chunks(ids) for row in tx.connection.execute(statement, {"ids": list(chunk)} | more)]
