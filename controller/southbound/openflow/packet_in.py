"""How is a frame a guest sent to the controller answered?

The raw path: values are cut out of the packet-in's octets, and the answer goes out in the same thread. A guest decides
how many packet-ins there are and what is in them, so nothing here raises and nothing here logs per packet.
"""

import logging
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from struct import Struct

from controller.southbound.openflow.messages import MAX_MESSAGE, Messages
from controller.southbound.openflow.osken import ofp

_log = logging.getLogger(__name__)

PacketInHook = Callable[[int, int, int, bytes], bytes | None]
"""(datapath id, cookie of the flow that punted, in_port, frame) -> the frame that goes back out of in_port, or None."""

_FIXED = Struct("!8xIHBBQHH")
"""Header, buffer id, total length, reason, table, cookie, then the match's type and length (OpenFlow 1.4 section
7.4.1)."""
_MATCH_AT = 24
_OXM = Struct("!HBB")
_PORT = Struct("!I")
_IN_PORT_FIELD = 0
"""OFPXMT_OFB_IN_PORT and the bit that says "no mask" (OpenFlow 1.4 section 7.2.3.7)."""
_FRAME_PADDING = 2
"""Octets between the match and the frame, so that the frame's IP header is aligned."""
_PACKET_OUT_SIZE = 40


class PacketIns:
    """Answers packet-ins of all switches through one hook, and counts."""

    def __init__(self, hook: PacketInHook, messages: Messages) -> None:
        self._hook, self._messages = hook, messages
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()
        self._known_failures: set[tuple[type[Exception], int]] = set()

    @property
    def counts(self) -> Mapping[str, int]:
        """How many packet-ins were answered, passed over (`ignored`), malformed, and how many the hook `failed` on.

        Of those answered, `dropped` answers were not sent because the switch did not read, `oversized` ones never
        could be.
        """
        with self._lock:
            return dict(self._counts)

    def answer(self, dpid: int, message: bytes) -> bytes | None:
        """Return the packet-out that answers a packet-in, or None."""
        what, answer = self._judge(dpid, message)
        with self._lock:
            self._counts[what] += 1
        return answer

    def note_dropped(self) -> None:
        """Count an answer that was not sent."""
        with self._lock:
            self._counts["dropped"] += 1

    def _judge(self, dpid: int, message: bytes) -> tuple[str, bytes | None]:
        cut = cut_packet_in(message)
        if cut is None:
            return "malformed", None
        cookie, in_port, frame = cut
        try:
            reply = self._hook(dpid, cookie, in_port, frame)
        except Exception as error:  # noqa: BLE001 - whatever a guest's frame can cause must not end the connection
            self._report(error, dpid, cookie)
            return "failed", None
        if reply is None:
            return "ignored", None
        if len(reply) > MAX_MESSAGE - _PACKET_OUT_SIZE:
            return "oversized", None
        return "answered", self._messages.packet_out(in_port, reply)

    def _report(self, error: Exception, dpid: int, cookie: int) -> None:
        """Log an error of the hook once a kind: its class and the line that raised it."""
        trace = error.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        kind = (type(error), 0 if trace is None else trace.tb_lineno)
        with self._lock:
            if kind in self._known_failures:
                return
            self._known_failures.add(kind)
        _log.error("packet_in_failed dpid=%016x cookie=%#x error=%r", dpid, cookie, error, exc_info=error)


def cut_packet_in(message: bytes) -> tuple[int, int, bytes] | None:
    """Return cookie, in_port and frame of a packet-in, or None when it is malformed or the frame is cut short."""
    if len(message) < _FIXED.size:
        return None
    _, total, _, _, cookie, _, match_length = _FIXED.unpack_from(message)
    in_port = _in_port(message, _MATCH_AT + 4, _MATCH_AT + match_length)
    frame = message[_MATCH_AT + (match_length + 7 & ~7) + _FRAME_PADDING :]
    if in_port is None or len(frame) != total or not frame:
        return None
    return cookie, in_port, frame


def _in_port(message: bytes, at: int, end: int) -> int | None:
    """Walk the fields of a match to its in_port (OpenFlow 1.4 section 7.2.3.2)."""
    if end > len(message):
        return None
    while at + _OXM.size <= end:
        oxm_class, field, length = _OXM.unpack_from(message, at)
        at += _OXM.size
        if at + length > end:
            return None
        if oxm_class == ofp.OFPXMC_OPENFLOW_BASIC and field == _IN_PORT_FIELD and length == _PORT.size:
            port: int = _PORT.unpack_from(message, at)[0]
            return port
        at += length
    return None
