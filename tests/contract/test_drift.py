"""Is what others change in a connected switch noticed, named and repaired, and left alone where it is theirs?"""

import time

import pytest

from controller.southbound.openflow.events import Applied, Drifted, Failed, Synced
from controller.southbound.openflow.intent_mark import IntentMark
from controller.southbound.openflow.switch import Switch
from flows.cookie import Feature, encode
from flows.delta import Delta
from tests.contract.driver import SwitchDriver
from tests.contract.harness import Harness, a_flow, a_group, a_group_flow, a_meter, eventually, identities, tables

FOREIGN = 0x1234
NOTICED_S = 2.0
QUIET_S = 0.4
"""Longer than a look is put off."""
SOME = tables(
    flows=[*(a_flow(n, goto=20) for n in range(1, 6)), a_group_flow(50, 7), a_flow(60, goto=20, meter=3)],
    groups=[a_group(7, 1, 2)],
    meters=[a_meter(3)],
)
INTENT = IntentMark(epoch=1, seq=1)


@pytest.fixture
def switch(driver: SwitchDriver, harness: Harness) -> Switch:
    """Give a worker whose switch holds SOME."""
    worker = harness.switch(driver.dpid)
    worker.load(SOME, 0, INTENT)
    driver.connect("127.0.0.1", harness.port)
    harness.wait(driver.dpid, Synced)
    return worker


def _is_repaired(driver: SwitchDriver, harness: Harness, count: int, *examples: str) -> None:
    drifted = harness.wait(driver.dpid, Drifted, wait_s=NOTICED_S)
    assert drifted.count == count
    for example in examples:
        assert [text for text in drifted.examples if example in text], drifted.examples
    harness.wait(driver.dpid, Synced, 2)
    flows = {flow for flow in driver.flows() if flow[0] == 10}
    assert (flows, driver.groups(), driver.meters()) == (identities(SOME), {7}, {3})
    assert harness.switch(driver.dpid).drift == count


def test_a_deleted_flow_is_named_and_put_back(
    driver: SwitchDriver, harness: Harness, switch: Switch, caplog: pytest.LogCaptureFixture
) -> None:
    driver.delete_flow(10, 100, 2)
    cookie = encode(Feature.PORT_ADMISSION, 2)
    _is_repaired(driver, harness, 1, f"cookie={cookie:#x},")
    assert switch.state.drift_examples[0].endswith("in_port=0x2 deleted")
    assert [r for r in caplog.records if r.message.startswith("switch_drift ") and "in_port=0x2 deleted" in r.message]


def test_a_changed_flow_and_one_with_our_cookie_that_nobody_desires_are_repaired(
    driver: SwitchDriver, harness: Harness, switch: Switch
) -> None:
    driver.add_flow(10, 100, encode(Feature.PORT_ADMISSION, 1), 1)
    driver.add_flow(10, 100, encode(Feature.PORT_ADMISSION, 77), 77)
    eventually(lambda: switch.drift == 2, NOTICED_S)
    eventually(lambda: {f for f in driver.flows() if f[0] == 10} == identities(SOME))
    texts = " ".join(text for event in harness.seen(driver.dpid, Drifted) for text in event.examples)
    assert "in_port=0x1 changed" in texts
    assert "in_port=0x4d added" in texts


def test_a_foreign_flow_in_the_place_of_one_of_ours_is_drift(
    driver: SwitchDriver, harness: Harness, switch: Switch
) -> None:
    driver.add_flow(10, 100, FOREIGN, 3)
    _is_repaired(driver, harness, 1, "in_port=0x3 changed")
    assert switch.state.foreign_flows == 0


def test_a_changed_group_is_repaired(driver: SwitchDriver, harness: Harness, switch: Switch) -> None:
    driver.set_group(7, 1)
    _is_repaired(driver, harness, 1, "group 7 changed")
    assert switch.state.synced


@pytest.mark.usefixtures("switch")
def test_a_deleted_group_comes_back_with_the_flow_it_took(driver: SwitchDriver, harness: Harness) -> None:
    """OpenFlow 1.4 section 6.5: flows that use a group go with it."""
    driver.delete_group(7)
    _is_repaired(driver, harness, 2, "group 7 deleted", "in_port=0x32 deleted")


@pytest.mark.usefixtures("switch")
def test_a_deleted_meter_comes_back_with_the_flow_it_took(driver: SwitchDriver, harness: Harness) -> None:
    driver.delete_meter(3)
    _is_repaired(driver, harness, 2, "meter 3 deleted", "in_port=0x3c deleted")


def test_a_switch_that_was_emptied_is_filled_again(driver: SwitchDriver, harness: Harness, switch: Switch) -> None:
    driver.delete_all()
    eventually(lambda: (len(driver.flows()), driver.groups(), driver.meters()) == (len(SOME.flows) + 1, {7}, {3}))
    assert switch.drift >= len(SOME.flows)
    assert all(len(event.examples) <= 10 for event in harness.seen(driver.dpid, Drifted))


def test_our_own_changes_are_never_taken_for_drift(driver: SwitchDriver, harness: Harness, switch: Switch) -> None:
    """Neither flows, nor what vanishes with a group, nor what the switch refuses, nor the mark."""
    for n in range(40):
        flow, group, meter = a_group_flow(900, 9), a_group(9, n % 2 + 1), a_meter(9, n + 1)
        switch.apply(
            Delta(flows=(flow, a_flow(901, goto=20, meter=9)), groups=(group,), meters=(meter,)), 3 * n, INTENT
        )
        gone = Delta(deleted_flows=(flow, a_flow(901)), deleted_groups=(9,), deleted_meters=(9,))
        switch.apply(gone, 3 * n + 1, INTENT)
        time.sleep(0.01)
    switch.apply(Delta(flows=(a_group_flow(902, 4711),)), 200, IntentMark(epoch=1, seq=2))
    harness.wait(driver.dpid, Failed)
    driver.add_flow(10, 100, encode(Feature.PORT_ADMISSION, 5), 5)
    assert harness.wait(driver.dpid, Drifted).count == 1
    harness.wait(driver.dpid, Failed, 2)
    time.sleep(QUIET_S)
    assert [event.count for event in harness.seen(driver.dpid, Drifted)] == [1]


def test_a_foreign_flow_is_left_alone_and_one_that_bypasses_weft_is_shown(
    driver: SwitchDriver, harness: Harness, switch: Switch
) -> None:
    sent = switch.sent
    driver.add_flow(200, 7, FOREIGN, 1)
    eventually(lambda: switch.state.foreign_flows == 1, NOTICED_S)
    assert switch.problem is None
    driver.normal_flow(201, 7, FOREIGN)
    eventually(lambda: switch.state.foreign_normal == 1, NOTICED_S)
    assert "NORMAL" in (switch.problem or "")
    assert "table=201" in (switch.problem or "")
    driver.add_flow(0, 9, FOREIGN, 1)
    eventually(lambda: switch.features["foreign_normal"] == 2, NOTICED_S)
    driver.delete_flow(0, 9, 1)
    eventually(lambda: switch.state.foreign_normal == 1, NOTICED_S)
    time.sleep(QUIET_S)
    assert (switch.sent, harness.seen(driver.dpid, Drifted)) == (sent, [])
    assert {(200, 7, FOREIGN), (201, 7, FOREIGN)} <= driver.flows()


def test_a_storm_of_foreign_changes_does_not_make_weft_resync_all_the_time(
    driver: SwitchDriver, harness: Harness, switch: Switch
) -> None:
    began = time.monotonic()
    while time.monotonic() - began < 2.5:
        driver.add_flow(10, 100, encode(Feature.PORT_ADMISSION, 1), 1)
    took = time.monotonic() - began
    assert 2 <= len(harness.seen(driver.dpid, Drifted)) <= took + 1
    eventually(lambda: {f for f in driver.flows() if f[0] == 10} == identities(SOME))
    switch.apply(Delta(flows=(a_flow(700),)), 9, INTENT)
    assert harness.wait(driver.dpid, Applied).token == 9
