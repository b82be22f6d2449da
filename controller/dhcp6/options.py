"""How is one DHCPv6 option written on the wire?

Values come from a lease or from a user's text; anything that cannot be sent is an ``InvalidOption``. Which options go
into which message is decided in ``responder``.
"""

import struct
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Final

from controller.dhcp import values
from controller.dhcp6.codec import Code
from controller.dhcp6.errors import InvalidOption
from controller.dhcp6.frame import INFINITE, parse_address
from controller.dhcp6.names import OPTION_NAMES, RESERVED, Form

CODE_MAX: Final = 0xFFFF
VALUE_MAX: Final = 0xFFFF
REFRESH_MIN_S: Final = 600
"""RFC 8415 section 7.6: IRT_MINIMUM."""
MAX_RT_S: Final = (60, 86_400)
"""RFC 8415 sections 21.24 and 21.25: the range of SOL_MAX_RT and INF_MAX_RT."""
TIME_SERVER_ADDRESS, TIME_SERVER_NAME = 1, 3
"""RFC 5908 sections 4.1 and 4.3."""

_NAMES: Final[Mapping[str, tuple[int, Form]]] = MappingProxyType({n: (int(c), f) for n, c, f in OPTION_NAMES})
_FORMS: Final[Mapping[int, Form]] = MappingProxyType({int(c): f for _, c, f in OPTION_NAMES})
_RANGES: Final[Mapping[int, tuple[int, int]]] = MappingProxyType(
    {
        int(Code.REFRESH_TIME): (REFRESH_MIN_S, INFINITE),
        int(Code.SOL_MAX_RT): MAX_RT_S,
        int(Code.INF_MAX_RT): MAX_RT_S,
    }
)
_PREFIXES: Final = ("option6:", "option:")


def option(code: int, value: bytes) -> bytes:
    """Write one option (RFC 8415 section 21.1); ``value`` has 65535 octets at most."""
    return struct.pack("!HH", code, len(value)) + value


def addresses(written: Iterable[str]) -> bytes:
    """Write IPv6 addresses one after the other; each may stand in brackets, as dnsmasq(8) wants them.

    Raises:
        ValueError: One is no IPv6 address.
    """
    return b"".join(_address(value) for value in written)


def parse_extra(name: str, value: str | None) -> tuple[int, bytes | None]:
    """Read one extra_dhcp_opt as an option code and its octets, None where it is to be left out.

    A name is dnsmasq's ("dns-server"), a number ("23"), or either after "option6:" (dnsmasq(8), --dhcp-option).

    Raises:
        InvalidOption: Unknown name, an option that cannot be chosen, or a value of the wrong form.
    """
    code, form = _code_and_form(name, value)
    if value is None or not value.strip():
        return code, None
    try:
        octets = _WRITERS[form](value.strip())
        _check_range(code, octets)
    except ValueError as error:
        raise InvalidOption(name, value, str(error)) from error
    return code, octets


def _code_and_form(name: str, value: str | None) -> tuple[int, Form]:
    key = name.strip().lower()
    for prefix in _PREFIXES:
        key = key.removeprefix(prefix)
    if key in _NAMES:
        return _NAMES[key]
    if not values.is_number(key):
        raise InvalidOption(name, value, "unknown option; use a dnsmasq IPv6 option name or a number from 1 to 65535")
    code = int(key)
    if not 0 < code <= CODE_MAX or code in RESERVED:
        raise InvalidOption(name, value, "the responder sets this option itself or it does not exist")
    return code, _FORMS.get(code, Form.GUESSED)


def _check_range(code: int, octets: bytes) -> None:
    if len(octets) > VALUE_MAX:
        raise ValueError(f"the value is longer than {VALUE_MAX} octets")
    low, high = _RANGES.get(code, (0, INFINITE))
    if code in _RANGES and not low <= int.from_bytes(octets, "big") <= high:
        raise ValueError(f"the time must be {low} to {high} seconds")


def _address(value: str) -> bytes:
    bare = value.strip()
    if bare.startswith("[") and bare.endswith("]"):
        bare = bare[1:-1]
    return parse_address(bare).packed


def _strings(value: str) -> bytes:
    """Write parameters, each after its length (RFC 5970 section 3.2)."""
    return b"".join(struct.pack("!H", len(part)) + part for part in (values.text(part) for part in values.split(value)))


def _time_servers(value: str) -> bytes:
    """Write each server as a suboption of its own kind (RFC 5908 section 4)."""
    written = b""
    for part in values.split(value):
        try:
            written += option(TIME_SERVER_ADDRESS, _address(part))
        except ValueError:
            # Not an address, so it has to be a name, or values.domain says what is wrong with it.
            written += option(TIME_SERVER_NAME, values.domain(part))
    return written


def _guessed(value: str) -> bytes:
    """Write a value whose form nobody declared: a number of least size, addresses, octets with colons, else text.

    Sizes 1, 2 and 4 are dnsmasq's (dnsmasq(8), --dhcp-option). Addresses come before octets: eight groups of one or
    two digits are both, and an address is what an option is likelier to hold.
    """
    if values.is_number(value):
        return values.least_number(value)
    try:
        return addresses(values.split(value))
    except ValueError:
        return values.octets(value) if values.are_octets(value) else values.text(value)


_WRITERS: Final[Mapping[Form, Callable[[str], bytes]]] = MappingProxyType(
    {
        Form.ADDRESSES: lambda value: addresses(values.split(value)),
        Form.DOMAINS: values.domains,
        Form.TIME: values.seconds,
        Form.TEXT: values.text,
        Form.STRINGS: _strings,
        Form.TIME_SERVERS: _time_servers,
        Form.GUESSED: _guessed,
    }
)
