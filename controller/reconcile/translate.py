"""What does the model ask of one unit of one bridge? Records in, `flows.intent` values out; nothing is remembered."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import IPv4Address

from controller.reconcile import ipv6
from controller.reconcile.addresses import prefix_of
from controller.reconcile.alike import Remotes
from controller.reconcile.model import Model
from controller.reconcile.places import binding_on, hosts_of, moving_on
from controller.reconcile.plugs import Plugs
from controller.reconcile.rules import is_guarded, ruleset_of
from controller.reconcile.segments import is_provider, physnets_of, role_of, segment_on, segment_units
from controller.records import (
    Host,
    HostName,
    Network,
    NetworkId,
    OfPort,
    Port,
    PortKey,
    RuleKey,
    Segment,
    SegmentKey,
    Subnet,
)
from flows.intent import (
    DENY_ALL,
    PROMISCUOUS,
    AddressGroupIntent,
    BaseIntent,
    Guard,
    LocalPortIntent,
    Owned,
    PeerIntent,
    Prefix,
    RemotePortIntent,
    RulesetIntent,
    SegmentIntent,
    Unit,
    UnitIntent,
    UnitKind,
    Wire,
)

SERVICE_MAC = "02:57:45:46:54:01"
"""Locally administered (IEEE 802 section 8.2): the network's own address towards guests."""
LINK_LOCAL_SERVER = "169.254.0.1"
"""DHCP server identifier where no gateway's can be used (RFC 3927: an address no router forwards)."""
IPV4 = 4
"""Neutron's `ip_version`."""


def mac_number(mac: str) -> int:
    """Return a MAC address as 48 bits."""
    return int(mac.replace(":", ""), 16)


@lru_cache(maxsize=4096)
def ipv4_number(address: str) -> int:
    """Return an IPv4 address as 32 bits."""
    return int(IPv4Address(address))


def server_id(network: Network, subnet: Subnet) -> str:
    """Return the DHCP server identifier of an IPv4 subnet (RFC 2132 section 9.7), which the network answers ARP for.

    The gateway of a provider network is a router out there, and answers for itself.
    """
    return LINK_LOCAL_SERVER if is_provider(network) else subnet.gateway_ip or LINK_LOCAL_SERVER


def dhcp_subnet(model: Model, port: Port) -> tuple[Subnet, str] | None:
    """Return the subnet whose DHCP serves the port, and the port's address there, or None."""
    for fixed in port.fixed_ips:
        subnet = model.subnets.get(fixed.subnet_id)
        if subnet is not None and subnet.ip_version == IPV4 and subnet.enable_dhcp:
            return subnet, fixed.ip_address
    return None


def is_up(network: Network | None, port: Port) -> bool:
    """Whether the administrator lets the port's traffic pass at all."""
    return network is not None and network.admin_state_up and port.admin_state_up


def guards_of(network: Network, port: Port) -> tuple[Guard, ...]:
    """Return the sources a guarded port may use: its addresses and its allowed pairs."""
    if not is_guarded(port):
        return ()
    mac = mac_number(port.mac_address)
    guards = {Guard(mac, prefix_of(fixed.ip_address)) for fixed in port.fixed_ips}
    guards.update(Guard(pair_mac, prefix) for pair_mac, prefix in pairs_of(network, port))
    return tuple(sorted(guards))


def pairs_of(network: Network, port: Port) -> Iterator[tuple[int, Prefix]]:
    """Yield the allowed pairs of a port that count.

    Other hosts know the role of an isolated or community port by its MAC address: with another one it could pass for
    somebody else, so it may not use any.
    """
    own = mac_number(port.mac_address)
    is_bound_to_its_mac = role_of(network, port) != PROMISCUOUS
    for text, address in port.allowed_address_pairs:
        mac = mac_number(text) if text else own
        if mac == own or not is_bound_to_its_mac:
            yield mac, prefix_of(address)


def owned_by(model: Model, network: Network, port: Port) -> tuple[Owned, ...]:
    """Return the addresses a port stands for, each once.

    The network answers ARP and ND for a fixed address that nobody else may have, and that is not the gateway of a
    provider network. On an external network a router answers for addresses it translates, so nothing is answered.
    Nor is for isolated and community ports: whom the asker may not talk to (RFC 5517 section 3) it must not learn
    either, and the directory does not know who asks. Their promiscuous neighbours ask them themselves.
    """
    is_told = not network.router_external and role_of(network, port) == PROMISCUOUS
    mac = mac_number(port.mac_address)
    owned: dict[Prefix, Owned] = {}
    shared: set[Prefix] = set()
    for pair, prefix in pairs_of(network, port):
        known = owned.get(prefix)
        owned[prefix] = Owned(prefix, pair if known is None else min(pair, known.mac), answered=False, pair=True)
        if pair != mac:
            shared.add(prefix)
    for fixed in port.fixed_ips:
        address = prefix_of(fixed.ip_address)
        is_answered = (
            is_told
            and address not in shared
            and not model.addresses.is_claimed(network.id, address, besides=port.id)
            and not (is_provider(network) and _is_gateway(model, fixed.subnet_id, fixed.ip_address))
        )
        owned[address] = Owned(address, mac, answered=is_answered)
    return tuple(sorted(owned.values()))


def watched_in(model: Model, network_id: NetworkId) -> tuple[Prefix, ...]:
    """Return the subnets of a network in which it is asked who uses an address."""
    return tuple(sorted(prefix_of(subnet.cidr) for subnet in model.subnets_of_network(network_id)))


def _is_gateway(model: Model, subnet_id: str, address: str) -> bool:
    subnet = model.subnets.get(subnet_id)
    return subnet is not None and subnet.gateway_ip is not None and prefix_of(subnet.gateway_ip) == prefix_of(address)


@dataclass(frozen=True, slots=True, kw_only=True)
class BridgeView:
    """One host as the translation sees it: the intent, and what is plugged there."""

    model: Model
    host: Host
    plugs: Plugs
    remotes: Remotes = field(default_factory=Remotes)
    """Shared by the views of one model."""

    def units(self) -> Iterator[Unit]:
        """Yield every unit this bridge may have."""
        yield Unit(UnitKind.BASE, 0)
        for peer in self.model.hosts.values():
            if peer.tunnel_ip:
                yield Unit(UnitKind.PEER, ipv4_number(peer.tunnel_ip))
        for port in self.model.ports_of_host(self.host.name):
            yield Unit(UnitKind.LOCAL_PORT, port.key)
        for network_id in self.model.networks_of_host(self.host.name):
            network = self.model.networks.get(network_id)
            if network is not None:
                yield from segment_units(network)
            for port in self.model.ports_of_network(network_id):
                yield Unit(UnitKind.REMOTE_PORT, port.key)
        yield from self._rule_units()

    def _rule_units(self) -> Iterator[Unit]:
        rulesets = self.model.rulesets
        here = rulesets.of_host(self.host.name)
        for ruleset in here:
            yield Unit(UnitKind.RULESET, ruleset)
        for key in {key for ruleset in here for key in rulesets.address_groups_of(ruleset)}:
            yield Unit(UnitKind.ADDRESS_GROUP, key)

    def intent(self, unit: Unit) -> UnitIntent | None:
        """Return what a unit must realise here, or None when it has nothing to do on this bridge."""
        match unit.kind:
            case UnitKind.BASE:
                return BaseIntent()
            case UnitKind.PEER:
                return self._peer(unit.key)
            case UnitKind.SEGMENT:
                return self._segment(SegmentKey(unit.key))
            case UnitKind.LOCAL_PORT:
                return self._local(PortKey(unit.key))
            case UnitKind.REMOTE_PORT:
                return self._remote(PortKey(unit.key))
            case UnitKind.RULESET:
                return self._ruleset(unit.key)
            case UnitKind.ADDRESS_GROUP:
                return self._address_group(RuleKey(unit.key))

    def wired_ofport(self, port: Port) -> OfPort | None:
        """Return the OpenFlow number the port's flows are for on this host, or None when it may not be wired.

        The number is that of the one live device; before the device exists it is the number requested for it, unless
        some other device has that number.
        """
        binding = binding_on(port, self.host.name)
        if binding is None:
            return None
        plug = self.plugs.plug(port.id)
        if plug.live:
            return plug.ofport
        return binding.ofport if binding.ofport not in self.plugs.ofports else None

    def _tunnel(self, segment: Segment) -> OfPort | None:
        """Return the tunnel port that carries a segment, None when it is none for tunnels or the port is not there."""
        return self.plugs.ways.tunnel(segment.network_type) if self.host.tunnel_ip else None

    def _wire(self, segment: Segment) -> Wire | None:
        """Return this host's way to the physical network of a segment, None when there is none."""
        physnet = segment.physical_network
        ofport = None if physnet is None else self.plugs.ways.patch(self.host, physnet)
        if ofport is None:
            return None
        return Wire(ofport=ofport, vlan=segment.segmentation_id)

    def _peer(self, endpoint: int) -> PeerIntent | None:
        if self.host.tunnel_ip is None or ipv4_number(self.host.tunnel_ip) == endpoint:
            return None
        tunnels = sorted(self.plugs.ways.tunnels.values(), reverse=True)
        if tunnels and self.model.has_endpoint(str(IPv4Address(endpoint))):
            return PeerIntent(tunnel_ofport=tunnels[0], more_ofports=tuple(tunnels[1:]), endpoint=endpoint)
        return None

    def _segment(self, key: SegmentKey) -> SegmentIntent | None:
        network = self.model.networks.get(self.model.network_by_segment.get(key, NetworkId("")))
        if network is None or self.host.name not in self.model.members(network.id):
            return None
        segment = segment_on(network, self.host)
        if segment.key != key:
            return None
        servers = {
            server_id(network, subnet)
            for subnet in self.model.subnets_of_network(network.id)
            if subnet.ip_version == IPV4 and subnet.enable_dhcp
        }
        free = (server for server in servers if not self.model.is_taken(network.id, server))
        return SegmentIntent(
            segment=key,
            service_mac=mac_number(SERVICE_MAC),
            service_addresses=tuple(sorted(ipv4_number(server) for server in free)),
            wire=self._wire(segment),
            private=network.pvlan,
            watched=() if self._wire(segment) is None else watched_in(self.model, network.id),
            seen=() if self._wire(segment) is None else self.model.sightings.fresh(network.id),
        )

    def _local(self, key: PortKey) -> LocalPortIntent | None:
        port = self.model.port_by_key.get(key)
        network = None if port is None else self.model.networks.get(port.network_id)
        binding = None if port is None else binding_on(port, self.host.name)
        if port is None or binding is None or network is None or not is_up(network, port):
            return None
        ofport = self.wired_ofport(port)
        if ofport is None:
            return None
        return LocalPortIntent(
            port=key,
            segment=segment_on(network, self.host).key,
            ofport=ofport,
            mac=mac_number(port.mac_address),
            number=binding.ofport,
            guarded=is_guarded(port),
            guards=guards_of(network, port),
            owned=owned_by(self.model, network, port),
            ruleset=ruleset_of(port),
            groups=self._groups(port),
            dhcp=dhcp_subnet(self.model, port) is not None,
            dhcp6=ipv6.is_served(self.model, port),
            router=ipv6.is_advertised(self.model, network.id) and not ipv6.is_router(self.model, port),
            role=role_of(network, port),
            moving=moving_on(port, self.host.name),
            watched=() if is_guarded(port) else watched_in(self.model, network.id),
            seen=() if is_guarded(port) else self.model.sightings.fresh(network.id, behind=port.id),
        )

    def _remote(self, key: PortKey) -> RemotePortIntent | None:
        port = self.model.port_by_key.get(key)
        network = None if port is None else self.model.networks.get(port.network_id)
        if port is None or network is None or not is_up(network, port):
            return None
        if self.host.name not in self.model.members(network.id):
            return None
        segment = segment_on(network, self.host)
        if self._has(port):
            return self._sent_to(port, network, segment)
        # Nothing of this host but its way to the segment matters.
        way = key, segment.key, self._wire(segment), self._tunnel(segment)
        return self.remotes.of(way, self.model, lambda: self._sent_to(port, network, segment))

    def _sent_to(self, port: Port, network: Network, segment: Segment) -> RemotePortIntent | None:
        wire, tunnel = self._wire(segment), self._tunnel(segment)
        peers = [host for name in hosts_of(port) if (host := self._peer_on(network, segment, name)) is not None]
        endpoints = [ipv4_number(host.tunnel_ip) for host in peers if host.tunnel_ip]
        is_awaited = not peers or (wire is None and (tunnel is None or not endpoints))
        if is_awaited and (wire is None or role_of(network, port) == PROMISCUOUS or self._has(port)):
            return None
        return RemotePortIntent(
            port=port.key,
            segment=segment.key,
            vni=0 if wire else segment.segmentation_id or 0,
            mac=mac_number(port.mac_address),
            endpoint=0 if wire else endpoints[0],
            tunnel_ofport=0 if wire else tunnel or 0,
            owned=owned_by(self.model, network, port),
            ruleset=ruleset_of(port),
            groups=self._groups(port),
            role=role_of(network, port),
            private=network.pvlan,
            takes_unknown=not is_guarded(port),
            wire=wire,
            moving=binding_on(port, self.host.name) is not None,
            also=None if wire or len(endpoints) == 1 else endpoints[1],
            awaited=is_awaited,
        )

    def _has(self, port: Port) -> bool:
        return binding_on(port, self.host.name) is not None

    def _peer_on(self, network: Network, segment: Segment, name: HostName) -> Host | None:
        """Return another host if it is on the same segment of a network; nothing joins segments."""
        host = self.model.hosts.get(name)
        if host is None or name == self.host.name or segment_on(network, host).key != segment.key:
            return None
        return host if segment.physical_network in {None, *physnets_of(host)} else None

    def _groups(self, port: Port) -> tuple[int, ...]:
        return self.model.rulesets.keys_of(port) if ruleset_of(port) > DENY_ALL else ()

    def _ruleset(self, key: int) -> RulesetIntent | None:
        rulesets = self.model.rulesets
        return rulesets.intent(key) if self.host.name in rulesets.hosts(key) else None

    def _address_group(self, key: RuleKey) -> AddressGroupIntent | None:
        group = self.model.rulesets.address_group_by_key.get(key)
        if group is None or not self.model.rulesets.has_address_group(self.host.name, group.id):
            return None
        return AddressGroupIntent(key=key, prefixes=tuple(sorted({prefix_of(one) for one in group.addresses})))
