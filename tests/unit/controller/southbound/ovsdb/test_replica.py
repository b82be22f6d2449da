"""Does the copy of the database hold what the server said, however it was said, and know what it touched?"""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.southbound.ovsdb.errors import PeerError
from controller.southbound.ovsdb.replica import Replica
from tests.unit.controller.southbound.ovsdb.fake import FakeDatabase, to_map


def a_host() -> tuple[FakeDatabase, str]:
    database = FakeDatabase()
    bridge = database.add_bridge(datapath_id="0000000000005ef7", external_ids=to_map(weft="bridge"))
    return database, database.add_port(
        bridge,
        "tap1",
        port={"tag": 7},
        ofport=5,
        ifindex=9,
        mtu=1450,
        link_state="up",
        external_ids=to_map(
            iface_id="p1", attached_mac="fa:16:3e:00:00:01", iface_status="active", weft_prewired="true"
        ),
    )


_ACTS = ["plug", "unplug", "set_id", "number", "tag", "rename", "protocols", "bridge", "drop_bridge", "move", "root"]


def change(database: FakeDatabase, what: str, number: int) -> None:
    """Do something to a database, as anybody with ovs-vsctl may."""
    bridges = list(database.tables["Bridge"])
    if what == "root":
        database.tables["Open_vSwitch"][database.root]["cur_cfg"] = number
    elif what == "bridge" and len(bridges) < 3:
        database.add_bridge(("br-int", "br-ex", "br-x")[len(bridges)] + "'" * (number % 2))
    elif what in {"set_id", "number", "tag"}:
        change_interface(database, what, number)
    elif what in {"unplug", "move"}:
        change_ports(database, bridges, what)
    elif bridges:
        change_bridge(database, bridges[number % len(bridges)], what, number)
    database._collect_garbage()


def change_interface(database: FakeDatabase, what: str, number: int) -> None:
    interfaces = list(database.tables["Interface"].values())
    if not interfaces:
        return
    row = interfaces[number % len(interfaces)]
    if what == "set_id":
        ids = (to_map(), to_map(iface_id="p1"), to_map(iface_id="p2", weft_prewired="true"), to_map(weft="tunnel"))
        row["external_ids"] = ids[number % 4]
    elif what == "number":
        row["ofport"] = (["set", []], -1, number)[number % 3]
    elif port := database.row("Port", row["name"]):
        port |= {"tag": (["set", []], 7)[number % 2], "trunks": ["set", list(range(number % 3))]}


def change_ports(database: FakeDatabase, bridges: list[str], what: str) -> None:
    """Take a port off the first bridge, or move it to the second."""
    rows = [database.tables["Bridge"][uuid] for uuid in bridges]
    if not rows or not rows[0]["ports"][1] or (what == "move" and len(rows) == 1):
        return
    *rest, last = rows[0]["ports"][1]
    rows[0]["ports"] = ["set", rest]
    if what == "move":
        rows[1]["ports"] = ["set", [*rows[1]["ports"][1], last]]


def change_bridge(database: FakeDatabase, bridge: str, what: str, number: int) -> None:
    row = database.tables["Bridge"][bridge]
    if what == "drop_bridge":
        del database.tables["Bridge"][bridge]
    elif what == "plug" and database.row("Interface", f"tap{number}") is None:
        database.add_port(bridge, f"tap{number}", ofport=number)
    elif what == "rename":
        row["name"] = "br-int" if number % 2 else "br-other"
    elif what == "protocols":
        row["protocols"] = ["set", ["OpenFlow13", "OpenFlow14", "OpenFlow15"][: number % 4]]


@given(st.lists(st.lists(st.tuples(st.sampled_from(_ACTS), st.integers(0, 6)), max_size=4), max_size=12))
def test_differences_wholes_and_a_new_copy_agree_and_touch_what_changed(
    history: list[list[tuple[str, int]]],
) -> None:
    """ovsdb-server(7) section 4.1.14 and RFC 7047 section 4.1.6 say the same in two ways."""
    database = FakeDatabase()
    by_differences, by_wholes = database.replica(), Replica()
    by_wholes.apply(database.wholes())
    for batch in [[("bridge", 0), ("plug", 1)], *history]:
        before, rows = copy.deepcopy(database.tables), rows_of(by_differences)
        by_differences.take_touched()
        for what, number in batch:
            change(database, what, number)
        by_differences.apply_differences(database.differences(before))
        gone = {t: {u: {} for u in before[t].keys() - found.keys()} for t, found in database.tables.items()}
        by_wholes.apply({table: gone[table] | updates for table, updates in database.wholes().items()})

        fresh = database.replica()
        assert state(by_differences) == state(by_wholes) == state(fresh)
        touched, after = by_differences.take_touched(), rows_of(by_differences)
        assert {u for u in rows.keys() | after.keys() if rows.get(u) != after.get(u)} <= touched.interfaces


def rows_of(replica: Replica) -> dict[str, Any]:
    """What a planner or a caller could conclude something from, by interface."""
    pairs = ((bridge, uuid) for bridge in replica.bridges.values() for uuid in replica.interfaces)
    return {uuid: (bridge.name, replica.pair(bridge, uuid)) for bridge, uuid in pairs if replica.pair(bridge, uuid)}


def state(replica: Replica) -> tuple[Any, ...]:
    """Everything a replica answers, its indexes among it."""
    indexes = (
        replica.interfaces_by_name,
        replica.interfaces_by_iface_id,
        replica.interfaces_by_number,
        replica.interfaces_by_mark,
        replica.ports_by_name,
    )
    return (
        [replica.switches, replica.bridges, replica.ports, replica.interfaces, replica.controllers],
        [{key: set(index[key]) for key in index.keys} for index in indexes],
        rows_of(replica),
    )


def test_what_a_row_was_and_what_it_is_are_both_touched() -> None:
    database, tap = a_host()
    replica = database.replica()
    replica.take_touched()
    before = copy.deepcopy(database.tables)
    database.tables["Interface"][tap] |= {"ofport": 6, "external_ids": to_map(iface_id="p2")}
    replica.apply_differences(database.differences(before))
    touched = replica.take_touched()
    assert (touched.interfaces, touched.names, touched.iface_ids, touched.numbers, touched.settings) == (
        {tap},
        {"tap1"},
        {"p1", "p2"},
        {5, 6},
        False,
    )
    assert not replica.take_touched()


def test_a_plug_touches_no_other_port() -> None:
    """Issue 3, point 1: monitor_cond tells of Bridge.ports only what joined."""
    database, _ = a_host()
    replica = database.replica()
    replica.take_touched()
    before = copy.deepcopy(database.tables)
    tap = database.add_port(next(iter(database.tables["Bridge"])), "tap2")
    replica.apply_differences(database.differences(before))
    touched = replica.take_touched()
    assert (touched.interfaces, touched.settings) == ({tap}, False)


@pytest.mark.parametrize(
    ("changes", "live", "stale"),
    [
        ([{}], True, False),
        ([{"ifindex": 0}], False, True),
        ([{"ifindex": 0}, {"ifindex": 10}], True, True),
        ([{"ifindex": 10}], True, True),
        ([{"ifindex": 0}, {"ofport": -1}, {"ofport": 5, "ifindex": 10}], True, False),
        ([{"type": "vxlan", "ifindex": 0}], True, False),
        ([{"ofport": -1}], False, False),
        ([{"ofport": ["set", []]}], False, False),
        ([{"ifindex": ["set", []]}, {"ifindex": 9}], True, False),
    ],
    ids=[
        "as it was",
        "gone",
        "gone and back",
        "replaced",
        "opened anew",
        "tunnel",
        "failed",
        "not yet",
        "ovsdb restarted",
    ],
)
def test_a_device_that_went_is_not_live_and_one_that_was_replaced_is_stale(
    changes: list[dict[str, object]], *, live: bool, stale: bool
) -> None:
    """Seen on OVS 3.1: ofport and link_state alone do not tell; ifindex does."""
    database, tap = a_host()
    replica = database.replica()
    row = database.tables["Interface"][tap]
    before = copy.deepcopy(database.tables)
    for change in changes:
        row |= change
        if row["ofport"] == -1:
            row["ifindex"] = ["set", []]
        replica.apply_differences(database.differences(before))
        before = copy.deepcopy(database.tables)
    record = replica.interfaces[tap]
    if change == {"ifindex": 9}:
        assert not record.is_stale
    assert (record.is_live, record.is_stale) == (live, stale)


@pytest.mark.parametrize(
    "update",
    [
        {"Interface": {"u": {"new": {"name": "x"}}}},
        {"Interface": {"u": None}},
        {"Interface": []},
        {"Manager": {"u": {"new": {}}}},
        {"Bridge": {"u": {"new": {"name": 7}}}},
    ],
)
def test_whole_rows_that_do_not_fit_the_schema_are_refused(update: dict[str, object]) -> None:
    with pytest.raises(PeerError):
        Replica().apply(update)


@pytest.mark.parametrize(
    "update",
    [
        {"Interface": {"u": {"modify": {"name": "x"}}}},
        {"Interface": {"u": {"insert": {"name": 7}}}},
        {"Interface": {"u": {"became": {}}}},
        {"Interface": {"u": {}}},
        {"Interface": {"u": None}},
        {"Interface": []},
        {"Manager": {"u": {"insert": {}}}},
    ],
)
def test_differences_that_do_not_fit_the_schema_are_refused(update: dict[str, object]) -> None:
    with pytest.raises(PeerError):
        Replica().apply_differences(update)


def test_a_datapath_id_that_is_no_number_is_refused() -> None:
    database = FakeDatabase()
    database.add_bridge(datapath_id="xyz")
    with pytest.raises(PeerError, match="not hexadecimal"):
        database.replica()
