"""Is what a switch tells of foreign changes cut into flows, and everything else at least not overlooked?"""

import struct

import pytest

from controller.southbound.openflow import monitor
from controller.southbound.openflow.encode import Encoder
from controller.southbound.openflow.errors import FramingError
from controller.southbound.openflow.monitor import Event, Notes, Update
from tests.contract.harness import a_flow

FROM_OVS = bytes.fromhex(
    "0513005000000000"  # header: a multipart reply with the transaction id 0
    "0010000000000000"  # a flow monitor's
    "004000010a000000000000640000000000000000000000990001000c800000040000000100000000"
    "000400180000000000000010fffffffa0000000000000000"
)
"""What Open vSwitch 3.1 sent when ovs-ofctl added cookie=0x99, table=10, priority=100, in_port=1, actions=NORMAL."""
FLOW = Encoder().flow(a_flow(1, goto=20))


def message(*updates: bytes, xid: int = 0, kind: int = 16) -> bytes:
    body = b"".join(updates)
    return struct.pack("!BBHIHH4x", 5, 19, 16 + len(body), xid, kind, 0) + body


def full(event: int) -> bytes:
    table, priority, match = FLOW.id
    rest = match + bytes(-len(match) % 8) + FLOW.entry[8:]
    head = struct.pack("!HHBBHHH4x", 24 + len(rest), event, table, 0, 0, 0, priority)
    return head + FLOW.entry[:8] + rest


ABBREVIATED = struct.pack("!HHI", 8, 4, 77)
PAUSED, RESUMED = struct.pack("!HH4x", 8, 5), struct.pack("!HH4x", 8, 6)
FORWARDED = bytes.fromhex("0520001800000000050f0010000000060002000000000007")


def test_what_open_vswitch_sent_is_read() -> None:
    (update,), is_vague = monitor.read([FROM_OVS])
    assert (update.event, update.flow[:2], is_vague) == (Event.ADDED, (10, 100), False)
    assert update.flow[2] == bytes.fromhex("0001000c8000000400000001")
    assert update.entry[:8] == (0x99).to_bytes(8, "big")
    assert update.entry.endswith(bytes.fromhex("0000000000000010fffffffa0000000000000000"))


@pytest.mark.parametrize(("number", "event"), [(1, Event.ADDED), (2, Event.REMOVED), (3, Event.MODIFIED)])
def test_a_flow_reads_as_the_encoder_writes_it(number: int, event: Event) -> None:
    expected = Update(event=event, flow=FLOW.id, entry=FLOW.entry)
    assert monitor.read([message(ABBREVIATED, full(number), full(number))]) == ([expected, expected], False)


@pytest.mark.parametrize("told", [message(PAUSED), message(ABBREVIATED, RESUMED), FORWARDED])
def test_what_does_not_name_a_flow_is_vague(told: bytes) -> None:
    assert monitor.read([told]) == ([], True)


def test_own_changes_say_nothing() -> None:
    assert monitor.read([message(ABBREVIATED)]) == ([], False)
    assert monitor.is_own(message(ABBREVIATED))
    assert not any(monitor.is_own(m) for m in (message(PAUSED), message(ABBREVIATED, ABBREVIATED), FORWARDED, FROM_OVS))


def test_updates_are_told_from_answers() -> None:
    assert all(monitor.is_update(m) for m in (FROM_OVS, message(), FORWARDED))
    assert not any(monitor.is_update(m) for m in (message(xid=3), message(kind=1), bytes.fromhex("0515000800000000")))


@pytest.mark.parametrize("cut", [1, 5, 20, 30])
def test_an_update_that_is_cut_short_is_refused(cut: int) -> None:
    with pytest.raises(FramingError):
        monitor.read([FROM_OVS[:-cut]])


def test_a_match_that_does_not_fit_its_update_is_refused() -> None:
    with pytest.raises(FramingError):
        monitor.read([message(full(1)[:26] + b"\x00\xff" + full(1)[28:])])
    with pytest.raises(FramingError):
        monitor.read([message(struct.pack("!HH12x", 16, 1))])


def test_notes_are_bounded_and_know_what_they_forgot() -> None:
    notes = Notes(limit=100)
    assert not notes
    notes.add(bytes(60))
    assert notes.take() == ([bytes(60)], False)
    for _ in range(5):
        notes.add(bytes(60))
    assert notes
    assert notes.take() == ([], True)
    assert not notes
