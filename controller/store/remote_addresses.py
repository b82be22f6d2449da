"""What have services outside Weft given, and what do they not know yet? Marks, addresses, and what is owed.

An *ask* is written before a service is asked, and goes with the transaction that uses what was given: an ask that
stays is a reservation nobody uses. An address that was used stands beside its allocation; when that is released or
gone, by whichever way, the service is owed a release, and the row stays until the service has been told.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, and_, delete, insert, select, update

from controller.store.ipam_driver_schema import IPAM_ASKS, REMOTE_ADDRESSES, SUBNET_DRIVERS
from controller.store.loading import in_chunks
from controller.store.schema import ALLOCATIONS
from controller.store.transaction import Transaction
from ipam.addresses import parse_address
from ipam.remote import Held

LONGEST_WAIT_S = 300
"""Between two tries to tell a service what it is owed."""
AT_ONCE = 200

_IS_LIVE = ALLOCATIONS.c.released_at.is_(None)
_R = REMOTE_ADDRESSES.c


@dataclass(frozen=True, slots=True, kw_only=True)
class Debt:
    """One thing a service is to be told."""

    id: int
    held: Held
    owner: str
    tries: int


def set_driver(tx: Transaction, subnet_id: str, driver: str) -> None:
    """Note who gives out a new subnet's addresses."""
    tx.connection.execute(insert(SUBNET_DRIVERS), {"subnet_id": subnet_id, "driver": driver})


def note_ask(tx: Transaction, mark: str, driver: str) -> None:
    """Note that a service is about to be asked."""
    row = {"mark": mark, "driver": driver, "asked_at": tx.timestamp, "is_void": False, "not_before": 0}
    tx.connection.execute(insert(IPAM_ASKS), row)


def use_ask(tx: Transaction, mark: str) -> bool:
    """Take an ask away because what it gave is used; say whether it was still good."""
    statement = delete(IPAM_ASKS).where(IPAM_ASKS.c.mark == mark, IPAM_ASKS.c.is_void.is_(False))
    return tx.connection.execute(statement).rowcount == 1


def unused(tx: Transaction, marks: Sequence[str]) -> set[str]:
    """Return those of some asks that are there yet."""
    return set(tx.connection.scalars(select(IPAM_ASKS.c.mark).where(IPAM_ASKS.c.mark.in_(marks))))


def void(tx: Transaction, marks: Sequence[str], *, until: int = 0) -> None:
    """Let nobody use what asks gave; a sweep before ``until`` leaves them alone."""
    statement = update(IPAM_ASKS).where(IPAM_ASKS.c.mark.in_(marks))
    tx.connection.execute(statement.values(is_void=True, not_before=until))


def drop(tx: Transaction, marks: Sequence[str]) -> None:
    """Forget asks: the service holds nothing for them."""
    tx.connection.execute(delete(IPAM_ASKS).where(IPAM_ASKS.c.mark.in_(marks)))


def void_old(tx: Transaction, driver: str, *, patience_s: int) -> list[tuple[str, int]]:
    """Void what was asked too long ago, and return every void ask that is due, with its time."""
    of_driver = IPAM_ASKS.c.driver == driver
    oldest = tx.timestamp - patience_s
    tx.connection.execute(
        update(IPAM_ASKS)
        .where(of_driver, IPAM_ASKS.c.asked_at < oldest, IPAM_ASKS.c.is_void.is_(False))
        .values(is_void=True)
    )
    due = select(IPAM_ASKS.c.mark, IPAM_ASKS.c.asked_at).where(
        of_driver, IPAM_ASKS.c.is_void, IPAM_ASKS.c.not_before <= tx.timestamp
    )
    return [(row.mark, row.asked_at) for row in tx.connection.execute(due.limit(AT_ONCE))]


def keep(tx: Transaction, driver: str, given: Sequence[tuple[Held, str]]) -> None:
    """Store addresses that are ports' now, beside their allocations."""
    allocations: dict[tuple[str, str], int] = {}
    for subnet_id in {held.subnet_id for held, _owner in given}:
        of_subnet = [str(held) for held, _owner in given if held.subnet_id == subnet_id]
        for chunk in in_chunks(of_subnet):
            found = tx.connection.execute(
                select(ALLOCATIONS.c.id, ALLOCATIONS.c.address).where(
                    ALLOCATIONS.c.subnet_id == subnet_id, ALLOCATIONS.c.address.in_(chunk), _IS_LIVE
                )
            )
            allocations |= {(subnet_id, row.address): row.id for row in found}
    rows = [
        _row(driver, held, owner) | {"allocation_id": allocations[held.subnet_id, str(held)], "is_told": False}
        for held, owner in given
    ]
    tx.connection.execute(insert(REMOTE_ADDRESSES), rows)


def leave(tx: Transaction, driver: str, given: Sequence[Held]) -> None:
    """Store addresses that nobody uses after all: they are owed a release."""
    rows = [_row(driver, held, "") | {"allocation_id": None, "is_told": True} for held in given]
    if rows:
        tx.connection.execute(insert(REMOTE_ADDRESSES), rows)


def owed_releases(tx: Transaction, driver: str, *, addresses: Sequence[str] | None = None) -> list[Debt]:
    """Return some addresses that the service holds for nobody; of the named ones even before their time."""
    due = _R.driver == driver
    due = and_(due, _R.not_before <= tx.timestamp if addresses is None else _R.address.in_(addresses))
    gone = select(REMOTE_ADDRESSES).where(due, _R.allocation_id.is_(None)).order_by(_R.id).limit(AT_ONCE)
    released = (
        select(REMOTE_ADDRESSES)
        .select_from(
            SUBNET_DRIVERS.join(
                ALLOCATIONS,
                and_(ALLOCATIONS.c.subnet_id == SUBNET_DRIVERS.c.subnet_id, ALLOCATIONS.c.released_at.is_not(None)),
            ).join(REMOTE_ADDRESSES, _R.allocation_id == ALLOCATIONS.c.id)
        )
        .where(SUBNET_DRIVERS.c.driver == driver, due)
        .limit(AT_ONCE)
    )
    rows = [row for statement in (gone, released) for row in tx.connection.execute(statement)]
    return [_debt(row) for row in rows]


def owed_commits(tx: Transaction, driver: str) -> list[Debt]:
    """Return some addresses of which the service does not know yet whose they are."""
    rows = tx.connection.execute(
        select(REMOTE_ADDRESSES)
        .join(ALLOCATIONS, ALLOCATIONS.c.id == _R.allocation_id)
        .where(_R.driver == driver, _R.is_told.is_(False), _R.not_before <= tx.timestamp, _IS_LIVE)
        .order_by(_R.id)
        .limit(AT_ONCE)
    )
    return [_debt(row) for row in rows]


def released(tx: Transaction, debts: Sequence[Debt]) -> None:
    """Forget addresses that the service has taken back."""
    tx.connection.execute(delete(REMOTE_ADDRESSES).where(_R.id.in_([debt.id for debt in debts])))


def told(tx: Transaction, debts: Sequence[Debt]) -> None:
    """Note that the service knows whose addresses are."""
    statement = update(REMOTE_ADDRESSES).where(_R.id.in_([debt.id for debt in debts]))
    tx.connection.execute(statement.values(is_told=True, tries=0, not_before=0))


def postpone(tx: Transaction, debts: Sequence[Debt]) -> None:
    """Try again later, later each time."""
    for tries in {debt.tries for debt in debts}:
        wait = min(LONGEST_WAIT_S, 2 ** min(tries, 10))
        statement = update(REMOTE_ADDRESSES).where(_R.id.in_([debt.id for debt in debts if debt.tries == tries]))
        tx.connection.execute(statement.values(tries=tries + 1, not_before=tx.timestamp + wait))


def strangers(tx: Transaction, driver: str, listed: Sequence[Held]) -> list[Held]:
    """Return those of the addresses a service holds that no ask and no port stands behind."""
    known: set[str] = set()
    for chunk in in_chunks([held.handle for held in listed]):
        known |= set(tx.connection.scalars(select(_R.handle).where(_R.driver == driver, _R.handle.in_(chunk))))
    for chunk in in_chunks(list({held.mark for held in listed})):
        asked = set(tx.connection.scalars(select(IPAM_ASKS.c.mark).where(IPAM_ASKS.c.mark.in_(chunk))))
        known |= {held.handle for held in listed if held.mark in asked}
    return [held for held in listed if held.handle not in known]


def counts(tx: Transaction, driver: str) -> Mapping[str, int]:
    """Return how many subnets a driver has, and how much is not settled with it; each count ends at ``AT_ONCE``."""
    subnets = tx.connection.scalars(select(SUBNET_DRIVERS.c.subnet_id).where(SUBNET_DRIVERS.c.driver == driver))
    asks = tx.connection.scalars(select(IPAM_ASKS.c.mark).where(IPAM_ASKS.c.driver == driver).limit(AT_ONCE))
    late = tx.connection.scalars(select(_R.id).where(_R.driver == driver, _R.tries > 0).limit(AT_ONCE))
    return {"subnets": len(subnets.all()), "asks": len(asks.all()), "late": len(late.all())}


def _row(driver: str, held: Held, owner: str) -> dict[str, object]:
    return {
        "driver": driver,
        "subnet_id": held.subnet_id,
        "port_id": owner,
        "address": str(held),
        "handle": held.handle,
        "mark": held.mark,
        "tries": 0,
        "not_before": 0,
    }


def _debt(row: Row[Any]) -> Debt:
    version, address = parse_address(row.address)
    held = Held(
        subnet_id=row.subnet_id,
        version=version,
        address=address,
        handle=row.handle,
        mark=row.mark,
    )
    return Debt(id=row.id, held=held, owner=row.port_id, tries=row.tries)
