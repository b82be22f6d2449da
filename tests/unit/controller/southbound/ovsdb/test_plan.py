"""Does what is planned lead from any database to the desired one, and touch nothing else?"""

import copy
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.southbound.ovsdb.desired import Desired
from controller.southbound.ovsdb.draft import Plan
from controller.southbound.ovsdb.model import HostDesired, TunnelPort
from controller.southbound.ovsdb.plan import all_places, plan, plan_clear
from controller.southbound.ovsdb.replica import Replica
from tests.unit.controller.southbound.ovsdb.builders import TARGET, VXLAN, a_desire, a_port
from tests.unit.controller.southbound.ovsdb.fake import FakeDatabase, to_map


def plan_whole(replica: Replica, desired: HostDesired) -> Plan:
    """Plan every place of a host."""
    wanted = Desired(desired)
    return plan(replica, wanted, all_places(replica, wanted))


def texts(planned: Plan) -> list[str]:
    return [note.text for note in planned.changes]


_ports = st.frozensets(st.integers(1, 4), max_size=4)
_OTHER_TARGET = "tcp:192.0.2.200:6653"


@st.composite
def desires(draw: st.DrawFn) -> HostDesired:
    numbers = draw(_ports)
    return a_desire(
        *(a_port(number) for number in numbers),
        target=draw(st.sampled_from([TARGET, _OTHER_TARGET])),
        datapath_type=draw(st.sampled_from(["netdev", "system"])),
        tunnels=draw(
            st.sampled_from([(), (VXLAN,), (TunnelPort(name="g0", type="geneve", ofport_request=60000, options=()),)])
        ),
    )


@st.composite
def databases(draw: st.DrawFn) -> FakeDatabase:
    """A host as Weft left it, then damaged, and with devices of others on it."""
    database = FakeDatabase()
    if draw(st.booleans()):
        database.transact(plan_whole(database.replica(), draw(desires())).operations)
        bridge = next(iter(database.tables["Bridge"]))
        row = database.tables["Bridge"][bridge]
        row["fail_mode"] = draw(st.sampled_from(["secure", "standalone", ["set", []]]))
        row["other_config"] = draw(
            st.sampled_from([row["other_config"], to_map(theirs="1"), to_map(disable_in_band="no")])
        )
        row["protocols"] = draw(st.sampled_from([["set", []], "OpenFlow13", ["set", ["OpenFlow14", "OpenFlow15"]]]))
    elif draw(st.booleans()):
        bridge = database.add_bridge()
    else:
        return database
    for number in draw(_ports):
        ids = to_map(iface_id=a_port(number).iface_id)
        ofport = draw(st.sampled_from([-1, ["set", []], number]))
        interface = {"external_ids": ids, "ofport": ofport, "ifindex": draw(st.sampled_from([0, 7]))}
        database.add_port(bridge, f"vnet{number}", **interface)
    for row in database.tables["Interface"].values():
        if str(row["name"]).startswith("tap"):
            row["ofport"] = draw(st.sampled_from([-1, ["set", []], row["ofport_request"]]))
            row["ifindex"] = draw(st.sampled_from([0, 7, ["set", []]]))
    return database


def settle(database: FakeDatabase, desired: HostDesired) -> None:
    """Carry plans out until nothing is planned any more; a device that went takes one step more."""
    for _ in range(4):
        planned = plan_whole(database.replica(), desired)
        if not planned.operations:
            return
        database.transact(planned.operations)
    raise AssertionError(f"still planned after four steps: {planned}")


@given(database=databases(), desired=desires())
def test_any_database_becomes_as_desired_and_then_nothing_is_written(
    database: FakeDatabase, desired: HostDesired
) -> None:
    settle(database, desired)

    bridge = database.row("Bridge", "br-int")
    assert bridge
    assert bridge["fail_mode"] == "secure"
    assert "OpenFlow14" in database.replica().bridge("br-int").protocols
    controllers = [row["target"] for row in database.tables["Controller"].values()]
    assert controllers == [desired.bridge.controller_target]
    live = {
        pair[1]
        for row in database.tables["Interface"].values()
        if row["ofport"] in range(1, 9) and row["ifindex"] != 0
        for pair in row["external_ids"][1]
    }
    prewired = {name for name in _names(database) if name.startswith("tap")}
    assert {port.name for port in desired.prewired if port.iface_id not in live} <= prewired
    assert prewired <= {port.name for port in desired.prewired}
    assert {tunnel.name for tunnel in desired.bridge.tunnels} == _names(database) & {"vxlan0", "g0"}


@given(database=databases(), desired=desires())
def test_rows_of_others_are_never_touched(database: FakeDatabase, desired: HostDesired) -> None:
    def theirs() -> list[Any]:
        rows = (row for table in ("Interface", "Port") for row in database.tables[table].values())
        return sorted(str(row) for row in rows if str(row["name"]).startswith("vnet"))

    before = theirs()
    settle(database, desired)
    database.transact(plan_clear(database.replica(), "br-int").operations)
    assert theirs() == before


@given(database=databases(), desired=desires())
def test_clearing_leaves_the_bridge_and_nothing_of_ours(database: FakeDatabase, desired: HostDesired) -> None:
    settle(database, desired)
    database.transact(plan_clear(database.replica(), "br-int").operations)

    assert database.tables["Controller"] == {}
    assert all(name == "br-int" or name.startswith("vnet") for name in _names(database))
    assert database.row("Bridge", "br-int")
    assert plan_clear(database.replica(), "br-int").operations == ()


@given(desired=desires())
def test_a_plan_does_not_depend_on_the_order_of_rows(desired: HostDesired) -> None:
    database = FakeDatabase()
    bridge = database.add_bridge()
    for number in (3, 1, 2):
        database.add_port(bridge, a_port(number).name, external_ids=to_map(weft_prewired="true"))
    backwards = copy.deepcopy(database)
    for table, rows in database.tables.items():
        backwards.tables[table] = dict(reversed(rows.items()))
    assert plan_whole(database.replica(), desired) == plan_whole(backwards.replica(), desired)


def test_a_fresh_host_takes_one_transaction() -> None:
    database = FakeDatabase()
    ports = [a_port(number) for number in range(1, 501)]
    database.transact(plan_whole(database.replica(), a_desire(*ports)).operations)
    assert plan_whole(database.replica(), a_desire(*ports)).operations == ()
    assert len(database.tables["Interface"]) == 502


@pytest.mark.parametrize("marked", [False, True], ids=["foreign", "ours"])
def test_another_controller_is_refused_unless_it_was_ours(*, marked: bool) -> None:
    """Decision C13."""
    database = FakeDatabase()
    ids = to_map(weft="controller") if marked else ["map", []]
    controller = database.add("Controller", target=_OTHER_TARGET, external_ids=ids)
    database.add_bridge(controller=["uuid", controller])

    planned = plan_whole(database.replica(), a_desire(a_port()))

    assert bool(planned.operations) is marked
    assert bool(planned.problems) is not marked
    if not marked:
        assert _OTHER_TARGET in planned.problems[0].text
        assert "nothing was changed" in planned.problems[0].text


def test_our_own_target_set_by_hand_is_taken_over_and_completed() -> None:
    database = FakeDatabase()
    database.add_bridge(controller=["uuid", database.add("Controller", target=TARGET)])
    settle(database, a_desire())
    (row,) = database.tables["Controller"].values()
    assert (row["connection_mode"], row["max_backoff"], row["inactivity_probe"]) == ("out-of-band", 1000, 5000)


def test_the_transaction_fails_if_another_controller_was_set_meanwhile() -> None:
    database = FakeDatabase()
    bridge = database.add_bridge()
    planned = plan_whole(database.replica(), a_desire())
    foreign = database.add("Controller", target=_OTHER_TARGET)
    database.tables["Bridge"][bridge]["controller"] = ["uuid", foreign]
    with pytest.raises(AssertionError, match="timed out"):
        database.transact(planned.operations)


def test_the_unset_datapath_type_means_system() -> None:
    """ovs-vswitchd.conf.db(5) Bridge:datapath_type."""
    database = FakeDatabase()
    database.add_bridge()
    planned = plan_whole(database.replica(), a_desire(datapath_type="system"))
    assert not any("datapath_type" in change for change in texts(planned))


def test_a_datapath_type_the_host_lacks_is_refused() -> None:
    database = FakeDatabase()
    planned = plan_whole(database.replica(), a_desire(datapath_type="dpdk"))
    assert planned.operations == ()
    assert "it has netdev, system" in planned.problems[0].text


def test_an_uninitialised_database_is_refused() -> None:
    planned = plan_whole(FakeDatabase(initialised=False).replica(), a_desire())
    assert planned.operations == ()
    assert "ovs-vsctl init" in planned.problems[0].text


def test_a_number_that_somebody_else_has_is_not_asked_for() -> None:
    """Decision C2: the request would move the running port."""
    database = FakeDatabase()
    bridge = database.add_bridge()
    database.add_port(bridge, "theirs", ofport=a_port().ofport, ifindex=7)
    planned = plan_whole(database.replica(), a_desire(a_port(), a_port(2)))
    assert f"needs OpenFlow port {a_port().ofport}, which theirs has" in planned.problems[0].text
    assert f"{a_port(2).name} made" in texts(planned)
    assert f"{a_port().name} made" not in texts(planned)


def test_a_name_in_use_on_another_bridge_is_reported_and_the_rest_is_done() -> None:
    database = FakeDatabase()
    database.add_port(database.add_bridge("br-ex"), a_port().name)
    settle(database, a_desire(a_port(), a_port(2)))
    problems = plan_whole(database.replica(), a_desire(a_port(), a_port(2))).problems
    assert [f"port {a_port().name} exists outside bridge br-int" in problem.text for problem in problems] == [True]
    assert database.row("Interface", a_port(2).name)


def test_a_stale_row_is_taken_off_first_and_made_again_after_ovs_took_that_in() -> None:
    """OVS 3.1 netdev goes on with the dead socket of a device that went if the row stays."""
    database = FakeDatabase()
    settle(database, a_desire(a_port()))
    row = database.row("Interface", a_port().name)
    assert row
    row |= {"ofport": a_port().ofport, "ifindex": 0}

    first = plan_whole(database.replica(), a_desire(a_port()))
    database.transact(first.operations)

    assert first.must_settle
    assert database.row("Interface", a_port().name) is None
    assert database.tables["Open_vSwitch"][database.root]["next_cfg"] == 1
    second = plan_whole(database.replica(), a_desire(a_port()))
    assert not second.must_settle
    assert texts(second) == [f"{a_port().name} made"]


def test_a_live_pre_wired_row_stays_beside_a_live_rival() -> None:
    """Decisions A: two live rows are DUPLICATE_PLUG; cutting one off is not ours to decide."""
    database = FakeDatabase()
    settle(database, a_desire(a_port()))
    row = database.row("Interface", a_port().name)
    assert row
    row |= {"ofport": a_port().ofport, "ifindex": 7}
    bridge = next(iter(database.tables["Bridge"]))
    database.add_port(bridge, "vnet7", external_ids=to_map(iface_id=a_port().iface_id), ofport=1, ifindex=8)
    assert plan_whole(database.replica(), a_desire(a_port())).operations == ()


def test_two_ports_that_need_one_device_name_are_reported() -> None:
    twin = type(a_port())(name=a_port().name, iface_id="other", mac="fa:16:3e:00:00:99", ofport=40000)
    planned = plan_whole(FakeDatabase().replica(), a_desire(a_port(), twin))
    assert "both need the device name" in planned.problems[0].text
    assert f"{a_port().name} made" in texts(planned)


@pytest.mark.parametrize(
    ("port", "is_released"),
    [
        ({"tag": 4095}, True),
        ({"trunks": ["set", [4095]], "vlan_mode": "trunk"}, True),
        ({"tag": 7}, False),
        ({"trunks": ["set", [7, 4095]]}, False),
    ],
)
def test_only_the_dead_vlan_of_os_vif_is_undone(port: dict[str, Any], *, is_released: bool) -> None:
    database = FakeDatabase()
    settle(database, a_desire(a_port()))
    bridge = next(iter(database.tables["Bridge"]))
    ids = to_map(iface_id=a_port().iface_id)
    database.add_port(bridge, "vnet7", port=port, external_ids=ids)
    database.add_port(bridge, "vnet8", port=port, external_ids=to_map(iface_id="unknown"))
    settle(database, a_desire(a_port()))
    empty = ["set", []]
    row, unknown = database.row("Port", "vnet7"), database.row("Port", "vnet8")
    assert row
    assert unknown
    assert ([row["tag"], row["vlan_mode"], row["trunks"]] == [empty] * 3) is is_released
    assert {column: unknown[column] for column in port} == port


def test_external_ids_of_others_on_our_rows_survive() -> None:
    database = FakeDatabase()
    settle(database, a_desire(a_port()))
    row = database.row("Interface", a_port().name)
    assert row
    row["external_ids"] = to_map(vm_id="their-vm", weft_prewired="true", iface_id="wrong")
    settle(database, a_desire(a_port()))
    ids = dict(map(tuple, row["external_ids"][1]))
    assert ids["vm-id"] == "their-vm"
    assert ids["iface-id"] == a_port().iface_id


def _names(database: FakeDatabase) -> set[str]:
    return {str(row["name"]) for row in database.tables["Interface"].values()}


@pytest.mark.parametrize("iface_id", [a_port().iface_id, "somebody-else"])
def test_a_row_of_the_same_name_made_by_somebody_else_is_only_compared(iface_id: str) -> None:
    database = FakeDatabase()
    settle(database, a_desire())
    bridge = next(iter(database.tables["Bridge"]))
    database.add_port(bridge, a_port().name, external_ids=to_map(iface_id=iface_id), ofport=1, ifindex=0)

    planned = plan_whole(database.replica(), a_desire(a_port()))

    assert planned.operations == ()
    assert bool(planned.problems) is (iface_id != a_port().iface_id)


def test_another_controller_is_removed_where_that_was_asked_for_and_its_row_does_not_become_ours() -> None:
    database = FakeDatabase()
    theirs = database.add("Controller", target=_OTHER_TARGET)
    bridge = database.add_bridge(controller=["uuid", theirs])
    wanted = a_desire()
    wanted = replace(wanted, bridge=replace(wanted.bridge, adopt=True))
    settle(database, wanted)
    (_, kept) = database.tables["Bridge"][bridge]["controller"]
    assert kept != theirs
    assert database.tables["Controller"][kept]["target"] == TARGET
    assert f"controller {_OTHER_TARGET} of others removed" in texts(plan_whole(_with_other(), wanted))


def _with_other() -> Replica:
    database = FakeDatabase()
    database.add_bridge(controller=["uuid", database.add("Controller", target=_OTHER_TARGET)])
    return database.replica()
