"""scripts/bench [--quick] [--only NAME]... [--repeat N] [--seeds N] [--json FILE] [--list]."""

import argparse
import importlib
import json
import os
import platform
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.report import Figure, table

NAMES = (
    *("latency", "batch", "restart", "push", "switches", "scale", "growth", "api", "dhcp"),
    *("walk", "groups", "throughput", "floods", "matrix", "container", "addresses", "rules"),
)
QUICK_REPEAT, REPEAT = 5, 10


def main(argv: Sequence[str] | None = None) -> int:
    """Run what was asked for; the exit code says whether all could be measured, not whether goals are reached."""
    args = _parser().parse_args(argv)
    if args.list:
        for name in NAMES:
            print(f"{name:10} {question(name)}")
        return 0
    if os.geteuid():
        print("error: needs root: network namespaces and Open vSwitch", file=sys.stderr)
        return 2
    args.repeat = args.repeat or (QUICK_REPEAT if args.quick else REPEAT)
    # Both take down what was set up; a shell's background job would ignore Ctrl-C else.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    signal.signal(signal.SIGINT, signal.default_int_handler)
    print(f"# {conditions()['machine']}")
    failed, found = False, {}
    for name in args.only or NAMES:
        figures, error = measure(name, args)
        found[name] = [figure.as_json() for figure in figures]
        failed = failed or bool(error)
        if args.json:
            args.json.write_text(json.dumps({"conditions": conditions(), "figures": found}, indent=1) + "\n")
    return int(failed)


def measure(name: str, args: argparse.Namespace) -> tuple[list[Figure], str]:
    """Run one benchmark and print its table; an error ends it, but not the others."""
    print(f"\n## {name}: {question(name)}", flush=True)
    figures: list[Figure] = []
    began, error = time.monotonic(), ""
    try:
        for figure in importlib.import_module(f"benchmarks.{name}").run(args):
            figures.append(figure)
            print(f"  {figure.name}: {figure.value:.3f} {figure.unit}", file=sys.stderr, flush=True)
    except Exception as failure:
        error = f"{type(failure).__name__}: {failure}"
        if args.traceback:
            raise
    print(table(figures))
    print(f"({time.monotonic() - began:.0f} s)" + (f"\nFAILED: {error}" if error else ""), flush=True)
    return figures, error


def question(name: str) -> str:
    """Return what a benchmark asks."""
    return (importlib.import_module(f"benchmarks.{name}").__doc__ or "").partition("\n")[0]


def conditions() -> dict[str, Any]:
    """Return where and when the figures were taken."""
    ovs = subprocess.run(["ovs-vswitchd", "--version"], capture_output=True, text=True, check=True).stdout.split("\n")[
        0
    ]
    machine = f"{os.cpu_count()} processors, {platform.release()}, Python {platform.python_version()}, {ovs}"
    return {"machine": machine, "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), "load": os.getloadavg()}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="scripts/bench", description="Measure Weft beside what it stands on.")
    parser.add_argument("--quick", action="store_true", help="smaller sizes and fewer repetitions")
    parser.add_argument("--only", action="append", choices=NAMES, metavar="NAME", help="may be repeated; see --list")
    parser.add_argument("--repeat", type=int, metavar="N", help="repetitions of what is short")
    parser.add_argument("--seeds", type=int, metavar="N", help="clouds that matrix compares")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every figure there, after each benchmark")
    parser.add_argument("--list", action="store_true", help="say what there is")
    parser.add_argument("--traceback", action="store_true", help="stop at the first error and show where it came from")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
