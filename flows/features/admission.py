"""Which frames from a local port are let in?"""

from collections.abc import Iterator

from flows import fields
from flows.cookie import Feature
from flows.flow import Flow, Load
from flows.intent import LocalPortIntent
from flows.pipeline import CLASSIFY, PORT_SECURITY, SEGMENT, SERVICES, Priority


def flows(port: LocalPortIntent) -> Iterator[Flow]:
    """Yield the flows that put a port's frames into its segment, from its own MACs only when it is guarded."""
    yield CLASSIFY.flow(
        priority=Priority.DEFAULT,
        feature=Feature.PORT_ADMISSION,
        key=port.port,
        match=[fields.IN_PORT.eq(port.ofport)],
        actions=[Load(SEGMENT, port.segment)],
        goto=PORT_SECURITY if port.guarded_macs else SERVICES,
        why="frames of this port belong to its network's segment",
    )
    for mac in port.guarded_macs:
        yield PORT_SECURITY.flow(
            priority=Priority.DEFAULT,
            feature=Feature.PORT_SECURITY,
            key=port.port,
            match=[fields.IN_PORT.eq(port.ofport), fields.ETH_SRC.eq(mac)],
            goto=SERVICES,
            why="the port may send from this MAC address",
        )
