"""How does a segment reach its physical network? VLANs (IEEE 802.1Q) and untagged frames through a provider bridge.

The provider bridge is the operator's: Weft tags on its own bridge and hands frames through a patch. Who is nowhere
known is on the physical network, so frames for unknown addresses go there.
"""

from collections.abc import Iterator

from flows import fields
from flows.contribution import BucketKey, GroupMember
from flows.cookie import Feature
from flows.features import sightings
from flows.fields import Term
from flows.flow import Action, Bucket, Flow, Load, Output, PopVlan, PushVlan, Resubmit, SetField
from flows.intent import SegmentIntent, Wire
from flows.pipeline import CLASSIFY, PROVIDER, SEGMENT, SENDER, SIGHTINGS, Priority, broadcast_group, unknown_group

ANY_TAG = 0x1FFF
"""Mask of `VLAN_VID`: the id and whether there is a tag."""


def flows(segment: SegmentIntent) -> Iterator[Flow]:
    """Yield the flows that let a physical network's frames into a segment."""
    wire = segment.wire
    if wire is None:
        return
    untagged: tuple[Action, ...] = () if wire.vlan is None else (PopVlan(),)
    yield CLASSIFY.flow(
        priority=Priority.DEFAULT,
        feature=Feature.PROVIDER,
        match=[fields.IN_PORT.eq(wire.ofport)],
        goto=PROVIDER,
        why="frames from a physical network",
    )
    admitted = (*untagged, Load(SEGMENT, segment.segment))
    why = "this VLAN of the physical network is a segment with ports here"
    for priority, match, actions, reason in (
        (Priority.UNICAST, (), admitted, why),
        *(
            (Priority.SERVICE, said, (*admitted, Resubmit(SIGHTINGS.id)), f"{why}: who uses which address in it?")
            for said in sightings.said_in(segment.watched)
        ),
    ):
        yield PROVIDER.flow(
            priority=priority,
            feature=Feature.PROVIDER,
            key=segment.segment,
            match=[fields.IN_PORT.eq(wire.ofport), _tag(wire), *match],
            actions=actions,
            goto=SENDER,
            why=reason,
        )


def _tag(wire: Wire) -> Term:
    return fields.VLAN_VID.masked(0 if wire.vlan is None else fields.VLAN_PRESENT | wire.vlan, ANY_TAG)


def members(segment: SegmentIntent) -> Iterator[GroupMember]:
    """Yield the physical network's place among those who get broadcasts, and frames for unknown addresses."""
    wire = segment.wire
    if wire is None:
        return
    for group_id in (broadcast_group(segment.segment), unknown_group(segment.segment)):
        yield GroupMember(group_id=group_id, key=BucketKey(2, wire.ofport), bucket=Bucket(actions=to_wire(wire)))


def to_wire(wire: Wire) -> tuple[Action, ...]:
    """Return what hands a frame to the physical network."""
    if wire.vlan is None:
        return (Output(wire.ofport),)
    return (PushVlan(), SetField(fields.VLAN_VID, fields.VLAN_PRESENT | wire.vlan), Output(wire.ofport))
