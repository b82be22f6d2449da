"""Which plug-ins did the operator enable, and what were they told? Words of the command line and of the file."""

import argparse
from collections.abc import Iterable, Mapping

from controller.errors import ConfigurationError

DEFAULT = "openflow"
Told = Mapping[str, Mapping[str, str]]
"""Settings by plug-in, as under ``[plugins.NAME]`` in the configuration file."""


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
    settings = [
        f"--plugin-setting={name}.{key}={told[name][key]}" for name in sorted(told) for key in sorted(told[name])
    ]
    return [f"--enabled-plugins={','.join(names)}", *settings]


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
    """Return what the flags say, by plug-in.

    Raises:
        ConfigurationError: one is not NAME.KEY=VALUE.
    """
    told: dict[str, dict[str, str]] = {}
    for setting in given or ():
        path, equals, value = setting.partition("=")
        name, dot, key = path.partition(".")
        if not (equals and dot and name and key):
            raise ConfigurationError(f"plugin-setting: {setting!r} is not NAME.KEY=VALUE")
        told.setdefault(name, {})[key.replace("-", "_")] = value
    return told


def told_in_file(content: object) -> dict[str, dict[str, str]]:
    """Return what the table ``plugins`` of a configuration file says, by plug-in.

    Raises:
        ConfigurationError: it is no table of tables of texts.
    """
    if not isinstance(content, dict):
        raise ConfigurationError("[plugins.NAME] must be a table, one for each plug-in; the list is `enabled-plugins`")
    told: dict[str, dict[str, str]] = {}
    for name, settings in content.items():
        if not isinstance(settings, dict) or not all(isinstance(value, str) for value in settings.values()):
            raise ConfigurationError(f"[plugins.{name}] must be a table whose values are strings")
        told[name] = {key.replace("-", "_"): value for key, value in settings.items()}
    return told


def together(first: Told, over: Told) -> dict[str, dict[str, str]]:
    """Return both, ``over`` where both say something."""
    return {name: {**first.get(name, {}), **over.get(name, {})} for name in {*first, *over}}
