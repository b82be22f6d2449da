"""How does a guest write and read IPv6 configuration? Scapy's codec, which shares no code with the product."""

import functools
from typing import Any

from scapy.layers.dhcp6 import (
    DUID_LL,
    DHCP6_Advertise,
    DHCP6_Reply,
    DHCP6OptClientId,
    DHCP6OptIA_NA,
    DHCP6OptIA_PD,
    DHCP6OptIA_TA,
    DHCP6OptIAAddress,
    DHCP6OptOptReq,
    DHCP6OptServerId,
    DHCP6OptStatusCode,
)
from scapy.layers.inet6 import UDP, ICMPv6ND_RA, ICMPv6ND_RS, IPv6
from scapy.layers.l2 import Ether
from scapy.packet import Packet

GUEST_MAC = "fa:16:3e:00:00:01"
GUEST_LINK_LOCAL = "fe80::f816:3eff:fe00:1"
GUEST = "2001:db8:1::5"
SECOND = "2001:db8:2::5"
SERVICE_MAC = "02:57:45:46:54:01"
SERVICE_LINK_LOCAL = "fe80::57:45ff:fe46:5401"
SERVERS = "ff02::1:2"
XID = 0x123ABC

SUCCESS, NO_ADDRS, NO_BINDING, NOT_ON_LINK, USE_MULTICAST, NO_PREFIX = 0, 2, 3, 4, 5, 6
INFINITE = 0xFFFFFFFF

client_id = DHCP6OptClientId(duid=DUID_LL(lladdr=GUEST_MAC))
server_id = DHCP6OptServerId(duid=DUID_LL(lladdr=SERVICE_MAC))
other_server_id = DHCP6OptServerId(duid=DUID_LL(lladdr="02:00:00:00:00:99"))


def ia_na(iaid: int = 7, *addresses: str, **fields: Any) -> Packet:
    return DHCP6OptIA_NA(iaid=iaid, ianaopts=[DHCP6OptIAAddress(addr=a) for a in addresses], **fields)


def ia_ta(iaid: int = 8, *addresses: str) -> Packet:
    return DHCP6OptIA_TA(iaid=iaid, iataopts=[DHCP6OptIAAddress(addr=a) for a in addresses])


def ia_pd(iaid: int = 9) -> Packet:
    return DHCP6OptIA_PD(iaid=iaid)


def oro(*codes: int) -> Packet:
    return DHCP6OptOptReq(reqopts=list(codes))


def sent(
    message: type[Packet],
    *options: Packet,
    eth_src: str = GUEST_MAC,
    src: str = GUEST_LINK_LOCAL,
    dst: str = SERVERS,
    dport: int = 547,
) -> bytes:
    """Write a client's frame."""
    ethernet = Ether(src=eth_src, dst="33:33:00:01:00:02") / IPv6(src=src, dst=dst)
    udp = ethernet / UDP(sport=546, dport=dport) / message(trid=XID)
    return bytes(functools.reduce(lambda packet, part: packet / part, options, udp))


def solicitation(
    *options: Packet, eth_src: str = GUEST_MAC, src: str = GUEST_LINK_LOCAL, hlim: int = 255, **fields: Any
) -> bytes:
    """Write a router solicitation."""
    ethernet = Ether(src=eth_src, dst="33:33:00:00:00:02") / IPv6(src=src, dst="ff02::2", hlim=hlim)
    return bytes(functools.reduce(lambda packet, part: packet / part, options, ethernet / ICMPv6ND_RS(**fields)))


def parsed(frame: bytes | None) -> Packet:
    """Read a frame, holding lengths and checksums to what scapy itself would write."""
    assert frame is not None
    packet = Ether(frame)
    assert packet[IPv6].plen == len(frame) - 54
    again = packet.copy()
    if UDP in again:
        assert packet[UDP].len == len(frame) - 54
        assert packet[UDP].chksum != 0
        del again[UDP].chksum
    else:
        del again[ICMPv6ND_RA].cksum
    assert bytes(again) == frame
    return packet


class Got:
    """A server's DHCPv6 message, read."""

    def __init__(self, frame: bytes | None) -> None:
        self.packet = parsed(frame)
        ip, udp = self.packet[IPv6], self.packet[UDP]
        assert (self.packet.src, ip.src, udp.sport, udp.dport) == (SERVICE_MAC, SERVICE_LINK_LOCAL, 547, 546)
        self.eth_dst, self.ip_dst = self.packet.dst, ip.dst
        self.datagram_octets = 40 + ip.plen
        self.message = udp.payload
        assert isinstance(self.message, DHCP6_Advertise | DHCP6_Reply)
        self.kind: int = self.message.msgtype
        self.xid: int = self.message.trid
        self.options: list[Packet] = []
        part = self.message.payload
        while part:
            self.options.append(part)
            part = part.payload
        assert not any(type(option).__name__ == "Raw" for option in self.options)
        self.codes = [int(option.optcode) for option in self.options]

    def all(self, kind: type[Packet]) -> list[Packet]:
        return [option for option in self.options if type(option) is kind]

    def one(self, kind: type[Packet]) -> Packet:
        (found,) = self.all(kind)
        return found

    @property
    def status(self) -> int | None:
        found = self.all(DHCP6OptStatusCode)
        return int(found[0].statuscode) if found else None

    def given(self) -> dict[int, list[tuple[str, int, int]]]:
        """Give each IA_NA's addresses with preferred and valid lifetime."""
        return {
            option.iaid: [
                (inner.addr, inner.preflft, inner.validlft)
                for inner in option.ianaopts
                if isinstance(inner, DHCP6OptIAAddress)
            ]
            for option in self.all(DHCP6OptIA_NA)
        }

    def refused(self) -> dict[int, int]:
        """Give the status in each association that has one."""
        inside = {DHCP6OptIA_NA: "ianaopts", DHCP6OptIA_TA: "iataopts", DHCP6OptIA_PD: "iapdopt"}
        return {
            int(option.iaid): int(inner.statuscode)
            for kind, name in inside.items()
            for option in self.all(kind)
            for inner in getattr(option, name)
            if isinstance(inner, DHCP6OptStatusCode)
        }
