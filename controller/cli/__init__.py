"""What can be typed after ``weft``? The console script: one parser, one module per group of commands.

``weft serve`` is the only command that runs a server, and its module is imported only when it is asked for, so that
the client commands start fast. For the same reason the verbs of a resource are added only when it is asked for.
"""

import argparse
import os
import sys
from collections.abc import Sequence

from controller.cli import (
    completion,
    container,
    flows,
    host,
    identity,
    importing,
    ipam,
    network,
    plugin,
    port,
    quota,
    reconcile,
    subnet,
    tag,
    trace,
    usage,
)
from controller.cli.client import CommandFailed
from controller.cli.everyday.catalog import load
from controller.cli.everyday.verbs import add_verbs
from controller.cli.parsing import Parser

FAILED = 1
"""Exit status when the server said no or could not be reached; argparse ends with 2 for a wrong command line."""
_BY_HAND = {
    "network": ("move",),
    "host": ("create", "list", "show", "delete"),
    "container": container.CONTAINER_VERBS,
    "container-flavor": container.FLAVOR_VERBS,
}
"""Verbs that are made elsewhere; of hosts, which are added and removed, only ``set`` is everyday."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    given = list(sys.argv[1:] if argv is None else argv)
    typed = completion.words(os.environ)
    parser = _parser(given if typed is None else typed)
    if typed is not None:
        completion.offer(parser)
    args = parser.parse_args(given)
    try:
        status: int = args.run(args)
    except CommandFailed as failure:
        sys.stderr.write(f"weft: {failure}\n")
        return FAILED
    except BrokenPipeError:
        # Whoever read our output has gone (`weft flows h1 | head`); nothing is left to say it to.
        sys.stderr.close()
        return FAILED
    except KeyboardInterrupt:
        return FAILED
    return status


def _parser(given: Sequence[str]) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = Parser(
        prog="weft", description="Isolated layer-2 networks across Open vSwitch hosts."
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_serve(commands, wanted=given[:1] == ["serve"])
    by_hand = {"host": host, "port": port, "network": network, "subnet": subnet}
    verbs = {noun: module.add_commands(commands) for noun, module in by_hand.items()}
    verbs |= container.add_commands(commands)
    flows.add_commands(commands)
    reconcile.add_commands(commands)
    trace.add_commands(commands)
    usage.add_commands(commands)
    quota.add_commands(commands)
    tag.add_commands(commands)
    plugin.add_commands(commands)
    ipam.add_commands(commands)
    importing.add_commands(commands)
    identity.add_commands(commands)
    completion.add_commands(commands)
    _add_everyday(commands, verbs, wanted=given[0] if given else "")
    return parser


def _add_everyday(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
    verbs: "dict[str, argparse._SubParsersAction[argparse.ArgumentParser]]",
    *,
    wanted: str,
) -> None:
    """Add every resource, and the verbs of the one that is wanted; commands made by hand stay as they are."""
    catalog = load()
    for noun, doc in catalog.nouns().items():
        group = verbs.get(noun)
        if group is None and noun not in commands.choices:
            parser = commands.add_parser(noun, help=doc.replace("%", "%%"), description=doc.replace("%", "%%"))
            group = (
                parser.add_subparsers(title="commands", metavar="COMMAND", required=True) if noun == wanted else None
            )
        if group is not None and noun == wanted:
            add_verbs(group, catalog.noun(noun), catalog, without=_BY_HAND.get(noun, ()))


def _add_serve(commands: "argparse._SubParsersAction[argparse.ArgumentParser]", *, wanted: bool) -> None:
    summary = "run the API and the controller"
    parser = commands.add_parser("serve", help=summary, description=summary)
    if wanted:
        # The server's imports would cost every client command a second.
        from controller.cli.serve import add_arguments, run  # noqa: PLC0415

        add_arguments(parser)
        parser.set_defaults(run=run)
