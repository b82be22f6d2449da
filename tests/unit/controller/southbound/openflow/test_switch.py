"""Does a worker report exactly what is in its switch, whatever comes while it is busy?"""

from collections.abc import Mapping

from controller.southbound.openflow.events import Applied, Failed, Synced
from controller.southbound.openflow.plan import BUNDLE_SIZE
from flows.delta import Delta
from flows.flow import Load
from flows.pipeline import OUT_PORT
from tests.contract.harness import Harness, a_flow, eventually, tables
from tests.fakes.switch import FakeSwitch
from tests.unit.controller.southbound.openflow.conftest import DPID


def _make_busy(harness: Harness, fake: FakeSwitch) -> None:
    """Let the worker wait for the answer to the change with token 1."""
    fake.faults.is_deaf = True
    harness.switch(DPID).apply(Delta(flows=(a_flow(2),)), 1)
    eventually(lambda: harness.switch(DPID)._inbox == [])


def test_what_makes_the_numbers_right_is_in_the_first_flows_a_switch_gets(harness: Harness) -> None:
    """Otherwise a restarted switch has, for a moment, flows with numbers it has given to other devices."""
    switch, fake = harness.switch(DPID), FakeSwitch(DPID)

    def numbers_turn_right_while_asked(_dpid: int, _devices: Mapping[int, str]) -> None:
        switch.apply(Delta(flows=(a_flow(2),), deleted_flows=(a_flow(1),)), 1)

    harness.misnumbered = numbers_turn_right_while_asked
    switch.load(tables(flows=[a_flow(1)]), 0)
    fake.connect("127.0.0.1", harness.port)
    assert harness.wait(DPID, Synced) == Synced(1)
    assert [flow.cookie for flow in fake.tables.flows.values()] == [a_flow(2).cookie]
    fake.close()


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


def test_messages_refused_in_several_bundles_under_way_keep_none_of_the_others_out(
    harness: Harness, fake: FakeSwitch
) -> None:
    """Bundles overlap: one that fails is tried again while the next is filled already."""
    flows = [a_flow(n) for n in range(1, 5 * BUNDLE_SIZE)]
    early, late = flows[5::700], flows[10::600]
    fake.faults.refused_early.update(flow.cookie for flow in early)
    fake.faults.refused_late.update(flow.cookie for flow in late)
    harness.switch(DPID).load(tables(flows=flows), 1)
    refusals = harness.wait(DPID, Failed).refusals
    assert sorted(r.cookie or 0 for r in refusals) == sorted(flow.cookie for flow in (*early, *late))
    assert len(fake.tables.flows) == len(flows) - len(refusals)
    connection = harness.switch(DPID)._connection
    assert connection is not None
    assert connection.replies._watches == []


def test_a_whole_state_is_bytes_before_the_switch_comes(harness: Harness) -> None:
    """What makes a restarted ovs-vswitchd full at once."""
    switch = harness.switch(DPID)
    switch.load(tables(flows=[a_flow(n) for n in range(1, 3000)]), 1)
    eventually(lambda: len(switch._keeper._mirror._holdings.flows) == 2999)


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


def test_an_update_nobody_can_read_ends_the_connection_and_the_next_one_reads_the_switch(
    harness: Harness, fake: FakeSwitch
) -> None:
    fake.send_raw(bytes.fromhex("05130018000000000010000000000000") + bytes(8))
    harness.wait(DPID, Synced, 2)
    assert fake.connections == 2
