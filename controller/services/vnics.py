"""What can a caller do with vNICs: make one, plug it into a port of a network, take it out?

A port with a vNIC in it has the vNIC's machine as its ``device_id``, so that clients of Neutron see an attached port;
what they do to the port is followed by ``controller.services.attachments``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Row, insert, select
from sqlalchemy import delete as sql_delete
from sqlalchemy import update as sql_update

from controller.caller import Caller
from controller.errors import BadRequest, InvalidInput, PolicyNotAuthorized
from controller.records import Port
from controller.services import listing, networks, ports, tags, visibility
from controller.services.query import Query
from controller.services.rules import authorize, check_owner, check_revision, each
from controller.store.loading import ports_of
from controller.store.schema import PORTS
from controller.store.transaction import Transaction
from controller.store.vnics import SELECT_VNICS, Vnic, enter_port, vnic_of
from controller.store.vnics_schema import IS_FREE, VNICS
from controller.vnic_errors import NoPortAvailable, PortInUse, VnicInUse, VnicNotFound, VnicNotPlugged

_PLAIN_CHANGES = ("name", "description", "owner", "device_owner")

RESOURCE = listing.Resource(
    rows=SELECT_VNICS,
    table=VNICS,
    columns={column.name: column for column in VNICS.columns} | {"network_id": PORTS.c.network_id},
    not_found=VnicNotFound,
    rule="get_vnic",
    facts=visibility.of_owned(VNICS),
    conditions=tags.conditions(VNICS),
)


def create(tx: Transaction, caller: Caller, wanted: Mapping[str, Any]) -> Vnic:
    """Make a vNIC, plugged into nothing.

    Raises:
        PolicyNotAuthorized
        InvalidInput: it would be the network's own.
    """
    check_owner(caller, wanted["project_id"], "create_vnic:project_id")
    _check_device_owner(wanted)
    row = {
        "id": tx.new_id(),
        "project_id": wanted["project_id"],
        "mac_address": wanted["mac_address"],
        "port_id": None,
        "port_mac": None,
        "created_at": tx.timestamp,
        "updated_at": tx.timestamp,
        "revision_number": 0,
    }
    tx.connection.execute(insert(VNICS), row | {name: wanted[name] for name in _PLAIN_CHANGES})
    return _load(tx, str(row["id"]))


def create_many(tx: Transaction, caller: Caller, wanted: Sequence[Mapping[str, Any]]) -> list[Vnic]:
    """Make all vNICs or none; ``create`` says what may be raised."""
    return each(create, tx, caller, wanted)


def get(tx: Transaction, caller: Caller, object_id: str) -> Vnic:
    """Return one vNIC.

    Raises:
        VnicNotFound: not for this caller.
    """
    return vnic_of(listing.one(tx, caller, RESOURCE, object_id))


def find(tx: Transaction, caller: Caller, query: Query) -> list[Vnic]:
    """Return the vNICs a query asks for, with one statement.

    Raises:
        VnicNotFound: the marker is no vNIC of this caller.
        InvalidInput: a filter or sort name is unknown.
    """
    return [vnic_of(row) for row in listing.many(tx, caller, RESOURCE, query)]


def update(
    tx: Transaction, caller: Caller, object_id: str, changes: Mapping[str, Any], *, if_revision: int | None = None
) -> Vnic:
    """Change a vNIC; its machine is its port's device, so the port follows. Its MAC address only while unplugged.

    Raises:
        VnicNotFound, RevisionNumberConstraintFailed, PolicyNotAuthorized, InvalidInput
        VnicInUse: its address would change under its port.
    """
    old = _held(tx, caller, object_id, "update_vnic")
    check_revision(if_revision, old.revision_number)
    _check_device_owner(changes)
    values = {name: changes[name] for name in _PLAIN_CHANGES if name in changes}
    own_mac = changes.get("mac_address", old.own_mac)
    new = replace(old, own_mac=own_mac, **values)
    if new == old:
        return old
    if old.port_id is not None and own_mac != old.own_mac:
        raise VnicInUse(old.id, old.port_id)
    if old.port_id is not None and (new.device_id, new.device_owner) != (old.device_id, old.device_owner):
        _store_device(tx, old.port_id, new)
    values |= {"mac_address": own_mac, "updated_at": tx.timestamp, "revision_number": old.revision_number + 1}
    tx.connection.execute(sql_update(VNICS).where(VNICS.c.id == old.id).values(values))
    return _load(tx, old.id)


def delete(tx: Transaction, caller: Caller, object_id: str, *, if_revision: int | None = None) -> None:
    """Delete a vNIC.

    Raises:
        VnicNotFound, RevisionNumberConstraintFailed, PolicyNotAuthorized
        VnicInUse: it is plugged in.
    """
    vnic = _held(tx, caller, object_id, "delete_vnic")
    check_revision(if_revision, vnic.revision_number)
    if vnic.port_id is not None:
        raise VnicInUse(vnic.id, vnic.port_id)
    tx.connection.execute(sql_delete(VNICS).where(VNICS.c.id == vnic.id))


def plug(tx: Transaction, caller: Caller, object_id: str, where: Mapping[str, Any]) -> Vnic:
    """Plug a vNIC into a port: the one named, or the first available one of a network.

    The port must be of the vNIC's project. A vNIC with a MAC address of its own gives it to the port.

    Raises:
        VnicNotFound, PortNotFound, NetworkNotFound, PolicyNotAuthorized, MacAddressInUse
        BadRequest: neither a port nor a network is named, or both are.
        VnicInUse: it is plugged in already.
        PortInUse: the port has an attached device.
        NoPortAvailable: every port of the network has.
    """
    if (where.get("port_id") is None) == (where.get("network_id") is None):
        raise BadRequest("vnics", "either port_id or network_id must be specified")
    vnic = _held(tx, caller, object_id, "plug_vnic")
    if vnic.port_id is not None:
        raise VnicInUse(vnic.id, vnic.port_id)
    port = _named(tx, caller, vnic, where) if where.get("port_id") is not None else _available(tx, caller, vnic, where)
    if port.device_id or port.vnic_id is not None:
        raise PortInUse(port.id, port.network_id, port.device_id)
    changes: dict[str, Any] = {"device_id": vnic.device_id, "device_owner": vnic.device_owner}
    if vnic.own_mac is not None:
        authorize(caller, "plug_vnic:mac_address", lambda: ports.target_of(tx, caller, port, {}))
        changes["mac_address"] = vnic.own_mac
    ports.update(tx, caller, port.id, changes)
    enter_port(tx, vnic.id, port.id, port.network_id, port_mac=port.mac_address)
    return _load(tx, vnic.id)


def unplug(tx: Transaction, caller: Caller, object_id: str) -> Vnic:
    """Take a vNIC out of its port, which is available then, on no host, and has the address it had before.

    The next vNIC's machine may be on another host; its device binds the port there.

    Raises:
        VnicNotFound, PolicyNotAuthorized
        VnicNotPlugged: it is in none.
    """
    vnic = _held(tx, caller, object_id, "unplug_vnic")
    if vnic.port_id is None:
        raise VnicNotPlugged(vnic.id)
    ports.update(tx, caller, vnic.port_id, {"device_id": "", "device_owner": "", "host": ""})
    return _load(tx, vnic.id)


def _check_device_owner(values: Mapping[str, Any]) -> None:
    """Refuse what only the network's own ports are: flows trust them, and a vNIC gives its kind to its port."""
    device_owner = str(values.get("device_owner", ""))
    if device_owner.startswith("network:"):
        raise InvalidInput(f"'{device_owner}' is for the network's own ports, which have no vNIC")


def _named(tx: Transaction, caller: Caller, vnic: Vnic, where: Mapping[str, Any]) -> Port:
    row = listing.one(tx, caller, ports.RESOURCE, where["port_id"], lock=True)
    port = ports_of(tx.connection, [row])[0]
    if port.project_id != vnic.project_id:
        raise PolicyNotAuthorized("plug_vnic:port_id")
    return port


def _available(tx: Transaction, caller: Caller, vnic: Vnic, where: Mapping[str, Any]) -> Port:
    """Return the first port of a network that nothing is attached to; others who look at once get the next ones."""
    network = listing.one(tx, caller, networks.RESOURCE, where["network_id"])
    free = (
        select(PORTS.c.id)
        .where(PORTS.c.network_id == network.id, IS_FREE, PORTS.c.project_id == vnic.project_id)
        .where(PORTS.c.device_owner == "")
        .order_by(PORTS.c.key)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    port_id = tx.connection.execute(free).scalar()
    if port_id is None:
        raise NoPortAvailable(network.id)
    return ports.get(tx, caller, port_id)


def _store_device(tx: Transaction, port_id: str, vnic: Vnic) -> None:
    """Make a vNIC's machine the device of the port it is in."""
    port = ports_of(tx.connection, tx.connection.execute(ports.RESOURCE.rows.where(PORTS.c.id == port_id)).all())[0]
    values = {"device_id": vnic.device_id, "device_owner": vnic.device_owner}
    tx.connection.execute(sql_update(PORTS).where(PORTS.c.id == port_id).values(values))
    ports.touch(tx, port)


def _held(tx: Transaction, caller: Caller, object_id: str, rule: str) -> Vnic:
    """Return a vNIC the caller may change, kept from others until the transaction ends."""
    vnic = vnic_of(listing.one(tx, caller, RESOURCE, object_id, lock=True))
    check_owner(caller, vnic.project_id, rule)
    return vnic


def _load(tx: Transaction, vnic_id: str) -> Vnic:
    row: Row[Any] = tx.connection.execute(SELECT_VNICS.where(VNICS.c.id == vnic_id)).one()
    return vnic_of(row)
