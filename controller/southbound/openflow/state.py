"""What is known of a switch now?"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class SwitchState:
    """A moment of one switch's worker."""

    connected: bool
    synced: bool
    """It was read in this connection, and everything but `pending` changes and refused messages is in it."""
    pending: int
    """Tokens given and not reported yet."""
    sent: int
    """Flow, group and meter modifications ever sent."""
    foreign_flows: int
    """Flows in it that are not Weft's, as last read or told by the switch."""
    foreign_normal: int
    """Those of them that stand in table 0 or forward by NORMAL."""
    drift_count: int
    """Flows, groups and meters ever found changed behind Weft's back."""
    drift_examples: tuple[str, ...]
    """Some of those found last, as text."""
    withheld: int
    """Flows and groups in it that nobody desires and no change explains; `Switch.accept` deletes them."""
    problem: str | None
    """What somebody has to decide or do, in one sentence."""
    features: Mapping[str, object]
