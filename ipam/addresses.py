"""Which addresses does a prefix have, which may hosts use, and which does a pool contain?

Addresses are integers with an IP version here; text appears only at ``parse_*`` and ``text``.
"""

import ipaddress
import socket
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from ipam.errors import CidrError, GatewayInPool, PoolInvalid, PoolOutOfBounds, PoolsOverlap

IPV4 = 4
IPV6 = 6
POINT_TO_POINT_HOST_BITS = 1
"""With one host bit or none there is no network and no broadcast address (RFC 3021 section 2.1)."""
EUI64_PREFIX_LENGTH = 64
"""Interface identifiers are 64 bits (RFC 4291 section 2.5.1)."""
_UNIVERSAL_LOCAL_BIT = 0x02 << 56
_EUI64_FILL = 0xFFFE
_EMBEDDED_IPV4_BITS = 48
"""IPv4-compatible and IPv4-mapped addresses have nothing above (RFC 4291 section 2.5.5)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cidr:
    """An IP prefix; ``first`` has no host bits."""

    version: int
    first: int
    prefix_length: int

    @property
    def host_bits(self) -> int:
        """Number of bits behind the prefix."""
        return (32 if self.version == IPV4 else 128) - self.prefix_length

    @property
    def last(self) -> int:
        """The highest address, which is the broadcast address in IPv4 (RFC 922 section 7)."""
        return self.first | ((1 << self.host_bits) - 1)

    def __contains__(self, address: int) -> bool:
        return self.first <= address <= self.last

    def __str__(self) -> str:
        return f"{text(self.version, self.first)}/{self.prefix_length}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """A range of addresses to choose from; both ends belong to it."""

    version: int
    first: int
    last: int

    @property
    def size(self) -> int:
        """Number of addresses."""
        return self.last - self.first + 1

    def __contains__(self, address: int) -> bool:
        return self.first <= address <= self.last

    def __str__(self) -> str:
        return f"{text(self.version, self.first)}-{text(self.version, self.last)}"


def text(version: int, address: int) -> str:
    """Return the canonical text (RFC 5952 for IPv6).

    >>> text(6, 0x20010db8 << 96)
    '2001:db8::'
    """
    if version == IPV4:
        return f"{address >> 24}.{address >> 16 & 0xFF}.{address >> 8 & 0xFF}.{address & 0xFF}"
    if address >> _EMBEDDED_IPV4_BITS:
        return socket.inet_ntop(socket.AF_INET6, address.to_bytes(16))
    return str(ipaddress.IPv6Address(address))  # inet_ntop(3) would write the end as IPv4


def parse_address(value: str) -> tuple[int, int]:
    """Return (version, integer) of an address.

    Raises:
        ValueError: it is none.
    """
    try:
        # Several times as fast as ipaddress, which matters where a block of 256 stored addresses is read.
        if ":" in value:
            return IPV6, int.from_bytes(socket.inet_pton(socket.AF_INET6, value))
        return IPV4, int.from_bytes(socket.inet_pton(socket.AF_INET, value))
    except (OSError, ValueError):
        address = ipaddress.ip_address(value)
        return address.version, int(address)


@lru_cache(maxsize=4096)  # every port asks for its subnet's
def parse_cidr(value: str) -> Cidr:
    """Return the prefix with its host bits cleared, as Neutron does.

    >>> str(parse_cidr("10.99.0.5/24"))
    '10.99.0.0/24'

    Raises:
        CidrError: it is none, or has no prefix length.
    """
    if "/" not in value:
        raise CidrError(value)
    try:
        network = ipaddress.ip_network(value, strict=False)
    except ValueError as error:
        raise CidrError(value) from error
    return Cidr(version=network.version, first=int(network.network_address), prefix_length=network.prefixlen)


def parse_pool(start: str, end: str) -> Pool:
    """Return the pool between two addresses.

    Raises:
        PoolInvalid: the ends have different versions, are no addresses, or are in the wrong order.
    """
    try:
        (version, first), (end_version, last) = parse_address(start), parse_address(end)
    except ValueError as error:
        raise PoolInvalid(f"{start}-{end}") from error
    if version != end_version or last < first:
        raise PoolInvalid(f"{start}-{end}")
    return Pool(version=version, first=first, last=last)


def is_overlapping(one: Cidr, other: Cidr) -> bool:
    """Say whether two prefixes share an address."""
    return one.version == other.version and one.first <= other.last and other.first <= one.last


def default_gateway(cidr: Cidr) -> int:
    """Return the address a router gets by default.

    The first host address in IPv4; in IPv6 the subnet-router anycast address (RFC 4291 section 2.6.1), as Neutron does.
    """
    return cidr.first + 1 if cidr.version == IPV4 else cidr.first


def usable(cidr: Cidr) -> Pool:
    """Return the addresses that may be a host's.

    Not the network and broadcast address in IPv4 (RFC 1122 section 3.2.1.3) and not the subnet-router anycast
    address in IPv6 (RFC 4291 section 2.6.1); all of a /31, /32, /127 and /128 (RFC 3021, RFC 6164).
    """
    if cidr.host_bits <= POINT_TO_POINT_HOST_BITS:
        return Pool(version=cidr.version, first=cidr.first, last=cidr.last)
    last = cidr.last - 1 if cidr.version == IPV4 else cidr.last
    return Pool(version=cidr.version, first=cidr.first + 1, last=last)


def default_pools(cidr: Cidr, gateway: int | None) -> tuple[Pool, ...]:
    """Return every usable address but the gateway's, as one or two ranges.

    ``gateway`` is an address of the subnet's IP version, inside the subnet or not.
    """
    whole = usable(cidr)
    if gateway is None or gateway not in whole or whole.size == 1:
        return (whole,)
    halves = ((whole.first, gateway - 1), (gateway + 1, whole.last))
    return tuple(Pool(version=cidr.version, first=first, last=last) for first, last in halves if first <= last)


def check_pools(cidr: Cidr, pools: Sequence[Pool], gateway: int | None) -> None:
    """Refuse pools that leave the subnet, overlap, or contain the gateway.

    Raises:
        PoolInvalid, PoolOutOfBounds, PoolsOverlap, GatewayInPool
    """
    whole = usable(cidr)
    for pool in pools:
        if pool.version != cidr.version:
            raise PoolInvalid(str(pool))
        if pool.first < whole.first or pool.last > whole.last:
            raise PoolOutOfBounds(str(pool), str(cidr))
    in_order = sorted(pools, key=lambda pool: pool.first)
    for lower, higher in pairwise(in_order):
        if higher.first <= lower.last:
            one, other = sorted((lower, higher), key=list(pools).index)
            raise PoolsOverlap(str(one), str(other))
    if gateway is not None and whole.size > 1:
        check_gateway_outside(gateway, pools)  # the only address of a subnet may be both, as by default


def check_gateway_outside(gateway: int, pools: Iterable[Pool]) -> None:
    """Refuse a gateway that a pool would hand out.

    Raises:
        GatewayInPool: with the pool it lies in.
    """
    for pool in pools:
        if gateway in pool:
            raise GatewayInPool(text(pool.version, gateway), str(pool))


def eui64(cidr: Cidr, mac_address: str) -> int:
    """Return the address a host makes from its MAC address (RFC 4291 appendix A; RFC 4862 section 5.5.3).

    >>> prefix = parse_cidr("2001:db8::/64")
    >>> text(6, eui64(prefix, "fa:16:3e:46:0f:2e"))
    '2001:db8::f816:3eff:fe46:f2e'
    """
    mac = int(mac_address.replace(":", ""), 16)
    interface_id = (mac >> 24) << 40 | _EUI64_FILL << 24 | (mac & 0xFFFFFF)
    return cidr.first | (interface_id ^ _UNIVERSAL_LOCAL_BIT)
