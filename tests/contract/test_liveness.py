"""Does a switch that hangs, goes away or is unknown hurt only itself?"""

import socket
import threading
import time
from collections.abc import Callable

import pytest

from controller.southbound.openflow.errors import NoAnswerError, UnavailableError
from controller.southbound.openflow.events import Applied, Connected, Disconnected, Synced
from controller.southbound.openflow.watchdog import Limits
from flows.delta import Delta
from tests.contract.driver import SwitchDriver
from tests.contract.fake import FakeDriver
from tests.contract.harness import Harness, a_flow, eventually, identities, tables
from tests.contract.proxy import Proxy

SOME = tables(flows=[a_flow(n, goto=20) for n in range(1, 50)])
HANG_NOTICED_S = 6.0


def test_a_hung_switch_is_noticed_while_another_works_on(make_switch: Callable[[], SwitchDriver]) -> None:
    hung, sound = make_switch(), make_switch()
    harness = Harness([hung.dpid, sound.dpid])
    try:
        for driver in (hung, sound):
            harness.switch(driver.dpid).load(SOME, 0)
            driver.connect("127.0.0.1", harness.port)
            harness.wait(driver.dpid, Synced)
        hung.hang()
        began = time.monotonic()
        harness.switch(hung.dpid).apply(Delta(flows=(a_flow(100),)), 1)
        with pytest.raises(NoAnswerError):
            harness.switch(hung.dpid).dump(0.2)
        for n in range(20):
            harness.switch(sound.dpid).apply(Delta(flows=(a_flow(100 + n),)), 1 + n)
            harness.wait(sound.dpid, Applied, 1 + n, wait_s=1)
        harness.wait(hung.dpid, Disconnected, wait_s=HANG_NOTICED_S)
        assert time.monotonic() - began < HANG_NOTICED_S
        assert harness.seen(sound.dpid, Disconnected) == []
        hung.resume()
        assert harness.wait(hung.dpid, Synced, 2).token == 1
        assert len(hung.flows()) == len(SOME.flows) + 1
    finally:
        harness.stop()


def test_a_switch_with_much_to_read_that_hangs_blocks_nobody(make_switch: Callable[[], SwitchDriver]) -> None:
    driver = make_switch()
    harness = Harness([driver.dpid], limits=Limits(idle_s=0.5, silent_s=1.0, stuck_s=1.0, backlog=1 << 16))
    try:
        switch = harness.switch(driver.dpid)
        driver.connect("127.0.0.1", harness.port)
        harness.wait(driver.dpid, Connected)
        driver.hang()
        switch.load(tables(flows=[a_flow(n) for n in range(1, 8000)]), 1)
        for n in range(100):
            began = time.monotonic()
            switch.apply(Delta(flows=(a_flow(9000 + n),)), 2 + n)
            assert time.monotonic() - began < 0.1
        harness.wait(driver.dpid, Disconnected, wait_s=5)
        driver.resume()
        eventually(lambda: switch.state.synced and not switch.state.pending)
        assert len(driver.flows()) == 7999 + 100
    finally:
        harness.stop()


def test_an_unknown_datapath_is_refused(driver: SwitchDriver, harness: Harness, proxy: Proxy) -> None:
    harness.admitted.clear()
    driver.connect("127.0.0.1", proxy.port)
    eventually(lambda: proxy.accepted >= 2)
    assert harness.events == []
    harness.admitted.add(driver.dpid)
    harness.wait(driver.dpid, Connected)


def test_a_forgotten_switch_is_disconnected_and_says_nothing_more(driver: SwitchDriver, harness: Harness) -> None:
    harness.switch(driver.dpid).load(SOME, 0)
    driver.connect("127.0.0.1", harness.port)
    harness.wait(driver.dpid, Synced)
    harness.admitted.clear()
    harness.service.forget(driver.dpid)
    events = list(harness.events)
    time.sleep(0.3)
    assert harness.events == events
    assert driver.flows() == identities(SOME)


def test_stopping_leaves_no_thread_and_no_descriptor(
    make_switch: Callable[[], SwitchDriver], open_files: Callable[[], int]
) -> None:
    driver = make_switch()
    Harness([driver.dpid]).stop()  # os-ken opens a few things once
    threads, files = set(threading.enumerate()), open_files()
    harness = Harness([driver.dpid])
    harness.switch(driver.dpid).load(SOME, 0)
    driver.connect("127.0.0.1", harness.port)
    harness.wait(driver.dpid, Synced)
    harness.stop()
    driver.close()
    assert {t for t in set(threading.enumerate()) - threads if not t.name.startswith("fake")} == set()
    eventually(lambda: open_files() <= files)


# What Open vSwitch cannot be made to do ------------------------------------------------------------------------------


@pytest.fixture
def fake() -> FakeDriver:
    """Give a fake switch."""
    return FakeDriver(0xF00D)


def test_two_hundred_reconnects_leak_no_thread_and_no_descriptor(
    fake: FakeDriver, open_files: Callable[[], int]
) -> None:
    harness = Harness([fake.dpid])
    try:
        harness.switch(fake.dpid).load(SOME, 0)
        fake.connect("127.0.0.1", harness.port)
        harness.wait(fake.dpid, Synced)
        threads, files = threading.active_count(), open_files()
        for n in range(200):
            fake.switch.cut()
            harness.wait(fake.dpid, Synced, 2 + n)
        eventually(lambda: threading.active_count() <= threads)
        eventually(lambda: open_files() <= files)
        assert harness.switch(fake.dpid).sent == len(SOME.flows)
    finally:
        fake.close()
        harness.stop()


def test_a_switch_that_never_answers_a_barrier_is_given_up_and_tried_again(fake: FakeDriver) -> None:
    harness = Harness([fake.dpid], deadline_s=0.3)
    try:
        fake.switch.faults.is_mute_on_barrier = True
        harness.switch(fake.dpid).load(SOME, 0)
        fake.connect("127.0.0.1", harness.port)
        harness.wait(fake.dpid, Disconnected, 2)
        assert harness.seen(fake.dpid, Synced) == []
        fake.switch.faults.is_mute_on_barrier = False
        harness.wait(fake.dpid, Synced)
        assert fake.flows() == identities(SOME)
    finally:
        fake.close()
        harness.stop()


@pytest.mark.parametrize("cut_after", [1, 25, 60, 99])
def test_a_switch_that_dies_in_the_middle_of_a_bundle_gets_the_rest_later(fake: FakeDriver, cut_after: int) -> None:
    many = tables(flows=[a_flow(n) for n in range(1, 101)])
    harness = Harness([fake.dpid])
    try:
        fake.switch.faults.cut_after = cut_after
        harness.switch(fake.dpid).load(many, 0)
        fake.connect("127.0.0.1", harness.port)
        harness.wait(fake.dpid, Synced)
        assert fake.flows() == identities(many)
    finally:
        fake.close()
        harness.stop()


def test_the_newest_connection_of_a_datapath_wins(fake: FakeDriver) -> None:
    """A switch may come back before its old connection is known to be dead."""
    harness = Harness([fake.dpid])
    twin = FakeDriver(fake.dpid)
    try:
        harness.switch(fake.dpid).load(SOME, 0)
        fake.connect("127.0.0.1", harness.port)
        harness.wait(fake.dpid, Synced)
        fake.hang()
        twin.connect("127.0.0.1", harness.port)
        harness.wait(fake.dpid, Synced, 2, wait_s=2)
        assert twin.flows() == identities(SOME)
    finally:
        twin.close()
        fake.close()
        harness.stop()


@pytest.mark.parametrize(
    "octets", [b"GET / HTTP/1.0\r\n\r\n", b"\x05\x00\x00\x04\0\0\0\0", bytes(64), b"\x05\x06\x00\x08\0\0\0\1"]
)
def test_a_peer_that_speaks_no_openflow_is_cut_off(octets: bytes) -> None:
    harness = Harness([1], limits=Limits(handshake_s=0.5))
    try:
        with socket.create_connection(("127.0.0.1", harness.port), timeout=3) as peer:
            peer.sendall(octets)
            while peer.recv(4096):
                pass
    except ConnectionResetError:
        pass
    finally:
        harness.stop()
    assert harness.events == []


def test_a_dump_of_a_switch_that_goes_away_ends_at_once(fake: FakeDriver) -> None:
    harness = Harness([fake.dpid])
    try:
        fake.connect("127.0.0.1", harness.port)
        harness.wait(fake.dpid, Connected)
        eventually(lambda: harness.switch(fake.dpid).features)
        fake.hang()
        threading.Timer(0.2, fake.switch.cut).start()
        began = time.monotonic()
        with pytest.raises(UnavailableError):
            harness.switch(fake.dpid).dump(5)
        assert time.monotonic() - began < 2
    finally:
        fake.close()
        harness.stop()
