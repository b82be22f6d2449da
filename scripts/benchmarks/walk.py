"""Do the walker and a real Open vSwitch agree about 100,000 packets, and how fast is a walk?

Random bridges are programmed by the product's own OpenFlow service; Open vSwitch is asked by ``ofproto/trace`` over one
connection. The floor of a walk's speed is what that takes, talking included. A disagreement is printed in full.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.report import Figure, at_least, at_most
from flows.pipeline import PIPELINE
from tests.contract.agreement import Bench, Tally, compare
from tests.contract.harness import Harness
from tests.contract.trace import TracedSwitch

DPID = 0x57000000000000B2
WORLDS, FEW_WORLDS, PACKETS = 500, 50, 200
SHOWN = 3
"""Disagreements printed."""


def run(args: argparse.Namespace) -> Iterator[Figure]:
    """Compare, half with each way of looking at first fragments."""
    worlds = FEW_WORLDS if args.quick else WORLDS
    with tempfile.TemporaryDirectory(prefix="weft-bench-") as name:
        switch, harness = TracedSwitch(Path(name) / "o", DPID), Harness([DPID])
        try:
            bench, began = Bench(switch, harness), time.monotonic()
            tallies = [_compare(bench, range(worlds // 2), with_ports=False)]
            tallies.append(_compare(bench, range(worlds // 2, worlds), with_ports=True))
            yield from _figures(tallies, time.monotonic() - began)
        finally:
            harness.stop()
            switch.close()


def _compare(bench: Bench, seeds: range, *, with_ports: bool) -> Tally:
    *_, tally = compare(bench, seeds, PACKETS, first_fragments_have_ports=with_ports)
    for disagreement in tally.disagreements[:SHOWN]:
        print(disagreement, file=sys.stderr)
    return tally


def _figures(tallies: list[Tally], took_s: float) -> Iterator[Figure]:
    pairs = sum(tally.pairs for tally in tallies)
    ends = {kind: sum(tally.ends.get(kind, 0) for tally in tallies) for kind in sorted(tallies[0].ends)}
    yield Figure(
        name="pairs of bridge and packet compared",
        value=pairs,
        unit="pairs",
        note=f"{took_s:.0f} s; {sum(t.flows for t in tallies)} flows programmed; packets that met each end: "
        + ", ".join(f"{kind} {count}" for kind, count in ends.items()),
    )
    yield Figure(name="disagreements", value=sum(len(t.disagreements) for t in tallies), unit="pairs", goal=at_most(0))
    yield Figure(
        name="tables that packets met",
        value=len(set.union(*(t.tables for t in tallies))),
        unit="tables",
        goal=at_least(len(PIPELINE)),
        note=f"flows of {len(set.union(*(t.met for t in tallies)))} forms (table, priority, fields matched)",
    )
    yield Figure(
        name="walks",
        value=pairs / sum(t.walking_s for t in tallies),
        unit="/s",
        floor=pairs / sum(t.tracing_s for t in tallies),
        goal=at_least(2000),
    )
