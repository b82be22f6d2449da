"""What are names and domains on the wire?

Neutron API reference, networks and ports; extensions dns-integration and dns-domain-ports. Names are kept in lower
case, as Neutron does: DNS does not tell cases apart (RFC 4343).
"""

import re
from operator import attrgetter

from api.attributes import Attribute
from api.schema import TEXT, array, record
from api.validators import Refused, described, is_storable, shown
from controller.dns_names import LONGEST_FQDN, assignments
from controller.errors import InvalidInput
from controller.records import Network, Port

_LABEL = re.compile(r"[A-Za-z0-9-]{1,63}")
_DIGITS = re.compile(r"[0-9]+")
_ROOM_FOR_A_NAME = 2
"""One letter and a dot in front of a domain."""


@described({"type": "string", "maxLength": LONGEST_FQDN, "pattern": "^[A-Za-z0-9.-]*$"})
def dns_name(value: object) -> object:
    """Return a name, which is relative to a domain unless it ends with a dot; empty for none."""
    text = _text(value)
    _check_labels(text)
    return text.lower()


@described({"type": "string", "maxLength": LONGEST_FQDN, "pattern": "^([A-Za-z0-9.-]+[.])?$"})
def dns_domain(value: object) -> object:
    """Return a domain, which ends with a dot; empty for none."""
    if not isinstance(value, str) or not is_storable(value):
        raise Refused(f"'{shown(value)}' is not a valid string")
    if value and not value.endswith("."):
        raise Refused(f"'{shown(value)}' is not a FQDN")
    _check_labels(value)
    if len(value) > LONGEST_FQDN - _ROOM_FOR_A_NAME:
        raise Refused(
            f"'{value}' contains {len(value)} characters. Adding a sub-domain will cause it to exceed the maximum "
            f"length of a FQDN of '{LONGEST_FQDN}'"
        )
    return value.lower()


def _text(value: object) -> str:
    if not isinstance(value, str) or not is_storable(value):
        raise InvalidInput(f"Input value {shown(value)} must be string type")
    return value


def _check_labels(name: str) -> None:
    """Hold a name to RFC 1123 section 2.1 and RFC 952; a trailing dot makes it fully qualified (RFC 1034 page 7)."""
    problem = _problem(name) if name else None
    if problem is not None:
        raise Refused(f"'{shown(name)}' not a valid PQDN or FQDN. Reason: {problem}")


def _problem(name: str) -> str | None:
    trimmed = name.removesuffix(".")
    if len(trimmed) > LONGEST_FQDN:
        return f"'{shown(trimmed)}' exceeds the {LONGEST_FQDN} character FQDN limit"
    labels = trimmed.split(".")
    for label in labels:
        if not label:
            return "Encountered an empty component"
        if label.startswith("-") or label.endswith("-"):
            return f"Name '{label}' must not start or end with a hyphen"
        if not _LABEL.fullmatch(label):
            return f"Name '{label}' must be 1-63 characters long, each of which can only be alphanumeric or a hyphen"
    if len(labels) > 1 and _DIGITS.fullmatch(labels[-1]):
        return f"TLD '{labels[-1]}' must not be all numeric"
    return None


def _wire_assignments(port: Port) -> object:
    return [{"ip_address": one.ip_address, "hostname": one.hostname, "fqdn": one.fqdn} for one in assignments(port)]


NETWORK_DNS: tuple[Attribute[Network], ...] = (
    Attribute(
        name="dns_domain",
        doc="Domain of the names of the network's ports, with a dot at the end; guests search it.",
        show=attrgetter("dns_domain"),
        key="dns_domain",
        parse=dns_domain,
        default="",
        post=True,
        put=True,
    ),
)
PORT_DNS: tuple[Attribute[Port], ...] = (
    Attribute(
        name="dns_name",
        doc="Name of the guest, within the port's domain; told over DHCP.",
        show=attrgetter("dns_name"),
        key="dns_name",
        parse=dns_name,
        default="",
        post=True,
        put=True,
    ),
    Attribute(
        name="dns_domain",
        doc="Domain of the port's names in place of its network's, with a dot at the end.",
        show=attrgetter("dns_domain"),
        key="dns_domain",
        parse=dns_domain,
        default="",
        post=True,
        put=True,
    ),
    Attribute(
        name="dns_assignment",
        doc="The names of each address.",
        show=_wire_assignments,
        shows=array(record({"ip_address": TEXT, "hostname": TEXT, "fqdn": TEXT})),
    ),
)
