"""What can be typed after ``weft port``? Why a port has the status it has."""

import argparse

from controller.cli.client import Client, add_options
from controller.cli.output import member, members, print_fields, print_json, print_table


def add_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``port`` and its commands."""
    group = commands.add_parser("port", help="inspect ports")
    verbs = group.add_subparsers(title="commands", metavar="COMMAND", required=True)
    status = verbs.add_parser("status", help="say where a port is plugged, its state, and why it is not ACTIVE")
    status.add_argument("id")
    add_options(status)
    status.set_defaults(run=_status)


def _status(args: argparse.Namespace) -> int:
    answer = Client(args.url).get("ports", args.id, "status")
    state = member(answer, "port_status")
    if args.format == "json":
        print_json(state)
        return 0
    print_fields([(name, value) for name, value in state.items() if name != "timeline"])
    columns = ("at", "status", "reason", "host", "detail")
    events = members(state, "timeline")
    if events:
        print()
        print_table([column.upper() for column in columns], [[event.get(key) for key in columns] for event in events])
    return 0
