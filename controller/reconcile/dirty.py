"""Whom does a change concern?

Marks of what to look at again; marking too much costs time, marking too little is a bug.
"""

from controller.reconcile.model import Model
from controller.reconcile.translate import ipv4_number, segment_of
from controller.records import Host, HostName, Network, NetworkId, Port, PortId, Subnet
from flows.intent import Unit, UnitKind


class Dirty:
    """What one batch of events touches."""

    def __init__(self) -> None:
        self.units: dict[HostName, set[Unit]] = {}
        """Units to compile again, by host."""
        self.whole_hosts: set[HostName] = set()
        """Hosts of which every unit is to be compiled again."""
        self.rows: set[HostName] = set()
        """Hosts whose OVSDB rows are to be stated again."""
        self.ports: set[PortId] = set()
        """Ports whose status is to be decided again."""
        self.leases: set[PortId] = set()
        """Ports whose DHCP answer is to be made again."""

    def mark(self, host: HostName, unit: Unit) -> None:
        """Mark one unit of one host."""
        self.units.setdefault(host, set()).add(unit)

    def host(self, model: Model, name: HostName) -> None:
        """Mark everything of a host."""
        self.whole_hosts.add(name)
        self.rows.add(name)
        self.ports.update(port.id for port in model.ports_of_host(name))


def port_changed(dirty: Dirty, model: Model, old: Port | None, new: Port | None) -> None:
    """Mark whom a created, changed or deleted port concerns; the model already holds the new one."""
    for port in (old, new):
        if port is None:
            continue
        dirty.ports.add(port.id)
        dirty.leases.add(port.id)
        network = model.networks.get(port.network_id)
        bound = None if port.binding is None else port.binding.host
        hosts = set(model.members(port.network_id))
        if bound is not None:
            hosts.add(bound)
            dirty.rows.add(bound)
        for host in hosts:
            dirty.mark(host, Unit(UnitKind.LOCAL_PORT, port.key))
            dirty.mark(host, Unit(UnitKind.REMOTE_PORT, port.key))
            if network is not None:
                dirty.mark(host, Unit(UnitKind.SEGMENT, segment_of(network).key))
        if network is not None and bound is not None and _membership_turned(model, network.id, bound, old, new):
            for other in model.ports_of_network(network.id):
                dirty.mark(bound, Unit(UnitKind.LOCAL_PORT, other.key))
                dirty.mark(bound, Unit(UnitKind.REMOTE_PORT, other.key))


def _membership_turned(model: Model, network_id: NetworkId, host: HostName, old: Port | None, new: Port | None) -> bool:
    """Whether the change may have made the host the first or last with a port in the network."""
    was = old is not None and old.binding is not None and old.binding.host == host
    is_now = new is not None and new.binding is not None and new.binding.host == host
    count = model.members(network_id).get(host, 0)
    return was != is_now and count <= 1


def network_changed(dirty: Dirty, model: Model, old: Network | None, new: Network | None) -> None:
    """Mark whom a changed network concerns: all its ports, wherever they are."""
    network = new or old
    if network is None:
        return
    hosts = set(model.members(network.id))
    segments = {segment_of(n).key for n in (old, new) if n is not None}
    for port in model.ports_of_network(network.id):
        dirty.ports.add(port.id)
        dirty.leases.add(port.id)
        for host in hosts:
            dirty.mark(host, Unit(UnitKind.LOCAL_PORT, port.key))
            dirty.mark(host, Unit(UnitKind.REMOTE_PORT, port.key))
    for host in hosts:
        for key in segments:
            dirty.mark(host, Unit(UnitKind.SEGMENT, key))


def subnet_changed(dirty: Dirty, model: Model, old: Subnet | None, new: Subnet | None) -> None:
    """Mark whom a changed subnet concerns: the network's own addresses, and DHCP of every port."""
    for subnet in (old, new):
        network = None if subnet is None else model.networks.get(subnet.network_id)
        if network is None:
            continue
        for host in model.members(network.id):
            dirty.mark(host, Unit(UnitKind.SEGMENT, segment_of(network).key))
        for port in model.ports_of_network(network.id):
            dirty.leases.add(port.id)
            if port.binding is not None:
                dirty.mark(port.binding.host, Unit(UnitKind.LOCAL_PORT, port.key))


def host_changed(dirty: Dirty, model: Model, old: Host | None, new: Host | None) -> None:
    """Mark whom a registered, changed or removed host concerns: itself, its peers, and those that send to its ports."""
    for host in (old, new):
        if host is None:
            continue
        dirty.host(model, host.name)
        if host.tunnel_ip:
            for other in model.hosts:
                dirty.mark(other, Unit(UnitKind.PEER, ipv4_number(host.tunnel_ip)))
        for port in model.ports_of_host(host.name):
            for member in model.members(port.network_id):
                dirty.mark(member, Unit(UnitKind.REMOTE_PORT, port.key))
