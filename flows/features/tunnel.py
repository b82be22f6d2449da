"""Which frames from a tunnel are let in, and into which segment?

The VNI of the wire is the network's segmentation id; inside the bridge the segment key stands for it (RFC 7348
section 5). A frame counts as a peer's only when its outer source is the endpoint of a registered host.
"""

from collections.abc import Iterator

from flows import fields
from flows.cookie import Feature
from flows.flow import Flow, Load
from flows.intent import PeerIntent, SegmentIntent
from flows.pipeline import CLASSIFY, L2_LOOKUP, SEGMENT, TUNNEL, Priority


def peer_flows(peer: PeerIntent) -> Iterator[Flow]:
    """Yield the flow that admits frames of one registered host."""
    yield CLASSIFY.flow(
        priority=Priority.DEFAULT,
        feature=Feature.TUNNEL_PEER,
        key=peer.endpoint,
        match=[fields.IN_PORT.eq(peer.tunnel_ofport), fields.TUN_SRC.eq(peer.endpoint)],
        goto=TUNNEL,
        why="frames from the tunnel endpoint of a registered host are let in",
    )


def segment_flows(segment: SegmentIntent) -> Iterator[Flow]:
    """Yield the flow that turns the wire's VNI into the segment."""
    if segment.has_tunnel:
        yield TUNNEL.flow(
            priority=Priority.DEFAULT,
            feature=Feature.TUNNEL_SEGMENT,
            key=segment.segment,
            match=[fields.TUN_ID.eq(segment.vni)],
            actions=[Load(SEGMENT, segment.segment)],
            goto=L2_LOOKUP,
            why="this VNI is a segment with ports on this host",
        )
