"""What does a batch hold of what was heard, and who gets an answer?"""

import threading

import pytest

from controller.reconcile.inbox import Arrival, Batch, Inbox
from controller.records import HostName, PortKey
from controller.southbound.openflow.events import Connected, Disconnected


def taken(inbox: Inbox, pauses: list[bool] | None = None) -> Batch:
    return inbox.take(0.01, lambda: (pauses if pauses is not None else []).append(True))


def test_what_is_heard_twice_is_looked_at_once_and_switches_in_order() -> None:
    inbox = Inbox()
    for _ in range(2):
        inbox.host(HostName("h1"))
        inbox.arrival(Arrival(1, PortKey(7)))
    inbox.switch(1, Disconnected())
    inbox.switch(1, Connected())
    batch = taken(inbox)
    assert (batch.hosts, batch.arrivals) == ({"h1"}, {Arrival(1, PortKey(7))})
    assert batch.switches == [(1, Disconnected()), (1, Connected())]
    assert (batch.is_intent, batch.size) == (False, 6)
    assert taken(inbox) == Batch()


def test_it_waits_for_more_when_the_journal_may_have_grown_and_only_then() -> None:
    inbox, pauses = Inbox(), list[bool]()
    inbox.intent()
    inbox.intent()
    assert taken(inbox, pauses).is_intent
    inbox.host(HostName("h1"))
    assert not taken(inbox, pauses).is_intent
    assert pauses == [True]


def test_a_wake_is_an_event_that_says_nothing() -> None:
    inbox = Inbox()
    inbox.wake()
    assert taken(inbox) == Batch(size=1)


def test_who_asks_gets_the_result_or_the_error() -> None:
    inbox = Inbox()

    def answer() -> None:
        for _ in range(2):
            for ask in inbox.take(5, lambda: None).asks:
                ask()

    thread = threading.Thread(target=answer)
    thread.start()
    assert inbox.ask(lambda: 7, 5) == 7
    with pytest.raises(KeyError):
        inbox.ask(lambda: {}["nothing"], 5)
    thread.join()


def test_who_waits_in_vain_is_told_so() -> None:
    with pytest.raises(TimeoutError):
        Inbox().ask(lambda: 7, 0.01)
