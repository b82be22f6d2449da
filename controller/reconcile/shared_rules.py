"""What is the same of a set's rules on every host that has it? Worked out once, however many hosts those are.

A set may have thousands of rules, on hundreds of hosts, and its intent is one value for all of them
(`controller.reconcile.rulesets`). What follows from it is found by that very value: to compare or to hash a thousand
rules for each host would cost more than to translate them once. Only the last of each set is remembered, because a
batch brings all its hosts up to date.
"""

from dataclasses import dataclass, field

from controller.reconcile.rules import is_narrower
from flows.compiler import compile_unit
from flows.contribution import Contribution
from flows.intent import RulesetIntent, UnitIntent


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What becomes of a set's rules."""

    old: RulesetIntent
    new: RulesetIntent
    is_change: bool
    is_narrower: bool
    """Whether connections that the old rules let in may be unwanted under the new ones."""


@dataclass(slots=True)
class SharedRules:
    """Remembers what each set's rules compile to; owned by the model."""

    _compiled: dict[int, tuple[RulesetIntent, Contribution]] = field(default_factory=dict)
    _turns: dict[int, Turn] = field(default_factory=dict)

    def compiled(self, rules: RulesetIntent) -> Contribution:
        """Return what a set's rules add to a bridge."""
        known = self._compiled.get(rules.ruleset)
        if known is None or known[0] is not rules:
            self._compiled[rules.ruleset] = known = rules, compile_unit(rules)
        return known[1]

    def are_same(self, old: UnitIntent | None, new: UnitIntent | None) -> bool:
        """Whether a unit is asked for what it was asked for, be it rules or not."""
        if isinstance(old, RulesetIntent) and isinstance(new, RulesetIntent):
            return not self.turn(old, new).is_change
        return old == new

    def turn(self, old: RulesetIntent, new: RulesetIntent) -> Turn:
        """Return what becomes of a set's rules when the new take the place of the old."""
        known = self._turns.get(new.ruleset)
        if known is None or known.old is not old or known.new is not new:
            is_change = old != new
            known = Turn(old=old, new=new, is_change=is_change, is_narrower=is_change and _lets_in_less(old, new))
            self._turns[new.ruleset] = known
        return known

    def forget(self, ruleset: int) -> None:
        """Forget a set that no port has any more."""
        self._compiled.pop(ruleset, None)
        self._turns.pop(ruleset, None)


def _lets_in_less(old: RulesetIntent, new: RulesetIntent) -> bool:
    """Connections are remembered while rules are stateful only; what was remembered before is not to come back."""
    return (
        old.stateful != new.stateful
        or is_narrower(new.from_port, old.from_port)
        or is_narrower(new.to_port, old.to_port)
    )
