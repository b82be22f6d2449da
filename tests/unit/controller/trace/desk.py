"""Two hosts whose bridges are up to date, and switches that hold what they were told: what a trace asks."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from controller.reconcile.bridge import Bridge
from controller.reconcile.model import Model
from controller.records import HostName, PortId, PortState, SecurityGroup
from controller.southbound.openflow.dump import DumpedFlow
from controller.southbound.openflow.encode import Encoder
from controller.southbound.openflow.errors import NotConnectedError
from controller.trace.tracer import Tracer
from flows.flow import Flow
from tests.unit.controller.reconcile.builders import Cloud, a_group, a_network, a_port, a_rule, a_subnet

T = TypeVar("T")
OPEN_RULE = "11111111-1111-1111-1111-111111111111"
OUT_RULES = ("22222222-2222-2222-2222-222222222222", "33333333-3333-3333-3333-333333333333")


class Switch:
    """A switch that holds what a bridge desires, with what somebody changed there."""

    def __init__(self, bridge: Bridge, dpid: int) -> None:
        self.bridge, self.dpid = bridge, dpid
        self.encoder = Encoder()
        self.connected = True
        self.added: list[DumpedFlow] = []
        self.lost: Callable[[Flow], bool] = lambda _flow: False

    def dump(self, deadline_s: float) -> list[DumpedFlow]:
        """Return what it holds."""
        if not self.connected:
            raise NotConnectedError(self.dpid)
        flows = self.bridge.state.tables().flows.values()
        return [dumped(self.encoder, flow) for flow in flows if not self.lost(flow)] + self.added

    def accept(self) -> int:
        """Withhold nothing."""
        return 0

    @property
    def problem(self) -> str | None:
        """None."""
        return None


class Desk:
    """The reconciler as a trace sees it, and the switches."""

    def __init__(self) -> None:
        self.cloud = Cloud()
        self.port_states: Mapping[PortId, PortState] = {}
        self.switches = {h.datapath_id: Switch(self.cloud.bridges[h.name], h.datapath_id) for h in self.cloud.hosts}
        self.tracer = Tracer(self, self, Encoder())

    def ask(self, call: Callable[[], T], deadline_s: float) -> T:
        """Run it."""
        return call()

    @property
    def model(self) -> Model:
        """The intent."""
        return self.cloud.model

    def bridge(self, host: HostName) -> Bridge | None:
        """Return a host's bridge."""
        return self.cloud.bridges.get(host)

    def switch(self, dpid: int) -> Switch:
        """Return a switch."""
        return self.switches[dpid]

    def trace(self, source: str, target: str, **more: Any) -> dict[str, Any]:
        """Ask."""
        answer: dict[str, Any] = self.tracer.trace({"from": source, "to": target, **more})
        return answer


def a_web_group(key: int = 16) -> SecurityGroup:
    """Everything out; echo requests and TCP port 80 in, the latter from members."""
    return a_group(
        key,
        a_rule(OUT_RULES[0], direction="egress"),
        a_rule(OUT_RULES[1], direction="egress", ethertype="IPv6"),
        a_rule(OPEN_RULE, protocol="icmp"),
        a_rule("44444444-4444-4444-4444-444444444444", protocol="tcp", port_range_min=80, port_range_max=80)
        if key != 16
        else a_rule(
            "55555555-5555-5555-5555-555555555555",
            protocol="tcp",
            port_range_min=80,
            port_range_max=80,
            remote_group_id="g16",
        ),
    )


def a_desk() -> Desk:
    """Return network red (n1): web-1 and web-2 on h1, web-3 on h2; network blue (n2) with the same addresses."""
    desk = Desk()
    desk.cloud.put(
        a_network(1, name="red"),
        a_network(2, name="blue"),
        a_subnet(1, gateway_ip="10.0.0.1"),
        a_subnet(1, "fd00::/64"),
        a_subnet(2, gateway_ip="10.0.0.1"),
        a_web_group(),
        a_port(1, "10.0.0.11", "fd00::11", name="web-1", groups=("g16",)),
        a_port(2, "10.0.0.12", "fd00::12", name="web-2", groups=("g16",)),
        a_port(3, "10.0.0.13", name="web-3", host="h2", groups=("g16",)),
        a_port(4, "10.0.0.12", name="blue-1", network=2, groups=("g16",)),
        a_port(5, "10.0.0.15", name="closed", host="h2"),
        a_port(6, "10.0.0.16", name="unbound", host=None, groups=("g16",)),
        a_port(7, name="twin", host=None),
        a_port(8, name="twin", host=None),
    )
    return desk


def dumped(encoder: Encoder, flow: Flow) -> DumpedFlow:
    """Return a flow as a switch gives it back."""
    wire = encoder.flow(flow)
    table, priority, match = wire.id
    return DumpedFlow(
        table=table,
        priority=priority,
        cookie=flow.cookie,
        match_bytes=match,
        instruction_bytes=wire.entry[8:],
        packets=0,
        bytes=0,
    )
