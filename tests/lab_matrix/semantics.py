"""Who receives a frame, by the words of Neutron's API and of RFC 5517? Nothing here knows of flows or switches.

Sources: Neutron API reference (networks, ports: ``admin_state_up``, ``port_security_enabled``,
``allowed_address_pairs``; security groups and their rules), Neutron's administration guide, "Security groups" (a group
as the far end means all addresses of its ports; stateful groups let answers pass), RFC 5517 section 3, RFC 826, RFC
4861.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import ip_address, ip_network

from tests.lab_matrix.intent import Cloud, Port, Rule


class Kind(StrEnum):
    """What a frame carries."""

    UDP = "udp"
    TCP = "tcp"
    """The first packet of a connection, or the answer to it (RFC 9293 section 3.5)."""
    ICMP = "icmp"
    OTHER = "other"
    """Neither IP nor ARP."""
    QUESTION = "question"
    """Who has this address? ARP, or neighbour solicitation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One frame a guest sends."""

    sender: int
    kind: Kind
    src_mac: str
    dst_mac: str
    version: int = 4
    src_ip: str = ""
    dst_ip: str = ""
    """Of a question: the address asked for."""
    src_port: int = 0
    dst_port: int = 0
    """Destination port of UDP or TCP; type of ICMP."""
    begun_by: int | None = None
    """Of an answer: the port whose frame was delivered to the sender and is answered."""


def is_group(mac: str) -> bool:
    """Whether a MAC address is that of several (IEEE 802 section 8.2)."""
    return bool(int(mac[:2], 16) & 1)


def receivers(cloud: Cloud, frame: Frame) -> frozenset[int]:
    """Return the ports that get a copy, if nobody answers in their stead."""
    sender = cloud.ports[frame.sender]
    if not is_up(cloud, sender) or not may_send(sender, frame) or not _passes(cloud, sender, frame, "egress"):
        return frozenset()
    others = [
        port for port in cloud.ports if port.network == sender.network and port is not sender and is_up(cloud, port)
    ]
    named = [port for port in others if frame.dst_mac in macs(port)]
    if is_group(frame.dst_mac):
        meant = others
    elif named or frame.dst_mac in macs(sender):
        meant = named
    else:  # an address nobody knows: whoever may be more than the network knows
        meant = [port for port in others if not port.guarded]
    return frozenset(port.number for port in meant if may_talk(sender, port) and _passes(cloud, port, frame, "ingress"))


def answers(cloud: Cloud, frame: Frame) -> frozenset[str]:
    """Return the MAC addresses an answer to a question may name: none if nobody may answer."""
    sender = cloud.ports[frame.sender]
    if not is_up(cloud, sender) or not may_send(sender, frame):
        return frozenset()
    return frozenset(
        mac
        for port in cloud.ports
        if port.network == sender.network and port is not sender and is_up(cloud, port) and may_talk(sender, port)
        for mac, ip in owned(port)
        if ip == frame.dst_ip
    )


def is_up(cloud: Cloud, port: Port) -> bool:
    """Whether the administrator lets anything pass."""
    return port.up and cloud.networks[port.network].up


def owned(port: Port) -> Iterator[tuple[str, str]]:
    """Yield what a port may use, MAC address and prefix."""
    yield from ((port.mac, ip) for ip in port.ips)
    for mac, ip in port.pairs:
        if port.kind == "promiscuous" or mac in {None, port.mac}:  # else it could pass for a port of another type
            yield mac or port.mac, ip


def macs(port: Port) -> set[str]:
    """Return the MAC addresses of a port."""
    return {port.mac, *(mac for mac, _ in owned(port))}


def may_send(port: Port, frame: Frame) -> bool:
    """Whether port security lets the frame's source pass."""
    if not port.guarded:
        return True
    if frame.kind is Kind.OTHER:
        return frame.src_mac in macs(port)
    return any(mac == frame.src_mac and _is_in(frame.src_ip, prefix) for mac, prefix in owned(port))


def may_talk(one: Port, other: Port) -> bool:
    """Whether their types in a private VLAN let two ports talk (RFC 5517 section 3)."""
    if "promiscuous" in {one.kind, other.kind}:
        return True
    return one.kind == other.kind == "community" and one.community == other.community


def _passes(cloud: Cloud, port: Port, frame: Frame, direction: str) -> bool:
    """Whether the port's security groups let the frame pass; ARP, ND and what is no IP is not theirs."""
    if not port.guarded or frame.kind in {Kind.OTHER, Kind.QUESTION}:
        return True
    groups = [cloud.groups[number] for number in port.groups]
    began_or_answers = frame.begun_by is not None and port.number in {frame.sender, frame.begun_by}
    if began_or_answers and any(group.stateful for group in groups):
        return True
    far = frame.dst_ip if direction == "egress" else frame.src_ip
    rules = (rule for group in groups for rule in group.rules if rule.direction == direction)
    return any(_allows(cloud, rule, frame, far, port.network) for rule in rules)


def _allows(cloud: Cloud, rule: Rule, frame: Frame, far: str, network: int) -> bool:
    if rule.version != frame.version or rule.protocol not in {None, str(frame.kind)}:
        return False
    if frame.kind in {Kind.UDP, Kind.TCP} and rule.low is not None and rule.high is not None:
        if not rule.low <= frame.dst_port <= rule.high:
            return False
    elif frame.kind is Kind.ICMP and rule.low not in {None, frame.dst_port}:
        return False
    if rule.prefix is not None:
        return _is_in(far, rule.prefix)
    if rule.addresses is not None:
        return any(_is_in(far, prefix) for prefix in cloud.address_groups[rule.addresses])
    if rule.group is not None:
        # A member that is down can neither have sent the frame nor get it, so that its address need not count.
        members = (p for p in cloud.ports if rule.group in p.groups and p.network == network and is_up(cloud, p))
        return any(_is_in(far, prefix) for member in members for _, prefix in owned(member))
    return True


def _is_in(ip: str, prefix: str) -> bool:
    network = ip_network(prefix)
    return ip_address(ip).version == network.version and ip_address(ip) in network
