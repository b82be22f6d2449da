"""What becomes of a plugged vNIC when its port changes?

A port's ``device_id`` and the vNIC in it are two views of one fact. Emptying ``device_id`` unplugs the vNIC; another
device cannot take the port before. A vNIC with a MAC address of its own gives it to the port, which gets its former
address back when the vNIC leaves, or a new one if another port has that by then.
"""

from dataclasses import replace

from sqlalchemy import select

from controller.records import Port
from controller.store.schema import PORTS
from controller.store.transaction import Transaction
from controller.store.vnics import leave_port, vnic_in
from controller.vnic_errors import PortHasVnicMac, PortInUse


def of_changed_port(tx: Transaction, old: Port, new: Port, *, new_mac: str) -> Port:
    """Return a port with what its change means for the vNIC in it.

    Args:
        tx: The transaction.
        old: The port as it is stored, with a vNIC in it.
        new: The port as it is asked for.
        new_mac: An address for the port should its own be taken.

    Raises:
        PortInUse: It would be another device's.
        PortHasVnicMac: It would have another address than its vNIC.
    """
    vnic = vnic_in(tx, old.id)
    if vnic is None:
        return replace(new, vnic_id=None)
    if not new.device_id:
        leave_port(tx, old.id)
        if vnic.own_mac is not None and new.mac_address == old.mac_address:
            new = replace(new, mac_address=_former_mac(tx, old, vnic.port_mac, new_mac))
        return replace(new, vnic_id=None)
    if new.device_id != old.device_id:
        raise PortInUse(old.id, old.network_id, old.device_id)
    if vnic.own_mac is not None and new.mac_address != vnic.own_mac:
        raise PortHasVnicMac(old.id, vnic.vnic_id, vnic.own_mac)
    return new


def _former_mac(tx: Transaction, port: Port, former: str | None, new_mac: str) -> str:
    if former is None or former == port.mac_address:
        return port.mac_address
    holder = select(PORTS.c.key).where(PORTS.c.network_id == port.network_id, PORTS.c.mac_address == former)
    return former if tx.connection.execute(holder).first() is None else new_mac
