"""What can be typed after ``weft usage``? What projects consume, now, over time, and port by port."""

import argparse

from controller.cli.client import Client, add_options
from controller.cli.output import members, print_json, print_table

_TRAFFIC = ("bytes_in", "bytes_out", "packets_in", "packets_out")
_COUNTED = ("networks", "subnets", "ports", "addresses", "security_group_rules", "segments", "hosts", "flows")


def add_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``usage``."""
    parser = commands.add_parser("usage", help="show what projects consume, now or over time")
    parser.add_argument("--project", metavar="ID", help="one project's alone")
    parser.add_argument("--start", metavar="TIME", help="over time from here on, for example 2026-11-21T06:00:00Z")
    parser.add_argument("--end", metavar="TIME", help="until then")
    parser.add_argument("--ports", action="store_true", help="the traffic of each port")
    add_options(parser)
    parser.set_defaults(run=_usage)


def _usage(args: argparse.Namespace) -> int:
    client = Client(args.url)
    if args.ports:
        answer, wrapper = client.get("usage", "ports", project_id=args.project), "port_usage"
        columns: tuple[str, ...] = ("port_id", "network_id", *_TRAFFIC, "measured_at")
    else:
        answer = client.get("usage", project_id=args.project, start=args.start, end=args.end)
        wrapper, columns = "usage", ("project_id", *_COUNTED, *_TRAFFIC)
    found = members(answer, wrapper)
    if args.format == "json":
        print_json(found)
        return 0
    if args.start or args.end:
        columns = ("project_id", "at", *_COUNTED, *_TRAFFIC)
        found = [{**sample, "project_id": one["project_id"]} for one in found for sample in members(one, "samples")]
    print_table([column.upper() for column in columns], [[one.get(column) for column in columns] for one in found])
    return 0
