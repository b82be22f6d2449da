"""How many addresses of each subnet were taken, and when? Noted from time to time, where it has changed."""

from collections.abc import Mapping

from sqlalchemy import func, select

from controller.store.dialects import insert_or_ignore
from controller.store.ipam_schema import SUBNET_SAMPLES
from controller.store.schema import ALLOCATIONS, SUBNETS, TAKEN
from controller.store.transaction import Transaction

_ADD = insert_or_ignore(SUBNET_SAMPLES)


def changed(tx: Transaction) -> Mapping[str, int]:
    """Return what is taken of the pools of each subnet where that is not as last noted; never noted is nothing."""
    now = {
        row.subnet_id: row.taken
        for row in tx.connection.execute(
            select(ALLOCATIONS.c.subnet_id, func.count(ALLOCATIONS.c.block).label("taken"))
            .where(TAKEN)
            .group_by(ALLOCATIONS.c.subnet_id)
        )
    }
    latest = (
        select(SUBNET_SAMPLES.c.subnet_id, func.max(SUBNET_SAMPLES.c.at).label("at"))
        .group_by(SUBNET_SAMPLES.c.subnet_id)
        .subquery()
    )
    at_last = select(SUBNET_SAMPLES.c.subnet_id, SUBNET_SAMPLES.c.taken).join(
        latest, (latest.c.subnet_id == SUBNET_SAMPLES.c.subnet_id) & (latest.c.at == SUBNET_SAMPLES.c.at)
    )
    noted = {row.subnet_id: row.taken for row in tx.connection.execute(at_last)}
    return {
        subnet_id: now.get(subnet_id, 0)
        for subnet_id in now.keys() | noted.keys()
        if now.get(subnet_id, 0) != noted.get(subnet_id, 0)
    }


def add(tx: Transaction, at: int, taken: Mapping[str, int]) -> None:
    """Note what was taken at a moment (seconds since 1970)."""
    known = set(tx.connection.scalars(select(SUBNETS.c.id))) if taken else set()
    rows = [{"subnet_id": one, "at": at, "taken": count} for one, count in taken.items() if one in known]
    if rows:
        tx.connection.execute(tx.variant(_ADD), rows)


def taken_at(tx: Transaction, subnet_id: str, at: int) -> int:
    """Return what was taken at a moment, as far as it was noted."""
    found = tx.connection.execute(
        select(SUBNET_SAMPLES.c.taken)
        .where(SUBNET_SAMPLES.c.subnet_id == subnet_id, SUBNET_SAMPLES.c.at <= at)
        .order_by(SUBNET_SAMPLES.c.at.desc())
        .limit(1)
    ).scalar()
    return 0 if found is None else found


def count(tx: Transaction, subnet_id: str) -> int:
    """Return how many samples there are of a subnet."""
    return tx.connection.execute(
        select(func.count()).select_from(SUBNET_SAMPLES).where(SUBNET_SAMPLES.c.subnet_id == subnet_id)
    ).scalar_one()
