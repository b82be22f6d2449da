"""Is a silent peer asked, and given up, at the right time?"""

import pytest

from controller.southbound.openflow.watchdog import Limits, Watchdog


def test_a_silent_peer_is_asked_once_and_dead_after_five_seconds() -> None:
    dog = Watchdog(Limits(), 100.0)
    assert dog.timeout(100.0, None, negotiating=False) == 2.5
    assert not dog.wants_echo(102.4)
    assert dog.wants_echo(102.5)
    assert not dog.wants_echo(103.0)
    assert dog.timeout(103.0, None, negotiating=False) == 2.0
    assert dog.verdict(104.9, None, negotiating=False) is None
    assert dog.verdict(105.0, None, negotiating=False) == "silent for 5 s"


def test_whatever_a_peer_sends_proves_that_it_lives() -> None:
    dog = Watchdog(Limits(), 0.0)
    assert dog.wants_echo(3.0)
    dog.hear(4.9)
    assert dog.verdict(9.0, None, negotiating=False) is None
    assert dog.wants_echo(8.0)


def test_a_peer_that_takes_nothing_is_dead_though_it_talks() -> None:
    dog = Watchdog(Limits(stuck_s=3.0), 0.0)
    dog.hear(9.0)
    assert dog.timeout(9.0, 7.0, negotiating=False) == 1.0
    assert dog.verdict(9.9, 7.0, negotiating=False) is None
    assert dog.verdict(10.0, 7.0, negotiating=False) == "took no data for 3 s"


@pytest.mark.parametrize("negotiating", [True, False])
def test_a_negotiation_has_an_end_however_much_is_said(negotiating: bool) -> None:
    dog = Watchdog(Limits(), 0.0)
    dog.hear(10.0)
    assert (dog.verdict(10.0, None, negotiating=negotiating) is not None) == negotiating
