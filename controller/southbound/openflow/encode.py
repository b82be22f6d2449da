"""Which bytes are a flow, a group, a meter in OpenFlow 1.4?

The bytes are canonical: Open vSwitch echoes exactly them in a dump, so that a resync compares bytes. Messages around
them are made in `controller.southbound.openflow.messages`.
"""

from collections.abc import Iterator, Sequence
from struct import Struct
from typing import Any, NamedTuple

from controller.southbound.openflow.errors import EncodeError
from controller.southbound.openflow.osken import ofp, parser
from controller.southbound.openflow.template import Template, compile_template
from flows.fields import Field, Term
from flows.flow import (
    Action,
    Flow,
    Group,
    Load,
    Match,
    Meter,
    Move,
    Output,
    OutputInPort,
    OutputReg,
    Resubmit,
    SetField,
    ToController,
    ToGroup,
)
from flows.ofctl import value_text

Shape = tuple[object, ...]
FlowId = tuple[int, int, bytes]
"""(table, priority, match without padding): what identifies a flow in a switch (OpenFlow 1.4 section 6.4)."""

_COOKIE = Struct("!Q")
_CANONICAL_ORDER = (
    "conj_id",
    "in_port",
    "eth_src",
    "eth_dst",
    "eth_type",
    "vlan_vid",
    "vlan_pcp",
    "ipv4_src",
    "ipv4_dst",
    "ipv6_src",
    "ipv6_dst",
    "ipv6_flabel",
    "ip_dscp",
    "ip_ecn",
    "ip_proto",
    "tcp_src",
    "tcp_dst",
    "udp_src",
    "udp_dst",
    "sctp_src",
    "sctp_dst",
    "icmpv4_type",
    "icmpv4_code",
    "icmpv6_type",
    "icmpv6_code",
    "ipv6_nd_target",
    "ipv6_nd_sll",
    "ipv6_nd_tll",
    "arp_op",
    "arp_spa",
    "arp_tpa",
    "arp_sha",
    "arp_tha",
    "tunnel_id",
    "tun_ipv4_src",
    "tun_ipv4_dst",
    "tun_ipv6_src",
    "tun_ipv6_dst",
    "reg0",
    "reg1",
    "reg2",
    "reg3",
    "reg4",
    "reg5",
    "reg6",
    "reg7",
    "reg8",
    "reg9",
    "reg10",
    "reg11",
    "reg12",
    "reg13",
    "reg14",
    "reg15",
    "pkt_mark",
    "ct_state",
    "ct_zone",
    "ct_mark",
    "ct_label",
    "metadata",
)
"""The order in which Open vSwitch writes the fields of a match (`nx_put_raw` in its lib/nx-match.c), by os-ken's
names."""
_PLACE = {name: place for place, name in enumerate(_CANONICAL_ORDER)}
_TEXT_FORMS = frozenset({"mac", "ipv4", "ipv6"})
_NXM_SUFFIX = "_nxm"
"""os-ken's names for the older NXM header of a field end so."""
_RESUBMIT_IN_PORT = 0xFFF8
"""OFPP_IN_PORT in the 16 bits of a Nicira action: keep the input port (ovs-actions(7), resubmit)."""


class WireFlow(NamedTuple):
    """A flow as bytes."""

    id: FlowId
    entry: bytes
    """Cookie, 8 octets, then the instructions: everything in which two flows with one id can differ."""


def cookie_of(entry: bytes) -> int:
    """Return the cookie in front of a flow's instructions."""
    cookie: int = _COOKIE.unpack_from(entry)[0]
    return cookie


class Encoder:
    """Makes bytes of values; remembers one template per form it has met."""

    def __init__(self) -> None:
        self._matches: dict[Shape, Template] = {}
        self._instructions: dict[Shape, Template] = {}
        self._buckets: dict[Shape, Template] = {}
        self._meter = compile_template(_build_meter, (32, 32))

    def flow(self, flow: Flow) -> WireFlow:
        """Return a flow's bytes.

        Raises:
            EncodeError: The flow has no form in OpenFlow 1.4; the message names the flow.
        """
        try:
            return WireFlow(
                (flow.table, flow.priority, self._match(flow.match)),
                _COOKIE.pack(flow.cookie) + self._instruction_bytes(flow),
            )
        except EncodeError as error:
            raise EncodeError(
                f"flow cookie={flow.cookie:#x} table={flow.table} priority={flow.priority} ({flow.why}): {error}"
            ) from error

    def flow_id(self, flow: Flow) -> FlowId:
        """Return the part of a flow's bytes that identifies it."""
        return flow.table, flow.priority, self._match(flow.match)

    def group(self, group: Group) -> bytes:
        """Return a group's buckets as they stand in a group modification and in a group description."""
        return b"".join(self._bucket(bucket.actions) for bucket in group.buckets)

    def meter(self, meter: Meter) -> bytes:
        """Return a meter's one band."""
        return self._meter.pack((meter.rate_pps, meter.burst))

    def numbered_group(self, group: Group) -> tuple[int, bytes]:
        """Return a group's id and its buckets."""
        return group.id, self.group(group)

    def numbered_meter(self, meter: Meter) -> tuple[int, bytes]:
        """Return a meter's id and its band."""
        return meter.id, self.meter(meter)

    def _match(self, match: Match) -> bytes:
        shape: list[object] = []
        values: list[int] = []
        for term in match:
            field, mask = term.field, term.mask
            shape.append(field.name)
            values.append(term.value)
            if mask != (1 << field.bits) - 1:
                shape.append(True)
                values.append(mask)
        key = tuple(shape)
        template = self._matches.get(key)
        if template is None:
            template = self._matches[key] = _compile_match(match)
        return template.pack(values)

    def _instruction_bytes(self, flow: Flow) -> bytes:
        shape, values = _actions_shape(flow.actions)
        if flow.goto is not None:
            shape.append("goto")
            values.append(flow.goto)
        if flow.meter is not None:
            shape.append("meter")
            values.append(flow.meter)
        key = tuple(shape)
        template = self._instructions.get(key)
        if template is None:
            template = self._instructions[key] = _compile_instructions(flow)
        return template.pack(values)

    def _bucket(self, actions: tuple[Action, ...]) -> bytes:
        shape, values = _actions_shape(actions)
        key = tuple(shape)
        template = self._buckets.get(key)
        if template is None:
            template = self._buckets[key] = _compile_bucket(actions)
        return template.pack(values)


# forms ----------------------------------------------------------------------------------------------------------------


def _actions_shape(actions: tuple[Action, ...]) -> tuple[list[object], list[int]]:
    """Return what is constant in the bytes of some actions, and the values of what is not."""
    shape: list[object] = []
    values: list[int] = []
    for action in actions:
        kind = type(action)
        shape.append(kind)
        if isinstance(action, SetField):
            shape.append(action.field.name)
            values.append(action.value)
        elif isinstance(action, Load):
            dst = action.dst
            shape += (dst.reg, dst.lo, dst.hi)
            values.append(action.value)
        elif isinstance(action, Output):
            values.append(action.ofport)
        elif isinstance(action, ToGroup):
            values.append(action.group_id)
        elif isinstance(action, Resubmit):
            values.append(action.table)
        elif isinstance(action, Move):
            shape += (action.src.name, action.dst.name)
        elif isinstance(action, OutputReg):
            shape += (action.src.reg, action.src.lo, action.src.hi)
    return shape, values


def _width(action: Action) -> tuple[int, ...]:
    """Return the widths of an action's values in bits: one or none."""
    match action:
        case SetField(field=field):
            return (field.bits,)
        case Load(dst=dst):
            return (dst.bits,)
        case Output() | ToGroup():
            return (32,)
        case Resubmit():
            return (8,)
        case _:
            return ()


# what os-ken is asked for ---------------------------------------------------------------------------------------------


def _user_value(field: Field, value: int) -> object:
    """Return a value as os-ken wants it: addresses as text, everything else as a number."""
    return value_text(field, value) if field.form in _TEXT_FORMS else value


def _ofs_nbits(lo: int, bits: int) -> int:
    """Return some bits of a field as Nicira actions name them (nicira-ext.h, nx_action_reg_load)."""
    return lo << 6 | bits - 1


def _move_name(field: Field) -> str:
    """Return the name of the header with which OVS echoes a field in a move: NXM where it has one."""
    nxm = field.oxm + _NXM_SUFFIX
    return nxm if nxm in _OXM_NAMES else field.oxm


_OXM_NAMES = frozenset(described.name for described in ofp.oxm_types)


def _osken_action(action: Action, values: Iterator[int]) -> Any:  # noqa: C901 - one case an action
    match action:
        case SetField(field=field):
            return parser.OFPActionSetField(**{field.oxm: _user_value(field, next(values))})
        case Load(dst=dst):
            return parser.NXActionRegLoad(ofs_nbits=_ofs_nbits(dst.lo, dst.bits), dst=dst.field.oxm, value=next(values))
        case Move(src=src, dst=dst):
            if src.bits != dst.bits:
                raise EncodeError(f"move {src.name} -> {dst.name}: {src.bits} bits do not fit {dst.bits}")
            return parser.NXActionRegMove(src_field=_move_name(src), dst_field=_move_name(dst), n_bits=src.bits)
        case Output():
            return parser.OFPActionOutput(next(values), 0)
        case OutputReg(src=src):
            return parser.NXActionOutputReg(ofs_nbits=_ofs_nbits(src.lo, src.bits), src=src.field.oxm, max_len=0)
        case OutputInPort():
            return parser.OFPActionOutput(ofp.OFPP_IN_PORT, 0)
        case ToController():
            return parser.OFPActionOutput(ofp.OFPP_CONTROLLER, ofp.OFPCML_NO_BUFFER)
        case ToGroup():
            return parser.OFPActionGroup(next(values))
        case Resubmit():
            return parser.NXActionResubmitTable(in_port=_RESUBMIT_IN_PORT, table_id=next(values))


def _compile_match(match: Match) -> Template:
    widths = [bits for term in match for bits in ([term.field.bits] * (1 if term.is_exact else 2))]
    for term in match:
        if term.field.oxm not in _PLACE:
            raise EncodeError(f"field {term.field.name} ({term.field.oxm}) has no place in the canonical order")

    def build(values: Sequence[int]) -> bytes:
        rest = iter(values)
        named = {term.field.oxm: _term_value(term, rest) for term in match}
        ordered = parser.OFPMatch(_ordered_fields=sorted(named.items(), key=lambda item: _PLACE[item[0]]))
        buffer = bytearray()
        ordered.serialize(buffer, 0)
        return bytes(buffer[: ordered.length])

    return compile_template(build, widths)


def _term_value(term: Term, values: Iterator[int]) -> object:
    value = _user_value(term.field, next(values))
    return value if term.is_exact else (value, _user_value(term.field, next(values)))


def _compile_instructions(flow: Flow) -> Template:
    widths = [bits for action in flow.actions for bits in _width(action)]
    widths += [8] * (flow.goto is not None) + [32] * (flow.meter is not None)

    def build(values: Sequence[int]) -> bytes:
        rest = iter(values)
        applied = [_osken_action(action, rest) for action in flow.actions]
        goto = [parser.OFPInstructionGotoTable(next(rest))] if flow.goto is not None else []
        # In the order in which OVS writes them: meter, apply, goto (its lib/ofp-actions.c).
        instructions = [parser.OFPInstructionMeter(next(rest))] if flow.meter is not None else []
        if applied:
            instructions.append(parser.OFPInstructionActions(ofp.OFPIT_APPLY_ACTIONS, applied))
        return _serialised([*instructions, *goto])

    return compile_template(build, widths)


def _compile_bucket(actions: tuple[Action, ...]) -> Template:
    widths = [bits for action in actions for bits in _width(action)]

    def build(values: Sequence[int]) -> bytes:
        rest = iter(values)
        return _serialised([parser.OFPBucket(actions=[_osken_action(action, rest) for action in actions])])

    return compile_template(build, widths)


def _build_meter(values: Sequence[int]) -> bytes:
    return _serialised([parser.OFPMeterBandDrop(rate=values[0], burst_size=values[1])])


def _serialised(parts: Sequence[Any]) -> bytes:
    buffer = bytearray()
    for part in parts:
        part.serialize(buffer, len(buffer))
    return bytes(buffer)
