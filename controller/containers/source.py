"""How does text become a template's document? YAML 1.2 (of which JSON is a part) with the place of every value.

Booleans are ``true`` and ``false`` alone and ``10:20:30`` is text, unlike in YAML 1.1 (yaml.org, spec 1.2.2, 10.3).
Anchors are refused: a few lines of them can stand for more than fits into memory.
"""

import math
import re
from collections.abc import Mapping
from typing import Any

import yaml

from controller.containers.problems import Path, Problem, TemplateError

LONGEST = 128 * 1024
"""Characters of a template."""
DEEPEST = 32
_FIRSTS = "-+.0123456789"

Places = Mapping[Path, tuple[int, int]]
"""Line and column, from 1, of the values in a text."""


class _Loader(yaml.SafeLoader):
    """YAML's core schema."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - filled below, before anybody loads


for _tag, _pattern, _first in (
    ("bool", r"true|false", "tf"),
    ("null", r"null|~|", "n~"),
    ("int", r"[-+]?(?:0|[1-9][0-9]{0,17})", _FIRSTS),
    ("float", r"[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?", _FIRSTS),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), [*_first, ""])


def read(text: str) -> tuple[Any, Places]:
    """Return the document a text says, and where each value stands.

    Raises:
        TemplateError: it is no YAML, has anchors, or says something twice.
    """
    if len(text) > LONGEST:
        raise TemplateError([Problem(path=(), message=f"longer than {LONGEST} characters")])
    try:
        for event in yaml.parse(text, Loader=_Loader):
            if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
                raise _at(event.start_mark, (), "anchors and aliases are not taken")
        node = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        said = " ".join(part for part in (error.context, error.problem) if part)
        raise _at(error.problem_mark or error.context_mark, (), said) from error
    except (yaml.YAMLError, RecursionError) as error:
        raise TemplateError([Problem(path=(), message=str(error).replace("\n", " "))]) from error
    places: dict[Path, tuple[int, int]] = {}
    return (None if node is None else _value(node, (), places)), places


def located(problem: Problem, places: Places) -> Problem:
    """Return a problem with its line, or that of what it is in."""
    path = problem.path
    while path and path not in places:
        path = path[:-1]
    if path not in places:
        return problem
    line, column = places[path]
    return Problem(path=problem.path, message=problem.message, line=line, column=column)


def is_deep(value: Any, left: int = DEEPEST) -> bool:
    """Say whether a document has more levels than text may have."""
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return left < 0 or any(is_deep(one, left - 1) for one in inside)


def _value(node: yaml.Node, path: Path, places: dict[Path, tuple[int, int]]) -> Any:
    places[path] = (node.start_mark.line + 1, node.start_mark.column + 1)
    if len(path) > DEEPEST:
        raise _at(node.start_mark, path, f"deeper than {DEEPEST} levels")
    if isinstance(node, yaml.MappingNode):
        found: dict[str, Any] = {}
        for key, inner in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise _at(key.start_mark, path, "a name must be text")
            if key.value in found:
                raise _at(key.start_mark, (*path, key.value), "is there twice")
            found[key.value] = _value(inner, (*path, key.value), places)
        return found
    if isinstance(node, yaml.SequenceNode):
        return [_value(inner, (*path, position), places) for position, inner in enumerate(node.value)]
    return _scalar(node, path)


def _scalar(node: yaml.Node, path: Path) -> Any:
    text = str(node.value)
    match node.tag.rpartition(":")[2]:
        case "str":
            return text
        case "null":
            return None
        case "bool":
            return text == "true"
        case "int":
            return int(text)
        case "float" if math.isfinite(float(text)):
            return float(text)
    raise _at(node.start_mark, path, f"{text!r} with the tag {node.tag} is not taken")


def _at(mark: Any, path: Path, message: str) -> TemplateError:
    line, column = (None, None) if mark is None else (mark.line + 1, mark.column + 1)
    return TemplateError([Problem(path=path, message=message, line=line, column=column)])
