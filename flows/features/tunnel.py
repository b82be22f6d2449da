"""Which frames from a tunnel are let in, and into which segment?

The VNI of the wire is the network's segmentation id; inside the bridge the segment key stands for it (RFC 7348 section
5). A frame counts only when its outer source is the endpoint of a registered host, and enters a segment only when that
host has a port in it: a host that was cut off and still has a deleted network cannot reach a new one with the same VNI.
"""

from collections.abc import Iterator
from functools import lru_cache

from flows import fields
from flows.cookie import Feature
from flows.features import meters
from flows.flow import Flow, Load, ToController
from flows.intent import PeerIntent, RemotePortIntent
from flows.pipeline import CLASSIFY, SEGMENT, SENDER, TUNNEL, Priority

PROBE_VNI = 0
"""VNI of the controller's own frames; no segment has it."""


def peer_flows(peer: PeerIntent) -> Iterator[Flow]:
    """Yield the flow of each tunnel that admits frames of one registered host."""
    for ofport in peer.tunnels:
        yield CLASSIFY.flow(
            priority=Priority.DEFAULT,
            feature=Feature.TUNNEL_PEER,
            key=peer.endpoint,
            match=[fields.IN_PORT.eq(ofport), fields.TUN_SRC.eq(peer.endpoint)],
            goto=TUNNEL,
            why="frames from the tunnel endpoint of a registered host are let in",
        )


def probe_flows(peer: PeerIntent) -> Iterator[Flow]:
    """Yield the flow of each tunnel that tells the controller that a probe has arrived; all peers share it.

    VNI 0 is no segment's. What forges probes can only make the meter drop genuine ones: the rest bears no right mark.
    """
    for ofport in peer.tunnels:
        yield TUNNEL.flow(
            priority=Priority.SERVICE,
            feature=Feature.PROBE,
            match=[fields.IN_PORT.eq(ofport), fields.TUN_ID.eq(PROBE_VNI)],
            meter=meters.probes(ofport),
            actions=[ToController()],
            why="the controller probes whether frames from other hosts arrive, at a bounded rate",
        )


def remote_flows(port: RemotePortIntent) -> Iterator[Flow]:
    """Yield the flow that admits a segment's frames from the host of one of its ports; ports of one host share it."""
    if port.tunnel_ofport:
        for endpoint in (port.endpoint,) if port.also is None else (port.endpoint, port.also):
            yield _admission(port.segment, port.vni, endpoint, port.tunnel_ofport)


@lru_cache(maxsize=16_384)
def _admission(segment: int, vni: int, endpoint: int, tunnel_ofport: int) -> Flow:
    return TUNNEL.flow(
        priority=Priority.DEFAULT,
        feature=Feature.TUNNEL_SEGMENT,
        key=segment,
        match=[fields.IN_PORT.eq(tunnel_ofport), fields.TUN_ID.eq(vni), fields.TUN_SRC.eq(endpoint)],
        actions=[Load(SEGMENT, segment)],
        goto=SENDER,
        why="this VNI from this host is a segment in which it has ports",
    )
