"""How do states reach the store without anybody waiting for it?

One writer thread; what is newer replaces what waits.
"""

import logging
import threading
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum

from controller.errors import WeftError
from controller.plugins.contract import Health
from controller.reconcile.watch import KEEP_S, LOOKS
from controller.records import HostName, HostState, NetworkId, PortId, PortState
from controller.services import network_moves as moves
from controller.sighting_records import Sight
from controller.store import network_moves, sightings
from controller.store import states as store
from controller.store.agents import CONTROLLER_AGENT, beat
from controller.store.bindings import activate_binding
from controller.store.database import Database
from controller.store.plugin_states import save_health
from controller.store.transaction import Transaction

_log = logging.getLogger(__name__)

RETRY_S = 1.0
MOST_SIGHTS = 1000
"""Written at once; what is seen beyond is seen again."""
LINGER_S = 0.02
"""How long to wait for more before writing: a durable transaction costs milliseconds that requests need."""
PATIENCE_S = 0.5
"""How long what can wait does, unless there is something else to be written: most of it is outdated by then."""
HEARTBEAT_S = 10.0
"""How often hosts that did not change are written again, so that a reader can tell a dead controller."""


class Step(Enum):
    """How a network on its way comes further."""

    PREPARED = "prepared"
    RELEASED = "released"


@dataclass(slots=True)
class _Waiting:
    """What is to be written, the newest of each."""

    ports: dict[PortId, PortState] = field(default_factory=dict)
    hosts: dict[HostName, HostState] = field(default_factory=dict)
    binds: dict[PortId, HostName] = field(default_factory=dict)
    arrivals: dict[PortId, HostName] = field(default_factory=dict)
    healths: dict[str, Health] = field(default_factory=dict)
    sights: dict[tuple[str, str, str], Sight] = field(default_factory=dict)
    steps: dict[tuple[NetworkId, "Step"], int] = field(default_factory=dict)
    """Of networks that move from one plug-in to another, with the revision of which it was said."""
    can_wait: bool = True
    """Whether nobody waits for any of it."""

    def __bool__(self) -> bool:
        return bool(
            self.ports or self.hosts or self.binds or self.arrivals or self.healths or self.steps or self.sights
        )

    @property
    def is_urgent(self) -> bool:
        """Whether guests lose packets while this waits."""
        return bool(self.arrivals or self.steps)

    def under(self, newer: "_Waiting") -> "_Waiting":
        """Return both, the newer where both say something."""
        return _Waiting(
            ports={**self.ports, **newer.ports},
            hosts={**self.hosts, **newer.hosts},
            binds={**self.binds, **newer.binds},
            arrivals={**self.arrivals, **newer.arrivals},
            healths={**self.healths, **newer.healths},
            sights={**self.sights, **newer.sights},
            steps={**self.steps, **newer.steps},
            can_wait=False,
        )


class StateWriter:
    """Writes port states, host states, first-plug bindings and arrivals, many in one transaction."""

    def __init__(
        self,
        database: Database,
        *,
        on_intent: Callable[[], None] = lambda: None,
        machine: str | None = None,
        seen_keep_s: int = KEEP_S,
        patience_s: float = PATIENCE_S,
    ) -> None:
        """Prepare; `start` begins.

        Args:
            database: Where to write.
            on_intent: Called when what was written is intent, so that nobody waits.
            machine: Where this controller runs, to be shown as an agent; None, it is not shown.
            seen_keep_s: How long an address is taken for used after somebody was last seen with it.
            patience_s: How long what can wait does.
        """
        self._patience_s = patience_s
        self._seen_keep_s, self._began = seen_keep_s, time.monotonic()
        self._database, self._on_intent, self._machine = database, on_intent, machine
        self._wake = threading.Condition()
        self._waiting = _Waiting()
        self._last_hosts: dict[HostName, HostState] = {}
        self._last_healths: dict[str, Health] = {}
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

    def ports(self, states: Collection[PortState], *, can_wait: bool = False) -> None:
        """Take new port states."""
        with self._taking(can_wait=can_wait) as waiting:
            waiting.ports.update((state.port_id, state) for state in states)

    def host(self, state: HostState) -> None:
        """Take a new host state."""
        with self._taking() as waiting:
            waiting.hosts[state.name] = state

    def forget_host(self, name: HostName) -> None:
        """Stop the heartbeat of a removed host."""
        with self._wake:
            self._waiting.hosts.pop(name, None)
            self._last_hosts.pop(name, None)

    def bind(self, port_id: PortId, host: HostName) -> None:
        """Bind an unbound port to the host that plugged it."""
        with self._taking() as waiting:
            waiting.binds[port_id] = host

    def activate(self, port_id: PortId, host: HostName) -> None:
        """Make the host a port migrates to the one it is bound to."""
        with self._taking() as waiting:
            waiting.arrivals[port_id] = host

    def sighted(self, sight: Sight) -> None:
        """Take an address that somebody who is no port with it was seen to use."""
        with self._taking() as waiting:
            key = (sight.subnet_id, sight.ip_address, sight.mac_address)
            if key in waiting.sights or len(waiting.sights) < MOST_SIGHTS:
                waiting.sights[key] = sight

    def prepared(self, network_id: NetworkId, revision: int) -> None:
        """Switch a network over to the plug-in it moves to: everything is ready there."""
        with self._taking() as waiting:
            waiting.steps[network_id, Step.PREPARED] = revision

    def released(self, network_id: NetworkId, revision: int) -> None:
        """Let a network have arrived: the plug-in it comes from has nothing of it any more."""
        with self._taking() as waiting:
            waiting.steps[network_id, Step.RELEASED] = revision

    def health(self, plugin: str, health: Health) -> None:
        """Take how a plug-in is, and the hosts it found."""
        with self._taking() as waiting:
            waiting.healths[plugin] = health

    @contextmanager
    def _taking(self, *, can_wait: bool = False) -> Iterator[_Waiting]:
        """Give what waits, to be added to; the writer is woken if that makes it wait less long."""
        with self._wake:
            waiting = self._waiting
            before = bool(waiting), waiting.can_wait
            yield waiting
            waiting.can_wait = waiting.can_wait and can_wait
            if waiting.is_urgent or before != (bool(waiting), waiting.can_wait):
                self._wake.notify()

    def _run(self) -> None:
        next_beat = 0.0
        while True:
            with self._wake:
                if not (self._waiting or self._stopping):
                    self._wake.wait(max(0.0, next_beat - time.monotonic()))
                if self._waiting and self._waiting.can_wait:
                    self._wake.wait_for(lambda: self._stopping or not self._waiting.can_wait, self._patience_s)
                if not (self._stopping or self._waiting.is_urgent):
                    self._wake.wait_for(lambda: self._stopping or self._waiting.is_urgent, LINGER_S)
                waiting, self._waiting = self._waiting, _Waiting()
                self._last_hosts.update(waiting.hosts)
                self._last_healths.update(waiting.healths)
                if self._stopping and not waiting:
                    return
                is_beat = time.monotonic() >= next_beat
                if is_beat:
                    waiting.hosts = dict(self._last_hosts)
                    waiting.healths = dict(self._last_healths)
                    next_beat = time.monotonic() + HEARTBEAT_S
            try:
                self._write(waiting, is_beat=is_beat)
            except WeftError as error:
                counts = len(waiting.ports), len(waiting.hosts)
                _log.warning("states_not_written ports=%d hosts=%d error=%r", *counts, str(error))
                if not self._keep(waiting):
                    return
            except Exception:  # noqa: BLE001 - these states are lost, those to come must not be
                _log.exception("state_writer_failed ports=%d hosts=%d", len(waiting.ports), len(waiting.hosts))

    def _write(self, waiting: _Waiting, *, is_beat: bool) -> None:
        machine = self._machine if is_beat else None
        if not (waiting or machine):
            return
        with self._database.write() as tx:
            if machine:
                beat(tx, CONTROLLER_AGENT, machine)
            is_intent = _write_intent(tx, waiting)
            if is_beat and self._is_listened_for_long():
                is_intent = sightings.forget_older(tx, self._seen_keep_s) or is_intent
            if waiting.ports:
                store.save_port_states(tx, list(waiting.ports.values()))
            for state in waiting.hosts.values():
                store.save_host_state(tx, state)
        if is_intent:
            self._on_intent()

    def _is_listened_for_long(self) -> bool:
        """Whether what was not heard of would have been: not while this process has only just begun to listen."""
        return time.monotonic() - self._began >= self._seen_keep_s / LOOKS * 2

    def _keep(self, waiting: _Waiting) -> bool:
        """Put back what could not be written, under what is newer; return whether to go on."""
        with self._wake:
            self._waiting = waiting.under(self._waiting)
            if not self._stopping:
                self._wake.wait(RETRY_S)
            return not self._stopping


def _write_intent(tx: Transaction, waiting: _Waiting) -> bool:
    """Write what was seen that becomes intent: places of ports, hosts of plug-ins; return whether any of it is new."""
    is_news = False
    for port_id, host in waiting.arrivals.items():
        if activate_binding(tx, port_id, host):
            is_news = True
            _log.info("port_switched_over port=%s host=%s", port_id, host)
    for port_id, host in waiting.binds.items():
        if store.bind_unbound(tx, port_id, host):
            is_news = True
            _log.info("port_bound_by_plug port=%s host=%s", port_id, host)
    if waiting.sights and sightings.note(tx, waiting.sights.values()):
        is_news = True
    for (network_id, step), revision in waiting.steps.items():
        go_on = moves.switch if step is Step.PREPARED else network_moves.finish
        if go_on(tx, network_id, revision):
            is_news = True
            _log.info("network_move step=%s network=%s", step.value, network_id)
    for plugin, health in waiting.healths.items():
        if save_health(tx, plugin, health):
            is_news = True
    return is_news
