"""What does a hostile guest send? One frame, or a pair of fragments, for each lie it may tell.

Every builder takes who lies, whose name is taken, and who is lied to. Frames to the liar's own truth stand beside them
(`honest`): where a lie does not pass, they must.
"""

from collections.abc import Callable

from scapy.layers.dhcp import BOOTP, DHCP
from scapy.layers.dhcp6 import DHCP6_Advertise
from scapy.layers.inet import ICMP, IP, UDP
from scapy.layers.inet6 import (
    ICMPv6EchoRequest,
    ICMPv6ND_NA,
    ICMPv6ND_NS,
    ICMPv6ND_RA,
    ICMPv6ND_Redirect,
    ICMPv6ND_RS,
    ICMPv6NDOptDstLLAddr,
    ICMPv6NDOptPrefixInfo,
    ICMPv6NDOptSrcLLAddr,
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
    IPv6ExtHdrHopByHop,
    IPv6ExtHdrRouting,
    PadN,
)
from scapy.layers.l2 import ARP, LLC, SNAP, Dot1AD, Dot1Q, Dot3, Ether
from scapy.packet import Packet, Raw

from tests.lab_guests.stage import Guest
from tests.lab_guests.wire import BROADCAST, FENCE_TYPE, Frames

ALL_NODES, ALL_NODES_MAC = "ff02::1", "33:33:00:00:00:01"
ALL_ROUTERS, ALL_ROUTERS_MAC = "ff02::2", "33:33:00:00:00:02"
STRANGER_MAC = "02:00:00:00:66:66"
STRANGER_IP4, STRANGER_IP6, STRANGER_LINK_LOCAL = "10.10.0.166", "fd00:10::166", "fe80::666"
"""Nobody's."""
UNUSED_IP4, UNUSED_IP6 = "10.10.0.199", "fd00:10::199"
"""Nobody's either: addresses asked for, so that the network does not know the answer."""
DISCARD = 9
REQUEST, REPLY = 1, 2
"""RFC 826."""


def ether(liar: Guest, to: Guest | str, src: str | None = None) -> Packet:
    """Return the Ethernet header from a guest to another or to a MAC."""
    return Ether(src=src or liar.mac, dst=to if isinstance(to, str) else to.mac)


def udp4(liar: Guest, to: Guest, src: str | None = None, *, mac: str | None = None, dport: int = DISCARD) -> Packet:
    """Return a datagram from any IPv4 address."""
    return ether(liar, to, mac) / IP(src=src or liar.ip4, dst=to.ip4) / UDP(sport=4000, dport=dport) / Raw(b"x" * 8)


def udp6(liar: Guest, to: Guest, src: str | None = None, *, mac: str | None = None, dport: int = DISCARD) -> Packet:
    """Return a datagram from any IPv6 address."""
    return ether(liar, to, mac) / IPv6(src=src or liar.ip6, dst=to.ip6) / UDP(sport=4000, dport=dport) / Raw(b"x" * 8)


def arp(  # noqa: PLR0917 - the fields of RFC 826 in their order
    liar: Guest, to: Guest | str, op: int, sha: str, spa: str, tpa: str, tha: str = "00:00:00:00:00:00"
) -> Packet:
    """Return an ARP message that says anything."""
    return ether(liar, to) / ARP(op=op, hwsrc=sha, psrc=spa, hwdst=tha, pdst=tpa)


def advertisement(liar: Guest, to: Guest, target: str, tll: str | None, src: str | None = None) -> Packet:
    """Return a neighbour advertisement that says anything, to one guest."""
    option = ICMPv6NDOptDstLLAddr(lladdr=tll) if tll else b""
    head = ether(liar, to) / IPv6(src=src or liar.ip6, dst=to.ip6, hlim=255)
    return head / ICMPv6ND_NA(tgt=target, R=0, S=0, O=1) / option


def solicitation(liar: Guest, to: Guest, target: str, sll: str | None, src: str | None = None) -> Packet:
    """Return a neighbour solicitation, sent to one guest."""
    option = ICMPv6NDOptSrcLLAddr(lladdr=sll) if sll else b""
    return (
        ether(liar, to)
        / IPv6(src=src or liar.link_local, dst=to.link_local, hlim=255)
        / ICMPv6ND_NS(tgt=target)
        / option
    )


def router_advertisement(liar: Guest) -> Packet:
    """Return what follows the IPv6 header of a router advertisement that would make the guest everybody's router."""
    prefix = ICMPv6NDOptPrefixInfo(prefix="fd66::", prefixlen=64)
    return ICMPv6ND_RA(routerlifetime=1800) / ICMPv6NDOptSrcLLAddr(lladdr=liar.mac) / prefix


def to_all(liar: Guest, payload: Packet, src: str | None = None) -> Packet:
    """Return an IPv6 packet to all nodes."""
    return ether(liar, ALL_NODES_MAC) / IPv6(src=src or liar.link_local, dst=ALL_NODES, hlim=255) / payload


def with_checksum(payload: Packet, source: str, destination: str) -> bytes:
    """Return ICMPv6 octets with the checksum they have right behind an IPv6 header, for use behind other headers."""
    whole = bytes(IPv6(src=source, dst=destination, hlim=255) / payload)
    return whole[40:]


def in_fragments(liar: Guest, headers: bytes, first_header: int, payload: bytes, split: int) -> list[Packet]:
    """Return two IPv6 fragments to all nodes, cut `split` octets (a multiple of 8) behind the fragment header."""
    content = headers + payload
    head = ether(liar, ALL_NODES_MAC) / IPv6(src=liar.link_local, dst=ALL_NODES, hlim=255)
    return [
        head / IPv6ExtHdrFragment(nh=first_header, id=0x5EED, m=1, offset=0) / Raw(content[:split]),
        head / IPv6ExtHdrFragment(nh=first_header, id=0x5EED, m=0, offset=split // 8) / Raw(content[split:]),
    ]


ICMPV6, DESTINATION_OPTIONS = 58, 60
EIGHT_OF_DESTINATION_OPTIONS = bytes([ICMPV6, 0, 1, 4, 0, 0, 0, 0])
"""A destination options header with nothing but padding, then ICMPv6 (RFC 8200 section 4.6)."""

TWENTY_FOUR_OF_DESTINATION_OPTIONS = bytes([ICMPV6, 2, 1, 20, *bytes(20)])


def honest(me: Guest, to: Guest) -> dict[str, Frames]:
    """Return what every guest may send."""
    own4, own6 = me.ip4, me.ip6
    return {
        "IPv4 from the own address": udp4(me, to),
        "IPv6 from the own address": udp6(me, to),
        "IPv6 from the own link-local address": udp6(me, to, me.link_local),
        "neither IP nor ARP": Ether(src=me.mac, dst=to.mac, type=FENCE_TYPE),
        "own gratuitous ARP request": arp(me, BROADCAST, REQUEST, me.mac, own4, own4),
        "own gratuitous ARP reply": arp(me, BROADCAST, REPLY, me.mac, own4, own4, tha=BROADCAST),
        "own ARP reply": arp(me, to, REPLY, me.mac, own4, to.ip4, tha=to.mac),
        "ARP probe for a free address": arp(me, BROADCAST, REQUEST, me.mac, "0.0.0.0", UNUSED_IP4),
        "own advertisement": advertisement(me, to, own6, me.mac),
        "own advertisement without an option": advertisement(me, to, own6, None),
        "own link-local advertisement": advertisement(me, to, me.link_local, me.mac, me.link_local),
        "own solicitation": solicitation(me, to, UNUSED_IP6, me.mac),
        "probe for a free IPv6 address": solicitation(me, to, UNUSED_IP6, None, "::"),
        "router solicitation": ether(me, ALL_ROUTERS_MAC)
        / IPv6(src=me.link_local, dst=ALL_ROUTERS, hlim=255)
        / ICMPv6ND_RS()
        / ICMPv6NDOptSrcLLAddr(lladdr=me.mac),
        "IPv6 behind extension headers": ether(me, to)
        / IPv6(src=me.ip6, dst=to.ip6)
        / IPv6ExtHdrHopByHop(options=[PadN(optdata=b"\0" * 4)])
        / IPv6ExtHdrDestOpt(options=[PadN(optdata=b"\0" * 4)])
        / UDP(sport=4000, dport=DISCARD),
    }


def lies_of_address(liar: Guest, victim: Guest, to: Guest) -> dict[str, Frames]:
    """Return frames from addresses that are not the liar's."""
    return {
        "foreign MAC": Ether(src=STRANGER_MAC, dst=to.mac, type=FENCE_TYPE),
        "another guest's MAC": Ether(src=victim.mac, dst=to.mac, type=FENCE_TYPE),
        "foreign MAC, own IPv4": udp4(liar, to, mac=STRANGER_MAC),
        "another guest's MAC and IPv4": udp4(liar, to, victim.ip4, mac=victim.mac),
        "another guest's IPv4": udp4(liar, to, victim.ip4),
        "foreign IPv4": udp4(liar, to, STRANGER_IP4),
        "IPv4 of no address": udp4(liar, to, "0.0.0.0"),
        "IPv4 from the broadcast address": udp4(liar, to, "255.255.255.255"),
        "IPv4 from the receiver itself": udp4(liar, to, to.ip4),
        "IPv4 from loopback": udp4(liar, to, "127.0.0.1"),
        "foreign MAC, own IPv6": udp6(liar, to, mac=STRANGER_MAC),
        "another guest's MAC and IPv6": udp6(liar, to, victim.ip6, mac=victim.mac),
        "another guest's IPv6": udp6(liar, to, victim.ip6),
        "foreign IPv6": udp6(liar, to, STRANGER_IP6),
        "another guest's link-local": udp6(liar, to, victim.link_local),
        "foreign link-local": udp6(liar, to, STRANGER_LINK_LOCAL),
        "IPv6 of no address, UDP": udp6(liar, to, "::"),
        "IPv6 of no address, echo": ether(liar, to) / IPv6(src="::", dst=to.ip6) / ICMPv6EchoRequest(),
        "IPv6 multicast source": udp6(liar, to, ALL_NODES),
        "IPv4 with options, foreign": ether(liar, to)
        / IP(src=victim.ip4, dst=to.ip4, options=b"\x01\x01\x01\x01")
        / UDP(sport=4000, dport=DISCARD),
        "later IPv4 fragment, foreign": ether(liar, to)
        / IP(src=victim.ip4, dst=to.ip4, frag=100, proto=17)
        / Raw(b"x" * 64),
        "later IPv6 fragment, foreign": ether(liar, to)
        / IPv6(src=victim.ip6, dst=to.ip6)
        / IPv6ExtHdrFragment(nh=17, id=7, offset=100)
        / Raw(b"x" * 64),
        "IPv6 behind extension headers, foreign": ether(liar, to)
        / IPv6(src=victim.ip6, dst=to.ip6)
        / IPv6ExtHdrHopByHop(options=[PadN(optdata=b"\0" * 4)])
        / UDP(sport=4000, dport=DISCARD),
        "echo from another's IPv4": ether(liar, to) / IP(src=victim.ip4, dst=to.ip4) / ICMP(),
        "foreign IPv4 in SNAP": Dot3(src=liar.mac, dst=to.mac)
        / LLC(dsap=0xAA, ssap=0xAA, ctrl=3)
        / SNAP(OUI=0, code=0x0800)
        / IP(src=victim.ip4, dst=to.ip4)
        / UDP(sport=4000, dport=DISCARD),
    }


def lies_of_arp(liar: Guest, victim: Guest, to: Guest) -> dict[str, Frames]:
    """Return ARP messages (RFC 826) that claim what is not the liar's."""
    theirs, mine = victim.ip4, liar.mac
    return {
        "ARP reply for another's address": arp(liar, to, REPLY, mine, theirs, to.ip4, tha=to.mac),
        "ARP reply for nobody's address": arp(liar, to, REPLY, mine, STRANGER_IP4, to.ip4, tha=to.mac),
        "ARP reply for the gateway": arp(liar, to, REPLY, mine, "10.10.0.1", to.ip4, tha=to.mac),
        "ARP reply with another's MAC inside": arp(liar, to, REPLY, victim.mac, theirs, to.ip4, tha=to.mac),
        "own address, another's MAC inside": arp(liar, to, REPLY, victim.mac, liar.ip4, to.ip4, tha=to.mac),
        "gratuitous ARP reply for another's address": arp(liar, BROADCAST, REPLY, mine, theirs, theirs, tha=BROADCAST),
        "ARP request from another's address": arp(liar, BROADCAST, REQUEST, mine, theirs, UNUSED_IP4),
        "ARP request with another's MAC inside": arp(liar, BROADCAST, REQUEST, victim.mac, liar.ip4, UNUSED_IP4),
        "ARP reply from another's MAC": Ether(src=victim.mac, dst=to.mac)
        / ARP(op=REPLY, hwsrc=victim.mac, psrc=theirs, hwdst=to.mac, pdst=to.ip4),
        "ARP reply of no address": arp(liar, to, REPLY, STRANGER_MAC, "0.0.0.0", to.ip4, tha=to.mac),
        "ARP in SNAP for another's address": Dot3(src=mine, dst=to.mac)
        / LLC(dsap=0xAA, ssap=0xAA, ctrl=3)
        / SNAP(OUI=0, code=0x0806)
        / ARP(op=REPLY, hwsrc=mine, psrc=theirs, hwdst=to.mac, pdst=to.ip4),
        "ARP for another kind of hardware": ether(liar, to)
        / ARP(hwtype=6, op=REPLY, hwsrc=mine, psrc=theirs, hwdst=to.mac, pdst=to.ip4),
    }


def lies_of_discovery(liar: Guest, victim: Guest, to: Guest) -> dict[str, Frames]:
    """Return neighbour discovery (RFC 4861) that claims what is not the liar's, plain and behind other headers."""
    theirs = victim.ip6
    foreign_na = ICMPv6ND_NA(tgt=theirs, R=0, S=0, O=1) / ICMPv6NDOptDstLLAddr(lladdr=liar.mac)
    hidden = with_checksum(foreign_na, liar.ip6, to.ip6)
    head = ether(liar, to) / IPv6(src=liar.ip6, dst=to.ip6, hlim=255)
    own_na = ICMPv6ND_NA(tgt=liar.ip6, O=1)
    two_options = own_na / ICMPv6NDOptDstLLAddr(lladdr=victim.mac) / ICMPv6NDOptDstLLAddr(lladdr=liar.mac)
    ll = victim.link_local
    return {
        "advertisement of another's address": advertisement(liar, to, theirs, liar.mac),
        "advertisement of another's address, its MAC": advertisement(liar, to, theirs, victim.mac),
        "advertisement of another's address, no option": advertisement(liar, to, theirs, None),
        "advertisement from another's address": advertisement(liar, to, theirs, liar.mac, theirs),
        "advertisement of another's link-local": advertisement(liar, to, ll, liar.mac),
        "advertisement of the own address, another's MAC": advertisement(liar, to, liar.ip6, victim.mac),
        "advertisement with two options, another's MAC first": head / two_options,
        "solicitation with another's MAC": solicitation(liar, to, UNUSED_IP6, victim.mac),
        "solicitation with a foreign MAC": solicitation(liar, to, UNUSED_IP6, STRANGER_MAC),
        "solicitation from another's address": solicitation(liar, to, UNUSED_IP6, liar.mac, theirs),
        "advertisement behind hop-by-hop options": head
        / IPv6ExtHdrHopByHop(nh=ICMPV6, options=[PadN(optdata=b"\0" * 4)])
        / Raw(hidden),
        "advertisement behind destination options": head
        / IPv6ExtHdrDestOpt(nh=ICMPV6, options=[PadN(optdata=b"\0" * 4)])
        / Raw(hidden),
        "advertisement behind a fragment header": head
        / IPv6ExtHdrFragment(nh=ICMPV6, id=9, m=0, offset=0)
        / Raw(hidden),
    }


def lies_of_services(liar: Guest, to: Guest) -> dict[str, Frames]:
    """Return what only a network's own services may say."""
    ra = router_advertisement(liar)
    hidden = with_checksum(ra, liar.link_local, ALL_NODES)
    plain = ether(liar, ALL_NODES_MAC) / IPv6(src=liar.link_local, dst=ALL_NODES, hlim=255)
    padding = [PadN(optdata=b"\0" * 4)]
    offer = BOOTP(op=2, yiaddr=STRANGER_IP4, chaddr=bytes.fromhex(to.mac.replace(":", "")))
    dhcp = offer / DHCP(options=[("message-type", "offer"), ("server_id", liar.ip4), "end"])
    redirect = ICMPv6ND_Redirect(tgt=liar.link_local, dst=STRANGER_IP6) / ICMPv6NDOptDstLLAddr(lladdr=liar.mac)
    return {
        "router advertisement": to_all(liar, ra),
        "router advertisement to one guest": ether(liar, to) / IPv6(src=liar.link_local, dst=to.ip6, hlim=255) / ra,
        "router advertisement with a code": to_all(liar, ICMPv6ND_RA(code=1) / ICMPv6NDOptSrcLLAddr(lladdr=liar.mac)),
        "redirect": ether(liar, to) / IPv6(src=liar.link_local, dst=to.ip6, hlim=255) / redirect,
        "DHCP offer": ether(liar, to) / IP(src=liar.ip4, dst=to.ip4) / UDP(sport=67, dport=68) / dhcp,
        "DHCP offer to all": ether(liar, BROADCAST)
        / IP(src=liar.ip4, dst="255.255.255.255")
        / UDP(sport=67, dport=68)
        / dhcp,
        "DHCPv6 advertisement": ether(liar, to)
        / IPv6(src=liar.link_local, dst=to.link_local)
        / UDP(sport=547, dport=546)
        / DHCP6_Advertise(),
        "DHCPv6 advertisement behind options": ether(liar, to)
        / IPv6(src=liar.link_local, dst=to.link_local)
        / IPv6ExtHdrDestOpt(options=padding)
        / UDP(sport=547, dport=546)
        / DHCP6_Advertise(),
        "RA behind hop-by-hop options": plain / IPv6ExtHdrHopByHop(nh=ICMPV6, options=padding) / Raw(hidden),
        "RA behind destination options": plain / IPv6ExtHdrDestOpt(nh=ICMPV6, options=padding) / Raw(hidden),
        "RA behind a routing header": plain
        / IPv6ExtHdrRouting(nh=ICMPV6, type=0, segleft=0, addresses=[])
        / Raw(hidden),
        "RA behind a fragment header": plain / IPv6ExtHdrFragment(nh=ICMPV6, id=9, m=0, offset=0) / Raw(hidden),
        "RA behind three headers": plain
        / IPv6ExtHdrHopByHop(nh=DESTINATION_OPTIONS, options=padding)
        / IPv6ExtHdrDestOpt(nh=44, options=padding)
        / IPv6ExtHdrFragment(nh=ICMPV6, id=9, m=0, offset=0)
        / Raw(hidden),
    }


def fragmented_discovery(liar: Guest) -> dict[str, Frames]:
    """Return neighbour discovery in fragments, which RFC 6980 forbids: whoever puts it together would believe it."""
    ra = with_checksum(router_advertisement(liar), liar.link_local, ALL_NODES)
    na = with_checksum(
        ICMPv6ND_NA(tgt=liar.link_local, O=1) / ICMPv6NDOptDstLLAddr(lladdr=liar.mac), liar.link_local, ALL_NODES
    )
    ns = with_checksum(ICMPv6ND_NS(tgt=UNUSED_IP6) / ICMPv6NDOptSrcLLAddr(lladdr=liar.mac), liar.link_local, ALL_NODES)
    options, cut = EIGHT_OF_DESTINATION_OPTIONS, TWENTY_FOUR_OF_DESTINATION_OPTIONS
    return {
        "RA behind options that are cut themselves": in_fragments(liar, cut, DESTINATION_OPTIONS, ra, 8),
        "NA behind options that are cut themselves": in_fragments(liar, cut, DESTINATION_OPTIONS, na, 16),
        "RA in two fragments": in_fragments(liar, b"", ICMPV6, ra, 16),
        "NA in two fragments": in_fragments(liar, b"", ICMPV6, na, 16),
        "NS in two fragments": in_fragments(liar, b"", ICMPV6, ns, 16),
        "RA behind options, its header in the second fragment": in_fragments(liar, options, DESTINATION_OPTIONS, ra, 8),
        "NA behind options, its header in the second fragment": in_fragments(liar, options, DESTINATION_OPTIONS, na, 8),
    }


def tagged(liar: Guest, to: Guest) -> dict[str, Frames]:
    """Return frames with 802.1Q and 802.1ad tags around what would be honest without."""
    inner = IP(src=liar.ip4, dst=to.ip4) / UDP(sport=4000, dport=DISCARD)
    inner6 = IPv6(src=liar.ip6, dst=to.ip6) / UDP(sport=4000, dport=DISCARD)
    return {
        "one tag": ether(liar, to) / Dot1Q(vlan=7) / inner,
        "one tag, IPv6": ether(liar, to) / Dot1Q(vlan=7) / inner6,
        "two tags": ether(liar, to) / Dot1Q(vlan=7) / Dot1Q(vlan=8) / inner,
        "802.1ad and 802.1Q": ether(liar, to) / Dot1AD(vlan=7) / Dot1Q(vlan=8) / inner,
        "priority tag": ether(liar, to) / Dot1Q(vlan=0, prio=5) / inner,
        "tagged ARP": ether(liar, to)
        / Dot1Q(vlan=7)
        / ARP(op=REPLY, hwsrc=liar.mac, psrc=liar.ip4, hwdst=to.mac, pdst=to.ip4),
    }


Lies = Callable[[Guest, Guest, Guest], dict[str, Frames]]


def all_lies(liar: Guest, victim: Guest, to: Guest) -> dict[str, Frames]:
    """Return everything a guarded guest may not send."""
    return {
        **lies_of_address(liar, victim, to),
        **lies_of_arp(liar, victim, to),
        **lies_of_discovery(liar, victim, to),
        **lies_of_services(liar, to),
        **fragmented_discovery(liar),
        **tagged(liar, to),
    }
