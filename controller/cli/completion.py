"""How does the shell complete ``weft``? ``eval "$(weft completion bash)"``; names come from the server, if it runs."""

import argparse
import os
import shlex
import sys
from collections.abc import Mapping, Sequence

SHELLS = ("bash", "zsh")


def add_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``completion``."""
    summary = "print what makes a shell complete weft's commands, options and names"
    parser = commands.add_parser("completion", help=summary, description=f'{summary}: eval "$(weft completion bash)"')
    parser.add_argument("shell", choices=SHELLS)
    parser.set_defaults(run=_run)


def _run(args: argparse.Namespace) -> int:
    from argcomplete.shell_integration import shellcode  # noqa: PLC0415 - no other command needs it

    sys.stdout.write(shellcode(["weft"], shell=args.shell))
    return 0


def words(environ: Mapping[str, str]) -> Sequence[str] | None:
    """Return what is typed so far, when it is a shell that asks; None otherwise."""
    if "_ARGCOMPLETE" not in environ:
        return None
    line = environ.get("COMP_LINE", "")
    try:
        return shlex.split(line)[1:]
    except ValueError:  # a quote is still open
        return line.split()[1:]


def offer(parser: argparse.ArgumentParser) -> None:
    """Tell the shell what may come next, and end."""
    import argcomplete  # noqa: PLC0415 - no other command needs it

    argcomplete.autocomplete(parser, always_complete_options=False)
    os._exit(0)
