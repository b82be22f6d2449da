"""What is wrong with a template, and where? One problem names its path, and its line where the source is YAML."""

from collections.abc import Sequence
from dataclasses import dataclass

Path = tuple[str | int, ...]
"""From the top of a template to a place in it."""
MOST_SHOWN = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong."""

    path: Path
    message: str
    line: int | None = None
    """From 1, where the template was text."""
    column: int | None = None

    def __str__(self) -> str:
        """Return, for example, ``resources.web.properties.cidr (line 7, column 13): ...``."""
        place = dotted(self.path) or "template"
        at = "" if self.line is None else f" (line {self.line}, column {self.column})"
        return f"{place}{at}: {self.message}"


class TemplateError(Exception):
    """A template cannot be used, or not with these values."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        shown = [str(problem) for problem in self.problems[:MOST_SHOWN]]
        left = len(self.problems) - len(shown)
        super().__init__("; ".join([*shown, *([f"and {left} more"] if left else [])]))


def wrong(path: Path, message: str) -> TemplateError:
    """Return the error of one problem."""
    return TemplateError([Problem(path=path, message=message)])


def dotted(path: Path) -> str:
    """Return a path as it is written.

    >>> dotted(("resources", "web", 2, "properties", "cidr"))
    'resources.web[2].properties.cidr'
    """
    text = ""
    for step in path:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text
