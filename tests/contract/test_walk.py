"""Does a walk say what a real Open vSwitch does? The long run of this comparison is ``scripts/bench --only walk``."""

import random
from collections.abc import Iterator

import pytest

from flows import fields
from flows.intent import BaseIntent
from flows.pipeline import PIPELINE
from flows.state import BridgeState
from flows.walk.journey import EndKind
from flows.walk.walker import Walker
from tests.contract import agreement, walk_cases
from tests.contract.harness import Harness
from tests.contract.ovs import is_installed
from tests.contract.trace import TracedSwitch
from tests.unit.flows.builders import a_local_port, a_rule, a_ruleset, a_segment, prefix4

DPID = 0x57000000000000B1

pytestmark = [pytest.mark.lab, pytest.mark.skipif(not is_installed(), reason="Open vSwitch is not installed")]


@pytest.fixture
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[agreement.Bench]:
    switch = TracedSwitch(tmp_path_factory.mktemp("w", numbered=True) / "o", DPID)
    harness = Harness([DPID])
    try:
        yield agreement.Bench(switch, harness)
    finally:
        harness.stop()
        switch.close()


@pytest.mark.parametrize("first_fragments_have_ports", [False, True])
def test_the_walker_and_open_vswitch_agree_about_every_packet(
    bench: agreement.Bench, first_fragments_have_ports: bool
) -> None:
    """Both kinds of fragment handling of ovs-ofctl(8), set-frags."""
    seeds = range(20, 40) if first_fragments_have_ports else range(20)
    *_, tally = agreement.compare(bench, seeds, 100, first_fragments_have_ports=first_fragments_have_ports)

    assert not tally.disagreements, str(tally.disagreements[0])
    assert tally.pairs == 2000
    assert tally.tables == {table.id for table in PIPELINE}
    assert tally.ends.keys() == set(EndKind)


@pytest.mark.parametrize("stateless", [32778, 32779])
def test_no_connection_of_a_stateless_receiver_is_touched_by_a_broadcast_that_a_stateful_one_tracks(
    bench: agreement.Bench, stateless: int
) -> None:
    """ovs-actions(7), ct_clear: after a bucket that used conntrack it does nothing."""
    stateful = 32778 + 32779 - stateless
    web = a_rule(4, 6, 80, 80)
    units = (
        BaseIntent(),
        a_segment(5),
        a_local_port(9, addresses=(prefix4(0x0A000009),), groups=(16,)),
        a_local_port(stateful - 32768, groups=(16,)),
        a_local_port(stateless - 32768, groups=(17,)),
        a_ruleset(16, from_port=(a_rule(4),), to_port=(web,)),
        a_ruleset(17, to_port=(web,), stateful=False),
    )
    bench.become(walk_cases.World(units=units, locals=(), remotes=(), wires={}))
    packet = {
        fields.IN_PORT: 32777,
        fields.ETH_SRC: 0xFA163E000009,
        fields.ETH_DST: 0xFFFFFFFFFFFF,
        fields.ETH_TYPE: 0x0800,
        fields.IP_PROTO: 6,
        fields.IPV4_SRC: 0x0A000009,
        fields.IPV4_DST: 0x0A0000FF,
    }
    for port, state in ((80, fields.CT_NEW), (81, fields.CT_EST)):
        states = (fields.CT_TRK | state,) * 3
        traced = bench.switch.trace(packet | {fields.TCP_DST: port}, states)
        assert stateful in {zone for zone, _ in traced.commits}, traced.text
        assert not {0, stateless} & {zone for zone, _ in traced.commits}, traced.text
        walked = Walker(bench.state.tables()).walk(packet | {fields.TCP_DST: port}, agreement.Said(states))
        assert {(commit.zone, commit.mark) for commit in walked.commits} == set(traced.commits)


def test_the_comparison_notices_a_walker_of_other_tables(bench: agreement.Bench) -> None:
    rng = random.Random(1)
    world = walk_cases.a_world(rng)
    bench.become(world)
    tally = agreement.Tally()
    for _ in range(200):
        packet = walk_cases.a_packet(rng, world)
        agreement.compare_one(bench, Walker(BridgeState().tables()), packet, (), seed=1, tally=tally)

    assert len(tally.disagreements) > 20
