"""Garbage is not looked for among what is kept for good, but among all that comes later."""

import gc
import weakref
from collections.abc import Iterator

import pytest

from controller import memory


class Knot:
    """Refers to itself: only the collector can free it."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def _collector() -> Iterator[None]:
    """Give the process back the collector it had."""
    thresholds = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*thresholds)


def test_what_is_there_is_looked_at_no_more() -> None:
    memory.expect_much()
    before = gc.get_freeze_count()
    kept = Knot()
    memory.keep_all()
    assert gc.get_freeze_count() > before
    assert not any(one is kept for one in gc.get_objects())


def test_what_comes_later_is_collected() -> None:
    memory.expect_much()
    memory.keep_all()
    later = weakref.ref(Knot())
    gc.collect()
    assert later() is None


def test_everything_is_looked_at_again_only_when_what_was_expected_has_come() -> None:
    memory.expect_much()
    while_it_comes = gc.get_threshold()[2]
    memory.keep_all()
    assert gc.get_threshold()[2] < while_it_comes
