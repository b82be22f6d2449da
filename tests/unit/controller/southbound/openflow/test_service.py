"""Does the service serve the socket it was given, and survive peers that do harm?"""

import contextlib
import logging
import socket
import struct
import threading
from collections.abc import Iterator

import pytest

from controller.southbound.openflow.events import Connected, Synced
from controller.southbound.openflow.service import OpenFlowService
from controller.southbound.openflow.watchdog import Limits
from flows.flow import Output
from tests.contract.harness import Harness, a_flow, eventually, tables
from tests.fakes.switch import FakeSwitch

DPID = 0xF00D
SMALL = Limits(backlog=1 << 16)


@pytest.fixture
def fake() -> Iterator[FakeSwitch]:
    """Give a switch that is not connected."""
    switch = FakeSwitch(DPID)
    yield switch
    switch.close()


def test_a_socket_that_does_not_listen_is_refused_at_start() -> None:
    sock = socket.socket()
    service = OpenFlowService(sock, admit=lambda _: True, on_event=lambda *_: None, packet_in=lambda *_: None)
    with pytest.raises(OSError, match="does not listen"):
        service.start()
    service.stop()


def test_a_socket_shared_with_another_process_goes_on_listening_after_stop(fake: FakeSwitch) -> None:
    """`weft serve` keeps the socket, so that switches wait in its queue while the controller is started again."""
    listener = socket.create_server(("127.0.0.1", 0))
    kept = listener.dup()
    first = OpenFlowService(listener, admit=lambda _: True, on_event=lambda *_: None, packet_in=lambda *_: None)
    first.start()
    first.stop()
    connected = threading.Event()
    second = OpenFlowService(kept, admit=lambda _: True, on_event=lambda *_: connected.set(), packet_in=lambda *_: None)
    second.switch(DPID)
    second.start()
    fake.connect("127.0.0.1", kept.getsockname()[1])
    assert connected.wait(5)
    second.stop()


def test_a_switch_that_called_in_vain_while_the_controller_was_away_is_not_worth_a_line(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    listener = socket.create_server(("127.0.0.1", 0))
    with socket.create_connection(listener.getsockname()) as caller:
        caller.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # closes with a reset
    service = OpenFlowService(listener, admit=lambda _: True, on_event=lambda *_: None, packet_in=lambda *_: None)
    service.start()
    said = eventually(lambda: [one for one in caplog.records if "switch_disconnected" in one.getMessage()])
    service.stop()
    assert [one.levelno for one in said] == [logging.DEBUG]


def test_one_worker_lives_as_long_as_its_datapath_is_known() -> None:
    harness = Harness([DPID])
    worker = harness.service.switch(DPID)
    assert harness.service.switch(DPID) is worker
    harness.service.forget(DPID)
    harness.service.forget(DPID)
    assert harness.service.switch(DPID) is not worker
    harness.stop()


def test_answers_are_dropped_and_not_kept_for_a_switch_that_does_not_read(fake: FakeSwitch) -> None:
    harness = Harness([DPID], limits=SMALL)
    harness.hook = lambda *_: bytes(60_000)
    try:
        fake.connect("127.0.0.1", harness.port)
        harness.wait(DPID, Connected)
        eventually(lambda: harness.switch(DPID).features)
        fake.faults.is_deaf = True
        for _ in range(300):
            fake.packet_in(1, 7, b"frame")
        eventually(lambda: harness.service.packet_in_counts.get("dropped", 0) > 10)
        (connection,) = harness.service._connections
        assert connection._backlog_size <= SMALL.backlog + 60_100
    finally:
        harness.stop()


def test_a_frame_goes_out_of_a_port_of_a_connected_switch_only(fake: FakeSwitch) -> None:
    harness = Harness([DPID])
    try:
        assert not harness.service.send(DPID, 7, b"frame")
        fake.connect("127.0.0.1", harness.port)
        harness.wait(DPID, Connected)
        assert harness.service.send(DPID, 7, b"frame")
        assert not harness.service.send(DPID + 1, 7, b"frame")
        assert eventually(lambda: fake.packet_outs) == [(7, b"frame")]
        fake.cut()
        eventually(lambda: not harness.service.send(DPID, 7, b"frame"))
    finally:
        harness.stop()


def test_a_frame_is_offered_to_a_switch_that_is_there_and_reads(fake: FakeSwitch) -> None:
    harness = Harness([DPID], limits=SMALL)
    try:
        assert not harness.service.offer(DPID, (Output(7),), b"early"), "it is not connected yet"
        assert not harness.service.offer(DPID + 1, (Output(7),), b"nobody's")
        fake.connect("127.0.0.1", harness.port)
        harness.wait(DPID, Connected)
        eventually(lambda: harness.switch(DPID).features)
        assert harness.service.offer(DPID, (Output(7),), b"frame")
        eventually(lambda: fake.packet_outs == [(7, b"frame")])
        fake.faults.is_deaf = True
        taken = [harness.service.offer(DPID, (Output(7),), bytes(60_000)) for _ in range(300)]
        assert not taken[-1], "no room is left, and nobody waited"
    finally:
        harness.stop()


def test_malformed_packet_ins_are_counted_and_the_switch_stays(fake: FakeSwitch) -> None:
    harness = Harness([DPID])
    try:
        harness.switch(DPID).load(tables(flows=[a_flow(1)]), 0)
        fake.connect("127.0.0.1", harness.port)
        harness.wait(DPID, Synced)
        for size in (8, 20, 24, 30):
            fake.send_raw(bytes([5, 10, 0, size]) + bytes(size - 4))
        eventually(lambda: harness.service.packet_in_counts.get("malformed") == 4)
        fake.send_raw(bytes([5, 2, 0, 11, 0, 0, 0, 9]) + b"abc")
        assert harness.switch(DPID).dump(2)
    finally:
        harness.stop()


def test_what_the_switch_says_of_itself_is_shown(fake: FakeSwitch) -> None:
    harness = Harness([DPID])
    try:
        fake.connect("127.0.0.1", harness.port)
        assert eventually(lambda: harness.switch(DPID).features) == {
            "manufacturer": "Weft tests",
            "hardware": "fake",
            "software": "1",
            "datapath_description": "",
            "n_tables": 254,
            "max_meters": 1 << 18,
            "max_groups": 1 << 20,
            "tells_changes": True,
            "foreign_normal": 0,
        }
    finally:
        harness.stop()


def test_a_failing_listener_of_events_does_not_end_the_worker(fake: FakeSwitch) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    seen = []

    def fail(_dpid: int, event: object) -> None:
        seen.append(event)
        raise ValueError(event)

    service = OpenFlowService(listener, admit=lambda _: True, on_event=fail, packet_in=lambda *_: None)
    service.switch(DPID).load(tables(flows=[a_flow(1)]), 0)
    service.start()
    with contextlib.closing(fake):
        fake.connect("127.0.0.1", listener.getsockname()[1])
        eventually(lambda: Synced(0) in seen)
        assert len(fake.tables.flows) == 1
    service.stop()
