"""Does the DHCPv6 responder behave as RFC 8415 says, message by message? Scapy asks, and reads the answers."""

import pytest
from scapy.layers.dhcp6 import (
    DUID_EN,
    DUID_LL,
    DHCP6_Advertise,
    DHCP6_Confirm,
    DHCP6_Decline,
    DHCP6_InfoRequest,
    DHCP6_Rebind,
    DHCP6_Reconf,
    DHCP6_RelayForward,
    DHCP6_RelayReply,
    DHCP6_Release,
    DHCP6_Renew,
    DHCP6_Reply,
    DHCP6_Request,
    DHCP6_Solicit,
    DHCP6OptClientId,
    DHCP6OptDNSDomains,
    DHCP6OptDNSServers,
    DHCP6OptIA_NA,
    DHCP6OptIA_TA,
    DHCP6OptIAAddress,
    DHCP6OptInfoRefreshTime,
    DHCP6OptPref,
    DHCP6OptRapidCommit,
    DHCP6OptServerId,
)
from scapy.layers.inet6 import UDP, IPv6
from scapy.layers.l2 import Ether
from scapy.packet import Packet

from controller.dhcp6.answer import Answer6
from controller.dhcp6.lease import LeasedAddress
from controller.dhcp6.responder import Counters6, Outcome6, respond6
from tests.unit.controller.dhcp6.leases import DNS, an_answer, stateless, two_addresses
from tests.unit.controller.dhcp6.scapy_wire import (
    GUEST,
    GUEST_LINK_LOCAL,
    GUEST_MAC,
    INFINITE,
    NO_ADDRS,
    NO_BINDING,
    NO_PREFIX,
    NOT_ON_LINK,
    SECOND,
    SERVICE_LINK_LOCAL,
    SERVICE_MAC,
    SUCCESS,
    USE_MULTICAST,
    XID,
    Got,
    client_id,
    ia_na,
    ia_pd,
    ia_ta,
    oro,
    other_server_id,
    sent,
    server_id,
)

ADVERTISE, REPLY = 2, 7
DAY = (86400, 86400)
LEASE = [(GUEST, *DAY)]
NEIGHBOUR = "2001:db8:1::99"
ELSEWHERE = "2001:db8:99::5"


def asked(answer: Answer6, message: type[Packet], *options: Packet) -> tuple[Outcome6, Got]:
    reply = respond6(answer, sent(message, *options))
    return reply.outcome, Got(reply.frame)


def test_a_solicit_is_offered_the_lease() -> None:
    """RFC 8415 section 18.3.9."""
    outcome, got = asked(an_answer(), DHCP6_Solicit, client_id, ia_na(), oro(23, 24))

    assert (outcome, got.kind, got.xid) == (Outcome6.ADVERTISE, ADVERTISE, XID)
    assert (got.eth_dst, got.ip_dst) == (GUEST_MAC, GUEST_LINK_LOCAL)
    assert got.given() == {7: LEASE}
    assert (got.one(DHCP6OptIA_NA).T1, got.one(DHCP6OptIA_NA).T2) == (43200, 69120)
    assert got.one(DHCP6OptClientId).duid == DUID_LL(lladdr=GUEST_MAC)
    assert got.one(DHCP6OptServerId).duid == DUID_LL(lladdr=SERVICE_MAC)
    assert got.one(DHCP6OptPref).prefval == 255
    assert tuple(got.one(DHCP6OptDNSServers).dnsservers) == DNS
    assert got.one(DHCP6OptDNSDomains).dnsdomains == ["example.org."]
    assert got.codes == [2, 1, 3, 7, 23, 24]


def test_rapid_commit_gives_the_lease_at_once() -> None:
    """RFC 8415 section 18.3.1."""
    outcome, got = asked(an_answer(), DHCP6_Solicit, client_id, DHCP6OptRapidCommit(), ia_na())

    assert (outcome, got.kind, got.given()) == (Outcome6.GRANTED, REPLY, {7: LEASE})
    assert got.one(DHCP6OptRapidCommit)
    assert not got.all(DHCP6OptPref)


def test_rapid_commit_with_nothing_to_give_is_only_advertised() -> None:
    outcome, got = asked(stateless(), DHCP6_Solicit, client_id, DHCP6OptRapidCommit(), ia_na())

    assert (outcome, got.kind, got.refused()) == (Outcome6.ADVERTISE, ADVERTISE, {7: NO_ADDRS})
    assert not got.all(DHCP6OptRapidCommit)
    assert not got.all(DHCP6OptPref)


def test_a_hint_in_a_solicit_does_not_steer_the_offer() -> None:
    _, got = asked(an_answer(), DHCP6_Solicit, client_id, ia_na(7, ELSEWHERE, NEIGHBOUR, T1=9, T2=3))

    assert (got.given(), got.refused()) == ({7: LEASE}, {})


def test_a_request_is_granted_the_lease() -> None:
    """RFC 8415 section 18.3.2."""
    outcome, got = asked(an_answer(), DHCP6_Request, client_id, server_id, ia_na(0xDEADBEEF, GUEST))

    assert (outcome, got.kind, got.given()) == (Outcome6.GRANTED, REPLY, {0xDEADBEEF: LEASE})
    assert got.status is None


def test_a_request_for_another_address_of_the_link_gets_the_lease() -> None:
    _, got = asked(an_answer(), DHCP6_Request, client_id, server_id, ia_na(7, NEIGHBOUR))

    assert got.given() == {7: LEASE}


def test_a_request_for_an_address_of_another_link_is_refused() -> None:
    """RFC 8415 section 18.3.2: NotOnLink in that association; the other one is not concerned."""
    outcome, got = asked(an_answer(), DHCP6_Request, client_id, server_id, ia_na(7, ELSEWHERE), ia_na(8))

    assert (outcome, got.refused(), got.given()) == (Outcome6.GRANTED, {7: NOT_ON_LINK}, {7: [], 8: LEASE})


def test_a_request_of_a_stateless_port_is_refused_with_the_options() -> None:
    outcome, got = asked(stateless(), DHCP6_Request, client_id, server_id, ia_na())

    assert (outcome, got.refused()) == (Outcome6.REFUSED, {7: NO_ADDRS})
    assert tuple(got.one(DHCP6OptDNSServers).dnsservers) == DNS


@pytest.mark.parametrize("message", [DHCP6_Solicit, DHCP6_Request])
def test_prefixes_and_temporary_addresses_are_not_given(message: type[Packet]) -> None:
    """RFC 8415 sections 13.2 and 13.3."""
    identifiers = (client_id,) if message is DHCP6_Solicit else (client_id, server_id)

    _, got = asked(an_answer(), message, *identifiers, ia_ta(), ia_pd(), ia_na())

    assert got.refused() == {8: NO_ADDRS, 9: NO_PREFIX}
    assert got.given() == {7: LEASE}
    assert got.one(DHCP6OptIA_TA).optlen == 10


def test_one_association_gets_all_addresses() -> None:
    _, got = asked(two_addresses(), DHCP6_Solicit, client_id, ia_na())

    assert got.given() == {7: [(GUEST, *DAY), (SECOND, *DAY)]}


def test_of_two_associations_each_gets_an_address_of_its_own() -> None:
    """RFC 8415 section 12: an address belongs to one association."""
    _, got = asked(two_addresses(), DHCP6_Solicit, client_id, ia_na(1), ia_na(2))

    assert got.given() == {1: LEASE, 2: [(SECOND, *DAY)]}


def test_an_association_keeps_the_address_it_names_whatever_the_order() -> None:
    for message in (DHCP6_Request, DHCP6_Renew):
        options = (client_id, server_id, ia_na(2, SECOND), ia_na(1, GUEST))

        _, got = asked(two_addresses(), message, *options)

        assert got.given() == {2: [(SECOND, *DAY)], 1: LEASE}


def test_an_association_too_many_is_told_so() -> None:
    for message in (DHCP6_Request, DHCP6_Renew):
        _, got = asked(an_answer(), message, client_id, server_id, ia_na(1), ia_na(2))

        assert (got.given(), got.refused()) == ({1: LEASE, 2: []}, {2: NO_ADDRS})


@pytest.mark.parametrize(
    ("answer", "addresses", "status"),
    [
        (an_answer(), [GUEST], SUCCESS),
        (an_answer(), [ELSEWHERE], NOT_ON_LINK),
        (an_answer(), [GUEST, ELSEWHERE], NOT_ON_LINK),
        (an_answer(), [NEIGHBOUR], NOT_ON_LINK),
        (stateless(), [NEIGHBOUR], SUCCESS),
        (stateless(), [NEIGHBOUR, ELSEWHERE], NOT_ON_LINK),
    ],
    ids=["own", "other-link", "one-of-two", "another-port's", "stateless-on-link", "stateless-other-link"],
)
def test_a_confirm_is_told_whether_its_addresses_fit(answer: Answer6, addresses: list[str], status: int) -> None:
    """RFC 8415 section 18.3.3."""
    outcome, got = asked(answer, DHCP6_Confirm, client_id, ia_na(7, *addresses))

    assert (got.kind, got.status) == (REPLY, status)
    assert outcome is (Outcome6.CONFIRMED if status == SUCCESS else Outcome6.REFUSED)
    assert got.codes == [2, 1, 13]


def test_a_confirm_without_an_address_gets_no_answer() -> None:
    """RFC 8415 section 18.3.3."""
    reply = respond6(an_answer(), sent(DHCP6_Confirm, client_id, ia_na()))

    assert (reply.frame, reply.outcome) == (None, Outcome6.IGNORED_NOTHING_KNOWN)


@pytest.mark.parametrize(
    ("message", "identifiers"), [(DHCP6_Renew, (client_id, server_id)), (DHCP6_Rebind, (client_id,))]
)
class TestRenewAndRebind:
    """RFC 8415 sections 18.3.4 and 18.3.5."""

    def test_lifetimes_are_extended(self, message: type[Packet], identifiers: tuple[Packet, ...]) -> None:
        outcome, got = asked(an_answer(), message, *identifiers, ia_na(7, GUEST))

        assert (outcome, got.kind, got.given()) == (Outcome6.EXTENDED, REPLY, {7: LEASE})
        assert got.one(DHCP6OptIA_NA).T1 == 43200

    def test_an_address_the_port_lost_ends_and_the_new_one_comes_along(
        self, message: type[Packet], identifiers: tuple[Packet, ...]
    ) -> None:
        _, got = asked(an_answer(), message, *identifiers, ia_na(7, ELSEWHERE, NEIGHBOUR))

        assert got.given() == {7: [*LEASE, (ELSEWHERE, 0, 0), (NEIGHBOUR, 0, 0)]}

    def test_an_association_left_without_an_address_ends(
        self, message: type[Packet], identifiers: tuple[Packet, ...]
    ) -> None:
        _, got = asked(an_answer(), message, *identifiers, ia_na(1, GUEST), ia_na(2, NEIGHBOUR))

        assert got.given() == {1: LEASE, 2: [(NEIGHBOUR, 0, 0)]}
        assert got.refused() == {}

    def test_prefixes_and_temporary_addresses_are_not_held(
        self, message: type[Packet], identifiers: tuple[Packet, ...]
    ) -> None:
        _, got = asked(an_answer(), message, *identifiers, ia_na(7, GUEST), ia_ta(), ia_pd())

        assert got.refused() == {8: NO_BINDING, 9: NO_BINDING}

    def test_a_stateless_port_ends_an_address_of_another_link(
        self, message: type[Packet], identifiers: tuple[Packet, ...]
    ) -> None:
        outcome, got = asked(stateless(), message, *identifiers, ia_na(7, ELSEWHERE))

        assert (outcome, got.given()) == (Outcome6.REFUSED, {7: [(ELSEWHERE, 0, 0)]})


def test_a_renewal_of_a_stateless_port_finds_no_binding() -> None:
    """RFC 8415 section 18.3.4."""
    outcome, got = asked(stateless(), DHCP6_Renew, client_id, server_id, ia_na(7, NEIGHBOUR))

    assert (outcome, got.refused()) == (Outcome6.REFUSED, {7: NO_BINDING})


def test_a_rebinding_of_what_another_server_gave_is_left_to_it() -> None:
    """RFC 8415 section 18.3.5."""
    reply = respond6(stateless(), sent(DHCP6_Rebind, client_id, ia_na(7, NEIGHBOUR)))

    assert (reply.frame, reply.outcome) == (None, Outcome6.IGNORED_NOTHING_KNOWN)


@pytest.mark.parametrize(
    ("message", "outcome"), [(DHCP6_Release, Outcome6.RELEASED), (DHCP6_Decline, Outcome6.DECLINED)]
)
def test_an_address_given_back_is_noted_with_success(message: type[Packet], outcome: Outcome6) -> None:
    """RFC 8415 sections 18.3.7 and 18.3.8."""
    seen, got = asked(an_answer(), message, client_id, server_id, ia_na(7, GUEST))

    assert (seen, got.kind, got.status, got.codes) == (outcome, REPLY, SUCCESS, [2, 1, 13])


@pytest.mark.parametrize("message", [DHCP6_Release, DHCP6_Decline])
def test_what_is_given_back_but_not_held_has_no_binding(message: type[Packet]) -> None:
    outcome, got = asked(stateless(), message, client_id, server_id, ia_na(7, GUEST))

    assert (outcome, got.status, got.refused()) == (Outcome6.REFUSED, SUCCESS, {7: NO_BINDING})

    outcome, got = asked(an_answer(), message, client_id, server_id, ia_na(7, NEIGHBOUR), ia_pd())

    assert (outcome, got.status, got.refused()) == (Outcome6.REFUSED, SUCCESS, {9: NO_BINDING})


@pytest.mark.parametrize("answer", [an_answer(), stateless()], ids=["stateful", "stateless"])
def test_information_is_given_without_an_address(answer: Answer6) -> None:
    """RFC 8415 section 18.3.6; the refresh time only where it is asked for (section 21.23)."""
    outcome, got = asked(answer, DHCP6_InfoRequest, client_id, oro(23, 32))

    assert (outcome, got.kind, got.codes) == (Outcome6.INFORMED, REPLY, [2, 1, 32, 23])
    assert got.one(DHCP6OptInfoRefreshTime).reftime == 86400


def test_information_needs_no_client_identifier() -> None:
    """RFC 8415 section 16.12."""
    _, got = asked(stateless(), DHCP6_InfoRequest, server_id)

    assert got.codes == [2, 32, 23, 24]


def test_the_refresh_time_goes_into_no_other_message() -> None:
    _, got = asked(an_answer(), DHCP6_Solicit, client_id, ia_na(), oro(32, 23))

    assert got.codes == [2, 1, 3, 7, 23]


def test_only_what_is_asked_for_is_sent() -> None:
    """RFC 8415 section 21.7."""
    answer = an_answer(extra_options=(("ntp-server", "2001:db8::123"), ("59", "tftp://[2001:db8::1]/boot")))

    assert asked(answer, DHCP6_Solicit, client_id, ia_na(), oro(59, 99))[1].codes == [2, 1, 3, 7, 59]
    assert asked(answer, DHCP6_Solicit, client_id, ia_na(), oro())[1].codes == [2, 1, 3, 7]
    assert asked(answer, DHCP6_Solicit, client_id, ia_na())[1].codes == [2, 1, 3, 7, 23, 59, 24, 56]


IGNORED = [
    ("solicit-no-client-id", sent(DHCP6_Solicit, ia_na()), Outcome6.IGNORED_CLIENT_ID),
    ("request-no-client-id", sent(DHCP6_Request, server_id, ia_na()), Outcome6.IGNORED_CLIENT_ID),
    ("solicit-server-id", sent(DHCP6_Solicit, client_id, server_id, ia_na()), Outcome6.IGNORED_SERVER_ID),
    ("confirm-server-id", sent(DHCP6_Confirm, client_id, server_id, ia_na(7, GUEST)), Outcome6.IGNORED_SERVER_ID),
    ("rebind-server-id", sent(DHCP6_Rebind, client_id, server_id, ia_na(7, GUEST)), Outcome6.IGNORED_SERVER_ID),
    *(
        (f"{message.__name__}-{name}", sent(message, client_id, *given, ia_na(7, GUEST)), outcome)
        for message in (DHCP6_Request, DHCP6_Renew, DHCP6_Release, DHCP6_Decline)
        for name, given, outcome in (
            ("no-server-id", (), Outcome6.IGNORED_SERVER_ID),
            ("other-server", (other_server_id,), Outcome6.IGNORED_OTHER_SERVER),
        )
    ),
    ("inform-other-server", sent(DHCP6_InfoRequest, other_server_id), Outcome6.IGNORED_OTHER_SERVER),
    ("inform-with-ia", sent(DHCP6_InfoRequest, client_id, ia_pd()), Outcome6.IGNORED_ASSOCIATION),
    *(
        (f"{message.__name__}-unicast", sent(message, client_id, dst=SERVICE_LINK_LOCAL), Outcome6.IGNORED_DESTINATION)
        for message in (DHCP6_Solicit, DHCP6_Confirm, DHCP6_Rebind, DHCP6_InfoRequest)
    ),
    ("to-another", sent(DHCP6_Renew, client_id, server_id, dst="fe80::9"), Outcome6.IGNORED_DESTINATION),
    ("another-mac", sent(DHCP6_Solicit, client_id, ia_na(), eth_src="fa:16:3e:00:00:02"), Outcome6.IGNORED_SOURCE),
    *(
        (message.__name__, sent(message, client_id, server_id), Outcome6.IGNORED_TYPE)
        for message in (DHCP6_Advertise, DHCP6_Reply, DHCP6_Reconf)
    ),
]


@pytest.mark.parametrize(("frame", "outcome"), [case[1:] for case in IGNORED], ids=[str(case[0]) for case in IGNORED])
def test_an_invalid_message_gets_no_answer(frame: bytes, outcome: Outcome6) -> None:
    """RFC 8415 section 16."""
    reply = respond6(an_answer(), frame)

    assert (reply.frame, reply.outcome) == (None, outcome)


@pytest.mark.parametrize("message", [DHCP6_RelayForward, DHCP6_RelayReply])
def test_a_relayed_message_is_ignored_whatever_it_holds(message: type[Packet]) -> None:
    """RFC 8415 section 9: its form is another one."""
    ip = Ether(src=GUEST_MAC, dst="33:33:00:01:00:02") / IPv6(src=GUEST_LINK_LOCAL, dst="ff02::1:2")
    frame = bytes(ip / UDP(sport=547, dport=547) / message(linkaddr="2001:db8::1") / b"\xff\xff")

    assert respond6(an_answer(), frame).outcome is Outcome6.IGNORED_RELAYED


@pytest.mark.parametrize("message", [DHCP6_Request, DHCP6_Renew, DHCP6_Release, DHCP6_Decline])
def test_a_unicast_message_is_sent_back_to_multicast(message: type[Packet]) -> None:
    """RFC 8415 sections 18.3.2, 18.3.4, 18.3.7 and 18.3.8: identifiers and the status, nothing else."""
    reply = respond6(an_answer(), sent(message, client_id, server_id, ia_na(7, GUEST), dst=SERVICE_LINK_LOCAL))

    got = Got(reply.frame)
    assert (reply.outcome, got.status, got.codes) == (Outcome6.USE_MULTICAST, USE_MULTICAST, [2, 1, 13])


def test_the_client_identifier_comes_back_octet_for_octet() -> None:
    duid = DUID_EN(enterprisenum=43793, id=bytes(range(124)))

    _, got = asked(an_answer(), DHCP6_Solicit, DHCP6OptClientId(duid=duid), ia_na())

    assert bytes(got.one(DHCP6OptClientId).duid) == bytes(duid)


def test_a_lease_for_ever_is_never_renewed() -> None:
    """RFC 8415 section 7.7."""
    answer = an_answer(addresses=(LeasedAddress(address=GUEST, preferred_s=INFINITE, valid_s=INFINITE),))

    _, got = asked(answer, DHCP6_Request, client_id, server_id, ia_na())

    association = got.one(DHCP6OptIA_NA)
    assert (got.given(), association.T1, association.T2) == ({7: [(GUEST, INFINITE, INFINITE)]}, INFINITE, INFINITE)


def test_options_that_do_not_fit_are_left_out_least_valuable_first() -> None:
    extra = tuple((str(code), "x" * 250) for code in range(200, 206))
    answer = an_answer(mtu=1280, extra_options=extra)

    reply = respond6(answer, sent(DHCP6_Solicit, client_id, ia_na()))

    got = Got(reply.frame)
    assert got.codes == [2, 1, 3, 7, 23, 24, 200, 201, 202, 203]
    assert reply.left_out == (204, 205)
    assert got.datagram_octets <= 1280


def test_an_answer_that_would_not_fit_is_not_sent() -> None:
    reply = respond6(an_answer(mtu=1280), sent(DHCP6_Solicit, client_id, *(ia_na(number) for number in range(60))))

    assert (reply.frame, reply.outcome) == (None, Outcome6.IGNORED_TOO_LONG)


def test_the_longest_datagram_is_used_to_the_last_octet() -> None:
    """Whether the answer is made long by what must be in it or by an option that may be left out."""
    lengths = range(1, 125)
    duids = [DHCP6OptClientId(duid=DUID_EN(enterprisenum=9, id=b"x" * length)) for length in lengths]
    many = [ia_na(number) for number in range(50)]
    full, optional = an_answer(mtu=1280), an_answer(mtu=1280, extra_options=(("250", "x" * 255),))

    replies = [respond6(full, sent(DHCP6_Solicit, duid, oro(), *many)) for duid in duids]

    octets = [len(reply.frame) - 14 for reply in replies if reply.frame is not None]
    assert octets == list(range(octets[0], 1281))
    assert {reply.outcome for reply in replies[len(octets) :]} == {Outcome6.IGNORED_TOO_LONG}

    replies = [respond6(optional, sent(DHCP6_Solicit, duid, oro(250), *many[:39])) for duid in duids]

    with_option = [len(reply.frame or b"") - 14 for reply in replies if not reply.left_out]
    assert with_option == list(range(with_option[0], 1281))
    assert all(reply.left_out == (250,) for reply in replies[len(with_option) :])
    assert len(with_option) < len(replies)


def test_lifetimes_and_options_inside_an_association_do_not_disturb() -> None:
    inner = DHCP6OptIAAddress(addr=GUEST, preflft=9, validlft=3)
    association = DHCP6OptIA_NA(iaid=7, T1=5, T2=1, ianaopts=[DHCP6OptRapidCommit(), inner])

    outcome, got = asked(an_answer(), DHCP6_Renew, client_id, server_id, association)

    assert (outcome, got.given()) == (Outcome6.EXTENDED, {7: LEASE})


def test_every_outcome_is_counted_from_zero() -> None:
    counters = Counters6()

    counters.add(Outcome6.ADVERTISE)
    counters.add(Outcome6.ADVERTISE)

    assert counters.as_dict() == {str(outcome): 0 for outcome in Outcome6} | {"advertise": 2}
