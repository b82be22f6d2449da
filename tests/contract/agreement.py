"""Do the walker and a real Open vSwitch say the same of a packet? Bridges are programmed as the product does it."""

import random
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from controller.southbound.openflow.events import Applied, Failed, Synced
from flows import fields
from flows.compiler import compile_unit
from flows.contribution import Contribution
from flows.fields import CT_MARK, Field
from flows.intent import Unit
from flows.ofctl import flow_text, value_text
from flows.state import BridgeState
from flows.walk.journey import NEW, Connection, End, EndKind, Journey
from flows.walk.walker import Walker
from tests.contract import walk_cases
from tests.contract.harness import Harness
from tests.contract.trace import Traced, TracedSwitch, packet_text

_SHOWN: dict[str, Field] = {
    "eth.src": fields.ETH_SRC,
    "eth.dst": fields.ETH_DST,
    "arp.sip": fields.ARP_SPA,
    "arp.tip": fields.ARP_TPA,
    "arp.op": fields.ARP_OP,
    "arp.sha": fields.ARP_SHA,
    "arp.tha": fields.ARP_THA,
    "ipv6.src": fields.IPV6_SRC,
    "ipv6.dst": fields.IPV6_DST,
    "icmpv6.type": fields.ICMP6_TYPE,
    "nd.target": fields.ND_TARGET,
    "nd.tll": fields.ND_TLL,
}
"""What a packet's header fields are called in datapath actions; others are the same before and after, or checksums."""
_WITHOUT_FIELD = frozenset({"icmpv6.code", "nd_ext.nd_reserved", "nd_ext.nd_options_type", "nd.sll"})


@dataclass(slots=True)
class Said:
    """Conntrack that says what it was told to, as ``--ct-next`` does; the mark is the packet's own."""

    states: tuple[int, ...]
    place: int = 0

    def look_up(self, zone: int, values: Mapping[Field, int]) -> Connection:
        """Return the next state."""
        state = self.states[self.place] if self.place < len(self.states) else NEW.state
        self.place += 1
        return Connection(state, values[CT_MARK])


@dataclass(frozen=True, slots=True, kw_only=True)
class Disagreement:
    """A packet of which the two say different things."""

    seed: int
    packet: str
    walked: object
    traced: object
    steps: tuple[str, ...]
    text: str

    def __str__(self) -> str:
        """Return all that is needed to see why."""
        return "\n".join(
            [
                f"world {self.seed}, packet {self.packet}",
                f"walker: {self.walked}",
                f"switch: {self.traced}",
                *self.steps,
                self.text,
            ]
        )


@dataclass(slots=True)
class Tally:
    """What was compared."""

    pairs: int = 0
    flows: int = 0
    tables: set[int] = field(default_factory=set)
    met: set[object] = field(default_factory=set)
    """Forms of flows that packets met: table, priority, fields matched."""
    ends: dict[EndKind, int] = field(default_factory=dict)
    walking_s: float = 0.0
    tracing_s: float = 0.0
    disagreements: list[Disagreement] = field(default_factory=list)


class Bench:
    """A real switch, led by the product's own OpenFlow service."""

    def __init__(self, switch: TracedSwitch, harness: Harness) -> None:
        """Connect the two."""
        self.switch, self._harness = switch, harness
        self.state = BridgeState()
        self._units: tuple[Unit, ...] = ()
        worker = harness.switch(switch.dpid)
        worker.load(self.state.tables(), 0)
        switch.connect("127.0.0.1", harness.port)
        harness.wait(switch.dpid, Synced)

    def become(self, world: walk_cases.World) -> None:
        """Let the switch realise another world."""
        changes: dict[Unit, Contribution | None] = dict.fromkeys(self._units)
        changes |= {unit.unit: compile_unit(unit) for unit in world.units}
        delta = self.state.replace(changes)
        self._units = tuple(unit.unit for unit in world.units)
        self._harness.events.clear()
        self._harness.switch(self.switch.dpid).apply(delta, 1)
        self._harness.wait(self.switch.dpid, Applied)
        failed = self._harness.seen(self.switch.dpid, Failed)
        if failed:
            raise RuntimeError(f"the switch refused: {failed}")


def compare(bench: Bench, seeds: range, packets: int, *, first_fragments_have_ports: bool = False) -> Iterator[Tally]:
    """Compare `packets` packets in each world; yield the same tally after every world."""
    bench.switch.let_first_fragments_have_ports(they=first_fragments_have_ports)
    tally = Tally()
    for seed in seeds:
        rng = random.Random(seed)
        world = walk_cases.a_world(rng)
        bench.become(world)
        walker = Walker(bench.state.tables(), first_fragments_have_ports=first_fragments_have_ports)
        tally.flows += bench.state.flow_count
        for _ in range(packets):
            compare_one(bench, walker, walk_cases.a_packet(rng, world), walk_cases.states(rng), seed=seed, tally=tally)
        yield tally


def compare_one(
    bench: Bench, walker: Walker, packet: Mapping[Field, int], states: tuple[int, ...], *, seed: int, tally: Tally
) -> None:
    """Ask both about one packet and note what they said."""
    began = time.perf_counter()
    journey = walker.walk(packet, Said(states))
    between = time.perf_counter()
    traced = bench.switch.trace(packet, states)
    tally.walking_s += between - began
    tally.tracing_s += time.perf_counter() - between
    _count(tally, journey)
    walked, said = _walked(journey), _said(traced)
    if walked != said or not _is_same_packet(journey, traced):
        tally.disagreements.append(
            Disagreement(
                seed=seed,
                packet=packet_text(packet),
                walked=walked,
                traced=said,
                steps=tuple(_step_text(journey)),
                text=traced.text,
            )
        )


def _count(tally: Tally, journey: Journey) -> None:
    tally.pairs += 1
    for step in journey.steps:
        tally.tables.add(step.table)
        if step.flow is not None:
            form = tuple((t.field.name, t.mask) for t in step.flow.match)
            tally.met.add((step.table, step.flow.priority, form))
    for kind in {end.kind for end in journey.ends}:
        tally.ends[kind] = tally.ends.get(kind, 0) + 1


def _place(end: End) -> tuple[str | int, ...]:
    match end.kind:
        case EndKind.TUNNEL:
            return (
                "tunnel",
                end.ofport,
                value_text(fields.TUN_DST, end.packet[fields.TUN_DST]),
                end.packet[fields.TUN_ID],
            )
        case EndKind.CONTROLLER:
            return ("controller",)
        case EndKind.COPIED:
            return ("copied",)
        case _:
            return ("port", end.ofport)


def _walked(journey: Journey) -> tuple[object, object]:
    commits = [(c.zone, c.mark) for c in journey.commits]
    return sorted((_place(end) for end in (*journey.sent, *journey.told)), key=str), sorted(commits, key=str)


def _said(traced: Traced) -> tuple[object, object]:
    return sorted((place for place, _ in traced.sent), key=str), sorted(traced.commits, key=str)


def _is_same_packet(journey: Journey, traced: Traced) -> bool:
    """Whether what is sent looks the same: every header the switch writes on the way is as the walker has it."""
    walked = sorted((*journey.sent, *journey.told), key=lambda end: str(_place(end)))
    for end, (_, changed) in zip(walked, sorted(traced.sent, key=lambda sent: str(sent[0])), strict=True):
        for name, text in changed.items():
            if name in _WITHOUT_FIELD:
                continue
            if name == "tags":
                if _outermost(text) not in {None, end.packet[fields.VLAN_VID]}:
                    return False
                continue
            shown = _SHOWN.get(name)
            if shown is None:
                raise ValueError(f"the switch writes {name}, which is not compared")
            if value_text(shown, end.packet[shown]) != text:
                return False
    return True


def _outermost(tags: str) -> int | None:
    """Return the outermost tag after what was done to the tags (`trace`), None when it is as before.

    Packets come with one tag at most, so there is none when that is taken off.
    """
    if not tags:
        return None
    last = tags.rsplit(maxsplit=1)[-1]
    return 0 if last == "-" else fields.VLAN_PRESENT | int(last)


def _step_text(journey: Journey) -> Iterator[str]:
    for step in journey.steps:
        flow = "miss" if step.flow is None else flow_text(step.flow)
        yield f"  {step.copy} {'  ' * step.depth}{step.table} ct={step.ct_state:#x} {flow}"
