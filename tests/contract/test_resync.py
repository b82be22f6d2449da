"""Does a switch hold what is desired after it connects, and was it touched no more than needed?"""

import pytest

from controller.southbound.openflow.errors import NotConnectedError, NotLoadedError
from controller.southbound.openflow.events import Connected, Disconnected, Failed, Synced
from controller.southbound.openflow.intent_mark import IntentMark
from flows import fields
from flows.cookie import Feature, encode
from flows.delta import Delta
from flows.flow import Output
from tests.contract.driver import SwitchDriver
from tests.contract.harness import (
    Harness,
    a_flow,
    a_group,
    a_group_flow,
    a_meter,
    eventually,
    identities,
    tables,
)
from tests.contract.proxy import Proxy

FOREIGN = 0x1234
SOME = tables(
    flows=[*(a_flow(n, goto=20) for n in range(1, 30)), a_group_flow(50, 7), a_flow(60, goto=20, meter=3)],
    groups=[a_group(7, 1, 2), a_group(8)],
    meters=[a_meter(3)],
)


def test_an_empty_switch_gets_everything(driver: SwitchDriver, harness: Harness) -> None:
    harness.switch(driver.dpid).load(SOME, 1)
    driver.connect("127.0.0.1", harness.port)
    assert harness.wait(driver.dpid, Synced).token == 1
    assert driver.flows() == identities(SOME)
    assert driver.groups() == {7, 8}
    assert driver.meters() == {3}


def test_nothing_is_touched_before_the_complete_state_is_known(
    driver: SwitchDriver, harness: Harness, proxy: Proxy
) -> None:
    """A controller that has not read its database yet must not empty a switch."""
    stale = encode(Feature.PORT_ADMISSION, 99)
    driver.connect("127.0.0.1", proxy.port)
    harness.wait(driver.dpid, Connected)
    driver.add_flow(10, 100, stale, 99)
    proxy.cut()
    harness.wait(driver.dpid, Connected, 2)
    with pytest.raises(NotLoadedError):
        harness.switch(driver.dpid).apply(Delta(), 1)
    eventually(lambda: harness.switch(driver.dpid).features)
    assert driver.flows() == {(10, 100, stale)}
    harness.switch(driver.dpid).load(tables(), 1)
    harness.wait(driver.dpid, Synced)
    assert driver.flows() == set()


def test_an_unchanged_reconnect_sends_no_modification(driver: SwitchDriver, harness: Harness, proxy: Proxy) -> None:
    switch = harness.switch(driver.dpid)
    switch.load(SOME, 1)
    driver.connect("127.0.0.1", proxy.port)
    harness.wait(driver.dpid, Synced)
    sent = switch.sent
    assert sent == len(SOME.flows) + len(SOME.groups) + len(SOME.meters)
    proxy.cut()
    harness.wait(driver.dpid, Disconnected)
    harness.wait(driver.dpid, Synced, 2)
    assert switch.sent == sent
    assert driver.flows() == identities(SOME)


def test_what_changed_while_the_switch_was_away_is_repaired_and_foreign_flows_are_kept(
    driver: SwitchDriver, harness: Harness, proxy: Proxy
) -> None:
    switch = harness.switch(driver.dpid)
    switch.load(SOME, 1)
    driver.connect("127.0.0.1", proxy.port)
    harness.wait(driver.dpid, Synced)
    sent = switch.sent
    there, proxy.target = proxy.target, ("127.0.0.1", 1)
    proxy.cut()
    harness.wait(driver.dpid, Disconnected)
    drifted = encode(Feature.PORT_ADMISSION, 5)
    driver.add_flow(10, 100, drifted, 5)  # same id and cookie, other instructions
    driver.add_flow(10, 100, encode(Feature.PORT_ADMISSION, 77), 77)  # ours, not desired
    driver.add_flow(10, 100, FOREIGN, 6)  # foreign, in the place of one of ours
    driver.add_flow(10, 100, FOREIGN, 78)  # foreign
    proxy.target = there
    harness.wait(driver.dpid, Synced, 2)
    assert driver.flows() == identities(SOME) | {(10, 100, FOREIGN)}
    assert switch.sent - sent == 3
    assert switch.state.foreign_flows == 1  # the other one was in the way
    dumped = {flow.id: flow.instruction_bytes for flow in switch.dump(5)}
    for flow in SOME.flows.values():
        wire = harness.service.encoder.flow(flow)
        assert dumped[wire.id] == wire.entry[8:]


def test_a_switch_that_lost_everything_gets_it_again(driver: SwitchDriver, harness: Harness, proxy: Proxy) -> None:
    harness.switch(driver.dpid).load(SOME, 1)
    driver.connect("127.0.0.1", proxy.port)
    harness.wait(driver.dpid, Synced)
    driver.delete_all()
    proxy.cut()
    harness.wait(driver.dpid, Synced, 2)
    assert (driver.flows(), driver.groups(), driver.meters()) == (identities(SOME), {7, 8}, {3})


def test_groups_and_meters_that_are_gone_are_deleted_without_the_flows_that_moved_away(
    driver: SwitchDriver, harness: Harness
) -> None:
    """Deleting a group or a meter deletes every flow that uses it (OpenFlow 1.4 section 6.5)."""
    switch = harness.switch(driver.dpid)
    switch.load(SOME, 1)
    driver.connect("127.0.0.1", harness.port)
    harness.wait(driver.dpid, Synced)
    after = tables(flows=[a_flow(50, goto=20), a_flow(60, goto=20)])
    switch.load(after, 2)
    assert harness.wait(driver.dpid, Synced, 2).token == 2
    assert (driver.flows(), driver.groups(), driver.meters()) == (identities(after), set(), set())


def test_changes_made_while_the_switch_is_away_are_in_it_when_it_is_back(
    driver: SwitchDriver, harness: Harness, proxy: Proxy
) -> None:
    switch = harness.switch(driver.dpid)
    switch.load(SOME, 1)
    driver.connect("127.0.0.1", proxy.port)
    harness.wait(driver.dpid, Synced)
    there, proxy.target = proxy.target, ("127.0.0.1", 1)
    proxy.cut()
    harness.wait(driver.dpid, Disconnected)
    for n in range(5):
        switch.apply(Delta(flows=(a_flow(100 + n),), deleted_flows=(a_flow(1 + n, goto=20),)), 2 + n)
    with pytest.raises(NotConnectedError):
        switch.dump(1)
    proxy.target = there
    assert harness.wait(driver.dpid, Synced, 2).token == 6
    assert {(10, 100, encode(Feature.PORT_ADMISSION, 100 + n)) for n in range(5)} <= driver.flows()
    assert len(driver.flows()) == len(SOME.flows)


@pytest.mark.parametrize("cut_after", [2_000, 30_000, 150_000])
def test_a_cut_in_the_middle_of_a_push_is_repaired(
    driver: SwitchDriver, harness: Harness, proxy: Proxy, cut_after: int
) -> None:
    many = tables(flows=[a_flow(n, goto=20) for n in range(1, 3000)])
    harness.switch(driver.dpid).load(many, 1)
    proxy.cut_after = cut_after
    driver.connect("127.0.0.1", proxy.port)
    assert harness.wait(driver.dpid, Synced).token == 1
    assert proxy.accepted >= 2
    assert len(driver.flows()) == len(many.flows)
    assert driver.flows() == identities(many)


def test_messages_the_switch_refuses_are_reported_and_the_rest_goes_in(driver: SwitchDriver, harness: Harness) -> None:
    """A missing prerequisite is refused when the message arrives, a missing group when it is executed."""
    without_prerequisite = a_flow(900, match=[fields.UDP_DST.eq(67)])
    without_group = a_group_flow(901, 4711)
    good = [a_flow(n, actions=(Output(1),)) for n in range(1, 20)]
    switch = harness.switch(driver.dpid)
    switch.load(tables(flows=[*good[:9], without_prerequisite, without_group, *good[9:]]), 1)
    driver.connect("127.0.0.1", harness.port)
    failed = harness.wait(driver.dpid, Failed)
    assert failed.token == 1
    by_cookie = {refusal.cookie: refusal for refusal in failed.refusals}
    assert by_cookie.keys() == {without_prerequisite.cookie, without_group.cookie}
    assert "OFPET_BAD_MATCH" in by_cookie[without_prerequisite.cookie].error
    assert "OFPBAC_BAD_OUT_GROUP" in by_cookie[without_group.cookie].error
    assert "group:4711" in str(by_cookie[without_group.cookie])
    assert driver.flows() == identities(tables(flows=good))
    switch.load(tables(flows=good), 2)
    assert harness.wait(driver.dpid, Synced).token == 2


def test_flows_of_others_go_when_an_adopted_switch_is_filled_first_and_never_again(
    driver: SwitchDriver, harness: Harness, proxy: Proxy
) -> None:
    driver.add_flow(10, 100, FOREIGN, 78)
    switch = harness.switch(driver.dpid)
    switch.adopt()
    switch.load(SOME, 1, IntentMark(epoch=1, seq=1))
    driver.connect("127.0.0.1", proxy.port)
    harness.wait(driver.dpid, Synced)
    assert (10, 100, FOREIGN) not in driver.flows()
    assert switch.state.foreign_flows == 0
    switch.adopt()  # as a restarted process would ask: the switch has Weft's mark by now
    driver.add_flow(10, 100, FOREIGN, 79)
    proxy.cut()
    harness.wait(driver.dpid, Disconnected)
    harness.wait(driver.dpid, Synced, 2)
    assert (10, 100, FOREIGN) in driver.flows()
