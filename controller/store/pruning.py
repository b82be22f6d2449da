"""What need not be remembered any longer? Forgotten in small steps, so that no writer waits long.

What is to go is looked for without a lock and deleted by its keys, some rows a transaction; after each the number of
rows is yielded, for whoever runs this to let others write. What is not here is bounded by what users and operators
have, and goes with it or by their request; who was seen with an address is intent, and bounded where it is written
(``controller.store.sightings``), as are the timelines of ports (``controller.store.states``).
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy import ColumnElement, Table, and_, delete, exists, select, tuple_

from controller.store import holds
from controller.store.agents import AGENTS, CONTROLLER_AGENT
from controller.store.allocations import RELEASED_KEPT_S
from controller.store.identities import TOKENS
from controller.store.ipam_schema import SUBNET_SAMPLES
from controller.store.schema import ALLOCATIONS, BINDINGS, HOSTS, OFPORT_CURSORS, RELEASED
from controller.store.snapshot import journal_span, prune_journal
from controller.store.transaction import Transaction
from controller.store.usage_schema import USAGE_SAMPLES

AT_ONCE = 500
"""Rows in one transaction: some milliseconds."""
MOST_AT_A_TIME = 100_000
"""Rows that one look finds; the rest is found by the next one."""
SUBNETS_AT_A_TIME = 1000
GONE_KEPT_S = 30 * 86_400
"""For how long expired tokens and silent controllers are still listed."""


class Store(Protocol):
    """What is wanted of the database."""

    def read(self) -> AbstractContextManager[Transaction]:
        """Open a transaction that changes nothing."""

    def write(self) -> AbstractContextManager[Transaction]:
        """Open a transaction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeping:
    """How much is kept."""

    journal: int
    """The newest changes."""
    samples_s: int
    """What projects and subnets had, for so many seconds."""


def forget_changes(database: Store, keeping: Keeping) -> Iterator[int]:
    """Forget the oldest entries of the journal, which are more than are kept."""
    with database.read() as tx:
        span = journal_span(tx)
    first, oldest_kept = span.first, span.last - keeping.journal + 1
    while first < oldest_kept:
        first = min(oldest_kept, first + AT_ONCE)
        with database.write() as tx:
            forgotten = prune_journal(tx, first)
        yield forgotten


def free_held_addresses(database: Store, _keeping: Keeping) -> Iterator[int]:
    """Make addresses free whose quarantine or reservation is over."""
    with database.read() as tx:
        overdue = holds.with_expired(tx, SUBNETS_AT_A_TIME)
    for subnet_id in overdue:
        is_more = True
        while is_more:
            with database.write() as tx:
                freed = holds.expire(tx, [subnet_id])
            is_more = freed == holds.EXPIRED_AT_ONCE
            yield freed


def forget_released_addresses(database: Store, _keeping: Keeping) -> Iterator[int]:
    """Forget who had addresses; where addresses are being released, a release does so itself."""
    return _forget(
        database,
        ALLOCATIONS,
        lambda now: and_(
            RELEASED, ALLOCATIONS.c.released_at < now - RELEASED_KEPT_S, ALLOCATIONS.c.held_until.is_(None)
        ),
    )


def forget_project_samples(database: Store, keeping: Keeping) -> Iterator[int]:
    """Forget what projects had."""
    return _forget(database, USAGE_SAMPLES, lambda now: USAGE_SAMPLES.c.at < now - keeping.samples_s)


def forget_subnet_samples(database: Store, keeping: Keeping) -> Iterator[int]:
    """Forget how full subnets were; the newest that is too old stays: it says what was before the rest."""
    newer = SUBNET_SAMPLES.alias("newer")

    def is_old(now: int) -> ColumnElement[bool]:
        until = now - keeping.samples_s
        has_newer = exists().where(
            newer.c.subnet_id == SUBNET_SAMPLES.c.subnet_id, newer.c.at > SUBNET_SAMPLES.c.at, newer.c.at <= until
        )
        return and_(SUBNET_SAMPLES.c.at < until, has_newer)

    return _forget(database, SUBNET_SAMPLES, is_old)


def forget_tokens(database: Store, _keeping: Keeping) -> Iterator[int]:
    """Forget tokens that expired long ago."""
    return _forget(database, TOKENS, lambda now: TOKENS.c.expires_at < now - GONE_KEPT_S)


def forget_controllers(database: Store, _keeping: Keeping) -> Iterator[int]:
    """Forget machines on which a controller ran long ago; a host's agent goes with the host."""
    return _forget(
        database,
        AGENTS,
        lambda now: and_(AGENTS.c.agent_type == CONTROLLER_AGENT, AGENTS.c.heartbeat_at < now - GONE_KEPT_S),
    )


def forget_cursors(database: Store, _keeping: Keeping) -> Iterator[int]:
    """Forget where numbers go on for names that are no host and have no port bound to them."""
    is_bound = exists().where(BINDINGS.c.host == OFPORT_CURSORS.c.host)
    is_registered = exists().where(HOSTS.c.name == OFPORT_CURSORS.c.host)
    return _forget(database, OFPORT_CURSORS, lambda _now: and_(~is_bound, ~is_registered))


STEPS: Mapping[str, Callable[[Store, Keeping], Iterator[int]]] = {
    "changes": forget_changes,
    "held_addresses": free_held_addresses,
    "released_addresses": forget_released_addresses,
    "project_samples": forget_project_samples,
    "subnet_samples": forget_subnet_samples,
    "tokens": forget_tokens,
    "controllers": forget_controllers,
    "cursors": forget_cursors,
}


def _forget(database: Store, table: Table, is_old: Callable[[int], ColumnElement[bool]]) -> Iterator[int]:
    """Delete rows of a table that are old at a moment (seconds since 1970)."""
    columns = list(table.primary_key.columns)
    key: ColumnElement[Any] = columns[0] if len(columns) == 1 else tuple_(*columns)
    with database.read() as tx:
        found = tx.connection.execute(select(*columns).where(is_old(tx.timestamp)).limit(MOST_AT_A_TIME)).all()
    keys = [row[0] if len(columns) == 1 else tuple(row) for row in found]
    for start in range(0, len(keys), AT_ONCE):
        with database.write() as tx:
            # It may have changed since it was found.
            gone = delete(table).where(key.in_(keys[start : start + AT_ONCE]), is_old(tx.timestamp))
            forgotten = tx.connection.execute(gone).rowcount
        yield forgotten
