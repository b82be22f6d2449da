"""How does an index forget what it no longer holds? Entries that became empty go, or a long life would fill memory."""

from collections import Counter
from typing import TypeVar

_K = TypeVar("_K")
_M = TypeVar("_M")


def discard(index: dict[_K, set[_M]], key: _K, member: _M) -> None:
    """Take a member from the set of a key, and the set away with its last member."""
    members = index[key]
    members.discard(member)
    if not members:
        del index[key]


def decrement(counts: Counter[_K], key: _K) -> None:
    """Count one less of a key, and forget it at zero."""
    counts[key] -= 1
    if not counts[key]:
        del counts[key]
