"""How does a guest write and read DHCP? An independent client side for the tests, sharing no code with the product."""

import ipaddress
import struct
from dataclasses import dataclass, field

GUEST_MAC = "fa:16:3e:00:00:01"
SERVER_MAC = "fa:16:3e:ff:ff:fe"
GUEST = "10.0.0.5"
SERVER = "10.0.0.1"
ANYWHERE = "0.0.0.0"
BROADCAST = "255.255.255.255"
XID = 0x1234ABCD
COOKIE = bytes.fromhex("63825363")


def mac(text: str) -> bytes:
    return bytes.fromhex(text.replace(":", ""))


def ip(text: str) -> bytes:
    return ipaddress.IPv4Address(text).packed


def ones_complement(octets: bytes) -> int:
    """Sum 16-bit words with end-around carry, word by word (RFC 1071)."""
    total = 0
    for high, low in zip(octets[::2], (octets + b"\0")[1::2], strict=False):
        total += high << 8 | low
        total = (total & 0xFFFF) + (total >> 16)
    return total


@dataclass(kw_only=True)
class Sent:
    """A client's frame to be; every field may be set wrong."""

    kind: int | None
    options: list[tuple[int, bytes]] = field(default_factory=list)
    eth_src: str = GUEST_MAC
    chaddr: str = GUEST_MAC
    ip_src: str = ANYWHERE
    ip_dst: str = BROADCAST
    ciaddr: str = ANYWHERE
    giaddr: str = ANYWHERE
    op: int = 1
    flags: int = 0
    sname: bytes = b""
    file: bytes = b""
    end: bytes = b"\xff"
    cookie: bytes = COOKIE
    ip_options: bytes = b""
    tail: bytes = b""

    def frame(self) -> bytes:
        written = b"" if self.kind is None else bytes((53, 1, self.kind))
        written += b"".join(bytes((code, len(value))) + value for code, value in self.options) + self.end
        bootp = (
            struct.pack("!BBBBIHH", self.op, 1, 6, 0, XID, 3, self.flags)
            + ip(self.ciaddr)
            + bytes(8)
            + ip(self.giaddr)
            + mac(self.chaddr).ljust(16, b"\0")
            + self.sname.ljust(64, b"\0")
            + self.file.ljust(128, b"\0")
            + self.cookie
            + written
        ).ljust(300, b"\0")
        udp = struct.pack("!HHHH", 68, 67, 8 + len(bootp), 0) + bootp
        header = 20 + len(self.ip_options)
        first = struct.pack("!BBHHHBBH", 0x40 | header // 4, 0, header + len(udp), 7, 0, 64, 17, 0)
        datagram = bytearray(first + ip(self.ip_src) + ip(self.ip_dst) + self.ip_options + udp)
        struct.pack_into("!H", datagram, 10, 0xFFFF ^ ones_complement(bytes(datagram[:header])))
        return b"\xff" * 6 + mac(self.eth_src) + b"\x08\x00" + bytes(datagram) + self.tail


@dataclass(kw_only=True)
class Got:
    """A server's frame, read."""

    eth_dst: str
    eth_src: str
    ip_src: str
    ip_dst: str
    datagram_octets: int
    bootp_octets: int
    xid: int
    flags: int
    ciaddr: str
    yiaddr: str
    siaddr: str
    giaddr: str
    chaddr: str
    file: bytes
    options: dict[int, bytes]
    lengths: list[tuple[int, int]]


def read(frame: bytes | None) -> Got:
    """Read a reply, holding it to every rule of form; fails the test on the first that is broken."""
    assert frame is not None
    assert frame[12:14] == b"\x08\x00"
    datagram = frame[14:]
    assert datagram[0] == 0x45
    assert struct.unpack_from("!H", datagram, 2)[0] == len(datagram)
    assert ones_complement(datagram[:20]) == 0xFFFF
    assert datagram[9] == 17
    udp = datagram[20:]
    sport, dport, length, checksum = struct.unpack_from("!HHHH", udp)
    assert (sport, dport, length) == (67, 68, len(udp))
    assert checksum != 0
    assert ones_complement(datagram[12:20] + struct.pack("!HH", 17, length) + udp) == 0xFFFF
    bootp = udp[8:]
    assert len(bootp) >= 300
    assert bootp[:4] == bytes((2, 1, 6, 0))
    assert bootp[34:44] == bytes(10)
    assert bootp[236:240] == COOKIE
    options, lengths = _options(bootp[240:])
    xid, _, flags = struct.unpack_from("!IHH", bootp, 4)
    at = [str(ipaddress.IPv4Address(bootp[start : start + 4])) for start in (12, 16, 20, 24)]
    return Got(
        eth_dst=frame[0:6].hex(":"),
        eth_src=frame[6:12].hex(":"),
        ip_src=str(ipaddress.IPv4Address(datagram[12:16])),
        ip_dst=str(ipaddress.IPv4Address(datagram[16:20])),
        datagram_octets=len(datagram),
        bootp_octets=len(bootp),
        xid=xid,
        flags=flags,
        ciaddr=at[0],
        yiaddr=at[1],
        siaddr=at[2],
        giaddr=at[3],
        chaddr=bootp[28:34].hex(":"),
        file=bootp[108:236].rstrip(b"\0"),
        options=options,
        lengths=lengths,
    )


def _options(octets: bytes) -> tuple[dict[int, bytes], list[tuple[int, int]]]:
    options: dict[int, bytes] = {}
    lengths = []
    at = 0
    while octets[at] != 255:
        code, length = octets[at], octets[at + 1]
        value = octets[at + 2 : at + 2 + length]
        assert len(value) == length
        options[code] = options.get(code, b"") + value
        lengths.append((code, length))
        at += 2 + length
    assert not octets[at + 1 :].strip(b"\0")
    return options, lengths
