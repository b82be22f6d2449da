"""How is an expression written, and what does it stand for?

    expression := "${" name selector? ("." name | "[" number "]")* "}"
    selector   := "[" (number | "index") "]"

Text that is one expression has its value, of whatever type; an expression inside other text becomes text. ``$${`` is
``${`` itself. What a member is or has is known only once it is made: until then a ``Reference`` stands for it.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from controller.containers.problems import Path, wrong

Json = Any
"""What JSON can say, with references in it."""

_EXPRESSION = re.compile(r"\$\$\{|\$\{([^{}]*)\}|\$\{")
_NAME = r"[A-Za-z_][A-Za-z0-9_:-]*"
_WRITTEN = re.compile(rf"\s*({_NAME})((?:\s*(?:\.\s*{_NAME}|\[\s*(?:[0-9]{{1,6}}|index)\s*\]))*)\s*")
_STEP = re.compile(rf"\.\s*({_NAME})|\[\s*([0-9]+|index)\s*\]")
INDEX = "index"
REFERENCE, JOINED = "$reference", "$joined"
"""How references are kept as JSON; a template may not have such keys."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expression:
    """One expression as written."""

    name: str
    steps: tuple[str | int, ...] = ()
    by_index: bool = False
    """The first step is the index of the member the expression is in."""
    text: str = ""


@dataclass(frozen=True, slots=True)
class Reference:
    """A member's id, or what its attributes have."""

    path: str
    steps: tuple[str | int, ...] = ()


@dataclass(frozen=True, slots=True)
class Joined:
    """Text with references in it."""

    parts: tuple[str | Reference, ...]


def parse(text: str, path: Path) -> tuple[str | Expression, ...]:
    """Return the parts of a text: what stands there as it is, and expressions.

    Raises:
        TemplateError: an expression is not written as one.
    """
    parts: list[str | Expression] = []
    end = 0
    for found in _EXPRESSION.finditer(text):
        parts.append(text[end : found.start()])
        end = found.end()
        if found[0] == "$${":
            parts.append("${")
        elif found[1] is None:
            raise wrong(path, f"{text!r} has '${{' without '}}'; text with '${{' in it is written '$${{'")
        else:
            parts.append(_expression(found[1], path))
    parts.append(text[end:])
    return _together(parts)


def expressions(value: Json, path: Path) -> Iterator[tuple[Path, Expression]]:
    """Yield every expression inside a value with the place it is in."""
    if isinstance(value, str):
        yield from ((path, part) for part in parse(value, path) if isinstance(part, Expression))
    elif isinstance(value, dict):
        for key, inner in value.items():
            if key in (REFERENCE, JOINED):
                raise wrong((*path, key), "this name is taken")
            yield from expressions(inner, (*path, key))
    elif isinstance(value, list):
        for position, inner in enumerate(value):
            yield from expressions(inner, (*path, position))


def evaluate(value: Json, path: Path, meaning: Callable[[Expression, Path], Json]) -> Json:
    """Return a value with what its expressions mean."""
    if isinstance(value, str):
        return _text(parse(value, path), path, meaning)
    if isinstance(value, dict):
        return {key: evaluate(inner, (*path, key), meaning) for key, inner in value.items()}
    if isinstance(value, list):
        return [evaluate(inner, (*path, position), meaning) for position, inner in enumerate(value)]
    return value


def references(value: Json) -> Iterator[Reference]:
    """Yield every reference inside a value."""
    if isinstance(value, Reference):
        yield value
    elif isinstance(value, Joined):
        yield from (part for part in value.parts if isinstance(part, Reference))
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from references(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from references(inner)


def resolve(value: Json, found: Callable[[Reference], Json]) -> Json:
    """Return a value with what its references stand for."""
    if isinstance(value, Reference):
        return found(value)
    if isinstance(value, Joined):
        return "".join(part if isinstance(part, str) else as_text(found(part)) for part in value.parts)
    if isinstance(value, Mapping):
        return {key: resolve(inner, found) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [resolve(inner, found) for inner in value]
    return value


def to_json(value: Json) -> Json:
    """Return a value as it is stored."""
    if isinstance(value, Reference):
        return {REFERENCE: [value.path, *value.steps]}
    if isinstance(value, Joined):
        return {JOINED: [to_json(part) for part in value.parts]}
    if isinstance(value, Mapping):
        return {key: to_json(inner) for key, inner in value.items()}
    return [to_json(inner) for inner in value] if isinstance(value, list | tuple) else value


def from_json(value: Json) -> Json:
    """Return a stored value."""
    if isinstance(value, dict):
        if REFERENCE in value:
            path, *steps = value[REFERENCE]
            return Reference(path, tuple(steps))
        if JOINED in value:
            return Joined(tuple(from_json(part) for part in value[JOINED]))
        return {key: from_json(inner) for key, inner in value.items()}
    return [from_json(inner) for inner in value] if isinstance(value, list) else value


def as_text(value: Json) -> str:
    """Return a value as it stands in text: booleans as JSON writes them."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def pick(value: Json, steps: tuple[str | int, ...]) -> Json:
    """Return what is inside a value.

    Raises:
        KeyError, IndexError, TypeError: it is not there.
    """
    for step in steps:
        value = value[step]
    return value


def _expression(text: str, path: Path) -> Expression:
    written = _WRITTEN.fullmatch(text)
    if written is None:
        raise wrong(path, f"'${{{text}}}' is no expression: write ${{name}}, ${{name.attribute}} or ${{name[0]}}")
    steps = [name or (number if number == INDEX else int(number)) for name, number in _STEP.findall(written[2])]
    by_index = bool(re.match(r"\s*\[\s*index", written[2]))
    return Expression(name=written[1], steps=tuple(steps[by_index:]), by_index=by_index, text=f"${{{text}}}")


def _together(parts: list[str | Expression]) -> tuple[str | Expression, ...]:
    """Join neighbouring texts."""
    found: list[str | Expression] = []
    for part in parts:
        if isinstance(part, str) and found and isinstance(found[-1], str):
            found[-1] += part
        elif part != "":
            found.append(part)
    return tuple(found)


def _text(parts: tuple[str | Expression, ...], path: Path, meaning: Callable[[Expression, Path], Json]) -> Json:
    if len(parts) == 1 and isinstance(parts[0], Expression):
        return meaning(parts[0], path)
    found: list[str | Reference] = []
    for part in parts:
        value = meaning(part, path) if isinstance(part, Expression) else part
        pieces = value.parts if isinstance(value, Joined) else (value,)
        for piece in pieces:
            if isinstance(piece, dict | list) or piece is None:
                raise wrong(path, f"{part.text if isinstance(part, Expression) else part} does not fit into text")
            text = piece if isinstance(piece, Reference) else as_text(piece)
            if isinstance(text, str) and found and isinstance(found[-1], str):
                found[-1] += text
            else:
                found.append(text)
    if any(isinstance(part, Reference) for part in found):
        return Joined(tuple(found))
    return "".join(str(part) for part in found)
