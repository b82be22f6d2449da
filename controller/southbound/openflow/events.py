"""What does a switch's worker report?

Tokens are the caller's own; they come back in the order in which they were given.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Refusal:
    """One message the switch did not accept."""

    what: str
    """The flow, group or meter as text."""
    cookie: int | None
    """The flow's cookie; None for a group or a meter."""
    error: str
    """The OpenFlow error by its name in the specification."""

    def __str__(self) -> str:
        """Say what was refused and why."""
        return f"{self.what}: refused by the switch: {self.error}"


@dataclass(frozen=True, slots=True)
class Connected:
    """A connection is up; the switch has not been compared yet."""


@dataclass(frozen=True, slots=True)
class Disconnected:
    """The connection is gone."""


@dataclass(frozen=True, slots=True)
class Synced:
    """The switch was read, and everything up to `token` is in it, confirmed by barriers."""

    token: object


@dataclass(frozen=True, slots=True)
class Applied:
    """The change `token` is in the switch, confirmed."""

    token: object


@dataclass(frozen=True, slots=True)
class Failed:
    """Everything up to `token` was sent; all but `refusals` is in the switch."""

    token: object
    refusals: tuple[Refusal, ...]


SwitchEvent = Connected | Disconnected | Synced | Applied | Failed
