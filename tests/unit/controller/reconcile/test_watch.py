"""Is it written down who uses an address without having it, once, and told again only when it may have changed?"""

from controller.caller import Caller
from controller.reconcile.hearing import Heard
from controller.reconcile.watch import KEEP_S, LOOKS
from controller.records import Port, PortStatus
from controller.services import address_conflicts
from controller.services.query import Query
from controller.sighting_records import AddressConflict, How
from flows.cookie import Feature
from flows.flow import CopyToController
from flows.intent import Prefix
from flows.pipeline import SIGHTINGS
from tests.unit.controller.reconcile.test_reconciler import create_network, create_port, create_subnet
from tests.unit.controller.reconcile.world import ADMIN, World
from tests.unit.controller.store.builders import a_member

STRANGER = 0x020000000099


def found(world: World, caller: Caller = ADMIN) -> list[AddressConflict]:
    with world.database.read() as tx:
        return list(address_conflicts.find(tx, caller, Query()))


def hear(world: World, segment: int, address: str, mac: int = STRANGER, how: How = How.USED) -> None:
    number = int.from_bytes(bytes(map(int, address.split("."))))
    said = (Prefix(4, number, 32), mac, how)
    world.reconciler.heard(Heard(world.dpids["h1"], Feature.WIRE_SIGHTING, segment, *said))
    world.settle()


def quiet_flows(world: World) -> int:
    """Return how many flows keep back what is known."""
    flows = world.told()["h1"].flows.values()
    is_copy = (any(isinstance(one, CopyToController) for one in flow.actions) for flow in flows)
    return sum(flow.table == SIGHTINGS.id and not copied for flow, copied in zip(flows, is_copy, strict=True))


def a_port(world: World, network_id: str, address: str, **more: object) -> Port:
    with world.database.write() as tx:
        return create_port(tx, network_id, fixed_ips=[{"ip_address": address}], host="h1", **more)


def test_a_conflict_is_written_down_once_told_and_kept_quiet_until_it_is_listened_for_again(world: World) -> None:
    world.register("h1", 1, "public")
    with world.database.write() as tx:
        wire = {"network_type": "vlan", "physical_network": "public", "segmentation_id": 7}
        network = create_network(tx, **wire)
        create_subnet(tx, network.id, "10.0.0.0/24")
    pairs = [("02:00:00:00:00:77", "10.0.0.77")]
    port = a_port(world, network.id, "10.0.0.10", allowed_address_pairs=pairs)
    world.see("h1", ("tap", port.id, 5))
    segment = network.segments[0].key
    own, paired = int(port.mac_address.replace(":", ""), 16), 0x020000000077
    for address, mac, how in (
        ("10.0.0.10", own, How.USED),
        ("10.0.0.77", paired, How.USED),
        ("10.0.0.10", STRANGER, How.PROBED),
        ("10.0.1.10", STRANGER, How.USED),
    ):
        hear(world, segment, address, mac, how)
    assert found(world) == [], "its own, an allowed pair, a question its owner answers, an address of no subnet"
    assert quiet_flows(world) == 0

    hear(world, segment, "10.0.0.10")
    hear(world, segment, "10.0.0.20", how=How.PROBED)
    assert {(one.ip_address, one.kind, one.how) for one in found(world)} == {
        ("10.0.0.10", "conflict", "used"),
        ("10.0.0.20", "outside", "probed"),
    }
    state = world.port_states[port.id]
    assert state.status is PortStatus.ACTIVE
    assert state.detail.endswith("but 02:00:00:00:00:99 uses its address 10.0.0.10 too")
    assert quiet_flows(world) == 1, "of a probe it is not known yet what becomes of it"
    assert world.told()["h1"].flows.keys() == world.fully_compiled()["h1"].flows.keys()

    with world.database.read() as tx:
        before = tx.connection.exec_driver_sql("select max(seq) from journal").scalar_one()
    hear(world, segment, "10.0.0.10")
    with world.database.read() as tx:
        assert tx.connection.exec_driver_sql("select max(seq) from journal").scalar_one() == before, "it is known"

    world.pass_time(1)
    world.now += KEEP_S / LOOKS
    world.pass_time(1)
    assert quiet_flows(world) == 0, "is it still so?"
    hear(world, segment, "10.0.0.10")
    assert quiet_flows(world) == 1
    with world.database.write() as tx:
        for one in address_conflicts.find(tx, ADMIN, Query()):
            address_conflicts.delete(tx, ADMIN, one.id)
    world.settle()
    assert quiet_flows(world) == 0
    assert " uses " not in world.port_states[port.id].detail


def test_only_the_network_s_project_and_administrators_see_what_was_seen(world: World) -> None:
    world.register("h1", 1, "public")
    with world.database.write() as tx:
        network = create_network(tx, network_type="flat", physical_network="public")
        create_subnet(tx, network.id, "10.0.0.0/24")
    a_port(world, network.id, "10.0.0.10")
    world.settle()
    hear(world, network.segments[0].key, "10.0.0.20")
    owner, other = (a_member(project) for project in ("p", "q"))
    assert [len(found(world, caller)) for caller in (ADMIN, owner, other)] == [1, 1, 0]
