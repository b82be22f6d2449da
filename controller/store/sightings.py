"""Who was seen to use which address without being a port that has it?

One row for each subnet, address and MAC address. A row is intent as far as it is journalled: it keeps its address from
being given out, and switches need not tell again what it says. Written by the controller process, removed when nobody
was seen for long, by a caller, or with what it belongs to. How many rows there may be is bounded: whoever may use any
address may use ever new ones.
"""

import logging
from collections.abc import Collection, Iterable
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    ForeignKey,
    Index,
    Row,
    String,
    Table,
    UniqueConstraint,
    and_,
    bindparam,
    delete,
    func,
    insert,
    select,
    update,
)

from controller.records import HostName, NetworkId, PortId
from controller.sighting_records import How, Sight, Sighting
from controller.store.loading import in_chunks
from controller.store.schema import ADDRESS_LENGTH, ALLOCATIONS, METADATA, NAME_LENGTH, PORTS, SUBNETS, UUID_LENGTH
from controller.store.transaction import Transaction
from ipam.addresses import parse_address

_log = logging.getLogger(__name__)

KIND = "sighting"
"""In the journal."""
MOST_OF_A_PORT = 32
"""Addresses of others noted behind one port."""
MOST_OF_A_NETWORK = 1024
"""Noted on the physical side of one network; each costs its hosts one to two flows."""
FORGOTTEN_AT_ONCE = 500

ADDRESS_SIGHTINGS = Table(
    "address_sightings",
    METADATA,
    Column("id", String(UUID_LENGTH), primary_key=True),
    Column("network_id", ForeignKey("networks.id", ondelete="CASCADE"), nullable=False),
    Column("subnet_id", ForeignKey("subnets.id", ondelete="CASCADE"), nullable=False),
    Column("ip_address", String(ADDRESS_LENGTH), nullable=False, index=True),
    Column("mac_address", String(17), nullable=False, index=True),
    Column("how", String(8), nullable=False),
    Column("host", String(NAME_LENGTH), nullable=False),
    Column("port_id", ForeignKey("ports.id", ondelete="CASCADE"), index=True),
    Column("first_seen", BigInteger, nullable=False),
    Column("last_seen", BigInteger, nullable=False, index=True),
    UniqueConstraint("subnet_id", "ip_address", "mac_address"),
)
Index("ix_address_sightings_network", ADDRESS_SIGHTINGS.c.network_id, ADDRESS_SIGHTINGS.c.port_id)

SELECT_SIGHTINGS = select(ADDRESS_SIGHTINGS)
_KNOWN = select(ADDRESS_SIGHTINGS).where(
    ADDRESS_SIGHTINGS.c.subnet_id == bindparam("of_subnet"),
    ADDRESS_SIGHTINGS.c.ip_address == bindparam("seen"),
    ADDRESS_SIGHTINGS.c.mac_address == bindparam("mac"),
)
_SUBNET = select(SUBNETS.c.id).where(SUBNETS.c.id == bindparam("of_subnet"))
_PORT = select(PORTS.c.id).where(PORTS.c.id == bindparam("of_port"))
_SEEN = select(ADDRESS_SIGHTINGS.c.ip_address).where(ADDRESS_SIGHTINGS.c.subnet_id == bindparam("of_subnet"))
_OLD = (
    select(ADDRESS_SIGHTINGS.c.id, ADDRESS_SIGHTINGS.c.network_id)
    .where(ADDRESS_SIGHTINGS.c.last_seen < bindparam("before"))
    .order_by(ADDRESS_SIGHTINGS.c.last_seen)
    .limit(FORGOTTEN_AT_ONCE)
)
_CONTESTED = (
    select(ADDRESS_SIGHTINGS.c.id)
    .join(
        ALLOCATIONS,
        and_(
            ALLOCATIONS.c.subnet_id == ADDRESS_SIGHTINGS.c.subnet_id,
            ALLOCATIONS.c.address == ADDRESS_SIGHTINGS.c.ip_address,
        ),
    )
    .where(ALLOCATIONS.c.port_id.in_(bindparam("of_ports", expanding=True)), ALLOCATIONS.c.released_at.is_(None))
)
HAS_ANY = select(ADDRESS_SIGHTINGS.c.id).where(ADDRESS_SIGHTINGS.c.subnet_id == SUBNETS.c.id).exists()
"""Whether somebody was seen with an address of a subnet, in a statement about subnets."""


def note(tx: Transaction, sights: Iterable[Sight]) -> bool:
    """Store what was seen; return whether any of it is news."""
    noted = [_note(tx, sight) for sight in sights]
    return any(noted)


def forget(tx: Transaction, sightings: Collection[tuple[str, str]]) -> None:
    """Remove sightings, given as (id, network id)."""
    for sighting_id, network_id in sightings:
        tx.connection.execute(delete(ADDRESS_SIGHTINGS).where(ADDRESS_SIGHTINGS.c.id == sighting_id))
        tx.journal(KIND, sighting_id, network_id)


def forget_older(tx: Transaction, keep_s: int) -> bool:
    """Remove some of what was last seen longer than `keep_s` seconds ago; return whether there was any."""
    old = [(row.id, row.network_id) for row in tx.connection.execute(_OLD, {"before": tx.timestamp - keep_s})]
    forget(tx, old)
    return bool(old)


def seen_in(tx: Transaction, subnet_id: str) -> frozenset[int]:
    """Return the addresses of a subnet that somebody was seen to use; bounded as the rows are."""
    return frozenset(parse_address(text)[1] for text in tx.connection.scalars(_SEEN, {"of_subnet": subnet_id}))


def load_sightings(tx: Transaction, ids: Collection[str]) -> dict[str, Sighting]:
    """Return the sightings that exist, by id."""
    found: dict[str, Sighting] = {}
    for chunk in in_chunks(list(ids)):
        rows = tx.connection.execute(SELECT_SIGHTINGS.where(ADDRESS_SIGHTINGS.c.id.in_(chunk)))
        found |= {row.id: _sighting(row) for row in rows}
    return found


def contested(tx: Transaction, port_ids: Collection[str]) -> frozenset[str]:
    """Return the ids of the sightings of addresses that some ports have."""
    found: set[str] = set()
    for chunk in in_chunks(list(port_ids)):
        found.update(tx.connection.scalars(_CONTESTED, {"of_ports": chunk}))
    return frozenset(found)


def all_sightings(connection: Connection) -> tuple[Sighting, ...]:
    """Return every sighting."""
    return tuple(_sighting(row) for row in connection.execute(SELECT_SIGHTINGS.order_by(ADDRESS_SIGHTINGS.c.id)))


def _sighting(row: Row[Any]) -> Sighting:
    return Sighting(
        id=row.id,
        network_id=NetworkId(row.network_id),
        subnet_id=row.subnet_id,
        ip_address=row.ip_address,
        mac_address=row.mac_address,
        how=How(row.how),
        host=HostName(row.host),
        port_id=None if row.port_id is None else PortId(row.port_id),
        first_seen=row.first_seen,
        last_seen=row.last_seen,
    )


def _note(tx: Transaction, sight: Sight) -> bool:
    key = {"of_subnet": sight.subnet_id, "seen": sight.ip_address, "mac": sight.mac_address}
    known = tx.connection.execute(_KNOWN, key).first()
    if known is None:
        return _add(tx, sight)
    how = How.USED if How.USED in {sight.how, known.how} else How.PROBED
    tx.connection.execute(
        update(ADDRESS_SIGHTINGS)
        .where(ADDRESS_SIGHTINGS.c.id == known.id)
        .values(last_seen=tx.timestamp, host=sight.host, how=how.value, port_id=known.port_id or sight.port_id)
    )
    tx.journal(KIND, known.id, sight.network_id)
    return True


def _add(tx: Transaction, sight: Sight) -> bool:
    is_there = tx.connection.execute(_SUBNET, {"of_subnet": sight.subnet_id}).first() is not None
    if sight.port_id is not None:
        is_there = is_there and tx.connection.execute(_PORT, {"of_port": sight.port_id}).first() is not None
    room = _room(tx, sight) if is_there else 0
    if room <= 0:
        return False
    sighting_id = tx.new_id()
    tx.connection.execute(
        insert(ADDRESS_SIGHTINGS).values(
            **(sight._asdict() | {"how": sight.how.value}),
            id=sighting_id,
            first_seen=tx.timestamp,
            last_seen=tx.timestamp,
        )
    )
    tx.journal(KIND, sighting_id, sight.network_id)
    _log.warning(
        "address_seen_in_use network=%s address=%s mac=%s host=%s behind=%s how=%s",
        sight.network_id,
        sight.ip_address,
        sight.mac_address,
        sight.host,
        sight.port_id or "physical network",
        sight.how.value,
    )
    if room == 1:
        behind = sight.port_id or "physical network"
        _log.warning("address_sightings_full network=%s behind=%s", sight.network_id, behind)
    return True


def _room(tx: Transaction, sight: Sight) -> int:
    """Return how many more there may be from where this one is."""
    count = select(func.count()).select_from(ADDRESS_SIGHTINGS)
    if sight.port_id is not None:
        most, count = MOST_OF_A_PORT, count.where(ADDRESS_SIGHTINGS.c.port_id == sight.port_id)
    else:
        most = MOST_OF_A_NETWORK
        of_network = ADDRESS_SIGHTINGS.c.network_id == sight.network_id
        count = count.where(of_network, ADDRESS_SIGHTINGS.c.port_id.is_(None))
    return most - int(tx.connection.execute(count).scalar_one())
