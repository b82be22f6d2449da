"""What can a caller do with the ranges segmentation ids come from? Administrators only.

Neutron extension network-segment-range. Ranges of the configuration can be looked at and not changed; one that
networks have numbers of stays.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import ColumnElement, and_, insert, select
from sqlalchemy import delete as sql_delete
from sqlalchemy import update as sql_update

from controller.caller import Caller
from controller.errors import BadRequest
from controller.network_errors import (
    NetworkSegmentRangeDefaultReadOnly,
    NetworkSegmentRangeNetTypeNotSupported,
    NetworkSegmentRangeNotFound,
    NetworkSegmentRangeOverlaps,
    NetworkSegmentRangeReferencedByProject,
    NetworkTunnelRangeError,
    NetworkVlanRangeError,
)
from controller.policy.words import Target
from controller.records import NetworkSegmentRange
from controller.services import listing, tags
from controller.services.network_types import FIRST_VLAN, LAST_VLAN, LAST_VNI, OVERLAYS, VLAN
from controller.services.query import Query
from controller.services.rules import authorize, check_revision, each
from controller.store.loading import SELECT_NETWORK_SEGMENT_RANGES, network_segment_range_of
from controller.store.schema import NETWORK_SEGMENT_RANGES, NETWORKS, SEGMENTS
from controller.store.transaction import Transaction

RANGES = NETWORK_SEGMENT_RANGES
SHOWN_AVAILABLE = 4_094
"""Neutron shows every free number of a range; of 16 million Weft shows as many as there are VLANs."""

RESOURCE = listing.Resource(
    rows=SELECT_NETWORK_SEGMENT_RANGES,
    table=RANGES,
    columns={column.name: column for column in RANGES.columns},
    not_found=NetworkSegmentRangeNotFound,
    rule="get_network_segment_range",
    conditions=tags.conditions(RANGES),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """How much of a range is taken."""

    used: tuple[tuple[int, str], ...]
    """(segmentation id, project) pairs, by number."""
    available: tuple[int, ...]
    """The lowest free numbers, at most ``SHOWN_AVAILABLE``."""


def create(tx: Transaction, caller: Caller, wanted: Mapping[str, Any]) -> NetworkSegmentRange:
    """Make a range, of one project or shared.

    Raises:
        PolicyNotAuthorized, BadRequest, NetworkSegmentRangeNetTypeNotSupported, NetworkTunnelRangeError,
        NetworkVlanRangeError, NetworkSegmentRangeOverlaps
    """
    authorize(caller, "create_network_segment_range", Target())
    network_type = wanted["network_type"]
    if network_type not in {*OVERLAYS, VLAN}:
        raise NetworkSegmentRangeNetTypeNotSupported(str(network_type))
    if network_type == VLAN and not wanted["physical_network"]:
        raise BadRequest(
            "network_segment_range",
            f"Network type {VLAN} requires 'physical_network' to be specified while creating new range",
        )
    made = NetworkSegmentRange(
        id=tx.new_id(),
        project_id=None if wanted["shared"] else wanted["project_id"],
        name=wanted["name"],
        description=wanted["description"],
        default=False,
        shared=wanted["shared"],
        network_type=network_type,
        physical_network=wanted["physical_network"] if network_type == VLAN else None,
        minimum=wanted["minimum"],
        maximum=wanted["maximum"],
        created_at=tx.now,
        updated_at=tx.now,
        revision_number=1,
    )
    _check(tx, made)
    row = {column.name: getattr(made, column.name) for column in RANGES.columns}
    tx.connection.execute(insert(RANGES), row | {"created_at": tx.timestamp, "updated_at": tx.timestamp})
    return made


def create_many(tx: Transaction, caller: Caller, wanted: Sequence[Mapping[str, Any]]) -> list[NetworkSegmentRange]:
    """Make all ranges or none; ``create`` says what may be raised."""
    return each(create, tx, caller, wanted)


def get(tx: Transaction, caller: Caller, object_id: str) -> NetworkSegmentRange:
    """Return one range.

    Raises:
        NetworkSegmentRangeNotFound: not for this caller.
    """
    return network_segment_range_of(listing.one(tx, caller, RESOURCE, object_id))


def find(tx: Transaction, caller: Caller, query: Query) -> list[NetworkSegmentRange]:
    """Return the ranges a query asks for.

    Raises:
        NetworkSegmentRangeNotFound: the marker is no range.
        InvalidInput: a filter or sort name is unknown.
    """
    return [network_segment_range_of(row) for row in listing.many(tx, caller, RESOURCE, query)]


def usage(tx: Transaction, one: NetworkSegmentRange) -> Usage:
    """Return which numbers of a range networks have, and which are free."""
    statement = (
        select(SEGMENTS.c.segmentation_id, NETWORKS.c.project_id)
        .join_from(SEGMENTS, NETWORKS, NETWORKS.c.id == SEGMENTS.c.network_id)
        .where(_inside(one))
        .order_by(SEGMENTS.c.segmentation_id)
    )
    used = tuple((row.segmentation_id, row.project_id) for row in tx.connection.execute(statement))
    taken = {number for number, _project in used}
    available: list[int] = []
    for number in range(one.minimum, one.maximum + 1):
        if len(available) == SHOWN_AVAILABLE:
            break
        if number not in taken:
            available.append(number)
    return Usage(used=used, available=tuple(available))


def update(
    tx: Transaction, caller: Caller, object_id: str, changes: Mapping[str, Any], *, if_revision: int | None = None
) -> NetworkSegmentRange:
    """Change a range's name or bounds; numbers in use stay inside.

    Raises:
        NetworkSegmentRangeNotFound, PolicyNotAuthorized, RevisionNumberConstraintFailed,
        NetworkSegmentRangeDefaultReadOnly,
        NetworkSegmentRangeReferencedByProject, NetworkTunnelRangeError, NetworkVlanRangeError,
        NetworkSegmentRangeOverlaps
    """
    old = network_segment_range_of(listing.one(tx, caller, RESOURCE, object_id, lock=True))
    authorize(caller, "update_network_segment_range", Target(), changes)
    check_revision(if_revision, old.revision_number)
    if old.default:
        raise NetworkSegmentRangeDefaultReadOnly(old.id)
    values = {name: changes[name] for name in ("name", "description", "minimum", "maximum") if name in changes}
    new = replace(old, **values)
    if new == old:
        return old
    _check(tx, new)
    taken = [number for number, _project in usage(tx, old).used]
    if any(not new.minimum <= number <= new.maximum for number in taken):
        raise NetworkSegmentRangeReferencedByProject(old.id)
    new = replace(new, updated_at=tx.now, revision_number=old.revision_number + 1)
    values |= {"updated_at": tx.timestamp, "revision_number": new.revision_number}
    tx.connection.execute(sql_update(RANGES).where(RANGES.c.id == old.id).values(values))
    return new


def delete(tx: Transaction, caller: Caller, object_id: str, *, if_revision: int | None = None) -> None:
    """Remove a range.

    Raises:
        NetworkSegmentRangeNotFound, PolicyNotAuthorized, RevisionNumberConstraintFailed,
        NetworkSegmentRangeDefaultReadOnly
        NetworkSegmentRangeReferencedByProject: networks have numbers of it.
    """
    old = network_segment_range_of(listing.one(tx, caller, RESOURCE, object_id, lock=True))
    authorize(caller, "delete_network_segment_range", Target())
    check_revision(if_revision, old.revision_number)
    if old.default:
        raise NetworkSegmentRangeDefaultReadOnly(old.id)
    if tx.connection.execute(select(SEGMENTS.c.id).where(_inside(old)).limit(1)).first() is not None:
        raise NetworkSegmentRangeReferencedByProject(old.id)
    tx.connection.execute(sql_delete(RANGES).where(RANGES.c.id == old.id))


def _inside(one: NetworkSegmentRange) -> ColumnElement[bool]:
    return and_(
        SEGMENTS.c.network_type == one.network_type,
        SEGMENTS.c.physical_network.is_not_distinct_from(one.physical_network),
        SEGMENTS.c.segmentation_id.between(one.minimum, one.maximum),
    )


def _check(tx: Transaction, one: NetworkSegmentRange) -> None:
    minimum, maximum = one.minimum, one.maximum
    if one.network_type == VLAN:
        for number in (minimum, maximum):
            if not FIRST_VLAN <= number <= LAST_VLAN:
                raise NetworkVlanRangeError(minimum, maximum, f"{number} is not a valid VLAN tag")
        if maximum < minimum:
            raise NetworkVlanRangeError(minimum, maximum, "End of VLAN range is less than start of VLAN range")
    else:
        for number in (minimum, maximum):
            if not 1 <= number <= LAST_VNI:
                raise NetworkTunnelRangeError(
                    minimum, maximum, f"{number} is not a valid {one.network_type} identifier"
                )
        if maximum < minimum:
            raise NetworkTunnelRangeError(minimum, maximum, "End of tunnel range is less than start of tunnel range")
    overlapping = select(RANGES.c.id).where(
        RANGES.c.id != one.id,
        RANGES.c.default.is_(False),
        RANGES.c.network_type == one.network_type,
        RANGES.c.physical_network.is_not_distinct_from(one.physical_network),
        RANGES.c.minimum <= maximum,
        RANGES.c.maximum >= minimum,
    )
    found = list(tx.connection.scalars(overlapping))
    if found:
        raise NetworkSegmentRangeOverlaps(found)
