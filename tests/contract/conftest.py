"""Which switches does the contract hold for? The fake one and Open vSwitch, each behind a proxy that can cut."""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.contract.driver import SwitchDriver
from tests.contract.fake import FakeDriver
from tests.contract.harness import Harness
from tests.contract.ovs import OpenVSwitch, is_installed
from tests.contract.proxy import Proxy

DPID = 0x57000000000000A1

REAL = pytest.param(
    "ovs",
    marks=[pytest.mark.lab, pytest.mark.skipif(not is_installed(), reason="Open vSwitch is not installed")],
)


@pytest.fixture(params=["fake", REAL])
def make_switch(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[], SwitchDriver]]:
    """Give a maker of switches of the kind under test."""
    made: list[SwitchDriver] = []
    numbers = itertools.count(DPID)

    def make() -> SwitchDriver:
        dpid = next(numbers)
        # A unix socket's path has at most 107 octets: the name is short.
        path = Path(tmp_path_factory.mktemp("s", numbered=True)) / "o"
        driver = FakeDriver(dpid) if request.param == "fake" else OpenVSwitch(path, dpid)
        made.append(driver)
        return driver

    yield make
    for driver in made:
        driver.close()


@pytest.fixture
def driver(make_switch: Callable[[], SwitchDriver]) -> SwitchDriver:
    """Give one switch that is not connected."""
    return make_switch()


@pytest.fixture
def harness(driver: SwitchDriver) -> Iterator[Harness]:
    """Give a service that admits the switch."""
    running = Harness([driver.dpid])
    yield running
    running.stop()


@pytest.fixture
def proxy(harness: Harness) -> Iterator[Proxy]:
    """Give a way to the service that can be cut."""
    running = Proxy(("127.0.0.1", harness.port))
    yield running
    running.close()


@pytest.fixture
def open_files() -> Callable[[], int]:
    """Give a counter of this process's descriptors."""
    return lambda: len(list(Path("/proc/self/fd").iterdir()))
