"""A reconciler with a real store, between recorders for what it tells switches and databases."""

import threading
from collections.abc import Collection, Mapping
from dataclasses import replace
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

from controller.caller import Caller
from controller.reconcile.directory import Directory
from controller.reconcile.feed import Feed
from controller.reconcile.model import Model
from controller.reconcile.plugs import Plugs
from controller.reconcile.probing import Probing
from controller.reconcile.reconciler import Reconciler
from controller.reconcile.translate import BridgeView
from controller.reconcile.underlay import KEY_BYTES, Seal
from controller.reconcile.ways import GENEVE_TYPE, TUNNEL_TYPE, patch_rows, tunnel_row
from controller.records import Host, HostName, HostState, NetworkId, PortId, PortState
from controller.services import hosts
from controller.sighting_records import Sight
from controller.southbound.openflow.events import Applied, Connected, Synced
from controller.southbound.openflow.intent_mark import IntentMark
from controller.southbound.ovsdb.model import (
    BridgeConfig,
    BridgeRow,
    HostDesired,
    HostView,
    InterfaceRow,
    PrewiredPort,
    RowChanges,
)
from controller.southbound.survey import Survey
from controller.store import network_moves, sightings
from controller.store.bindings import activate_binding
from controller.store.snapshot import load_snapshot
from controller.store.states import bind_unbound
from flows.compiler import compile_bridge
from flows.cookie import Feature, encode
from flows.delta import Delta, Tables, apply
from flows.flow import Action, Output, SetField
from tests.databases import a_database

ADMIN = Caller(project_id="p", roles=frozenset({"admin"}), is_admin=True)
EMPTY = Tables(flows={}, groups={}, meters={})


class Recorder:
    """A worker that obeys at once: its tables are what a switch would hold."""

    def __init__(self, world: "World", dpid: int) -> None:
        self._world, self._dpid = world, dpid
        self.tables = EMPTY
        self.deltas: list[Delta] = []
        self.loads = 0
        self.features: Mapping[str, object] = {}
        self.problem: str | None = None
        self.drift = 0
        self.is_adopted = False

    def adopt(self) -> None:
        self.is_adopted = True

    def load(self, tables: Tables, token: object, intent: IntentMark | None = None) -> None:
        self.tables = tables
        self.loads += 1
        self._world.now += self._world.load_takes_s
        self._world.programmed_at_load.append(
            {str(name) for name, s in self._world.host_states.items() if s.programmed}
        )
        self._world.confirm(self._dpid, Synced(token))

    def apply(self, delta: Delta, token: object, intent: IntentMark | None = None) -> None:
        self.tables = apply(delta, self.tables)
        self.deltas.append(delta)
        self._world.confirm(self._dpid, Applied(token))


class World:
    """Everything around the reconciler; Ovsdb, OpenFlow and Sink in one."""

    def __init__(self, directory: Path) -> None:
        self.database = a_database(directory)
        self.views: dict[str, HostView] = {}
        self.rows: dict[str, dict[str, InterfaceRow]] = {}
        self.stated: list[str] = []
        """How rows were stated: whole, bridge or the number of ports, in order."""
        self._taken: dict[str, dict[str, InterfaceRow]] = {}
        self.desired: dict[str, HostDesired] = {}
        self.switches: dict[int, Recorder] = {}
        self.port_states: dict[PortId, PortState] = {}
        self.host_states: dict[HostName, HostState] = {}
        self.activated: list[bool] = []
        """What became of every wish to switch a port over."""
        self.steps: list[tuple[str, bool]] = []
        """What was told of networks that move to another plug-in or from one, and whether that was news."""
        self.survey_result = Survey()
        self.surveyed = threading.Event()
        self.load_takes_s = 0.0
        """How long it takes to compile a bridge as a whole."""
        self.programmed_at_load: list[set[str]] = []
        """The hosts of which it was known at each load that they are as they should be."""
        self.loaded_at: list[int] = []
        """After how many loads the reconciler said that all bridges are loaded."""
        self.confirming = True
        self.refuses = False
        """Whether switches take no frames to send."""
        self.dpids: dict[str, int] = {}
        self.endpoints: dict[int, int] = {}
        self.removed = threading.Event()
        self.sent: list[tuple[int, int, bytes]] = []
        """(datapath id, OpenFlow number, frame) of every packet-out."""
        self.raised: list[tuple[int, int, str]] = []
        """(datapath id, OpenFlow number, MAC of the device) of every device set up."""
        self.directory = Directory(
            send=self.send,
            arrived=lambda dpid, key: self.reconciler.arrived(dpid, key),  # noqa: PLW0108
            heard=lambda heard: self.reconciler.heard(heard),  # noqa: PLW0108
        )
        self.now = 1000.0
        self.broken: set[tuple[int, int]] = set()
        """Datapath ids of source and target of the paths on which probes are lost."""
        self.probing = Probing(offer=self.carry, seal=Seal(bytes(KEY_BYTES)), monotonic=lambda: self.now)
        self.reconciler = Reconciler(
            feed=Feed(self.database, plugin="openflow", prepares_moves=True),
            ovsdb=self,
            openflow=self,
            sink=self,
            leases=self.directory,
            probing=self.probing,
            surveyor=self,
            advertise=lambda _view: "tcp:127.0.0.1:6653",
            monotonic=lambda: self.now,
            sighted=self.sighted,
            on_loaded=lambda: self.loaded_at.append(len(self.programmed_at_load)),
        )

    # the reconciler's neighbours

    def switch(self, dpid: int) -> Recorder:
        return self.switches.setdefault(dpid, Recorder(self, dpid))

    def forget(self, dpid: int) -> None:
        self.switches.pop(dpid, None)

    def send(self, dpid: int, ofport: int, frame: bytes) -> bool:
        self.sent.append((dpid, ofport, frame))
        return dpid in self.switches

    def raise_port(self, dpid: int, ofport: int, mac: str) -> bool:
        self.raised.append((dpid, ofport, mac))
        return dpid in self.switches

    def confirm(self, dpid: int, event: Any) -> None:
        if self.confirming:
            self.reconciler.switch_event(dpid, event)

    def carry(self, dpid: int, actions: tuple[Action, ...], frame: bytes) -> bool:
        """Do with a probe what switches and the underlay do."""
        if self.refuses:
            return False
        match actions:
            case (SetField(value=endpoint), SetField(), Output(ofport=tunnel)):
                target = next(b for b in self.dpids.values() if self.endpoints[b] == endpoint)
                if (dpid, target) not in self.broken:
                    self.probing.packet_in(target, encode(Feature.PROBE), tunnel, frame)
        return True

    def add_host(self, name: str, target: str) -> None:
        del target
        self.views.setdefault(name, HostView())

    def remove_host(self, name: str, *, clear: bool) -> None:
        del clear
        self._taken.pop(name, None)
        self.removed.set()

    def set_desired(self, name: str, desired: HostDesired) -> None:
        self.desired[name] = desired
        self.stated.append("whole")

    def set_bridge(self, name: str, bridge: BridgeConfig) -> None:
        self.desired[name] = replace(self.desired[name], bridge=bridge)
        self.stated.append("bridge")

    def set_ports(self, name: str, ports: Mapping[str, PrewiredPort | None]) -> None:
        kept = {p for p in self.desired[name].prewired if p.iface_id not in ports}
        self.desired[name] = replace(self.desired[name], prewired=frozenset(kept.union(filter(None, ports.values()))))
        self.stated.append(f"{len(ports)} ports")

    def take_changes(self, name: str) -> RowChanges:
        view, rows = self.view(name), dict(self.rows.get(name, {}))
        if not view.synced:
            return RowChanges(view=view, rows={})
        known = self._taken.get(name)
        self._taken[name] = rows
        if known is None:
            return RowChanges(view=view, whole=True, rows=dict(rows))
        gone: dict[str, InterfaceRow | None] = dict.fromkeys(known.keys() - rows.keys())
        return RowChanges(view=view, rows=gone | {u: row for u, row in rows.items() if known.get(u) != row})

    def view(self, name: str) -> HostView:
        return self.views.get(name, HostView())

    def write_error(self, name: str) -> str | None:
        del name
        return None

    def ports(self, states: Collection[PortState], *, can_wait: bool = False) -> None:
        del can_wait
        self.port_states.update((s.port_id, s) for s in states)

    def host(self, state: HostState) -> None:
        self.host_states[state.name] = state

    def forget_host(self, name: HostName) -> None:
        self.host_states.pop(name, None)

    def bind(self, port_id: PortId, host: HostName) -> None:
        with self.database.write() as tx:
            bind_unbound(tx, port_id, host)
        self.reconciler.intent_changed()

    def activate(self, port_id: PortId, host: HostName) -> None:
        with self.database.write() as tx:
            self.activated.append(activate_binding(tx, port_id, host))
        self.reconciler.intent_changed()

    def sighted(self, sight: Sight) -> None:
        with self.database.write() as tx:
            sightings.note(tx, [sight])
        self.reconciler.intent_changed()

    def prepared(self, network_id: NetworkId, revision: int) -> None:
        with self.database.write() as tx:
            self.steps.append(("prepared", network_moves.switch(tx, network_id, revision)))
        self.reconciler.intent_changed()

    def released(self, network_id: NetworkId, revision: int) -> None:
        with self.database.write() as tx:
            self.steps.append(("released", network_moves.finish(tx, network_id, revision)))
        self.reconciler.intent_changed()

    def survey(self, ovsdb: str, bridge: str, datapath_id: int | None) -> Survey:
        del ovsdb, bridge, datapath_id
        self.surveyed.set()
        return self.survey_result

    # what a test does

    def register(self, name: str, number: int, *physnets: str) -> None:
        """Register a host that connects at once."""
        with self.database.write() as tx:
            host = hosts.create(
                tx,
                ADMIN,
                {
                    "name": name,
                    "ovsdb": f"tcp:192.0.2.{number}:6640",
                    "tunnel_ip": f"10.0.0.{number}",
                    "datapath_type": "netdev",
                    "physnets": [(physnet, f"br-{physnet}") for physnet in physnets],
                },
            )
        self.dpids[name] = host.datapath_id
        self.endpoints[host.datapath_id] = int(IPv4Address(f"10.0.0.{number}"))
        self.settle()
        self.reconciler.switch_event(host.datapath_id, Connected())
        self.see(name)

    def unregister(self, name: str) -> None:
        """Remove a host with all that is bound to it."""
        with self.database.write() as tx:
            hosts.delete(tx, ADMIN, name, force=True)
        self.settle()

    def meet(self, name: str, bridge: BridgeRow) -> None:
        """Register a host that has a bridge already, and wait until it was looked at."""
        with self.database.write() as tx:
            wanted = {"name": name, "ovsdb": "tcp:192.0.2.9:6640", "tunnel_ip": None, "datapath_type": "netdev"}
            hosts.create(tx, ADMIN, {**wanted, "physnets": ()})
        self.settle()
        self.views[name] = HostView(connected=True, synced=True, bridge=bridge)
        self.reconciler.view_changed(name)
        assert self.surveyed.wait(5)
        self.settle()

    def adopt(self, name: str) -> None:
        """Let a host be adopted."""
        with self.database.write() as tx:
            hosts.update(tx, ADMIN, name, {"adopt": True})
        self.settle()

    def see(self, name: str, *plugs: tuple[str, str, int]) -> None:
        """Let a host's database show these plugs: (device, port id, ofport)."""
        with self.database.read() as tx:
            host = hosts.get(tx, ADMIN, name)
        rows = [*way_rows(host), *(a_row(d, "", i, n) for d, i, n in plugs)]
        self.views[name] = HostView(connected=True, synced=True)
        self.rows[name] = {row.uuid: row for row in rows}
        self.reconciler.view_changed(name)
        self.settle()

    def pass_time(self, seconds: int) -> None:
        """Let time pass in steps of a second."""
        for _ in range(seconds):
            self.now += 1.0
            self.settle()

    def settle(self) -> None:
        """Wait until everything said so far, and what follows from it, is done."""
        self.reconciler.intent_changed()
        for _ in range(3):  # an answer may be an event itself: bind, confirm
            self.reconciler.ask(lambda: None, 10)

    def fully_compiled(self) -> dict[str, Tables]:
        """Compile every host's bridge from nothing but the store and what is plugged."""
        with self.database.read() as tx:
            snapshot = load_snapshot(tx)
        model = Model.of(snapshot)
        result = {}
        for host in snapshot.hosts:
            plugs = Plugs()
            plugs.update(RowChanges(view=self.view(host.name), whole=True, rows=self.rows.get(host.name, {})))
            view = BridgeView(model=model, host=host, plugs=plugs)
            intents = (view.intent(unit) for unit in view.units())
            result[str(host.name)] = compile_bridge([i for i in intents if i is not None]).tables()
        return result

    def told(self) -> dict[str, Tables]:
        """Return what every host's switch was told so far."""
        with self.database.read() as tx:
            snapshot = load_snapshot(tx)
        return {str(h.name): self.switches[h.datapath_id].tables for h in snapshot.hosts}

    def close(self) -> None:
        self.reconciler.stop()
        self.database.close()


def way_rows(host: Host) -> list[InterfaceRow]:
    """Return the rows of a host's tunnels and patches, all as asked for."""
    tunnels = [tunnel_row(kind, host.tunnel_ip) for kind in (TUNNEL_TYPE, GENEVE_TYPE) if host.tunnel_ip]
    rows = [a_row(one.name, one.type, None, one.ofport_request, options=one.options) for one in tunnels]
    rows += [a_row(one.name, "patch", None, one.ofport, options=(("peer", one.far_name),)) for one in patch_rows(host)]
    return [replace(row, ofport_request=row.ofport) for row in rows]


def a_row(name: str, type_: str, iface_id: str | None, ofport: int | None, **more: Any) -> InterfaceRow:
    """Return an Interface row with defaults."""
    values: dict[str, Any] = {
        "uuid": name,
        "name": name,
        "bridge": "br-int",
        "port_name": name,
        "type": type_,
        "ofport": ofport,
        "ofport_request": None,
        "iface_id": iface_id,
        "iface_status": None,
        "attached_mac": None,
        "link_state": "up",
        "error": None,
        "mtu": None,
        "options": (),
        "prewired": False,
        "tag": None,
        **more,
    }
    return InterfaceRow(**values)
