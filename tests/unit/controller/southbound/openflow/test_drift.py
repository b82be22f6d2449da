"""Is drift named, are foreign flows known, and does the pace keep to its bounds?"""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.southbound.openflow import drift
from controller.southbound.openflow.drift import AUDIT_S, BELT_S, LOOK_REST, LOOK_S, SETTLE_S, Foreign, Pace
from controller.southbound.openflow.encode import Encoder, cookie_of
from controller.southbound.openflow.mirror import Holdings, difference
from controller.southbound.openflow.monitor import Event, Update
from flows.cookie import OWNER_MARK, is_ours
from flows.flow import Output
from tests.contract.harness import a_flow

ENCODER = Encoder()
NORMAL = 0xFFFFFFFA


def _held(*flows: int, goto: int = 20) -> Holdings:
    return Holdings(flows=dict(ENCODER.flow(a_flow(n, goto=goto)) for n in flows))


def test_what_is_missing_other_or_too_much_is_named_unless_it_is_known() -> None:
    desired, installed = _held(1, 2, 3), _held(2, 3, 4)
    installed.flows.update(_held(2, goto=30).flows)
    desired.groups, installed.groups = {1: b"a", 2: b"b"}, {2: b"c", 3: b"d"}
    desired.meters, installed.meters = {1: b"a"}, {9: b"a"}
    change = difference(desired, installed, is_ours=lambda entry: is_ours(cookie_of(entry)))
    known = {("meter", 9), ENCODER.flow_id(a_flow(4))}
    texts = list(drift.differences(desired, installed, change, known))
    assert [text.split("in_port=")[-1] for text in texts] == [
        "0x1 deleted",
        "0x2 changed",
        "group 1 deleted",
        "group 2 changed",
        "group 3 added",
        "meter 1 deleted",
    ]
    assert f"cookie={a_flow(1).cookie:#x},table=" in texts[0]
    assert set(drift.subjects(change)) >= known
    assert len(list(drift.subjects(change))) == len(texts) + len(known)


def test_foreign_flows_are_followed_and_those_past_the_pipeline_counted() -> None:
    foreign = Foreign()
    ours, other = ENCODER.flow(a_flow(1)), ENCODER.flow(a_flow(2, cookie=9, actions=(Output(3),)))
    normal = ENCODER.flow(a_flow(3, cookie=9, actions=(Output(NORMAL),)))
    first = ENCODER.flow(a_flow(4, cookie=9, table=0))
    assert foreign.replace(dict([ours, other, normal])) == [other.id, normal.id]
    assert (len(foreign), foreign.bypassing) == (2, 1)
    assert "in_port=0x3" in (foreign.problem or "")
    foreign.update(Update(event=Event.ADDED, flow=first.id, entry=first.entry))
    foreign.update(Update(event=Event.MODIFIED, flow=normal.id, entry=other.entry))
    assert (len(foreign), foreign.bypassing) == (3, 1)
    foreign.update(Update(event=Event.ADDED, flow=other.id, entry=ours.entry))
    foreign.update(Update(event=Event.REMOVED, flow=first.id, entry=first.entry))
    assert (len(foreign), foreign.bypassing, foreign.problem) == (1, 0, None)
    foreign.remove(normal.id)
    foreign.remove(normal.id)
    assert len(foreign) == 0


def test_a_change_is_looked_at_soon_and_once() -> None:
    pace = Pace(BELT_S, 100.0)
    assert not pace.is_look_due(105.0)
    pace.hear(105.0)
    pace.hear(105.09)
    assert pace.next_at == 105.0 + SETTLE_S
    assert pace.is_look_due(105.0 + SETTLE_S)
    pace.looked(105.1, 105.2)
    assert not pace.is_look_due(200.0)
    assert pace.next_at == 105.2 + BELT_S


@given(st.floats(0, 20), st.lists(st.floats(0, 0.5), min_size=10, max_size=60))
def test_a_storm_is_looked_at_no_more_than_once_a_second_and_never_all_the_time(took: float, gaps: list[float]) -> None:
    now, pace, began = 0.0, Pace(BELT_S, 0.0), []
    for gap in gaps:
        now += gap
        pace.hear(now)
        assert pace.next_at <= now + max(SETTLE_S, LOOK_S, LOOK_REST * took)
        if pace.is_look_due(now):
            began.append(now)
            pace.looked(now, now + took)
            now += took
    for one, other in pairwise(began):
        assert other - one >= max(LOOK_S, LOOK_REST * took) - 1e-9


@pytest.mark.parametrize("audit_s", [AUDIT_S, BELT_S])
def test_an_audit_is_due_now_and_then_and_at_once_after_a_write_where_it_is_all_there_is(audit_s: float) -> None:
    pace = Pace(audit_s, 0.0)
    assert not pace.is_audit_due(audit_s - 0.1)
    assert pace.is_audit_due(audit_s)
    pace.audited(audit_s)
    assert pace.next_at == 2 * audit_s
    pace.wrote(audit_s + 1)
    assert pace.is_audit_due(audit_s + 1) == (audit_s == AUDIT_S)


@given(st.integers(0, (1 << 64) - 1) | st.integers(OWNER_MARK << 56, (OWNER_MARK + 1) << 56), st.binary(max_size=9))
def test_whose_an_entry_is_is_said_by_its_cookie_alone(cookie: int, instructions: bytes) -> None:
    assert drift.entry_is_ours(cookie.to_bytes(8, "big") + instructions) == is_ours(cookie)


def test_only_flows_that_are_there_and_not_ours_are_foreign() -> None:
    foreign = Foreign()
    foreign.replace({(10, 1, b"a"): bytes(8), (10, 1, b"b"): (OWNER_MARK << 56).to_bytes(8, "big")})
    assert (10, 1, b"a") in foreign
    assert (10, 1, b"b") not in foreign
    foreign.remove((10, 1, b"a"))
    assert (10, 1, b"a") not in foreign
