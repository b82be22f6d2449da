"""What can be typed after ``weft tag``? The words objects are found by: which there are, more, fewer, others."""

import argparse
from collections.abc import Mapping

from controller.cli.client import Client, add_options, add_plan
from controller.cli.everyday.catalog import load
from controller.cli.everyday.names import Names
from controller.cli.output import cell, print_json
from controller.cli.plan import print_plan

TAGGED = (
    "network",
    "subnet",
    "port",
    "security-group",
    "subnetpool",
    "address-group",
    "network-segment-range",
    "vnic",
)
"""What has tags of its own."""
_VERBS = {
    "list": "list the tags of an object",
    "add": "add tags to an object",
    "remove": "remove tags from an object",
    "set": "give an object these tags and no others",
}


def add_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``tag`` and its commands."""
    summary = "words to find objects by; list --tags finds them"
    group = commands.add_parser("tag", help=summary, description=summary)
    verbs = group.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for verb, doc in _VERBS.items():
        parser = verbs.add_parser(verb, help=doc, description=doc)
        parser.add_argument("type", choices=TAGGED, metavar="TYPE", help=", ".join(TAGGED))
        parser.add_argument("object", metavar="OBJECT", help="name or id")
        if verb != "list":
            parser.add_argument("tags", nargs="*" if verb == "set" else "+", metavar="TAG", help="up to 255 characters")
            add_plan(parser)
        add_options(parser)
        parser.set_defaults(run=_run, verb=verb)


def _run(args: argparse.Namespace) -> int:
    client = Client(args.url, plan=getattr(args, "plan", False))
    catalog = load()
    noun = catalog.noun(args.type)
    path = (noun.path, Names(client, catalog).id(noun.collection, args.object), "tags")
    answers: list[Mapping[str, object]] = []
    match args.verb:
        case "add":
            answers.append(client.post(*path, body={"tags": args.tags}))
        case "set":
            answers.append(client.put(*path, body={"tags": args.tags}))
        case "remove":
            answers += [client.delete(*path, tag) for tag in args.tags]
    if getattr(args, "plan", False):
        for answer in answers:
            print_plan(answer, args.format)
        return 0
    there = client.get(*path).get("tags")
    tags = [str(tag) for tag in there] if isinstance(there, list) else []
    if args.format == "json":
        print_json(tags)
    else:
        print("".join(f"{cell(tag)}\n" for tag in tags), end="")
    return 0
