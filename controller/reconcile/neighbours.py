"""What does the reconciler ask of those around it? Protocols, defined by the one who consumes them."""

from collections.abc import Collection, Iterable, Mapping
from typing import Protocol

from controller.dhcp6.ra import RouterFacts
from controller.reconcile.model import Model
from controller.records import HostName, HostState, NetworkId, PortId, PortState
from controller.southbound.openflow.intent_mark import IntentMark
from controller.southbound.ovsdb.model import BridgeConfig, HostDesired, HostView, PrewiredPort, RowChanges
from flows.delta import Delta, Tables


class Ovsdb(Protocol):
    """What the reconciler asks of the OVSDB side."""

    def add_host(self, name: str, target: str) -> None:
        """Start watching a host."""

    def remove_host(self, name: str, *, clear: bool) -> None:
        """Stop watching a host, and take back what Weft wrote when `clear`, without making the caller wait."""

    def set_desired(self, name: str, desired: HostDesired) -> None:
        """State the rows a host must have, whole."""

    def set_bridge(self, name: str, bridge: BridgeConfig) -> None:
        """State a host's bridge anew."""

    def set_ports(self, name: str, ports: Mapping[str, PrewiredPort | None]) -> None:
        """State some of a host's ports anew, None for one that is gone."""

    def take_changes(self, name: str) -> RowChanges:
        """Return what became of a host's interfaces since this was last asked."""

    def view(self, name: str) -> HostView:
        """Return what is known of a host, its interfaces apart."""

    def write_error(self, name: str) -> str | None:
        """Return why the rows of a host could not be written."""


class Worker(Protocol):
    """What the reconciler asks of one switch's worker; nothing here waits for the switch."""

    def load(self, tables: Tables, token: object, intent: IntentMark | None = None) -> None:
        """Take the complete desired state, and the intent it was compiled from."""

    def apply(self, delta: Delta, token: object, intent: IntentMark | None = None) -> None:
        """Take a change of the desired state."""

    def adopt(self) -> None:
        """Let flows of others go when the switch is filled for the first time."""

    @property
    def problem(self) -> str | None:
        """What somebody has to decide or do about the switch."""

    @property
    def drift(self) -> int:
        """How much was found changed behind Weft's back so far."""

    @property
    def features(self) -> Mapping[str, object]:
        """What the switch said it can do."""


class OpenFlow(Protocol):
    """What the reconciler asks of the OpenFlow side."""

    def switch(self, dpid: int) -> Worker:
        """Return the worker of a datapath, made if need be."""

    def forget(self, dpid: int) -> None:
        """Stop the worker of a datapath."""

    def raise_port(self, dpid: int, ofport: int, mac: str) -> bool:
        """Set a port's device up without waiting; whether the switch takes it."""

    def send(self, dpid: int, ofport: int, frame: bytes) -> bool:
        """Send a frame out of a port without waiting; whether the switch is there and takes it."""


class Sink(Protocol):
    """Where results go; must not block."""

    def ports(self, states: Collection[PortState], *, can_wait: bool = False) -> None:
        """Take new port states; those that can wait are of ports that only come into being, and followed by others."""

    def host(self, state: HostState) -> None:
        """Take a new host state."""

    def forget_host(self, name: HostName) -> None:
        """Say nothing more of a removed host."""

    def bind(self, port_id: PortId, host: HostName) -> None:
        """Bind an unbound port to the host that plugged it."""

    def activate(self, port_id: PortId, host: HostName) -> None:
        """Make the host a port migrates to the one it is bound to: its guest runs there."""

    def prepared(self, network_id: NetworkId, revision: int) -> None:
        """Take note that everything is ready for a network that comes from another plug-in, as it was at a revision."""

    def released(self, network_id: NetworkId, revision: int) -> None:
        """Take note that the devices of a network that moves to another plug-in are all on the other's bridge."""


class Leases(Protocol):
    """Where answers to guests are kept."""

    def refresh(self, model: Model, ports: Iterable[PortId], networks: Iterable[NetworkId]) -> frozenset[NetworkId]:
        """Make what is told to some ports and advertised by some networks again; return which say other things."""

    def facts(self, network_id: NetworkId) -> tuple[RouterFacts, ...]:
        """Return what a network says of itself in router advertisements."""
