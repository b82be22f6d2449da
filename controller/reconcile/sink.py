"""How do states reach the store without anybody waiting for it?

One writer thread; what is newer replaces what waits.
"""

import logging
import threading
import time
from collections.abc import Collection

from controller.errors import WeftError
from controller.records import HostName, HostState, PortId, PortState
from controller.store import states as store
from controller.store.database import Database

_log = logging.getLogger(__name__)

RETRY_S = 1.0
LINGER_S = 0.02
"""How long to wait for more before writing: a durable transaction costs milliseconds that requests need."""
HEARTBEAT_S = 10.0
"""How often hosts that did not change are written again, so that a reader can tell a dead controller."""


class StateWriter:
    """Writes port states, host states and first-plug bindings, many in one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._wake = threading.Condition()
        self._ports: dict[PortId, PortState] = {}
        self._hosts: dict[HostName, HostState] = {}
        self._binds: dict[PortId, HostName] = {}
        self._last_hosts: dict[HostName, HostState] = {}
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="state-writer", daemon=True)

    def start(self) -> None:
        """Begin writing."""
        self._thread.start()

    def stop(self) -> None:
        """Write what waits and end."""
        with self._wake:
            self._stopping = True
            self._wake.notify()
        self._thread.join()

    def ports(self, states: Collection[PortState]) -> None:
        """Take new port states."""
        with self._wake:
            self._ports.update((state.port_id, state) for state in states)
            self._wake.notify()

    def host(self, state: HostState) -> None:
        """Take a new host state."""
        with self._wake:
            self._hosts[state.name] = state
            self._wake.notify()

    def forget_host(self, name: HostName) -> None:
        """Stop the heartbeat of a removed host."""
        with self._wake:
            self._hosts.pop(name, None)
            self._last_hosts.pop(name, None)

    def bind(self, port_id: PortId, host: HostName) -> None:
        """Bind an unbound port to the host that plugged it."""
        with self._wake:
            self._binds[port_id] = host
            self._wake.notify()

    def _run(self) -> None:
        next_beat = 0.0
        while True:
            with self._wake:
                if not (self._ports or self._hosts or self._binds or self._stopping):
                    self._wake.wait(HEARTBEAT_S)
                if not self._stopping:
                    self._wake.wait_for(lambda: self._stopping, LINGER_S)
                ports, hosts, binds = self._ports, self._hosts, self._binds
                self._ports, self._hosts, self._binds = {}, {}, {}
                self._last_hosts.update(hosts)
                if self._stopping and not (ports or hosts or binds):
                    return
                if time.monotonic() >= next_beat:
                    hosts = dict(self._last_hosts)
                    next_beat = time.monotonic() + HEARTBEAT_S
            try:
                self._write(ports, hosts, binds)
            except WeftError as error:
                _log.warning("states_not_written ports=%d hosts=%d error=%r", len(ports), len(hosts), str(error))
                if not self._keep(ports, hosts, binds):
                    return
            except Exception:  # noqa: BLE001 - these states are lost, those to come must not be
                _log.exception("state_writer_failed ports=%d hosts=%d", len(ports), len(hosts))

    def _write(
        self, ports: dict[PortId, PortState], hosts: dict[HostName, HostState], binds: dict[PortId, HostName]
    ) -> None:
        if not (ports or hosts or binds):
            return
        with self._database.write() as tx:
            for port_id, host in binds.items():
                if store.bind_unbound(tx, port_id, host):
                    _log.info("port_bound_by_plug port=%s host=%s", port_id, host)
            if ports:
                store.save_port_states(tx, list(ports.values()))
            for state in hosts.values():
                store.save_host_state(tx, state)

    def _keep(
        self, ports: dict[PortId, PortState], hosts: dict[HostName, HostState], binds: dict[PortId, HostName]
    ) -> bool:
        """Put back what could not be written, under what is newer; return whether to go on."""
        with self._wake:
            self._ports = {**ports, **self._ports}
            self._hosts = {**hosts, **self._hosts}
            self._binds = {**binds, **self._binds}
            if not self._stopping:
                self._wake.wait(RETRY_S)
            return not self._stopping
