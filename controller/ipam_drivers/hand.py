"""How does a use case get addresses from a slow service, though the database must not be locked meanwhile?

It runs again. The first run finds, somewhere deep in its transaction, that a service has to be asked; the transaction
is rolled back, the service is asked with no lock held, and the run is repeated with the answer in hand::

    run ── needs 2 addresses of netbox ──▶ rolled back
                 ask written ─▶ reserve ─▶ 10.1.0.5, 10.1.0.6
    run ── takes them ─▶ allocations + remote addresses, ask deleted ─▶ committed

So whatever gives out addresses works, however many things around it (bulk requests, a subnet whose ports get addresses
at once, containers) do so in one transaction. Ids and chance are the same in every run, so that it asks for the same.
A reservation that is not used, because the request failed or asked for something else the next time, is released; if
the process dies first, the ask is still there and the sweeper releases what bears its mark.
"""

import logging
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol, TypeVar

from controller.errors import IpAddressAlreadyAllocated
from controller.ipam_driver_errors import (
    AddressServiceInconsistent,
    AddressServiceUnavailable,
    NotPlannable,
    SubnetRefusedByDriver,
)
from controller.ipam_drivers.registry import Services
from controller.ipam_drivers.stand_ins import MARK, StandIn, stand_ins
from controller.store import remote_addresses as store
from controller.store.repeating import repeated
from controller.store.transaction import Transaction
from ipam.addresses import text
from ipam.errors import AddressesExhausted, AddressTaken, ServiceUnavailable, SubnetRefused
from ipam.remote import AddressService, Held, SubnetFacts, Wanted

_log = logging.getLogger(__name__)
T = TypeVar("T")
MOST_RUNS = 128
"""Each run but the last finds something new to ask for; one for each thing that is asked for by itself."""


class Store(Protocol):
    """What is wanted of the database."""

    def write(self, *, hand: "Hand | None" = None) -> AbstractContextManager[Transaction]:
        """Open a transaction; with a hand, one that may find reservations there."""

    def read(self) -> AbstractContextManager[Transaction]:
        """Open a transaction that changes nothing."""


@dataclass(frozen=True, slots=True)
class Question:
    """What a service has to be asked: for addresses, or (no address wanted) whether it can serve a subnet."""

    driver: str
    wanted: tuple[Wanted, ...]
    subnet: SubnetFacts | None = None


@dataclass(frozen=True, slots=True)
class _Given:
    mark: str
    held: tuple[Held, ...]


class AsksFirst(Exception):  # noqa: N818 - no error: it ends a run that cannot go on without an answer
    """A run has come to where a service must be asked."""

    def __init__(self, *questions: Question) -> None:
        self.questions = questions
        super().__init__(f"{len(questions)} question(s) to IPAM drivers come first")


class _Lost(Exception):  # noqa: N818 - no error: the run is repeated
    """A reservation waited so long to be used that the sweeper took it back."""


class Hand:
    """The answers of services that one request has got so far."""

    def __init__(self, services: Services, *, seed: int, new_id: Callable[[], str]) -> None:
        self.services = services
        self._seed, self._new_id = seed, new_id
        self._ids: list[str] = []
        self._answers: dict[Question, list[_Given | AddressesExhausted | None]] = {}
        self._heard: Counter[Question] = Counter()
        """How often each question was asked in this run: who asks again wants more."""
        self._used: set[str] = set()
        self.chance = random.Random(seed)  # noqa: S311 - how long to wait is drawn with it
        """For what is not part of a run."""
        self.imagined: list[StandIn] = []
        """What stands for answers in a plan."""
        self.marks: list[str] = []
        """Of every ask that was written."""

    def rewind(self) -> tuple[random.Random, Callable[[], str]]:
        """Begin a run; return its sources of chance and identity, the same as in the run before."""
        self._used.clear()
        self._heard.clear()
        ids = self._same_ids()
        return random.Random(self._seed), lambda: next(ids)  # noqa: S311 - addresses are drawn with it, no secrets

    def take(self, driver: str, wanted: Sequence[Wanted]) -> Sequence[Held]:
        """Return addresses from a service.

        Raises:
            AsksFirst: it has to be asked.
            AddressesExhausted: it has no more of them.
        """
        question = Question(driver, tuple(wanted))
        answers = self._answers.get(question, [])
        if self._heard[question] == len(answers):
            raise AsksFirst(question)
        answer = answers[self._heard[question]]
        self._heard[question] += 1
        if isinstance(answer, AddressesExhausted):
            raise answer
        if answer is None:
            return ()
        self._used.add(answer.mark)
        return answer.held

    def check_subnet(self, driver: str, subnet: SubnetFacts) -> None:
        """Return when the service can give out addresses of a new subnet.

        Raises:
            AsksFirst: it has to be asked.
        """
        question = Question(driver, (), subnet)
        if question not in self._answers:
            raise AsksFirst(question)

    def ask(self, database: Store, question: Question) -> None:
        """Ask a service; no transaction may be open.

        Raises:
            AddressServiceUnavailable, AddressServiceInconsistent, SubnetRefusedByDriver, IpAddressAlreadyAllocated
        """
        with self.services.asking(question.driver) as service:
            subnet = question.subnet
            if subnet is not None:
                _call(question.driver, lambda: service.check_subnet(subnet))
                self._answers[question] = [None]
            else:
                self._reserve(database, service, question)

    def imagine(self, tx: Transaction, question: Question) -> None:
        """Answer in a service's place what a plan would ask of it; ``tx`` sees what is there.

        Raises:
            AddressServiceUnavailable: it is not enabled.
            NotPlannable: as ``stand_ins`` says.
        """
        self.services.get(question.driver)
        used = {(one.held.subnet_id, one.held.address) for one in self.imagined}
        answers = self._answers.setdefault(question, [])
        try:
            found = stand_ins(tx, question.driver, question.wanted, used)
        except AddressesExhausted as exhausted:
            answers.append(exhausted)
        else:
            answers.append(_Given(MARK, tuple(one.held for one in found)))
            self.imagined += found

    def settle(self, tx: Transaction) -> None:
        """Finish a run: what was given and not used is left to be released, and no ask stays open."""
        for driver, given in self._given():
            if not store.use_ask(tx, given.mark):
                raise _Lost
            if given.mark not in self._used:
                store.leave(tx, driver, given.held)

    def forget(self) -> None:
        """Take no answer for good any more."""
        self._answers.clear()

    def give_back(self, database: Store) -> None:
        """Release what no transaction has used after all."""
        if not self.marks:
            return
        with database.read() as tx:
            unused = store.unused(tx, self.marks)
        if not unused:
            return
        with database.write() as tx:
            store.void(tx, sorted(unused))
        for driver, given in self._given():
            if given.mark in unused:
                try:
                    self.services.get(driver).release(given.held)
                except Exception as error:  # noqa: BLE001 - the request is answered already; the sweeper tries again
                    _log.warning("ipam_release_put_off driver=%s reason=%s", driver, error)
                else:
                    with database.write() as tx:
                        store.drop(tx, [given.mark])

    def _given(self) -> Iterator[tuple[str, _Given]]:
        for question, answers in self._answers.items():
            for answer in answers:
                if isinstance(answer, _Given):
                    yield question.driver, answer

    def _reserve(self, database: Store, service: AddressService, question: Question) -> None:
        driver, named = question.driver, [w for w in question.wanted if w.address is not None]
        if named:
            addresses = [text(one.subnets[0].cidr.version, one.address or 0) for one in named]
            _pay(database, driver, service, addresses)
        mark = self._new_id()
        with database.write() as tx:
            store.note_ask(tx, mark, driver)
        self.marks.append(mark)
        try:
            held = _call(driver, lambda: tuple(service.reserve(mark, question.wanted)))
        except (AddressesExhausted, AddressTaken, SubnetRefusedByDriver) as refusal:
            with database.write() as tx:
                store.drop(tx, [mark])
            if isinstance(refusal, AddressesExhausted):
                self._answers.setdefault(question, []).append(refusal)
                return
            if isinstance(refusal, AddressTaken):
                raise IpAddressAlreadyAllocated(refusal.address, refusal.subnet_id) from refusal
            raise
        self._answers.setdefault(question, []).append(_Given(mark, held))  # whatever is wrong with it, it is given back
        _check(driver, question.wanted, held)

    def _same_ids(self) -> Iterator[str]:
        position = 0
        while True:
            if position == len(self._ids):
                self._ids.append(self._new_id())
            yield self._ids[position]
            position += 1


def carry_out(database: Store, hand: Hand, work: Callable[[Transaction], T]) -> T:
    """Do one unit of work, asking services between its runs.

    Raises:
        AddressServiceUnavailable, AddressServiceInconsistent, SubnetRefusedByDriver, IpAddressAlreadyAllocated, and
        whatever ``work`` raises
    """
    try:
        for _ in range(MOST_RUNS):
            try:
                return repeated(lambda: _done_once(database, hand, work), rng=hand.chance)
            except AsksFirst as needed:
                questions = needed.questions
            except _Lost:
                hand.forget()
                continue
            for question in questions:
                hand.ask(database, question)
        raise _changing(questions)
    finally:
        hand.give_back(database)


def rehearse(database: Store, hand: Hand, work: Callable[[Transaction], T]) -> T:
    """Do one unit of work that is taken back; no service is asked for addresses, others stand for them.

    Raises:
        NotPlannable: none can
        AddressServiceUnavailable, SubnetRefusedByDriver, and whatever ``work`` raises
    """
    for _ in range(MOST_RUNS):
        try:
            return repeated(lambda: _rehearsed_once(database, hand, work), rng=hand.chance)
        except AsksFirst as needed:
            questions = needed.questions
        except AddressServiceInconsistent as error:  # the request itself names what stood for another one
            raise NotPlannable(error.name) from error
        for question in questions:
            if question.subnet is None:
                with database.read() as tx:
                    hand.imagine(tx, question)
            else:
                hand.ask(database, question)  # whether it can serve a subnet, which changes nothing there
    raise _changing(questions)


def _done_once(database: Store, hand: Hand, work: Callable[[Transaction], T]) -> T:
    with database.write(hand=hand) as tx:
        result = work(tx)
        hand.settle(tx)
        return result


def _rehearsed_once(database: Store, hand: Hand, work: Callable[[Transaction], T]) -> T:
    with database.write(hand=hand) as tx:
        return work(tx)


def _changing(questions: Sequence[Question]) -> AddressServiceUnavailable:
    return AddressServiceUnavailable(questions[0].driver, "what is asked of it changed with every try")


def _call(driver: str, ask: Callable[[], T]) -> T:
    """Ask a driver, and turn what it raises into Weft's own errors."""
    try:
        return ask()
    except (AddressesExhausted, AddressTaken):
        raise
    except SubnetRefused as refused:
        raise SubnetRefusedByDriver(driver, refused.subnet, refused.reason) from refused
    except ServiceUnavailable as error:
        raise AddressServiceUnavailable(driver, error.why) from error
    except Exception as error:
        _log.exception("ipam_driver_failed driver=%s", driver)
        raise AddressServiceUnavailable(driver, f"it failed ({error!r})") from error


def _check(driver: str, wanted: Sequence[Wanted], held: Sequence[Held]) -> None:
    """Hold what a service gave against what was wanted."""
    if len(held) != len(wanted):
        raise AddressServiceInconsistent(driver, f"{len(held)} addresses", f"though {len(wanted)} were asked for")
    seen: set[tuple[str, int]] = set()
    for one, asked in zip(held, wanted, strict=True):
        facts = next((facts for facts in asked.subnets if facts.subnet_id == one.subnet_id), None)
        if facts is None or facts.cidr.version != one.version:
            raise AddressServiceInconsistent(driver, str(one), "which is of no subnet that was asked for")
        if asked.address is not None and one.address != asked.address:
            asked_for = text(one.version, asked.address)
            raise AddressServiceInconsistent(driver, str(one), f"though {asked_for} was asked for")
        if asked.address is None and not any(one.address in pool for pool in facts.pools):
            raise AddressServiceInconsistent(driver, str(one), "which is in no allocation pool of the subnet")
        if (one.subnet_id, one.address) in seen:
            raise AddressServiceInconsistent(driver, str(one), "twice in one answer")
        seen.add((one.subnet_id, one.address))


def _pay(database: Store, driver: str, service: AddressService, addresses: Sequence[str]) -> None:
    """Tell a service what it is owed of addresses that are asked for by name: it would say they are taken."""
    with database.read() as tx:
        debts = store.owed_releases(tx, driver, addresses=addresses)
    if debts:
        _call(driver, lambda: service.release([debt.held for debt in debts]))
        with database.write() as tx:
            store.released(tx, debts)
