"""Which host is a port bound to that nobody has bound? The one it is plugged on.

A plug binds a port that is bound to no host. A port that was taken off its host while its device was there is not bound
by that device again, whatever becomes of its link and of this process: only a new plug binds it, or somebody who has
the port again.
"""

from collections.abc import Mapping

from controller.reconcile.bridge import Bridge
from controller.reconcile.crossings import is_own
from controller.reconcile.live_hosts import LiveHosts
from controller.reconcile.model import Model
from controller.reconcile.neighbours import Sink
from controller.records import HostName, Port, PortId, PortState, PortStatus, Reason


class PlugBinding:
    """Has ports bound where they are plugged; owned by the reconciler's thread."""

    def __init__(self, live_hosts: LiveHosts, bridges: Mapping[HostName, Bridge], sink: Sink) -> None:
        """Take where devices are, the hosts' bridges, and who stores bindings."""
        self._live_hosts, self._bridges, self._sink = live_hosts, bridges, sink

    def recall(self, model: Model, states: Mapping[PortId, PortState]) -> None:
        """Take from what was last said of ports which of them were let go before this process began."""
        for port_id, state in states.items():
            port = model.ports.get(port_id)
            was_plugged = state.reason is Reason.UNBOUND or state.status in (PortStatus.ACTIVE, PortStatus.BUILD)
            if port is not None and port.binding is None and state.host is not None and was_plugged:
                self._live_hosts.let_go(port_id, [HostName(state.host)])

    def intent_changed(self, model: Model, before: Mapping[PortId, Port | None]) -> None:
        """See which ports a device binds no longer, and which new ones a device binds that was there before them."""
        for port_id, old in before.items():
            port = model.ports.get(port_id)
            if port is None or port.binding is not None:
                self._live_hosts.take_up(port_id)
            elif old is None:
                self.bind(model, port)
            elif old.binding is not None:
                self._live_hosts.let_go(port_id, self._live_hosts.of(port_id))
            elif port.device_id and port.device_id != old.device_id:  # somebody has it again: a vNIC plugged back
                self._live_hosts.take_up(port_id)
                self.bind(model, port)

    def bind(self, model: Model, port: Port) -> None:
        """Have a port that is bound to no host bound where it is plugged."""
        if port.binding is not None or not is_own(model, port):
            return
        for name in sorted(self._live_hosts.of(port.id) - self._live_hosts.let_go_on(port.id)):
            if self._bridges[name].plugs.plug(port.id).ofport is not None:
                self._sink.bind(port.id, name)
                return
