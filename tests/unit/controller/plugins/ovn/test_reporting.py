"""Is what happens told once, when it happens, and is a short loss of a connection kept quiet?"""

from collections.abc import Collection
from dataclasses import replace
from typing import Any

from controller.plugins.contract import Condition, EngineContext, FoundHost, Health
from controller.plugins.ovn.chassis import Southbound
from controller.plugins.ovn.intent import Intent
from controller.plugins.ovn.reporting import PATIENCE_S, Reporting
from controller.plugins.ovn.rows import RowKey
from controller.reconcile.feed import Changes
from controller.records import HostName, HostState, Move, NetworkId, PortId, PortState, PortStatus
from tests.unit.controller.plugins.ovn.test_chassis import a_binding, a_cluster
from tests.unit.controller.plugins.ovn.test_intent import a_geneve, a_snapshot
from tests.unit.controller.reconcile.builders import a_port

HOSTS = {HostName("h1"): FoundHost(datapath_type="netdev"), HostName("h2"): FoundHost(datapath_type="netdev")}


class Listener:
    """A sink that remembers."""

    def __init__(self) -> None:
        self.states: list[PortState] = []
        self.bound: list[tuple[str, str]] = []
        self.arrived: list[tuple[str, str]] = []
        self.prepared_at: list[tuple[str, int]] = []
        self.healths: list[Health] = []
        self.reporting = Reporting(
            EngineContext(
                feed=None,  # type: ignore[arg-type]  # reporting reads no intent
                sink=self,
                tell_health=self.healths.append,
                monotonic=lambda: 0.0,
            )
        )

    def ports(self, states: Collection[PortState]) -> None:
        self.states += states

    def host(self, state: HostState) -> None:
        raise AssertionError("hosts are told with the health")

    def forget_host(self, name: HostName) -> None:
        raise AssertionError("hosts are told with the health")

    def bind(self, port_id: PortId, host: HostName) -> None:
        self.bound.append((port_id, host))

    def activate(self, port_id: PortId, host: HostName) -> None:
        self.arrived.append((port_id, host))

    def prepared(self, network_id: NetworkId, revision: int) -> None:
        self.prepared_at.append((network_id, revision))

    def released(self, network_id: NetworkId, revision: int) -> None:
        raise AssertionError("OVN moves no devices")

    def health(self, now: float = 0.0, **said: Any) -> None:
        values = {
            "northbound": "",
            "southbound": "",
            "northd": "",
            "row_problems": {},
            "version": "23.03.1-20.27.0-70.6",
        }
        self.reporting.health(now, **{**values, "hosts": HOSTS, **said})

    def tell(self, intent: Intent, southbound: Southbound) -> None:
        self.reporting.look_at_all()
        self.reporting.states(intent, southbound, {})


def test_health_is_told_when_it_changes() -> None:
    listener = Listener()
    listener.health()
    listener.health()
    [health] = listener.healths
    assert (health.condition, health.versions, health.hosts) == (Condition.UP, {"ovn": "23.03.1"}, HOSTS)


def test_a_lost_connection_is_told_when_it_lasts() -> None:
    listener = Listener()
    listener.health()
    listener.health(10.0, northbound="nobody answers")
    assert len(listener.healths) == 1
    assert listener.reporting.due_at == 10.0 + PATIENCE_S
    listener.health(10.0 + PATIENCE_S, northbound="nobody answers")
    assert listener.healths[-1].condition is Condition.DOWN
    assert "nobody answers" in listener.healths[-1].detail
    listener.health(20.0)
    assert listener.healths[-1].condition is Condition.UP


def test_a_cluster_that_never_answered_is_down_at_once() -> None:
    listener = Listener()
    listener.health(northbound="nobody answers", southbound="nobody answers", hosts=None)
    assert listener.healths[0].condition is Condition.DOWN
    assert listener.healths[0].hosts is None


def test_rows_that_cannot_be_written_degrade() -> None:
    listener = Listener()
    listener.health(row_problems={RowKey("port/p1"): "it was refused"})
    assert listener.healths[0].condition is Condition.DEGRADED
    assert "it was refused" in listener.healths[0].detail


def test_a_failure_of_the_engine_is_told_until_it_works_again() -> None:
    listener = Listener()
    listener.reporting.failed(ValueError("what"))
    assert "ValueError('what')" in listener.healths[0].detail
    listener.health()
    assert listener.healths[-1].condition is Condition.UP


def test_a_cluster_without_chassis_is_degraded() -> None:
    listener = Listener()
    listener.health(hosts={})
    assert "start ovn-controller" in listener.healths[0].detail


def test_chassis_that_give_no_answer_are_named() -> None:
    listener = Listener()
    silent = FoundHost(datapath_type="netdev", is_alive=False, problem="it gives no answer")
    listener.health(hosts={**HOSTS, HostName("h2"): silent})
    assert (listener.healths[0].condition, listener.healths[0].detail) == (
        Condition.DEGRADED,
        "1 of 2 chassis give no answer: h2.",
    )


def test_the_state_of_a_port_is_told_once() -> None:
    listener = Listener()
    listener.health()
    intent, southbound = Intent(a_snapshot(a_geneve(), a_port(1))), a_cluster()
    southbound.put("Port_Binding", "b", a_binding(chassis=["c1"], up=[True]))
    listener.tell(intent, southbound)
    listener.tell(intent, southbound)
    [state] = listener.states
    assert state.status is PortStatus.ACTIVE


def test_hosts_whose_ports_were_unreachable_are_remembered() -> None:
    listener = Listener()
    silent = {HostName("h1"): FoundHost(datapath_type="netdev", is_alive=False, problem="no answer")}
    listener.health(hosts=silent)
    listener.tell(Intent(a_snapshot(a_geneve(), a_port(1), a_port(2, host=None))), a_cluster())
    assert listener.reporting.unreachable_hosts() == {"h1"}


def test_the_first_plug_binds_and_a_guest_that_spoke_has_arrived() -> None:
    listener = Listener()
    listener.health()
    intent = Intent(a_snapshot(a_geneve(), a_port(1, host=None), a_port(2, host="h1", standby="h2")))
    southbound = a_cluster()
    southbound.put("Port_Binding", "b1", a_binding(chassis=["c2"]))
    spoken = {"additional-chassis-activated": "chassis-2"}
    moving = a_binding(logical_port="p2", chassis=["c1"], additional_chassis=["c2"], options=spoken)
    southbound.put("Port_Binding", "b2", moving)
    listener.tell(intent, southbound)
    assert listener.bound == [("p1", "h2")]
    assert listener.arrived == [("p2", "h2")]


def test_a_network_that_comes_is_ready_when_the_chassis_know_all_its_ports_and_is_not_spoken_of_before() -> None:
    listener = Listener()
    listener.health()
    comes = Move(is_target=True, is_switched=False, bridge="br-int")
    intent, southbound = Intent(a_snapshot(a_geneve(move=comes), a_port(1), a_port(2))), a_cluster()
    southbound.put("Port_Binding", "b1", a_binding())
    listener.reporting.moves(intent, southbound, {})
    assert listener.prepared_at == []
    southbound.put("Port_Binding", "b2", a_binding(logical_port="p2"))
    for _ in range(2):
        listener.reporting.moves(intent, southbound, {})
    assert listener.prepared_at == [(a_geneve().id, a_geneve().revision_number)]
    listener.tell(intent, southbound)
    assert listener.states == []
    arrived = a_geneve(move=replace(comes, is_switched=True))
    intent.change(Changes(networks={arrived.id: arrived}))
    listener.tell(intent, southbound)
    assert {state.port_id for state in listener.states} == {"p1", "p2"}
