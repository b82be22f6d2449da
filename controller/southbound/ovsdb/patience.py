"""How fast is drift repaired? At once, but ever more slowly where somebody changes the same thing back again.

What may wait is put off to a full second, so that many such changes are one.
"""

import math
from collections.abc import Iterable

from controller.southbound.ovsdb.draft import Note

RETRY_FIRST_S = 0.1
RETRY_MOST_S = 2.0
PUT_OFF_S = 1.0
"""The least wait for what may wait."""
CALM_S = 10.0
"""Drift that comes back sooner than this is a fight with somebody."""


def longer(pause_s: float) -> float:
    """Return the pause after one of ``pause_s``."""
    return min(max(pause_s * 2, RETRY_FIRST_S), RETRY_MOST_S)


class Patience:
    """Remembers repairs; holds back the places that are fought over, and no others."""

    def __init__(self) -> None:
        self._repaired_at: dict[str, float] = {}
        """By what was repaired."""
        self._pauses: dict[str, float] = {}
        self._held: dict[str, float] = {}
        """Until when which place must wait."""
        self._put_off: set[str] = set()
        """Places whose wait is no punishment, and only once."""

    @property
    def deadline(self) -> float | None:
        """When the next place need not wait any longer."""
        return min(self._held.values(), default=None)

    def waiting(self, now: float) -> frozenset[str]:
        """Return the places that must wait still."""
        for place in [place for place, until in self._held.items() if until <= now]:
            del self._held[place]
        return frozenset(self._held)

    def drifted(self, notes: Iterable[Note], now: float) -> frozenset[str]:
        """Take note of drift; return the places whose repair must wait."""
        recent = {text: at for text, at in self._repaired_at.items() if now - at < CALM_S}
        fights: set[str] = set()
        others: set[str] = set()
        for note in notes:
            (fights if note.text in recent else others).add(note.place)
            recent[note.text] = now
        self._repaired_at = recent
        for place in others - fights:
            self._pauses.pop(place, None)
        for place in fights:
            self._pauses[place] = longer(self._pauses.get(place, 0.0))
            self._held[place] = now + self._pauses[place]
        return frozenset(fights)

    def put_off(self, notes: Iterable[Note], now: float) -> frozenset[str]:
        """Return the places with something that may wait and has not waited yet."""
        places = frozenset(note.place for note in notes if note.may_wait)
        waited = places & self._put_off
        self._put_off ^= places
        for place in places - waited:
            self._held[place] = math.floor(now + PUT_OFF_S) + 1.0
        return places - waited

    def forget(self, places: Iterable[str]) -> None:
        """Do not wait for places of which something new is wanted."""
        for place in places:
            self._pauses.pop(place, None)
            self._held.pop(place, None)
            self._put_off.discard(place)
