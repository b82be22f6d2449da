"""Does any frame at all make the responder raise, or say something to somebody else?"""

import struct

from hypothesis import given
from hypothesis import strategies as st

from controller.dhcp.responder import Outcome, Reply, respond
from tests.unit.controller.dhcp.dhcp_wire import (
    BROADCAST,
    GUEST,
    GUEST_MAC,
    SERVER,
    SERVER_MAC,
    Sent,
    ip,
    ones_complement,
    read,
)
from tests.unit.controller.dhcp.leases import an_answer

ROUTES = tuple((f"10.{number}.0.0/16", "10.0.0.2") for number in range(1, 41))
ANSWER = an_answer(routes=ROUTES, extra_options=(("17", "x" * 200),))
ANSWERED = {Outcome.OFFER: 2, Outcome.ACK: 5, Outcome.INFORM_ACK: 5, Outcome.NAK: 6}

options = st.lists(
    st.tuples(
        st.one_of(st.sampled_from([12, 50, 52, 53, 54, 55, 57, 61, 82, 121, 249]), st.integers(1, 254)),
        st.one_of(
            st.binary(max_size=255),
            st.sampled_from([ip(GUEST), ip(SERVER), b"\x01", b"\x02", b"\x03", b"\x02\x40", b"\x05\xaa"]),
        ),
    ),
    max_size=12,
)
addresses = st.sampled_from(["0.0.0.0", GUEST, SERVER, "10.0.0.9", "192.0.2.1", BROADCAST])
messages = st.builds(
    Sent,
    kind=st.one_of(st.none(), st.integers(0, 9)),
    options=options,
    ciaddr=addresses,
    giaddr=st.sampled_from(["0.0.0.0", "0.0.0.0", "10.0.0.7"]),
    op=st.sampled_from([1, 1, 1, 2, 0]),
    flags=st.sampled_from([0, 0x8000, 0xFFFF]),
    sname=st.binary(max_size=64),
    file=st.binary(max_size=128),
    end=st.sampled_from([b"\xff", b"", b"\x0c", b"\x34\x01\x03\xff"]),
    ip_options=st.sampled_from([b"", b"\x01" * 40]),
    tail=st.binary(max_size=40),
)


def check(reply: Reply) -> None:
    """Hold a reply to what must be true of each."""
    if reply.outcome not in ANSWERED:
        assert reply.frame is None
        assert bool(reply.detail) == (reply.outcome is Outcome.MALFORMED)
        return
    got = read(reply.frame)
    assert got.options[53] == bytes((ANSWERED[reply.outcome],))
    assert got.options[54] == ip(SERVER)
    assert (got.eth_src, got.ip_src, got.chaddr) == (SERVER_MAC, SERVER, GUEST_MAC)
    assert (got.eth_dst, got.ip_dst == BROADCAST) in ((GUEST_MAC, False), ("ff:ff:ff:ff:ff:ff", True))
    assert got.yiaddr == (GUEST if reply.outcome in (Outcome.OFFER, Outcome.ACK) else "0.0.0.0")
    assert got.datagram_octets <= 1450


@given(st.binary(max_size=700))
def test_arbitrary_octets_are_survived(frame: bytes) -> None:
    check(respond(ANSWER, frame))


@given(messages)
def test_arbitrary_messages_are_survived(sent: Sent) -> None:
    check(respond(ANSWER, sent.frame()))


@given(messages, st.lists(st.tuples(st.integers(0, 700), st.integers(0, 255)), max_size=4), st.booleans(), st.data())
def test_mutated_and_cut_frames_are_survived(
    sent: Sent, writes: list[tuple[int, int]], cut: bool, data: st.DataObject
) -> None:
    """The IPv4 checksum is made right again, so that mutations get past it."""
    frame = bytearray(sent.frame())
    for at, octet in writes:
        frame[at % len(frame)] = octet
    frame[24:26] = bytes(2)
    header = 14 + max(20, (frame[14] & 0x0F) * 4)
    frame[24:26] = struct.pack("!H", 0xFFFF ^ ones_complement(bytes(frame[14:header])))
    length = data.draw(st.integers(0, len(frame))) if cut else len(frame)

    check(respond(ANSWER, bytes(frame[:length])))


def test_a_frame_cut_anywhere_gets_no_answer() -> None:
    frame = Sent(kind=1).frame()

    outcomes = {respond(ANSWER, frame[:length]).outcome for length in range(len(frame))}

    assert outcomes == {Outcome.MALFORMED}


def test_a_very_long_message_is_read_in_one_pass() -> None:
    """64 KiB of options and of padding: each octet is looked at once."""
    for filler in (b"\x00" * 60000, b"\x0c\x00" * 30000, (b"\x0c\xff" + b"x" * 255) * 230):
        sent = Sent(kind=1, options=[], end=filler + b"\xff")

        assert respond(ANSWER, sent.frame()).outcome is Outcome.OFFER
