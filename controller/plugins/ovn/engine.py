"""Who keeps the cluster as it is wanted, and tells what became of it? One thread; nothing in it waits but for all.

::

    intent (feed) --> rows wanted --+
                                    +--> difference --> one transaction after the other --> northbound
    northbound -----> rows found ---+
    southbound -----> hosts, places of ports --> health, states, bindings
"""

import logging
import os
import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from typing import TypeVar

from controller.errors import WeftError
from controller.plugins.contract import Engine, EngineContext
from controller.plugins.ovn.asking import OvnTracer
from controller.plugins.ovn.chassis import Southbound
from controller.plugins.ovn.heartbeat import NORTHD, Heartbeat
from controller.plugins.ovn.intent import Intent
from controller.plugins.ovn.replica import Columns, Replica
from controller.plugins.ovn.reporting import Reporting
from controller.plugins.ovn.rows import RowKey
from controller.plugins.ovn.settings import Settings
from controller.plugins.ovn.writer import Writer
from controller.records import PortId, PortState
from controller.southbound.ovn.connection import Connection, use_tls, wait
from controller.southbound.ovn.tables import NORTHBOUND, SOUTHBOUND

_log = logging.getLogger(__name__)
POLL_S = 5.0
"""How often the journal is read without a hint."""
AUDIT_S = 30.0
"""How often everything wanted is held against everything found; what changes meanwhile is looked at when it does."""
RETRY_S = 1.0
STOP_S = 8.0
_T = TypeVar("_T")


class OvnEngine(Engine):
    """The engine of the plug-in ``ovn``."""

    def __init__(self, settings: Settings, context: EngineContext) -> None:
        """Prepare; `start` begins."""
        self._context = context
        self._wake_out, self._wake_in = os.pipe()
        os.set_blocking(self._wake_in, False)
        os.set_blocking(self._wake_out, False)
        self._stopping = False
        self._hint = True
        self._thread = threading.Thread(target=self._run, name="ovn", daemon=True)
        if settings.private_key and settings.certificate and settings.ca_certificate:
            use_tls(settings.private_key, settings.certificate, settings.ca_certificate)
        self._replica = Replica("")
        self._southbound = Southbound()
        self._nb = Connection(settings.northbound, NORTHBOUND, self._put_northbound)
        self._sb = Connection(settings.southbound, SOUTHBOUND, self._put_southbound)
        self._writer = Writer(self._nb, "")
        self._intent: Intent | None = None
        self._questions: deque[Callable[[], None]] = deque()
        self._tracer = OvnTracer(self, settings)
        self._reporting = Reporting(context)
        self._heartbeat = Heartbeat(settings.heartbeat_s)
        self._were_whole = (False, False)
        self._is_northd_silent = False
        self._poll_at = self._audit_at = 0.0

    def start(self) -> None:
        """Begin to follow the intent and the cluster."""
        self._thread.start()

    def stop(self) -> None:
        """Let go of the cluster; what was written stays."""
        self._stopping = True
        self._wake()
        self._thread.join(STOP_S)

    def intent_changed(self) -> None:
        """Note that the feed may have more."""
        self._hint = True
        self._wake()

    def trace(self, asked: Mapping[str, object]) -> Mapping[str, object] | None:
        """Return what OVN does with a packet, None when its sender is no port of OVN's."""
        return self._tracer.trace(asked)

    def ask(self, call: Callable[[Intent, Mapping[PortId, PortState]], _T], deadline_s: float) -> _T:
        """Run `call` in the engine's thread, with the intent and the ports' states; from any other thread.

        Raises:
            TimeoutError: The engine has not read the intent yet, or has too much to do.
        """
        answer: Future[_T] = Future()

        def run() -> None:
            if self._intent is None:
                answer.set_exception(TimeoutError("the intent is not read yet"))
                return
            try:
                answer.set_result(call(self._intent, self._reporting.port_states))
            except Exception as error:  # noqa: BLE001 - it is the asker's
                answer.set_exception(error)

        self._questions.append(run)
        self._wake()
        return answer.result(deadline_s)

    def _wake(self) -> None:
        with suppress(BlockingIOError):  # full: the thread has not read the earlier calls yet
            os.write(self._wake_in, b"\0")

    def _run(self) -> None:
        while not self._stopping:
            pause_s = None
            try:
                self._turn()
            except WeftError as error:
                _log.warning("ovn_intent_not_read error=%r", str(error))
                self._hint, pause_s = True, RETRY_S
            except Exception as error:  # noqa: BLE001 - whatever it was, the cluster must be looked after again
                _log.exception("ovn_engine_failed")
                self._reporting.failed(error)
                self._intent, pause_s = None, RETRY_S
            self._wait(pause_s)
        self._nb.close()
        self._sb.close()

    def _put_northbound(self, table: str, uuid: str, columns: Columns | None) -> None:
        self._replica.put(table, uuid, columns)  # another one after every reconnection

    def _put_southbound(self, table: str, uuid: str, columns: Columns | None) -> None:
        self._southbound.put(table, uuid, columns)

    def _wait(self, pause_s: float | None) -> None:
        connections = (self._nb, self._sb) if pause_s is None else ()
        if pause_s is None:
            due_at = min(self._poll_at, self._audit_at, self._reporting.due_at, self._heartbeat.due_at)
            due_s = due_at - self._context.monotonic()
            pause_s = 0.0 if self._hint else max(0.0, due_s)
        wait(connections, self._wake_out, pause_s)
        with suppress(BlockingIOError):
            os.read(self._wake_out, 4096)

    def _turn(self) -> None:
        now = self._context.monotonic()
        if self._hint or now >= self._poll_at or self._intent is None:
            self._hint, self._poll_at = False, now + POLL_S
            self._follow()
        while self._questions:
            self._questions.popleft()()
        self._nb.run()
        self._sb.run()
        self._note_connections(now)
        intent = self._intent
        if intent is not None and self._nb.is_whole:
            if now >= self._audit_at:
                self._audit(intent, now)
            touched, self._replica.touched = self._replica.touched, set()
            self._writer.look_at(touched)
            changed = self._writer.write(intent.rows, self._replica)
            self._reporting.look_at(key.partition("/")[2] for key in changed)
        self._ask_chassis(now)
        self._report(now)

    def _follow(self) -> None:
        """Take in what changed in the store."""
        more = True
        while more:
            if self._intent is None:
                self._begin()
                return
            changes = self._context.feed.poll()
            if changes.lost:
                self._begin()
                return
            keys = self._intent.change(changes)
            self._writer.look_at(keys)
            self._reporting.look_at(changes.ports)
            for network_id in changes.networks:
                self._reporting.look_at(self._intent.ports_of_network(network_id))
            more = changes.more

    def _begin(self) -> None:
        """Read the whole intent."""
        snapshot, states = self._context.feed.open()
        self._intent = Intent(snapshot)
        self._writer = Writer(self._nb, self._intent.owner)
        self._renew_replica(self._intent)
        self._reporting.begin(states)
        self._audit_at = 0.0
        _log.info("ovn_intent_read networks=%d ports=%d", len(snapshot.networks), len(snapshot.ports))

    def _renew_replica(self, intent: Intent) -> None:
        """Read what is in the northbound database anew: rows that went while it was not followed are not told."""
        self._replica = Replica(intent.owner)
        for table in NORTHBOUND["tables"]:
            for uuid, columns in self._nb.rows(table):
                self._replica.put(table, uuid, columns)

    def _note_connections(self, now: float) -> None:
        whole = (self._nb.is_whole, self._sb.is_whole)
        if whole == self._were_whole:
            return
        if whole[0] and not self._were_whole[0]:
            if self._intent is not None:
                self._renew_replica(self._intent)
            self._audit_at = now
        if whole[1] and not self._were_whole[1]:
            self._southbound = Southbound()
            for table in SOUTHBOUND["tables"]:
                for uuid, columns in self._sb.rows(table):
                    self._southbound.put(table, uuid, columns)
            silent = self._southbound.chassis_of(self._reporting.unreachable_hosts())
            self._heartbeat.presume(silent)
            self._southbound.note_silent(frozenset(silent))
            self._reporting.look_at_all()
        for name, is_whole, was in zip(("northbound", "southbound"), whole, self._were_whole, strict=True):
            if is_whole and not was:
                _log.info("ovn_database_followed name=%s", name)
            if was and not is_whole:
                _log.warning("ovn_database_lost name=%s", name)
        self._were_whole = whole

    def _audit(self, intent: Intent, now: float) -> None:
        self._audit_at = now + AUDIT_S
        self._writer.look_at(_all_keys(intent, self._replica))

    def _ask_chassis(self, now: float) -> None:
        """Count up when it is time, and note who does not follow."""
        beat = self._heartbeat.beat(now) if self._nb.is_whole else None
        if beat is not None:
            self._nb.post(beat, "weft: are the chassis alive?")
        is_known = self._nb.is_whole and self._sb.is_whole
        known = self._global() if is_known else None
        reports = self._southbound.reports()
        if known is not None and known["options"].get("enable_chassis_nb_cfg_update") == "false":
            reports = {}
        wanted = None if known is None else known["nb_cfg"]
        silent = self._heartbeat.silent(now, wanted, self._southbound.asked, reports)
        if is_known:
            self._southbound.note_silent(silent - {NORTHD})
            self._is_northd_silent = NORTHD in silent

    def _global(self) -> Columns | None:
        """Return the one row of NB_Global, None while there is none."""
        return next((columns for _, columns in self._nb.rows("NB_Global")), None)

    def _report(self, now: float) -> None:
        is_sb_whole = self._sb.is_whole
        known = self._global()
        options = {} if known is None else known["options"]
        patience_s = self._heartbeat.patience_s
        self._reporting.health(
            now,
            northbound=self._nb.problem,
            southbound=self._sb.problem,
            northd=f"ovn-northd has done nothing for {patience_s:g} s, start it" if self._is_northd_silent else "",
            row_problems=self._writer.problems,
            version=options.get("northd_internal_version", ""),
            hosts=self._southbound.hosts() if is_sb_whole and self._southbound.are_hosts_changed else None,
        )
        if is_sb_whole and self._southbound.are_hosts_changed:
            self._southbound.are_hosts_changed = False
            self._reporting.look_at_all()
        if self._intent is not None and is_sb_whole:
            self._reporting.look_at(self._southbound.changed_ports)
            self._southbound.changed_ports = set()
            self._reporting.moves(self._intent, self._southbound, self._writer.problems)
            self._reporting.states(self._intent, self._southbound, self._writer.problems)


def _all_keys(intent: Intent, replica: Replica) -> Iterable[RowKey]:
    return intent.rows.keys() | replica.keys()
