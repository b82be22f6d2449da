"""What can be typed after ``weft ipam``? Who gives out addresses, a check for authors of drivers, and files."""

import argparse
import importlib
import os
import sys
from pathlib import Path
from typing import Any

from controller.cli import ipam_files
from controller.cli.client import DEFAULT_URL, Client, CommandFailed, add_options
from controller.cli.importing import add_plan, send
from controller.cli.output import members, print_json, print_table


def add_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``ipam`` and its commands."""
    group = commands.add_parser("ipam", help="who gives out addresses, and all of them in one file")
    verbs = group.add_subparsers(title="commands", metavar="COMMAND", required=True)

    listing = verbs.add_parser("list", help="list the drivers subnets can have")
    listing.set_defaults(run=_list)
    add_options(listing)

    summary = "hold a driver against the contract, without a server"
    check = verbs.add_parser("check", help=summary, description=summary)
    check.add_argument("module", metavar="MODULE:CLASS", help="as an entry point names it")
    check.add_argument(
        "--setting", metavar="KEY=VALUE", action="append", default=[], help="what it is told; may be given again"
    )
    check.add_argument(
        "--cidr",
        default="198.51.100.0/27",
        help="a subnet that the service knows and nobody uses; every address of it is taken and given back "
        "(default: %(default)s)",
    )
    check.set_defaults(run=_check)

    summary = "write address scopes, subnet pools, networks, subnets, reservations and addresses into a file"
    export = verbs.add_parser("export", help=summary, description=summary)
    export.add_argument("--format", choices=("csv", "json"), default="csv", help="of the file (default: csv)")
    export.add_argument("--output", type=Path, metavar="FILE", help="where to (default: standard output)")
    export.add_argument("--url", default=os.environ.get("WEFT_URL") or DEFAULT_URL, help="the API")
    export.set_defaults(run=_export)

    summary = "store what such a file has: all of it, or nothing and what is wrong with each line"
    importing = verbs.add_parser("import", help=summary, description=summary)
    importing.add_argument("file", type=Path, metavar="FILE", help="CSV or JSON")
    add_plan(importing)
    add_options(importing)
    importing.set_defaults(run=_import)


def _list(args: argparse.Namespace) -> int:
    found: list[dict[str, Any]] = [dict(one) for one in members(Client(args.url).get("ipam-drivers"), "ipam_drivers")]
    if args.format == "json":
        print_json(found)
    else:
        names = ("name", "state", "version", "subnets", "unsettled_reservations", "late_addresses", "detail")
        rows = [["" if one[name] is None else one[name] for name in names] for one in found]
        print_table(["NAME", "STATE", "VERSION", "SUBNETS", "UNSETTLED", "LATE", "DETAIL"], rows)
    return 0


def _export(args: argparse.Namespace) -> int:
    client = Client(args.url)
    objects = {kind: list(client.pages(f"{kind}s".replace("_", "-"), f"{kind}s")) for kind in ipam_files.TYPES}
    text = ipam_files.write_csv(objects) if args.format == "csv" else ipam_files.write_json(objects)
    if args.output is None:
        sys.stdout.write(text)
        return 0
    try:
        args.output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise CommandFailed(f"--output {args.output}: {error.strerror}") from error
    return 0


def _import(args: argparse.Namespace) -> int:
    try:
        text = args.file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise CommandFailed(f"{args.file} cannot be read: {error}") from error
    return send(args, ipam_files.read(text))


def _check(args: argparse.Namespace) -> int:
    # The contract's imports are the server's; the other client commands do without them.
    from controller.errors import ConfigurationError  # noqa: PLC0415
    from controller.ipam_driver_errors import DriverRefused  # noqa: PLC0415
    from controller.ipam_drivers import compliance, registry  # noqa: PLC0415
    from ipam.addresses import Pool, parse_cidr, usable  # noqa: PLC0415
    from ipam.errors import IpamError  # noqa: PLC0415
    from ipam.remote import SubnetFacts  # noqa: PLC0415

    module, colon, name = args.module.partition(":")
    if not (module and colon and name):
        raise CommandFailed(f"'{args.module}' is not MODULE:CLASS, for example my_package.driver:MyDriver")
    try:
        factory = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise CommandFailed(f"cannot import {args.module}: {error}") from error
    settings = {key.replace("-", "_"): value for key, _, value in (one.partition("=") for one in args.setting)}
    try:
        cidr = parse_cidr(args.cidr)
        whole = usable(cidr)
        # Without the gateway's address, as a subnet that says nothing has its pool.
        pool = Pool(version=cidr.version, first=whole.first + 1, last=whole.last)
        service = registry.check(factory, str(getattr(factory, "name", name)))(settings)
        subnet = SubnetFacts(subnet_id="check", cidr=cidr, pools=(pool,))
        service.check_subnet(subnet)
        for sentence in compliance.check(compliance.of_service(service, subnet)):
            sys.stdout.write(f"ok: {sentence}\n")
    except (DriverRefused, ConfigurationError, IpamError) as refused:
        raise CommandFailed(str(refused)) from refused
    sys.stdout.write(f"{service.name} keeps the contract\n")
    return 0
