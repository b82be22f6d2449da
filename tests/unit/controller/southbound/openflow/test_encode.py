"""Are the bytes of flows, groups and meters those that os-ken makes, whatever the values?"""

from collections.abc import Sequence
from ipaddress import IPv6Address
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.southbound.openflow.encode import Encoder, cookie_of
from controller.southbound.openflow.errors import EncodeError
from controller.southbound.openflow.osken import MeteredCopy, ofp, parser
from flows import fields
from flows.fields import Field, RegField
from flows.flow import (
    Action,
    Bucket,
    Conjunction,
    CopyToController,
    Ct,
    CtClear,
    Group,
    GroupKind,
    Load,
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
from flows.pipeline import ADDRESS, FROM_ZONE, OUT_PORT, OWNER_MAC, SEGMENT, TO_ZONE
from tests.contract.harness import a_flow

ENCODER = Encoder()
ALL_FIELDS = [*(value for value in vars(fields).values() if isinstance(value, Field)), *fields.REGISTERS]
SETTABLE = [field for field in ALL_FIELDS if field != fields.IN_PORT]
REGISTERS_SET = [SEGMENT, OUT_PORT, OWNER_MAC, TO_ZONE]
NXM = {
    "eth_src": "eth_src_nxm",
    "eth_dst": "eth_dst_nxm",
    "arp_sha": "arp_sha_nxm",
    "arp_tha": "arp_tha_nxm",
    "arp_spa": "arp_spa_nxm",
    "arp_tpa": "arp_tpa_nxm",
    "ipv6_src": "ipv6_src_nxm",
    "ipv6_nd_target": "nd_target",
    "ipv6_nd_tll": "nd_tll",
}


def user(field: Field, value: int) -> object:
    """Return a value as os-ken's users write it."""
    return value_text(field, value) if field.form in {"mac", "ipv4", "ipv6"} else value


def serialised(parts: Sequence[Any]) -> bytes:
    buffer = bytearray()
    for part in parts:
        part.serialize(buffer, len(buffer))
    return bytes(buffer)


def osken(action: Action) -> Any:  # noqa: C901, PLR0912 - one case an action
    """Write an action down as a user of os-ken would."""
    match action:
        case SetField(field, value):
            return parser.OFPActionSetField(**{field.oxm: user(field, value)})
        case Load(dst, value):
            return parser.NXActionRegLoad(ofs_nbits=dst.lo << 6 | (dst.hi - dst.lo), dst=dst.field.name, value=value)
        case Move(src, dst):
            return parser.NXActionRegMove(*end(src)[:1], *end(dst)[:1], src.bits, end(src)[1], end(dst)[1])
        case Ct(zone, table, commit, mark):
            marks = [] if mark is None else [parser.OFPActionSetField(ct_mark=mark)]
            bits = zone.lo << 6 | (zone.hi - zone.lo)
            return parser.NXActionCT(int(commit), f"reg{zone.reg}", bits, 255 if table is None else table, 0, marks)
        case CtClear():
            return parser.NXActionCTClear()
        case Conjunction(number, clause, clauses):
            return parser.NXActionConjunction(clause=clause - 1, n_clauses=clauses, id_=number)
        case Output(ofport):
            return parser.OFPActionOutput(ofport, 0)
        case OutputReg(src):
            return parser.NXActionOutputReg(
                ofs_nbits=src.lo << 6 | (src.hi - src.lo), src=f"reg{src.reg}", max_len=65535
            )
        case OutputInPort():
            return parser.OFPActionOutput(ofp.OFPP_IN_PORT, 0)
        case CopyToController(meter):
            return MeteredCopy(meter)
        case ToController():
            return parser.OFPActionOutput(ofp.OFPP_CONTROLLER, 65535)
        case ToGroup(group_id):
            return parser.OFPActionGroup(group_id)
        case Resubmit(table):
            return parser.NXActionResubmitTable(in_port=0xFFF8, table_id=table)


def end(place: Field | RegField) -> tuple[str, int]:
    """Return one end of a move as os-ken's users name it, and its lowest bit."""
    return (place.field.name, place.lo) if isinstance(place, RegField) else (NXM[place.oxm], 0)


def canonical(value: object) -> object:
    """Write os-ken's IPv6 addresses as RFC 5952 wants them."""
    if isinstance(value, tuple):
        return tuple(map(canonical, value))
    return str(IPv6Address(value)) if isinstance(value, str) and "::" in value else value


def numbers(bits: int) -> st.SearchStrategy[int]:
    return st.integers(0, (1 << bits) - 1)


actions = st.lists(
    st.one_of(
        st.sampled_from(SETTABLE).flatmap(lambda f: st.builds(SetField, st.just(f), numbers(f.bits))),
        st.sampled_from(REGISTERS_SET).flatmap(lambda d: st.builds(Load, st.just(d), numbers(d.bits))),
        st.builds(Move, st.just(fields.ARP_SHA), st.sampled_from([fields.ARP_THA, fields.ETH_DST])),
        st.builds(Move, st.just(fields.ARP_SPA), st.just(fields.ARP_TPA)),
        st.builds(Move, st.just(OWNER_MAC), st.sampled_from([fields.ETH_SRC, fields.ND_TLL])),
        st.builds(Move, st.sampled_from([fields.IPV6_SRC, fields.ND_TARGET]), st.just(ADDRESS)),
        st.builds(Move, st.just(FROM_ZONE), st.just(TO_ZONE)),
        st.builds(Ct, st.sampled_from([FROM_ZONE, TO_ZONE]), st.none() | numbers(8)),
        st.builds(Ct, st.just(FROM_ZONE), st.none() | numbers(8), commit=st.just(True), mark=st.none() | numbers(32)),
        st.just(CtClear()),
        st.integers(1, 64).flatmap(lambda n: st.builds(Conjunction, numbers(32), st.integers(1, n), st.just(n))),
        st.builds(Output, numbers(32)),
        st.builds(OutputReg, st.sampled_from([SEGMENT, OUT_PORT])),
        st.just(OutputInPort()),
        st.just(ToController()),
        st.builds(CopyToController, numbers(32)),
        st.builds(ToGroup, numbers(32)),
        st.builds(Resubmit, numbers(8)),
    ),
    max_size=6,
).map(tuple)


@given(
    actions=actions,
    goto=st.none() | numbers(8),
    meter=st.none() | numbers(32),
    cookie=numbers(64),
)
def test_instructions_are_those_of_os_ken(
    actions: tuple[Action, ...], goto: int | None, meter: int | None, cookie: int
) -> None:
    wire = ENCODER.flow(a_flow(1, actions=actions, goto=goto, meter=meter, cookie=cookie))
    parts: list[Any] = [] if meter is None else [parser.OFPInstructionMeter(meter)]
    if actions:
        parts.append(parser.OFPInstructionActions(ofp.OFPIT_APPLY_ACTIONS, [osken(action) for action in actions]))
    if goto is not None:
        parts.append(parser.OFPInstructionGotoTable(goto))
    assert wire.entry[8:] == serialised(parts)
    assert cookie_of(wire.entry) == cookie


@given(st.data())
def test_matches_read_back_as_what_was_asked_for(data: st.DataObject) -> None:
    chosen = data.draw(st.lists(st.sampled_from(ALL_FIELDS), unique_by=lambda f: f.name))
    terms = []
    for field in chosen:
        whole = st.nothing() if field is fields.CT_STATE else st.just(field.full_mask)
        mask = data.draw(whole | st.integers(1, field.full_mask - 1))
        terms.append(field.masked(data.draw(numbers(field.bits)), mask))
    table, priority, match = ENCODER.flow(a_flow(1, table=7, priority=9, match=terms)).id
    assert (table, priority) == (7, 9)
    parsed = {name: canonical(value) for name, value in parser.OFPMatch.parser(match, 0).items()}
    assert parsed == {
        term.field.oxm: user(term.field, term.value)
        if term.is_exact
        else (user(term.field, term.value), user(term.field, term.mask))
        for term in terms
    }
    assert len(match) == int.from_bytes(match[2:4], "big")


@given(buckets=st.lists(actions, max_size=5), kind=st.sampled_from(GroupKind), rate=numbers(32), burst=numbers(32))
def test_buckets_and_bands_are_those_of_os_ken(
    buckets: list[tuple[Action, ...]], kind: GroupKind, rate: int, burst: int
) -> None:
    group = Group(id=5, buckets=tuple(Bucket(actions=acts) for acts in buckets), kind=kind)
    type_, weight = {GroupKind.ALL: (ofp.OFPGT_ALL, 0), GroupKind.SELECT: (ofp.OFPGT_SELECT, 1)}[kind]
    expected = [parser.OFPBucket(weight, actions=[osken(action) for action in acts]) for acts in buckets]
    assert ENCODER.group(group) == bytes([type_]) + serialised(expected)
    band = parser.OFPMeterBandDrop(rate=rate, burst_size=burst)
    assert ENCODER.meter(Meter(id=1, rate_pps=rate, burst=burst)) == serialised([band])


def test_a_known_form_is_not_compiled_again() -> None:
    encoder = Encoder()
    flows = [a_flow(n, actions=(Output(n), Load(SEGMENT, n)), goto=20) for n in range(1, 100)]
    assert len({encoder.flow(flow) for flow in flows}) == 99
    assert (len(encoder._matches), len(encoder._instructions)) == (1, 1)


@pytest.mark.parametrize(
    ("bad", "names"),
    [
        (a_flow(1, actions=(Load(OUT_PORT, 1 << 16),)), "0x10000 does not fit 16 bits"),
        (a_flow(1, actions=(Output(-1),)), "does not fit 32 bits"),
        (a_flow(1, actions=(Move(fields.ETH_SRC, fields.ARP_SPA),)), "48 bits do not fit 32"),
        (a_flow(1, actions=(Load(ADDRESS, 1),)), "128 bits, no load sets more than 64"),
        (a_flow(1, actions=(Ct(FROM_ZONE, mark=1),)), "a mark is written only when the connection is committed"),
        (a_flow(1, actions=(Conjunction(7, 3, 2),)), "no clause 3 of 2"),
        (a_flow(1, match=[fields.CT_STATE.eq(fields.CT_TRK)]), "ct_state: name the bits that matter"),
        (a_flow(1, match=[Field(name="odd", oxm="odd", bits=8).eq(1)]), "no place in the canonical order"),
    ],
)
def test_what_has_no_openflow_form_is_refused_with_the_flow_named(bad: Any, names: str) -> None:
    with pytest.raises(EncodeError, match=names) as raised:
        ENCODER.flow(bad)
    assert "table=10" in str(raised.value)
    assert "a test" in str(raised.value)
