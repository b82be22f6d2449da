"""Which frame, if any, answers this DHCPv6 frame?

Stateless: the answer is the port's lease, so any number of controllers may answer and nothing is remembered (RFC 8415
section 18.3 with one client). The caller chooses the ``Answer6`` by the port the frame came from and sends the reply
out of that port; bytes in, bytes out. What an identity association is told stands in ``associations``.
"""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum, StrEnum, auto
from types import MappingProxyType
from typing import Final, NamedTuple

from controller.dhcp6 import associations
from controller.dhcp6.answer import Answer6
from controller.dhcp6.codec import NEXT_HEADER_UDP, Code, MessageType, Request, Status, from_wire
from controller.dhcp6.errors import MalformedFrame
from controller.dhcp6.frame import ETHERNET_OCTETS, MULTICAST, PAYLOAD_START, seal
from controller.dhcp6.options import option

PREFERENCE: Final = option(Code.PREFERENCE, b"\xff")
"""RFC 8415 section 18.2.1: with 255 a client takes the offer at once; nobody else may give this port its address."""
RAPID_COMMIT: Final = option(Code.RAPID_COMMIT, b"")

_IP_DESTINATION: Final = slice(ETHERNET_OCTETS + 24, PAYLOAD_START)
_UDP_LENGTH: Final = slice(PAYLOAD_START + 4, PAYLOAD_START + 6)
_UDP_CHECKSUM: Final = PAYLOAD_START + 6


class Outcome6(StrEnum):
    """What became of a frame; one counter each."""

    ADVERTISE = "advertise"
    GRANTED = "granted"
    """REQUEST, or SOLICIT with rapid commit, answered with addresses."""
    EXTENDED = "extended"
    """RENEW or REBIND, answered with addresses."""
    CONFIRMED = "confirmed"
    INFORMED = "informed"
    """INFORMATION-REQUEST answered (RFC 8415 section 18.3.6)."""
    RELEASED = "released"
    """RFC 8415 section 18.3.7; answered with success, the port keeps its address."""
    DECLINED = "declined"
    """The guest found its address in use (RFC 8415 section 18.3.8): worth a log line."""
    REFUSED = "refused"
    """Answered, but with status codes only: no address to give, none held, or one of another link."""
    USE_MULTICAST = "use_multicast"
    """Unicast, which nobody allowed the client (RFC 8415 section 18.3.2); answered with that status."""
    IGNORED_TYPE = "ignored_type"
    """A message type that servers send or nobody knows."""
    IGNORED_RELAYED = "ignored_relayed"
    """A relay's message: a guest is no relay."""
    IGNORED_SOURCE = "ignored_source"
    """The frame's source is not the lease's MAC."""
    IGNORED_CLIENT_ID = "ignored_client_id"
    """A client identifier is missing (RFC 8415 section 16)."""
    IGNORED_SERVER_ID = "ignored_server_id"
    """A server identifier is missing, or stands where none may be (RFC 8415 section 16)."""
    IGNORED_OTHER_SERVER = "ignored_other_server"
    """The server identifier is another server's (RFC 8415 section 16)."""
    IGNORED_DESTINATION = "ignored_destination"
    """Unicast where only multicast may be (RFC 8415 section 16), or to somebody else."""
    IGNORED_ASSOCIATION = "ignored_association"
    """INFORMATION-REQUEST with an identity association (RFC 8415 section 16.12)."""
    IGNORED_NOTHING_KNOWN = "ignored_nothing_known"
    """CONFIRM without an address (RFC 8415 section 18.3.3), or REBIND of what another server may have given."""
    IGNORED_TOO_LONG = "ignored_too_long"
    """So many associations that the answer would not fit the network's datagrams."""
    MALFORMED = "malformed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply6:
    """What to send back, and why or why not."""

    frame: bytes | None
    outcome: Outcome6
    detail: str = ""
    """What is wrong with a malformed frame."""
    left_out: tuple[int, ...] = ()
    """Codes of the options that did not fit the network's datagrams."""


def respond6(answer: Answer6, frame: bytes) -> Reply6:
    """Answer one frame of the port that holds the lease (RFC 8415 section 18.3); never raises on any frame."""
    try:
        request = from_wire(frame)
    except MalformedFrame as error:
        return Reply6(frame=None, outcome=Outcome6.MALFORMED, detail=error.reason)
    if request.eth_src != answer.mac:
        return Reply6(frame=None, outcome=Outcome6.IGNORED_SOURCE)
    if request.kind in (MessageType.RELAY_FORW, MessageType.RELAY_REPL):
        return Reply6(frame=None, outcome=Outcome6.IGNORED_RELAYED)
    rule = _RULES.get(request.kind)
    if rule is None:
        return Reply6(frame=None, outcome=Outcome6.IGNORED_TYPE)
    refusal = _refusal(answer, request, rule)
    if refusal is Outcome6.USE_MULTICAST:
        return _send(answer, request, _Message(body=associations.status(Status.USE_MULTICAST)), refusal)
    if refusal is not None:
        return Reply6(frame=None, outcome=refusal)
    return rule.respond(answer, request)


class _Presence(Enum):
    REQUIRED = auto()
    FORBIDDEN = auto()
    OPTIONAL = auto()


class _Rule(NamedTuple):
    """What RFC 8415 section 16 demands of one message type, and who answers it."""

    respond: Callable[[Answer6, Request], Reply6]
    server_id: _Presence
    needs_client_id: bool = True


class _Message(NamedTuple):
    """What one answer holds after the identifiers."""

    body: bytes
    kind: MessageType = MessageType.REPLY
    has_options: bool = False
    last: bytes = b""


def _refusal(answer: Answer6, request: Request, rule: _Rule) -> Outcome6 | None:
    """Say what makes a message invalid (RFC 8415 section 16), None for nothing.

    A message that names this server may have been sent to its address, which only Server Unicast would allow; the
    client is told so (section 18.3.2). Every other unicast message is discarded (section 16).
    """
    if rule.needs_client_id and request.client_id is None:
        return Outcome6.IGNORED_CLIENT_ID
    if request.server_id is None:
        if rule.server_id is _Presence.REQUIRED:
            return Outcome6.IGNORED_SERVER_ID
    elif rule.server_id is _Presence.FORBIDDEN:
        return Outcome6.IGNORED_SERVER_ID
    elif request.server_id != answer.server_id:
        return Outcome6.IGNORED_OTHER_SERVER
    if request.dst[0] == MULTICAST:
        return None
    if rule.server_id is _Presence.REQUIRED and request.dst == answer.server_address:
        return Outcome6.USE_MULTICAST
    return Outcome6.IGNORED_DESTINATION


def _solicit(answer: Answer6, request: Request) -> Reply6:
    """Offer the lease, or give it at once where the client allows that (RFC 8415 sections 18.3.1 and 18.3.9)."""
    told = associations.offered(answer, request.associations)
    if request.rapid_commit and told.has_address:
        message = _Message(body=told.octets, has_options=True, last=RAPID_COMMIT)
        return _send(answer, request, message, Outcome6.GRANTED)
    preference = PREFERENCE if told.has_address else b""
    message = _Message(body=told.octets, kind=MessageType.ADVERTISE, has_options=True, last=preference)
    return _send(answer, request, message, Outcome6.ADVERTISE)


def _request(answer: Answer6, request: Request) -> Reply6:
    """Give the lease (RFC 8415 section 18.3.2)."""
    told = associations.granted(answer, request.associations)
    outcome = Outcome6.GRANTED if told.has_address else Outcome6.REFUSED
    return _send(answer, request, _Message(body=told.octets, has_options=True), outcome)


def _confirm(answer: Answer6, request: Request) -> Reply6:
    """Say whether the client's addresses fit its link (RFC 8415 section 18.3.3).

    Of a port that has addresses by DHCPv6, only these fit, as another of the same prefix would be dropped at the
    switch; told so, a guest made from somebody else's image asks for its own at once, as DHCPNAK does for IPv4.
    """
    addresses = [address for association in request.associations for address in association.addresses]
    if not addresses:
        return Reply6(frame=None, outcome=Outcome6.IGNORED_NOTHING_KNOWN)
    if answer.addresses:
        is_right = all(address in answer.addresses for address in addresses)
    else:
        is_right = all(answer.is_on_link(address) for address in addresses)
    if is_right:
        return _send(answer, request, _Message(body=associations.status(Status.SUCCESS)), Outcome6.CONFIRMED)
    return _send(answer, request, _Message(body=associations.status(Status.NOT_ON_LINK)), Outcome6.REFUSED)


def _extend(answer: Answer6, request: Request) -> Reply6:
    """Extend lifetimes, and end those of addresses the port does not have (RFC 8415 sections 18.3.4 and 18.3.5).

    A rebinding client asks every server there is. One that gives no addresses itself speaks up only to end an address
    of another link, and leaves the rest to whoever gave it.
    """
    if request.kind == MessageType.REBIND and not answer.addresses:
        claims = [address for association in request.associations for address in association.addresses]
        if all(answer.is_on_link(address) for address in claims):
            return Reply6(frame=None, outcome=Outcome6.IGNORED_NOTHING_KNOWN)
    told = associations.extended(answer, request.associations)
    outcome = Outcome6.EXTENDED if told.has_address else Outcome6.REFUSED
    return _send(answer, request, _Message(body=told.octets, has_options=True), outcome)


def _release(answer: Answer6, request: Request) -> Reply6:
    return _noted(answer, request, Outcome6.RELEASED)


def _decline(answer: Answer6, request: Request) -> Reply6:
    return _noted(answer, request, Outcome6.DECLINED)


def _noted(answer: Answer6, request: Request, outcome: Outcome6) -> Reply6:
    """Answer with success, and NoBinding in what the port does not hold (RFC 8415 sections 18.3.7 and 18.3.8)."""
    claims = {address for association in request.associations for address in association.addresses}
    if claims.isdisjoint(answer.addresses):
        outcome = Outcome6.REFUSED
    told = associations.noted(answer, request.associations)
    return _send(answer, request, _Message(body=told.octets + associations.status(Status.SUCCESS)), outcome)


def _inform(answer: Answer6, request: Request) -> Reply6:
    """Give configuration without an address (RFC 8415 section 18.3.6).

    The refresh time goes to those who ask for it, and in no other message (RFC 8415 section 21.23).
    """
    if request.associations:
        return Reply6(frame=None, outcome=Outcome6.IGNORED_ASSOCIATION)
    wants_refresh = request.wanted is None or Code.REFRESH_TIME in request.wanted
    message = _Message(body=b"", has_options=True, last=answer.refresh if wants_refresh else b"")
    return _send(answer, request, message, Outcome6.INFORMED)


_RULES: Final[Mapping[int, _Rule]] = MappingProxyType(
    {
        int(MessageType.SOLICIT): _Rule(_solicit, _Presence.FORBIDDEN),
        int(MessageType.REQUEST): _Rule(_request, _Presence.REQUIRED),
        int(MessageType.CONFIRM): _Rule(_confirm, _Presence.FORBIDDEN),
        int(MessageType.RENEW): _Rule(_extend, _Presence.REQUIRED),
        int(MessageType.REBIND): _Rule(_extend, _Presence.FORBIDDEN),
        int(MessageType.RELEASE): _Rule(_release, _Presence.REQUIRED),
        int(MessageType.DECLINE): _Rule(_decline, _Presence.REQUIRED),
        int(MessageType.INFORMATION_REQUEST): _Rule(_inform, _Presence.OPTIONAL, needs_client_id=False),
    }
)
"""RFC 8415 sections 16.2, 16.4 to 16.9 and 16.12."""


def _send(answer: Answer6, request: Request, message: _Message, outcome: Outcome6) -> Reply6:
    """Put an answer together: identifiers first, the client's as it came (RFC 8415 section 18.3).

    It goes to the address and port the client listens on (RFC 8415 section 18.3.10). Of the options, those asked for
    and those that fit: the datagram is never fragmented.
    """
    frame = bytearray(answer.head)
    frame[_IP_DESTINATION] = request.src
    frame.append(message.kind)
    frame += request.xid
    frame += option(Code.SERVER_ID, answer.server_id)
    if request.client_id is not None:
        frame += option(Code.CLIENT_ID, request.client_id)
    frame += message.body + message.last
    room = answer.datagram_max + ETHERNET_OCTETS - len(frame)
    if room < 0:
        return Reply6(frame=None, outcome=Outcome6.IGNORED_TOO_LONG)
    left_out = []
    for code, written in answer.options if message.has_options else ():
        if request.wanted is not None and code not in request.wanted:
            continue
        if len(written) <= room:
            frame += written
            room -= len(written)
        else:
            left_out.append(code)
    frame[_UDP_LENGTH] = (len(frame) - PAYLOAD_START).to_bytes(2, "big")
    sealed = seal(frame, next_header=NEXT_HEADER_UDP, checksum_at=_UDP_CHECKSUM)
    return Reply6(frame=sealed, outcome=outcome, left_out=tuple(left_out))


class Counters6:
    """How many frames had which outcome? Safe to add to and read from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts = dict.fromkeys(Outcome6, 0)

    def add(self, outcome: Outcome6) -> None:
        """Count one frame."""
        with self._lock:
            self._counts[outcome] += 1

    def as_dict(self) -> dict[str, int]:
        """Give the counts by outcome, those at zero too."""
        with self._lock:
            return {str(outcome): count for outcome, count in self._counts.items()}
