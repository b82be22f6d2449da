"""How long until 100 switches are connected and full, and until a lost one is noticed? At what price in memory?

One hundred bridges of one ovs-vswitchd, led by the product's OpenFlow service in a process of its own. The floor of
"connected" is Open vSwitch's own: it tries a controller that was away once a second (max_backoff).
"""

import argparse
import multiprocessing
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from benchmarks import processes
from benchmarks.cloud import flow_count
from benchmarks.report import Figure, at_most
from benchmarks.switchside import FIRST_DPID, OpenFlowSide, add_bridges, remote_flows, tables
from controller.southbound.openflow import events
from tests.lab import Lab, eventually
from tests.lab.hypervisor import Hypervisor

SILENCE_S = 5.0


@dataclass(frozen=True, slots=True)
class Ask:
    """What the leading process is to wait for; None ends it."""

    kind: type[events.SwitchEvent]
    count: int


def lead(pipe: Connection, dpids: range, address: str, port: int, flows: int) -> None:
    """Lead the switches: say the port, start when told, answer what is asked with times, end."""
    # One state for all: what is measured is the service and its workers, not the making of flows.
    state = tables(remote_flows(flows))
    side = OpenFlowSide(dpids, address, port)
    for dpid in dpids:
        side.service.switch(dpid).load(state, 1)
    pipe.send(side.port)
    pipe.recv()
    side.service.start()
    while (ask := pipe.recv()) is not None:
        if isinstance(ask, str):
            side.forget()
            continue
        pipe.send(side.all(ask.kind, ask.count, 60))
    side.service.stop()


class Leader:
    """The process that leads."""

    def __init__(self, dpids: range, address: str, port: int, flows: int) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=lead, args=(theirs, dpids, address, port, flows), daemon=True)
        self.process.start()
        self.port: int = self.pipe.recv()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid or 0

    def start(self) -> float:
        """Let it accept switches; return when."""
        self.pipe.send("start")
        return time.monotonic()

    def forget(self) -> None:
        """Forget the events so far."""
        self.pipe.send("forget")

    def times(self, kind: type[events.SwitchEvent], count: int) -> list[float]:
        """Wait for `count` switches' events of a kind and return when they came (one clock for all processes)."""
        self.pipe.send(Ask(kind, count))
        times: list[float] = self.pipe.recv()
        return times

    def kill(self) -> None:
        """End it at once."""
        self.process.kill()
        self.process.join()


def run(args: argparse.Namespace) -> Iterator[Figure]:
    """Connect, cut, hang and start again."""
    count, flows = (20, 100) if args.quick else (100, 1000)
    dpids = range(FIRST_DPID, FIRST_DPID + count)
    with tempfile.TemporaryDirectory(prefix="weft-bench-") as name, Lab(Path(name), warm=False) as lab:
        host = lab.hypervisor("many")
        leader = Leader(dpids, lab.controller_ip, 0, flows)
        try:
            yield from _connect(flows, host, leader, dpids, lab.controller_ip)
            port = leader.port
            leader.kill()
            leader = Leader(dpids, lab.controller_ip, port, flows)
            yield from _again(count, host, leader)
        finally:
            leader.kill()


def _connect(flows: int, host: Hypervisor, leader: Leader, dpids: range, address: str) -> Iterator[Figure]:
    count = len(dpids)
    small, few = processes.rss_mb(leader.pid), processes.threads(leader.pid)
    add_bridges(host, dpids, f"tcp:{address}:{leader.port}")
    began = leader.start()
    connected = leader.times(events.Connected, count)[-1] - began
    full = leader.times(events.Synced, count)[-1] - began
    there = sum(flow_count(host, f"s{number}") for number in range(count))
    if there != count * flows:
        raise RuntimeError(f"{there} flows in {count} switches, {count * flows} wanted")
    yield Figure(name=f"{count} switches connected", value=connected, unit="s")
    yield Figure(name=f"{count} switches, {there} flows: all full", value=full, unit="s", goal=at_most(5))
    yield Figure(
        name="memory a switch",
        value=(processes.rss_mb(leader.pid) - small) / count,
        unit="MB",
        note=f"process {processes.rss_mb(leader.pid):.0f} MB in all, {flows} flows a switch",
    )
    yield Figure(name="threads a switch", value=(processes.threads(leader.pid) - few) / count, unit="threads")


def _again(count: int, host: Hypervisor, leader: Leader) -> Iterator[Figure]:
    """A new leader finds everything as it should be; then the switches are hung, and then killed."""
    began = leader.start()
    synced = leader.times(events.Synced, count)[-1] - began
    yield Figure(
        name=f"controller killed and back: {count} switches read and compared",
        value=synced,
        unit="s",
        goal=at_most(5),
        note="up to 1 s of it is Open vSwitch's wait before it tries again",
    )
    leader.forget()
    began = time.monotonic()
    host.hang_vswitchd()
    silent = leader.times(events.Disconnected, count)
    host.resume_vswitchd()
    yield Figure(
        name="all switches silent: last one noticed", value=silent[-1] - began, unit="s", goal=at_most(SILENCE_S + 0.5)
    )
    leader.forget()
    leader.times(events.Synced, count)
    threads = processes.threads(leader.pid)
    leader.forget()
    began = time.monotonic()
    host.kill_vswitchd()
    cut = leader.times(events.Disconnected, count)
    yield Figure(name=f"{count} switches cut at once: first noticed", value=cut[0] - began, unit="s", goal=at_most(0.1))
    yield Figure(name=f"{count} switches cut at once: last noticed", value=cut[-1] - began, unit="s")
    eventually(lambda: processes.threads(leader.pid) <= threads - count, 10, "the connections' threads have ended")
