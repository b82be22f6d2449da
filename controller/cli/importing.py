"""What can be typed after ``weft import``? Everything of an existing Neutron, with its ids."""

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from controller.cli.client import Client, CommandFailed, add_options
from controller.cli.neutron_source import Keystone, NeutronSource
from controller.cli.output import print_json

TIMEOUT_S = 900.0
"""All is stored in one transaction, some hundred objects a second."""


def add_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``import`` and its commands."""
    group = commands.add_parser("import", help="take over what another system has")
    verbs = group.add_subparsers(title="commands", metavar="COMMAND", required=True)
    summary = "take over networks, subnets, ports, security groups and address groups of a Neutron, with their ids"
    neutron = verbs.add_parser("neutron", help=summary, description=summary)
    neutron.add_argument("--from", dest="source", required=True, metavar="URL", help="the Neutron API that is read")
    neutron.add_argument("--token-file", type=Path, metavar="FILE", help="a token for it (default: $OS_TOKEN, if set)")
    neutron.add_argument(
        "--auth-url", metavar="URL", default=os.environ.get("OS_AUTH_URL"), help="Keystone, for --user"
    )
    neutron.add_argument("--user", metavar="NAME", help="who reads, with the password in $OS_PASSWORD")
    neutron.add_argument(
        "--project", metavar="NAME", default=os.environ.get("OS_PROJECT_NAME", "admin"), help="whose administrator"
    )
    neutron.add_argument("--user-domain", metavar="NAME", default=os.environ.get("OS_USER_DOMAIN_NAME", "Default"))
    neutron.add_argument(
        "--project-domain", metavar="NAME", default=os.environ.get("OS_PROJECT_DOMAIN_NAME", "Default")
    )
    add_plan(neutron)
    add_options(neutron)
    neutron.set_defaults(run=_neutron)


def add_plan(parser: argparse.ArgumentParser) -> None:
    """Add the option that stores nothing."""
    parser.add_argument("--plan", action="store_true", help="say what would be stored, and store nothing")


def send(args: argparse.Namespace, objects: Sequence[Mapping[str, Any]]) -> int:
    """Have objects stored, and print what became of them.

    Raises:
        CommandFailed: some cannot be; it names each.
    """
    asked = {"import": {"objects": list(objects), "plan": args.plan}}
    done: Any = Client(args.url, timeout_s=TIMEOUT_S).post("imports", body=asked)["import"]
    if args.format == "json":
        print_json(done)
        return 0
    verb = "would be created" if args.plan else "created"
    for kind in dict.fromkeys([*done["created"], *done["unchanged"]]):
        counts = f"{done['created'].get(kind, 0)} {verb}, {done['unchanged'].get(kind, 0)} there already"
        sys.stdout.write(f"{kind}: {counts}\n")
    for line in done["left_out"]:
        sys.stdout.write(f"left out: {line}\n")
    if done["ignored"]:
        sys.stdout.write(f"not taken over: {', '.join(done['ignored'])}\n")
    return 0


def _neutron(args: argparse.Namespace) -> int:
    return send(args, NeutronSource(args.source, token=_token(args), keystone=_keystone(args)).objects())


def _token(args: argparse.Namespace) -> str | None:
    if args.token_file is None:
        return os.environ.get("OS_TOKEN") or None
    try:
        token: str = args.token_file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise CommandFailed(f"--token-file {args.token_file}: {error}") from error
    return token


def _keystone(args: argparse.Namespace) -> Keystone | None:
    if args.user is None:
        return None
    password = os.environ.get("OS_PASSWORD")
    if args.auth_url is None or password is None:
        raise CommandFailed("--user needs --auth-url (or $OS_AUTH_URL) and the password in $OS_PASSWORD")
    return Keystone(
        url=args.auth_url,
        user=args.user,
        password=password,
        project=args.project,
        user_domain=args.user_domain,
        project_domain=args.project_domain,
    )
