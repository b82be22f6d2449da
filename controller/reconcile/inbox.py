"""What does the reconciler hear, and in which batches? Any thread puts events in; the reconciler's takes them out.

Events only say that something may have changed. What is heard twice in a batch is looked at once.
"""

import queue
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Generic, NamedTuple, TypeVar

from controller.reconcile.hearing import Heard
from controller.records import HostName, PortKey
from controller.southbound.openflow.events import SwitchEvent
from controller.southbound.survey import Survey

_T = TypeVar("_T")


class Arrival(NamedTuple):
    """A guest was seen on a switch its port migrates to."""

    dpid: int
    key: PortKey


@dataclass(frozen=True, slots=True, eq=False)
class _Ask(Generic[_T]):
    """Something to be called in the reconciler's thread, and where its result goes."""

    call: Callable[[], _T]
    answer: "Future[_T]"

    def run(self) -> None:
        """Answer, unless nobody waits any more."""
        if not self.answer.set_running_or_notify_cancel():
            return
        try:
            self.answer.set_result(self.call())
        except Exception as error:  # noqa: BLE001 - handed to whoever asked
            self.answer.set_exception(error)


@dataclass(slots=True)
class Batch:
    """What was heard since the last batch."""

    is_intent: bool = False
    """The journal may have grown."""
    hosts: set[HostName] = field(default_factory=set)
    """Hosts whose OVSDB view changed."""
    switches: list[tuple[int, SwitchEvent]] = field(default_factory=list)
    """What the worker of a datapath reported, in order."""
    arrivals: set[Arrival] = field(default_factory=set)
    heard: set[Heard] = field(default_factory=set)
    """Who named which address."""
    surveys: list[tuple[HostName, Survey]] = field(default_factory=list)
    """What others have on the bridges of hosts."""
    asks: list[Callable[[], None]] = field(default_factory=list)
    """To be called; each answers whoever asked."""
    size: int = 0


class Inbox:
    """The reconciler's one queue."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[Callable[[Batch], None]] = queue.SimpleQueue()

    def intent(self) -> None:
        """Note that the journal may have grown."""
        self._queue.put(_intent)

    def host(self, name: HostName) -> None:
        """Note that a host's OVSDB view changed."""
        self._queue.put(lambda batch: batch.hosts.add(name))

    def switch(self, dpid: int, event: SwitchEvent) -> None:
        """Note what a switch's worker reports."""
        self._queue.put(lambda batch: batch.switches.append((dpid, event)))

    def arrival(self, arrival: Arrival) -> None:
        """Note that a guest was seen."""
        self._queue.put(lambda batch: batch.arrivals.add(arrival))

    def hear(self, heard: Heard) -> None:
        """Note that somebody named an address."""
        self._queue.put(lambda batch: batch.heard.add(heard))

    def survey(self, host: HostName, survey: Survey) -> None:
        """Note what was found on a host's bridge."""
        self._queue.put(lambda batch: batch.surveys.append((host, survey)))

    def ask(self, call: Callable[[], _T], deadline_s: float) -> _T:
        """Let `call` be called by the reconciler, and return its result.

        Raises:
            TimeoutError: Not answered within `deadline_s` seconds.
        """
        ask = _Ask(call, Future[_T]())
        self._queue.put(lambda batch: batch.asks.append(ask.run))
        return ask.answer.result(deadline_s)

    def wake(self) -> None:
        """End the wait for a batch."""
        self._queue.put(lambda _batch: None)

    def take(self, timeout_s: float, pause: Callable[[], None]) -> Batch:
        """Wait for events, and return all there are; an empty batch when there was none in `timeout_s` seconds.

        Args:
            timeout_s: How long to wait.
            pause: Called once when the first event is about the journal: requests in a row are one batch.
        """
        batch = Batch()
        try:
            note = self._queue.get(timeout=timeout_s)
        except queue.Empty:
            return batch
        if note is _intent:
            pause()
        self._take_in(batch, note)
        while not self._queue.empty():
            self._take_in(batch, self._queue.get())
        return batch

    def _take_in(self, batch: Batch, note: Callable[[Batch], None]) -> None:
        note(batch)
        batch.size += 1


def _intent(batch: Batch) -> None:
    batch.is_intent = True
