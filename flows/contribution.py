"""What does one unit add to a bridge? Flows, buckets of shared groups, meters."""

from dataclasses import dataclass, field
from typing import NamedTuple

from flows.flow import Bucket, Flow, FlowKey, Group, Meter


class BucketKey(NamedTuple):
    """Orders the buckets of one group and tells which contributions are the same bucket.

    All ports of one remote host contribute the same bucket, so a frame crosses the tunnel once per host.
    """

    kind: int
    """0 = a local port, 1 = a remote host."""
    key: int
    """Port key or endpoint."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupMember:
    """One bucket of one group."""

    group_id: int
    key: BucketKey
    bucket: Bucket


@dataclass(frozen=True, slots=True, kw_only=True, weakref_slot=True)
class Contribution:
    """What one unit adds; contributions of all units, merged, are the bridge's desired state."""

    flows: tuple[Flow, ...] = ()
    """No two with one key."""
    groups: tuple[int, ...] = ()
    """Ids of the groups the unit declares; a group exists while someone declares it, empty or not."""
    whole_groups: tuple[Group, ...] = ()
    """Groups that have no other contributors."""
    members: tuple[GroupMember, ...] = ()
    meters: tuple[Meter, ...] = ()
    keys: tuple[FlowKey, ...] = field(init=False, repr=False, compare=False)
    """Of the flows, in their order: made once, however many bridges have the contribution."""

    def __post_init__(self) -> None:
        """Take the keys of the flows."""
        object.__setattr__(self, "keys", tuple(flow.key for flow in self.flows))


NOTHING = Contribution()
