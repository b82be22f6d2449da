"""What does ``weft trace`` print? The way of a packet, host by host and table by table, and what became of it."""

import argparse
import sys
from collections.abc import Mapping

from controller.cli.client import Client, add_options
from controller.cli.output import cell, member, members, print_json

_NOT_DELIVERED = 3
"""Exit status when the packet is dropped, so that scripts can ask."""


def add_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add ``trace``."""
    summary = "say what becomes of a packet a port sends, and why; exit status 3 when it is dropped"
    parser = commands.add_parser("trace", help=summary, description=summary)
    parser.add_argument("--from", dest="source", metavar="PORT", required=True, help="id or unique name")
    parser.add_argument("--to", dest="target", metavar="PORT|IP", required=True, help="a port, or an address")
    kind = parser.add_mutually_exclusive_group()
    kind.add_argument("--tcp", type=int, metavar="N", help="a TCP packet to port N")
    kind.add_argument("--udp", type=int, metavar="N", help="a UDP packet to port N")
    kind.add_argument("--icmp", action="store_true", help="an echo request (default)")
    kind.add_argument("--arp", action="store_true", help="the question for the target's MAC address; ND for IPv6")
    stage = parser.add_mutually_exclusive_group()
    stage.add_argument("--established", action="store_true", help="of a connection that was allowed")
    stage.add_argument("--reply", action="store_true", help="the answer in a connection that the target began")
    parser.add_argument("--source-ip", metavar="IP", help="address to send from (default: the port's)")
    parser.add_argument("--source-mac", metavar="MAC", help="MAC address to send from (default: the port's)")
    parser.add_argument("--live", action="store_true", help="over the flows read from the switches just now")
    parser.add_argument("--flows", action="store_true", help="print each flow's match and actions too")
    add_options(parser)
    parser.set_defaults(run=_trace)


def _trace(args: argparse.Namespace) -> int:
    answer = Client(args.url).post("traces", body={"trace": question(args)})
    trace = member(answer, "trace")
    if args.format == "json":
        print_json(trace)
    else:
        for line in _lines(trace, with_flows=args.flows):
            sys.stdout.write(line.rstrip() + "\n")
        sys.stdout.flush()
    return _NOT_DELIVERED if trace.get("verdict") == "dropped" else 0


def question(args: argparse.Namespace) -> dict[str, object]:
    """Return the body of the request."""
    asked: dict[str, object] = {"from": args.source, "to": args.target, "live": args.live}
    for protocol in ("tcp", "udp"):
        if (port := getattr(args, protocol)) is not None:
            asked |= {"protocol": protocol, "port": port}
    if args.arp:
        asked["protocol"] = "arp"
    if args.established or args.reply:
        asked["state"] = "reply" if args.reply else "established"
    if args.source_ip:
        asked["source_ip"] = args.source_ip
    if args.source_mac:
        asked["source_mac"] = args.source_mac
    return asked


def _lines(trace: Mapping[str, object], *, with_flows: bool) -> list[str]:
    network = member(trace, "network")
    named = cell(network.get("name") or network.get("id"))
    lines = [f"{cell(trace.get('packet'))}, {cell(trace.get('state'))}, in network {named}"]
    for host in members(trace, "hosts"):
        lines += ["", f"host {cell(host.get('host'))}: {cell(host.get('entered'))}"]
        for step in members(host, "steps"):
            lines += _step_lines(step, with_flows=with_flows)
        lines += [f"  => {cell(end.get('text'))}" for end in members(host, "ends")]
    notes, rules = trace.get("notes"), trace.get("rules")
    lines += ["", *(f"note: {cell(note)}" for note in notes)] if isinstance(notes, list) else [""]
    if isinstance(rules, list) and rules:
        lines.append(f"rules: {cell(rules)}")
    sentence = cell(trace.get("sentence"))
    return [*lines, sentence[:1].upper() + sentence[1:]]


def _step_lines(step: Mapping[str, object], *, with_flows: bool) -> list[str]:
    depth, copy = step.get("depth"), step.get("copy")
    indent = "  " * (1 + (depth if isinstance(depth, int) else 0))
    said = f" {cell(step.get('conntrack'))}" if step.get("conntrack") else ""
    number = f"#{copy} " if copy else ""
    owner = f" [{cell(step.get('owner'))}]" if step.get("owner") not in {"", "weft"} else ""
    lines = [f"{indent}{number}{cell(step.get('table'))}{said}: {cell(step.get('why'))}{owner}"]
    if with_flows:
        does = f"{cell(step.get('match'))} actions={cell(step.get('actions'))}"
        lines.append(f"{indent}    priority={cell(step.get('priority'))} {does}")
    return lines
