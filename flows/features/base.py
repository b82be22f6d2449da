"""Which flows does every bridge have?"""

from collections.abc import Iterator

from flows import fields
from flows.cookie import Feature
from flows.flow import Flow, OutputReg
from flows.pipeline import L2_LOOKUP, OUT_PORT, OUTPUT, PORT_SECURITY, SERVICES, Priority

DHCP_SERVER_PORT = 67
"""RFC 2131 section 4.1."""


def flows() -> Iterator[Flow]:
    """Yield the flows that depend on no object."""
    yield PORT_SECURITY.flow(
        priority=Priority.GUARD,
        feature=Feature.BASE,
        match=[
            fields.ETH_TYPE.eq(fields.ETH_TYPE_IPV4),
            fields.IP_PROTO.eq(fields.IP_PROTO_UDP),
            fields.UDP_SRC.eq(DHCP_SERVER_PORT),
        ],
        why="a guest may not play DHCP server",
    )
    yield PORT_SECURITY.flow(
        priority=Priority.GUARD,
        feature=Feature.BASE,
        match=[fields.VLAN_VID.masked(fields.VLAN_PRESENT, fields.VLAN_PRESENT)],
        why="a guest may not send 802.1Q tags",
    )
    yield SERVICES.flow(
        priority=Priority.MISS,
        feature=Feature.BASE,
        goto=L2_LOOKUP,
        why="the network has no answer of its own: look for the receiver",
    )
    yield OUTPUT.flow(
        priority=Priority.MISS,
        feature=Feature.BASE,
        actions=[OutputReg(OUT_PORT)],
        why="deliver to the port the lookup chose",
    )
