"""What does a switch's worker report?

Tokens are the caller's own; they come back in the order in which they were given.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from controller.southbound.openflow.encode import FlowId  # the bytes are not needed to speak of what was refused

Subject: TypeAlias = "FlowId | tuple[str, int]"
"""What a message was about: a flow's id, or ``group`` or ``meter`` and its number."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """One message the switch did not accept."""

    what: str
    """The flow, group or meter as text."""
    cookie: int | None
    """The flow's cookie; None for a group or a meter."""
    error: str
    """The OpenFlow error by its name in the specification."""
    subject: "Subject | None" = field(default=None, compare=False, repr=False)
    """What the message was about; None when it was never sent."""

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


@dataclass(frozen=True, slots=True)
class Drifted:
    """The switch was not as Weft had left it; the repair follows, reported by `Synced` or `Failed`."""

    count: int
    examples: tuple[str, ...]
    """What drifted, some of it, as text."""


@dataclass(frozen=True, slots=True)
class Withheld:
    """Flows and groups that are not desired were left in the switch, until somebody accepts that they go."""

    deletes: int
    installed: int
    """Weft's flows in the switch before."""
    why: str
    """Why nothing explains these deletes."""


SwitchEvent = Connected | Disconnected | Synced | Applied | Failed | Drifted | Withheld
