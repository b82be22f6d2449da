"""What can be typed after ``weft reconcile``? What keeps a switch from being as desired, and the word to go on."""

import argparse

from controller.cli.client import Client, add_options
from controller.cli.output import member, print_fields, print_json


def add_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``reconcile``."""
    parser = commands.add_parser("reconcile", help="say what keeps a host from being as desired, and settle it")
    parser.add_argument("host", help="name or id")
    parser.add_argument("--accept", action="store_true", help="carry out the deletes that no change explains")
    add_options(parser)
    parser.set_defaults(run=_reconcile)


def _reconcile(args: argparse.Namespace) -> int:
    answer = Client(args.url).put("hosts", args.host, "reconcile", accept="true" if args.accept else None)
    result = member(answer, "reconcile")
    if args.format == "json":
        print_json(result)
    else:
        print_fields(list(result.items()))
    return 0
