"""What does the network itself give its ports? DHCP by a metered punt, and addresses of its own."""

from collections.abc import Iterator

from flows import fields
from flows.cookie import Feature
from flows.features import meters
from flows.features.admission import (
    ARP,
    DHCP_SERVER_PORT,
    DHCPV6_SERVER_PORT,
    ICMP6,
    IPV4,
    ROUTER_SOLICITATION,
    UDP4,
    UDP6,
)
from flows.features.neighbours import looked_up
from flows.flow import Flow, Load, ToController, ToGroup
from flows.intent import LocalPortIntent, Moving, Prefix, SegmentIntent
from flows.pipeline import (
    ADDRESSES,
    OWNER_MAC,
    PORT_SECURITY,
    RECIRCULATE,
    SEGMENT,
    SERVICES,
    Priority,
)

ROUTER_SOLICITED = (*ICMP6, fields.ICMP6_TYPE.eq(ROUTER_SOLICITATION), fields.ICMP6_CODE.eq(0))
DHCPV6_REQUEST = (*UDP6, fields.UDP_DST.eq(DHCPV6_SERVER_PORT))


def dhcp_flows(port: LocalPortIntent) -> Iterator[Flow]:
    """Yield the flow for a port's DHCP requests, whatever their destination (renewals are unicast) and source.

    They are punted when the network answers; else a request from no address yet may pass, for somebody else's server.
    """
    source = [fields.IN_PORT.eq(port.ofport)]
    priority = Priority.EXEMPT_ASKING
    if port.guarded:
        source.append(fields.ETH_SRC.eq(port.mac))
        priority = Priority.SERVICE
    if port.dhcp:
        yield PORT_SECURITY.flow(
            priority=priority,
            feature=Feature.DHCP,
            key=port.port,
            match=[*source, *UDP4, fields.UDP_DST.eq(DHCP_SERVER_PORT)],
            meter=meters.punts(port.number),
            actions=[ToController()],
            why="the controller answers the port's DHCP requests, at a bounded rate",
        )
    elif port.guarded:
        yield PORT_SECURITY.flow(
            priority=priority,
            feature=Feature.DHCP,
            key=port.port,
            match=[*source, *UDP4, fields.IPV4_SRC.eq(0), fields.UDP_DST.eq(DHCP_SERVER_PORT)],
            goto=SERVICES,
            why="the port may ask for an address before it has one (RFC 2131 section 4.1)",
        )


def ipv6_flows(port: LocalPortIntent) -> Iterator[Flow]:
    """Yield the flows that punt what the controller answers for IPv6: solicitations of routers, and DHCPv6 requests."""
    source = [fields.IN_PORT.eq(port.ofport)]
    priority = Priority.EXEMPT_ASKING
    if port.guarded:
        source.append(fields.ETH_SRC.eq(port.mac))
        priority = Priority.SERVICE
    for is_wanted, feature, match, why in (
        (port.router, Feature.ROUTER_SOLICITATION, ROUTER_SOLICITED, "the controller says whether there are routers"),
        (port.dhcp6, Feature.DHCPV6, DHCPV6_REQUEST, "the controller answers the port's DHCPv6 requests"),
    ):
        if is_wanted:
            yield PORT_SECURITY.flow(
                priority=priority,
                feature=feature,
                key=port.port,
                match=[*source, *match],
                meter=meters.punts(port.number),
                actions=[ToController()],
                why=f"{why}, at a bounded rate",
            )


def arrival_flows(port: LocalPortIntent) -> Iterator[Flow]:
    """Yield the flow that tells the controller that a migrated guest runs here: it announces itself by RARP.

    QEMU's announcement (its docs/system, "announce") is what Neutron's users know; the frame goes on nowhere: the flows
    that follow deliver to the new host anyway.
    """
    if port.moving is Moving.TARGET:
        yield PORT_SECURITY.flow(
            priority=Priority.EXEMPT_ASKING,
            feature=Feature.MIGRATION,
            key=port.port,
            match=[fields.IN_PORT.eq(port.ofport), fields.ETH_TYPE.eq(fields.ETH_TYPE_RARP)],
            meter=meters.punts(port.number),
            actions=[ToController()],
            why="the first sign of life of a guest that was moved here",
        )


def service_address_flows(segment: SegmentIntent) -> Iterator[Flow]:
    """Yield what answers ARP for DHCP server identifiers, so that renewals can be unicast (RFC 2131 section 4.3.2)."""
    for address in segment.service_addresses:
        priority, match = looked_up(Prefix(IPV4, address, 32))
        yield ADDRESSES.flow(
            priority=priority,
            feature=Feature.SERVICE_ADDRESS,
            key=segment.segment,
            match=[SEGMENT.eq(segment.segment), *match],
            actions=[Load(OWNER_MAC, segment.service_mac)],
            why="this address is the network's own: its DHCP server",
        )
    if segment.service_addresses:
        yield SERVICES.flow(
            priority=Priority.SERVICE,
            feature=Feature.SERVICE_ADDRESS,
            key=segment.segment,
            match=[
                SEGMENT.eq(segment.segment),
                *ARP,
                fields.ARP_OP.eq(fields.ARP_REQUEST),
                fields.ETH_DST.eq(segment.service_mac),
            ],
            actions=[ToGroup(RECIRCULATE)],
            why="a guest that knows the network's own address verifies it (RFC 1122 section 2.3.2.1)",
        )
