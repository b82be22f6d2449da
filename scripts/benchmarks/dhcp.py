"""How many full DHCP exchanges a second does Weft answer, over many ports with their meters on, and how does dnsmasq?

Every port is a patch port of br-int; behind all of them is one bridge with one guest, whose frames are sorted by MAC.
So each port has its own flows, meter and binding, and the laboratory needs a few network devices and not a thousand.
A burst is sent through ten of them, because Open vSwitch reads each from a socket that holds some 330 frames.
dnsmasq, where it is installed, runs beside a NORMAL bridge with one guest that plays as many clients.
"""

import argparse
import contextlib
import select
import shutil
import socket
import struct
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from benchmarks import processes
from benchmarks.cloud import FLOOR_BRIDGE, Cloud, Floor, Port, cloud, floor
from benchmarks.probe import ipv4, mac_bytes
from benchmarks.report import Figure, at_least, at_most, percentile
from tests.lab import netns
from tests.lab.guest import Vm
from tests.lab.hypervisor import Hypervisor
from tests.lab.packets import open_socket

MAGIC = b"\x63\x82\x53\x63"
DISCOVER, OFFER, REQUEST, ACK = 1, 2, 3, 5
"""RFC 2132 section 9.6."""
UDP, BOOTREPLY = 17, 2
LEAST = 285
"""Octets of a frame with a whole option 53 behind the fixed part of BOOTP."""
LOST_S = 1.0
RECEIVE_BUFFER = 16 << 20
SO_RCVBUFFORCE = 33
GATEWAY = "10.99.0.1"
WAYS = 10
FIRST_WAY = 60_000
"""OpenFlow number of the first guest on the bridge behind the ports."""


@dataclass(frozen=True, slots=True)
class Client:
    """Who asks, and what it must be given."""

    mac: str
    address: str

    def frame(self, kind: int, xid: int) -> bytes:
        """Return a broadcast DISCOVER or REQUEST (RFC 2131 section 4.4.1)."""
        options = MAGIC + bytes([53, 1, kind])
        if kind == REQUEST:
            options += bytes([50, 4]) + socket.inet_aton(self.address) + bytes([54, 4]) + socket.inet_aton(GATEWAY)
        options += bytes([55, 5, 1, 3, 6, 26, 51, 255])
        mac = mac_bytes(self.mac)
        fixed = struct.pack("!BBBBIHH16x16s192x", 1, 1, 6, 0, xid, 0, 0, mac)
        body = (fixed + options).ljust(300, b"\0")
        datagram = struct.pack("!HHHH", 68, 67, 8 + len(body), 0) + body
        return b"\xff" * 6 + mac + b"\x08\0" + ipv4("0.0.0.0", "255.255.255.255", 17, datagram)


def reply(frame: bytes) -> tuple[int, int] | None:
    """Return transaction and message type of a DHCP reply, or None for any other frame."""
    if len(frame) < LEAST or frame[23] != UDP or frame[34:36] != b"\0\x43" or frame[42] != BOOTREPLY:
        return None
    at = 282
    while at + 2 < len(frame) and frame[at] not in (53, 255):
        at += 1 if frame[at] == 0 else 2 + frame[at + 1]
    return struct.unpack_from("!I", frame, 46)[0], frame[at + 2]


@dataclass(slots=True)
class Outcome:
    """What came of a load."""

    seconds: float
    times_ms: list[float] = field(default_factory=list)
    lost: int = 0


class Asker:
    """Guests that play all clients with prepared frames; the first of them sends what is no burst."""

    def __init__(self, vms: Sequence[Vm], clients: Sequence[Client]) -> None:
        self._frames = [(bytearray(c.frame(DISCOVER, 0)), bytearray(c.frame(REQUEST, 0))) for c in clients]
        self._sockets = [open_socket(vm.namespace, "eth0") for vm in vms]
        for each in self._sockets:
            each.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER)
        self._socket = self._sockets[0]
        self._xid = int(time.monotonic() * 1000) << 8 & 0x7FFFFFFF

    def close(self) -> None:
        """Give the sockets back."""
        for each in self._sockets:
            each.close()

    def _send(self, xid: int, first: int, kind: int, way: int = 0) -> None:
        frame = self._frames[(xid - first) % len(self._frames)][kind]
        struct.pack_into("!I", frame, 46, xid)
        self._sockets[way].send(frame)

    def exchanges(self, in_flight: int, seconds: float) -> Outcome:
        """Keep so many exchanges under way for so long, going round all clients."""
        first = last = self._xid
        live: dict[int, tuple[float, int]] = {}
        began = time.monotonic()
        outcome, scan = Outcome(seconds), began + LOST_S
        self._socket.settimeout(0.05)
        while (now := time.monotonic()) < began + seconds:
            if now >= scan:
                late = [xid for xid, (at, _) in live.items() if now - at > LOST_S]
                outcome.lost += len(late)
                for xid in late:
                    del live[xid]
                scan = now + LOST_S / 4
            while len(live) < in_flight:
                last += 1
                live[last] = now, OFFER
                self._send(last, first, 0)
            with contextlib.suppress(TimeoutError):
                found = reply(self._socket.recv(2048))
                if found is None or found[0] not in live:
                    continue
                xid, kind = found
                at, awaited = live[xid]
                if kind != awaited:
                    continue
                if kind == OFFER:
                    live[xid] = at, ACK
                    self._send(xid, first, 1)
                else:
                    outcome.times_ms.append((time.monotonic() - at) * 1000)
                    del live[xid]
        self._xid = last
        outcome.seconds = time.monotonic() - began
        return outcome

    def burst(self, count: int) -> int:
        """Send so many DISCOVERs at once, one a client; return how many were never offered anything."""
        first = self._xid
        waiting = set(range(first + 1, first + count + 1))
        for xid in sorted(waiting):
            self._send(xid, first, 0, xid % len(self._sockets))
        self._xid = first + count
        while waiting and (ready := select.select(self._sockets, [], [], 1.0)[0]):
            for each in ready:
                found = reply(each.recv(2048))
                if found is not None and found[1] == OFFER:
                    waiting.discard(found[0])
        return len(waiting)


def run(args: argparse.Namespace) -> Iterator[Figure]:
    """Measure Weft, then dnsmasq."""
    size, seconds = (100, 2.0) if args.quick else (1000, 5.0)
    with cloud() as bed, floor(bed.lab) as base:
        asker = Asker(*_behind_patches(bed, size))
        clients = [
            Client(f"02:00:01:00:{n >> 8:02x}:{n & 255:02x}", f"10.99.{100 + (n >> 8)}.{n & 255}") for n in range(size)
        ]
        with _dnsmasq(bed, base, clients) as other:
            for in_flight in (1, 16):
                yield _rate(bed, asker, other, in_flight, seconds)
            bursts = [_calm_burst(asker, size) for _ in range(3)]
            yield Figure(
                name=f"dropped in a burst of {size}",
                value=max(bursts),
                unit="packets",
                goal=at_most(0),
                floor=None if other is None else other.burst(size),
                note=f"worst of {bursts}",
            )
        asker.close()


def _calm_burst(asker: Asker, size: int) -> int:
    """Return what a burst loses when every port's meter is full again."""
    time.sleep(2.5)
    return asker.burst(size)


def _rate(bed: Cloud, asker: Asker, other: Asker | None, in_flight: int, seconds: float) -> Figure:
    base = None if other is None else other.exchanges(in_flight, seconds)
    time.sleep(1.5)
    asker.exchanges(in_flight, 0.5)
    before = processes.cpus_s(bed.pids)
    mine = asker.exchanges(in_flight, seconds)
    after = processes.cpus_s(bed.pids)
    done = max(1, len(mine.times_ms))
    cpu = {name: (after[name] - before[name]) * 1e6 / done for name in ("controller", "vswitchd")}
    shown = (
        f"p50 {percentile(mine.times_ms, 0.5):.2f} ms, p99 {percentile(mine.times_ms, 0.99):.2f} ms"
        if mine.times_ms
        else ""
    )
    return Figure(
        name=f"DORA a second, {in_flight} in flight",
        value=len(mine.times_ms) / mine.seconds,
        unit="/s",
        floor=None if base is None else len(base.times_ms) / base.seconds,
        goal=at_least(10_000) if in_flight > 1 else None,
        note=f"{shown}; lost {mine.lost} (floor {base.lost if base else '-'}); CPU a DORA: controller "
        f"{cpu['controller']:.0f} us, ovs-vswitchd {cpu['vswitchd']:.0f} us",
    )


def _behind_patches(bed: Cloud, size: int) -> tuple[list[Vm], list[Client]]:
    """Make ports, a patch pair each, and the bridge behind them; return the guests and the clients they play."""
    host = bed.hosts[0]
    ports = bed.ports(bed.network(), host.name, size)
    vms = _guests(bed, host, "c", 0xA0)
    host.vsctl(
        *("add-br", "br-cli", "--", "set", "bridge", "br-cli", "datapath_type=netdev", "fail_mode=secure"),
        *(word for n, vm in enumerate(vms) for word in _way(n, vm.device)),
    )
    for at in range(0, size, 250):
        words = [word for number in range(at, min(at + 250, size)) for word in _patch(number, ports[number])]
        host.vsctl(*words, timeout_s=120)
    flows = [f"dl_src={port['mac_address']},actions=output:{n + 1}" for n, port in enumerate(ports)]
    back = f"priority=1,actions=output:{FIRST_WAY}"
    host.ofctl("--bundle", "add-flows", "br-cli", "-", stdin="\n".join([back, *flows]))
    bed.wait_active(size)
    bed.settle()
    return vms, [Client(port["mac_address"], port["fixed_ips"][0]["ip_address"]) for port in ports]


def _guests(bed: Cloud, host: Hypervisor, prefix: str, number: int) -> list[Vm]:
    """Return the guests through which requests come."""
    return [
        bed.guest(host, f"{prefix}{n}", f"02:00:00:00:0{n}:{number:02x}", f"10.99.255.{number + n}/16")
        for n in range(WAYS)
    ]


def _way(number: int, device: str) -> list[str]:
    words = ["--", "add-port", "br-cli", device, "--", "set", "Interface", device]
    return [*words, f"ofport_request={FIRST_WAY + number}"]


def _patch(number: int, port: Port) -> list[str]:
    inner, outer = f"i{number}", f"o{number}"
    return [
        *("--", "add-port", "br-int", inner, "--", "set", "Interface", inner, "type=patch", f"options:peer={outer}"),
        f"external_ids:iface-id={port['id']}",
        *("--", "add-port", "br-cli", outer, "--", "set", "Interface", outer, "type=patch", f"options:peer={inner}"),
        f"ofport_request={number + 1}",
    ]


@contextlib.contextmanager
def _dnsmasq(bed: Cloud, base: Floor, clients: Sequence[Client]) -> Iterator[Asker | None]:
    """Run dnsmasq as Neutron's DHCP agent does, if it is installed."""
    if shutil.which("dnsmasq") is None:
        yield None
        return
    server = bed.guest(base.host, "dnsmasq", "02:00:00:00:00:0b", f"{GATEWAY}/16")
    guests = _guests(bed, base.host, "f", 0xB0)
    for vm in (server, *guests):
        base.host.vsctl("add-port", FLOOR_BRIDGE, vm.device)
    hosts = server.directory / "hosts"
    hosts.write_text("".join(f"{client.mac},{client.address}\n" for client in clients))
    command = netns.command(
        server.namespace,
        [
            "dnsmasq",
            "-k",
            "--no-hosts",
            "--no-resolv",
            "--conf-file=/dev/null",
            "--port=0",
            "--no-ping",
            "--quiet-dhcp",
            "--pid-file=",
            "--bind-dynamic",
            "--interface=eth0",
            "--user=root",
            "--dhcp-authoritative",
            "--dhcp-range=10.99.0.0,static,255.255.0.0,12h",
            f"--dhcp-hostsfile={hosts}",
            "--dhcp-option=3,10.99.0.1",
            "--dhcp-option=26,1442",
            f"--dhcp-leasefile={server.directory / 'leases'}",
            "--dhcp-lease-max=65536",
        ],
    )
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as running:
        time.sleep(0.5)
        asker = Asker(guests, clients)
        try:
            yield asker
        finally:
            asker.close()
            running.kill()
