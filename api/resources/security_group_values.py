"""Do the values of security groups, their rules and address groups fit; and what do all rules have on the wire?

Neutron API reference, security group rules. Whether the values of one rule go together is for the service to say
(``controller.services.rule_checks``).
"""

import ipaddress
from collections.abc import Callable
from datetime import datetime
from typing import Protocol, TypeVar

from api.attributes import Attribute, Default, by, number, optional, wire_time
from api.errors import InvalidCidr, SecurityGroupRuleInvalidEtherType, SecurityGroupRuleInvalidProtocol
from api.schema import INTEGER, PREFIX, PREFIX_OR_ADDRESS, TEXT, TIME, UUID, array, or_null
from api.validators import Parse, Refused, Rule, described, is_storable, one_of, schema_of, shown, text
from controller.security_errors import SecurityGroupDefaultAlreadyExists, SecurityGroupInvalidPortValue
from controller.services.rule_checks import PROTOCOLS
from controller.services.security_groups import DEFAULT_NAME

_ETHERTYPES = ("IPv4", "IPv6")
_ANY = (None, "any")
_LAST_PROTOCOL = 255
_LAST_PORT = 65_535
_DIGITS = 5
_PROTOCOL = {"type": ["string", "integer", "null"], "minimum": 0, "maximum": _LAST_PROTOCOL}


class Clause(Protocol):
    """What a record needs for the attributes all rules have."""

    @property
    def id(self) -> str: ...  # noqa: D102 - the names speak
    @property
    def direction(self) -> str: ...  # noqa: D102
    @property
    def ethertype(self) -> str: ...  # noqa: D102
    @property
    def protocol(self) -> str | None: ...  # noqa: D102
    @property
    def port_range_min(self) -> int | None: ...  # noqa: D102
    @property
    def port_range_max(self) -> int | None: ...  # noqa: D102
    @property
    def remote_ip_prefix(self) -> str | None: ...  # noqa: D102
    @property
    def remote_group_id(self) -> str | None: ...  # noqa: D102
    @property
    def remote_address_group_id(self) -> str | None: ...  # noqa: D102
    @property
    def description(self) -> str: ...  # noqa: D102
    @property
    def created_at(self) -> datetime: ...  # noqa: D102
    @property
    def updated_at(self) -> datetime: ...  # noqa: D102
    @property
    def revision_number(self) -> int: ...  # noqa: D102


V = TypeVar("V")


@described(schema_of(text()))
def group_name(value: object) -> object:
    """Return a name; the one of default groups is taken in every project."""
    name = text()(value)
    if isinstance(name, str) and name.lower() == DEFAULT_NAME:
        raise SecurityGroupDefaultAlreadyExists
    return name


@described(_PROTOCOL)
def protocol(value: object) -> object:
    """Return a protocol's name in lower case, or its number as text; None is any."""
    if isinstance(value, str):
        value = value.lower()
    if value in _ANY:
        return None
    if isinstance(value, str) and value in PROTOCOLS:
        return value
    whole = _whole(value)
    if whole is None or whole > _LAST_PROTOCOL:
        raise SecurityGroupRuleInvalidProtocol(shown(value), (*_ANY, *PROTOCOLS))
    return str(whole)


@described({"enum": list(_ETHERTYPES)})
def ethertype(value: object) -> object:
    """Return the name of an IP version as Neutron spells it, given in any case."""
    for known in _ETHERTYPES:
        if isinstance(value, str) and value.lower() == known.lower():
            return known
    raise SecurityGroupRuleInvalidEtherType(shown(value), _ETHERTYPES)


@described({"type": ["integer", "null"], "minimum": 0, "maximum": _LAST_PORT})
def port_number(value: object) -> object:
    """Return a port, or an ICMP type or code: a number of 16 bits, as text or not."""
    if value is None:
        return None
    whole = _whole(value)
    if whole is None or whole > _LAST_PORT:
        raise SecurityGroupInvalidPortValue(shown(value))
    return whole


@described(or_null(TEXT))
def prefix(value: object) -> object:
    """Return a prefix with its length, host bits kept as they were given."""
    if not value:
        return None
    if isinstance(value, str) and "%" not in value:
        try:
            return str(ipaddress.ip_interface(value))
        except ValueError:
            pass
    raise InvalidCidr(shown(value))


@described(or_null(TEXT))
def reference(value: object) -> object:
    """Return the id of another object; what is no id names nothing, and the service says so."""
    if not value:
        return None
    if isinstance(value, str) and is_storable(value):
        return value
    raise Refused(f"'{shown(value)}' is not a valid string")


@described(PREFIX_OR_ADDRESS)
def block_or_address(value: object) -> object:
    """Return a prefix, where an address alone means itself; Neutron takes both where members come and go."""
    if isinstance(value, str) and "/" not in value and "%" not in value:
        try:
            return str(ipaddress.ip_network(value))
        except ValueError as error:
            raise Refused(f"'{shown(value)}' is not a valid IP subnet") from error
    return cidr_block(value)


@described(PREFIX)
def cidr_block(value: object) -> object:
    """Return a prefix ``address/length`` of an address group, without its host bits."""
    if isinstance(value, str) and "/" in value and "%" not in value:
        try:
            network = ipaddress.ip_interface(value)
        except ValueError:
            pass
        else:
            if str(network) == value or ":" in value:  # a mask in place of the length is no prefix
                return str(network.network)
    raise Refused(f"'{shown(value)}' is not a valid IP subnet")


def items(rule: Parse, *, longest: int) -> Parse:
    """Return the rule for a list in which nothing comes twice."""

    def parse(value: object) -> object:
        if not isinstance(value, list):
            raise Refused(f"'{shown(value)}' is not a list")
        if len(value) > longest:
            raise Refused(f"More than {longest} items are not accepted")
        twice = [item for index, item in enumerate(value) if item in value[:index]] if not _are_unique(value) else []
        if twice:
            raise Refused(f"Duplicate items in the list: '{', '.join(shown(item) for item in twice)}'")
        return [rule(item) for item in value]

    return Rule(parse, array(schema_of(rule), longest=longest, is_set=True))


def clause_attributes(record: Callable[[V], Clause]) -> tuple[Attribute[V], ...]:
    """Return what a rule matches by."""
    return (
        Attribute(
            name="ethertype",
            doc="IPv4 or IPv6.",
            show=lambda view: record(view).ethertype,
            key="ethertype",
            parse=ethertype,
            default="IPv4",
            post=True,
            filter=by("ethertype"),
            sort="ethertype",
        ),
        Attribute(
            name="direction",
            doc="ingress or egress, as the guest sees it.",
            show=lambda view: record(view).direction,
            key="direction",
            parse=one_of(("ingress", "egress")),
            default=Default.REQUIRED,
            post=True,
            filter=by("direction"),
            sort="direction",
        ),
        Attribute(
            name="protocol",
            doc="Name or number of an IP protocol; null is any.",
            show=lambda view: record(view).protocol,
            key="protocol",
            parse=protocol,
            default=None,
            post=True,
            filter=by("protocol", optional),
            sort="protocol",
            shows=or_null(TEXT),
        ),
        *_port_attributes(record),
        Attribute(
            name="remote_ip_prefix",
            doc="Addresses the rule is about.",
            show=lambda view: record(view).remote_ip_prefix,
            key="remote_ip_prefix",
            parse=prefix,
            default=None,
            post=True,
            filter=by("remote_ip_prefix", optional),
            sort="remote_ip_prefix",
        ),
        Attribute(
            name="remote_address_group_id",
            doc="Address group the rule is about.",
            show=lambda view: record(view).remote_address_group_id,
            key="remote_address_group_id",
            parse=reference,
            default=None,
            post=True,
            filter=by("remote_address_group_id", optional),
            sort="remote_address_group_id",
        ),
        Attribute(
            name="remote_group_id",
            doc="Security group whose members the rule is about.",
            show=lambda view: record(view).remote_group_id,
            key="remote_group_id",
            parse=reference,
            default=None,
            post=True,
            filter=by("remote_group_id", optional),
            sort="remote_group_id",
        ),
    )


def _port_attributes(record: Callable[[V], Clause]) -> tuple[Attribute[V], ...]:
    return (
        Attribute(
            name="port_range_min",
            doc="First port, or ICMP type.",
            show=lambda view: record(view).port_range_min,
            key="port_range_min",
            parse=port_number,
            default=None,
            post=True,
            filter=by("port_range_min", number),
            sort="port_range_min",
        ),
        Attribute(
            name="port_range_max",
            doc="Last port, or ICMP code.",
            show=lambda view: record(view).port_range_max,
            key="port_range_max",
            parse=port_number,
            default=None,
            post=True,
            filter=by("port_range_max", number),
            sort="port_range_max",
        ),
    )


def rule_bookkeeping(
    record: Callable[[V], Clause], *, changes: bool, says_nothing: str | None = None
) -> tuple[Attribute[V], ...]:
    """Return description, times and revision of a rule; Neutron's rules have no tags of their own to set."""
    return (
        Attribute(
            name="description",
            doc="Text for people.",
            show=lambda view: record(view).description or says_nothing,
            shows=or_null(TEXT),
            key="description",
            parse=text(),
            default="",
            post=True,
            put=changes,
            filter=by("description"),
            sort="description",
        ),
        Attribute(
            name="created_at",
            doc="When the rule was created.",
            show=lambda view: wire_time(record(view).created_at),
            sort="created_at",
            shows=TIME,
        ),
        Attribute(
            name="updated_at",
            doc="When the rule last changed.",
            show=lambda view: wire_time(record(view).updated_at),
            sort="updated_at",
            shows=TIME,
        ),
        Attribute(
            name="revision_number",
            doc="Grows with every change; compare with If-Match.",
            show=lambda view: record(view).revision_number,
            filter=by("revision_number", number),
            sort="revision_number",
            shows=INTEGER,
        ),
    )


def rule_identity(record: Callable[[V], Clause]) -> Attribute[V]:
    """Return the id of a rule."""
    return Attribute(
        name="id",
        doc="Identifier, chosen by the server.",
        show=lambda view: record(view).id,
        filter=by("id"),
        sort="id",
        shows=UUID,
    )


def _whole(value: object) -> int | None:
    """Return a number that is not negative, given as one or as digits."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= _DIGITS:
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _are_unique(values: list[object]) -> bool:
    try:
        return len(set(values)) == len(values)
    except TypeError:  # a list or an object in the list: compared one by one
        return False
