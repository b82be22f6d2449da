"""What became of the packet, in one word and one sentence, and what did every table do?"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from controller.names import owner_name, port_name
from controller.records import Port, PortId
from controller.trace.question import Probe
from controller.trace.reasons import Known, host_text, why_dropped
from controller.trace.route import Hop, endpoint_text
from flows import fields
from flows.cookie import decode, is_ours
from flows.fields import CT_STATE
from flows.flow import Flow
from flows.ofctl import actions_text, match_text, table_name, term_text, value_text
from flows.pipeline import OUT_PORT, TABLE_BY_ID
from flows.walk.journey import End, EndKind, Step
from flows.walk.packet import read

_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class Verdict(StrEnum):
    """What became of the packet."""

    DELIVERED = "delivered"
    DROPPED = "dropped"
    CONTROLLER = "controller"
    ANSWERED = "answered"
    """The network itself answered the sender."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ended:
    """One end, and the host it is on."""

    hop: Hop
    end: End


def describe(known: Known, probe: Probe, hops: tuple[Hop, ...], *, live: bool) -> dict[str, object]:
    """Return the whole answer, for people and programs."""
    ended = [_Ended(hop=hop, end=end) for hop in hops for end in hop.journey.ends]
    verdict, sentence = judge(known, probe, ended)
    notes = [note for note in (probe.note, *_notes(known, probe, hops, verdict)) if note]
    return {
        "verdict": str(verdict),
        "sentence": sentence,
        "notes": notes,
        "packet": probe.text,
        "state": str(probe.stage),
        "source": "switches" if live else "intent",
        "from": _port(probe.source),
        "to": {"address": str(probe.target_address), **({} if probe.target is None else _port(probe.target))},
        "network": {"id": probe.network.id, "name": probe.network.name},
        "rules": sorted({rule for hop in hops for step in hop.journey.steps for rule in _rules(step)}),
        "hosts": [_hop(known, probe, hop) for hop in hops],
    }


def nowhere(known: Known, probe: Probe, why: str, *, live: bool) -> dict[str, object]:
    """Return the answer for a packet that no switch lets in."""
    return {**describe(known, probe, (), live=live), "verdict": str(Verdict.DROPPED), "sentence": f"dropped: {why}"}


def judge(known: Known, probe: Probe, ended: list[_Ended]) -> tuple[Verdict, str]:
    """Return what became of the packet as a whole: of its copies, the one for the target counts."""
    kinds = {one.end.kind for one in ended}
    delivered = [one for one in ended if one.end.kind is EndKind.PORT and one.hop.leads_to(one.end) is None]
    hits = [one for one in delivered if probe.target is None or _receiver(one) == probe.target.id]
    if hits:
        return Verdict.DELIVERED, f"delivered: {_reached(known, hits)}"
    if EndKind.SENDER in kinds:
        [answer] = [one.end for one in ended if one.end.kind is EndKind.SENDER]
        mac = value_text(fields.ETH_SRC, answer.packet[fields.ETH_SRC])
        return Verdict.ANSWERED, f"answered: the network itself says that {probe.target_address} is at {mac}"
    if EndKind.CONTROLLER in kinds:
        [punted, *_] = [one for one in ended if one.end.kind is EndKind.CONTROLLER]
        return Verdict.CONTROLLER, f"to the controller: {_why(punted)}"
    away = [one for one in ended if one.hop.leads_to(one.end) is not None]
    if away and probe.target is None:
        return Verdict.DELIVERED, f"delivered: {_left(away[0])}, on which no port of Weft's is concerned"
    drops = [one for one in ended if one.end.kind is EndKind.DROPPED]
    if drops:
        decisive = _decisive(probe, drops)
        where = "" if decisive.hop.came_from is None else f" on host {decisive.hop.site.host}"
        return Verdict.DROPPED, f"dropped{where}: {why_dropped(known, probe, decisive.hop, decisive.end)}"
    lost = [one for one in ended if one.end.kind is EndKind.TUNNEL]
    if lost:
        return (
            Verdict.DROPPED,
            f"dropped: it goes to {host_text(known.model, endpoint_text(lost[0].end))}, and no further",
        )
    if away:
        return Verdict.DROPPED, f"dropped: {_left(away[0])}, and no host there has the receiver"
    if EndKind.SUPPRESSED in kinds:
        return (
            Verdict.DROPPED,
            f"dropped: its receiver is {port_name(probe.source)} itself, and no frame goes back there",
        )
    return Verdict.DROPPED, "dropped: no switch took it in"


def _decisive(probe: Probe, drops: list[_Ended]) -> _Ended:
    """Return the drop of the copy that was for the target; of others, the last: it came furthest."""
    for one in drops:
        if probe.target is not None and _receiver(one) == probe.target.id:
            return one
    return drops[-1]


def _receiver(one: _Ended) -> str | None:
    return one.hop.site.ports.get(read(dict(one.end.packet), OUT_PORT))


def _reached(known: Known, hits: list[_Ended]) -> str:
    where = []
    for one in hits:
        port = known.model.ports.get(one.hop.site.ports.get(one.end.ofport, PortId("")))
        name = f"OpenFlow port {one.end.ofport}" if port is None else port_name(port)
        way = "" if one.hop.came_from is None else f", through {_by(one.hop)}"
        where.append(f"{name} on host {one.hop.site.host}{way}")
    return "it reaches " + "; ".join(where)


def _by(hop: Hop) -> str:
    by = "the tunnel" if hop.physical_network is None else f"physical network {hop.physical_network}"
    return f"{by} from host {hop.came_from}"


def _left(one: _Ended) -> str:
    tag = one.end.packet[fields.VLAN_VID]
    tagged = f", VLAN {tag & ~fields.VLAN_PRESENT}" if tag else ", untagged"
    return f"it leaves host {one.hop.site.host} for physical network {one.hop.leads_to(one.end)}{tagged}"


def _why(one: _Ended) -> str:
    flow = one.hop.journey.steps[one.end.step].flow
    return "" if flow is None else flow.why


def _notes(known: Known, probe: Probe, hops: tuple[Hop, ...], verdict: Verdict) -> Iterator[str]:
    unread = [str(hop.site.host) for hop in hops if hop.site.unread]
    if unread:
        yield f"host {', '.join(unread)} has flows that Weft did not make and cannot read: they were not looked at"
    state = None if probe.target is None else known.states.get(probe.target.id)
    if verdict is Verdict.DELIVERED and state is not None and state.status != "ACTIVE":
        yield f"the receiver is {state.status}: {state.reason}{f', {state.detail}' if state.detail else ''}"


# what each host did ---------------------------------------------------------------------------------------------------


def _hop(known: Known, probe: Probe, hop: Hop) -> dict[str, object]:
    if hop.came_from is None:
        entered = f"from {port_name(probe.source)}"
    else:
        entered = f"through {_by(hop)}{'' if hop.physical_network else f', VNI {hop.vni}'}"
    return {
        "host": str(hop.site.host),
        "entered": entered,
        "steps": [_step(known, step) for step in hop.journey.steps],
        "ends": [_end(known, probe, hop, end) for end in hop.journey.ends],
    }


def _step(known: Known, step: Step) -> dict[str, object]:
    table = TABLE_BY_ID.get(step.table)
    shown: dict[str, object] = {
        "table": table_name(step.table),
        "table_id": step.table,
        "question": "" if table is None else table.doc,
        "copy": step.copy,
        "depth": step.depth,
        "conntrack": term_text(CT_STATE.masked(step.ct_state, step.ct_state)) if step.ct_state else "",
        "rules": sorted(_rules(step)),
    }
    if step.flow is None:
        return {**shown, "why": "no flow matches", "owner": "", "match": "", "actions": "drop", "priority": None}
    whys = [step.flow.why, *(part.why for part in step.parts)]
    return {
        **shown,
        "why": "; ".join(dict.fromkeys(whys)),
        "owner": _owners(known, (step.flow, *step.parts)),
        "match": match_text(step.flow.match),
        "actions": actions_text(step.flow),
        "priority": step.flow.priority,
        "cookie": f"{step.flow.cookie:#018x}",
    }


def _owners(known: Known, flows: Iterable[Flow]) -> str:
    names: dict[str, None] = {}
    for flow in flows:
        owner = decode(flow.cookie)
        if owner is not None:
            names[owner_name(known.model, owner)] = None
        else:
            names["weft, another version" if is_ours(flow.cookie) else "foreign"] = None
    return ", ".join(names)


def _rules(step: Step) -> set[str]:
    """Return the ids of the rules that a flow, or the parts of a conjunctive match, are there for."""
    flows = () if step.flow is None else (step.flow, *step.parts)
    return {rule for flow in flows if "rule" in flow.why for rule in _ID.findall(flow.why)}


def _end(known: Known, probe: Probe, hop: Hop, end: End) -> dict[str, object]:
    one = _Ended(hop=hop, end=end)
    match end.kind:
        case EndKind.PORT if hop.leads_to(end) is not None:
            text = _left(one).replace("it leaves", "leaves", 1)
        case EndKind.PORT:
            text = _reached(known, [one]).removeprefix("it reaches ")
        case EndKind.TUNNEL:
            text = (
                f"through the tunnel to {host_text(known.model, endpoint_text(end))}, VNI {end.packet[fields.TUN_ID]}"
            )
        case EndKind.SENDER:
            text = f"back to {port_name(probe.source)}, as the network's answer"
        case EndKind.CONTROLLER:
            text = f"to the controller: {_why(one)}"
        case EndKind.COPIED:
            text = f"a copy to the controller: {_why(one)}"
        case EndKind.SUPPRESSED:
            text = "not back to where it came from"
        case EndKind.DROPPED:
            text = f"dropped: {why_dropped(known, probe, hop, end)}"
    return {"kind": str(end.kind), "copy": hop.journey.steps[end.step].copy if end.step >= 0 else 0, "text": text}


def _port(port: Port) -> dict[str, object]:
    return {
        "port_id": port.id,
        "name": port.name,
        "mac_address": port.mac_address,
        "host": None if port.binding is None else str(port.binding.host),
    }
