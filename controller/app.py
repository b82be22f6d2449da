"""How is the controller put together? The one place where its parts are made and handed to each other."""

import logging
import os
import random
import socket
import time
from collections.abc import Callable
from pathlib import Path

from controller.config import Address
from controller.control import ControlServer
from controller.inspect import Inspector
from controller.metrics import Metrics
from controller.plugins.contract import Condition, Health
from controller.plugins.engines import Engines
from controller.plugins.openflow import OpenFlowPlugin
from controller.pruner import Pruner
from controller.reconcile.directory import Directory
from controller.reconcile.feed import Feed
from controller.reconcile.probing import Probing
from controller.reconcile.reconciler import Reconciler
from controller.reconcile.sink import StateWriter
from controller.reconcile.underlay import INTERVAL_S, KEY_BYTES, Seal
from controller.reconcile.watch import KEEP_S
from controller.southbound.openflow.service import OpenFlowService
from controller.southbound.ovsdb.model import HostView
from controller.southbound.ovsdb.service import OvsdbService
from controller.southbound.survey import Surveyor
from controller.store.database import Database
from controller.store.pruning import Keeping
from controller.trace.tracer import Tracer
from controller.usage.collector import UsageCollector
from controller.usage.settings import UsageSettings

_log = logging.getLogger(__name__)


def advertiser(listening: Address, advertise: Address | None) -> Callable[[HostView], str | None]:
    """Return what tells a host where its switch must connect.

    A set address wins, then the one listened on; behind a wildcard it is the local end of the host's own OVSDB
    connection, the one address that host is known to reach.
    """

    def target(view: HostView) -> str | None:
        if advertise is not None:
            return f"tcp:{Address(advertise.host, advertise.port or listening.port)}"
        if not listening.is_wildcard:
            return f"tcp:{listening}"
        return None if view.local_address is None else f"tcp:{Address(view.local_address, listening.port)}"

    return target


class Controller:
    """The controller process: store in, switches out."""

    def __init__(
        self,
        *,
        database: Database,
        listener: socket.socket,
        advertise: Address | None,
        control: Path,
        usage: UsageSettings,
        journal_keep: int,
        probe_interval_s: float = INTERVAL_S,
        seen_keep_s: int = KEEP_S,
        on_loaded: Callable[[], None] = lambda: None,
    ) -> None:
        """Put the parts together.

        Args:
            database: the intent.
            listener: a bound and listening TCP socket for switches.
            advertise: what switches are told to connect to.
            control: path of the socket on which the API asks.
            usage: how often switches are read, and how long samples are kept.
            journal_keep: how many changes the journal keeps.
            on_loaded: Called when what switches are to hold was compiled for all that could be.
            probe_interval_s: between probes of one path.
            seen_keep_s: how long an address is taken for used after somebody was last seen with it.
        """
        name = listener.getsockname()
        self._database = database
        self._directory = Directory(
            send=lambda dpid, ofport, frame: self._openflow.send(dpid, ofport, frame),  # noqa: PLW0108 - made below
            arrived=lambda dpid, key: self._reconciler.arrived(dpid, key),  # noqa: PLW0108
            heard=lambda heard: self._reconciler.heard(heard),  # noqa: PLW0108
        )
        self._writer = StateWriter(
            database,
            on_intent=lambda: self._intent_changed(),  # noqa: PLW0108 - made below
            machine=socket.gethostname(),
            seen_keep_s=seen_keep_s,
        )
        self._ovsdb = OvsdbService(on_change=lambda host: self._reconciler.view_changed(host))  # noqa: PLW0108 - made below
        self._openflow = OpenFlowService(
            listener,
            admit=lambda dpid: self._reconciler.admit(dpid),  # noqa: PLW0108
            on_event=lambda dpid, event: self._reconciler.switch_event(dpid, event),  # noqa: PLW0108
            packet_in=self._packet_in,
            misnumbered=lambda dpid, devices: self._reconciler.misnumbered(dpid, devices),  # noqa: PLW0108
        )
        self._probing = Probing(
            offer=self._openflow.offer,
            seal=Seal(os.urandom(KEY_BYTES)),
            monotonic=time.monotonic,
            interval_s=probe_interval_s,
        )
        self._reconciler: Reconciler = Reconciler(
            feed=Feed(database, plugin=OpenFlowPlugin.name, prepares_moves=True),
            ovsdb=self._ovsdb,
            openflow=self._openflow,
            sink=self._writer,
            leases=self._directory,
            probing=self._probing,
            surveyor=Surveyor(random.SystemRandom()),
            advertise=advertiser(Address(name[0], name[1]), advertise),
            monotonic=time.monotonic,
            sighted=self._writer.sighted,
            seen_keep_s=seen_keep_s,
            on_loaded=on_loaded,
        )
        inspector = Inspector(self._reconciler, self._openflow, self._openflow.encoder)
        metrics = Metrics(self._reconciler, self._openflow, self._directory, self._probing)
        tracer = Tracer(self._reconciler, self._openflow, self._openflow.encoder)
        loaded = database.faces.registry.loaded
        others = [one for name, one in loaded.items() if name != OpenFlowPlugin.name]
        self._engines = Engines(others, database=database, writer=self._writer)
        operations = {
            "flows": inspector.flows,
            "metrics": metrics.samples,
            "reconcile": inspector.reconcile,
            "trace": lambda asked: self._engines.trace(asked, tracer.trace),
        }
        self._usage = UsageCollector(self._reconciler, self._openflow, database, usage, now=time.time)
        self._pruner = Pruner(database, Keeping(journal=journal_keep, samples_s=usage.keep_s))
        self._control = ControlServer(control, operations, wake=self._intent_changed)

    def start(self) -> None:
        """Begin: intent first, then connections, so that no switch meets a controller that does not know it."""
        self._writer.start()
        self._ovsdb.start()
        self._reconciler.start()
        self._openflow.start()
        self._writer.health(OpenFlowPlugin.name, Health(condition=Condition.UP))
        self._engines.start()
        self._control.start()
        self._usage.start()
        self._pruner.start()
        _log.info("controller_started")

    def stop(self) -> None:
        """End; flows and rows stay on the switches, which go on forwarding."""
        self._pruner.stop()
        self._usage.stop()
        self._control.stop()
        self._engines.stop()
        self._openflow.stop()
        self._reconciler.stop()
        self._ovsdb.stop()
        self._writer.stop()
        self._database.close()
        _log.info("controller_stopped")

    def _packet_in(self, dpid: int, cookie: int, in_port: int, frame: bytes) -> bytes | None:
        if self._probing.packet_in(dpid, cookie, in_port, frame):
            return None
        return self._directory.packet_in(dpid, cookie, in_port, frame)

    def _intent_changed(self) -> None:
        self._reconciler.intent_changed()
        self._engines.intent_changed()
