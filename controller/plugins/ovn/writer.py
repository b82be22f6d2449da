"""How do the rows of the northbound database become what is wanted? By one transaction after the other.

Rows that changed, in the intent or in the database, are looked at at once; all of them from time to time, and whenever
the connection was lost. What the server refuses is halved until the row at fault stands alone: it does not keep the
others from being written.
"""

import logging
from collections import deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Protocol

from controller.plugins.ovn.delta import Operation, Place, Plan, diff
from controller.plugins.ovn.replica import Replica
from controller.plugins.ovn.rows import Row, RowKey, references
from controller.southbound.ovn.outcome import Outcome, Result

_log = logging.getLogger(__name__)
BATCH = 500
"""Rows looked at for one transaction: a refusal, or a change of the leader, costs no more than these again."""


class Target(Protocol):
    """The database, as the writer needs it."""

    def send(self, operations: Sequence[Operation], comment: str) -> None:
        """Begin a transaction."""

    def outcome(self) -> Result | None:
        """Return what became of it, None when there is none."""


class Writer:
    """Keeps one deployment's rows as they are wanted; owned by the engine's thread."""

    def __init__(self, target: Target, owner: str) -> None:
        self.problems: dict[RowKey, str] = {}
        """Rows that could not be written, and why."""
        self._target, self._owner = target, owner
        self._dirty: set[RowKey] = set()
        self._batches: deque[frozenset[RowKey]] = deque()
        """Parts of what was refused, tried before anything else."""
        self._under_way: frozenset[RowKey] = frozenset()

    @property
    def is_idle(self) -> bool:
        """Whether nothing has to be looked at."""
        return not (self._dirty or self._batches or self._under_way)

    def look_at(self, keys: Iterable[RowKey]) -> None:
        """Note that rows may be other than wanted."""
        self._dirty.update(keys)

    def settle(self) -> bool:
        """Take note of what became of the transaction; return whether the next one may be sent."""
        result = self._target.outcome()
        if result is None:
            return True
        if result.outcome is Outcome.PENDING:
            return False
        keys, self._under_way = self._under_way, frozenset()
        match result.outcome:
            case Outcome.DONE:
                self._forget_problems(keys)
            case Outcome.AGAIN:
                self._dirty |= keys
            case Outcome.REFUSED:
                self._refused(sorted(keys), result.error)
        return True

    def write(self, desired: Mapping[RowKey, Row], replica: Replica) -> set[RowKey]:
        """Send the next transaction, if one is needed; return the keys of rows whose problem came or went."""
        before = dict(self.problems)
        while self.settle() and not self.is_idle:
            batch = self._next(desired, replica)
            plan = self._plan(batch, desired, replica)
            self._forget_problems(batch - plan.blocked.keys())
            self.problems.update(plan.blocked)
            if plan.operations:
                self._target.send(plan.operations, f"weft: {len(plan.operations)} operations")
                self._under_way = batch
                break
        return {key for key in before.keys() | self.problems.keys() if before.get(key) != self.problems.get(key)}

    def _next(self, desired: Mapping[RowKey, Row], replica: Replica) -> frozenset[RowKey]:
        """Return the rows to look at now, with those they need to be there."""
        if self._batches:
            return self._batches.popleft()
        chosen = set(sorted(self._dirty)[:BATCH])
        self._dirty -= chosen
        needed = {one for key in chosen if key in desired for one in references(desired[key])}
        return frozenset(chosen | {key for key in needed if key not in replica.uuids})

    def _plan(self, keys: Collection[RowKey], desired: Mapping[RowKey, Row], replica: Replica) -> Plan:
        place = Place(owner=self._owner, uuids=replica.uuids, foreign_names=replica.foreign_names)
        return diff(keys, desired, {key: replica.found(key) for key in keys}, place)

    def _forget_problems(self, keys: Iterable[RowKey]) -> None:
        for key in keys:
            self.problems.pop(key, None)

    def _refused(self, keys: Sequence[RowKey], error: str) -> None:
        if len(keys) == 1:
            self.problems[keys[0]] = f"OVN's northbound database refused {keys[0]}: {error}"
            _log.warning("ovn_row_refused key=%s error=%r", keys[0], error)
            return
        half = len(keys) // 2
        self._batches.extend((frozenset(keys[:half]), frozenset(keys[half:])))
