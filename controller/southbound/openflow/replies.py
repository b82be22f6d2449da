"""Who waits for which answer of a switch?

Answers are matched by transaction id. The ids come from one counter a connection, under a lock: os-ken's own is not
safe between threads. Waiting always has a deadline, and ends at once when the connection does.
"""

import threading
import time
from struct import Struct

from controller.southbound.openflow.errors import ConnectionLostError, NoAnswerError, RequestRefusedError
from controller.southbound.openflow.messages import header
from controller.southbound.openflow.osken import error_name, ofp

_MAX_XID = 0xFFFFFFFF
_ERROR = Struct("!HH")
_ERROR_AT = 8
_MULTIPART_FLAGS = Struct("!H")
_MULTIPART_FLAGS_AT = 10


def error_text(message: bytes) -> str:
    """Return the error in an error message by its name in the specification."""
    if len(message) < _ERROR_AT + _ERROR.size:
        return "an error message cut short"
    return error_name(*_ERROR.unpack_from(message, _ERROR_AT))


class Waiting:
    """One answer that is waited for; a multipart answer has several parts."""

    __slots__ = ("error", "is_awaited", "is_complete", "parts", "xid")

    def __init__(self, xid: int) -> None:
        self.xid = xid
        self.parts: list[bytes] = []
        self.error: str | None = None
        self.is_complete = False
        self.is_awaited = False
        """A thread sleeps until there is more of it; to wake one that waits for something else is work for nothing."""


class Watch:
    """The errors a run of messages causes, by transaction id."""

    __slots__ = ("errors", "first", "last")

    def __init__(self, first: int, count: int) -> None:
        self.first, self.last = first, first + count - 1
        self.errors: dict[int, str] = {}


class Replies:
    """The answers of one connection."""

    def __init__(self, peer: str) -> None:
        self._peer = peer
        self._changed = threading.Condition()
        self._next_xid = 1
        self._waiting: dict[int, Waiting] = {}
        self._watches: list[Watch] = []
        self._lost: str | None = None
        self.unclaimed_errors = 0
        """Errors nobody watched for, such as those of packet-outs to a port that is gone."""

    def xids(self, count: int) -> int:
        """Return the first of `count` consecutive transaction ids; 0 is never one of them."""
        with self._changed:
            if self._next_xid + count > _MAX_XID:
                self._next_xid = 1
            first = self._next_xid
            self._next_xid += count
            return first

    def expect(self) -> Waiting:
        """Announce a request; its transaction id is the result's."""
        waiting = Waiting(self.xids(1))
        with self._changed:
            self._waiting[waiting.xid] = waiting
        return waiting

    def watch(self, count: int) -> Watch:
        """Announce `count` messages that are answered only if they are refused."""
        watch = Watch(self.xids(count), count)
        with self._changed:
            self._watches.append(watch)
        return watch

    def unwatch(self, watch: Watch) -> None:
        """End a watch."""
        with self._changed:
            self._watches.remove(watch)

    def wait(self, waiting: Waiting, what: str, deadline_s: float, *, whole: bool = False) -> list[bytes]:
        """Return the parts of an answer.

        Args:
            waiting: From `expect`.
            what: The request in words, for the error.
            deadline_s: Seconds of silence after which there is no answer; every part of it starts them anew.
            whole: The seconds are for the whole answer.

        Raises:
            NoAnswerError: Nothing (more) came in time.
            ConnectionLostError: The connection ended.
            RequestRefusedError: The answer is an error.
        """
        until, seen = time.monotonic() + deadline_s, 0
        with self._changed:
            waiting.is_awaited = True
            try:
                while not waiting.is_complete:
                    if self._lost is not None:
                        raise ConnectionLostError(self._peer, self._lost)
                    if len(waiting.parts) > seen and not whole:
                        until, seen = time.monotonic() + deadline_s, len(waiting.parts)
                    left = until - time.monotonic()
                    if left <= 0:
                        raise NoAnswerError(self._peer, what, deadline_s)
                    self._changed.wait(left)
            finally:
                self._waiting.pop(waiting.xid, None)
        if waiting.error is not None:
            raise RequestRefusedError(self._peer, what, waiting.error)
        return waiting.parts

    def route(self, message: bytes) -> None:
        """Hand an answer to whoever waits for it; called in the connection's thread."""
        _, kind, _, xid = header(message)
        with self._changed:
            waiting = self._waiting.get(xid)
            if kind == ofp.OFPT_ERROR:
                self._route_error(waiting, xid, error_text(message))
            elif waiting is not None:
                waiting.parts.append(message)
                waiting.is_complete = kind != ofp.OFPT_MULTIPART_REPLY or not _has_more(message)
            if waiting is not None and waiting.is_awaited:
                self._changed.notify_all()

    def lose(self, why: str) -> None:
        """End all waiting, now and later."""
        with self._changed:
            self._lost = why
            self._changed.notify_all()

    def _route_error(self, waiting: Waiting | None, xid: int, text: str) -> None:
        if waiting is not None:
            waiting.error, waiting.is_complete = text, True
            return
        for watch in self._watches:
            if watch.first <= xid <= watch.last:
                watch.errors.setdefault(xid, text)
                return
        self.unclaimed_errors += 1


def _has_more(message: bytes) -> bool:
    if len(message) < _MULTIPART_FLAGS_AT + _MULTIPART_FLAGS.size:
        return False
    return bool(_MULTIPART_FLAGS.unpack_from(message, _MULTIPART_FLAGS_AT)[0] & ofp.OFPMPF_REPLY_MORE)
