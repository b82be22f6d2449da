"""Does Weft leak, lose or hang under any of a thousand seeds? The long run of what `tests/lab_faults` does in short.

Each seed is one story (guests move and change networks while processes die and connections are cut, `--what story`),
one cut of each host in the middle of many changes (`--what cut`), or a thousand reconnects (`--what endurance`). A seed
that fails prints a line and what happened; the rest is counted. `--what floor` counts what Open vSwitch alone sends
astray when two devices change places `--seeds` times. Needs root.
"""

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

from tests.lab import Lab
from tests.lab_faults.cuts import Cutting
from tests.lab_faults.endurance import changes_for_a_stalled_switch, database_reconnects, switch_reconnects
from tests.lab_faults.exchange import exchange
from tests.lab_faults.stage import Stage, standing
from tests.lab_faults.story import Story

STEPS = 12
RECONNECTS = 1_000
CHANGES = 2_000
GROWTH_KIB = 16 * 1024
SEEDS_A_STAGE = 50
"""A laboratory is made anew after so many, or after a failure, so that no seed inherits another's damage."""


def story(stage: Stage, seed: int) -> list[str]:
    """Play one story; return what to print if it failed."""
    outcome = Story(stage, seed, steps=STEPS).run()
    return [] if outcome.is_good else [str(outcome), *outcome.steps, *outcome.told_breaches[:10]]


def cut(stage: Stage, seed: int) -> list[str]:
    """Make one cut; return what to print if it failed."""
    outcome = Cutting(stage, seed).run()
    return [] if outcome.is_good else [str(outcome)]


def endurance(stage: Stage, seed: int) -> list[str]:
    """Reconnect and change a great many times; return what to print if something leaked. One seed takes minutes."""
    held = {
        "switch reconnects": switch_reconnects(stage, RECONNECTS, random.Random(seed)),  # noqa: S311 - not for secrets
        "database reconnects": database_reconnects(stage, RECONNECTS),
        "changes for a stalled switch": changes_for_a_stalled_switch(stage, CHANGES),
    }
    leaks = [f"{name}: {what}" for name, what in held.items() if what.leaks(GROWTH_KIB)]
    return [f"seed {seed}: FAILED", *leaks] if leaks else []


def floor(times: int) -> int:
    """Print what Open vSwitch sends astray without any controller."""
    with tempfile.TemporaryDirectory(prefix="weft-floor-") as directory, Lab(Path(directory) / "lab") as lab:
        right, wrong = exchange(lab, times)
    print(f"floor: two devices changed places {times} times: {wrong} frames astray, {right} where they belong")
    return 0


WHAT = {"story": story, "cut": cut, "endurance": endurance}


def main() -> int:
    """Run the seeds and return 1 if one of them failed."""
    parser = argparse.ArgumentParser(prog="scripts/bench_faults.py", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1000, metavar="N")
    parser.add_argument("--first", type=int, default=1, metavar="N", help="the first seed")
    parser.add_argument("--what", choices=sorted([*WHAT, "floor"]), default="story")
    args = parser.parse_args()
    if args.what == "floor":
        return floor(args.seeds)
    begun, failed, seed, end = time.monotonic(), 0, args.first, args.first + args.seeds
    while seed < end:
        with tempfile.TemporaryDirectory(prefix="weft-faults-") as directory, standing(Path(directory)) as stage:
            for _ in range(min(SEEDS_A_STAGE, end - seed)):
                lines = attempt(stage, args.what, seed)
                seed += 1
                if lines:
                    failed += 1
                    print("\n    ".join(lines), flush=True)
                    break
                print(f"\r{seed - args.first} of {args.seeds} seeds", end="", file=sys.stderr, flush=True)
    spent = time.monotonic() - begun
    print(f"\n{args.what}: {args.seeds} seeds from {args.first}, {failed} failed, {spent:.0f} s")
    return 1 if failed else 0


def attempt(stage: Stage, what: str, seed: int) -> list[str]:
    """Run one seed on a stage and leave it empty; whatever is raised is a failure of the seed."""
    try:
        lines = WHAT[what](stage, seed)
        if not lines:
            stage.clear()
            stage.settle()
    except Exception as error:  # noqa: BLE001 - the other seeds are still to be run
        return [f"seed {seed}: FAILED {type(error).__name__}: {error}"]
    return lines


if __name__ == "__main__":
    raise SystemExit(main())
