"""Which intent does a switch hold? One flow that no packet meets says so: the mark.

    cookie        owner mark 8 | layout 8 | 0xFFFF 16 | journal number 32
    match         table 250, priority 0, register 15 equal to a constant
    instructions  register 14 := the database's epoch; nothing goes out

Its id never changes, so that writing it anew replaces it and there is never more than one. It is no part of the desired
state and of no comparison; who reads a switch takes it out first (`take`).
"""

from dataclasses import dataclass
from functools import lru_cache

from controller.southbound.openflow.encode import FlowId, cookie_of
from controller.southbound.openflow.intent_mark import BITS, IntentMark
from controller.southbound.openflow.mirror import Holdings
from controller.southbound.openflow.osken import ofp, parser
from controller.southbound.openflow.plan import FlowMod, Verb
from flows.cookie import LAYOUT, OWNER_MARK, is_ours

MARK_TEXT = "weft, mark of the intent"
"""How the mark reads where flows are shown to people."""
MARK_FEATURE = 0xFFFF
"""The feature number in the mark's cookie; no feature of the pipeline has it."""
_TABLE = 250
"""Outside both ranges of tables a layout may use, and one that Open vSwitch shows."""
_REGISTER, _REGISTER_VALUE = "reg15", 0x57656674
_EPOCH_REGISTER = "reg14"
_HOLD = (1 << BITS) - 1
"""Instead of a journal number: the journal grows past any number, and would seem to explain what was withheld."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """What a switch's mark says."""

    epoch: int
    seq: int

    @property
    def is_hold(self) -> bool:
        """Whether it says that deletes were withheld and nobody has accepted them yet."""
        return self.seq == _HOLD


def is_mark(cookie: int) -> bool:
    """Whether a flow with this cookie is a mark."""
    return is_ours(cookie) and cookie >> 32 & 0xFFFF == MARK_FEATURE


def mark_mod(intent: IntentMark) -> FlowMod:
    """Return what writes the mark of an intent into a switch."""
    return _mod(intent.epoch, intent.seq)


def hold_mod(seen: Mark) -> FlowMod:
    """Return what turns a mark into one that explains nothing, for as long as deletes are withheld."""
    return _mod(seen.epoch, _HOLD)


def _mod(epoch: int, seq: int) -> FlowMod:
    cookie = OWNER_MARK << 56 | LAYOUT << 48 | MARK_FEATURE << 32 | seq
    return FlowMod(Verb.SET_FLOW, MARK_ID, cookie.to_bytes(8, "big") + _instructions(epoch))


def take(installed: Holdings) -> Mark | None:
    """Take the mark out of what was read from a switch and return what it says; None when there is none of use."""
    entry = installed.flows.get(MARK_ID)
    if entry is None or not is_mark(cookie_of(entry)):
        return None
    del installed.flows[MARK_ID]
    epoch = int.from_bytes(entry[_EPOCH_AT : _EPOCH_AT + BITS // 8], "big")
    if entry[8:] != _instructions(epoch):
        return None
    return Mark(epoch=epoch, seq=cookie_of(entry) & 0xFFFFFFFF)


def _id() -> FlowId:
    match, buffer = parser.OFPMatch(**{_REGISTER: _REGISTER_VALUE}), bytearray()
    match.serialize(buffer, 0)
    return _TABLE, 0, bytes(buffer[: match.length])


@lru_cache(maxsize=8)
def _instructions(epoch: int) -> bytes:
    """Return what writes an epoch; there is one a database."""
    buffer = bytearray()
    action = parser.OFPActionSetField(**{_EPOCH_REGISTER: epoch})
    parser.OFPInstructionActions(ofp.OFPIT_APPLY_ACTIONS, [action]).serialize(buffer, 0)
    return bytes(buffer)


MARK_ID: FlowId = _id()
"""What identifies the mark in every switch."""
_EPOCH_AT = 8 + 8 + 4 + 4
"""Octets of an entry in front of the epoch: cookie, instruction header, action header, field header."""
