"""Which transactions are tried again, and how often?

PostgreSQL ends one of several transactions that wait for each other, and under a stricter isolation level than its
usual one also those it cannot put into an order (PostgreSQL, "Serialization Failure Handling"): nothing is stored, and
the same again may succeed. On SQLite writers queue, and neither happens.
"""

import logging
import random
import time
from collections.abc import Callable
from typing import TypeVar

from controller.errors import TransactionConflict

_log = logging.getLogger(__name__)
T = TypeVar("T")

SERIALIZATION_FAILURE, DEADLOCK_DETECTED = "40001", "40P01"
"""PostgreSQL, appendix A, class 40: transaction rollback."""
CONFLICTS = frozenset({SERIALIZATION_FAILURE, DEADLOCK_DETECTED})
MOST_TRIES = 6
LONGEST_PAUSE_S = 0.05
"""Before the second try; twice as long before each that follows."""


def is_conflict(error: object) -> bool:
    """Whether a driver's error says that the same transaction may succeed when it is tried again."""
    return getattr(error, "sqlstate", None) in CONFLICTS


def repeated(
    work: Callable[[], T], *, rng: random.Random, sleep: Callable[[float], None] = time.sleep, tries: int = MOST_TRIES
) -> T:
    """Do a whole transaction, and again when it got into another's way; those concerned do not come back at once.

    Raises:
        TransactionConflict: it did so every time.
    """
    longest_s = LONGEST_PAUSE_S
    for left in reversed(range(tries)):
        try:
            return work()
        except TransactionConflict as error:
            if not left:
                raise
            _log.info("transaction_repeated tries_left=%d reason=%r", left, str(error))
        sleep(rng.uniform(0.0, longest_s))
        longest_s *= 2
    raise ValueError(f"{tries} tries")
