"""Which packets does a rule decide about? One packet a protocol, between two guests, in either family."""

import socket
from collections.abc import Iterator

from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import ICMPv6DestUnreach, ICMPv6EchoReply, ICMPv6EchoRequest, ICMPv6PacketTooBig, IPv6
from scapy.layers.l2 import GRE, Ether
from scapy.layers.sctp import SCTP, SCTPChunkInit
from scapy.packet import Packet, Raw

from tests.lab_guests.stage import FAMILIES, Family, Guest
from tests.lab_guests.wire import Frames

GRE_PROTOCOL, SCTP_PROTOCOL, EXPERIMENTAL = 47, 132, 253
"""IANA's registry of protocol numbers; 253 is for experiments (RFC 3692)."""
DATAGRAM = socket.SOCK_DGRAM
ECHO_REPLY, ECHO_REQUEST, TIMESTAMP, UNREACHABLE = 0, 8, 13, 3
"""Types of ICMP (RFC 792)."""

UDP_PORTS, TCP_PORTS, SCTP_PORTS = (999, 1000, 1003, 1004, 5000, 5001), (79, 80, 81, 5000), (5000, 5001)
NAMED_PORTS = {"udp": UDP_PORTS, "tcp": TCP_PORTS, "sctp": SCTP_PORTS}
KINDS = frozenset(
    [f"{name} {port} v{v}" for name, ports in NAMED_PORTS.items() for port in ports for v in FAMILIES]
    + [f"{name} v{v}" for name in ("echo", "gre", "protocol 253") for v in FAMILIES]
    + ["timestamp v4"]
)
"""Names of what `of_each_kind` makes."""


class Ports:
    """Source ports, none used twice, so that no packet belongs to an earlier one's connection."""

    def __init__(self, first: int) -> None:
        self._next = first

    def __next__(self) -> int:
        self._next += 1
        return self._next

    def __iter__(self) -> Iterator[int]:
        return self


PORTS = Ports(20_000)


def head(sender: Guest, receiver: Guest, family: Family) -> Packet:
    """Return Ethernet and IP from a guest to another, both their own addresses."""
    ether = Ether(src=sender.mac, dst=receiver.mac)
    if family == 4:
        return ether / IP(src=sender.ip4, dst=receiver.ip4)
    return ether / IPv6(src=sender.ip6, dst=receiver.ip6)


def udp(sender: Guest, receiver: Guest, family: Family, dport: int, sport: int | None = None) -> Packet:
    """Return a datagram; of a new connection unless a source port is given."""
    return head(sender, receiver, family) / UDP(sport=sport or next(PORTS), dport=dport) / Raw(b"x" * 8)


def syn(sender: Guest, receiver: Guest, family: Family, dport: int) -> Packet:
    """Return what begins a TCP connection."""
    return head(sender, receiver, family) / TCP(sport=next(PORTS), dport=dport, flags="S", seq=1)


def sctp(sender: Guest, receiver: Guest, family: Family, dport: int) -> Packet:
    """Return what begins an SCTP association (RFC 9260 section 3.3.2)."""
    return head(sender, receiver, family) / SCTP(sport=next(PORTS), dport=dport) / SCTPChunkInit(init_tag=7)


def icmp(sender: Guest, receiver: Guest, kind: int, code: int = 0) -> Packet:
    """Return an ICMP message of IPv4."""
    return head(sender, receiver, 4) / ICMP(type=kind, code=code, id=next(PORTS))


def echo(sender: Guest, receiver: Guest, family: Family) -> Packet:
    """Return an echo request."""
    if family == 4:
        return icmp(sender, receiver, ECHO_REQUEST)
    return head(sender, receiver, 6) / ICMPv6EchoRequest(id=next(PORTS))


def other(sender: Guest, receiver: Guest, family: Family, protocol: int) -> Packet:
    """Return a packet of any protocol."""
    named = {"proto": protocol} if family == 4 else {"nh": protocol}
    top = head(sender, receiver, family)
    layer = top[IP] if family == 4 else top[IPv6]
    for key, value in named.items():
        setattr(layer, key, value)
    return top / Raw(b"x" * 16)


def gre(sender: Guest, receiver: Guest, family: Family) -> Packet:
    """Return a GRE packet (RFC 2784) around nothing of interest."""
    return head(sender, receiver, family) / GRE(proto=0x0800) / Raw(b"x" * 20)


def of_each_kind(sender: Guest, receiver: Guest) -> dict[str, Frames]:
    """Return a new packet of each kind that some rule may allow."""
    found: dict[str, Frames] = {}
    for v in FAMILIES:
        found |= {f"udp {port} v{v}": udp(sender, receiver, v, port) for port in UDP_PORTS}
        found |= {f"tcp {port} v{v}": syn(sender, receiver, v, port) for port in TCP_PORTS}
        found |= {f"sctp {port} v{v}": sctp(sender, receiver, v, port) for port in SCTP_PORTS}
        found |= {f"echo v{v}": echo(sender, receiver, v), f"gre v{v}": gre(sender, receiver, v)}
        found |= {f"protocol 253 v{v}": other(sender, receiver, v, EXPERIMENTAL)}
    found |= {"timestamp v4": icmp(sender, receiver, TIMESTAMP)}
    return found


def unasked_answers(sender: Guest, receiver: Guest) -> dict[str, Frames]:
    """Return packets that pass as answers only, to questions nobody asked."""
    inner4 = IP(src=receiver.ip4, dst=sender.ip4) / UDP(sport=next(PORTS), dport=9)
    inner6 = IPv6(src=receiver.ip6, dst=sender.ip6) / UDP(sport=next(PORTS), dport=9)
    return {
        "SYN-ACK": head(sender, receiver, 4) / TCP(sport=80, dport=next(PORTS), flags="SA"),
        "RST": head(sender, receiver, 4) / TCP(sport=80, dport=next(PORTS), flags="R"),
        "ACK": head(sender, receiver, 6) / TCP(sport=80, dport=next(PORTS), flags="A"),
        "echo reply": icmp(sender, receiver, ECHO_REPLY),
        "IPv6 echo reply": head(sender, receiver, 6) / ICMPv6EchoReply(id=next(PORTS)),
        "unreachable": head(sender, receiver, 4) / ICMP(type=UNREACHABLE, code=3) / inner4,
        "IPv6 unreachable": head(sender, receiver, 6) / ICMPv6DestUnreach(code=4) / inner6,
        "packet too big": head(sender, receiver, 6) / ICMPv6PacketTooBig(mtu=1280) / inner6,
        "DNS answer": udp(sender, receiver, 4, next(PORTS), sport=53),
        "DHCP answer": udp(sender, receiver, 4, 68, sport=67),
    }
