"""How often is usage read, how often kept, and for how long? The operator's choice."""

import argparse
from collections.abc import Mapping
from dataclasses import dataclass

from controller.errors import ConfigurationError

_HELP: Mapping[str, tuple[str, str, int]] = {
    "usage_period": ("SECONDS", "between readings of the switches' port counters (default 60)", 1),
    "usage_sample": ("SECONDS", "between samples of what each project consumes (default 300)", 1),
    "usage_keep": ("DAYS", "for which samples are kept (default 30)", 1),
}
NAMES = tuple(_HELP)
_DAY_S = 86_400
_MOST = 10 * 365 * _DAY_S


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageSettings:
    """What was chosen, in seconds."""

    period_s: int = 60
    sample_s: int = 300
    keep_s: int = 30 * _DAY_S


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add a flag for each setting."""
    for name, (metavar, text, _) in _HELP.items():
        parser.add_argument(f"--{name.replace('_', '-')}", metavar=metavar, help=text)


def flags(settings: Mapping[str, str]) -> list[str]:
    """Return the flags that say the same on another command line."""
    return [f"--{name.replace('_', '-')}={settings[name]}" for name in NAMES]


def parse(given: Mapping[str, str | None]) -> UsageSettings:
    """Return the settings; what is not given is as usual.

    Raises:
        ConfigurationError: a value is no positive whole number; it names the setting.
    """
    usual = UsageSettings()
    return UsageSettings(
        period_s=_number(given, "usage_period") or usual.period_s,
        sample_s=_number(given, "usage_sample") or usual.sample_s,
        keep_s=_number(given, "usage_keep") * _DAY_S or usual.keep_s,
    )


def _number(given: Mapping[str, str | None], name: str) -> int:
    written = given.get(name)
    if written is None:
        return 0
    if not (written.isascii() and written.isdigit() and 1 <= int(written) <= _MOST):
        raise ConfigurationError(f"{name.replace('_', '-')}: {written!r} is no whole number from 1 on")
    return int(written)
