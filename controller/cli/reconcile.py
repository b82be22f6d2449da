"""What can be typed after ``weft reconcile``? What keeps a switch from being as desired, and the word to go on."""

import argparse

from controller.cli.client import Client, add_options, add_plan
from controller.cli.output import member, print_fields, print_json
from controller.cli.plan import print_plan


def add_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``reconcile``."""
    parser = commands.add_parser("reconcile", help="say what keeps a host from being as desired, and settle it")
    parser.add_argument("host", help="name or id")
    parser.add_argument("--accept", action="store_true", help="carry out the deletes that no change explains")
    add_plan(parser)
    add_options(parser)
    parser.set_defaults(run=_reconcile)


def _reconcile(args: argparse.Namespace) -> int:
    client = Client(args.url, plan=args.plan)
    answer = client.put("hosts", args.host, "reconcile", accept="true" if args.accept else None)
    if args.plan:
        print_plan(answer, args.format)
        return 0
    result = member(answer, "reconcile")
    if args.format == "json":
        print_json(result)
    else:
        print_fields(list(result.items()))
    return 0
