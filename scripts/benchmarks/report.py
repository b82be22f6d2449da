"""What came out, against which floor and which goal? Values, and the two forms in which they are shown."""

import os
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from enum import Enum
from typing import Any


class Of(Enum):
    """Which number a goal is about."""

    VALUE = "{}"
    OVER = "floor + {}"
    RATIO = "{} x floor"


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """A number to be reached."""

    limit: float
    of: Of = Of.VALUE
    at_least: bool = False
    """False: the limit is not to be exceeded."""

    def __str__(self) -> str:
        """Return, for example, ``<= floor + 5``."""
        return f"{'>=' if self.at_least else '<='} {self.of.value.format(f'{self.limit:g}')}"

    def is_reached(self, value: float, floor: float | None) -> bool | None:
        """Whether a figure reaches it; None when it needs a floor that was not measured."""
        if self.of is not Of.VALUE and floor is None:
            return None
        base = floor or 0.0
        seen = {Of.VALUE: value, Of.OVER: value - base, Of.RATIO: value / base if base else float("inf")}[self.of]
        return seen >= self.limit if self.at_least else seen <= self.limit


def at_most(limit: float, of: Of = Of.VALUE) -> Goal:
    """Return the goal not to exceed something."""
    return Goal(limit=limit, of=of)


def at_least(limit: float, of: Of = Of.VALUE) -> Goal:
    """Return the goal to reach something."""
    return Goal(limit=limit, of=of, at_least=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One measured number."""

    name: str
    value: float
    unit: str
    floor: float | None = None
    """The same without Weft, in the same run."""
    goal: Goal | None = None
    note: str = ""
    load: float = field(default_factory=lambda: round(os.getloadavg()[0], 2))
    """Load average of the last minute when the figure was taken."""

    @property
    def reached(self) -> bool | None:
        """Whether the goal is reached; None without one."""
        return None if self.goal is None else self.goal.is_reached(self.value, self.floor)

    def as_json(self) -> dict[str, Any]:
        """Return everything, for machines."""
        ratio = round(self.value / self.floor, 3) if self.floor else None
        return asdict(self) | {"goal": str(self.goal) if self.goal else None, "ratio": ratio, "reached": self.reached}


def median(values: Sequence[float]) -> float:
    """Return the middle."""
    return statistics.median(values)


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value that `share` (0..1) of the values do not exceed; of few values, the greatest."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


SHORT = 1000
"""Numbers below it are shown with a fraction."""
_VERDICT = {True: "reached", False: "NOT reached", None: ""}
_HEAD = ("", "measured", "unit", "floor", "ratio", "goal", "", "load")


def table(figures: Sequence[Figure]) -> str:
    """Return the figures as aligned text, one a line, notes under them."""
    rows = [_HEAD, *(_row(figure) for figure in figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    lines = []
    for row, figure in zip(rows, [None, *figures], strict=True):
        cells = [
            cell.ljust(width) if column in (0, 2, 5, 6) else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
        if figure is not None and figure.note:
            lines.append(f"    {figure.note}")
    return "\n".join(lines)


def _row(figure: Figure) -> tuple[str, ...]:
    floor = "" if figure.floor is None else _number(figure.floor)
    ratio = f"{figure.value / figure.floor:.2f}" if figure.floor else ""
    goal = "" if figure.goal is None else str(figure.goal)
    verdict = _VERDICT[figure.reached]
    return figure.name, _number(figure.value), figure.unit, floor, ratio, goal, verdict, f"{figure.load:.1f}"


def _number(value: float) -> str:
    if value and abs(value) < 1:
        return f"{value:.3f}"
    return f"{value:.1f}" if abs(value) < SHORT else f"{value:,.0f}"
