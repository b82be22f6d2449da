"""Who in the cluster does its work? Whoever takes up the number that Weft counts up (ovn-nb(5), NB_Global:nb_cfg).

::

    NB_Global:nb_cfg --(ovn-northd)--> SB_Global:nb_cfg --(ovn-controller)--> Chassis_Private:nb_cfg

A chassis whose machine died stays in the southbound database, and nothing else there tells that it is dead. One that
lags but gets on is alive. Nothing is judged where chassis are told not to report (NB_Global:options,
``enable_chassis_nb_cfg_update``).
"""

from collections.abc import Iterable, Mapping
from typing import Any

from controller.plugins.ovn.settings import HEARTBEAT_OFF

MISSED = 3
"""Beats that somebody may leave unanswered."""
NEVER = float("inf")
NORTHD = "ovn-northd"
Operation = dict[str, Any]
BEAT: Operation = {"op": "mutate", "table": "NB_Global", "where": [], "mutations": [["nb_cfg", "+=", 1]]}
"""RFC 7047 section 5.2.4; as ``ovn-nbctl --wait`` does, beside whom it may stand."""


class Heartbeat:
    """Counts up, and tells who no longer follows; owned by the engine's thread."""

    def __init__(self, interval_s: float) -> None:
        """Begin with everybody alive; `interval_s` is between beats, 0 is never."""
        self.due_at = NEVER
        """When somebody's patience ends, or the next beat is due (seconds of the monotonic clock)."""
        self.patience_s = MISSED * interval_s
        self._interval_s = interval_s
        self._next_beat = NEVER if interval_s == HEARTBEAT_OFF else 0.0
        self._reports: dict[str, int] = {}
        self._since: dict[str, float] = {}
        """Since when somebody owes an answer, by name."""
        self._silent: frozenset[str] = frozenset()
        """Who gave none when it was last looked at."""

    def beat(self, now: float) -> Operation | None:
        """Return what to write now, None between beats."""
        if now < self._next_beat:
            return None
        self._next_beat = now + self._interval_s
        return BEAT

    def presume(self, names: Iterable[str]) -> None:
        """Take it that some give no answer, as it was before nobody was asked, until they do."""
        self._silent |= frozenset(names)
        for name in self._silent:
            self._since[name] = -NEVER
            self._reports.pop(name, None)

    def silent(self, now: float, wanted: int | None, asked: int | None, reports: Mapping[str, int]) -> frozenset[str]:
        """Return the names of those who owe an answer for too long, ovn-northd among them.

        Args:
            now: seconds of the monotonic clock.
            wanted: the number in the northbound database, None while it is not known.
            asked: what ovn-northd has made of it in the southbound one, None while it is not known.
            reports: what each chassis has taken up, by its name.
        """
        if self._interval_s == HEARTBEAT_OFF or wanted is None or asked is None:
            self._since = dict.fromkeys(self._silent, -NEVER)  # the others' time begins anew
            self.due_at = _first_after(now, (self._next_beat,))
            return frozenset()
        self._note(now, {NORTHD: asked}, wanted)
        self._note(now, reports, asked)
        for name in self._since.keys() - reports.keys() - {NORTHD}:
            del self._since[name]
        ends = {name: since + self.patience_s for name, since in self._since.items()}
        self.due_at = _first_after(now, (self._next_beat, *ends.values()))
        self._silent = frozenset(name for name, end in ends.items() if end <= now)
        return self._silent

    def _note(self, now: float, reports: Mapping[str, int], wanted: int) -> None:
        for name, report in reports.items():
            if report == wanted:
                self._since.pop(name, None)
            elif name in self._reports and self._reports[name] != report:
                self._since[name] = now
            else:
                self._since.setdefault(name, now)
            self._reports[name] = report


def _first_after(now: float, times: Iterable[float]) -> float:
    return min((one for one in times if one > now), default=NEVER)
