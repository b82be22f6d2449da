"""How do API processes reach the controller process? A unix socket with one JSON object a line.

    {"id": 7, "op": "flows", "args": {"host": "h1"}}  ->  {"id": 7, "result": [...]}
                                                      or  {"id": 7, "error": {"kind": ..., "type": ..., "message": ...}}

``wake`` needs no answer. The socket is private to the user who runs Weft (mode 0600).
"""

import contextlib
import json
import logging
import os
import socket
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from controller.errors import WeftError

_log = logging.getLogger(__name__)

MAX_LINE = 1 << 20
"""Octets of one request."""
WORKERS = 8
"""Requests under way at once; the next ones wait."""

Operation = Callable[[Mapping[str, Any]], object]


class ControlServer:
    """Serves operations to API processes."""

    def __init__(self, path: Path, operations: Mapping[str, Operation], *, wake: Callable[[], None]) -> None:
        """Prepare to listen on `path`; a socket left there by a dead process is replaced."""
        self._path, self._operations, self._wake = path, operations, wake
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._connections: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._busy = threading.BoundedSemaphore(WORKERS)

    def start(self) -> None:
        """Listen.

        Raises:
            OSError: The path cannot be bound.
        """
        self._path.unlink(missing_ok=True)
        old_mask = os.umask(0o177)
        try:
            self._socket.bind(str(self._path))
        finally:
            os.umask(old_mask)
        self._socket.listen(16)
        threading.Thread(target=self._accept, name="control", daemon=True).start()

    def stop(self) -> None:
        """Close every connection and remove the socket."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        with self._lock:
            connections = list(self._connections)
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self._path.unlink(missing_ok=True)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with self._lock:
                self._connections.add(connection)
            threading.Thread(target=self._serve, args=(connection,), name="control-client", daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        sending = threading.Lock()
        try:
            with connection, connection.makefile("rb") as lines:
                while line := lines.readline(MAX_LINE):
                    self._take(connection, sending, line)
        except OSError as error:
            _log.info("control_client_lost error=%s", error)
        finally:
            with self._lock:
                self._connections.discard(connection)

    def _take(self, connection: socket.socket, sending: threading.Lock, line: bytes) -> None:
        try:
            request = json.loads(line)
            op, number = str(request["op"]), request.get("id")
        except (ValueError, KeyError, TypeError, AttributeError):
            _log.warning("control_request_malformed size=%d", len(line))
            return
        if op == "wake":
            self._wake()
            return
        self._busy.acquire()
        args = request.get("args") or {}
        threading.Thread(
            target=self._answer, args=(connection, sending, number, op, args), name=f"control-{op}", daemon=True
        ).start()

    def _answer(
        self, connection: socket.socket, sending: threading.Lock, number: object, op: str, args: Mapping[str, Any]
    ) -> None:
        try:
            reply: dict[str, object] = {"id": number, **self._run(op, args)}
            with sending:
                connection.sendall(json.dumps(reply).encode() + b"\n")
        except OSError as error:
            _log.info("control_answer_not_sent op=%s error=%s", op, error)
        finally:
            self._busy.release()

    def _run(self, op: str, args: Mapping[str, Any]) -> dict[str, object]:
        operation = self._operations.get(op)
        if operation is None:
            return _error("invalid", "InvalidInput", f"unknown operation {op!r}")
        try:
            return {"result": operation(args)}
        except WeftError as error:
            return _error(error.kind.value, error.neutron_type, str(error))
        except TimeoutError as error:
            return _error("unavailable", "GatewayTimeout", str(error) or "the switch did not answer in time")
        except Exception:  # noqa: BLE001 - the controller lives on; whoever asked is told
            _log.exception("control_operation_failed op=%s", op)
            return _error("unavailable", "InternalServerError", "the controller failed; its log says why")


def _error(kind: str, type_: str, message: str) -> dict[str, object]:
    return {"error": {"kind": kind, "type": type_, "message": message}}
