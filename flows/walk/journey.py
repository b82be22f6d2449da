"""What happened to a packet on its walk? The values a walk returns; how they come about is `flows.walk.walker`."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, Protocol

from flows.fields import CT_NEW, CT_TRK, Field
from flows.flow import Flow


class Connection(NamedTuple):
    """What conntrack says of a packet."""

    state: int
    """Bits of `CT_STATE` (ovs-fields(7)); `CT_TRK` is one of them."""
    mark: int = 0


NEW = Connection(CT_TRK | CT_NEW)


class Connections(Protocol):
    """Conntrack, as far as a walk needs it."""

    def look_up(self, zone: int, values: Mapping[Field, int]) -> Connection:
        """Return what is known in a zone of the packet's connection; asked once for each time the packet is sent there.

        The values are the packet's when it was sent there.
        """


class AllNew:
    """Conntrack that knows no connection."""

    def look_up(self, zone: int, values: Mapping[Field, int]) -> Connection:  # noqa: ARG002 - a Connections
        """Return `NEW`."""
        return NEW


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One table the packet met."""

    copy: int
    """Which copy of the packet: 0 is the one that came in; groups, resubmits and conntrack make others."""
    depth: int
    """How many lookups on the way this one is inside of."""
    table: int
    flow: Flow | None
    """None: no flow matched."""
    parts: tuple[Flow, ...] = ()
    """The flows that together led to `flow`, when it ends a conjunctive match."""
    registers: tuple[int, ...]
    """reg0 to reg15 before the flow's actions."""
    ct_state: int
    """0 when conntrack was not asked before."""


class EndKind(StrEnum):
    """Where a copy of a packet went."""

    PORT = "port"
    """Out of a port."""
    TUNNEL = "tunnel"
    """Out of a port, to a tunnel endpoint that an action chose."""
    SENDER = "sender"
    """Back out of the port it came from, as an answer."""
    CONTROLLER = "controller"
    COPIED = "copied"
    """A copy went to the controller, which hears of the packet; the packet itself went on."""
    SUPPRESSED = "suppressed"
    """To the port it came from, where no plain output sends it (OpenFlow 1.4 section 7.2.5)."""
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """One end of the walk."""

    kind: EndKind
    ofport: int
    """0 for a drop, for the controller and for its copy."""
    packet: Mapping[Field, int]
    """As it was then, registers included; `TUN_DST` and `TUN_ID` say where a tunnel leads."""
    step: int
    """Index of the step that decided; -1 when there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Committed:
    """A connection remembered."""

    zone: int
    mark: int | None
    """Written into it; None leaves it as it was."""
    step: int
    """Index of the step that did it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Journey:
    """A whole walk."""

    steps: tuple[Step, ...]
    ends: tuple[End, ...]
    commits: tuple[Committed, ...]
    asked: tuple[tuple[int, Connection], ...]
    """Zones asked, in order, and what conntrack said."""
    meters: tuple[int, ...]
    """Meters the packet was counted by."""

    @property
    def sent(self) -> tuple[End, ...]:
        """The ends at which the packet left the switch."""
        return tuple(e for e in self.ends if e.kind not in {EndKind.DROPPED, EndKind.SUPPRESSED, EndKind.COPIED})

    @property
    def told(self) -> tuple[End, ...]:
        """The ends at which the controller got a copy."""
        return tuple(e for e in self.ends if e.kind is EndKind.COPIED)
