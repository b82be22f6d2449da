"""Which addresses are nobody's and still given to nobody? Those quarantined after their release, and those reserved.

A held address is the row of its last holder, or one of its own, in ``allocations``: what is taken is decided by one
unique index. When the time is over the row becomes history like any other: before a subnet is said to be full, before
the address is refused to somebody, and from time to time by the controller.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import BindParameter, Row, bindparam, delete, func, or_, select, update

from controller.ipam_records import HeldAs
from controller.store.blocks import count
from controller.store.dialects import insert_all, insert_or_ignore
from controller.store.ipam_schema import IP_RESERVATIONS, SUBNET_IPAM
from controller.store.loading import in_chunks
from controller.store.schema import ALLOCATIONS, HELD, PORTS, SUBNETS, TAKEN
from controller.store.transaction import Transaction

FOREVER = (1 << 62) - 1
"""Until then an address is held that nobody says an end for; seconds since 1970."""
EXPIRED_AT_ONCE = 256

_SUBNETS: BindParameter[str] = bindparam("subnet_ids", expanding=True)
_QUARANTINES = (
    select(SUBNETS.c.id, func.coalesce(SUBNET_IPAM.c.quarantine, bindparam("usual")).label("quarantine"))
    .select_from(SUBNETS.outerjoin(SUBNET_IPAM, SUBNET_IPAM.c.subnet_id == SUBNETS.c.id))
    .where(SUBNETS.c.id.in_(_SUBNETS), func.coalesce(SUBNET_IPAM.c.quarantine, bindparam("usual")) > 0)
)
_RESERVED = select(
    IP_RESERVATIONS.c.subnet_id,
    IP_RESERVATIONS.c.ip_address,
    IP_RESERVATIONS.c.project_id,
    IP_RESERVATIONS.c.expires_at,
).where(
    IP_RESERVATIONS.c.subnet_id.in_(_SUBNETS),
    IP_RESERVATIONS.c.ip_address.in_(bindparam("addresses", expanding=True)),
    or_(IP_RESERVATIONS.c.expires_at.is_(None), IP_RESERVATIONS.c.expires_at > bindparam("at")),
)
_KEEP = (
    update(ALLOCATIONS)
    .where(ALLOCATIONS.c.id == bindparam("row"))
    .values(held_until=bindparam("until"), held_as=bindparam("why"), held_for=bindparam("whose"))
)
_HOLD = insert_or_ignore(
    ALLOCATIONS,
    conflict=(ALLOCATIONS.c.subnet_id, ALLOCATIONS.c.address),
    where=TAKEN,
    returning=(ALLOCATIONS.c.id,),
)
_HELD = select(ALLOCATIONS).where(
    ALLOCATIONS.c.subnet_id == bindparam("of_subnet"), ALLOCATIONS.c.address == bindparam("wanted"), HELD
)
_LET_GO = {"held_until": None, "held_as": None, "held_for": None}


def keep(tx: Transaction, released: Sequence[Row[Any]]) -> Collection[int]:
    """Hold what was just released and is reserved or to be quarantined; return the ids of those rows.

    ``released`` has id, subnet_id, address and port_id of each.
    """
    subnet_ids = list({row.subnet_id for row in released})
    quarantines: dict[str, int] = {}
    reserved: dict[tuple[str, str], Row[Any]] = {}
    for some in in_chunks(subnet_ids):
        rows = tx.connection.execute(_QUARANTINES, {"subnet_ids": some, "usual": tx.settings.ipam_quarantine_s})
        quarantines |= {row.id: row.quarantine for row in rows}
    for chunk in in_chunks(released):
        asked = {
            "subnet_ids": list({row.subnet_id for row in chunk}),
            "addresses": list({row.address for row in chunk}),
            "at": tx.timestamp,
        }
        found = tx.connection.execute(_RESERVED, asked)
        reserved |= {(row.subnet_id, row.ip_address): row for row in found}
    held = [row for row in released if row.subnet_id in quarantines or (row.subnet_id, row.address) in reserved]
    if not held:
        return ()
    projects = _projects(tx, {row.port_id for row in held})
    changes = []
    for row in held:
        reservation = reserved.get((row.subnet_id, row.address))
        if reservation is not None:
            until = FOREVER if reservation.expires_at is None else reservation.expires_at
            change = {"until": until, "why": HeldAs.RESERVATION.value, "whose": reservation.project_id}
        else:
            until = tx.timestamp + quarantines[row.subnet_id]
            change = {"until": until, "why": HeldAs.QUARANTINE.value, "whose": projects.get(row.port_id)}
        changes.append({"row": row.id, **change})
    tx.connection.execute(_KEEP, changes)
    return {row.id for row in held}


def _projects(tx: Transaction, port_ids: Collection[str]) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for chunk in in_chunks(list(port_ids)):
        rows = tx.connection.execute(select(PORTS.c.id, PORTS.c.project_id).where(PORTS.c.id.in_(chunk)))
        found |= {row.id: row.project_id for row in rows}
    return found


def hold(
    tx: Transaction, subnet_id: str, address: str, block: int | None, *, why: HeldAs, whose: str, until: int | None
) -> bool:
    """Hold an address nobody has; False when somebody has it, or it is held already."""
    row = {
        "subnet_id": subnet_id,
        "address": address,
        "block": block,
        "released_at": tx.timestamp,
        "held_until": FOREVER if until is None else until,
        "held_as": why.value,
        "held_for": whose,
    }
    if not insert_all(tx.connection, tx.variant(_HOLD), [row]):
        return False
    count(tx, [(subnet_id, block)], sign=-1)
    return True


def held(tx: Transaction, subnet_id: str, address: str) -> Row[Any] | None:
    """Return the row of a held address, also of one whose time is over."""
    return tx.connection.execute(_HELD, {"of_subnet": subnet_id, "wanted": address}).first()


def prolong(tx: Transaction, row_id: int, *, whose: str, until: int | None) -> None:
    """Change for whom an address is held, and until when; None is for ever."""
    values = {"held_for": whose, "held_until": FOREVER if until is None else until}
    tx.connection.execute(update(ALLOCATIONS).where(ALLOCATIONS.c.id == row_id, HELD).values(values))


def let_go(tx: Transaction, row_ids: Sequence[int], *, before: int = FOREVER) -> int:
    """Make held addresses free, if they are held until then at the longest; return how many were."""
    freed: list[tuple[str, int | None]] = []
    for chunk in in_chunks(row_ids):
        rows = tx.connection.execute(
            update(ALLOCATIONS)
            .where(ALLOCATIONS.c.id.in_(chunk), ALLOCATIONS.c.held_until <= before)
            .values(_LET_GO)
            .returning(ALLOCATIONS.c.subnet_id, ALLOCATIONS.c.block)
        )
        freed += [(subnet_id, block) for subnet_id, block in rows]
    count(tx, freed, sign=1)
    return len(freed)


def expire(tx: Transaction, subnet_ids: Sequence[str], *, at_most: int = EXPIRED_AT_ONCE) -> int:
    """Make addresses of some subnets free whose time is over; return how many.

    Their reservations are forgotten with them, and those whose address a port has.
    """
    over = (
        select(ALLOCATIONS.c.id)
        .where(ALLOCATIONS.c.subnet_id.in_(subnet_ids), HELD, ALLOCATIONS.c.held_until <= tx.timestamp)
        .limit(at_most)
    )
    freed = let_go(tx, list(tx.connection.scalars(over)), before=tx.timestamp)
    tx.connection.execute(
        delete(IP_RESERVATIONS).where(
            IP_RESERVATIONS.c.subnet_id.in_(subnet_ids), IP_RESERVATIONS.c.expires_at <= tx.timestamp
        )
    )
    return freed


def has_expired(tx: Transaction, subnet_id: str) -> bool:
    """Say whether a subnet has a held address whose time is over."""
    over = select(ALLOCATIONS.c.id).where(
        ALLOCATIONS.c.subnet_id == subnet_id, HELD, ALLOCATIONS.c.held_until <= tx.timestamp
    )
    return tx.connection.execute(over.limit(1)).first() is not None


def with_expired(tx: Transaction, at_most: int) -> list[str]:
    """Return subnets that have something whose time is over, whose ``expire`` finds it."""
    held_over = select(ALLOCATIONS.c.subnet_id).where(HELD, ALLOCATIONS.c.held_until <= tx.timestamp)
    reserved_over = select(IP_RESERVATIONS.c.subnet_id).where(IP_RESERVATIONS.c.expires_at <= tx.timestamp)
    return list(tx.connection.scalars(held_over.union(reserved_over).limit(at_most)))
