"""What is the whole intent now, and what changed since?

A reader takes a snapshot, follows the journal from its ``seq``, and loads the objects that entries name. An object
that an entry names and no loader returns is gone.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar

from sqlalchemy import Column, Connection, Row, Select, Table, bindparam, delete, func, select

from controller.errors import DatabaseError
from controller.records import (
    AddressGroup,
    Host,
    JournalEntry,
    Network,
    NetworkId,
    Port,
    SecurityGroup,
    Snapshot,
    Subnet,
)
from controller.store.direct import Direct
from controller.store.loading import (
    SELECT_ADDRESS_GROUPS,
    SELECT_HOSTS,
    SELECT_NETWORKS,
    SELECT_PORTS,
    SELECT_SECURITY_GROUPS,
    SELECT_SUBNETS,
    address_group_of,
    hosts_of,
    in_chunks,
    networks_of,
    ports_of,
    security_groups_of,
    subnets_of,
)
from controller.store.schema import (
    ADDRESS_GROUPS,
    HOSTS,
    JOURNAL,
    META,
    NETWORKS,
    PORTS,
    SECURITY_GROUPS,
    SUBNETS,
)
from controller.store.sightings import all_sightings
from controller.store.transaction import Transaction

JOURNAL_PAGE = 1000

Record = TypeVar("Record", Network, Subnet, Port, Host, SecurityGroup, AddressGroup)

_EPOCH = select(META.c.value).where(META.c.name == "epoch")
_JOURNAL_SPAN = Direct(
    select(
        _EPOCH.scalar_subquery().label("epoch"),
        # Two subqueries: SQLite looks up a minimum or a maximum alone in the index, and reads every row for both at
        # once (sqlite.org, optoverview, "The MIN/MAX Optimization").
        select(func.min(JOURNAL.c.seq)).scalar_subquery().label("first"),
        select(func.max(JOURNAL.c.seq)).scalar_subquery().label("last"),
    )
)
_JOURNAL_AFTER = Direct(
    select(JOURNAL.c.seq, JOURNAL.c.kind, JOURNAL.c.object_id, JOURNAL.c.network_id)
    .where(JOURNAL.c.seq > bindparam("after"))
    .order_by(JOURNAL.c.seq)
    .limit(bindparam("most"))
)


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalSpan:
    """Of which database a journal is, and the numbers of the first and last entry still kept; 0 without any."""

    epoch: str | None
    first: int
    last: int


def load_snapshot(tx: Transaction) -> Snapshot:
    """Read everything; the number of queries does not depend on the number of objects.

    Raises:
        DatabaseError: the database was never set up.
    """
    connection = tx.connection
    networks = connection.execute(SELECT_NETWORKS.order_by(NETWORKS.c.id)).all()
    subnets = connection.execute(SELECT_SUBNETS.order_by(SUBNETS.c.key)).all()
    ports = connection.execute(SELECT_PORTS.order_by(PORTS.c.key)).all()
    hosts = connection.execute(SELECT_HOSTS.order_by(HOSTS.c.name)).all()
    security_groups = connection.execute(SELECT_SECURITY_GROUPS.order_by(SECURITY_GROUPS.c.key)).all()
    address_groups = connection.execute(SELECT_ADDRESS_GROUPS.order_by(ADDRESS_GROUPS.c.key)).all()
    return Snapshot(
        epoch=load_epoch(tx),
        seq=last_seq(tx),
        networks=tuple(networks_of(connection, networks, is_all=True)),
        subnets=tuple(subnets_of(connection, subnets, is_all=True)),
        ports=tuple(ports_of(connection, ports, is_all=True)),
        hosts=tuple(hosts_of(connection, hosts, is_all=True)),
        security_groups=tuple(security_groups_of(connection, security_groups, is_all=True)),
        address_groups=tuple(address_group_of(row) for row in address_groups),
        sightings=all_sightings(connection),
    )


def load_epoch(tx: Transaction) -> str:
    """Return the identity of this database, made when it was set up.

    Raises:
        DatabaseError: it was never set up.
    """
    epoch = tx.connection.execute(_EPOCH).scalar()
    if epoch is None:
        raise DatabaseError("The database has no epoch: it was not set up. Call migrate() first.")
    return str(epoch)


def last_seq(tx: Transaction) -> int:
    """Return the number of the last journal entry, 0 when there is none."""
    return int(tx.connection.execute(select(func.coalesce(func.max(JOURNAL.c.seq), 0))).scalar_one())


def journal_span(tx: Transaction) -> JournalSpan:
    """Return which journal this is and how far it goes."""
    [span] = _JOURNAL_SPAN.rows(tx.connection, {})
    return JournalSpan(epoch=span.epoch, first=span.first or 0, last=span.last or 0)


def load_networks(tx: Transaction, ids: Collection[str]) -> dict[str, Network]:
    """Return the networks that exist, by id."""
    return _load(tx, ids, SELECT_NETWORKS, NETWORKS.c.id, networks_of)


def load_subnets(tx: Transaction, ids: Collection[str]) -> dict[str, Subnet]:
    """Return the subnets that exist, by id."""
    return _load(tx, ids, SELECT_SUBNETS, SUBNETS.c.id, subnets_of)


def load_ports(tx: Transaction, ids: Collection[str]) -> dict[str, Port]:
    """Return the ports that exist, by id."""
    return _load(tx, ids, SELECT_PORTS, PORTS.c.id, ports_of)


def load_hosts(tx: Transaction, ids: Collection[str]) -> dict[str, Host]:
    """Return the hosts that exist, by id."""
    return _load(tx, ids, SELECT_HOSTS, HOSTS.c.id, hosts_of)


def load_security_groups(tx: Transaction, ids: Collection[str]) -> dict[str, SecurityGroup]:
    """Return the security groups that exist, each with all its rules, by id."""
    return _load(tx, ids, SELECT_SECURITY_GROUPS, SECURITY_GROUPS.c.id, security_groups_of)


def load_address_groups(tx: Transaction, ids: Collection[str]) -> dict[str, AddressGroup]:
    """Return the address groups that exist, by id."""
    return _load(
        tx,
        ids,
        SELECT_ADDRESS_GROUPS,
        ADDRESS_GROUPS.c.id,
        lambda _connection, rows: [address_group_of(row) for row in rows],
    )


def ids_in_networks(tx: Transaction, table: Table, network_ids: Collection[str]) -> set[str]:
    """Return the ids of a table's rows (subnets or ports) that are in some networks."""
    found: set[str] = set()
    for chunk in in_chunks(list(network_ids)):
        found.update(tx.connection.scalars(select(table.c.id).where(table.c.network_id.in_(chunk))))
    return found


def journal_after(tx: Transaction, seq: int, limit: int = JOURNAL_PAGE) -> list[JournalEntry]:
    """Return the changes that follow entry ``seq``, oldest first."""
    return [
        JournalEntry(seq=row.seq, kind=row.kind, object_id=row.object_id, network_id=_network_id(row.network_id))
        for row in _JOURNAL_AFTER.rows(tx.connection, {"after": seq, "most": limit})
    ]


def prune_journal(tx: Transaction, before_seq: int) -> int:
    """Forget the changes older than entry ``before_seq``, and return how many there were.

    The last entry always stays: it says where the journal is.
    """
    oldest_kept = min(before_seq, last_seq(tx))
    return tx.connection.execute(delete(JOURNAL).where(JOURNAL.c.seq < oldest_kept)).rowcount


def _network_id(stored: str | None) -> NetworkId | None:
    return None if stored is None else NetworkId(stored)


@cache
def _of_ids(statement: Select[Any], column: Column[Any]) -> Select[Any]:
    """Narrow a statement to some ids, once for each of the few there are: to build it costs more than to run it."""
    return statement.where(column.in_(bindparam("ids", expanding=True)))


def _load(
    tx: Transaction,
    ids: Collection[str],
    statement: Select[Any],
    column: Column[Any],
    complete: Callable[[Connection, Sequence[Row[Any]]], list[Record]],
) -> dict[str, Record]:
    loaded: dict[str, Record] = {}
    for chunk in in_chunks(list(ids)):
        rows = tx.connection.execute(_of_ids(statement, column), {"ids": chunk}).all()
        loaded |= {record.id: record for record in complete(tx.connection, rows)}
    return loaded
