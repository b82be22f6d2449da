"""Which OVSDB rows must a host have, and which of them does it not know about yet?

The bridge, its tunnel ports, a patch pair for every physical network, and a row for every bound port before its device
exists; while a port migrates it is bound to two hosts and has a row on both. Stated whole once, then by what changed.

While a port's network moves to another plug-in, or from one, the rows of its device change their bridge.

The pairs are there whether or not a port needs them: a bridge misspelt is told when the host is registered, not when
the first guest is silent, and the first port of a segment waits for no new row. Without flows a pair carries nothing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from controller.reconcile.places import binding_on, hosts_of
from controller.reconcile.status import device_name
from controller.reconcile.ways import GENEVE_TYPE, TUNNEL_TYPE, patch_rows, tunnel_row
from controller.records import Host, HostName, Move, Network, NetworkId, OfPort, Port, PortId
from controller.southbound.ovsdb.model import (
    BridgeConfig,
    HostDesired,
    PrewiredPort,
)

Networks = Mapping[NetworkId, Network]
NO_NETWORKS: Networks = MappingProxyType({})


def bridge_rows(host: Host, controller_target: str, *, geneve: bool = False) -> BridgeConfig:
    """Return the bridge a host must have; `geneve` says whether there are Geneve networks at all."""
    kinds = (TUNNEL_TYPE, GENEVE_TYPE) if geneve else (TUNNEL_TYPE,)
    return BridgeConfig(
        datapath_type=host.datapath_type,
        datapath_id=host.datapath_id,
        controller_target=controller_target,
        tunnels=() if host.tunnel_ip is None else tuple(tunnel_row(kind, host.tunnel_ip) for kind in kinds),
        patches=patch_rows(host),
        adopt=host.adopt,
    )


def port_row(port: Port, host: HostName, move: Move | None = None) -> PrewiredPort | None:
    """Return the row of a port on a host, None when it is not bound there.

    Nor has a port a row whose network is still another engine's: its device is on the other's bridge.
    """
    binding = binding_on(port, host)
    if binding is None or (move is not None and move.is_target and not move.is_switched):
        return None
    row = PrewiredPort(name=device_name(port.id), iface_id=port.id, mac=port.mac_address, ofport=binding.ofport)
    if move is None or not move.is_switched:
        return row
    return replace(row, taken_from=move.bridge) if move.is_target else replace(row, given_to=move.bridge)


@dataclass(slots=True)
class _Host:
    """What one host was told."""

    bridge: BridgeConfig
    ports: dict[PortId, PrewiredPort] = field(default_factory=dict)
    by_ofport: dict[int, PortId] = field(default_factory=dict)


class StatedRows:
    """What every host was told to have; owned by the reconciler's thread."""

    def __init__(self) -> None:
        self._hosts: dict[HostName, _Host] = {}
        self._hosts_of_port: dict[PortId, set[HostName]] = {}

    def __contains__(self, name: HostName) -> bool:
        return name in self._hosts

    def whole(
        self, name: HostName, bridge: BridgeConfig, ports: Iterable[Port], networks: Networks = NO_NETWORKS
    ) -> HostDesired:
        """Return everything a host whose bound ports are `ports` must have, and take it as told."""
        self.forget(name)
        self._hosts[name] = _Host(bridge)
        for port in ports:
            row = port_row(port, name, _move_of(port, networks))
            if row is not None:
                self._put(name, port.id, row)
        return HostDesired(bridge=bridge, prewired=frozenset(self._hosts[name].ports.values()))

    def bridge(self, name: HostName, bridge: BridgeConfig) -> BridgeConfig | None:
        """Return the bridge if a host was told of another one, and take it as told."""
        if self._hosts[name].bridge == bridge:
            return None
        self._hosts[name].bridge = bridge
        return bridge

    def ports(
        self, ports: Mapping[PortId, Port | None], networks: Networks = NO_NETWORKS
    ) -> dict[HostName, dict[str, PrewiredPort | None]]:
        """Return which hosts must be told what of some ports, and take it as told; None says that a port is gone."""
        news: dict[HostName, dict[str, PrewiredPort | None]] = {}
        for port_id, port in ports.items():
            hosts = hosts_of(port)
            for name in tuple(self._hosts_of_port.get(port_id, ())):
                if name not in hosts:
                    self._put(name, port_id, None)
                    news.setdefault(name, {})[port_id] = None
            for host in hosts:
                row = None if port is None else port_row(port, host, _move_of(port, networks))
                if host in self._hosts and self._hosts[host].ports.get(port_id) != row:
                    self._put(host, port_id, row)
                    news.setdefault(host, {})[port_id] = row
        return news

    def holder(self, name: HostName, ofport: OfPort) -> PortId | None:
        """Return the port of a host whose row asks for an OpenFlow number."""
        host = self._hosts.get(name)
        return None if host is None else host.by_ofport.get(ofport)

    def forget(self, name: HostName) -> None:
        """Take a host as told nothing."""
        host = self._hosts.get(name)
        for port_id in tuple(host.ports) if host else ():
            self._put(name, port_id, None)
        self._hosts.pop(name, None)

    def _put(self, name: HostName, port_id: PortId, row: PrewiredPort | None) -> None:
        host, hosts = self._hosts[name], self._hosts_of_port.setdefault(port_id, set())
        old = host.ports.pop(port_id, None)
        if old is not None and host.by_ofport.get(old.ofport) == port_id:
            del host.by_ofport[old.ofport]
        hosts.discard(name)
        if row is not None:
            host.ports[port_id] = row
            host.by_ofport[row.ofport] = port_id
            hosts.add(name)
        if not hosts:
            del self._hosts_of_port[port_id]


def _move_of(port: Port, networks: Networks) -> Move | None:
    network = networks.get(port.network_id)
    return None if network is None else network.move
