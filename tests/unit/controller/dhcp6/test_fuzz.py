"""Does any frame at all make the responders raise, or say something wrong?"""

import ipaddress
import struct
from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.dhcp6 import DHCP6_Renew, DHCP6_Solicit
from scapy.layers.inet6 import ICMPv6NDOptSrcLLAddr, IPv6, in6_chksum

from controller.dhcp6.ra import answer_solicitation, unsolicited
from controller.dhcp6.responder import Outcome6, Reply6, respond6
from tests.unit.controller.dhcp6.leases import an_answer, router_facts, stateless, two_addresses
from tests.unit.controller.dhcp6.scapy_wire import (
    GUEST,
    GUEST_LINK_LOCAL,
    GUEST_MAC,
    SECOND,
    SERVICE_LINK_LOCAL,
    SERVICE_MAC,
    client_id,
    ia_na,
    oro,
    sent,
    server_id,
    solicitation,
)

ANSWERS = (an_answer(), two_addresses(), stateless(), an_answer(mtu=1280, extra_options=(("250", "x" * 200),)))
FACTS = router_facts()
UNSOLICITED = unsolicited(FACTS)
SILENT = {outcome for outcome in Outcome6 if outcome.startswith("ignored")} | {Outcome6.MALFORMED}
IA_NA, IA_TA, IA_PD = 3, 4, 25


def octets(address: str) -> bytes:
    return ipaddress.IPv6Address(address).packed


def option(code: int, value: bytes) -> bytes:
    return struct.pack("!HH", code, len(value)) + value


def ia(code: int, iaid: int, inner: bytes) -> bytes:
    return option(code, struct.pack("!I", iaid) + (b"" if code == IA_TA else bytes(8)) + inner)


addresses = st.sampled_from([octets(a) for a in (GUEST, SECOND, "2001:db8:1::99", "2001:db8:99::5", "::")])
ia_addresses = st.builds(lambda address, rest: option(5, address + bytes(8) + rest), addresses, st.binary(max_size=8))
associations = st.builds(
    ia,
    st.sampled_from([IA_NA, IA_NA, IA_NA, IA_TA, IA_PD]),
    st.integers(0, 3),
    st.lists(ia_addresses, max_size=3).map(b"".join),
)
identifiers = st.sampled_from(
    [
        bytes(client_id),
        bytes(client_id),
        bytes(client_id) + bytes(server_id),
        bytes(client_id) + bytes(server_id),
        bytes(server_id),
        option(1, b"\xff" * 130),
        option(1, b""),
        b"",
    ]
)
others = st.builds(
    option,
    st.one_of(st.sampled_from([1, 2, 3, 4, 5, 6, 13, 14, 25, 26, 39]), st.integers(0, 0xFFFF)),
    st.one_of(st.binary(max_size=60), st.just(b"\0\x17\0\x18"), st.just(b"")),
)
parts = st.lists(st.one_of(associations, associations, others), max_size=8)


def a_frame(kind: int, options: bytes, dst: str = "ff02::1:2") -> bytes:
    udp = struct.pack("!HHHHB3s", 546, 547, 12 + len(options), 0, kind, b"xid") + options
    ip = struct.pack("!IHBB", 6 << 28, len(udp), 17, 1) + octets(GUEST_LINK_LOCAL) + octets(dst)
    return b"\x33\x33\0\1\0\2" + bytes.fromhex(GUEST_MAC.replace(":", "")) + b"\x86\xdd" + ip + udp


messages = st.builds(
    lambda kind, first, rest, dst: a_frame(kind, first + b"".join(rest), dst),
    st.integers(0, 14),
    identifiers,
    parts,
    st.sampled_from(["ff02::1:2", "ff02::1:2", "ff02::1:2", SERVICE_LINK_LOCAL, GUEST]),
)


def options_of(written: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(written):
        code, length = struct.unpack_from("!HH", written, at)
        assert at + 4 + length <= len(written)
        yield code, written[at + 4 : at + 4 + length]
        at += 4 + length


def check(reply: Reply6, answered: int) -> None:
    """Hold a reply to what must be true of each."""
    answer = ANSWERS[answered]
    if reply.outcome in SILENT:
        assert reply.frame is None
        assert bool(reply.detail) == (reply.outcome is Outcome6.MALFORMED)
        return
    frame = reply.frame
    assert frame is not None
    assert frame[:14].hex(":") == f"{GUEST_MAC}:{SERVICE_MAC}:86:dd"
    assert len(frame) - 14 <= answer.datagram_max
    assert frame[22:38] == octets(SERVICE_LINK_LOCAL)
    source, destination, length, _ = struct.unpack_from("!HHHH", frame, 54)
    assert (source, destination, length) == (547, 546, len(frame) - 54)
    assert frame[62] == (2 if reply.outcome is Outcome6.ADVERTISE else 7)
    given = []
    for code, value in options_of(frame[66:]):
        if code in (IA_NA, IA_TA, IA_PD):
            inner = list(options_of(value[4 if code == IA_TA else 12 :]))
            assert inner
            living = [v[:16] for c, v in inner if c == 5 and v[20:24] != bytes(4)]
            assert code == IA_NA or not living
            given += living
    assert len(given) == len(set(given))
    assert set(given) <= set(answer.addresses)


which = st.integers(0, len(ANSWERS) - 1)


@given(which, st.binary(max_size=300))
def test_arbitrary_octets_are_survived(number: int, frame: bytes) -> None:
    check(respond6(ANSWERS[number], frame), number)
    assert answer_solicitation(FACTS, frame) is None


@given(which, st.integers(0, 14), st.binary(max_size=200))
def test_arbitrary_options_are_survived(number: int, kind: int, octets_of_options: bytes) -> None:
    check(respond6(ANSWERS[number], a_frame(kind, octets_of_options)), number)


@given(which, messages)
def test_arbitrary_messages_are_survived(number: int, frame: bytes) -> None:
    check(respond6(ANSWERS[number], frame), number)


@given(which, messages, st.lists(st.tuples(st.integers(0, 700), st.integers(0, 255)), max_size=4), st.data())
def test_mutated_and_cut_frames_are_survived(
    number: int, frame: bytes, writes: list[tuple[int, int]], data: st.DataObject
) -> None:
    changed = bytearray(frame)
    for at, octet in writes:
        changed[at % len(changed)] = octet
    reply = respond6(ANSWERS[number], bytes(changed[: data.draw(st.integers(0, len(changed)))]))

    if reply.frame is not None:
        check(reply, number)


@given(which, st.sampled_from([1, 3, 5, 6]), st.lists(associations, min_size=1, max_size=6))
def test_each_association_is_told_something_once_and_in_order(number: int, kind: int, asked: list[bytes]) -> None:
    """RFC 8415 sections 18.3.2 to 18.3.5 and 18.3.9: IAIDs are the client's."""
    identities = bytes(client_id) + (bytes(server_id) if kind in (3, 5) else b"")

    reply = respond6(ANSWERS[number], a_frame(kind, identities + b"".join(asked)))

    if reply.outcome is not Outcome6.IGNORED_NOTHING_KNOWN:
        assert reply.frame is not None
        told = [(c, v[:4]) for c, v in options_of(reply.frame[66:]) if c in (IA_NA, IA_TA, IA_PD)]
        assert told == [(c, v[:4]) for part in asked for c, v in options_of(part)]


@given(st.lists(st.tuples(st.integers(0, 77), st.integers(0, 255)), max_size=3), st.booleans(), st.data())
def test_mutated_solicitations_are_survived(
    writes: list[tuple[int, int]], has_address: bool, data: st.DataObject
) -> None:
    """The checksum is made right again, so that mutations get past it; scapy computes it."""
    source = GUEST_LINK_LOCAL if has_address else "::"
    options = [ICMPv6NDOptSrcLLAddr(lladdr=GUEST_MAC)] if has_address else []
    frame = bytearray(solicitation(*options, src=source) + data.draw(st.binary(max_size=8)))
    for at, octet in writes:
        frame[at % len(frame)] = octet
    end = 54 + struct.unpack_from("!H", frame, 18)[0]
    if 58 <= end <= len(frame):
        frame[56:58] = bytes(2)
        frame[56:58] = struct.pack("!H", in6_chksum(58, IPv6(bytes(frame[14:54])), bytes(frame[54:end])))

    reply = answer_solicitation(FACTS, bytes(frame))

    if reply is not None:
        assert reply[54:56] == UNSOLICITED[54:56]
        assert reply[58:] == UNSOLICITED[58:]
        assert (reply[:6], reply[38:54]) in (
            (bytes(frame[6:12]), bytes(frame[22:38])),
            (UNSOLICITED[:6], UNSOLICITED[38:54]),
        )


def test_a_frame_cut_anywhere_gets_no_answer() -> None:
    for frame in (
        sent(DHCP6_Solicit, client_id, ia_na(), oro(23)),
        sent(DHCP6_Renew, client_id, server_id, ia_na(7, GUEST)),
    ):
        outcomes = {respond6(ANSWERS[0], frame[:length]).outcome for length in range(len(frame))}

        assert outcomes == {Outcome6.MALFORMED}


def test_a_very_long_message_is_read_in_one_pass() -> None:
    """64 KiB of options, of associations and of what stands inside one."""
    for filler, outcome in (
        (option(99, b"") * 16000, Outcome6.ADVERTISE),
        (ia(IA_NA, 1, b"") * 4000, Outcome6.IGNORED_TOO_LONG),
        (ia(IA_NA, 1, option(5, octets(GUEST) + bytes(8)) * 2000), Outcome6.ADVERTISE),
        (ia(IA_NA, 1, option(5, octets("::") + bytes(8)) * 2000), Outcome6.ADVERTISE),
        (option(6, b"\0\x17" * 30000), Outcome6.ADVERTISE),
    ):
        assert respond6(ANSWERS[0], a_frame(1, bytes(client_id) + filler)).outcome is outcome
