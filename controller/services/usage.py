"""What may a caller know of what projects consume? Administrators everything, others their own."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, func, select

from controller.caller import Caller
from controller.errors import InvalidInput
from controller.policy.words import Target
from controller.services import listing, ports
from controller.services.query import Query
from controller.services.rules import authorize, may
from controller.store.loading import in_chunks, instant
from controller.store.transaction import Transaction
from controller.store.usage import counts, known_projects, traffic_of
from controller.store.usage_schema import COUNTED, PORT_USAGE, PROJECT_USAGE, TRAFFIC, USAGE_SAMPLES
from controller.usage.counters import NONE, Traffic, grown

RULE = "get_usage"
MOST_SAMPLES = 10_000
"""A month of one project has 8,640, one in five minutes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectUsage:
    """What a project has now, and what passed through its ports in all."""

    project_id: str
    counted: dict[str, int]
    traffic: Traffic
    measured_at: datetime | None
    """When traffic was last stored; None before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """What a project had at a moment, and what had passed in all by then."""

    at: datetime
    counted: dict[str, int]
    traffic: Traffic


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectHistory:
    """What a project had and what passed between two moments."""

    project_id: str
    traffic: Traffic
    """From the last sample that is not after the beginning, or else the first there is, to the last."""
    samples: tuple[Sample, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PortUsage:
    """What passed through a port in all."""

    port_id: str
    project_id: str
    network_id: str
    traffic: Traffic
    measured_at: datetime | None


def now(tx: Transaction, caller: Caller, project_id: str | None) -> list[ProjectUsage]:
    """Return what projects have and have consumed; a fixed number of statements whatever their number.

    Raises:
        PolicyNotAuthorized: another project's, by no administrator.
    """
    project_ids = _projects(tx, caller, project_id)
    found = counts(tx, project_ids)
    measured: dict[str, int] = {}
    for chunk in in_chunks(project_ids):
        rows = tx.connection.execute(select(PROJECT_USAGE).where(PROJECT_USAGE.c.project_id.in_(chunk)))
        measured |= {row.project_id: row.updated_at for row in rows}
    return [
        ProjectUsage(
            project_id=one,
            counted={name: found[one][name] for name in COUNTED},
            traffic=Traffic(**{name: found[one][name] for name in TRAFFIC}),
            measured_at=instant(measured[one]) if one in measured else None,
        )
        for one in project_ids
    ]


def over(
    tx: Transaction, caller: Caller, project_id: str | None, *, start: datetime, end: datetime
) -> list[ProjectHistory]:
    """Return the samples between two moments, both included, and the traffic between them.

    Raises:
        PolicyNotAuthorized: another project's, by no administrator.
        InvalidInput: the end is before the beginning, or there are too many samples for one answer.
    """
    if end < start:
        raise InvalidInput(f"end {end.isoformat()} is before start {start.isoformat()}")
    first, last = int(start.timestamp()), int(end.timestamp())
    wanted = select(USAGE_SAMPLES).where(USAGE_SAMPLES.c.at.between(first, last))
    before = select(USAGE_SAMPLES.c.project_id, func.max(USAGE_SAMPLES.c.at).label("at")).where(
        USAGE_SAMPLES.c.at <= first
    )
    if project_id is not None or not _sees_all(caller):
        (only,) = _projects(tx, caller, project_id)
        wanted = wanted.where(USAGE_SAMPLES.c.project_id == only)
        before = before.where(USAGE_SAMPLES.c.project_id == only)
    rows = tx.connection.execute(
        wanted.order_by(USAGE_SAMPLES.c.project_id, USAGE_SAMPLES.c.at).limit(MOST_SAMPLES + 1)
    ).all()
    if len(rows) > MOST_SAMPLES:
        raise InvalidInput(f"there are more than {MOST_SAMPLES} samples, ask for a shorter time or for one project")
    latest = before.group_by(USAGE_SAMPLES.c.project_id).subquery()
    at_start = select(USAGE_SAMPLES).join(
        latest, (latest.c.project_id == USAGE_SAMPLES.c.project_id) & (latest.c.at == USAGE_SAMPLES.c.at)
    )
    begun = {row.project_id: traffic_of(row) for row in tx.connection.execute(at_start)}
    of_project: dict[str, list[Row[Any]]] = {}
    for row in rows:
        of_project.setdefault(row.project_id, []).append(row)
    return [
        ProjectHistory(
            project_id=one,
            traffic=grown(begun.get(one, traffic_of(samples[0])), traffic_of(samples[-1])),
            samples=tuple(_sample(row) for row in samples),
        )
        for one, samples in of_project.items()
    ]


def of_ports(tx: Transaction, caller: Caller, query: Query) -> list[PortUsage]:
    """Return what passed through the ports a query asks for.

    Raises:
        PortNotFound: the marker is no port of this caller.
    """
    rows = listing.many(tx, caller, ports.RESOURCE, query)
    totals: dict[str, Row[Any]] = {}
    for chunk in in_chunks([row.id for row in rows]):
        found = tx.connection.execute(select(PORT_USAGE).where(PORT_USAGE.c.port_id.in_(chunk)))
        totals |= {row.port_id: row for row in found}
    return [
        PortUsage(
            port_id=row.id,
            project_id=row.project_id,
            network_id=row.network_id,
            traffic=traffic_of(totals[row.id]) if row.id in totals else NONE,
            measured_at=instant(totals[row.id].updated_at) if row.id in totals else None,
        )
        for row in rows
    ]


def _projects(tx: Transaction, caller: Caller, project_id: str | None) -> Sequence[str]:
    if project_id is None and _sees_all(caller):
        return list(tx.connection.scalars(known_projects()))
    only = caller.project_id if project_id is None else project_id
    authorize(caller, RULE, Target(project_id=only))
    return [only]


def _sees_all(caller: Caller) -> bool:
    return may(caller, RULE, Target())


def _sample(row: Row[Any]) -> Sample:
    return Sample(at=instant(row.at), counted={name: getattr(row, name) for name in COUNTED}, traffic=traffic_of(row))
