"""Which tables does a frame pass, and what does each ask? The pipeline as data.

Tables are named by the question they answer. A flow is made only by `Table.flow`, which holds it against the table's
declaration; so a wrong flow is an exception here, not a lost packet later.

    classify 0 ─from a port─▶ port_security 10 (nd 11..13) ─▶ services 20 ─▶ from_track 30 .. from_commit 33
        │                                      └ neighbours 21 ─▶ answer 22 ─▶ (back to the sender)    │
        ├─from a tunnel─▶ tunnel 5 ─────┬▶ sender 7 ─▶ l2_lookup 40 ◀───────────────────────────────────┘
        └─from a network card─▶ provider 6 ┘             └▶ isolation 50 ─▶ to_track 60 .. to_commit 63 ─▶ output 70

`addresses` 75 is looked up on the way (resubmit): who in this segment has this address? So is `sightings` 76: what does
a sender nobody guards say of the addresses it uses? Layouts alternate between two
ranges of tables and groups; only table 0 is common, and its flows are replaced last. The ids above are those of an odd
layout, an even one adds 100.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from functools import cache

from flows import fields
from flows.cookie import LAYOUT, Feature, encode
from flows.fields import Field, RegField, Term
from flows.flow import Action, Flow, Load, Move, canonical_match

SEGMENT = RegField(name="segment", reg=0, lo=0, hi=23, doc="Segment key of the frame's layer-2 domain, never 0.")
OUT_PORT = RegField(name="out_port", reg=1, lo=0, hi=15, doc="OpenFlow port of the local receiver.")
TO_ZONE = RegField(name="to_zone", reg=1, lo=16, hi=31, doc="Conntrack zone of the local receiver.")
OWNER_MAC = RegField(
    name="owner_mac", reg=2, wide=2, lo=0, hi=47, doc="MAC the network answers with for the address asked for, or 0."
)
FROM_ZONE = RegField(name="from_zone", reg=2, lo=16, hi=31, doc="Conntrack zone of the local sender.")
ADDRESS = RegField(
    name="address",
    reg=4,
    wide=4,
    lo=0,
    hi=127,
    doc="Address to look up; IPv4 as ::ffff:0:0/96 (RFC 4291 section 2.5.5.2).",
)
ADDRESS_HIGH = RegField(name="address_high", reg=4, wide=2, lo=0, hi=63, doc="First 64 bits of `address`.")
ADDRESS_MAPPED = RegField(name="address_mapped", reg=6, lo=0, hi=31, doc="Third 32 bits of `address`.")
ADDRESS_IPV4 = RegField(name="address_ipv4", reg=7, lo=0, hi=31, doc="Last 32 bits of `address`.")
FROM_RULES = RegField(name="from_rules", reg=8, lo=0, hi=31, doc="Ruleset of the local sender; 0 filters nothing.")
TO_RULES = RegField(name="to_rules", reg=9, lo=0, hi=31, doc="Ruleset of the local receiver; 0 filters nothing.")
PEER_RULES = RegField(name="peer_rules", reg=10, lo=0, hi=31, doc="Ruleset of the port at the far end, or 0.")
FROM_ROLE = RegField(
    name="from_role", reg=11, lo=0, hi=31, doc="Role of the sender in a private VLAN; 0 is promiscuous (RFC 5517)."
)
TO_ROLE = RegField(name="to_role", reg=12, lo=0, hi=31, doc="Role of the local receiver in a private VLAN.")
REGISTER_FIELDS: tuple[RegField, ...] = (
    SEGMENT,
    OUT_PORT,
    TO_ZONE,
    OWNER_MAC,
    FROM_ZONE,
    ADDRESS,
    FROM_RULES,
    TO_RULES,
    PEER_RULES,
    FROM_ROLE,
    TO_ROLE,
)
"""All meanings of register bits; `ADDRESS_HIGH`, `ADDRESS_MAPPED` and `ADDRESS_IPV4` are parts of `ADDRESS`."""
MAPPED = 0xFFFF << 32
"""Prefix of an IPv4 address in `ADDRESS`."""


TABLE_RANGE = 0 if LAYOUT % 2 else 100
"""Added to every table id but 0."""
GROUP_RANGE = 0 if LAYOUT % 2 else 1 << 31
"""Added to every group id."""


def broadcast_group(segment: int) -> int:
    """Return the id of a segment's broadcast group; chunks of a large group use bits 24..29 (`flows.groups`)."""
    return segment | GROUP_RANGE


def unknown_group(segment: int) -> int:
    """Return the id of the group of a segment's members that take unicast frames for addresses nobody knows."""
    return segment | GROUP_RANGE | 1 << 30


RECIRCULATE = GROUP_RANGE | 1 << 24
"""Id of the group that makes what follows another datapath flow; no segment has key 0, so no group of one has it."""


class Priority(IntEnum):
    """Who wins inside one table."""

    MISS = 0
    DEFAULT = 100
    BROADCAST = 200
    CLOSED = 250
    SHARED = 280
    UNICAST = 300
    CONJUNCTION = 350
    SERVICE = 400
    OWN = 450
    GUARD = 500
    EXEMPT = 600
    EXEMPT_ASKING = 650


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
        priority: int,
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
            if isinstance(action, Load | Move) and isinstance(action.dst, RegField) and action.dst not in self.writes:
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
    return frozenset(field for f in declared for field in (f.fields if isinstance(f, RegField) else (f,)))


_IP = (fields.ETH_TYPE, fields.IP_PROTO, fields.IP_FRAG)
_UDP = (*_IP, fields.UDP_SRC, fields.UDP_DST)
_ND = (fields.ETH_TYPE, fields.IP_PROTO, fields.ICMP6_TYPE, fields.ICMP6_CODE, fields.ND_TARGET)
_LAYER_4 = (
    fields.TCP_DST,
    fields.UDP_DST,
    fields.SCTP_DST,
    fields.ICMP_TYPE,
    fields.ICMP_CODE,
    fields.ICMP6_TYPE,
    fields.ICMP6_CODE,
)
_CONNECTION = (fields.CT_STATE, fields.CT_MARK)
_LOOKED_UP = (ADDRESS, ADDRESS_HIGH, ADDRESS_MAPPED, ADDRESS_IPV4)

CLASSIFY = Table(
    id=0,
    name="classify",
    doc="Where does the frame come from? An unknown interface or tunnel peer gets nothing.",
    match=(fields.IN_PORT, fields.TUN_SRC),
    exits=("tunnel", "provider", "port_security"),
    writes=(SEGMENT, FROM_ZONE, FROM_RULES, FROM_ROLE),
)
TUNNEL = Table(
    id=TABLE_RANGE + 5,
    name="tunnel",
    doc="Which segment does the tunnel key name, and has its sender ports in it?",
    match=(fields.IN_PORT, fields.TUN_ID, fields.TUN_SRC),
    exits=("sender",),
    writes=(SEGMENT,),
)
PROVIDER = Table(
    id=TABLE_RANGE + 6,
    name="provider",
    doc="Which segment is this VLAN of the physical network, and has this host ports in it?",
    match=(fields.IN_PORT, fields.VLAN_VID, *_ND),
    exits=("sender",),
    writes=(SEGMENT,),
)
SENDER = Table(
    id=TABLE_RANGE + 7,
    name="sender",
    doc="Is a sender on another host an isolated port, or one of a community? No tunnel says so; its MAC address does.",
    match=(SEGMENT, fields.ETH_SRC),
    exits=("l2_lookup",),
    writes=(FROM_ROLE,),
)
PORT_SECURITY = Table(
    id=TABLE_RANGE + 10,
    name="port_security",
    doc="May this sender send such a frame from these addresses? Its DHCP requests go to the controller from here.",
    match=(
        fields.IN_PORT,
        fields.ETH_SRC,
        fields.VLAN_VID,
        *_UDP,
        fields.IPV4_SRC,
        fields.IPV6_SRC,
        fields.ICMP6_TYPE,
        fields.ICMP6_CODE,
        fields.ARP_SPA,
        fields.ARP_SHA,
    ),
    exits=("nd", "services"),
)
ND = Table(
    id=TABLE_RANGE + 11,
    name="nd",
    doc="Is it neighbour discovery, which says more about its sender than the source address does?",
    match=(*_ND, fields.IPV6_SRC),
    exits=("nd_target", "nd_link", "services"),
)
ND_TARGET = Table(
    id=TABLE_RANGE + 12,
    name="nd_target",
    doc="Does a neighbour advertisement speak of the sender's own address (RFC 4861 section 4.4)?",
    match=(fields.IN_PORT, *_ND),
    exits=("nd_link",),
)
ND_LINK = Table(
    id=TABLE_RANGE + 13,
    name="nd_link",
    doc="Is the link-layer address in a neighbour discovery option the sender's own (RFC 4861 section 4.6.1)?",
    match=(fields.IN_PORT, *_ND, fields.ND_SLL, fields.ND_TLL),
    exits=("services",),
)
SERVICES = Table(
    id=TABLE_RANGE + 20,
    name="services",
    doc="Does the frame ask for something the network itself may answer?",
    match=(SEGMENT, fields.ETH_DST, *_ND, fields.ND_SLL, fields.ARP_OP),
    exits=("from_track",),
)
NEIGHBOURS = Table(
    id=TABLE_RANGE + 21,
    name="neighbours",
    doc="Which address is asked for?",
    match=_ND,
    exits=("answer",),
    writes=_LOOKED_UP,
)
ANSWER = Table(
    id=TABLE_RANGE + 22,
    name="answer",
    doc="Is its owner known? Then the network answers the sender; else the question goes on to the segment.",
    match=(fields.IN_PORT, OWNER_MAC, ADDRESS, *_ND),
    exits=("from_track",),
)
ND_ANSWER = Table(
    id=TABLE_RANGE + 23,
    name="nd_answer",
    doc="The last step of a neighbour advertisement: its option can be written once its type is.",
    match=_ND,
    exits=(),
)
FROM_TRACK = Table(
    id=TABLE_RANGE + 30,
    name="from_track",
    doc="Do rules of the sender concern the packet, and do they need conntrack?",
    match=(FROM_RULES, *_UDP, fields.ICMP6_TYPE),
    exits=("from_rules", "l2_lookup"),
    writes=(*_LOOKED_UP, FROM_ZONE),
)
FROM_STATE = Table(
    id=TABLE_RANGE + 31,
    name="from_state",
    doc="Does the packet belong to a connection that is allowed, or must the sender's rules decide?",
    match=(fields.IN_PORT, *_CONNECTION, *_IP),
    exits=("from_rules", "from_commit", "l2_lookup"),
)
FROM_RULE_TABLE = Table(
    id=TABLE_RANGE + 32,
    name="from_rules",
    doc="Does a rule of the sender's security groups (egress) allow the packet?",
    match=(
        SEGMENT,
        FROM_ZONE,
        FROM_RULES,
        PEER_RULES,
        *_CONNECTION,
        fields.CONJ_ID,
        *_IP,
        fields.IPV4_DST,
        fields.IPV6_DST,
        *_LAYER_4,
    ),
    exits=("from_commit",),
)
FROM_COMMIT = Table(
    id=TABLE_RANGE + 33,
    name="from_commit",
    doc="Allowed by the sender's rules: is a connection to be remembered?",
    match=(FROM_ZONE, *_CONNECTION, fields.ETH_TYPE),
    exits=("l2_lookup",),
)
L2_LOOKUP = Table(
    id=TABLE_RANGE + 40,
    name="l2_lookup",
    doc="Who is the receiver? An unknown unicast address is nobody's.",
    match=(SEGMENT, fields.ETH_DST),
    exits=("isolation",),
    writes=(OUT_PORT, TO_ZONE, TO_RULES, TO_ROLE),
)
ISOLATION = Table(
    id=TABLE_RANGE + 50,
    name="isolation",
    doc="May these two talk inside their network (RFC 5517)?",
    match=(FROM_ROLE, TO_ROLE),
    exits=("to_track",),
)
TO_TRACK = Table(
    id=TABLE_RANGE + 60,
    name="to_track",
    doc="Do rules of the receiver concern the packet, and do they need conntrack?",
    match=(TO_RULES, *_UDP, fields.ICMP6_TYPE),
    exits=("to_rules", "output"),
    writes=(*_LOOKED_UP, PEER_RULES, TO_ZONE),
)
TO_STATE = Table(
    id=TABLE_RANGE + 61,
    name="to_state",
    doc="Does the packet belong to a connection that is allowed, or must the receiver's rules decide?",
    match=(*_CONNECTION, *_IP),
    exits=("to_rules", "to_commit", "output"),
)
TO_RULE_TABLE = Table(
    id=TABLE_RANGE + 62,
    name="to_rules",
    doc="Does a rule of the receiver's security groups (ingress) allow the packet?",
    match=(
        SEGMENT,
        TO_ZONE,
        TO_RULES,
        PEER_RULES,
        *_CONNECTION,
        fields.CONJ_ID,
        *_IP,
        fields.IPV4_SRC,
        fields.IPV6_SRC,
        *_LAYER_4,
    ),
    exits=("to_commit",),
)
TO_COMMIT = Table(
    id=TABLE_RANGE + 63,
    name="to_commit",
    doc="Allowed by the receiver's rules: is a connection to be remembered?",
    match=(TO_ZONE, *_CONNECTION, fields.ETH_TYPE),
    exits=("output",),
)
OUTPUT = Table(
    id=TABLE_RANGE + 70,
    name="output",
    doc="Deliver to the port the lookup chose.",
    match=(),
    exits=(),
)
ADDRESSES = Table(
    id=TABLE_RANGE + 75,
    name="addresses",
    doc="Who has this address in this segment? Looked up on the way, by resubmit.",
    match=(SEGMENT, ADDRESS),
    exits=(),
    writes=(OWNER_MAC, PEER_RULES),
)
SIGHTINGS = Table(
    id=TABLE_RANGE + 76,
    name="sightings",
    doc="Does a sender nobody guards name an address of a subnet as its own? Asked on the way, by resubmit.",
    match=(
        fields.IN_PORT,
        SEGMENT,
        fields.ETH_SRC,
        *_ND,
        fields.IPV6_SRC,
        fields.ARP_SPA,
        fields.ARP_TPA,
        fields.ARP_SHA,
    ),
    exits=(),
)
ASKED_ON_THE_WAY = frozenset({ADDRESSES.id, SIGHTINGS.id})
"""Tables that flows ask by resubmit and that decide nothing about the frame."""
PIPELINE: tuple[Table, ...] = (
    CLASSIFY,
    TUNNEL,
    PROVIDER,
    SENDER,
    PORT_SECURITY,
    ND,
    ND_TARGET,
    ND_LINK,
    SERVICES,
    NEIGHBOURS,
    ANSWER,
    ND_ANSWER,
    FROM_TRACK,
    FROM_STATE,
    FROM_RULE_TABLE,
    FROM_COMMIT,
    L2_LOOKUP,
    ISOLATION,
    TO_TRACK,
    TO_STATE,
    TO_RULE_TABLE,
    TO_COMMIT,
    OUTPUT,
    ADDRESSES,
    SIGHTINGS,
)
TABLE_BY_ID: dict[int, Table] = {table.id: table for table in PIPELINE}
TABLE_BY_NAME: dict[str, Table] = {table.name: table for table in PIPELINE}
