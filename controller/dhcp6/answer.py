"""What is there to say about one lease over DHCPv6, before anybody asks?

Headers, addresses and options are written once; ``responder`` puts them together for each request.
"""

import ipaddress
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Self

from controller.dhcp6.codec import CLIENT_PORT, NEXT_HEADER_UDP, SERVER_PORT, Code
from controller.dhcp6.errors import InvalidLease, InvalidOption
from controller.dhcp6.frame import (
    INFINITE,
    MTU_DEFAULT,
    MTU_MAX,
    MTU_MIN,
    UNSPECIFIED,
    head,
    link_local,
    mac_octets,
    parse_address,
)
from controller.dhcp6.lease import Lease6
from controller.dhcp6.options import REFRESH_MIN_S, option, parse_extra

HOP_LIMIT: Final = 64
DUID_LL: Final = 3
HARDWARE_ETHERNET: Final = 1
"""RFC 8415 section 11.4: a DUID from a link-layer address that is bound to nothing that can be taken out."""
T1_PERCENT, T2_PERCENT = 50, 80
"""RFC 8415 section 21.4: recommended parts of the shortest preferred lifetime."""

VALUE_ORDER: Final[tuple[int, ...]] = (
    Code.DNS_SERVERS,
    Code.BOOTFILE_URL,
    Code.BOOTFILE_PARAM,
    Code.DOMAIN_LIST,
    Code.NTP_SERVER,
    Code.SNTP_SERVERS,
)
"""Most valuable first: find others, then boot, then names and time. All others follow by number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer6:
    """The compiled form of one lease."""

    mac: bytes
    head: bytes
    """Ethernet, IPv6 and UDP; destination address, lengths and checksum are zero."""
    server_address: bytes
    server_id: bytes
    """The server's DUID."""
    addresses: tuple[bytes, ...]
    written: tuple[bytes, ...]
    """IA Address options (RFC 8415 section 21.6), one for each address and in the same order."""
    timers: bytes
    """T1 and T2."""
    on_link: tuple[tuple[int, int], ...]
    """(prefix, mask) pairs."""
    options: tuple[tuple[int, bytes], ...]
    """(code, written option), most valuable first."""
    refresh: bytes
    """Option 32, written; empty when it is left out."""
    datagram_max: int
    """Octets of the longest datagram the port's network carries."""

    @classmethod
    def compile(cls, lease: Lease6) -> tuple[Self, tuple[InvalidOption, ...]]:
        """Write everything a lease can lead to.

        Returns:
            The answer, and the options that cannot be sent: each is skipped, the rest of the lease stands.

        Raises:
            InvalidLease: A MAC, an address, a prefix or a lifetime is not what ``Lease6`` says.
        """
        mac, server_mac = _mac("mac", lease.mac), _mac("server_mac", lease.server_mac)
        server_address = ipaddress.IPv6Address(link_local(lease.server_mac)).packed
        addresses, written = _addresses(lease)
        values, problems = _values(lease)
        refresh = values.pop(Code.REFRESH_TIME, b"")
        rank = {code: position for position, code in enumerate(VALUE_ORDER)}
        codes = sorted(values, key=lambda code: (rank.get(code, len(rank)), code))
        ethernet_and_ipv6 = head(
            eth_dst=mac,
            eth_src=server_mac,
            next_header=NEXT_HEADER_UDP,
            hop_limit=HOP_LIMIT,
            src=server_address,
            dst=UNSPECIFIED,
        )
        answer = cls(
            mac=mac,
            head=ethernet_and_ipv6 + struct.pack("!HHHH", SERVER_PORT, CLIENT_PORT, 0, 0),
            server_address=server_address,
            server_id=struct.pack("!HH", DUID_LL, HARDWARE_ETHERNET) + server_mac,
            addresses=addresses,
            written=written,
            timers=_timers(lease),
            on_link=_on_link(lease),
            options=tuple((code, option(code, values[code])) for code in codes),
            refresh=option(Code.REFRESH_TIME, refresh) if refresh else b"",
            datagram_max=_datagram_max(lease),
        )
        return answer, tuple(problems)

    def is_on_link(self, address: bytes) -> bool:
        """Say whether an address lies in a prefix of the port's network."""
        number = int.from_bytes(address, "big")
        return any(number & mask == prefix for prefix, mask in self.on_link)


def _mac(field: str, mac: str) -> bytes:
    try:
        return mac_octets(mac)
    except ValueError as error:
        raise InvalidLease(field, mac, str(error)) from error


def _addresses(lease: Lease6) -> tuple[tuple[bytes, ...], tuple[bytes, ...]]:
    """Give the octets of each address, and its option."""
    addresses, written = [], []
    for leased in lease.addresses:
        try:
            address = parse_address(leased.address)
        except ValueError as error:
            raise InvalidLease("addresses", leased.address, "IPv6 addresses") from error
        if not (0 <= leased.preferred_s <= leased.valid_s <= INFINITE and leased.valid_s):
            lifetimes = (leased.preferred_s, leased.valid_s)
            raise InvalidLease("addresses", lifetimes, "preferred no longer than valid (RFC 8415 section 21.6)")
        if address.packed in addresses:
            raise InvalidLease("addresses", leased.address, "addresses that differ")
        addresses.append(address.packed)
        lifetimes_octets = struct.pack("!II", leased.preferred_s, leased.valid_s)
        written.append(option(Code.IA_ADDRESS, address.packed + lifetimes_octets))
    return tuple(addresses), tuple(written)


def _timers(lease: Lease6) -> bytes:
    """Write T1 and T2 from the shortest preferred lifetime; for one without end they have none either.

    An address that is no longer preferred says nothing about when to renew. When all are so, T1 and T2 are left to the
    client (RFC 8415 section 14.2: zero).
    """
    preferred = min((leased.preferred_s for leased in lease.addresses if leased.preferred_s), default=0)
    if preferred == INFINITE:
        return struct.pack("!II", INFINITE, INFINITE)
    return struct.pack("!II", preferred * T1_PERCENT // 100, preferred * T2_PERCENT // 100)


def _on_link(lease: Lease6) -> tuple[tuple[int, int], ...]:
    pairs = []
    for cidr in lease.on_link:
        try:
            network = ipaddress.IPv6Network(cidr)
        except ValueError as error:
            raise InvalidLease("on_link", cidr, "IPv6 prefixes without host bits") from error
        pairs.append((int(network.network_address), int(network.netmask)))
    return tuple(pairs)


def _datagram_max(lease: Lease6) -> int:
    if lease.mtu is None:
        return MTU_DEFAULT
    if not MTU_MIN <= lease.mtu <= MTU_MAX:
        raise InvalidLease("mtu", lease.mtu, f"{MTU_MIN} to {MTU_MAX}")
    return lease.mtu


def _values(lease: Lease6) -> tuple[dict[int, bytes], list[InvalidOption]]:
    """Give the octets of every option the lease leads to, the user's own in place of the default ones."""
    if not REFRESH_MIN_S <= lease.refresh_s <= INFINITE:
        raise InvalidLease("refresh_s", lease.refresh_s, f"{REFRESH_MIN_S} to {INFINITE} seconds")
    problems: list[InvalidOption] = []
    defaults = (
        ("dns-server", ",".join(lease.dns_servers)),
        ("domain-search", ",".join(lease.search_domains)),
        ("information-refresh-time", "infinite" if lease.refresh_s == INFINITE else str(lease.refresh_s)),
    )
    values = {code: octets for code, octets, _ in _parsed((d for d in defaults if d[1]), problems) if octets}
    chosen: set[int] = set()
    for code, octets, again in _parsed(lease.extra_options, problems):
        if code in chosen:
            problems.append(again)
            continue
        chosen.add(code)
        if octets is None:
            values.pop(code, None)
        else:
            values[code] = octets
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
