"""Does the mirror know what changed, and the comparison what is missing?"""

from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from controller.southbound.openflow.encode import Encoder, cookie_of
from controller.southbound.openflow.mirror import Change, Holdings, Mirror, difference
from flows.cookie import is_ours
from flows.delta import Delta, Tables, apply, diff
from flows.flow import Flow, Load
from flows.pipeline import OUT_PORT
from tests.contract.harness import a_flow, a_group, a_meter, tables

ENCODER = Encoder()
keys = st.integers(1, 6)
states = st.builds(
    lambda flows, groups, meters: tables(
        [a_flow(k, goto=g) for k, g in flows.items()],
        [a_group(k, v) for k, v in groups.items()],
        [a_meter(k, v) for k, v in meters.items()],
    ),
    st.dictionaries(keys, st.sampled_from([20, 30])),
    st.dictionaries(keys, keys),
    st.dictionaries(keys, keys),
)


def ours(entry: bytes) -> bool:
    return is_ours(cookie_of(entry))


def holdings(state: Tables) -> Holdings:
    mirror = Mirror(ENCODER)
    mirror.load(state)
    return mirror.desired


def told(installed: Holdings, change: Change) -> Holdings:
    """Return what a switch holds after a change."""
    return Holdings(
        flows={k: v for k, v in {**installed.flows, **change.flows}.items() if v is not None},
        groups={k: v for k, v in {**installed.groups, **change.groups}.items() if v is not None},
        meters={k: v for k, v in {**installed.meters, **change.meters}.items() if v is not None},
    )


@given(first=states, deltas=st.lists(states, max_size=4))
def test_deltas_lead_where_a_load_of_the_last_state_leads(first: Tables, deltas: list[Tables]) -> None:
    mirror, now = Mirror(ENCODER), first
    mirror.load(first)
    before = holdings(first)
    for state in deltas:
        mirror.apply(diff(now, state))
        now = apply(diff(now, state), now)
    assert mirror.desired == holdings(now)
    change = mirror.changes()
    assert told(before, change) == mirror.desired
    assert all(before.flows.get(k) != v for k, v in change.flows.items())
    assert change.had_groups >= {k for k in change.groups if k in before.groups}
    assert not change.had_groups - before.groups.keys()
    assert not mirror.changes()


@given(desired=states, installed=states)
def test_a_difference_makes_any_switch_hold_what_is_desired(desired: Tables, installed: Tables) -> None:
    want, have = holdings(desired), holdings(installed)
    change = difference(want, have, is_ours=ours)
    assert told(have, change) == want
    assert not difference(want, told(have, change), is_ours=ours)
    assert change.had_meters == have.meters.keys()


def test_flows_that_share_their_actions_are_the_bytes_they_are_alone() -> None:
    """Instructions are remembered by the identity of the actions; what else is in them must not be mixed up."""
    shared, alike = (Load(OUT_PORT, 7),), (Load(OUT_PORT, 7),)
    rest = [{"goto": 20}, {"goto": 30}, {"goto": 20, "meter": 1}, {"goto": 20, "meter": 2}, {"goto": 20, "cookie": 99}]
    flows = [
        a_flow(number, actions=actions, **options)
        for number, (actions, options) in enumerate(product((shared, alike, ()), rest * 2), start=1)
    ]
    found = holdings(tables(flows)).flows
    assert found == dict(map(ENCODER.flow, flows))


def test_foreign_flows_stay_unless_they_are_in_the_way() -> None:
    want = holdings(tables([a_flow(1, goto=20)]))
    have = holdings(tables([a_flow(1, cookie=0x77), a_flow(2, cookie=0x77), a_flow(3)]))
    change = difference(want, have, is_ours=ours)
    assert change.flows == {**want.flows, ENCODER.flow_id(a_flow(3)): None}


def test_what_has_no_openflow_form_is_reported_and_keeps_nothing_else_out() -> None:
    bad: Flow = a_flow(9, actions=(Load(OUT_PORT, 1 << 20),))
    mirror = Mirror(ENCODER)
    mirror.load(tables([a_flow(1), bad]))
    assert mirror.desired == holdings(tables([a_flow(1)]))
    assert [r.cookie for r in mirror.unencodable] == [bad.cookie]
    mirror.apply(Delta(flows=(bad, a_flow(2))))
    assert [r.cookie for r in mirror.unencodable] == [bad.cookie] * 2
    assert mirror.desired == holdings(tables([a_flow(1), a_flow(2)]))
