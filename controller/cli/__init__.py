"""What can be typed after ``weft``? The console script: one parser, one module per group of commands.

``weft serve`` is the only command that runs a server, and its module is imported only when it is asked for, so that
the client commands start fast.
"""

import argparse
import sys
from collections.abc import Sequence

from controller.cli import flows, host, port, reconcile, trace
from controller.cli.client import CommandFailed

FAILED = 1
"""Exit status when the server said no or could not be reached; argparse ends with 2 for a wrong command line."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    given = list(sys.argv[1:] if argv is None else argv)
    parser = argparse.ArgumentParser(prog="weft", description="Isolated layer-2 networks across Open vSwitch hosts.")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    _add_serve(commands, wanted=given[:1] == ["serve"])
    host.add_commands(commands)
    port.add_commands(commands)
    flows.add_commands(commands)
    reconcile.add_commands(commands)
    trace.add_commands(commands)
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


def _add_serve(commands: "argparse._SubParsersAction[argparse.ArgumentParser]", *, wanted: bool) -> None:
    summary = "run the API and the controller"
    parser = commands.add_parser("serve", help=summary, description=summary)
    if wanted:
        # The server's imports would cost every client command a second.
        from controller.cli.serve import add_arguments, run  # noqa: PLC0415

        add_arguments(parser)
        parser.set_defaults(run=run)
