"""Which OpenFlow port number does a port get on its host?

Each host has a cursor that goes round 32768..65199, so that a number just given back is the last one given out again.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, case, delete, exists, not_, select, update

from controller.errors import OfPortExhausted
from controller.records import Binding, HostName, OfPort
from controller.store.dialects import insert_or_ignore, insert_or_update
from controller.store.direct import Direct
from controller.store.schema import BINDINGS, OFPORT_CURSORS, PORTS
from controller.store.transaction import Transaction

FIRST_OFPORT = 32_768
LAST_OFPORT = 65_199
"""Numbers Weft may request for ports; above are those of tunnels, and OVS assigns below by itself
(ovs-vswitchd.conf.db(5) Interface:ofport_request)."""
OFPORTS = LAST_OFPORT - FIRST_OFPORT + 1
SCANNED_AT_ONCE = 512

_NEXT = OFPORT_CURSORS.c.last + bindparam("count")
_ADVANCE = Direct(
    insert_or_update(
        OFPORT_CURSORS,
        conflict=(OFPORT_CURSORS.c.host,),
        update={"last": case((_NEXT > LAST_OFPORT, _NEXT - OFPORTS), else_=_NEXT)},
        returning=(OFPORT_CURSORS.c.last,),
    ),
    columns=("host", "last"),
)
_SET_CURSOR = insert_or_update(OFPORT_CURSORS, conflict=(OFPORT_CURSORS.c.host,))
_BIND = Direct(
    insert_or_ignore(BINDINGS, conflict=(BINDINGS.c.host, BINDINGS.c.ofport), returning=(BINDINGS.c.port_id,)),
    columns=("port_id", "host", "vnic_type", "profile", "active", "ofport"),
)
_USED = (
    select(BINDINGS.c.ofport)
    .where(
        BINDINGS.c.host == bindparam("on_host"), BINDINGS.c.ofport.between(bindparam("lowest"), bindparam("highest"))
    )
    .order_by(BINDINGS.c.ofport)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unbound:
    """What a port brings to its binding."""

    port_id: str
    vnic_type: str
    profile: Mapping[str, Any]


def bind(
    tx: Transaction,
    port_id: str,
    *,
    host: str,
    vnic_type: str,
    profile: Mapping[str, Any],
    datapath_type: str | None,
    active: bool = True,
) -> Binding:
    """Bind a port to a host with a number of its own; ``datapath_type`` is as in the record.

    Raises:
        OfPortExhausted: 32,432 ports are bound to the host.
    """
    port = Unbound(port_id=port_id, vnic_type=vnic_type, profile=profile)
    return bind_all(tx, [port], host=host, datapath_type=datapath_type, active=active)[port_id]


def bind_all(
    tx: Transaction, ports: Sequence[Unbound], *, host: str, datapath_type: str | None, active: bool = True
) -> Mapping[str, Binding]:
    """Bind ports to one host as ``bind`` does, with two statements; return the bindings by port id.

    Raises:
        OfPortExhausted: 32,432 ports are bound to the host.
    """
    count = len(ports)
    if count > OFPORTS:
        raise OfPortExhausted(host)
    advanced = {"host": host, "last": FIRST_OFPORT + count - 1, "count": count}
    last = _ADVANCE.first(tx.connection, advanced).last
    rows: list[dict[str, Any]] = [
        {
            "port_id": port.port_id,
            "host": host,
            "vnic_type": port.vnic_type,
            "profile": json.dumps(port.profile),
            "active": active,
            "ofport": number if number >= FIRST_OFPORT else number + OFPORTS,
        }
        for number, port in enumerate(ports, start=last - count + 1)
    ]
    bound = {row.port_id for row in _BIND.rows_of_each(tx.connection, rows)}
    for row in rows:
        while row["port_id"] not in bound:
            row["ofport"] = last = _next_free(tx, host, last)
            tx.connection.execute(tx.variant(_SET_CURSOR), {"host": host, "last": last})
            bound.update(one.port_id for one in _BIND.rows(tx.connection, row))
    return {
        port.port_id: Binding(
            host=HostName(host),
            vnic_type=port.vnic_type,
            profile=port.profile,
            active=active,
            ofport=OfPort(row["ofport"]),
            datapath_type=datapath_type,
        )
        for port, row in zip(ports, rows, strict=True)
    }


def change_binding(tx: Transaction, port_id: str, binding: Binding) -> None:
    """Store what compute tells a binding."""
    tx.connection.execute(
        update(BINDINGS)
        .where(BINDINGS.c.port_id == port_id, BINDINGS.c.host == binding.host)
        .values(vnic_type=binding.vnic_type, profile=json.dumps(binding.profile))
    )


def unbind(tx: Transaction, port_id: str, host: str) -> None:
    """Remove a port's binding to a host."""
    tx.connection.execute(delete(BINDINGS).where(BINDINGS.c.port_id == port_id, BINDINGS.c.host == host))


def unbind_all(tx: Transaction, port_id: str, *, but: str | None = None) -> None:
    """Remove a port's bindings to every host, or to every other one."""
    tx.connection.execute(delete(BINDINGS).where(BINDINGS.c.port_id == port_id, BINDINGS.c.host != (but or "")))


def activate_binding(tx: Transaction, port_id: str, host: str) -> bool:
    """Make a port's second binding the active one and the active one the second; say whether that was done.

    It was not when the port has no inactive binding to the host: deleted, moved or activated meanwhile. The port has to
    be proved ACTIVE on its new host anew. Whoever calls holds nothing: API and controller may both do this at once.
    """
    row = tx.connection.execute(
        select(PORTS.c.network_id)
        .where(
            PORTS.c.id == port_id,
            exists().where(BINDINGS.c.port_id == port_id, BINDINGS.c.host == host, not_(BINDINGS.c.active)),
        )
        .with_for_update(of=PORTS)
    ).first()
    if row is None:
        return False
    # Neither may there be two active ones at any instant nor two inactive ones, so both leave and come back.
    swapped = tx.connection.execute(select(BINDINGS).where(BINDINGS.c.port_id == port_id)).all()
    tx.connection.execute(delete(BINDINGS).where(BINDINGS.c.port_id == port_id))
    rows = [dict(one._mapping) | {"active": one.host == host} for one in swapped]  # noqa: SLF001  (SQLAlchemy's public name)
    tx.connection.execute(BINDINGS.insert(), rows)
    now_active = next(one for one in swapped if one.host == host)
    tx.connection.execute(
        update(PORTS)
        .where(PORTS.c.id == port_id)
        .values(
            status="DOWN",
            vnic_type=now_active.vnic_type,
            profile=now_active.profile,
            revision_number=PORTS.c.revision_number + 1,
            updated_at=tx.timestamp,
        )
    )
    tx.journal("port", port_id, row.network_id)
    return True


def _next_free(tx: Transaction, host: str, taken: int) -> int:
    """Return the first free number after a taken one, once round, reading a window of numbers at a time."""
    size = LAST_OFPORT - FIRST_OFPORT + 1
    start = taken + 1
    for _ in range(0, size + SCANNED_AT_ONCE, SCANNED_AT_ONCE):
        if start > LAST_OFPORT:
            start = FIRST_OFPORT
        end = min(start + SCANNED_AT_ONCE - 1, LAST_OFPORT)
        used = set(tx.connection.scalars(_USED, {"on_host": host, "lowest": start, "highest": end}))
        free = next((number for number in range(start, end + 1) if number not in used), None)
        if free is not None:
            return free
        start = end + 1
    raise OfPortExhausted(host)
