"""What can be typed after ``weft plugin``? The capability directory, and a check for authors of plug-ins."""

import argparse
import importlib
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from controller.cli.client import Client, CommandFailed, add_options
from controller.cli.output import member, members, print_fields, print_json, print_table


def add_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``plugin`` and its commands."""
    group = commands.add_parser("plugin", help="what realises networks, and what it can do")
    verbs = group.add_subparsers(title="commands", metavar="COMMAND", required=True)

    listing = verbs.add_parser("list", help="list the plug-ins in the order in which they are asked")
    listing.set_defaults(run=_list)
    show = verbs.add_parser("show", help="show what one can do, what it cannot and why, and its hosts")
    show.add_argument("name")
    show.set_defaults(run=_show)
    for parser in (listing, show):
        add_options(parser)

    summary = "hold a plug-in against the contract, without a server"
    check = verbs.add_parser("check", help=summary, description=summary)
    check.add_argument("module", metavar="MODULE:CLASS", help="as an entry point names it")
    check.add_argument(
        "--setting", metavar="KEY=VALUE", action="append", default=[], help="what it is told; may be given again"
    )
    check.set_defaults(run=_check)


def _list(args: argparse.Namespace) -> int:
    found: list[dict[str, Any]] = [dict(one) for one in members(Client(args.url).get("plugins"), "plugins")]
    if args.format == "json":
        print_json(found)
    else:
        rows = [
            [one["name"], one["state"], one["version"] or "", ", ".join(one["network_types"]), one["detail"]]
            for one in found
        ]
        print_table(["NAME", "STATE", "VERSION", "NETWORK TYPES", "DETAIL"], rows)
    return 0


def _show(args: argparse.Namespace) -> int:
    found: dict[str, Any] = dict(member(Client(args.url).get("plugins", args.name), "plugin"))
    if args.format == "json":
        print_json(found)
        return 0
    features, missing = found.pop("features"), found.pop("missing")
    print_fields(list(found.items()))
    rows = [[one["feature"], "yes", one["limit"]] for one in features]
    rows += [[one["feature"], "no", one["reason"]] for one in missing]
    print_table(["FEATURE", "", "LIMIT OR REASON"], rows)
    return 0


def _check(args: argparse.Namespace) -> int:
    # The contract's imports are the server's; the other client commands do without them.
    from controller.errors import ConfigurationError  # noqa: PLC0415
    from controller.plugin_errors import PluginRefused  # noqa: PLC0415
    from controller.plugins.compliance import findings  # noqa: PLC0415
    from controller.plugins.registry import Loaded, check, check_advertisement  # noqa: PLC0415

    module, colon, name = args.module.partition(":")
    if not (module and colon and name):
        raise CommandFailed(f"'{args.module}' is not MODULE:CLASS, for example my_package.plugin:MyPlugin")
    try:
        factory = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise CommandFailed(f"cannot import {args.module}: {error}") from error
    settings = dict(setting.partition("=")[::2] for setting in args.setting)
    try:
        check(factory, str(getattr(factory, "name", name)))
        made = factory(settings)
        advertised = check_advertisement(factory.name, made.advertise())
    except (PluginRefused, ConfigurationError) as refused:
        raise CommandFailed(str(refused)) from refused
    with TemporaryDirectory(prefix="weft-check-") as directory:
        loaded = Loaded(plugin=made, advertisement=advertised, distribution="")
        found = list(findings(loaded, Path(directory)))
    for finding in found:
        sys.stdout.write(f"{factory.name}: {finding}\n")
    if found:
        raise CommandFailed(f"{factory.name} does not keep the contract in {len(found)} points")
    sys.stdout.write(f"{factory.name} keeps the contract: {', '.join(advertised.network_types)}\n")
    return 0
