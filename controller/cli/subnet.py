"""What can be typed after ``weft subnet`` besides its everyday verbs? What is free, and for how long it will last."""

import argparse

from controller.cli.client import Client, add_options
from controller.cli.everyday.catalog import Catalog, load
from controller.cli.everyday.names import Names
from controller.cli.output import member, members, print_fields, print_json, print_table


def add_commands(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
) -> "argparse._SubParsersAction[argparse.ArgumentParser]":
    """Add ``subnet`` and its commands; returns where more can be added."""
    group = commands.add_parser("subnet", help="make, change and inspect subnets")
    verbs = group.add_subparsers(title="commands", metavar="COMMAND", required=True)
    free = verbs.add_parser("free", help="list what is free in a subnet, and count what is not")
    free.add_argument("target", metavar="SUBNET", help="name or id")
    free.add_argument("--limit", metavar="N", help="ranges at most (100)")
    free.add_argument("--start", metavar="ADDRESS", help="from this address on: where the last page ended")
    add_options(free)
    free.set_defaults(run=_free)
    forecast = verbs.add_parser("forecast", help="say how fast a subnet fills, and when it will be full")
    forecast.add_argument("target", metavar="SUBNET", help="name or id")
    add_options(forecast)
    forecast.set_defaults(run=_forecast)
    return verbs


def _id(client: Client, target: str) -> str:
    catalog: Catalog = load()
    return Names(client, catalog).id("subnets", target)


def _free(args: argparse.Namespace) -> int:
    client = Client(args.url)
    answer = client.get("subnets", _id(client, args.target), "free", limit=args.limit, start=args.start)
    found = member(answer, "free")
    if args.format == "json":
        print_json(found)
        return 0
    print_fields([(name, value) for name, value in found.items() if name not in {"ranges", "next"}])
    ranges = members(found, "ranges")
    if ranges:
        print()
        columns = ("start", "end", "size")
        print_table([column.upper() for column in columns], [[one.get(column) for column in columns] for one in ranges])
    if found.get("next"):
        print(f"\nmore from {found['next']} on: --start {found['next']}")
    return 0


def _forecast(args: argparse.Namespace) -> int:
    client = Client(args.url)
    found = member(client.get("subnets", _id(client, args.target), "forecast"), "forecast")
    if args.format == "json":
        print_json(found)
        return 0
    print_fields([(name, value) for name, value in found.items() if name != "windows"])
    print()
    columns = ("days", "since", "taken_then", "rate_per_day", "days_left")
    windows = members(found, "windows")
    print_table([column.upper() for column in columns], [[one.get(column) for column in columns] for one in windows])
    return 0
