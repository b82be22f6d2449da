"""How do switches get in, and who works for which datapath?

The service owns the listening socket, one thread a connection and one worker a known datapath id.
"""

import contextlib
import logging
import os
import select
import socket
import threading
from collections.abc import Callable, Mapping
from typing import Any

from controller.southbound.openflow import monitor
from controller.southbound.openflow.connection import Connection
from controller.southbound.openflow.encode import Encoder
from controller.southbound.openflow.events import SwitchEvent
from controller.southbound.openflow.messages import Messages
from controller.southbound.openflow.osken import ensure_handshake
from controller.southbound.openflow.packet_in import PacketInHook, PacketIns
from controller.southbound.openflow.switch import DEADLINE_S, Misnumbered, Switch
from controller.southbound.openflow.watchdog import Limits
from flows.flow import Action

_log = logging.getLogger(__name__)

_ACCEPT_PAUSE_S = 0.2
"""Rest after an accept(2) that failed for want of descriptors or memory, or it would fail in a busy loop."""


class OpenFlowService:
    """Accepts switches and keeps one worker for each datapath it was asked for."""

    def __init__(
        self,
        listener: socket.socket,
        *,
        admit: Callable[[int], bool],
        on_event: Callable[[int, SwitchEvent], None],
        packet_in: PacketInHook,
        misnumbered: Misnumbered = lambda _dpid, _devices: None,
        limits: Limits | None = None,
        deadline_s: float = DEADLINE_S,
    ) -> None:
        """Prepare; `start` begins.

        Args:
            listener: A bound and listening TCP socket; the service closes it. It may be shared with another process.
            admit: Whether a datapath id is known; any other is refused.
            on_event: Called in a worker's thread with (datapath id, event); must not block.
            packet_in: Called in a connection's thread; must not block. See `packet_in.PacketInHook`.
            misnumbered: Asked in a worker's thread before anything is sent over a new connection; may wait a little.
            limits: How long a connection waits for its peer.
            deadline_s: How long a worker waits for an answer.
        """
        self._listener = listener
        self._admit, self._on_event, self._misnumbered = admit, on_event, misnumbered
        self._limits, self._deadline_s = limits or Limits(), deadline_s
        self._messages, self._encoder = Messages(), Encoder()
        self._packet_ins = PacketIns(packet_in, self._messages)
        self._lock = threading.Lock()
        self._switches: dict[int, Switch] = {}
        self._connections: dict[Connection, threading.Thread] = {}
        self._up: dict[int, Connection] = {}
        """The last connection of each datapath whose negotiation is over."""
        self._is_stopping = False
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._thread = threading.Thread(target=self._accept_all, name="openflow-accept", daemon=True)

    def start(self) -> None:
        """Begin to accept switches.

        Raises:
            OSError: The socket is not listening.
        """
        if not self._listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            raise OSError(f"socket {self._listener.getsockname()} does not listen for switches")
        ensure_handshake()
        self._listener.setblocking(False)
        self._thread.start()

    def stop(self) -> None:
        """End every thread and connection; the switches keep what they hold."""
        with self._lock:
            self._is_stopping = True
            switches = list(self._switches.values())
        os.eventfd_write(self._wake, 1)
        if self._thread.ident is not None:
            self._thread.join()
        self._listener.close()
        with self._lock:
            connections = dict(self._connections)
        for connection in connections:
            connection.close("the controller stops")
        for switch in switches:
            switch.stop()
        for thread in connections.values():
            thread.join()
        os.close(self._wake)

    def switch(self, dpid: int) -> Switch:
        """Return the worker of a datapath, made if need be."""
        with self._lock:
            switch = self._switches.get(dpid)
            if switch is None:
                switch = self._switches[dpid] = Switch(
                    dpid,
                    encoder=self._encoder,
                    messages=self._messages,
                    on_event=self._on_event,
                    misnumbered=self._misnumbered,
                    deadline_s=self._deadline_s,
                )
                switch.start()
            return switch

    def forget(self, dpid: int) -> None:
        """End the worker of a datapath and its connection, if there is one; no event of it comes after this."""
        with self._lock:
            switch = self._switches.pop(dpid, None)
        if switch is not None:
            switch.stop()

    def send(self, dpid: int, ofport: int, frame: bytes) -> bool:
        """Send a frame out of a port without waiting; whether the switch is connected and takes it."""
        with self._lock:
            connection = self._up.get(dpid)
        return connection is not None and connection.offer(self._messages.packet_out(ofport, frame))

    def raise_port(self, dpid: int, ofport: int, mac: str) -> bool:
        """Set a port's device up without waiting; whether the switch is connected and takes it."""
        with self._lock:
            connection = self._up.get(dpid)
        return connection is not None and connection.offer(self._messages.raise_port(ofport, mac))

    def offer(self, dpid: int, actions: tuple[Action, ...], frame: bytes) -> bool:
        """Let a switch do something with a frame, without ever waiting; whether it is there and takes it.

        Raises:
            EncodeError: OpenFlow has no such action.
        """
        with self._lock:
            connection = self._up.get(dpid)
        return connection is not None and connection.offer(self._messages.packet_out_by(actions, frame))

    @property
    def packet_in_counts(self) -> Mapping[str, int]:
        """What became of packet-ins so far; see `PacketIns.counts`."""
        return self._packet_ins.counts

    @property
    def encoder(self) -> Encoder:
        """What makes the bytes by which a dumped flow is known again."""
        return self._encoder

    # what connections ask, in their threads ---------------------------------------------------------------------------

    def admit(self, dpid: int) -> bool:
        """Whether a datapath may connect."""
        return self._admit(dpid)

    def up(self, connection: Connection) -> None:
        """Hand a connection to the worker of its datapath."""
        with self._lock:
            switch = self._switches.get(connection.id)
            if switch is not None:
                self._up[connection.id] = connection
        if switch is None:
            connection.close("nobody works for this datapath")
        else:
            switch.attach(connection)

    def down(self, connection: Connection, why: str) -> None:
        """Take a connection from its worker."""
        level = logging.DEBUG if connection.is_stray else logging.INFO
        peer, dpid = connection.peer, _dpid_text(connection.id)
        _log.log(level, "switch_disconnected dpid=%s peer=%s reason=%r", dpid, peer, why)
        with self._lock:
            switch = self._switches.get(connection.id)
            if self._up.get(connection.id) is connection:
                del self._up[connection.id]
        if switch is not None:
            switch.detach(connection)

    def packet_in(self, connection: Connection, message: bytes) -> None:
        """Answer a packet-in, or let it be when the switch does not read its answers."""
        answer = self._packet_ins.answer(connection.id, message)
        if answer is not None and not connection.offer(answer):
            self._packet_ins.note_dropped()

    def update(self, connection: Connection, message: bytes) -> None:
        """Hand what a switch tells of changes in it to its worker."""
        if monitor.is_own(message):
            return
        with self._lock:
            switch = self._switches.get(connection.id)
        if switch is not None:
            switch.hear(connection, message)

    # the accepting thread ---------------------------------------------------------------------------------------------

    def _accept_all(self) -> None:
        poll = select.poll()
        poll.register(self._listener, select.POLLIN)
        poll.register(self._wake, select.POLLIN)
        while True:
            poll.poll()
            with self._lock:
                if self._is_stopping:
                    return
            try:
                accepted, address = self._listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                continue  # the peer has gone away, or another process was faster
            except OSError as error:
                _log.warning("switch_not_accepted error=%r", str(error))
                select.select([self._wake], [], [], _ACCEPT_PAUSE_S)
                continue
            self._serve(accepted, address)

    def _serve(self, accepted: socket.socket, address: Any) -> None:
        """Start a connection's thread, and forget those that have ended."""
        try:
            connection = Connection(accepted, address, self, self._messages, self._limits)
        except OSError as error:
            _log.warning("switch_not_accepted peer=%s error=%r", address, str(error))
            with contextlib.suppress(OSError):  # it may be this socket that is broken
                accepted.close()
            return
        thread = threading.Thread(target=connection.serve, name=f"openflow-{connection.peer}", daemon=True)
        with self._lock:
            self._connections = {c: t for c, t in self._connections.items() if t.is_alive()}
            try:
                thread.start()
            except RuntimeError as error:  # the machine has no thread left
                _log.error("switch_not_accepted peer=%s error=%r", connection.peer, str(error))
                accepted.close()
            else:
                self._connections[connection] = thread


def _dpid_text(dpid: int | None) -> str:
    return "unknown" if dpid is None else f"{dpid:016x}"
