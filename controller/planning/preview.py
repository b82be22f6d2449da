"""What would a change send to each switch? The controller's own translation and compilation, before and after it.

Every port is taken to be plugged by the number it was bound with, and every tunnel and patch to be there: what a host
that works has. Of a bridge only those units are compiled that change, and those that may want the same flows or be in
the same groups, so that what others want already counts neither as added nor as deleted.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace

from controller.planning.scope import Scope
from controller.reconcile import dirty as marks
from controller.reconcile.bridge import Bridge
from controller.reconcile.dirty import Dirty
from controller.reconcile.feed import Changes
from controller.reconcile.model import Model
from controller.reconcile.ovsdb_rows import bridge_rows
from controller.reconcile.places import binding_on, hosts_of
from controller.reconcile.plugs import Plugs
from controller.reconcile.rules import is_guarded, ruleset_of
from controller.reconcile.segments import segment_units
from controller.reconcile.translate import BridgeView, ipv4_number
from controller.reconcile.ways import PATCH_TYPE
from controller.records import Host, HostName, NetworkId, Port, PortId, Snapshot
from controller.southbound.ovsdb.model import HostView, InterfaceRow, RowChanges
from flows.delta import Delta, Tables
from flows.intent import Unit, UnitKind

MOST_UNITS = 60_000
"""Compiled for one plan: some seconds."""
_BRIDGE = "br-int"
_NOTHING = Tables(flows={}, groups={}, meters={})


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """How many flows, groups or meters a change touches."""

    added: int = 0
    modified: int = 0
    deleted: int = 0

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self.added or self.modified or self.deleted)


@dataclass(frozen=True, slots=True, kw_only=True)
class HostDelta:
    """What a change does to one host's bridge."""

    host: HostName
    flows: Count
    groups: Count
    meters: Count


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What a change does to the switches."""

    hosts: tuple[HostDelta, ...] = ()
    """Those whose bridge changes, by name."""
    unknown: str | None = None
    """Why that is not worked out."""


def models(scope: Scope, plugin: str | None = None) -> tuple[Model, Model, Dirty]:
    """Return the intent before and after a change, as the controller would have it, and whom the change concerns.

    Args:
        scope: what the change concerns.
        plugin: whose networks and hosts alone are to be there; all when None.
    """
    snapshot, changes = scope.before, scope.changes
    if plugin is not None:
        snapshot, changes = of_plugin(snapshot, changes, plugin)
    before, after, dirty = Model.of(snapshot), Model.of(snapshot), Dirty()
    marks.take_in(dirty, after, changes)
    for host_id, host in changes.hosts.items():
        marks.host_changed(dirty, after, after.put_host(host_id, host), host)
    if scope.geneve[0] != scope.geneve[1]:
        for name in after.hosts:
            for peer in after.hosts.values():
                if peer.tunnel_ip:
                    dirty.mark(name, Unit(UnitKind.PEER, ipv4_number(peer.tunnel_ip)))
    return before, after, dirty


def preview(scope: Scope, plugin: str) -> Preview:
    """Return what a change does to the bridges of Weft's own plug-in."""
    if scope.too_many:
        return Preview(unknown=f"{scope.too_many} ports are in the networks concerned, too many to compile for a plan")
    before, after, dirty = models(scope, plugin)
    names = sorted((dirty.units.keys() | dirty.whole_hosts) & (before.hosts.keys() | after.hosts.keys()))
    room = MOST_UNITS
    found: list[HostDelta] = []
    for name in names:
        side = _Side(before=before, after=after, geneve=scope.geneve, name=name)
        units = side.units(dirty)
        standing = set(side.bystanders(units)) if name in before.hosts else set()
        room -= len(units) + len(standing)
        if room < 0:
            asked = sum(len(of_host) for of_host in dirty.units.values())
            return Preview(unknown=f"{asked} units on {len(names)} hosts are concerned, too many to compile for a plan")
        delta = side.delta(units, standing)
        if delta.flows or delta.groups or delta.meters:
            found.append(delta)
    return Preview(hosts=tuple(found))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Side:
    """One host, before and after."""

    before: Model
    after: Model
    geneve: tuple[bool, bool]
    name: HostName

    def units(self, dirty: Dirty) -> set[Unit]:
        """Return the units of the host that a change concerns."""
        units = set(dirty.units.get(self.name, ()))
        if self.name in dirty.whole_hosts:
            for model, geneve in ((self.before, self.geneve[0]), (self.after, self.geneve[1])):
                host = model.hosts.get(self.name)
                if host is not None:
                    units.update(_view(model, host, geneve=geneve).units())
        return units

    def bystanders(self, units: Collection[Unit]) -> Iterator[Unit]:
        """Yield other units of the host that may want flows which those want too, or be in the same groups.

        Of ports elsewhere that differ in nothing that is shared, one is enough.
        """
        model = self.before
        for network_id in model.networks_of_host(self.name):
            yield from segment_units(model.networks[network_id])
            seen: set[object] = set()
            for port in model.ports_of_network(network_id):
                unit = Unit(UnitKind.LOCAL_PORT, port.key)
                if binding_on(port, self.name) is not None and unit not in units:
                    yield unit
                unit = Unit(UnitKind.REMOTE_PORT, port.key)
                kind = (hosts_of(port), is_guarded(port), ruleset_of(port))
                if unit not in units and (kind not in seen or port.allowed_address_pairs):
                    seen.add(kind)
                    yield unit
        for ruleset in model.rulesets.of_host(self.name):
            yield Unit(UnitKind.RULESET, ruleset)
            for key in model.rulesets.address_groups_of(ruleset):
                yield Unit(UnitKind.ADDRESS_GROUP, key)
        peers = (Unit(UnitKind.PEER, ipv4_number(one.tunnel_ip)) for one in model.hosts.values() if one.tunnel_ip)
        own = self.before.hosts[self.name].tunnel_ip
        others = (unit for unit in peers if unit not in units and own and unit.key != ipv4_number(own))
        yield from (unit for _, unit in zip(range(1), others, strict=False))

    def delta(self, units: Collection[Unit], bystanders: Collection[Unit]) -> HostDelta:
        """Return what compiling the units anew does to the host's bridge."""
        old, new = self.before.hosts.get(self.name), self.after.hosts.get(self.name)
        is_same = old is not None and new is not None and not needs_new_bridge(old, new)
        bridge = Bridge(old or new, 0.0) if old or new else None  # type: ignore[arg-type]
        if bridge is None:
            raise KeyError(self.name)
        if old is not None:
            bridge.refresh(_view(self.before, old, geneve=self.geneve[0]), {*units, *bystanders}, 0)
        tables = bridge.state.tables()
        if is_same and new is not None:
            change, _ = bridge.refresh(_view(self.after, new, geneve=self.geneve[1]), units, 1)
            return _counted(self.name, tables, change)
        fresh = _NOTHING
        if new is not None:
            made = Bridge(new, 0.0)
            view = _view(self.after, new, geneve=self.geneve[1])
            made.refresh(view, set(view.units()), 1)
            fresh = made.state.tables()
        return HostDelta(
            host=self.name,
            flows=Count(added=len(fresh.flows), deleted=len(tables.flows)),
            groups=Count(added=len(fresh.groups), deleted=len(tables.groups)),
            meters=Count(added=len(fresh.meters), deleted=len(tables.meters)),
        )


def needs_new_bridge(old: Host, new: Host) -> bool:
    """Whether a host's bridge is given up and another one taken."""
    return (old.name, old.ovsdb, old.datapath_id) != (new.name, new.ovsdb, new.datapath_id)


def _counted(name: HostName, before: Tables, delta: Delta) -> HostDelta:
    def count(set_: Collection[object], gone: Collection[object], known: int) -> Count:
        return Count(added=len(set_) - known, modified=known, deleted=len(gone))

    return HostDelta(
        host=name,
        flows=count(delta.flows, delta.deleted_flows, sum(flow.key in before.flows for flow in delta.flows)),
        groups=count(delta.groups, delta.deleted_groups, sum(group.id in before.groups for group in delta.groups)),
        meters=count(delta.meters, delta.deleted_meters, sum(meter.id in before.meters for meter in delta.meters)),
    )


def _view(model: Model, host: Host, *, geneve: bool) -> BridgeView:
    """Return a host as the translation sees it when everything asked of it is there."""
    config = bridge_rows(host, "", geneve=geneve)
    rows = [_row(one.name, one.type, one.ofport_request, one.options) for one in config.tunnels]
    rows += [_row(one.name, PATCH_TYPE, one.ofport, (("peer", one.far_name),)) for one in config.patches]
    plugs = Plugs()
    view = HostView(connected=True, synced=True)
    plugs.update(RowChanges(view=view, whole=True, rows={row.uuid: row for row in rows}))
    return BridgeView(model=model, host=host, plugs=plugs)


def _row(name: str, kind: str, ofport: int, options: tuple[tuple[str, str], ...]) -> InterfaceRow:
    return InterfaceRow(
        uuid=name,
        name=name,
        bridge=_BRIDGE,
        port_name=name,
        type=kind,
        ofport=ofport,
        ofport_request=ofport,
        iface_id=None,
        iface_status=None,
        attached_mac=None,
        link_state="up",
        error=None,
        mtu=None,
        options=options,
        prewired=False,
        tag=None,
    )


def of_plugin(snapshot: Snapshot, changes: Changes, plugin: str) -> tuple[Snapshot, Changes]:
    """Return what one plug-in hears of a change: a network that changes hands is gone, or new, with all in it."""
    was = {network.id for network in snapshot.networks if network.plugin == plugin}
    taken = {i for i, network in changes.networks.items() if network is not None and network.plugin == plugin}
    left = changes.networks.keys() - taken
    now: set[NetworkId] = (was | taken) - left
    moved = (was | now) - (was & now)
    ports: dict[PortId, Port | None] = {one.id: one for one in snapshot.ports if one.network_id in moved}
    ports |= changes.ports
    subnets = {one.id: one for one in snapshot.subnets if one.network_id in moved} | dict(changes.subnets)
    own = replace(
        snapshot,
        networks=tuple(one for one in snapshot.networks if one.id in was),
        subnets=tuple(one for one in snapshot.subnets if one.network_id in was),
        ports=tuple(one for one in snapshot.ports if one.network_id in was),
        hosts=tuple(one for one in snapshot.hosts if one.plugin == plugin),
    )
    heard = replace(
        changes,
        networks={i: one if i in now else None for i, one in changes.networks.items()},
        subnets={i: one if one is not None and one.network_id in now else None for i, one in subnets.items()},
        ports={i: one if one is not None and one.network_id in now else None for i, one in ports.items()},
        hosts={i: one if one is not None and one.plugin == plugin else None for i, one in changes.hosts.items()},
    )
    return own, heard
