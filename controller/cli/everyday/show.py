"""How are objects printed: a table for people, JSON for programs, bare values for shell scripts?"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence

from controller.cli.output import print_fields, print_json, print_table

FORMATS = ("table", "json", "value")


def print_list(found: Sequence[Mapping[str, object]], columns: Sequence[str], form: str) -> None:
    """Print objects; as values, a line for each and a space between its values."""
    if form == "json":
        print_json(found)
    elif form == "value":
        for one in found:
            sys.stdout.write(" ".join(value(one.get(column)) for column in columns) + "\n")
    else:
        headings = [column.replace("_", " ").upper() for column in columns]
        print_table(headings, [[one.get(column) for column in columns] for one in found])
    sys.stdout.flush()


def print_one(found: Mapping[str, object], args: argparse.Namespace) -> None:
    """Print one object; as values, a line for each."""
    if args.column:
        found = {name: found.get(name) for name in args.column}
    if args.format == "json":
        print_json(found)
    elif args.format == "value":
        sys.stdout.write("".join(value(one) + "\n" for one in found.values()))
        sys.stdout.flush()
    elif found:
        print_fields([(name, one) for name, one in found.items() if name != "tenant_id"])


def value(one: object) -> str:
    """Return a value bare: text as it is, null as nothing, everything else as JSON."""
    if one is None:
        return ""
    return one if isinstance(one, str) else json.dumps(one, ensure_ascii=False)
