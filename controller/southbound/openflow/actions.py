"""How is one action of a flow written with os-ken, and what in it varies from flow to flow?

Each action is told in three ways that have to agree: what of it is constant (its shape), the values that are not, and
os-ken's object of it. Canonical is the form in which Open vSwitch echoes an action, whatever forms it accepts.
"""

from collections.abc import Iterator
from typing import Any

from controller.southbound.openflow.errors import EncodeError
from controller.southbound.openflow.osken import MeteredCopy, ofp, parser
from flows.fields import CT_MARK, Field, RegField
from flows.flow import (
    Action,
    Conjunction,
    CopyToController,
    Ct,
    CtClear,
    Load,
    Move,
    Output,
    OutputInPort,
    OutputReg,
    PopVlan,
    PushVlan,
    Resubmit,
    SetField,
    ToController,
    ToGroup,
)
from flows.ofctl import value_text

Shape = tuple[object, ...]
"""What is constant in some bytes; hashable, and equal for equal forms."""
_TEXT_FORMS = frozenset({"mac", "ipv4", "ipv6"})
_NXM_SUFFIX = "_nxm"
"""os-ken's names for the older NXM header of a field end so, but for those of neighbour discovery."""
_ND_PREFIX = "ipv6_nd_"
_RESUBMIT_IN_PORT = 0xFFF8
"""OFPP_IN_PORT in the 16 bits of a Nicira action: keep the input port (ovs-actions(7), resubmit)."""
_DOT1Q = 0x8100
"""TPID of IEEE 802.1Q."""
_CT_COMMIT = 1
"""NX_CT_F_COMMIT (nicira-ext.h, nx_action_conntrack)."""
_CT_NO_TABLE = 0xFF
"""NX_CT_RECIRC_NONE: the packet does not go on in another table."""
_WHOLE = 0xFFFF
"""Octets that go to the controller, should the register hold its number; what ``ovs-ofctl`` writes."""
_OXM_NAMES = frozenset(described.name for described in ofp.oxm_types)
_MAX_LOAD = 64
"""Bits of a constant that NXActionRegLoad holds."""


def user_value(field: Field, value: int) -> object:
    """Return a value as os-ken wants it: addresses as text, everything else as a number."""
    return value_text(field, value) if field.form in _TEXT_FORMS else value


def actions_shape(actions: tuple[Action, ...]) -> tuple[list[object], list[int]]:  # noqa: C901, PLR0912 - one case an action
    """Return what is constant in the bytes of some actions, and the values of what is not."""
    shape: list[object] = []
    values: list[int] = []
    for action in actions:
        shape.append(type(action))
        if isinstance(action, Load):
            shape.append(action.dst)
            values.append(action.value)
        elif isinstance(action, Conjunction):
            shape += (action.clause, action.clauses)
            values.append(action.id)
        elif isinstance(action, SetField):
            shape.append(action.field)
            values.append(action.value)
        elif isinstance(action, Output):
            values.append(action.ofport)
        elif isinstance(action, ToGroup):
            values.append(action.group_id)
        elif isinstance(action, CopyToController):
            values.append(action.meter)
        elif isinstance(action, Resubmit):
            values.append(action.table)
        elif isinstance(action, Move):
            shape += (action.src, action.dst)
        elif isinstance(action, OutputReg):
            shape.append(action.src)
        elif isinstance(action, Ct):
            shape += (action.zone, action.commit, action.table is None, action.mark is None)
            if action.table is not None:
                values.append(action.table)
            if action.mark is not None:
                values.append(action.mark)
    return shape, values


def action_widths(action: Action) -> tuple[int, ...]:
    """Return the widths in bits of an action's values, in their order."""
    match action:
        case SetField(field=field):
            return (field.bits,)
        case Load(dst=dst):
            return (dst.bits,)
        case Output() | ToGroup() | CopyToController() | Conjunction():
            return (32,)
        case Resubmit():
            return (8,)
        case Ct(table=table, mark=mark):
            return (8,) * (table is not None) + (CT_MARK.bits,) * (mark is not None)
        case _:
            return ()


def osken_action(action: Action, values: Iterator[int]) -> Any:  # noqa: C901, PLR0912 - one case an action
    """Return os-ken's object of an action, with the next of `values` for its own.

    Raises:
        EncodeError: OpenFlow has no such action.
    """
    match action:
        case SetField(field=field):
            return parser.OFPActionSetField(**{field.oxm: user_value(field, next(values))})
        case Load(dst=dst):
            if dst.bits > _MAX_LOAD:
                raise EncodeError(f"load {dst.name}: {dst.bits} bits, no load sets more than {_MAX_LOAD}")
            return parser.NXActionRegLoad(ofs_nbits=_ofs_nbits(dst), dst=dst.field.oxm, value=next(values))
        case Move():
            return _osken_move(action)
        case Output():
            return parser.OFPActionOutput(next(values), 0)
        case OutputReg(src=src):
            return parser.NXActionOutputReg(ofs_nbits=_ofs_nbits(src), src=src.field.oxm, max_len=_WHOLE)
        case OutputInPort():
            return parser.OFPActionOutput(ofp.OFPP_IN_PORT, 0)
        case ToController():
            return parser.OFPActionOutput(ofp.OFPP_CONTROLLER, ofp.OFPCML_NO_BUFFER)
        case ToGroup():
            return parser.OFPActionGroup(next(values))
        case CopyToController():
            return MeteredCopy(next(values))
        case Resubmit():
            return parser.NXActionResubmitTable(in_port=_RESUBMIT_IN_PORT, table_id=next(values))
        case Ct():
            return _osken_ct(action, values)
        case CtClear():
            return parser.NXActionCTClear()
        case PushVlan():
            return parser.OFPActionPushVlan(_DOT1Q)
        case PopVlan():
            return parser.OFPActionPopVlan()
        case Conjunction(clause=clause, clauses=clauses):
            if not 1 <= clause <= clauses:
                raise EncodeError(f"conjunction: there is no clause {clause} of {clauses}")
            # On the wire clauses count from 0 (nicira-ext.h, nx_action_conjunction).
            return parser.NXActionConjunction(clause=clause - 1, n_clauses=clauses, id_=next(values))


def _osken_move(action: Move) -> Any:
    src, dst = action.src, action.dst
    if src.bits != dst.bits:
        raise EncodeError(f"move {src.name} -> {dst.name}: {src.bits} bits do not fit {dst.bits}")
    (src_name, src_low), (dst_name, dst_low) = _move_end(src), _move_end(dst)
    return parser.NXActionRegMove(
        src_field=src_name, dst_field=dst_name, n_bits=src.bits, src_ofs=src_low, dst_ofs=dst_low
    )


def _move_end(end: Field | RegField) -> tuple[str, int]:
    """Return the header with which OVS echoes one end of a move, NXM where it has one, and the lowest bit."""
    if isinstance(end, RegField):
        return end.field.oxm, end.lo
    for nxm in (end.oxm + _NXM_SUFFIX, end.oxm.replace(_ND_PREFIX, "nd_", 1)):
        if nxm in _OXM_NAMES:
            return nxm, 0
    return end.oxm, 0


def _osken_ct(action: Ct, values: Iterator[int]) -> Any:
    if action.mark is not None and not action.commit:
        raise EncodeError("ct: a mark is written only when the connection is committed (ovs-actions(7), ct)")
    table = _CT_NO_TABLE if action.table is None else next(values)
    marks = [] if action.mark is None else [parser.OFPActionSetField(**{CT_MARK.oxm: next(values)})]
    return parser.NXActionCT(
        flags=_CT_COMMIT if action.commit else 0,
        zone_src=action.zone.field.oxm,
        zone_ofs_nbits=_ofs_nbits(action.zone),
        recirc_table=table,
        alg=0,
        actions=marks,
    )


def _ofs_nbits(bits: RegField) -> int:
    """Return some bits of a register as Nicira actions name them (nicira-ext.h, nx_action_reg_load)."""
    return bits.lo << 6 | bits.bits - 1
