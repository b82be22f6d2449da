"""Who answers a trace of one of OVN's networks? Reads the intent, asks ovn-trace, and lets others explain."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from controller.errors import PortNotFound
from controller.plugins.ovn.explain import Known, describe, not_sent, nowhere, read
from controller.plugins.ovn.intent import Intent
from controller.plugins.ovn.microflow import CONNTRACK, microflow
from controller.plugins.ovn.names import switch_name
from controller.plugins.ovn.settings import Settings
from controller.reconcile.model import Model
from controller.records import PortId, PortState
from controller.southbound.ovn.tracing import trace
from controller.trace.question import Probe, Question, find_port, parse, probe

ASK_S = 2.0
_T = TypeVar("_T")


class Desk(Protocol):
    """The engine, as far as a trace goes."""

    def ask(self, call: Callable[[Intent, Mapping[PortId, PortState]], _T], deadline_s: float) -> _T:
        """Run `call` in the engine's thread; raises TimeoutError."""


@dataclass(frozen=True, slots=True)
class OvnTracer:
    """Answers traces; called from threads that may wait."""

    desk: Desk
    settings: Settings

    def trace(self, args: Mapping[str, Any]) -> dict[str, object] | None:
        """Return what becomes of a packet, None when its sender is no port of OVN's.

        Args:
            args: as `controller.trace.tracer.Tracer.trace` takes them; ``live`` changes nothing.

        Raises:
            WeftError: The question makes no sense, or ovn-trace gives no answer.
            TimeoutError: The engine is too busy to answer.
        """
        question = parse(args)
        begun = self.desk.ask(lambda intent, states: _begin(intent, states, question), ASK_S)
        if begun is None:
            return None
        asked, known = begun
        why = not_sent(known, asked)
        if why is not None:
            return nowhere(known, asked, why)
        packet = microflow(asked.source.id, asked.packet)
        said = trace(
            self.settings.southbound,
            self.settings.tls_files(),
            switch_name(asked.network.id),
            packet,
            CONNTRACK[asked.stage],
        )
        ends = [port.id for port in (asked.source, asked.target) if port is not None]
        return describe(known, asked, read(said, [*ends, *known.ports]))


def _begin(intent: Intent, states: Mapping[PortId, PortState], question: Question) -> tuple[Probe, Known] | None:
    """Return the packet and what the intent says of it, None when its sender is not here.

    Raises:
        PortNotFound, InvalidInput: The target is not there, or several ports have a name.
    """
    everything = Model()
    everything.ports = dict(intent.ports)
    try:
        source = find_port(everything, question.source)
    except PortNotFound:
        return None
    near = Model()
    near.put_network(source.network_id, intent.networks[source.network_id])
    for subnet in intent.subnets.values():
        if subnet.network_id == source.network_id:
            near.put_subnet(subnet.id, subnet)
    for port_id in intent.ports_of_network(source.network_id):
        near.put_port(port_id, intent.ports[port_id])
    asked = probe(near, question)
    ends = [port.id for port in (asked.source, asked.target) if port is not None]
    acls = {
        str(row.columns["match"]): str(key)
        for key, row in intent.rows.items()
        if row.table == "ACL" and (key.startswith("drop/") or key.endswith(f"/{source.network_id}"))
    }
    known = Known(
        ports={str(port_id): port for port_id, port in near.ports.items()},
        states={one: states[one] for one in ends if one in states},
        acls=acls,
    )
    return asked, known
