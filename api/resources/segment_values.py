"""Do the values of a segment fit: its type, its physical network, its number?"""

from api.errors import UnknownAttributes
from api.schema import record
from api.validators import Refused, described, integer, list_of, nullable, schema_of, shown, text
from controller.errors import InvalidInput

LONGEST_TYPE = 32
LONGEST_PHYSNET = 64
"""Neutron's widths."""
HIGHEST_SEGMENTATION_ID = 2**24 - 1
"""A VNI has 24 bits (RFC 7348 section 5)."""
HIGHEST_BOUND = 2**32 - 1
_MOST_SEGMENTS = 64
_KEYS = {
    "provider:network_type": "network_type",
    "provider:physical_network": "physical_network",
    "provider:segmentation_id": "segmentation_id",
}

segmentation_id = integer(lowest=0, highest=HIGHEST_SEGMENTATION_ID)
_type = nullable(text(longest=LONGEST_TYPE))
_physnet = nullable(text(longest=LONGEST_PHYSNET))


@described(
    record(
        {
            "provider:network_type": schema_of(_type),
            "provider:physical_network": schema_of(_physnet),
            "provider:segmentation_id": schema_of(nullable(segmentation_id)),
        }
    )
)
def _segment(value: object) -> dict[str, object]:
    if not isinstance(value, dict):
        raise Refused(f"'{shown(value)}' is not a dictionary")
    unknown = value.keys() - _KEYS.keys()
    if unknown:
        raise UnknownAttributes(sorted(unknown))
    given = {_KEYS[name]: one for name, one in value.items()}
    return {
        "network_type": _type(given.get("network_type")),
        "physical_network": _physnet(given.get("physical_network")),
        "segmentation_id": nullable(segmentation_id)(given.get("segmentation_id") or None),
    }


wanted_segments = list_of(_segment, what="segments", longest=_MOST_SEGMENTS)
"""The rule for the segments of a network; each gets the names the service knows."""


@described({"type": "integer", "minimum": 1, "maximum": HIGHEST_BOUND})
def segment_number(value: object) -> object:
    """Return a bound of a range.

    Raises:
        InvalidInput: no integer.
    """
    number = integer(lowest=1, highest=HIGHEST_BOUND)(value)
    if not isinstance(number, int):
        raise InvalidInput(f"'{shown(value)}' is not an integer")
    return number
