"""How much TCP and UDP do two guests exchange through Weft with conntrack, and through a NORMAL bridge?

Both in one run, on one host and across two: Weft's hosts beside two that only have a learning bridge and a VXLAN
tunnel.
Guests fill in checksums themselves and have no segmentation offload, so packets and not octets are the limit.
"""

import argparse
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from benchmarks.cloud import FLOOR_BRIDGE, Cloud, cloud
from benchmarks.report import Figure, Of, at_least
from tests.lab import eventually
from tests.lab.guest import Vm
from tests.lab.hypervisor import Hypervisor

MTU = 1450
UDP_OCTETS = 1400
GOAL = 0.5
"""Two lookups in conntrack and three passes of the datapath instead of one: no more than twice the cost."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Guest:
    """A guest and its address."""

    vm: Vm
    address: str


def run(args: argparse.Namespace) -> Iterator[Figure]:
    """Measure each kind of traffic on Weft and on the floor, one after the other.

    Raises:
        RuntimeError: iperf3 is not installed.
    """
    if shutil.which("iperf3") is None:
        raise RuntimeError("iperf3 is not installed: apt-get install iperf3")
    seconds = 2 if args.quick else 8
    with cloud(2, dummies=False) as bed:
        mine = _on_weft(bed)
        theirs = _on_floor(bed)
        bed.settle()
        for place in ("one host", "two hosts"):
            for kind in ("TCP", "UDP"):
                base = _measured(theirs[place], kind, seconds)
                found = _measured(mine[place], kind, seconds)
                yield Figure(
                    name=f"{kind}, {place}",
                    value=found.mbit,
                    unit="Mbit/s",
                    floor=base.mbit,
                    goal=at_least(GOAL, Of.RATIO),
                    note=f"{found.note}; floor: {base.note}",
                )


Pairs = dict[str, tuple[Guest, Guest]]


def _on_weft(bed: Cloud) -> Pairs:
    network = bed.network()
    body = {"security_group": {"name": "throughput"}}
    group = bed.api.post("/v2.0/security-groups", body)["security_group"]["id"]
    for protocol in ("tcp", "udp"):
        rule = {"security_group_id": group, "direction": "ingress", "protocol": protocol, "ethertype": "IPv4"}
        rule |= {"port_range_min": 5000, "port_range_max": 5999}
        bed.api.post("/v2.0/security-group-rules", {"security_group_rule": rule})
    here, there = bed.hosts

    def guest(host: Hypervisor, number: int) -> Guest:
        mac, address = f"02:00:00:00:04:{number:02x}", f"10.99.255.{number}"
        vm = _booted(host, f"w{number}", mac, address)
        port = bed.port(
            network, host.name, mac_address=mac, fixed_ips=[{"ip_address": address}], security_groups=[group]
        )
        host.plug(vm, port["id"])
        bed.weft.wait_for_port(port["id"])
        return Guest(vm=vm, address=address)

    one, two, three = guest(here, 1), guest(here, 2), guest(there, 3)
    return {"one host": (one, two), "two hosts": (one, three)}


def _on_floor(bed: Cloud) -> Pairs:
    hosts = [bed.lab.hypervisor(name) for name in ("floor1", "floor2")]
    for host, peer in (hosts, hosts[::-1]):
        host.vsctl("add-br", FLOOR_BRIDGE, "--", "set", "bridge", FLOOR_BRIDGE, "datapath_type=netdev")
        options = (f"options:remote_ip={peer.tunnel_ip}", "options:key=77")
        host.vsctl("add-port", FLOOR_BRIDGE, "vx0", "--", "set", "Interface", "vx0", "type=vxlan", *options)
    bed.lab.warm_up()

    def guest(host: Hypervisor, number: int) -> Guest:
        vm = _booted(host, f"n{number}", f"02:00:00:00:05:{number:02x}", f"10.99.255.{number}")
        host.vsctl("add-port", FLOOR_BRIDGE, vm.device)
        return Guest(vm=vm, address=f"10.99.255.{number}")

    one, two, three = guest(hosts[0], 1), guest(hosts[0], 2), guest(hosts[1], 3)
    return {"one host": (one, two), "two hosts": (one, three)}


def _booted(host: Hypervisor, name: str, mac: str, address: str) -> Vm:
    vm = host.boot_vm(name, device=name, mac=mac, ipv6=False)
    vm.address_set(f"{address}/16", mtu=MTU)
    return vm


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What arrived."""

    mbit: float
    note: str


def _measured(pair: tuple[Guest, Guest], kind: str, seconds: int) -> Measured:
    client, server = pair
    output = server.vm.directory / "iperf3.log"
    output.unlink(missing_ok=True)
    serving = server.vm.start(["iperf3", "-s", "-1", "--forceflush"], output)
    try:
        eventually(lambda: output.exists() and "listening" in output.read_text(), 10, "iperf3 listens")
        # The first second of TCP is not counted; of UDP iperf3 would then count wrongly what was lost.
        options = ["-u", "-b", "0", "-l", str(UDP_OCTETS)] if kind == "UDP" else ["-O", "1"]
        argv = ["iperf3", "-c", server.address, "-J", "-t", str(seconds), *options]
        return _read(json.loads(client.vm.run(argv, timeout_s=seconds + 30).stdout), kind)
    finally:
        if serving.poll() is None:
            serving.terminate()
        serving.wait(timeout=10)


def _read(result: dict[str, Any], kind: str) -> Measured:
    end = result["end"]
    if kind == "TCP":
        sent = end["sum_sent"]
        return Measured(mbit=end["sum_received"]["bits_per_second"] / 1e6, note=f"{sent['retransmits']} retransmits")
    found = end["sum_received"]
    mbit = found["bits_per_second"] / 1e6
    rate = f"{mbit * 1e6 / 8 / UDP_OCTETS:,.0f} datagrams/s"
    return Measured(mbit=mbit, note=f"{rate}, {found['lost_percent']:.0f}% of those sent were lost")
