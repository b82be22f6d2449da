"""Which tables does a frame pass, and what does each ask? The pipeline as data.

Tables are named by the question they answer. A flow is made only by `Table.flow`, which holds it against the table's
declaration; so a wrong flow is an exception here, not a lost packet later.

    CLASSIFY 0 ──from a port──▶ PORT_SECURITY 10 ──▶ SERVICES 20 ──▶ L2_LOOKUP 40 ──▶ OUTPUT 70
        └──────from a tunnel──▶ TUNNEL 5 ─────────────────────────────▶┘   └─▶ group ─▶┘

Gaps in the ids are for the questions of later features (rules from the port 30, isolation 50, rules to the port 60).
Layouts alternate between two ranges of tables and groups; only table 0 is common, and its flows are replaced last. The
ids above are those of an odd layout, an even one adds 100.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from functools import cache

from flows import fields
from flows.cookie import LAYOUT, Feature, encode
from flows.fields import Field, RegField, Term
from flows.flow import Action, Flow, Load, canonical_match

SEGMENT = RegField(name="segment", reg=0, lo=0, hi=23, doc="Segment key of the frame's layer-2 domain, never 0.")
OUT_PORT = RegField(name="out_port", reg=1, lo=0, hi=15, doc="OpenFlow port of the local receiver.")
REGISTER_FIELDS: tuple[RegField, ...] = (SEGMENT, OUT_PORT)


TABLE_RANGE = 0 if LAYOUT % 2 else 100
"""Added to every table id but 0."""
GROUP_RANGE = 0 if LAYOUT % 2 else 1 << 31
"""Added to every group id."""


def broadcast_group(segment: int) -> int:
    """Return the id of a segment's broadcast group; chunks of a large group use bits 24..30 (`flows.state`)."""
    return segment | GROUP_RANGE


class Priority(IntEnum):
    """Who wins inside one table."""

    MISS = 0
    DEFAULT = 100
    BROADCAST = 200
    UNICAST = 300
    SERVICE = 400
    GUARD = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One table.

    Attributes:
        id: 0..254.
        name: The name engineers see.
        doc: The question it answers.
        match: Fields and register fields its flows may match.
        exits: Names of the tables its flows may go to, all with a greater id (OpenFlow 1.4 section 5.1).
        writes: Register fields its flows may write.
    """

    id: int
    name: str
    doc: str
    match: tuple[Field | RegField, ...]
    exits: tuple[str, ...]
    writes: tuple[RegField, ...] = ()

    def flow(
        self,
        *,
        priority: Priority,
        feature: Feature,
        key: int = 0,
        match: Iterable[Term] = (),
        actions: Iterable[Action] = (),
        goto: "Table | None" = None,
        meter: int | None = None,
        why: str,
    ) -> Flow:
        """Return a flow of this table.

        Raises:
            ValueError: The flow does not keep to the table's declaration; the message says how.
        """
        terms = canonical_match(match)
        acts = tuple(actions)
        self._check_match(terms)
        if goto is not None and goto.name not in self.exits:
            raise ValueError(f"table {self.name}: a flow may not go to {goto.name}")
        for action in acts:
            if isinstance(action, Load) and action.dst not in self.writes:
                raise ValueError(f"table {self.name}: a flow may not write {action.dst.name}")
        if not why:
            raise ValueError(f"table {self.name}: a flow without a reason")
        return Flow(
            table=self.id,
            priority=int(priority),
            match=terms,
            actions=acts,
            goto=None if goto is None else goto.id,
            meter=meter,
            cookie=encode(feature, key),
            why=why,
        )

    def _check_match(self, terms: tuple[Term, ...]) -> None:
        allowed = _declared_fields(self.match)
        for term in terms:
            if term.field not in allowed:
                raise ValueError(f"table {self.name}: a flow may not match {term.field.name}")


@cache
def _declared_fields(declared: tuple[Field | RegField, ...]) -> frozenset[Field]:
    return frozenset(f.field if isinstance(f, RegField) else f for f in declared)


_UDP = (fields.ETH_TYPE, fields.IP_PROTO, fields.UDP_SRC, fields.UDP_DST)

CLASSIFY = Table(
    id=0,
    name="classify",
    doc="Where does the frame come from? An unknown interface or tunnel peer gets nothing.",
    match=(fields.IN_PORT, fields.TUN_SRC),
    exits=("tunnel", "port_security", "services"),
    writes=(SEGMENT,),
)
TUNNEL = Table(
    id=TABLE_RANGE + 5,
    name="tunnel",
    doc="Which segment does the tunnel key name, and has its sender ports in it?",
    match=(fields.TUN_ID, fields.TUN_SRC),
    exits=("l2_lookup",),
    writes=(SEGMENT,),
)
PORT_SECURITY = Table(
    id=TABLE_RANGE + 10,
    name="port_security",
    doc="May this sender send such a frame? Only ports with port security come here.",
    match=(fields.IN_PORT, fields.ETH_SRC, fields.VLAN_VID, *_UDP),
    exits=("services",),
)
SERVICES = Table(
    id=TABLE_RANGE + 20,
    name="services",
    doc="Does the network itself answer?",
    match=(fields.IN_PORT, SEGMENT, fields.ARP_OP, fields.ARP_TPA, *_UDP),
    exits=("l2_lookup",),
)
L2_LOOKUP = Table(
    id=TABLE_RANGE + 40,
    name="l2_lookup",
    doc="Who is the receiver? An unknown unicast address is nobody's.",
    match=(SEGMENT, fields.ETH_DST),
    exits=("output",),
    writes=(OUT_PORT,),
)
OUTPUT = Table(
    id=TABLE_RANGE + 70,
    name="output",
    doc="Deliver to the port the lookup chose.",
    match=(),
    exits=(),
)
PIPELINE: tuple[Table, ...] = (CLASSIFY, TUNNEL, PORT_SECURITY, SERVICES, L2_LOOKUP, OUTPUT)
TABLE_BY_ID: dict[int, Table] = {table.id: table for table in PIPELINE}
TABLE_BY_NAME: dict[str, Table] = {table.name: table for table in PIPELINE}
