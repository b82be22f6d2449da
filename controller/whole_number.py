"""How is a setting that is a whole number given to ``weft serve``, and by it to a process of its own?"""

import argparse
from dataclasses import dataclass

from controller.errors import ConfigurationError


@dataclass(frozen=True, slots=True, kw_only=True)
class WholeNumber:
    """One such setting."""

    name: str
    default: str
    least: int
    most: int
    unit: str
    """What stands for the value in a help text."""
    help: str

    @property
    def flag(self) -> str:
        """What it is called on a command line."""
        return f"--{self.name.replace('_', '-')}"

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add the flag."""
        parser.add_argument(self.flag, metavar=self.unit, help=f"{self.help} (default {self.default})")

    def flags(self, given: str) -> list[str]:
        """Return the flag that says the same on another command line."""
        return [f"{self.flag}={given}"]

    def parse(self, given: str | None) -> int:
        """Return the number.

        Raises:
            ConfigurationError: it is no whole number, or out of range.
        """
        written = self.default if given is None else given
        if not (written.isascii() and written.isdigit() and self.least <= int(written) <= self.most):
            name = self.flag.removeprefix("--")
            raise ConfigurationError(f"{name}: {written!r} is no whole number from {self.least} to {self.most}")
        return int(written)
