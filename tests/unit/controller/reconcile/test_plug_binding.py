"""Is a port bound where it is plugged, and only as long as nobody said otherwise?"""

from pathlib import Path

from controller.records import Port, PortStatus, Reason
from controller.services import (
    ports,
)
from controller.store.states import save_port_states
from tests.unit.controller.reconcile.asking import (
    create_network,
    create_port,
    write,
)
from tests.unit.controller.reconcile.world import ADMIN, World


def test_an_unbound_port_is_bound_by_its_first_plug(world: World) -> None:
    world.register("h1", 1)
    network = write(world, create_network)
    port = write(world, lambda tx: create_port(tx, network.id))
    world.settle()
    world.see("h1", ("vnet0", port.id, 7))
    world.settle()
    state = world.port_states[port.id]
    assert (state.status, state.host) == (PortStatus.ACTIVE, "h1")


def bound_to(world: World, port_id: str) -> str | None:
    """Return the host a port is bound to."""
    with world.database.read() as tx:
        binding = ports.get(tx, ADMIN, port_id).binding
    return None if binding is None else binding.host


def taken_off(world: World) -> Port:
    """Return a port that was plugged on h1, and then taken off it by a user while its device stayed."""
    world.register("h1", 1)
    network = write(world, create_network)
    port: Port = write(world, lambda tx: create_port(tx, network.id))
    world.settle()
    world.see("h1", ("vnet0", port.id, 7))
    write(world, lambda tx: ports.update(tx, ADMIN, port.id, {"host": None}))
    world.settle()
    return port


def test_a_port_taken_off_its_host_is_bound_by_a_new_plug_only(world: World, tmp_path: Path) -> None:
    """Neither a link that flaps nor a restart of the controller undoes what a user decided."""
    port = taken_off(world)
    state = world.port_states[port.id]
    assert (state.status, state.reason, state.host) == (PortStatus.DOWN, Reason.UNBOUND, "h1")
    assert "still plugged on h1" in state.detail
    world.see("h1", ("vnet0", port.id, 8))
    assert world.port_states[port.id].reason is Reason.UNBOUND
    with world.database.write() as tx:
        save_port_states(tx, [world.port_states[port.id]])
    again = World(tmp_path)
    again.reconciler.start()
    again.see("h1", ("vnet0", port.id, 8))
    assert bound_to(again, port.id) is None
    again.see("h1")
    assert again.port_states[port.id].host is None
    again.see("h1", ("vnet0", port.id, 8))
    assert bound_to(again, port.id) == "h1"
    again.close()


def test_a_port_taken_off_its_host_is_bound_where_it_is_plugged_once_somebody_has_it_again(world: World) -> None:
    """A vNIC unplugged and plugged back while its machine runs."""
    port = taken_off(world)
    assert bound_to(world, port.id) is None
    write(world, lambda tx: ports.update(tx, ADMIN, port.id, {"device_id": "vm1"}))
    world.settle()
    assert bound_to(world, port.id) == "h1"


def test_a_device_that_was_there_before_its_port_binds_it(world: World) -> None:
    """Of a port that comes in with its id, and of one whose plug is seen before the journal is read."""
    world.register("h1", 1)
    network = write(world, create_network)
    gone = write(world, lambda tx: create_port(tx, network.id))
    write(world, lambda tx: ports.delete(tx, ADMIN, gone.id))
    world.see("h1", ("vnet0", gone.id, 7))
    with world.database.write() as tx:
        tx.new_id = lambda: gone.id
        port = create_port(tx, network.id)
    world.settle()
    assert bound_to(world, port.id) == "h1"
