"""How does a guest flood? Frames prepared once, sent again and again as fast as one thread can."""

import random
import socket
import struct
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from scapy.layers.dhcp import BOOTP, DHCP
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import ICMPv6ND_NS, ICMPv6ND_RS, ICMPv6NDOptSrcLLAddr, IPv6
from scapy.layers.l2 import ARP, Ether

from tests.lab.guest import Vm
from tests.lab.packets import open_socket

KINDS = ("DHCP", "ARP", "ND", "RS", "SYN")
VARIETY = 32_768
"""Frames prepared for a flood of connections: they differ in their ports."""
BROADCAST = "ff:ff:ff:ff:ff:ff"
ALL_ROUTERS, ALL_ROUTERS_MAC = "ff02::2", "33:33:00:00:00:02"
BATCH, PAUSE_S = 64, 0.0005
WARM_UP_S = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """Who floods, from its own addresses."""

    vm: Vm
    mac: str
    ip4: str
    ip6: str
    link_local: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Aim:
    """Whose addresses it asks for, or connects to."""

    mac: str
    ip4: str
    ip6: str


def frames_of(kind: str, me: Sender, aim: Aim) -> list[bytes]:
    """Return what a flood of a kind sends, over and over."""
    match kind:
        case "DHCP":
            asked = BOOTP(chaddr=bytes.fromhex(me.mac.replace(":", "")), xid=1) / DHCP(
                options=[("message-type", "discover"), "end"]
            )
            head = Ether(src=me.mac, dst=BROADCAST) / IP(src="0.0.0.0", dst="255.255.255.255")
            return [bytes(head / UDP(sport=68, dport=67) / asked)]
        case "ARP":
            return [bytes(Ether(src=me.mac, dst=BROADCAST) / ARP(op=1, hwsrc=me.mac, psrc=me.ip4, pdst=aim.ip4))]
        case "ND":
            head = Ether(src=me.mac, dst="33:33:ff:00:00:01") / IPv6(src=me.ip6, dst="ff02::1:ff00:1", hlim=255)
            return [bytes(head / ICMPv6ND_NS(tgt=aim.ip6) / ICMPv6NDOptSrcLLAddr(lladdr=me.mac))]
        case "RS":
            head = Ether(src=me.mac, dst=ALL_ROUTERS_MAC) / IPv6(src=me.link_local, dst=ALL_ROUTERS, hlim=255)
            return [bytes(head / ICMPv6ND_RS() / ICMPv6NDOptSrcLLAddr(lladdr=me.mac))]
        case "SYN":
            return _connections(me, aim)
        case _:
            raise ValueError(f"no such flood: {kind}; there are {', '.join(KINDS)}")


def _connections(me: Sender, aim: Aim) -> list[bytes]:
    """Return segments that begin connections, each another one."""
    rng = random.Random(me.mac)
    whole = bytes(
        Ether(src=me.mac, dst=aim.mac) / IP(src=me.ip4, dst=aim.ip4) / TCP(sport=1, dport=1, flags="S", seq=0)
    )
    made = []
    for _ in range(VARIETY):
        source, target = rng.randrange(1024, 65536), rng.randrange(1, 65536)
        # The ports' sum is taken off the sequence number, so the checksum stays right (RFC 1071): conntrack checks it.
        low = (2 - source - target) % 0xFFFF
        made.append(whole[:34] + struct.pack("!HHHH", source, target, 0, low) + whole[42:])
    return made


@contextmanager
def flood(vm: Vm, frames: Sequence[bytes]) -> Iterator[list[int]]:
    """Send as fast as one thread can while the block runs; the list holds how many were sent."""
    sent, stopping = [0], threading.Event()

    def run(out: socket.socket) -> None:
        number = 0
        while not stopping.is_set():
            for _ in range(BATCH):
                out.send(frames[number % len(frames)])
                number += 1
            sent[0] = number
            time.sleep(PAUSE_S)

    with open_socket(vm.namespace, "eth0") as out:
        thread = threading.Thread(target=run, args=(out,), name="flood", daemon=True)
        thread.start()
        try:
            time.sleep(WARM_UP_S)
            yield sent
        finally:
            stopping.set()
            thread.join()
