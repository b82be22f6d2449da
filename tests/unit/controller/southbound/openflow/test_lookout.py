"""Is it noticed when somebody else changes a switch, even when it does not say what?"""

from controller.southbound.openflow.events import Drifted, Synced
from tests.contract.harness import Harness, a_flow, a_group, a_meter, eventually, tables
from tests.fakes.switch import FakeSwitch, HeldFlow
from tests.fakes.switch import Tables as FakeTables
from tests.unit.controller.southbound.openflow.conftest import DPID


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
        eventually(lambda: harness.switch(DPID)._keeper.lookout._count == 2)
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
