"""What can be typed after ``weft network move``? Another plug-in for a network, what would change, how far it is."""

import argparse
import time
from collections.abc import Mapping

from controller.cli.client import Client, CommandFailed, add_options
from controller.cli.everyday.catalog import load
from controller.cli.everyday.names import Known, Names
from controller.cli.output import member, members, print_fields, print_json, print_table

LOOK_S = 0.5
ARRIVED, GIVEN_UP = "arrived", "given_up"
_COLUMNS = ("id", "name", "host", "status", "reason", "detail")


def add_commands(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
) -> "argparse._SubParsersAction[argparse.ArgumentParser]":
    """Add ``network`` and its commands; returns where more can be added."""
    group = commands.add_parser("network", help="An isolated layer-2 network.")
    verbs = group.add_subparsers(title="commands", metavar="COMMAND", required=True)
    summary = "move a network to another plug-in, or take it back; without --plugin, say how far it is"
    move = verbs.add_parser("move", help=summary, description=summary)
    target = move.add_argument("target", metavar="NETWORK", help="name or id")
    target.completer = Known("networks")  # type: ignore[attr-defined]  # argcomplete's documented way
    move.add_argument("--plugin", help="where it goes")
    move.add_argument("--plan", action="store_true", help="only say what would change, and what is against it")
    move.add_argument("--wait", type=float, metavar="SECONDS", default=0.0, help="wait until it has arrived")
    add_options(move)
    move.set_defaults(run=_move)
    return verbs


def _move(args: argparse.Namespace) -> int:
    client = Client(args.url)
    network_id = Names(client, load()).id("networks", args.target)
    if args.plugin is None:
        found = member(client.get("networks", network_id, "move"), "move")
    else:
        body = {"plugin": args.plugin, "plan": args.plan}
        found = member(client.put("networks", network_id, "move", body=body), "move")
    deadline = time.monotonic() + args.wait
    while not args.plan and found["phase"] not in {ARRIVED, GIVEN_UP} and time.monotonic() < deadline:
        time.sleep(LOOK_S)
        found = member(client.get("networks", network_id, "move"), "move")
    _print(found, args.format)
    if not args.plan and args.wait and found["phase"] not in {ARRIVED, GIVEN_UP}:
        raise CommandFailed(f"network {network_id} has not arrived after {args.wait:g} s, it is {found['phase']}")
    return 1 if found["objections"] else 0


def _print(found: Mapping[str, object], form: str) -> None:
    if form == "json":
        print_json(found)
        return
    names = ["network_id", "source", "target", "phase", *(["given_up_at"] if found["given_up_at"] else [])]
    print_fields([(name, found[name]) for name in names])
    for name in ("changes", "objections"):
        said = found[name]
        for sentence in said if isinstance(said, list) else ():
            print(f"{name[:-1]}: {sentence}")
    ports = members(found, "ports")
    if ports:
        print()
        print_table([column.upper() for column in _COLUMNS], [[one.get(name) for name in _COLUMNS] for one in ports])
