"""Does what switches count reach the projects it belongs to, and nobody else?"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from controller.records import HostName, Port
from controller.services import ports, usage
from controller.services.query import Filter, Query
from controller.southbound.openflow.dump import PortCounters
from controller.southbound.openflow.errors import NotConnectedError
from controller.southbound.openflow.state import SwitchState
from controller.usage.collector import UsageCollector
from controller.usage.counters import NONE, Traffic
from controller.usage.settings import UsageSettings
from tests.unit.controller.reconcile.world import World
from tests.unit.controller.store.builders import ADMIN, a_network, a_port, a_subnet

NUMBER = 5


class CountingSwitch:
    """A switch that counts what a test says."""

    def __init__(self) -> None:
        self.counters: dict[int, PortCounters] | None = {}
        self.is_synced = True

    def switch(self, _dpid: int) -> "CountingSwitch":
        return self

    def port_counters(self, _deadline_s: float) -> dict[int, PortCounters]:
        if self.counters is None:
            raise NotConnectedError(1)
        return self.counters

    @property
    def state(self) -> SwitchState:
        return replace(IDLE, synced=self.is_synced)


IDLE = SwitchState(
    connected=True,
    synced=True,
    pending=0,
    sent=0,
    foreign_flows=0,
    foreign_normal=0,
    drift_count=0,
    drift_examples=(),
    withheld=0,
    problem=None,
    features={},
)


def counted(*, sent: int, received: int) -> PortCounters:
    return PortCounters(packets_sent=sent, bytes_sent=sent, packets_received=received, bytes_received=received)


def traffic(*, got: int, gave: int) -> Traffic:
    """What a guest got and gave; the switch calls it sent and received."""
    return Traffic(packets_in=got, bytes_in=got, packets_out=gave, bytes_out=gave)


class Meter:
    """A collector between a reconciler with one plugged port and a switch that counts what a test says."""

    def __init__(self, directory: Path) -> None:
        self.world, self.switch, self.clock = World(directory), CountingSwitch(), 1_800_000_000.0
        self.world.reconciler.start()
        self.world.register("h1", 1)
        with self.world.database.write() as tx:
            network = a_network(tx)
            a_subnet(tx, network)
            self.port: Port = a_port(tx, network, host="h1")
        self.world.see("h1", ("tap0", self.port.id, NUMBER))
        self.collector = self.another()

    def another(self) -> UsageCollector:
        settings = UsageSettings(period_s=1, sample_s=300, keep_s=900)
        return UsageCollector(self.world.reconciler, self.switch, self.world.database, settings, now=lambda: self.clock)

    def read(self, sent: int, received: int, *, number: int = NUMBER) -> None:
        self.switch.counters = {number: counted(sent=sent, received=received), 77: counted(sent=9, received=9)}
        self.collector.collect()

    @property
    def of_port(self) -> Traffic:
        query = Query(filters=(Filter(name="id", values=(self.port.id,)),))
        with self.world.database.read() as tx:
            return usage.of_ports(tx, ADMIN, query)[0].traffic

    @property
    def of_project(self) -> usage.ProjectUsage:
        with self.world.database.read() as tx:
            return usage.now(tx, ADMIN, "p")[0]


@pytest.fixture
def meter(tmp_path: Path) -> Iterator[Meter]:
    meter = Meter(tmp_path)
    yield meter
    meter.world.close()


def test_what_the_switch_sent_the_guest_received(meter: Meter) -> None:
    meter.read(100, 40)
    meter.read(130, 50)
    assert meter.of_port == meter.of_project.traffic == traffic(got=130, gave=50)


def test_a_counter_that_goes_back_is_added(meter: Meter) -> None:
    """A device plugged anew, a switch that restarted."""
    meter.read(100, 40)
    meter.read(10, 5)
    meter.read(15, 5)
    assert meter.of_port == traffic(got=115, gave=45)


def test_another_controller_process_goes_on_where_the_last_one_ended(meter: Meter) -> None:
    meter.read(100, 40)
    meter.collector = meter.another()
    meter.read(120, 40)
    assert meter.of_port == traffic(got=120, gave=40)


def test_a_port_that_moves_is_counted_on_both_hosts(meter: Meter) -> None:
    meter.read(100, 40)
    meter.world.register("h2", 2)
    with meter.world.database.write() as tx:
        ports.update(tx, ADMIN, meter.port.id, {"host": "h2"})
    meter.world.see("h1")
    meter.world.see("h2", ("tap0", meter.port.id, 6))
    meter.read(7, 3, number=6)
    meter.read(8, 4, number=6)
    assert meter.of_port == traffic(got=108, gave=44)


def test_a_switch_that_is_not_there_or_in_doubt_is_not_read(meter: Meter) -> None:
    meter.read(100, 40)
    meter.switch.counters = None
    meter.collector.collect()
    meter.switch.is_synced = False
    meter.read(500, 500)
    assert meter.of_port == traffic(got=100, gave=40)


def test_a_project_keeps_what_its_deleted_ports_did(meter: Meter) -> None:
    meter.read(100, 40)
    with meter.world.database.write() as tx:
        ports.delete(tx, ADMIN, meter.port.id)
    meter.world.settle()
    meter.read(200, 80)
    assert meter.of_project.traffic == traffic(got=100, gave=40)
    assert meter.of_project.counted["ports"] == 0


def test_an_idle_port_costs_no_write(meter: Meter) -> None:
    meter.read(100, 40)
    before = meter.of_project.measured_at
    meter.read(100, 40)
    assert meter.of_project.measured_at == before


def test_a_project_is_sampled_once_a_sample_time(meter: Meter) -> None:
    start = datetime.fromtimestamp(0, UTC)
    for minutes, sent in ((0, 100), (1, 110), (5, 150), (10, 170), (20, 200)):
        meter.clock = 1_800_000_000.0 + 60 * minutes
        meter.read(sent, 0)
    with meter.world.database.read() as tx:
        (history,) = usage.over(tx, ADMIN, None, start=start, end=datetime.fromtimestamp(meter.clock, UTC))
        (part,) = usage.over(
            tx,
            ADMIN,
            "p",
            start=datetime.fromtimestamp(1_800_000_000 + 360, UTC),
            end=datetime.fromtimestamp(1_800_000_000 + 700, UTC),
        )
    assert [int(one.at.timestamp()) - 1_800_000_000 for one in history.samples] == [0, 300, 600, 1200]
    assert [one.traffic.bytes_in for one in history.samples] == [100, 150, 170, 200]
    assert history.traffic.bytes_in == 100
    assert (part.traffic.bytes_in, len(part.samples)) == (20, 1)
    counts = history.samples[0].counted
    assert counts | {"flows": 0} == {
        "networks": 1,
        "subnets": 1,
        "ports": 1,
        "addresses": 1,
        "security_groups": 1,
        "security_group_rules": 4,
        "segments": 1,
        "hosts": 1,
        "flows": 0,
    }


def test_flows_are_those_the_projects_ports_and_segments_ask_for(meter: Meter) -> None:
    meter.read(1, 1)
    bridge = meter.world.reconciler.bridge(HostName("h1"))
    assert bridge is not None
    wanted = {unit: bridge.state.flows_of(unit) for unit in bridge.state.units()}
    found = meter.of_project.counted["flows"]
    assert 0 < found < sum(wanted.values())
    assert found == sum(count for unit, count in wanted.items() if unit.kind.name in {"LOCAL_PORT", "SEGMENT"})
    assert meter.of_project.traffic != NONE
