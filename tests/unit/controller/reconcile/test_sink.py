"""Does what the controller finds out reach the store, and does what becomes intent wake who waits for it?"""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from controller.reconcile.sink import StateWriter
from controller.records import HostName, Port, PortId, PortState, PortStatus, Reason
from controller.services import bindings
from controller.store.agents import AGENTS
from controller.store.snapshot import load_snapshot
from controller.store.states import load_port_state
from tests.lab.process import eventually
from tests.unit.controller.reconcile.test_reconciler import create_network, create_port, write
from tests.unit.controller.reconcile.world import ADMIN, World

H1, H2 = HostName("h1"), HostName("h2")


class Stage:
    """A store with two hosts, and a writer to it."""

    def __init__(self, world: World) -> None:
        self.world = world
        world.reconciler.start()
        for number, name in enumerate((H1, H2), start=1):
            world.register(name, number)
        self.woken = threading.Semaphore(0)
        self.writer = StateWriter(world.database, on_intent=self.woken.release)

    def port(self, host: str | None, standby: str | None = None) -> Port:
        network = write(self.world, create_network)
        port: Port = write(self.world, lambda tx: create_port(tx, network.id, host, device_owner="compute:nova"))
        if standby is not None:
            wanted = {"host": standby, "vnic_type": "normal", "profile": {}}
            write(self.world, lambda tx: bindings.create(tx, ADMIN, port.id, wanted))
        return port

    def places(self, port_id: PortId) -> tuple[str | None, str | None]:
        with self.world.database.read() as tx:
            [port] = [one for one in load_snapshot(tx).ports if one.id == port_id]
        active, standby = port.binding, port.standby
        return active.host if active else None, standby.host if standby else None

    def write_all(self) -> None:
        self.writer.start()
        self.writer.stop()


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(World(tmp_path))
    yield stage
    stage.world.close()


def test_an_arrival_swaps_the_bindings_and_wakes_the_reconciler(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    port = stage.port(H1, H2)
    for _ in range(3):
        stage.writer.activate(port.id, H2)
    stage.write_all()
    assert stage.places(port.id) == (H2, H1)
    assert stage.woken.acquire(blocking=False)
    assert caplog.text.count(f"port_switched_over port={port.id} host=h2") == 1


@pytest.mark.parametrize("host", [H1, HostName("h3")])
def test_an_arrival_where_the_port_does_not_migrate_to_changes_nothing(stage: Stage, host: HostName) -> None:
    port = stage.port(H1, H2)
    stage.writer.activate(port.id, host)
    stage.write_all()
    assert stage.places(port.id) == (H1, H2)
    assert not stage.woken.acquire(blocking=False)


def test_an_arrival_after_the_migration_was_given_up_changes_nothing(stage: Stage) -> None:
    port = stage.port(H1)
    stage.writer.activate(port.id, H2)
    stage.writer.activate(PortId("gone"), H2)
    stage.write_all()
    assert stage.places(port.id) == (H1, None)
    assert not stage.woken.acquire(blocking=False)


def test_a_first_plug_wakes_the_reconciler(stage: Stage) -> None:
    port = stage.port(None)
    stage.writer.bind(port.id, H1)
    stage.write_all()
    assert stage.places(port.id) == (H1, None)
    assert stage.woken.acquire(blocking=False)


def test_the_controller_shows_itself_as_an_agent_at_once(stage: Stage) -> None:
    writer = StateWriter(stage.world.database, machine="boss")
    writer.start()
    deadline = time.monotonic() + 5
    found: list[str] = []
    while not found and time.monotonic() < deadline:
        time.sleep(0.01)
        with stage.world.database.read() as tx:
            found = list(tx.connection.scalars(select(AGENTS.c.host).where(AGENTS.c.heartbeat_at.is_not(None))))
    writer.stop()
    assert found == ["boss"]


def test_what_can_wait_waits_for_what_cannot(stage: Stage) -> None:
    """A port that only comes into being gets a line of its timeline with the state that ends its beginning."""
    writer = StateWriter(stage.world.database, patience_s=3600)
    new, wired = (stage.port(H1) for _ in range(2))
    writer.start()
    writer.ports([_state(new, PortStatus.BUILD)], can_wait=True)
    writer.ports([_state(wired, PortStatus.ACTIVE)])
    eventually(lambda: _status(stage, wired) is PortStatus.ACTIVE, 5, "what cannot wait is written")
    assert _status(stage, new) is PortStatus.BUILD
    writer.stop()


def test_what_can_wait_is_written_at_the_end(stage: Stage) -> None:
    writer = StateWriter(stage.world.database, patience_s=3600)
    port = stage.port(H1)
    writer.start()
    writer.ports([_state(port, PortStatus.BUILD)], can_wait=True)
    writer.stop()
    assert _status(stage, port) is PortStatus.BUILD


def _state(port: Port, status: PortStatus) -> PortState:
    reason = Reason.WIRED if status is PortStatus.ACTIVE else Reason.PROGRAMMING
    return PortState(port_id=port.id, status=status, reason=reason, host=H1, detail="", link_state=None)


def _status(stage: Stage, port: Port) -> PortStatus:
    with stage.world.database.read() as tx:
        return load_port_state(tx, port.id).status
