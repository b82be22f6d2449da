"""What does a switch do with a packet, table by table?

Does what Open vSwitch does with the actions Weft emits (ovs-actions(7)). Conntrack is the caller's: a walk changes
nothing and asks it. Copies that conntrack sends on are walked after what is left of the packet that was sent there, in
the order in which they were sent, as ``ofproto/trace`` does.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

from flows import fields
from flows.delta import Tables
from flows.fields import CT_MARK, CT_STATE, IN_PORT, IP_FRAG, REGISTERS, TUN_DST, VLAN_PRESENT, VLAN_VID, Field
from flows.flow import (
    Action,
    Bucket,
    Conjunction,
    CopyToController,
    Ct,
    CtClear,
    Flow,
    GroupKind,
    Load,
    Move,
    Output,
    OutputInPort,
    OutputReg,
    PopVlan,
    PushVlan,
    Resubmit,
    SetField,
    ToController,
    ToGroup,
)
from flows.pipeline import ASKED_ON_THE_WAY, CLASSIFY
from flows.walk.classifier import Classifier
from flows.walk.journey import AllNew, Committed, Connection, Connections, End, EndKind, Journey, Step
from flows.walk.packet import INNER_VLAN, PORTS, Values, has, packet, read, write

DEEPEST = 64
"""Resubmits inside of each other (ofproto/ofproto-dpif-xlate.c, MAX_DEPTH)."""
_NO_PORTS = dict.fromkeys(PORTS, 0)
_ALL_NEW = AllNew()
_Change = Load | Move | SetField | PushVlan | PopVlan


class Walker:
    """Walks packets through one state of a switch."""

    def __init__(self, tables: Tables, *, first_fragments_have_ports: bool = True) -> None:
        """Take the state, which must not change while the walker lives.

        Args:
            tables: Flows and groups.
            first_fragments_have_ports: Whether the switch lets flows see the transport ports of a first fragment
                (ovs-ofctl(8), set-frags: ``nx-match``), as Weft tells it; if not (``normal``), all fragments show 0.
        """
        self.groups = tables.groups
        self._with_ports = fields.FRAG_ANY if first_fragments_have_ports else 0
        self._flows: dict[int, list[Flow]] = {}
        for flow in tables.flows.values():
            self._flows.setdefault(flow.table, []).append(flow)
        self._classifiers: dict[int, Classifier] = {}

    def walk(self, values: Mapping[Field, int], connections: Connections = _ALL_NEW) -> Journey:
        """Follow a packet that comes in.

        Args:
            values: Its fields, the input port's number (`IN_PORT`) and what the tunnel said among them.
            connections: What conntrack knows.

        Raises:
            ValueError: A value does not fit its field.
        """
        walk = _Walk(self, connections)
        walk.run(packet(values))
        return Journey(
            steps=tuple(walk.steps),
            ends=tuple(walk.ends),
            commits=tuple(walk.commits),
            asked=tuple(walk.asked),
            meters=tuple(walk.meters),
        )

    def look_up(self, table: int, values: Values) -> tuple[Flow | None, tuple[Flow, ...]]:
        """Return the flow of a table that a packet meets, and the parts of the conjunctive match it ends."""
        classifier = self._classifiers.get(table)
        if classifier is None:
            classifier = self._classifiers[table] = Classifier(self._flows.get(table, ()))
        if values[IP_FRAG] and values[IP_FRAG] != self._with_ports:
            values = values | _NO_PORTS
        return classifier.look_up(values)


@dataclass(slots=True)
class _Copy:
    """One copy of the packet under way."""

    number: int
    values: Values
    depth: int = 0
    tunnelled: bool = False
    """Whether an action chose a tunnel endpoint for the next output."""


class _Walk:
    """One walk under way."""

    def __init__(self, walker: Walker, connections: Connections) -> None:
        self._walker, self._connections = walker, connections
        self._waiting: deque[tuple[int, int, _Copy]] = deque()
        self._copies = 0
        self._is_tracked = False
        """Whether ct_clear has something to do, which Open vSwitch notes once for all buckets of a group: after
        one bucket sent its copy to conntrack, ct_clear in the next leaves what it knows of the packet as it is
        (ofproto/ofproto-dpif-xlate.c, xlate_group_bucket restores the flow but not ``conntracked``)."""
        self._happened = 0
        """How often something became of a copy; a chain of tables in which nothing does is a drop."""
        self.steps: list[Step] = []
        self.ends: list[End] = []
        self.commits: list[Committed] = []
        self.asked: list[tuple[int, Connection]] = []
        self.meters: list[int] = []

    def run(self, values: Values) -> None:
        """Walk the packet, then what conntrack sends on."""
        self._chain(CLASSIFY.id, _Copy(0, values))
        while self._waiting:
            zone, table, copy = self._waiting.popleft()
            said = self._connections.look_up(zone, copy.values)
            self.asked.append((zone, said))
            copy.values[CT_STATE], copy.values[CT_MARK] = said
            self._is_tracked = bool(said.state)
            self._chain(table, copy)

    def _chain(self, table: int | None, copy: _Copy) -> None:
        """Go through a table and those its flows go on to."""
        before, decided = self._happened, -1
        is_question = table in ASKED_ON_THE_WAY
        while table is not None:
            values = copy.values
            flow, parts = self._walker.look_up(table, values)
            self.steps.append(
                Step(
                    copy=copy.number,
                    depth=copy.depth,
                    table=table,
                    flow=flow,
                    parts=parts,
                    registers=tuple([values[register] for register in REGISTERS]),
                    ct_state=values[CT_STATE],
                )
            )
            decided = len(self.steps) - 1
            if flow is None:
                break
            if flow.meter is not None:
                self.meters.append(flow.meter)
            self._apply(flow.actions, copy, decided)
            table = flow.goto
        if self._happened == before and not is_question:
            self._end(EndKind.DROPPED, 0, copy, decided)

    def _apply(self, actions: tuple[Action, ...], copy: _Copy, step: int) -> None:
        for action in actions:
            match action:
                case CtClear():
                    self._forget(copy)
                case Load() | Move() | SetField() | PushVlan() | PopVlan():
                    _change(copy, action)
                case Resubmit(table):
                    self._resubmit(table, copy, step)
                case ToGroup(group_id):
                    self._group(group_id, copy, step)
                case Ct():
                    self._conntrack(action, copy, step)
                case Output() | OutputReg() | OutputInPort() | ToController():
                    self._send(action, copy, step)
                case CopyToController():
                    # Not counted as something that became of the packet: it goes on, or is dropped all the same.
                    self.ends.append(End(kind=EndKind.COPIED, ofport=0, packet=dict(copy.values), step=step))
                case Conjunction():
                    raise ValueError(f"a part of conjunction {action.id} was chosen as if it were a whole flow")

    def _resubmit(self, table: int, copy: _Copy, step: int) -> None:
        if copy.depth >= DEEPEST:
            self._end(EndKind.DROPPED, 0, copy, step)
            return
        copy.depth += 1
        self._chain(table, copy)
        copy.depth -= 1

    def _send(self, action: Output | OutputReg | OutputInPort | ToController, copy: _Copy, step: int) -> None:
        came_from = copy.values[IN_PORT]
        match action:
            case ToController():
                self._end(EndKind.CONTROLLER, 0, copy, step)
            case OutputInPort():
                self._end(EndKind.SENDER, came_from, copy, step)
            case Output() | OutputReg():
                ofport = action.ofport if isinstance(action, Output) else read(copy.values, action.src)
                away = EndKind.TUNNEL if copy.tunnelled else EndKind.PORT
                self._end(EndKind.SUPPRESSED if ofport == came_from else away, ofport, copy, step)
                copy.tunnelled = False  # the next output of a flow that delivers several times chooses anew

    def _end(self, kind: EndKind, ofport: int, copy: _Copy, step: int) -> None:
        self._happened += 1
        self.ends.append(End(kind=kind, ofport=ofport, packet=dict(copy.values), step=step))

    def _group(self, group_id: int, copy: _Copy, step: int) -> None:
        """Hand a copy to every bucket, or to the first of a group that selects: Weft's are all alike."""
        group = self._walker.groups.get(group_id)
        if group is None:
            raise ValueError(f"group {group_id} does not exist")
        buckets = group.buckets if group.kind is GroupKind.ALL else group.buckets[:1]
        for bucket in buckets:
            self._apply(_as_set(bucket), self._fork(copy), step)

    def _fork(self, copy: _Copy) -> _Copy:
        self._copies += 1
        return _Copy(self._copies, dict(copy.values), copy.depth, copy.tunnelled)

    def _conntrack(self, action: Ct, copy: _Copy, step: int) -> None:
        zone = read(copy.values, action.zone)
        if action.commit:
            self.commits.append(Committed(zone=zone, mark=action.mark, step=step))
        if action.table is not None:
            self._happened += 1
            self._waiting.append((zone, action.table, self._fork(copy)))
        # What conntrack said is known in the copy it sends on alone (ovs-actions(7), ct).
        copy.values[CT_STATE] = copy.values[CT_MARK] = 0
        self._is_tracked = False

    def _forget(self, copy: _Copy) -> None:
        if self._is_tracked:
            copy.values[CT_STATE] = copy.values[CT_MARK] = 0
            self._is_tracked = False


def _change(copy: _Copy, action: _Change) -> None:
    match action:
        case Load(dst, value):
            write(copy.values, dst, value)
        case SetField(field, value):
            if has(copy.values, field):
                copy.values[field] = value
                copy.tunnelled = copy.tunnelled or field is TUN_DST
        case Move():
            _move(copy.values, action)
        case PushVlan():
            copy.values[INNER_VLAN], copy.values[VLAN_VID] = copy.values[VLAN_VID], VLAN_PRESENT
        case PopVlan():
            copy.values[VLAN_VID], copy.values[INNER_VLAN] = copy.values[INNER_VLAN], 0


def _move(values: Values, move: Move) -> None:
    for place in (move.src, move.dst):
        if isinstance(place, Field) and not has(values, place):
            return
    write(values, move.dst, read(values, move.src))


def _as_set(bucket: Bucket) -> tuple[Action, ...]:
    """Return a bucket's actions as they are carried out: it is an action set (OpenFlow 1.4 section 5.10).

    All that changes the packet comes first, a tag before what is written into it; of what sends the packet only the
    last of the first kind there is counts.
    """
    tags: list[Action] = [action for kind in (PopVlan, PushVlan) for action in _last(bucket, kind)]
    changes = [*tags, *(action for action in bucket.actions if isinstance(action, Load | Move | SetField | CtClear))]
    for kind in (ToGroup, (Output, OutputReg, OutputInPort, ToController), Resubmit, Ct):
        last = _last(bucket, kind)
        if last:
            return (*changes, *last)
    return tuple(changes)


def _last(bucket: Bucket, kind: type[Action] | tuple[type[Action], ...]) -> list[Action]:
    return [action for action in bucket.actions if isinstance(action, kind)][-1:]
