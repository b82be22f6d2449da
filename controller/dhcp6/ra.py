"""What does a network say about itself in router advertisements, and to whom?

RFC 4861 sections 4.1, 4.2 and 6; RFC 4862 section 5.5; RFC 8106 for name servers and search domains. When to advertise
unasked is the caller's business: every ``MAX_INTERVAL_S`` and after a change.

Weft is no router. An advertisement does two things at once, it configures and it offers its sender as default router
(RFC 4861 section 6.3.4: the router is the source address), so the source depends on what is known:

* The gateway's link-local address is unknown: the network's own service address speaks, with router lifetime 0. Guests
  take prefixes, MTU, flags and name servers and install no default route.
* It is known: the advertisement is sent in the gateway's name, with router lifetime 1800 s, for only so does the route
  lead to the gateway. Its MAC goes into the source link-layer option and into the Ethernet header where that is known
  too; where it is not (a physical router), the option is left out and guests resolve the address by themselves, so
  that nothing is claimed about somebody else's MAC.
"""

import ipaddress
import struct
from dataclasses import dataclass
from typing import Final, NamedTuple

from controller.dhcp import values
from controller.dhcp6.errors import InvalidFacts, MalformedFrame
from controller.dhcp6.frame import (
    ALL_NODES,
    ALL_NODES_MAC,
    INFINITE,
    LINK_LOCAL,
    MTU_DEFAULT,
    MTU_MAX,
    MTU_MIN,
    PAYLOAD_START,
    UNSPECIFIED,
    datagram_from_wire,
    head,
    is_sum_right,
    link_local,
    mac_octets,
    parse_address,
    seal,
)

MAX_INTERVAL_S: Final = 600
"""RFC 4861 section 6.2.1: MaxRtrAdvInterval, how often at least a network is advertised unasked."""
ROUTER_LIFETIME_S: Final = 1800
"""RFC 4861 section 6.2.1: AdvDefaultLifetime, three times MaxRtrAdvInterval."""
DNS_LIFETIME_S: Final = 86400
"""A name server outlives a day without a controller, as it does in a DHCP lease; RFC 8106 section 5.1 asks for three
times MaxRtrAdvInterval or more."""
VALID_S: Final = 2_592_000
PREFERRED_S: Final = 604_800
"""RFC 4861 section 6.2.1: 30 days and 7 days."""
CUR_HOP_LIMIT: Final = 64
"""RFC 4861 section 6.2.1: AdvCurHopLimit, IANA's recommended default."""
HOP_LIMIT: Final = 255
"""RFC 4861 sections 6.1.1 and 6.1.2: proof that no router forwarded the message."""
SOLICITATION_OCTETS: Final = 8

NEXT_HEADER_ICMPV6: Final = 58
ROUTER_SOLICITATION: Final = 133
ROUTER_ADVERTISEMENT: Final = 134
SOURCE_LINK_LAYER, PREFIX_INFORMATION, MTU_OPTION, RDNSS, DNSSL = 1, 3, 5, 25, 31
"""RFC 4861 section 4.6, RFC 8106 section 5."""
OPTION_OCTETS_MAX: Final = 255 * 8
"""What one length octet can say."""
MANAGED, OTHER = 0x80, 0x40
"""RFC 4861 section 4.2: the M and O flags."""
ON_LINK, AUTONOMOUS = 0x80, 0x40
"""RFC 4861 section 4.6.2: the L and A flags."""

_CHECKSUM_AT: Final = PAYLOAD_START + 2


@dataclass(frozen=True, slots=True, kw_only=True)
class PrefixFacts:
    """One subnet, as guests shall see it."""

    cidr: str
    autonomous: bool
    """Guests form addresses in it by themselves (RFC 4862 section 5.5.3); only a /64 can be."""
    on_link: bool = True
    valid_s: int = VALID_S
    """0..4294967295, the last one without end; 0 withdraws the prefix."""
    preferred_s: int = PREFERRED_S
    """0..``valid_s``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RouterFacts:
    """What one advertisement says."""

    service_mac: str
    """The network's own MAC, lower-case with colons; its link-local address speaks where no gateway's is known."""
    gateway: str | None = None
    """The gateway's link-local address, where it is known."""
    gateway_mac: str | None = None
    is_default: bool = True
    """Whether the gateway is a default router; False says that it no longer is (RFC 4861 section 6.2.5)."""
    mtu: int | None
    """What the network carries; below 1280 none is said (RFC 8200 section 5)."""
    prefixes: tuple[PrefixFacts, ...]
    managed: bool
    """Addresses come by DHCPv6 (RFC 4861 section 4.2, M)."""
    other: bool
    """Other configuration comes by DHCPv6 (RFC 4861 section 4.2, O)."""
    dns_servers: tuple[str, ...] = ()
    search_domains: tuple[str, ...] = ()
    dns_lifetime_s: int = DNS_LIFETIME_S


class Solicitation(NamedTuple):
    """Who asks?"""

    eth_src: bytes
    src: bytes


def unsolicited(facts: RouterFacts) -> bytes:
    """Give the advertisement to all nodes (RFC 4861 section 6.2.4).

    Raises:
        InvalidFacts: An address, a prefix or a number cannot be advertised.
    """
    return _advertisement(facts, ALL_NODES_MAC, ALL_NODES)


def answer_solicitation(facts: RouterFacts, frame: bytes) -> bytes | None:
    """Give the advertisement for whoever sent a router solicitation, None if the frame is no valid one.

    It goes to the guest's address, or to all nodes when it has none yet (RFC 4861 section 6.2.6). The delay that
    section wants keeps several routers from answering at once; here one port is answered by the one controller. The
    gateway itself gets no answer: it would hear its own name from somebody else. Nor may the caller send it
    ``unsolicited`` of the same facts.

    Raises:
        InvalidFacts: As ``unsolicited``; whatever the frame holds raises nothing.
    """
    try:
        asked = solicitation_from_wire(frame)
    except MalformedFrame:
        # RFC 4861 section 6.1.1: silently discarded. Who wants the reason calls solicitation_from_wire.
        return None
    if facts.gateway_mac is not None and asked.eth_src == _mac(facts.gateway_mac, "gateway_mac"):
        return None
    if asked.src == UNSPECIFIED:
        return unsolicited(facts)
    return _advertisement(facts, asked.eth_src, asked.src)


def solicitation_from_wire(frame: bytes) -> Solicitation:
    """Read a router solicitation, held to RFC 4861 section 6.1.1.

    Raises:
        MalformedFrame: The frame is none, or an invalid one.
    """
    datagram = datagram_from_wire(frame)
    length = datagram.end - PAYLOAD_START
    if datagram.next_header != NEXT_HEADER_ICMPV6:
        raise MalformedFrame(f"next header {datagram.next_header} is not ICMPv6")
    if length < SOLICITATION_OCTETS:
        raise MalformedFrame(f"{length} octets are too short for a router solicitation")
    if frame[PAYLOAD_START] != ROUTER_SOLICITATION or frame[PAYLOAD_START + 1]:
        kind, code = frame[PAYLOAD_START], frame[PAYLOAD_START + 1]
        raise MalformedFrame(f"ICMPv6 type {kind} code {code} is no router solicitation")
    if datagram.hop_limit != HOP_LIMIT:
        raise MalformedFrame(f"hop limit {datagram.hop_limit} is not 255")
    if not is_sum_right(frame, datagram):
        raise MalformedFrame("the ICMPv6 checksum is wrong")
    options = _option_types(frame, PAYLOAD_START + SOLICITATION_OCTETS, datagram.end)
    if datagram.src == UNSPECIFIED and SOURCE_LINK_LAYER in options:
        raise MalformedFrame("a solicitation from the unspecified address names a link-layer address")
    return Solicitation(datagram.eth_src, datagram.src)


def _option_types(frame: bytes, start: int, end: int) -> set[int]:
    """Give the types of the options; their lengths are in units of eight octets (RFC 4861 section 4.6).

    Raises:
        MalformedFrame: A length is zero or reaches past the message.
    """
    types, at = set(), start
    while at < end:
        if at + 2 > end:
            raise MalformedFrame(f"option {frame[at]} has no length")
        length = frame[at + 1] * 8
        if not length or at + length > end:
            raise MalformedFrame(f"option {frame[at]} of {length} octets does not fit the message")
        types.add(frame[at])
        at += length
    return types


def _advertisement(facts: RouterFacts, eth_dst: bytes, dst: bytes) -> bytes:
    """Write the message of RFC 4861 section 4.2; reachable time and retransmission timer are left to the guest."""
    source_mac, source = _source(facts)
    flags = (MANAGED if facts.managed else 0) | (OTHER if facts.other else 0)
    lifetime = ROUTER_LIFETIME_S if facts.gateway is not None and facts.is_default else 0
    frame = bytearray(
        head(
            eth_dst=eth_dst,
            eth_src=source_mac or _mac(facts.service_mac, "service_mac"),
            next_header=NEXT_HEADER_ICMPV6,
            hop_limit=HOP_LIMIT,
            src=source,
            dst=dst,
        )
    )
    frame += struct.pack("!BBHBBHII", ROUTER_ADVERTISEMENT, 0, 0, CUR_HOP_LIMIT, flags, lifetime, 0, 0)
    if source_mac is not None:
        frame += bytes((SOURCE_LINK_LAYER, 1)) + source_mac
    frame += _mtu(facts.mtu)
    for prefix in facts.prefixes:
        frame += _prefix(prefix)
    frame += _dns(facts)
    longest = max(MTU_MIN, facts.mtu or MTU_DEFAULT)
    if len(frame) - PAYLOAD_START + 40 > longest:
        raise InvalidFacts("prefixes", len(facts.prefixes), f"few enough, with name servers, for {longest} octets")
    return seal(frame, next_header=NEXT_HEADER_ICMPV6, checksum_at=_CHECKSUM_AT)


def _source(facts: RouterFacts) -> tuple[bytes | None, bytes]:
    """Give the MAC to announce, None for none, and the source address; see the module's text."""
    if facts.gateway is None:
        mac = _mac(facts.service_mac, "service_mac")
        return mac, ipaddress.IPv6Address(link_local(facts.service_mac)).packed
    gateway = _address(facts.gateway, "gateway")
    if gateway not in LINK_LOCAL:
        # RFC 4861 section 6.1.2: guests discard an advertisement from any other address.
        raise InvalidFacts("gateway", facts.gateway, "a link-local address (fe80::/10)")
    return None if facts.gateway_mac is None else _mac(facts.gateway_mac, "gateway_mac"), gateway.packed


def _mtu(mtu: int | None) -> bytes:
    if mtu is None or mtu < MTU_MIN:
        return b""
    if mtu > MTU_MAX:
        raise InvalidFacts("mtu", mtu, f"{MTU_MAX} at most")
    return struct.pack("!BBHI", MTU_OPTION, 1, 0, mtu)


def _prefix(prefix: PrefixFacts) -> bytes:
    """Write a prefix information option (RFC 4861 section 4.6.2)."""
    try:
        network = ipaddress.IPv6Network(prefix.cidr)
    except ValueError as error:
        raise InvalidFacts("prefixes", prefix.cidr, "IPv6 prefixes without host bits") from error
    if prefix.autonomous and network.prefixlen != 64:  # noqa: PLR2004 (an interface identifier has the other 64 bits)
        raise InvalidFacts("prefixes", prefix.cidr, "/64 where guests form addresses (RFC 2464 section 4)")
    if not 0 <= prefix.preferred_s <= prefix.valid_s <= INFINITE:
        # RFC 4861 section 4.6.2: the preferred lifetime must not exceed the valid one.
        raise InvalidFacts("prefixes", (prefix.preferred_s, prefix.valid_s), "preferred no longer than valid")
    flags = (ON_LINK if prefix.on_link else 0) | (AUTONOMOUS if prefix.autonomous else 0)
    fields = struct.pack(
        "!BBBBIII", PREFIX_INFORMATION, 4, network.prefixlen, flags, prefix.valid_s, prefix.preferred_s, 0
    )
    return fields + network.network_address.packed


def _dns(facts: RouterFacts) -> bytes:
    """Write the options of RFC 8106 sections 5.1 and 5.2, either only if it has something to say."""
    if not 0 <= facts.dns_lifetime_s <= INFINITE:
        raise InvalidFacts("dns_lifetime_s", facts.dns_lifetime_s, f"0 to {INFINITE}")
    servers = b"".join(_address(server, "dns_servers").packed for server in facts.dns_servers)
    try:
        domains = b"".join(values.domain(domain) for domain in facts.search_domains)
    except ValueError as error:
        raise InvalidFacts("search_domains", facts.search_domains, "domain names") from error
    written = b""
    for kind, octets, field in ((RDNSS, servers, "dns_servers"), (DNSSL, domains, "search_domains")):
        if not octets:
            continue
        padded = octets.ljust(-(-len(octets) // 8) * 8, b"\0")
        if len(padded) + 8 > OPTION_OCTETS_MAX:
            raise InvalidFacts(field, len(octets), f"{OPTION_OCTETS_MAX - 8} octets at most")
        written += struct.pack("!BBHI", kind, 1 + len(padded) // 8, 0, facts.dns_lifetime_s) + padded
    return written


def _address(text: str, field: str) -> ipaddress.IPv6Address:
    try:
        return parse_address(text)
    except ValueError as error:
        raise InvalidFacts(field, text, "an IPv6 address") from error


def _mac(text: str, field: str) -> bytes:
    try:
        return mac_octets(text)
    except ValueError as error:
        raise InvalidFacts(field, text, str(error)) from error
