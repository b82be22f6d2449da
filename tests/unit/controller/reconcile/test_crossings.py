"""Is a network that comes from another plug-in ready before it is let in, and one that leaves kept until it left?"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.records import HostName, NetworkId
from controller.services import networks, ports
from controller.store import network_moves
from controller.store.network_moves import NetworkMove
from controller.store.transaction import Transaction
from flows.delta import Tables
from tests.unit.controller.reconcile.world import ADMIN, World
from tests.unit.controller.store.builders import a_network, a_port

DEVICE = "tap0"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    world.reconciler.start()
    world.register("h1", 1)
    yield world
    world.close()


def a_move(network_id: str, source: str, target: str) -> NetworkMove:
    bridges = {"openflow": "br-int", "ovn": "br-ovn"}
    return NetworkMove(
        network_id=NetworkId(network_id),
        source=source,
        target=target,
        source_bridge=bridges[source],
        target_bridge=bridges[target],
        is_switched=False,
        started_at=0,
    )


def revision(tx: Transaction, network_id: str) -> int:
    return networks.get(tx, ADMIN, network_id).revision_number


def rows(world: World) -> list[tuple[str | None, str | None]]:
    """Return from where devices are taken, and where they are given to."""
    return [(row.taken_from, row.given_to) for row in world.desired["h1"].prewired]


def flows(world: World) -> Tables:
    return world.told()["h1"]


def test_a_network_that_leaves_keeps_its_flows_until_its_devices_have_gone(world: World) -> None:
    with world.database.write() as tx:
        network = a_network(tx)
        port = a_port(tx, network, host="h1")
    world.settle()
    world.see("h1", (DEVICE, port.id, port.binding.ofport if port.binding else 0))
    before = flows(world)
    with world.database.write() as tx:
        network_moves.begin(tx, a_move(network.id, "openflow", "ovn"))
    world.settle()
    assert (rows(world), flows(world), world.steps) == ([(None, None)], before, [])
    with world.database.write() as tx:
        assert network_moves.switch(tx, network.id, revision(tx, network.id))
    world.settle()
    assert rows(world) == [(None, "br-ovn")]
    assert flows(world) == before, "whoever has not moved yet goes on talking"
    assert world.steps == []
    world.see("h1")  # the device is on the other bridge
    world.settle()
    assert world.steps == [("released", True)]
    assert rows(world) == []
    assert flows(world) != before
    with world.database.read() as tx:
        assert network_moves.load_moves(tx) == {}


def test_a_network_that_comes_is_ready_before_its_devices_are_fetched_and_silent_until_then(world: World) -> None:
    with world.database.write() as tx:
        network = a_network(tx)
        port = a_port(tx, network, host="h1")
        network_moves.hand_over(tx, network.id, "ovn")
    world.settle()
    nothing = flows(world)
    world.confirming = False
    with world.database.write() as tx:
        network_moves.begin(tx, a_move(network.id, "ovn", "openflow"))
    world.settle()
    assert rows(world) == [], "its device is on the other bridge: no row waits for it here"
    assert flows(world) != nothing
    assert world.steps == [], "the switch has not confirmed the flows"
    assert port.id not in world.port_states, "what is said of the port is the other engine's"
    world.confirming = True
    with world.database.write() as tx:
        ports.update(tx, ADMIN, port.id, {"name": "other", "admin_state_up": False})
    world.settle()
    assert world.steps == [("prepared", True)]
    assert rows(world) == [("br-ovn", None)]
    world.see("h1", (DEVICE, port.id, port.binding.ofport if port.binding else 0))
    world.settle()
    assert world.steps == [("prepared", True), ("released", True)]
    assert rows(world) == [(None, None)]
    assert world.port_states[port.id].host == HostName("h1")
