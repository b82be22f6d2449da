"""Are packet-ins cut right, and can none of them do harm?"""

import logging
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.southbound.openflow.messages import Messages
from controller.southbound.openflow.osken import parser, protocol
from controller.southbound.openflow.packet_in import PacketIns, cut_packet_in

MESSAGES = Messages()


def packet_in(frame: bytes, in_port: int = 3, cookie: int = 7, **more: object) -> bytes:
    """Return a packet-in as os-ken writes it, with other fields of the match before and after in_port."""
    match = parser.OFPMatch(in_port=in_port, **more)
    buffer = bytearray()
    match.serialize(buffer, 0)
    head = struct.pack("!IHBBQ", 0xFFFFFFFF, len(frame), 1, 20, cookie)
    body = head + bytes(buffer) + bytes(2) + frame
    return struct.pack("!BBHI", 5, 10, 8 + len(body), 0) + body


@given(in_port=st.integers(1, 0xFFFFFFFF), cookie=st.integers(0, (1 << 64) - 1), frame=st.binary(min_size=1))
def test_cookie_port_and_frame_are_cut_out(in_port: int, cookie: int, frame: bytes) -> None:
    assert cut_packet_in(packet_in(frame, in_port, cookie)) == (cookie, in_port, frame)
    # os-ken sorts fields of other classes in front of in_port: its place is not fixed.
    crowded = packet_in(frame, in_port, cookie, reg0=5, tun_ipv4_src="10.0.0.1", metadata=9, tunnel_id=4)
    assert cut_packet_in(crowded) == (cookie, in_port, frame)


@given(st.data())
def test_no_bytes_raise(data: st.DataObject) -> None:
    octets = bytearray(packet_in(b"frame", 3, 7, reg0=1))
    for _ in range(data.draw(st.integers(0, 3))):
        octets[data.draw(st.integers(0, len(octets) - 1))] = data.draw(st.integers(0, 255))
    cut_packet_in(bytes(octets[: data.draw(st.integers(0, len(octets)))]))
    cut_packet_in(data.draw(st.binary(max_size=100)))


def test_a_frame_cut_short_is_not_answered() -> None:
    hook_calls: list[object] = []
    packet_ins = PacketIns(lambda *punt: hook_calls.append(punt), MESSAGES)  # type: ignore[func-returns-value]
    assert packet_ins.answer(1, packet_in(b"frame")[:-1]) is None
    assert hook_calls == []
    assert packet_ins.counts == {"malformed": 1}


def test_the_answer_goes_out_of_the_port_of_the_question() -> None:
    packet_ins = PacketIns(lambda *punt: punt[3][::-1], MESSAGES)
    assert packet_ins.answer(1, packet_in(b"frame", 9)) == MESSAGES.packet_out(9, b"emarf")
    assert packet_ins.counts == {"answered": 1}


def test_an_answer_too_long_for_a_message_is_not_sent() -> None:
    packet_ins = PacketIns(lambda *_: bytes(65_500), MESSAGES)
    assert packet_ins.answer(1, packet_in(b"frame")) is None
    assert packet_ins.counts == {"oversized": 1}


def test_an_error_of_the_hook_is_logged_once_a_kind(caplog: pytest.LogCaptureFixture) -> None:
    def fail(_dpid: int, _cookie: int, _in_port: int, frame: bytes) -> bytes:
        if frame == b"other":
            raise KeyError(frame)
        raise ValueError(frame)

    packet_ins = PacketIns(fail, MESSAGES)
    with caplog.at_level(logging.ERROR):
        for frame in (b"one", b"two", b"other", b"other"):
            assert packet_ins.answer(5, packet_in(frame)) is None
    assert packet_ins.counts == {"failed": 4}
    assert len(caplog.records) == 2
    assert all("packet_in_failed dpid=0000000000000005" in record.getMessage() for record in caplog.records)


def test_the_stand_in_for_a_datapath_speaks_openflow_1_4() -> None:
    assert protocol().ofproto.OFP_VERSION == 5
