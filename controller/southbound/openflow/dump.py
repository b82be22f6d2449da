"""What does a switch hold, read from its own answers as bytes?

Nothing is parsed into objects: identities and bodies are cut out, for comparison with what is desired. Layouts are
those of OpenFlow 1.4 sections 7.3.5.2 (flows), 7.3.5.10 (groups) and 7.3.5.13 (meters).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from struct import Struct

from controller.southbound.openflow.encode import FlowId
from controller.southbound.openflow.errors import FramingError
from controller.southbound.openflow.osken import ofp

BODY_AT = 16
"""Octets of a multipart reply in front of its body (OpenFlow 1.4 section 7.3.5)."""
_FLOW_FIXED = 48
_FLOW_HEAD = Struct("!HB9xH").unpack_from
_FLOW_COUNTS = Struct("!QQ").unpack_from
_TABLE_STATS = Struct("!4xI16x")
_LENGTH = Struct("!H").unpack_from
_GROUP_TYPE_AT, _GROUP_ID_AT = 2, 4
_GROUP_ID = Struct("!I").unpack_from
_METER_HEAD = Struct("!HHI").unpack_from
_PART_FIXED = 8
_PORT_STATS_FIXED = 80
_PORT_COUNTS = Struct("!4xI8xQQQQ").unpack_from
"""Length and padding, number, duration, then packets and octets received and sent (OpenFlow 1.4 section 7.3.5.6)."""
_NOT_COUNTED = 0xFFFFFFFFFFFFFFFF
_PORT_FIXED, _PORT_NAME_AT, _PORT_NAME_SIZE = 40, 16, 16
_PLAIN = bytes(8)
"""Idle and hard timeout, flags and importance of a flow that Weft wrote: none."""
_METER_FLAGS = ofp.OFPMF_PKTPS | ofp.OFPMF_BURST
_ALIEN = b"not of Weft's kind:"
"""In front of a body that no desired body can equal, because something outside the body differs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PortCounters:
    """What a switch counted at a port since it opened the device; *received* is what came from the device."""

    packets_received: int
    packets_sent: int
    bytes_received: int
    bytes_sent: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DumpedFlow:
    """A flow as the switch holds it."""

    table: int
    priority: int
    cookie: int
    match_bytes: bytes
    """Without padding."""
    instruction_bytes: bytes
    packets: int
    bytes: int

    @property
    def id(self) -> FlowId:
        """What identifies it, comparable with `Encoder.flow_id`."""
        return self.table, self.priority, self.match_bytes


def flow_entries(replies: Iterable[bytes]) -> dict[FlowId, bytes]:
    """Return cookie and instructions of every flow in the parts of a flow dump.

    Raises:
        FramingError: The entries are not as the specification lays them out.
    """
    found: dict[FlowId, bytes] = {}
    for reply in replies:
        for at, end in _cut(reply, _FLOW_FIXED + 8):
            _, table, priority = _FLOW_HEAD(reply, at)
            match, match_end, rest = _match_ends(reply, at, end)
            entry = reply[at + 24 : at + 32] + reply[rest:end]
            if reply[at + 14 : at + 22] != _PLAIN:
                entry = entry[:8] + _ALIEN + entry[8:]
            found[table, priority, reply[match:match_end]] = entry
    return found


def flows(replies: Iterable[bytes]) -> Iterator[DumpedFlow]:
    """Yield every flow in the parts of a flow dump, with its counters.

    Raises:
        FramingError: The entries are not as the specification lays them out.
    """
    for reply in replies:
        for at, end in _cut(reply, _FLOW_FIXED + 8):
            _, table, priority = _FLOW_HEAD(reply, at)
            packets, octets = _FLOW_COUNTS(reply, at + 32)
            match, match_end, rest = _match_ends(reply, at, end)
            yield DumpedFlow(
                table=table,
                priority=priority,
                cookie=int.from_bytes(reply[at + 24 : at + 32], "big"),
                match_bytes=reply[match:match_end],
                instruction_bytes=reply[rest:end],
                packets=packets,
                bytes=octets,
            )


def group_bodies(replies: Iterable[bytes]) -> dict[int, bytes]:
    """Return type and buckets of every group, as `Encoder.group` does, from the parts of a group description.

    Raises:
        FramingError: The entries are not as the specification lays them out.
    """
    found: dict[int, bytes] = {}
    for reply in replies:
        for at, end in _cut(reply, _PART_FIXED):
            group_id = _GROUP_ID(reply, at + _GROUP_ID_AT)[0]
            found[group_id] = reply[at + _GROUP_TYPE_AT : at + _GROUP_TYPE_AT + 1] + reply[at + _PART_FIXED : end]
    return found


def meter_bodies(replies: Iterable[bytes]) -> dict[int, bytes]:
    """Return the bands of every meter in the parts of a meter configuration; raises FramingError."""
    found: dict[int, bytes] = {}
    for reply in replies:
        for at, end in _cut(reply, _PART_FIXED):
            _, flags, meter_id = _METER_HEAD(reply, at)
            body = reply[at + _PART_FIXED : end]
            found[meter_id] = body if flags & ~ofp.OFPMF_STATS == _METER_FLAGS else _ALIEN + body
    return {i: body for i, body in found.items() if i <= ofp.OFPM_MAX}


def flow_count(replies: Iterable[bytes]) -> int:
    """Return the number of flows in the parts of table statistics (OpenFlow 1.4 section 7.3.5.4).

    Raises:
        FramingError: The entries are not as the specification lays them out.
    """
    total = 0
    for reply in replies:
        if (len(reply) - BODY_AT) % _TABLE_STATS.size:
            raise FramingError(f"table statistics of {len(reply)} octets")
        total += sum(count for (count,) in _TABLE_STATS.iter_unpack(reply[BODY_AT:]))
    return total


def port_counters(replies: Iterable[bytes]) -> dict[int, PortCounters]:
    """Return the counters of each port in the parts of port statistics; a port that does not count is left out.

    Raises:
        FramingError: The entries are not as the specification lays them out.
    """
    found: dict[int, PortCounters] = {}
    for reply in replies:
        for at, _end in _cut(reply, _PORT_STATS_FIXED):
            number, packets_received, packets_sent, bytes_received, bytes_sent = _PORT_COUNTS(reply, at)
            if _NOT_COUNTED not in (packets_received, packets_sent, bytes_received, bytes_sent):
                found[number] = PortCounters(
                    packets_received=packets_received,
                    packets_sent=packets_sent,
                    bytes_received=bytes_received,
                    bytes_sent=bytes_sent,
                )
    return found


def devices(replies: Iterable[bytes]) -> dict[int, str]:
    """Return the device name of each port in the parts of a port description (OpenFlow 1.4 section 7.3.5.7).

    Raises:
        FramingError: The entries are not as the specification lays them out.
    """
    found: dict[int, str] = {}
    for reply in replies:
        at, size = BODY_AT, len(reply)
        while at < size:
            length = _LENGTH(reply, at + 4)[0] if at + 6 <= size else 0
            if length < _PORT_FIXED or at + length > size:
                raise FramingError(f"a port of {length} octets at {at} of a port description of {size}")
            name = reply[at + _PORT_NAME_AT : at + _PORT_NAME_AT + _PORT_NAME_SIZE]
            found[int.from_bytes(reply[at : at + 4], "big")] = name.rstrip(b"\0").decode("utf-8", "replace")
            at += length
    return found


def _cut(reply: bytes, least: int) -> Iterator[tuple[int, int]]:
    """Yield where each entry of a multipart body begins and ends."""
    at, size = BODY_AT, len(reply)
    while at < size:
        length: int = _LENGTH(reply, at)[0] if at + 2 <= size else 0
        if length < least or at + length > size:
            raise FramingError(f"an entry of {length} octets at {at} of a multipart reply of {size}")
        yield at, at + length
        at += length


def _match_ends(reply: bytes, at: int, end: int) -> tuple[int, int, int]:
    """Return where a flow's match begins and ends, and where its instructions begin after the padding."""
    match = at + _FLOW_FIXED
    length: int = _LENGTH(reply, match + 2)[0]
    rest = match + (length + 7 & ~7)
    if rest > end:
        raise FramingError(f"a match of {length} octets in a flow of {end - at}")
    return match, match + length, rest
