"""What is a flow, a group, a meter? Values with a canonical identity.

Nothing here knows which flows Weft wants (`flows.features`) or how they look on the wire (the controller's southbound).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple, NewType

from flows.fields import Field, RegField, Term

Match = tuple[Term, ...]
FlowKey = NewType("FlowKey", tuple[int, int, Match])
"""(table, priority, match): what identifies a flow in a switch (OpenFlow 1.4 section 6.4)."""


@dataclass(frozen=True, slots=True)
class SetField:
    """Write a constant into a whole packet or tunnel field."""

    field: Field
    value: int


@dataclass(frozen=True, slots=True)
class Load:
    """Write a constant into a register field."""

    dst: RegField
    value: int


@dataclass(frozen=True, slots=True)
class Move:
    """Copy one field or register field onto another of the same width."""

    src: Field | RegField
    dst: Field | RegField


@dataclass(frozen=True, slots=True)
class Output:
    """Send to an OpenFlow port; OVS never sends a frame back to the port it came from this way."""

    ofport: int


@dataclass(frozen=True, slots=True)
class OutputReg:
    """Send to the OpenFlow port whose number a register field holds."""

    src: RegField


@dataclass(frozen=True, slots=True)
class OutputInPort:
    """Send back to where the frame came from (OFPP_IN_PORT)."""


@dataclass(frozen=True, slots=True)
class ToController:
    """Punt the whole frame as a packet-in."""


@dataclass(frozen=True, slots=True)
class CopyToController:
    """Punt a copy of the whole frame, as far as a meter lets it; the frame itself goes on, whatever the meter says.

    A meter in front of a flow's actions drops the frame too; this one stands in front of the copy alone
    (ovs-actions(7), controller, ``meter_id``).
    """

    meter: int


@dataclass(frozen=True, slots=True)
class ToGroup:
    """Hand to a group."""

    group_id: int


@dataclass(frozen=True, slots=True)
class Resubmit:
    """Go on in a table and come back (ovs-actions(7)); buckets need it because they have no goto."""

    table: int


@dataclass(frozen=True, slots=True)
class Ct:
    """Ask conntrack, or tell it (ovs-actions(7), ct).

    Attributes:
        zone: The register field that holds the zone.
        table: Table in which the packet goes on with its connection state; None lets it go on here without one.
        commit: Whether the connection is remembered.
        mark: What to write into the connection's mark when it is committed, or None.
    """

    zone: RegField
    table: int | None = None
    commit: bool = False
    mark: int | None = None


@dataclass(frozen=True, slots=True)
class PushVlan:
    """Put an 802.1Q tag in front of the frame (TPID 0x8100); `SetField` of `VLAN_VID` gives it its number."""


@dataclass(frozen=True, slots=True)
class PopVlan:
    """Take the outermost 802.1Q tag off the frame."""


@dataclass(frozen=True, slots=True)
class CtClear:
    """Forget what conntrack said of the packet (ovs-actions(7), ct_clear)."""


@dataclass(frozen=True, slots=True)
class Conjunction:
    """Say that dimension `clause` of `clauses` of conjunctive match `id` holds (ovs-actions(7), conjunction).

    A flow has either only such actions or none.
    """

    id: int
    clause: int
    """1 .. `clauses`."""
    clauses: int


Action = (
    Ct
    | CtClear
    | Conjunction
    | PushVlan
    | PopVlan
    | SetField
    | Load
    | Move
    | Output
    | OutputReg
    | OutputInPort
    | ToController
    | CopyToController
    | ToGroup
    | Resubmit
)


def canonical_match(terms: Iterable[Term]) -> Match:
    """Merge terms on one field and order them, so that equal conditions are equal values.

    Raises:
        ValueError: Two terms want different values of the same bits: the flow could never match.
    """
    merged: dict[Field, Term] = {}
    for term in terms:
        known = merged.setdefault(term.field, term)
        if known is not term:
            both = known.mask & term.mask
            if known.value & both != term.value & both:
                raise ValueError(f"{term.field.name}: contradictory conditions in one match")
            merged[term.field] = term.field.masked(known.value | term.value, known.mask | term.mask)
    return tuple(sorted(merged.values(), key=_field_name))


def _field_name(term: Term) -> str:
    return term.field.name


class Flow(NamedTuple):
    """One flow entry. Make it with `flows.pipeline.Table.flow`, which checks it against the table's declaration.

    Attributes:
        table: Table id.
        priority: 0..65535.
        match: Canonical.
        actions: Applied in order; empty and no `goto` means drop.
        goto: Id of the table to go on in, greater than `table`, or None.
        meter: Id of the meter in front of the actions, or None.
        cookie: See `flows.cookie`.
        why: One clause for the network engineer: why does this flow exist?
    """

    table: int
    priority: int
    match: Match
    actions: tuple[Action, ...]
    goto: int | None
    meter: int | None
    cookie: int
    why: str

    @property
    def key(self) -> FlowKey:
        """What identifies the flow in a switch."""
        return FlowKey((self.table, self.priority, self.match))


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """One copy a group makes of a frame."""

    actions: tuple[Action, ...]


class GroupKind(StrEnum):
    """What a group does with its buckets (OpenFlow 1.4 section 5.6.1)."""

    ALL = "all"
    """Every bucket gets a copy."""
    SELECT = "select"
    """One bucket gets the frame. OVS hashes for it and looks the frame up anew (ovs-actions(7)), which is what Weft
    wants of it: what comes after is another datapath flow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A group and its buckets."""

    id: int
    buckets: tuple[Bucket, ...]
    kind: GroupKind = GroupKind.ALL


@dataclass(frozen=True, slots=True, kw_only=True)
class Meter:
    """A packet-per-second meter with one drop band (OpenFlow 1.4 section 5.7)."""

    id: int
    rate_pps: int
    burst: int
    """Packets."""
