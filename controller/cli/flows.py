"""What does ``weft flows`` print? The live flows of a host, with owners and reasons."""

import argparse

from controller.cli.client import Client, add_options
from controller.cli.everyday.catalog import load
from controller.cli.everyday.names import Names
from controller.cli.output import members, print_json, print_table

_COLUMNS = ("table", "priority", "match", "actions", "owner", "why", "packets", "bytes")
_HEADINGS = ("TABLE", "PRIORITY", "MATCH", "ACTIONS", "OWNER", "REASON", "PACKETS", "BYTES")


def add_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``flows``."""
    parser = commands.add_parser("flows", help="print the live flows of a host, with owners and reasons")
    parser.add_argument("host", help="name or id")
    parser.add_argument("--port", metavar="PORT", help="only the flows of this port (name or id)")
    parser.add_argument("--network", metavar="NETWORK", help="only the flows of this network (name or id)")
    parser.add_argument("--table", metavar="NAME", help="only the flows of this table")
    add_options(parser)
    parser.set_defaults(run=_flows)


def _flows(args: argparse.Namespace) -> int:
    client = Client(args.url)
    names = Names(client, load())
    answer = client.get(
        "hosts",
        args.host,
        "flows",
        port_id=names.id("ports", args.port) if args.port else None,
        network_id=names.id("networks", args.network) if args.network else None,
        table=args.table,
    )
    flows = members(answer, "flows")
    if args.format == "json":
        print_json(flows)
    else:
        print_table(_HEADINGS, [[flow.get(column) for column in _COLUMNS] for flow in flows])
    return 0
