"""How fast do 100,000 flows come into one switch, and how fast is it known that they are there? And the API meanwhile?

The product's OpenFlow service and worker, fed with generated flows, into a real Open vSwitch; the floor is
`ovs-ofctl --bundle add-flows` of the same flows into a bridge of the same Open vSwitch that nobody watches. An API
process of Weft answers GETs of a client that is a process of its own.
"""

import argparse
import contextlib
import multiprocessing
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection

from benchmarks import processes
from benchmarks.cloud import cloud, flow_count, vswitchd_pid
from benchmarks.http import Client
from benchmarks.report import Figure, Of, at_most, median, percentile
from benchmarks.switchside import FIRST_DPID, OpenFlowSide, add_bridges, remote_flows, tables, timed
from controller.southbound.openflow.events import Connected, Synced
from flows.delta import Tables
from flows.ofctl import flow_text
from flows.pipeline import TABLE_BY_NAME
from tests.lab.hypervisor import Hypervisor

BRIDGE, UNWATCHED = "s0", "s-floor"
FLOWS, FEW_FLOWS = 100_000, 20_000
DPIDS = range(FIRST_DPID, FIRST_DPID + 1)
EMPTY = tables(iter(()))
PACE_S = 0.01
"""Time between an answer and the next request."""
LEAST_S = 3.0
"""Time for which the API is asked while nothing is pushed."""


def _read(pipe: Connection, url: str, path: str) -> None:
    """Between ``begin`` and ``end``, GET one path a hundred times a second; then send how long each answer took."""
    client = Client(url)
    while pipe.recv() == "begin":
        times_ms: list[float] = []
        while not pipe.poll(PACE_S):
            began = time.monotonic()
            client.request("GET", path)
            times_ms.append((time.monotonic() - began) * 1000)
        pipe.recv()
        pipe.send(times_ms)
    client.close()


class Reader:
    """A client of the API in a process of its own, so that the pushing process's lock is not what it waits for."""

    def __init__(self, url: str, path: str) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_read, args=(theirs, url, path), daemon=True)
        self._process.start()

    @contextlib.contextmanager
    def reading(self) -> Iterator[list[float]]:
        """Ask during the block; the times are complete after it."""
        times_ms: list[float] = []
        self._pipe.send("begin")
        try:
            yield times_ms
        finally:
            self._pipe.send("end")
            times_ms += self._pipe.recv()

    def stop(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.join()


def run(args: argparse.Namespace) -> Iterator[Figure]:
    """Push, read back and compare, in turn with the floor."""
    count = FEW_FLOWS if args.quick else FLOWS
    with cloud(0) as bed:
        # Not a host of this Weft: its switch is led by the service in this process.
        host = bed.lab.hypervisor("pushed")
        port = bed.ports(bed.network(), None, 1)[0]
        reader = Reader(bed.weft.url, f"/v2.0/ports/{port['id']}")
        state = tables(remote_flows(count))
        side = OpenFlowSide(DPIDS, bed.lab.controller_ip)
        side.service.switch(FIRST_DPID)
        side.service.start()
        try:
            host.vsctl(
                "add-br", UNWATCHED, "--", "set", "bridge", UNWATCHED, "datapath_type=netdev", "fail_mode=secure"
            )
            add_bridges(host, DPIDS, side.target)
            side.first(Connected)
            with reader.reading() as idle:
                time.sleep(LEAST_S)
            yield from _measure(state, host, side, reader, idle, times=max(3, args.repeat // 2))
        finally:
            side.service.stop()
            reader.stop()


def _measure(
    state: Tables, host: Hypervisor, side: OpenFlowSide, reader: Reader, idle: list[float], *, times: int
) -> Iterator[Figure]:
    count = len(state.flows)
    text = "\n".join(_numbered(line) for line in map(flow_text, state.flows.values()))
    rows: dict[str, list[float]] = {name: [] for name in ("floor", "push", "push cpu", "vswitchd cpu", "same", "again")}
    busy: list[float] = []
    floor_busy: list[float] = []
    switch, pid = side.service.switch(FIRST_DPID), vswitchd_pid(host)
    for _ in range(times):
        # What has to be undone is undone by whoever did it: a worker that finds its flows gone puts them back at once.
        _load(side, EMPTY)
        with reader.reading() as seen:
            rows["floor"].append(timed(lambda: host.ofctl("--bundle", "add-flows", UNWATCHED, "-", stdin=text)))
        floor_busy += seen
        host.ofctl("del-flows", UNWATCHED)
        with reader.reading() as seen:
            cpu, switch_cpu = time.process_time(), processes.cpu_s(pid)
            rows["push"].append(_load(side, state))
            rows["push cpu"].append(time.process_time() - cpu)
            rows["vswitchd cpu"].append(processes.cpu_s(pid) - switch_cpu)
        busy += seen
        if switch.drift:
            raise RuntimeError(f"{switch.drift} flows drifted: what was measured is not the push")
        rows["same"].append(_load(side, state))
        rows["again"].append(_reconnect(side))
    if flow_count(host, BRIDGE) != count:
        raise RuntimeError(f"{flow_count(host, BRIDGE)} flows in the switch, {count} wanted")
    base = median(rows["floor"])
    yield Figure(
        name=f"{count} flows: load -> all confirmed",
        value=median(rows["push"]),
        unit="s",
        floor=base,
        goal=at_most(1, Of.RATIO),
        note=f"best {min(rows['push']):.2f} s; CPU here {median(rows['push cpu']):.2f} s, "
        f"ovs-vswitchd {median(rows['vswitchd cpu']):.2f} s; floor best {min(rows['floor']):.2f} s",
    )
    yield Figure(name="the same load again: encode, read back, compare", value=median(rows["same"]), unit="s")
    yield Figure(
        name="reconnected, nothing to change: read back and compare",
        value=median(rows["again"]),
        unit="s",
        goal=at_most(0.4) if count == FLOWS else None,
        note=f"best {min(rows['again']):.2f} s",
    )
    yield Figure(
        name="GET one port while flows are pushed, p99",
        value=percentile(busy, 0.99),
        unit="ms",
        floor=percentile(floor_busy, 0.99),
        goal=at_most(10),
        note=f"floor: ovs-ofctl pushes; nothing pushed: {percentile(idle, 0.99):.1f} ms; medians {median(busy):.1f}, "
        f"{median(floor_busy):.1f} and {median(idle):.1f} ms, {len(busy)} requests",
    )


def _load(side: OpenFlowSide, state: Tables) -> float:
    """Give the worker a whole state; return the seconds until the switch has confirmed it."""
    side.forget()
    began = time.monotonic()
    side.service.switch(FIRST_DPID).load(state, began)
    return side.first(Synced) - began


def _reconnect(side: OpenFlowSide) -> float:
    """Cut the connection as a restart of the controller would; return the seconds from connected to synced."""
    side.forget()
    connection = side.service.switch(FIRST_DPID)._connection  # noqa: SLF001 - the product has no reason to offer a cut
    if connection is None:
        raise RuntimeError("the switch is not connected")
    connection.close("cut by the benchmark")
    connected = side.first(Connected)
    return side.first(Synced) - connected


def _numbered(line: str) -> str:
    """Write table numbers for names: ovs-ofctl learns names from the switch only without --bundle."""
    name = line.partition("table=")[2].partition(",")[0]
    return line.replace(f"table={name}", f"table={TABLE_BY_NAME[name].id}", 1)
