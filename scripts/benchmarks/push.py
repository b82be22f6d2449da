"""How fast do 100,000 flows come into one switch, and how fast is it known that they are there? And the API meanwhile?

The product's OpenFlow service and worker, fed with generated flows, into a real Open vSwitch; the floor is
`ovs-ofctl --bundle add-flows` of the same flows into the same bridge. An API process of Weft answers GETs meanwhile.
"""

import argparse
import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

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

BRIDGE = "s0"
FLOWS, FEW_FLOWS = 100_000, 20_000
DPIDS = range(FIRST_DPID, FIRST_DPID + 1)


@dataclass(slots=True)
class Reader:
    """GETs one port again and again, a hundred a second, and notes how long each answer took."""

    url: str
    path: str
    times_ms: list[float] = field(default_factory=list)
    _stopping: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Ask until told to stop."""
        client = Client(self.url)
        while not self._stopping.wait(0.01):
            began = time.monotonic()
            client.request("GET", self.path)
            self.times_ms.append((time.monotonic() - began) * 1000)
        client.close()

    @contextlib.contextmanager
    def reading(self) -> Iterator[list[float]]:
        """Ask during the block; the times are complete after it."""
        self.times_ms = []
        self._stopping.clear()
        thread = threading.Thread(target=self.run, daemon=True)
        thread.start()
        try:
            yield self.times_ms
        finally:
            self._stopping.set()
            thread.join()


def run(args: argparse.Namespace) -> Iterator[Figure]:
    """Push, read back and compare, in turn with the floor."""
    count = FEW_FLOWS if args.quick else FLOWS
    with cloud(0) as bed:
        # Not a host of this Weft: its switch is led by the service in this process.
        host = bed.lab.hypervisor("pushed")
        port = bed.ports(bed.network(), None, 1)[0]
        reader = Reader(bed.weft.url, f"/v2.0/ports/{port['id']}")
        with reader.reading() as idle:
            time.sleep(3.0)
        state = tables(remote_flows(count))
        side = OpenFlowSide(DPIDS, bed.lab.controller_ip)
        side.service.switch(FIRST_DPID)
        side.service.start()
        try:
            add_bridges(host, DPIDS, side.target)
            side.first(Connected)
            yield from _measure(state, host, side, reader, idle, times=max(3, args.repeat // 2))
        finally:
            side.service.stop()


def _measure(
    state: Tables, host: Hypervisor, side: OpenFlowSide, reader: Reader, idle: list[float], *, times: int
) -> Iterator[Figure]:
    count = len(state.flows)
    text = "\n".join(_numbered(line) for line in map(flow_text, state.flows.values()))
    rows: dict[str, list[float]] = {name: [] for name in ("floor", "push", "push cpu", "vswitchd cpu", "same", "again")}
    busy: list[float] = []
    for _ in range(times):
        host.ofctl("del-flows", BRIDGE)
        rows["floor"].append(timed(lambda: host.ofctl("--bundle", "add-flows", BRIDGE, "-", stdin=text)))
        host.ofctl("del-flows", BRIDGE)
        with reader.reading() as seen:
            pid = vswitchd_pid(host)
            side.forget()
            began, cpu, switch_cpu = time.monotonic(), time.process_time(), processes.cpu_s(pid)
            side.service.switch(FIRST_DPID).load(state, 1)
            rows["push"].append(side.first(Synced) - began)
            rows["push cpu"].append(time.process_time() - cpu)
            rows["vswitchd cpu"].append(processes.cpu_s(pid) - switch_cpu)
        busy += seen
        side.forget()
        began = time.monotonic()
        side.service.switch(FIRST_DPID).load(state, 2)
        rows["same"].append(side.first(Synced) - began)
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
        floor=percentile(idle, 0.99),
        goal=at_most(10),
        note=f"floor: nothing pushed; medians {median(busy):.1f} and {median(idle):.1f} ms, {len(busy)} requests",
    )


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
