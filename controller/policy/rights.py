"""What may callers with these roles do?

A ``Policy`` is the table with an operator's changes. ``Rights`` are what remains of it for one set of roles: each rule
is simplified once, and most are then simply true or false.
"""

from collections.abc import Mapping
from functools import cache

from controller.policy.expression import Expression, parse, simplified
from controller.policy.table import PLAIN, RULES
from controller.policy.words import WORDS, effective, known

FALLBACK = "admin"
"""The rule of what the table does not know."""
_PLAIN = {resource: frozenset(names.split()) for resource, names in PLAIN.items()}


class Rights:
    """The rules as they are for some roles."""

    def __init__(self, rules: Mapping[str, Expression], roles: frozenset[str], *, service_token: bool) -> None:
        self._rules = rules
        self._known = known(roles, service_token=service_token)
        self._fallback = self._known[FALLBACK]
        self._remaining: dict[str, Expression] = {}
        self._attributes: dict[tuple[str, str, str], Expression] = {}

    def rule(self, name: str) -> Expression:
        """Return what remains of a rule; of one that is unknown, whether the caller is an administrator."""
        found = self._remaining.get(name)
        if found is None:
            whole = self._rules.get(name)
            found = self._fallback if whole is None else simplified(whole, self._known)
            if whole is not None:  # names that no table holds must not fill the memory
                self._remaining[name] = found
        return found

    def attribute(self, action: str, resource: str, attribute: str) -> Expression:
        """Return what an attribute asks beyond its object's rule.

        Args:
            action: create, get or update.
            resource: the singular name.
            attribute: the name on the wire.
        """
        key = (action, resource, attribute)
        found = self._attributes.get(key)
        if found is None:
            name = f"{action}_{resource}:{attribute}"
            is_plain = name not in self._rules and attribute in _PLAIN.get(resource, ())
            found = True if is_plain else self.rule(name)
            self._attributes[key] = found  # attributes are declared, so they are not many
        return found

    def has_rule(self, name: str) -> bool:
        """Say whether a rule is written, in the table or by the operator."""
        return name in self._rules


class Policy:
    """The rules of one installation."""

    def __init__(self, changes: Mapping[str, Expression] | None = None) -> None:
        self._rules: Mapping[str, Expression] = _table() | dict(changes or {})
        self._rights: dict[tuple[frozenset[str], bool], Rights] = {}

    def rights(self, roles: frozenset[str], *, service_token: bool = False) -> Rights:
        """Return the rights of these roles; there are not more kinds of rights than sets of the words for roles."""
        key = (effective(roles), service_token)
        found = self._rights.get(key)
        if found is None:
            found = self._rights[key] = Rights(self._rules, key[0], service_token=service_token)
        return found


def is_rule(name: str) -> bool:
    """Say whether a rule of this name would ever be asked for."""
    if name in RULES:
        return True
    action, _, rest = name.partition("_")
    resource, _, attribute = rest.partition(":")
    return action in {"create", "get", "update"} and attribute in _PLAIN.get(resource, ())


@cache
def default_policy() -> Policy:
    """Return the policy without an operator's changes."""
    return Policy()


@cache
def default_rights(roles: frozenset[str]) -> Rights:
    """Return what the table alone gives these roles."""
    return default_policy().rights(roles)


@cache
def _table() -> dict[str, Expression]:
    return {name: parse(text, WORDS) for name, text in RULES.items()}
