"""What does a switch tell of changes that others made in it?

Two streams, both asked for once a connection and seen on Open vSwitch 3.1 with OpenFlow 1.4:

* the flow monitor (section 7.3.5.18): every flow that another controller or ovs-ofctl adds, changes or deletes, whole.
  What this connection changes comes back as eight octets without the flow, except for flows that vanish because their
  group or meter is deleted. When the switch has no room it pauses, and says so;
* forwarded requests (section 7.3.12): every group and meter modification of others.

Only bytes are cut here; what they mean for Weft is judged by the worker.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from struct import Struct

from controller.southbound.openflow.dump import BODY_AT
from controller.southbound.openflow.encode import FlowId
from controller.southbound.openflow.errors import FramingError
from controller.southbound.openflow.osken import ofp

_UPDATE = Struct("!HH")
_FULL = Struct("!HHBBHHH4xQHH")
"""Length, event, table, reason, idle and hard timeout, priority, cookie, then the match's type and length."""
_MATCH_AT = 24
_KIND_AT = 8
_ABBREVIATED = 8
_OWN_SIZE = BODY_AT + _ABBREVIATED


class Event(Enum):
    """What became of a flow."""

    ADDED = "added"
    REMOVED = "deleted"
    MODIFIED = "changed"


_EVENTS = {ofp.OFPFME_ADDED: Event.ADDED, ofp.OFPFME_REMOVED: Event.REMOVED, ofp.OFPFME_MODIFIED: Event.MODIFIED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """A flow that somebody else changed, as it is after the change, or was before it was deleted."""

    event: Event
    flow: FlowId
    entry: bytes
    """Cookie, 8 octets, then the instructions, as in `encode.WireFlow`."""


def is_update(message: bytes) -> bool:
    """Whether a message tells of a change in the switch, asked for once and not an answer to a request."""
    if message[1] == ofp.OFPT_REQUESTFORWARD:
        return True
    return (
        message[1] == ofp.OFPT_MULTIPART_REPLY
        and message[4:8] == bytes(4)
        and int.from_bytes(message[_KIND_AT : _KIND_AT + 2], "big") == ofp.OFPMP_FLOW_MONITOR
    )


def is_own(message: bytes) -> bool:
    """Whether an update says no more than that this connection changed something."""
    return (
        message[1] == ofp.OFPT_MULTIPART_REPLY
        and len(message) == _OWN_SIZE
        and _UPDATE.unpack_from(message, BODY_AT) == (_ABBREVIATED, ofp.OFPFME_ABBREV)
    )


def read(messages: Iterable[bytes]) -> tuple[list[Update], bool]:
    """Return the flows that others changed, and whether more may have changed than these tell.

    Raises:
        FramingError: An update is not as the specification lays it out.
    """
    updates: list[Update] = []
    is_vague = False
    for message in messages:
        if message[1] == ofp.OFPT_REQUESTFORWARD:
            is_vague = True
            continue
        at, size = BODY_AT, len(message)
        while at < size:
            length, event = _UPDATE.unpack_from(message, at) if at + _ABBREVIATED <= size else (0, 0)
            if length < _ABBREVIATED or at + length > size:
                raise FramingError(f"a flow update of {length} octets at {at} of {size}")
            if event in _EVENTS:
                updates.append(_update(message, at, length))
            elif event != ofp.OFPFME_ABBREV:
                is_vague = True  # paused or resumed: some changes were told late, some never
            at += length
    return updates, is_vague


def _update(message: bytes, at: int, length: int) -> Update:
    if length < _MATCH_AT + 8:
        raise FramingError(f"a flow update of {length} octets")
    _, event, table, _, _, _, priority, cookie, _, match_size = _FULL.unpack_from(message, at)
    match = at + _MATCH_AT
    rest = match + (match_size + 7 & ~7)
    if rest > at + length:
        raise FramingError(f"a match of {match_size} octets in a flow update of {length}")
    return Update(
        event=_EVENTS[event],
        flow=(table, priority, message[match : match + match_size]),
        entry=cookie.to_bytes(8, "big") + message[rest : at + length],
    )


class Notes:
    """Updates that wait to be read, bounded: more than fit are forgotten, and that is remembered."""

    def __init__(self, limit: int = 1 << 20) -> None:
        """Take how many octets may wait."""
        self._limit = limit
        self._messages: list[bytes] = []
        self._size = 0
        self._is_overflown = False

    def __bool__(self) -> bool:
        """Whether anything waits."""
        return bool(self._messages) or self._is_overflown

    def add(self, message: bytes) -> None:
        """Keep an update if there is room."""
        self._size += len(message)
        if self._size > self._limit:
            self._messages.clear()
            self._is_overflown = True
        else:
            self._messages.append(message)

    def take(self) -> tuple[list[bytes], bool]:
        """Return what waits, and whether there was more; nothing waits then."""
        taken = self._messages, self._is_overflown
        self._messages, self._size, self._is_overflown = [], 0, False
        return taken
