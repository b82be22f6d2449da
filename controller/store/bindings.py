"""Which OpenFlow port number does a port get on its host?

Each host has a cursor that goes round 32768..65199, so that a number just given back is the last one given out again.
"""

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import bindparam, case, delete, select

from controller.errors import OfPortExhausted
from controller.records import Binding, HostName, OfPort
from controller.store.dialects import insert_or_ignore, insert_or_update
from controller.store.schema import BINDINGS, OFPORT_CURSORS
from controller.store.transaction import Transaction

FIRST_OFPORT = 32_768
LAST_OFPORT = 65_199
"""Numbers Weft may request for ports; above are those of tunnels, and OVS assigns below by itself
(ovs-vswitchd.conf.db(5) Interface:ofport_request)."""
SCANNED_AT_ONCE = 512

_ADVANCE = insert_or_update(
    OFPORT_CURSORS,
    conflict=(OFPORT_CURSORS.c.host,),
    update={"last": case((OFPORT_CURSORS.c.last >= LAST_OFPORT, FIRST_OFPORT), else_=OFPORT_CURSORS.c.last + 1)},
    returning=(OFPORT_CURSORS.c.last,),
)
_SET_CURSOR = insert_or_update(OFPORT_CURSORS, conflict=(OFPORT_CURSORS.c.host,))
_BIND = insert_or_ignore(BINDINGS, conflict=(BINDINGS.c.host, BINDINGS.c.ofport), returning=(BINDINGS.c.ofport,))
_USED = (
    select(BINDINGS.c.ofport)
    .where(
        BINDINGS.c.host == bindparam("on_host"), BINDINGS.c.ofport.between(bindparam("lowest"), bindparam("highest"))
    )
    .order_by(BINDINGS.c.ofport)
)


def bind(
    tx: Transaction,
    port_id: str,
    *,
    host: str,
    vnic_type: str,
    profile: Mapping[str, Any],
    datapath_type: str | None,
) -> Binding:
    """Bind a port to a host with a number of its own; ``datapath_type`` is the host's, None when not registered.

    Raises:
        OfPortExhausted: 32,512 ports are bound to the host.
    """
    row = {
        "port_id": port_id,
        "host": host,
        "vnic_type": vnic_type,
        "profile": json.dumps(profile),
        "active": True,
    }
    ofport = tx.connection.execute(tx.variant(_ADVANCE), {"host": host, "last": FIRST_OFPORT}).scalar_one()
    while tx.connection.execute(tx.variant(_BIND), row | {"ofport": ofport}).first() is None:
        ofport = _next_free(tx, host, ofport)
        tx.connection.execute(tx.variant(_SET_CURSOR), {"host": host, "last": ofport})
    return Binding(
        host=HostName(host),
        vnic_type=vnic_type,
        profile=profile,
        active=True,
        ofport=OfPort(ofport),
        host_registered=datapath_type is not None,
        datapath_type=datapath_type,
    )


def unbind(tx: Transaction, port_id: str, host: str) -> None:
    """Remove a port's binding to a host."""
    tx.connection.execute(delete(BINDINGS).where(BINDINGS.c.port_id == port_id, BINDINGS.c.host == host))


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
