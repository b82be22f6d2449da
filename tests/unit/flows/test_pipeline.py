"""The pipeline's declarations hold for any pipeline, and a flow outside them is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows import fields
from flows.compiler import compile_bridge
from flows.cookie import Feature
from flows.fields import RegField
from flows.flow import Load, canonical_match
from flows.intent import BaseIntent, UnitIntent
from flows.pipeline import (
    ADDRESSES,
    CLASSIFY,
    L2_LOOKUP,
    OUT_PORT,
    OUTPUT,
    PIPELINE,
    PORT_SECURITY,
    REGISTER_FIELDS,
    SEGMENT,
    TABLE_BY_ID,
    TABLE_BY_NAME,
    Priority,
)
from tests.unit.flows.builders import INTENTS


def test_every_exit_leads_to_a_greater_table() -> None:
    """OpenFlow 1.4 section 5.1: goto goes forward only."""
    for table in PIPELINE:
        for name in table.exits:
            assert TABLE_BY_NAME[name].id > table.id


def test_every_register_matched_is_written_upstream() -> None:
    for table in PIPELINE:
        for matched in table.match:
            if isinstance(matched, RegField):
                earlier = [other for other in PIPELINE if other.id < table.id or other is ADDRESSES]
                assert any(matched in other.writes for other in earlier)


def test_no_two_register_fields_share_a_bit() -> None:
    seen: dict[int, int] = {}
    for field in REGISTER_FIELDS:
        for term in field.matching((1 << field.bits) - 1):
            number = int(term.field.name.removeprefix("reg"))
            assert not seen.get(number, 0) & term.mask
            seen[number] = seen.get(number, 0) | term.mask


@given(st.lists(INTENTS, max_size=10))
def test_every_flow_has_a_reason_a_cookie_of_ours_and_a_declared_exit(intents: list[UnitIntent]) -> None:
    for flow in compile_bridge({i.unit: i for i in [*intents, BaseIntent()]}.values()).tables().flows.values():
        assert flow.why
        assert flow.cookie >> 56 == 0x57
        assert flow.goto is None or TABLE_BY_ID[flow.goto].name in TABLE_BY_ID[flow.table].exits


def test_register_bits_that_do_not_exist_are_refused() -> None:
    with pytest.raises(ValueError, match="does not exist"):
        RegField(name="wide", reg=0, lo=25, hi=32, doc="one bit too many")


def test_a_match_the_table_does_not_declare_is_refused() -> None:
    with pytest.raises(ValueError, match="table output: a flow may not match dl_dst"):
        OUTPUT.flow(
            priority=Priority.DEFAULT, feature=Feature.BASE, match=[fields.ETH_DST.eq(1)], why="must not be possible"
        )


def test_a_register_the_table_does_not_write_is_refused() -> None:
    with pytest.raises(ValueError, match="may not write out_port"):
        CLASSIFY.flow(priority=Priority.DEFAULT, feature=Feature.BASE, actions=[Load(OUT_PORT, 1)], why="no")


def test_an_undeclared_exit_is_refused() -> None:
    with pytest.raises(ValueError, match="may not go to l2_lookup"):
        PORT_SECURITY.flow(priority=Priority.DEFAULT, feature=Feature.BASE, goto=L2_LOOKUP, why="skips the services")


def test_a_flow_without_a_reason_is_refused() -> None:
    with pytest.raises(ValueError, match="without a reason"):
        OUTPUT.flow(priority=Priority.DEFAULT, feature=Feature.BASE, why="")


def test_conditions_on_one_register_merge_into_one_term() -> None:
    """The key read back from a switch has one term a register; two would never compare equal."""
    other = RegField(name="other", reg=0, lo=24, hi=31, doc="beside the segment")
    match = canonical_match([SEGMENT.eq(5), other.eq(2)])
    assert [(t.value, t.mask) for t in match] == [(0x02000005, 0xFFFFFFFF)]


def test_contradictory_conditions_are_refused() -> None:
    with pytest.raises(ValueError, match="contradictory"):
        canonical_match([SEGMENT.eq(5), SEGMENT.eq(6)])


def test_bits_outside_a_mask_do_not_make_another_term() -> None:
    assert fields.ETH_DST.masked(0x01FFFFFFFFFF, fields.MULTICAST_BIT) == fields.ETH_DST.masked(
        fields.MULTICAST_BIT, fields.MULTICAST_BIT
    )


@pytest.mark.parametrize("value", [-1, 1 << 24])
def test_a_value_too_large_for_its_register_bits_is_refused(value: int) -> None:
    with pytest.raises(ValueError, match="does not fit"):
        SEGMENT.eq(value)
