"""How does one conversation with an OVSDB server go? RFC 7047 section 4: bytes in, bytes out, time given, no sockets.

    open -> monitor_cond -> reply: synced -> update2*, transact/reply*, echo*  -> PeerError: give the connection up
         -> refused: monitor -> reply: synced -> update*, ...

monitor_cond (ovsdb-server(7) section 4.1.12, Open vSwitch 2.6 and later) tells of a set what joined and what left it;
monitor (RFC 7047 section 4.1.5) sends it whole, so that one plug among 10,000 costs 10,000 references.

One connection carries monitor and transactions, so the server's update for a transaction of ours comes before its reply
to it, and losing the connection settles everything that was unknown: the next session reads what is there.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from controller.southbound.ovsdb.draft import Operation
from controller.southbound.ovsdb.errors import PeerError
from controller.southbound.ovsdb.framing import Framer
from controller.southbound.ovsdb.records import COLUMNS
from controller.southbound.ovsdb.replica import Replica

DATABASE = "Open_vSwitch"
PROBE_AFTER_S = 2.0
"""Silence after which an echo is asked for (RFC 7047 section 4.1.11)."""
DEAD_AFTER_S = 5.0
"""Silence after which the peer counts as dead."""
TRANSACTION_TIMEOUT_S = 5.0
"""A transaction unanswered for so long has an unknown outcome: read again."""
MAX_BACKLOG_BYTES = 64 * 1024 * 1024
"""A peer that takes nothing while we must answer it is given up."""

_MONITOR_COND_ID = "monitor_cond"
_MONITOR_ID = "monitor"
_ECHO_ID = "echo"
_UNKNOWN_METHOD = "unknown method"
"""What ovsdb-server answers to a request it does not know (seen on 3.1)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a transaction: done when both are unset."""

    error: str | None = None
    outdated: bool = False
    """The rows had changed under the plan; plan again."""


class Session:
    """One connection's worth of protocol state."""

    def __init__(self, now: float) -> None:
        self.outgoing = bytearray()
        self.replica = Replica()
        self.is_synced = False
        """The initial reply is complete: from here on a row that is missing does not exist."""
        self._framer = Framer()
        self._heard_at = now
        self._probe_sent = False
        self._transaction: tuple[int, float] | None = None
        self._next_id = 1
        self._has_differences = True
        """The server sends update2; if not, it is an old one."""
        self._ask_to_monitor("monitor_cond", _MONITOR_COND_ID)

    @property
    def is_transacting(self) -> bool:
        """A transaction has not been answered yet."""
        return self._transaction is not None

    @property
    def deadline(self) -> float:
        """When ``tick`` must be called next."""
        silence = self._heard_at + (DEAD_AFTER_S if self._probe_sent else PROBE_AFTER_S)
        return min(silence, self._transaction[1] + TRANSACTION_TIMEOUT_S) if self._transaction else silence

    def transact(self, operations: Sequence[Operation], now: float) -> None:
        """Send one transaction; at most one may be under way."""
        self._send({"method": "transact", "id": self._next_id, "params": [DATABASE, *operations]})
        self._transaction = (self._next_id, now)
        self._next_id += 1

    def feed(self, received: bytes, now: float) -> list[Outcome]:
        """Take in what the server sent; return the outcomes of transactions it answered.

        Raises:
            PeerError: the server broke the protocol.
        """
        self._heard_at = now
        self._probe_sent = False
        outcomes = []
        for message in self._framer.feed(received):
            outcome = self._take(message)
            if outcome:
                outcomes.append(outcome)
        return outcomes

    def tick(self, now: float) -> None:
        """Ask a silent server for a sign of life.

        Raises:
            PeerError: it has been silent, or owes an answer, for too long.
        """
        if now - self._heard_at >= DEAD_AFTER_S:
            raise PeerError(why=f"was silent for {DEAD_AFTER_S:g} s")
        if self._transaction and now - self._transaction[1] >= TRANSACTION_TIMEOUT_S:
            raise PeerError(
                why=f"left a transaction unanswered for {TRANSACTION_TIMEOUT_S:g} s; whether it was done is unknown"
            )
        if not self._probe_sent and now - self._heard_at >= PROBE_AFTER_S:
            self._probe_sent = True
            self._send({"method": "echo", "id": _ECHO_ID, "params": []})

    def _send(self, message: Mapping[str, object]) -> None:
        self.outgoing += json.dumps(message, separators=(",", ":")).encode()
        if len(self.outgoing) > MAX_BACKLOG_BYTES:
            raise PeerError(why="does not take what is sent to it")

    def _take(self, message: Mapping[str, Any]) -> Outcome | None:
        method, message_id = message.get("method"), message.get("id")
        if method == ("update2" if self._has_differences else "update"):
            params = message.get("params")
            if not isinstance(params, list) or len(params) < 2 or not self.is_synced:  # noqa: PLR2004 - RFC 7047 4.1.6
                raise PeerError(why="sent an update notification that does not follow a monitor")
            self._apply(params[1])
        elif method == "echo":
            self._send({"id": message_id, "result": message.get("params"), "error": None})
        elif method is not None:
            return None  # notifications this client never asked for: locked, stolen
        elif message_id in {_MONITOR_COND_ID, _MONITOR_ID} and not self.is_synced:
            self._begin(message)
        elif self._transaction and message_id == self._transaction[0]:
            self._transaction = None
            return _outcome(message)
        return None

    def _ask_to_monitor(self, method: str, message_id: str) -> None:
        tables = {table: [{"columns": list(columns)}] for table, columns in COLUMNS.items()}
        self._send({"method": method, "id": message_id, "params": [DATABASE, None, tables]})

    def _begin(self, message: Mapping[str, Any]) -> None:
        error = message.get("error")
        if error == _UNKNOWN_METHOD and message.get("id") == _MONITOR_COND_ID:
            self._has_differences = False
            self._ask_to_monitor("monitor", _MONITOR_ID)
            return
        if error is not None or not isinstance(message.get("result"), dict):
            raise PeerError(why=f"refused to monitor the {DATABASE} database: {error}")
        self._apply(message["result"])
        self.is_synced = True

    def _apply(self, table_updates: Any) -> None:
        if not isinstance(table_updates, dict):
            raise PeerError(why="sent an update that is no object")
        if self._has_differences:
            self.replica.apply_differences(table_updates)
        else:
            self.replica.apply(table_updates)


def _outcome(message: Mapping[str, Any]) -> Outcome:
    """Read a reply to ``transact``: one result an operation, an error where it stopped (RFC 7047 section 4.1.3)."""
    if message.get("error") is not None:
        return Outcome(error=f"the server refused the transaction: {message['error']}")
    results = message.get("result")
    if not isinstance(results, list):
        raise PeerError(why="answered a transaction without results")
    for result in results:
        error = result.get("error") if isinstance(result, dict) else None
        if error == "timed out":
            return Outcome(outdated=True)
        if error:
            return Outcome(error=f"the server refused the transaction: {error} ({result.get('details', 'no details')})")
    return Outcome()
