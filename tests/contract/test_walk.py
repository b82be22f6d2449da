"""Does a walk say what a real Open vSwitch does? The long run of this comparison is ``scripts/bench --only walk``."""

import random
from collections.abc import Iterator

import pytest

from flows.pipeline import PIPELINE
from flows.state import BridgeState
from flows.walk.journey import EndKind
from flows.walk.walker import Walker
from tests.contract import agreement, walk_cases
from tests.contract.harness import Harness
from tests.contract.ovs import is_installed
from tests.contract.trace import TracedSwitch

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


def test_the_comparison_notices_a_walker_of_other_tables(bench: agreement.Bench) -> None:
    rng = random.Random(1)
    world = walk_cases.a_world(rng)
    bench.become(world)
    tally = agreement.Tally()
    for _ in range(200):
        packet = walk_cases.a_packet(rng, world)
        agreement.compare_one(bench, Walker(BridgeState().tables()), packet, (), seed=1, tally=tally)

    assert len(tally.disagreements) > 20
