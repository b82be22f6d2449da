"""What is a guest of the laboratory? A namespace whose eth0 is one end of a veth; the other end is on a hypervisor."""

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from tests.lab import dhcp as clients
from tests.lab import netns, packets, process, registry
from tests.lab.dhcp import Lease
from tests.lab.process import LabError, eventually

DEVICE_NAME_LENGTH = 15
"""IFNAMSIZ - 1 (linux/if.h)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PingResult:
    """What came of a row of echo requests."""

    sent: int
    received: int
    rtts: tuple[float, ...]
    """Round trips in milliseconds, in order of arrival."""
    unanswered: tuple[int, ...] = ()
    """The numbers of the requests that were never answered, from 1: they tell when it was."""
    duplicates: int = 0
    """Answers that came more than once."""

    @property
    def lost(self) -> int:
        """How many were never answered."""
        return self.sent - self.received


class RunningPing:
    """Echo requests that go on in the background until they are stopped."""

    def __init__(self, running: subprocess.Popen[bytes], output: Path) -> None:
        self._running = running
        self._output = output

    def received(self) -> int:
        """Return how many answers have come so far."""
        return len(_round_trips(self._output.read_text()))

    def stop(self) -> PingResult:
        """Stop, and return the balance; a last request whose answer was under way does not count."""
        self._running.send_signal(signal.SIGINT)  # ping(8) prints its summary on SIGINT
        self._running.wait(timeout=10)
        text = self._output.read_text()
        result = _ping_result(text)
        if result.unanswered == (result.sent,):
            return replace(result, sent=result.sent - 1, unanswered=())
        return result


def _round_trips(text: str) -> tuple[float, ...]:
    return tuple(float(found) for found in re.findall(r"icmp_seq=\d+ .*time=([\d.]+) ms$", text, re.MULTILINE))


def _ping_result(text: str) -> PingResult:
    summary = re.search(r"(\d+) packets transmitted, (\d+) received", text)
    if summary is None:
        raise LabError(f"ping printed no summary:\n{text}")
    sent = int(summary[1])
    answered = {int(number) for number in re.findall(r"icmp_seq=(\d+) .*time=", text)}
    twice = re.search(r"\+(\d+) duplicates", text)
    return PingResult(
        sent=sent,
        received=int(summary[2]),
        rtts=_round_trips(text),
        unanswered=tuple(number for number in range(1, sent + 1) if number not in answered),
        duplicates=int(twice[1]) if twice else 0,
    )


class Vm:
    """A guest. Made by ``Hypervisor.boot_vm``."""

    def __init__(
        self, *, name: str, namespace: str, host_namespace: str, device: str, mac: str, directory: Path, mark: str
    ) -> None:
        if len(device) > DEVICE_NAME_LENGTH:
            raise LabError(f"device name {device!r} is longer than {DEVICE_NAME_LENGTH} characters")
        self.name = name
        self.namespace = namespace
        self.host_namespace = host_namespace
        self.device = device
        self.mac = mac.lower()
        self.directory = directory
        self._environment = {**os.environ, registry.MARK: mark}
        self._background: list[subprocess.Popen[bytes]] = []
        self._client: subprocess.Popen[bytes] | None = None
        self._lease_directory = directory
        self._counter = 0

    def create(self, *, ipv6: bool) -> None:
        """Make the namespace and the cable; the guest's end comes up last, when the guest is ready."""
        # A guest of the same name in an earlier laboratory may have left its leases here.
        shutil.rmtree(self.directory, ignore_errors=True)
        self.directory.mkdir(parents=True)
        netns.add(self.namespace)
        if ipv6:
            netns.set_ipv6(self.namespace, enabled=True)
        # The host's end is up from its first moment: what is set up a moment later than OVS sees it, OVS may set down.
        add = ["link", "add", self.device, "up", "type", "veth", "peer", "name", "eth0", "address", self.mac]
        process.run(["ip", "-n", self.host_namespace, *add, "netns", self.namespace])
        # The guest's kernel fills checksums in itself: a userspace datapath forwards a frame as it finds it.
        self.run(["ethtool", "-K", "eth0", "tx", "off"])
        process.run(["ip", "-n", self.namespace, "link", "set", "eth0", "up"])

    def destroy(self) -> None:
        """End the guest at once: its processes, its device, its namespace."""
        registry.terminate(netns.pids(self.namespace))
        self.reap()
        process.run(["ip", "-n", self.host_namespace, "link", "del", self.device], check=False)
        netns.delete(self.namespace)

    def reap(self) -> None:
        """Collect background processes that have ended."""
        for started in self._background:
            started.wait(timeout=10)
        self._background.clear()

    # ---- commands

    def run(
        self, argv: Sequence[str], timeout_s: float = 30.0, *, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in the guest."""
        command = netns.command(self.namespace, argv)
        return process.run(command, timeout_s=timeout_s, check=check, env=self._environment)

    def start(self, argv: Sequence[str], output: Path) -> subprocess.Popen[bytes]:
        """Start a command in the guest that goes on until it is ended, at the latest with the guest."""
        with output.open("ab") as file:
            command = netns.command(self.namespace, argv)
            started = process.start(command, env=self._environment, stdout=file, stderr=file, cwd=self.directory)
        self._background.append(started)
        return started

    def _fresh_path(self, stem: str) -> Path:
        self._counter += 1
        return self.directory / f"{stem}-{self._counter:03d}"

    # ---- addresses

    def address_set(self, *addresses: str, gateway: str | None = None, mtu: int | None = None) -> None:
        """Give eth0 these addresses (with prefix length) and no others of the same families; no DHCP involved."""
        if mtu is not None:
            process.run(["ip", "-n", self.namespace, "link", "set", "eth0", "mtu", str(mtu)])
        process.run(["ip", "-n", self.namespace, "addr", "flush", "dev", "eth0", "scope", "global"])
        for address in addresses:
            # nodad: usable at once (RFC 4862 duplicate detection would take a second)
            family = ["nodad"] if ":" in address else []
            process.run(["ip", "-n", self.namespace, "addr", "add", address, "dev", "eth0", *family])
        if gateway is not None:
            process.run(["ip", "-n", self.namespace, "route", "replace", "default", "via", gateway])

    def neighbour(self, address: str) -> str | None:
        """Return the MAC the guest believes an address to have, or None."""
        text = process.run(["ip", "-n", self.namespace, "neigh", "show", "to", address, "dev", "eth0"]).stdout
        found = re.search(r"lladdr ([0-9a-f:]{17})", text)
        return found[1] if found else None

    def forget_neighbours(self) -> None:
        """Empty the guest's ARP and ND tables."""
        process.run(["ip", "-n", self.namespace, "neigh", "flush", "all"])

    # ---- DHCP

    def dhcp(
        self,
        client: Literal["udhcpc", "dhclient"] = "udhcpc",
        *,
        timeout_s: float = 20.0,
        stay: bool = False,
        options: tuple[str, ...] = (),
    ) -> Lease:
        """Get a lease with a real client, which applies it, and return what was given.

        Args:
            client: busybox's or ISC's.
            timeout_s: for the whole exchange.
            stay: leave the client running, so that `renew` can be used.
            options: further arguments for udhcpc.

        Raises:
            TimeoutError: no lease in time, with the client's output.
        """
        self.stop_dhcp()
        directory = self._fresh_path("dhcp")
        clients.prepare(directory)
        if client == "udhcpc":
            argv = clients.udhcpc_command(directory, stay=stay, tries=max(1, int(timeout_s)), options=options)
        else:
            argv = clients.dhclient_command(directory)
        self._client = self.start(argv, directory / "client.log")
        self._lease_directory = directory
        try:
            return self._next_lease(after=0, timeout_s=timeout_s)
        finally:
            if not stay:
                self.stop_dhcp()

    def renew(self, timeout_s: float = 15.0) -> Lease:
        """Make the client that stayed renew its lease now, and return what was given (udhcpc: SIGUSR1)."""
        if self._client is None or self._client.poll() is not None:
            raise LabError(f"{self.name}: no udhcpc runs to be renewed; call dhcp(stay=True) first")
        seen = len(clients.events(self._lease_directory))
        self._client.send_signal(signal.SIGUSR1)
        return self._next_lease(after=seen, timeout_s=timeout_s)

    def stop_dhcp(self) -> None:
        """End the DHCP client, if one runs; the address stays."""
        if self._client is not None and self._client.poll() is None:
            self._client.kill()
            self._client.wait(timeout=10)
        self._client = None

    def _next_lease(self, *, after: int, timeout_s: float) -> Lease:
        client, directory = self._client, self._lease_directory

        def granted() -> Lease | None:
            ended = client is None or client.poll() is not None
            for event, variables in clients.events(directory)[after:]:
                if event in clients.GOOD_EVENTS:
                    return clients.lease(event, variables)
            if ended:
                raise TimeoutError(
                    f"{self.name}: no lease, the client gave up:\n{process.tail(directory / 'client.log')}"
                )
            return None

        def message() -> str:
            return f"{self.name}: no lease yet\n{process.tail(directory / 'client.log')}"

        return eventually(granted, timeout_s, message)

    # ---- packets

    def ping(
        self, address: str, count: int = 3, interval_s: float = 0.2, timeout_s: float = 1.0, size: int | None = None
    ) -> PingResult:
        """Send echo requests and count the answers.

        Args:
            address: IPv4 or IPv6.
            count: how many.
            interval_s: between two of them.
            timeout_s: how long to wait for the last answer.
            size: bytes of payload; the frame must not be fragmented then.
        """
        argv = ["ping", "-n", "-c", str(count), "-i", str(interval_s), "-W", str(timeout_s)]
        argv += [] if size is None else ["-s", str(size), "-M", "do"]
        patience_s = count * (interval_s + timeout_s) + 10
        done = self.run([*argv, address], timeout_s=patience_s, check=False)
        if "packets transmitted" not in done.stdout:
            # "Network is unreachable": nothing could even be sent.
            return PingResult(sent=count, received=0, rtts=())
        return _ping_result(done.stdout)

    def ping_until_answered(self, address: str, timeout_s: float = 10.0) -> float:
        """Ping until the first answer, and return the seconds it took from the call.

        Raises:
            TimeoutError: nobody answered in time.
        """
        begun = time.monotonic()
        with self.pinging(address, interval_s=0.01) as going:
            eventually(going.received, timeout_s, f"{self.name}: an answer from {address}", every_s=0.002)
            return time.monotonic() - begun

    @contextlib.contextmanager
    def pinging(self, address: str, interval_s: float = 0.01) -> Iterator[RunningPing]:
        """Ping in the background while the block runs; ``.stop()`` inside it returns the balance."""
        output = self._fresh_path("ping")
        argv = ["ping", "-n", "-O", "-i", str(interval_s), "-W", "1", address]
        started = self.start(["stdbuf", "-oL", *argv], output)
        try:
            yield RunningPing(started, output)
        finally:
            if started.poll() is None:
                started.kill()
            started.wait(timeout=10)

    def capture(self) -> packets.Capture:
        """Begin to capture what eth0 receives; use it as a context manager."""
        return packets.Capture(self.namespace)

    def sniff(self, seconds: float, wanted: Callable[[bytes], bool] | None = None) -> list[bytes]:
        """Return what eth0 receives during the next seconds."""
        with self.capture() as capture:
            time.sleep(seconds)
            return capture.frames(wanted)

    def open_socket(self, family: int, kind: int, protocol: int = 0) -> socket.socket:
        """Return a socket that is the guest's: opened in its namespace, where it stays, and used from here."""
        return netns.inside(self.namespace, lambda: socket.socket(family, kind, protocol))

    def send_frame(self, *frames: bytes) -> None:
        """Send whole Ethernet frames exactly as given."""
        with packets.open_socket(self.namespace, "eth0") as raw:
            for frame in frames:
                raw.send(frame)
