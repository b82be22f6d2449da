"""Who answers the question of what becomes of a packet? Reads intent and switches, and lets others walk and explain."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from ipaddress import IPv4Address
from typing import Any, Protocol, TypeVar

from controller.errors import SwitchUnavailable
from controller.inspect import ASK_S, DUMP_S, Switches
from controller.reconcile.bridge import Bridge
from controller.reconcile.model import Model
from controller.reconcile.segments import physnets_of
from controller.reconcile.translate import BridgeView, ipv4_number, is_up
from controller.records import Host, HostName, Network, PortId, PortState
from controller.southbound.openflow.encode import Encoder
from controller.southbound.openflow.errors import UnavailableError
from controller.southbound.openflow.live import live_flows
from controller.trace.question import Probe, Question, parse, probe
from controller.trace.reasons import Known, not_wired
from controller.trace.route import Site, follow
from controller.trace.verdict import describe, nowhere
from flows.delta import Tables
from flows.intent import SegmentIntent, Unit, UnitKind

_T = TypeVar("_T")


class Intent(Protocol):
    """Who knows what is desired of every host: the reconciler."""

    def ask(self, call: Callable[[], _T], deadline_s: float) -> _T:
        """Run `call` where the rest may be read; raises TimeoutError."""

    @property
    def model(self) -> Model:
        """The intent."""

    @property
    def port_states(self) -> Mapping[PortId, PortState]:
        """Every port's last decided state."""

    def bridge(self, host: HostName) -> Bridge | None:
        """Return a host's bridge."""


def _wires(view: BridgeView, network: Network) -> Iterator[tuple[int, str]]:
    """Yield the ports by which a network leaves a host for a physical network, with its name."""
    for segment in network.segments:
        intent = view.intent(Unit(UnitKind.SEGMENT, segment.key))
        if isinstance(intent, SegmentIntent) and intent.wire is not None and segment.physical_network is not None:
            yield intent.wire.ofport, segment.physical_network


@dataclass(frozen=True, slots=True)
class _Others:
    """The hosts a packet may come to, as one trace sees them."""

    tracer: "Tracer"
    network: Network
    question: Question

    def at(self, endpoint: int) -> Site | None:
        """Return the host with a tunnel endpoint."""
        address = str(IPv4Address(endpoint))
        return next(self.tracer.sites(self.network, self.question, lambda host: host.tunnel_ip == address), None)

    def on(self, physical_network: str) -> Iterator[Site]:
        """Yield the hosts on which the network leaves for a physical network."""
        sites = self.tracer.sites(self.network, self.question, lambda host: physical_network in physnets_of(host))
        return (site for site in sites if physical_network in site.wires.values())


class Tracer:
    """Answers traces; called from threads that may wait."""

    def __init__(self, reconciler: Intent, switches: Switches, encoder: Encoder) -> None:
        self._reconciler, self._switches, self._encoder = reconciler, switches, encoder

    def trace(self, args: Mapping[str, Any]) -> dict[str, object]:
        """Return what becomes of a packet.

        Args:
            args: ``from``, ``to``, and optionally ``protocol``, ``port``, ``state``, ``source_ip``, ``source_mac`` and
                ``live``; see `question.parse`.

        Raises:
            WeftError: The question makes no sense, its ports do not exist, or a switch cannot be read now.
            TimeoutError: The reconciler is too busy to answer.
        """
        question = parse(args)
        asked, first = self._reconciler.ask(lambda: self._begin(question), ASK_S)
        if first is None:
            return self._reconciler.ask(lambda: self._nowhere(asked, question), ASK_S)
        ofport, site = first
        hops = follow(asked, ofport, self._read(site, question), _Others(self, asked.network, question))
        return self._reconciler.ask(lambda: describe(self._known(asked), asked, hops, live=question.live), ASK_S)

    # in the reconciler's thread ---------------------------------------------------------------------------------------

    def _begin(self, question: Question) -> tuple[Probe, tuple[int, Site] | None]:
        """Return the packet, and the number and the host of the port it leaves, unless there is none."""
        asked = probe(self._reconciler.model, question)
        binding = asked.source.binding
        bridge = None if binding is None else self._reconciler.bridge(binding.host)
        if bridge is None:
            return asked, None
        ofport = self._view(bridge).wired_ofport(asked.source)
        return asked, None if ofport is None else (ofport, self._site(bridge, asked.network))

    def _nowhere(self, asked: Probe, question: Question) -> dict[str, object]:
        known = self._known(asked)
        network, state = asked.network, known.states.get(asked.source.id)
        why = not_wired(self._reconciler.model, asked.source, network, state)
        return nowhere(known, asked, why, live=question.live)

    def _site(self, bridge: Bridge, network: Network) -> Site:
        view = self._view(bridge)
        ports = {
            int(ofport): port.id
            for port in self._reconciler.model.ports_of_host(bridge.host.name)
            if (ofport := view.wired_ofport(port)) is not None
        }
        endpoint = bridge.host.tunnel_ip
        return Site(
            host=bridge.host.name,
            tables=bridge.state.tables(),
            tunnels={kind: int(ofport) for kind, ofport in bridge.plugs.ways.tunnels.items()},
            endpoint=ipv4_number(endpoint) if endpoint else 0,
            ports=ports,
            wires=dict(_wires(view, network)),
        )

    def _sites(self, network: Network, wanted: Callable[[Host], bool]) -> list[Site]:
        hosts = [host for host in self._reconciler.model.hosts.values() if wanted(host)]
        bridges = (self._reconciler.bridge(host.name) for host in sorted(hosts, key=lambda host: host.name))
        return [self._site(bridge, network) for bridge in bridges if bridge is not None]

    def _view(self, bridge: Bridge) -> BridgeView:
        return BridgeView(model=self._reconciler.model, host=bridge.host, plugs=bridge.plugs)

    def _known(self, asked: Probe) -> Known:
        model = self._reconciler.model
        ports = [model.ports.get(port.id, port) for port in (asked.source, asked.target) if port is not None]
        known = self._reconciler.port_states
        states = {port.id: known[port.id] for port in ports if port.id in known}
        bound: dict[PortId, str] = {}
        for port in ports:
            network = model.networks.get(port.network_id)
            bridge = None if port.binding is None else self._reconciler.bridge(port.binding.host)
            if bridge is None or not is_up(network, port) or self._view(bridge).wired_ofport(port) is None:
                bound[port.id] = not_wired(model, port, network, states.get(port.id))
        return Known(model=model, states=states, bound_here=bound)

    # outside of it ----------------------------------------------------------------------------------------------------

    def sites(self, network: Network, question: Question, wanted: Callable[[Host], bool]) -> Iterator[Site]:
        """Yield the hosts that are wanted, by name, each as it is now."""
        for site in self._reconciler.ask(lambda: self._sites(network, wanted), ASK_S):
            yield self._read(site, question)

    def _read(self, site: Site, question: Question) -> Site:
        """Return the host with the flows its switch has just now, when that was asked for; groups are as desired."""
        if not question.live:
            return site
        dpid = self._reconciler.ask(lambda: self._dpid(site.host), ASK_S)
        try:
            dumped = self._switches.switch(dpid).dump(DUMP_S)
        except UnavailableError as error:
            raise SwitchUnavailable(str(site.host), str(error)) from error
        flows, unread = live_flows(dumped, site.tables.flows.values(), site.tables.groups, self._encoder)
        tables = Tables(flows={flow.key: flow for flow in flows}, groups=site.tables.groups, meters=site.tables.meters)
        return replace(site, tables=tables, unread=unread)

    def _dpid(self, host: HostName) -> int:
        bridge = self._reconciler.bridge(host)
        if bridge is None:
            raise SwitchUnavailable(str(host), "the host was removed meanwhile")
        return bridge.host.datapath_id
