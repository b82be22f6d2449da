"""Does the copy of the database show what the server said, and the view what the bridge holds?"""

import pytest

from controller.southbound.ovsdb.errors import PeerError
from controller.southbound.ovsdb.model import HostView
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


def view_of(replica: Replica) -> HostView:
    return replica.view("br-int", local_address="192.0.2.1")


def test_a_view_shows_the_bridge_and_its_interfaces_only() -> None:
    database, _ = a_host()
    database.add_port(database.add_bridge("br-ex"), "eth0")
    view = view_of(database.replica())

    assert [row.name for row in view.interfaces] == ["br-int", "tap1"]
    tap = view.interfaces[1]
    assert (tap.iface_id, tap.attached_mac, tap.iface_status, tap.prewired) == (
        "p1",
        "fa:16:3e:00:00:01",
        "active",
        True,
    )
    assert (tap.ofport, tap.live, tap.mtu, tap.link_state, tap.tag, tap.error) == (5, True, 1450, "up", 7, None)
    assert view.bridge
    assert (view.bridge.datapath_id, view.bridge.marked) == (0x5EF7, True)
    assert (view.connected, view.synced, view.local_address) == (True, True, "192.0.2.1")
    assert view.datapath_types == ("netdev", "system")


def test_a_synced_host_without_bridge_is_empty_and_says_so() -> None:
    view = view_of(FakeDatabase().replica())
    assert (view.synced, view.bridge, view.interfaces) == (True, None, ())


def test_rows_that_did_not_change_are_the_same_objects() -> None:
    """One plug among 500 must not cost 500 new rows."""
    database, tap = a_host()
    replica = database.replica()
    before = view_of(replica)
    replica.apply({"Interface": {tap: {"new": database.tables["Interface"][tap] | {"link_state": "down"}}}})
    after = view_of(replica)
    assert after.interfaces[0] is before.interfaces[0]
    assert (before.interfaces[1].link_state, after.interfaces[1].link_state) == ("up", "down")


def test_deleted_rows_are_gone() -> None:
    database, tap = a_host()
    replica = database.replica()
    replica.apply({"Interface": {tap: {"old": {"name": "tap1"}}}})
    assert [row.name for row in view_of(replica).interfaces] == ["br-int"]


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
    for change in changes:
        row |= change
        if row["ofport"] == -1:
            row["ifindex"] = ["set", []]
        replica.apply({"Interface": {tap: {"new": dict(row)}}})
    record = replica.interfaces[tap]
    if change == {"ifindex": 9}:
        assert not record.is_stale
    assert (record.is_live, record.is_stale, view_of(replica).interfaces[1].live) == (live, stale, live)


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
def test_updates_that_do_not_fit_the_schema_are_refused(update: dict[str, object]) -> None:
    with pytest.raises(PeerError):
        Replica().apply(update)


def test_a_datapath_id_that_is_no_number_is_refused() -> None:
    database = FakeDatabase()
    database.add_bridge(datapath_id="xyz")
    with pytest.raises(PeerError, match="not hexadecimal"):
        database.replica()
