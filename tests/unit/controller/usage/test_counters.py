"""Do totals made of counters that begin anew only grow, and is nothing counted twice?"""

import doctest
import itertools
from dataclasses import astuple

from hypothesis import given
from hypothesis import strategies as st

from controller.usage import counters
from controller.usage.counters import NONE, Traffic, grown

AMOUNTS = st.integers(0, 2**40)
TRAFFIC = st.builds(Traffic, packets_in=AMOUNTS, bytes_in=AMOUNTS, packets_out=AMOUNTS, bytes_out=AMOUNTS)
LIVES = st.lists(st.lists(TRAFFIC, max_size=6), max_size=5)
"""What passed between readings, in each life of a counter."""


def _total(lives: list[list[Traffic]]) -> tuple[Traffic, list[Traffic]]:
    """Return the total as Weft makes it, and each step of it."""
    total, last, steps = NONE, NONE, []
    for life in lives:
        counter = NONE
        for passed in life:
            counter += passed
            total, last = total + grown(last, counter), counter
            steps.append(total)
    return total, steps


@given(st.lists(TRAFFIC, max_size=20))
def test_a_counter_that_goes_on_is_counted_exactly(passed: list[Traffic]) -> None:
    assert _total([passed])[0] == sum(passed, NONE)


@given(LIVES)
def test_a_total_never_goes_back_and_never_says_more_than_passed(lives: list[list[Traffic]]) -> None:
    total, steps = _total(lives)
    for earlier, later in itertools.pairwise(steps):
        assert all(one <= other for one, other in zip(astuple(earlier), astuple(later), strict=True))
    real = sum((passed for life in lives for passed in life), NONE)
    assert all(said <= passed for said, passed in zip(astuple(total), astuple(real), strict=True))


@given(TRAFFIC, TRAFFIC)
def test_a_counter_that_went_back_in_any_part_has_begun_anew_in_all(last: Traffic, now: Traffic) -> None:
    """One life of a counter has one beginning: parts of it are not added to parts of another."""
    if any(new < old for old, new in zip(astuple(last), astuple(now), strict=True)):
        assert grown(last, now) == now
    else:
        assert last + grown(last, now) == now


@given(TRAFFIC)
def test_reading_twice_adds_nothing(now: Traffic) -> None:
    assert not grown(now, now)
    assert grown(NONE, now) == now


def test_the_examples_in_the_docstrings_are_true() -> None:
    assert doctest.testmod(counters).failed == 0
