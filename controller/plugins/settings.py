"""Which plug-ins did the operator enable, and what were they told? Words of the command line and of the file."""

import argparse
from collections.abc import Iterable

from controller import extension_points
from controller.errors import ConfigurationError
from controller.extension_points import Told

DEFAULT = "openflow"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags."""
    parser.add_argument(
        "--enabled-plugins",
        metavar="NAMES",
        help=f"who realises networks, the preferred one first, for example openflow,ovn (default {DEFAULT})",
    )
    parser.add_argument(
        "--plugin-setting",
        metavar="NAME.KEY=VALUE",
        action="append",
        help="what a plug-in is told, for example ovn.northbound=tcp:192.0.2.1:6641; may be given again",
    )


def flags(names: Iterable[str], told: Told) -> list[str]:
    """Return the flags that say the same on another command line."""
    return [f"--enabled-plugins={','.join(names)}", *extension_points.flags("plugin-setting", told)]


def names_of(written: str) -> tuple[str, ...]:
    """Return the names in the operator's order.

    Raises:
        ConfigurationError: there is none.
    """
    names = tuple(dict.fromkeys(name.strip() for name in written.split(",") if name.strip()))
    if not names:
        raise ConfigurationError(f"enabled-plugins: name at least one, for example {DEFAULT}")
    return names


def told_on_command_line(given: Iterable[str] | None) -> dict[str, dict[str, str]]:
    """Return what the flags say, by plug-in; raises as ``extension_points.told_on_command_line``."""
    return extension_points.told_on_command_line("plugin-setting", given)


def told_in_file(content: object) -> dict[str, dict[str, str]]:
    """Return what the table ``plugins`` of a configuration file says; raises as ``extension_points.told_in_file``."""
    return extension_points.told_in_file("plugins", "enabled-plugins", content)
