"""How is a rule written, and when does it hold?

    expression := conjunction ("or" conjunction)*
    conjunction := factor ("and" factor)*
    factor := "not" factor | "(" expression ")" | word

An expression is simplified once for the roles of a caller; what remains speaks of the object alone, and often nothing
remains.
"""

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

_TOKEN = re.compile(r"\s*([()]|[^\s()]+)")
_MOST_NESTED = 20
_OPERATORS = frozenset({"and", "or", "not"})


@dataclass(frozen=True, slots=True)
class Word:
    """Something that is true of a caller or an object."""

    name: str


@dataclass(frozen=True, slots=True)
class Not:
    """The contrary."""

    of: "Expression"


@dataclass(frozen=True, slots=True)
class And:
    """All hold."""

    parts: "tuple[Expression, ...]"


@dataclass(frozen=True, slots=True)
class Or:
    """One holds."""

    parts: "tuple[Expression, ...]"


Expression = bool | Word | Not | And | Or


class ExpressionError(ValueError):
    """Text that is no expression; says what is wrong with it."""


def parse(text: str, words: Collection[str]) -> Expression:
    """Return the expression `text` writes with these words.

    Raises:
        ExpressionError: a word is unknown, or the text is no expression.
    """
    tokens = _TOKEN.findall(text)
    expression, rest = _alternatives(tokens, words, 0)
    if rest:
        raise ExpressionError(f"{rest[0]!r} is not expected here")
    return expression


def simplified(expression: Expression, known: Mapping[str, bool]) -> Expression:
    """Return what remains of an expression once these words are known."""
    match expression:
        case Word(name):
            return known.get(name, expression)
        case Not(of):
            inner = simplified(of, known)
            return not inner if isinstance(inner, bool) else Not(inner)
        case And(parts):
            return _joined(parts, known, And, neutral=True)
        case Or(parts):
            return _joined(parts, known, Or, neutral=False)
    return expression


def holds(expression: Expression, fact: Callable[[str], bool]) -> bool:
    """Say whether an expression holds, asking only for the facts it needs."""
    match expression:
        case Word(name):
            return fact(name)
        case Not(of):
            return not holds(of, fact)
        case And(parts):
            return all(holds(part, fact) for part in parts)
        case Or(parts):
            return any(holds(part, fact) for part in parts)
    return expression


def _joined(
    parts: tuple[Expression, ...], known: Mapping[str, bool], join: type[And] | type[Or], *, neutral: bool
) -> Expression:
    remaining: list[Expression] = []
    for part in parts:
        inner = simplified(part, known)
        if inner is neutral:
            continue
        if isinstance(inner, bool):
            return inner
        if inner not in remaining:
            remaining.append(inner)
    if not remaining:
        return neutral
    return remaining[0] if len(remaining) == 1 else join(tuple(remaining))


def _alternatives(tokens: list[str], words: Collection[str], depth: int) -> tuple[Expression, list[str]]:
    part, rest = _conjunction(tokens, words, depth)
    parts = [part]
    while rest and rest[0] == "or":
        part, rest = _conjunction(rest[1:], words, depth)
        parts.append(part)
    return (part if len(parts) == 1 else Or(tuple(parts))), rest


def _conjunction(tokens: list[str], words: Collection[str], depth: int) -> tuple[Expression, list[str]]:
    part, rest = _factor(tokens, words, depth)
    parts = [part]
    while rest and rest[0] == "and":
        part, rest = _factor(rest[1:], words, depth)
        parts.append(part)
    return (part if len(parts) == 1 else And(tuple(parts))), rest


def _factor(tokens: list[str], words: Collection[str], depth: int) -> tuple[Expression, list[str]]:
    if not tokens:
        raise ExpressionError("a word is missing at the end")
    if depth > _MOST_NESTED:
        raise ExpressionError(f"more than {_MOST_NESTED} levels of brackets")
    first, rest = tokens[0], tokens[1:]
    if first == "not":
        inner, rest = _factor(rest, words, depth + 1)
        return Not(inner), rest
    if first == "(":
        inner, rest = _alternatives(rest, words, depth + 1)
        if not rest or rest[0] != ")":
            raise ExpressionError("a bracket is not closed")
        return inner, rest[1:]
    if first in words:
        return Word(first), rest
    if first == ")" or first in _OPERATORS:
        raise ExpressionError(f"{first!r} is not expected here")
    raise ExpressionError(f"{first!r} is no word of the policy; the words are {', '.join(sorted(words))}")
