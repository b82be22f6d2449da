"""What does the API say about addresses that somebody uses without having them?

Weft's own, extension weft-address-conflicts.
"""

from collections.abc import Callable
from operator import attrgetter

from api.attributes import Attribute, Resource, Service, by, itself, wire_time
from api.schema import TEXT, TIME, UUID, Schema, or_null
from controller.services import address_conflicts
from controller.sighting_records import AddressConflict, How

_KINDS: Schema = {
    "enum": [address_conflicts.CONFLICT, address_conflicts.GATEWAY, address_conflicts.OUTSIDE],
    "type": "string",
}
_HOWS: Schema = {"enum": [str(how) for how in How], "type": "string"}


def _time(name: str) -> Callable[[AddressConflict], object]:
    return lambda conflict: wire_time(getattr(conflict, name))


def _filtered(name: str, doc: str, shows: Schema, *, of: str | None = None) -> Attribute[AddressConflict]:
    return Attribute(
        name=name, doc=doc, show=attrgetter(of or name), filter=by(of or name), sort=of or name, shows=shows
    )


ADDRESS_CONFLICT: Resource[AddressConflict, AddressConflict] = Resource(
    collection="address_conflicts",
    member="address_conflict",
    doc="An address of a subnet that somebody who is no port with it was seen to use.",
    service=Service(get=address_conflicts.get, find=address_conflicts.find, delete=address_conflicts.delete),
    look=itself,
    identify=attrgetter("id"),
    attributes=(
        _filtered("id", "Identifier, chosen by the server.", UUID),
        _filtered("project_id", "The network's owner.", TEXT),
        _filtered("tenant_id", "The older name of project_id.", TEXT, of="project_id"),
        _filtered("network_id", "Where it was seen.", UUID),
        _filtered("subnet_id", "The subnet of the address.", UUID),
        _filtered("ip_address", "The address.", TEXT),
        _filtered("mac_address", "Who uses it.", TEXT),
        Attribute(
            name="kind",
            doc="conflict: a port has the address, with another MAC address; gateway: it is the subnet's gateway; "
            "outside: no port has it. It is not given out unless it is asked for by name.",
            show=attrgetter("kind"),
            shows=_KINDS,
        ),
        Attribute(
            name="how",
            doc="used: it said so by ARP or neighbour discovery; probed: it asked whether the address is free.",
            show=attrgetter("how"),
            shows=_HOWS,
        ),
        Attribute(name="host", doc="The host that saw it last.", show=attrgetter("host"), shows=TEXT),
        Attribute(
            name="behind_port_id",
            doc="The port without port security it is behind; null: it is on the physical network.",
            show=attrgetter("behind_port_id"),
            filter=by("behind_port_id"),
            shows=or_null(UUID),
        ),
        Attribute(
            name="port_id",
            doc="The port that has the address, or null.",
            show=attrgetter("port_id"),
            filter=by("port_id"),
            shows=or_null(UUID),
        ),
        Attribute(
            name="port_mac_address",
            doc="That port's MAC address.",
            show=attrgetter("port_mac_address"),
            shows=or_null(TEXT),
        ),
        *(
            Attribute(name=name, doc=doc, show=_time(name), sort=name, shows=TIME)
            for name, doc in (
                ("first_seen", "When it was first seen."),
                ("last_seen", "When it was last written down that it was seen; not each time."),
            )
        ),
    ),
)
