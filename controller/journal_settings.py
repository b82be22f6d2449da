"""How much of the journal is kept? The operator's choice."""

import argparse

from controller.errors import ConfigurationError

NAME = "journal_keep"
DEFAULT = "1000000"
"""Some 100 MB: hours of the most writes a machine can take, years of a small cloud."""
_FLAG = f"--{NAME.replace('_', '-')}"
_LEAST = 10_000
"""Twice what a reader takes in at once (``controller.reconcile.feed``): who is merely behind must find its place."""
_MOST = 2**31 - 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flag."""
    parser.add_argument(
        _FLAG,
        metavar="CHANGES",
        help="the newest that the journal keeps; who has missed more reads the whole intent again, and many deletes on "
        f"a switch that was filled before wait for `weft reconcile --accept` (default {DEFAULT})",
    )


def flags(given: str) -> list[str]:
    """Return the flag that says the same on another command line."""
    return [f"{_FLAG}={given}"]


def parse(given: str | None) -> int:
    """Return the number of changes.

    Raises:
        ConfigurationError: it is no whole number, or too small for readers to keep up.
    """
    written = DEFAULT if given is None else given
    if not (written.isascii() and written.isdigit() and _LEAST <= int(written) <= _MOST):
        raise ConfigurationError(f"{NAME.replace('_', '-')}: {written!r} is no whole number from {_LEAST} to {_MOST}")
    return int(written)
