"""What is against moving a network to another plug-in? Every reason, in sentences; nothing is stored here."""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import select

from controller.plugins.contract import Condition
from controller.plugins.dispatch import Candidate, objections_of
from controller.plugins.faces import GroupNeeds, asked_of, objections_to_port, objections_to_subnet
from controller.plugins.openflow import OpenFlowPlugin
from controller.plugins.registry import Loaded
from controller.records import Network, Port, Subnet
from controller.store.loading import SELECT_HOSTS, hosts_of, in_chunks
from controller.store.plugin_schema import PLUGIN_HOSTS
from controller.store.schema import HOSTS
from controller.store.transaction import Transaction

TUNNELLED = frozenset({"geneve", "vxlan"})


@dataclass(frozen=True, slots=True, kw_only=True)
class HostOfPlugin:
    """What a plug-in has on a host."""

    datapath_type: str
    tunnel_ip: str | None
    physnets: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ends:
    """Where one of the two plug-ins has devices."""

    plugin: str
    bridge: str | None
    """Its integration bridge; None if it names none."""
    hosts: Mapping[str, HostOfPlugin]
    """Those of the hosts concerned that it has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Journey:
    """A network with all that is in it, and the two plug-ins."""

    network: Network
    source: Loaded | None
    """None for one that does not work now."""
    target: Loaded
    ports: Sequence[Port]
    subnets: Sequence[Subnet]
    groups: GroupNeeds
    source_ends: Ends
    target_ends: Ends

    @property
    def is_there(self) -> bool:
        """Whether there is no way to go."""
        return self.network.plugin == self.target.plugin.name


def hosts_of_plugin(tx: Transaction, plugin: str, names: Collection[str]) -> dict[str, HostOfPlugin]:
    """Return those of some hosts that a plug-in has: registered for it, or found by it."""
    found: dict[str, HostOfPlugin] = {}
    for chunk in in_chunks(list(names)):
        own = SELECT_HOSTS.where(HOSTS.c.plugin == plugin, HOSTS.c.name.in_(chunk))
        for host in hosts_of(tx.connection, tx.connection.execute(own).all()):
            physnets = frozenset(physnet.name for physnet in host.physnets)
            found[host.name] = HostOfPlugin(
                datapath_type=host.datapath_type, tunnel_ip=host.tunnel_ip, physnets=physnets
            )
        shared = select(PLUGIN_HOSTS).where(PLUGIN_HOSTS.c.plugin == plugin, PLUGIN_HOSTS.c.host.in_(chunk))
        for row in tx.connection.execute(shared):
            physnets = frozenset(name for name, _bridge in json.loads(row.physnets))
            found[row.host] = HostOfPlugin(datapath_type=row.datapath_type, tunnel_ip=row.tunnel_ip, physnets=physnets)
    return found


def objections_of_content(journey: Journey) -> Iterator[str]:
    """Yield what the target cannot do of what the network, its subnets and its ports ask for."""
    target, network = journey.target, journey.network
    candidate = Candidate(plugin=target.plugin, advertisement=target.advertisement, condition=Condition.UP)
    for objection in objections_of(candidate, asked_of(network)):
        yield f"network: {objection.attribute}: {objection.reason}"
    for subnet in journey.subnets:
        for objection in objections_to_subnet(target, network, subnet):
            yield f"subnet {subnet.id}: {objection.attribute}: {objection.reason}"
    for port in journey.ports:
        for objection in objections_to_port(target, network, port, journey.groups):
            yield f"port {port.id}: {objection.attribute}: {objection.reason}"


def objections_of_places(journey: Journey) -> Iterator[str]:
    """Yield why the devices of the ports cannot get from the one plug-in's bridge to the other's where they are."""
    bound = [port for port in journey.ports if port.binding is not None]
    for port in bound:
        if port.standby is not None:
            yield f"port {port.id}: binding: it migrates to host {port.standby.host}; wait for the end of that"
    if not bound:
        return
    yield from _of_plugins(journey)
    name = journey.target.plugin.name
    for host in sorted({str(port.binding.host) for port in bound if port.binding is not None}):
        if host not in journey.target_ends.hosts:
            yield f"host {host}: plug-in '{name}' does not have it; let it carry both, or move its guests away"
        else:
            yield from _of_host(journey, host)


def _of_plugins(journey: Journey) -> Iterator[str]:
    source, target = journey.source_ends, journey.target_ends
    for loaded, ends in ((journey.source, source), (journey.target, target)):
        if loaded is None:
            yield f"plug-in '{ends.plugin}' does not work now, so nobody knows where it has the devices of bound ports"
        elif not loaded.plugin.prepares_moves:
            yield f"plug-in '{ends.plugin}' does not prepare moves: unbind the ports first"
        elif ends.bridge is None:
            yield f"plug-in '{ends.plugin}' names no bridge for the devices of bound ports"
    if source.bridge is not None and source.bridge == target.bridge:
        yield (
            f"both plug-ins have their devices on bridge {source.bridge}: give one another "
            "(for OVN integration_bridge under [plugins.ovn], and ovn-bridge on each chassis)"
        )
    if OpenFlowPlugin.name not in {source.plugin, target.plugin}:
        yield f"neither plug-in is '{OpenFlowPlugin.name}', and Weft reaches no other's devices: unbind the ports first"


def _of_host(journey: Journey, name: str) -> Iterator[str]:
    there = journey.target_ends.hosts[name]
    for segment in journey.network.segments:
        physnet = segment.physical_network
        if physnet is not None and physnet not in there.physnets:
            yield f"host {name}: plug-in '{journey.target_ends.plugin}' has no way to physical network {physnet} there"
    here = journey.source_ends.hosts.get(name)
    is_tunnelled = any(segment.network_type in TUNNELLED for segment in journey.network.segments)
    if is_tunnelled and here is not None and here.tunnel_ip is not None and here.tunnel_ip == there.tunnel_ip:
        yield (
            f"host {name}: both plug-ins end their tunnels at {there.tunnel_ip}, and Open vSwitch gives each packet to "
            "one of them: give one another address (for OVN ovn-encap-ip)"
        )
