"""What is asked for, in memory, with the indexes that say whom a change concerns?

The model is the store's intent and nothing else: what switches report is in `controller.reconcile.plugs`. It is owned
by one thread, the reconciler's.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from controller.reconcile.addresses import Addresses, prefix_of
from controller.reconcile.index import decrement, discard
from controller.reconcile.places import hosts_of
from controller.reconcile.rulesets import Rulesets
from controller.reconcile.sightings import Sightings
from controller.records import (
    AddressGroup,
    Host,
    HostName,
    Network,
    NetworkId,
    Port,
    PortId,
    PortKey,
    SecurityGroup,
    SegmentKey,
    Snapshot,
    Subnet,
)

_NOWHERE: Mapping[HostName, int] = MappingProxyType({})


class Model:
    """Networks, subnets, ports, hosts and groups, indexed by whom they concern."""

    def __init__(self) -> None:
        self.networks: dict[NetworkId, Network] = {}
        self.subnets: dict[str, Subnet] = {}
        self.ports: dict[PortId, Port] = {}
        self.hosts: dict[HostName, Host] = {}
        self.port_by_key: dict[PortKey, Port] = {}
        self.network_by_segment: dict[SegmentKey, NetworkId] = {}
        self.moving: set[NetworkId] = set()
        """Networks on their way from one plug-in to another."""
        self.addresses = Addresses()
        self.rulesets = Rulesets()
        self.sightings = Sightings()
        self._ports_of_network: dict[NetworkId, set[PortId]] = {}
        self._ports_of_host: dict[HostName, set[PortId]] = {}
        self._subnets_of_network: dict[NetworkId, set[str]] = {}
        self._members: dict[NetworkId, Counter[HostName]] = {}
        self._host_names: dict[str, HostName] = {}
        self._endpoints: Counter[str] = Counter()
        self._segment_types: Counter[str] = Counter()
        self.generation = 0
        """Another number after every change of what is asked for."""
        self.meetings = 0
        """Another number after every change of which hosts have ports in which networks, and by which segments."""

    @classmethod
    def of(cls, snapshot: Snapshot) -> "Model":
        """Return the model of a whole snapshot."""
        model = cls()
        for group in snapshot.security_groups:
            model.put_security_group(group.id, group)
        for address_group in snapshot.address_groups:
            model.put_address_group(address_group.id, address_group)
        for network in snapshot.networks:
            model.put_network(network.id, network)
        for subnet in snapshot.subnets:
            model.put_subnet(subnet.id, subnet)
        for port in snapshot.ports:
            model.put_port(port.id, port)
        for host in snapshot.hosts:
            model.put_host(host.id, host)
        for sighting in snapshot.sightings:
            model.sightings.put(sighting.id, sighting)
        return model

    def put_network(self, network_id: NetworkId, network: Network | None) -> Network | None:
        """Store a network, or forget it when None; return what was there."""
        self.generation += 1
        self.meetings += 1
        old = self.networks.pop(network_id, None)
        for segment in old.segments if old else ():
            self.network_by_segment.pop(segment.key, None)
            decrement(self._segment_types, segment.network_type)
        self.moving.discard(network_id)
        if network is None:
            self.sightings.drop(network_id=network_id)
        else:
            self.networks[network_id] = network
            if network.move is not None:
                self.moving.add(network_id)
            self.network_by_segment.update((s.key, network_id) for s in network.segments)
            self._segment_types.update(segment.network_type for segment in network.segments)
        return old

    def put_subnet(self, subnet_id: str, subnet: Subnet | None) -> Subnet | None:
        """Store a subnet, or forget it when None; return what was there."""
        self.generation += 1
        old = self.subnets.pop(subnet_id, None)
        if old is not None:
            discard(self._subnets_of_network, old.network_id, subnet_id)
        if old is not None and subnet is None:
            self.sightings.drop(network_id=old.network_id, subnet_id=subnet_id)
        if subnet is not None:
            self.subnets[subnet_id] = subnet
            self._subnets_of_network.setdefault(subnet.network_id, set()).add(subnet_id)
        return old

    def put_port(self, port_id: PortId, port: Port | None) -> Port | None:
        """Store a port, or forget it when None; return what was there."""
        self.generation += 1
        old = self.ports.pop(port_id, None)
        if old is not None:
            self.port_by_key.pop(old.key, None)
            discard(self._ports_of_network, old.network_id, port_id)
            self.addresses.remove(old)
            self.rulesets.remove_port(old)
            for host in hosts_of(old):
                discard(self._ports_of_host, host, port_id)
                decrement(self._members[old.network_id], host)
                if not self._members[old.network_id]:
                    del self._members[old.network_id]
        if old is not None and port is None:
            self.sightings.drop(network_id=old.network_id, port_id=port_id)
        if port is not None:
            self.ports[port_id] = port
            self.port_by_key[port.key] = port
            self._ports_of_network.setdefault(port.network_id, set()).add(port_id)
            self.addresses.add(port)
            self.rulesets.add_port(port)
            for host in hosts_of(port):
                self._ports_of_host.setdefault(host, set()).add(port_id)
                self._members.setdefault(port.network_id, Counter())[host] += 1
        was, now = _memberships(old), _memberships(port)
        # The first port that a host has of a network, or none any more.
        if any(self.members(network_id).get(host, 0) == ((network_id, host) in now) for network_id, host in was ^ now):
            self.meetings += 1
        return old

    def put_host(self, host_id: str, host: Host | None) -> Host | None:
        """Store a host, or forget it when None; return what was there."""
        self.generation += 1
        self.meetings += 1
        name = self._host_names.pop(host_id, None)
        old = None if name is None else self.hosts.pop(name, None)
        if old is not None and old.tunnel_ip:
            decrement(self._endpoints, old.tunnel_ip)
        if host is not None and host.tunnel_ip:
            self._endpoints[host.tunnel_ip] += 1
        if host is not None:
            self.hosts[host.name] = host
            self._host_names[host_id] = host.name
        return old

    def put_security_group(self, group_id: str, group: SecurityGroup | None) -> SecurityGroup | None:
        """Store a security group, or forget it when None; return what was there."""
        self.generation += 1
        return self.rulesets.put_group(group_id, group)

    def put_address_group(self, group_id: str, group: AddressGroup | None) -> AddressGroup | None:
        """Store an address group, or forget it when None; return what was there."""
        self.generation += 1
        return self.rulesets.put_address_group(group_id, group)

    def ports_of_network(self, network_id: NetworkId) -> Iterable[Port]:
        """Return every port of a network."""
        return [self.ports[i] for i in self._ports_of_network.get(network_id, ())]

    def ports_on(self, network_id: NetworkId, host: HostName) -> Iterable[Port]:
        """Return a network's ports bound to a host, those on standby too; costs as much as the fewer of both."""
        return [
            self.ports[i]
            for i in self._ports_of_network.get(network_id, frozenset()) & self._ports_of_host.get(host, frozenset())
        ]

    def ports_of_host(self, host: HostName) -> Iterable[Port]:
        """Return every port bound to a host, those on standby there too."""
        return [self.ports[i] for i in self._ports_of_host.get(host, ())]

    def subnets_of_network(self, network_id: NetworkId) -> Iterable[Subnet]:
        """Return every subnet of a network, in a fixed order."""
        return [self.subnets[i] for i in sorted(self._subnets_of_network.get(network_id, ()))]

    def members(self, network_id: NetworkId) -> Mapping[HostName, int]:
        """Return how many ports of the network are bound to each host that has any, those on standby too."""
        return self._members.get(network_id, _NOWHERE)

    def is_taken(self, network_id: NetworkId, address: str) -> bool:
        """Whether some port of the network owns the address, or may claim just this one (routers that share it)."""
        prefix = prefix_of(address)
        return self.addresses.is_owned(network_id, prefix) or self.addresses.is_pair(network_id, prefix)

    def has_segments(self, network_type: str) -> bool:
        """Whether some network has a segment of a type."""
        return self._segment_types[network_type] > 0

    def has_endpoint(self, tunnel_ip: str) -> bool:
        """Whether some host has this tunnel endpoint."""
        return self._endpoints[tunnel_ip] > 0

    def networks_of_host(self, host: HostName) -> set[NetworkId]:
        """Return the networks with a port bound to a host."""
        return {port.network_id for port in self.ports_of_host(host)}


def _memberships(port: Port | None) -> set[tuple[NetworkId, HostName]]:
    return set() if port is None else {(port.network_id, host) for host in hosts_of(port)}
