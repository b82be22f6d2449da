"""What does the engine tell, and when? Health and hosts when they change; a port's state when it does."""

from collections.abc import Iterable, Mapping

from controller.plugins.contract import Condition, EngineContext, FoundHost, Health
from controller.plugins.ovn.chassis import Southbound, Whereabouts
from controller.plugins.ovn.intent import Intent
from controller.plugins.ovn.rows import RowKey
from controller.plugins.ovn.status import port_state
from controller.plugins.ovn.switches import port_key, switch_key
from controller.records import HostName, NetworkId, Port, PortId, PortState, Reason

PATIENCE_S = 3.0
"""How long a lost connection is not spoken of: a new leader is found within a second or two."""
NEVER = float("inf")
NAMED = 5
"""Hosts named in a sentence."""


class Reporting:
    """Tells the sink and the directory; owned by the engine's thread."""

    def __init__(self, context: EngineContext) -> None:
        self.due_at = NEVER
        """When to ask again, though nothing changed (seconds of the monotonic clock)."""
        self._context = context
        self._health: Health | None = None
        self._hosts: Mapping[HostName, FoundHost] | None = None
        self._lost_at: dict[str, float] = {}
        self._states: dict[PortId, PortState] = {}
        self._ports: set[str] = set()
        self._all = False
        self._prepared: dict[NetworkId, int] = {}

    @property
    def port_states(self) -> Mapping[PortId, PortState]:
        """The last state of each port."""
        return self._states

    def unreachable_hosts(self) -> frozenset[str]:
        """Return the hosts whose ports were said to be unreachable."""
        states = self._states.values()
        return frozenset(state.host for state in states if state.host and state.reason is Reason.HOST_UNREACHABLE)

    def begin(self, states: Mapping[PortId, PortState]) -> None:
        """Take what the store says of the ports."""
        self._states = dict(states)
        self._all = True

    def look_at(self, ports: Iterable[str]) -> None:
        """Note that something of some ports may have changed; ids of others do no harm."""
        self._ports.update(ports)

    def look_at_all(self) -> None:
        """Note that something of every port may have changed."""
        self._all = True

    def health(
        self,
        now: float,
        *,
        northbound: str,
        southbound: str,
        northd: str,
        row_problems: Mapping[RowKey, str],
        version: str,
        hosts: Mapping[HostName, FoundHost] | None,
    ) -> None:
        """Tell how the plug-in is, if that is news.

        Args:
            now: seconds of the monotonic clock.
            northbound: what is wrong with the connection, empty when nothing is.
            southbound: the same.
            northd: what is wrong with ovn-northd.
            row_problems: rows that could not be written.
            version: of northd, as it says itself; empty when unknown.
            hosts: every host of the cluster, None when they are not known or as they were.
        """
        self.due_at = NEVER
        nb = self._after_patience("northbound", northbound, now)
        sb = self._after_patience("southbound", southbound, now)
        if hosts is not None:
            self._hosts = hosts
        condition, detail = Condition.UP, ""
        if nb:
            condition, detail = Condition.DOWN, f"The northbound database cannot be written: {nb}."
        elif sb:
            detail = f"The southbound database cannot be read: {sb}; states of ports are as they were last."
            condition = Condition.DEGRADED
        elif northd:
            condition, detail = Condition.DEGRADED, f"What is written reaches no chassis: {northd}."
        elif row_problems:
            first = row_problems[min(row_problems)]
            condition, detail = Condition.DEGRADED, f"{len(row_problems)} rows are not as wanted; {first}."
        elif self._hosts is not None and not self._hosts:
            condition = Condition.DEGRADED
            detail = "The cluster has no chassis: start ovn-controller on the hypervisors."
        elif silent := sorted(name for name, host in (self._hosts or {}).items() if not host.is_alive):
            condition = Condition.DEGRADED
            detail = f"{len(silent)} of {len(self._hosts or {})} chassis give no answer: {', '.join(silent[:NAMED])}."
        health = Health(
            condition=condition,
            detail=detail,
            versions={"ovn": version.partition("-")[0]} if version else {},
            hosts=None if southbound else self._hosts,
        )
        if health != self._health:
            self._health = health
            self._context.tell_health(health)

    def failed(self, error: Exception) -> None:
        """Tell that something went wrong that nobody thought of; it is tried again."""
        detail = f"Weft's engine for OVN failed and begins anew: {error!r}; please report it with the log."
        self._health = Health(condition=Condition.DEGRADED, detail=detail)
        self._context.tell_health(self._health)

    def moves(self, intent: Intent, southbound: Southbound, row_problems: Mapping[RowKey, str]) -> None:
        """Tell, once each, which networks that come from another plug-in may come: the chassis know all their ports."""
        for network_id in self._prepared.keys() - intent.moving:
            del self._prepared[network_id]
        for network_id in intent.moving:
            network = intent.networks[network_id]
            is_awaited = network.move is not None and network.move.is_target and not network.move.is_switched
            if not is_awaited or self._prepared.get(network_id) == network.revision_number:
                continue
            ports = intent.ports_of_network(network_id)
            if all(southbound.knows(port) and port_key(port) not in row_problems for port in ports):
                self._prepared[network_id] = network.revision_number
                self._context.sink.prepared(network_id, network.revision_number)

    def states(self, intent: Intent, southbound: Southbound, row_problems: Mapping[RowKey, str]) -> None:
        """Tell the states of ports that changed, and which host has plugged one that was bound to none."""
        if not (self._all or self._ports):
            return
        ports = list(intent.ports) if self._all else [PortId(one) for one in self._ports]
        self._all, self._ports = False, set()
        changed = []
        hosts = self._hosts or {}
        for port_id in ports:
            port = intent.ports.get(port_id)
            network = None if port is None else intent.networks.get(port.network_id)
            if port is None or network is None or not (network.move is None or network.move.is_own):
                self._states.pop(port_id, None)
                continue
            where = southbound.whereabouts(port_id)
            refusal = row_problems.get(port_key(port_id)) or row_problems.get(switch_key(network.id))
            state = port_state(port, network, where, hosts, refusal)
            last = self._states.get(port_id)
            if state != last:
                self._states[port_id] = state
                if last is not None or state.reason is not Reason.UNBOUND:  # what the store says of a port unseen
                    changed.append(state)
            self._place(port, where)
        if changed:
            self._context.sink.ports(changed)

    def _place(self, port: Port, where: Whereabouts) -> None:
        if port.binding is None and where.host is not None:
            self._context.sink.bind(port.id, where.host)
        if port.standby is not None and port.standby.host in where.arrived:
            self._context.sink.activate(port.id, port.standby.host)

    def _after_patience(self, name: str, problem: str, now: float) -> str:
        """Return a problem that has lasted; before anything was told, at once."""
        if not problem:
            self._lost_at.pop(name, None)
            return ""
        lost_at = self._lost_at.setdefault(name, now)
        if self._health is None or now - lost_at >= PATIENCE_S:
            return problem
        if self._health.condition is Condition.DOWN:
            return problem
        self.due_at = min(self.due_at, lost_at + PATIENCE_S)
        return ""
