"""What is read in a frame, and what of it is passed on?"""

from hypothesis import given
from hypothesis import strategies as st

from controller.reconcile.hearing import REPEATED_S, Heard, Hearing, said_by
from controller.sighting_records import How
from flows.cookie import Feature, ObjectKind, Owner
from flows.intent import Prefix

MAC = "020000000099"
ADDRESS6 = "fd000010000000000000000000000012"
OWNER = Owner(layout=2, feature=Feature.WIRE_SIGHTING, kind=ObjectKind.SEGMENT, key=5)


def arp(sender: str = "0a0a000c", target: str = "0a0a000a", mac: str = MAC) -> bytes:
    return bytes.fromhex(f"ffffffffffff{MAC}08060001080006040001{mac}{sender}000000000000{target}")


def nd(kind: int, source: str, target: str = ADDRESS6) -> bytes:
    ip = f"6000000000183aff{source}{'ff02' + '0' * 28}"
    return bytes.fromhex(f"333300000001{MAC}86dd{ip}{kind:02x}00000000000000{target}")


def test_the_sender_of_a_message_is_who_it_says_has_the_address() -> None:
    """RFC 826; RFC 5227 section 2.1.1; RFC 4861 sections 4.3 and 4.4; RFC 4862 section 5.4.2."""
    four, six, mac = Prefix(4, 0x0A0A000C, 32), Prefix(6, int(ADDRESS6, 16), 128), int(MAC, 16)
    assert said_by(arp()) == (four, mac, How.USED)
    assert said_by(arp("00000000", "0a0a000c")) == (four, mac, How.PROBED)
    assert said_by(nd(135, ADDRESS6, "00" * 16)) == (six, mac, How.USED)
    assert said_by(nd(136, "00" * 16)) == (six, mac, How.USED)
    assert said_by(nd(135, "00" * 16)) == (six, mac, How.PROBED)
    assert said_by(arp(mac="010000000001")) is None, "no group has an address"
    assert said_by(arp("00000000", "00000000")) is None


@given(st.binary(max_size=80), st.sampled_from([b"", arp(), nd(135, ADDRESS6), nd(136, ADDRESS6)]), st.integers(0, 90))
def test_no_frame_is_too_odd(tail: bytes, frame: bytes, cut: int) -> None:
    said = said_by(frame[:cut] + tail)
    assert said is None or said[0].address


def test_what_was_just_heard_is_passed_on_once() -> None:
    told: list[Heard] = []
    now = [100.0]
    hearing = Hearing(told.append, lambda: now[0])
    for frame in (arp(), arp(), arp("0a0a000d"), b"short"):
        hearing.packet_in(7, OWNER, frame)
    assert [(one.dpid, one.key, one.address.address) for one in told] == [(7, 5, 0x0A0A000C), (7, 5, 0x0A0A000D)]
    now[0] += REPEATED_S
    hearing.packet_in(7, OWNER, arp())
    assert len(told) == 3
    assert hearing.counts() == {"heard": 3, "repeated": 1, "unreadable": 1}
