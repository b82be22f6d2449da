"""Does this JSON value fit this attribute, and what is it once it does?

Each rule is a function from the value of a body to the value a service takes. It raises ``Refused`` with Neutron's
reason (the API wraps it as "Invalid input for NAME. Reason: ..."), or ``InvalidInput`` where Neutron answers
InvalidInput instead. The wording of the reasons is neutron-lib's. A rule describes itself as a JSON schema too
(``schema_of``), for the API's description. Rules about stored objects do not belong here.
"""

import ipaddress
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

from api import schema
from api.schema import Schema
from controller.errors import InvalidInput

Parse = Callable[[object], object]

_SHOWN_LENGTH = 1024
"""A refused value is repeated in the answer up to this many characters."""
_INTEGER_DIGITS = 18
"""More digits than this do not fit a 64-bit column."""
_DIGITS = re.compile(rf"-?[0-9]{{1,{_INTEGER_DIGITS}}}")
_BOOLEANS = {"1": True, "t": True, "true": True, "on": True, "y": True, "yes": True} | {
    "0": False,
    "f": False,
    "false": False,
    "off": False,
    "n": False,
    "no": False,
}
"""What clients of Neutron may write for a boolean (oslo.utils, bool_from_string)."""
_MAC = re.compile(
    r"[0-9A-Fa-f]{2}([:-])(?:[0-9A-Fa-f]{2}\1){4}[0-9A-Fa-f]{2}|(?:[0-9A-Fa-f]{4}\.){2}[0-9A-Fa-f]{4}|[0-9A-Fa-f]{12}"
)
_NOBODY_S_MAC = frozenset({"000000000000", "ffffffffffff"})
"""Addresses no interface may have: the null address and the broadcast address (neutron-lib, INVALID_MAC_ADDRESSES)."""


class Refused(Exception):  # noqa: N818 - the word of the rule, not an error class of the tree
    """A value does not fit; ``reason`` is the text after "Reason:", without the full stop."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule that describes itself."""

    parse: Parse
    schema: Schema

    def __call__(self, value: object) -> object:
        """Return the value a service takes; raise ``Refused`` or ``InvalidInput``."""
        return self.parse(value)


def described(by: Schema) -> Callable[[Parse], Rule]:
    """Return what makes a function a rule that fits the schema."""
    return lambda parse: Rule(parse, by)


def schema_of(rule: Parse | None) -> Schema:
    """Return what a rule says of itself; a rule that says nothing takes anything."""
    return rule.schema if isinstance(rule, Rule) else schema.ANYTHING


def shown(value: object) -> str:
    """Return a refused value as the answer repeats it."""
    text = str(value)
    return text if len(text) <= _SHOWN_LENGTH else text[:_SHOWN_LENGTH] + "..."


def is_storable(text: str) -> bool:
    """Say whether every database can keep the text: no NUL (PostgreSQL), no lone surrogate (UTF-8)."""
    return "\x00" not in text and not any("\ud800" <= char <= "\udfff" for char in text)


def text(*, longest: int = 255, shortest: int = 0) -> Parse:
    """Return the rule for text of bounded length (Neutron's columns are 255 wide)."""

    def parse(value: object) -> object:
        if not isinstance(value, str) or not is_storable(value):
            raise Refused(f"'{shown(value)}' is not a valid string")
        if len(value) > longest:
            raise Refused(f"'{shown(value)}' exceeds maximum length of {longest}")
        if len(value) < shortest or (shortest and not value.strip()):
            raise Refused(f"'{shown(value)}' Blank strings are not permitted")
        return value

    return Rule(parse, _text_schema(shortest, longest))


def _text_schema(shortest: int, longest: int) -> Schema:
    found: dict[str, object] = {"type": "string", "maxLength": longest}
    return found | {"minLength": shortest, "pattern": r"\S"} if shortest else found


def nullable(rule: Parse, *, null: object = None) -> Parse:
    """Return the rule that takes JSON null as ``null`` and leaves everything else to ``rule``."""

    def parse(value: object) -> object:
        return null if value is None else rule(value)

    return Rule(parse, schema.or_null(schema_of(rule)))


@described(schema.UUID)
def uuid(value: object) -> object:
    """Return a canonical UUID."""
    if isinstance(value, str):
        try:
            parsed = UUID(value)
        except ValueError:
            parsed = None
        if parsed is not None and value.lower().replace("-", "") == parsed.hex:
            return str(parsed)
    raise Refused(f"'{shown(value)}' is not a valid UUID")


@described(schema.BOOLEAN)
def boolean(value: object) -> object:
    """Return a boolean from true/false, 1/0, or a word for one of them in any case."""
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip().lower() in _BOOLEANS:
        return _BOOLEANS[value.strip().lower()]
    if isinstance(value, int) and value in (0, 1):
        return bool(value)
    raise InvalidInput(f"'{shown(value)}' cannot be converted to boolean")


def integer(*, lowest: int | None = None, highest: int | None = None) -> Parse:
    """Return the rule for an integer, or digits in text, within bounds (inclusive)."""

    def parse(value: object) -> object:
        number = _whole(value)
        if lowest is not None and number < lowest:
            raise Refused(f"'{number}' is too small - must be at least '{lowest}'")
        if highest is not None and number > highest:
            raise Refused(f"'{number}' is too large - must be no larger than '{highest}'")
        return number

    return Rule(parse, _integer_schema(lowest, highest))


def _integer_schema(lowest: int | None, highest: int | None) -> Schema:
    bounds = {"minimum": lowest, "maximum": highest}
    return {"type": "integer"} | {name: bound for name, bound in bounds.items() if bound is not None}


def _whole(value: object) -> int:
    if isinstance(value, str) and _DIGITS.fullmatch(value):
        return int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # 4.0 is an integer to JSON (JSON Schema 2020-12, "Numeric" section), as to Neutron
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**_INTEGER_DIGITS:
        return value
    raise InvalidInput(f"'{shown(value)}' is not an integer")


def one_of(allowed: Sequence[object], *, of: Parse | None = None) -> Parse:
    """Return the rule for a fixed set of values, after ``of`` has converted the value."""

    def parse(value: object) -> object:
        converted = value if of is None else of(value)
        if isinstance(converted, (str, int)) and converted in allowed:
            return converted
        raise Refused(f"'{shown(value)}' is not in {list(allowed)}")

    return Rule(parse, {"enum": list(allowed)})


@described(schema.MAC)
def mac_address(value: object) -> object:
    """Return a MAC address in lower case with colons; multicast addresses pass, as in Neutron, broadcast does not."""
    if isinstance(value, str) and _MAC.fullmatch(value):
        digits = re.sub("[^0-9a-f]", "", value.lower())
        if digits not in _NOBODY_S_MAC:
            return ":".join(digits[at : at + 2] for at in range(0, len(digits), 2))
    raise Refused(f"'{shown(value)}' is not a valid MAC address")


@described(schema.ADDRESS)
def ip_address(value: object) -> object:
    """Return an IPv4 or IPv6 address in canonical text."""
    if isinstance(value, str) and "%" not in value:
        try:
            return str(ipaddress.ip_address(value))
        except ValueError:
            pass
    raise Refused(f"'{shown(value)}' is not a valid IP address")


@described({"type": "string", "pattern": "^[0-9A-Fa-f.:]+(/[0-9]{1,3})?$"})
def ip_or_prefix(value: object) -> object:
    """Return an address, or a prefix ``address/length`` without host bits, in canonical text."""
    if isinstance(value, str) and "/" in value and "%" not in value:
        try:
            return str(ipaddress.ip_network(value, strict=False))
        except ValueError:
            raise Refused(f"'{shown(value)}' is not a valid IP subnet") from None
    return ip_address(value)


@described(schema.PREFIX)
def cidr(value: object) -> object:
    """Return a subnet's prefix without host bits; Neutron masks them silently."""
    if isinstance(value, str) and re.fullmatch(r"[0-9A-Fa-f.:]+/[0-9]{1,3}", value):
        try:
            return str(ipaddress.ip_network(value, strict=False))
        except ValueError:
            pass
    raise InvalidInput(f"{shown(value)} is not in a CIDR format")


def list_of(rule: Callable[[object], object], *, what: str, longest: int = 1000) -> Parse:
    """Return the rule for a list; ``what`` names its items in the reason."""

    def parse(value: object) -> object:
        if not isinstance(value, list):
            raise Refused(f"Invalid data format for {what}: '{shown(value)}'")
        if len(value) > longest:
            raise Refused(f"More than {longest} items are not accepted for {what}")
        return [rule(item) for item in value]

    return Rule(parse, schema.array(schema_of(rule), longest=longest))


def without_duplicates(rule: Parse, *, what: str) -> Parse:
    """Return the rule that refuses a list with two equal items."""

    def parse(value: object) -> object:
        items = rule(value)
        seen: list[object] = []
        for item in items if isinstance(items, list) else ():
            if item in seen:
                raise Refused(f"Duplicate {what} '{shown(item)}'")
            seen.append(item)
        return items

    return Rule(parse, {**schema_of(rule), "uniqueItems": True})


def members(value: object, *, what: str, required: Sequence[str], optional: Sequence[str] = ()) -> dict[str, object]:
    """Return one JSON object of a list after checking which keys it has."""
    if not isinstance(value, dict) or not set(required) <= value.keys() <= {*required, *optional}:
        raise Refused(f"Invalid data format for {what}: '{shown(value)}'")
    return value
