"""What can a caller do with segments? Administrators only: to anybody else there are none (Neutron, segment).

A network's segments are made with it; more can be added and taken away while nothing needs them. A change of segments
is a change of their network.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import delete as sql_delete
from sqlalchemy import func, select
from sqlalchemy import update as sql_update

from controller.caller import Caller
from controller.errors import NetworkNotFound
from controller.network_errors import SegmentInUse, SegmentNotFound
from controller.policy.words import Target
from controller.records import Network, Segment
from controller.services import listing, network_types, networks, routed
from controller.services.query import Query
from controller.services.rules import authorize, check_revision, each
from controller.store.loading import SELECT_SEGMENTS, segment_of
from controller.store.schema import NETWORKS, SEGMENTS
from controller.store.transaction import Transaction

RESOURCE = listing.Resource(
    rows=SELECT_SEGMENTS,
    table=SEGMENTS,
    columns={column.name: column for column in SEGMENTS.columns if column.name != "key"},
    not_found=SegmentNotFound,
    rule="get_segment",
)


def create(tx: Transaction, caller: Caller, wanted: Mapping[str, Any]) -> Segment:
    """Give a network one more segment.

    Raises:
        PolicyNotAuthorized, NetworkNotFound, InvalidInput, and what ``network_types`` raises
    """
    authorize(caller, "create_segment", Target())
    locked = select(NETWORKS.c.id).where(NETWORKS.c.id == wanted["network_id"]).with_for_update()
    if tx.connection.execute(locked).first() is None:
        raise NetworkNotFound(wanted["network_id"])
    network = networks.get(tx, caller, wanted["network_id"])
    last = select(func.max(SEGMENTS.c.position)).where(SEGMENTS.c.network_id == network.id)
    segment = network_types.create_segment(
        tx,
        network.id,
        network.project_id,
        network_types.checked(tx, wanted),
        position=(tx.connection.execute(last).scalar() or 0) + 1,
        name=wanted["name"],
        description=wanted["description"],
    )
    tx.faces.check_network(replace(network, segments=(*network.segments, segment)))
    _changed(tx, network, (*network.segments, segment))
    return segment


def create_many(tx: Transaction, caller: Caller, wanted: Sequence[Mapping[str, Any]]) -> list[Segment]:
    """Create all segments or none; ``create`` says what may be raised."""
    return each(create, tx, caller, wanted)


def get(tx: Transaction, caller: Caller, object_id: str) -> Segment:
    """Return one segment.

    Raises:
        SegmentNotFound: not for this caller.
    """
    return segment_of(listing.one(tx, caller, RESOURCE, object_id))


def find(tx: Transaction, caller: Caller, query: Query) -> list[Segment]:
    """Return the segments a query asks for.

    Raises:
        SegmentNotFound: the marker is no segment of this caller.
        InvalidInput: a filter or sort name is unknown.
    """
    return [segment_of(row) for row in listing.many(tx, caller, RESOURCE, query)]


def update(
    tx: Transaction, caller: Caller, object_id: str, changes: Mapping[str, Any], *, if_revision: int | None = None
) -> Segment:
    """Change what people call a segment; what it is never changes.

    Raises:
        SegmentNotFound, PolicyNotAuthorized, RevisionNumberConstraintFailed
    """
    old = segment_of(listing.one(tx, caller, RESOURCE, object_id, lock=True))
    authorize(caller, "update_segment", Target(), changes)
    check_revision(if_revision, old.revision_number)
    values = {name: changes[name] for name in ("name", "description") if name in changes}
    new = replace(old, **values)
    if new == old:
        return old
    new = replace(new, updated_at=tx.now, revision_number=old.revision_number + 1)
    values |= {"updated_at": tx.timestamp, "revision_number": new.revision_number}
    tx.connection.execute(sql_update(SEGMENTS).where(SEGMENTS.c.id == old.id).values(values))
    tx.journal("network", old.network_id, old.network_id)
    return new


def delete(tx: Transaction, caller: Caller, object_id: str, *, if_revision: int | None = None) -> None:
    """Take a segment away.

    Raises:
        SegmentNotFound, PolicyNotAuthorized, RevisionNumberConstraintFailed
        SegmentInUse: it is the network's last one, has subnets, or ports are bound to hosts that take it.
    """
    old = segment_of(listing.one(tx, caller, RESOURCE, object_id, lock=True))
    authorize(caller, "delete_segment", Target())
    check_revision(if_revision, old.revision_number)
    tx.connection.execute(select(NETWORKS.c.id).where(NETWORKS.c.id == old.network_id).with_for_update())
    network = networks.get(tx, caller, old.network_id)
    left = tuple(segment for segment in network.segments if segment.id != old.id)
    if not left:
        raise SegmentInUse(old.id, "A network has at least one segment")
    subnet_ids = routed.subnets_on(tx, old.id)
    if subnet_ids:
        raise SegmentInUse(old.id, f"The segment is still associated with subnet(s) {', '.join(sorted(subnet_ids))}")
    port_id = routed.port_bound_through(tx, old)
    if port_id is not None:
        raise SegmentInUse(old.id, f"The segment is still associated with port(s) {port_id}")
    tx.connection.execute(sql_delete(SEGMENTS).where(SEGMENTS.c.id == old.id))
    _changed(tx, network, left)


def _changed(tx: Transaction, network: Network, segments: Sequence[Segment]) -> None:
    """Note the change in the network; its MTU shrinks to what every segment carries, and grows if it was the largest.

    Neutron works the MTU out anew in the same way.
    """
    before = network_types.largest_mtu(tx, network.segments)
    largest = network_types.largest_mtu(tx, segments)
    mtu = largest if network.mtu == before or network.mtu > largest else network.mtu
    if mtu != network.mtu:
        tx.connection.execute(sql_update(NETWORKS).where(NETWORKS.c.id == network.id).values(mtu=mtu))
    networks.bump(tx, network.id)
