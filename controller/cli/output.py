"""How is an answer printed: as a table for people, or as JSON for programs?"""

import json
import sys
from collections.abc import Mapping, Sequence

_OLD_NAME = "tenant_id"
"""Of project_id, which says the same; Neutron shows both."""


def print_json(value: object) -> None:
    """Print JSON, one value, indented."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def print_table(headings: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print aligned columns under headings."""
    cells = [[cell(value) for value in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(headings, *cells, strict=True)]
    for row in [list(headings), *cells]:
        line = "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True))
        sys.stdout.write(line.rstrip() + "\n")
    sys.stdout.flush()


def print_fields(fields: Sequence[tuple[str, object]]) -> None:
    """Print one object, a line for each field, and for each of several objects in a field."""
    width = max(len(name) for name, _value in fields)
    for name, value in fields:
        several = objects(value)
        lines = [cell(item) for item in several] if len(several) > 1 else [cell(value)]
        for heading, line in zip([name, *[""] * (len(lines) - 1)], lines, strict=True):
            sys.stdout.write(f"{heading.ljust(width)}  {line}".rstrip() + "\n")
    sys.stdout.flush()


def objects(value: object) -> list[Mapping[str, object]]:
    """Return the objects in a value that is a list of objects, else none."""
    if isinstance(value, str) or not isinstance(value, Sequence):
        return []
    found = [item for item in value if isinstance(item, Mapping)]
    return found if len(found) == len(value) else []


def cell(value: object) -> str:
    """Return a value on one line, control characters made visible: names come from users.

    Of an object within another only what it has is said.
    """
    if value is None or value == "":
        text = "-"
    elif isinstance(value, bool):
        text = "yes" if value else "no"
    elif isinstance(value, Mapping):
        said = {key: inner for key, inner in value.items() if inner not in (None, "", [], {}) and key != _OLD_NAME}
        text = ", ".join(f"{key}={cell(inner)}" for key, inner in said.items()) or "-"
    elif isinstance(value, Sequence) and not isinstance(value, str):
        text = ", ".join(cell(inner) for inner in value) or "-"
    else:
        text = str(value)
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def members(answer: Mapping[str, object], wrapper: str) -> list[Mapping[str, object]]:
    """Return the objects of a list answer."""
    found = answer.get(wrapper)
    return [item for item in found if isinstance(item, Mapping)] if isinstance(found, list) else []


def member(answer: Mapping[str, object], wrapper: str) -> Mapping[str, object]:
    """Return the object of an answer."""
    found = answer.get(wrapper)
    return found if isinstance(found, Mapping) else {}
