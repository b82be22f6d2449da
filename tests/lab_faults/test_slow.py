"""Whom does one sick switch hurt? Only itself: the others are as fast as before."""

import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count

import pytest

from tests.lab.process import eventually
from tests.lab_faults.stage import Stage, address

REPEAT = 7
FACTOR = 4.0
FLOOR_S = 0.15
"""Medians below this differ by the machine's mood alone."""
SILENCE_S = 8.0
"""A silent switch must be named within about 6 s; 2 more for the machine."""
CUT_S = 1.0
SICK = "h3"
FLAP_S = 0.3


class Clock:
    """Measures how long a new port on a healthy host takes, and the API's answer with it."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self.network = stage.network()
        self._prober, _ = stage.vm(self.network, "h1")
        stage.port(self.network, SICK)  # the sick switch is concerned by every change of this network
        self._numbers = count(1)

    def once(self) -> tuple[float, float, float]:
        """Return seconds until the API answered, until ACTIVE and until the first ping."""
        stage = self._stage
        host = ("h1", "h2")[next(self._numbers) % 2]
        began = time.monotonic()
        port = stage.port(self.network, host)
        answered = time.monotonic() - began
        vm = stage.boot(host, port)
        vm.address_set(f"{address(port)}/22")
        booted = time.monotonic()
        stage.weft.wait_for_port(port["id"])
        active = time.monotonic() - booted
        self._prober.ping_until_answered(address(port))
        return answered, active, time.monotonic() - booted

    def medians(self, times: int = REPEAT) -> tuple[float, float, float]:
        """Return the medians of some ports."""
        measured = [self.once() for _ in range(times)]
        answered, active, pinged = zip(*measured, strict=True)
        return statistics.median(answered), statistics.median(active), statistics.median(pinged)


def check_as_fast(now: tuple[float, ...], before: tuple[float, ...]) -> None:
    for name, late, early in zip(("API", "ACTIVE", "ping"), now, before, strict=True):
        assert late < FACTOR * max(early, FLOOR_S), f"{name}: {late:.3f} s, and {early:.3f} s before"


def stall(stage: Stage) -> None:
    stage.switch(SICK).stalled = True


def answer_late(stage: Stage) -> None:
    stage.switch(SICK).delay_s = 0.7


def trickle(stage: Stage) -> None:
    stage.switch(SICK).trickle = 20


@contextmanager
def flapping(stage: Stage) -> Iterator[None]:
    """Cut the sick switch's connection all the time."""
    over = threading.Event()

    def flap() -> None:
        while not over.wait(FLAP_S):
            stage.cut_switch(SICK)

    thread = threading.Thread(target=flap, name="flap", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def is_complete(stage: Stage, network: str) -> Callable[[], bool]:
    """Return whether the sick switch knows every port of a network again."""
    macs = {p["mac_address"] for p in stage.weft.api.list("ports", network_id=network)}
    return lambda: all(mac in "\n".join(stage.hosts[SICK].flows()) for mac in macs)


def test_a_switch_that_stops_is_named_and_hurts_only_itself(stage: Stage) -> None:
    clock = Clock(stage)
    stage.settle()
    before = clock.medians()
    stage.settle()
    stall(stage)
    began = time.monotonic()
    during = clock.medians()
    left_s = began + SILENCE_S - time.monotonic()
    eventually(lambda: stage.host(SICK)["problem"], left_s, lambda: str(stage.host(SICK)))
    assert stage.host(SICK)["status"] != "UP"
    assert stage.host(SICK)["problem"] in stage.weft.command("host", "show", SICK)
    assert [stage.host(name)["status"] for name in ("h1", "h2")] == ["UP", "UP"]
    check_as_fast(during, before)
    stage.switch(SICK).heal()
    stage.settle()
    assert is_complete(stage, clock.network)()


@pytest.mark.parametrize("sickness", [answer_late, trickle])
def test_a_switch_that_answers_late_hurts_only_itself(stage: Stage, sickness: Callable[[Stage], None]) -> None:
    clock = Clock(stage)
    before = clock.medians(4)
    sickness(stage)
    during = clock.medians(4)
    check_as_fast(during, before)
    stage.switch(SICK).heal()
    eventually(is_complete(stage, clock.network), 20, "the slow switch is complete")


def test_a_switch_that_flaps_hurts_only_itself(stage: Stage) -> None:
    clock = Clock(stage)
    before = clock.medians(4)
    with flapping(stage):
        check_as_fast(clock.medians(4), before)
    eventually(is_complete(stage, clock.network), 20, "the flapping switch is complete")


def test_a_cut_switch_is_named_at_once(stage: Stage) -> None:
    stage.switch(SICK).refused = True
    assert stage.cut_switch(SICK) == 1
    eventually(lambda: not stage.host(SICK)["openflow_connected"], CUT_S, lambda: str(stage.host(SICK)), every_s=0.005)
    assert stage.host(SICK)["status"] != "UP"
