"""What is a reservation of an address on the wire? Weft's own resource (extension ``weft-ipam``)."""

from datetime import UTC, datetime
from operator import attrgetter

from api.attributes import Attribute, Default, Resource, Service, by, ip, itself, wire_time
from api.common import bookkeeping, identity
from api.schema import TIME, UUID, or_null
from api.validators import Refused, described, ip_address, nullable, shown, uuid
from controller.ipam_records import IpReservation
from controller.services import ip_reservations


def time_of(value: object) -> datetime:
    """Return the time somebody wrote; without an offset it is UTC.

    Raises:
        Refused: it is none.
    """
    try:
        found = datetime.fromisoformat(str(value)) if isinstance(value, str) else None
        if found is not None:
            return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise Refused(f"'{shown(value)}' is no time, write for example 2026-11-21T06:35:57Z")


@described(TIME)
def moment(value: object) -> object:
    """Return a time."""
    return time_of(value)


def _record(reservation: IpReservation) -> IpReservation:
    return reservation


IP_RESERVATION: Resource[IpReservation, IpReservation] = Resource(
    collection="ip_reservations",
    member="ip_reservation",
    doc="An address of a subnet that is kept, under a name, for ports of a project that ask for it.",
    service=Service(
        create=ip_reservations.create,
        create_many=ip_reservations.create_many,
        get=ip_reservations.get,
        find=ip_reservations.find,
        update=ip_reservations.update,
        delete=ip_reservations.delete,
    ),
    look=itself,
    identify=attrgetter("id"),
    attributes=(
        *identity(_record),
        Attribute(
            name="subnet_id",
            doc="The subnet.",
            show=attrgetter("subnet_id"),
            key="subnet_id",
            parse=uuid,
            default=Default.REQUIRED,
            post=True,
            filter=by("subnet_id"),
            sort="subnet_id",
        ),
        Attribute(
            name="network_id",
            doc="The subnet's network.",
            show=attrgetter("network_id"),
            shows=UUID,
        ),
        Attribute(
            name="ip_address",
            doc="The address; left out, the subnet's strategy chooses one.",
            show=attrgetter("ip_address"),
            key="ip_address",
            parse=nullable(ip_address),
            default=None,
            post=True,
            filter=by("ip_address", ip),
            sort="ip_address",
        ),
        Attribute(
            name="port_id",
            doc="The port that has the address now; null, none.",
            show=attrgetter("port_id"),
            shows=or_null(UUID),
        ),
        Attribute(
            name="expires_at",
            doc="When the reservation ends; null, never.",
            show=lambda reservation: wire_time(reservation.expires_at),
            shows=or_null(TIME),
            key="expires_at",
            parse=nullable(moment),
            default=None,
            post=True,
            put=True,
        ),
        *(attribute for attribute in bookkeeping(_record) if attribute.name != "tags"),
    ),
)
