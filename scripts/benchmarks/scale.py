"""What does a large cloud cost? 10,000 ports over 100 networks on ten hosts, then 10,000 in one network.

Real switches, each with an ovs-vswitchd of its own; the ports have no devices, so every one of them is pre-wired.
"""

import argparse
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks import processes
from benchmarks.cloud import BULK, Cloud, cloud, flow_count
from benchmarks.report import Figure, at_most, median, percentile
from tests.lab import eventually
from tests.lab.hypervisor import Hypervisor

FULL_S = 300.0


def run(args: argparse.Namespace) -> Iterator[Figure]:
    """Measure both shapes, each in a laboratory of its own."""
    hosts, ports = (3, 600) if args.quick else (10, 10_000)
    for networks in (ports // 100, 1):
        with cloud(hosts, dummies=False) as bed:
            yield from _shape(bed, ports, networks, args.repeat * 3)


def _shape(bed: Cloud, ports: int, networks: int, changes: int) -> Iterator[Figure]:
    shape = f"{ports} ports, {networks} network{'s' * (networks > 1)}"
    ids = [bed.network(f"10.{32 + n // 4}.{n % 4 * 64}.0/18", f"n{n}") for n in range(networks)]
    before = processes.cpus_s(bed.pids)
    began = time.monotonic()
    _fill(bed, ids, ports)
    posted = time.monotonic() - began
    eventually(
        lambda: _is_full(bed, ports), FULL_S, lambda: f"flows of all ports; there are {_counts(bed)}", every_s=0.2
    )
    full = time.monotonic() - began
    bed.settle(2.0, FULL_S)
    used = processes.cpus_s(bed.pids)
    flows = _counts(bed)
    yield Figure(
        name=f"{shape}: first POST -> all flows in {len(bed.hosts)} switches",
        value=full,
        unit="s",
        note=f"POSTs {posted:.1f} s; CPU controller {used['controller'] - before['controller']:.1f} s, "
        f"API {used['api'] - before['api']:.1f} s",
    )
    yield Figure(name=f"{shape}: flows a host", value=median(flows), unit="flows", note=f"{sum(flows)} in all")
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
    yield from _changes(bed, shape, ids[0], changes)
    yield from _restart(bed, shape)


def _fill(bed: Cloud, networks: list[str], ports: int) -> None:
    """Create ports evenly over networks and hosts, 500 a request."""
    names = [host.name for host in bed.hosts]
    bodies = [
        {"network_id": networks[n % len(networks)], "binding:host_id": names[n // len(networks) % len(names)]}
        for n in range(ports)
    ]
    for at in range(0, ports, BULK):
        bed.bulk(bodies[at : at + BULK])


def _counts(bed: Cloud) -> list[int]:
    return [flow_count(host) for host in bed.hosts]


def _is_full(bed: Cloud, ports: int) -> bool:
    """Every port has four flows on its own host, and one on each other host, because its network is everywhere."""
    hosts = len(bed.hosts)
    return all(count >= ports // hosts * 4 + ports // hosts * (hosts - 1) for count in _counts(bed))


def _octets(host: Hypervisor) -> float:
    return sum(len(line) for line in host.flows()) / 1000


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


def _changes(bed: Cloud, shape: str, network_id: str, times: int) -> Iterator[Figure]:
    """Create and delete one port, again and again; the clock stops at its flow on its own and on another host."""
    local, remote = Watch(bed.hosts[0]), Watch(bed.hosts[-1])
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
    for name, found in (("its own host", near), ("the last of the others", far)):
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
        note=f"API {cpu['api']:.1f} ms, ovs-vswitchd of its host {cpu['vswitchd']:.0f} ms",
    )


def _restart(bed: Cloud, shape: str) -> Iterator[Figure]:
    """Kill Weft and start it again: time until every host is known to be as it should."""
    bed.weft.kill()
    began = time.monotonic()
    bed.weft.start(timeout_s=120)
    ready = time.monotonic() - began
    eventually(lambda: _synced(bed.weft.log, len(bed.hosts)), FULL_S, "every switch is read and compared", every_s=0.05)
    synced = time.monotonic() - began
    sent = _sent(bed.weft.log, len(bed.hosts))
    yield Figure(
        name=f"{shape}: Weft killed -> all switches read and compared",
        value=synced,
        unit="s",
        note=f"ready line after {ready:.1f} s; CPU {processes.cpu_s(bed.pids['controller']):.1f} s",
    )
    yield Figure(name=f"{shape}: messages sent by that restart", value=sent, unit="messages", goal=at_most(0))


def _since_start(log: Path) -> list[str]:
    text = log.read_text().rpartition("controller_started")[2]
    return [line for line in text.splitlines() if "switch_synced" in line]


def _synced(log: Path, hosts: int) -> bool:
    return len(_since_start(log)) >= hosts


def _sent(log: Path, hosts: int) -> int:
    return sum(int(line.partition("sent=")[2].split()[0]) for line in _since_start(log)[:hosts])
