"""What became of a packet, by what ovn-trace printed? In the form that ``weft trace`` has for every plug-in.

ovn-trace prints each stage in which something matched, with the match and what it does; nothing is concluded from
stages it leaves out.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import ip_network

from controller.names import network_name, port_name
from controller.plugins.ovn.acls import addresses_of
from controller.plugins.ovn.dhcp import IPV4
from controller.reconcile.rules import is_guarded
from controller.records import Port, PortState
from controller.trace.question import Probe
from controller.trace.verdict import Verdict
from flows import fields
from flows.ofctl import value_text

_SECTION = re.compile(r'^\s*(ingress|egress)\(dp="[^"]*", inport="([^"]*)"(?:, outport="([^"]*)")?\)')
_CONNTRACK = re.compile(r"^\s*ct_next\(ct_state=([^)]*)\)")
_STAGE = re.compile(r"^\s*(\d+)\. (\w+)(?: \([^)]*\))?: (.*), priority (\d+), uuid (\w+)$")
_OUTPUT = re.compile(r'/\* output to "([^"]*)"')
GUARDS = frozenset({"ls_in_check_port_sec", "ls_in_apply_port_sec"})
NOBODY = "ls_in_l2_unknown"


@dataclass(slots=True)
class Step:
    """One stage that matched."""

    number: int
    stage: str
    match: str
    priority: int
    conntrack: str
    does: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Section:
    """One pass through a pipeline: in at the sender's port, or out towards a port."""

    pipeline: str
    outport: str
    steps: list[Step] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What the intent says."""

    ports: Mapping[str, Port]
    """Of the network, by id."""
    states: Mapping[str, PortState]
    """Of the two ports, where they are known."""
    acls: Mapping[str, str]
    """The key of each of our rows that may decide, by its match."""


def read(said: str, ports: Sequence[str]) -> list[Section]:
    """Return the passes that ovn-trace printed, in its order.

    Args:
        said: what it printed; of a name that is a UUID, the first digits only.
        ports: ids of the network's ports, those first that are meant when two begin alike.
    """

    def whole(name: str) -> str:
        return next((one for one in ports if name and one.startswith(name)), name)

    sections: list[Section] = []
    conntrack = ""
    for line in said.splitlines():
        if section := _SECTION.match(line):
            sections.append(Section(section[1], whole(section[3] or "")))
            conntrack = ""
        elif state := _CONNTRACK.match(line):
            conntrack = state[1]
        elif not sections:
            continue
        elif stage := _STAGE.match(line):
            sections[-1].steps.append(Step(int(stage[1]), stage[2], stage[3], int(stage[4]), conntrack))
        elif output := _OUTPUT.search(line):
            sections[-1].outputs.append(whole(output[1]))
        elif sections[-1].steps and line.strip() and not line.strip().startswith("-"):
            sections[-1].steps[-1].does.append(line.strip().rstrip(";"))
    return sections


def describe(known: Known, probe: Probe, sections: list[Section]) -> dict[str, object]:
    """Return the whole answer, for people and programs."""
    verdict, sentence = judge(known, probe, sections)
    deciding = [_key(known, step) for section in sections for step in section.steps]
    rules = sorted({key.split("/")[1] for key in deciding if key.startswith("rule/")})
    return {
        "verdict": str(verdict),
        "sentence": sentence,
        "notes": [note for note in (probe.note, *_notes(known, probe, verdict)) if note],
        "packet": probe.text,
        "state": str(probe.stage),
        "source": "ovn-trace",
        "from": _port(probe.source),
        "to": {"address": str(probe.target_address), **({} if probe.target is None else _port(probe.target))},
        "network": {"id": probe.network.id, "name": probe.network.name},
        "rules": rules,
        "hosts": [_pass(known, probe, section) for section in sections],
    }


def not_sent(known: Known, probe: Probe) -> str | None:
    """Return why OVN takes no packet of a port, None when it does.

    ovn-trace lets ARP of a guarded port pass that has IPv6 addresses alone; ovn-controller does not.
    """
    is_arp = probe.packet.get(fields.ETH_TYPE) == fields.ETH_TYPE_ARP
    if (
        is_arp
        and is_guarded(probe.source)
        and IPV4 not in {ip_network(one).version for one in addresses_of(probe.source)}
    ):
        return f"{_guarded(probe)}: it has none of IPv4"
    state = known.states.get(probe.source.id)
    if state is None or state.status == "ACTIVE":
        return None
    return f"{port_name(probe.source)} is {state.status}: {state.reason}{f', {state.detail}' if state.detail else ''}"


def nowhere(known: Known, probe: Probe, why: str) -> dict[str, object]:
    """Return the answer for a packet that comes from nowhere."""
    return {**describe(known, probe, []), "verdict": str(Verdict.DROPPED), "sentence": f"dropped: {why}"}


def judge(known: Known, probe: Probe, sections: list[Section]) -> tuple[Verdict, str]:
    """Return what became of the packet as a whole: of its copies, the one for the target counts."""
    outputs = [output for section in sections for output in section.outputs]
    others = [output for output in outputs if output != probe.source.id]
    hits = [one for one in others if probe.target is None or one == probe.target.id]
    if hits:
        return Verdict.DELIVERED, "delivered: it reaches " + "; ".join(_out(known, one) for one in dict.fromkeys(hits))
    if probe.source.id in outputs:
        return Verdict.ANSWERED, "answered: OVN itself answers in the name of who is asked"
    if not sections:
        return Verdict.DROPPED, "dropped: OVN has no such port"
    section = _decisive(probe, sections)
    return Verdict.DROPPED, f"dropped: {_why(known, probe, section)}"


def _decisive(probe: Probe, sections: list[Section]) -> Section:
    """Return the pass of the copy that was for the target; of others, the last."""
    for section in sections:
        if probe.target is not None and section.outport == probe.target.id:
            return section
    return sections[-1]


def _why(known: Known, probe: Probe, section: Section) -> str:
    if not section.steps:
        return "nothing was done with it"
    step = section.steps[-1]
    key = _key(known, step)
    if step.stage in GUARDS:
        return _guarded(probe)
    if step.stage == NOBODY:
        mac = value_text(fields.ETH_DST, probe.packet[fields.ETH_DST])
        return f"nobody in {network_name(probe.network)} is known to have {mac}"
    if key.startswith("drop/server"):
        return f"{port_name(probe.source)} may not answer as a DHCP server"
    if key == "drop/from":
        return f"no rule of {port_name(probe.source)} lets it out"
    if key == "drop/to":
        return f"no rule of {_named(known, section.outport)} lets it in"
    return f"OVN's stage {step.stage} does so where {step.match}"


def _guarded(probe: Probe) -> str:
    return f"port security of {port_name(probe.source)} does not let it use the packet's addresses"


def _key(known: Known, step: Step) -> str:
    """Return the key of the row of ours that a stage is there for, the longest match first; empty for another."""
    if "acl" not in step.stage:
        return ""
    found = [match for match in known.acls if f"({match})" in step.match or step.match.endswith(match)]
    return known.acls[max(found, key=len)] if found else ""


def _notes(known: Known, probe: Probe, verdict: Verdict) -> Iterator[str]:
    yield "by ovn-trace, which does not see tunnels and hosts: a port that is ACTIVE has its flows"
    state = None if probe.target is None else known.states.get(probe.target.id)
    if verdict is Verdict.DELIVERED and state is not None and state.status != "ACTIVE":
        yield f"the receiver is {state.status}: {state.reason}{f', {state.detail}' if state.detail else ''}"


def _pass(known: Known, probe: Probe, section: Section) -> dict[str, object]:
    is_in = section.pipeline == "ingress"
    whose = probe.source if is_in else known.ports.get(section.outport)
    host = None if whose is None or whose.binding is None else str(whose.binding.host)
    way = f"from {port_name(probe.source)}" if is_in else f"towards {_named(known, section.outport)}"
    ends = [{"kind": "port", "copy": 0, "text": _out(known, one)} for one in section.outputs]
    if not is_in and not ends:
        ends = [{"kind": "dropped", "copy": 0, "text": f"dropped: {_why(known, probe, section)}"}]
    return {
        "host": host,
        "entered": f"{way}, {section.pipeline} of {network_name(probe.network)}",
        "steps": [_step(known, step) for step in section.steps],
        "ends": ends,
    }


def _step(known: Known, step: Step) -> dict[str, object]:
    key = _key(known, step)
    return {
        "table": step.stage,
        "table_id": step.number,
        "question": "",
        "copy": 0,
        "depth": 0,
        "conntrack": step.conntrack,
        "rules": [key.split("/")[1]] if key.startswith("rule/") else [],
        "why": step.match,
        "owner": key,
        "match": step.match,
        "actions": "; ".join(step.does),
        "priority": step.priority,
    }


def _out(known: Known, name: str) -> str:
    port = known.ports.get(name)
    where = "" if port is None or port.binding is None else f" on host {port.binding.host}"
    return _named(known, name) + where


def _named(known: Known, name: str) -> str:
    port = known.ports.get(name)
    return f"OVN's port {name}" if port is None else port_name(port)


def _port(port: Port) -> dict[str, object]:
    return {
        "port_id": port.id,
        "name": port.name,
        "mac_address": port.mac_address,
        "host": None if port.binding is None else str(port.binding.host),
    }
