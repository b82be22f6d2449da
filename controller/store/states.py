"""What did the controller last see of ports and hosts? Written by the controller process only.

States are no intent: writing them bumps no revision and leaves no journal row. The one exception is ``bind_unbound``,
by which a plug becomes intent.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import bindparam, delete, func, select, update

from controller.errors import PortNotFound
from controller.records import HostName, HostState, PortEvent, PortId, PortState, PortStatus, Reason
from controller.store.agents import OVS_AGENT, beat
from controller.store.bindings import activate_binding, bind
from controller.store.dialects import insert_or_update
from controller.store.direct import Direct
from controller.store.loading import in_chunks, instant
from controller.store.schema import BINDINGS, HOST_STATES, HOSTS, PORT_EVENTS, PORT_STATES, PORTS
from controller.store.transaction import Transaction

EVENTS_KEPT = 50
"""Length of a port's timeline."""

_UPSERT_PORT_STATE = Direct(insert_or_update(PORT_STATES, conflict=(PORT_STATES.c.port_id,)))
_UPSERT_HOST_STATE = insert_or_update(HOST_STATES, conflict=(HOST_STATES.c.name,))
_SHOW_STATUS = Direct(update(PORTS).where(PORTS.c.id == bindparam("port_id")).values(status=bindparam("shown")))
_ADD_EVENT = Direct(PORT_EVENTS.insert(), columns=("port_id", "at", "status", "reason", "host", "detail"))
_EVENTS = select(func.count()).select_from(PORT_EVENTS).where(PORT_EVENTS.c.port_id == PORTS.c.id)
_BEFORE = (
    select(
        PORTS.c.id,
        PORTS.c.status.label("shown"),
        PORT_STATES.c.status,
        PORT_STATES.c.reason,
        PORT_STATES.c.host,
        PORT_STATES.c.detail,
        _EVENTS.scalar_subquery().label("events"),
    )
    .select_from(PORTS.outerjoin(PORT_STATES, PORT_STATES.c.port_id == PORTS.c.id))
    # Nobody sets another status between this look and what follows from it; nobody else can write SQLite meanwhile.
    .with_for_update(of=PORTS, key_share=True)
)
_BEFORE_ONE = Direct(_BEFORE.where(PORTS.c.id == bindparam("of_port")))
_BEFORE_AMONG = _BEFORE.where(PORTS.c.id.in_(bindparam("ids", expanding=True)))
_HOST_NAME = select(HOSTS.c.name).where(HOSTS.c.name == bindparam("of_host"))
_NEWER = select(PORT_EVENTS.c.id).where(PORT_EVENTS.c.port_id == bindparam("of_port"))
_PRUNE_EVENTS = delete(PORT_EVENTS).where(
    PORT_EVENTS.c.port_id == bindparam("of_port"),
    PORT_EVENTS.c.id <= _NEWER.order_by(PORT_EVENTS.c.id.desc()).limit(1).offset(EVENTS_KEPT).scalar_subquery(),
)


def save_port_states(tx: Transaction, states: Sequence[PortState]) -> None:
    """Store what was seen of ports; a change of status, reason or host becomes a line of the port's timeline.

    So does what is said otherwise of a wired port: it has another device, or the underlay has broken or healed.

    Ports deleted meanwhile are left out.
    """
    latest = {state.port_id: state for state in states}
    for chunk in in_chunks(list(latest)):
        _save_port_states(tx, {PortId(port_id): latest[PortId(port_id)] for port_id in chunk})


def _save_port_states(tx: Transaction, latest: Mapping[PortId, PortState]) -> None:
    before = {row.id: row for row in _before(tx, list(latest))}
    kept = [state for port_id, state in latest.items() if port_id in before]
    if not kept:
        return
    _UPSERT_PORT_STATE.run(
        tx.connection,
        [
            {
                "port_id": state.port_id,
                "status": state.status.value,
                "reason": state.reason.value,
                "host": state.host,
                "detail": state.detail,
                "link_state": state.link_state,
            }
            for state in kept
        ],
    )
    turned = [state for state in kept if before[state.port_id].shown != state.status.value]
    if turned:
        _SHOW_STATUS.run(tx.connection, [{"port_id": one.port_id, "shown": one.status.value} for one in turned])
    changed = [state for state in kept if not _has_headline(before[state.port_id], state)]
    if changed:
        _append_events(tx, changed)
    if too_long := [{"of_port": state.port_id} for state in changed if before[state.port_id].events >= EVENTS_KEPT]:
        tx.connection.execute(_PRUNE_EVENTS, too_long)


def _before(tx: Transaction, ids: Sequence[str]) -> Sequence[Any]:
    """Return what is known of ports, mostly of one; a port that is gone has no row, one never seen has no status."""
    if len(ids) == 1:
        return _BEFORE_ONE.rows(tx.connection, {"of_port": ids[0]})
    return tx.connection.execute(_BEFORE_AMONG, {"ids": ids}).all()


def load_port_state(tx: Transaction, port_id: str) -> PortState:
    """Return a port's state with its timeline, oldest line first; a port never seen is DOWN and UNBOUND.

    Raises:
        PortNotFound: there is no such port.
    """
    state = _load_rows(tx, [port_id]).get(PortId(port_id))
    if state is None:
        if tx.connection.execute(select(PORTS.c.id).where(PORTS.c.id == port_id)).first() is None:
            raise PortNotFound(port_id)
        return _never_seen(tx, port_id)
    rows = tx.connection.execute(select(PORT_EVENTS).where(PORT_EVENTS.c.port_id == port_id).order_by(PORT_EVENTS.c.id))
    timeline = tuple(
        PortEvent(
            at=instant(row.at),
            status=PortStatus(row.status),
            reason=Reason(row.reason),
            host=row.host,
            detail=row.detail,
        )
        for row in rows
    )
    return PortState(
        port_id=state.port_id,
        status=state.status,
        reason=state.reason,
        host=state.host,
        detail=state.detail,
        link_state=state.link_state,
        timeline=timeline,
    )


def load_port_statuses(tx: Transaction) -> dict[PortId, PortState]:
    """Return the state of every port that has one, without timelines."""
    return _load_rows(tx, None)


def save_host_state(tx: Transaction, state: HostState) -> None:
    """Store what was seen of a host; a host removed meanwhile is left out."""
    if tx.connection.execute(_HOST_NAME, {"of_host": state.name}).first() is None:
        return
    seen_at = state.seen_at or tx.now
    tx.connection.execute(
        tx.variant(_UPSERT_HOST_STATE),
        {
            "name": state.name,
            "ovsdb_connected": state.ovsdb_connected,
            "openflow_connected": state.openflow_connected,
            "programmed": state.programmed,
            "problem": state.problem,
            "features": json.dumps(dict(state.features)),
            "seen_at": int(seen_at.timestamp()),
        },
    )
    if state.ovsdb_connected and state.openflow_connected:
        beat(tx, OVS_AGENT, state.name)


def load_host_states(tx: Transaction) -> dict[HostName, HostState]:
    """Return the state of every host that has one."""
    return {
        HostName(row.name): HostState(
            name=HostName(row.name),
            ovsdb_connected=row.ovsdb_connected,
            openflow_connected=row.openflow_connected,
            programmed=row.programmed,
            problem=row.problem,
            features=json.loads(row.features),
            seen_at=None if row.seen_at is None else instant(row.seen_at),
        )
        for row in tx.connection.execute(select(HOST_STATES))
    }


def bind_unbound(tx: Transaction, port_id: str, host: HostName) -> bool:
    """Bind a port to the host it was first plugged on; say whether that was done.

    Not done when the port is gone or bound already, or the host is not registered; nor when the port waits for its
    addresses, which depend on its host: whoever knows the host says so.
    """
    registered = tx.connection.execute(select(HOSTS.c.datapath_type).where(HOSTS.c.name == host)).scalar()
    port = tx.connection.execute(
        select(PORTS.c.network_id, PORTS.c.vnic_type, PORTS.c.profile)
        .where(PORTS.c.id == port_id, PORTS.c.ip_allocation != "deferred")
        .with_for_update()
    ).first()
    if registered is None or port is None:
        return False
    bound = {
        row.host: row.active
        for row in tx.connection.execute(
            select(BINDINGS.c.host, BINDINGS.c.active).where(BINDINGS.c.port_id == port_id)
        )
    }
    if any(bound.values()):
        return False
    if host in bound:
        return activate_binding(tx, port_id, host)
    bind(
        tx,
        port_id,
        host=host,
        vnic_type=port.vnic_type,
        profile=json.loads(port.profile),
        datapath_type=registered,
    )
    tx.connection.execute(
        update(PORTS)
        .where(PORTS.c.id == port_id)
        .values(revision_number=PORTS.c.revision_number + 1, updated_at=tx.timestamp)
    )
    tx.journal("port", port_id, port.network_id)
    return True


def _append_events(tx: Transaction, states: Sequence[PortState]) -> None:
    events = [
        {
            "port_id": state.port_id,
            "at": tx.timestamp,
            "status": state.status.value,
            "reason": state.reason.value,
            "host": state.host,
            "detail": state.detail,
        }
        for state in states
    ]
    _ADD_EVENT.run(tx.connection, events)


def _has_headline(row: Any, state: PortState) -> bool:
    """Whether the line that would be written of a state is the one that its port has already, if it was ever seen."""
    if (row.status, row.reason, row.host) != (state.status, state.reason, state.host):
        return False
    return state.reason is not Reason.WIRED or bool(row.detail == state.detail)


def _load_rows(tx: Transaction, port_ids: Sequence[str] | None) -> dict[PortId, PortState]:
    statement = select(PORT_STATES)
    if port_ids is not None:
        statement = statement.where(PORT_STATES.c.port_id.in_(port_ids))
    return {
        PortId(row.port_id): PortState(
            port_id=PortId(row.port_id),
            status=PortStatus(row.status),
            reason=Reason(row.reason),
            host=row.host,
            detail=row.detail,
            link_state=row.link_state,
        )
        for row in tx.connection.execute(statement)
    }


def _never_seen(tx: Transaction, port_id: str) -> PortState:
    statement = (
        select(BINDINGS.c.host, HOSTS.c.id)
        .select_from(BINDINGS.outerjoin(HOSTS, HOSTS.c.name == BINDINGS.c.host))
        .where(BINDINGS.c.port_id == port_id, BINDINGS.c.active)
    )
    bound = tx.connection.execute(statement).first()
    if bound is None:
        reason, detail = Reason.UNBOUND, "the port is bound to no host: set binding:host_id or plug it"
    elif bound.id is None:
        reason, detail = Reason.HOST_NOT_REGISTERED, f"Host {bound.host} is not registered."
    else:
        reason, detail = Reason.PROGRAMMING, "The controller has not looked at the port yet."
    return PortState(
        port_id=PortId(port_id),
        status=PortStatus.DOWN,
        reason=reason,
        host=None if bound is None else bound.host,
        detail=detail,
        link_state=None,
    )
