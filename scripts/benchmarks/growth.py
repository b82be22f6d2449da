"""Does anything in the controller grow faster than the cloud? Processor time of each stage of a start, and of a change.

No switch and no process but this one: the intent is read from SQLite, compiled for every host, and made into bytes, as
the controller does it. The floor of every figure is the same with a tenth of the ports, times ten.
"""

import argparse
import gc
import multiprocessing
import os
import random
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from benchmarks import processes
from benchmarks.report import Figure, Of, at_most, median
from controller import memory
from controller.caller import Caller
from controller.plugins.openflow import OpenFlowPlugin
from controller.reconcile import dirty as marks
from controller.reconcile.alike import Compiled, Remotes
from controller.reconcile.bridge import Bridge
from controller.reconcile.directory import Directory
from controller.reconcile.dirty import Dirty
from controller.reconcile.feed import Feed
from controller.reconcile.model import Model
from controller.reconcile.translate import BridgeView
from controller.reconcile.ways import TUNNEL_TYPE, tunnel_row
from controller.records import HostName
from controller.services import hosts, networks, ports, subnets
from controller.services.sentinels import AUTO, DEFAULT_GATEWAY
from controller.southbound.openflow.encode import Encoder
from controller.southbound.openflow.mirror import Mirror
from controller.southbound.ovsdb.model import HostView, InterfaceRow, RowChanges
from controller.store.database import Database

SPAWN = multiprocessing.get_context("spawn")
"""Every size in a process of its own: memory that was once used is not given back."""
ADMIN = Caller(project_id="bench", roles=frozenset({"admin"}), is_admin=True)
PLAIN: dict[str, Any] = {"project_id": ADMIN.project_id, "name": "", "description": "", "admin_state_up": True}
BULK = 500
GROWTH = 1.3
"""How much more than its share a size may cost: caches are colder, and dictionaries grow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """A cloud: as many ports of each network on each of its hosts."""

    hosts: int
    ports: int
    networks: int
    spread: int
    """Hosts of each network."""

    def __str__(self) -> str:
        """Return it in words."""
        where = "" if self.spread == self.hosts else f", each on {self.spread} hosts"
        return f"{self.hosts} hosts, {self.ports:,} ports, {self.networks} network{'s' * (self.networks > 1)}{where}"

    def places(self) -> Iterator[tuple[int, int]]:
        """Yield the network and the host of each port."""
        for number in range(self.ports):
            network, place = number % self.networks, number // self.networks
            yield network, (network + place % self.spread) % self.hosts


SHAPES = (
    Shape(hosts=10, ports=10_000, networks=100, spread=10),
    Shape(hosts=10, ports=10_000, networks=1, spread=10),
    Shape(hosts=100, ports=10_000, networks=100, spread=10),
    Shape(hosts=100, ports=10_000, networks=1, spread=100),
)


@dataclass(slots=True, kw_only=True)
class Costs:
    """What one size cost."""

    cpu_s: dict[str, float] = field(default_factory=dict)
    memory_mb: float = 0.0
    flows: int = 0
    """Of all hosts."""

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Note the processor time of a block."""
        began = time.process_time()
        yield
        self.cpu_s[name] = self.cpu_s.get(name, 0.0) + time.process_time() - began


def run(args: argparse.Namespace) -> Iterator[Figure]:
    """Measure every shape, and a tenth of it."""
    for shape in SHAPES:
        large = (
            shape
            if not args.quick
            else Shape(
                hosts=shape.hosts, ports=shape.ports // 5, networks=max(1, shape.networks // 5), spread=shape.spread
            )
        )
        small = Shape(
            hosts=large.hosts,
            ports=large.ports // 10,
            networks=max(1, large.networks // 10),
            spread=large.spread,
        )
        yield from _figures(large, _apart(large), _apart(small))


def _figures(shape: Shape, found: Costs, tenth: Costs) -> Iterator[Figure]:
    for stage, cpu_s in found.cpu_s.items():
        is_change = stage.startswith("one")
        floor = tenth.cpu_s[stage] * (1 if is_change else 10)
        yield Figure(
            name=f"{shape}: {stage}",
            value=cpu_s * (1000 if is_change else 1),
            unit="ms of CPU" if is_change else "s of CPU",
            floor=floor * (1000 if is_change else 1),
            goal=at_most(GROWTH, Of.RATIO),
        )
    yield Figure(
        name=f"{shape}: memory",
        value=found.memory_mb,
        unit="MB",
        floor=tenth.memory_mb * 10,
        goal=at_most(GROWTH, Of.RATIO),
        note=f"{found.flows:,} flows in all, {found.flows / shape.hosts:,.0f} a host; "
        f"{found.memory_mb * 1000 / shape.ports:.1f} kB a port, "
        f"{found.memory_mb * 1e6 / found.flows:.0f} octets a flow",
    )


def _apart(shape: Shape) -> Costs:
    ours, theirs = SPAWN.Pipe()
    process = SPAWN.Process(target=_measure, args=(shape, theirs))
    process.start()
    found: Costs = ours.recv()
    process.join()
    return found


def _measure(shape: Shape, pipe: Connection) -> None:
    with tempfile.TemporaryDirectory(prefix="weft-bench-") as directory:
        database = Database(f"sqlite:///{Path(directory) / 'weft.db'}", rng=random.Random(1))  # noqa: S311
        database.migrate()
        network_ids = _fill(database, shape)
        gc.collect()
        pipe.send(_costs(database, network_ids[0]))
        database.close()


# the intent -----------------------------------------------------------------------------------------------------------


def _fill(database: Database, shape: Shape) -> list[str]:
    """Make the cloud as the API does; return the ids of its networks."""
    with database.write() as tx:
        for number in range(shape.hosts):
            address = f"192.0.{2 + number // 200}.{1 + number % 200}"
            wanted = {"name": f"h{number}", "ovsdb": f"tcp:{address}:6640", "tunnel_ip": address}
            hosts.create(tx, ADMIN, wanted | {"datapath_type": "netdev", "physnets": ()})
        ids = [_network(tx, number) for number in range(shape.networks)]
    bodies = [_port(ids[network], f"h{host}") for network, host in shape.places()]
    for at in range(0, len(bodies), BULK):
        with database.write() as tx:
            ports.create_many(tx, ADMIN, bodies[at : at + BULK])
    return ids


def _network(tx: Any, number: int) -> str:
    made = networks.create(
        tx,
        ADMIN,
        PLAIN
        | dict.fromkeys(("mtu", "network_type", "physical_network", "segmentation_id"))
        | {"shared": False, "router_external": False, "port_security_enabled": True},
    )
    subnets.create(
        tx,
        ADMIN,
        PLAIN
        | {"network_id": made.id, "ip_version": 4, "cidr": f"10.{number // 4}.{number % 4 * 64}.0/18"}
        | {"gateway_ip": DEFAULT_GATEWAY, "allocation_pools": None, "enable_dhcp": True, "ipv6_ra_mode": None}
        | {"ipv6_address_mode": None, "dns_nameservers": (), "host_routes": ()},
    )
    return made.id


def _port(network_id: str, host: str) -> dict[str, Any]:
    """Return a port as users create them: with an address and the project's default security group."""
    return PLAIN | {
        "network_id": network_id,
        "host": host,
        "mac_address": None,
        "device_id": "",
        "device_owner": "",
        "port_security_enabled": None,
        "fixed_ips": AUTO,
        "allowed_address_pairs": (),
        "extra_dhcp_opts": (),
        "vnic_type": "normal",
        "profile": {},
    }


# the controller's work ------------------------------------------------------------------------------------------------


class _Controller:
    """What the controller has in memory, and what it does with it, without threads and switches."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._feed = Feed(database, plugin=OpenFlowPlugin.name, prepares_moves=True)
        self._directory = Directory(send=lambda *_: True, arrived=lambda *_: None, heard=lambda *_: None)
        self._model = Model()
        self._compiled, self._remotes, self._encoder = Compiled(), Remotes(), Encoder()
        self._bridges: dict[HostName, tuple[Bridge, Mirror]] = {}

    def start(self, costs: Costs) -> None:
        """Read the intent and make of it what every switch is to hold, as bytes."""
        with costs.stage("read"):
            snapshot, _ = self._feed.open()
        with costs.stage("model"):
            self._model = Model.of(snapshot)
        with costs.stage("leases"):
            self._directory.refresh(self._model, set(self._model.ports), set(self._model.networks))
        for host in self._model.hosts.values():
            bridge, mirror = Bridge(host, 0.0, self._compiled), Mirror(self._encoder)
            self._bridges[host.name] = bridge, mirror
            bridge.plugs.update(_with_tunnel(host.tunnel_ip or ""))
            with costs.stage("compile"):
                view = self._view(bridge)
                bridge.refresh(view, set(view.units()), 1)
            with costs.stage("bytes"):
                mirror.load(bridge.state.tables())
                costs.flows += len(mirror.desired.flows)
            with costs.stage("confirm"):
                marks.units_settled(Dirty(), self._model, host.name, bridge.confirm(1))

    def one_more(self, network_id: str) -> float:
        """Create a port; return the processor seconds until its flows are bytes for every host."""
        with self._database.write() as tx:
            ports.create_many(tx, ADMIN, [_port(network_id, "h0")])
        began, dirty = time.process_time(), Dirty()
        marks.take_in(dirty, self._model, self._feed.poll())
        self._directory.refresh(self._model, dirty.leases, dirty.routers)
        for name, units in dirty.units.items():
            bridge, mirror = self._bridges[name]
            delta, _ = bridge.refresh(self._view(bridge), units, 2)
            mirror.apply(delta)
            mirror.changes()
            marks.units_settled(dirty, self._model, name, bridge.confirm(2))
        return time.process_time() - began

    def _view(self, bridge: Bridge) -> BridgeView:
        return BridgeView(model=self._model, host=bridge.host, plugs=bridge.plugs, remotes=self._remotes)


def _costs(database: Database, network_id: str) -> Costs:
    costs, before = Costs(), processes.rss_mb(os.getpid())
    memory.expect_much()
    controller = _Controller(database)
    controller.start(costs)
    memory.keep_all()
    costs.memory_mb = processes.rss_mb(os.getpid()) - before
    costs.cpu_s["one port more, on all its hosts"] = median([controller.one_more(network_id) for _ in range(10)])
    return costs


def _with_tunnel(tunnel_ip: str) -> RowChanges:
    """Return what the database of a host says that has its tunnel."""
    tunnel = tunnel_row(TUNNEL_TYPE, tunnel_ip)
    row = InterfaceRow(
        uuid="tunnel",
        name=tunnel.name,
        bridge="br-int",
        port_name=tunnel.name,
        type=tunnel.type,
        ofport=tunnel.ofport_request,
        ofport_request=tunnel.ofport_request,
        iface_id=None,
        iface_status=None,
        attached_mac=None,
        link_state=None,
        error=None,
        mtu=None,
        options=tunnel.options,
        prewired=True,
        tag=None,
    )
    return RowChanges(view=HostView(connected=True, synced=True), whole=True, rows={row.uuid: row})
