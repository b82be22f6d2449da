"""How does every change reach the switches? The one thread that owns the model and all bridges.

    journal ──┐                              ┌──▶ OVSDB rows (declarative)
    OVSDB  ───┼─▶ batch of events ─▶ dirty ──┼──▶ deltas to switches ─▶ barrier ─▶ status
    switch ───┘   units, compiled            └──▶ DHCP leases, router advertisements

Events only say that something may have changed; the truth is read from the store, the OVSDB view and the switch's
worker. The thread never waits for a switch or for a write to the store.
"""

import logging
import threading
from collections.abc import Callable, Mapping
from typing import TypeVar

from controller.reconcile import dirty as marks
from controller.reconcile.advertiser import INITIAL_S, Advertiser
from controller.reconcile.alike import Compiled, Remotes
from controller.reconcile.bridge import Bridge, refused_units
from controller.reconcile.crossings import Crossings
from controller.reconcile.dirty import Dirty
from controller.reconcile.feed import Changes, Feed
from controller.reconcile.hearing import Heard
from controller.reconcile.inbox import Arrival, Batch, Inbox
from controller.reconcile.live_hosts import LiveHosts
from controller.reconcile.model import Model
from controller.reconcile.neighbours import Leases, OpenFlow, Ovsdb, Sink
from controller.reconcile.ovsdb_rows import StatedRows, bridge_rows
from controller.reconcile.places import moving_on
from controller.reconcile.plug_binding import PlugBinding
from controller.reconcile.plugs import Plugs
from controller.reconcile.probing import Probing
from controller.reconcile.raising import Raising
from controller.reconcile.taking import Surveyor, Takings
from controller.reconcile.translate import BridgeView
from controller.reconcile.verdicts import GRACE_S, Verdicts
from controller.reconcile.watch import KEEP_S, Sighted, Watch
from controller.reconcile.ways import GENEVE_TYPE, TUNNEL_TYPE
from controller.records import Host, HostName, PortId, PortKey, PortState
from controller.southbound.openflow.events import Applied, Connected, Disconnected, Failed, SwitchEvent, Synced
from controller.southbound.ovsdb.model import HostView
from flows.intent import Moving, Unit, UnitKind

_log = logging.getLogger(__name__)
_T = TypeVar("_T")

TICK_S = 1.0
ASK_S = 5.0
SLICE_S = 0.05
"""How long bridges are compiled for the first time before something else has its turn; one is compiled in any case."""
POLL_S = 0.005
"""The least time between two looks into the journal."""


class Reconciler:
    """Owns the model and the bridges; everything else talks to it through events."""

    def __init__(
        self,
        *,
        feed: Feed,
        ovsdb: Ovsdb,
        openflow: OpenFlow,
        sink: Sink,
        leases: Leases,
        probing: Probing,
        surveyor: Surveyor,
        advertise: Callable[[HostView], str | None],
        monotonic: Callable[[], float],
        sighted: Sighted,
        seen_keep_s: float = KEEP_S,
        on_loaded: Callable[[], None] = lambda: None,
    ) -> None:
        """Prepare; `start` begins.

        Args:
            feed: The store's change feed.
            ovsdb: The OVSDB side.
            openflow: The OpenFlow side.
            sink: Where states go.
            leases: Where answers to guests are kept.
            probing: Finds out whether the underlay joins the hosts.
            surveyor: Looks at bridges that were there before Weft.
            advertise: The controller target a host is told, given its view, or None when it cannot be known yet.
            monotonic: Seconds of a clock that never goes back.
            sighted: Takes who was seen with an address.
            seen_keep_s: How long an address is taken for used after somebody was last seen with it.
            on_loaded: Called when all bridges that could be were compiled for the first time.
        """
        self._on_loaded = on_loaded
        self._feed, self._ovsdb, self._openflow = feed, ovsdb, openflow
        self._sink, self._leases, self._advertise, self._monotonic = sink, leases, advertise, monotonic
        self._inbox = Inbox()
        self._thread = threading.Thread(target=self._run, name="reconciler", daemon=True)
        self._model = Model()
        self._bridges: dict[HostName, Bridge] = {}
        self._compiled, self._remotes = Compiled(), Remotes()
        self._unloaded: dict[HostName, None] = {}
        """Hosts whose bridges are still to be compiled for the first time, in turn."""
        self._host_of_dpid: dict[int, HostName] = {}
        self._live_hosts = LiveHosts()
        self._plug_binding = PlugBinding(self._live_hosts, self._bridges, sink)
        self._probing = probing
        self._raising = Raising(openflow.raise_port, monotonic)
        self._verdicts = Verdicts(
            ovsdb=ovsdb, openflow=openflow, sink=sink, probing=probing, advertise=advertise, monotonic=monotonic
        )
        self._crossings = Crossings(sink)
        self._stated = StatedRows()
        self._takings = Takings(surveyor, self._inbox.survey, monotonic)
        self._watch = Watch(sighted=sighted, monotonic=monotonic, keep_s=seen_keep_s)
        self._advertiser = Advertiser(openflow=openflow, leases=leases)
        self._concerned: set[HostName] = set()
        """Hosts of which something else may have to be said, once what was heard is dealt with."""
        self._token = 0
        self._next_tick = 0.0
        self._last_poll = 0.0
        self._stop = threading.Event()

    # what other threads call ------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Read the whole intent and begin."""
        snapshot, states = self._feed.open()
        self._model = Model.of(snapshot)
        self._verdicts.port_states.update(states)
        self._plug_binding.recall(self._model, states)
        dirty = Dirty()
        for host in self._model.hosts.values():
            self._add_bridge(host)
        dirty.ports.update(self._model.ports)
        dirty.leases.update(self._model.ports)
        dirty.routers.update(self._model.networks)
        self._inform(dirty, INITIAL_S)
        self._settle(dirty)
        self._thread.start()

    def stop(self) -> None:
        """Stop the thread; switches and rows stay as they are."""
        self._stop.set()
        self._inbox.wake()
        if self._thread.ident is not None:
            self._thread.join()

    def intent_changed(self) -> None:
        """Note that the journal may have grown."""
        self._inbox.intent()

    def view_changed(self, host: str) -> None:
        """Note that a host's OVSDB view changed."""
        self._inbox.host(HostName(host))

    def switch_event(self, dpid: int, event: SwitchEvent) -> None:
        """Note what a switch's worker reports."""
        self._inbox.switch(dpid, event)

    def arrived(self, dpid: int, key: PortKey) -> None:
        """Note that a guest was seen on a switch its port migrates to."""
        self._inbox.arrival(Arrival(dpid, key))

    def heard(self, heard: Heard) -> None:
        """Note that somebody on a switch named an address."""
        self._inbox.hear(heard)

    def admit(self, dpid: int) -> bool:
        """Whether a datapath id belongs to a registered host."""
        name = self._host_of_dpid.get(dpid)
        return name is not None and not self._takings.is_refused(name)

    def misnumbered(self, dpid: int, devices: Mapping[int, str]) -> str | None:
        """Return why a switch that has just connected may not be given its flows yet, or None.

        Args:
            dpid: The switch.
            devices: Device name of each OpenFlow number, as the switch itself says.

        """

        def look() -> str | None:
            bridge = self._bridges.get(self._host_of_dpid.get(dpid, HostName("")))
            found = [] if bridge is None else bridge.misnumbered(devices, self._model)
            return "; ".join(found[:3]) or None

        try:
            return self.ask(look, ASK_S)
        except TimeoutError:  # no reason to end a connection: it is asked again
            return f"whether they are right was not found out within {ASK_S:g} s"

    def ask(self, call: Callable[[], _T], deadline_s: float) -> _T:
        """Run `call` in the reconciler's thread, where the model may be read, and return its result.

        Raises:
            TimeoutError: Not answered within `deadline_s` seconds.
        """
        return self._inbox.ask(call, deadline_s)

    # what `ask`ed calls may read --------------------------------------------------------------------------------------

    @property
    def model(self) -> Model:
        """The intent; only to be read in the reconciler's thread."""
        return self._model

    @property
    def port_states(self) -> Mapping[PortId, PortState]:
        """Every port's last decided state; only to be read in the reconciler's thread."""
        return self._verdicts.port_states

    @property
    def advertisements(self) -> Mapping[str, int]:
        """How many router advertisements were sent unasked, and dropped; may be read in any thread."""
        return self._advertiser.tally.as_dict()

    def bridge(self, host: HostName) -> Bridge | None:
        """Return a host's bridge; only to be read in the reconciler's thread."""
        return self._bridges.get(host)

    # the loop ---------------------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._stop.is_set():
            wait_s = 0.0 if self._unloaded else self._raising.wait_s(self._probing.wait_s(TICK_S))
            batch = self._inbox.take(wait_s, self._pause)
            try:
                self._work(batch)
            except Exception:  # noqa: BLE001 - whatever it was, starting over from the store is the cure
                _log.exception("reconcile_batch_failed events=%d", batch.size)
                self._stop.wait(TICK_S)
                self._reload()

    def _pause(self) -> None:
        """Wait until the journal may be read again: reading it for each request would take the machine from them."""
        self._stop.wait(max(0.0, self._last_poll + POLL_S - self._monotonic()))

    def _work(self, batch: Batch) -> None:
        dirty = Dirty()
        for dpid, event in batch.switches:
            self._switch_said(dirty, dpid, event)
        now = self._monotonic()
        if batch.is_intent or now >= self._last_poll + TICK_S:
            self._last_poll = now
            changes = self._feed.poll()
            if changes.lost:
                self._reload()  # what else was heard still counts: nobody says it twice
            self._intent_said(dirty, changes)
            if changes.more:
                self.intent_changed()
        for arrival in batch.arrivals:
            self._guest_arrived(arrival)
        self._watch.take_in(self._model, self._host_of_dpid, batch.heard)
        for host, survey in batch.surveys:
            self._takings.found(host, survey)
            dirty.rows.add(host)
        for name in batch.hosts:
            self._ovsdb_said(dirty, name)
        is_tick = self._monotonic() >= self._next_tick
        if is_tick:
            self._next_tick = self._monotonic() + TICK_S
            self._look_after_hosts(dirty)
        self._raising.run()
        self._probe(dirty, is_tick=is_tick)
        self._inform(dirty)
        self._settle(dirty)
        self._advertiser.advertise(self._model, self._bridges, self._monotonic())
        for ask in batch.asks:
            ask()

    def _reload(self) -> None:
        """Start over from the store: after an error, or when the feed cannot say what changed."""
        snapshot, _ = self._feed.open()
        self._probing.outdated()
        _log.warning("intent_reloaded seq=%d", snapshot.seq)
        before = self._model
        self._model = Model.of(snapshot)
        self._plug_binding.intent_changed(
            self._model, {port_id: before.ports.get(port_id) for port_id in {*before.ports, *self._model.ports}}
        )
        dirty = Dirty()
        for name in [n for n in self._bridges if self._model.hosts.get(n) != before.hosts.get(n)]:
            self._drop_bridge(name)
        for host in self._model.hosts.values():
            if host.name not in self._bridges:
                self._add_bridge(host)
            dirty.host(self._model, host.name)
        dirty.ports.update({*self._model.ports, *before.ports})
        dirty.leases.update({*self._model.ports, *before.ports})
        dirty.routers.update({*self._model.networks, *before.networks})
        self._inform(dirty)
        self._settle(dirty)
        for name in self._bridges:
            self.view_changed(name)  # the batch that failed may have held what their databases reported

    # events -> dirty --------------------------------------------------------------------------------------------------

    def _intent_said(self, dirty: Dirty, changes: Changes) -> None:
        before = {port_id: self._model.ports.get(port_id) for port_id in changes.ports}
        meetings = self._model.meetings
        marks.take_in(dirty, self._model, changes)
        self._plug_binding.intent_changed(self._model, before)
        for host_id, host in changes.hosts.items():
            self._host_said(dirty, host_id, host)
        if self._model.meetings != meetings:
            self._probing.outdated()

    def _host_said(self, dirty: Dirty, host_id: str, host: Host | None) -> None:
        old = self._model.put_host(host_id, host)
        marks.host_changed(dirty, self._model, old, host)
        if old is not None and (host is None or _needs_new_bridge(old, host)):
            dirty.ports.update(self._bridges[old.name].plugs.by_port)
            self._drop_bridge(old.name)
        if host is not None and host.name in self._bridges:
            self._bridges[host.name].host = host
        elif host is not None:
            self._add_bridge(host)

    def _ovsdb_said(self, dirty: Dirty, name: HostName) -> None:
        bridge = self._bridges.get(name)
        if bridge is None:
            return
        changes = self._ovsdb.take_changes(name)
        self._connection_changed(dirty, bridge, ovsdb=changes.view.connected and changes.view.synced)
        dirty.rows.add(name)
        turned = bridge.plugs.update(changes)
        if bridge.plugs.synced:
            self._raising.said(bridge.host.datapath_id, changes, is_first=turned.is_first)
        self._live_hosts.update(name, turned.ports, bridge.plugs)
        if turned.is_first:
            dirty.ports.update(self._live_hosts.first_seen(name, bridge.plugs))
        if turned.is_first or turned.ways:
            self._probing.outdated()
            dirty.host(self._model, name)
        for port_id in turned.ports:
            dirty.ports.add(port_id)
            port = self._model.ports.get(port_id)
            if port is None:
                continue
            dirty.mark(name, Unit(UnitKind.LOCAL_PORT, port.key))
            self._plug_binding.bind(self._model, port)
        for number in turned.ofports:  # before its device is there a port is wired by the number it asks for
            holder = self._stated.holder(name, number)
            port = None if holder is None else self._model.ports.get(holder)
            if port is not None:
                dirty.mark(name, Unit(UnitKind.LOCAL_PORT, port.key))

    def _guest_arrived(self, arrival: Arrival) -> None:
        """Switch a port over to the host its guest has shown itself on, if that is where it migrates to.

        Whether it is so still is decided by the store, once for all the times a guest announces itself; then the
        journal says it, and the flows follow. Until then, and until the old binding is deleted, both hosts get the
        port's frames.
        """
        port = self._model.port_by_key.get(arrival.key)
        host = self._host_of_dpid.get(arrival.dpid)
        if port is not None and host is not None and moving_on(port, host) is Moving.TARGET:
            self._sink.activate(port.id, host)

    def _switch_said(self, dirty: Dirty, dpid: int, event: SwitchEvent) -> None:
        bridge = self._bridges.get(self._host_of_dpid.get(dpid, HostName("")))
        if bridge is None:
            return
        name, settled = bridge.host.name, frozenset[Unit]()
        match event:
            case Connected():
                self._connection_changed(dirty, bridge, openflow=True)
            case Disconnected():
                self._probing.lost(dpid)
                self._connection_changed(dirty, bridge, openflow=False)
            case Synced(token):
                accepted = bridge.accept_all()
                settled = accepted | bridge.confirm(token)
                marks.rules_judged(dirty, self._model, name, accepted)
            case Applied(token):
                settled = bridge.confirm(token)
            case Failed(token, refusals):
                problems = refused_units(refusals)
                bridge.refuse(problems)
                settled = bridge.confirm(token) | frozenset(problems)
                marks.rules_judged(dirty, self._model, name, problems)
        if isinstance(event, Synced | Failed):
            self._probing.told(dpid)
        marks.units_settled(dirty, self._model, name, settled)
        self._concerned.add(name)

    def _connection_changed(
        self, dirty: Dirty, bridge: Bridge, *, ovsdb: bool | None = None, openflow: bool | None = None
    ) -> None:
        if bridge.condition.heard(self._monotonic(), ovsdb=ovsdb, openflow=openflow):
            dirty.ports.update(p.id for p in self._model.ports_of_host(bridge.host.name))
        self._concerned.add(bridge.host.name)

    # dirty -> guests, switches, rows, states --------------------------------------------------------------------------

    def _inform(self, dirty: Dirty, delay_s: float = 0.0) -> None:
        """Make anew what guests are told; what networks say of themselves is told unasked after `delay_s` seconds."""
        changed = self._leases.refresh(self._model, dirty.leases, dirty.routers)
        self._advertiser.want(changed, self._monotonic() + delay_s)

    def _settle(self, dirty: Dirty) -> None:
        self._state_rows(dirty)
        for name in dirty.whole_hosts | dirty.units.keys():
            bridge = self._bridges.get(name)
            if bridge is None or not bridge.plugs.synced:
                continue
            if bridge.loaded:
                self._compile(dirty, bridge)
            else:
                self._unloaded[name] = None
        self._load(dirty)
        self._verdicts.ports(dirty.ports, self._model, self._bridges, self._live_hosts)
        for name in self._concerned & self._bridges.keys():
            self._verdicts.host(self._bridges[name])
        self._concerned.clear()
        self._crossings.look(self._model, self._bridges)

    def _load(self, dirty: Dirty) -> None:
        """Compile bridges as a whole for the first time, as many as there is time for: the others wait for no batch.

        A large cloud takes minutes, and until then switches that connect, guests and requests are to be answered.
        """
        until = self._monotonic() + SLICE_S
        while self._unloaded and self._monotonic() <= until:
            name = next(iter(self._unloaded))
            del self._unloaded[name]
            bridge = self._bridges.get(name)
            if bridge is not None and bridge.plugs.synced:
                self._compile(dirty, bridge)
            if not self._unloaded:
                self._on_loaded()

    def _state_rows(self, dirty: Dirty) -> None:
        news = self._stated.ports(
            {port_id: self._model.ports.get(port_id) for port_id in dirty.ports}, self._model.networks
        )
        for name, ports in news.items():
            self._ovsdb.set_ports(name, ports)
        for name in dirty.rows:
            bridge = self._bridges.get(name)
            view = None if bridge is None else self._ovsdb.view(name)
            target = None if view is None else self._advertise(view)
            if bridge is None or view is None or target is None or not self._takes(bridge, view, target):
                continue
            config = bridge_rows(bridge.host, target, geneve=self._model.has_segments(GENEVE_TYPE))
            if name in dirty.whole_hosts or name not in self._stated:
                if bridge.host.adopt:
                    self._openflow.switch(bridge.host.datapath_id).adopt()
                desired = self._stated.whole(name, config, self._model.ports_of_host(name), self._model.networks)
                self._ovsdb.set_desired(name, desired)
            elif self._stated.bridge(name, config):
                self._ovsdb.set_bridge(name, config)

    def _takes(self, bridge: Bridge, view: HostView, target: str) -> bool:
        """Whether a host's bridge may be written on; why not is said of the host."""
        may_write = self._takings.may_write(bridge.host, view, target)
        refusal = self._takings.problem(bridge.host.name)
        if refusal != bridge.condition.refusal:
            bridge.condition.refusal = refusal
            self._concerned.add(bridge.host.name)
        return may_write

    def _compile(self, dirty: Dirty, bridge: Bridge) -> None:
        if bridge.host.tunnel_ip and bridge.plugs.ways.tunnel(TUNNEL_TYPE) is None and not bridge.loaded:
            return  # a load without the tunnel would take every remote flow away from a switch that has them
        view = BridgeView(model=self._model, host=bridge.host, plugs=bridge.plugs, remotes=self._remotes)
        units: set[Unit] = dirty.units.get(bridge.host.name, set())
        if bridge.host.name in dirty.whole_hosts or not bridge.loaded:
            units = units | set(view.units()) | bridge.known_units()
        self._token += 1
        delta, changed = bridge.refresh(view, units, self._token)
        switch = self._openflow.switch(bridge.host.datapath_id)
        if not bridge.loaded:
            bridge.loaded = True
            switch.load(bridge.state.tables(), self._token, self._feed.position)
            _log.info("bridge_loaded host=%s flows=%d", bridge.host.name, bridge.state.flow_count)
        elif delta:
            switch.apply(delta, self._token, self._feed.position)
        else:
            marks.units_settled(dirty, self._model, bridge.host.name, changed)
        self._concerned.add(bridge.host.name)

    def _look_after_hosts(self, dirty: Dirty) -> None:
        """See once a tick whose silence lasts too long, and what is to be said of each host."""
        now = self._monotonic()
        dirty.rows.update(self._takings.waiting())
        self._watch.tick(self._model, dirty)
        for bridge in self._bridges.values():
            if bridge.condition.give_up(now, GRACE_S):
                dirty.ports.update(p.id for p in self._model.ports_of_host(bridge.host.name))
            self._verdicts.host(bridge, is_tick=True)

    def _probe(self, dirty: Dirty, *, is_tick: bool) -> None:
        turned = self._probing.run(self._model, self._bridges, is_tick=is_tick)
        for name in turned.ports_of:
            dirty.ports.update(p.id for p in self._model.ports_of_host(name))
        self._concerned |= turned.hosts

    def _add_bridge(self, host: Host) -> None:
        self._bridges[host.name] = Bridge(host, self._monotonic(), self._compiled)
        self._host_of_dpid[host.datapath_id] = host.name
        self._openflow.switch(host.datapath_id)
        self._ovsdb.add_host(host.name, host.ovsdb)
        self._concerned.add(host.name)
        _log.info("host_added host=%s ovsdb=%s", host.name, host.ovsdb)

    def _drop_bridge(self, name: HostName) -> None:
        bridge = self._bridges.pop(name)
        self._host_of_dpid.pop(bridge.host.datapath_id, None)
        self._probing.lost(bridge.host.datapath_id)
        self._raising.forget(bridge.host.datapath_id)
        self._verdicts.forget_host(name)
        self._stated.forget(name)
        self._takings.forget(name)
        self._live_hosts.update(name, bridge.plugs.by_port, Plugs())
        self._ovsdb.remove_host(name, clear=True)
        self._openflow.forget(bridge.host.datapath_id)
        _log.info("host_removed host=%s", name)


def _needs_new_bridge(old: Host, new: Host) -> bool:
    return (old.name, old.ovsdb, old.datapath_id) != (new.name, new.ovsdb, new.datapath_id)
