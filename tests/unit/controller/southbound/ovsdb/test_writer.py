"""When does the writer write, wait, retry and give way?"""

import logging

import pytest

from controller.southbound.ovsdb.session import Outcome
from controller.southbound.ovsdb.writer import CALM_S, RETRY_MOST_S, SETTLE_MOST_S, ClearState, Writer
from tests.unit.controller.southbound.ovsdb.builders import TARGET, a_desire, a_port
from tests.unit.controller.southbound.ovsdb.fake import FakeDatabase


class Host:
    """A writer, and the database it writes to."""

    def __init__(self) -> None:
        self.database = FakeDatabase()
        self.writer = Writer("h1")
        self.writer.want(a_desire(a_port()))
        self.replica = self.database.replica()

    def step(self, now: float) -> bool:
        """Let the writer write once; returns whether it did."""
        planned = self.writer.propose(self.replica, now)
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
        revision = self.replica.revision
        self.replica = self.database.replica()
        self.replica.revision = revision + 1

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
    assert host.writer.propose(host.replica, 0.0)
    host.writer.want(a_desire())
    assert host.writer.propose(host.replica, 0.0) is None


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
        assert host.writer.propose(host.replica, now)
        host.writer.on_outcome(Outcome(error="no"), host.replica, now)
        assert host.writer.error == "no"
        assert host.writer.propose(host.replica, now) is None
        assert host.writer.deadline is not None
        pauses.append(round(host.writer.deadline - now, 3))
        now = host.writer.deadline
    assert pauses == [0.1, 0.2, 0.4, 0.8, 1.6, RETRY_MOST_S]
    assert caplog.text.count("WARNING") == 1

    host.settle(now)
    assert host.writer.error is None


def test_an_outdated_plan_is_made_anew_at_once() -> None:
    host = Host()
    assert host.writer.propose(host.replica, 0.0)
    host.writer.on_outcome(Outcome(outdated=True), host.replica, 0.0)
    assert host.writer.propose(host.replica, 0.0)


def test_a_lost_connection_leaves_the_outcome_unknown_and_the_next_one_tells() -> None:
    host = Host()
    planned = host.writer.propose(host.replica, 0.0)
    assert planned
    host.database.transact(planned.operations)  # it was done, but the answer got lost
    host.writer.on_lost()
    assert host.writer.error
    assert "connection was lost" in host.writer.error

    host.replica = host.database.replica()
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
