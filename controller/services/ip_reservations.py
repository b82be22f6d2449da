"""What can a caller do with reservations: keep an address of a subnet for ports of a project, under a name?

The address is given to a port of the project that asks for it by name. When that port goes, it is kept again, until the
reservation is deleted or over.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, select
from sqlalchemy import delete as sql_delete
from sqlalchemy import update as sql_update

from controller.caller import Caller
from controller.errors import (
    InvalidInput,
    InvalidIpForSubnet,
    IpAddressAlreadyAllocated,
    IpAddressGenerationFailure,
)
from controller.ipam_errors import IpAddressHeld, IpReservationNotFound, ReservationNotPossible
from controller.ipam_records import HeldAs, IpReservation
from controller.policy.words import Target
from controller.services import addressing, listing, quotas, subnets, visibility
from controller.services.query import Query
from controller.services.rules import authorize, check_revision, each
from controller.store import holds
from controller.store.dialects import insert_all, insert_or_ignore
from controller.store.ipam_schema import IP_RESERVATIONS
from controller.store.loading import instant
from controller.store.schema import ALLOCATIONS, NETWORKS, PORTS, SUBNETS
from controller.store.transaction import Transaction
from ipam.addresses import parse_address, text, usable
from ipam.driver import AnyAddress
from ipam.errors import AddressesExhausted

_SELECT = select(IP_RESERVATIONS, SUBNETS.c.network_id, ALLOCATIONS.c.port_id).select_from(
    IP_RESERVATIONS.join(SUBNETS, SUBNETS.c.id == IP_RESERVATIONS.c.subnet_id).outerjoin(
        ALLOCATIONS,
        and_(
            ALLOCATIONS.c.subnet_id == IP_RESERVATIONS.c.subnet_id,
            ALLOCATIONS.c.address == IP_RESERVATIONS.c.ip_address,
            ALLOCATIONS.c.released_at.is_(None),
        ),
    )
)
_INSERT = insert_or_ignore(
    IP_RESERVATIONS,
    conflict=(IP_RESERVATIONS.c.subnet_id, IP_RESERVATIONS.c.ip_address),
    returning=(IP_RESERVATIONS.c.id,),
)


def _facts(caller: Caller) -> Mapping[str, ColumnElement[bool]]:
    owned = select(NETWORKS.c.id).where(NETWORKS.c.project_id == caller.project_id)
    return {
        "owner": IP_RESERVATIONS.c.project_id == caller.project_id,
        "network_owner": SUBNETS.c.network_id.in_(owned),
    }


RESOURCE = listing.Resource(
    rows=_SELECT,
    table=IP_RESERVATIONS,
    columns={column.name: column for column in IP_RESERVATIONS.columns},
    not_found=IpReservationNotFound,
    rule="get_ip_reservation",
    facts=_facts,
)


def create(tx: Transaction, caller: Caller, wanted: Mapping[str, Any]) -> IpReservation:
    """Reserve an address: the one named, or one that the subnet's strategy chooses.

    An address that a port of the project has, or that is in quarantine after one, may be named.

    Raises:
        SubnetNotFound, PolicyNotAuthorized, InvalidIpForSubnet, IpAddressAlreadyAllocated, IpAddressHeld,
        IpAddressGenerationFailure, OverQuota
        InvalidInput: it would end before it begins.
        ReservationNotPossible: hosts of the subnet make their own addresses.
    """
    subnet = listing.one(tx, caller, subnets.RESOURCE, wanted["subnet_id"])
    project_id, until = wanted["project_id"], _end(tx, wanted.get("expires_at"))
    authorize(caller, "create_ip_reservation", lambda: _target(tx, caller, subnet.network_id, project_id))
    quotas.reserve(tx, "ip_reservation", project_id)
    place = addressing.load_place(tx, None, subnet.network_id, None)
    of_place = next(one for one in place.subnets if one.id == subnet.id)
    if of_place.is_automatic:
        raise ReservationNotPossible(subnet.id, "its hosts make their own addresses (SLAAC)")
    if wanted.get("ip_address") is None:
        address = _hold_any(tx, place, of_place, project_id, until)
    else:
        address = _hold_named(tx, of_place, wanted["ip_address"], project_id, until)
    row = {
        "id": tx.new_id(),
        "project_id": project_id,
        "name": wanted["name"],
        "description": wanted["description"],
        "subnet_id": subnet.id,
        "ip_address": address,
        "expires_at": until,
        "created_at": tx.timestamp,
        "updated_at": tx.timestamp,
        "revision_number": 0,
    }
    if not insert_all(tx.connection, tx.variant(_INSERT), [row]):
        raise IpAddressAlreadyAllocated(address, subnet.id)
    return _load(tx, str(row["id"]))


def create_many(tx: Transaction, caller: Caller, wanted: Sequence[Mapping[str, Any]]) -> list[IpReservation]:
    """Reserve all or nothing; ``create`` says what may be raised."""
    return each(create, tx, caller, wanted)


def get(tx: Transaction, caller: Caller, object_id: str) -> IpReservation:
    """Return one reservation.

    Raises:
        IpReservationNotFound: not for this caller.
    """
    return _record(listing.one(tx, caller, RESOURCE, object_id))


def find(tx: Transaction, caller: Caller, query: Query) -> list[IpReservation]:
    """Return the reservations a query asks for, with one statement.

    Raises:
        IpReservationNotFound: the marker is no reservation of this caller.
        InvalidInput: a filter or sort name is unknown.
    """
    return [_record(row) for row in listing.many(tx, caller, RESOURCE, query)]


def update(
    tx: Transaction, caller: Caller, object_id: str, changes: Mapping[str, Any], *, if_revision: int | None = None
) -> IpReservation:
    """Change a reservation's name, description or end.

    Raises:
        IpReservationNotFound, RevisionNumberConstraintFailed, PolicyNotAuthorized
        InvalidInput: the new end is in the past.
    """
    old = _held(tx, caller, object_id, "update_ip_reservation", if_revision)
    new = replace(old, **{name: changes[name] for name in ("name", "description") if name in changes})
    if "expires_at" in changes:
        until = _end(tx, changes["expires_at"])
        new = replace(new, expires_at=None if until is None else instant(until))
    if new == old:
        return old
    end = None if new.expires_at is None else int(new.expires_at.timestamp())
    values = {"name": new.name, "description": new.description, "expires_at": end}
    values |= {"updated_at": tx.timestamp, "revision_number": old.revision_number + 1}
    tx.connection.execute(sql_update(IP_RESERVATIONS).where(IP_RESERVATIONS.c.id == old.id).values(values))
    row = holds.held(tx, old.subnet_id, old.ip_address)
    if row is not None:
        holds.prolong(tx, row.id, whose=old.project_id, until=end)
    return _load(tx, old.id)


def delete(tx: Transaction, caller: Caller, object_id: str, *, if_revision: int | None = None) -> None:
    """Delete a reservation; its address is free at once, unless a port has it.

    Raises:
        IpReservationNotFound, RevisionNumberConstraintFailed, PolicyNotAuthorized
    """
    old = _held(tx, caller, object_id, "delete_ip_reservation", if_revision)
    tx.connection.execute(sql_delete(IP_RESERVATIONS).where(IP_RESERVATIONS.c.id == old.id))
    row = holds.held(tx, old.subnet_id, old.ip_address)
    if row is not None:
        holds.let_go(tx, [row.id])


def _hold_any(
    tx: Transaction, place: addressing.Place, subnet: addressing.PortSubnet, project_id: str, until: int | None
) -> str:
    driver = addressing.driver_for(tx, place)
    for _ in range(addressing.COMMIT_TRIES):
        try:
            (chosen,) = driver.reserve([AnyAddress(subnet_ids=(subnet.id,))]).addresses
        except AddressesExhausted as error:
            if holds.expire(tx, [subnet.id]):
                continue
            raise IpAddressGenerationFailure(place.network_id) from error
        address = text(chosen.version, chosen.address)
        if _hold(tx, subnet, address, project_id, until):
            return address
    raise IpAddressGenerationFailure(place.network_id)


def _hold_named(
    tx: Transaction, subnet: addressing.PortSubnet, ip_address: str, project_id: str, until: int | None
) -> str:
    version, number = parse_address(ip_address)
    if version != subnet.version or number not in usable(subnet.space.cidr):
        raise InvalidIpForSubnet(ip_address)
    address = text(version, number)
    held = holds.held(tx, subnet.id, address)
    if held is not None:
        if held.held_until <= tx.timestamp:
            holds.let_go(tx, [held.id])
            holds.expire(tx, [subnet.id])
        elif held.held_as == HeldAs.QUARANTINE.value and held.held_for == project_id:
            holds.let_go(tx, [held.id])
        else:
            end = None if held.held_until == holds.FOREVER else instant(held.held_until)
            is_own = held.held_for == project_id
            raise IpAddressHeld(address, subnet.id, HeldAs(held.held_as), end, is_own=is_own)
    if not _hold(tx, subnet, address, project_id, until) and _holder(tx, subnet.id, address) != project_id:
        raise IpAddressAlreadyAllocated(address, subnet.id)
    return address


def _hold(tx: Transaction, subnet: addressing.PortSubnet, address: str, project_id: str, until: int | None) -> bool:
    block = subnet.space.block_of(parse_address(address)[1])
    return holds.hold(tx, subnet.id, address, block, why=HeldAs.RESERVATION, whose=project_id, until=until)


def _holder(tx: Transaction, subnet_id: str, address: str) -> str | None:
    """Return whose the port is that has an address."""
    return tx.connection.execute(
        select(PORTS.c.project_id)
        .join(ALLOCATIONS, ALLOCATIONS.c.port_id == PORTS.c.id)
        .where(
            ALLOCATIONS.c.subnet_id == subnet_id,
            ALLOCATIONS.c.address == address,
            ALLOCATIONS.c.released_at.is_(None),
        )
    ).scalar()


def _end(tx: Transaction, wanted: datetime | None) -> int | None:
    if wanted is None:
        return None
    until = int(wanted.timestamp())
    if until <= tx.timestamp:
        raise InvalidInput(f"expires_at {wanted:%Y-%m-%dT%H:%M:%SZ} is not in the future")
    return until


def _target(tx: Transaction, caller: Caller, network_id: str, project_id: str) -> Target:
    return visibility.network_facts(tx, caller, network_id).target(project_id)


def _held(tx: Transaction, caller: Caller, object_id: str, rule: str, if_revision: int | None) -> IpReservation:
    """Return a reservation the caller may change, kept from others until the transaction ends."""
    found = _record(listing.one(tx, caller, RESOURCE, object_id, lock=True))
    authorize(caller, rule, lambda: _target(tx, caller, found.network_id, found.project_id))
    check_revision(if_revision, found.revision_number)
    return found


def _load(tx: Transaction, reservation_id: str) -> IpReservation:
    return _record(tx.connection.execute(_SELECT.where(IP_RESERVATIONS.c.id == reservation_id)).one())


def _record(row: Row[Any]) -> IpReservation:
    return IpReservation(
        id=row.id,
        project_id=row.project_id,
        name=row.name,
        description=row.description,
        subnet_id=row.subnet_id,
        network_id=row.network_id,
        ip_address=row.ip_address,
        port_id=row.port_id,
        expires_at=None if row.expires_at is None else instant(row.expires_at),
        created_at=instant(row.created_at),
        updated_at=instant(row.updated_at),
        revision_number=row.revision_number,
    )
