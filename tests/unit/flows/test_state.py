"""`BridgeState` and `delta`: incremental equals full, and a delta is exactly the difference."""

from hypothesis import given, settings
from hypothesis import strategies as st

from flows.compiler import compile_bridge, compile_unit
from flows.delta import Tables, apply, diff, same_in_switch
from flows.groups import MEMBERS_PER_CHUNK
from flows.intent import BaseIntent, Guard, Unit, UnitIntent
from flows.pipeline import broadcast_group
from flows.state import BridgeState
from tests.unit.flows.builders import INTENTS, a_local_port, a_peer, a_remote_port, a_segment, prefix6

EMPTY = Tables(flows={}, groups={}, meters={})
STEPS = st.lists(st.lists(st.tuples(INTENTS, st.booleans()), min_size=1, max_size=4), max_size=12)


def same(one: Tables, other: Tables) -> bool:
    return (
        one.flows.keys() == other.flows.keys()
        and all(same_in_switch(one.flows[k], other.flows[k]) for k in one.flows)
        and one.groups == other.groups
        and one.meters == other.meters
    )


@given(STEPS)
def test_any_history_of_changes_gives_what_a_full_compile_gives(steps: list[list[tuple[UnitIntent, bool]]]) -> None:
    """Invariants 1 and 2: the state depends on the intents that remain, not on how they came."""
    state, intents = BridgeState(), dict[Unit, UnitIntent]()
    installed = EMPTY
    for step in steps:
        changes = {intent.unit: intent if keep else None for intent, keep in step}
        delta = state.replace({u: None if i is None else compile_unit(i) for u, i in changes.items()})
        installed = apply(delta, installed)
        for unit, intent in changes.items():
            if intent is None:
                intents.pop(unit, None)
            else:
                intents[unit] = intent
        full = compile_bridge(intents.values()).tables()
        assert same(full, state.tables())
        assert same(full, installed)


@given(st.lists(INTENTS, max_size=10), st.randoms())
def test_the_order_of_intents_does_not_matter(intents: list[UnitIntent], rng: object) -> None:
    by_unit = {intent.unit: intent for intent in intents}
    shuffled = list(by_unit.values())
    rng.shuffle(shuffled)  # type: ignore[attr-defined]
    assert compile_bridge(by_unit.values()).tables() == compile_bridge(shuffled).tables()


@given(st.lists(INTENTS, max_size=8), st.lists(INTENTS, max_size=8))
def test_a_diff_applied_gives_the_other_state(before: list[UnitIntent], after: list[UnitIntent]) -> None:
    old = compile_bridge({i.unit: i for i in before}.values()).tables()
    new = compile_bridge({i.unit: i for i in after}.values()).tables()
    assert same(apply(diff(old, new), old), new)
    assert not diff(new, new)


def test_an_unchanged_unit_changes_nothing() -> None:
    state = compile_bridge([a_local_port(), a_segment()])
    assert not state.replace({a_local_port().unit: compile_unit(a_local_port())})


def test_one_port_more_costs_its_own_flows_and_one_group() -> None:
    state = compile_bridge([a_segment(), *(a_local_port(n) for n in range(1, 50))])
    delta = state.replace({a_local_port(99).unit: compile_unit(a_local_port(99))})
    assert len(delta.flows) == 4  # classify, port_security twice (source, DHCP), l2_lookup
    assert [g.id for g in delta.groups] == [broadcast_group(5)]
    assert len(delta.groups[0].buckets) == 50
    assert not delta.deleted_flows


def test_ports_of_one_remote_host_share_one_bucket_until_the_last_is_gone() -> None:
    """A broadcast frame crosses the tunnel once per host."""
    state = compile_bridge([a_segment(), a_remote_port(10), a_remote_port(11)])
    assert len(state.tables().groups[broadcast_group(5)].buckets) == 1
    assert not state.replace({a_remote_port(10).unit: None}).groups
    assert state.replace({a_remote_port(11).unit: None}).groups[0].buckets == ()


def test_two_claims_on_one_key_are_settled_by_the_unit_not_by_time() -> None:
    first, second = a_local_port(1, mac=0xFA163E0000AA), a_local_port(2, mac=0xFA163E0000AA)
    one, other = compile_bridge([first, second]), BridgeState()
    other.replace({second.unit: compile_unit(second)})
    other.replace({first.unit: compile_unit(first)})
    assert one.tables() == other.tables()
    other.replace({first.unit: None})
    assert other.tables() == compile_bridge([second]).tables()


@given(st.lists(st.sets(st.integers(1, 6 * MEMBERS_PER_CHUNK), max_size=2 * MEMBERS_PER_CHUNK), max_size=8))
@settings(max_examples=25)
def test_any_history_of_a_large_group_gives_what_a_full_compile_gives(batches: list[set[int]]) -> None:
    """Each batch plugs those ports that are not there and unplugs the others; the segment itself comes and goes."""
    state, there = BridgeState(), set[int]()
    installed = EMPTY
    for number, batch in enumerate(batches):
        changes = {i.unit: None if i.port in there else compile_unit(i) for i in map(a_local_port, batch)}
        declares = number % 4 != 3
        changes[a_segment().unit] = compile_unit(a_segment()) if declares else None
        delta = state.replace(changes)
        assert [g.id for g in delta.groups] == sorted((g.id for g in delta.groups), reverse=True)
        installed = apply(delta, installed)
        there ^= batch
        intents: list[UnitIntent] = [*map(a_local_port, there)]
        intents += [a_segment()] if declares else []
        full = compile_bridge(intents).tables()
        assert same(full, state.tables())
        assert same(full, installed)


def test_nothing_is_left_when_every_unit_is_gone() -> None:
    intents: list[UnitIntent] = [BaseIntent(), a_peer(), a_segment(servers=(1,)), a_local_port(), a_remote_port()]
    state = compile_bridge(intents)
    state.replace({intent.unit: None for intent in intents})
    assert state.tables() == EMPTY
    assert not state.units()


@given(INTENTS)
def test_no_unit_asks_for_two_flows_with_one_key(intent: UnitIntent) -> None:
    """What a unit keeps is left alone when it changes; it must not stand for something the unit gives up."""
    flows = compile_unit(intent).flows
    assert len({flow.key for flow in flows}) == len(flows)


def test_a_port_that_shares_its_address_with_another_mac_of_its_own_wants_each_flow_once() -> None:
    """What the port may say of the address is asked for twice: for its own MAC and for the allowed pair's."""
    shared = prefix6(0xFD00 << 112 | 1)
    port = a_local_port(addresses=(shared,), pairs=(Guard(0x020000000001, shared),))
    wanted = compile_unit(port)
    assert len(set(wanted.keys)) == len(wanted.keys)
    state = BridgeState()
    state.replace({port.unit: wanted})
    assert state.replace({port.unit: None})
    assert state.tables() == EMPTY
