"""Which IPAM drivers did the operator enable, and what were they told? Words of the command line and of the file."""

import argparse
from collections.abc import Iterable, Mapping

from controller.errors import ConfigurationError

BUILT_IN = "built-in"
"""The driver that keeps addresses in Weft's own database; it is always there."""
Told = Mapping[str, Mapping[str, str]]
"""Settings by driver, as under ``[ipam.NAME]`` in the configuration file."""
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
    settings = [f"--ipam-setting={name}.{key}={told[name][key]}" for name in sorted(told) for key in sorted(told[name])]
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
    """Return what the flags say, by driver.

    Raises:
        ConfigurationError: one is not NAME.KEY=VALUE.
    """
    told: dict[str, dict[str, str]] = {}
    for setting in given or ():
        path, equals, value = setting.partition("=")
        name, dot, key = path.partition(".")
        if not (equals and dot and name and key):
            raise ConfigurationError("ipam-setting: a value is not NAME.KEY=VALUE")  # its text may be a secret
        told.setdefault(name, {})[key.replace("-", "_")] = value
    return told


def told_in_file(content: object) -> dict[str, dict[str, str]]:
    """Return what the table ``ipam`` of a configuration file says, by driver.

    Raises:
        ConfigurationError: it is no table of tables of texts.
    """
    if not isinstance(content, dict):
        raise ConfigurationError("[ipam.NAME] must be a table, one for each driver; the list is `ipam-drivers`")
    told: dict[str, dict[str, str]] = {}
    for name, settings in content.items():
        if not isinstance(settings, dict) or not all(isinstance(value, str) for value in settings.values()):
            raise ConfigurationError(f"[ipam.{name}] must be a table whose values are strings")
        told[name] = {key.replace("-", "_"): value for key, value in settings.items()}
    return told
