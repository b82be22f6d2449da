"""What in a switch is not as Weft left it, and when is it looked for?

Pure: the clock's value is a parameter. The switch's own words (`monitor`) only say that it is worth looking; what
drifted is what a read of the switch shows.
"""

from collections.abc import Collection, Iterator, Mapping

from controller.southbound.openflow import decode
from controller.southbound.openflow.encode import FlowId, cookie_of
from controller.southbound.openflow.events import Subject
from controller.southbound.openflow.mirror import Change, Holdings
from controller.southbound.openflow.monitor import Event, Update
from flows.cookie import OWNER_MARK

EXAMPLES = 10
"""Names that a report of drift bears at most."""
SETTLE_S = 0.1
"""Time between the first foreign change heard of and the look, so that those that come together are seen together."""
LOOK_S = 1.0
"""Least time between two looks, whatever is heard."""
LOOK_REST = 2.0
"""The rest after a look, in units of the time it took: reading 100,000 flows must not become all a worker does."""
AUDIT_S = 2.0
"""Time between two audits of a switch that does not tell of changes by itself."""
BELT_S = 10.0
"""The same for a switch that does."""
_NORMAL = bytes.fromhex("00000010fffffffa")
"""An output action to the reserved port NORMAL (OpenFlow 1.4 sections 7.2.4 and 7.2.1), wherever it is nested."""


def subjects(change: Change) -> Iterator[Subject]:
    """Yield what a change is about."""
    yield from change.flows
    yield from (("group", number) for number in change.groups)
    yield from (("meter", number) for number in change.meters)


def differences(desired: Holdings, installed: Holdings, change: Change, known: Collection[Subject]) -> Iterator[str]:
    """Yield what a change would repair, in words.

    Args:
        desired: What the switch was told.
        installed: What it holds.
        change: What leads from `installed` to `desired`.
        known: What is known to differ without drift: refused or withheld.
    """
    for flow, entry in change.flows.items():
        if flow not in known:
            kind = "added" if entry is None else "changed" if flow in installed.flows else "deleted"
            shown = installed.flows[flow] if entry is None else desired.flows[flow]
            yield f"flow cookie={cookie_of(shown):#x},{decode.flow_id_text(flow)} {kind}"
    for what, parts, had in (("group", change.groups, change.had_groups), ("meter", change.meters, change.had_meters)):
        for number, body in parts.items():
            if (what, number) not in known:
                kind = "added" if body is None else "changed" if number in had else "deleted"
                yield f"{what} {number} {kind}"


class Foreign:
    """The flows in a switch that are not Weft's."""

    def __init__(self) -> None:
        self._flows: dict[FlowId, bool] = {}
        self._bypassing = 0

    def __len__(self) -> int:
        """How many there are."""
        return len(self._flows)

    def __iter__(self) -> Iterator[FlowId]:
        """Yield what identifies each."""
        return iter(self._flows)

    def __contains__(self, flow: FlowId) -> bool:
        """Whether the flow there is not Weft's."""
        return flow in self._flows

    @property
    def bypassing(self) -> int:
        """How many stand in table 0, where Weft's pipeline begins, or forward by NORMAL, past it."""
        return self._bypassing

    @property
    def problem(self) -> str | None:
        """What is wrong with them as one sentence, or None."""
        if not self._bypassing:
            return None
        example = next(flow for flow, bypasses in self._flows.items() if bypasses)
        return (
            f"{self._bypassing} flows that are not Weft's stand in table 0 or forward by NORMAL, past its rules, such "
            f"as {decode.flow_id_text(example)}: remove them and whoever writes them"
        )

    def replace(self, installed: Mapping[FlowId, bytes]) -> list[FlowId]:
        """Take what was read from the switch; return the foreign flows in it."""
        self._flows = {flow: _bypasses(flow, entry) for flow, entry in installed.items() if not entry_is_ours(entry)}
        self._bypassing = sum(self._flows.values())
        return list(self._flows)

    def update(self, update: Update) -> None:
        """Take a change of one flow."""
        self.remove(update.flow)
        if update.event is not Event.REMOVED and not entry_is_ours(update.entry):
            self._flows[update.flow] = bypasses = _bypasses(update.flow, update.entry)
            self._bypassing += bypasses

    def remove(self, flow: FlowId) -> None:
        """Note that a flow is not foreign, or gone."""
        self._bypassing -= self._flows.pop(flow, False)


def entry_is_ours(entry: bytes) -> bool:
    """Whether a flow with these bytes is Weft's; asked of every flow of a switch, so it looks at one octet alone."""
    return entry[0] == OWNER_MARK  # the cookie comes first, and its owner mark first of all (flows.cookie)


def _bypasses(flow: FlowId, entry: bytes) -> bool:
    return flow[0] == 0 or _NORMAL in entry


class Pace:
    """When the switch is looked at: soon after a foreign change, but seldom; and audited now and then."""

    def __init__(self, audit_s: float, now: float) -> None:
        """Take the time between audits, and when the switch was brought up to date."""
        self._audit_s = audit_s
        self._audit_at = now + audit_s
        self._look_at: float | None = None
        self._rest_until = now

    @property
    def next_at(self) -> float:
        """When something is due."""
        return self._audit_at if self._look_at is None else min(self._look_at, self._audit_at)

    def hear(self, now: float) -> None:
        """Note that something of ours may have changed."""
        if self._look_at is None:
            self._look_at = max(now + SETTLE_S, self._rest_until)

    def is_look_due(self, now: float) -> bool:
        """Whether to read the switch."""
        return self._look_at is not None and now >= self._look_at

    def is_audit_due(self, now: float) -> bool:
        """Whether to count what the switch holds."""
        return now >= self._audit_at

    def looked(self, began: float, now: float) -> None:
        """Note that the switch was read as a whole."""
        self._look_at = None
        self._rest_until = began + max(LOOK_S, LOOK_REST * (now - began))
        self._audit_at = now + self._audit_s

    def wrote(self, now: float) -> None:
        """Note that the switch was changed by Weft; where every audit counts, the next one is the new base."""
        if self._audit_s < BELT_S:
            self._audit_at = now

    def audited(self, now: float) -> None:
        """Note that the switch was audited."""
        self._audit_at = now + self._audit_s
