"""When does the writer write, wait, retry and give way?"""

import copy
import logging
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.southbound.ovsdb.desired import SETTINGS, Desired
from controller.southbound.ovsdb.draft import Plan
from controller.southbound.ovsdb.model import PrewiredPort
from controller.southbound.ovsdb.patience import CALM_S, RETRY_MOST_S
from controller.southbound.ovsdb.plan import all_places, plan
from controller.southbound.ovsdb.session import Outcome
from controller.southbound.ovsdb.writer import MAX_PLACES, SETTLE_MOST_S, ClearState, Writer
from tests.unit.controller.southbound.ovsdb.builders import TARGET, VXLAN, a_desire, a_patch, a_port
from tests.unit.controller.southbound.ovsdb.fake import FakeDatabase, to_map


class Host:
    """A writer, and the database it writes to."""

    def __init__(self) -> None:
        self.database = FakeDatabase()
        self.writer = Writer("h1")
        self.writer.want(a_desire(a_port()))
        self.reconnect()

    def propose(self, now: float) -> Plan | None:
        self.writer.note(self.replica.take_touched())
        return self.writer.propose(self.replica, now)

    def step(self, now: float) -> bool:
        """Let the writer write once; returns whether it did."""
        planned = self.propose(now)
        if planned is None:
            return False
        self.database.transact(planned.operations)
        self.refresh()
        self.writer.on_outcome(Outcome(), self.replica, now)
        return True

    def settle(self, now: float) -> None:
        while self.step(now):
            pass

    def refresh(self) -> None:
        """See what changed, as updates on one connection would show it."""
        self.replica.apply_differences(self.database.differences(self._seen))
        self._seen = copy.deepcopy(self.database.tables)

    def reconnect(self) -> None:
        """See everything anew."""
        self.replica = self.database.replica()
        self._seen = copy.deepcopy(self.database.tables)

    def damage(self) -> None:
        bridge = self.database.row("Bridge", "br-int")
        assert bridge
        bridge["fail_mode"] = "standalone"
        self.refresh()


def test_nothing_is_written_before_anything_is_desired() -> None:
    assert Writer("h1").propose(FakeDatabase().replica(), 0.0) is None


def test_a_host_is_written_once_and_then_left_alone() -> None:
    host = Host()
    assert host.step(0.0)
    assert not host.step(0.0)
    assert host.writer.deadline is None
    assert host.writer.error is None


def test_the_same_desire_again_writes_nothing_and_asks_nothing() -> None:
    host = Host()
    host.settle(0.0)
    host.writer.want(a_desire(a_port()))
    assert not host.step(0.0)


def test_one_transaction_is_under_way_at_a_time() -> None:
    host = Host()
    assert host.propose(0.0)
    host.writer.want(a_desire())
    assert host.propose(0.0) is None


def test_drift_is_logged_and_repaired_at_once(caplog: pytest.LogCaptureFixture) -> None:
    host = Host()
    host.settle(0.0)
    host.damage()
    assert host.step(1.0)
    assert "ovsdb_drift host=h1 what='fail_mode standalone -> secure'" in caplog.text


def test_drift_that_comes_back_is_repaired_ever_more_slowly() -> None:
    host = Host()
    host.settle(0.0)
    now, pauses = 1.0, []
    for _ in range(7):
        host.damage()
        begun = now
        while not host.step(now):
            assert host.writer.deadline is not None
            assert host.writer.deadline > now
            now = host.writer.deadline
        pauses.append(round(now - begun, 3))
        host.settle(now)
    assert pauses == [0, 0.1, 0.2, 0.4, 0.8, 1.6, RETRY_MOST_S]

    now += CALM_S
    host.damage()
    assert host.step(now)


def test_drift_of_one_kind_does_not_slow_down_another(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    host = Host()
    host.settle(0.0)
    host.damage()
    assert host.step(1.0)
    host.settle(1.0)
    bridge = host.database.row("Bridge", "br-int")
    assert bridge
    bridge["protocols"] = ["set", []]
    host.refresh()
    assert host.step(1.1)


def test_a_new_desire_is_not_drift_and_does_not_wait(caplog: pytest.LogCaptureFixture) -> None:
    host = Host()
    host.settle(0.0)
    host.writer.want(a_desire(a_port(), a_port(2)))
    assert host.step(0.0)
    assert "ovsdb_drift" not in caplog.text


def test_a_refused_transaction_is_reported_and_tried_again_with_pauses(caplog: pytest.LogCaptureFixture) -> None:
    host = Host()
    now, pauses = 0.0, []
    for _ in range(6):
        assert host.propose(now)
        host.writer.on_outcome(Outcome(error="no"), host.replica, now)
        assert host.writer.error == "no"
        assert host.propose(now) is None
        assert host.writer.deadline is not None
        pauses.append(round(host.writer.deadline - now, 3))
        now = host.writer.deadline
    assert pauses == [0.1, 0.2, 0.4, 0.8, 1.6, RETRY_MOST_S]
    assert caplog.text.count("WARNING") == 1

    host.settle(now)
    assert host.writer.error is None


def test_an_outdated_plan_is_made_anew_at_once() -> None:
    host = Host()
    assert host.propose(0.0)
    host.writer.on_outcome(Outcome(outdated=True), host.replica, 0.0)
    assert host.propose(0.0)


def test_a_lost_connection_leaves_the_outcome_unknown_and_the_next_one_tells() -> None:
    host = Host()
    planned = host.propose(0.0)
    assert planned
    host.database.transact(planned.operations)  # it was done, but the answer got lost
    host.writer.on_lost()
    assert host.writer.error
    assert "connection was lost" in host.writer.error

    host.reconnect()
    assert not host.step(1.0)
    assert host.writer.error is None


def test_a_problem_is_reported_until_it_is_solved() -> None:
    host = Host()
    foreign = host.database.add("Controller", target="tcp:192.0.2.200:6653")
    bridge = host.database.add_bridge(controller=["uuid", foreign])
    host.refresh()
    assert not host.step(0.0)
    assert "another controller" in (host.writer.error or "")

    host.database.tables["Bridge"][bridge]["controller"] = ["set", []]
    host.refresh()
    host.settle(1.0)
    assert host.writer.error is None
    assert host.database.replica().bridge("br-int")
    assert [row["target"] for row in host.database.tables["Controller"].values()][-1] == TARGET


@pytest.mark.parametrize("is_running", [True, False], ids=["vswitchd runs", "vswitchd is down"])
def test_a_row_is_made_anew_only_when_ovs_has_seen_the_old_one_go(*, is_running: bool) -> None:
    host = Host()
    host.settle(0.0)
    row = host.database.row("Interface", a_port().name)
    assert row
    row |= {"ofport": a_port().ofport, "ifindex": 0}
    host.refresh()
    assert host.step(1.0)
    assert not host.step(1.0)
    assert host.writer.deadline == 1.0 + SETTLE_MOST_S
    if is_running:
        host.database.tables["Open_vSwitch"][host.database.root]["cur_cfg"] = 1
        host.refresh()
    assert host.step(1.0) is is_running
    assert host.step(1.0 + SETTLE_MOST_S) is not is_running
    assert host.database.row("Interface", a_port().name)


def test_clearing_takes_the_place_of_what_was_desired() -> None:
    host = Host()
    host.settle(0.0)
    host.writer.clear()
    host.settle(0.0)
    assert host.writer.clearing is ClearState.DONE
    assert host.database.tables["Controller"] == {}
    assert not host.step(1.0)


def states(host: Host, *ports: PrewiredPort, gone: tuple[PrewiredPort, ...] = ()) -> None:
    host.writer.want_ports({p.iface_id: p for p in ports} | {p.iface_id: None for p in gone})


def test_one_port_more_plans_that_port_and_the_bridge_only() -> None:
    """Issue 3, point 1."""
    host = Host()
    states(host, *(a_port(n) for n in range(1, 50)))
    host.settle(0.0)
    states(host, a_port(77), gone=(a_port(7),))
    planned = host.propose(0.0)
    assert planned
    assert planned.places == {a_port(77).name, a_port(7).name}
    assert [note.text for note in planned.changes] == [f"{a_port(7).name} no longer wanted", f"{a_port(77).name} made"]


def test_a_change_of_one_row_looks_at_that_row_and_the_bridge_only() -> None:
    host = Host()
    states(host, *(a_port(n) for n in range(1, 50)))
    host.settle(0.0)
    row = host.database.row("Interface", a_port(9).name)
    assert row
    row["ofport_request"] = 5
    host.refresh()
    planned = host.propose(0.0)
    assert planned
    assert planned.places == {a_port(9).name, SETTINGS}


def test_500_ports_are_one_transaction_and_very_many_are_some() -> None:
    host = Host()
    host.settle(0.0)
    states(host, *(a_port(n) for n in range(1, 501)))
    assert host.step(0.0)
    assert not host.step(0.0)
    states(host, *(a_port(n) for n in range(501, 501 + MAX_PLACES + 1)))
    assert host.step(0.0)
    assert host.step(0.0)
    assert not host.step(0.0)
    assert len(host.database.tables["Interface"]) == 500 + MAX_PLACES + 3


def test_every_drift_is_counted_once_and_named() -> None:
    """Decision C13."""
    host = Host()
    states(host, a_port(2))
    host.settle(0.0)
    assert (host.writer.drift_count, host.writer.last_drift) == (0, None)
    for port in (a_port(), a_port(2)):
        row = host.database.row("Interface", port.name)
        assert row
        row["external_ids"] = to_map(weft_prewired="true")
    host.refresh()
    host.settle(1.0)
    assert (host.writer.drift_count, host.writer.last_drift) == (
        2,
        f"{a_port(2).name} attached-mac iface-id iface-status",
    )
    host.damage()
    host.settle(2.0)
    assert (host.writer.drift_count, host.writer.last_drift) == (3, "fail_mode standalone -> secure")
    host.settle(3.0)
    assert host.writer.drift_count == 3


def test_devices_that_come_and_go_are_no_drift() -> None:
    host = Host()
    host.settle(0.0)
    row = host.database.row("Interface", a_port().name)
    assert row
    row |= {"ofport": a_port().ofport, "ifindex": 0}
    host.refresh()
    host.settle(1.0)
    host.settle(1.0 + SETTLE_MOST_S)
    bridge = next(iter(host.database.tables["Bridge"]))
    host.database.add_port(bridge, "vnet7", external_ids=to_map(iface_id=a_port().iface_id), ofport=1, ifindex=8)
    host.refresh()
    host.settle(4.0)
    assert host.database.row("Interface", a_port().name), "what gives way may wait: it costs a look at all ports"
    host.settle(6.0)
    assert host.database.row("Interface", a_port().name) is None
    ports = host.database.tables["Bridge"][bridge]["ports"]
    ports[1].pop()
    host.database._collect_garbage()
    host.refresh()
    host.settle(7.0)
    assert host.database.row("Interface", a_port().name)
    assert host.writer.drift_count == 0


def test_what_changed_while_the_connection_was_lost_is_drift() -> None:
    host = Host()
    host.settle(0.0)
    host.writer.on_lost()
    host.damage()
    host.reconnect()
    host.settle(1.0)
    assert host.writer.last_drift == "fail_mode standalone -> secure"


def test_a_fight_about_one_row_does_not_delay_another_port() -> None:
    host = Host()
    host.settle(0.0)
    for now in (1.0, 1.01):
        row = host.database.row("Interface", a_port().name)
        assert row
        row["ofport_request"] = 5
        host.refresh()
        assert host.step(now) is (now == 1.0)
        host.settle(now)
    states(host, a_port(2))
    planned = host.propose(1.02)
    assert planned
    assert [note.text for note in planned.changes] == [f"{a_port(2).name} made"]


def test_drift_under_a_foreign_controller_is_repaired_when_it_is_gone() -> None:
    host = Host()
    host.settle(0.0)
    bridge = host.database.row("Bridge", "br-int")
    row = host.database.row("Interface", a_port().name)
    assert bridge
    assert row
    ours, row["ofport_request"] = bridge["controller"], 5
    bridge["controller"] = ["uuid", host.database.add("Controller", target="tcp:192.0.2.200:6653")]
    host.refresh()
    states(host, a_port(2))
    assert not host.step(1.0)
    assert "another controller" in (host.writer.error or "")
    bridge["controller"] = ours
    host.refresh()
    host.settle(2.0)
    assert row["ofport_request"] == a_port().ofport
    assert host.database.row("Interface", a_port(2).name)
    assert host.writer.error is None
    assert host.writer.drift_count == 1


_steps = st.lists(
    st.tuples(
        st.sampled_from(
            ["want", "unwant", "whole", "bridge", "unplug", "damage", "rival", "gone", "elsewhere", "drop", "reconnect"]
        ),
        st.integers(1, 4),
    ),
    max_size=15,
)


@given(_steps)
def test_looking_at_what_changed_finds_all_that_a_look_at_everything_finds(steps: list[tuple[str, int]]) -> None:
    """DESIGN invariant 2: incremental equals full, over any history of what is wanted and what others do."""
    host, wanted, tunnels, now = Host(), {a_port().iface_id: a_port()}, (VXLAN,), 0.0
    for what, number in steps:
        now += CALM_S
        port = replace(a_port(number), name=a_port(1).name) if number == 4 else a_port(number)
        if what == "want":
            wanted[port.iface_id] = port
            states(host, port)
        elif what == "unwant":
            wanted.pop(port.iface_id, None)
            states(host, gone=(port,))
        elif what == "whole":
            wanted = {p.iface_id: p for p in map(a_port, range(1, number))}
            host.writer.want(a_desire(*wanted.values(), tunnels=tunnels))
        elif what == "bridge":
            tunnels = (VXLAN,) if number % 2 else ()
            host.writer.want_bridge(a_desire(tunnels=tunnels).bridge)
        elif what == "reconnect":
            host.writer.on_lost()
            host.reconnect()
        else:
            meddle(host.database, what, number)
            host.refresh()
        if number % 2:
            host.settle(now)
    for _ in range(4):
        now += CALM_S
        host.settle(now)
    desired = Desired(a_desire(*wanted.values(), tunnels=tunnels))
    whole = plan(host.replica, desired, all_places(host.replica, desired))
    assert (whole.operations, whole.changes) == ((), ())
    assert {note.text for note in whole.problems} >= set(filter(None, (host.writer.error or "").split("; ")))
    assert bool(whole.problems) == bool(host.writer.error)


def meddle(database: FakeDatabase, what: str, number: int) -> None:
    """Do what others do to a host."""
    bridge = database.row("Bridge", "br-int")
    row = database.row("Interface", a_port(number).name)
    if bridge is None:
        return
    if what in {"unplug", "drop"}:
        ports = bridge["ports"][1]
        bridge["ports"] = ["set", [] if what == "drop" else ports[:number] + ports[number + 1 :]]
        if what == "drop":
            database.tables["Bridge"].clear()
        database._collect_garbage()
    elif what == "damage" and row:
        row["external_ids"] = to_map(weft_prewired="true", iface_id="wrong") if number % 2 else ["map", []]
    elif what == "gone" and row:
        row |= {"ofport": a_port(number).ofport, "ifindex": 0}
    elif what == "rival" and database.row("Interface", f"vnet{number}") is None:
        ids = to_map(iface_id=a_port(number).iface_id)
        uuid = next(u for u, found in database.tables["Bridge"].items() if found is bridge)
        taken = a_port(number % 4 + 1).ofport
        database.add_port(uuid, f"vnet{number}", port={"tag": 4095}, external_ids=ids, ofport=taken, ifindex=7)
    elif what == "elsewhere" and row is None and database.row("Bridge", "br-ex") is None:
        database.add_port(database.add_bridge("br-ex"), a_port(number).name)


def test_a_missing_provider_bridge_is_reported_until_it_is_there_and_hides_no_drift() -> None:
    host = Host()
    host.writer.want(a_desire(a_port(), patches=(a_patch(),)))
    host.settle(0.0)
    assert "provider bridge br-blue of physical network blue does not exist" in (host.writer.error or "")

    host.damage()
    host.settle(1.0)
    assert host.writer.drift_count == 1
    assert "does not exist" in (host.writer.error or "")

    host.database.add_bridge("br-blue", datapath_type="netdev")
    host.refresh()
    host.settle(2.0)
    assert host.writer.error is None
    assert host.database.row("Interface", "wp-br-blue")
    assert host.writer.drift_count == 1


def test_a_patch_that_somebody_takes_off_the_provider_bridge_is_drift() -> None:
    host = Host()
    host.database.add_bridge("br-blue", datapath_type="netdev")
    host.refresh()
    host.writer.want(a_desire(a_port(), patches=(a_patch(),)))
    host.settle(0.0)
    bridge = host.database.row("Bridge", "br-blue")
    assert bridge
    bridge["ports"] = ["set", bridge["ports"][1][:1]]
    host.database._collect_garbage()
    host.refresh()

    host.settle(1.0)

    assert host.database.row("Interface", "wp-br-blue")
    assert (host.writer.drift_count, host.writer.last_drift) == (1, "patch wp-br-blue made")


def test_a_patch_that_never_gets_its_number_is_made_anew_no_more_than_once_a_second() -> None:
    host = Host()
    host.database.add_bridge("br-blue", datapath_type="netdev")
    host.refresh()
    host.writer.want(a_desire(a_port(), patches=(a_patch(),)))
    removals = 0
    for tick in range(100):
        while host.step(tick / 10):
            near = host.database.row("Interface", "wi-br-blue")
            removals += near is None
            if near:
                near["ofport"] = 1
                host.refresh()
            root = host.database.tables["Open_vSwitch"][host.database.root]
            root["cur_cfg"] = root["next_cfg"]
            host.refresh()
    assert 3 <= removals <= 10
    assert "has OpenFlow port 1 instead of 65200" in (host.writer.error or "")
