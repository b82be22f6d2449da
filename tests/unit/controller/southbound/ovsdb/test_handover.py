"""Is a device on one bridge at every instant while it goes from one engine's to the other's?"""

from dataclasses import replace

from controller.southbound.ovsdb.desired import Desired
from controller.southbound.ovsdb.model import PrewiredPort
from controller.southbound.ovsdb.plan import all_places, plan
from tests.unit.controller.southbound.ovsdb.builders import a_desire, a_port
from tests.unit.controller.southbound.ovsdb.fake import FakeDatabase, to_map

OTHER = "br-ovn"
PORT = a_port(1)


def want(database: FakeDatabase, *ports: PrewiredPort) -> tuple[str, ...]:
    """Plan and write until nothing is left to do; return the problems of the last plan."""
    for _ in range(3):
        replica, wanted = database.replica(), Desired(a_desire(*ports))
        planned = plan(replica, wanted, all_places(replica, wanted))
        database.transact(planned.operations)
    assert not planned.operations
    return tuple(note.text for note in planned.problems)


def bridges_of(database: FakeDatabase, name: str) -> list[str]:
    """Return the bridges a device is on."""
    replica = database.replica()
    located = [replica.located(uuid) for uuid in replica.interfaces_by_name[name]]
    return [one[0].name for one in located if one]


def a_host(*, with_other: bool = True, is_live: bool = True) -> FakeDatabase:
    database = FakeDatabase()
    want(database, PORT)
    (interface,) = (row for row in database.tables["Interface"].values() if row["name"] == PORT.name)
    interface |= {"ofport": PORT.ofport, "ifindex": 7} if is_live else {}
    if with_other:
        database.add_bridge(OTHER, datapath_type="netdev")
    return database


def test_a_device_goes_to_the_other_bridge_and_comes_back_with_the_same_row() -> None:
    database = a_host()
    (uuid,) = (uuid for uuid, row in database.tables["Interface"].items() if row["name"] == PORT.name)
    assert want(database, replace(PORT, given_to=OTHER)) == ()
    assert bridges_of(database, PORT.name) == [OTHER]
    interface = database.replica().interfaces[uuid]
    assert (interface.ofport, interface.ofport_request) == (None, None), "its number was the old bridge's"
    assert interface.external_ids["iface-id"] == PORT.iface_id
    assert not interface.is_marked, "it is nobody's row of Weft's that would be removed"
    assert want(database) == ()
    assert bridges_of(database, PORT.name) == [OTHER], "what was given away is left alone"
    assert want(database, replace(PORT, taken_from=OTHER)) == ()
    assert bridges_of(database, PORT.name) == ["br-int"]
    interface = database.replica().interfaces[uuid]
    assert (interface.ofport, interface.ofport_request) == (None, PORT.ofport)


def test_a_row_that_waits_for_a_device_is_not_given_away_but_goes() -> None:
    database = a_host(is_live=False)
    assert want(database, replace(PORT, given_to=OTHER)) == ()
    assert bridges_of(database, PORT.name) == []
    assert want(database, replace(PORT, taken_from=OTHER)) == ()
    assert bridges_of(database, PORT.name) == ["br-int"], "nothing was there to be taken: a row waits here"


def test_a_device_stays_where_it_is_while_the_other_bridge_is_not_there() -> None:
    database = a_host(with_other=False)
    (problem,) = want(database, replace(PORT, given_to=OTHER))
    assert "bridge br-ovn, which is not there" in problem
    assert bridges_of(database, PORT.name) == ["br-int"]


def test_what_compute_plugged_is_handed_over_too() -> None:
    database = a_host()
    (interface,) = (row for row in database.tables["Interface"].values() if row["name"] == PORT.name)
    interface["external_ids"] = to_map(**{"iface-id": PORT.iface_id})
    assert want(database, replace(PORT, given_to=OTHER)) == ()
    assert bridges_of(database, PORT.name) == [OTHER]
