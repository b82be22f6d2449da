"""Which prefixes of a subnet pool are free? The store behind the arithmetic of ``ipam.prefixes``.

Every function takes the pool's row as locked by its caller: two subnets of one pool are never cut at once.
"""

from collections.abc import Collection, Iterable

from sqlalchemy import bindparam, delete, func, insert, select

from controller.store.pools_schema import FREE_PREFIXES, HEX_LENGTH, POOLED_SUBNETS, SUBNETPOOL_PREFIXES, SUBNETPOOLS
from controller.store.transaction import Transaction
from ipam.addresses import Cidr
from ipam.prefixes import buddies, containing, first_of, merged, size, without

_OF_POOL = FREE_PREFIXES.c.subnetpool_id == bindparam("of_pool")
_SMALLEST = (
    select(FREE_PREFIXES.c.first, FREE_PREFIXES.c.prefix_length)
    .where(_OF_POOL, FREE_PREFIXES.c.prefix_length <= bindparam("wanted"))
    .order_by(FREE_PREFIXES.c.prefix_length.desc(), FREE_PREFIXES.c.first)
    .limit(1)
)
_STARTING_AT = select(FREE_PREFIXES.c.first, FREE_PREFIXES.c.prefix_length).where(
    _OF_POOL, FREE_PREFIXES.c.first.in_(bindparam("firsts", expanding=True))
)
_REMOVE = delete(FREE_PREFIXES).where(_OF_POOL, FREE_PREFIXES.c.first.in_(bindparam("firsts", expanding=True)))


def hexadecimal(address: int) -> str:
    """Return an address as it is stored.

    >>> hexadecimal(0x0A000000)
    '0000000000000000000000000a000000'
    """
    return f"{address:0{HEX_LENGTH}x}"


def stored_cidr(version: int, first: str, prefix_length: int) -> Cidr:
    """Return the prefix that a row stands for."""
    return Cidr(version=version, first=int(first, 16), prefix_length=prefix_length)


def take_any(tx: Transaction, pool_id: str, version: int, prefix_length: int) -> Cidr | None:
    """Take a prefix out of the smallest free one that holds it, the lowest of them; None when there is none.

    Small holes are used up first, as in Neutron, so that large prefixes stay to be had.
    """
    row = tx.connection.execute(_SMALLEST, {"of_pool": pool_id, "wanted": prefix_length}).first()
    if row is None:
        return None
    hole = stored_cidr(version, row.first, row.prefix_length)
    taken = first_of(hole, prefix_length)
    _replace(tx, pool_id, [hole], without(hole, taken))
    return taken


def take(tx: Transaction, pool_id: str, wanted: Cidr) -> bool:
    """Take one prefix; False when not all of it is free."""
    around = {hexadecimal(one.first): one for one in containing(wanted)}
    rows = tx.connection.execute(_STARTING_AT, {"of_pool": pool_id, "firsts": list(around)})
    candidates = (stored_cidr(wanted.version, row.first, row.prefix_length) for row in rows)
    hole = next((one for one in candidates if one.first <= wanted.first and wanted.last <= one.last), None)
    if hole is None:
        return False
    _replace(tx, pool_id, [hole], without(hole, wanted))
    return True


def give(tx: Transaction, pool_id: str, prefix: Cidr) -> None:
    """Make a prefix free, which was not, and merge it with its free neighbours."""
    rows = tx.connection.execute(
        _STARTING_AT, {"of_pool": pool_id, "firsts": [hexadecimal(one.first) for one in buddies(prefix)]}
    )
    free = {stored_cidr(prefix.version, row.first, row.prefix_length) for row in rows}
    whole, absorbed = merged(prefix, free.__contains__)
    _replace(tx, pool_id, absorbed, [whole])


def give_back(tx: Transaction, subnet_ids: Collection[str]) -> None:
    """Make the prefixes of subnets free again; those of no pool are left alone."""
    if not subnet_ids:
        return
    pooled = (
        select(POOLED_SUBNETS, SUBNETPOOLS.c.ip_version)
        .join(SUBNETPOOLS, SUBNETPOOLS.c.id == POOLED_SUBNETS.c.subnetpool_id)
        .where(POOLED_SUBNETS.c.subnet_id.in_(subnet_ids))
        .order_by(POOLED_SUBNETS.c.subnetpool_id, POOLED_SUBNETS.c.first)  # one order for all: no deadlock
        .with_for_update(of=SUBNETPOOLS)
    )
    rows = tx.connection.execute(pooled).all()
    if rows:
        gone = [row.subnet_id for row in rows]
        tx.connection.execute(delete(POOLED_SUBNETS).where(POOLED_SUBNETS.c.subnet_id.in_(gone)))
    for row in rows:
        give(tx, row.subnetpool_id, stored_cidr(row.ip_version, row.first, row.prefix_length))


def note_subnet(tx: Transaction, pool_id: str, subnet_id: str, project_id: str, cidr: Cidr) -> None:
    """Store that a subnet has a prefix of a pool."""
    row = {
        "subnet_id": subnet_id,
        "subnetpool_id": pool_id,
        "project_id": project_id,
        "first": hexadecimal(cidr.first),
        "prefix_length": cidr.prefix_length,
    }
    tx.connection.execute(insert(POOLED_SUBNETS), row)


def addresses_held(tx: Transaction, pool_id: str, project_id: str, version: int) -> int:
    """Return how many addresses of a pool a project's subnets have."""
    counts = (
        select(POOLED_SUBNETS.c.prefix_length, func.count().label("subnets"))
        .where(POOLED_SUBNETS.c.subnetpool_id == pool_id, POOLED_SUBNETS.c.project_id == project_id)
        .group_by(POOLED_SUBNETS.c.prefix_length)
    )
    return sum(size(version, row.prefix_length) * row.subnets for row in tx.connection.execute(counts))


def store_prefixes(tx: Transaction, pool_id: str, prefixes: Iterable[Cidr]) -> None:
    """Make these the prefixes of a pool; which of them are free is not touched."""
    tx.connection.execute(delete(SUBNETPOOL_PREFIXES).where(SUBNETPOOL_PREFIXES.c.subnetpool_id == pool_id))
    rows = [
        {
            "subnetpool_id": pool_id,
            "first": hexadecimal(one.first),
            "last": hexadecimal(one.last),
            "prefix_length": one.prefix_length,
        }
        for one in prefixes
    ]
    if rows:
        tx.connection.execute(insert(SUBNETPOOL_PREFIXES), rows)


def _replace(tx: Transaction, pool_id: str, gone: Collection[Cidr], new: Collection[Cidr]) -> None:
    if gone:
        tx.connection.execute(_REMOVE, {"of_pool": pool_id, "firsts": [hexadecimal(one.first) for one in gone]})
    if new:
        rows = [
            {"subnetpool_id": pool_id, "first": hexadecimal(one.first), "prefix_length": one.prefix_length}
            for one in new
        ]
        tx.connection.execute(insert(FREE_PREFIXES), rows)
