"""Does a network advertise what RFC 4861 section 4.2 and RFC 8106 say, and only to who asks validly?"""

from typing import Any

import pytest
from scapy.layers.inet6 import (
    ICMPv6ND_RA,
    ICMPv6NDOptDNSSL,
    ICMPv6NDOptMTU,
    ICMPv6NDOptPrefixInfo,
    ICMPv6NDOptRDNSS,
    ICMPv6NDOptSrcLLAddr,
    ICMPv6NDOptUnknown,
    IPv6,
)

from controller.dhcp6.errors import InvalidFacts, MalformedFrame
from controller.dhcp6.ra import PrefixFacts, answer_solicitation, solicitation_from_wire, unsolicited
from tests.unit.controller.dhcp6.leases import DNS, router_facts
from tests.unit.controller.dhcp6.scapy_wire import (
    GUEST_LINK_LOCAL,
    GUEST_MAC,
    SERVICE_LINK_LOCAL,
    SERVICE_MAC,
    parsed,
    solicitation,
)

ROUTER_MAC = "fa:16:3e:aa:bb:cc"
ROUTER = "fe80::f816:3eff:feaa:bbcc"
ALL_NODES = ("33:33:00:00:00:01", "ff02::1")
FACTS = router_facts()


def test_without_a_known_gateway_the_network_itself_advertises_no_router() -> None:
    """RFC 4861 section 4.2: router lifetime 0 means "not a default router"; everything else still holds."""
    got = parsed(unsolicited(FACTS))

    ra = got[ICMPv6ND_RA]
    assert (got.src, got[IPv6].src, (got.dst, got[IPv6].dst), got[IPv6].hlim) == (
        SERVICE_MAC,
        SERVICE_LINK_LOCAL,
        ALL_NODES,
        255,
    )
    assert (ra.code, ra.routerlifetime, ra.chlim, ra.M, ra.O, ra.reachabletime, ra.retranstimer) == (
        *(0, 0, 64, 0, 0, 0, 0),
    )
    assert (ra.H, ra.prf, ra.P, ra.res) == (0, 0, 0, 0)
    assert got[ICMPv6NDOptSrcLLAddr].lladdr == SERVICE_MAC


def test_a_known_gateway_is_advertised_in_its_own_name() -> None:
    """RFC 4861 section 6.3.4: the default router is the source address."""
    got = parsed(unsolicited(router_facts(gateway=ROUTER, gateway_mac=ROUTER_MAC)))

    assert (got.src, got[IPv6].src, got[ICMPv6ND_RA].routerlifetime) == (ROUTER_MAC, ROUTER, 1800)
    assert got[ICMPv6NDOptSrcLLAddr].lladdr == ROUTER_MAC


def test_a_gateway_whose_mac_is_unknown_is_left_to_be_resolved() -> None:
    got = parsed(unsolicited(router_facts(gateway="fe80::1")))

    assert (got.src, got[IPv6].src, got[ICMPv6ND_RA].routerlifetime) == (SERVICE_MAC, "fe80::1", 1800)
    assert ICMPv6NDOptSrcLLAddr not in got


@pytest.mark.parametrize(("managed", "other"), [(False, False), (True, True), (False, True)])
def test_the_flags_say_whether_to_ask_dhcpv6(managed: bool, other: bool) -> None:
    got = parsed(unsolicited(router_facts(managed=managed, other=other)))[ICMPv6ND_RA]

    assert (managed, other) == (got.M, got.O)
    assert (got.H, got.prf, got.P, got.res) == (0, 0, 0, 0)


def test_prefixes_carry_their_flags_and_lifetimes() -> None:
    """RFC 4861 section 4.6.2."""
    stateful = PrefixFacts(cidr="2001:db8:2::/80", autonomous=False, valid_s=4_294_967_295, preferred_s=60)
    off_link = PrefixFacts(cidr="2001:db8:3::/64", autonomous=True, on_link=False, valid_s=0, preferred_s=0)

    got = parsed(unsolicited(router_facts(prefixes=(*FACTS.prefixes, stateful, off_link))))

    found = [got[ICMPv6NDOptPrefixInfo:number] for number in (1, 2, 3)]
    assert [(p.prefix, p.prefixlen, p.L, p.A, p.validlifetime, p.preferredlifetime) for p in found] == [
        ("2001:db8:1::", 64, 1, 1, 2_592_000, 604_800),
        ("2001:db8:2::", 80, 1, 0, 4_294_967_295, 60),
        ("2001:db8:3::", 64, 0, 1, 0, 0),
    ]
    assert [(p.R, p.res1, p.res2) for p in found] == [(0, 0, 0)] * 3


def test_name_servers_and_search_domains_are_advertised() -> None:
    """RFC 8106 sections 5.1 and 5.2."""
    got = parsed(unsolicited(router_facts(search_domains=("example.org", "a.example.net."))))

    rdnss, dnssl = got[ICMPv6NDOptRDNSS], got[ICMPv6NDOptDNSSL]
    assert (tuple(rdnss.dns), rdnss.lifetime, rdnss.len) == (DNS, 86400, 5)
    assert ([d for d in dnssl.searchlist if d != "."], dnssl.lifetime) == (["example.org.", "a.example.net."], 86400)


@pytest.mark.parametrize("octets", range(3, 130))
def test_search_domains_of_any_length_fill_whole_units(octets: int) -> None:
    """RFC 8106 section 5.2: zeros up to the next multiple of eight."""
    domains = ("x" * min(octets - 2, 50), *("y" * 30 for _ in range(52, octets, 32)))

    frame = unsolicited(router_facts(search_domains=domains, dns_servers=(), mtu=None, prefixes=()))

    last = frame[70 + 8 :]
    assert (last[0], len(last)) == (31, last[1] * 8)
    assert last[8:].rstrip(b"\0") + b"\0" == b"".join(bytes((len(d),)) + d.encode() + b"\0" for d in domains)
    assert len(last) - len(last.rstrip(b"\0")) <= 8


@pytest.mark.parametrize("lifetime", [0, 4_294_967_295])
def test_name_servers_may_be_withdrawn_or_stay_for_ever(lifetime: int) -> None:
    """RFC 8106 section 5.1."""
    got = parsed(unsolicited(router_facts(dns_lifetime_s=lifetime)))

    assert (got[ICMPv6NDOptRDNSS].lifetime, got[ICMPv6NDOptDNSSL].lifetime) == (lifetime, lifetime)


def test_what_is_not_there_is_not_said() -> None:
    got = parsed(unsolicited(router_facts(dns_servers=(), search_domains=(), mtu=None, prefixes=())))

    assert [option in got for option in (ICMPv6NDOptRDNSS, ICMPv6NDOptDNSSL, ICMPv6NDOptMTU)] == [False] * 3
    assert ICMPv6NDOptPrefixInfo not in got


@pytest.mark.parametrize(("mtu", "said"), [(1450, 1450), (1280, 1280), (9000, 9000)])
def test_the_mtu_is_advertised(mtu: int, said: int) -> None:
    """RFC 4861 section 4.6.4."""
    assert parsed(unsolicited(router_facts(mtu=mtu)))[ICMPv6NDOptMTU].mtu == said


def test_an_mtu_below_what_ipv6_needs_is_not_advertised() -> None:
    """RFC 8200 section 5: 1280; guests ignore a smaller one (RFC 4861 section 6.3.4)."""
    assert ICMPv6NDOptMTU not in parsed(unsolicited(router_facts(mtu=1279)))


def test_a_solicitation_is_answered_to_the_guest() -> None:
    """RFC 4861 section 6.2.6."""
    reply = answer_solicitation(FACTS, solicitation(ICMPv6NDOptSrcLLAddr(lladdr=GUEST_MAC)))

    got = parsed(reply)
    assert (got.dst, got[IPv6].dst) == (GUEST_MAC, GUEST_LINK_LOCAL)
    assert bytes(got[ICMPv6ND_RA])[4:] == unsolicited(FACTS)[58:]


def test_a_guest_without_an_address_is_answered_as_all_nodes_are() -> None:
    """RFC 4861 section 6.2.6."""
    assert answer_solicitation(FACTS, solicitation(src="::")) == unsolicited(FACTS)


def test_the_gateway_is_not_told_about_itself() -> None:
    facts = router_facts(gateway=ROUTER, gateway_mac=ROUTER_MAC)

    assert answer_solicitation(facts, solicitation(eth_src=ROUTER_MAC, src=ROUTER)) is None
    assert answer_solicitation(facts, solicitation())


def test_ethernet_padding_after_a_solicitation_does_not_matter() -> None:
    frame = solicitation(src="::") + b"\xff" * 7

    assert answer_solicitation(FACTS, frame) == unsolicited(FACTS)


def test_unknown_options_are_skipped() -> None:
    """RFC 4861 section 6.1.1: to be ignored, for future use."""
    assert answer_solicitation(FACTS, solicitation(ICMPv6NDOptUnknown(type=77, data=b"x" * 6)))


def broken(at: int, octets: bytes, frame: bytes | None = None) -> bytes:
    whole = solicitation() if frame is None else frame
    return whole[:at] + octets + whole[at + len(octets) :]


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (solicitation(hlim=254), "hop limit"),
        (broken(56, b"\xde\xad"), "checksum"),
        (solicitation(code=1), "no router solicitation"),
        (broken(54, b"\x86"), "no router solicitation"),
        (solicitation(ICMPv6NDOptSrcLLAddr(lladdr=GUEST_MAC), src="::"), "unspecified address names"),
        (solicitation(ICMPv6NDOptUnknown(type=77, len=0, data=b"x" * 6)), "option 77 of 0 octets"),
        (solicitation(ICMPv6NDOptUnknown(type=77, len=2, data=b"x" * 6)), "option 77 of 16 octets"),
        (solicitation(ICMPv6NDOptUnknown(type=77, len=1, data=b"x" * 6))[:-7], "does not fit a frame"),
        (broken(18, b"\x00\x07"), "too short for a router solicitation"),
        (broken(20, b"\x11"), "not ICMPv6"),
        (broken(14, b"\x45"), "does not begin an IPv6 header"),
        (broken(12, b"\x81\x00"), "VLAN tag"),
        (broken(12, b"\x88\xa8"), "VLAN tag"),
        (broken(12, b"\x08\x00"), "not IPv6"),
        (broken(6, b"\x01"), "group MAC"),
        (solicitation(src="ff02::5"), "multicast"),
        (b"", "too short"),
    ],
)
def test_an_invalid_solicitation_gets_no_answer(frame: bytes, reason: str) -> None:
    """RFC 4861 section 6.1.1."""
    assert answer_solicitation(FACTS, frame) is None
    with pytest.raises(MalformedFrame, match=reason):
        solicitation_from_wire(frame)


def test_a_solicitation_cut_anywhere_gets_no_answer() -> None:
    frame = solicitation(ICMPv6NDOptSrcLLAddr(lladdr=GUEST_MAC))

    assert {answer_solicitation(FACTS, frame[:length]) for length in range(len(frame))} == {None}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"service_mac": "02:57"}, "service_mac"),
        ({"gateway": "2001:db8::1"}, "gateway"),
        ({"gateway": "fe80::1%eth0"}, "gateway"),
        ({"gateway": "fe80::1", "gateway_mac": "FA:16:3E:00:00:01"}, "gateway_mac"),
        ({"mtu": 65536}, "mtu"),
        ({"prefixes": (PrefixFacts(cidr="2001:db8::1/64", autonomous=True),)}, "prefixes"),
        ({"prefixes": (PrefixFacts(cidr="2001:db8::/63", autonomous=True),)}, "prefixes"),
        ({"prefixes": (PrefixFacts(cidr="2001:db8::/64", autonomous=True, valid_s=1),)}, "prefixes"),
        ({"prefixes": FACTS.prefixes * 50}, "prefixes"),
        ({"dns_servers": ("192.0.2.1",)}, "dns_servers"),
        ({"dns_servers": DNS * 64, "mtu": 9000}, "dns_servers"),
        ({"search_domains": ("a..b",)}, "search_domains"),
        ({"dns_lifetime_s": -1}, "dns_lifetime_s"),
    ],
)
def test_facts_that_cannot_be_advertised_are_refused_by_name(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(InvalidFacts) as caught:
        unsolicited(router_facts(**changes))

    assert caught.value.field == field
