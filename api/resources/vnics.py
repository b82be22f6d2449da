"""What is a vNIC on the wire? Weft's own resource (extension ``weft-vnic``)."""

from collections.abc import Mapping
from operator import attrgetter
from typing import Any

from api.attributes import Action, Argument, Attribute, Resource, Service, by, itself, mac, optional
from api.common import TAG_FILTERS, bookkeeping, identity
from api.schema import MAC, TEXT, UUID, or_null
from api.validators import Refused, described, mac_address, nullable, shown, text, uuid
from controller.caller import Caller
from controller.services import vnics
from controller.store.database import Transaction
from controller.store.vnics import Vnic

DEVICE_OWNER = "compute:weft"
"""Kind of the machine when nobody says it; ports of compute may migrate (extension binding-extended)."""


def _record(vnic: Vnic) -> Vnic:
    return vnic


@described(MAC)
def _unicast(value: object) -> object:
    """Return a MAC address a card can have: not a group's (IEEE 802-2014 section 8.2)."""
    found = mac_address(value)
    if int(str(found)[:2], 16) & 1:
        raise Refused(f"'{shown(value)}' is a multicast address")
    return found


def _plug(tx: Transaction, caller: Caller, object_id: str, values: Mapping[str, Any]) -> Vnic:
    return vnics.plug(tx, caller, object_id, values)


def _unplug(tx: Transaction, caller: Caller, object_id: str, _values: Mapping[str, Any]) -> Vnic:
    return vnics.unplug(tx, caller, object_id)


VNIC: Resource[Vnic, Vnic] = Resource(
    collection="vnics",
    member="vnic",
    doc="A virtual network interface card of a machine, plugged into at most one port.",
    service=Service(
        create=vnics.create,
        create_many=vnics.create_many,
        get=vnics.get,
        find=vnics.find,
        update=vnics.update,
        delete=vnics.delete,
    ),
    look=itself,
    identify=attrgetter("id"),
    extra_filters=TAG_FILTERS,
    tagged=vnics.RESOURCE,
    actions=(
        Action(
            name="plug",
            doc="Plugs the vNIC into a port of its project, or into the first available one of a network.",
            arguments=(
                Argument(name="port_id", doc="The port; or", parse=nullable(uuid), required=False),
                Argument(name="network_id", doc="the network.", parse=nullable(uuid), required=False),
            ),
            perform=_plug,
        ),
        Action(
            name="unplug",
            doc="Takes the vNIC out of its port, which is available then and has its former MAC address.",
            arguments=(),
            perform=_unplug,
        ),
    ),
    attributes=(
        *identity(_record),
        Attribute(
            name="mac_address",
            doc="The address it gives its port; null, it takes the port's, which is shown while it is plugged in.",
            show=attrgetter("mac_address"),
            shows=or_null(MAC),
            key="mac_address",
            parse=nullable(_unicast),
            default=None,
            post=True,
            put=True,
            filter=by("mac_address", mac),
            sort="mac_address",
        ),
        *(
            Attribute(
                name=name,
                doc=doc,
                show=attrgetter(name),
                key=name,
                parse=text(),
                default=default,
                post=True,
                put=True,
                filter=by(name),
                sort=name,
            )
            for name, default, doc in (
                (
                    "owner",
                    "",
                    "The machine: its port's device_id; left empty, the vNIC's own id is.",
                ),
                ("device_owner", DEVICE_OWNER, "What kind of thing that is: its port's device_owner."),
            )
        ),
        Attribute(
            name="port_id",
            doc="The port it is plugged into; null, none. A device with this iface-id is the vNIC's.",
            show=attrgetter("port_id"),
            shows=or_null(UUID),
            filter=by("port_id", optional),
            sort="port_id",
        ),
        Attribute(
            name="network_id",
            doc="The network of the port.",
            show=attrgetter("network_id"),
            shows=or_null(UUID),
            filter=by("network_id", optional),
            sort="network_id",
        ),
        Attribute(
            name="status",
            doc="The port's status; DOWN while it is plugged into none.",
            show=attrgetter("status"),
            shows=TEXT,
        ),
        *bookkeeping(_record),
    ),
)
