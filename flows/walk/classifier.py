"""Which flow of a table does a packet meet?

Flows are kept by mask, as in Open vSwitch's classifier (lib/classifier.c), so that a lookup costs as many probes as the
table has different masks, however many flows there are.
"""

from collections.abc import Iterable, Iterator

from flows.fields import CONJ_ID, Field
from flows.flow import Conjunction, Flow
from flows.walk.packet import Values

_Mask = tuple[tuple[Field, int], ...]


class _Subtable:
    """The flows of a table that match under one mask."""

    __slots__ = ("_mask", "flows", "top")

    def __init__(self, mask: _Mask) -> None:
        self._mask = mask
        self.flows: dict[tuple[int, ...], list[Flow]] = {}
        self.top = -1
        """The highest priority."""

    def add(self, flow: Flow) -> None:
        self.flows.setdefault(tuple(term.value for term in flow.match), []).append(flow)
        self.top = max(self.top, flow.priority)

    def find(self, values: Values) -> list[Flow] | None:
        """Return the flows with the match the packet meets, the highest priority first."""
        return self.flows.get(tuple([values[field] & mask for field, mask in self._mask]))


class Classifier:
    """One table."""

    def __init__(self, flows: Iterable[Flow]) -> None:
        subtables: dict[_Mask, _Subtable] = {}
        for flow in flows:
            mask = tuple([(term.field, term.mask) for term in flow.match])
            subtable = subtables.get(mask)
            if subtable is None:
                subtable = subtables[mask] = _Subtable(mask)
            subtable.add(flow)
        for subtable in subtables.values():
            for same in subtable.flows.values():
                same.sort(key=_descending)
        self._subtables = sorted(subtables.values(), key=lambda s: -s.top)

    def look_up(self, values: Values) -> tuple[Flow | None, tuple[Flow, ...]]:
        """Return the flow the packet meets, and the flows that held if it is the end of a conjunctive match."""
        hard, soft = self._candidates(values)
        while soft:
            priority = max(same[0].priority for same in soft)
            together = [same[0] for same in soft if same[0].priority == priority]
            found = self._conjunctive(values, together)
            if found is not None:
                return found, tuple(together)
            hard, soft = _less(hard, soft, priority)
        return hard, ()

    def _candidates(self, values: Values) -> tuple[Flow | None, list[list[Flow]]]:
        """Return the best flow that is no part of a conjunctive match, and those parts that are better."""
        hard: Flow | None = None
        soft: list[list[Flow]] = []
        least = -1
        for subtable in self._subtables:
            if subtable.top <= least:
                break
            same = subtable.find(values)
            if not same or same[0].priority <= least:
                continue
            if _is_part(same[0]):
                soft.append(same)
            else:
                hard, least = same[0], same[0].priority
        return hard, [same for same in soft if same[0].priority > least]

    def _conjunctive(self, values: Values, parts: list[Flow]) -> Flow | None:
        """Return the best flow once the packet has the id of a conjunction all of whose dimensions hold.

        That flow's priority may be lower than the dimensions' (ovs-fields(7), "Conjunctive Match Fields").
        """
        for number in _complete(parts):
            before, values[CONJ_ID] = values[CONJ_ID], number
            found = self._candidates(values)[0]
            values[CONJ_ID] = before
            if found is not None:
                return found
        return None


def _descending(flow: Flow) -> int:
    return -flow.priority


def _is_part(flow: Flow) -> bool:
    return bool(flow.actions) and isinstance(flow.actions[0], Conjunction)


def _complete(parts: Iterable[Flow]) -> Iterator[int]:
    """Yield the ids of the conjunctions all of whose dimensions are among the parts."""
    held: dict[int, set[int]] = {}
    sizes: dict[int, int] = {}
    for part in parts:
        for action in part.actions:
            if isinstance(action, Conjunction):
                held.setdefault(action.id, set()).add(action.clause)
                sizes[action.id] = action.clauses
    return (number for number in sorted(held) if len(held[number]) == sizes[number])


def _less(hard: Flow | None, soft: list[list[Flow]], priority: int) -> tuple[Flow | None, list[list[Flow]]]:
    """Return the candidates after those of `priority` came to nothing: flows with the same match and less priority."""
    left: list[list[Flow]] = []
    for same in soft:
        rest = same[1:] if same[0].priority == priority else same
        if not rest:
            continue
        if _is_part(rest[0]):
            left.append(rest)
        elif hard is None or rest[0].priority > hard.priority:
            hard = rest[0]
    least = -1 if hard is None else hard.priority
    return hard, [same for same in left if same[0].priority > least]
