"""Which frame, if any, answers this frame?

Stateless: the answer is the port's lease, so any number of controllers may answer and nothing is remembered (RFC 2131
section 4.3 with one address and one client). The caller chooses the ``Answer`` by the port the frame came from and
sends the reply out of that port; bytes in, bytes out.
"""

import ipaddress
import struct
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from controller.dhcp.answer import Answer, Message
from controller.dhcp.codec import (
    BOOTP_OCTETS,
    CHECKSUM_MODULUS,
    IPV4_OCTETS,
    PROTOCOL_UDP,
    UDP_OCTETS,
    Code,
    MessageType,
    Op,
    Request,
    from_wire,
)
from controller.dhcp.errors import MalformedFrame

__all__ = ("Answer", "Counters", "Outcome", "Reply", "respond")

DATAGRAM_MIN: Final = 576
"""RFC 2131 section 2: every client takes 576 octets; option 57 can only raise that (RFC 2132 section 9.10)."""
OPTIONS_MIN: Final = 60
"""Pads the BOOTP message to 300 octets (RFC 1542 section 2.1), which some clients and relays insist on."""

_NO_ADDRESS: Final = bytes(4)
_BROADCAST: Final = b"\xff" * 4
_BROADCAST_MAC: Final = b"\xff" * 6
_END: Final = bytes((Code.END,))
_HEADERS: Final = IPV4_OCTETS + UDP_OCTETS + BOOTP_OCTETS

# Offsets within the frame: Ethernet 14, IPv4 20, UDP 8, BOOTP.
_IP_START: Final = 14
_IP_LENGTH: Final = 16
_IP_CHECKSUM: Final = 24
_IP_ADDRESSES: Final = 26
_IP_DESTINATION: Final = 30
_UDP_START: Final = 34
_UDP_LENGTH: Final = 38
_UDP_CHECKSUM: Final = 40
_XID: Final = 46
_SHORT: Final = struct.Struct("!H")
_XID_TO_CIADDR: Final = struct.Struct("!4s2xH4s")


class Outcome(StrEnum):
    """What became of a frame; one counter each."""

    OFFER = "offer"
    ACK = "ack"
    INFORM_ACK = "inform_ack"
    NAK = "nak"
    DECLINED = "declined"
    """The guest found its address in use (RFC 2131 section 4.3.3): worth a log line, nothing is answered."""
    RELEASED = "released"
    """RFC 2131 section 4.3.4; the port keeps its address."""
    IGNORED_BOOTP = "ignored_bootp"
    """No option 53, so no DHCP (RFC 1534 section 2 leaves BOOTP clients to the server's choice)."""
    IGNORED_REPLY = "ignored_reply"
    """A BOOTREPLY sent to a server's port."""
    IGNORED_TYPE = "ignored_type"
    """A message type that servers send or nobody knows."""
    IGNORED_RELAYED = "ignored_relayed"
    """giaddr is set: a guest is no relay."""
    IGNORED_SOURCE = "ignored_source"
    """The frame's source is not the lease's MAC."""
    IGNORED_CHADDR = "ignored_chaddr"
    """chaddr is not the lease's MAC."""
    IGNORED_OTHER_SERVER = "ignored_other_server"
    """Option 54 names another server (RFC 2131 section 4.3.2: the client took another offer)."""
    IGNORED_ADDRESS = "ignored_address"
    """DHCPINFORM from outside the subnet, or DECLINE and RELEASE of an address the port does not have."""
    MALFORMED = "malformed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What to send back, and why or why not."""

    frame: bytes | None
    outcome: Outcome
    detail: str = ""
    """What is wrong with a malformed frame."""
    left_out: tuple[int, ...] = ()
    """Codes of the options that did not fit the client's maximum message size."""


def respond(answer: Answer, frame: bytes) -> Reply:
    """Answer one frame of the port that holds the lease (RFC 2131 section 4.3); never raises on any frame."""
    try:
        request = from_wire(frame)
        if request.op != Op.BOOTREQUEST:
            return Reply(frame=None, outcome=Outcome.IGNORED_REPLY)
        if request.eth_src != answer.mac:
            return Reply(frame=None, outcome=Outcome.IGNORED_SOURCE)
        if request.chaddr != answer.mac:
            return Reply(frame=None, outcome=Outcome.IGNORED_CHADDR)
        if request.giaddr != _NO_ADDRESS:
            return Reply(frame=None, outcome=Outcome.IGNORED_RELAYED)
        return _BY_TYPE.get(request.message_type, _ignore_type)(answer, request)
    except MalformedFrame as error:
        return Reply(frame=None, outcome=Outcome.MALFORMED, detail=error.reason)


def _discover(answer: Answer, request: Request) -> Reply:
    """Offer the lease (RFC 2131 section 4.3.1); ciaddr is zero in both (table 5), whatever the guest wrote there."""
    message = answer.offer_ms if Code.MS_CLASSLESS_ROUTES in request.parameters else answer.offer
    if request.ciaddr != _NO_ADDRESS:
        request = request._replace(ciaddr=_NO_ADDRESS)
    return _send(answer, request, message, Outcome.OFFER)


def _request(answer: Answer, request: Request) -> Reply:
    """Confirm or refuse an address (RFC 2131 section 4.3.2).

    SELECTING has a server identifier, INIT-REBOOT a requested address, RENEWING and REBINDING only ciaddr. In every
    state each address the client names must be the lease's: one port has one address, and the responder knows all of
    its clients, so it need not stay silent as a server without a record must. ciaddr beside a requested address is
    against table 5 yet sent by some clients; it is held to the same rule.

    Raises:
        MalformedFrame: No address is asked for at all.
    """
    if request.server_id is not None and request.server_id != answer.server_id:
        return Reply(frame=None, outcome=Outcome.IGNORED_OTHER_SERVER)
    requested = request.requested_address
    if requested is None and request.ciaddr == _NO_ADDRESS:
        raise MalformedFrame("DHCPREQUEST names no address, neither in option 50 nor in ciaddr")
    if requested not in (None, answer.address) or request.ciaddr not in (_NO_ADDRESS, answer.address):
        return _send(answer, request, answer.nak, Outcome.NAK)
    message = answer.ack_ms if Code.MS_CLASSLESS_ROUTES in request.parameters else answer.ack
    return _send(answer, request, message, Outcome.ACK)


def _inform(answer: Answer, request: Request) -> Reply:
    """Give configuration without an address (RFC 2131 section 4.3.5), to ciaddr.

    ciaddr must be a host address of the port's subnet: section 3.4 asks for that check and forbids asking for a lease,
    so any address the guest configured itself will do.
    """
    address, subnet = ipaddress.IPv4Address(request.ciaddr), answer.subnet
    is_host = request.ciaddr == answer.address or (
        address in subnet and address not in (subnet.network_address, subnet.broadcast_address)
    )
    if not is_host:
        return Reply(frame=None, outcome=Outcome.IGNORED_ADDRESS)
    message = answer.inform_ms if Code.MS_CLASSLESS_ROUTES in request.parameters else answer.inform
    return _send(answer, request, message, Outcome.INFORM_ACK)


def _decline(answer: Answer, request: Request) -> Reply:
    """Note that the guest cannot use its address (RFC 2131 section 4.3.3); option 50 names it (table 5)."""
    return _noted(answer, request, request.requested_address, Outcome.DECLINED)


def _release(answer: Answer, request: Request) -> Reply:
    """Note that the guest gives its address back (RFC 2131 section 4.3.4); ciaddr names it (table 5)."""
    return _noted(answer, request, request.ciaddr, Outcome.RELEASED)


def _noted(answer: Answer, request: Request, address: bytes | None, outcome: Outcome) -> Reply:
    if request.server_id != answer.server_id:
        return Reply(frame=None, outcome=Outcome.IGNORED_OTHER_SERVER)
    if address != answer.address:
        return Reply(frame=None, outcome=Outcome.IGNORED_ADDRESS)
    return Reply(frame=None, outcome=outcome)


def _ignore_bootp(_answer: Answer, _request: Request) -> Reply:
    return Reply(frame=None, outcome=Outcome.IGNORED_BOOTP)


def _ignore_type(_answer: Answer, _request: Request) -> Reply:
    return Reply(frame=None, outcome=Outcome.IGNORED_TYPE)


_BY_TYPE: Final[Mapping[int | None, Callable[[Answer, Request], Reply]]] = MappingProxyType(
    {
        None: _ignore_bootp,
        int(MessageType.DISCOVER): _discover,
        int(MessageType.REQUEST): _request,
        int(MessageType.DECLINE): _decline,
        int(MessageType.RELEASE): _release,
        int(MessageType.INFORM): _inform,
    }
)


def _send(answer: Answer, request: Request, message: Message, outcome: Outcome) -> Reply:
    """Patch a prepared message for one request.

    Destination (RFC 2131 section 4.1): DHCPNAK is broadcast; else to ciaddr if there is one, else broadcast if the
    client's flag asks so, else to the new address at the client's hardware address.

    Both checksums are computed. UDP's could be 0 (RFC 768), but guests' filters exist that drop that, and the sum of
    the whole datagram is one conversion to an integer: the modulus makes it a ones' complement sum (RFC 1071).
    """
    options, left_out = _options(answer, request, message)
    eth_dst, ip_dst, ciaddr = answer.mac, answer.address, request.ciaddr
    if message is answer.nak:
        eth_dst, ip_dst, ciaddr = _BROADCAST_MAC, _BROADCAST, _NO_ADDRESS
    elif ciaddr != _NO_ADDRESS:
        ip_dst = ciaddr
    elif request.is_broadcast:
        eth_dst, ip_dst = _BROADCAST_MAC, _BROADCAST
    frame = bytearray(message.head)
    frame += options
    udp_length = len(frame) - _UDP_START
    frame[0:6] = eth_dst
    _SHORT.pack_into(frame, _IP_LENGTH, len(frame) - _IP_START)
    frame[_IP_DESTINATION:_UDP_START] = ip_dst
    _SHORT.pack_into(frame, _IP_CHECKSUM, -int.from_bytes(frame[_IP_START:_UDP_START], "big") % CHECKSUM_MODULUS)
    _SHORT.pack_into(frame, _UDP_LENGTH, udp_length)
    _XID_TO_CIADDR.pack_into(frame, _XID, request.xid, 0x8000 if request.is_broadcast else 0, ciaddr)
    # From the IPv4 addresses to the end stand the datagram and all of the pseudo header but protocol and length.
    total = int.from_bytes(frame[_IP_ADDRESSES:], "big") + PROTOCOL_UDP + udp_length
    # RFC 768: a sum that comes out as zero is sent as all ones, since zero means "no checksum".
    _SHORT.pack_into(frame, _UDP_CHECKSUM, -total % CHECKSUM_MODULUS or CHECKSUM_MODULUS)
    return Reply(frame=bytes(frame), outcome=outcome, left_out=left_out)


def _options(answer: Answer, request: Request, message: Message) -> tuple[bytes, tuple[int, ...]]:
    """Give the options field, an even number of octets, and the codes of what does not fit.

    The client identifier is echoed as it came (RFC 6842 section 3). The longest datagram is the client's option 57,
    at least 576 octets and at most what the network carries; of the optional options, in the order of their value,
    each is sent that still fits.
    """
    echo = b"" if request.client_id is None else bytes((Code.CLIENT_ID, len(request.client_id))) + request.client_id
    longest = DATAGRAM_MIN
    if request.max_message_size is not None:
        longest = max(DATAGRAM_MIN, min(request.max_message_size, answer.datagram_max))
    room = longest - longest % 2 - _HEADERS - len(echo) - len(_END)
    chosen, left_out = message.whole, []
    if len(chosen) > room:
        chosen = message.mandatory
        for code, written in message.optional:
            if len(chosen) + len(written) <= room:
                chosen += written
            else:
                left_out.append(code)
    options = chosen + echo + _END
    return options.ljust(max(OPTIONS_MIN, len(options) + len(options) % 2), b"\0"), tuple(left_out)


class Counters:
    """How many frames had which outcome? Safe to add to and read from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts = dict.fromkeys(Outcome, 0)

    def add(self, outcome: Outcome) -> None:
        """Count one frame."""
        with self._lock:
            self._counts[outcome] += 1

    def as_dict(self) -> dict[str, int]:
        """Give the counts by outcome, those at zero too."""
        with self._lock:
            return {str(outcome): count for outcome, count in self._counts.items()}
