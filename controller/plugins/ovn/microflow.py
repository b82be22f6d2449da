"""How is a packet said in the words of ovn-trace? As an expression over the fields of ovn-sb(5), Logical_Flow:match."""

from collections.abc import Iterator, Mapping

from controller.trace.question import Stage
from flows import fields
from flows.fields import Field
from flows.ofctl import value_text

FIELDS: Mapping[Field, str] = {
    fields.ETH_SRC: "eth.src",
    fields.ETH_DST: "eth.dst",
    fields.IPV4_SRC: "ip4.src",
    fields.IPV4_DST: "ip4.dst",
    fields.IPV6_SRC: "ip6.src",
    fields.IPV6_DST: "ip6.dst",
    fields.UDP_SRC: "udp.src",
    fields.UDP_DST: "udp.dst",
    fields.TCP_DST: "tcp.dst",
    fields.ICMP_TYPE: "icmp4.type",
    fields.ICMP6_TYPE: "icmp6.type",
    fields.ND_TARGET: "nd.target",
    fields.ND_SLL: "nd.sll",
    fields.ND_TLL: "nd.tll",
    fields.ARP_OP: "arp.op",
    fields.ARP_SPA: "arp.spa",
    fields.ARP_TPA: "arp.tpa",
    fields.ARP_SHA: "arp.sha",
    fields.ARP_THA: "arp.tha",
}
CONNTRACK: Mapping[Stage, str] = {Stage.NEW: "new", Stage.ESTABLISHED: "est", Stage.REPLY: "est,rpl"}
"""ovn-trace(8), --ct; ``trk`` is understood."""
TTL, ND_TTL = 64, 255
"""RFC 4861 section 7.1: neighbour discovery is believed with 255 only."""
ND_TYPES = frozenset({133, 134, 135, 136, 137})


def microflow(port_id: str, packet: Mapping[Field, int]) -> str:
    """Return a packet that a port sends."""
    return " && ".join((f'inport == "{port_id}"', *_terms(packet)))


def _terms(packet: Mapping[Field, int]) -> Iterator[str]:
    for field, name in FIELDS.items():
        if field in packet:
            yield f"{name} == {value_text(field, packet[field])}"
    if packet.get(fields.ETH_TYPE) in {fields.ETH_TYPE_IPV4, fields.ETH_TYPE_IPV6}:
        yield f"ip.ttl == {ND_TTL if packet.get(fields.ICMP6_TYPE) in ND_TYPES else TTL}"
    if fields.ICMP6_TYPE in packet:
        yield "icmp6.code == 0"
