"""Which packet is asked about? From the words of a question to the values of a frame's fields."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any

from controller.errors import InvalidInput, PortNotFound
from controller.reconcile.model import Model
from controller.reconcile.translate import mac_number
from controller.records import Network, Port, PortId
from flows import fields
from flows.fields import CT_EST, CT_NEW, CT_RPL, CT_TRK, Field
from flows.walk.journey import Connection

Address = IPv4Address | IPv6Address
IPV4 = 4
BROADCAST = 0xFFFFFFFFFFFF
NOBODY = 0x025745465400
"""A MAC address no port has: the prefix of the network's own, locally administered (IEEE 802 section 8.2)."""
EPHEMERAL = 50_000
"""A port of the end that began the connection (RFC 6335 section 6: 49152 to 65535)."""
DHCP_CLIENTS = {67: 68, 547: 546}
"""The port a DHCP client sends from, by the server's (RFC 2131 section 4.1, RFC 8415 section 7.2)."""
ECHO = {4: (8, 0), 6: (128, 129)}
"""Types of echo request and reply (RFC 792, RFC 4443), by IP version."""
LAST_PORT = 0xFFFF


class Protocol(StrEnum):
    """What the packet carries."""

    TCP = "tcp"
    UDP = "udp"
    ICMP = "icmp"
    ARP = "arp"
    """A question for the target's MAC address: ARP, or ND for IPv6."""


class Stage(StrEnum):
    """Where in its connection the packet stands."""

    NEW = "new"
    ESTABLISHED = "established"
    REPLY = "reply"
    """An answer in a connection that the target began and that was allowed."""


CONNECTION = {
    Stage.NEW: Connection(CT_TRK | CT_NEW),
    Stage.ESTABLISHED: Connection(CT_TRK | CT_EST),
    Stage.REPLY: Connection(CT_TRK | CT_EST | CT_RPL),
}
"""What conntrack says of it in every zone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What was asked, checked but for what only the intent knows."""

    source: str
    target: str
    protocol: Protocol
    port: int | None
    stage: Stage
    live: bool
    source_ip: Address | None
    source_mac: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """The packet, and who is concerned."""

    source: Port
    network: Network
    target: Port | None
    """None: an address no port of the network has, or several."""
    target_address: Address
    packet: Mapping[Field, int]
    """Without an input port."""
    stage: Stage
    text: str
    """The packet in words."""
    note: str
    """What had to be assumed; empty when nothing."""


def parse(args: Mapping[str, Any]) -> Question:
    """Return the question.

    Raises:
        InvalidInput: It makes no sense.
    """
    try:
        protocol, stage = Protocol(args.get("protocol") or Protocol.ICMP), Stage(args.get("state") or Stage.NEW)
        source_ip = ip_address(str(args["source_ip"])) if args.get("source_ip") else None
        source_mac = _mac_text(str(args["source_mac"])) if args.get("source_mac") else None
    except ValueError as error:
        raise InvalidInput(f"trace: {error}") from error
    port = args.get("port")
    if protocol in {Protocol.TCP, Protocol.UDP}:
        if isinstance(port, bool) or not isinstance(port, int) or not 0 < port <= LAST_PORT:
            raise InvalidInput(f"trace: {protocol} needs a port, 1 to {LAST_PORT}")
    elif port is not None:
        raise InvalidInput(f"trace: {protocol} has no ports")
    return Question(
        source=str(args.get("from") or ""),
        target=str(args.get("to") or ""),
        protocol=protocol,
        port=port,
        stage=stage,
        live=bool(args.get("live")),
        source_ip=source_ip,
        source_mac=source_mac,
    )


def _mac_text(text: str) -> str:
    if not 0 <= mac_number(text) <= BROADCAST:
        raise ValueError(f"{text!r} is no MAC address")
    return text


def find_port(model: Model, named: str) -> Port:
    """Return the port with this id, or the only one with this name.

    Raises:
        PortNotFound: There is none.
        InvalidInput: Several have the name.
    """
    port = model.ports.get(PortId(named))
    if port is not None:
        return port
    found = [port for port in model.ports.values() if named and port.name == named]
    if not found:
        raise PortNotFound(named)
    if len(found) > 1:
        raise InvalidInput(f"{len(found)} ports are called {named!r}: name one by its id")
    return found[0]


def probe(model: Model, question: Question) -> Probe:
    """Return the packet that is asked about.

    Raises:
        PortNotFound, InvalidInput: The ends are not there, or have no addresses of one IP version.
    """
    source = find_port(model, question.source)
    network = model.networks[source.network_id]
    target, wanted = _target(model, source, question.target)
    here, there = _addresses(source, question.source_ip, target, wanted)
    mac, note = _next_hop(model, source, target, here, there)
    source_mac = mac_number(question.source_mac or source.mac_address)
    packet = {fields.ETH_SRC: source_mac, fields.ETH_DST: mac, **_ends(here, there)}
    text = _carry(packet, question, here, there)
    return Probe(
        source=source,
        network=network,
        target=target,
        target_address=there,
        packet=packet,
        stage=question.stage,
        text=text,
        note=note,
    )


def _target(model: Model, source: Port, named: str) -> tuple[Port | None, Address | None]:
    """Return the port that is meant and the address, if one was named."""
    try:
        address = ip_address(named)
    except ValueError:
        return find_port(model, named), None
    owners = [port for port in model.ports_of_network(source.network_id) if address in _own(port)]
    claimants = [] if owners else [p for p in model.ports_of_network(source.network_id) if _claims(p, address)]
    found = owners or claimants
    return (found[0] if len(found) == 1 else None), address


def _own(port: Port) -> list[Address]:
    return [ip_address(fixed.ip_address) for fixed in port.fixed_ips]


def _claims(port: Port, address: Address) -> bool:
    """Whether the port may use just this address beside its own (a router's virtual one)."""
    pairs = (ip_network(text, strict=False) for _, text in port.allowed_address_pairs)
    return any(pair.num_addresses == 1 and pair.network_address == address for pair in pairs)


def _addresses(
    source: Port, given: Address | None, target: Port | None, wanted: Address | None
) -> tuple[Address, Address]:
    """Return the addresses of both ends, of one IP version; IPv4 when both are possible."""
    mine = [given] if given is not None else sorted(_own(source), key=lambda a: a.version)
    theirs = [wanted] if wanted is not None else sorted(_own(target) if target else [], key=lambda a: a.version)
    for there in theirs:
        for here in mine:
            if here.version == there.version:
                return here, there
    raise InvalidInput(
        f"trace: port {source.id} has no address of the IP version of {theirs[0] if theirs else 'its target'}; "
        "give a source_ip, or another target"
    )


def _next_hop(model: Model, source: Port, target: Port | None, here: Address, there: Address) -> tuple[int, str]:
    """Return the MAC address a guest would send to, and what had to be assumed."""
    if there.is_multicast:
        return _group_mac(there), ""
    subnets = [model.subnets[f.subnet_id] for f in source.fixed_ips if f.subnet_id in model.subnets]
    subnet = next((s for s in subnets if s.ip_version == here.version), None)
    if isinstance(there, IPv4Address) and (
        there == IPv4Address("255.255.255.255")
        or (subnet is not None and there == ip_network(subnet.cidr).broadcast_address)
    ):
        return BROADCAST, ""
    if target is not None:
        return mac_number(target.mac_address) if there in _own(target) else _claimed_mac(target, there), ""
    shared = sorted((p for p in model.ports_of_network(source.network_id) if _claims(p, there)), key=lambda p: p.id)
    if shared:
        return _claimed_mac(shared[0], there), f"{there} is an address that {len(shared)} ports may use"
    gateway = None if subnet is None or subnet.gateway_ip is None else ip_address(subnet.gateway_ip)
    if gateway is not None and gateway != there:
        router = next((p for p in model.ports_of_network(source.network_id) if gateway in _own(p)), None)
        if router is not None:
            return mac_number(router.mac_address), f"{there} is no port's: sent to the gateway {gateway}"
    return NOBODY, f"{there} is no port's, and no port is a gateway: sent to a MAC address nobody has"


def _claimed_mac(port: Port, address: Address) -> int:
    """Return the MAC address with which a port uses an address that is not its own (a router's virtual one)."""
    pairs = [mac for mac, text in port.allowed_address_pairs if mac and address in ip_network(text, strict=False)]
    return mac_number(min(pairs, default=port.mac_address))


def _group_mac(address: Address) -> int:
    """Return the MAC address of a multicast group (RFC 1112 section 6.4, RFC 2464 section 7)."""
    if isinstance(address, IPv4Address):
        return 0x01005E000000 | int(address) & 0x7FFFFF
    return 0x333300000000 | int(address) & 0xFFFFFFFF


def _ends(here: Address, there: Address) -> dict[Field, int]:
    if here.version == IPV4:
        return {fields.ETH_TYPE: fields.ETH_TYPE_IPV4, fields.IPV4_SRC: int(here), fields.IPV4_DST: int(there)}
    return {fields.ETH_TYPE: fields.ETH_TYPE_IPV6, fields.IPV6_SRC: int(here), fields.IPV6_DST: int(there)}


def _carry(packet: dict[Field, int], question: Question, here: Address, there: Address) -> str:
    """Put in what the packet carries; return the packet in words."""
    is_reply = question.stage is Stage.REPLY
    ends = f"from {here} to {there}"
    match question.protocol:
        case Protocol.TCP | Protocol.UDP:
            port = question.port or 0
            target, source = (EPHEMERAL, port) if is_reply else (port, DHCP_CLIENTS.get(port, EPHEMERAL))
            if question.protocol is Protocol.TCP:
                packet |= {fields.IP_PROTO: fields.IP_PROTO_TCP, fields.TCP_DST: target}
            else:
                packet |= {fields.IP_PROTO: fields.IP_PROTO_UDP, fields.UDP_SRC: source, fields.UDP_DST: target}
            return f"{question.protocol} {ends}, port {source} to {target}"
        case Protocol.ICMP:
            kind = ECHO[here.version][is_reply]
            if here.version == IPV4:
                packet |= {fields.IP_PROTO: fields.IP_PROTO_ICMP, fields.ICMP_TYPE: kind}
            else:
                packet |= {fields.IP_PROTO: fields.IP_PROTO_ICMPV6, fields.ICMP6_TYPE: kind}
            return f"icmp echo {'reply' if is_reply else 'request'} {ends}"
        case Protocol.ARP:
            return _ask_for(packet, here, there, is_reply=is_reply)


def _ask_for(packet: dict[Field, int], here: Address, there: Address, *, is_reply: bool) -> str:
    """Make it the question who has an address, or the answer (RFC 826, RFC 4861 section 4)."""
    mac, target_mac = packet[fields.ETH_SRC], packet[fields.ETH_DST]
    if here.version == IPV4:
        for field in (fields.IPV4_SRC, fields.IPV4_DST):
            del packet[field]
        packet |= {
            fields.ETH_TYPE: fields.ETH_TYPE_ARP,
            fields.ETH_DST: target_mac if is_reply else BROADCAST,
            fields.ARP_OP: fields.ARP_REPLY if is_reply else fields.ARP_REQUEST,
            fields.ARP_SHA: mac,
            fields.ARP_SPA: int(here),
            fields.ARP_TPA: int(there),
        }
        return f"ARP answer of {here} to {there}" if is_reply else f"ARP question of {here} for {there}"
    packet[fields.IP_PROTO] = fields.IP_PROTO_ICMPV6
    if is_reply:
        packet |= {fields.ICMP6_TYPE: 136, fields.ND_TARGET: int(here), fields.ND_TLL: mac}
        return f"neighbour advertisement of {here} to {there}"
    asked = 0xFF02_0000_0000_0000_0000_0001_FF00_0000 | int(there) & 0xFFFFFF
    packet |= {
        fields.ETH_DST: _group_mac(IPv6Address(asked)),
        fields.IPV6_DST: asked,
        fields.ICMP6_TYPE: 135,
        fields.ND_TARGET: int(there),
        fields.ND_SLL: mac,
    }
    return f"neighbour solicitation of {here} for {there}"
