"""What do all tests share? The laboratory's fixtures, the ``lab`` mark, and the logs of whatever failed."""

import os
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.lab import Lab, Weft
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
    """Show the end of every log of the laboratory and of Weft under a test that failed."""
    report = yield
    if report.failed:
        fixtures = getattr(item, "funcargs", {}).values()
        parts = [getattr(fixture, name, None) for fixture in fixtures for name in ("lab", "weft")]
        directories = {part.directory for part in (*fixtures, *parts) if isinstance(part, Lab | Weft)}
        for log in sorted({log for directory in directories for log in directory.rglob("*.log")}):
            lines = [line for line in tail(log, LOG_LINES).splitlines() if not any(word in line for word in BANNER)]
            if lines:
                report.sections.append((str(log), "\n".join(lines)))
    return report


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
