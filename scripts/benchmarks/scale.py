"""What does a large cloud cost? 10,000 ports over 100 networks, in one network, and 100 switches with 10,000 ports.

Real switches, each with an ovs-vswitchd of its own, and Weft as users run it. The ports are as users create them, with
an address and the default security group; they have no devices, so every one of them is pre-wired.
"""

import argparse
import subprocess
import threading
import time
from collections.abc import Iterator

from benchmarks import processes
from benchmarks.cloud import BULK, Cloud, cloud, flow_count
from benchmarks.growth import Shape
from benchmarks.report import Figure, at_most, median, percentile
from benchmarks.story import Story
from tests.lab.hypervisor import Hypervisor

FULL_S = 900.0
STILL_S = 3.0
"""The switches are full when none got a flow for so long, and Weft rests."""
REST_S = 10.0
CUT_S, SILENT_S = 0.1, 5.5
"""How soon a lost switch is to be noticed: its connection cut; and silent for 5 s, with half a second to conclude."""
SHAPES = (
    Shape(hosts=10, ports=10_000, networks=100, spread=10),
    Shape(hosts=10, ports=10_000, networks=1, spread=10),
    Shape(hosts=100, ports=10_000, networks=100, spread=10),
)
SMALL = (
    Shape(hosts=3, ports=600, networks=6, spread=3),
    Shape(hosts=3, ports=600, networks=1, spread=3),
    Shape(hosts=10, ports=1_000, networks=10, spread=3),
)


def run(args: argparse.Namespace) -> Iterator[Figure]:
    """Measure every shape in a laboratory of its own."""
    for shape in SMALL if args.quick else SHAPES:
        with cloud(shape.hosts, dummies=False) as bed:
            yield from _shape(bed, shape, args.repeat * 3)


def _shape(bed: Cloud, shape: Shape, changes: int) -> Iterator[Figure]:
    ids = [bed.network(f"10.{32 + n // 4}.{n % 4 * 64}.0/18", f"n{n}") for n in range(shape.networks)]
    yield from _filled(bed, shape, ids)
    yield from _held(bed, shape)
    yield from _changes(bed, shape, ids[0], changes)
    yield from _restarts(bed, shape)
    yield from _losses(bed, shape)


def _filled(bed: Cloud, shape: Shape, ids: list[str]) -> Iterator[Figure]:
    """Create all ports, some hundred a request, and wait for their flows."""
    bed.settle()
    before = processes.cpus_s(bed.pids)
    began = time.monotonic()
    names = [host.name for host in bed.hosts]
    bodies = [{"network_id": ids[network], "binding:host_id": names[host]} for network, host in shape.places()]
    for at in range(0, len(bodies), BULK):
        bed.bulk(bodies[at : at + BULK])
    posted = time.monotonic() - began
    full = _last_flow(bed) - began
    used = processes.cpus_s(bed.pids)
    yield Figure(
        name=f"{shape}: first POST -> last flow",
        value=full,
        unit="s",
        note=f"POSTs {posted:.1f} s; CPU controller {used['controller'] - before['controller']:.1f} s, "
        f"API {used['api'] - before['api']:.1f} s",
    )


def _last_flow(bed: Cloud) -> float:
    """Wait until the number of flows stands still and Weft rests; return when it last changed."""
    last, counts = time.monotonic(), _counts(bed)
    deadline = last + FULL_S
    while time.monotonic() < deadline:
        while time.monotonic() - last < STILL_S:
            if (now := _counts(bed)) != counts:
                last, counts = time.monotonic(), now
            time.sleep(0.2)
        bed.settle(STILL_S, FULL_S)
        if (now := _counts(bed)) == counts:
            return last
        last, counts = time.monotonic(), now
    raise TimeoutError(f"the flows did not come to rest within {FULL_S:g} s; there are {counts}")


def _counts(bed: Cloud) -> list[int]:
    return [flow_count(host) for host in bed.hosts]


def _octets(host: Hypervisor) -> float:
    return sum(len(line) for line in host.flows()) / 1000


def _held(bed: Cloud, shape: Shape) -> Iterator[Figure]:
    """Say what is there now, in switches and processes, and what it costs to keep it."""
    flows = _counts(bed)
    yield Figure(name=f"{shape}: flows a host", value=median(flows), unit="flows", note=f"{sum(flows):,} in all")
    yield Figure(
        name=f"{shape}: octets of flows a host",
        value=_octets(bed.hosts[0]),
        unit="kB",
        note="as ovs-ofctl prints them; what OVS holds is in its memory below",
    )
    pids = bed.pids
    memory = {name: processes.rss_mb(pid) for name, pid in pids.items()}
    yield Figure(
        name=f"{shape}: memory of the controller",
        value=memory["controller"],
        unit="MB",
        note=f"API process {memory['api']:.0f} MB, one ovs-vswitchd {memory['vswitchd']:.0f} MB; "
        f"{processes.threads(pids['controller'])} threads",
    )
    before = processes.cpus_s(pids)
    time.sleep(REST_S)
    used = processes.cpus_s(pids)
    yield Figure(
        name=f"{shape}: controller's CPU at rest",
        value=(used["controller"] - before["controller"]) / REST_S * 100,
        unit="%",
        note=f"of one processor; ovs-vswitchd of a host {(used['vswitchd'] - before['vswitchd']) / REST_S * 100:.1f} %",
    )


class Watch:
    """The flow changes of a switch as they happen (ovs-ofctl(8), monitor ... watch:)."""

    def __init__(self, host: Hypervisor) -> None:
        self._seen: list[tuple[float, str]] = []
        self._changed = threading.Condition()
        self._running = subprocess.Popen(
            ["stdbuf", "-oL", "ovs-ofctl", "-O", "OpenFlow14", "monitor", "br-int", "watch:!initial"],
            env=host.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in self._running.stdout or ():
            with self._changed:
                self._seen.append((time.monotonic(), line))
                self._changed.notify_all()

    def when(self, text: str, event: str, timeout_s: float = 30.0) -> float:
        """Return when a line with `text` of an event (ADDED, DELETED) was first read."""

        def found() -> float | None:
            return next((at for at, line in self._seen if text in line and event in line), None)

        with self._changed:
            if not self._changed.wait_for(lambda: found() is not None, timeout_s):
                raise TimeoutError(f"{event} of {text} not within {timeout_s:g} s; last: {self._seen[-3:]}")
            return found() or 0.0

    def close(self) -> None:
        """End."""
        self._running.kill()
        self._running.wait()


def _changes(bed: Cloud, shape: Shape, network_id: str, times: int) -> Iterator[Figure]:
    """Create and delete one port, again and again; the clock stops at its flow on its own and on another host."""
    remote_host = bed.hosts[shape.spread - 1]
    local, remote = Watch(bed.hosts[0]), Watch(remote_host)
    time.sleep(0.5)
    near, far = [], []
    before = processes.cpus_s(bed.pids)
    for number in range(times):
        mac = f"02:00:05:00:00:{number:02x}"
        began = time.monotonic()
        port = bed.port(network_id, bed.hosts[0].name, mac_address=mac)
        near.append((local.when(mac, "ADDED") - began) * 1000)
        far.append((remote.when(mac, "ADDED") - began) * 1000)
        bed.api.delete(f"/v2.0/ports/{port['id']}")
        local.when(mac, "DELETED")
        time.sleep(0.2)
    used = processes.cpus_s(bed.pids)
    cpu = {name: (used[name] - before[name]) * 1000 / times for name in used}
    local.close()
    remote.close()
    for name, found in (("its own host", near), (f"{remote_host.name}", far)):
        yield Figure(
            name=f"{shape}: POST port -> its flow on {name}, p50",
            value=median(found),
            unit="ms",
            note=f"p99 {percentile(found, 0.99):.0f} ms of {times}",
        )
    yield Figure(
        name=f"{shape}: controller's CPU for a port created and deleted",
        value=cpu["controller"],
        unit="ms",
        goal=at_most(5),
        note=f"its share of what is done at rest with it; on {shape.spread} hosts; "
        f"API {cpu['api']:.1f} ms, ovs-vswitchd of its host {cpu['vswitchd']:.0f} ms",
    )


def _restarts(bed: Cloud, shape: Shape) -> Iterator[Figure]:
    """Start Weft again with everything as it should be, and with every switch empty."""
    bed.weft.kill()
    yield from _started(bed, shape, "warm start", wanted=0)
    counts = _counts(bed)
    bed.weft.stop(timeout_s=FULL_S)
    for host in bed.hosts:
        for table in ("flows", "groups", "meters"):
            host.ofctl(f"del-{table}", "br-int")
    yield from _started(bed, shape, "cold start")
    if (now := _counts(bed)) != counts:
        raise RuntimeError(f"other flows after a start with empty switches: {now}, before {counts}")


def _started(bed: Cloud, shape: Shape, name: str, *, wanted: int | None = None) -> Iterator[Figure]:
    """Start Weft; time until it says of every switch that it is as it should be."""
    story = Story(bed.weft.log)
    began = time.time()
    bed.weft.start(timeout_s=FULL_S)
    controller = bed.pids["controller"]
    synced = story.wait("switch_synced", len(bed.hosts), FULL_S)
    cpu = processes.cpu_s(controller)
    started = story.wait("controller_started", 1, FULL_S)[0]
    sent = sum(int(line.value("sent")) for line in synced)
    last = max(line.at for line in synced)
    yield Figure(
        name=f"{shape}: {name} -> all switches full",
        value=last - began,
        unit="s",
        note=f"controller {started.at - began:.1f} s after its start, then {last - started.at:.1f} s; "
        f"CPU {cpu:.1f} s; {sent:,} messages",
    )
    if wanted is not None:
        yield Figure(name=f"{shape}: messages sent by it", value=sent, unit="messages", goal=at_most(wanted))


def _losses(bed: Cloud, shape: Shape) -> Iterator[Figure]:
    """Cut one switch, and hang one, as a crash and a host without power would."""
    bed.settle(STILL_S, FULL_S)
    cut, silent = bed.hosts[0], bed.hosts[-1]
    for name, host, goal in (("cut", cut, CUT_S), ("silent", silent, SILENT_S)):
        story = Story(bed.weft.log)
        began = time.time()
        if host is cut:
            host.kill_vswitchd()
        else:
            host.hang_vswitchd()
        noticed = story.wait("switch_disconnected", 1, 60.0)[0].at - began
        yield Figure(
            name=f"{shape}: one switch {name} -> noticed",
            value=noticed,
            unit="s",
            goal=at_most(goal),
            note="the log's clock counts milliseconds",
        )
    silent.resume_vswitchd()
