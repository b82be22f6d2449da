"""Which bytes are a flow, a group, a meter in OpenFlow 1.4?

The bytes are canonical: Open vSwitch echoes exactly them in a dump, so that a resync compares bytes. Messages around
them are made in `controller.southbound.openflow.messages`.
"""

from collections.abc import Iterator, Sequence
from struct import Struct
from typing import Any, NamedTuple

from controller.southbound.openflow.actions import Shape, action_widths, actions_shape, osken_action, user_value
from controller.southbound.openflow.errors import EncodeError
from controller.southbound.openflow.osken import ofp, parser
from controller.southbound.openflow.template import Template, compile_template
from flows.fields import CT_STATE, Term
from flows.flow import Action, Flow, Group, GroupKind, Match, Meter

REMEMBERED = 1 << 16
"""Flows whose bytes are remembered: those of some thousand ports."""
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
    "ip_frag",
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
    "nd_reserved",
    "ipv6_nd_target",
    "nd_options_type",
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
_BUCKET_WEIGHT = {GroupKind.ALL: 0, GroupKind.SELECT: 1}
"""Open vSwitch never chooses a bucket without weight, and one group's buckets are all alike here."""
_GROUP_TYPE = {GroupKind.ALL: bytes([ofp.OFPGT_ALL]), GroupKind.SELECT: bytes([ofp.OFPGT_SELECT])}


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
    """Makes bytes of values; remembers one template per form it has met, and the bytes of the flows it met last."""

    def __init__(self) -> None:
        self._recent: dict[int, tuple[Flow, WireFlow]] = {}
        """By identity: many switches get the very same flows, and then keep the same bytes."""
        self._matches: dict[Shape, Template] = {}
        self._instructions: dict[Shape, Template] = {}
        self._buckets: dict[Shape, Template] = {}
        self._meter = compile_template(_build_meter, (32, 32))

    def flow(self, flow: Flow) -> WireFlow:
        """Return a flow's bytes.

        Raises:
            EncodeError: The flow has no form in OpenFlow 1.4; the message names the flow.
        """
        known = self.recall(flow)
        if known is not None:
            return known
        try:
            entry = _COOKIE.pack(flow.cookie) + self._instruction_bytes(flow)
            return self.remember(flow, WireFlow((flow.table, flow.priority, self._match(flow.match)), entry))
        except EncodeError as error:
            raise EncodeError(
                f"flow cookie={flow.cookie:#x} table={flow.table} priority={flow.priority} ({flow.why}): {error}"
            ) from error

    def recall(self, flow: Flow) -> WireFlow | None:
        """Return the bytes of this very flow if they were made lately."""
        known = self._recent.get(id(flow))
        return None if known is None else known[1]

    def remember(self, flow: Flow, wire: WireFlow) -> WireFlow:
        """Keep the bytes of a flow for the next switch that gets it, and return them."""
        if len(self._recent) >= REMEMBERED:
            self._recent = {}  # and not the oldest alone: what many switches share is soon there again
        self._recent[id(flow)] = flow, wire
        return wire

    def flow_id(self, flow: Flow) -> FlowId:
        """Return the part of a flow's bytes that identifies it."""
        return flow.table, flow.priority, self._match(flow.match)

    def group(self, group: Group) -> bytes:
        """Return a group's type, one octet, then its buckets as they stand in a group modification and description."""
        return _GROUP_TYPE[group.kind] + b"".join(self._bucket(group.kind, bucket.actions) for bucket in group.buckets)

    def meter(self, meter: Meter) -> bytes:
        """Return a meter's one band."""
        return self._meter.pack((meter.rate_pps, meter.burst))

    def numbered_group(self, group: Group) -> tuple[int, bytes]:
        """Return a group's id, and its type and buckets."""
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
        shape, values = actions_shape(flow.actions)
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

    def _bucket(self, kind: GroupKind, actions: tuple[Action, ...]) -> bytes:
        shape, values = actions_shape(actions)
        key = (kind, *shape)
        template = self._buckets.get(key)
        if template is None:
            template = self._buckets[key] = _compile_bucket(kind, actions)
        return template.pack(values)


# forms ----------------------------------------------------------------------------------------------------------------


def _compile_match(match: Match) -> Template:
    widths = [bits for term in match for bits in ([term.field.bits] * (1 if term.is_exact else 2))]
    for term in match:
        if term.field.oxm not in _PLACE:
            raise EncodeError(f"field {term.field.name} ({term.field.oxm}) has no place in the canonical order")
        if term.field is CT_STATE and term.is_exact:
            # Open vSwitch keeps 8 of its 32 bits, and would echo the condition with a mask (its lib/match.c).
            raise EncodeError("ct_state: name the bits that matter, with a mask")

    def build(values: Sequence[int]) -> bytes:
        rest = iter(values)
        named = {term.field.oxm: _term_value(term, rest) for term in match}
        ordered = parser.OFPMatch(_ordered_fields=sorted(named.items(), key=lambda item: _PLACE[item[0]]))
        buffer = bytearray()
        ordered.serialize(buffer, 0)
        return bytes(buffer[: ordered.length])

    return compile_template(build, widths)


def _term_value(term: Term, values: Iterator[int]) -> object:
    value = user_value(term.field, next(values))
    return value if term.is_exact else (value, user_value(term.field, next(values)))


def _compile_instructions(flow: Flow) -> Template:
    widths = [bits for action in flow.actions for bits in action_widths(action)]
    widths += [8] * (flow.goto is not None) + [32] * (flow.meter is not None)

    def build(values: Sequence[int]) -> bytes:
        rest = iter(values)
        applied = [osken_action(action, rest) for action in flow.actions]
        goto = [parser.OFPInstructionGotoTable(next(rest))] if flow.goto is not None else []
        # In the order in which OVS writes them: meter, apply, goto (its lib/ofp-actions.c).
        instructions = [parser.OFPInstructionMeter(next(rest))] if flow.meter is not None else []
        if applied:
            instructions.append(parser.OFPInstructionActions(ofp.OFPIT_APPLY_ACTIONS, applied))
        return _serialised([*instructions, *goto])

    return compile_template(build, widths)


def _compile_bucket(kind: GroupKind, actions: tuple[Action, ...]) -> Template:
    widths = [bits for action in actions for bits in action_widths(action)]

    def build(values: Sequence[int]) -> bytes:
        rest = iter(values)
        applied = [osken_action(action, rest) for action in actions]
        return _serialised([parser.OFPBucket(weight=_BUCKET_WEIGHT[kind], actions=applied)])

    return compile_template(build, widths)


def _build_meter(values: Sequence[int]) -> bytes:
    return _serialised([parser.OFPMeterBandDrop(rate=values[0], burst_size=values[1])])


def _serialised(parts: Sequence[Any]) -> bytes:
    buffer = bytearray()
    for part in parts:
        part.serialize(buffer, len(buffer))
    return bytes(buffer)
