"""Whom does a change concern?

Marks of what to look at again; marking too much costs time, marking too little is a bug.
"""

from collections.abc import Collection, Iterable

from controller.reconcile.addresses import claims_of, prefix_of
from controller.reconcile.feed import Changes
from controller.reconcile.ipv6 import IPV6, is_advertised, is_router
from controller.reconcile.model import Model
from controller.reconcile.places import hosts_of
from controller.reconcile.rulesets import references, uses_of
from controller.reconcile.segments import is_provider, segment_units
from controller.reconcile.translate import ipv4_number
from controller.reconcile.ways import GENEVE_TYPE
from controller.records import (
    AddressGroup,
    Host,
    HostName,
    Network,
    NetworkId,
    Port,
    PortId,
    PortKey,
    RuleKey,
    SecurityGroup,
    SegmentKey,
    Subnet,
)
from controller.sighting_records import Sighting
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
        """Ports whose DHCP answers are to be made again."""
        self.routers: set[NetworkId] = set()
        """Networks whose router advertisements are to be made again."""

    def mark(self, host: HostName, unit: Unit) -> None:
        """Mark one unit of one host."""
        self.units.setdefault(host, set()).add(unit)

    def host(self, model: Model, name: HostName) -> None:
        """Mark everything of a host."""
        self.whole_hosts.add(name)
        self.rows.add(name)
        self.ports.update(port.id for port in model.ports_of_host(name))


def take_in(dirty: Dirty, model: Model, changes: Changes) -> None:
    """Bring changes of anything but hosts into the model and mark whom they concern.

    What others refer to comes before them and goes after them: networks and groups around ports.
    """
    had_geneve = model.has_segments(GENEVE_TYPE)
    for network_id, network in changes.networks.items():
        if network is not None:
            network_changed(dirty, model, model.put_network(network_id, network), network)
    for subnet_id, subnet in changes.subnets.items():
        subnet_changed(dirty, model, model.put_subnet(subnet_id, subnet), subnet)
    _groups_taken_in(dirty, model, changes, is_gone=False)
    for port_id, port in changes.ports.items():
        port_changed(dirty, model, model.put_port(port_id, port), port)
    _groups_taken_in(dirty, model, changes, is_gone=True)
    for network_id, network in changes.networks.items():
        if network is None:
            network_changed(dirty, model, model.put_network(network_id, None), None)
    for sighting_id, sighting in changes.sightings.items():
        sighting_changed(dirty, model, model.sightings.put(sighting_id, sighting), sighting)
    if model.has_segments(GENEVE_TYPE) != had_geneve:
        dirty.rows.update(model.hosts)  # its tunnel is made on all of them when there is something to carry


def _groups_taken_in(dirty: Dirty, model: Model, changes: Changes, *, is_gone: bool) -> None:
    """Take those security groups and address groups in that are still there, or those that are gone."""
    for group_id, addresses in changes.address_groups.items():
        if (addresses is None) is is_gone:
            address_group_changed(dirty, model, model.put_address_group(group_id, addresses), addresses)
    for group_id, group in changes.security_groups.items():
        if (group is None) is is_gone:
            security_group_changed(dirty, model, model.put_security_group(group_id, group), group)


def port_changed(dirty: Dirty, model: Model, old: Port | None, new: Port | None) -> None:
    """Mark whom a created, changed or deleted port concerns; the model already holds the new one.

    While it migrates it is a port of two hosts, and every member of its network sees it.
    """
    for port in (old, new):
        if port is None:
            continue
        dirty.ports.add(port.id)
        dirty.leases.add(port.id)
        network = model.networks.get(port.network_id)
        bound = hosts_of(port)
        dirty.rows.update(bound)
        for host in {*model.members(port.network_id), *bound}:
            dirty.mark(host, Unit(UnitKind.LOCAL_PORT, port.key))
            dirty.mark(host, Unit(UnitKind.REMOTE_PORT, port.key))
            if network is not None:
                dirty.units[host].update(segment_units(network))
        if network is None:
            continue
        for host in bound:
            if _membership_turned(model, network.id, host, old, new):
                for other in model.ports_of_network(network.id):
                    dirty.mark(host, Unit(UnitKind.LOCAL_PORT, other.key))
                    dirty.mark(host, Unit(UnitKind.REMOTE_PORT, other.key))
        if is_advertised(model, network.id) and is_router(model, port):
            dirty.routers.add(network.id)
    _rules_needed(dirty, model, old, new)
    _claims_changed(dirty, model, old, new)


def _rules_needed(dirty: Dirty, model: Model, old: Port | None, new: Port | None) -> None:
    """Mark the rules that a host needs with its first port that has them, or no more after its last."""
    was, now = set(uses_of(old)), set(uses_of(new))
    for port, uses, first_or_last in ((old, was - now, 0), (new, now - was, 1)):
        for host, ruleset in uses:
            if port is not None and model.rulesets.hosts(ruleset).get(host, 0) == first_or_last:
                groups = model.rulesets.address_groups_referred(port.security_group_ids)
                _mark_rules(dirty, (host,), ruleset, groups)


def _mark_rules(dirty: Dirty, hosts: Iterable[HostName], ruleset: int, address_groups: Collection[RuleKey]) -> None:
    for host in hosts:
        dirty.mark(host, Unit(UnitKind.RULESET, ruleset))
        for key in address_groups:
            dirty.mark(host, Unit(UnitKind.ADDRESS_GROUP, key))


def _claims_changed(dirty: Dirty, model: Model, old: Port | None, new: Port | None) -> None:
    """Mark the ports whose addresses an allowed pair claims now, or claims no more: they are answered for or not."""
    port = new or old
    changed = claims_of(old) ^ claims_of(new)
    if port is None:
        return
    for claim in changed:
        for owner in model.addresses.owners_within(port.network_id, claim):
            _mark_everywhere(dirty, model, model.ports[owner])


def _mark_everywhere(dirty: Dirty, model: Model, port: Port) -> None:
    bound = hosts_of(port)
    for host in model.members(port.network_id) if bound else ():
        if host in bound:
            dirty.mark(host, Unit(UnitKind.LOCAL_PORT, port.key))
        if bound != (host,):
            dirty.mark(host, Unit(UnitKind.REMOTE_PORT, port.key))


def security_group_changed(dirty: Dirty, model: Model, old: SecurityGroup | None, new: SecurityGroup | None) -> None:
    """Mark whom a changed security group concerns: the hosts with ports of it.

    Its members are no matter of the group: they are flows of the ports. Rules that refer to a group are concerned only
    when it comes or goes.
    """
    group = new or old
    if group is None:
        return
    remotes = references(old) | references(new)
    found = (model.rulesets.address_groups.get(remote) for remote in remotes)
    addresses = {one.key for one in found if one is not None}
    for ruleset in model.rulesets.with_group(group.id):
        _mark_rules(dirty, model.rulesets.hosts(ruleset), ruleset, addresses)
    if (old is None) != (new is None):
        for ruleset in model.rulesets.rulesets_referring(group.id):
            _mark_rules(dirty, model.rulesets.hosts(ruleset), ruleset, ())
        _members_named(dirty, model, group)


def _members_named(dirty: Dirty, model: Model, group: SecurityGroup) -> None:
    """Mark the ports that were read before their group was, as happens where a long journal is read in parts."""
    rulesets = model.rulesets.with_group(group.id)
    for host in {host for ruleset in rulesets for host in model.rulesets.hosts(ruleset)}:
        for port in model.ports_of_host(host):
            if group.id in port.security_group_ids:
                _mark_everywhere(dirty, model, port)


def address_group_changed(dirty: Dirty, model: Model, old: AddressGroup | None, new: AddressGroup | None) -> None:
    """Mark whom a changed address group concerns: the hosts whose rules refer to it."""
    group = new or old
    if group is None:
        return
    turned = (old is None) != (new is None)
    for ruleset in model.rulesets.rulesets_referring(group.id):
        for host in model.rulesets.hosts(ruleset):
            dirty.mark(host, Unit(UnitKind.ADDRESS_GROUP, group.key))
            if turned:
                dirty.mark(host, Unit(UnitKind.RULESET, ruleset))


def _membership_turned(model: Model, network_id: NetworkId, host: HostName, old: Port | None, new: Port | None) -> bool:
    """Whether the change may have made the host the first or last with a port in the network."""
    was, is_now = host in hosts_of(old), host in hosts_of(new)
    count = model.members(network_id).get(host, 0)
    return was != is_now and count <= 1


def network_changed(dirty: Dirty, model: Model, old: Network | None, new: Network | None) -> None:
    """Mark whom a changed network concerns: all its ports, wherever they are."""
    network = new or old
    if network is None:
        return
    hosts = set(model.members(network.id))
    segments = {unit for n in (old, new) if n is not None for unit in segment_units(n)}
    dirty.routers.add(network.id)
    for port in model.ports_of_network(network.id):
        dirty.ports.add(port.id)
        dirty.leases.add(port.id)
        for host in hosts:
            dirty.mark(host, Unit(UnitKind.LOCAL_PORT, port.key))
            dirty.mark(host, Unit(UnitKind.REMOTE_PORT, port.key))
    for host in hosts:
        dirty.units.setdefault(host, set()).update(segments)


def subnet_changed(dirty: Dirty, model: Model, old: Subnet | None, new: Subnet | None) -> None:
    """Mark whom a changed subnet concerns: the network's own addresses, and DHCP of every port."""
    for subnet in (old, new):
        network = None if subnet is None else model.networks.get(subnet.network_id)
        if network is None:
            continue
        for host in model.members(network.id):
            dirty.units.setdefault(host, set()).update(segment_units(network))
        for port in model.ports_of_network(network.id):
            dirty.leases.add(port.id)
            for host in hosts_of(port):
                dirty.mark(host, Unit(UnitKind.LOCAL_PORT, port.key))
        if subnet is not None and subnet.ip_version == IPV6:
            dirty.routers.add(network.id)
        if subnet is not None and subnet.gateway_ip is not None and is_provider(network):
            for owner in model.addresses.owners_within(network.id, prefix_of(subnet.gateway_ip)):
                _mark_everywhere(dirty, model, model.ports[owner])


def sighting_changed(dirty: Dirty, model: Model, old: Sighting | None, new: Sighting | None) -> None:
    """Mark whom it concerns that somebody was seen to use an address: those who tell of it, and the ports that have it.

    The model already holds the new one.
    """
    for sighting in (old, new):
        if sighting is None:
            continue
        listened_again(dirty, model, sighting)
        dirty.ports.update(model.addresses.owners_within(sighting.network_id, prefix_of(sighting.ip_address)))


def listened_again(dirty: Dirty, model: Model, sighting: Sighting) -> None:
    """Mark those who tell who uses an address: whether they are to say it again has turned."""
    network = model.networks.get(sighting.network_id)
    if network is None:
        return
    if is_provider(network):
        for host in model.members(network.id):
            dirty.units.setdefault(host, set()).update(segment_units(network))
    port = None if sighting.port_id is None else model.ports.get(sighting.port_id)
    if port is not None:
        for host in hosts_of(port):
            dirty.mark(host, Unit(UnitKind.LOCAL_PORT, port.key))


def units_settled(dirty: Dirty, model: Model, host: HostName, units: Iterable[Unit]) -> None:
    """Mark the ports whose flows a host's switch has confirmed or refused."""
    for unit in units:
        port = model.port_by_key.get(PortKey(unit.key)) if unit.kind == UnitKind.LOCAL_PORT else None
        if port is not None:
            dirty.ports.add(port.id)
        network_id = model.network_by_segment.get(SegmentKey(unit.key)) if unit.kind == UnitKind.SEGMENT else None
        members = () if network_id is None else model.ports_on(network_id, host)
        dirty.ports.update(p.id for p in members if p.binding and p.binding.host == host)


def rules_judged(dirty: Dirty, model: Model, host: HostName, units: Iterable[Unit]) -> None:
    """Mark a host's ports when rules were refused there, or accepted after all."""
    if any(unit.kind in {UnitKind.RULESET, UnitKind.ADDRESS_GROUP} for unit in units):
        dirty.ports.update(port.id for port in model.ports_of_host(host))


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
