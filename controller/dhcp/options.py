"""How is one DHCP option written on the wire?

Values come from a lease or from a user's text; anything that cannot be sent is an ``InvalidOption``. Which options go
into which message is decided in ``responder``.
"""

import ipaddress
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Final

from controller.dhcp import values
from controller.dhcp.codec import OPTION_MAX, Code
from controller.dhcp.errors import InvalidOption
from controller.dhcp.names import MANDATORY, OPTION_NAMES, RESERVED, SERVER_ADDRESS, Form

SIADDR: Final = -1
"""Stands for the siaddr field where an option code is expected."""
LEASE_MIN_S: Final = 8
"""Least lease whose T1 (half) and T2 (seven eighths, RFC 2131 section 4.4.5) are distinct whole seconds."""
MTU_MIN: Final = 68
"""RFC 2132 section 5.1."""
CODE_MAX: Final = 254

_NAMES: Final[Mapping[str, tuple[int, Form]]] = MappingProxyType({n: (int(c), f) for n, c, f in OPTION_NAMES})
_FORMS: Final[Mapping[int, Form]] = MappingProxyType({int(c): f for _, c, f in OPTION_NAMES})


def option(code: int, value: bytes) -> bytes:
    """Write one option; a value beyond 255 octets is split into several of the same code (RFC 3396 section 6)."""
    parts = range(0, len(value), OPTION_MAX) if value else (0,)
    return b"".join(bytes((code, len(part))) + part for part in (value[start : start + OPTION_MAX] for start in parts))


def addresses(written: Iterable[str]) -> bytes:
    """Write IPv4 addresses one after the other (RFC 2132 section 2).

    Raises:
        ValueError: One is no dotted quad.
    """
    return b"".join(ipaddress.IPv4Address(value.strip()).packed for value in written)


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
    if not values.is_number(key):
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


def _address_pairs(value: str) -> bytes:
    octets = addresses(values.split(value))
    if len(octets) % 8:
        raise ValueError("addresses must come in pairs")
    return octets


def _routes(value: str) -> bytes:
    parts = values.split(value)
    if len(parts) % 2:
        raise ValueError("each destination needs a next hop: destination,nexthop,destination,nexthop")
    return routes(zip(parts[::2], parts[1::2], strict=True))


def _octets(value: str) -> bytes:
    written = values.octets(value)
    if len(written) > OPTION_MAX:
        raise ValueError(f"the value is longer than {OPTION_MAX} octets")
    return written


def _guessed(value: str) -> bytes:
    """Write a value whose form nobody declared: addresses, a number of least size, octets with colons, else text.

    The order of guesses is dnsmasq's (dnsmasq(8), --dhcp-option).
    """
    if values.is_number(value):
        return values.least_number(value)
    if values.are_octets(value):
        return _octets(value)
    try:
        return addresses(values.split(value))
    except ValueError:
        return values.text(value)


_WRITERS: Final[Mapping[Form, Callable[[str], bytes]]] = MappingProxyType(
    {
        Form.ADDRESS: lambda value: addresses((value,)),
        Form.ADDRESSES: lambda value: addresses(values.split(value)),
        Form.ADDRESS_PAIRS: _address_pairs,
        Form.BYTE: lambda value: values.number(value, 1),
        Form.SHORT: lambda value: values.number(value, 2),
        Form.LONG: lambda value: values.number(value, 4),
        Form.TIME: values.seconds,
        Form.TEXT: values.text,
        Form.DOMAINS: values.domains,
        Form.ROUTES: _routes,
        Form.OCTETS: _octets,
        Form.GUESSED: _guessed,
    }
)
