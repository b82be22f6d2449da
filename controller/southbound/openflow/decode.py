"""How do the bytes of a flow read as text?

For flows that are not desired, and for messages a switch refused; a desired flow reads best through `flows.ofctl`.
os-ken's parser does the reading; what it does not know is shown as octets, never raised: anybody may have put it into
the switch.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from controller.southbound.openflow.encode import FlowId
from controller.southbound.openflow.osken import MeteredCopy, ofp, parser
from flows.ofctl import table_name

_PORT_NAMES: Mapping[int, str] = {
    ofp.OFPP_IN_PORT: "IN_PORT",
    ofp.OFPP_NORMAL: "NORMAL",
    ofp.OFPP_FLOOD: "FLOOD",
    ofp.OFPP_ALL: "ALL",
    ofp.OFPP_CONTROLLER: "CONTROLLER",
    ofp.OFPP_LOCAL: "LOCAL",
}
_CT_COMMIT, _CT_NO_TABLE = 1, 0xFF
"""NX_CT_F_COMMIT and NX_CT_RECIRC_NONE (nicira-ext.h, nx_action_conntrack)."""
_HIDDEN = frozenset({"type", "len", "experimenter", "subtype", "vendor"})
"""Attributes of os-ken's objects that say how they are written and not what they do."""


def flow_text(flow: FlowId, instructions: bytes) -> str:
    """Return a flow as one line, much like ``ovs-ofctl dump-flows`` with table names."""
    return f"{flow_id_text(flow)} actions={instructions_text(instructions)}"


def flow_id_text(flow: FlowId) -> str:
    """Return what identifies a flow, with the table's name."""
    table, priority, match = flow
    return f"table={table_name(table)},priority={priority},{match_text(match)}"


def match_text(match: bytes) -> str:
    """Return a match, given without padding; ``*`` matches everything."""
    try:
        fields = parser.OFPMatch.parser(match, 0).items()
    except Exception as error:  # noqa: BLE001 - os-ken raises all sorts on what it does not know
        return _octets(match, error)
    return ",".join(f"{name}={_value_text(value)}" for name, value in fields) or "*"


def instructions_text(instructions: bytes) -> str:
    """Return what a flow does; ``drop`` when it has no instructions."""
    try:
        return ",".join(_instructions(instructions)) or "drop"
    except Exception as error:  # noqa: BLE001 - as above
        return _octets(instructions, error)


def _instructions(octets: bytes) -> Iterator[str]:
    at = 0
    while at < len(octets):
        instruction = parser.OFPInstruction.parser(octets, at)
        at += instruction.len
        match instruction:
            case parser.OFPInstructionGotoTable(table_id=table):
                yield f"goto_table:{table_name(table)}"
            case parser.OFPInstructionMeter(meter_id=meter):
                yield f"meter:{meter}"
            case parser.OFPInstructionActions(type=kind, actions=actions):
                texts = [_action_text(action) for action in actions]
                if kind == ofp.OFPIT_APPLY_ACTIONS:
                    yield from texts
                elif kind == ofp.OFPIT_CLEAR_ACTIONS:
                    yield "clear_actions"
                else:
                    yield f"write_actions({','.join(texts)})"
            case _:
                yield _generic_text(instruction)


def _action_text(action: Any) -> str:  # noqa: C901, PLR0912 - one case an action
    match action:
        case parser.OFPActionOutput(port=ofp.OFPP_CONTROLLER, max_len=max_len):
            return f"CONTROLLER:{max_len}"
        case parser.OFPActionOutput(port=port):
            return _PORT_NAMES.get(port, f"output:{port}")
        case parser.OFPActionGroup(group_id=group):
            return f"group:{group}"
        case parser.OFPActionSetField(key=key, value=value):
            return f"set_field:{_value_text(value)}->{key}"
        case parser.NXActionRegLoad(dst=dst, value=value, ofs_nbits=bits):
            return f"load:{value:#x}->{dst}{_bits_text(bits)}"
        case parser.NXActionRegMove(src_field=src, dst_field=dst, n_bits=bits, src_ofs=src_low, dst_ofs=dst_low):
            return f"move:{src}[{src_low}..{src_low + bits - 1}]->{dst}[{dst_low}..{dst_low + bits - 1}]"
        case parser.NXActionOutputReg(src=src, ofs_nbits=bits):
            return f"output:{src}{_bits_text(bits)}"
        case parser.NXActionResubmitTable(table_id=table):
            return f"resubmit(,{table_name(table)})"
        case MeteredCopy(meter_id=meter):
            return f"controller(meter_id={meter})"
        case parser.NXActionCT():
            return f"ct({','.join(_ct_parts(action))})"
        case parser.NXActionCTClear():
            return "ct_clear"
        case parser.NXActionConjunction(id=number, clause=clause, n_clauses=clauses):
            return f"conjunction({number},{clause + 1}/{clauses})"
        case _:
            return _generic_text(action)


def _ct_parts(action: Any) -> Iterator[str]:
    if action.flags & _CT_COMMIT:
        yield "commit"
    if action.flags & ~_CT_COMMIT:
        yield f"flags={action.flags:#x}"
    if action.recirc_table != _CT_NO_TABLE:
        yield f"table={table_name(action.recirc_table)}"
    # Without a field, the bits' place holds the zone itself (nicira-ext.h, nx_action_conntrack).
    yield f"zone={action.zone_src}{_bits_text(action.zone_ofs_nbits) if action.zone_src else action.zone_ofs_nbits}"
    if action.alg:
        yield f"alg={action.alg}"
    if action.actions:
        yield f"exec({','.join(_action_text(part) for part in action.actions)})"


def _bits_text(ofs_nbits: int) -> str:
    low = ofs_nbits >> 6
    return f"[{low}..{low + (ofs_nbits & 0x3F)}]"


def _value_text(value: object) -> str:
    if isinstance(value, tuple):
        return "/".join(_value_text(part) for part in value)
    return f"{value:#x}" if isinstance(value, int) else str(value)


def _generic_text(part: Any) -> str:
    """Return any of os-ken's objects by its name and its attributes."""
    shown = ",".join(f"{name}={value}" for name, value in vars(part).items() if name not in _HIDDEN)
    return f"{type(part).__name__}({shown})"


def _octets(octets: bytes, error: Exception) -> str:
    return f"unread({octets.hex()}: {type(error).__name__})"
