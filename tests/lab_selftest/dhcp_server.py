"""How is a DHCP client proven without the product? By the smallest server that satisfies it, run in another guest."""

import socket
import struct
import threading
from types import TracebackType
from typing import Self

from tests.lab import LabError, Vm, netns
from tests.lab.process import run

SERVER_PORT, CLIENT_PORT = 67, 68
MAGIC = bytes.fromhex("63825363")
"""RFC 2131 section 3."""
DISCOVER, OFFER, REQUEST, ACK = 1, 2, 3, 5
"""Values of option 53 (RFC 2132 section 9.6)."""
PROLOGUE = struct.Struct("!BBBBIHH4s4s4s4s16s192x")
BROADCAST = "255.255.255.255"


class DhcpServer:
    """Answers every DISCOVER and REQUEST with one and the same lease."""

    def __init__(self, vm: Vm, *, offered: str, address: str = "10.9.0.1") -> None:
        self.address = address
        self.requests = 0
        self._vm = vm
        self._offered = offered
        self._done = threading.Event()
        self._failure: Exception | None = None

    def __enter__(self) -> Self:
        self._vm.address_set(f"{self.address}/20")
        run(["ip", "-n", self._vm.namespace, "route", "add", f"{BROADCAST}/32", "dev", "eth0"])

        def open_inside() -> socket.socket:
            opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            opened.bind(("0.0.0.0", SERVER_PORT))
            opened.settimeout(0.1)
            return opened

        self._socket = netns.inside(self._vm.namespace, open_inside)
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._done.set()
        self._thread.join()
        self._socket.close()
        if self._failure is not None:
            raise LabError(f"the DHCP server of the self-test failed: {self._failure}")

    def _serve(self) -> None:
        try:
            while not self._done.is_set():
                try:
                    message = self._socket.recv(2048)
                except TimeoutError:
                    continue
                self._answer(message)
        except (OSError, ValueError, struct.error) as error:
            self._failure = error

    def _answer(self, message: bytes) -> None:
        _, htype, hlen, _, xid, _, _, ciaddr, _, _, _, chaddr = PROLOGUE.unpack_from(message)
        options = message[PROLOGUE.size + 4 :]
        asked = options[options.index(bytes([53, 1])) + 2]
        self.requests += 1
        kind = OFFER if asked == DISCOVER else ACK
        own, offered = _packed(self.address), _packed(self._offered)
        reply = PROLOGUE.pack(2, htype, hlen, 0, xid, 0, 0x8000, ciaddr, offered, own, bytes(4), chaddr) + MAGIC
        reply += bytes([53, 1, kind, 54, 4]) + own
        reply += bytes([51, 4]) + (3600).to_bytes(4) + bytes([1, 4]) + _packed("255.255.240.0")
        reply += bytes([3, 4]) + own + bytes([6, 8]) + _packed("192.0.2.53") + _packed("192.0.2.54")
        reply += bytes([26, 2]) + (1400).to_bytes(2)
        # RFC 3442: prefix length, significant octets, router; a route that ends in the middle of an octet, and default.
        routes = bytes([25]) + _packed("198.51.100.0") + _packed("10.9.0.7") + bytes([0]) + own
        reply += bytes([121, len(routes)]) + routes + bytes([255])
        destination = BROADCAST if ciaddr == bytes(4) else self._offered
        self._socket.sendto(reply, (destination, CLIENT_PORT))


def _packed(address: str) -> bytes:
    return bytes(int(octet) for octet in address.split("."))
