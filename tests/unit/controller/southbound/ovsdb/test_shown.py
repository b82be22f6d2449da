"""Do callers see what the bridge holds, and each change of it once?"""

import copy

from controller.southbound.ovsdb.shown import Shown, host_view
from tests.unit.controller.southbound.ovsdb.fake import FakeDatabase
from tests.unit.controller.southbound.ovsdb.test_replica import a_host


def shown_of(database: FakeDatabase) -> Shown:
    shown, replica = Shown(), database.replica()
    shown.restart()
    shown.note(replica, "br-int", replica.interfaces)
    return shown


def test_the_interfaces_of_the_bridge_are_shown_and_no_others() -> None:
    database, tap = a_host()
    database.add_port(database.add_bridge("br-ex"), "eth0")
    whole, rows = shown_of(database).take()
    assert whole
    assert {row.name for row in rows.values() if row} == {"br-int", "tap1"}
    row = rows[tap]
    assert row
    assert (row.iface_id, row.attached_mac, row.iface_status, row.prewired) == (
        "p1",
        "fa:16:3e:00:00:01",
        "active",
        True,
    )
    assert (row.ofport, row.live, row.mtu, row.link_state, row.tag, row.error) == (5, True, 1450, "up", 7, None)


def test_a_view_shows_the_host_and_its_bridge() -> None:
    database, _ = a_host()
    view = host_view(database.replica(), "br-int", local_address="192.0.2.1", drift_count=3, last_drift="x")
    assert view.bridge
    assert (view.bridge.datapath_id, view.bridge.marked) == (0x5EF7, True)
    assert (view.connected, view.synced, view.local_address) == (True, True, "192.0.2.1")
    assert (view.drift_count, view.last_drift) == (3, "x")
    assert view.datapath_types == ("netdev", "system")


def test_a_synced_host_without_bridge_is_empty_and_says_so() -> None:
    database = FakeDatabase()
    view = host_view(database.replica(), "br-int", local_address=None)
    assert (view.synced, view.bridge) == (True, None)
    assert shown_of(database).take() == (True, {})


def test_a_change_is_told_once_and_what_nobody_can_see_is_not_told() -> None:
    database, tap = a_host()
    shown, replica = shown_of(database), database.replica()
    shown.take()
    for change, told in (({"link_state": "down"}, ["down"]), ({"ifindex": 11}, []), ({"mtu": 1400}, ["down"])):
        before = copy.deepcopy(database.tables)
        database.tables["Interface"][tap] |= change
        replica.take_touched()
        replica.apply_differences(database.differences(before))
        shown.note(replica, "br-int", replica.take_touched().interfaces)
        assert [row.link_state for row in shown.take()[1].values() if row] == told
    assert shown.take() == (False, {})


def test_a_row_that_leaves_the_bridge_is_gone() -> None:
    database, tap = a_host()
    shown, replica = shown_of(database), database.replica()
    shown.take()
    before = copy.deepcopy(database.tables)
    (bridge,) = database.tables["Bridge"].values()
    bridge["ports"] = ["set", bridge["ports"][1][:1]]
    replica.apply_differences(database.differences(before))
    shown.note(replica, "br-int", replica.take_touched().interfaces)
    assert shown.take() == (False, {tap: None})
    assert len(shown) == 1
