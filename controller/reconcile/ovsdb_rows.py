"""Which OVSDB rows must a host have, and which of them does it not know about yet?

The bridge, its tunnel ports, a patch pair for every physical network, and a row for every bound port before its device
exists; while a port migrates it is bound to two hosts and has a row on both. Stated whole once, then by what changed.

The pairs are there whether or not a port needs them: a bridge misspelt is told when the host is registered, not when
the first guest is silent, and the first port of a segment waits for no new row. Without flows a pair carries nothing.

    32768..65199  bindings        65200..65277  patches, in the order of the host's physical networks
    65278         Geneve          65279         VXLAN, the last number OVS does not assign by itself
                                                (ovs-vswitchd.conf.db(5) Interface:ofport_request)
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256

from controller.reconcile.places import binding_on, hosts_of
from controller.reconcile.status import device_name
from controller.records import Host, HostName, OfPort, Port, PortId
from controller.southbound.ovsdb.model import (
    BridgeConfig,
    HostDesired,
    InterfaceRow,
    PatchPair,
    PrewiredPort,
    RowChanges,
    TunnelPort,
)

TUNNEL_TYPE = "vxlan"
TUNNEL_NAME = "weft-vxlan"
TUNNEL_OFPORT = OfPort(65279)
GENEVE_TYPE = "geneve"
GENEVE_NAME = "weft-geneve"
GENEVE_OFPORT = OfPort(65278)
PATCH_TYPE = "patch"
PATCH_OFPORTS = range(65200, 65278)
_TUNNELS = {TUNNEL_TYPE: (TUNNEL_NAME, TUNNEL_OFPORT), GENEVE_TYPE: (GENEVE_NAME, GENEVE_OFPORT)}
_NEAR, _FAR = "wi-", "wp-"
"""What the ends of a patch pair are called: on our bridge (integration), and on the provider bridge."""
_NAME_LENGTH = 15
"""Linux IFNAMSIZ less one; the schema asks it of no patch, but ip(8) and the manual do of every interface."""


def bridge_rows(host: Host, controller_target: str, *, geneve: bool = False) -> BridgeConfig:
    """Return the bridge a host must have; `geneve` says whether there are Geneve networks at all."""
    kinds = (TUNNEL_TYPE, GENEVE_TYPE) if geneve else (TUNNEL_TYPE,)
    return BridgeConfig(
        datapath_type=host.datapath_type,
        datapath_id=host.datapath_id,
        controller_target=controller_target,
        tunnels=() if host.tunnel_ip is None else tuple(_tunnel(kind, host.tunnel_ip) for kind in kinds),
        patches=patch_rows(host),
    )


def patch_rows(host: Host) -> tuple[PatchPair, ...]:
    """Return the patch pairs a host must have; there are numbers for 78 physical networks."""
    return _patches(host.physnets)


@lru_cache(maxsize=1024)
def _patches(physnets: tuple[tuple[str, str], ...]) -> tuple[PatchPair, ...]:
    return tuple(
        PatchPair(
            name=patch_name(bridge),
            far_name=_short(_FAR, bridge),
            bridge=bridge,
            physical_network=physnet,
            ofport=ofport,
        )
        for (physnet, bridge), ofport in zip(physnets, PATCH_OFPORTS, strict=False)
    )


def patch_name(bridge: str) -> str:
    """Return the name of our end of the patch pair to a provider bridge."""
    return _short(_NEAR, bridge)


def patch_ofport(host: Host, physnet: str) -> OfPort | None:
    """Return the OpenFlow number wanted for a host's way to a physical network, None when it has none."""
    return next((OfPort(pair.ofport) for pair in patch_rows(host) if pair.physical_network == physnet), None)


def tunnel_ofport(kind: str) -> OfPort | None:
    """Return the OpenFlow number wanted for the tunnel of a type of network, None when no tunnel carries it."""
    return _TUNNELS[kind][1] if kind in _TUNNELS else None


class Ways:
    """Which tunnels and patches has one host's switch really made? Owned by the reconciler's thread.

    A flow may use a number only when it was asked for, was given, and is given to the very port meant: a number that
    changes hands would join two physical networks.
    """

    def __init__(self) -> None:
        self._rows: dict[str, InterfaceRow] = {}

    @property
    def count(self) -> int:
        """How many tunnels and patches there are on the bridge, whatever their state."""
        return len(self._rows)

    def update(self, changes: RowChanges) -> bool:
        """Take in what became of a host's interfaces; return whether that changed any way."""
        before = dict(self._rows)
        if changes.whole:
            self._rows.clear()
        for uuid, row in changes.rows.items():
            self._rows.pop(uuid, None)
            if row is not None and (row.type == PATCH_TYPE or row.type in _TUNNELS):
                self._rows[uuid] = row
        return before != self._rows

    def patch(self, host: Host, physnet: str) -> OfPort | None:
        """Return the number of a host's way to a physical network, None while there is none."""
        for pair in patch_rows(host):
            if pair.physical_network == physnet:
                options = (("peer", pair.far_name),)
                return self._given(pair.name, PATCH_TYPE, OfPort(pair.ofport), options)
        return None

    def tunnel(self, kind: str) -> OfPort | None:
        """Return the number of the tunnel of a type of network, None while there is none."""
        if kind not in _TUNNELS:
            return None
        name, ofport = _TUNNELS[kind]
        return self._given(name, kind, ofport, None)

    def _given(
        self, name: str, kind: str, ofport: OfPort, options: tuple[tuple[str, str], ...] | None
    ) -> OfPort | None:
        for row in self._rows.values():
            if (row.name, row.type, row.ofport, row.ofport_request) == (name, kind, ofport, ofport):
                return ofport if row.live and options in {None, row.options} else None
        return None


def port_row(port: Port, host: HostName) -> PrewiredPort | None:
    """Return the row of a port on a host, None when it is not bound there."""
    binding = binding_on(port, host)
    if binding is None:
        return None
    return PrewiredPort(name=device_name(port.id), iface_id=port.id, mac=port.mac_address, ofport=binding.ofport)


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

    def whole(self, name: HostName, bridge: BridgeConfig, ports: Iterable[Port]) -> HostDesired:
        """Return everything a host whose bound ports are `ports` must have, and take it as told."""
        self.forget(name)
        self._hosts[name] = _Host(bridge)
        for port in ports:
            row = port_row(port, name)
            if row is not None:
                self._put(name, port.id, row)
        return HostDesired(bridge=bridge, prewired=frozenset(self._hosts[name].ports.values()))

    def bridge(self, name: HostName, bridge: BridgeConfig) -> BridgeConfig | None:
        """Return the bridge if a host was told of another one, and take it as told."""
        if self._hosts[name].bridge == bridge:
            return None
        self._hosts[name].bridge = bridge
        return bridge

    def ports(self, ports: Mapping[PortId, Port | None]) -> dict[HostName, dict[str, PrewiredPort | None]]:
        """Return which hosts must be told what of some ports, and take it as told; None says that a port is gone."""
        news: dict[HostName, dict[str, PrewiredPort | None]] = {}
        for port_id, port in ports.items():
            hosts = hosts_of(port)
            for name in tuple(self._hosts_of_port.get(port_id, ())):
                if name not in hosts:
                    self._put(name, port_id, None)
                    news.setdefault(name, {})[port_id] = None
            for host in hosts:
                row = None if port is None else port_row(port, host)
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


def _tunnel(kind: str, tunnel_ip: str) -> TunnelPort:
    name, ofport = _TUNNELS[kind]
    return TunnelPort(
        name=name,
        type=kind,
        ofport_request=ofport,
        options=(("key", "flow"), ("local_ip", tunnel_ip), ("remote_ip", "flow")),
    )


def _short(prefix: str, bridge: str) -> str:
    """Return a name for an end: the bridge's own where it fits, else its beginning and a digest of the whole."""
    if len(prefix + bridge) <= _NAME_LENGTH:
        return prefix + bridge
    return f"{prefix}{bridge[:5]}-{sha256(bridge.encode()).hexdigest()[:6]}"
