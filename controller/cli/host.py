"""What can be typed after ``weft host``? Registering, looking at and removing hypervisors."""

import argparse
import os
import sys
import time
from collections.abc import Mapping

from controller.cli.client import Client, CommandFailed, add_options, add_plan
from controller.cli.output import member, members, print_fields, print_json, print_table
from controller.cli.plan import print_plan

_POLL_S = 0.2
_FLUSH_NOTE = (
    "note: its bridge loses the controller target now, and Open vSwitch then flushes the bridge's flows: "
    "the traffic of ports on this host stops."
)
"""ovs-vsctl(8), del-controller: seen to flush even a bridge with fail mode secure."""


def add_commands(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
) -> "argparse._SubParsersAction[argparse.ArgumentParser]":
    """Add ``host`` and its commands; returns where more can be added."""
    group = commands.add_parser("host", help="register and inspect hypervisors")
    verbs = group.add_subparsers(title="commands", metavar="COMMAND", required=True)

    add = verbs.add_parser("add", help="register a host by its OVSDB address")
    add.add_argument("name")
    add.add_argument("--ovsdb", required=True, metavar="ADDR", help="tcp:IP:PORT or unix:/PATH")
    add.add_argument("--tunnel-ip", metavar="IP", help="its tunnel endpoint")
    add.add_argument(
        "--physnet",
        action="append",
        default=[],
        type=_physnet,
        metavar="NAME:BRIDGE",
        help="a physical network and the bridge that leads to it; may be repeated",
    )
    add.add_argument("--zone", metavar="NAME", help="its availability zone (default nova)")
    add.add_argument("--datapath-type", choices=("system", "netdev"), default="system")
    add.add_argument(
        "--adopt",
        action=argparse.BooleanOptionalAction,
        help="take its bridge br-int although another controller or flows of others are there: both are removed",
    )
    add.add_argument("--wait", type=_seconds, metavar="SECONDS", help="wait until it is connected and programmed")
    add.set_defaults(run=_add)

    listing = verbs.add_parser("list", help="list the hosts")
    listing.set_defaults(run=_list)

    show = verbs.add_parser("show", help="show one host")
    show.add_argument("name", help="name or id")
    show.set_defaults(run=_show)

    remove = verbs.add_parser("remove", help="forget a host", description=f"Forget a host. {_FLUSH_NOTE}")
    remove.add_argument("name", help="name or id")
    remove.add_argument("--force", action="store_true", help="even while ports are bound to it")
    remove.set_defaults(run=_remove)

    check = verbs.add_parser(
        "check",
        help="try whether this machine's Open vSwitch does what Weft asks of one",
        description=(
            "Run as root on a host: makes a bridge and two namespaces of its own, gives the bridge the flows of two "
            "ports, lets them send, and removes everything. Existing bridges are not touched. Not tried: tunnels and "
            "DHCP."
        ),
    )
    check.add_argument("--datapath-type", choices=("system", "netdev"), default="system")
    check.add_argument("--database", metavar="ADDR", help="of Open vSwitch, as ovs-vsctl(8) takes it with --db")
    check.add_argument("--format", choices=("table", "json"), default="table", help="how to print (default: table)")
    check.set_defaults(run=_check)

    for parser in (add, remove):
        add_plan(parser)
    for parser in (add, listing, show, remove):
        add_options(parser)
    return verbs


def _physnet(text: str) -> dict[str, str]:
    name, colon, bridge = text.partition(":")
    if not (name and colon and bridge):
        raise argparse.ArgumentTypeError(f"'{text}' is not NAME:BRIDGE")
    return {"physical_network": name, "bridge": bridge}


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"'{text}' is not a number of seconds")
    return seconds


def _add(args: argparse.Namespace) -> int:
    client = Client(args.url, plan=args.plan)
    body: dict[str, object] = {
        "name": args.name,
        "ovsdb": args.ovsdb,
        "tunnel_ip": args.tunnel_ip,
        "datapath_type": args.datapath_type,
        "physnets": args.physnet,
    }
    if args.adopt is not None:
        body["adopt"] = args.adopt
    if args.zone is not None:
        body["availability_zone"] = args.zone
    made = client.post("hosts", body={"host": body})
    if args.plan:
        print_plan(made, args.format)
        return 0
    host = member(made, "host")
    if args.wait is not None:
        host = _wait(client, args.name, args.wait)
    _print(host, args.format)
    return 0


def _wait(client: Client, name: str, wait_s: float) -> Mapping[str, object]:
    """Return the host once it is UP; fail with what is missing after ``wait_s``."""
    deadline = time.monotonic() + wait_s
    while True:
        host = member(client.get("hosts", name), "host")
        if host.get("status") == "UP":
            return host
        if time.monotonic() >= deadline:
            raise CommandFailed(f"host {name} is stored, but not up after {wait_s:g} s: {missing(host)}")
        time.sleep(min(_POLL_S, max(0.0, deadline - time.monotonic())))


def missing(host: Mapping[str, object]) -> str:
    """Return what a host lacks to be UP, in words."""
    lacking = [
        words
        for key, words in (
            ("ovsdb_connected", f"its OVSDB server at {host.get('ovsdb')} is not connected"),
            ("openflow_connected", "its switch has not connected to the controller"),
            ("programmed", "its flows are not all confirmed"),
        )
        if not host.get(key)
    ]
    problem = host.get("problem")
    return "; ".join(lacking or ["it is not reported as up"]) + (f" ({problem})" if problem else "")


def _check(args: argparse.Namespace) -> int:
    # What it needs of the controller would cost every other command half a second.
    from controller.host_check.trial import findings  # noqa: PLC0415

    if os.geteuid() != 0:
        raise CommandFailed("weft host check makes a bridge and namespaces: run it as root, on the host to be tried")
    found = []
    for finding in findings(args.datapath_type, args.database):
        found.append(finding)
        if args.format == "table":
            sys.stdout.write(f"{'ok' if finding.ok else 'FAILED':6}  {finding.name:20} {finding.detail}\n")
            sys.stdout.flush()
    if args.format == "json":
        print_json([{"check": one.name, "ok": one.ok, "detail": one.detail} for one in found])
    return 0 if all(one.ok for one in found) else 1


def _list(args: argparse.Namespace) -> int:
    hosts = members(Client(args.url).get("hosts"), "hosts")
    if args.format == "json":
        print_json(hosts)
        return 0
    columns = ("name", "status", "ovsdb", "tunnel_ip", "datapath_type", "problem")
    headings = ("NAME", "STATUS", "OVSDB", "TUNNEL IP", "DATAPATH", "PROBLEM")
    print_table(headings, [[host.get(column) for column in columns] for host in hosts])
    return 0


def _show(args: argparse.Namespace) -> int:
    _print(member(Client(args.url).get("hosts", args.name), "host"), args.format)
    return 0


def _print(host: Mapping[str, object], form: str) -> None:
    if form == "json":
        print_json(host)
    else:
        print_fields(list(host.items()))


def _remove(args: argparse.Namespace) -> int:
    client = Client(args.url, plan=args.plan)
    removed = client.delete("hosts", args.name, force="true" if args.force else None)
    if args.plan:
        print_plan(removed, args.format)
        return 0
    if args.format == "json":
        print_json({"removed": args.name})
    else:
        sys.stdout.write(f"host {args.name} removed\n")
    sys.stderr.write(_FLUSH_NOTE + "\n")
    return 0
