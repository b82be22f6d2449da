"""Are deletes that nothing explains withheld, and all others carried out?"""

import pytest

from controller.southbound.openflow.events import Applied, Disconnected, Synced, Withheld
from controller.southbound.openflow.intent_mark import IntentMark
from controller.southbound.openflow.mark import is_mark
from flows.cookie import LAYOUT, Feature, encode
from flows.delta import Delta, Tables, diff
from tests.contract.driver import Identity, SwitchDriver
from tests.contract.harness import Harness, a_flow, a_group, a_meter, eventually, identities, tables
from tests.contract.proxy import Proxy

EPOCH = 0xABCD1234
HOLD = 0xFFFFFFFF
"""In a mark's place of the journal number: deletes are withheld."""
MANY = tables(
    flows=[a_flow(n, goto=20) for n in range(1, 101)], groups=[a_group(n, 1) for n in range(1, 4)], meters=[a_meter(3)]
)
FEW = tables(flows=[a_flow(n, goto=30) for n in range(1, 11)])


def marks(driver: SwitchDriver) -> list[int]:
    return [cookie & 0xFFFFFFFF for _, _, cookie in driver.flows() if is_mark(cookie)]


def others(driver: SwitchDriver) -> set[Identity]:
    return {flow for flow in driver.flows() if not is_mark(flow[2])}


def at(seq: int, *, first: int = 0, epoch: int = EPOCH) -> IntentMark:
    return IntentMark(epoch=epoch, seq=seq, first=first)


@pytest.fixture
def filled(driver: SwitchDriver, harness: Harness, proxy: Proxy) -> Harness:
    """Give a service whose switch holds MANY, marked with change 5."""
    harness.switch(driver.dpid).load(MANY, 1, at(5))
    driver.connect("127.0.0.1", proxy.port)
    harness.wait(driver.dpid, Synced)
    return harness


def test_every_change_marks_the_switch_and_an_unchanged_reconnect_sends_nothing(
    driver: SwitchDriver, filled: Harness, proxy: Proxy
) -> None:
    switch = filled.switch(driver.dpid)
    assert marks(driver) == [5]
    assert others(driver) == identities(MANY)
    switch.apply(Delta(flows=(a_flow(200),)), 2, at(6))
    filled.wait(driver.dpid, Applied)
    assert marks(driver) == [6]
    switch.apply(Delta(meters=(a_meter(4),)), 3, at(7))
    filled.wait(driver.dpid, Applied, 2)
    assert marks(driver) == [7]
    sent = switch.sent
    switch.apply(Delta(), 4, at(8))
    filled.wait(driver.dpid, Applied, 3)
    proxy.cut()
    filled.wait(driver.dpid, Disconnected)
    filled.wait(driver.dpid, Synced, 2)
    assert (switch.sent, marks(driver), switch.problem) == (sent, [7], None)


def test_the_journal_explains_deletes(driver: SwitchDriver, filled: Harness) -> None:
    filled.switch(driver.dpid).load(FEW, 2, at(9, first=3))
    filled.wait(driver.dpid, Synced, 2)
    assert (others(driver), driver.groups(), driver.meters(), marks(driver)) == (identities(FEW), set(), set(), [9])
    assert filled.seen(driver.dpid, Withheld) == []


@pytest.mark.parametrize(
    ("intent", "why"),
    [
        (at(9, epoch=1), "another database"),
        (at(4), "at change 5, and the database is at 4"),
        (at(99, first=7), "the journal begins at 7"),
    ],
)
def test_deletes_without_an_explanation_wait_until_they_are_accepted(
    driver: SwitchDriver, filled: Harness, proxy: Proxy, intent: IntentMark, why: str
) -> None:
    switch = filled.switch(driver.dpid)
    switch.load(FEW, 2, intent)
    withheld = filled.wait(driver.dpid, Withheld)
    assert (withheld.deletes, withheld.installed) == (93, 100)
    assert why in withheld.why
    assert filled.wait(driver.dpid, Synced, 2).token == 2
    held = identities(MANY) | identities(FEW)
    assert (others(driver), driver.groups(), driver.meters(), marks(driver)) == (held, {1, 2, 3}, {3}, [HOLD])
    assert (switch.problem or "").startswith("93 of 100 flows would be deleted and no change explains it: weft reconc")

    proxy.cut()
    filled.wait(driver.dpid, Disconnected)
    filled.wait(driver.dpid, Synced, 3)
    assert others(driver) == held
    assert len(filled.seen(driver.dpid, Withheld)) == 1

    later = tables(
        flows=[*list(FEW.flows.values())[1:], a_flow(50, goto=40)], groups=[a_group(2, 2)], meters=[a_meter(3, 9)]
    )
    switch.apply(diff(FEW, later), 3, intent)
    assert filled.wait(driver.dpid, Applied).token == 3
    assert others(driver) == held - identities(tables(flows=[a_flow(1)]))
    assert (switch.state.withheld, marks(driver)) == (91, [HOLD])

    assert switch.accept() == 91
    filled.wait(driver.dpid, Synced, 4)
    assert (others(driver), driver.groups(), driver.meters()) == (identities(later), {2}, {3})
    assert (switch.problem, switch.state.withheld, marks(driver)) == (None, 0, [intent.seq])
    assert switch.accept() == 0


def test_a_switch_without_a_mark_is_not_emptied(driver: SwitchDriver, harness: Harness, proxy: Proxy) -> None:
    """An older version filled it, or a hand."""
    switch = harness.switch(driver.dpid)
    switch.load(MANY, 1)
    driver.connect("127.0.0.1", proxy.port)
    harness.wait(driver.dpid, Synced)
    assert marks(driver) == []
    switch.load(FEW, 2, at(9))
    assert "no mark" in harness.wait(driver.dpid, Withheld).why
    assert len(driver.flows()) == len(MANY.flows)


def test_what_is_withheld_stays_so_for_a_new_controller_and_a_grown_journal(
    driver: SwitchDriver, filled: Harness, proxy: Proxy
) -> None:
    """A restored database soon has higher numbers than the mark, and explains nothing by that."""
    filled.switch(driver.dpid).load(FEW, 2, at(4))
    filled.wait(driver.dpid, Withheld)
    filled.wait(driver.dpid, Synced, 2)
    second = Harness([driver.dpid])
    try:
        second.switch(driver.dpid).load(FEW, 1, at(20))
        proxy.target = ("127.0.0.1", second.port)
        proxy.cut()
        assert "withheld before" in second.wait(driver.dpid, Withheld).why
        second.wait(driver.dpid, Synced)
        assert others(driver) == identities(MANY) | identities(FEW)
        sent = second.switch(driver.dpid).sent
        assert sent == 0
        second.switch(driver.dpid).load(MANY, 2, at(20))  # the database is as it should be
        second.wait(driver.dpid, Synced, 2)
        assert (others(driver), marks(driver)) == (identities(MANY), [20])
    finally:
        second.stop()


def test_what_is_withheld_stays_so_when_little_of_it_is_left(
    driver: SwitchDriver, filled: Harness, proxy: Proxy
) -> None:
    switch = filled.switch(driver.dpid)
    switch.load(FEW, 2, at(4))
    filled.wait(driver.dpid, Synced, 2)
    most = tables(flows=[*FEW.flows.values(), *(a_flow(n, goto=20) for n in range(11, 91))])
    switch.apply(diff(FEW, most), 3, at(6))
    filled.wait(driver.dpid, Applied)
    assert switch.state.withheld == 13
    proxy.cut()
    filled.wait(driver.dpid, Disconnected)
    filled.wait(driver.dpid, Synced, 3)
    assert (len(others(driver)), switch.state.withheld) == (100, 13)


def test_few_deletes_need_no_explanation(driver: SwitchDriver, filled: Harness) -> None:
    rest = tables(flows=list(MANY.flows.values())[47:])
    filled.switch(driver.dpid).load(rest, 2, at(4))
    filled.wait(driver.dpid, Synced, 2)
    assert (others(driver), filled.seen(driver.dpid, Withheld)) == (identities(rest), [])


def test_what_deltas_removed_while_the_switch_was_away_is_explained(
    driver: SwitchDriver, filled: Harness, proxy: Proxy
) -> None:
    """Even though the mark is of another database by now."""
    switch = filled.switch(driver.dpid)
    there, proxy.target = proxy.target, ("127.0.0.1", 1)
    proxy.cut()
    filled.wait(driver.dpid, Disconnected)
    switch.apply(diff(MANY, FEW), 2, at(4, epoch=1))
    proxy.target = there
    filled.wait(driver.dpid, Synced, 2)
    assert (others(driver), driver.groups(), driver.meters()) == (identities(FEW), set(), set())
    assert filled.seen(driver.dpid, Withheld) == []


def _other_layout(state: Tables) -> Tables:
    changed = [
        a_flow(n, table=110, goto=120, cookie=encode(Feature.PORT_ADMISSION, n) ^ (LAYOUT ^ 0x7E) << 48)
        for n in range(1, len(state.flows) + 1)
    ]
    return tables(flows=changed)


def test_another_table_layout_explains_deletes_but_not_an_empty_database(
    driver: SwitchDriver, harness: Harness, proxy: Proxy
) -> None:
    switch, older = harness.switch(driver.dpid), _other_layout(MANY)
    switch.load(older, 1, at(5))
    driver.connect("127.0.0.1", proxy.port)
    harness.wait(driver.dpid, Synced)
    switch.load(FEW, 2, at(4))
    harness.wait(driver.dpid, Withheld)
    harness.wait(driver.dpid, Synced, 2)
    assert others(driver) == identities(older) | identities(FEW)
    switch.load(MANY, 3, at(4))
    harness.wait(driver.dpid, Synced, 3)
    assert (others(driver), marks(driver), switch.problem) == (identities(MANY), [4], None)


def test_nothing_withheld_is_called_drift(driver: SwitchDriver, filled: Harness) -> None:
    switch = filled.switch(driver.dpid)
    switch.load(FEW, 2, at(4))
    filled.wait(driver.dpid, Withheld)
    filled.wait(driver.dpid, Synced, 2)
    driver.delete_flow(10, 100, 1)
    eventually(lambda: switch.drift == 1, 2)
    filled.wait(driver.dpid, Synced, 3)
    assert len(others(driver)) == len(MANY.flows)
    assert len(filled.seen(driver.dpid, Withheld)) == 1
