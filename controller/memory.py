"""When does the controller look for garbage that refers to itself? Not all the time among what it keeps for good.

CPython looks at every object again when a quarter more have come (devguide, garbage collector design). While the intent
and the flows of a large cloud come, that was two fifths of all processor time, and each look stopped every thread, for
a second in the end. Nearly all of it are values without cycles, which are freed by counting references anyway.
"""

import gc

YOUNG, MIDDLE = 10_000, 5
"""New objects between two looks at the new ones, and how many of those between two looks at those that survived one:
some milliseconds, and some tens of them."""
SELDOM, USUAL = 100, 10
"""How many of the second kind there are between two looks at everything: while much comes, and afterwards."""


def expect_much() -> None:
    """Look at young objects only: what comes now is to stay."""
    gc.set_threshold(YOUNG, MIDDLE, SELDOM)


def keep_all() -> None:
    """Take what is there now for good, and look at what comes from now on as usual."""
    gc.freeze()
    gc.set_threshold(YOUNG, MIDDLE, USUAL)
