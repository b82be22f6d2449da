"""Which rules hold for every use case? Permission, revisions, ownership, bulk."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from controller.caller import Caller
from controller.errors import PolicyNotAuthorized, RevisionNumberConstraintFailed
from controller.policy.expression import Expression, holds
from controller.policy.words import Target
from controller.store.transaction import Transaction

Made = TypeVar("Made")

ASKED = "asked_rules"
"""Under this key the values of a request name its attributes whose rules depend on the object (``Asked``)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """An attribute of a request that has a rule of its own."""

    rule: str
    parts: tuple[str, ...] = ()
    """The rules of its members, such as ``create_port:fixed_ips:ip_address``."""

    def __str__(self) -> str:
        """Return the rules as Neutron writes them in a refusal."""
        if not self.parts:
            return f"rule:{self.rule}"
        return f"(rule:{self.rule} and ({' and '.join(f'rule:{part}' for part in self.parts)}))"


def may(caller: Caller, rule: str, target: Target) -> bool:
    """Say whether the policy lets a caller do this to an object."""
    return _holds(caller, caller.rights.rule(rule), target)


def authorize(
    caller: Caller, rule: str, target: Target | Callable[[], Target], values: Mapping[str, Any] | None = None
) -> None:
    """Refuse what the policy does not let a caller do to an object.

    Args:
        caller: Whoever asks.
        rule: The action's, such as ``update_port``.
        target: The object as it will be; or what finds that out, called once if the roles alone do not decide.
        values: What the request gives, for the rules of its attributes.

    Raises:
        PolicyNotAuthorized: the action's rule does not hold, or that of an attribute.
    """
    asked: Sequence[Asked] = values.get(ASKED, ()) if values is not None else ()
    remaining = [caller.rights.rule(rule)]
    remaining += [caller.rights.rule(one) for attribute in asked for one in (attribute.rule, *attribute.parts)]
    if all(one is True for one in remaining):
        return
    if False not in remaining:
        known = target if isinstance(target, Target) else target()
        if all(_holds(caller, one, known) for one in remaining):
            return
    raise PolicyNotAuthorized(rule, *(str(attribute).removeprefix("rule:") for attribute in asked))


def check_owner(caller: Caller, project_id: str, rule: str) -> None:
    """Refuse what the policy does not let a caller do to an object of a project that is in no network and not shared.

    Args:
        caller: Whoever asks.
        project_id: The object's owner.
        rule: The action's; a part after a colon is not looked at.

    Raises:
        PolicyNotAuthorized: the rule does not hold, or is not in the table and the caller no administrator.
    """
    authorize(caller, rule.partition(":")[0], Target(project_id=project_id))


def check_revision(expected: int | None, current: int) -> None:
    """Refuse a change by a caller who has not seen the latest revision (Neutron API reference, revision-if-match).

    Raises:
        RevisionNumberConstraintFailed: the object changed meanwhile.
    """
    if expected is not None and expected != current:
        raise RevisionNumberConstraintFailed(expected, current)


def each(
    create: Callable[[Transaction, Caller, Mapping[str, Any]], Made],
    tx: Transaction,
    caller: Caller,
    wanted: Sequence[Mapping[str, Any]],
) -> list[Made]:
    """Create objects one after the other; the first error ends the transaction, and with it all of them."""
    return [create(tx, caller, values) for values in wanted]


def _holds(caller: Caller, rule: Expression, target: Target) -> bool:
    if isinstance(rule, bool):
        return rule
    return holds(rule, lambda word: target.is_true(word, caller.project_id))
