"""What flows does a bridge hold that is not Weft's (yet)? Asked over a socket that leads to the bridge itself.

Nothing is written to the switch, and no connection of it to a controller is needed: Open vSwitch answers on its
management socket, and where it was told to listen. A switch that does not speak OpenFlow 1.4 may be asked in 1.3, whose
flow statistics are laid out alike (OpenFlow 1.3.5 section 7.3.5.2, 1.4 section 7.3.5.2).
"""

import socket
import time
from collections.abc import Sequence
from struct import Struct, error

from controller.southbound.openflow import dump
from controller.southbound.openflow.decode import instructions_text, match_text
from controller.southbound.openflow.dump import DumpedFlow
from controller.southbound.openflow.errors import FramingError, NoAnswerError, RequestRefusedError, UnavailableError
from controller.southbound.openflow.framing import Framer
from controller.southbound.openflow.messages import HEADER_SIZE, Messages
from controller.southbound.openflow.osken import ofp
from flows.cookie import is_ours

_HEADER = Struct("!BBHI")
_ELEMENT = Struct("!HH")
_VERSIONS = (0x05, 0x04)
"""OpenFlow 1.4 and 1.3, as a header names them; the first that the switch has is spoken."""
_FEATURES = Struct("!Q")
_MORE_AT, _MORE = 10, 1
"""Where a multipart reply's flags stand, and OFPMPF_REPLY_MORE."""
_READ = 65536
_PEER = "the bridge"
_NORMAL = bytes.fromhex("00000010fffffffa")
"""An output action to the reserved port NORMAL (OpenFlow 1.4 sections 7.2.4 and 7.2.1), without its max_len."""
_EMPTY_MATCH = bytes.fromhex("00010004")


class Glance:
    """One conversation with a bridge, over a connected socket that the caller closes."""

    def __init__(self, connected: socket.socket, deadline_s: float) -> None:
        """Greet the switch.

        Raises:
            OSError: The connection failed.
            UnavailableError: There was no answer, or no version in common.
            FramingError: What answers speaks no OpenFlow.
        """
        self._socket, self._deadline = connected, time.monotonic() + deadline_s
        self._framer, self._waiting = Framer(), list[bytes]()
        self._messages = Messages()
        bitmap = sum(1 << version for version in _VERSIONS)
        element = _ELEMENT.pack(ofp.OFPHET_VERSIONBITMAP, 8) + bitmap.to_bytes(4, "big")
        connected.sendall(_HEADER.pack(_VERSIONS[0], ofp.OFPT_HELLO, HEADER_SIZE + len(element), 1) + element)
        hello = self._next()
        if hello[1] != ofp.OFPT_HELLO:
            raise FramingError(f"a greeting was awaited, a message of type {hello[1]} came")
        spoken = _versions(hello)
        version = next((version for version in _VERSIONS if version in spoken), None)
        if version is None:
            raise UnavailableError(f"{_PEER} speaks neither OpenFlow 1.4 nor 1.3: add OpenFlow14 to its protocols")
        self._version = version

    def datapath_id(self) -> int:
        """Return which switch it is; raises as the constructor."""
        number: int = _FEATURES.unpack_from(self._ask(_HEADER.pack(0, ofp.OFPT_FEATURES_REQUEST, HEADER_SIZE, 2)), 8)[0]
        return number

    def flows(self) -> list[DumpedFlow]:
        """Return every flow; raises as the constructor."""
        replies = [self._ask(self._messages.dump_flows(3))]
        while replies[-1][_MORE_AT + 1] & _MORE:
            replies.append(self._answer())
        return list(dump.flows(replies))

    def _ask(self, request: bytes) -> bytes:
        self._socket.sendall(bytes((self._version,)) + request[1:])
        return self._answer()

    def _answer(self) -> bytes:
        while True:
            message = self._next()
            if message[1] == ofp.OFPT_ERROR:
                raise RequestRefusedError(_PEER, "question", message[8:12].hex())
            if message[1] == ofp.OFPT_ECHO_REQUEST:
                self._socket.sendall(message[:1] + bytes((ofp.OFPT_ECHO_REPLY,)) + message[2:])
            elif message[1] in {ofp.OFPT_FEATURES_REPLY, ofp.OFPT_MULTIPART_REPLY}:
                return message

    def _next(self) -> bytes:
        while not self._waiting:
            self._socket.settimeout(max(0.001, self._deadline - time.monotonic()))
            try:
                piece = self._socket.recv(_READ)
            except TimeoutError:
                raise NoAnswerError(_PEER, "question", self._socket.gettimeout() or 0.0) from None
            if not piece:
                raise UnavailableError(f"{_PEER} closed the connection")
            self._waiting += self._framer.feed(piece)
        return self._waiting.pop(0)


def _versions(hello: bytes) -> set[int]:
    """Return what a greeting offers (OpenFlow 1.3.5 section 7.5.1): its bitmap, else all up to its own version."""
    try:
        at = HEADER_SIZE
        while at < len(hello):
            kind, size = _ELEMENT.unpack_from(hello, at)
            if kind == ofp.OFPHET_VERSIONBITMAP:
                bitmap = int.from_bytes(hello[at + 4 : at + 8], "big")
                return {version for version in range(32) if bitmap >> version & 1}
            at += max(8, size + 7 & ~7)
    except error as problem:
        raise FramingError(f"a greeting that ends early: {hello.hex()}") from problem
    return set(range(1, hello[0] + 1))


def is_default(flow: DumpedFlow) -> bool:
    """Whether a flow is the one Open vSwitch gives a bridge without a controller: NORMAL for all, all numbers 0."""
    return (flow.cookie, flow.table, flow.priority, flow.match_bytes) == (
        0,
        0,
        0,
        _EMPTY_MATCH,
    ) and flow.instruction_bytes[8:16] == _NORMAL


def others(flows: Sequence[DumpedFlow]) -> list[str] | None:
    """Return as text the flows that neither Weft nor Open vSwitch itself made; None when Weft programmed the bridge."""
    if any(is_ours(flow.cookie) for flow in flows):
        return None
    return [_text(flow) for flow in flows if not is_default(flow)]


def _text(flow: DumpedFlow) -> str:
    """Return a flow as ovs-ofctl(8) writes it: the tables are not Weft's, so they have no names."""
    words = (
        f"cookie={flow.cookie:#x}",
        f"table={flow.table}",
        f"priority={flow.priority}",
        match_text(flow.match_bytes),
    )
    return f"{','.join(words)} actions={instructions_text(flow.instruction_bytes)}"
