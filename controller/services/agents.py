"""What can a caller do with agents? Administrators only: to anybody else there are none.

Neutron API reference, agents. What an agent works with is looked up where it is stored: with its host.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, func, literal, or_, select
from sqlalchemy import delete as sql_delete
from sqlalchemy import update as sql_update

from controller.caller import Caller
from controller.errors import AgentNotFound
from controller.policy.words import Target
from controller.services import listing
from controller.services.query import Query
from controller.services.rules import authorize
from controller.store.agents import AGENTS, DOWN_AFTER_S, OVS_AGENT
from controller.store.loading import instant
from controller.store.physnets import PHYSNETS
from controller.store.schema import HOST_STATES, HOSTS
from controller.store.transaction import Transaction

_CHANGEABLE = ("admin_state_up", "description")
_INTEGRATION_BRIDGE = "br-int"
_TUNNEL_TYPES = ("vxlan", "geneve")


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """One program that works for the networks."""

    id: str
    agent_type: str
    binary: str
    host: str
    admin_state_up: bool
    description: str | None
    alive: bool
    """Heard of lately, and connected still."""
    created_at: datetime
    started_at: datetime
    heartbeat_at: datetime
    """When it was last heard of; when it was made known if never."""
    availability_zone: str | None
    configurations: Mapping[str, object]


def get(tx: Transaction, caller: Caller, object_id: str) -> Agent:
    """Return one agent.

    Raises:
        AgentNotFound: not for this caller.
    """
    return _agents(tx, [listing.one(tx, caller, _resource(tx), object_id)])[0]


def find(tx: Transaction, caller: Caller, query: Query) -> list[Agent]:
    """Return the agents a query asks for.

    Raises:
        AgentNotFound: the marker is no agent.
        InvalidInput: a filter or sort name is unknown.
    """
    return _agents(tx, listing.many(tx, caller, _resource(tx), query))


def update(
    tx: Transaction, caller: Caller, object_id: str, changes: Mapping[str, Any], *, if_revision: int | None = None
) -> Agent:
    """Enable or disable an agent, or describe it; agents have no revision.

    Raises:
        AgentNotFound: not for this caller.
        PolicyNotAuthorized: it may be seen, not changed.
    """
    del if_revision
    old = get(tx, caller, object_id)
    authorize(caller, "update_agent", Target(), changes)
    values = {name: changes[name] for name in _CHANGEABLE if name in changes}
    if values:
        tx.connection.execute(sql_update(AGENTS).where(AGENTS.c.id == old.id).values(values))
    return replace(old, **values)


def delete(tx: Transaction, caller: Caller, object_id: str, *, if_revision: int | None = None) -> None:
    """Forget an agent until it is heard of again.

    Raises:
        AgentNotFound: not for this caller.
        PolicyNotAuthorized: it may be seen, not removed.
    """
    del if_revision
    old = get(tx, caller, object_id)
    authorize(caller, "delete_agent", Target())
    tx.connection.execute(sql_delete(AGENTS).where(AGENTS.c.id == old.id))


def _resource(tx: Transaction) -> listing.Resource:
    """Return what lists agents at this instant: whether one is alive depends on it."""
    connected = and_(HOST_STATES.c.ovsdb_connected, HOST_STATES.c.openflow_connected)
    alive: ColumnElement[bool] = and_(
        func.coalesce(AGENTS.c.heartbeat_at, 0) >= literal(tx.timestamp - DOWN_AFTER_S),
        or_(AGENTS.c.agent_type != OVS_AGENT, func.coalesce(connected, False)),
    )
    rows = select(
        AGENTS,
        alive.label("alive"),
        HOSTS.c.availability_zone,
        HOSTS.c.id.label("host_id"),
        HOSTS.c.tunnel_ip,
        HOSTS.c.datapath_type,
        HOST_STATES.c.features,
    ).select_from(
        AGENTS.outerjoin(HOSTS, and_(HOSTS.c.name == AGENTS.c.host, AGENTS.c.agent_type == OVS_AGENT)).outerjoin(
            HOST_STATES, HOST_STATES.c.name == HOSTS.c.name
        )
    )
    return listing.Resource(
        rows=rows,
        table=AGENTS,
        columns={column.name: column for column in AGENTS.columns}
        | {"alive": alive, "availability_zone": HOSTS.c.availability_zone},
        not_found=AgentNotFound,
        rule="get_agent",
    )


def _agents(tx: Transaction, rows: Sequence[Row[Any]]) -> list[Agent]:
    bridges: dict[str, dict[str, str]] = {}
    of_hosts = PHYSNETS.c.host_id.in_([row.host_id for row in rows if row.host_id is not None])
    for one in tx.connection.execute(select(PHYSNETS).where(of_hosts).order_by(PHYSNETS.c.position)):
        bridges.setdefault(one.host_id, {})[one.name] = one.bridge
    return [_agent(row, bridges.get(row.host_id, {})) for row in rows]


def _agent(row: Row[Any], bridges: Mapping[str, str]) -> Agent:
    return Agent(
        id=row.id,
        agent_type=row.agent_type,
        binary=row.binary,
        host=row.host,
        admin_state_up=row.admin_state_up,
        description=row.description,
        alive=bool(row.alive),
        created_at=instant(row.created_at),
        started_at=instant(row.started_at),
        heartbeat_at=instant(row.created_at if row.heartbeat_at is None else row.heartbeat_at),
        availability_zone=row.availability_zone,
        configurations={} if row.host_id is None else _configurations(row, bridges),
    )


def _configurations(row: Row[Any], bridges: Mapping[str, str]) -> Mapping[str, object]:
    """Return what Neutron's Open vSwitch agent tells of itself, as far as a host has it."""
    features = {} if row.features is None else json.loads(row.features)
    return {
        "integration_bridge": _INTEGRATION_BRIDGE,
        "bridge_mappings": dict(bridges),
        "tunnel_types": list(_TUNNEL_TYPES) if row.tunnel_ip else [],
        "tunneling_ip": row.tunnel_ip,
        "datapath_type": row.datapath_type,
        "ovs_version": features.get("ovs_version"),
    }
