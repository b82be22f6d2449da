"""Does the packet pass, since when, and how many did not? Echo requests sent and received as raw frames.

ping(8) cannot send every millisecond without guessing when each was sent; and a kernel that has to resolve a neighbour
first would measure ARP.
"""

import os
import socket
import struct
import threading
import time
from dataclasses import dataclass, field

from tests.lab.guest import Vm
from tests.lab.packets import open_socket

GAP_S = 0.001
STEP_S = 0.0002
LEAST = 42
"""Octets of Ethernet, IPv4 and ICMP echo headers."""


def checksum(data: bytes) -> int:
    """Return the Internet checksum (RFC 1071)."""
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return int(~total & 0xFFFF)


def mac_bytes(mac: str) -> bytes:
    """Return a MAC as six octets."""
    return bytes.fromhex(mac.replace(":", ""))


def ipv4(source: str, destination: str, protocol: int, payload: bytes) -> bytes:
    """Return an IPv4 packet (RFC 791 section 3.1) without options."""
    addresses = socket.inet_aton(source) + socket.inet_aton(destination)
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), 0, 0x4000, 64, protocol, 0) + addresses
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + payload


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """What came of a row of echo requests."""

    sent: int
    lost: int
    outage_s: float
    """From the first lost request to the one after the last."""


@dataclass(slots=True)
class Row:
    """Echo requests sent at a steady rate in the background, with the time of each."""

    probe: "Probe"
    gap_s: float
    sent: dict[int, float] = field(default_factory=dict)
    answered: set[int] = field(default_factory=set)
    _stopping: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin."""
        self._thread = threading.Thread(target=self._run, name="row of pings", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        due = time.monotonic()
        while not self._stopping.is_set():
            self.sent[self.probe.send()] = time.monotonic()
            due += self.gap_s
            while True:
                self._collect()
                rest = due - time.monotonic()
                if rest <= 0:
                    break
                time.sleep(min(rest, STEP_S * 5))

    def _collect(self) -> None:
        while (number := self.probe.receive()) is not None:
            self.answered.add(number)

    def is_well(self, of_the_last_s: float) -> bool:
        """Whether everything sent in the last seconds was answered, but for what may still be on its way."""
        now = time.monotonic()
        recent = [number for number, at in list(self.sent.items()) if now - of_the_last_s <= at <= now - 0.05]
        return bool(recent) and all(number in self.answered for number in recent)

    def stop(self) -> Balance:
        """Stop, wait a moment for late answers, and return the balance."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
        time.sleep(0.2)
        self._collect()
        lost = [at for number, at in self.sent.items() if number not in self.answered]
        outage = max(lost) - min(lost) + self.gap_s if lost else 0.0
        return Balance(sent=len(self.sent), lost=len(lost), outage_s=outage)


class Probe:
    """Sends echo requests from one guest to another and sees the answers."""

    def __init__(self, source: Vm, source_ip: str, target_mac: str, target_ip: str) -> None:
        self._socket = open_socket(source.namespace, "eth0")
        self._socket.setblocking(False)
        self._ident = int.from_bytes(os.urandom(2), "big")
        self._head = mac_bytes(target_mac) + mac_bytes(source.mac) + b"\x08\0"
        self._source, self._target = source_ip, target_ip
        self._number = 0

    def close(self) -> None:
        """Give the socket back."""
        self._socket.close()

    def send(self) -> int:
        """Send one request (RFC 792, type 8) and return its number."""
        self._number = (self._number + 1) & 0xFFFF
        body = struct.pack("!BBHHH", 8, 0, 0, self._ident, self._number) + bytes(32)
        body = body[:2] + struct.pack("!H", checksum(body)) + body[4:]
        try:
            self._socket.send(self._head + ipv4(self._source, self._target, 1, body))
        except OSError:
            return self._number  # the device is down or its queue full: then this one is lost, which is the finding
        return self._number

    def receive(self) -> int | None:
        """Return the number of one answer, or None when no more have come."""
        while True:
            try:
                frame = self._socket.recv(2048)
            except OSError:
                return None
            is_reply = len(frame) >= LEAST and frame[12:14] == b"\x08\0" and frame[23] == 1 and frame[34] == 0
            if is_reply and struct.unpack_from("!H", frame, 38)[0] == self._ident:
                number: int = struct.unpack_from("!H", frame, 40)[0]
                return number

    def until_answered(self, timeout_s: float = 30.0) -> float:
        """Send every millisecond until an answer comes; return when it came (monotonic clock).

        Raises:
            TimeoutError: none came.
        """
        while self.receive() is not None:
            pass
        first = self._number
        deadline, due = time.monotonic() + timeout_s, 0.0
        while (now := time.monotonic()) < deadline:
            if now >= due:
                self.send()
                due = now + GAP_S
            number = self.receive()
            if number is not None and (number - first) & 0x8000 == 0 and number != first:
                return time.monotonic()
            time.sleep(STEP_S)
        raise TimeoutError(f"no echo reply within {timeout_s:g} s")

    def row(self, per_second: int) -> Row:
        """Start sending at a steady rate."""
        row = Row(self, 1 / per_second)
        row.start()
        return row
