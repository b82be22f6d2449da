"""What do all tests share? The laboratory's fixtures, the ``lab`` mark, and the logs of whatever failed."""

import os
import time
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.lab import Lab, Weft
from tests.lab.hypervisor import Hypervisor
from tests.lab.process import tail

settings.register_profile("weft", deadline=None, derandomize=True)  # how long one takes depends on who else works here
settings.register_profile("search", deadline=None, max_examples=1000)  # new ones: --hypothesis-profile=search
settings.load_profile("weft")

LAB_DIRECTORY_PREFIX = "lab_"
LOG_LINES = 30
BANNER = ("INFO|netdev@ovs-netdev: ", "dpif_netdev", "ovs_numa|", "opened log file", "ofproto_dpif_upcall|INFO")
"""What every start of ovs-vswitchd says, whatever happens afterwards."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark everything under ``tests/lab_*/`` as ``lab``; without root such a test cannot run and says so."""
    for item in items:
        parts = item.path.relative_to(Path(__file__).parent).parts
        if parts[0].startswith(LAB_DIRECTORY_PREFIX):
            item.add_marker(pytest.mark.lab)
            if os.geteuid() != 0:
                item.add_marker(pytest.mark.skip(reason="needs root: namespaces and Open vSwitch"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the end of every log of the laboratory and of Weft under a test that failed; keep what the switches do."""
    report = yield
    if report.failed:
        fixtures = getattr(item, "funcargs", {}).values()
        owned = [getattr(fixture, name, None) for fixture in fixtures for name in ("lab", "weft")]
        parts = {id(part): part for part in (*fixtures, *owned) if isinstance(part, Lab | Weft)}.values()
        for log in sorted({log for part in parts for log in part.directory.rglob("*.log")}):
            lines = [line for line in tail(log, LOG_LINES).splitlines() if not any(word in line for word in BANNER)]
            if lines:
                report.sections.append((str(log), "\n".join(lines)))
        if report.when == "call":
            kept = [
                _inventory(host, part) for part in parts if isinstance(part, Lab) for host in part.hypervisors.values()
            ]
            report.sections.append(("switches when it failed", "\n".join(map(str, kept))))
    return report


def _inventory(host: Hypervisor, lab: Lab) -> Path:
    path = lab.directory / f"{host.name}-{time.time():.0f}.inventory"
    path.write_text(host.inventory())
    return path


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    """Give an empty laboratory; ``lab.hypervisor("h1")`` adds a host."""
    with Lab(tmp_path / "lab") as laboratory:
        yield laboratory


@pytest.fixture
def weft(tmp_path: Path, lab: Lab) -> Iterator[Weft]:
    """Give a running ``weft serve`` with an empty database, at home in the laboratory."""
    with Weft(tmp_path / "weft", lab=lab) as running:
        yield running
