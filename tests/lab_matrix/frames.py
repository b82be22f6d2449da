"""What do probes look like on the wire? Octets that bear a token, and what is read from those that arrive."""

import struct
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from tests.lab_matrix.semantics import Frame, Kind

MAGIC = b"WEFTMTRX"
TOKEN = struct.Struct("!8sI")
OTHER_TYPE = 0x88B5
"""For experiments (IEEE 802, "Local Experimental EtherType 1")."""
IPV4, ARP, IPV6 = 0x0800, 0x0806, 0x86DD
UDP, TCP, ICMP, ICMPV6 = 17, 6, 1, 58
SYN, ACK = 0x02, 0x10
FIRST_OCTET = 1000
"""Sequence number of either end of every connection."""
CHECKSUM_AT = {UDP: 6, TCP: 16}
CHECKED_WITH_ENDS = (UDP, TCP)
"""Over IPv4 too the checksum covers the addresses."""
SOLICITATION, ADVERTISEMENT = 135, 136
ARP_REPLY = 2
NONCE = b"\x0e\x02"
"""Type and length of the nonce option (RFC 3971 section 5.3.2)."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a guest got."""

    token: int
    answer: str | None
    """The MAC address it names, if it answers a question."""
    is_tagged: bool = False


def mac_octets(mac: str) -> bytes:
    """Return a MAC address's six octets."""
    return bytes.fromhex(mac.replace(":", ""))


def question_group(ip: str) -> tuple[str, str]:
    """Return the solicited-node multicast address of an IPv6 address, MAC and IP (RFC 4291 section 2.7.1)."""
    low = int(IPv6Address(ip)) & 0xFFFFFF
    group = IPv6Address(0xFF02_0000_0000_0000_0000_0001_FF00_0000 | low)
    return f"33:33:ff:{low >> 16:02x}:{low >> 8 & 255:02x}:{low & 255:02x}", str(group)


def octets(frame: Frame, token: int) -> bytes:
    """Return a frame as it is sent."""
    mark = TOKEN.pack(MAGIC, token)
    macs = mac_octets(frame.dst_mac) + mac_octets(frame.src_mac)
    match frame.kind:
        case Kind.OTHER:
            return macs + OTHER_TYPE.to_bytes(2) + mark.rjust(46, b"\0")
        case Kind.QUESTION if frame.version == 4:
            message = struct.pack("!HHBBH", 1, IPV4, 6, 4, 1) + mac_octets(frame.src_mac)
            message += IPv4Address(frame.src_ip).packed + bytes(6) + IPv4Address(frame.dst_ip).packed
            return macs + ARP.to_bytes(2) + message + mark  # behind the message is padding
        case Kind.QUESTION:
            # Padding would not do: a Linux bridge between hosts may cut it off.
            options = b"\x01\x01" + mac_octets(frame.src_mac) + NONCE + mark.ljust(14, b"\0")
            message = struct.pack("!BBHI", SOLICITATION, 0, 0, 0) + IPv6Address(frame.dst_ip).packed + options
            asked = question_group(frame.dst_ip)[1]
            return macs + _ipv6(frame.src_ip, asked, ICMPV6, message, hops=255)
        case Kind.UDP:
            segment = struct.pack("!HHHH", frame.src_port, frame.dst_port, 8 + len(mark), 0) + mark
            protocol = UDP
        case Kind.TCP:
            segment = _tcp(frame, mark)
            protocol = TCP
        case Kind.ICMP:
            segment = struct.pack("!BBHHH", frame.dst_port, 0, 0, token & 0xFFFF, 1) + mark
            protocol = ICMP if frame.version == 4 else ICMPV6
    return macs + (_ipv4 if frame.version == 4 else _ipv6)(frame.src_ip, frame.dst_ip, protocol, segment)


def read(received: bytes) -> Seen | None:
    """Return what a frame that arrived says, or None when it is no probe."""
    at = received.rfind(MAGIC)
    if at < 0 or at + TOKEN.size > len(received):
        return None
    token = TOKEN.unpack_from(received, at)[1]
    kind = int.from_bytes(received[12:14])
    answer = None
    if kind == ARP and int.from_bytes(received[20:22]) == ARP_REPLY:
        answer = received[22:28].hex(":")
    elif kind == IPV6 and received[20] == ICMPV6 and received[54] == ADVERTISEMENT:
        answer = received[80:86].hex(":")
    return Seen(token, answer, is_tagged=kind == 0x8100)


def _tcp(frame: Frame, mark: bytes) -> bytes:
    """Return a SYN, or the SYN with ACK that answers one; either bears its mark as octets of the stream."""
    flags, acknowledged = SYN, 0
    if frame.begun_by is not None:
        flags, acknowledged = SYN | ACK, FIRST_OCTET + 1 + len(mark)
    ports = frame.src_port, frame.dst_port
    return struct.pack("!HHIIBBHHH", *ports, FIRST_OCTET, acknowledged, 5 << 4, flags, 65_535, 0, 0) + mark


def _ipv4(source: str, target: str, protocol: int, segment: bytes, *, hops: int = 64) -> bytes:
    ends = IPv4Address(source).packed + IPv4Address(target).packed
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(segment), 1, 0, hops, protocol, 0) + ends
    head = head[:10] + _checksum(head).to_bytes(2) + head[12:]
    pseudo = ends + struct.pack("!BBH", 0, protocol, len(segment)) if protocol in CHECKED_WITH_ENDS else b""
    return IPV4.to_bytes(2) + head + _summed(pseudo, protocol, segment)


def _ipv6(source: str, target: str, protocol: int, segment: bytes, *, hops: int = 64) -> bytes:
    ends = IPv6Address(source).packed + IPv6Address(target).packed
    head = struct.pack("!IHBB", 6 << 28, len(segment), protocol, hops) + ends
    pseudo = ends + struct.pack("!II", len(segment), protocol)
    return IPV6.to_bytes(2) + head + _summed(pseudo, protocol, segment)


def _summed(pseudo: bytes, protocol: int, segment: bytes) -> bytes:
    """Put the checksum where the protocol has it (RFC 768, RFC 9293, RFC 792, RFC 4443)."""
    at = CHECKSUM_AT.get(protocol, 2)
    return segment[:at] + (_checksum(pseudo + segment) or 0xFFFF).to_bytes(2) + segment[at + 2 :]


def _checksum(content: bytes) -> int:
    """Return the internet checksum (RFC 1071)."""
    padded = content + b"\0" * (len(content) % 2)
    total: int = sum(struct.unpack(f"!{len(padded) // 2}H", padded))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
