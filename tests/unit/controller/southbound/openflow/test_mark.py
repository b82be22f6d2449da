"""Does the mark say what it was told, and only that?"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.southbound.openflow import mark
from controller.southbound.openflow.encode import Encoder, cookie_of
from controller.southbound.openflow.intent_mark import IntentMark
from controller.southbound.openflow.mark import MARK_ID, Mark
from controller.southbound.openflow.mirror import Holdings
from flows.cookie import Feature, encode, is_ours
from flows.pipeline import PIPELINE
from tests.contract.harness import a_flow


@given(epoch=st.integers(0, 0xFFFFFFFF), seq=st.integers(0, 0xFFFFFFFE))
def test_a_mark_reads_as_it_was_written_and_is_taken_out(epoch: int, seq: int) -> None:
    mod = mark.mark_mod(IntentMark(epoch=epoch, seq=seq))
    flow = Encoder().flow(a_flow(1))
    held = Holdings(flows={mod.id: mod.entry, flow.id: flow.entry})
    seen = mark.take(held)
    assert seen == Mark(epoch=epoch, seq=seq)
    assert not seen.is_hold
    assert held.flows == {flow.id: flow.entry}
    hold = mark.hold_mod(seen)
    held = Holdings(flows={hold.id: hold.entry})
    again = mark.take(held)
    assert again is not None
    assert (again.epoch, again.is_hold) == (epoch, True)


def test_a_mark_is_ours_and_outside_the_pipeline() -> None:
    mod = mark.mark_mod(IntentMark(epoch=1, seq=2))
    assert is_ours(cookie_of(mod.entry))
    assert mark.is_mark(cookie_of(mod.entry))
    assert mod.id == MARK_ID
    assert (MARK_ID[0] in {table.id for table in PIPELINE}, MARK_ID[1]) == (False, 0)
    assert not any(mark.is_mark(encode(feature, 0xFFFFFFFF)) for feature in Feature)


def test_what_only_looks_like_a_mark_says_nothing() -> None:
    good = mark.mark_mod(IntentMark(epoch=1, seq=2)).entry
    foreign = Holdings(flows={MARK_ID: bytes(8) + good[8:]})
    assert mark.take(foreign) is None
    assert foreign.flows
    assert mark.take(Holdings(flows={MARK_ID: good[:8]})) is None
    assert mark.take(Holdings()) is None


@pytest.mark.parametrize(
    "wrong", [{"epoch": 1 << 32, "seq": 0}, {"epoch": 0, "seq": (1 << 32) - 1}, {"epoch": -1, "seq": 0}]
)
def test_numbers_that_do_not_fit_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="does not fit 32 bits"):
        IntentMark(**wrong)
