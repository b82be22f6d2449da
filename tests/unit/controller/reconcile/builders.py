"""Records for tests of what is in memory, with every default filled in."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from controller.reconcile.alike import Compiled, Remotes
from controller.reconcile.bridge import Bridge
from controller.reconcile.dirty import Dirty, host_changed, take_in
from controller.reconcile.feed import Changes
from controller.reconcile.model import Model
from controller.reconcile.translate import BridgeView
from controller.records import (
    AddressGroup,
    Binding,
    FixedIp,
    Host,
    HostName,
    Network,
    NetworkId,
    OfPort,
    Port,
    PortId,
    PortKey,
    PortStatus,
    RuleKey,
    SecurityGroup,
    SecurityGroupRule,
    Segment,
    SegmentId,
    SegmentKey,
    Subnet,
    SubnetId,
)
from controller.sighting_records import How, Sighting
from controller.southbound.ovsdb.model import HostView, RowChanges
from controller.store.physnets import numbered
from flows.delta import Delta
from flows.intent import LocalPortIntent, RemotePortIntent, RulesetIntent, Unit, UnitKind
from tests.unit.controller.reconcile.world import way_rows

NOW = datetime(2026, 1, 1, tzinfo=UTC)
_STAMPS: dict[str, Any] = {"created_at": NOW, "updated_at": NOW, "revision_number": 1}


def a_segment(
    number: int = 1, kind: str = "vxlan", physical_network: str | None = None, *, key: int | None = None
) -> Segment:
    """A segment of network ``n1``, ``n2``, ..., with the network's number as its key unless another is given."""
    return Segment(
        id=SegmentId(f"s{key or number}"),
        key=SegmentKey(key or number),
        network_id=NetworkId(f"n{number}"),
        network_type=kind,
        physical_network=physical_network,
        segmentation_id=None if kind == "flat" else 100 + (key or number),
    )


def a_network(number: int = 1, *segments: Segment, physical_network: str | None = None, **more: Any) -> Network:
    """Network ``n1``, ``n2``, ...: VXLAN, or flat when a physical network is named, or with the given segments."""
    segment = a_segment(number, "vxlan" if physical_network is None else "flat", physical_network)
    values: dict[str, Any] = {
        "id": NetworkId(f"n{number}"),
        "project_id": "p",
        "name": "",
        "description": "",
        "admin_state_up": True,
        "mtu": 1450,
        "shared": False,
        "router_external": False,
        "port_security_enabled": True,
        "plugin": "openflow",
        "segments": segments or (segment,),
        "subnet_ids": (),
        **_STAMPS,
        **more,
    }
    return Network(**values)


def a_subnet(network: int = 1, cidr: str = "10.0.0.0/24", **more: Any) -> Subnet:
    """The subnet ``n1-4`` or ``n1-6`` of network ``n1``."""
    version = 6 if ":" in cidr else 4
    values: dict[str, Any] = {
        "id": SubnetId(f"n{network}-{version}"),
        "project_id": "p",
        "network_id": NetworkId(f"n{network}"),
        "name": "",
        "description": "",
        "ip_version": version,
        "cidr": cidr,
        "gateway_ip": None,
        "enable_dhcp": version == 4,
        "ipv6_ra_mode": None,
        "ipv6_address_mode": None,
        "allocation_pools": (),
        "dns_nameservers": (),
        "host_routes": (),
        **_STAMPS,
        **more,
    }
    return Subnet(**values)


def a_sighting(
    number: int = 9, address: str = "10.0.0.9", *, network: int = 1, port: int | None = None, how: How = How.USED
) -> Sighting:
    """Somebody with MAC address fe:...:09 was seen with an address, behind a port or on the physical network."""
    version = 6 if ":" in address else 4
    return Sighting(
        id=f"seen-{network}-{address}-{number}",
        network_id=NetworkId(f"n{network}"),
        subnet_id=f"n{network}-{version}",
        ip_address=address,
        mac_address=f"fe:00:00:00:00:{number:02x}",
        how=how,
        host=HostName("h1"),
        port_id=None if port is None else PortId(f"p{port}"),
        first_seen=1,
        last_seen=1,
    )


def a_port(
    number: int = 1,
    *addresses: str,
    network: int = 1,
    host: str | None = "h1",
    groups: Iterable[str] = (),
    ruleset: int | None = None,
    pairs: Iterable[tuple[str, str]] = (),
    standby: str | None = None,
    **more: Any,
) -> Port:
    """Port ``p1``, ``p2``, ...; a single group's key is the number in its name, as ``g16``.

    Its OpenFlow number is 32768 and its own, on a host it migrates to 100 more.
    """
    ids = tuple(sorted(groups))
    binding = None if host is None else _a_binding(host, 32768 + number, active=True)
    fixed = (FixedIp(subnet_id=SubnetId(f"n{network}-{6 if ':' in a else 4}"), ip_address=a) for a in addresses)
    values: dict[str, Any] = {
        "id": PortId(f"p{number}"),
        "key": PortKey(number),
        "project_id": "p",
        "network_id": NetworkId(f"n{network}"),
        "name": "",
        "description": "",
        "mac_address": f"fa:16:3e:00:00:{number:02x}",
        "admin_state_up": True,
        "status": PortStatus.DOWN,
        "device_id": "",
        "device_owner": "",
        "port_security_enabled": True,
        "fixed_ips": tuple(fixed),
        "allowed_address_pairs": tuple(pairs),
        "security_group_ids": ids,
        "ruleset": RuleKey(ruleset or (int(ids[0][1:]) if ids else 1)),
        "extra_dhcp_opts": (),
        "vnic_type": "normal",
        "profile": {},
        "binding": binding,
        "standby": None if standby is None else _a_binding(standby, 32868 + number, active=False),
        **_STAMPS,
        **more,
    }
    return Port(**values)


def _a_binding(host: str, ofport: int, *, active: bool) -> Binding:
    return Binding(host=HostName(host), vnic_type="normal", profile={}, active=active, ofport=OfPort(ofport))


def a_rule(rule_id: str = "r1", *, group: str = "g16", direction: str = "ingress", **more: Any) -> SecurityGroupRule:
    values: dict[str, Any] = {
        "id": rule_id,
        "project_id": "p",
        "security_group_id": group,
        "direction": direction,
        "ethertype": "IPv4",
        "protocol": None,
        "port_range_min": None,
        "port_range_max": None,
        "remote_ip_prefix": None,
        "remote_group_id": None,
        "remote_address_group_id": None,
        "description": "",
        **_STAMPS,
        **more,
    }
    return SecurityGroupRule(**values)


def a_group(key: int = 16, *rules: SecurityGroupRule, stateful: bool = True) -> SecurityGroup:
    """Security group ``g16``, ``g17``, ..."""
    return SecurityGroup(
        id=f"g{key}",
        key=RuleKey(key),
        project_id="p",
        name="",
        description="",
        stateful=stateful,
        rules=rules,
        **_STAMPS,
    )


def an_address_group(key: int, *addresses: str) -> AddressGroup:
    """Address group ``a50``, ``a51``, ..."""
    return AddressGroup(
        id=f"a{key}",
        key=RuleKey(key),
        project_id="p",
        name="",
        description="",
        addresses=addresses,
        **_STAMPS,
    )


def a_host(number: int = 1, *, physnets: Iterable[str] = (), tunnel: bool = True) -> Host:
    """Host ``h1``, ``h2``, ..."""
    return Host(
        id=f"host{number}",
        name=HostName(f"h{number}"),
        ovsdb=f"tcp:192.0.2.{number}:6640",
        tunnel_ip=f"10.0.0.{number}" if tunnel else None,
        datapath_type="netdev",
        datapath_id=number,
        physnets=numbered([(name, f"br-{name}") for name in physnets]),
        **_STAMPS,
    )


KINDS = (Network, Subnet, Port, SecurityGroup, AddressGroup, Sighting)


class Cloud:
    """A model with the bridges of its hosts, brought up to date as the reconciler does, without anything around."""

    def __init__(self, hosts: int = 2, *, physnets: Iterable[str] = ()) -> None:
        self.model = Model()
        self.hosts = [a_host(number, physnets=physnets) for number in range(1, hosts + 1)]
        self.compiled, self.remotes = Compiled(), Remotes()
        self.bridges = {host.name: Bridge(host, 0.0, self.compiled) for host in self.hosts}
        self.deltas: dict[str, Delta] = {}
        """What the last change said to each host's switch."""
        self.marked: dict[str, set[Unit]] = {}
        """What the last change made each host look at again."""
        self._token = 0
        dirty = Dirty()
        for host in self.hosts:
            self.bridges[host.name].plugs.update(plugged_ways(host))
            host_changed(dirty, self.model, self.model.put_host(host.id, host), host)
        self._settle(dirty)

    def put_host(self, host: Host) -> None:
        """Let a host be changed."""
        dirty = Dirty()
        host_changed(dirty, self.model, self.model.put_host(host.id, host), host)
        self.bridges[host.name].host = host
        self.bridges[host.name].plugs.update(plugged_ways(host))
        self._settle(dirty)

    def put(self, *records: Network | Subnet | Port | SecurityGroup | AddressGroup | Sighting) -> None:
        """Let records be new or changed, all in one batch."""
        self.take({record.id: record for record in records})

    def remove(self, *records: Network | Subnet | Port | SecurityGroup | AddressGroup) -> None:
        """Let records be gone, all in one batch."""
        self.take({}, records)

    def take(self, present: dict[str, Any], gone: Iterable[Any] = ()) -> None:
        """Take in one batch of changes."""
        kinds: dict[type, dict[Any, Any]] = {kind: {} for kind in KINDS}
        for record in gone:
            kinds[type(record)][record.id] = None
        for record in present.values():
            kinds[type(record)][record.id] = record
        changes = Changes(
            networks=kinds[Network],
            subnets=kinds[Subnet],
            ports=kinds[Port],
            security_groups=kinds[SecurityGroup],
            address_groups=kinds[AddressGroup],
            sightings=kinds[Sighting],
        )
        dirty = Dirty()
        take_in(dirty, self.model, changes)
        self._settle(dirty)

    def view(self, host: str) -> BridgeView:
        bridge = self.bridges[HostName(host)]
        return BridgeView(model=self.model, host=bridge.host, plugs=bridge.plugs, remotes=self.remotes)

    def local(self, port: Port) -> LocalPortIntent:
        """Return what a port's own host is asked for it."""
        assert port.binding is not None
        intent = self.view(port.binding.host).intent(Unit(UnitKind.LOCAL_PORT, port.key))
        assert isinstance(intent, LocalPortIntent)
        return intent

    def remote(self, port: Port, host: str = "h2") -> RemotePortIntent:
        """Return what another host is asked for a port."""
        intent = self.view(host).intent(Unit(UnitKind.REMOTE_PORT, port.key))
        assert isinstance(intent, RemotePortIntent)
        return intent

    def rules(self, ruleset: int, host: str = "h1") -> RulesetIntent | None:
        """Return the rules a host is asked for."""
        intent = self.view(host).intent(Unit(UnitKind.RULESET, ruleset))
        assert intent is None or isinstance(intent, RulesetIntent)
        return intent

    def _settle(self, dirty: Dirty) -> None:
        self._token += 1
        self.deltas, self.marked = {}, {}
        for name, bridge in self.bridges.items():
            units = dirty.units.get(name, set())
            view = self.view(name)
            if name in dirty.whole_hosts:
                units = units | set(view.units()) | bridge.known_units()
            self.marked[name] = units
            self.deltas[name], _ = bridge.refresh(view, units, self._token)


def plugged_ways(host: Host) -> RowChanges:
    """Return the rows of a host with nothing but its tunnels, and patches for the first two physical networks."""
    rows = way_rows(replace(host, physnets=host.physnets[:2]))
    view = HostView(connected=True, synced=True)
    return RowChanges(view=view, whole=True, rows={row.uuid: row for row in rows})
