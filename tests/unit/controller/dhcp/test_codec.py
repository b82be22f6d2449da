"""Does the parser take what is right and refuse what is not?"""

import pytest

from controller.dhcp.codec import from_wire
from controller.dhcp.errors import MalformedFrame
from tests.unit.controller.dhcp.dhcp_wire import GUEST, Sent, ip, ones_complement

DISCOVER = 1
REQUEST = 3


def patched(at: int, octets: str, sent: Sent | None = None) -> bytes:
    """Give a frame with octets overwritten and the IPv4 checksum made right again."""
    frame = bytearray((sent or Sent(kind=DISCOVER)).frame())
    new = bytes.fromhex(octets)
    frame[at : at + len(new)] = new
    if not 24 <= at < 26:
        frame[24:26] = bytes(2)
        frame[24:26] = (0xFFFF ^ ones_complement(bytes(frame[14:34]))).to_bytes(2, "big")
    return bytes(frame)


def test_every_truncation_is_malformed() -> None:
    """A cut frame is never read as a shorter message."""
    frame = Sent(kind=DISCOVER).frame()

    for length in range(len(frame)):
        with pytest.raises(MalformedFrame):
            from_wire(frame[:length])


def test_ethernet_padding_is_left_alone() -> None:
    assert from_wire(Sent(kind=DISCOVER, tail=b"\x35" * 40).frame()) == from_wire(Sent(kind=DISCOVER).frame())


def test_ip_options_are_stepped_over() -> None:
    assert from_wire(Sent(kind=DISCOVER, ip_options=b"\x94\x04\x00\x00").frame()).message_type == DISCOVER


@pytest.mark.parametrize(
    ("frame", "says"),
    [
        (patched(12, "8100"), "VLAN"),
        (patched(12, "88a8"), "VLAN"),
        (patched(12, "86dd"), "not IPv4"),
        (patched(14, "65"), "IPv4 header"),
        (patched(14, "44"), "IPv4 header"),
        (patched(16, "ffff"), "IPv4 length"),
        (patched(16, "0000"), "IPv4 length"),
        (patched(24, "0000"), "checksum"),
        (patched(20, "2000"), "fragment"),
        (patched(20, "0001"), "fragment"),
        (patched(23, "06"), "not UDP"),
        (patched(36, "0044"), "port 68"),
        (patched(38, "0007"), "UDP length"),
        (patched(38, "ffff"), "UDP length"),
        (patched(42, "00"), "op 0"),
        (patched(43, "06"), "hardware type"),
        (patched(44, "10"), "hardware type"),
        (Sent(kind=None, options=[(53, b"")]).frame(), "option 53"),
        (Sent(kind=DISCOVER, options=[(53, b"\x01")]).frame(), "option 53"),
        (Sent(kind=REQUEST, options=[(50, b"\x01" * 5)]).frame(), "option 50"),
        (Sent(kind=REQUEST, options=[(54, b"\x01" * 3)]).frame(), "option 54"),
        (Sent(kind=DISCOVER, options=[(57, b"\x01")]).frame(), "option 57"),
        (Sent(kind=DISCOVER, options=[(61, b"\x01")]).frame(), "option 61"),
        (Sent(kind=DISCOVER, options=[(61, b"\x01" * 200), (61, b"\x01" * 200)]).frame(), "option 61"),
        (Sent(kind=DISCOVER, end=b"\x0c\xff").frame(), "reaches past"),
        (Sent(kind=DISCOVER, options=[(0x2B, bytes(200))], end=b"\x0c").frame(), "has no length"),
    ],
)
def test_what_contradicts_itself_is_malformed(frame: bytes, says: str) -> None:
    with pytest.raises(MalformedFrame, match=says):
        from_wire(frame)


def test_options_after_the_end_are_not_read() -> None:
    assert from_wire(Sent(kind=DISCOVER, end=b"\xff\x35\x01\x03\x0c\xff").frame()).message_type == DISCOVER


def test_a_split_option_is_joined() -> None:
    """RFC 3396 section 5."""
    sent = Sent(kind=DISCOVER, options=[(61, b"\x01ab"), (12, b"x"), (61, b"cd")])

    assert from_wire(sent.frame()).client_id == b"\x01abcd"


@pytest.mark.parametrize(
    ("overload", "fields"),
    [
        (1, {"file": b"\x32\x04" + ip(GUEST) + b"\xff"}),
        (2, {"sname": b"\x32\x04" + ip(GUEST) + b"\xff"}),
        (3, {"file": b"\x32\x02" + ip(GUEST)[:2] + b"\xff", "sname": b"\x32\x02" + ip(GUEST)[2:] + b"\xff"}),
    ],
)
def test_overloaded_fields_hold_options_file_first(overload: int, fields: dict[str, bytes]) -> None:
    """RFC 2131 section 4.1, RFC 2132 section 9.3, RFC 3396 section 5."""
    sent = Sent(kind=REQUEST, options=[(52, bytes((overload,)))], **fields)  # type: ignore[arg-type]

    assert from_wire(sent.frame()).requested_address == ip(GUEST)


def test_without_overload_the_name_fields_hold_no_options() -> None:
    sent = Sent(kind=REQUEST, file=b"\x32\x04" + ip(GUEST) + b"\xff")

    assert from_wire(sent.frame()).requested_address is None


@pytest.mark.parametrize(
    "sent",
    [
        Sent(kind=DISCOVER, options=[(52, b"\x00")]),
        Sent(kind=DISCOVER, options=[(52, b"\x04")]),
        Sent(kind=DISCOVER, options=[(52, b"")]),
        Sent(kind=DISCOVER, options=[(52, b"\x01\x01")]),
        Sent(kind=DISCOVER, options=[(52, b"\x03")], file=b"\x34\x01\x03\xff", sname=b"\x34\x01\x03\xff"),
        Sent(kind=DISCOVER, options=[(52, b"\x01")], file=b"\x0c\xff"),
    ],
)
def test_a_nonsense_overload_is_malformed(sent: Sent) -> None:
    """An overload inside an overloaded field would be a loop."""
    with pytest.raises(MalformedFrame):
        from_wire(sent.frame())
