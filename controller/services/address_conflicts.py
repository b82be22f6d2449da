"""Who uses an address without having it? What was seen in networks, and what it means for their ports.

Weft's own: for administrators, and for the project whose network it is. What was seen can be removed, never made: if it
still holds it is seen again. A port that is given such an address by name is given it; the conflict is told.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, case, or_, select

from controller.caller import Caller
from controller.policy.words import Target
from controller.services import listing
from controller.services.query import Query
from controller.services.rules import authorize
from controller.sighting_records import AddressConflict, AddressConflictNotFound
from controller.store import sightings
from controller.store.loading import instant
from controller.store.schema import ALLOCATIONS, NETWORKS, PORTS, SUBNETS
from controller.store.sightings import ADDRESS_SIGHTINGS
from controller.store.transaction import Transaction

CONFLICT, GATEWAY, OUTSIDE = "conflict", "gateway", "outside"
_HOLDS: ColumnElement[bool] = and_(
    ALLOCATIONS.c.subnet_id == ADDRESS_SIGHTINGS.c.subnet_id,
    ALLOCATIONS.c.address == ADDRESS_SIGHTINGS.c.ip_address,
    ALLOCATIONS.c.released_at.is_(None),
)
_KIND = case(
    (PORTS.c.id.is_not(None), CONFLICT),
    (SUBNETS.c.gateway_ip == ADDRESS_SIGHTINGS.c.ip_address, GATEWAY),
    else_=OUTSIDE,
)
RESOURCE = listing.Resource(
    rows=select(
        ADDRESS_SIGHTINGS,
        NETWORKS.c.project_id,
        PORTS.c.id.label("holder_id"),
        PORTS.c.mac_address.label("holder_mac"),
        _KIND.label("kind"),
    )
    .select_from(
        ADDRESS_SIGHTINGS.join(NETWORKS, NETWORKS.c.id == ADDRESS_SIGHTINGS.c.network_id)
        .join(SUBNETS, SUBNETS.c.id == ADDRESS_SIGHTINGS.c.subnet_id)
        .outerjoin(ALLOCATIONS, _HOLDS)
        .outerjoin(PORTS, PORTS.c.id == ALLOCATIONS.c.port_id)
    )
    # What became a port's own meanwhile is nobody's matter.
    .where(or_(PORTS.c.id.is_(None), PORTS.c.mac_address != ADDRESS_SIGHTINGS.c.mac_address)),
    table=ADDRESS_SIGHTINGS,
    columns={
        **{column.name: column for column in ADDRESS_SIGHTINGS.columns if column.name != "port_id"},
        "behind_port_id": ADDRESS_SIGHTINGS.c.port_id,
        "port_id": PORTS.c.id,
        "project_id": NETWORKS.c.project_id,
    },
    not_found=AddressConflictNotFound,
    rule="get_address_conflict",
    facts=lambda caller: {"owner": NETWORKS.c.project_id == caller.project_id},
)


def get(tx: Transaction, caller: Caller, object_id: str) -> AddressConflict:
    """Return one sighting.

    Raises:
        AddressConflictNotFound: not for this caller.
    """
    return _conflict(listing.one(tx, caller, RESOURCE, object_id))


def find(tx: Transaction, caller: Caller, query: Query) -> Sequence[AddressConflict]:
    """Return the sightings a query asks for.

    Raises:
        AddressConflictNotFound: the marker is none of this caller.
        InvalidInput: a filter or sort name is unknown.
    """
    return [_conflict(row) for row in listing.many(tx, caller, RESOURCE, query)]


def delete(tx: Transaction, caller: Caller, object_id: str, *, if_revision: int | None = None) -> None:
    """Forget a sighting: its address is free again, until somebody is seen with it.

    Raises:
        AddressConflictNotFound: not for this caller.
        PolicyNotAuthorized: it may be seen, not removed.
    """
    del if_revision
    found = get(tx, caller, object_id)
    authorize(caller, "delete_address_conflict", Target(project_id=found.project_id))
    sightings.forget(tx, [(found.id, found.network_id)])


def _conflict(row: Row[Any]) -> AddressConflict:
    return AddressConflict(
        id=row.id,
        project_id=row.project_id,
        network_id=row.network_id,
        subnet_id=row.subnet_id,
        ip_address=row.ip_address,
        mac_address=row.mac_address,
        kind=row.kind,
        how=row.how,
        host=row.host,
        behind_port_id=row.port_id,
        port_id=row.holder_id,
        port_mac_address=row.holder_mac,
        first_seen=instant(row.first_seen),
        last_seen=instant(row.last_seen),
    )
