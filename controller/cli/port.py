"""What can be typed after ``weft port``? Why a port has the status it has, and what its machine must know to boot."""

import argparse

from controller.cli.client import Client, add_options
from controller.cli.everyday.catalog import load
from controller.cli.everyday.names import Known, Names
from controller.cli.output import member, members, print_fields, print_json, print_table


def add_commands(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
) -> "argparse._SubParsersAction[argparse.ArgumentParser]":
    """Add ``port`` and its commands; returns where more can be added."""
    group = commands.add_parser("port", help="make, change and inspect ports")
    verbs = group.add_subparsers(title="commands", metavar="COMMAND", required=True)
    status = verbs.add_parser("status", help="say where a port is plugged, its state, and why it is not ACTIVE")
    _add_port(status)
    add_options(status)
    status.set_defaults(run=_status)
    _add_network_data(verbs)
    return verbs


def _add_port(parser: "argparse._ActionsContainer", **more: str) -> None:
    port = parser.add_argument("port", metavar="PORT", help="name or id", **more)  # type: ignore[arg-type]
    port.completer = Known("ports")  # type: ignore[attr-defined]  # argcomplete's documented way


def _add_network_data(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = verbs.add_parser(
        "network-data", help="print cloud-init's network_data.json of a port, or of all ports of a device"
    )
    which = parser.add_mutually_exclusive_group(required=True)
    _add_port(which, nargs="?")
    which.add_argument("--device", metavar="ID", help="device_id of the ports")
    parser.add_argument("--static", action="store_true", help="write every address out, also where there is DHCP")
    add_options(parser)
    parser.set_defaults(run=_network_data)


def _network_data(args: argparse.Namespace) -> int:
    client, static = Client(args.url), "true" if args.static else None
    if args.device is not None:
        document = client.get("network-data", device_id=args.device, static=static)
    else:
        document = client.get("ports", Names(client, load()).id("ports", args.port), "network-data", static=static)
    print_json(document)
    return 0


def _status(args: argparse.Namespace) -> int:
    client = Client(args.url)
    answer = client.get("ports", Names(client, load()).id("ports", args.port), "status")
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
