"""Which vNIC is plugged into which port? The link is the vNIC's row; a port knows by looking there."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, bindparam, select, update
from sqlalchemy.exc import IntegrityError

from controller.store.loading import instant
from controller.store.schema import PORTS
from controller.store.transaction import Transaction
from controller.store.vnics_schema import VNICS
from controller.vnic_errors import PortInUse

SELECT_VNICS = select(
    VNICS, PORTS.c.network_id, PORTS.c.mac_address.label("port_mac_address"), PORTS.c.status
).select_from(VNICS.outerjoin(PORTS, PORTS.c.id == VNICS.c.port_id))

_LEAVE = (
    update(VNICS)
    .where(VNICS.c.port_id == bindparam("left_port"))
    .values(port_id=None, port_mac=None, updated_at=bindparam("at"), revision_number=VNICS.c.revision_number + 1)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Vnic:
    """A virtual network interface card: what a machine has, plugged into at most one port."""

    id: str
    project_id: str
    name: str
    description: str
    own_mac: str | None
    """The address it brings along; None: it takes its port's."""
    owner: str
    """The machine it belongs to, or nothing."""
    device_owner: str
    """What kind of thing that is."""
    port_id: str | None
    network_id: str | None
    """The port's."""
    port_mac: str | None
    """The port's address now."""
    status: str
    """The port's; DOWN while it is in none."""
    created_at: datetime
    updated_at: datetime
    revision_number: int

    @property
    def mac_address(self) -> str | None:
        """The address a machine must give its device: its own, or the port's; None while it has neither."""
        return self.own_mac or self.port_mac

    @property
    def device_id(self) -> str:
        """What the port's ``device_id`` is while it is plugged in; never empty, or the port would seem free."""
        return self.owner or self.id


@dataclass(frozen=True, slots=True, kw_only=True)
class Plugged:
    """The vNIC in a port, as far as the port is concerned."""

    vnic_id: str
    own_mac: str | None
    port_mac: str | None
    """The port's own address, to which it goes back."""


def vnic_of(row: Row[Any]) -> Vnic:
    """Turn a row of ``SELECT_VNICS`` into a record."""
    return Vnic(
        id=row.id,
        project_id=row.project_id,
        name=row.name,
        description=row.description,
        own_mac=row.mac_address,
        owner=row.owner,
        device_owner=row.device_owner,
        port_id=row.port_id,
        network_id=row.network_id,
        port_mac=row.port_mac_address,
        status=row.status or "DOWN",
        created_at=instant(row.created_at),
        updated_at=instant(row.updated_at),
        revision_number=row.revision_number,
    )


def enter_port(tx: Transaction, vnic_id: str, port_id: str, network_id: str, *, port_mac: str) -> None:
    """Store that a vNIC is in a port, whose own address is kept for when it leaves.

    Raises:
        PortInUse: another one has just been plugged in.
    """
    statement = update(VNICS).where(VNICS.c.id == vnic_id)
    values: dict[Any, Any] = {
        "port_id": port_id,
        "port_mac": port_mac,
        "updated_at": tx.timestamp,
        "revision_number": VNICS.c.revision_number + 1,
    }
    try:
        tx.connection.execute(statement.values(values))
    except IntegrityError as error:
        raise PortInUse(port_id, network_id, "that was plugged in at the same time") from error


def leave_port(tx: Transaction, port_id: str) -> None:
    """Store that no vNIC is in a port."""
    tx.connection.execute(_LEAVE, {"left_port": port_id, "at": tx.timestamp})


def vnic_in(tx: Transaction, port_id: str) -> Plugged | None:
    """Return which vNIC is in a port."""
    row = tx.connection.execute(
        select(VNICS.c.id, VNICS.c.mac_address, VNICS.c.port_mac).where(VNICS.c.port_id == port_id)
    ).first()
    return None if row is None else Plugged(vnic_id=row.id, own_mac=row.mac_address, port_mac=row.port_mac)
