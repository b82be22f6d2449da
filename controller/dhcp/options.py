"""How is one DHCP option written on the wire?

Values come from a lease or from a user's text; anything that cannot be sent is an ``InvalidOption``. Which options go
into which message is decided in ``responder``.
"""

import ipaddress
import re
import struct
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Final

from controller.dhcp.codec import OPTION_MAX, Code
from controller.dhcp.errors import InvalidOption
from controller.dhcp.names import MANDATORY, OPTION_NAMES, RESERVED, SERVER_ADDRESS, Form

SIADDR: Final = -1
"""Stands for the siaddr field where an option code is expected."""
LEASE_MIN_S: Final = 8
"""Least lease whose T1 (half) and T2 (seven eighths, RFC 2131 section 4.4.5) are distinct whole seconds."""
INFINITE: Final = 0xFFFFFFFF
"""RFC 2131 section 3.3."""
MTU_MIN: Final = 68
"""RFC 2132 section 5.1."""
LABEL_MAX: Final = 63
NAME_MAX: Final = 255
"""RFC 1035 section 2.3.4, in octets on the wire."""
CODE_MAX: Final = 254

_NAMES: Final[Mapping[str, tuple[int, Form]]] = MappingProxyType({n: (int(c), f) for n, c, f in OPTION_NAMES})
_FORMS: Final[Mapping[int, Form]] = MappingProxyType({int(c): f for _, c, f in OPTION_NAMES})
_SECONDS: Final[Mapping[str, int]] = MappingProxyType({"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800})
_PRINTABLE: Final = re.compile(r"[\x20-\x7e]+")
_NUMBER: Final = re.compile(r"[0-9]{1,10}")
_TIME: Final = re.compile(r"([0-9]{1,10})([smhdw]?)")
_OCTETS: Final = re.compile(r"[0-9A-Fa-f]{1,2}(:[0-9A-Fa-f]{1,2})*")
_LABEL: Final = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?")


def option(code: int, value: bytes) -> bytes:
    """Write one option; a value beyond 255 octets is split into several of the same code (RFC 3396 section 6)."""
    parts = range(0, len(value), OPTION_MAX) if value else (0,)
    return b"".join(bytes((code, len(part))) + part for part in (value[start : start + OPTION_MAX] for start in parts))


def addresses(values: Iterable[str]) -> bytes:
    """Write IPv4 addresses one after the other (RFC 2132 section 2).

    Raises:
        ValueError: One is no dotted quad.
    """
    return b"".join(ipaddress.IPv4Address(value.strip()).packed for value in values)


def routes(pairs: Iterable[tuple[str, str]]) -> bytes:
    """Write (destination cidr, nexthop) pairs as option 121 has them (RFC 3442, "Classless Route Option Format").

    The destination takes only its significant octets, host bits are cleared.

    Raises:
        ValueError: A destination is no IPv4 prefix or a nexthop no address.
    """
    written = bytearray()
    for destination, nexthop in pairs:
        network = ipaddress.IPv4Network(destination.strip(), strict=False)
        written.append(network.prefixlen)
        written += network.network_address.packed[: (network.prefixlen + 7) // 8]
        written += ipaddress.IPv4Address(nexthop.strip()).packed
    return bytes(written)


def has_default(written: bytes) -> bool:
    """Say whether the octets of an option 121 hold a route to 0.0.0.0/0."""
    at = 0
    while at < len(written):
        if written[at] == 0:
            return True
        at += 5 + (written[at] + 7) // 8
    return False


def text(value: str) -> bytes:
    """Write NVT ASCII without a closing NUL (RFC 2132 section 2).

    Control characters are refused as well: clients hand these values to shell scripts.

    Raises:
        ValueError: Empty, longer than 255 octets, or not printable ASCII.
    """
    if len(value) > OPTION_MAX or not _PRINTABLE.fullmatch(value):
        raise ValueError("text must be 1 to 255 printable ASCII characters")
    return value.encode("ascii")


def number(value: str, octets: int) -> bytes:
    """Write an unsigned number in network byte order.

    Raises:
        ValueError: Not decimal or too big.
    """
    if not _NUMBER.fullmatch(value) or int(value) >= 1 << 8 * octets:
        raise ValueError(f"the value must be a decimal number from 0 to {(1 << 8 * octets) - 1}")
    return int(value).to_bytes(octets, "big")


def parse_extra(name: str, value: str | None) -> tuple[int, bytes | None]:
    """Read one extra_dhcp_opt as an option code (or ``SIADDR``) and its octets, None where it is to be left out.

    A name is dnsmasq's ("mtu"), a number ("26"), or either after "option:" (dnsmasq(8), --dhcp-option).

    Raises:
        InvalidOption: Unknown name, an option that cannot be chosen, or a value of the wrong form.
    """
    code, form = _code_and_form(name, value)
    if value is None or not value.strip():
        if code in MANDATORY:
            raise InvalidOption(name, value, "every offer must carry it (RFC 2131 table 3); give a value")
        return code, None
    try:
        octets = _WRITERS[form](value.strip())
        _check_range(code, octets)
    except ValueError as error:
        raise InvalidOption(name, value, str(error)) from error
    return code, octets


def _code_and_form(name: str, value: str | None) -> tuple[int, Form]:
    key = name.strip().lower().removeprefix("option:")
    if key == SERVER_ADDRESS:
        return SIADDR, Form.ADDRESS
    if key in _NAMES:
        return _NAMES[key]
    if not _NUMBER.fullmatch(key):
        raise InvalidOption(name, value, "unknown option; use a dnsmasq option name or a number from 1 to 254")
    code = int(key)
    if code > CODE_MAX or code in RESERVED:
        raise InvalidOption(name, value, "the responder sets this option itself or it does not exist")
    return code, _FORMS.get(code, Form.GUESSED)


def _check_range(code: int, octets: bytes) -> None:
    """Refuse numbers their own option does not allow."""
    if code == Code.MTU and int.from_bytes(octets, "big") < MTU_MIN:
        raise ValueError(f"the least MTU is {MTU_MIN} (RFC 2132 section 5.1)")
    if code == Code.LEASE_TIME and int.from_bytes(octets, "big") < LEASE_MIN_S:
        raise ValueError(f"the least lease time is {LEASE_MIN_S} seconds")


def _split(value: str) -> list[str]:
    return [part.strip() for part in value.split(",")]


def _address_pairs(value: str) -> bytes:
    octets = addresses(_split(value))
    if len(octets) % 8:
        raise ValueError("addresses must come in pairs")
    return octets


def _routes(value: str) -> bytes:
    parts = _split(value)
    if len(parts) % 2:
        raise ValueError("each destination needs a next hop: destination,nexthop,destination,nexthop")
    return routes(zip(parts[::2], parts[1::2], strict=True))


def _time(value: str) -> bytes:
    """Write seconds; dnsmasq(8) also allows 45m, 12h, 7d, 1w and infinite."""
    if value.lower() == "infinite":
        return struct.pack("!I", INFINITE)
    match = _TIME.fullmatch(value.lower())
    if match is None:
        raise ValueError("the time must be seconds, a number with s, m, h, d or w, or infinite")
    return number(str(int(match[1]) * _SECONDS[match[2]]), 4)


def _domains(value: str) -> bytes:
    """Write names as RFC 1035 section 3.1 has them; the compression RFC 3397 allows is not needed."""
    written = bytearray()
    for domain in _split(value):
        labels = domain.rstrip(".").split(".")
        if any(len(label) > LABEL_MAX or not _LABEL.fullmatch(label) for label in labels):
            raise ValueError(f"{domain!r} is no domain name")
        name = b"".join(bytes((len(label),)) + label.encode("ascii") for label in labels) + b"\0"
        if len(name) > NAME_MAX:
            raise ValueError(f"{domain!r} is longer than {NAME_MAX} octets")
        written += name
    return bytes(written)


def _octets(value: str) -> bytes:
    if not _OCTETS.fullmatch(value):
        raise ValueError("the value must be hexadecimal octets with colons, as 01:0a:ff")
    octets = bytes(int(part, 16) for part in value.split(":"))
    if len(octets) > OPTION_MAX:
        raise ValueError(f"the value is longer than {OPTION_MAX} octets")
    return octets


def _guessed(value: str) -> bytes:
    """Write a value whose form nobody declared: addresses, a number of least size, octets with colons, else text.

    Sizes 1, 2 and 4 and the order of guesses are dnsmasq's (dnsmasq(8), --dhcp-option).
    """
    if _NUMBER.fullmatch(value):
        return number(value, next((size for size in (1, 2) if int(value) < 1 << 8 * size), 4))
    if ":" in value and _OCTETS.fullmatch(value):
        return _octets(value)
    try:
        return addresses(_split(value))
    except ValueError:
        return text(value)


_WRITERS: Final[Mapping[Form, Callable[[str], bytes]]] = MappingProxyType(
    {
        Form.ADDRESS: lambda value: addresses((value,)),
        Form.ADDRESSES: lambda value: addresses(_split(value)),
        Form.ADDRESS_PAIRS: _address_pairs,
        Form.BYTE: lambda value: number(value, 1),
        Form.SHORT: lambda value: number(value, 2),
        Form.LONG: lambda value: number(value, 4),
        Form.TIME: _time,
        Form.TEXT: text,
        Form.DOMAINS: _domains,
        Form.ROUTES: _routes,
        Form.OCTETS: _octets,
        Form.GUESSED: _guessed,
    }
)
