"""How is a connected switch read and told, so that every message is known to be in or refused?

A commit succeeds without the messages that were refused when they were put into the bundle, and fails as a whole when
one of them fails while it is executed. So before each commit a barrier, a look for errors; after a failed one, once
more without the message at fault.
"""

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from controller.southbound.openflow import decode, dump, features
from controller.southbound.openflow.connection import Connection
from controller.southbound.openflow.encode import cookie_of
from controller.southbound.openflow.errors import RequestRefusedError
from controller.southbound.openflow.events import Refusal
from controller.southbound.openflow.messages import Messages
from controller.southbound.openflow.mirror import Holdings
from controller.southbound.openflow.plan import METER_VERBS, FlowMod, Mod, Step
from controller.southbound.openflow.replies import Waiting, Watch

FILLED_AHEAD = 1
"""Bundles that are filled while the one before them is committed, so that the switch never waits for the next."""
COMMIT_TRIES = 3
"""Failed commits of one bundle after which its messages go without one, each on its own."""
UNACKNOWLEDGED = (1, 17, 47, 50, 58, 132)
"""IP protocols whose streams may go on in one direction alone: ICMP, UDP, GRE, ESP, ICMPv6 and SCTP.

TCP is not among them, on purpose: its acknowledgements are asked again and mark the connection, whereas conntrack would
pick up a forgotten one in the middle, perhaps with the wrong end as the one that began it.
"""


@dataclass(slots=True)
class _Staged:
    """A bundle that is filled; `committed` is set when its commit was sent."""

    bundle: int
    mods: tuple[Mod, ...]
    watch: Watch
    opened: Waiting
    filled: Waiting
    tries: int
    committed: Waiting | None = None
    refused_early: int = 0
    """How many of its messages were refused before the commit."""


class Session:
    """What a worker says to a switch over one connection; used by one thread."""

    def __init__(self, connection: Connection, messages: Messages, deadline_s: float) -> None:
        self.connection = connection
        self._messages, self._deadline_s = messages, deadline_s
        self._replies = connection.replies
        self._bundle = 0
        self.numbers_are_proved = False
        """The switch's ports have the numbers that the desired flows count on."""
        self.sent = 0
        """Flow, group and meter modifications sent."""

    # reading ----------------------------------------------------------------------------------------------------------

    def describe(self) -> Mapping[str, object]:
        """Return what the switch is and can do; see `features.read`. Raises UnavailableError.

        A restarted switch has forgotten how it is to treat fragments, so it is told first.
        """
        messages = self._messages
        self.connection.write(messages.see_fragments(0))
        return features.read(
            self.connection.n_tables,
            self._optional(messages.describe, "description"),
            self._optional(messages.meter_features, "meter features request"),
            self._optional(messages.group_features, "group features request"),
        )

    def devices(self) -> Mapping[int, str]:
        """Return the device name of each OpenFlow number, now; raises as `read`."""
        return dump.devices(self._wait(self._ask(self._messages.describe_ports), "port description"))

    def read(self) -> Holdings:
        """Return everything the switch holds.

        Raises:
            UnavailableError: The switch did not answer.
            FramingError: Its answer makes no sense.
        """
        flows = self._ask(self._messages.dump_flows)
        groups = self._ask(self._messages.dump_groups)
        return Holdings(
            flows=dump.flow_entries(self._wait(flows, "flow dump")),
            groups=dump.group_bodies(self._wait(groups, "group dump")),
            meters=dump.meter_bodies(self._optional(self._messages.dump_meters, "meter dump")),
        )

    def count(self) -> int:
        """Return how many flows the switch holds, whoever made them, 0 when it does not say; raises as `read`."""
        return dump.flow_count(self._optional(self._messages.count_flows, "table statistics request"))

    def read_parts(self) -> Holdings:
        """Return the groups and meters alone; raises as `read`."""
        groups = self._ask(self._messages.dump_groups)
        return Holdings(
            groups=dump.group_bodies(self._wait(groups, "group dump")),
            meters=dump.meter_bodies(self._optional(self._messages.dump_meters, "meter dump")),
        )

    def listen(self) -> bool:
        """Ask to be told of changes that others make; whether the switch will tell all of them.

        Raises:
            UnavailableError: The switch did not answer.
        """
        watch = self._replies.watch(1)
        try:
            self.connection.write(self._messages.forward_requests(watch.first))
            self._wait(self._ask(self._messages.monitor_flows), "flow monitor request")
        except RequestRefusedError:
            return False
        finally:
            self._replies.unwatch(watch)
        return not watch.errors

    def _ask(self, build: Callable[[int], bytes]) -> Waiting:
        waiting = self._replies.expect()
        self.connection.write(build(waiting.xid))
        return waiting

    def _wait(self, waiting: Waiting, what: str) -> list[bytes]:
        return self._replies.wait(waiting, what, self._deadline_s)

    def _optional(self, build: Callable[[int], bytes], what: str) -> list[bytes]:
        """Ask for what a switch may not have; nothing when it says so."""
        try:
            return self._wait(self._ask(build), what)
        except RequestRefusedError:
            return []

    # telling ----------------------------------------------------------------------------------------------------------

    def push(self, steps: Iterable[Step]) -> list[Refusal]:
        """Send the steps and wait until all of them are confirmed.

        Bundles overlap: while one is made and sent, the switch fills the one before and commits the one before that.
        A bundle is committed only when the one before it is known to be in. The steps are taken as they are needed.

        Returns:
            What the switch refused; everything else is in.

        Raises:
            UnavailableError: The switch did not answer; what is in must be read.
        """
        refusals: list[Refusal] = []
        staged: deque[_Staged] = deque()
        try:
            for step in steps:
                if step.bundled:
                    staged.append(self._stage(step.mods))
                    refusals += self._advance(staged, FILLED_AHEAD)
                while len(staged) > (1 + FILLED_AHEAD if step.bundled else 0):
                    refusals += self._advance(staged)
                if not step.bundled:
                    refusals += self._send_plain(step.mods)
            while staged:
                refusals += self._advance(staged)
        finally:
            for left in staged:
                self._replies.unwatch(left.watch)
        return refusals

    def _advance(self, staged: deque[_Staged], ahead: int = 0) -> list[Refusal]:
        """Wait for the commit that is under way, and send the next one's if more than `ahead` bundles are filled."""
        refusals = self._finish(staged) if staged[0].committed is not None else []
        if len(staged) > ahead:
            self._commit(staged[0])
        return refusals

    def flush(self, zones: Iterable[int], revoked: Iterable[int]) -> list[Refusal]:
        """Empty conntrack zones, those of `revoked` but for TCP, and wait until that is done; raises as `push`.

        Returns:
            What the switch refused.
        """
        told = [(zone, "", partial(self._messages.flush_zone, zone=zone)) for zone in sorted(zones)]
        for zone in sorted(revoked):
            for protocol in UNACKNOWLEDGED:
                message = partial(self._messages.flush_protocol, zone=zone, protocol=protocol)
                told.append((zone, f" protocol {protocol}", message))
        errors = self._confirmed([message for *_, message in told])
        return [
            Refusal(f"flush conntrack zone {told[at][0]}{told[at][1]}", None, error) for at, error in errors.items()
        ]

    def _stage(self, mods: tuple[Mod, ...], tries: int = 0) -> _Staged:
        """Open a bundle and fill it."""
        messages = self._messages
        self._bundle += 1
        opened, watch, filled = self._replies.expect(), self._replies.watch(len(mods)), self._replies.expect()
        told = (mod.message(messages, xid) for xid, mod in enumerate(mods, start=watch.first))
        self.connection.write(
            b"".join(
                (
                    messages.open_bundle(opened.xid, self._bundle),
                    *messages.bundled(self._bundle, told),
                    messages.barrier(filled.xid),
                )
            )
        )
        self.sent += len(mods)
        return _Staged(self._bundle, mods, watch, opened, filled, tries)

    def _commit(self, staged: _Staged) -> None:
        """Send the commit of a bundle when the switch has taken or refused all its messages."""
        self._wait(staged.filled, "barrier")  # the last to be answered: one wait for both
        self._wait(staged.opened, "bundle to be opened")
        staged.refused_early = len(staged.watch.errors)
        staged.committed = self._ask(lambda xid: self._messages.commit_bundle(xid, staged.bundle))

    def _finish(self, queue: deque[_Staged]) -> list[Refusal]:
        """Take the first bundle, whose commit was sent, from the queue; when it failed, put the rest of it there."""
        staged = queue[0]
        committed = staged.committed is not None and self._is_in(staged.committed)
        queue.popleft()
        self._replies.unwatch(staged.watch)
        refusals = [_refusal(staged.mods[xid - staged.watch.first], e) for xid, e in staged.watch.errors.items()]
        if committed:
            return refusals
        rest = tuple(m for xid, m in enumerate(staged.mods, staged.watch.first) if xid not in staged.watch.errors)
        if not rest:
            return refusals
        if staged.tries + 1 >= COMMIT_TRIES or len(staged.watch.errors) == staged.refused_early:
            return refusals + self._send_plain(rest)
        queue.appendleft(self._stage(rest, staged.tries + 1))
        return refusals

    def _is_in(self, committed: Waiting) -> bool:
        """Whether a commit succeeded. One that fails changes nothing (OpenFlow 1.4 section 6.8)."""
        try:
            self._wait(committed, "bundle commit")
        except RequestRefusedError:
            return False
        return True

    def _send_plain(self, mods: tuple[Mod, ...]) -> list[Refusal]:
        """Send modifications without a bundle, each on its own."""
        self.sent += len(mods)
        errors = self._confirmed([partial(mod.message, self._messages) for mod in mods])
        return [_refusal(mods[at], error) for at, error in errors.items()]

    def _confirmed(self, told: Sequence[Callable[[int], bytes]]) -> dict[int, str]:
        """Send messages, each made with its transaction id, and a barrier; return the errors by place in `told`."""
        watch, barrier = self._replies.watch(len(told)), self._replies.expect()
        try:
            parts = [tell(xid) for xid, tell in enumerate(told, start=watch.first)]
            self.connection.write(b"".join([*parts, self._messages.barrier(barrier.xid)]))
            self._wait(barrier, "barrier")
        finally:
            self._replies.unwatch(watch)
        return {xid - watch.first: error for xid, error in watch.errors.items()}


def _refusal(mod: Mod, error: str) -> Refusal:
    if isinstance(mod, FlowMod):
        if not mod.entry:
            return Refusal(f"{mod.verb.value} {decode.flow_id_text(mod.id)}", None, error, mod.id)
        what = f"{mod.verb.value} {decode.flow_text(mod.id, mod.entry[8:])}"
        return Refusal(what, cookie_of(mod.entry), error, mod.id)
    kind = "meter" if mod.verb in METER_VERBS else "group"
    return Refusal(f"{mod.verb.value} {mod.id}", None, error, (kind, mod.id))
