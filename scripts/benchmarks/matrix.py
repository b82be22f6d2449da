"""Do packets between all ports of random clouds go where the API says, and does the walker say so too?

For each seed networks, ports, security groups and guests are made, every ordered pair of ports is probed, and what
arrived is compared with a model of the API's words and with traces (tests/lab_matrix). A disagreement is printed.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from benchmarks.report import Figure, at_least, at_most
from tests.lab import Lab, Weft
from tests.lab_matrix.matrix import Tally
from tests.lab_matrix.matrix import run as compare
from tests.lab_matrix.stage import Stage

SEEDS, FEW_SEEDS = 100, 10
HOSTS, PORTS = 3, 18
FIRST_SEED = 1000
"""Those before are the continuous integration's."""
SHOWN = 5
"""Disagreements printed, of each seed."""


def run(args: argparse.Namespace) -> Iterator[Figure]:
    """Compare as many clouds as asked for."""
    seeds = args.seeds or (FEW_SEEDS if args.quick else SEEDS)
    tally, began = Tally(), time.monotonic()
    with tempfile.TemporaryDirectory(prefix="weft-bench-") as name:
        directory = Path(name)
        with Lab(directory / "lab") as lab, Weft(directory / "weft", lab=lab) as weft:
            stage = Stage(lab, weft, hosts=HOSTS)
            offer = replace(stage.offer(), ports=PORTS)
            for seed in range(FIRST_SEED, FIRST_SEED + seeds):
                before = len(tally.disagreements)
                compare(stage, seed, tally, offer)
                for disagreement in tally.disagreements[before : before + SHOWN]:
                    print(disagreement, file=sys.stderr)
    yield from _figures(tally, time.monotonic() - began)


def _figures(tally: Tally, took_s: float) -> Iterator[Figure]:
    yield Figure(
        name="ordered pairs of ports probed",
        value=tally.pairs,
        unit="pairs",
        note=f"{tally.clouds} clouds of {PORTS} ports on {HOSTS} hosts, {took_s:.0f} s; networks: "
        + ", ".join(f"{kind} {count}" for kind, count in sorted(tally.networks.items())),
    )
    yield Figure(
        name="frames sent",
        value=tally.frames.total(),
        unit="frames",
        note=", ".join(f"{kind} {count}" for kind, count in sorted(tally.frames.items())),
    )
    yield Figure(name="copies received", value=tally.copies, unit="frames", goal=at_least(tally.pairs))
    yield Figure(name="questions the network answered", value=tally.answered, unit="frames")
    yield Figure(name="frames sent again", value=tally.again, unit="frames", note="a copy was missing at first")
    yield Figure(name="traces compared", value=tally.traces, unit="traces")
    yield Figure(
        name="disagreements",
        value=len(tally.disagreements),
        unit="frames",
        goal=at_most(0),
        note="of seeds " + ", ".join(map(str, sorted({one.seed for one in tally.disagreements})))
        if tally.disagreements
        else "",
    )
