"""What does the controller count? Samples for Prometheus, taken when asked."""

from collections import Counter
from collections.abc import Mapping
from typing import Any, Protocol

from controller.reconcile.directory import Directory, samples_of
from controller.reconcile.probing import Probing
from controller.reconcile.reconciler import Reconciler

ASK_S = 2.0

Sample = tuple[str, dict[str, str], float]
"""Name, labels, value; names ending in ``_total`` only grow while the process lives."""


class Counting(Protocol):
    """The OpenFlow side, as far as counting goes."""

    @property
    def packet_in_counts(self) -> Mapping[str, int]:
        """What became of packet-ins."""

    def switch(self, dpid: int) -> Any:
        """Return a switch's worker."""


class Metrics:
    """Takes the samples; called from threads that may wait."""

    def __init__(self, reconciler: Reconciler, openflow: Counting, directory: Directory, probing: Probing) -> None:
        self._reconciler, self._openflow, self._directory = reconciler, openflow, directory
        self._probing = probing

    def samples(self, _args: Mapping[str, Any]) -> list[Sample]:
        """Return every sample.

        Raises:
            TimeoutError: The reconciler is too busy to answer.
        """
        found = self._reconciler.ask(self._of_intent, ASK_S)
        found += [
            (name, {"outcome": outcome}, float(count))
            for name, counts in samples_of(self._directory).items()
            for outcome, count in counts.items()
        ]
        found += [
            ("weft_router_advertisements_total", {"outcome": outcome}, float(count))
            for outcome, count in self._reconciler.advertisements.items()
        ]
        found += [
            ("weft_packet_ins_total", {"outcome": outcome}, float(count))
            for outcome, count in self._openflow.packet_in_counts.items()
        ]
        found += [
            ("weft_underlay_probes_total", {"outcome": outcome}, float(count))
            for outcome, count in self._probing.counts().items()
        ]
        return found

    def _of_intent(self) -> list[Sample]:
        reconciler, model = self._reconciler, self._reconciler.model
        found: list[Sample] = [
            ("weft_objects", {"kind": kind}, float(len(objects)))
            for kind, objects in (
                ("network", model.networks),
                ("subnet", model.subnets),
                ("port", model.ports),
                ("host", model.hosts),
            )
        ]
        statuses = Counter(str(state.status) for state in reconciler.port_states.values())
        found += [("weft_ports", {"status": status}, float(count)) for status, count in sorted(statuses.items())]
        found += [("weft_underlay_paths", {"state": s}, float(count)) for s, count in self._probing.paths().items()]
        for name in sorted(model.hosts):
            bridge = reconciler.bridge(name)
            if bridge is None:
                continue
            label = {"host": str(name)}
            found += [
                ("weft_host_ovsdb_connected", label, float(bridge.condition.ovsdb)),
                ("weft_host_openflow_connected", label, float(bridge.condition.openflow)),
                ("weft_host_programmed", label, float(bridge.programmed)),
                ("weft_host_dead_paths", label, float(self._probing.dead_paths(bridge.host.datapath_id))),
                ("weft_host_flows", label, float(bridge.state.flow_count)),
                ("weft_host_messages_sent_total", label, float(self._openflow.switch(bridge.host.datapath_id).sent)),
            ]
        return found
