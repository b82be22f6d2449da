"""What does this frame ask of a DHCPv6 server?

Reads Ethernet, IPv6, UDP, the message and its options, checks every length, and gives a ``Request`` or a
``MalformedFrame``. Whether and how to answer is decided in ``responder``.
"""

import struct
from collections.abc import Iterator
from enum import IntEnum
from typing import Final, NamedTuple

from controller.dhcp6.errors import MalformedFrame
from controller.dhcp6.frame import PAYLOAD_START, UNSPECIFIED, Datagram, datagram_from_wire

SERVER_PORT: Final = 547
CLIENT_PORT: Final = 546
"""RFC 8415 section 7.2."""
NEXT_HEADER_UDP: Final = 17
UDP_OCTETS: Final = 8
MESSAGE_OCTETS: Final = 4
"""Type and transaction id (RFC 8415 section 8)."""
OPTION_OCTETS: Final = 4
"""Code and length (RFC 8415 section 21.1)."""
DUID_MIN: Final = 3
DUID_MAX: Final = 130
"""RFC 8415 section 11.1: a type of two octets and 1 to 128 more."""


class MessageType(IntEnum):
    """RFC 8415 section 7.3."""

    SOLICIT = 1
    ADVERTISE = 2
    REQUEST = 3
    CONFIRM = 4
    RENEW = 5
    REBIND = 6
    REPLY = 7
    RELEASE = 8
    DECLINE = 9
    RECONFIGURE = 10
    INFORMATION_REQUEST = 11
    RELAY_FORW = 12
    RELAY_REPL = 13


class Code(IntEnum):
    """The options this package reads or writes by itself (RFC 8415 section 21; others as noted)."""

    CLIENT_ID = 1
    SERVER_ID = 2
    IA_NA = 3
    IA_TA = 4
    IA_ADDRESS = 5
    OPTION_REQUEST = 6
    PREFERENCE = 7
    ELAPSED_TIME = 8
    RELAY_MESSAGE = 9
    AUTHENTICATION = 11
    UNICAST = 12
    STATUS = 13
    RAPID_COMMIT = 14
    INTERFACE_ID = 18
    RECONFIGURE_MESSAGE = 19
    RECONFIGURE_ACCEPT = 20
    DNS_SERVERS = 23
    """RFC 3646 section 3."""
    DOMAIN_LIST = 24
    """RFC 3646 section 4."""
    IA_PD = 25
    IA_PREFIX = 26
    SNTP_SERVERS = 31
    """RFC 4075 section 4."""
    REFRESH_TIME = 32
    NTP_SERVER = 56
    """RFC 5908 section 4."""
    BOOTFILE_URL = 59
    """RFC 5970 section 3.1."""
    BOOTFILE_PARAM = 60
    """RFC 5970 section 3.2."""
    SOL_MAX_RT = 82
    INF_MAX_RT = 83


class Status(IntEnum):
    """RFC 8415 section 21.13."""

    SUCCESS = 0
    NO_ADDRS_AVAIL = 2
    NO_BINDING = 3
    NOT_ON_LINK = 4
    USE_MULTICAST = 5
    NO_PREFIX_AVAIL = 6


class IdentityAssociation(NamedTuple):
    """One IA_NA, IA_TA or IA_PD of a client (RFC 8415 sections 21.4, 21.5 and 21.21)."""

    code: int
    iaid: bytes
    addresses: tuple[bytes, ...]
    """Those the client holds or would like; empty in an IA_PD."""


class Request(NamedTuple):
    """What one frame says; addresses are octets in network byte order. A named tuple as one is made per packet."""

    eth_src: bytes
    src: bytes
    dst: bytes
    kind: int
    xid: bytes
    client_id: bytes | None
    server_id: bytes | None
    wanted: frozenset[int] | None
    """Option 6: the options asked for; None when the client leaves the choice to the server."""
    rapid_commit: bool
    associations: tuple[IdentityAssociation, ...]


_UDP_MESSAGE: Final = struct.Struct("!2xHH2xB3s")
_OPTION: Final = struct.Struct("!HH")
_FIXED_OCTETS: Final = {int(Code.IA_NA): 12, int(Code.IA_TA): 4, int(Code.IA_PD): 12}
"""What stands before an association's options: IAID, T1 and T2, or the IAID alone."""
_IA_ADDRESS_OCTETS: Final = 24
_IAID_OCTETS: Final = 4
_ADDRESS_OCTETS: Final = 16
_SINGLE: Final = frozenset({Code.CLIENT_ID, Code.SERVER_ID, Code.OPTION_REQUEST})


def from_wire(frame: bytes) -> Request:
    """Read one Ethernet frame as a client's DHCPv6 message.

    The UDP checksum is not verified: a guest with transmit offload leaves the sum of the pseudo header there, and the
    frame never crossed a wire. A relay's message has another form (RFC 8415 section 9) and is read no further than its
    type, since nobody answers it here.

    Raises:
        MalformedFrame: A length, a fixed field or an option contradicts the frame.
    """
    datagram = datagram_from_wire(frame)
    kind, xid, end = _message(frame, datagram)
    single: dict[int, bytes] = {}
    rapid_commit, associations = False, []
    if kind not in (MessageType.RELAY_FORW, MessageType.RELAY_REPL):
        for code, at, stop in _options(frame, PAYLOAD_START + UDP_OCTETS + MESSAGE_OCTETS, end):
            if code in _SINGLE:
                if code in single:
                    raise MalformedFrame(f"option {code} stands twice, and may stand once (RFC 8415 section 21)")
                single[code] = frame[at:stop]
            elif code in _FIXED_OCTETS:
                associations.append(_association(frame, code, at, stop))
            elif code == Code.RAPID_COMMIT:
                rapid_commit = True
    return Request(
        datagram.eth_src,
        datagram.src,
        datagram.dst,
        kind,
        xid,
        _duid(single, Code.CLIENT_ID),
        _duid(single, Code.SERVER_ID),
        _wanted(single),
        rapid_commit,
        tuple(associations),
    )


def _message(frame: bytes, datagram: Datagram) -> tuple[int, bytes, int]:
    """Give type, transaction id and end of the message.

    Raises:
        MalformedFrame: Not one UDP datagram of a client that can be answered.
    """
    length = datagram.end - PAYLOAD_START
    if datagram.next_header != NEXT_HEADER_UDP:
        raise MalformedFrame(f"next header {datagram.next_header} is not UDP")
    if length < UDP_OCTETS + MESSAGE_OCTETS:
        raise MalformedFrame(f"an IPv6 payload of {length} octets is too short for a DHCPv6 message")
    port, udp_length, kind, xid = _UDP_MESSAGE.unpack_from(frame, PAYLOAD_START)
    if port != SERVER_PORT:
        raise MalformedFrame(f"UDP port {port} is not the DHCPv6 server port 547")
    if not UDP_OCTETS + MESSAGE_OCTETS <= udp_length <= length:
        raise MalformedFrame(f"a UDP length of {udp_length} does not fit an IPv6 payload of {length} octets")
    if datagram.src == UNSPECIFIED:
        raise MalformedFrame("the source is the unspecified address, so there is nobody to answer")
    return kind, xid, PAYLOAD_START + udp_length


def _options(frame: bytes, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Yield each option's code and the range of its value.

    Raises:
        MalformedFrame: An option reaches past ``end``.
    """
    at = start
    while at < end:
        if at + OPTION_OCTETS > end:
            raise MalformedFrame(f"{end - at} octets are left where an option should begin")
        code, length = _OPTION.unpack_from(frame, at)
        at += OPTION_OCTETS
        if at + length > end:
            raise MalformedFrame(f"option {code} of {length} octets reaches past what holds it")
        yield code, at, at + length
        at += length


def _association(frame: bytes, code: int, start: int, end: int) -> IdentityAssociation:
    """Read an association and the addresses in it; T1, T2 and lifetimes are hints a server need not heed.

    Raises:
        MalformedFrame: It or an address in it is too short, or an option reaches past it.
    """
    if end - start < _FIXED_OCTETS[code]:
        raise MalformedFrame(f"option {code} cannot be {end - start} octets long")
    addresses = []
    for inner, at, stop in _options(frame, start + _FIXED_OCTETS[code], end):
        if inner == Code.IA_ADDRESS:
            if stop - at < _IA_ADDRESS_OCTETS:
                raise MalformedFrame(f"option {inner} cannot be {stop - at} octets long")
            addresses.append(frame[at : at + _ADDRESS_OCTETS])
    return IdentityAssociation(code, frame[start : start + _IAID_OCTETS], tuple(addresses))


def _duid(single: dict[int, bytes], code: Code) -> bytes | None:
    duid = single.get(code)
    if duid is not None and not DUID_MIN <= len(duid) <= DUID_MAX:
        raise MalformedFrame(f"a DUID cannot be {len(duid)} octets long")
    return duid


def _wanted(single: dict[int, bytes]) -> frozenset[int] | None:
    octets = single.get(Code.OPTION_REQUEST)
    if octets is None:
        return None
    if len(octets) % 2:
        raise MalformedFrame(f"option 6 cannot be {len(octets)} octets long")
    return frozenset(struct.unpack(f"!{len(octets) // 2}H", octets))
