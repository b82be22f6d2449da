"""How is a bridge made to listen for a moment, so that its flows can be read before anything of it is changed?

Neither a controller to connect to nor a fail mode may be set for that: Open vSwitch then deletes every flow of a bridge
that had no controller (seen on 3.1). A passive controller (``ptcp:``, ovs-vswitchd.conf.db(5) Controller:target)
leaves flows, fail mode and other controllers as they are. It listens on the address at which the host's database is
reached, which whoever can reach could write anything into already.
"""

import json
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Self

from controller.southbound.ovsdb import values
from controller.southbound.ovsdb.errors import PeerError
from controller.southbound.ovsdb.records import MARK
from controller.southbound.ovsdb.target import Target

DOOR_MARK = {MARK: "door"}
_READ = 65536


@contextmanager
def door(target: Target, bridge: str, port: int, deadline_s: float) -> Iterator[None]:
    """Let a bridge listen for OpenFlow on a TCP port of its database's address while the block runs.

    A door that a killed process left open is closed first.

    Raises:
        OSError: The database cannot be reached.
        PeerError: It did not do as told.
    """
    address = str(target.address[0])
    listening = f"ptcp:{port}:[{address}]" if ":" in address else f"ptcp:{port}:{address}"
    with _Database(target, deadline_s) as database:
        database.close_doors(bridge)
        database.open_door(bridge, listening)
        try:
            yield
        finally:
            database.close_doors(bridge)


class _Database:
    """A conversation with a database that waits for each answer (RFC 7047 section 4)."""

    def __init__(self, target: Target, deadline_s: float) -> None:
        self._deadline = time.monotonic() + deadline_s
        self._socket = socket.socket(target.family, socket.SOCK_STREAM)
        self._socket.settimeout(deadline_s)
        try:
            self._socket.connect(target.address)
        except OSError:
            self._socket.close()
            raise
        self._read = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def open_door(self, bridge: str, listening: str) -> None:
        """Add a passive controller to a bridge."""
        self._transact(
            {
                "op": "insert",
                "table": "Controller",
                "row": {"target": listening, "external_ids": values.to_map(DOOR_MARK)},
                "uuid-name": "door",
            },
            {
                "op": "mutate",
                "table": "Bridge",
                "where": [["name", "==", bridge]],
                "mutations": [["controller", "insert", values.to_set([values.to_named_uuid("door")])]],
            },
        )

    def close_doors(self, bridge: str) -> None:
        """Remove what `open_door` added, whoever called it."""
        where = [["external_ids", "includes", values.to_map(DOOR_MARK)]]
        found = self._transact({"op": "select", "table": "Controller", "where": where, "columns": ["_uuid"]})
        doors = [row["_uuid"] for row in found[0].get("rows", ())]
        if doors:
            mutations = [["controller", "delete", values.to_set(doors)]]
            where = [["name", "==", bridge]]
            self._transact({"op": "mutate", "table": "Bridge", "where": where, "mutations": mutations})

    def _transact(self, *operations: Mapping[str, object]) -> list[dict[str, Any]]:
        request = {"method": "transact", "params": ["Open_vSwitch", *operations], "id": "door"}
        self._socket.sendall(json.dumps(request).encode())
        answer = self._answer()
        results: list[dict[str, Any]] = answer.get("result") or []
        errors = [str(result["error"]) for result in results if result and "error" in result]
        if answer.get("error") or errors:
            raise PeerError(why=f"refused to let the bridge listen: {answer.get('error') or errors[0]}")
        return results

    def _answer(self) -> dict[str, Any]:
        """Return the answer, after answering the server's own questions (``echo``)."""
        while True:
            message = self._message()
            if message.get("id") == "door":
                return message
            if message.get("method") == "echo":
                reply = {"id": message.get("id"), "result": message.get("params"), "error": None}
                self._socket.sendall(json.dumps(reply).encode())

    def _message(self) -> dict[str, Any]:
        decoder = json.JSONDecoder()
        while True:
            try:
                found, end = decoder.raw_decode(self._read.decode())
            except ValueError:  # not whole yet
                self._socket.settimeout(max(0.001, self._deadline - time.monotonic()))
                piece = self._socket.recv(_READ)
                if not piece:
                    raise PeerError(why="closed the connection") from None
                self._read += piece
                continue
            self._read = self._read.decode()[end:].lstrip().encode()
            if not isinstance(found, dict):
                raise PeerError(why="sent something that is no JSON-RPC message")
            return found
