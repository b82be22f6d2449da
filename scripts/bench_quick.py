"""How long from a request to the first ping, and how many flows a port? Beside the OVS floor of the same run.

The floor is a bridge with the NORMAL action and no controller: what `ovs-vsctl add-port` costs by itself. Every time is
from just before the command that plugs (or the POST) to the time stamp of the first echo reply a neighbour receives;
it sends one request every 2 ms, which bounds the resolution. Both ends know each other's MAC, or the kernel's one
second between two ARP requests would be all there is to see.
"""

import argparse
import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.lab import Lab, Weft
from tests.lab.guest import Vm
from tests.lab.hypervisor import Hypervisor
from tests.lab.process import eventually

INTERVAL_S = 0.002
PATIENCE_S = 5.0
CIDR = "10.99.0.0/24"
PROBER, GUEST = "10.99.0.254", "10.99.0.10"
REPLY = re.compile(r"^\[(?P<at>\d+\.\d+)\] \d+ bytes from", re.MULTILINE)


def introduce(one: Vm, other: Vm, address: str) -> None:
    """Tell a guest another's MAC for good."""
    one.run(["ip", "neigh", "replace", address, "lladdr", other.mac, "dev", "eth0", "nud", "permanent"])


def first_reply_s(prober: Vm, vm: Vm, act: Callable[[], None]) -> float:
    """Return the seconds from `act` to the first answer `prober` gets from `vm`."""
    output = prober.directory / "probe"
    output.unlink(missing_ok=True)
    introduce(prober, vm, GUEST)
    introduce(vm, prober, PROBER)
    command = ["stdbuf", "-oL", "ping", "-n", "-D", "-i", str(INTERVAL_S), GUEST]
    running: subprocess.Popen[bytes] = prober.start(command, output)
    try:
        time.sleep(0.05)  # the requests flow before the clock starts
        began = time.time()
        act()
        found = eventually(lambda: REPLY.search(output.read_text()), PATIENCE_S, "the first reply", every_s=0.002)
    finally:
        running.kill()
        running.wait()
    return float(found["at"]) - began


def rename_up(host: Hypervisor, vm: Vm, name: str) -> Callable[[], None]:
    """Return the act of a device with this name appearing on the host, as when compute creates a tap."""
    ip = ["ip", "-n", host.namespace, "link", "set", vm.device]
    subprocess.run([*ip, "down"], check=True)

    def act() -> None:
        subprocess.run([*ip, "name", name, "up"], check=True)

    return act


def guest(host: Hypervisor, number: int, mac: str, address: str = GUEST) -> Vm:
    """Return a started VM whose device is on the host but on no bridge."""
    vm = host.boot_vm(f"b{number}", device=f"b{number}", mac=mac, ipv6=False)
    vm.address_set(f"{address}/24")
    return vm


class Floor:
    """Plug into a NORMAL bridge of an Open vSwitch of its own."""

    def __init__(self, host: Hypervisor) -> None:
        self.host = host
        host.vsctl("add-br", "br-floor", "--", "set", "bridge", "br-floor", "datapath_type=netdev")
        self.prober = guest(host, 0, "02:00:00:00:00:01", PROBER)
        host.vsctl("add-port", "br-floor", self.prober.device)

    def plug_s(self, number: int) -> float:
        """Measure one `ovs-vsctl add-port`."""
        vm = guest(self.host, number, f"02:00:00:00:01:{number:02x}")
        taken = first_reply_s(self.prober, vm, lambda: self.host.plug(vm, "floor", "br-floor"))
        self.host.unplug(vm, "br-floor")
        self.host.destroy_vm(vm)
        return taken


class Cloud:
    """Plug into Weft's network."""

    def __init__(self, weft: Weft, host: Hypervisor) -> None:
        self.weft, self.host = weft, host
        self.network = weft.api.create("network", name="bench")["id"]
        weft.api.create("subnet", network_id=self.network, ip_version=4, cidr=CIDR, enable_dhcp=True)
        port = self.port(PROBER)
        self.prober = host.boot_vm("prober", device=f"tap{port['id'][:11]}", mac=port["mac_address"], ipv6=False)
        self.prober.address_set(f"{PROBER}/24")
        weft.wait_for_port(port["id"])

    def port(self, address: str | None = None, mac: str | None = None, host: str | None = "h1") -> dict[str, Any]:
        """Create a port."""
        more: dict[str, Any] = {} if address is None else {"fixed_ips": [{"ip_address": address}]}
        more |= {} if mac is None else {"mac_address": mac}
        return self.weft.api.create("port", network_id=self.network, **{"binding:host_id": host or ""}, **more)

    def delete(self, port: dict[str, Any], vm: Vm) -> None:
        """End a VM and its port."""
        self.host.unplug(vm)
        self.host.destroy_vm(vm)
        self.weft.api.delete(f"/v2.0/ports/{port['id']}")
        eventually(lambda: not [f for f in self.host.flows() if port["mac_address"] in f], 5, "flows are gone")

    def plug_s(self, number: int) -> float:
        """Measure `ovs-vsctl add-port` with the id of a port that was created before, under a name of compute's own."""
        port = self.port(GUEST)
        vm = guest(self.host, number, port["mac_address"])
        eventually(lambda: any(port["mac_address"] in f for f in self.host.flows()), 5, "flows are there")
        taken = first_reply_s(self.prober, vm, lambda: self.host.plug(vm, port["id"]))
        self.delete(port, vm)
        return taken

    def prewired_s(self, number: int) -> float:
        """Measure a device appearing under the name Weft has prepared."""
        port = self.port(GUEST)
        vm = guest(self.host, number, port["mac_address"])
        name = f"tap{port['id'][:11]}"
        eventually(lambda: name in self.host.vsctl("list-ports", "br-int"), 5, "the row is there")
        eventually(lambda: any(port["mac_address"] in f for f in self.host.flows()), 5, "flows are there")
        taken = first_reply_s(self.prober, vm, rename_up(self.host, vm, name))
        vm.device = name
        self.delete(port, vm)
        return taken

    def create_s(self, number: int) -> float:
        """Measure POST /v2.0/ports and the plug that follows at once."""
        mac = f"02:00:00:00:02:{number:02x}"
        vm = guest(self.host, number, mac)
        made: list[dict[str, Any]] = []

        def act() -> None:
            made.append(self.port(GUEST, mac))
            self.host.plug(vm, made[0]["id"])

        taken = first_reply_s(self.prober, vm, act)
        self.delete(made[0], vm)
        return taken

    def flow_slopes(self) -> dict[str, float]:
        """Return how many flows one more port costs on its own host and on another."""
        counts = [len(self.host.flows())]
        for host in ("h1", "h2"):
            ports = [self.port(host=host) for _ in range(10)]
            macs = [p["mac_address"] for p in ports]
            eventually(lambda m=macs: all(x in "\n".join(self.host.flows()) for x in m), 5, "flows are there")
            counts.append(len(self.host.flows()))
        return {"local": (counts[1] - counts[0]) / 10, "remote": (counts[2] - counts[1]) / 10}


def measure(name: str, once: Callable[[int], float], repeat: int) -> dict[str, Any]:
    """Run one measurement some times."""
    times = [once(number) * 1000 for number in range(1, repeat + 1)]
    print(f"  {name}: {' '.join(f'{t:.0f}' for t in times)} ms", file=sys.stderr)
    return {"name": name, "median_ms": round(statistics.median(times), 1), "max_ms": round(max(times), 1)}


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="latencies and flows a port (all there is today)")
    parser.add_argument("--repeat", type=int, default=10, metavar="N")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there too")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        with Lab(directory / "lab") as lab, Weft(directory / "weft", lab=lab) as weft:
            floor = Floor(lab.hypervisor("floor"))
            h1, h2 = lab.hypervisor("h1"), lab.hypervisor("h2")
            lab.warm_up()
            weft.add_host(h1)
            weft.add_host(h2)
            cloud = Cloud(weft, h1)
            rows = [
                measure("OVS floor: plug -> ping", floor.plug_s, args.repeat),
                measure("Weft: plug -> ping", cloud.plug_s, args.repeat),
                measure("Weft: pre-wired device appears -> ping", cloud.prewired_s, args.repeat),
                measure("Weft: create, plug -> ping", cloud.create_s, args.repeat),
            ]
            slopes = cloud.flow_slopes()
    base = rows[0]["median_ms"]
    print(f"\n{'from -> first ping':42}{'median ms':>10}{'max ms':>9}{'over floor':>12}{'ratio':>7}")
    for row in rows:
        over, ratio = row["median_ms"] - base, row["median_ms"] / base
        print(f"{row['name']:42}{row['median_ms']:10.1f}{row['max_ms']:9.1f}{over:12.1f}{ratio:7.2f}")
    print(f"\nflows per further port: {slopes['local']:g} on its own host, {slopes['remote']:g} on another")
    if args.json:
        args.json.write_text(json.dumps({"latency": rows, "flows_per_port": slopes}, indent=1))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
