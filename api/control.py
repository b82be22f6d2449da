"""How does the API ask the controller process, and tell it that something changed?

Over a unix socket, one JSON object a line. A question ``{"id": n, "op": "flows", "args": {...}}`` is answered by
``{"id": n, "result": ...}`` or ``{"id": n, "error": {"type", "message", "kind"}}``, in any order;
``{"op": "wake"}`` is not answered. The journal in the database is the truth and a wake only a hint, so a lost one does
no harm and never holds a request up.

    request threads --call--> one connection --reader thread--> each caller's Future
    commits --wake--> flag --waker thread--> the same connection
"""

import json
import logging
import socket
import struct
import threading
from collections.abc import Mapping
from concurrent.futures import Future, InvalidStateError
from typing import Protocol

from api.errors import ControllerAbsent, ControllerBusy, ControllerRefused, ControllerSilent
from controller.errors import Kind

LOG = logging.getLogger("weft.api")

DEADLINE_S = 5.0
MOST_WAITING = 8
"""Questions under way at once: half of the API's threads, so that a slow switch cannot take them all."""
_KINDS: Mapping[str, Kind] = {word: kind for kind in Kind for word in (kind.name, kind.value)}


class Control(Protocol):
    """What the API wants of the controller process."""

    def call(self, op: str, args: Mapping[str, object]) -> object:
        """Ask, and return the result; raises ControllerAbsent, ControllerSilent or ControllerRefused."""
        ...


class ControlClient:
    """The API process' one connection to the controller; every method may be called from any thread."""

    def __init__(self, path: str, *, deadline_s: float = DEADLINE_S) -> None:
        self._path = path
        self._deadline_s = deadline_s
        self._lock = threading.Lock()
        self._connection: _Connection | None = None
        self._last_id = 0
        self._room = threading.BoundedSemaphore(MOST_WAITING)
        self._changed = threading.Event()
        self._closed = False
        self._waker = threading.Thread(target=self._send_wakes, name="control-waker", daemon=True)
        self._waker.start()

    def call(self, op: str, args: Mapping[str, object]) -> object:
        """Ask the controller and wait for the answer.

        Raises:
            ControllerAbsent: nobody listens, or the connection was lost before the answer came.
            ControllerSilent: the deadline passed.
            ControllerBusy: too many others wait already.
            ControllerRefused: the answer is an error.
        """
        if not self._room.acquire(blocking=False):
            raise ControllerBusy(MOST_WAITING)
        try:
            reply = self._reply(op, args)
        finally:
            self._room.release()
        if "error" in reply:
            raise _refusal(reply["error"])
        return reply.get("result")

    def wake(self) -> None:
        """Tell the controller that the journal has grown; returns at once and never fails."""
        self._changed.set()

    def close(self) -> None:
        """Close the connection; whoever waits for an answer gets ControllerAbsent."""
        self._closed = True
        self._changed.set()
        self._waker.join()
        with self._lock:
            if self._connection is not None:
                self._connection.close()

    def _reply(self, op: str, args: Mapping[str, object]) -> dict[str, object]:
        with self._lock:
            self._last_id += 1
            number = self._last_id
            connection, answered = self._ask({"id": number, "op": op, "args": dict(args)}, number)
        try:
            return answered.result(timeout=self._deadline_s)
        except TimeoutError:
            connection.forget(number)
            raise ControllerSilent(op, self._deadline_s) from None

    def _ask(self, message: Mapping[str, object], number: int) -> "tuple[_Connection, Future[dict[str, object]]]":
        """Send a question; a connection found dead is replaced once."""
        for fresh in (False, True):
            try:
                connection = self._connected()
                answered = connection.expect(number)
                connection.send(message)
            except OSError as error:
                self._connection = None
                if fresh:
                    raise ControllerAbsent(error.strerror or str(error)) from error
            else:
                return connection, answered
        raise ControllerAbsent("no connection")

    def _connected(self) -> "_Connection":
        if self._connection is None or self._connection.lost:
            self._connection = _Connection(self._path, self._deadline_s)
        return self._connection

    def _send_wakes(self) -> None:
        absent = False
        while True:
            self._changed.wait()
            if self._closed:
                return
            self._changed.clear()
            try:
                with self._lock:
                    self._connected().send({"op": "wake"})
            except OSError as error:
                if not absent:
                    LOG.info("controller_wake_lost path=%s error=%s", self._path, error)
                absent = True
            else:
                absent = False


class _Connection:
    """One connected socket, the thread that reads it, and who waits for which answer."""

    def __init__(self, path: str, deadline_s: float) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        # A controller that does not read must not hold up the sender: unix(7), socket(7) SO_SNDTIMEO.
        whole = int(deadline_s)
        timeval = struct.pack("ll", whole, int((deadline_s - whole) * 1_000_000))
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, timeval)
        try:
            self._socket.connect(path)
        except OSError:
            self._socket.close()
            raise
        self.lost = False
        self._waiting: dict[int, Future[dict[str, object]]] = {}
        self._waiting_lock = threading.Lock()
        threading.Thread(target=self._read, name="control-reader", daemon=True).start()

    def expect(self, number: int) -> Future[dict[str, object]]:
        """Return what the answer to question ``number`` will be put into."""
        answered: Future[dict[str, object]] = Future()
        with self._waiting_lock:
            if self.lost:
                raise ConnectionResetError("the connection was lost")
            self._waiting[number] = answered
        return answered

    def forget(self, number: int) -> None:
        """Drop an answer nobody waits for any more."""
        with self._waiting_lock:
            self._waiting.pop(number, None)

    def send(self, message: Mapping[str, object]) -> None:
        """Send one line, or break the connection: half a line would spoil every later one."""
        try:
            self._socket.sendall(json.dumps(message).encode() + b"\n")
        except OSError:
            self.close()
            raise

    def close(self) -> None:
        """Break the connection; the reader thread then ends."""
        self.lost = True
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            LOG.debug("control_already_closed")  # the other end was faster

    def _read(self) -> None:
        reason = "it closed the connection"
        try:
            with self._socket, self._socket.makefile("rb") as lines:
                for line in lines:
                    self._answered(json.loads(line))
        except (OSError, ValueError) as error:
            reason = str(error)
        with self._waiting_lock:
            self.lost = True
            waiting, self._waiting = self._waiting, {}
        for answered in waiting.values():
            answered.set_exception(ControllerAbsent(reason))

    def _answered(self, reply: object) -> None:
        if not isinstance(reply, dict):
            raise ValueError(f"the controller sent {type(reply).__name__} instead of an object")  # noqa: TRY004 - its value
        number = reply.get("id")
        with self._waiting_lock:
            answered = self._waiting.pop(number, None) if isinstance(number, int) else None
        if answered is not None:
            try:
                answered.set_result(reply)
            except InvalidStateError:
                LOG.debug("control_answer_unwanted id=%s", number)


def _refusal(error: object) -> ControllerRefused:
    parts = error if isinstance(error, dict) else {"message": str(error)}
    return ControllerRefused(
        error_type=str(parts.get("type", "ControllerError")),
        message=str(parts.get("message", "The controller gave no reason.")),
        kind=_KINDS.get(str(parts.get("kind")), Kind.UNAVAILABLE),
    )
