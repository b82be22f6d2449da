"""What became of a transaction?"""

from dataclasses import dataclass
from enum import Enum


class Outcome(Enum):
    """What became of a transaction."""

    PENDING = "pending"
    DONE = "done"
    AGAIN = "again"
    """The connection was lost, or the leader changed: whether it was done shows when the replica is whole again."""
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Result:
    """An outcome, and the server's words when it refused."""

    outcome: Outcome
    error: str = ""
