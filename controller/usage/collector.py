"""When are switches asked what passed through them, and where does the answer go?

One thread of the controller process: every period, one question to each switch that is connected and up to date (one
multipart request, whatever the number of ports); every sample time, a row for each project, and one for each subnet
whose addresses were taken or released.
"""

import logging
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial
from typing import Protocol

from controller.errors import WeftError
from controller.reconcile.reconciler import Reconciler
from controller.records import HostName, PortId, PortKey, SegmentKey
from controller.southbound.openflow.dump import PortCounters
from controller.southbound.openflow.errors import FramingError, UnavailableError
from controller.southbound.openflow.state import SwitchState
from controller.store import subnet_samples, usage
from controller.store.database import Database
from controller.usage.counters import Traffic
from controller.usage.settings import UsageSettings
from flows.intent import Unit, UnitKind

_log = logging.getLogger(__name__)

ASK_S = 5.0
READ_S = 5.0


class Counting(Protocol):
    """A switch's worker, as far as counting goes."""

    def port_counters(self, deadline_s: float) -> dict[int, PortCounters]:
        """Ask the switch what it counted at each port."""

    @property
    def state(self) -> SwitchState:
        """What is known of it."""


class Switches(Protocol):
    """Where the workers are."""

    def switch(self, dpid: int) -> Counting:
        """Return the worker of a datapath."""


class UsageCollector:
    """Reads the switches' counters, and samples what projects have."""

    def __init__(
        self,
        reconciler: Reconciler,
        switches: Switches,
        database: Database,
        settings: UsageSettings,
        *,
        now: Callable[[], float],
    ) -> None:
        """Prepare; `start` begins. `now` returns seconds since 1970."""
        self._reconciler, self._switches, self._database = reconciler, switches, database
        self._settings, self._now = settings, now
        self._sampled_at = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="usage", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End; what switches count meanwhile is read when Weft runs again."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(self._settings.period_s):
            try:
                self.collect()
            except (WeftError, TimeoutError) as error:
                _log.warning("usage_not_stored error=%r", str(error))
            except Exception:  # noqa: BLE001 - the next period must come, and what was missed is in the counters
                _log.exception("usage_collector_failed")

    def collect(self) -> None:
        """Read every switch once, and take a sample if it is time.

        Raises:
            TimeoutError: The reconciler is too busy.
            DatabaseError: The database refused.
        """
        for host, dpid in self._reconciler.ask(self._hosts, ASK_S).items():
            if self._stop.is_set():
                return
            readings = self._read(host, dpid)
            if readings:
                with self._database.write() as tx:
                    usage.add_reading(tx, host, readings)
        at = int(self._now()) // self._settings.sample_s * self._settings.sample_s
        if at != self._sampled_at:
            flows = self._count_flows()
            with self._database.write() as tx:
                usage.store_flows(tx, flows)
                usage.add_samples(tx, at, keep_s=self._settings.keep_s)
            self._sample_subnets(at)
            self._sampled_at = at

    def _sample_subnets(self, at: int) -> None:
        """Note how subnets fill; all is counted without a lock, and only what has changed is written."""
        with self._database.read() as tx:
            taken = subnet_samples.changed(tx)
        with self._database.write() as tx:
            subnet_samples.add(tx, at, taken)

    def _count_flows(self) -> Mapping[str, int]:
        """Return how many flows the ports and segments of each project ask for, on all hosts."""
        found: Counter[str] = Counter()
        for host in self._reconciler.ask(self._hosts, ASK_S):
            # One question a host: the reconciler has other things to do in between.
            found += self._reconciler.ask(partial(self._flows_on, host), ASK_S)
        return found

    def _read(self, host: HostName, dpid: int) -> dict[PortId, Traffic]:
        """Return the counters of a host's ports; none while the switch's numbers are in doubt."""
        switch = self._switches.switch(dpid)
        if not switch.state.synced:
            return {}
        before = self._reconciler.ask(lambda: self._holders(host), ASK_S)
        try:
            counted = switch.port_counters(READ_S)
        except (UnavailableError, FramingError) as error:
            _log.info("usage_not_read host=%s error=%r", host, str(error))
            return {}
        after = self._reconciler.ask(lambda: self._holders(host), ASK_S)
        return {
            port_id: _seen_by_guest(counted[number])
            for number, port_id in before.items()
            if number in counted and after.get(number) == port_id
        }

    # in the reconciler's thread ---------------------------------------------------------------------------------------

    def _hosts(self) -> dict[HostName, int]:
        return {name: host.datapath_id for name, host in self._reconciler.model.hosts.items()}

    def _holders(self, host: HostName) -> dict[int, PortId]:
        """Return whose the OpenFlow numbers of a host are."""
        bridge = self._reconciler.bridge(host)
        numbers = {} if bridge is None else bridge.plugs.ofports
        return {int(number): port_id for number, port_id in numbers.items() if port_id is not None}

    def _flows_on(self, host: HostName) -> Counter[str]:
        found: Counter[str] = Counter()
        bridge = self._reconciler.bridge(host)
        if bridge is not None:
            for unit in bridge.state.units():
                project_id = self._project_of(unit)
                if project_id is not None:
                    found[project_id] += bridge.state.flows_of(unit)
        return found

    def _project_of(self, unit: Unit) -> str | None:
        model = self._reconciler.model
        if unit.kind in {UnitKind.LOCAL_PORT, UnitKind.REMOTE_PORT}:
            port = model.port_by_key.get(PortKey(unit.key))
            return None if port is None else port.project_id
        if unit.kind is UnitKind.SEGMENT:
            network_id = model.network_by_segment.get(SegmentKey(unit.key))
            network = None if network_id is None else model.networks.get(network_id)
            return None if network is None else network.project_id
        return None


def _seen_by_guest(counted: PortCounters) -> Traffic:
    """Turn the switch's view round: what it received, the guest sent."""
    return Traffic(
        packets_in=counted.packets_sent,
        bytes_in=counted.bytes_sent,
        packets_out=counted.packets_received,
        bytes_out=counted.bytes_received,
    )
