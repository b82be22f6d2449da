"""When did what happen, as the log of Weft tells it? The lines since some moment, by their events."""

import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from tests.lab.process import tail


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One event."""

    at: float
    """Seconds since 1970."""
    text: str

    def value(self, key: str) -> str:
        """Return what the event says of a key."""
        return self.text.partition(f" {key}=")[2].split()[0]


class Story:
    """What a log tells from now on."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._offset = log.stat().st_size

    def told(self, event: str) -> list[Line]:
        """Return the lines of an event so far."""
        with self._log.open() as log:
            log.seek(self._offset)
            found = [text for text in log if f" {event} " in f"{text.rstrip()} " and text[:4].isdigit()]
        return [Line(at=_instant(text), text=text.rstrip()) for text in found]

    def wait(self, event: str, count: int, timeout_s: float) -> list[Line]:
        """Wait until an event was told so often; return its lines.

        Raises:
            TimeoutError: It was not.
        """
        deadline = time.monotonic() + timeout_s
        while len(found := self.told(event)) < count:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{event}: {len(found)} of {count} in {timeout_s:g} s\n{tail(self._log)}")
            time.sleep(0.05)
        return found


def _instant(text: str) -> float:
    """Return when a line was written: local time with milliseconds (logging.Formatter, asctime)."""
    return datetime.strptime(text[:23], "%Y-%m-%d %H:%M:%S,%f").timestamp()  # noqa: DTZ007
