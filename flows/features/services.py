"""What does the network itself give its ports? DHCP by a metered punt, and addresses of its own."""

from collections.abc import Iterator

from flows import fields
from flows.cookie import Feature
from flows.features import meters
from flows.features.admission import ARP, DHCP_SERVER_PORT, IPV4, UDP4
from flows.features.neighbours import looked_up
from flows.flow import Flow, Load, ToController, ToGroup
from flows.intent import LocalPortIntent, Prefix, SegmentIntent
from flows.pipeline import (
    ADDRESSES,
    OWNER_MAC,
    PORT_SECURITY,
    RECIRCULATE,
    SEGMENT,
    SERVICES,
    Priority,
)


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
