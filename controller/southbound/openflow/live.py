"""What flows are these, read from a switch? Values for a walk, with the reasons of those that the intent knows."""

from collections.abc import Container, Iterable, Iterator
from ipaddress import ip_address
from typing import Any

from controller.southbound.openflow.decode import flow_text
from controller.southbound.openflow.dump import DumpedFlow
from controller.southbound.openflow.encode import Encoder
from controller.southbound.openflow.mark import is_mark
from controller.southbound.openflow.osken import MeteredCopy, ofp, parser
from flows.cookie import is_ours
from flows.fields import CT_MARK, DOUBLE_REGISTERS, QUAD_REGISTERS, REGISTERS, Field, RegField, Term
from flows.flow import (
    Action,
    Conjunction,
    CopyToController,
    Ct,
    CtClear,
    Flow,
    Load,
    Match,
    Move,
    Output,
    OutputInPort,
    OutputReg,
    Resubmit,
    SetField,
    ToController,
    ToGroup,
    canonical_match,
)
from flows.walk.packet import ALL_FIELDS

_FIELDS: dict[str, Field] = {field.oxm: field for field in (*ALL_FIELDS, *DOUBLE_REGISTERS, *QUAD_REGISTERS)}
_REGISTERS = frozenset((*REGISTERS, *DOUBLE_REGISTERS, *QUAD_REGISTERS))
_CT_COMMIT, _CT_NO_TABLE = 1, 0xFF
"""NX_CT_F_COMMIT and NX_CT_RECIRC_NONE (nicira-ext.h, nx_action_conntrack)."""


def live_flows(
    dumped: Iterable[DumpedFlow], desired: Iterable[Flow], groups: Container[int], encoder: Encoder
) -> tuple[list[Flow], frozenset[int]]:
    """Return the flows a switch holds, and the cookies of those that could not be read.

    Args:
        dumped: What it holds.
        desired: What it should hold; of equal flows these are returned, with their reasons.
        groups: Ids of the groups a walk knows.
        encoder: Makes bytes of `desired`, as they were made for the switch.
    """
    known = {encoder.flow_id(flow): flow for flow in desired}
    found: list[Flow] = []
    unread: set[int] = set()
    for live in dumped:
        if is_mark(live.cookie):
            continue  # no packet meets it
        flow = known.get(live.id)
        entry = b"" if flow is None else encoder.flow(flow).entry
        if flow is not None and entry == live.cookie.to_bytes(8, "big") + live.instruction_bytes:
            found.append(flow)
            continue
        try:
            flow = _read(live)
            if any(isinstance(action, ToGroup) and action.group_id not in groups for action in flow.actions):
                raise ValueError("a group that is not Weft's")  # noqa: TRY301 - caught as what cannot be read
            found.append(flow)
        except Exception:  # noqa: BLE001 - os-ken raises all sorts on what it does not know
            unread.add(live.cookie)
    return found, frozenset(unread)


def _read(live: DumpedFlow) -> Flow:
    """Return a flow that is not as desired; raises all sorts of errors when it has a form that no walk knows."""
    actions, goto, meter = _instructions(live)
    said = "left over: not in the intent, will be removed" if is_ours(live.cookie) else "not made by Weft"
    return Flow(
        table=live.table,
        priority=live.priority,
        match=_match(live),
        actions=actions,
        goto=goto,
        meter=meter,
        cookie=live.cookie,
        why=f"{said}: {flow_text(live.id, live.instruction_bytes)}",
    )


def _match(live: DumpedFlow) -> Match:
    parsed = parser.OFPMatch.parser(live.match_bytes, 0)
    return canonical_match(term for name, value in parsed.items() for term in _terms(_FIELDS[name], value))


def _terms(field: Field, given: Any) -> Iterator[Term]:
    if isinstance(given, tuple):
        yield field.masked(_number(field, given[0]), _number(field, given[1]))
    else:
        yield field.eq(_number(field, given))


def _number(field: Field, value: Any) -> int:
    if isinstance(value, int):
        return value
    return int(str(value).replace(":", ""), 16) if field.form == "mac" else int(ip_address(str(value)))


def _instructions(live: DumpedFlow) -> tuple[tuple[Action, ...], int | None, int | None]:
    actions: tuple[Action, ...] = ()
    goto: int | None = None
    meter: int | None = None
    at, octets = 0, live.instruction_bytes
    while at < len(octets):
        instruction = parser.OFPInstruction.parser(octets, at)
        at += instruction.len
        match instruction:
            case parser.OFPInstructionGotoTable(table_id=table):
                goto = table
            case parser.OFPInstructionMeter(meter_id=number):
                meter = number
            case parser.OFPInstructionActions(type=ofp.OFPIT_APPLY_ACTIONS, actions=given):
                actions = tuple(_action(action) for action in given)
            case _:
                raise ValueError(f"instruction {type(instruction).__name__}")
    return actions, goto, meter


def _action(action: Any) -> Action:  # noqa: C901, PLR0912 - one case an action
    match action:
        case parser.OFPActionOutput(port=ofp.OFPP_CONTROLLER):
            return ToController()
        case parser.OFPActionOutput(port=ofp.OFPP_IN_PORT):
            return OutputInPort()
        case parser.OFPActionOutput(port=port) if port < ofp.OFPP_MAX:
            return Output(port)
        case parser.OFPActionGroup(group_id=group):
            return ToGroup(group)
        case parser.OFPActionSetField(key=key, value=value) if not isinstance(value, tuple):
            return SetField(_FIELDS[key], _number(_FIELDS[key], value))
        case parser.NXActionRegLoad(dst=dst, value=value, ofs_nbits=bits):
            return Load(_register(dst, bits), value)
        case parser.NXActionRegMove(src_field=src, dst_field=dst, n_bits=bits, src_ofs=src_low, dst_ofs=dst_low):
            return Move(_place(src, src_low, bits), _place(dst, dst_low, bits))
        case parser.NXActionOutputReg(src=src, ofs_nbits=bits):
            return OutputReg(_register(src, bits))
        case parser.NXActionCT() if action.zone_src and not action.flags & ~_CT_COMMIT and not action.alg:
            return _ct(action)
        case parser.NXActionResubmitTable(table_id=table):
            return Resubmit(table)
        case parser.NXActionCTClear():
            return CtClear()
        case MeteredCopy(meter_id=meter):
            return CopyToController(meter)
        case parser.NXActionConjunction(id=number, clause=clause, n_clauses=clauses):
            return Conjunction(number, clause + 1, clauses)
        case _:
            raise ValueError(f"action {type(action).__name__}")


def _ct(action: Any) -> Ct:
    marks = [_action(part) for part in action.actions]
    mark = marks[0].value if marks and isinstance(marks[0], SetField) and marks[0].field is CT_MARK else None
    if len(marks) > (mark is not None):
        raise ValueError("ct writes more than a mark")
    table = None if action.recirc_table == _CT_NO_TABLE else action.recirc_table
    zone = _register(action.zone_src, action.zone_ofs_nbits)
    return Ct(zone=zone, table=table, commit=bool(action.flags & _CT_COMMIT), mark=mark)


def _place(name: str, low: int, bits: int) -> Field | RegField:
    plain = name.removesuffix("_nxm")
    field = _FIELDS.get(plain) or _FIELDS[f"ipv6_{plain}"]  # nd_target, by its older name
    if field in _REGISTERS:
        return _bits(field, low, low + bits - 1)
    if low or bits != field.bits:
        raise ValueError(f"a move of a part of {name}")
    return field


def _register(name: str, ofs_nbits: int) -> RegField:
    """Return some bits of a register, as a Nicira action names them (nicira-ext.h, nx_action_reg_load)."""
    low = ofs_nbits >> 6
    return _bits(_FIELDS[name], low, low + (ofs_nbits & 0x3F))


def _bits(field: Field, low: int, high: int) -> RegField:
    wide = field.bits // 32
    number = int(field.name.lstrip("xreg"))
    return RegField(name=f"{field.name}[{low}..{high}]", reg=number * wide, wide=wide, lo=low, hi=high, doc="")
