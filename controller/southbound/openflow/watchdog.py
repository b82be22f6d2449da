"""When is a silent or stuck peer dead, and when is it asked whether it lives?

Pure: the clock's value is a parameter.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How long and how much a connection waits for its peer."""

    idle_s: float = 2.5
    """Silence after which the peer is asked for an echo."""
    silent_s: float = 5.0
    """Silence after which the peer is dead."""
    stuck_s: float = 5.0
    """Time in which the peer must take at least one octet of what waits for it."""
    handshake_s: float = 10.0
    """Time in which the negotiation must be over."""
    backlog: int = 4 << 20
    """Octets that wait at most before writers wait, too."""


class Watchdog:
    """Keeps the times of one connection."""

    def __init__(self, limits: Limits, now: float) -> None:
        self._limits = limits
        self._began = self._heard = now
        self._asked = False

    def hear(self, now: float) -> None:
        """Note that something came from the peer."""
        self._heard, self._asked = now, False

    def timeout(self, now: float, waiting_since: float | None, *, negotiating: bool) -> float:
        """Return in how many seconds something may be due.

        Args:
            now: The clock.
            waiting_since: When the peer last took something of what waits for it; None when nothing waits.
            negotiating: Whether the negotiation goes on.
        """
        limits = self._limits
        due = self._heard + (limits.silent_s if self._asked else limits.idle_s)
        if waiting_since is not None:
            due = min(due, waiting_since + limits.stuck_s)
        if negotiating:
            due = min(due, self._began + limits.handshake_s)
        return max(0.0, due - now)

    def verdict(self, now: float, waiting_since: float | None, *, negotiating: bool) -> str | None:
        """Return why the peer is dead, or None while it is not; the arguments are those of `timeout`."""
        limits = self._limits
        if now - self._heard >= limits.silent_s:
            return f"silent for {limits.silent_s:g} s"
        if waiting_since is not None and now - waiting_since >= limits.stuck_s:
            return f"took no data for {limits.stuck_s:g} s"
        if negotiating and now - self._began >= limits.handshake_s:
            return f"negotiation not over after {limits.handshake_s:g} s"
        return None

    def wants_echo(self, now: float) -> bool:
        """Whether to ask for an echo now; true once a silence."""
        if self._asked or now - self._heard < self._limits.idle_s:
            return False
        self._asked = True
        return True
