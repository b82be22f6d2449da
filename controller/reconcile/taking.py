"""May Weft write on a host's bridge? Not before it is known whose the bridge is.

A bridge that is not there is made by Weft. One that Weft has configured bears its mark (``external_ids``), one that it
has programmed bears its cookies: whatever became of Weft's database meanwhile, both are Weft's. Any other is looked at
first, and refused as long as another controller or flows of others are on it, unless the host is to be adopted.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from threading import Thread
from typing import Protocol

from controller.records import Host, HostName
from controller.southbound.ovsdb.model import BridgeRow, HostView
from controller.southbound.survey import Survey

_log = logging.getLogger(__name__)

AGAIN_S = 15.0
"""Time between two looks at a bridge that is refused: whoever has it may have gone."""
SHOWN = 3
"""Flows of others that a refusal names."""


class Surveyor(Protocol):
    """Looks at a bridge, and may wait for it; see `controller.southbound.survey`."""

    def survey(self, ovsdb: str, bridge: str, datapath_id: int | None) -> Survey:
        """Return what others have there."""


@dataclass(slots=True)
class _Look:
    """A bridge that is looked at, or was."""

    bridge: str
    controllers: tuple[str, ...]
    """Of others."""
    asked_at: float
    is_under_way: bool = True
    problem: str | None = None


class Takings:
    """Which hosts' bridges Weft may write on; owned by the reconciler's thread, but for `is_refused`."""

    def __init__(
        self, surveyor: Surveyor, done: Callable[[HostName, Survey], None], monotonic: Callable[[], float]
    ) -> None:
        """Take who looks, who is told in the looking thread what was found, and a clock."""
        self._surveyor, self._done, self._monotonic = surveyor, done, monotonic
        self._taken: set[HostName] = set()
        self._looks: dict[HostName, _Look] = {}

    def may_write(self, host: Host, view: HostView, target: str) -> bool:
        """Whether a host's bridge is Weft's; if that is not known, somebody goes and looks.

        Args:
            host: The host.
            view: What its database says.
            target: The controller it is to have.
        """
        if host.name in self._taken:
            return True
        if not view.synced:
            return False
        row = view.bridge
        if row is None or row.marked or host.adopt:
            if row is not None and not row.marked:
                _log.warning("host_adopted host=%s controllers=%s", host.name, ",".join(row.others) or "none")
            self._take(host.name)
            return True
        self._look(host, row, tuple(other for other in row.others if other != target))
        return False

    def found(self, name: HostName, survey: Survey) -> bool:
        """Take in what a look found; whether that makes the bridge Weft's."""
        look = self._looks.get(name)
        if look is None or not look.is_under_way:
            return False
        look.is_under_way = False
        problem = None if survey.is_ours else _problem(look, survey)
        if problem is None:
            self._take(name)
            return True
        if problem != look.problem:
            _log.warning("host_refused host=%s reason=%r", name, problem)
        look.problem = problem
        return False

    def waiting(self) -> list[HostName]:
        """Return the hosts whose bridges are not Weft's yet."""
        return list(self._looks)

    def problem(self, name: HostName) -> str | None:
        """Return why nothing is written on a host's bridge, None when something is, or nobody knows yet."""
        look = self._looks.get(name)
        return None if look is None else look.problem

    def is_refused(self, name: HostName) -> bool:
        """Whether a host's bridge is known to be somebody else's; may be asked in any thread."""
        look = self._looks.get(name)
        return look is not None and look.problem is not None

    def forget(self, name: HostName) -> None:
        """Know nothing of a removed host."""
        self._taken.discard(name)
        self._looks.pop(name, None)

    def _take(self, name: HostName) -> None:
        self._taken.add(name)
        self._looks.pop(name, None)

    def _look(self, host: Host, row: BridgeRow, controllers: tuple[str, ...]) -> None:
        """Have a bridge looked at: at first, when its controllers are others, and again from time to time."""
        look, now = self._looks.get(host.name), self._monotonic()
        if look is not None and look.is_under_way:
            return
        if look is not None and look.controllers == controllers and now < look.asked_at + AGAIN_S:
            return
        before = None if look is None else look.problem
        self._looks[host.name] = _Look(bridge=row.name, controllers=controllers, asked_at=now, problem=before)

        def work() -> None:
            try:
                found = self._surveyor.survey(host.ovsdb, row.name, row.datapath_id)
            except Exception as error:  # noqa: BLE001 - whatever it was, it is told; else nobody would look again
                _log.exception("survey_failed host=%s", host.name)
                found = Survey(problem=f"an error in Weft: {error!r}")
            self._done(host.name, found)

        Thread(target=work, name=f"survey-{host.name}", daemon=True).start()


def _problem(look: _Look, survey: Survey) -> str | None:
    """Return why a bridge is not taken, None when nobody else is there."""
    found = []
    if look.controllers:
        found.append(f"has another controller ({', '.join(look.controllers)})")
    if survey.flows:
        shown = "; ".join(survey.flows[:SHOWN])
        more = f" and {len(survey.flows) - SHOWN} more" if len(survey.flows) > SHOWN else ""
        found.append(f"holds {len(survey.flows)} flows that are not Weft's ({shown}{more})")
    if survey.problem is not None:
        found.append(f"was there before Weft, and its flows cannot be read ({survey.problem})")
    if not found:
        return None
    return (
        f"bridge {look.bridge} {' and '.join(found)}: nothing was changed; remove what is there, "
        "or let Weft do it (weft host set HOST --adopt)"
    )
