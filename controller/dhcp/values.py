"""How is a value that a person wrote put into octets, whichever version of DHCP sends it?

The ways of writing are dnsmasq's (dnsmasq(8), --dhcp-option), which Neutron's users know. Everything here raises
``ValueError`` with a clause that says what to write instead.
"""

import re
import struct
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

INFINITE: Final = 0xFFFFFFFF
"""RFC 2131 section 3.3, RFC 8415 section 7.7."""
LABEL_MAX: Final = 63
NAME_MAX: Final = 255
"""RFC 1035 section 2.3.4, in octets on the wire."""
TEXT_MAX: Final = 255

_SECONDS: Final[Mapping[str, int]] = MappingProxyType({"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800})
_PRINTABLE: Final = re.compile(r"[\x20-\x7e]+")
_NUMBER: Final = re.compile(r"[0-9]{1,10}")
_TIME: Final = re.compile(r"([0-9]{1,10})([smhdw]?)")
_OCTETS: Final = re.compile(r"[0-9A-Fa-f]{1,2}(:[0-9A-Fa-f]{1,2})*")
_LABEL: Final = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?")


def split(value: str) -> list[str]:
    """Read a list: its parts stand between commas."""
    return [part.strip() for part in value.split(",")]


def is_number(value: str) -> bool:
    """Say whether a value is a decimal number that may fit into four octets."""
    return _NUMBER.fullmatch(value) is not None


def are_octets(value: str) -> bool:
    """Say whether a value is several octets with colons between them."""
    return ":" in value and _OCTETS.fullmatch(value) is not None


def text(value: str) -> bytes:
    """Write NVT ASCII without a closing NUL (RFC 2132 section 2).

    Control characters are refused as well: clients hand these values to shell scripts.
    """
    if len(value) > TEXT_MAX or not _PRINTABLE.fullmatch(value):
        raise ValueError(f"text must be 1 to {TEXT_MAX} printable ASCII characters")
    return value.encode("ascii")


def number(value: str, octets: int) -> bytes:
    """Write an unsigned number in network byte order."""
    if not is_number(value) or int(value) >= 1 << 8 * octets:
        raise ValueError(f"the value must be a decimal number from 0 to {(1 << 8 * octets) - 1}")
    return int(value).to_bytes(octets, "big")


def least_number(value: str) -> bytes:
    """Write a number whose size nobody declared in 1, 2 or 4 octets (dnsmasq(8), --dhcp-option)."""
    return number(value, next((size for size in (1, 2) if int(value) < 1 << 8 * size), 4))


def seconds(value: str) -> bytes:
    """Write seconds in four octets; dnsmasq(8) also allows 45m, 12h, 7d, 1w and infinite."""
    if value.lower() == "infinite":
        return struct.pack("!I", INFINITE)
    match = _TIME.fullmatch(value.lower())
    if match is None:
        raise ValueError("the time must be seconds, a number with s, m, h, d or w, or infinite")
    return number(str(int(match[1]) * _SECONDS[match[2]]), 4)


def domain(name: str) -> bytes:
    """Write a name without compression (RFC 1035 section 3.1).

    RFC 3397 would allow compression; RFC 8106 section 5.2 and RFC 8415 section 10 forbid it.
    """
    labels = name.strip().rstrip(".").split(".")
    if any(len(label) > LABEL_MAX or not _LABEL.fullmatch(label) for label in labels):
        raise ValueError(f"{name!r} is no domain name")
    written = b"".join(bytes((len(label),)) + label.encode("ascii") for label in labels) + b"\0"
    if len(written) > NAME_MAX:
        raise ValueError(f"{name!r} is longer than {NAME_MAX} octets")
    return written


def domains(value: str) -> bytes:
    """Write a list of names."""
    return b"".join(domain(part) for part in split(value))


def octets(value: str) -> bytes:
    """Write hexadecimal octets."""
    if not _OCTETS.fullmatch(value):
        raise ValueError("the value must be hexadecimal octets with colons, as 01:0a:ff")
    return bytes(int(part, 16) for part in value.split(":"))
