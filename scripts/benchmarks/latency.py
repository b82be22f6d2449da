"""How long from a plug, a device's appearance or a POST to the first packet, with how many other ports on the host?

Beside `ovs-vsctl add-port` on a NORMAL bridge with as many interfaces, measured in turn with Weft's. The clock starts
when the command or request is begun, so the start of ovs-vsctl itself (some 5 ms) is in both.
"""

import argparse
import subprocess
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

from benchmarks import processes
from benchmarks.cloud import FLOOR_BRIDGE, Cloud, Floor, Port, cloud, floor, flow_count, introduce
from benchmarks.probe import Probe
from benchmarks.report import Figure, Of, at_most, median, percentile
from tests.lab import eventually

PROBER_IP, GUEST_IP = "10.99.255.1", "10.99.255.2"
PROBER_MAC, GUEST_MAC = "02:00:00:00:00:01", "02:00:00:00:00:02"
FLOOR_PROBER_MAC, FLOOR_GUEST_MAC = "02:00:00:00:01:01", "02:00:00:00:01:02"
SETTLED_S = 0.5
WIRED_S = 2.5
"""After so long a port must be ACTIVE: Open vSwitch takes up to a second to notice a device among 1,000."""
IDLE_S = 5
"""How long it is watched what is used while nothing happens."""
_T = TypeVar("_T")


class OnFloor:
    """The floor's pair of guests."""

    def __init__(self, bed: Cloud, base: Floor) -> None:
        self.host = base.host
        self.prober = bed.guest(base.host, "f-prober", FLOOR_PROBER_MAC, f"{PROBER_IP}/16")
        self.vm = bed.guest(base.host, "f-guest", FLOOR_GUEST_MAC, f"{GUEST_IP}/16")
        introduce(self.prober, PROBER_IP, self.vm, GUEST_IP)
        base.host.vsctl("add-port", FLOOR_BRIDGE, self.prober.device)
        self.probe = Probe(self.prober, PROBER_IP, FLOOR_GUEST_MAC, GUEST_IP)

    def plug(self, probed: bool = True) -> float:
        """Measure one `ovs-vsctl add-port`."""
        taken = _timed(self.probe if probed else None, lambda: self.host.plug(self.vm, "floor", FLOOR_BRIDGE))
        self.host.unplug(self.vm, FLOOR_BRIDGE)
        time.sleep(0.05)
        return taken


class OnWeft:
    """Weft's pair of guests; one guest device is used again and again, each time as a new port."""

    def __init__(self, bed: Cloud, network_id: str) -> None:
        self.bed, self.network_id, self.host = bed, network_id, bed.hosts[0]
        self.prober = bed.guest(self.host, "prober", PROBER_MAC, f"{PROBER_IP}/16")
        self.vm = bed.guest(self.host, "guest", GUEST_MAC, f"{GUEST_IP}/16")
        introduce(self.prober, PROBER_IP, self.vm, GUEST_IP)
        port = self._port(PROBER_MAC, PROBER_IP)
        self.host.plug(self.prober, port["id"])
        bed.weft.wait_for_port(port["id"])
        self.probe = Probe(self.prober, PROBER_IP, GUEST_MAC, GUEST_IP)

    def _port(self, mac: str, address: str) -> Port:
        return self.bed.port(self.network_id, self.host.name, mac_address=mac, fixed_ips=[{"ip_address": address}])

    def ready(self) -> Port:
        """Create a port and return it when its flows and its pre-wired row are there."""
        port = self._port(GUEST_MAC, GUEST_IP)
        eventually(self._has_flows, 30, "the port's flows are there")
        eventually(lambda: _tap(port) in self._names(), 30, "the row is there")
        time.sleep(0.15)  # the switch takes the row in, and Weft what the switch says of it
        return port

    def _has_flows(self) -> bool:
        return "dl_dst" in self.host.ofctl("dump-flows", "br-int", f"dl_dst={GUEST_MAC}")

    def _names(self) -> list[str]:
        return self.host.vsctl("list-ports", "br-int").split()

    def clean(self, port: Port) -> None:
        """Unplug and delete a port, and wait until nothing is left of it."""
        self.host.unplug(self.vm)
        self.bed.api.delete(f"/v2.0/ports/{port['id']}")
        eventually(lambda: not self._has_flows(), 30, "the port's flows are gone")
        eventually(lambda: _tap(port) not in self._names(), 30, "the row is gone")
        time.sleep(0.1)

    def plug(self, probed: bool = True) -> float:
        """Measure the plug of a port that exists, under a name of compute's own."""
        port = self.ready()
        taken = _timed(self.probe if probed else None, lambda: self.host.plug(self.vm, port["id"]))
        self.clean(port)
        return taken

    def prewired(self) -> float:
        """Measure a device appearing under the name Weft has prepared; no command and no controller in the way."""
        port = self.ready()
        ip = ["ip", "-n", self.host.namespace, "link", "set"]
        subprocess.run([*ip, self.vm.device, "down"], check=True)
        appear = [*ip, self.vm.device, "name", _tap(port), "up"]
        taken = _timed(self.probe, lambda: subprocess.run(appear, check=True))
        subprocess.run([*ip, _tap(port), "down"], check=True)
        subprocess.run([*ip, _tap(port), "name", self.vm.device, "up"], check=True)
        self.clean(port)
        return taken

    def further(self) -> Port:
        """Create a port, plug it and give it time to become ACTIVE, without asking whether it is."""
        port = self._port(GUEST_MAC, GUEST_IP)
        self.host.plug(self.vm, port["id"])
        time.sleep(WIRED_S)
        return port

    def away(self, port: Port) -> None:
        """Remove a port that must have become ACTIVE."""
        if (status := self.bed.api.get(f"/v2.0/ports/{port['id']}")["port"]["status"]) != "ACTIVE":
            raise RuntimeError(f"port {port['id']} is {status} {WIRED_S} s after it was plugged, not ACTIVE")
        self.clean(port)

    def create(self, probed: bool = True) -> float:
        """Measure a POST of a port and the plug that follows at once."""
        made: list[Port] = []

        def act() -> None:
            made.append(self._port(GUEST_MAC, GUEST_IP))
            self.host.plug(self.vm, made[0]["id"])

        taken = _timed(self.probe if probed else None, act)
        self.clean(made[0])
        return taken


def _tap(port: Port) -> str:
    return f"tap{port['id'][:11]}"


def _timed(probe: Probe | None, act: Callable[[], object]) -> float:
    """Return the seconds from the beginning of `act` to the first answer; without a probe, let the effects settle."""
    began = time.monotonic()
    act()
    if probe is None:
        time.sleep(SETTLED_S)
        return 0.0
    return probe.until_answered() - began


def _cpu_ms(pids: dict[str, int], act: Callable[[], _T], times: int, undo: Callable[[_T], None]) -> dict[str, float]:
    """Return the processor milliseconds of each process for one `act`, idle use taken off; `undo` does not count.

    Medians, also of what is used in an idle second: what Weft does once a minute would else be some port's.
    """
    acts: list[tuple[dict[str, float], float]] = []
    for _ in range(times):
        before, began = processes.cpus_s(pids), time.monotonic()
        done = act()
        acts.append((_since(before, pids), time.monotonic() - began))
        undo(done)
    time.sleep(1.0)
    seconds = []
    for _ in range(IDLE_S):
        before = processes.cpus_s(pids)
        time.sleep(1.0)
        seconds.append(_since(before, pids))
    idle = {name: median([second[name] for second in seconds]) for name in pids}
    return {name: median([spent[name] - idle[name] * busy_s for spent, busy_s in acts]) * 1000 for name in pids}


def _since(before: dict[str, float], pids: dict[str, int]) -> dict[str, float]:
    return {name: now - before[name] for name, now in processes.cpus_s(pids).items()}


def run(args: argparse.Namespace) -> Iterator[Figure]:
    """Measure at growing numbers of other ports."""
    sizes = (0, 100) if args.quick else (0, 100, 500, 1000)
    with cloud() as bed, floor(bed.lab) as base:
        network_id = bed.network()
        on_floor, on_weft = OnFloor(bed, base), OnWeft(bed, network_id)
        others = 0
        for size in sizes:
            base.grow(size)
            bed.plug_dummies(bed.hosts[0], bed.ports(network_id, "h1", size - others))
            others = size
            bed.wait_active(size + 1)
            bed.settle()
            yield from _at(size, args.repeat, bed, on_floor, on_weft)
    yield from _slopes()


def _at(size: int, repeat: int, bed: Cloud, on_floor: OnFloor, on_weft: OnWeft) -> Iterator[Figure]:
    times: dict[str, list[float]] = {"floor": [], "plug": [], "prewired": [], "create": []}
    acts = (
        ("floor", on_floor.plug),
        ("plug", on_weft.plug),
        ("prewired", on_weft.prewired),
        ("create", on_weft.create),
    )
    for number in range(repeat + 1):
        for name, act in acts:
            taken = act() * 1000
            if number:  # the first round warms caches
                times[name].append(taken)
    base = median(times["floor"])
    worst = percentile(times["floor"], 0.99)
    goals = {"plug": at_most(5, Of.OVER), "prewired": at_most(0, Of.OVER), "create": at_most(15, Of.OVER)}
    titles = {"plug": "plug -> ping", "prewired": "pre-wired device -> ping", "create": "create, plug -> ping"}
    for name, goal in goals.items():
        yield Figure(
            name=f"{titles[name]}, {size} others",
            value=median(times[name]),
            unit="ms",
            floor=base,
            goal=goal,
            note=f"p99 {percentile(times[name], 0.99):.0f} ms (floor {worst:.0f}), {repeat} times",
        )
    yield from _cpu(size, max(3, repeat // 3), bed, on_floor, on_weft)


def _cpu(size: int, times: int, bed: Cloud, on_floor: OnFloor, on_weft: OnWeft) -> Iterator[Figure]:
    def undone(_: object) -> None:
        """What was measured has undone itself."""

    running = on_floor.host._vswitchd  # noqa: SLF001
    pids = {"vswitchd": running.pid if running else 0}
    floor_ms = _cpu_ms(pids, lambda: on_floor.plug(probed=False), times, undone)
    plugged = _cpu_ms(bed.pids, on_weft.further, times, on_weft.away)
    used = _cpu_ms(bed.pids, lambda: on_weft.create(probed=False), times, undone)
    yield Figure(
        name=f"controller's CPU per further port plugged, {size} others",
        value=plugged["controller"],
        unit="ms",
        goal=at_most(5),
        note=f"from POST and plug to ACTIVE; API process {plugged['api']:.1f} ms",
    )
    yield Figure(
        name=f"controller's CPU per cycle of one port, {size} others",
        value=used["controller"],
        unit="ms",
        note=f"create, plug, unplug and delete together; API process {used['api']:.1f} ms",
    )
    yield Figure(
        name=f"ovs-vswitchd's CPU per cycle of one port, {size} others",
        value=used["vswitchd"],
        unit="ms",
        floor=floor_ms["vswitchd"],
        note="create, plug, unplug and delete; floor: plug and unplug",
    )


def _slopes() -> Iterator[Figure]:
    """Say how many flows one more port costs on its own host and on another."""
    with cloud(2) as bed:
        network_id = bed.network()
        first, second = bed.hosts
        bed.ports(network_id, first.name, 1)
        bed.ports(network_id, second.name, 1)
        time.sleep(1.0)
        counts = [flow_count(first)]
        for host in (first, second):
            bed.ports(network_id, host.name, 20)
            time.sleep(1.0)
            counts.append(flow_count(first))
        yield Figure(name="flows per local port", value=(counts[1] - counts[0]) / 20, unit="flows", goal=at_most(12))
        yield Figure(name="flows per remote port", value=(counts[2] - counts[1]) / 20, unit="flows", goal=at_most(3))
