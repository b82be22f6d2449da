"""Is a switch told in the right order, in bundles of the right size?"""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from controller.southbound.openflow.mirror import Change
from controller.southbound.openflow.plan import FlowMod, Mod, PartMod, Step, Verb, change_steps, marked, resync_steps

SIZE = 5
bodies = st.none() | st.sampled_from([b"12345678a", b"12345678b"])
numbers = st.integers(1, 12)
changes = st.builds(
    Change,
    flows=st.dictionaries(st.tuples(st.just(1), numbers, st.just(b"match")), bodies),
    groups=st.dictionaries(numbers, bodies),
    meters=st.dictionaries(numbers, bodies),
    had_groups=st.frozensets(numbers),
    had_meters=st.frozensets(numbers),
)
METERS = {Verb.ADD_METER, Verb.MODIFY_METER, Verb.DELETE_METER}
GROUPS_SET = {Verb.ADD_GROUP, Verb.MODIFY_GROUP}


def mods(steps: tuple[Step, ...]) -> list[Mod]:
    return [mod for step in steps for mod in step.mods]


def places(steps: tuple[Step, ...], *verbs: Verb) -> list[int]:
    return [at for at, step in enumerate(steps) for mod in step.mods if mod.verb in verbs]


def _says_everything_once(steps: tuple[Step, ...], change: Change) -> None:
    found = mods(steps)
    flows = {m.id: m.entry or None for m in found if isinstance(m, FlowMod)}
    groups = {m.id: m.body or None for m in found if isinstance(m, PartMod) and m.verb not in METERS}
    meters = {m.id: m.body or None for m in found if isinstance(m, PartMod) and m.verb in METERS}
    assert (flows, groups, meters) == (change.flows, change.groups, change.meters)
    assert len(found) == len(flows) + len(groups) + len(meters)
    for mod in found:
        if mod.verb in {Verb.MODIFY_GROUP, Verb.ADD_GROUP}:
            assert (mod.verb is Verb.MODIFY_GROUP) == (mod.id in change.had_groups)
        if mod.verb in {Verb.MODIFY_METER, Verb.ADD_METER}:
            assert (mod.verb is Verb.MODIFY_METER) == (mod.id in change.had_meters)


def _keeps_to_openflow(steps: tuple[Step, ...]) -> None:
    for step in steps:
        assert step.mods
        assert all((mod.verb in METERS) != step.bundled for mod in step.mods)
        if step.bundled:
            assert len(step.mods) <= SIZE
    order = [
        places(steps, Verb.ADD_METER, Verb.MODIFY_METER),
        places(steps, *GROUPS_SET, Verb.SET_FLOW, Verb.DELETE_FLOW),
        places(steps, Verb.DELETE_GROUP),
        places(steps, Verb.DELETE_METER),
    ]
    for earlier, later in pairwise(order):
        assert not earlier or not later or max(earlier) < min(later)
    verbs = [mod.verb for mod in mods(steps)]
    groups = [at for at, verb in enumerate(verbs) if verb in GROUPS_SET]
    flows = [at for at, verb in enumerate(verbs) if verb is Verb.SET_FLOW]
    assert not groups or not flows or max(groups) < min(flows)


@given(changes)
def test_a_resync_is_one_bundle_or_sets_everything_before_it_deletes_anything(change: Change) -> None:
    steps = resync_steps(change, SIZE)
    _says_everything_once(steps, change)
    _keeps_to_openflow(steps)
    bundled = places(steps, *GROUPS_SET, Verb.SET_FLOW, Verb.DELETE_FLOW)
    if len(bundled) <= SIZE:
        assert len(set(bundled)) <= 1
        return
    sets, deletes = places(steps, *GROUPS_SET, Verb.SET_FLOW), places(steps, Verb.DELETE_FLOW)
    assert not sets or not deletes or max(sets) < min(deletes)


@given(changes)
def test_table_0_is_set_last(change: Change) -> None:
    """A switch that comes from another layout enters the new tables only when they are complete."""
    sets = [mod for mod in mods(resync_steps(change, SIZE)) if isinstance(mod, FlowMod) and mod.verb is Verb.SET_FLOW]
    tables = [mod.id[0] for mod in sets]
    assert tables == sorted(tables, reverse=True)


@given(changes)
def test_a_change_is_one_bundle_or_closes_first(change: Change) -> None:
    steps = change_steps(change, SIZE)
    _says_everything_once(steps, change)
    _keeps_to_openflow(steps)
    sets, deletes = places(steps, *GROUPS_SET, Verb.SET_FLOW), places(steps, Verb.DELETE_FLOW)
    if len(sets) + len(deletes) <= SIZE:
        assert len({*sets, *deletes}) <= 1
    else:
        assert not sets or not deletes or max(deletes) < min(sets)


def test_chunks_of_a_group_come_before_the_group_that_refers_to_them() -> None:
    change = Change(groups={5: b"root", 5 | 1 << 24: b"chunk"})
    assert [mod.id for mod in mods(change_steps(change))] == [5 | 1 << 24, 5]


def test_no_change_is_no_step() -> None:
    assert resync_steps(Change()) == change_steps(Change()) == ()


@given(changes)
def test_a_mark_goes_into_the_last_bundle_and_nowhere_when_nothing_changes(change: Change) -> None:
    mark = FlowMod(Verb.SET_FLOW, (250, 0, b"mark"), b"cookie_and_more")
    steps = change_steps(change, SIZE)
    told = marked(steps, mark)
    if not change:
        assert told == ()
        assert marked(steps, mark, always=True) == (Step(mods=(mark,), bundled=True),)
        return
    bundles = [step for step in told if step.bundled]
    assert bundles[-1].mods[-1] == mark
    assert [mod for mod in mods(told) if mod != mark] == mods(steps)
    assert len(mods(told)) == len(mods(steps)) + 1
