"""What is to be said of ports and hosts now? Decided from what is known, told to the sink when it changed."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from controller.reconcile.bridge import Bridge
from controller.reconcile.live_hosts import LiveHosts
from controller.reconcile.model import Model
from controller.reconcile.neighbours import OpenFlow, Ovsdb, Sink
from controller.reconcile.places import hosts_of
from controller.reconcile.probing import Probing
from controller.reconcile.reach import no_way
from controller.reconcile.segments import missing_physnets, segment_on
from controller.reconcile.status import Place, port_state
from controller.reconcile.watch import disputed
from controller.records import HostName, HostState, Port, PortId, PortState, PortStatus, Reason
from controller.southbound.ovsdb.model import HostView

GRACE_S = 5.0
"""How long a host may be silent before its ports stop being called ACTIVE."""
_UNDER_WAY = frozenset({PortStatus.DOWN, PortStatus.BUILD})
Bridges = Mapping[HostName, Bridge]


class Verdicts:
    """Remembers what was said, so that only news is said; owned by the reconciler's thread."""

    def __init__(
        self,
        *,
        ovsdb: Ovsdb,
        openflow: OpenFlow,
        sink: Sink,
        probing: Probing,
        advertise: Callable[[HostView], str | None],
        monotonic: Callable[[], float],
    ) -> None:
        """Take those to ask, and the one to tell; see `Reconciler`."""
        self._ovsdb, self._openflow, self._sink = ovsdb, openflow, sink
        self._advertise, self._monotonic, self._probing = advertise, monotonic, probing
        self.port_states: dict[PortId, PortState] = {}
        """What was last decided of each port."""
        self._host_states: dict[HostName, HostState] = {}

    def ports(self, ports: Iterable[PortId], model: Model, bridges: Bridges, live_hosts: LiveHosts) -> None:
        """Decide the state of some ports anew."""
        changed: list[PortState] = []
        on_the_way: list[PortState] = []
        for port_id in ports:
            port = model.ports.get(port_id)
            network = None if port is None else model.networks.get(port.network_id)
            if port is None or not (network is None or network.move is None or network.move.is_own):
                self.port_states.pop(port_id, None)
                continue
            state = self._state_of(port, model, bridges, live_hosts)
            last = self.port_states.get(port_id)
            if state is not None and state != last:
                self.port_states[port_id] = state
                if last is not None or state.reason is not Reason.UNBOUND:  # what the store says of a port unseen
                    (on_the_way if _is_on_the_way(last, state) else changed).append(state)
        if changed:
            self._sink.ports(changed)
        if on_the_way:
            self._sink.ports(on_the_way, can_wait=True)

    def host(self, bridge: Bridge, *, is_tick: bool = False) -> None:
        """Say what is known of a host; that a change is under way only when it takes longer than a tick."""
        view = self._ovsdb.view(bridge.host.name)
        features: dict[str, object] = {"ovs_version": view.ovs_version, "datapath_types": list(view.datapath_types)}
        switch = self._openflow.switch(bridge.host.datapath_id)
        features.update(switch.features)
        features["drift"] = {"openflow": switch.drift, "ovsdb": view.drift_count, "last_ovsdb": view.last_drift}
        state = HostState(
            name=bridge.host.name,
            ovsdb_connected=bridge.condition.ovsdb,
            openflow_connected=bridge.condition.openflow,
            programmed=bridge.programmed and bridge.condition.lost_at is None,
            problem=self._problem(bridge),
            features=features,
        )
        last = self._host_states.get(bridge.host.name)
        is_news = last is None or replace(state, programmed=last.programmed) != last or state.programmed
        if state != last and (is_tick or is_news):
            self._host_states[bridge.host.name] = state
            self._sink.host(state)

    def forget_host(self, name: HostName) -> None:
        """Say nothing more of a removed host."""
        self._host_states.pop(name, None)
        self._sink.forget_host(name)

    def _state_of(self, port: Port, model: Model, bridges: Bridges, live_hosts: LiveHosts) -> PortState | None:
        network = model.networks.get(port.network_id)
        bridge = None if port.binding is None else bridges.get(port.binding.host)
        if bridge is None or network is None:
            let_go = live_hosts.let_go_on(port.id) if port.binding is None else ()
            return port_state(port, network, None, let_go)
        lost = bridge.condition.lost_at
        if lost is not None and self._monotonic() - lost < GRACE_S and port.id in self.port_states:
            return None  # a host that is only just silent keeps the last state it proved
        progress, refusal = bridge.progress(port.key, segment_on(network, bridge.host).key)
        place = Place(
            reachable=lost is None,
            problem=self._problem(bridge) or "",
            missing=missing_physnets(network, bridge.host),
            plug=bridge.plugs.plug(port.id),
            progress=progress,
            refusal=refusal,
            no_way=no_way(model, network, bridge.host, bridge.plugs.ways),
            cut_off=self._probing.cut_off(model, network, bridge.host.datapath_id),
            disputed=disputed(model, port),
        )
        return port_state(port, network, place, live_hosts.of(port.id) - set(hosts_of(port)))

    def _problem(self, bridge: Bridge) -> str | None:
        name = bridge.host.name
        view = self._ovsdb.view(name)
        if not bridge.condition.ovsdb:
            return view.error or f"no connection to {bridge.host.ovsdb}"
        if error := bridge.condition.refusal or self._ovsdb.write_error(name):
            return error.replace("weft host set HOST", f"weft host set {name}")
        if not bridge.condition.openflow:
            return f"{name}'s switch is not connected to {self._advertise(view)}"
        problem = self._openflow.switch(bridge.host.datapath_id).problem
        if problem is not None:
            problem = problem.replace("weft reconcile HOST", f"weft reconcile {name}")
        problems = (problem, bridge.refusal, bridge.plugs.ways.problem, self._probing.problem(bridge.host.datapath_id))
        return "; ".join(filter(None, problems)) or None


def _is_on_the_way(last: PortState | None, state: PortState) -> bool:
    """Whether a port that did not work does not work yet: what is awaited is said when it comes."""
    return state.status in _UNDER_WAY and (last is None or last.status in _UNDER_WAY)
