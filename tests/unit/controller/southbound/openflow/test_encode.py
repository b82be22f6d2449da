"""Are the bytes of flows, groups and meters those that os-ken makes, whatever the values?"""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.southbound.openflow.encode import Encoder, cookie_of
from controller.southbound.openflow.errors import EncodeError
from controller.southbound.openflow.osken import ofp, parser
from flows import fields
from flows.fields import Field
from flows.flow import (
    Action,
    Bucket,
    Group,
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
from flows.pipeline import OUT_PORT, SEGMENT
from tests.contract.harness import a_flow

ENCODER = Encoder()
ALL_FIELDS = [*(value for value in vars(fields).values() if isinstance(value, Field)), *fields.REGISTERS]
SETTABLE = [field for field in ALL_FIELDS if field != fields.IN_PORT]
NXM = {
    "eth_src": "eth_src_nxm",
    "eth_dst": "eth_dst_nxm",
    "arp_sha": "arp_sha_nxm",
    "arp_tha": "arp_tha_nxm",
    "arp_spa": "arp_spa_nxm",
    "arp_tpa": "arp_tpa_nxm",
}


def user(field: Field, value: int) -> object:
    """Return a value as os-ken's users write it."""
    return value_text(field, value) if field.form in {"mac", "ipv4", "ipv6"} else value


def serialised(parts: Sequence[Any]) -> bytes:
    buffer = bytearray()
    for part in parts:
        part.serialize(buffer, len(buffer))
    return bytes(buffer)


def osken(action: Action) -> Any:
    """Write an action down as a user of os-ken would."""
    match action:
        case SetField(field, value):
            return parser.OFPActionSetField(**{field.oxm: user(field, value)})
        case Load(dst, value):
            return parser.NXActionRegLoad(ofs_nbits=dst.lo << 6 | (dst.hi - dst.lo), dst=f"reg{dst.reg}", value=value)
        case Move(src, dst):
            return parser.NXActionRegMove(src_field=NXM[src.oxm], dst_field=NXM[dst.oxm], n_bits=src.bits)
        case Output(ofport):
            return parser.OFPActionOutput(ofport, 0)
        case OutputReg(src):
            return parser.NXActionOutputReg(ofs_nbits=src.lo << 6 | (src.hi - src.lo), src=f"reg{src.reg}", max_len=0)
        case OutputInPort():
            return parser.OFPActionOutput(ofp.OFPP_IN_PORT, 0)
        case ToController():
            return parser.OFPActionOutput(ofp.OFPP_CONTROLLER, 65535)
        case ToGroup(group_id):
            return parser.OFPActionGroup(group_id)
        case Resubmit(table):
            return parser.NXActionResubmitTable(in_port=0xFFF8, table_id=table)


def numbers(bits: int) -> st.SearchStrategy[int]:
    return st.integers(0, (1 << bits) - 1)


actions = st.lists(
    st.one_of(
        st.sampled_from(SETTABLE).flatmap(lambda f: st.builds(SetField, st.just(f), numbers(f.bits))),
        st.sampled_from([SEGMENT, OUT_PORT]).flatmap(lambda d: st.builds(Load, st.just(d), numbers(d.bits))),
        st.builds(Move, st.just(fields.ARP_SHA), st.sampled_from([fields.ARP_THA, fields.ETH_DST])),
        st.builds(Move, st.just(fields.ARP_SPA), st.just(fields.ARP_TPA)),
        st.builds(Output, numbers(32)),
        st.builds(OutputReg, st.sampled_from([SEGMENT, OUT_PORT])),
        st.just(OutputInPort()),
        st.just(ToController()),
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
        mask = data.draw(st.just(field.full_mask) | st.integers(1, field.full_mask))
        terms.append(field.masked(data.draw(numbers(field.bits)), mask))
    table, priority, match = ENCODER.flow(a_flow(1, table=7, priority=9, match=terms)).id
    assert (table, priority) == (7, 9)
    parsed = dict(parser.OFPMatch.parser(match, 0).items())
    assert parsed == {
        term.field.oxm: user(term.field, term.value)
        if term.is_exact
        else (user(term.field, term.value), user(term.field, term.mask))
        for term in terms
    }
    assert len(match) == int.from_bytes(match[2:4], "big")


@given(buckets=st.lists(actions, max_size=5), rate=numbers(32), burst=numbers(32))
def test_buckets_and_bands_are_those_of_os_ken(buckets: list[tuple[Action, ...]], rate: int, burst: int) -> None:
    group = Group(id=5, buckets=tuple(Bucket(actions=acts) for acts in buckets))
    expected = [parser.OFPBucket(actions=[osken(action) for action in acts]) for acts in buckets]
    assert ENCODER.group(group) == serialised(expected)
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
        (a_flow(1, match=[Field(name="odd", oxm="odd", bits=8).eq(1)]), "no place in the canonical order"),
    ],
)
def test_what_has_no_openflow_form_is_refused_with_the_flow_named(bad: Any, names: str) -> None:
    with pytest.raises(EncodeError, match=names) as raised:
        ENCODER.flow(bad)
    assert "table=10" in str(raised.value)
    assert "a test" in str(raised.value)
