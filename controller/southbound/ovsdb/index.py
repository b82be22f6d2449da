"""Which rows have a given key? Indexes that cost the same with 10 rows as with 10,000."""

from collections.abc import Collection
from typing import Generic, TypeVar

_K = TypeVar("_K")
_V = TypeVar("_V")


class Index(Generic[_K, _V]):
    """Members by key; a key may have several while rows change hands within one transaction."""

    def __init__(self) -> None:
        self._members: dict[_K, set[_V]] = {}

    def __getitem__(self, key: _K) -> Collection[_V]:
        """Return the members of a key, none if nobody has it."""
        return self._members.get(key, ())

    def __contains__(self, key: _K) -> bool:
        return key in self._members

    @property
    def keys(self) -> Collection[_K]:
        """The keys that have members."""
        return self._members.keys()

    def add(self, key: _K, member: _V) -> None:
        """Add a member."""
        self._members.setdefault(key, set()).add(member)

    def discard(self, key: _K, member: _V) -> None:
        """Take a member away, if it is there."""
        members = self._members.get(key)
        if members is not None:
            members.discard(member)
            if not members:
                del self._members[key]
