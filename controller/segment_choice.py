"""Which segment of its network does a host take? Segments of one network are not bridged.

It is the first whose physical network the host has, else the first overlay. Where there is neither, the host reaches
none: what is realised there is the first, whose ports on that host reach each other and nobody else.
"""

from collections.abc import Collection, Sequence

from controller.records import Segment


def reached_segment(segments: Sequence[Segment], physnets: Collection[str]) -> Segment | None:
    """Return the segment a host with these physical networks takes, None when it reaches none of them."""
    physical = (one for one in segments if one.physical_network in physnets)
    overlay = (one for one in segments if one.physical_network is None)
    return next(physical, None) or next(overlay, None)


def taken_segment(segments: Sequence[Segment], physnets: Collection[str]) -> Segment:
    """Return the segment a host with these physical networks realises; a network has one at least."""
    return segments[0] if len(segments) == 1 else reached_segment(segments, physnets) or segments[0]
