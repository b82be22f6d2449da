"""What does this frame ask of a DHCP server?

Reads Ethernet, IPv4, UDP, BOOTP and options, checks every length, and gives a ``Request`` or a ``MalformedFrame``.
Whether and how to answer is decided in ``responder``.
"""

import struct
from enum import IntEnum
from typing import NamedTuple

from controller.dhcp.errors import MalformedFrame

SERVER_PORT = 67
CLIENT_PORT = 68
MAGIC_COOKIE = bytes((99, 130, 83, 99))
"""RFC 2131 section 3: the first four octets of a DHCP options field."""

ETHERNET_OCTETS = 14
IPV4_OCTETS = 20
UDP_OCTETS = 8
BOOTP_OCTETS = 240
"""The fixed BOOTP fields (236) and the magic cookie (RFC 2131 section 2, figure 1)."""

ETHERTYPE_IPV4 = 0x0800
ETHERTYPES_VLAN = (0x8100, 0x88A8)
"""IEEE 802.1Q and 802.1ad tags."""
PROTOCOL_UDP = 17
CHECKSUM_MODULUS = 0xFFFF
"""A ones' complement sum of 16-bit words is the whole number modulo 65535 (RFC 1071 section 2)."""
IP_VERSION = 4
IP_FRAGMENT_BITS = 0x3FFF
"""More Fragments and the fragment offset (RFC 791 section 3.1)."""

HTYPE_ETHERNET = 1
HLEN_ETHERNET = 6
BROADCAST_FLAG = 0x8000
"""RFC 2131 section 2, figure 2."""

SNAME_OFFSET = 44
FILE_OFFSET = 108
FILE_END = 236

OVERLOAD_FILE = 1
OVERLOAD_SNAME = 2
OVERLOAD_MAX = 3
"""RFC 2132 section 9.3: 1 is file, 2 is sname, 3 is both."""
CLIENT_ID_MIN = 2
"""RFC 2132 section 9.14."""
OPTION_MAX = 255
"""What one length octet can say."""

_ETHERNET_IPV4 = struct.Struct("!6x6sHBxH2xHxB")
_UDP_BOOTP = struct.Struct("!2xHH2xBBBx4s2xH4s8x4s6s10x192x4s")


class Op(IntEnum):
    """RFC 2131 section 2: who speaks."""

    BOOTREQUEST = 1
    BOOTREPLY = 2


class MessageType(IntEnum):
    """RFC 2132 section 9.6."""

    DISCOVER = 1
    OFFER = 2
    REQUEST = 3
    DECLINE = 4
    ACK = 5
    NAK = 6
    RELEASE = 7
    INFORM = 8


class Code(IntEnum):
    """The options this package reads or writes by itself (RFC 2132; 121: RFC 3442; 249: [MS-DHCPE])."""

    PAD = 0
    SUBNET_MASK = 1
    ROUTER = 3
    DNS_SERVER = 6
    HOSTNAME = 12
    DOMAIN_NAME = 15
    MTU = 26
    REQUESTED_ADDRESS = 50
    LEASE_TIME = 51
    OVERLOAD = 52
    MESSAGE_TYPE = 53
    SERVER_ID = 54
    PARAMETERS = 55
    MESSAGE = 56
    MAX_MESSAGE_SIZE = 57
    T1 = 58
    T2 = 59
    CLIENT_ID = 61
    TFTP_SERVER = 66
    BOOTFILE = 67
    RELAY_AGENT = 82
    CLASSLESS_ROUTES = 121
    TFTP_ADDRESS = 150
    MS_CLASSLESS_ROUTES = 249
    END = 255


_PAD = int(Code.PAD)
_END = int(Code.END)
_OVERLOAD = int(Code.OVERLOAD)
_MESSAGE_TYPE = int(Code.MESSAGE_TYPE)
_REQUESTED_ADDRESS = int(Code.REQUESTED_ADDRESS)
_SERVER_ID = int(Code.SERVER_ID)
_PARAMETERS = int(Code.PARAMETERS)
_MAX_MESSAGE_SIZE = int(Code.MAX_MESSAGE_SIZE)
_CLIENT_ID = int(Code.CLIENT_ID)


class Request(NamedTuple):
    """What one frame says; addresses are octets in network byte order.

    A named tuple, not a dataclass: one is made per packet, and a frozen dataclass of this size takes three times as
    long to make.
    """

    eth_src: bytes
    op: int
    xid: bytes
    is_broadcast: bool
    """The client asks for a broadcast answer (RFC 2131 section 4.1)."""
    ciaddr: bytes
    giaddr: bytes
    chaddr: bytes
    message_type: int | None
    """Option 53; None in plain BOOTP."""
    requested_address: bytes | None
    server_id: bytes | None
    parameters: bytes
    """Option 55, one octet per option asked for."""
    max_message_size: int | None
    """Option 57: octets of the longest IP datagram the client takes."""
    client_id: bytes | None


def from_wire(frame: bytes) -> Request:
    """Read one Ethernet frame as a DHCP message.

    Octets after the IPv4 datagram are Ethernet padding and are left alone (RFC 894), and so are those after the UDP
    datagram. The UDP checksum is not verified: a guest with transmit offload leaves the sum of the pseudo header
    there, and the frame never crossed a wire.

    Raises:
        MalformedFrame: A length, a fixed field or an option contradicts the frame.
    """
    eth_src, start, end = _udp_datagram(frame)
    if end - start < UDP_OCTETS + BOOTP_OCTETS:
        raise MalformedFrame(f"an IPv4 payload of {end - start} octets is too short for a DHCP message")
    port, length, op, htype, hlen, xid, flags, ciaddr, giaddr, chaddr, cookie = _UDP_BOOTP.unpack_from(frame, start)
    if port != SERVER_PORT:
        raise MalformedFrame(f"UDP port {port} is not the DHCP server port 67")
    if not UDP_OCTETS + BOOTP_OCTETS <= length <= end - start:
        raise MalformedFrame(f"a UDP length of {length} does not fit an IPv4 payload of {end - start} octets")
    if op not in (Op.BOOTREQUEST, Op.BOOTREPLY):
        raise MalformedFrame(f"op {op} is neither a request nor a reply")
    if htype != HTYPE_ETHERNET or hlen != HLEN_ETHERNET:
        raise MalformedFrame(f"hardware type {htype} with {hlen} octets is not Ethernet")
    options: dict[int, bytes] = {}
    if cookie == MAGIC_COOKIE:
        bootp = start + UDP_OCTETS
        _read_options(frame, bootp + BOOTP_OCTETS, start + length, options)
        if _OVERLOAD in options:
            _read_overloaded(frame, bootp, options)
    return Request(
        eth_src,
        op,
        xid,
        flags & BROADCAST_FLAG != 0,
        ciaddr,
        giaddr,
        chaddr,
        *_fields(options),
    )


def _udp_datagram(frame: bytes) -> tuple[bytes, int, int]:
    """Give the Ethernet source and the range of the UDP datagram within the frame.

    Raises:
        MalformedFrame: Not one whole, correct, untagged IPv4 datagram with UDP in it.
    """
    if len(frame) < ETHERNET_OCTETS + IPV4_OCTETS:
        raise MalformedFrame(f"{len(frame)} octets are too short for Ethernet and IPv4")
    eth_src, ethertype, first, total, fragment, protocol = _ETHERNET_IPV4.unpack_from(frame)
    if ethertype != ETHERTYPE_IPV4:
        tagged = "a VLAN tag, which no guest may send" if ethertype in ETHERTYPES_VLAN else "not IPv4"
        raise MalformedFrame(f"Ethernet type 0x{ethertype:04x} is {tagged}")
    header = (first & 0x0F) * 4
    if first >> 4 != IP_VERSION or header < IPV4_OCTETS:
        raise MalformedFrame(f"0x{first:02x} does not begin an IPv4 header")
    if not header <= total <= len(frame) - ETHERNET_OCTETS:
        raise MalformedFrame(f"an IPv4 length of {total} does not fit a frame of {len(frame)} octets")
    start = ETHERNET_OCTETS + header
    # RFC 1122 section 3.2.1.2: a host must verify the header checksum. A correct header sums to a multiple of 65535.
    if int.from_bytes(frame[ETHERNET_OCTETS:start], "big") % CHECKSUM_MODULUS:
        raise MalformedFrame("the IPv4 header checksum is wrong")
    if fragment & IP_FRAGMENT_BITS:
        raise MalformedFrame("the IPv4 datagram is a fragment")
    if protocol != PROTOCOL_UDP:
        raise MalformedFrame(f"IPv4 protocol {protocol} is not UDP")
    return eth_src, start, ETHERNET_OCTETS + total


def _read_options(frame: bytes, start: int, end: int, options: dict[int, bytes]) -> None:
    """Add the options of one field; parts of one option are joined in order (RFC 3396 section 5).

    A field that ends without option 255 is accepted if its last option is whole: nothing in it is in doubt.

    Raises:
        MalformedFrame: An option reaches past the end of its field.
    """
    at = start
    while at < end:
        code = frame[at]
        if code == _END:
            return
        if code == _PAD:
            at += 1
            continue
        at += 2
        if at > end:
            raise MalformedFrame(f"option {code} has no length")
        stop = at + frame[at - 1]
        if stop > end:
            raise MalformedFrame(f"option {code} of {stop - at} octets reaches past its field")
        part = frame[at:stop]
        options[code] = options[code] + part if code in options else part
        at = stop


def _read_overloaded(frame: bytes, bootp: int, options: dict[int, bytes]) -> None:
    """Read file, then sname as further option fields where option 52 says so (RFC 2131 section 4.1).

    Each field is read once: an option 52 found inside them is an error, not an instruction (RFC 3396 section 5 keeps
    it in the options field), so no message can make the parser go round.

    Raises:
        MalformedFrame: Option 52 is not 1, 2 or 3, or stands inside a field it opens.
    """
    overload = options[_OVERLOAD]
    which = overload[0] if len(overload) == 1 else 0
    if not OVERLOAD_FILE <= which <= OVERLOAD_MAX:
        raise MalformedFrame(f"option overload is {overload.hex() or 'empty'}, not 1, 2 or 3")
    if which & OVERLOAD_FILE:
        _read_options(frame, bootp + FILE_OFFSET, bootp + FILE_END, options)
    if which & OVERLOAD_SNAME:
        _read_options(frame, bootp + SNAME_OFFSET, bootp + FILE_OFFSET, options)
    if options[_OVERLOAD] != overload:
        raise MalformedFrame("option overload stands inside the file or sname field")


def _fields(
    options: dict[int, bytes],
) -> tuple[int | None, bytes | None, bytes | None, bytes, int | None, bytes | None]:
    """Give the options a server reads, each of the length RFC 2132 section 9 states.

    Raises:
        MalformedFrame: One of them has another length.
    """
    get = options.get
    kind, requested, server = get(_MESSAGE_TYPE), get(_REQUESTED_ADDRESS), get(_SERVER_ID)
    size, client_id = get(_MAX_MESSAGE_SIZE), get(_CLIENT_ID)
    if kind is not None and len(kind) != 1:
        raise _wrong_length(_MESSAGE_TYPE, kind)
    if requested is not None and len(requested) != 4:  # noqa: PLR2004 (octets of an IPv4 address)
        raise _wrong_length(_REQUESTED_ADDRESS, requested)
    if server is not None and len(server) != 4:  # noqa: PLR2004
        raise _wrong_length(_SERVER_ID, server)
    if size is not None and len(size) != 2:  # noqa: PLR2004 (a 16-bit number)
        raise _wrong_length(_MAX_MESSAGE_SIZE, size)
    if client_id is not None and not CLIENT_ID_MIN <= len(client_id) <= OPTION_MAX:
        raise _wrong_length(_CLIENT_ID, client_id)
    return (
        None if kind is None else kind[0],
        requested,
        server,
        get(_PARAMETERS, b""),
        None if size is None else size[0] << 8 | size[1],
        client_id,
    )


def _wrong_length(code: int, value: bytes) -> MalformedFrame:
    return MalformedFrame(f"option {code} cannot be {len(value)} octets long")
