"""Who receives what of whom? Every guest sends marked frames all the time, and everything it receives is looked at.

One thread does both for all guests, with packet sockets inside their namespaces. What is legal is in `membership`.
"""

import ipaddress
import socket
import struct
import threading
import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Self

from tests.lab.guest import Vm
from tests.lab.packets import open_socket
from tests.lab_faults.membership import History, Kind, Sighting, is_breach

ROUND_S = 0.015
MAGIC = b"WEFTMARK"
MARK = struct.Struct("!8sIBd")
"""Magic, guest, kind, seconds since 1970."""
ETHERTYPE = 0x88B5
"""IEEE 802 local experimental EtherType 1."""
BROADCAST = "ff:ff:ff:ff:ff:ff"
FORGED_MAC = "02:66:6f:72:67:65"
SHORTEST = 60
SO_TIMESTAMPNS = 35
"""socket(7); also the type of the control message."""
STAMP = struct.Struct("@qq")
PACKET_OUTGOING = 4


@dataclass(slots=True)
class Guest:
    """One guest of the watch; `vm` changes when it moves to another host."""

    number: int
    mac: str
    address: str
    history: History = field(default_factory=History)
    vm: Vm | None = None
    raw: socket.socket | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Somebody to be reached: a MAC and an address, which every network has."""

    mac: str
    address: str


def _octets(mac: str) -> bytes:
    return bytes.fromhex(mac.replace(":", ""))


def _ethernet(target: str, source: str, ethertype: int, payload: bytes) -> bytes:
    frame = _octets(target) + _octets(source) + struct.pack("!H", ethertype) + payload
    return frame.ljust(SHORTEST, b"\0")


def _arp(guest: Guest, target: str, mark: bytes) -> bytes:
    """RFC 826 request; the mark is in the padding."""
    mine, other = (ipaddress.IPv4Address(a).packed for a in (guest.address, target))
    body = struct.pack("!HHBBH", 1, 0x0800, 6, 4, 1) + _octets(guest.mac) + mine + bytes(6) + other
    return _ethernet(BROADCAST, guest.mac, 0x0806, body + mark)


def _udp(guest: Guest, target: Target, mark: bytes) -> bytes:
    """RFC 768 datagram without a checksum, to the discard port."""
    mine, other = (ipaddress.IPv4Address(a).packed for a in (guest.address, target.address))
    size = 8 + len(mark)
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + size, 0, 0, 64, 17, 0) + mine + other
    total = sum(struct.unpack("!10H", head))
    total = (total & 0xFFFF) + (total >> 16)
    head = head[:10] + struct.pack("!H", ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF) + head[12:]
    return _ethernet(target.mac, guest.mac, 0x0800, head + struct.pack("!HHHH", 40000, 9, size, 0) + mark)


def frames(guest: Guest, target: Target) -> Iterator[bytes]:
    """Yield one frame of each kind, each stamped when it is asked for."""

    def mark(kind: Kind) -> bytes:
        return MARK.pack(MAGIC, guest.number, kind, time.time())

    if target.mac != guest.mac:
        yield _ethernet(target.mac, guest.mac, ETHERTYPE, mark(Kind.UNICAST))
        yield _udp(guest, target, mark(Kind.IPV4))
    else:  # the guest of another network that has the same MAC and address
        yield _ethernet(target.mac, FORGED_MAC, ETHERTYPE, mark(Kind.FORGED))
    yield _ethernet(BROADCAST, guest.mac, ETHERTYPE, mark(Kind.BROADCAST))
    yield _arp(guest, target.address, mark(Kind.ARP))
    yield _ethernet(target.mac, FORGED_MAC, ETHERTYPE, mark(Kind.FORGED))


class Watch:
    """Sends and looks until `stop`. All methods may be called while it runs."""

    def __init__(self, targets: Sequence[Target]) -> None:
        self.guests: dict[int, Guest] = {}
        self.sightings: list[Sighting] = []
        self.sent = 0
        self._targets = tuple(targets)
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
        self._buffer = bytearray(2048)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Look once more and end."""
        if not self._stopping.is_set():
            self._stopping.set()
            self._thread.join()
            for guest in self.guests.values():
                self.leave(guest)

    def join(self, guest: Guest, vm: Vm) -> None:
        """Begin to send from, and look at, a guest's device."""
        opened = open_socket(vm.namespace, "eth0")
        opened.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        opened.setblocking(False)
        with self._lock:
            guest.vm, guest.raw = vm, opened
            self.guests[guest.number] = guest

    def leave(self, guest: Guest) -> None:
        """Look at a guest's device for the last time."""
        with self._lock:
            if guest.raw is not None:
                self._look(guest)
                guest.raw.close()
                guest.raw = None

    def breaches(self) -> list[Sighting]:
        """Return the frames that reached a guest they must not reach."""
        histories = {number: guest.history for number, guest in self.guests.items()}
        with self._lock:
            return [seen for seen in self.sightings if is_breach(seen, histories)]

    def pairs(self, since: float, kinds: Collection[Kind] = (Kind.UNICAST,)) -> set[tuple[int, int]]:
        """Return (sender, receiver) of the frames sent after `since`."""
        with self._lock:
            return {(s.sender, s.receiver) for s in self.sightings if s.sent >= since and s.kind in kinds}

    def _run(self) -> None:
        turn = 0
        while not self._stopping.wait(ROUND_S):
            target = self._targets[turn % len(self._targets)]
            turn += 1
            with self._lock:
                for guest in self.guests.values():
                    self._send(guest, target)
                for guest in self.guests.values():
                    self._look(guest)

    def _send(self, guest: Guest, target: Target) -> None:
        if guest.raw is None:
            return
        try:
            for frame in frames(guest, target):
                guest.raw.send(frame)
                self.sent += 1
        except OSError:
            return  # the device is down or went away for a moment

    def _look(self, guest: Guest) -> None:
        while guest.raw is not None:
            try:
                size, control, _, source = guest.raw.recvmsg_into([self._buffer], 256)
            except BlockingIOError:
                return
            except OSError:
                return  # ENETDOWN: the device went away; nothing more can come
            at = self._buffer.find(MAGIC, 0, size)
            if source[2] == PACKET_OUTGOING or at < 0 or size - at < MARK.size:
                continue
            _, number, kind, sent = MARK.unpack_from(self._buffer, at)
            received = next((stamp for stamp in map(_stamp, control) if stamp is not None), time.time())
            self.sightings.append(
                Sighting(sender=number, receiver=guest.number, kind=Kind(kind), sent=sent, received=received)
            )


def _stamp(control: tuple[int, int, bytes]) -> float | None:
    level, kind, content = control
    if (level, kind) != (socket.SOL_SOCKET, SO_TIMESTAMPNS):
        return None
    seconds, nanoseconds = STAMP.unpack_from(content)
    return float(seconds) + float(nanoseconds) / 1e9
