"""Is what a switch lacks told in the right order, once, while the rest is still being made into bytes?"""

from hypothesis import given, settings
from hypothesis import strategies as st

from controller.southbound.openflow.encode import Encoder, FlowId, cookie_of
from controller.southbound.openflow.mirror import SLICE, Change, Holdings, Mirror, difference
from controller.southbound.openflow.plan import FlowMod, Mod, PartMod, Step, Verb, resync_steps
from controller.southbound.openflow.resync import Comparison
from flows.cookie import is_ours
from flows.delta import Delta, Tables
from flows.flow import Load
from flows.pipeline import OUT_PORT
from tests.contract.harness import a_flow, a_group, a_meter, tables

ENCODER = Encoder()
SIZE = 4
keys = st.integers(1, 9)
states = st.builds(
    lambda flows, groups, meters: tables(
        [a_flow(k, table=t, goto=g) for (t, k), g in flows.items()],
        [a_group(k, v) for k, v in groups.items()],
        [a_meter(k, v) for k, v in meters.items()],
    ),
    st.dictionaries(st.tuples(st.sampled_from([0, 10, 20]), keys), st.sampled_from([30, 40]), max_size=12),
    st.dictionaries(keys, keys),
    st.dictionaries(keys, keys),
)
GROUPS_SET = {Verb.ADD_GROUP, Verb.MODIFY_GROUP}


def ours(entry: bytes) -> bool:
    return is_ours(cookie_of(entry))


def a_mirror(state: Tables, slices: int = 0) -> Mirror:
    """Return a mirror of which so many slices are bytes already."""
    mirror = Mirror(ENCODER)
    mirror.load(state)
    for _, _ in zip(range(slices), mirror.slices(), strict=False):
        pass
    return mirror


def compared(mirror: Mirror, installed: Holdings) -> tuple[list[Step], Comparison]:
    found = Comparison(mirror, installed, is_ours=ours)
    return list(found.early(SIZE)), found


def as_change(found: list[Mod], base: Change) -> Change:
    """Return what messages say, each at most once."""
    flows = [(m.id, m.entry or None) for m in found if isinstance(m, FlowMod)]
    parts = [m for m in found if isinstance(m, PartMod)]
    groups = [(m.id, m.body or None) for m in parts if "group" in m.verb.value]
    meters = [(m.id, m.body or None) for m in parts if "meter" in m.verb.value]
    assert len(flows) == len(dict(flows))
    assert len(groups) == len(dict(groups))
    assert len(meters) == len(dict(meters))
    return Change(
        flows=dict(flows),
        groups=dict(groups),
        meters=dict(meters),
        had_groups=base.had_groups,
        had_meters=base.had_meters,
    )


@given(desired=states, installed=states, slices=st.integers(0, 1))
def test_early_and_rest_together_are_the_difference(desired: Tables, installed: Tables, slices: int) -> None:
    have = a_mirror(installed).desired
    early, found = compared(a_mirror(desired, slices), have)
    whole = difference(a_mirror(desired).desired, have, is_ours=ours)
    mods = [mod for step in (*early, *resync_steps(found.rest, SIZE)) for mod in step.mods]
    assert found.change == whole
    assert as_change(mods, whole) == whole
    sets = [m for m in mods if isinstance(m, FlowMod) and m.verb is Verb.SET_FLOW]
    assert [m.id[0] for m in sets] == sorted((m.id[0] for m in sets), reverse=True)
    last = [at for at, m in enumerate(mods) if m.verb in GROUPS_SET]
    first = [at for at, m in enumerate(mods) if m.verb is Verb.SET_FLOW]
    assert not last or not first or max(last) < min(first)


@given(desired=states, installed=states)
def test_nothing_is_told_early_unless_it_is_more_than_one_bundle(desired: Tables, installed: Tables) -> None:
    early, found = compared(a_mirror(desired), a_mirror(installed).desired)
    whole = resync_steps(found.change, SIZE)
    if sum(len(step.mods) for step in whole if step.bundled) <= SIZE:
        assert early == []
        assert found.rest == found.change
    for step in early:
        assert not step.bundled or len(step.mods) == SIZE
        assert all(m.verb not in {Verb.DELETE_FLOW, Verb.DELETE_GROUP, Verb.DELETE_METER} for m in step.mods)
    if early:
        assert resync_steps(found.rest, SIZE), "the mark needs a last bundle"


def test_the_first_bundles_leave_before_the_last_flow_is_bytes() -> None:
    mirror = a_mirror(tables(a_flow(n) for n in range(1, 10 * SLICE)))
    steps = Comparison(mirror, Holdings(), is_ours=ours).early(SLICE)
    next(steps)
    assert len(mirror._holdings.flows) <= 2 * SLICE
    assert sum(len(step.mods) for step in steps) < 9 * SLICE


def test_a_comparison_that_broke_off_is_taken_up_by_the_next() -> None:
    state = tables(a_flow(n) for n in range(1, 5 * SLICE))
    mirror = a_mirror(state)
    next(Comparison(mirror, Holdings(), is_ours=ours).early(SLICE))
    early, found = compared(mirror, Holdings())
    assert found.change == difference(a_mirror(state).desired, Holdings(), is_ours=ours)
    assert sum(len(step.mods) for step in early) + len(found.rest.flows) == len(state.flows)


@settings(max_examples=20)
@given(st.integers(0, 3))
def test_a_delta_taken_in_while_flows_are_no_bytes_yet_is_not_undone_by_them(slices: int) -> None:
    mirror = a_mirror(tables(a_flow(n, goto=20) for n in range(1, 3 * SLICE)), slices)
    mirror.apply(Delta(flows=(a_flow(1, goto=30),), deleted_flows=(a_flow(2 * SLICE + 1),)))
    assert len(mirror.desired.flows) == 3 * SLICE - 2
    wanted = ENCODER.flow(a_flow(1, goto=30))
    assert mirror.desired.flows[wanted.id] == wanted.entry


def test_flows_without_an_openflow_form_are_named_once_and_keep_nothing_else_out() -> None:
    bad = [a_flow(n, actions=(Load(OUT_PORT, 1 << 20),)) for n in (3, SLICE, 2 * SLICE)]
    mirror = a_mirror(tables([*(a_flow(n) for n in range(1, 3 * SLICE)), *bad]))
    early, found = compared(mirror, Holdings())
    told: set[FlowId] = {mod.id for step in early for mod in step.mods if isinstance(mod, FlowMod)}
    assert [r.cookie for r in mirror.unencodable] == [flow.cookie for flow in bad]
    assert len(told | found.rest.flows.keys()) == 3 * SLICE - 1 - len(bad)
