"""Do planned patch pairs join our bridge with the provider bridges that are there and fit, and touch nothing else?"""

import copy
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.southbound.ovsdb.desired import SETTINGS, Desired
from controller.southbound.ovsdb.draft import Plan
from controller.southbound.ovsdb.model import HostDesired, PatchPair
from controller.southbound.ovsdb.plan import all_places, plan, plan_clear
from controller.southbound.ovsdb.records import MARK_PATCH
from tests.unit.controller.southbound.ovsdb.builders import a_desire, a_patch, a_port
from tests.unit.controller.southbound.ovsdb.fake import FakeDatabase, to_map

BLUE, RED = a_patch("blue", 65200), a_patch("red", 65201)


def plan_whole(database: FakeDatabase, desired: HostDesired) -> Plan:
    wanted, replica = Desired(desired), database.replica()
    return plan(replica, wanted, all_places(replica, wanted))


def settle(database: FakeDatabase, *patches: PatchPair) -> Plan:
    """Carry plans out until nothing is planned any more, giving every port the number it asks for."""
    for _ in range(5):
        planned = plan_whole(database, a_desire(a_port(), patches=patches))
        if not planned.operations:
            return planned
        database.transact(planned.operations)
        number(database)
    raise AssertionError(f"still planned after five steps: {planned}")


def number(database: FakeDatabase) -> None:
    for row in database.tables["Interface"].values():
        if row["type"] == "patch":
            row["ofport"] = row["ofport_request"] if row["ofport_request"] != ["set", []] else 1


def on_bridge(database: FakeDatabase, bridge: str) -> dict[str, dict[str, Any]]:
    """The interfaces of a bridge but its own, by name."""
    replica, rows = database.replica(), {}
    for uuid, row in database.tables["Interface"].items():
        located = replica.located(uuid)
        if located and located[0].name == bridge and row["name"] != bridge:
            rows[row["name"]] = row
    return rows


def a_database(*bridges: str) -> FakeDatabase:
    database = FakeDatabase()
    for bridge in bridges:
        database.add_bridge(bridge, datapath_type="netdev")
    return database


def is_paired(database: FakeDatabase, pair: PatchPair) -> bool:
    near, far = on_bridge(database, "br-int").get(pair.name), on_bridge(database, pair.bridge).get(pair.far_name)
    if near is None or far is None:
        assert near is far, "half a pair"
        return False
    assert (near["type"], near["options"], near["ofport_request"]) == (
        "patch",
        to_map(peer=pair.far_name),
        pair.ofport,
    )
    assert (far["type"], far["options"]) == ("patch", to_map(peer=pair.name))
    return True


def test_both_ends_are_made_in_one_transaction_with_the_bridge() -> None:
    database = a_database("br-blue")
    planned = plan_whole(database, a_desire(patches=(BLUE,)))
    database.transact(planned.operations)
    assert is_paired(database, BLUE)
    assert not plan_whole(database, a_desire(patches=(BLUE,))).operations


def test_a_bridge_that_went_meanwhile_fails_the_transaction() -> None:
    database = a_database("br-blue", "br-int")
    planned = plan_whole(database, a_desire(patches=(BLUE,)))
    waits = [operation for operation in planned.operations if operation["op"] == "wait"]
    assert [operation["columns"] for operation in waits] == [["datapath_type"], ["controller"]]
    row = database.row("Bridge", "br-blue")
    assert row
    row["datapath_type"] = "system"
    with pytest.raises(AssertionError, match="timed out"):
        database.transact(planned.operations)


_colors = st.lists(st.sampled_from(["blue", "red", "green"]), unique=True)


@given(
    there=st.dictionaries(st.sampled_from(["blue", "red", "green"]), st.sampled_from(["netdev", "system", ""])),
    first=_colors,
    second=_colors,
    damage=st.lists(st.tuples(st.sampled_from(["near", "far", "peer", "ask", "given", "bridge"]), st.integers(0, 5))),
)
def test_any_pairs_become_others_and_no_half_is_left(
    there: dict[str, str], first: list[str], second: list[str], damage: list[tuple[str, int]]
) -> None:
    database = FakeDatabase()
    for color, datapath_type in there.items():
        database.add_port(database.add_bridge(f"br-{color}", datapath_type=datapath_type), f"card-{color}")
    settle(database, *_patches(first))
    for what, which in damage:
        _damage(database, what, which)
    theirs = _theirs(database)

    planned = settle(database, *_patches(second))

    for pair in _patches(second):
        bridge = database.row("Bridge", pair.bridge)
        assert is_paired(database, pair) is (bridge is not None and bridge["datapath_type"] == "netdev")
    made = {name for name in _names(database) if name.startswith(("wi-", "wp-"))}
    assert made <= {name for pair in _patches(second) for name in (pair.name, pair.far_name)}
    assert {note.place for note in planned.problems} == {
        pair.name for pair in _patches(second) if not is_paired(database, pair)
    }
    assert _theirs(database) == theirs
    database.transact(plan_clear(database.replica(), "br-int").operations)
    assert not {name for name in _names(database) if name.startswith(("wi-", "wp-", "tap"))}
    assert _theirs(database) == theirs


def _patches(colors: list[str]) -> tuple[PatchPair, ...]:
    return tuple(a_patch(color, 65200 + index) for index, color in enumerate(colors))


def _names(database: FakeDatabase) -> set[str]:
    return {str(row["name"]) for row in database.tables["Interface"].values()}


def _theirs(database: FakeDatabase) -> list[Any]:
    """What Weft may not touch: provider bridges but for their ports, and the ports of others."""
    rows = [row for row in database.tables["Bridge"].values() if row["name"] != "br-int"]
    found = [{column: value for column, value in row.items() if column != "ports"} for row in rows]
    found += [row for row in database.tables["Interface"].values() if str(row["name"]).startswith(("card", "br-"))]
    return copy.deepcopy([row for row in found if row["name"] != "br-int"])


def _damage(database: FakeDatabase, what: str, which: int) -> None:
    ends = [row for row in database.tables["Interface"].values() if row["type"] == "patch"]
    if what == "bridge":
        bridges = [uuid for uuid, row in database.tables["Bridge"].items() if row["name"] != "br-int"]
        if bridges:
            del database.tables["Bridge"][bridges[which % len(bridges)]]
    elif ends:
        row = ends[which % len(ends)]
        if what == "peer":
            row["options"] = to_map(peer="nobody")
        elif what == "ask":
            row["ofport_request"] = which
        elif what == "given":
            row["ofport"] = which + 1
        else:
            side = "wi-" if what == "near" else "wp-"
            ports = {u for u, port in database.tables["Port"].items() if port["name"] == side + str(row["name"])[3:]}
            for bridge in database.tables["Bridge"].values():
                atoms = bridge["ports"][1] if bridge["ports"][0] == "set" else [bridge["ports"]]
                bridge["ports"] = ["set", [atom for atom in atoms if atom[1] not in ports]]
    database._collect_garbage()


@pytest.mark.parametrize(
    ("pair", "text"),
    [
        (a_patch("green"), "provider bridge br-green of physical network green does not exist: make it"),
        (replace(BLUE, bridge="br-int"), "provider bridge br-int of physical network blue is Weft's own bridge"),
        (a_patch("old"), "has datapath type system and br-int has netdev, which no patch joins"),
        (a_patch("taken"), "port wp-br-taken on the way to provider bridge br-taken"),
        (replace(BLUE, ofport=65207), "needs OpenFlow port 65207, which theirs has"),
    ],
    ids=["missing", "own", "datapath", "name", "number"],
)
def test_what_keeps_a_pair_from_being_made_is_told_and_the_rest_is_done(pair: PatchPair, text: str) -> None:
    database = a_database("br-int", "br-blue", "br-red", "br-taken")
    database.add_bridge("br-old", datapath_type="system")
    bridges = {str(row["name"]): uuid for uuid, row in database.tables["Bridge"].items()}
    database.add_port(bridges["br-red"], "wp-br-taken")
    database.add_port(bridges["br-int"], "theirs", ofport=65207)

    planned = settle(database, pair, RED)

    assert [text in note.text for note in planned.problems] == [True]
    assert is_paired(database, RED)
    assert pair.name not in _names(database)
    assert SETTINGS in planned.in_place


def test_two_physical_networks_on_one_bridge_are_reported_and_the_first_has_it() -> None:
    database = a_database("br-blue")
    planned = settle(database, BLUE, replace(BLUE, physical_network="sky", ofport=65201))
    assert "physical networks blue and sky both name bridge br-blue" in planned.problems[0].text
    assert is_paired(database, BLUE)


def test_numbers_that_change_hands_are_freed_before_they_are_asked_for() -> None:
    """OVS 3.1 gives a number freed and asked for in one transaction to nobody, for good (seen)."""
    database = a_database("br-blue", "br-red")
    settle(database, BLUE, RED)
    swapped = (replace(RED, ofport=65200), replace(BLUE, ofport=65201))

    planned = plan_whole(database, a_desire(a_port(), patches=swapped))
    assert planned.must_settle
    assert all(note.is_life and note.may_wait for note in planned.changes)
    database.transact(planned.operations)

    assert not {name for name in _names(database) if name.startswith(("wi-", "wp-"))}
    settle(database, *swapped)
    assert all(is_paired(database, pair) for pair in swapped)


def test_a_port_of_the_same_name_without_our_mark_is_left_and_no_half_is_made() -> None:
    database = a_database("br-blue")
    settle(database, BLUE)
    far = database.row("Interface", "wp-br-blue")
    assert far
    far["external_ids"] = to_map(theirs="1")

    planned = settle(database, BLUE)

    assert "is not Weft's" in planned.problems[0].text
    assert {"wp-br-blue"} == _names(database) & {"wi-br-blue", "wp-br-blue"}


def test_an_end_moved_to_another_bridge_comes_back() -> None:
    database = a_database("br-blue", "br-red")
    settle(database, BLUE)
    far = database.row("Port", "wp-br-blue")
    uuid = next(u for u, row in database.tables["Port"].items() if row is far)
    for row in database.tables["Bridge"].values():
        atoms = [atom for atom in row["ports"][1] if atom[1] != uuid]
        row["ports"] = ["set", [*atoms, ["uuid", uuid]] if row["name"] == "br-red" else atoms]

    settle(database, BLUE)

    assert is_paired(database, BLUE)
    assert not on_bridge(database, "br-red")


def test_the_mark_names_the_place_on_both_ends() -> None:
    database = a_database("br-blue")
    settle(database, BLUE)
    replica = database.replica()
    marked = [replica.interfaces[uuid] for uuid in replica.interfaces_by_mark[MARK_PATCH]]
    assert {(row.name, row.external_ids[MARK_PATCH]) for row in marked} == {
        ("wi-br-blue", "wi-br-blue"),
        ("wp-br-blue", "wi-br-blue"),
    }


def test_clearing_a_host_without_our_bridge_takes_our_ends_off_the_others() -> None:
    database = a_database("br-blue")
    settle(database, BLUE)
    del database.tables["Bridge"][next(u for u, r in database.tables["Bridge"].items() if r["name"] == "br-int")]
    database._collect_garbage()
    database.transact(plan_clear(database.replica(), "br-int").operations)
    assert _names(database) == {"br-blue"}


def test_another_pair_is_no_other_bridge() -> None:
    """A fail mode changed at the same moment is drift still."""
    wanted = Desired(a_desire(patches=(BLUE,)))
    assert wanted.put_bridge(a_desire(patches=(RED,)).bridge) == {BLUE.name, RED.name}
    assert wanted.put_bridge(a_desire(patches=(RED,)).bridge) == set()
    assert wanted.put_bridge(a_desire(patches=(RED,), target="tcp:192.0.2.7:1").bridge) == {SETTINGS}
