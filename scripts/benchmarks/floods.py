"""How long does a guest wait for its lease and for an answer while another guest of its host floods?

The floor is the same guest without a flood, in the same run.
"""

import argparse
import contextlib
import re
import select
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass

from benchmarks.cloud import Cloud, cloud
from benchmarks.dhcp import ACK, DISCOVER, OFFER, REQUEST, Client, reply
from benchmarks.report import Figure, Of, at_most, median, percentile
from tests.lab.guest import Vm
from tests.lab.hypervisor import Hypervisor
from tests.lab.packets import open_socket
from tests.lab_guests.flooding import KINDS, Aim, Sender, flood, frames_of

GAP_S = 0.1
"""Between two exchanges: the neighbour stays below its own meter."""
LOST_S = 2.0
IPV6 = "fd00:99::"


@dataclass(frozen=True, slots=True, kw_only=True)
class Guest:
    """A guest and its port's addresses."""

    vm: Vm
    mac: str
    ip4: str
    ip6: str


def run(args: argparse.Namespace) -> Iterator[Figure]:
    """Measure at rest, then under each flood."""
    times = args.repeat * 3
    with cloud(2, dummies=False) as bed:
        network = bed.network()
        bed.api.create("subnet", network_id=network, ip_version=6, cidr=f"{IPV6}/64")
        allow = bed.api.post("/v2.0/security-groups", {"security_group": {"name": "open"}})["security_group"]["id"]
        for version in ("IPv4", "IPv6"):
            rule = {"security_group_id": allow, "direction": "ingress", "ethertype": version}
            bed.api.post("/v2.0/security-group-rules", {"security_group_rule": rule})
        here, there = bed.hosts
        flooder, neighbour = (_guest(bed, network, here, n, allow) for n in (1, 2))
        far = _guest(bed, network, there, 3, allow)
        bed.settle()
        rest = _measured(neighbour, far, times)
        yield Figure(name="DHCP exchange at rest", value=median(rest.leases_ms), unit="ms", note=rest.note)
        for kind in KINDS:
            yield from _under(kind, here, (flooder, neighbour, far), rest, times)


def _guest(bed: Cloud, network: str, host: Hypervisor, number: int, group: str) -> Guest:
    mac, ip4, ip6 = f"02:00:00:00:03:{number:02x}", f"10.99.255.{number}", f"{IPV6}{number:x}"
    vm = host.boot_vm(f"g{number}", device=f"g{number}", mac=mac)
    vm.address_set(f"{ip4}/16", f"{ip6}/64")
    fixed = [{"ip_address": ip4}, {"ip_address": ip6}]
    port = bed.port(network, host.name, mac_address=mac, fixed_ips=fixed, security_groups=[group])
    host.plug(vm, port["id"])
    bed.weft.wait_for_port(port["id"])
    return Guest(vm=vm, mac=mac, ip4=ip4, ip6=ip6)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What a guest got."""

    leases_ms: list[float]
    lost: int
    pings_ms: list[float]
    pings_lost: int

    @property
    def note(self) -> str:
        """Say what is not the median."""
        return (
            f"p99 {percentile(self.leases_ms, 0.99):.1f} ms, {self.lost} lost; ping p50 {median(self.pings_ms):.2f}, "
            f"p99 {percentile(self.pings_ms, 0.99):.2f} ms, {self.pings_lost} lost"
        )


def _measured(guest: Guest, far: Guest, times: int) -> Measured:
    with open_socket(guest.vm.namespace, "eth0") as raw:
        found = []
        for number in range(times):
            found.append(_exchange(raw, Client(guest.mac, guest.ip4), 0x5EED_0000 + number))
            time.sleep(GAP_S)
    pings = guest.vm.ping(far.ip4, count=times * 2, interval_s=0.02)
    leases = [taken * 1000 for taken in found if taken is not None]
    if not leases or not pings.rtts:
        raise RuntimeError(f"{found.count(None)} of {times} exchanges and {pings.lost} of {pings.sent} pings were lost")
    return Measured(leases_ms=leases, lost=found.count(None), pings_ms=list(pings.rtts), pings_lost=pings.lost)


def _exchange(raw: socket.socket, client: Client, xid: int) -> float | None:
    """Return the seconds from DISCOVER to ACK (RFC 2131 section 3.1); None when an answer is missing."""
    with contextlib.suppress(BlockingIOError):
        while raw.recv(2048, socket.MSG_DONTWAIT):
            pass
    began = time.monotonic()
    for kind, awaited in ((DISCOVER, OFFER), (REQUEST, ACK)):
        raw.send(client.frame(kind, xid))
        deadline = time.monotonic() + LOST_S
        while True:
            rest = deadline - time.monotonic()
            if rest <= 0 or not select.select([raw], [], [], rest)[0]:
                return None
            if reply(raw.recv(2048)) == (xid, awaited):
                break
    return time.monotonic() - began


def _under(
    kind: str, host: Hypervisor, guests: tuple[Guest, Guest, Guest], rest: Measured, times: int
) -> Iterator[Figure]:
    flooder, neighbour, far = guests
    octets = bytes.fromhex(flooder.mac.replace(":", ""))
    link_local = f"fe80::{octets[0] ^ 2:02x}{octets[1]:02x}:{octets[2]:02x}ff:fe{octets[3]:02x}:{octets[4:].hex()}"
    me = Sender(vm=flooder.vm, mac=flooder.mac, ip4=flooder.ip4, ip6=flooder.ip6, link_local=link_local)
    host.appctl("dpctl/flush-conntrack")
    with flood(flooder.vm, frames_of(kind, me, Aim(mac=far.mac, ip4=far.ip4, ip6=far.ip6))) as sent:
        first, began = sent[0], time.monotonic()
        seen = _measured(neighbour, far, times)
        rate = (sent[0] - first) / (time.monotonic() - began)
        connections = len(re.findall(r"zone=", host.appctl("dpctl/dump-conntrack")))
        slow = _without_meter(host, flooder)
    yield Figure(
        name=f"DHCP exchange under a flood of {kind}",
        value=median(seen.leases_ms),
        unit="ms",
        floor=median(rest.leases_ms),
        goal=at_most(20, Of.OVER),
        note=f"{seen.note}; the flood: {rate:,.0f}/s",
    )
    if kind == "SYN":
        yield Figure(name="conntrack entries of the host meanwhile", value=connections, unit="entries")
    yield Figure(
        name=f"datapath flows that ask the slow path unmetered, {kind}", value=slow, unit="flows", goal=at_most(0)
    )


def _without_meter(host: Hypervisor, flooder: Guest) -> int:
    """Count the datapath flows by which the flooder's packets enter that go to userspace without a meter before it."""
    ports = dict(re.findall(r"port (\d+): (\S+)", host.appctl("dpctl/show")))
    number = next(n for n, device in ports.items() if device == flooder.vm.device)
    lines = host.appctl("dpctl/dump-flows").splitlines()
    mine = [line for line in lines if f"in_port({number})" in line and "recirc_id(0)" in line]
    actions = [line.partition("actions:")[2] for line in mine]
    return sum("userspace" in a and not a.startswith("meter(") for a in actions)
