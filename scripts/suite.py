"""Does the whole suite pass? Tests without a switch first, then the laboratory; one closing line counts both."""

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from xml.etree import ElementTree as ET

ROOT = Path(__file__).resolve().parents[1]
LAB_WORKERS = 3
"""Laboratories wait for switches more than they compute, but latencies are asserted in some tests."""
NOTHING_COLLECTED = 5
"""pytest's exit code when no test matches."""
PARTS = (("without a switch", "not lab", "auto"), ("laboratory", "lab", str(LAB_WORKERS)))


def run_part(mark: str, workers: str, report: Path) -> int:
    """Run the tests that bear a mark, or do not, and return pytest's exit code."""
    # A file stays with one worker: its laboratory is made once.
    argv = [sys.executable, "-m", "pytest", "-m", mark, "-n", workers, "--dist", "loadfile", f"--junit-xml={report}"]
    return subprocess.run(argv, cwd=ROOT, check=False).returncode


def count(report: Path) -> dict[str, int]:
    """Read how many tests passed, failed and were skipped out of a JUnit report."""
    if not report.exists():
        return {}
    suites = list(ET.parse(report).getroot().iter("testsuite"))  # noqa: S314 - our own pytest wrote it
    totals = {
        name: sum(int(suite.get(name, "0")) for suite in suites) for name in ("tests", "failures", "errors", "skipped")
    }
    failed = totals["failures"] + totals["errors"]
    return {"passed": totals["tests"] - failed - totals["skipped"], "failed": failed, "skipped": totals["skipped"]}


def main() -> int:
    """Run both parts, print the balance, and return 0 only if every test passed."""
    begun = time.monotonic()
    sums: dict[str, int] = {}
    worst = 0
    with tempfile.TemporaryDirectory(prefix="weft-suite-") as directory:
        for number, (name, mark, workers) in enumerate(PARTS):
            print(f"== tests: {name}", flush=True)
            report = Path(directory) / f"{number}.xml"
            code = run_part(mark, workers, report)
            worst = max(worst, 0 if code == NOTHING_COLLECTED else code)
            for outcome, found in count(report).items():
                sums[outcome] = sums.get(outcome, 0) + found
    parts = [f"{sums.get('passed', 0)} passed"]
    parts += [f"{sums[outcome]} {outcome}" for outcome in ("failed", "skipped") if sums.get(outcome)]
    print(f"{', '.join(parts)} in {time.monotonic() - begun:.0f} s")
    return worst


if __name__ == "__main__":
    sys.exit(main())
