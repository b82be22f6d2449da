"""What is there to say about one lease, before anybody asks?

Every message a lease can lead to is laid out once, headers and options; ``responder`` only patches what differs from
request to request. Reading requests does not belong here.
"""

import ipaddress
import itertools
import re
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Self

from controller.dhcp.codec import (
    BOOTP_OCTETS,
    CLIENT_PORT,
    ETHERTYPE_IPV4,
    FILE_END,
    FILE_OFFSET,
    HLEN_ETHERNET,
    HTYPE_ETHERNET,
    MAGIC_COOKIE,
    PROTOCOL_UDP,
    SERVER_PORT,
    Code,
    MessageType,
    Op,
)
from controller.dhcp.errors import InvalidLease, InvalidOption
from controller.dhcp.lease import Lease
from controller.dhcp.options import LEASE_MIN_S, SIADDR, has_default, option, parse_extra, routes
from controller.dhcp.values import INFINITE

DEFAULT_MTU: Final = 1500
"""RFC 894: what an Ethernet frame carries; bounds the answer where the lease names no MTU."""
TTL: Final = 64
DONT_FRAGMENT: Final = 0x4000
"""RFC 6864 section 4.1: an atomic datagram may carry any id, so 0 is honest."""
IPV4_VERSION_AND_LENGTH: Final = 0x45

VALUE_ORDER: Final[tuple[int, ...]] = (
    Code.SUBNET_MASK,
    Code.ROUTER,
    Code.CLASSLESS_ROUTES,
    Code.MS_CLASSLESS_ROUTES,
    Code.MTU,
    Code.DNS_SERVER,
    Code.BOOTFILE,
    Code.TFTP_SERVER,
    Code.TFTP_ADDRESS,
    Code.T1,
    Code.T2,
    Code.DOMAIN_NAME,
    Code.HOSTNAME,
)
"""Most valuable first: reach one's network, then the world, then boot, then names. All others follow by number."""
LEASE_ONLY: Final = frozenset({Code.LEASE_TIME, Code.T1, Code.T2})
"""RFC 2131 section 4.3.5: an answer to DHCPINFORM carries no lease time."""
NAK_MESSAGE: Final = b"the requested address is not the address of this port"

_ETHERNET = struct.Struct("!6s6sH")
_IPV4 = struct.Struct("!BBHHHBBH4s4s")
_UDP = struct.Struct("!HHHH")
_MAC: Final = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")
YIADDR_OFFSET: Final = 16
SIADDR_OFFSET: Final = 20
CHADDR_OFFSET: Final = 28
"""RFC 2131 section 2, figure 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message, complete but for what the request decides."""

    head: bytes
    """Ethernet, IPv4, UDP and the fixed BOOTP fields with the cookie; destination, lengths, checksums, xid, flags and
    ciaddr are zero."""
    mandatory: bytes
    """Options RFC 2131 table 3 demands."""
    optional: tuple[tuple[int, bytes], ...]
    """(code, written option), most valuable first."""
    whole: bytes
    """The mandatory and all the optional ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The compiled form of one lease."""

    mac: bytes
    address: bytes
    server_id: bytes
    subnet: ipaddress.IPv4Network
    datagram_max: int
    """Octets of the longest datagram the port's network carries."""
    offer: Message
    ack: Message
    inform: Message
    offer_ms: Message
    """As ``offer``, with the routes also in option 249; likewise the next two."""
    ack_ms: Message
    inform_ms: Message
    nak: Message

    @classmethod
    def compile(cls, lease: Lease) -> tuple[Self, tuple[InvalidOption, ...]]:
        """Lay out every message of a lease.

        Returns:
            The answer, and the options that cannot be sent: each is skipped, the rest of the lease stands.

        Raises:
            InvalidLease: A MAC, an address, the prefix length or the lease time is not what ``Lease`` says.
        """
        subnet = _checked_subnet(lease)
        values, problems = _values(lease, subnet)
        address = ipaddress.IPv4Address(lease.address).packed
        siaddr, bootfile = values.pop(SIADDR, bytes(4)), values.get(Code.BOOTFILE, b"")
        head = _head(lease, yiaddr=address, siaddr=siaddr, bootfile=bootfile)
        inform_head = _head(lease, yiaddr=bytes(4), siaddr=siaddr, bootfile=bootfile)
        with_ms = dict(values)
        if Code.CLASSLESS_ROUTES in values:
            with_ms[Code.MS_CLASSLESS_ROUTES] = values[Code.CLASSLESS_ROUTES]
        server_id = ipaddress.IPv4Address(lease.server_id).packed
        answer = cls(
            mac=_octets_of_mac(lease.mac),
            address=address,
            server_id=server_id,
            subnet=subnet,
            datagram_max=lease.mtu or DEFAULT_MTU,
            offer=_message(MessageType.OFFER, server_id, head, values),
            ack=_message(MessageType.ACK, server_id, head, values),
            inform=_message(MessageType.ACK, server_id, inform_head, _without_lease(values)),
            offer_ms=_message(MessageType.OFFER, server_id, head, with_ms),
            ack_ms=_message(MessageType.ACK, server_id, head, with_ms),
            inform_ms=_message(MessageType.ACK, server_id, inform_head, _without_lease(with_ms)),
            nak=_message(
                MessageType.NAK,
                server_id,
                _head(lease, yiaddr=bytes(4), siaddr=bytes(4), bootfile=b""),
                {Code.MESSAGE: NAK_MESSAGE},
            ),
        )
        return answer, tuple(problems)


def _checked_subnet(lease: Lease) -> ipaddress.IPv4Network:
    """Give the lease's subnet, or say what every answer would lack."""
    for field, mac in (("mac", lease.mac), ("server_mac", lease.server_mac)):
        if not _MAC.fullmatch(mac):
            raise InvalidLease(field, mac, "a MAC in lower case with colons")
    for field, address in (("address", lease.address), ("server_id", lease.server_id)):
        try:
            ipaddress.IPv4Address(address)
        except ValueError as error:
            raise InvalidLease(field, address, "an IPv4 address") from error
    if not LEASE_MIN_S <= lease.lease_s <= INFINITE:
        raise InvalidLease("lease_s", lease.lease_s, f"{LEASE_MIN_S} to {INFINITE} seconds")
    try:
        return ipaddress.IPv4Network((lease.address, lease.prefix_length), strict=False)
    except ValueError as error:
        raise InvalidLease("prefix_length", lease.prefix_length, "0 to 32") from error


def _values(lease: Lease, subnet: ipaddress.IPv4Network) -> tuple[dict[int, bytes], list[InvalidOption]]:
    """Give the octets of every option the lease leads to, the user's own in place of the default ones."""
    problems: list[InvalidOption] = []
    defaults = (
        ("netmask", str(subnet.netmask)),
        ("router", lease.router),
        ("dns-server", ",".join(lease.dns_servers)),
        ("mtu", None if lease.mtu is None else str(lease.mtu)),
        ("lease-time", str(lease.lease_s)),
        ("hostname", lease.hostname),
        ("domain-name", lease.domain),
        ("domain-search", ",".join(lease.search_domains)),
        ("classless-static-route", ",".join(f"{destination},{nexthop}" for destination, nexthop in lease.routes)),
    )
    values = {code: octets for code, octets, _ in _parsed((d for d in defaults if d[1]), problems) if octets}
    chosen: dict[int, InvalidOption] = {}
    timers: dict[int, bytes | None] = {}
    for code, octets, again in _parsed(lease.extra_options, problems):
        if code in chosen:
            problems.append(again)
            continue
        chosen[code] = again
        if code in (Code.T1, Code.T2):
            timers[code] = octets
        elif octets is None:
            values.pop(code, None)
        else:
            values[code] = octets
    _add_timers(values, timers, chosen, problems)
    _add_default_route(values)
    return values, problems


def _parsed(
    pairs: Iterable[tuple[str, str | None]], problems: list[InvalidOption]
) -> Iterable[tuple[int, bytes | None, InvalidOption]]:
    """Yield code, octets and the complaint to use should the option have come already."""
    for name, value in pairs:
        try:
            code, octets = parse_extra(name, value)
        except InvalidOption as problem:
            problems.append(problem)
        else:
            yield code, octets, InvalidOption(name, value, "the same option is given twice; the first one stands")


def _add_timers(
    values: dict[int, bytes],
    timers: Mapping[int, bytes | None],
    chosen: Mapping[int, InvalidOption],
    problems: list[InvalidOption],
) -> None:
    """Add T1 and T2: half and seven eighths of the lease unless chosen, and T1 < T2 < lease (RFC 2131 section 4.4.5).

    A lease for ever has neither: it is never renewed (RFC 2131 section 3.3).
    """
    lease_s = int.from_bytes(values[Code.LEASE_TIME], "big")
    defaults: dict[int, bytes | None] = {Code.T1: None, Code.T2: None}
    if lease_s != INFINITE:
        defaults = {Code.T1: (lease_s // 2).to_bytes(4, "big"), Code.T2: (lease_s * 7 // 8).to_bytes(4, "big")}
    wanted = [octets for octets in (defaults | dict(timers)).values() if octets is not None]
    in_order = [int.from_bytes(octets, "big") for octets in wanted] + [lease_s]
    if any(earlier >= later for earlier, later in itertools.pairwise(in_order)):
        for code in timers:
            given = chosen[code]
            problems.append(InvalidOption(given.name, given.value, "T1 < T2 < lease time must hold; defaults are sent"))
        timers = {}
    values.update({code: octets for code, octets in (defaults | dict(timers)).items() if octets is not None})


def _add_default_route(values: dict[int, bytes]) -> None:
    """Repeat the router in option 121: a client that takes 121 must ignore option 3 (RFC 3442)."""
    written, router = values.get(Code.CLASSLESS_ROUTES), values.get(Code.ROUTER)
    if written and router and not has_default(written):
        nexthop = str(ipaddress.IPv4Address(router[:4]))
        values[Code.CLASSLESS_ROUTES] = written + routes((("0.0.0.0/0", nexthop),))


def _without_lease(values: Mapping[int, bytes]) -> dict[int, bytes]:
    return {code: octets for code, octets in values.items() if code not in LEASE_ONLY}


def _message(kind: MessageType, server_id: bytes, head: bytes, values: Mapping[int, bytes]) -> Message:
    mandatory = option(Code.MESSAGE_TYPE, bytes((kind,))) + option(Code.SERVER_ID, server_id)
    if Code.LEASE_TIME in values:
        mandatory += option(Code.LEASE_TIME, values[Code.LEASE_TIME])
    rank = {code: position for position, code in enumerate(VALUE_ORDER)}
    codes = sorted(values.keys() - {Code.LEASE_TIME}, key=lambda code: (rank.get(code, len(rank)), code))
    optional = tuple((int(code), option(code, values[code])) for code in codes)
    whole = mandatory + b"".join(written for _, written in optional)
    return Message(head=head, mandatory=mandatory, optional=optional, whole=whole)


def _head(lease: Lease, *, yiaddr: bytes, siaddr: bytes, bootfile: bytes) -> bytes:
    """Lay out the headers, the BOOTP fields of RFC 2131 table 3, and the cookie.

    A boot file of 127 octets or less also goes into the file field, where boot ROMs look (RFC 2131 section 2).
    """
    server_id = ipaddress.IPv4Address(lease.server_id).packed
    bootp = bytearray(BOOTP_OCTETS)
    bootp[:3] = bytes((Op.BOOTREPLY, HTYPE_ETHERNET, HLEN_ETHERNET))
    bootp[YIADDR_OFFSET:SIADDR_OFFSET] = yiaddr
    bootp[SIADDR_OFFSET : SIADDR_OFFSET + 4] = siaddr
    bootp[CHADDR_OFFSET : CHADDR_OFFSET + HLEN_ETHERNET] = _octets_of_mac(lease.mac)
    if len(bootfile) < FILE_END - FILE_OFFSET:
        bootp[FILE_OFFSET : FILE_OFFSET + len(bootfile)] = bootfile
    bootp[FILE_END:] = MAGIC_COOKIE
    return (
        _ETHERNET.pack(bytes(6), _octets_of_mac(lease.server_mac), ETHERTYPE_IPV4)
        + _IPV4.pack(IPV4_VERSION_AND_LENGTH, 0, 0, 0, DONT_FRAGMENT, TTL, PROTOCOL_UDP, 0, server_id, bytes(4))
        + _UDP.pack(SERVER_PORT, CLIENT_PORT, 0, 0)
        + bytes(bootp)
    )


def _octets_of_mac(mac: str) -> bytes:
    return bytes.fromhex(mac.replace(":", ""))
