"""A service that knows one datapath, and a fake switch that is connected to it."""

from collections.abc import Iterator

import pytest

from controller.southbound.openflow.events import Synced
from controller.southbound.openflow.watchdog import Limits
from tests.contract.harness import Harness, a_flow, tables
from tests.fakes.switch import FakeSwitch

DPID = 0xF00D


@pytest.fixture
def harness() -> Iterator[Harness]:
    """Give a service that knows one datapath."""
    running = Harness([DPID], limits=Limits(idle_s=10, silent_s=20))
    yield running
    running.stop()


@pytest.fixture
def fake(harness: Harness) -> Iterator[FakeSwitch]:
    """Give a switch that is connected and holds flow 1."""
    switch = FakeSwitch(DPID)
    harness.switch(DPID).load(tables(flows=[a_flow(1)]), 0)
    switch.connect("127.0.0.1", harness.port)
    harness.wait(DPID, Synced)
    yield switch
    switch.close()
