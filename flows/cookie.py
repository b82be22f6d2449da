"""Whose flow is this? The 64 bits that name a flow's owner.

    63        56 55         48 47          32 31             0
    +-----------+-------------+--------------+----------------+
    | owner mark| layout      | feature      | object key     |
    +-----------+-------------+--------------+----------------+

A flow without Weft's mark is foreign: it is reported and never touched. Zero, the cookie of flows added by hand, is
never ours.
"""

from dataclasses import dataclass
from enum import IntEnum

OWNER_MARK = 0x57
"""'W'; a cookie with another first octet is not Weft's."""
LAYOUT = 2
"""Version of the pipeline's layout. Raise it by one whenever tables, registers or their meaning change: two successive
layouts use different tables and groups, so that a switch passes from one to the other without a gap."""
MASK = 0xFF << 56
"""The bits that say whether a flow is ours."""


class Feature(IntEnum):
    """What a flow is for; the object key is of the kind the feature names."""

    BASE = 1
    PORT_ADMISSION = 2
    PORT_SECURITY = 3
    DHCP = 4
    SERVICE_ADDRESS = 5
    LOCAL_DELIVERY = 6
    REMOTE_DELIVERY = 7
    BROADCAST = 8
    TUNNEL_PEER = 9
    TUNNEL_SEGMENT = 10
    ADDRESS = 11
    NEIGHBOUR_ANSWER = 12
    CONNECTION = 13
    RULES = 14
    RULE_PEERS = 15
    SHARED_DELIVERY = 16
    ISOLATION = 17
    PROVIDER = 18
    UNKNOWN_DELIVERY = 19
    ROUTER_SOLICITATION = 20
    DHCPV6 = 21
    MIGRATION = 22
    PROBE = 23
    SIGHTING = 24
    WIRE_SIGHTING = 25


class ObjectKind(IntEnum):
    """What the object key of a cookie counts."""

    NONE = 0
    PORT = 1
    SEGMENT = 2
    PEER = 3
    """The key is the peer's tunnel endpoint, an IPv4 address."""
    RULESET = 4
    """The key of a security group or of a set of them; 0 for a flow that several share."""
    ADDRESS_GROUP = 5


OBJECT_KIND: dict[Feature, ObjectKind] = {
    Feature.BASE: ObjectKind.NONE,
    Feature.PORT_ADMISSION: ObjectKind.PORT,
    Feature.PORT_SECURITY: ObjectKind.PORT,
    Feature.DHCP: ObjectKind.PORT,
    Feature.SERVICE_ADDRESS: ObjectKind.SEGMENT,
    Feature.LOCAL_DELIVERY: ObjectKind.PORT,
    Feature.REMOTE_DELIVERY: ObjectKind.PORT,
    Feature.BROADCAST: ObjectKind.SEGMENT,
    Feature.TUNNEL_PEER: ObjectKind.PEER,
    Feature.TUNNEL_SEGMENT: ObjectKind.SEGMENT,
    Feature.ADDRESS: ObjectKind.PORT,
    Feature.NEIGHBOUR_ANSWER: ObjectKind.NONE,
    Feature.CONNECTION: ObjectKind.PORT,
    Feature.RULES: ObjectKind.RULESET,
    Feature.RULE_PEERS: ObjectKind.RULESET,
    Feature.SHARED_DELIVERY: ObjectKind.SEGMENT,
    Feature.ISOLATION: ObjectKind.PORT,
    Feature.PROVIDER: ObjectKind.SEGMENT,
    Feature.UNKNOWN_DELIVERY: ObjectKind.SEGMENT,
    Feature.ROUTER_SOLICITATION: ObjectKind.PORT,
    Feature.DHCPV6: ObjectKind.PORT,
    Feature.MIGRATION: ObjectKind.PORT,
    Feature.PROBE: ObjectKind.NONE,
    Feature.SIGHTING: ObjectKind.PORT,
    Feature.WIRE_SIGHTING: ObjectKind.SEGMENT,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """A decoded cookie."""

    layout: int
    feature: Feature
    kind: ObjectKind
    key: int


def encode(feature: Feature, key: int = 0) -> int:
    """Return the cookie of a flow of `feature` for the object `key` (32 bits).

    Raises:
        ValueError: The key does not fit.
    """
    if not 0 <= key < 1 << 32:
        raise ValueError(f"object key {key} does not fit 32 bits")
    return OWNER_MARK << 56 | LAYOUT << 48 | feature << 32 | key


def is_ours(cookie: int) -> bool:
    """Whether a flow with this cookie was made by Weft, in whatever layout."""
    return cookie >> 56 == OWNER_MARK


def decode(cookie: int) -> Owner | None:
    """Return what the cookie says, or None for a foreign one or a feature this version does not know."""
    if not is_ours(cookie):
        return None
    try:
        feature = Feature(cookie >> 32 & 0xFFFF)
    except ValueError:
        return None
    return Owner(layout=cookie >> 48 & 0xFF, feature=feature, kind=OBJECT_KIND[feature], key=cookie & 0xFFFFFFFF)
