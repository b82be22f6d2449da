"""What would a change send to each switch? The controller's own translation and compilation, before and after it.

Every port is taken to be plugged by the number it was bound with, and every tunnel and patch to be there: what a host
that works has. Of a bridge only those units are compiled that change, and those that may want the same flows or be in
the same groups, so that what others want already counts neither as added nor as deleted.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace

from controller.planning.scope import Scope
from controller.reconcile import dirty as marks
from controller.reconcile.bridge import Bridge
from controller.reconcile.dirty import Dirty
from controller.reconcile.feed import Changes
from controller.reconcile.model import Model
from controller.reconcile.ovsdb_rows import bridge_rows
from controller.reconcile.places import hosts_of
from controller.reconcile.plugs import Plugs
from controller.reconcile.rules import is_guarded, ruleset_of
from controller.reconcile.segments import segment_units
from controller.reconcile.translate import BridgeView, ipv4_number
from controller.reconcile.ways import PATCH_TYPE
from controller.records import Host, HostName, NetworkId, Port, PortId, Snapshot
from controller.southbound.ovsdb.model import HostView, InterfaceRow, RowChanges
from flows.contribution import Contribution
from flows.delta import Delta, Tables
from flows.features import l2
from flows.intent import LocalPortIntent, Unit, UnitKind

MOST_UNITS = 60_000
"""Compiled for one plan: some seconds."""
_BRIDGE = "br-int"
_OF_PORTS = frozenset({UnitKind.SEGMENT, UnitKind.LOCAL_PORT, UnitKind.REMOTE_PORT})
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


def preview(scope: Scope, plugin: str, both: tuple[Model, Model, Dirty]) -> Preview:
    """Return what a change does to the bridges of Weft's own plug-in.

    Args:
        scope: what the change concerns.
        plugin: the plug-in's name.
        both: the `models` of every plug-in, used again when there is no other one.
    """
    if scope.too_many:
        return Preview(unknown=f"{scope.too_many} ports are in the networks concerned, too many to compile for a plan")
    before, after, dirty = both if _is_all_of(scope, plugin) else models(scope, plugin)
    names = sorted((dirty.units.keys() | dirty.whole_hosts) & (before.hosts.keys() | after.hosts.keys()))
    asked = sum(len(of_host) for of_host in dirty.units.values())
    too_many = Preview(unknown=f"{asked} units on {len(names)} hosts are concerned, too many to compile for a plan")
    if asked > MOST_UNITS:
        return too_many
    room = MOST_UNITS
    found: list[HostDelta] = []
    neighbourhood = _Neighbourhood(before)
    for name in names:
        side = _Side(before=before, after=after, geneve=scope.geneve, name=name)
        units = side.units(dirty)
        standing = set(side.bystanders(units, neighbourhood)) if name in before.hosts else set()
        room -= len(units) + len(standing)
        if room < 0:
            return too_many
        members = set(side.members(units, neighbourhood)) if name in before.hosts else set()
        delta = side.delta(units, standing, members)
        if delta.flows or delta.groups or delta.meters:
            found.append(delta)
    return Preview(hosts=tuple(found))


def _is_all_of(scope: Scope, plugin: str) -> bool:
    networks = (*scope.before.networks, *scope.changes.networks.values())
    hosts = (*scope.before.hosts, *scope.changes.hosts.values())
    return all(one is None or one.plugin == plugin for one in (*networks, *hosts))


class _Neighbourhood:
    """The ports of each network by what they have in common, worked out once for all hosts."""

    def __init__(self, model: Model) -> None:
        self._model = model
        self._known: dict[NetworkId, tuple[dict[HostName, list[Port]], dict[object, list[Port]], list[Port]]] = {}

    def of(self, network_id: NetworkId) -> tuple[dict[HostName, list[Port]], dict[object, list[Port]], list[Port]]:
        """Return the ports on each host, those that want the same of what others want too, and those with pairs."""
        if network_id not in self._known:
            here: dict[HostName, list[Port]] = {}
            alike: dict[object, list[Port]] = {}
            paired: list[Port] = []
            for port in self._model.ports_of_network(network_id):
                bound = hosts_of(port)
                for host in bound:
                    here.setdefault(host, []).append(port)
                alike.setdefault((bound, is_guarded(port), ruleset_of(port), port.role), []).append(port)
                if port.allowed_address_pairs:
                    paired.append(port)
            self._known[network_id] = here, alike, paired
        return self._known[network_id]


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

    def bystanders(self, units: Collection[Unit], neighbourhood: _Neighbourhood) -> Iterator[Unit]:
        """Yield other units of the host that may want flows which those want too, or be in the same groups.

        Of ports that differ in nothing that is shared, one is enough.
        """
        model = self.before
        is_of_ports = any(unit.kind in _OF_PORTS for unit in units)
        for network_id in model.networks_of_host(self.name) if is_of_ports else ():
            yield from segment_units(model.networks[network_id])
            _, alike, paired = neighbourhood.of(network_id)
            found = {Unit(kind, port.key) for port in paired for kind in (UnitKind.LOCAL_PORT, UnitKind.REMOTE_PORT)}
            for ports in alike.values():
                kind = UnitKind.LOCAL_PORT if self.name in hosts_of(ports[0]) else UnitKind.REMOTE_PORT
                unit = next((one for port in ports if (one := Unit(kind, port.key)) not in units), None)
                found.update(() if unit is None else (unit,))
            yield from found.difference(units)
        for ruleset in model.rulesets.of_host(self.name):
            yield Unit(UnitKind.RULESET, ruleset)
            for key in model.rulesets.address_groups_of(ruleset):
                yield Unit(UnitKind.ADDRESS_GROUP, key)
        peers = (Unit(UnitKind.PEER, ipv4_number(one.tunnel_ip)) for one in model.hosts.values() if one.tunnel_ip)
        own = self.before.hosts[self.name].tunnel_ip
        others = (unit for unit in peers if unit not in units and own and unit.key != ipv4_number(own))
        yield from (unit for _, unit in zip(range(1), others, strict=False))

    def members(self, units: Collection[Unit], neighbourhood: _Neighbourhood) -> Iterator[Unit]:
        """Yield the ports on the host that are in the same groups as those units, if any: they are all in them."""
        if not any(unit.kind in _OF_PORTS for unit in units):
            return
        for network_id in self.before.networks_of_host(self.name):
            for port in neighbourhood.of(network_id)[0].get(self.name, ()):
                yield Unit(UnitKind.LOCAL_PORT, port.key)

    def delta(self, units: Collection[Unit], bystanders: Collection[Unit], members: Iterable[Unit]) -> HostDelta:
        """Return what compiling the units anew does to the host's bridge; of `members` only groups are asked."""
        old, new = self.before.hosts.get(self.name), self.after.hosts.get(self.name)
        is_same = old is not None and new is not None and not needs_new_bridge(old, new)
        shown = old or new
        if shown is None:
            raise KeyError(self.name)
        bridge = Bridge(shown, 0.0)
        if old is not None:
            view = _view(self.before, old, geneve=self.geneve[0])
            bridge.refresh(view, {*units, *bystanders}, 0)
            bridge.state.replace({unit: _membership(view, unit) for unit in {*members}.difference(units, bystanders)})
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


def _membership(view: BridgeView, unit: Unit) -> Contribution | None:
    intent = view.intent(unit)
    return Contribution(members=tuple(l2.local_members(intent))) if isinstance(intent, LocalPortIntent) else None


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
