"""Which IPAM drivers did the operator enable, and what were they told? Words of the command line and of the file."""

import argparse
from collections.abc import Iterable

from controller import extension_points
from controller.errors import ConfigurationError
from controller.extension_points import Told

BUILT_IN = "built-in"
"""The driver that keeps addresses in Weft's own database; it is always there."""
NAMES = ("ipam_drivers", "ipam_default_driver")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags."""
    parser.add_argument(
        "--ipam-drivers",
        metavar="NAMES",
        help="services outside Weft that may give out addresses, for example netbox (default: none)",
    )
    parser.add_argument(
        "--ipam-default-driver",
        metavar="NAME",
        help=f"the driver of subnets that name none (default {BUILT_IN})",
    )
    parser.add_argument(
        "--ipam-setting",
        metavar="NAME.KEY=VALUE",
        action="append",
        help="what a driver is told, for example netbox.url=https://netbox.example; may be given again",
    )


def flags(names: Iterable[str], default: str, told: Told) -> list[str]:
    """Return the flags that say the same on another command line."""
    settings = extension_points.flags("ipam-setting", told)
    return [f"--ipam-drivers={','.join(names)}", f"--ipam-default-driver={default}", *settings]


def names_of(written: str | None, default: str) -> tuple[str, ...]:
    """Return the names of the drivers beside the built-in one.

    Raises:
        ConfigurationError: the default driver is not among them.
    """
    names = tuple(dict.fromkeys(name.strip() for name in (written or "").split(",") if name.strip()))
    if default not in {BUILT_IN, *names}:
        raise ConfigurationError(
            f"ipam-default-driver: {default!r} is not among the enabled drivers; add it to `ipam-drivers`"
        )
    return tuple(name for name in names if name != BUILT_IN)


def told_on_command_line(given: Iterable[str] | None) -> dict[str, dict[str, str]]:
    """Return what the flags say, by driver; raises as ``extension_points.told_on_command_line``."""
    return extension_points.told_on_command_line("ipam-setting", given)


def told_in_file(content: object) -> dict[str, dict[str, str]]:
    """Return what the table ``ipam`` of a configuration file says; raises as ``extension_points.told_in_file``."""
    return extension_points.told_in_file("ipam", "ipam-drivers", content)
