"""Which values may a parameter have?"""

import ipaddress
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from controller.containers.expressions import Joined, Reference
from controller.containers.problems import Path, Problem

_MAC = re.compile(r"[0-9A-Fa-f]{2}([:-])(?:[0-9A-Fa-f]{2}\1){4}[0-9A-Fa-f]{2}")
OBJECTS = ("network", "subnet", "port", "security_group")
"""Types whose values are ids of such objects."""
_TYPES: Mapping[str, tuple[type, ...]] = {
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "list": (list,),
}
_ESCAPED_OR_CLASS = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]])*\]", re.DOTALL)
_REPEATED_GROUP = re.compile(r"\)[*+{]")
_QUANTIFIER = re.compile(r"(?<!\()[*+?{]")
MOST_QUANTIFIERS = 4
"""Of a pattern. Python's engine tries them in every combination; so few, on text so short, end at once."""
LONGEST_MATCHED = 255
_NUMBERS = ("integer", "number")
_LONG = ("string", "list")


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A declared parameter."""

    type: str
    is_required: bool
    default: Any = None
    description: str = ""
    constraints: Mapping[str, Any] = field(default_factory=dict)
    """minimum, maximum, enum, pattern, min_length, max_length."""


def declared(document: Mapping[str, Any]) -> Parameter:
    """Return the parameter a template's entry declares."""
    constraints = {name: value for name, value in document.items() if name not in ("type", "default", "description")}
    return Parameter(
        type=document["type"],
        is_required="default" not in document,
        default=document.get("default"),
        description=document.get("description", ""),
        constraints=constraints,
    )


def _contradictions(parameter: Parameter, path: Path) -> Iterator[Problem]:
    """Yield why no value at all, or not every one that is listed, can be given."""
    limits = parameter.constraints
    for lowest, highest in (("minimum", "maximum"), ("min_length", "max_length")):
        if lowest in limits and highest in limits and limits[lowest] > limits[highest]:
            message = f"{limits[lowest]} is more than {highest}, {limits[highest]}: no value fits"
            yield Problem(path=(*path, lowest), message=message)
    for position, value in enumerate(limits.get("enum", ())):
        if not _is_of(parameter.type, value):
            yield Problem(path=(*path, "enum", position), message=f"{_shown(value)} is no {parameter.type}")


def check_declaration(parameter: Parameter, path: Path) -> list[Problem]:
    """Return what is wrong with a parameter itself."""
    problems = []
    for name in parameter.constraints:
        fits = {
            "minimum": _NUMBERS,
            "maximum": _NUMBERS,
            "pattern": ("string",),
            "min_length": _LONG,
            "max_length": _LONG,
        }.get(name)
        if fits is not None and parameter.type not in fits:
            message = f"is for {' and '.join(fits)}, not for {parameter.type}"
            problems.append(Problem(path=(*path, name), message=message))
    pattern = parameter.constraints.get("pattern")
    if pattern is not None:
        fault = _pattern_refusal(pattern)
        if fault:
            problems.append(Problem(path=(*path, "pattern"), message=fault))
    problems += _contradictions(parameter, path)
    if not problems and not parameter.is_required:
        fault = refusal(parameter, parameter.default)
        if fault:
            problems.append(Problem(path=(*path, "default"), message=fault))
    return problems


def values_of(
    parameters: Mapping[str, Parameter], given: Mapping[str, Any], path: Path
) -> tuple[dict[str, Any], list[Problem]]:
    """Return the value of every parameter, and what is wrong with those given; null means the default."""
    problems = [
        Problem(path=(*path, name), message=f"there is no such parameter; there are: {', '.join(parameters) or 'none'}")
        for name in given
        if name not in parameters
    ]
    values: dict[str, Any] = {}
    for name, parameter in parameters.items():
        value = given.get(name)
        if value is not None:
            values[name] = value
            fault = "" if isinstance(value, Reference | Joined) else refusal(parameter, value)
            if fault:
                problems.append(Problem(path=(*path, name), message=fault))
        elif parameter.is_required:
            problems.append(Problem(path=(*path, name), message="has no default and must be given"))
        else:
            values[name] = parameter.default
    return values, problems


def refusal(parameter: Parameter, value: Any) -> str:
    """Return why a value does not fit; empty when it does."""
    if not _is_of(parameter.type, value):
        return f"{_shown(value)} is no {parameter.type}"
    limits = parameter.constraints
    if "enum" in limits and value not in limits["enum"]:
        return f"{_shown(value)} is not one of {', '.join(_shown(one) for one in limits['enum'])}"
    if "minimum" in limits and value < limits["minimum"]:
        return f"{value} is less than {limits['minimum']}"
    if "maximum" in limits and value > limits["maximum"]:
        return f"{value} is more than {limits['maximum']}"
    if "pattern" in limits and (len(value) > LONGEST_MATCHED or not re.fullmatch(limits["pattern"], value)):
        return f"{_shown(value)} does not match {limits['pattern']}"
    if "min_length" in limits and len(value) < limits["min_length"]:
        return f"{_shown(value)} is shorter than {limits['min_length']}"
    if "max_length" in limits and len(value) > limits["max_length"]:
        return f"{_shown(value)} is longer than {limits['max_length']}"
    return ""


def _is_of(kind: str, value: Any) -> bool:
    if kind in _TYPES:
        return isinstance(value, _TYPES[kind]) and (kind == "boolean" or not isinstance(value, bool))
    if not isinstance(value, str):
        return False
    try:
        match kind:
            case "cidr":
                return "/" in value and bool(ipaddress.ip_network(value, strict=False))
            case "ip_address":
                return bool(ipaddress.ip_address(value))
            case "mac":
                return _MAC.fullmatch(value) is not None
            case "string":
                return True
        return str(UUID(value)) == value.lower()
    except ValueError:
        return False


def _pattern_refusal(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as error:
        return f"is no regular expression: {error}"
    bare = _ESCAPED_OR_CLASS.sub("x", pattern)
    if _REPEATED_GROUP.search(bare) or re.search(r"\\[1-9]", pattern):
        return "repeats a group or refers to one, which can take for ever; write it without"
    if len(_QUANTIFIER.findall(bare)) > MOST_QUANTIFIERS:
        return f"has more than {MOST_QUANTIFIERS} of * + ? and {{}}, which can take for ever"
    return ""


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 100 else f"{text[:100]}..."  # noqa: PLR2004 - enough to recognise it
