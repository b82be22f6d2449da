"""Which frames from a local port are let in, and from which source addresses?

A port with port security may use its own addresses and those allowed to it beside them: the Ethernet source, the IPv4
or IPv6 source, the sender of an ARP message (RFC 826), the target of a neighbour advertisement and the link-layer
option of neighbour discovery (RFC 4861). What only a network's own services may send (DHCP answers, router
advertisements, redirects) is dropped from every such port. A port without port security may send anything.
"""

from collections.abc import Iterator

from flows import fields
from flows.cookie import Feature
from flows.features import meters
from flows.fields import Field, Term
from flows.flow import Flow, Load, Resubmit
from flows.intent import Guard, LocalPortIntent, Prefix
from flows.pipeline import (
    CLASSIFY,
    FROM_ROLE,
    FROM_RULES,
    FROM_ZONE,
    ND,
    ND_LINK,
    ND_TARGET,
    PORT_SECURITY,
    SEGMENT,
    SERVICES,
    SIGHTINGS,
    Priority,
    Table,
)

DHCP_SERVER_PORT = 67
"""RFC 2131 section 4.1."""
DHCPV6_SERVER_PORT = 547
"""RFC 8415 section 7.2."""
NEIGHBOUR_SOLICITATION, NEIGHBOUR_ADVERTISEMENT = 135, 136
"""ICMPv6 types of RFC 4861 section 4."""
ROUTER_SOLICITATION, ROUTER_ADVERTISEMENT, REDIRECT = 133, 134, 137
WITHOUT_AN_ADDRESS = (131, 132, 143, ROUTER_SOLICITATION, NEIGHBOUR_SOLICITATION)
"""ICMPv6 types that may come from the unspecified address (RFC 3590 section 4, RFC 3810 section 5.2.13, RFC 4861)."""
LINK_LOCAL = 0xFE80 << 112
IPV4, IPV6 = 4, 6

ARP: tuple[Term, ...] = (fields.ETH_TYPE.eq(fields.ETH_TYPE_ARP),)
IP4: tuple[Term, ...] = (fields.ETH_TYPE.eq(fields.ETH_TYPE_IPV4),)
IP6: tuple[Term, ...] = (fields.ETH_TYPE.eq(fields.ETH_TYPE_IPV6),)
UDP4: tuple[Term, ...] = (*IP4, fields.IP_PROTO.eq(fields.IP_PROTO_UDP))
UDP6: tuple[Term, ...] = (*IP6, fields.IP_PROTO.eq(fields.IP_PROTO_UDP))
ICMP6: tuple[Term, ...] = (*IP6, fields.IP_PROTO.eq(fields.IP_PROTO_ICMPV6))
SOLICITATION: tuple[Term, ...] = (*ICMP6, fields.ICMP6_TYPE.eq(NEIGHBOUR_SOLICITATION), fields.ICMP6_CODE.eq(0))
ADVERTISEMENT: tuple[Term, ...] = (*ICMP6, fields.ICMP6_TYPE.eq(NEIGHBOUR_ADVERTISEMENT), fields.ICMP6_CODE.eq(0))


def link_local(mac: int) -> Prefix:
    """Return the link-local address a guest forms from its MAC (RFC 4291 section 2.5.1 and appendix A)."""
    identifier = (mac >> 24 ^ 0x020000) << 40 | 0xFFFE << 24 | mac & 0xFFFFFF
    return Prefix(IPV6, LINK_LOCAL | identifier, 128)


def within(field: Field, prefix: Prefix) -> Term | None:
    """Return the condition that an address field lies within a prefix; None when every address does."""
    if not prefix.length:
        return None
    return field.masked(prefix.address, field.full_mask ^ ((1 << field.bits - prefix.length) - 1))


# for every bridge -----------------------------------------------------------------------------------------------------


def base_flows() -> Iterator[Flow]:
    """Yield what holds for every port with port security, and the ways through the tables of neighbour discovery."""
    yield from _never_from_guests()
    for name, match in (("IPv4", IP4), ("IPv6", IP6), ("ARP", ARP)):
        yield PORT_SECURITY.flow(
            priority=Priority.CLOSED,
            feature=Feature.BASE,
            match=match,
            why=f"{name} from an address that is not the port's is dropped",
        )
    for kind in WITHOUT_AN_ADDRESS:
        match = (*ICMP6, fields.IPV6_SRC.eq(0), fields.ICMP6_TYPE.eq(kind))
        goto = ND_LINK if kind == NEIGHBOUR_SOLICITATION else SERVICES
        yield _base(ND, Priority.SERVICE, match, goto, "an address is asked for before there is one (RFC 4862)")
    yield _base(ND, Priority.UNICAST, (*ICMP6, fields.IPV6_SRC.eq(0)), None, "nothing else comes from no address")
    yield _base(ND, Priority.MISS, (), SERVICES, "no neighbour discovery: its source address says who it is")
    yield _base(ND, Priority.DEFAULT, SOLICITATION, ND_LINK, "a solicitation may name the sender's MAC address")
    yield _base(ND, Priority.DEFAULT, ADVERTISEMENT, ND_TARGET, "an advertisement speaks for an address")
    yield _base(ND_TARGET, Priority.MISS, (), None, "a neighbour advertisement for a foreign address")
    for match, option, name in (
        (SOLICITATION, fields.ND_SLL, "solicitation"),
        (ADVERTISEMENT, fields.ND_TLL, "advertisement"),
    ):
        yield _base(ND_LINK, Priority.CLOSED, match, None, f"a neighbour {name} that names a foreign MAC address")
        yield _base(
            ND_LINK, Priority.UNICAST, (*match, option.eq(0)), SERVICES, f"a neighbour {name} that names no MAC address"
        )


def _never_from_guests() -> Iterator[Flow]:
    tagged = fields.VLAN_VID.masked(fields.VLAN_PRESENT, fields.VLAN_PRESENT)
    fragment = fields.IP_FRAG.masked(fields.FRAG_ANY, fields.FRAG_ANY)
    drops: list[tuple[tuple[Term, ...], str]] = [
        ((tagged,), "a guest may not send 802.1Q tags"),
        ((*UDP4, fields.UDP_SRC.eq(DHCP_SERVER_PORT)), "a guest may not play DHCP server"),
        ((*UDP6, fields.UDP_SRC.eq(DHCPV6_SERVER_PORT)), "a guest may not play DHCPv6 server"),
    ]
    for kind, name in ((ROUTER_ADVERTISEMENT, "advertise routers"), (REDIRECT, "redirect others")):
        drops.append(((*ICMP6, fields.ICMP6_TYPE.eq(kind)), f"a guest may not {name}"))
    for kind in (ROUTER_SOLICITATION, NEIGHBOUR_SOLICITATION, NEIGHBOUR_ADVERTISEMENT):
        match = (*ICMP6, fields.ICMP6_TYPE.eq(kind), fragment)
        drops.append((match, "neighbour discovery is never fragmented (RFC 6980)"))
    # What of its headers the switch cannot see is 0: ports and types, or the protocol when the headers are cut short.
    # Later fragments say nothing of what they belong to, so it is the first one that is held back (RFC 7112).
    first = fields.IP_FRAG.eq(fields.FRAG_ANY)
    drops += [
        ((*ICMP6, fields.ICMP6_TYPE.eq(0), first), "a first fragment that does not show its type (RFC 7112)"),
        ((*UDP6, fields.UDP_SRC.eq(0), first), "a first fragment that does not show its ports (RFC 7112)"),
        ((*IP6, fields.IP_PROTO.eq(0)), "IPv6 headers that are cut short hide what follows (RFC 7112)"),
    ]
    for match, why in drops:
        yield _base(PORT_SECURITY, Priority.GUARD, match, None, why)


def _base(table: Table, priority: Priority, match: tuple[Term, ...], goto: Table | None, why: str) -> Flow:
    return table.flow(priority=priority, feature=Feature.BASE, match=match, goto=goto, why=why)


# for one port ---------------------------------------------------------------------------------------------------------


def flows(port: LocalPortIntent) -> Iterator[Flow]:
    """Yield the flows that put a port's frames into its segment, from its own addresses only when it is guarded."""
    yield CLASSIFY.flow(
        priority=Priority.DEFAULT,
        feature=Feature.PORT_ADMISSION,
        key=port.port,
        match=[fields.IN_PORT.eq(port.ofport)],
        actions=[
            Load(SEGMENT, port.segment),
            Load(FROM_ZONE, port.number),
            Load(FROM_RULES, port.ruleset),
            Load(FROM_ROLE, port.role),
        ],
        goto=PORT_SECURITY,
        why="frames of this port belong to its network's segment",
    )
    if port.guarded:
        yield from _guarded(port)
    else:
        yield from _unguarded(port)


def macs(port: LocalPortIntent) -> tuple[int, ...]:
    """Return the MAC addresses a guarded port may use, sorted."""
    return tuple(sorted({port.mac, *(guard.mac for guard in port.guards)}))


def _admit(
    port: LocalPortIntent, match: tuple[Term, ...], why: str, *, goto: Table = SERVICES, metered: bool = False
) -> Flow:
    return PORT_SECURITY.flow(
        priority=Priority.UNICAST,
        feature=Feature.PORT_SECURITY,
        key=port.port,
        match=[fields.IN_PORT.eq(port.ofport), *match],
        goto=goto,
        meter=meters.neighbours(port.number) if metered else None,
        why=why,
    )


def _guarded(port: LocalPortIntent) -> Iterator[Flow]:
    for mac in macs(port):
        source = fields.ETH_SRC.eq(mac)
        yield PORT_SECURITY.flow(
            priority=Priority.DEFAULT,
            feature=Feature.PORT_SECURITY,
            key=port.port,
            match=[fields.IN_PORT.eq(port.ofport), source],
            goto=SERVICES,
            why="the port may send from this MAC address, whatever is neither IP nor ARP",
        )
    guards = port.guards
    for guard in guards:
        yield from _source(port, guard)
    for mac in sorted({guard.mac for guard in guards if guard.prefix.version == IPV4}):
        yield _admit(
            port,
            (*ARP, fields.ETH_SRC.eq(mac), fields.ARP_SHA.eq(mac), fields.ARP_SPA.eq(0)),
            "the port may probe whether an address is in use (RFC 5227)",
            metered=True,
        )
    for mac in sorted({guard.mac for guard in guards if guard.prefix.version == IPV6}):
        yield from _link_local(port, mac)


def _source(port: LocalPortIntent, guard: Guard) -> Iterator[Flow]:
    source = fields.ETH_SRC.eq(guard.mac)
    if guard.prefix.version == IPV4:
        address = within(fields.IPV4_SRC, guard.prefix)
        yield _admit(port, (*IP4, source, *_if(address)), "the port may send from this IPv4 address")
        sender = within(fields.ARP_SPA, guard.prefix)
        yield _admit(
            port,
            (*ARP, source, fields.ARP_SHA.eq(guard.mac), *_if(sender)),
            "the port may speak ARP for this IPv4 address",
            metered=True,
        )
        return
    address = within(fields.IPV6_SRC, guard.prefix)
    yield _admit(port, (*IP6, source, *_if(address)), "the port may send from this IPv6 address", goto=ND)
    yield _advertise(port, guard.prefix)


def _link_local(port: LocalPortIntent, mac: int) -> Iterator[Flow]:
    """Yield what every IPv6 sender needs: its link-local address, and the unspecified one before it has any."""
    source, own = fields.ETH_SRC.eq(mac), link_local(mac)
    if Guard(mac, own) not in port.guards:
        yield _admit(
            port,
            (*IP6, source, fields.IPV6_SRC.eq(own.address)),
            "the port may send from its link-local address (RFC 4291 section 2.5.6)",
            goto=ND,
        )
        yield _advertise(port, own)
    yield _admit(
        port,
        (*ICMP6, source, fields.IPV6_SRC.eq(0)),
        "the port may speak ICMPv6 before it has an address (RFC 4862 section 5.4)",
        goto=ND,
    )
    for match, option in ((SOLICITATION, fields.ND_SLL), (ADVERTISEMENT, fields.ND_TLL)):
        yield ND_LINK.flow(
            priority=Priority.UNICAST,
            feature=Feature.PORT_SECURITY,
            key=port.port,
            match=[fields.IN_PORT.eq(port.ofport), *match, option.eq(mac)],
            goto=SERVICES,
            meter=meters.neighbours(port.number) if option is fields.ND_SLL else None,
            why="neighbour discovery names the port's own MAC address",
        )


def _advertise(port: LocalPortIntent, prefix: Prefix) -> Flow:
    return ND_TARGET.flow(
        priority=Priority.UNICAST,
        feature=Feature.PORT_SECURITY,
        key=port.port,
        match=[fields.IN_PORT.eq(port.ofport), *ADVERTISEMENT, *_if(within(fields.ND_TARGET, prefix))],
        goto=ND_LINK,
        why="the port may advertise this IPv6 address",
    )


def _unguarded(port: LocalPortIntent) -> Iterator[Flow]:
    source = fields.IN_PORT.eq(port.ofport)
    versions = {prefix.version for prefix in port.watched}
    for priority, match, meter, version in (
        (Priority.EXEMPT, (), None, None),
        (Priority.EXEMPT_ASKING, ARP, meters.neighbours(port.number), IPV4),
        (Priority.EXEMPT_ASKING, SOLICITATION, meters.neighbours(port.number), IPV6),
        *([(Priority.EXEMPT_ASKING, ADVERTISEMENT, None, IPV6)] if IPV6 in versions else []),
    ):
        yield PORT_SECURITY.flow(
            priority=priority,
            feature=Feature.PORT_SECURITY,
            key=port.port,
            match=[source, *match],
            actions=[Resubmit(SIGHTINGS.id)] if version in versions else [],
            goto=SERVICES,
            meter=meter,
            why="port security is off for this port",
        )


def _if(term: Term | None) -> tuple[Term, ...]:
    return () if term is None else (term,)
