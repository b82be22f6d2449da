"""How are choices about a subnet's addresses written? Weft's own attributes (extension ``weft-ipam``)."""

from typing import Protocol, TypeVar

from api.attributes import Attribute, Default
from api.schema import ADDRESS, array, record
from api.validators import Refused, described, integer, ip_address, list_of, members, nullable, one_of, shown
from controller.ipam_records import LONGEST_QUARANTINE_S
from controller.records import Subnet
from controller.services.subnet_ipam import EXCLUSIONS, QUARANTINE, STRATEGY
from ipam.allocator import Strategy
from ipam.exclusions import OCTETS

MOST_EXCLUSIONS = 256


class HasSubnet(Protocol):
    """What the wire form of a subnet is made from."""

    @property
    def subnet(self) -> Subnet: ...  # noqa: D102 - the name speaks


V = TypeVar("V", bound=HasSubnet)


def _octets(value: object) -> object:
    if isinstance(value, str):  # a command line has no lists of numbers
        value = value.split()
    given = list_of(integer(lowest=0, highest=OCTETS - 1), what="octets", longest=OCTETS - 1)(value)
    return sorted(set(given)) if isinstance(given, list) else given


@described(
    record(
        {
            "start": ADDRESS,
            "end": ADDRESS,
            "octets": {
                "anyOf": [
                    array({"type": "integer", "minimum": 0, "maximum": OCTETS - 1}, longest=OCTETS - 1),
                    {"type": "string", "pattern": "^[0-9 ]+$"},
                ]
            },
        }
    )
)
def _exclusion(value: object) -> object:
    if isinstance(value, dict) and "octets" in value:
        given = members(value, what="exclusion", required=("octets",))
        octets = _octets(given["octets"])
        if octets == []:
            raise Refused(f"Invalid data format for exclusion: '{shown(value)}'")
        return {"octets": octets}
    given = members(value, what="exclusion", required=("start", "end"))
    return {"start": ip_address(given["start"]), "end": ip_address(given["end"])}


def exclusions(subnet: Subnet) -> list[dict[str, object]]:
    """Return a subnet's exclusions as they are shown."""
    found: list[dict[str, object]] = [{"start": start, "end": end} for start, end in subnet.ipam.excluded_ranges]
    return [*found, {"octets": list(subnet.ipam.excluded_octets)}] if subnet.ipam.excluded_octets else found


def attributes() -> tuple[Attribute[V], ...]:
    """Return the attributes a subnet has besides Neutron's."""
    return (
        Attribute(
            name="ipam:strategy",
            doc="Which free address is given unasked: random, the first (sequential), or the one of the MAC (eui64).",
            show=lambda view: view.subnet.ipam.strategy.value,
            key=STRATEGY,
            parse=one_of([one.value for one in Strategy]),
            default=Strategy.RANDOM.value,
            post=True,
            put=True,
        ),
        Attribute(
            name="ipam:quarantine",
            doc="Seconds for which a released address is given to nobody else; null, as configured.",
            show=lambda view: view.subnet.ipam.quarantine_s,
            key=QUARANTINE,
            parse=nullable(integer(lowest=0, highest=LONGEST_QUARANTINE_S)),
            default=None,
            post=True,
            put=True,
        ),
        Attribute(
            name="ipam:exclusions",
            doc="Addresses never given unasked: ranges (start, end), and last octets of IPv4 addresses (octets).",
            show=lambda view: exclusions(view.subnet),
            key=EXCLUSIONS,
            parse=list_of(_exclusion, what="exclusions", longest=MOST_EXCLUSIONS),
            default=Default.ABSENT,
            post=True,
            put=True,
        ),
    )
