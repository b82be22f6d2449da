"""How far are the networks that move from another plug-in to these bridges, or from here to another's?

Two things are told, once each: that everything is ready for the devices of a network that comes, and that the devices
of a network have changed their bridge. Both are read from what switches and databases said.
"""

from collections.abc import Callable, Iterable

from controller.reconcile.bridge import Bridge
from controller.reconcile.model import Model
from controller.reconcile.neighbours import Sink
from controller.reconcile.places import hosts_of
from controller.reconcile.segments import segment_on
from controller.reconcile.status import Progress
from controller.reconcile.verdicts import Bridges
from controller.records import Network, NetworkId, Port


def is_own(model: Model, port: Port) -> bool:
    """Whether these bridges' engine is the one that speaks of a port: its network is not, or no longer, another's."""
    network = model.networks.get(port.network_id)
    return network is None or network.move is None or network.move.is_own


class Crossings:
    """Remembers what was told of each network on its way; owned by the reconciler's thread."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._told: dict[NetworkId, int] = {}
        """The revision of each network of which all was told."""

    def look(self, model: Model, bridges: Bridges) -> None:
        """See which networks on their way have come further, and tell it."""
        for network_id in self._told.keys() - model.moving:
            del self._told[network_id]
        for network_id in model.moving:
            network = model.networks[network_id]
            move = network.move
            if move is None or self._told.get(network_id) == network.revision_number:
                continue
            if move.is_switched and _everywhere(model, bridges, network, _has_changed_bridge):
                self._told[network_id] = network.revision_number
                self._sink.released(network_id, network.revision_number)
            elif move.is_target and not move.is_switched and _everywhere(model, bridges, network, _is_ready):
                self._told[network_id] = network.revision_number
                self._sink.prepared(network_id, network.revision_number)


Judge = Callable[[Network, Port, Bridge], bool]


def _everywhere(model: Model, bridges: Bridges, network: Network, judge: Judge) -> bool:
    """Whether something is so of all ports of a network on all registered hosts they are on."""
    ports: Iterable[Port] = model.ports_of_network(network.id)
    return all(
        judge(network, port, bridge)
        for port in ports
        for bridge in (bridges.get(host) for host in hosts_of(port))
        if bridge is not None
    )


def _is_ready(network: Network, port: Port, bridge: Bridge) -> bool:
    """Whether the flows that wait for a port's device are confirmed."""
    progress, _ = bridge.progress(port.key, segment_on(network, bridge.host).key)
    return bridge.plugs.synced and bridge.condition.openflow and progress is Progress.CONFIRMED


def _has_changed_bridge(network: Network, port: Port, bridge: Bridge) -> bool:
    """Whether a port's device is where it belongs; one that comes has a row here, if only a waiting one."""
    is_here = port.id in bridge.plugs.by_port
    return bridge.plugs.synced and is_here == (network.move is not None and network.move.is_target)
