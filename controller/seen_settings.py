"""How long is an address taken for used after somebody was last seen with it? The operator's choice."""

import argparse

from controller.errors import ConfigurationError

NAME = "seen_addresses_keep"
DEFAULT = "86400"
"""A day: as long as a DHCP lease, so that a machine that is switched off over night keeps its address."""
_FLAG = f"--{NAME.replace('_', '-')}"
_MOST = 10 * 365 * 86_400


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flag."""
    parser.add_argument(
        _FLAG,
        metavar="SECONDS",
        help="for which an address is not given out after somebody who is no port was last seen with it "
        f"(default {DEFAULT})",
    )


def flags(given: str) -> list[str]:
    """Return the flag that says the same on another command line."""
    return [f"{_FLAG}={given}"]


def parse(given: str | None) -> int:
    """Return the seconds.

    Raises:
        ConfigurationError: it is no positive whole number.
    """
    written = DEFAULT if given is None else given
    if not (written.isascii() and written.isdigit() and 1 <= int(written) <= _MOST):
        raise ConfigurationError(f"{NAME.replace('_', '-')}: {written!r} is no whole number from 1 on")
    return int(written)
