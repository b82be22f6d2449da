"""Why did the packet end here? One sentence for a network engineer for each place where a packet may end."""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from controller.names import group_names, host_of, network_name, port_name
from controller.reconcile.model import Model
from controller.reconcile.segments import is_provider
from controller.records import Network, Port, PortId, PortState
from controller.trace.question import Probe
from controller.trace.route import Hop
from flows import fields
from flows.ofctl import table_name, value_text
from flows.pipeline import OUT_PORT
from flows.walk.journey import End, Step
from flows.walk.packet import read

GUARDED = frozenset({"port_security", "nd", "nd_target", "nd_link"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What the intent and the switches' states say."""

    model: Model
    states: dict[PortId, PortState]
    """Of the two ports concerned."""
    bound_here: dict[PortId, str]
    """Of the two ports: why no flow is for it, in one clause; absent when there are flows."""


def why_dropped(known: Known, probe: Probe, hop: Hop, end: End) -> str:
    """Return what decided that a copy of the packet was dropped."""
    step = hop.journey.steps[end.step] if end.step >= 0 else None
    if step is None:
        return "nothing was done with it"
    table = table_name(step.table)
    flow_says = "" if step.flow is None else step.flow.why
    if table in {"classify", "tunnel", "provider"}:
        return _not_let_in(known, probe, hop, end, table=table)
    if table in GUARDED:
        return _guarded(probe, step, end)
    if table == "l2_lookup":
        is_group = bool(end.packet[fields.ETH_DST] & fields.MULTICAST_BIT)
        return _nobody(known, probe, end, is_group=is_group)
    if table.startswith("from_"):
        return _rules(known, probe, probe.source, table=table, flow_says=flow_says, direction="egress")
    if table == "isolation" or table.startswith("to_"):
        return _receiving(known, probe, hop, end, table=table, flow_says=flow_says)
    return flow_says or f"no flow of table {table} matches it"


def not_wired(model: Model, port: Port, network: Network | None, state: PortState | None) -> str:
    """Return why no switch has flows for a port, in one clause."""
    if network is not None and not network.admin_state_up:
        return f"{network_name(network)} is administratively down"
    if not port.admin_state_up:
        return f"{port_name(port)} is administratively down"
    if port.binding is None:
        return f"{port_name(port)} is bound to no host"
    if port.binding.host not in model.hosts:
        return f"{port_name(port)} is bound to host {port.binding.host}, which is not registered"
    said = "" if state is None else f": {state.reason}{f', {state.detail}' if state.detail else ''}"
    return f"{port_name(port)} is not wired on host {port.binding.host}{said}"


def _in_private_vlan(port: Port) -> str:
    kind = port.pvlan_type or "promiscuous"
    community = f" {port.pvlan_community}" if port.pvlan_community else ""
    return f"{port_name(port)} ({kind}{community})"


def _receiving(known: Known, probe: Probe, hop: Hop, end: End, *, table: str, flow_says: str) -> str:
    receiver = _receiver(known.model, hop, end)
    if table == "isolation":
        whom = "the receiver" if receiver is None else _in_private_vlan(receiver)
        return f"{_in_private_vlan(probe.source)} may not talk to {whom}: {flow_says}"
    if receiver is None:
        return f"the receiver's rules: {flow_says or 'none allows it'}"
    return _rules(known, probe, receiver, table=table, flow_says=flow_says, direction="ingress")


def _not_let_in(known: Known, probe: Probe, hop: Hop, end: End, *, table: str) -> str:
    if hop.physical_network is not None:
        tag = end.packet[fields.VLAN_VID]
        frames = f"frames of VLAN {tag & ~fields.VLAN_PRESENT}" if tag else "untagged frames"
        return f"host {hop.site.host} takes no {frames} from physical network {hop.physical_network}"
    if table == "tunnel":
        return (
            f"host {hop.site.host} takes no frames of VNI {hop.vni} from host {hop.came_from}, "
            "which has no port in a network with that number"
        )
    if hop.came_from is not None:
        return (
            f"host {hop.site.host} takes no frames from the tunnel endpoint "
            f"{IPv4Address(_tunnel_source(hop))}: it is that of no registered host"
        )
    said = known.bound_here.get(probe.source.id)
    return said or f"host {hop.site.host} has no flow that lets frames of {port_name(probe.source)} in"


def _tunnel_source(hop: Hop) -> int:
    return hop.journey.ends[0].packet[fields.TUN_SRC] if hop.journey.ends else 0


def _guarded(probe: Probe, step: Step, end: End) -> str:
    mac = value_text(fields.ETH_SRC, end.packet[fields.ETH_SRC])
    port = probe.source
    if step.flow is None:
        return f"port security: {mac} is no MAC address of {port_name(port)}"
    kind = end.packet[fields.ETH_TYPE]
    own = ", ".join([*(fixed.ip_address for fixed in port.fixed_ips), *(ip for _, ip in port.allowed_address_pairs)])
    source = {
        fields.ETH_TYPE_IPV4: str(IPv4Address(end.packet[fields.IPV4_SRC])),
        fields.ETH_TYPE_IPV6: str(IPv6Address(end.packet[fields.IPV6_SRC])),
        fields.ETH_TYPE_ARP: str(IPv4Address(end.packet[fields.ARP_SPA])),
    }.get(kind, "")
    if "not the port's" in step.flow.why:
        return (
            f"port security: {source} with MAC address {mac} is no address of {port_name(port)}, "
            f"which has {own or 'none'} with {port.mac_address}"
        )
    return f"port security of {port_name(port)}: {step.flow.why}"


def _rules(known: Known, probe: Probe, port: Port, *, table: str, flow_says: str, direction: str) -> str:
    groups = group_names(known.model, port)
    if table.endswith("_track"):
        return f"{port_name(port)} has port security and no security group: nothing is allowed"
    if table.endswith("_rules"):
        stopped = f" ({flow_says})" if flow_says else ""
        return f"no {direction} rule of {port_name(port)} allows {probe.text}; its security groups: {groups}{stopped}"
    return f"{direction} of {port_name(port)}: {flow_says or 'no flow matches'}; its security groups: {groups}"


def _receiver(model: Model, hop: Hop, end: End) -> Port | None:
    port_id = hop.site.ports.get(read(dict(end.packet), OUT_PORT))
    return None if port_id is None else model.ports.get(port_id)


def _nobody(known: Known, probe: Probe, end: End, *, is_group: bool) -> str:
    here = network_name(probe.network)
    if is_group:
        return f"{here} has no other member on a host that could be reached"
    target = probe.target
    if target is not None and target.network_id != probe.network.id:
        other = known.model.networks.get(target.network_id)
        there = "another network" if other is None else network_name(other)
        return f"{port_name(target)} is in {there}, {port_name(probe.source)} in {here}: nothing connects them"
    if target is not None and target.id in known.bound_here:
        return f"nobody has its MAC address: {known.bound_here[target.id]}"
    ends = [port.binding.host for port in (probe.source, target) if port is not None and port.binding is not None]
    for host in (known.model.hosts.get(name) for name in dict.fromkeys(ends)):
        if len(set(ends)) > 1 and host is not None and host.tunnel_ip is None and not is_provider(probe.network):
            return f"host {host.name} has no tunnel address: weft host set {host.name} --tunnel-ip ..."
    mac = value_text(fields.ETH_DST, end.packet[fields.ETH_DST])
    return f"no port of {here} that could be reached has the MAC address {mac}"


def host_text(model: Model, endpoint: str) -> str:
    """Return the host a tunnel endpoint belongs to, in words."""
    names = host_of(model, endpoint)
    return f"host {names}" if names else f"tunnel endpoint {endpoint}, which is no registered host's"
