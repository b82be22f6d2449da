"""Is a transaction that got into another's way tried again, and only so often?"""

import random

import pytest

from controller.errors import DatabaseError, TransactionConflict
from controller.store.repeating import LONGEST_PAUSE_S, MOST_TRIES, repeated


class Work:
    """Fails so often, then succeeds; and what passes meanwhile."""

    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.pauses: list[float] = []

    def __call__(self) -> str:
        if self.failures:
            raise self.failures.pop(0)
        return "done"

    def run(self) -> str:
        return repeated(self, rng=random.Random(1), sleep=self.pauses.append)


def test_what_succeeds_is_done_once() -> None:
    work = Work()
    assert (work.run(), work.pauses) == ("done", [])


def test_conflicts_are_tried_again_after_longer_and_longer_pauses() -> None:
    work = Work(*[TransactionConflict("x")] * (MOST_TRIES - 1))
    assert work.run() == "done"
    assert len(work.pauses) == MOST_TRIES - 1
    assert all(0 <= pause <= LONGEST_PAUSE_S * 2**place for place, pause in enumerate(work.pauses))


def test_a_conflict_every_time_is_told() -> None:
    work = Work(*[TransactionConflict("x")] * MOST_TRIES)
    with pytest.raises(TransactionConflict):
        work.run()
    assert (len(work.failures), len(work.pauses)) == (0, MOST_TRIES - 1)


def test_what_is_no_conflict_is_told_at_once() -> None:
    work = Work(DatabaseError("x"))
    with pytest.raises(DatabaseError):
        work.run()
    assert work.pauses == []
