"""Does a worker report exactly what is in its switch, whatever comes while it is busy?"""

from collections.abc import Iterator

import pytest

from controller.southbound.openflow.events import Applied, Drifted, Failed, Synced
from controller.southbound.openflow.watchdog import Limits
from flows.delta import Delta
from flows.flow import Load
from flows.pipeline import OUT_PORT
from tests.contract.harness import Harness, a_flow, a_group, a_meter, eventually, tables
from tests.fakes.switch import FakeSwitch, HeldFlow
from tests.fakes.switch import Tables as FakeTables

DPID = 0xF00D


@pytest.fixture
def harness() -> Iterator[Harness]:
    """Give a service that knows one datapath."""
    running = Harness([DPID], limits=Limits(idle_s=10, silent_s=20))
    yield running
    running.stop()


@pytest.fixture
def fake(harness: Harness) -> Iterator[FakeSwitch]:
    """Give a switch that is connected and holds flow 1."""
    switch = FakeSwitch(DPID)
    harness.switch(DPID).load(tables(flows=[a_flow(1)]), 0)
    switch.connect("127.0.0.1", harness.port)
    harness.wait(DPID, Synced)
    yield switch
    switch.close()


def _make_busy(harness: Harness, fake: FakeSwitch) -> None:
    """Let the worker wait for the answer to the change with token 1."""
    fake.faults.is_deaf = True
    harness.switch(DPID).apply(Delta(flows=(a_flow(2),)), 1)
    eventually(lambda: harness.switch(DPID)._inbox == [])


def test_a_change_that_a_load_replaced_is_not_called_applied(harness: Harness, fake: FakeSwitch) -> None:
    _make_busy(harness, fake)
    switch = harness.switch(DPID)
    switch.apply(Delta(flows=(a_flow(3),)), 2)
    switch.load(tables(flows=[a_flow(n) for n in (1, 2, 3, 4)]), 3)
    assert switch.state.pending == 3
    fake.faults.is_deaf = False
    assert harness.wait(DPID, Synced, 2) == Synced(3)
    assert harness.seen(DPID, Applied) == [Applied(1)]
    assert len(fake.tables.flows) == 4
    assert switch.state.pending == 0


def test_changes_that_wait_are_sent_as_one_and_answered_one_by_one(harness: Harness, fake: FakeSwitch) -> None:
    _make_busy(harness, fake)
    switch = harness.switch(DPID)
    for n in range(50):
        switch.apply(Delta(flows=(a_flow(100, goto=20 + n),)), 2 + n)
    fake.faults.is_deaf = False
    harness.wait(DPID, Applied, 51)
    assert harness.seen(DPID, Applied) == [Applied(n) for n in range(1, 52)]
    assert switch.sent == 1 + 1 + 1


def test_a_refusal_in_changes_sent_as_one_is_reported_with_each_token(harness: Harness, fake: FakeSwitch) -> None:
    bad = a_flow(3)
    fake.faults.refused_late.add(bad.cookie)
    _make_busy(harness, fake)
    switch = harness.switch(DPID)
    switch.apply(Delta(flows=(bad,)), 2)
    switch.apply(Delta(flows=(a_flow(4),)), 3)
    fake.faults.is_deaf = False
    harness.wait(DPID, Failed, 2)
    assert [(event.token, [r.cookie for r in event.refusals]) for event in harness.seen(DPID, Failed)] == [
        (2, [bad.cookie]),
        (3, [bad.cookie]),
    ]
    assert {flow.cookie for flow in fake.tables.flows.values()} == {a_flow(n).cookie for n in (1, 2, 4)}


def test_many_refused_messages_keep_none_of_the_others_out(harness: Harness, fake: FakeSwitch) -> None:
    """Each failed commit names one message: after a few, messages go without a bundle."""
    flows = [a_flow(n) for n in range(1, 40)]
    early, late = flows[5:9], flows[10:20]
    fake.faults.refused_early.update(flow.cookie for flow in early)
    fake.faults.refused_late.update(flow.cookie for flow in late)
    harness.switch(DPID).apply(Delta(flows=tuple(flows[1:])), 1)
    refusals = harness.wait(DPID, Failed).refusals
    assert {refusal.cookie for refusal in refusals} == {flow.cookie for flow in (*early, *late)}
    assert len(refusals) == len(early) + len(late)
    assert len(fake.tables.flows) == len(flows) - len(refusals)


def test_a_flow_without_an_openflow_form_is_reported_and_the_rest_goes_in(harness: Harness, fake: FakeSwitch) -> None:
    bad = a_flow(9, actions=(Load(OUT_PORT, 1 << 16),))
    harness.switch(DPID).apply(Delta(flows=(bad, a_flow(2))), 1)
    (refusal,) = harness.wait(DPID, Failed).refusals
    assert refusal.cookie == bad.cookie
    assert "does not fit 16 bits" in str(refusal)
    assert len(fake.tables.flows) == 2


def test_a_refused_message_is_tried_again_at_the_next_resync(harness: Harness, fake: FakeSwitch) -> None:
    bad = a_flow(3)
    fake.faults.refused_late.add(bad.cookie)
    harness.switch(DPID).apply(Delta(flows=(bad,)), 1)
    harness.wait(DPID, Failed)
    fake.cut()
    assert harness.wait(DPID, Failed, 2).token == 1
    fake.faults.refused_late.clear()
    fake.cut()
    assert harness.wait(DPID, Synced, 2) == Synced(1)
    assert len(fake.tables.flows) == 2


def _log_of_drift(harness: Harness) -> list[str]:
    return [text for event in harness.seen(DPID, Drifted) for text in event.examples]


def test_a_paused_flow_monitor_makes_weft_look(harness: Harness, fake: FakeSwitch) -> None:
    fake.tables.flows.clear()  # untold
    fake.pause_and_resume()
    assert harness.wait(DPID, Drifted, wait_s=2).count == 1
    harness.wait(DPID, Synced, 2)
    assert len(fake.tables.flows) == 1


def test_more_updates_than_are_kept_make_weft_look(harness: Harness, fake: FakeSwitch) -> None:
    flow_id, held = next(iter(fake.tables.flows.items()))

    def fill(tables: FakeTables) -> None:
        tables.flows.update({(200, n, flow_id[2]): HeldFlow(1, held.instructions) for n in range(30_000)})
        del tables.flows[flow_id]

    fake.change(fill)
    assert harness.wait(DPID, Drifted).count == 1
    eventually(lambda: harness.switch(DPID).state.foreign_flows == 30_000)


def test_a_switch_that_tells_nothing_is_audited(harness: Harness) -> None:
    """Flows by their number, groups and meters as bytes."""
    fake = FakeSwitch(DPID)
    fake.faults.tells_nothing = True
    harness.switch(DPID).load(tables(flows=[a_flow(1), a_flow(2)], groups=[a_group(1, 1)], meters=[a_meter(1)]), 0)
    fake.connect("127.0.0.1", harness.port)
    try:
        harness.wait(DPID, Synced)
        assert harness.switch(DPID).features["tells_changes"] is False
        eventually(lambda: harness.switch(DPID)._count == 2)
        del fake.tables.flows[next(iter(fake.tables.flows))]
        harness.wait(DPID, Synced, 2)
        fake.tables.groups[1] = b"\0"
        harness.wait(DPID, Synced, 3)
        fake.tables.meters.clear()
        harness.wait(DPID, Synced, 4)
        assert [text.split()[-1] for text in _log_of_drift(harness)] == ["deleted", "changed", "deleted"]
        assert harness.switch(DPID).drift == 3
    finally:
        fake.close()


def test_an_update_nobody_can_read_ends_the_connection_and_the_next_one_reads_the_switch(
    harness: Harness, fake: FakeSwitch
) -> None:
    fake.send_raw(bytes.fromhex("05130018000000000010000000000000") + bytes(8))
    harness.wait(DPID, Synced, 2)
    assert fake.connections == 2
