"""Does anything leak? Threads, descriptors and memory of the controller process after many faults."""

import random

from tests.lab_faults import endurance
from tests.lab_faults.stage import Stage

SWITCH_RECONNECTS = 200
DATABASE_RECONNECTS = 30
CHANGES = 300
GROWTH_KIB = 6 * 1024


def test_two_hundred_reconnects_of_a_switch_leave_no_thread_and_no_descriptor(stage: Stage) -> None:
    held = endurance.switch_reconnects(stage, SWITCH_RECONNECTS, random.Random(1))
    assert not held.leaks(GROWTH_KIB), str(held)


def test_reconnects_to_a_database_leave_no_thread_and_no_descriptor(stage: Stage) -> None:
    held = endurance.database_reconnects(stage, DATABASE_RECONNECTS)
    assert not held.leaks(GROWTH_KIB), str(held)


def test_memory_does_not_grow_with_what_a_stalled_switch_does_not_take(stage: Stage) -> None:
    held = endurance.changes_for_a_stalled_switch(stage, CHANGES)
    assert not held.leaks(GROWTH_KIB), str(held)
