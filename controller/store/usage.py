"""What did each project consume, in all and at each moment? Totals and samples, as the store holds them.

The controller is the only writer. A reading, and what it adds to the totals, are one transaction: whatever dies in
between, nothing is counted twice.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, func, select, true, union

from controller.records import PortId
from controller.store.dialects import insert_or_ignore, insert_or_update
from controller.store.loading import in_chunks
from controller.store.schema import (
    ALLOCATIONS,
    BINDINGS,
    NETWORKS,
    PORTS,
    SECURITY_GROUP_RULES,
    SECURITY_GROUPS,
    SEGMENTS,
    SUBNETS,
)
from controller.store.transaction import Transaction
from controller.store.usage_schema import COUNTED, PORT_COUNTERS, PORT_USAGE, PROJECT_USAGE, TRAFFIC, USAGE_SAMPLES
from controller.usage.counters import NONE, Traffic, grown

_STORE_COUNTERS = insert_or_update(PORT_COUNTERS, conflict=(PORT_COUNTERS.c.port_id, PORT_COUNTERS.c.host))
_STORE_PORTS = insert_or_update(PORT_USAGE, conflict=(PORT_USAGE.c.port_id,))
_STORE_PROJECTS = insert_or_update(PROJECT_USAGE, conflict=(PROJECT_USAGE.c.project_id,))
_ADD_SAMPLES = insert_or_ignore(USAGE_SAMPLES)


def traffic_of(row: Row[Any] | None) -> Traffic:
    """Return the traffic columns of a row, nothing where there is none."""
    return NONE if row is None else Traffic(**{name: getattr(row, name) for name in TRAFFIC})


def add_reading(tx: Transaction, host: str, readings: Mapping[PortId, Traffic]) -> None:
    """Add what a host's ports did since they were last read to their totals and their projects'.

    Ports deleted meanwhile are left out; ports that did nothing cost no write.
    """
    for_projects: dict[str, Traffic] = {}
    for chunk in in_chunks(list(readings)):
        _add_ports(tx, host, {PortId(port_id): readings[PortId(port_id)] for port_id in chunk}, for_projects)
    if not for_projects:
        return
    rows = {
        row.project_id: row
        for row in tx.connection.execute(
            select(PROJECT_USAGE).where(PROJECT_USAGE.c.project_id.in_(list(for_projects)))
        )
    }
    tx.connection.execute(
        tx.variant(_STORE_PROJECTS),
        [
            {
                "project_id": project_id,
                "updated_at": tx.timestamp,
                "flows": rows[project_id].flows if project_id in rows else 0,
            }
            | asdict(traffic_of(rows.get(project_id)) + added)
            for project_id, added in for_projects.items()
        ],
    )


def _add_ports(
    tx: Transaction, host: str, readings: Mapping[PortId, Traffic], for_projects: dict[str, Traffic]
) -> None:
    ids = list(readings)
    projects = {
        row.id: row.project_id
        for row in tx.connection.execute(select(PORTS.c.id, PORTS.c.project_id).where(PORTS.c.id.in_(ids)))
    }
    last = {
        row.port_id: traffic_of(row)
        for row in tx.connection.execute(
            select(PORT_COUNTERS).where(PORT_COUNTERS.c.host == host, PORT_COUNTERS.c.port_id.in_(ids))
        )
    }
    added = {
        port_id: grown(last.get(port_id, NONE), now)
        for port_id, now in readings.items()
        if port_id in projects and now != last.get(port_id, NONE)
    }
    if not added:
        return
    totals = {
        row.port_id: traffic_of(row)
        for row in tx.connection.execute(select(PORT_USAGE).where(PORT_USAGE.c.port_id.in_(list(added))))
    }
    tx.connection.execute(
        tx.variant(_STORE_COUNTERS),
        [{"port_id": port_id, "host": host} | asdict(readings[port_id]) for port_id in added],
    )
    tx.connection.execute(
        tx.variant(_STORE_PORTS),
        [
            {"port_id": port_id, "updated_at": tx.timestamp} | asdict(totals.get(port_id, NONE) + more)
            for port_id, more in added.items()
        ],
    )
    for port_id, more in added.items():
        project_id = projects[port_id]
        for_projects[project_id] = for_projects.get(project_id, NONE) + more


def store_flows(tx: Transaction, flows: Mapping[str, int]) -> None:
    """Store how many flows each project needs now; projects not named need none."""
    rows = {row.project_id: row for row in tx.connection.execute(select(PROJECT_USAGE))}
    changed = [
        {"project_id": project_id, "updated_at": tx.timestamp, "flows": flows.get(project_id, 0)}
        | asdict(traffic_of(rows.get(project_id)))
        for project_id in {*rows, *flows}
        if project_id not in rows or rows[project_id].flows != flows.get(project_id, 0)
    ]
    if changed:
        tx.connection.execute(tx.variant(_STORE_PROJECTS), changed)


def add_samples(tx: Transaction, at: int, *, keep_s: int) -> None:
    """Store what projects have and have consumed at a moment (seconds since 1970).

    A project that had nothing for as long as samples are kept is left out; its totals stay.
    """
    projects = list(tx.connection.scalars(_projects_with_any(PROJECT_USAGE.c.updated_at >= at - keep_s)))
    counted = counts(tx, projects)
    if counted:
        rows = [{"project_id": project_id, "at": at} | values for project_id, values in counted.items()]
        tx.connection.execute(tx.variant(_ADD_SAMPLES), rows)


def known_projects() -> Select[Any]:
    """Return the select of every project that has, or had, anything."""
    return _projects_with_any(true())


def counts(tx: Transaction, project_ids: Sequence[str]) -> dict[str, dict[str, int]]:
    """Return what projects have now and consumed in all; a fixed number of statements whatever their number."""
    found = {project_id: dict.fromkeys((*COUNTED, *TRAFFIC), 0) for project_id in project_ids}
    for chunk in in_chunks(project_ids):
        for name, statement in _countings(chunk).items():
            for row in tx.connection.execute(statement):
                found[row.project_id][name] = row.found
        for row in tx.connection.execute(select(PROJECT_USAGE).where(PROJECT_USAGE.c.project_id.in_(chunk))):
            found[row.project_id] |= {"flows": row.flows} | {name: getattr(row, name) for name in TRAFFIC}
    return found


def _projects_with_any(consumed: ColumnElement[bool]) -> Select[Any]:
    """Return the select of projects that have anything, and of those whose totals fulfil a condition."""
    owners = (NETWORKS, SUBNETS, PORTS, SECURITY_GROUPS)
    totals = select(PROJECT_USAGE.c.project_id).where(consumed)
    every = union(*(select(table.c.project_id) for table in owners), totals).subquery()
    return select(every.c.project_id).order_by(every.c.project_id)


def _countings(project_ids: Sequence[str]) -> dict[str, Select[Any]]:
    def counting(project: ColumnElement[str], source: Any, what: ColumnElement[Any] | None = None) -> Any:
        found = func.count() if what is None else func.count(what.distinct())
        return (
            select(project.label("project_id"), found.label("found"))
            .select_from(source)
            .where(project.in_(project_ids))
            .group_by(project)
        )

    held = ALLOCATIONS.join(PORTS, PORTS.c.id == ALLOCATIONS.c.port_id)
    bound = BINDINGS.join(PORTS, PORTS.c.id == BINDINGS.c.port_id)
    return {
        "networks": counting(NETWORKS.c.project_id, NETWORKS),
        "subnets": counting(SUBNETS.c.project_id, SUBNETS),
        "ports": counting(PORTS.c.project_id, PORTS),
        "addresses": counting(PORTS.c.project_id, held).where(ALLOCATIONS.c.released_at.is_(None)),
        "security_groups": counting(SECURITY_GROUPS.c.project_id, SECURITY_GROUPS),
        "security_group_rules": counting(SECURITY_GROUP_RULES.c.project_id, SECURITY_GROUP_RULES),
        "segments": counting(NETWORKS.c.project_id, SEGMENTS.join(NETWORKS, NETWORKS.c.id == SEGMENTS.c.network_id)),
        "hosts": counting(PORTS.c.project_id, bound, BINDINGS.c.host),
    }
