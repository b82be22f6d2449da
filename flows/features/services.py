"""What does the network itself answer? DHCP by a metered punt, ARP for its own addresses in the switch."""

from collections.abc import Iterator

from flows import fields
from flows.cookie import Feature
from flows.features.base import DHCP_SERVER_PORT
from flows.flow import Flow, Meter, Move, OutputInPort, SetField, ToController
from flows.intent import LocalPortIntent, SegmentIntent
from flows.pipeline import SEGMENT, SERVICES, Priority

PUNT_RATE_PPS = 50
"""Packet-ins a second one port may cause; a DHCP client sends a handful per lease (RFC 2131 section 4.1)."""
PUNT_BURST = 50


def punt_meter(port: LocalPortIntent) -> Iterator[Meter]:
    """Yield the meter that bounds what one port may ask of the controller."""
    if port.dhcp:
        yield Meter(id=port.meter, rate_pps=PUNT_RATE_PPS, burst=PUNT_BURST)


def dhcp_flows(port: LocalPortIntent) -> Iterator[Flow]:
    """Yield the flow that punts a port's DHCP requests, whatever their destination: renewals are unicast."""
    if port.dhcp:
        yield SERVICES.flow(
            priority=Priority.SERVICE,
            feature=Feature.DHCP,
            key=port.port,
            match=[
                fields.IN_PORT.eq(port.ofport),
                fields.ETH_TYPE.eq(fields.ETH_TYPE_IPV4),
                fields.IP_PROTO.eq(fields.IP_PROTO_UDP),
                fields.UDP_DST.eq(DHCP_SERVER_PORT),
            ],
            meter=port.meter,
            actions=[ToController()],
            why="the controller answers the port's DHCP requests, at a bounded rate",
        )


def service_address_flows(segment: SegmentIntent) -> Iterator[Flow]:
    """Yield the ARP answers for DHCP server identifiers, so that renewals can be unicast (RFC 2131 section 4.3.2)."""
    for address in segment.service_addresses:
        yield SERVICES.flow(
            priority=Priority.SERVICE,
            feature=Feature.SERVICE_ADDRESS,
            key=segment.segment,
            match=[
                SEGMENT.eq(segment.segment),
                fields.ETH_TYPE.eq(fields.ETH_TYPE_ARP),
                fields.ARP_OP.eq(fields.ARP_REQUEST),
                fields.ARP_TPA.eq(address),
            ],
            actions=[
                Move(fields.ETH_SRC, fields.ETH_DST),
                SetField(fields.ETH_SRC, segment.service_mac),
                SetField(fields.ARP_OP, fields.ARP_REPLY),
                Move(fields.ARP_SHA, fields.ARP_THA),
                Move(fields.ARP_SPA, fields.ARP_TPA),
                SetField(fields.ARP_SHA, segment.service_mac),
                SetField(fields.ARP_SPA, address),
                OutputInPort(),
            ],
            why="the network answers ARP for its DHCP server address",
        )
