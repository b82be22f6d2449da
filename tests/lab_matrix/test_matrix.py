"""Do packets, the model of the API and the walker agree? The long run is ``scripts/bench --only matrix --seeds N``."""

import random
from dataclasses import replace

import pytest

from tests.lab import Lab, Weft
from tests.lab_matrix.intent import a_cloud
from tests.lab_matrix.matrix import Case, Tally, probe, run
from tests.lab_matrix.stage import Stage

SEEDS, PORTS = (1, 2, 3), 14


@pytest.fixture
def stage(lab: Lab, weft: Weft) -> Stage:
    return Stage(lab, weft)


def test_every_pair_of_ports_exchanges_what_the_api_says_and_nothing_else(stage: Stage) -> None:
    tally, offer = Tally(), replace(stage.offer(), ports=PORTS)
    for seed in SEEDS:
        run(stage, seed, tally, offer)
    assert not tally.disagreements, "\n".join(map(str, tally.disagreements[:20]))
    assert tally.pairs == len(SEEDS) * PORTS * (PORTS - 1)
    assert tally.copies > tally.pairs
    assert tally.answered > 100
    assert {name.partition(" ")[0] for name in tally.networks} == {"vxlan", "geneve", "vlan", "flat"}
    assert tally.frames["tcp 4"] > 100
    assert tally.frames["tcp 6"] > 100


def test_the_comparison_notices_a_cloud_that_is_not_what_the_model_thinks(stage: Stage) -> None:
    """Nothing may pass in a cloud whose networks are down: all that arrives is too much, also by the traces."""
    rng, tally = random.Random(SEEDS[0]), Tally()
    cloud = a_cloud(rng, replace(stage.offer(), ports=6))
    thought = replace(cloud, networks=tuple(replace(network, up=False) for network in cloud.networks))
    with stage.realised(cloud) as realised:
        probe(stage, Case(seed=SEEDS[0], rng=rng, cloud=thought, realised=realised, tally=tally))
    assert len(tally.disagreements) > 20
    assert {one.text.partition(" ")[0] for one in tally.disagreements} >= {"received", "answered"}
