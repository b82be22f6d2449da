"""Where in an Ethernet frame does the IPv6 payload stand, and how is one put into a frame?

Shared by router advertisements and DHCPv6; what the payload means is decided there.
"""

import ipaddress
import re
import struct
from typing import Final, NamedTuple

from controller.dhcp6.errors import MalformedFrame

ETHERNET_OCTETS: Final = 14
IPV6_OCTETS: Final = 40
PAYLOAD_START: Final = ETHERNET_OCTETS + IPV6_OCTETS
ETHERTYPE_IPV6: Final = 0x86DD
ETHERTYPES_VLAN: Final = (0x8100, 0x88A8)
"""IEEE 802.1Q and 802.1ad tags."""
IP_VERSION: Final = 6
MTU_MIN: Final = 1280
"""RFC 8200 section 5: every link carries it."""
MTU_DEFAULT: Final = 1500
"""RFC 2464 section 2: what an Ethernet frame carries."""
MTU_MAX: Final = 65535
INFINITE: Final = 0xFFFFFFFF
"""RFC 4861 section 4.6.2 and RFC 8415 section 7.7: a lifetime without end."""

UNSPECIFIED: Final = bytes(16)
ALL_NODES: Final = ipaddress.IPv6Address("ff02::1").packed
ALL_NODES_MAC: Final = bytes.fromhex("333300000001")
"""RFC 2464 section 7: 33-33 and the last four octets of the group."""
MULTICAST: Final = 0xFF
"""First octet of every multicast address (RFC 4291 section 2.4)."""
LINK_LOCAL: Final = ipaddress.IPv6Network("fe80::/10")

CHECKSUM_MODULUS: Final = 0xFFFF
"""A ones' complement sum of 16-bit words is the whole number modulo 65535 (RFC 1071 section 2)."""

_MAC: Final = re.compile(r"[0-9a-f]{2}(:[0-9a-f]{2}){5}")
_ETHERNET_IPV6: Final = struct.Struct("!6s6sHB3xHBB16s16s")
_IPV6: Final = struct.Struct("!6s6sHIHBB16s16s")
_GROUP_BIT: Final = 0x01
_ADDRESSES_AT: Final = ETHERNET_OCTETS + 8
_SHORT: Final = struct.Struct("!H")


class Datagram(NamedTuple):
    """One whole IPv6 datagram without extension headers; addresses are octets in network byte order."""

    eth_src: bytes
    src: bytes
    dst: bytes
    next_header: int
    hop_limit: int
    end: int
    """Where the payload ends; it starts at ``PAYLOAD_START``. What follows is Ethernet padding."""


def datagram_from_wire(frame: bytes) -> Datagram:
    """Read the headers of one frame.

    Extension headers are not followed: neither a router solicitation nor a DHCPv6 message has a use for one, and they
    are how such messages are hidden from those who watch (RFC 7113 section 2).

    Raises:
        MalformedFrame: Not one whole, untagged IPv6 datagram from one station.
    """
    if len(frame) < PAYLOAD_START:
        raise MalformedFrame(f"{len(frame)} octets are too short for Ethernet and IPv6")
    _, eth_src, ethertype, first, length, next_header, hop_limit, src, dst = _ETHERNET_IPV6.unpack_from(frame)
    if ethertype != ETHERTYPE_IPV6:
        tagged = "a VLAN tag, which no guest may send" if ethertype in ETHERTYPES_VLAN else "not IPv6"
        raise MalformedFrame(f"Ethernet type 0x{ethertype:04x} is {tagged}")
    if first >> 4 != IP_VERSION:
        raise MalformedFrame(f"0x{first:02x} does not begin an IPv6 header")
    if length > len(frame) - PAYLOAD_START:
        raise MalformedFrame(f"an IPv6 payload of {length} octets does not fit a frame of {len(frame)}")
    if eth_src[0] & _GROUP_BIT:
        raise MalformedFrame("the source is a group MAC address")
    if src[0] == MULTICAST:
        raise MalformedFrame("the source is a multicast address")
    return Datagram(eth_src, src, dst, next_header, hop_limit, PAYLOAD_START + length)


def head(*, eth_dst: bytes, eth_src: bytes, next_header: int, hop_limit: int, src: bytes, dst: bytes) -> bytes:
    """Write Ethernet and IPv6 headers (RFC 8200 section 3); the payload length is left to ``seal``."""
    return _IPV6.pack(eth_dst, eth_src, ETHERTYPE_IPV6, IP_VERSION << 28, 0, next_header, hop_limit, src, dst)


def seal(frame: bytearray, *, next_header: int, checksum_at: int) -> bytes:
    """Write the payload length, and the checksum over pseudo header and payload (RFC 8200 section 8.1).

    A sum that comes out as zero is sent as all ones: UDP must (RFC 8200 section 8.1), and for ICMPv6 it is the same
    number.
    """
    length = len(frame) - PAYLOAD_START
    _SHORT.pack_into(frame, ETHERNET_OCTETS + 4, length)
    _SHORT.pack_into(frame, checksum_at, 0)
    total = -_sum(frame, len(frame), next_header) % CHECKSUM_MODULUS
    _SHORT.pack_into(frame, checksum_at, total or CHECKSUM_MODULUS)
    return bytes(frame)


def is_sum_right(frame: bytes, datagram: Datagram) -> bool:
    """Say whether the checksum within the payload is right: with it the whole sums to zero (RFC 1071 section 1)."""
    return _sum(frame, datagram.end, datagram.next_header) % CHECKSUM_MODULUS == 0


def _sum(frame: bytes | bytearray, end: int, next_header: int) -> int:
    """Give a number that is, modulo 65535, the sum of pseudo header and payload; an odd octet is padded with zero."""
    number = int.from_bytes(frame[_ADDRESSES_AT:end], "big") << 8 * ((end - _ADDRESSES_AT) % 2)
    return number + end - PAYLOAD_START + next_header


def mac_octets(mac: str) -> bytes:
    """Write a MAC.

    Raises:
        ValueError: Not lower case with colons.
    """
    if not _MAC.fullmatch(mac):
        raise ValueError("a MAC in lower case with colons")
    return bytes.fromhex(mac.replace(":", ""))


def parse_address(text: str) -> ipaddress.IPv6Address:
    """Read an address; a zone, which Python takes for part of one, is refused: it never leaves a host (RFC 4007).

    Raises:
        ValueError: Not an IPv6 address.
    """
    if "%" in text:
        raise ValueError(f"{text!r} names a zone, which only its own host knows")
    return ipaddress.IPv6Address(text)


def link_local(mac: str) -> str:
    """Give the link-local address formed from a MAC (RFC 4291 section 2.5.6 and appendix A).

    >>> link_local("02:57:45:46:54:01")
    'fe80::57:45ff:fe46:5401'

    Raises:
        ValueError: Not a MAC in lower case with colons.
    """
    octets = mac_octets(mac)
    identifier = bytes((octets[0] ^ 0x02,)) + octets[1:3] + b"\xff\xfe" + octets[3:]
    return str(ipaddress.IPv6Address(b"\xfe\x80" + bytes(6) + identifier))
