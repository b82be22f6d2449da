"""Does a change reach a connected switch whole, in order, and confirmed?"""

import pytest

from controller.southbound.openflow.events import Applied, Failed, Synced
from controller.southbound.openflow.switch import Switch
from flows.delta import Delta, Tables, diff
from flows.flow import Bucket, Group, ToGroup
from tests.contract.driver import SwitchDriver
from tests.contract.harness import Harness, a_flow, a_group, a_group_flow, a_meter, identities, tables

BEFORE = tables(
    flows=[*(a_flow(n, goto=20) for n in range(1, 6)), a_group_flow(50, 7), a_flow(60, goto=20, meter=3)],
    groups=[a_group(7, 1), a_group(8)],
    meters=[a_meter(3), a_meter(4)],
)


@pytest.fixture
def switch(driver: SwitchDriver, harness: Harness) -> Switch:
    """Give a worker whose switch holds BEFORE."""
    worker = harness.switch(driver.dpid)
    worker.load(BEFORE, 0)
    driver.connect("127.0.0.1", harness.port)
    harness.wait(driver.dpid, Synced)
    return worker


def _reach(driver: SwitchDriver, harness: Harness, switch: Switch, after: Tables) -> None:
    switch.apply(diff(BEFORE, after), 1)
    assert harness.wait(driver.dpid, Applied).token == 1
    assert (driver.flows(), driver.groups(), driver.meters()) == (
        identities(after),
        set(after.groups),
        set(after.meters),
    )
    dumped = {flow.id: flow.instruction_bytes for flow in switch.dump(5)}
    wanted = [harness.service.encoder.flow(flow) for flow in after.flows.values()]
    assert dumped == {wire.id: wire.entry[8:] for wire in wanted}


def test_flows_groups_and_meters_are_added_changed_and_deleted(
    driver: SwitchDriver, harness: Harness, switch: Switch
) -> None:
    sent = switch.sent
    _reach(
        driver,
        harness,
        switch,
        tables(
            flows=[a_flow(1, goto=20), a_flow(2, goto=30), a_flow(9, meter=5, goto=20), a_group_flow(51, 9)],
            groups=[a_group(7, 1, 2), a_group(9, 2)],
            meters=[a_meter(3, 99), a_meter(5)],
        ),
    )
    changed = 1 + 2  # flows set: 2 changed, 9 and 51 added
    deleted = 5  # 3, 4, 5, 50, 60
    assert switch.sent - sent == changed + deleted + 3 + 3  # two groups set, one deleted; two meters set, one deleted


def test_chunks_of_a_group_come_before_the_group_that_refers_to_them(
    driver: SwitchDriver, harness: Harness, switch: Switch
) -> None:
    chunk = 1 << 24 | 9
    root = Group(id=9, buckets=(Bucket(actions=(ToGroup(chunk),)),))
    _reach(
        driver,
        harness,
        switch,
        tables(
            flows=[*BEFORE.flows.values(), a_group_flow(70, 9)],
            groups=[*BEFORE.groups.values(), a_group(chunk, 1, 2), root],
            meters=BEFORE.meters.values(),
        ),
    )


def test_a_change_of_thousands_of_messages_arrives_whole(
    driver: SwitchDriver, harness: Harness, switch: Switch
) -> None:
    many = tables(
        flows=[a_flow(n, goto=20) for n in range(1000, 3200)],
        groups=[a_group(n, 1) for n in range(100, 200)],
        meters=[a_meter(n) for n in range(10, 40)],
    )
    _reach(driver, harness, switch, many)
    switch.apply(diff(many, BEFORE), 2)
    assert harness.wait(driver.dpid, Applied, 2).token == 2
    assert (driver.flows(), driver.groups()) == (identities(BEFORE), set(BEFORE.groups))


def test_tokens_come_back_in_order_however_many_changes_wait(
    driver: SwitchDriver, harness: Harness, switch: Switch
) -> None:
    for n in range(200):
        switch.apply(Delta(flows=(a_flow(1000 + n),)), 10 + n)
    harness.wait(driver.dpid, Applied, 200)
    assert [event.token for event in harness.seen(driver.dpid, Applied)] == list(range(10, 210))
    assert len(driver.flows()) == len(BEFORE.flows) + 200


def test_a_change_that_is_taken_back_while_it_waits_sends_nothing_twice(
    driver: SwitchDriver, harness: Harness, switch: Switch
) -> None:
    sent = switch.sent
    flow = a_flow(1000)
    switch.apply(Delta(flows=(flow,)), 1)
    switch.apply(Delta(deleted_flows=(flow,)), 2)
    harness.wait(driver.dpid, Applied, 2)
    assert switch.sent - sent in {0, 2}
    assert driver.flows() == identities(BEFORE)
    assert switch.state.pending == 0


def test_a_refused_message_of_a_change_is_reported_and_the_rest_goes_in(
    driver: SwitchDriver, harness: Harness, switch: Switch
) -> None:
    bad = a_group_flow(901, 4711)
    good, gone = a_flow(902), a_flow(1, goto=20)
    switch.apply(Delta(flows=(bad, good), deleted_flows=(gone,)), 1)
    failed = harness.wait(driver.dpid, Failed)
    assert failed.token == 1
    assert [refusal.cookie for refusal in failed.refusals] == [bad.cookie]
    wanted = tables(flows=[*(f for f in BEFORE.flows.values() if f.key != gone.key), good])
    assert driver.flows() == identities(wanted)
    switch.apply(Delta(flows=(a_flow(903),)), 2)
    assert harness.wait(driver.dpid, Applied).token == 2
