"""Does the responder behave as RFC 2131 says, message by message?"""

import struct

import pytest

from controller.dhcp.responder import Counters, Outcome, respond
from tests.unit.controller.dhcp.dhcp_wire import (
    ANYWHERE,
    BROADCAST,
    GUEST,
    GUEST_MAC,
    SERVER,
    SERVER_MAC,
    XID,
    Sent,
    ip,
    read,
)
from tests.unit.controller.dhcp.leases import an_answer

DISCOVER, OFFER, REQUEST, DECLINE, ACK, NAK, RELEASE, INFORM = range(1, 9)
BROADCAST_MAC = "ff:ff:ff:ff:ff:ff"
OTHER = "10.0.0.9"


def test_a_discover_is_offered_the_lease() -> None:
    """RFC 2131 section 4.3.1, table 3."""
    reply = respond(an_answer(), Sent(kind=DISCOVER).frame())

    got = read(reply.frame)
    assert reply.outcome is Outcome.OFFER
    assert (got.xid, got.ciaddr, got.yiaddr, got.siaddr, got.giaddr) == (XID, ANYWHERE, GUEST, ANYWHERE, ANYWHERE)
    assert (got.eth_src, got.ip_src, got.chaddr) == (SERVER_MAC, SERVER, GUEST_MAC)
    assert got.options == {
        53: bytes((OFFER,)),
        54: ip(SERVER),
        51: struct.pack("!I", 86400),
        58: struct.pack("!I", 43200),
        59: struct.pack("!I", 75600),
        1: ip("255.255.255.0"),
        3: ip(SERVER),
        6: ip("8.8.8.8") + ip("9.9.9.9"),
        26: struct.pack("!H", 1450),
        12: b"vm-1",
        15: b"example.org",
    }


def test_without_the_broadcast_flag_an_offer_goes_to_the_new_address() -> None:
    """RFC 2131 section 4.1."""
    got = read(respond(an_answer(), Sent(kind=DISCOVER).frame()).frame)

    assert (got.eth_dst, got.ip_dst, got.flags) == (GUEST_MAC, GUEST, 0)


def test_with_the_broadcast_flag_an_offer_is_broadcast() -> None:
    """RFC 2131 section 4.1; only the defined flag is returned."""
    got = read(respond(an_answer(), Sent(kind=DISCOVER, flags=0xFFFF).frame()).frame)

    assert (got.eth_dst, got.ip_dst, got.flags) == (BROADCAST_MAC, BROADCAST, 0x8000)


def test_a_ciaddr_in_a_discover_does_not_steer_the_offer() -> None:
    """RFC 2131 table 5: ciaddr is zero in DHCPDISCOVER."""
    got = read(respond(an_answer(), Sent(kind=DISCOVER, ciaddr="192.0.2.1").frame()).frame)

    assert (got.ip_dst, got.ciaddr) == (GUEST, ANYWHERE)


@pytest.mark.parametrize(
    ("sent", "ciaddr"),
    [
        (Sent(kind=REQUEST, options=[(54, ip(SERVER)), (50, ip(GUEST))]), ANYWHERE),
        (Sent(kind=REQUEST, options=[(50, ip(GUEST))]), ANYWHERE),
        (Sent(kind=REQUEST, ciaddr=GUEST, ip_src=GUEST, ip_dst=SERVER), GUEST),
        (Sent(kind=REQUEST, ciaddr=GUEST, ip_src=GUEST), GUEST),
    ],
    ids=["selecting", "init-reboot", "renewing", "rebinding"],
)
def test_a_request_for_the_lease_is_confirmed_in_every_state(sent: Sent, ciaddr: str) -> None:
    """RFC 2131 section 4.3.2."""
    reply = respond(an_answer(), sent.frame())

    got = read(reply.frame)
    assert reply.outcome is Outcome.ACK
    assert (got.options[53], got.options[51], got.options[54]) == (b"\x05", struct.pack("!I", 86400), ip(SERVER))
    assert (got.yiaddr, got.ciaddr, got.eth_dst, got.ip_dst) == (GUEST, ciaddr, GUEST_MAC, GUEST)


def test_a_renewal_is_answered_to_ciaddr_even_with_the_broadcast_flag() -> None:
    """RFC 2131 section 4.1: ciaddr comes before the flag."""
    got = read(respond(an_answer(), Sent(kind=REQUEST, ciaddr=GUEST, flags=0x8000).frame()).frame)

    assert (got.eth_dst, got.ip_dst) == (GUEST_MAC, GUEST)


@pytest.mark.parametrize(
    "sent",
    [
        Sent(kind=REQUEST, options=[(54, ip(SERVER)), (50, ip(OTHER))]),
        Sent(kind=REQUEST, options=[(50, ip(OTHER)), (61, b"\x01id")]),
        Sent(kind=REQUEST, ciaddr=OTHER),
        Sent(kind=REQUEST, options=[(50, ip(GUEST))], ciaddr=OTHER),
    ],
    ids=["selecting", "init-reboot", "renewing", "two-addresses"],
)
def test_a_request_for_another_address_is_refused_by_broadcast(sent: Sent) -> None:
    """RFC 2131 sections 4.1 and 4.3.2, table 3: a DHCPNAK carries no address and no lease."""
    reply = respond(an_answer(), sent.frame())

    got = read(reply.frame)
    assert reply.outcome is Outcome.NAK
    assert (got.eth_dst, got.ip_dst) == (BROADCAST_MAC, BROADCAST)
    assert (got.yiaddr, got.ciaddr, got.siaddr) == (ANYWHERE, ANYWHERE, ANYWHERE)
    assert got.options.keys() - {61} == {53, 54, 56}
    assert got.options[53] == bytes((NAK,))


def test_a_request_to_another_server_is_left_to_it() -> None:
    """RFC 2131 section 4.3.2."""
    sent = Sent(kind=REQUEST, options=[(54, ip(OTHER)), (50, ip(GUEST))])

    reply = respond(an_answer(), sent.frame())

    assert (reply.frame, reply.outcome) == (None, Outcome.IGNORED_OTHER_SERVER)


def test_a_request_without_any_address_is_malformed() -> None:
    """RFC 2131 table 5."""
    reply = respond(an_answer(), Sent(kind=REQUEST).frame())

    assert (reply.frame, reply.outcome) == (None, Outcome.MALFORMED)
    assert "names no address" in reply.detail


@pytest.mark.parametrize("ciaddr", [GUEST, OTHER])
def test_an_inform_gets_configuration_without_an_address_or_a_lease(ciaddr: str) -> None:
    """RFC 2131 section 4.3.5."""
    reply = respond(an_answer(), Sent(kind=INFORM, ciaddr=ciaddr, ip_src=ciaddr).frame())

    got = read(reply.frame)
    assert reply.outcome is Outcome.INFORM_ACK
    assert (got.options[53], got.yiaddr, got.ciaddr, got.ip_dst) == (bytes((ACK,)), ANYWHERE, ciaddr, ciaddr)
    assert not got.options.keys() & {51, 58, 59}
    assert got.options[6] == ip("8.8.8.8") + ip("9.9.9.9")


@pytest.mark.parametrize("ciaddr", [ANYWHERE, "192.0.2.1", "10.0.0.255", "10.0.0.0", BROADCAST])
def test_an_inform_from_outside_the_subnet_is_ignored(ciaddr: str) -> None:
    """RFC 2131 section 3.4: the address is checked for consistency."""
    reply = respond(an_answer(), Sent(kind=INFORM, ciaddr=ciaddr).frame())

    assert (reply.frame, reply.outcome) == (None, Outcome.IGNORED_ADDRESS)


@pytest.mark.parametrize(
    ("sent", "outcome"),
    [
        (Sent(kind=DECLINE, options=[(54, ip(SERVER)), (50, ip(GUEST))]), Outcome.DECLINED),
        (Sent(kind=DECLINE, options=[(54, ip(SERVER)), (50, ip(OTHER))]), Outcome.IGNORED_ADDRESS),
        (Sent(kind=DECLINE, options=[(54, ip(OTHER)), (50, ip(GUEST))]), Outcome.IGNORED_OTHER_SERVER),
        (Sent(kind=RELEASE, options=[(54, ip(SERVER))], ciaddr=GUEST), Outcome.RELEASED),
        (Sent(kind=None), Outcome.IGNORED_BOOTP),
        (Sent(kind=DISCOVER, cookie=bytes(4)), Outcome.IGNORED_BOOTP),
        (Sent(kind=DISCOVER, op=2), Outcome.IGNORED_REPLY),
        (Sent(kind=DISCOVER, giaddr="10.0.0.7"), Outcome.IGNORED_RELAYED),
        (Sent(kind=DISCOVER, eth_src="fa:16:3e:00:00:02"), Outcome.IGNORED_SOURCE),
        (Sent(kind=DISCOVER, chaddr="fa:16:3e:00:00:02"), Outcome.IGNORED_CHADDR),
        (Sent(kind=OFFER), Outcome.IGNORED_TYPE),
        (Sent(kind=ACK), Outcome.IGNORED_TYPE),
        (Sent(kind=0), Outcome.IGNORED_TYPE),
        (Sent(kind=13), Outcome.IGNORED_TYPE),
    ],
)
def test_what_needs_no_answer_is_named_and_not_answered(sent: Sent, outcome: Outcome) -> None:
    """RFC 2131 sections 4.3.3 and 4.3.4, and the rules of ``Outcome``."""
    reply = respond(an_answer(), sent.frame())

    assert (reply.frame, reply.outcome) == (None, outcome)


@pytest.mark.parametrize("kind", [DISCOVER, REQUEST, INFORM])
@pytest.mark.parametrize("client_id", [b"\x01\xfa\x16", b"\xff" * 255])
def test_the_client_identifier_comes_back_unaltered(kind: int, client_id: bytes) -> None:
    """RFC 6842 section 3."""
    sent = Sent(kind=kind, ciaddr=GUEST, options=[(61, client_id)])

    assert read(respond(an_answer(), sent.frame()).frame).options[61] == client_id


def test_option_249_is_sent_only_to_who_asks_for_it() -> None:
    """Old Windows reads routes there only."""
    answer = an_answer(routes=(("192.0.2.0/24", "10.0.0.2"),))

    plain = read(respond(answer, Sent(kind=DISCOVER, options=[(55, b"\x01\x79")]).frame()).frame)
    windows = read(respond(answer, Sent(kind=DISCOVER, options=[(55, b"\x01\xf9")]).frame()).frame)

    assert 249 not in plain.options
    assert windows.options[249] == windows.options[121] == plain.options[121]


MANY_ROUTES = tuple((f"10.{number}.0.0/16", "10.0.0.2") for number in range(1, 61))


def test_an_answer_never_exceeds_576_octets_unless_the_client_takes_more() -> None:
    """RFC 2131 section 2: what does not fit is left out and named, the rest is sent."""
    reply = respond(an_answer(routes=MANY_ROUTES), Sent(kind=DISCOVER).frame())

    got = read(reply.frame)
    assert got.datagram_octets <= 576
    assert reply.left_out == (121,)
    assert {1, 3, 6, 12, 15, 26, 51, 58, 59} <= got.options.keys()


def test_a_client_that_takes_more_gets_all_options_split_at_255_octets() -> None:
    """RFC 2132 section 9.10 and RFC 3396 section 6."""
    sent = Sent(kind=DISCOVER, options=[(57, struct.pack("!H", 1450))])

    reply = respond(an_answer(routes=MANY_ROUTES), sent.frame())

    got = read(reply.frame)
    assert reply.left_out == ()
    assert len(got.options[121]) == 60 * 7 + 5
    assert [length for code, length in got.lengths if code == 121] == [255, 170]


@pytest.mark.parametrize("stated", [0, 1, 575, 576, 577, 600, 1001, 1450, 65535])
@pytest.mark.parametrize("id_octets", [2, 100, 255])
def test_every_stated_maximum_is_kept(stated: int, id_octets: int) -> None:
    """RFC 2132 section 9.10: 576 is the least legal value; the network's MTU bounds it from above."""
    answer = an_answer(routes=MANY_ROUTES, extra_options=(("17", "x" * 255), ("40", "y" * 255), ("47", "z" * 254)))
    sent = Sent(kind=DISCOVER, options=[(57, struct.pack("!H", stated)), (61, bytes(id_octets))])

    got = read(respond(answer, sent.frame()).frame)

    assert got.datagram_octets <= max(576, min(stated, 1450))
    assert {51, 53, 54, 61} <= got.options.keys()


def test_the_least_valuable_options_go_first() -> None:
    """What no rule ranks goes first, the highest number before the others."""
    answer = an_answer(extra_options=(("17", "x" * 100), ("40", "y" * 100), ("domain-name", "d" * 60)))

    reply = respond(answer, Sent(kind=DISCOVER, options=[(61, b"\x01" * 60)]).frame())

    assert reply.left_out == (40,)
    assert {12, 15, 17} <= read(reply.frame).options.keys()


def test_a_short_answer_is_padded_to_300_octets() -> None:
    """RFC 1542 section 2.1."""
    answer = an_answer(router=None, dns_servers=(), mtu=None, hostname=None, domain=None)

    assert read(respond(answer, Sent(kind=DISCOVER).frame()).frame).bootp_octets == 300


def test_counters_show_every_outcome() -> None:
    counters = Counters()
    counters.add(Outcome.OFFER)
    counters.add(Outcome.OFFER)
    counters.add(Outcome.MALFORMED)

    counts = counters.as_dict()

    assert counts.keys() == {str(outcome) for outcome in Outcome}
    assert {name: count for name, count in counts.items() if count} == {"offer": 2, "malformed": 1}
