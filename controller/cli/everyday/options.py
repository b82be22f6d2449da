"""How is an attribute given on the command line, and what does it become in a request?

A list is given by repeating its option, a record as ``key=value,key=value``, a boolean as ``--shared`` or
``--no-shared``; ``--no-X`` also clears what may be null or empty.
"""

import argparse
import json
from collections.abc import Callable, Iterable, Sequence
from difflib import get_close_matches

from controller.cli.everyday.catalog import Value
from controller.cli.everyday.names import Known

_LISTS = ("list", "records")
_FEW = 4
"""So many choices fit a line of help."""
Named = Callable[[str, str], str]
"""From a collection and a name or id to the id."""


def add_value(parser: argparse.ArgumentParser, value: Value, *, required: bool = False, clears: bool = True) -> None:
    """Add the options of one attribute to a create, set or action command."""
    flag = f"--{value.option}"
    if value.kind == "boolean":
        group = parser.add_mutually_exclusive_group(required=required)
        group.add_argument(flag, dest=value.dest, action="store_const", const=True, help=_escaped(value.doc))
        group.add_argument(
            f"--no-{value.option}", dest=value.dest, action="store_const", const=False, help="the opposite"
        )
        return
    _add_given(parser, value, required=required)
    if clears and (value.null or value.kind in _LISTS):
        empty = "an empty list" if value.kind in _LISTS else "none"
        nothing: object = [] if value.kind in _LISTS else _NULL
        parser.add_argument(f"--no-{value.option}", dest=value.dest, action="store_const", const=nothing, help=empty)


def add_filter(parser: argparse.ArgumentParser, value: Value) -> None:
    """Add the option that keeps only objects with a value; repeated, one of several."""
    flag = f"--{value.option}"
    if value.kind == "boolean":
        parser.add_argument(
            flag, dest=value.dest, action="append_const", const="true", help=f"only: {_escaped(value.doc)}"
        )
        parser.add_argument(
            f"--no-{value.option}", dest=value.dest, action="append_const", const="false", help="the opposite"
        )
        return
    read = reader(value) if value.kind == "records" else str
    doc = f"only: {_escaped(value.doc)}"
    action = parser.add_argument(flag, dest=value.dest, action="append", type=read, metavar=_metavar(value), help=doc)
    complete(action, value.refers)


def complete(action: argparse.Action, refers: str | None) -> None:
    """Let the shell complete an option's or argument's values from the names of what exists."""
    if refers is not None:
        action.completer = Known(refers)  # type: ignore[attr-defined] # where argcomplete looks for it


def body(values: Iterable[Value], args: argparse.Namespace, *, named: Named) -> dict[str, object]:
    """Return what the options ask for, names resolved to ids."""
    found: dict[str, object] = {}
    for value in values:
        given = getattr(args, value.dest, None)
        if given is not None:
            found[value.name] = None if given is _NULL else wire(value, given, named)
    return found


def wire(value: Value, given: object, named: Named) -> object:
    """Return a value as a request has it."""
    if isinstance(given, list):
        if value.kind == "object":
            return {key: inner for one in given if isinstance(one, dict) for key, inner in one.items()}
        return [wire(value, one, named) for one in given]
    if isinstance(given, dict) and value.kind != "object":
        by_name = {key.name: key for key in value.keys}
        return {name: wire(by_name[name], inner, named) for name, inner in given.items()}
    if value.refers is not None and isinstance(given, str) and given:
        return named(value.refers, given)
    return given


class _Null:
    """Stands for null; None means that an option was not given."""


_NULL = _Null()


def _add_given(parser: argparse.ArgumentParser, value: Value, *, required: bool) -> None:
    readers: dict[str, Callable[[str], object]] = {
        "integer": int,
        "object": _member,
        "records": reader(value),
        "record": reader(value),
    }
    doc = value.doc + (" May be repeated." if value.kind in (*_LISTS, "object") else "")
    action = parser.add_argument(
        f"--{value.option}",
        dest=value.dest,
        action="append" if value.kind in (*_LISTS, "object") else "store",
        type=readers.get(value.kind, str),
        metavar=_metavar(value),
        required=required,
        help=_escaped(doc),
    )
    complete(action, value.refers)
    if value.choices and value.kind in ("text", "integer"):
        action.choices = [int(one) for one in value.choices] if value.kind == "integer" else list(value.choices)


def _escaped(doc: str) -> str:
    return doc.replace("%", "%%")  # argparse formats help texts


def _metavar(value: Value) -> str:
    if value.kind in ("records", "record"):
        return ",".join(f"{key.option}=.." for key in value.keys)
    if value.kind == "object":
        return "KEY=VALUE"
    if value.choices:
        return "|".join(value.choices) if len(value.choices) <= _FEW else value.option.rpartition("-")[2].upper()
    if value.kind == "integer":
        return "N"
    return (
        value.refers.removesuffix("s").upper().replace("_", "-")
        if value.refers
        else value.option.rpartition("-")[2].upper()
    )


def reader(value: Value) -> Callable[[str], dict[str, object]]:
    """Return what reads ``key=value,key=value``; keys are spelt as options are, or as the API does."""
    spelt = {word: key for key in value.keys for word in (key.option, key.name)}

    def read(text: str) -> dict[str, object]:
        found: dict[str, object] = {}
        for part in text.split(","):
            word, equals, given = part.partition("=")
            key = spelt.get(word.strip())
            if key is None or not equals:
                raise argparse.ArgumentTypeError(_explain(part, [one.option for one in value.keys]))
            found[key.name] = _scalar(key, given)
        return found

    return read


def _explain(part: str, keys: Sequence[str]) -> str:
    word, equals, _ = part.partition("=")
    wanted = ", ".join(f"{key}=.." for key in keys)
    if not equals:
        return f"'{part}' is not of the form KEY=VALUE; give {wanted}"
    near = get_close_matches(word, keys, n=1)
    return f"'{word}' is no key here; give {wanted}" + (f". Did you mean {near[0]}?" if near else "")


def _scalar(key: Value, given: str) -> object:
    if key.kind != "integer":
        return given
    try:
        return int(given)
    except ValueError:
        raise argparse.ArgumentTypeError(f"'{given}' is not an integer ({key.option})") from None


def _member(text: str) -> dict[str, object]:
    """Read ``key=value``, or a whole JSON object."""
    try:
        whole = json.loads(text)
    except ValueError:
        whole = None
    if isinstance(whole, dict):
        return whole
    key, value = pair(text)
    return {key: value}


def pair(text: str) -> tuple[str, object]:
    """Return the key and the value of ``key=value``, where the value is JSON or else text.

    >>> pair("count=3"), pair("name=web"), pair('name="3"')
    (('count', 3), ('name', 'web'), ('name', '3'))
    """
    key, equals, given = text.partition("=")
    if not (key and equals):
        raise argparse.ArgumentTypeError(f"'{text}' is neither KEY=VALUE nor a JSON object")
    try:
        return key, json.loads(given)
    except ValueError:
        return key, given
