"""Is a client's frame read as RFC 8415 lays it out, and a wrong one refused with its reason?"""

import struct

import pytest
from scapy.layers.dhcp6 import (
    DUID_UUID,
    DHCP6_Confirm,
    DHCP6_Request,
    DHCP6_Solicit,
    DHCP6OptClientId,
    DHCP6OptElapsedTime,
    DHCP6OptRapidCommit,
    DHCP6OptUnknown,
)

from controller.dhcp6.codec import MessageType, from_wire
from controller.dhcp6.errors import MalformedFrame
from tests.unit.controller.dhcp6.scapy_wire import (
    GUEST,
    GUEST_MAC,
    SECOND,
    client_id,
    ia_na,
    ia_pd,
    ia_ta,
    oro,
    sent,
    server_id,
)

MALFORMED = "malformed IPv6 frame: "


def raw(code: int, octets: bytes, length: int | None = None) -> bytes:
    return struct.pack("!HH", code, len(octets) if length is None else length) + octets


def with_options(octets: bytes) -> bytes:
    """Put octets where the options stand, and make the lengths right."""
    frame = bytearray(sent(DHCP6_Solicit) + octets)
    frame[18:20] = frame[58:60] = struct.pack("!H", len(frame) - 54)
    return bytes(frame)


def test_a_message_is_read_whole() -> None:
    frame = sent(
        DHCP6_Request,
        client_id,
        server_id,
        DHCP6OptElapsedTime(elapsedtime=5),
        DHCP6OptRapidCommit(),
        oro(23, 24, 23),
        ia_na(1, GUEST, SECOND),
        ia_ta(2, GUEST),
        ia_pd(3),
    )

    got = from_wire(frame)

    assert (got.eth_src.hex(":"), got.kind, got.xid) == (GUEST_MAC, MessageType.REQUEST, b"\x12\x3a\xbc")
    assert got.client_id == bytes(client_id.duid)
    assert got.server_id == bytes(server_id.duid)
    assert (got.wanted, got.rapid_commit) == ({23, 24}, True)
    assert [(one.code, one.iaid, len(one.addresses)) for one in got.associations] == [
        (3, b"\0\0\0\1", 2),
        (4, b"\0\0\0\2", 1),
        (25, b"\0\0\0\3", 0),
    ]
    assert got.associations[0].addresses[1].hex(":", 2) == "2001:0db8:0002:0000:0000:0000:0000:0005"


def test_what_is_not_there_is_none() -> None:
    got = from_wire(sent(DHCP6_Confirm))

    assert (got.client_id, got.server_id, got.wanted, got.rapid_commit, got.associations) == (
        None,
        None,
        None,
        False,
        (),
    )


def test_a_wrong_udp_checksum_is_no_reason_to_refuse() -> None:
    """A guest with transmit offload leaves it half done."""
    frame = bytearray(sent(DHCP6_Solicit, client_id))
    frame[60:62] = b"\xbe\xef"

    assert from_wire(bytes(frame)).client_id == bytes(client_id.duid)


def test_octets_after_the_udp_datagram_are_padding() -> None:
    frame = bytearray(sent(DHCP6_Solicit, client_id) + b"\xff" * 3)
    frame[18:20] = struct.pack("!H", len(frame) - 54)

    assert from_wire(bytes(frame) + b"\xff" * 9).client_id == bytes(client_id.duid)


@pytest.mark.parametrize(
    ("octets", "reason"),
    [
        (b"\0\1\0", "3 octets are left"),
        (raw(1, b"abc", 4), "option 1 of 4 octets reaches past"),
        (raw(1, b"ab"), "a DUID cannot be 2 octets long"),
        (raw(2, b"x" * 131), "a DUID cannot be 131 octets long"),
        (raw(1, b"abc") * 2, "option 1 stands twice"),
        (raw(6, b"\0\x17") * 2, "option 6 stands twice"),
        (raw(6, b"\0\x17\0"), "option 6 cannot be 3 octets long"),
        (raw(3, bytes(11)), "option 3 cannot be 11 octets long"),
        (raw(4, bytes(3)), "option 4 cannot be 3 octets long"),
        (raw(25, bytes(11)), "option 25 cannot be 11 octets long"),
        (raw(3, bytes(12) + raw(5, bytes(23))), "option 5 cannot be 23 octets long"),
        (raw(3, bytes(12) + raw(5, bytes(24), 25)), "option 5 of 25 octets reaches past"),
        (raw(3, bytes(12) + raw(5, bytes(24), 28)) + raw(8, bytes(2)), "option 5 of 28 octets reaches past"),
        (raw(3, bytes(13)), "1 octets are left"),
    ],
)
def test_a_wrong_option_is_refused(octets: bytes, reason: str) -> None:
    with pytest.raises(MalformedFrame) as caught:
        from_wire(with_options(octets))

    assert caught.value.reason.startswith(reason)
    assert str(caught.value) == MALFORMED + caught.value.reason


def patched(at: int, octets: bytes) -> bytes:
    frame = sent(DHCP6_Solicit, client_id)
    return frame[:at] + octets + frame[at + len(octets) :]


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (patched(20, b"\x3a"), "next header 58 is not UDP"),
        (patched(20, b"\x2c"), "next header 44 is not UDP"),
        (patched(56, b"\x00\x43"), "UDP port 67"),
        (patched(58, b"\x00\x0b"), "a UDP length of 11"),
        (patched(58, b"\x01\x0b"), "a UDP length of 267"),
        (patched(18, b"\x00\x0b"), "an IPv6 payload of 11 octets is too short"),
        (patched(18, b"\xff\xff"), "an IPv6 payload of 65535 octets does not fit"),
        (patched(22, bytes(16)), "the source is the unspecified address"),
        (patched(22, b"\xff"), "the source is a multicast address"),
    ],
)
def test_a_frame_that_is_no_dhcpv6_is_refused(frame: bytes, reason: str) -> None:
    with pytest.raises(MalformedFrame, match=reason):
        from_wire(frame)


def test_every_length_of_duid_that_may_be_is_taken() -> None:
    """RFC 8415 section 11.1: 1 to 128 octets after the type."""
    for length in (3, 130):
        assert from_wire(with_options(raw(1, b"x" * length))).client_id == b"x" * length


def test_other_kinds_of_duid_and_unknown_options_are_taken() -> None:
    duid = DUID_UUID(uuid="12345678-1234-1234-1234-123456789abc")

    got = from_wire(sent(DHCP6_Solicit, DHCP6OptUnknown(optcode=999, data=b"x"), DHCP6OptClientId(duid=duid)))

    assert got.client_id == bytes(duid)
