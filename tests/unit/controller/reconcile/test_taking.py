"""Is a bridge written on only when it is Weft's, and is it looked at no more often than it must be?"""

import threading
from dataclasses import replace

import pytest

from controller.reconcile.taking import AGAIN_S, Takings
from controller.records import Host, HostName
from controller.southbound.ovsdb.model import BridgeRow, HostView
from controller.southbound.survey import Survey
from tests.unit.controller.reconcile.builders import a_host
from tests.unit.controller.reconcile.world import World

TARGET = "tcp:192.0.2.1:6653"
BRIDGE = BridgeRow(
    name="br-int", datapath_id=7, datapath_type="netdev", fail_mode=None, protocols=(), controllers=(), marked=False
)
FLOWS = Survey(flows=("priority=1 actions=drop", "b", "c", "d", "e"))


class Desk:
    """Takings of one host, whose surveyor waits for nobody."""

    def __init__(self) -> None:
        self.host: Host = a_host(1)
        self.surveys: list[tuple[str, str, int | None]] = []
        self.result = Survey()
        self.now = 100.0
        self.arrived = threading.Event()
        self.told: list[tuple[HostName, Survey]] = []
        self.takings = Takings(self, self.done, lambda: self.now)

    def survey(self, ovsdb: str, bridge: str, datapath_id: int | None) -> Survey:
        self.surveys.append((ovsdb, bridge, datapath_id))
        return self.result

    def done(self, name: HostName, survey: Survey) -> None:
        self.told.append((name, survey))
        self.arrived.set()

    def ask(self, row: BridgeRow | None) -> bool:
        return self.takings.may_write(self.host, HostView(connected=True, synced=True, bridge=row), TARGET)

    def look(self, row: BridgeRow, result: Survey) -> bool:
        """Ask, wait for the look, and take in what it found."""
        self.result = result
        assert not self.ask(row)
        assert self.arrived.wait(5)
        self.arrived.clear()
        return self.takings.found(*self.told[-1])


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_a_bridge_that_is_not_there_is_weft_s_to_make(desk: Desk) -> None:
    assert desk.ask(None)
    assert desk.surveys == []


def test_a_marked_bridge_is_taken_without_a_look(desk: Desk) -> None:
    assert desk.ask(replace(BRIDGE, marked=True))
    assert desk.surveys == []


def test_nothing_is_said_of_a_database_that_was_not_read(desk: Desk) -> None:
    assert not desk.takings.may_write(desk.host, HostView(), TARGET)
    assert desk.surveys == []


def test_a_bridge_of_nobody_is_taken_after_a_look(desk: Desk) -> None:
    assert desk.look(BRIDGE, Survey())
    assert desk.surveys == [(desk.host.ovsdb, "br-int", 7)]
    assert desk.ask(BRIDGE)


def test_a_bridge_with_flows_of_others_is_refused_and_they_are_named(desk: Desk) -> None:
    assert not desk.look(BRIDGE, FLOWS)
    assert not desk.ask(BRIDGE)
    problem = desk.takings.problem(desk.host.name) or ""
    assert (
        "holds 5 flows that are not Weft's (priority=1 actions=drop; b; c and 2 more): nothing was changed" in problem
    )
    assert desk.takings.is_refused(desk.host.name)


def test_a_bridge_with_another_controller_is_refused(desk: Desk) -> None:
    row = replace(BRIDGE, controllers=("tcp:192.0.2.9:6633",), others=("tcp:192.0.2.9:6633",))
    assert not desk.look(row, Survey())
    assert "has another controller (tcp:192.0.2.9:6633)" in (desk.takings.problem(desk.host.name) or "")


def test_a_controller_with_weft_s_own_address_is_not_another_one(desk: Desk) -> None:
    assert desk.look(replace(BRIDGE, controllers=(TARGET,), others=(TARGET,)), Survey())


def test_a_bridge_that_cannot_be_looked_at_is_refused(desk: Desk) -> None:
    assert not desk.look(BRIDGE, Survey(problem="no route"))
    assert "its flows cannot be read (no route)" in (desk.takings.problem(desk.host.name) or "")


def test_a_bridge_with_weft_s_flows_is_weft_s_whatever_else_is_on_it(desk: Desk) -> None:
    assert desk.look(replace(BRIDGE, others=("tcp:192.0.2.9:6633",)), Survey(is_ours=True))


def test_a_host_to_be_adopted_is_taken_although_it_was_refused(desk: Desk) -> None:
    assert not desk.look(BRIDGE, FLOWS)
    desk.host = replace(desk.host, adopt=True)
    assert desk.ask(BRIDGE)
    assert desk.takings.problem(desk.host.name) is None


def test_a_refused_bridge_is_looked_at_again_after_a_while_or_when_its_controllers_change(desk: Desk) -> None:
    assert not desk.look(BRIDGE, FLOWS)
    desk.now += AGAIN_S / 2
    assert not desk.ask(BRIDGE)
    assert len(desk.surveys) == 1
    assert not desk.look(replace(BRIDGE, others=("tcp:192.0.2.9:6633",)), FLOWS)
    desk.now += AGAIN_S
    assert desk.look(BRIDGE, Survey())


def test_what_a_look_found_of_a_removed_host_is_forgotten(desk: Desk) -> None:
    assert not desk.ask(BRIDGE)
    assert desk.arrived.wait(5)
    desk.takings.forget(desk.host.name)
    assert not desk.takings.found(*desk.told[-1])


def test_a_refused_host_is_told_nothing_its_switch_is_not_admitted_and_its_problem_says_why(world: World) -> None:
    world.survey_result = FLOWS
    world.views["h1"] = HostView(connected=True, synced=True, bridge=BRIDGE)
    world.meet("h1", BRIDGE)
    assert world.desired == {}
    state = world.host_states[HostName("h1")]
    assert "weft host set h1 --adopt" in (state.problem or "")
    dpid = next(iter(world.switches))
    assert not world.reconciler.admit(dpid)

    world.adopt("h1")
    assert world.desired["h1"].bridge.adopt
    assert world.switches[dpid].is_adopted
    assert world.reconciler.admit(dpid)
