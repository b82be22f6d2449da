"""What can a caller do with subnets?"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import ColumnElement, and_, insert, or_, select
from sqlalchemy import delete as sql_delete
from sqlalchemy import update as sql_update

from controller.caller import Caller
from controller.errors import InvalidInput, SubnetInUse, SubnetNotFound
from controller.ipam_driver_errors import AddressServiceUnavailable
from controller.ipam_drivers.settings import BUILT_IN
from controller.ipam_records import USUAL, space_of
from controller.records import NetworkId, Subnet, SubnetId
from controller.services import (
    addressing,
    listing,
    network_types,
    networks,
    pooling,
    quotas,
    realisation,
    routed,
    sharing,
    subnet_ipam,
    subnet_rules,
    tags,
    visibility,
)
from controller.services.query import Query
from controller.services.rules import authorize, check_revision, each
from controller.store import free_prefixes, remote_addresses
from controller.store.allocations import Allocations
from controller.store.ipam_driver_schema import SUBNET_DRIVERS
from controller.store.loading import SELECT_SUBNETS, in_chunks, subnets_of
from controller.store.pools_schema import POOLED_SUBNETS
from controller.store.schema import ALLOCATION_POOLS, ALLOCATIONS, BINDINGS, NETWORKS, PORTS, SUBNETS
from controller.store.subnet_ipam import store as store_ipam
from controller.store.transaction import Transaction
from ipam.addresses import Cidr, Pool, is_overlapping, parse_address, parse_cidr, text
from ipam.allocator import open_more
from ipam.driver import Eui64Address
from ipam.remote import SubnetFacts

_PLAIN_ATTRIBUTES = ("name", "description", "gateway_ip", "enable_dhcp")
_LISTS = ("dns_nameservers", "host_routes", "service_types")


def _in_external_network(values: Sequence[Any]) -> ColumnElement[bool]:
    external = select(NETWORKS.c.id).where(NETWORKS.c.router_external.in_(values))
    return SUBNETS.c.network_id.in_(external)


def _of_driver(values: tuple[object, ...]) -> ColumnElement[bool]:
    """Subnets of the built-in driver have no row."""
    ids = select(SUBNET_DRIVERS.c.subnet_id)
    named = SUBNETS.c.id.in_(ids.where(SUBNET_DRIVERS.c.driver.in_([str(value) for value in values])))
    return or_(named, SUBNETS.c.id.not_in(ids)) if BUILT_IN in values else named


RESOURCE = listing.Resource(
    rows=SELECT_SUBNETS,
    table=SUBNETS,
    columns={column.name: column for column in SUBNETS.columns if column.name not in {"key", "open_blocks", *_LISTS}}
    | {"subnetpool_id": POOLED_SUBNETS.c.subnetpool_id},
    not_found=SubnetNotFound,
    rule="get_subnet",
    facts=visibility.in_network(SUBNETS),
    caller_conditions={"shared": sharing.filter_shared(sharing.NETWORK, SUBNETS.c.network_id)},
    conditions={"driver": _of_driver, "router:external": _in_external_network} | dict(tags.conditions(SUBNETS)),
)


def create(tx: Transaction, caller: Caller, wanted: Mapping[str, Any]) -> Subnet:
    """Create a subnet; on an automatic one every port of the network gets its address at once.

    Raises:
        NetworkNotFound, BadRequest, InvalidInput, InvalidAllocationPool, OutOfBoundsAllocationPool,
        OverlappingAllocationPools, GatewayConflictWithAllocationPools, PolicyNotAuthorized, OverQuota, and what
        ``pooling``, ``routed.checked_segment_id`` and ``subnet_ipam.checked`` raise
    """
    network = listing.one(tx, caller, networks.RESOURCE, wanted["network_id"], lock=True)
    facts = visibility.network_facts
    authorize(caller, "create_subnet", lambda: facts(tx, caller, network.id).target(wanted["project_id"]), wanted)
    quotas.reserve(tx, "subnet", wanted["project_id"])
    pooling.check_asked(wanted)
    cut = pooling.cut(tx, caller, wanted)
    cidr = cut.cidr
    network_types.check_mtu_of_subnets(network.id, network.mtu, (cidr.version,))
    if wanted["enable_dhcp"]:
        subnet_rules.check_dhcp(cidr)
    subnet_rules.check_ipv6_modes(
        cidr, wanted["ipv6_ra_mode"], wanted["ipv6_address_mode"], enable_dhcp=wanted["enable_dhcp"]
    )
    subnet_rules.check_services(cidr.version, wanted)
    gateway = subnet_rules.checked_gateway(cidr, cut.gateway_ip)
    pools = subnet_rules.checked_pools(cidr, wanted["allocation_pools"] or None, gateway)
    segment_id = routed.checked_segment_id(tx, network.id, wanted)
    _check_overlap(tx, network.id, cidr)
    pooling.check_affinity(tx, network.id, cut)
    chosen = subnet_ipam.checked(cidr, USUAL, wanted)
    subnet = replace(_record(tx, network.id, wanted, cut=cut, pools=pools), segment_id=segment_id, ipam=chosen)
    _check_driver(tx, subnet, cidr, pools)
    _insert(tx, subnet, cidr, pools)
    if addressing.is_automatic(subnet.ipv6_ra_mode, subnet.ipv6_address_mode):
        _address_ports(tx, subnet)
    realisation.check_subnet(tx, subnet)
    tx.journal("subnet", subnet.id, subnet.network_id)
    networks.bump(tx, subnet.network_id)
    return subnet


def create_many(tx: Transaction, caller: Caller, wanted: Sequence[Mapping[str, Any]]) -> list[Subnet]:
    """Create all subnets or none; ``create`` says what may be raised."""
    return each(create, tx, caller, wanted)


def get(tx: Transaction, caller: Caller, object_id: str) -> Subnet:
    """Return one subnet.

    Raises:
        SubnetNotFound: not for this caller.
    """
    return subnets_of(tx.connection, [listing.one(tx, caller, RESOURCE, object_id)])[0]


def find(tx: Transaction, caller: Caller, query: Query) -> list[Subnet]:
    """Return the subnets a query asks for, with two statements whatever their number.

    Raises:
        SubnetNotFound: the marker is no subnet of this caller.
        InvalidInput: a filter or sort name is unknown.
    """
    return subnets_of(tx.connection, listing.many(tx, caller, RESOURCE, query))


def update(
    tx: Transaction, caller: Caller, object_id: str, changes: Mapping[str, Any], *, if_revision: int | None = None
) -> Subnet:
    """Change a subnet; addresses given out already stay, also when a smaller pool leaves them outside.

    Raises:
        SubnetNotFound, RevisionNumberConstraintFailed, InvalidInput, InvalidAllocationPool,
        OutOfBoundsAllocationPool, OverlappingAllocationPools, GatewayConflictWithAllocationPools, PolicyNotAuthorized
    """
    row = listing.one(tx, caller, RESOURCE, object_id, lock=True)
    old = subnets_of(tx.connection, [row])[0]
    facts = visibility.network_facts
    authorize(caller, "update_subnet", lambda: facts(tx, caller, old.network_id).target(old.project_id), changes)
    check_revision(if_revision, old.revision_number)
    cidr = parse_cidr(old.cidr)
    pools = _changed_pools(old, cidr, changes)
    chosen = subnet_ipam.checked(cidr, old.ipam, changes)
    new = replace(old, **_changed_values(old, cidr, changes), allocation_pools=_as_text(pools), ipam=chosen)
    if "segment_id" in changes:
        listing.one(tx, caller, networks.RESOURCE, old.network_id, lock=True)
        new = replace(new, segment_id=routed.changed_segment_id(tx, old, changes["segment_id"]))
    if new == old:
        return old
    new = replace(new, updated_at=tx.now, revision_number=old.revision_number + 1)
    values: dict[str, Any] = {name: getattr(new, name) for name in _PLAIN_ATTRIBUTES}
    values |= {name: json.dumps(getattr(new, name)) for name in _LISTS}
    values |= {"updated_at": tx.timestamp, "revision_number": new.revision_number, "segment_id": new.segment_id}
    tx.connection.execute(sql_update(SUBNETS).where(SUBNETS.c.id == old.id).values(values))
    if new.allocation_pools != old.allocation_pools:
        tx.connection.execute(sql_delete(ALLOCATION_POOLS).where(ALLOCATION_POOLS.c.subnet_id == old.id))
        _insert_pools(tx, old.id, pools)
    if new.ipam != old.ipam:
        store_ipam(tx, old.id, new.ipam)
    if new.allocation_pools != old.allocation_pools or new.ipam != old.ipam:
        Allocations(tx).recount(space_of(old.id, cidr, pools, 0, new.ipam))
    realisation.check_subnet(tx, new)
    tx.journal("subnet", old.id, old.network_id)
    return new


def delete(tx: Transaction, caller: Caller, object_id: str, *, if_revision: int | None = None) -> None:
    """Delete a subnet; addresses that hosts make themselves go from their ports with it.

    Raises:
        SubnetNotFound, RevisionNumberConstraintFailed, PolicyNotAuthorized
        SubnetInUse: a port holds an address of it.
    """
    row = listing.one(tx, caller, RESOURCE, object_id, lock=True)
    facts = visibility.network_facts
    authorize(caller, "delete_subnet", lambda: facts(tx, caller, row.network_id).target(row.project_id))
    check_revision(if_revision, row.revision_number)
    holders = tx.connection.execute(
        select(PORTS.c.id, PORTS.c.device_owner)
        .join(ALLOCATIONS, ALLOCATIONS.c.port_id == PORTS.c.id)
        .where(ALLOCATIONS.c.subnet_id == row.id, ALLOCATIONS.c.released_at.is_(None))
        .distinct()
    ).all()
    makes_its_own = addressing.is_automatic(row.ipv6_ra_mode, row.ipv6_address_mode)
    if any(not makes_its_own or port.device_owner in addressing.ROUTER_OWNERS for port in holders):
        raise SubnetInUse(row.id)
    tx.connection.execute(sql_delete(ALLOCATIONS).where(ALLOCATIONS.c.subnet_id == row.id))
    _note_readdressed(tx, [port.id for port in holders], row.network_id)
    free_prefixes.give_back(tx, [row.id])
    tx.connection.execute(sql_delete(SUBNETS).where(SUBNETS.c.id == row.id))
    tx.journal("subnet", row.id, row.network_id)
    networks.bump(tx, row.network_id)


def _check_overlap(tx: Transaction, network_id: str, cidr: Cidr) -> None:
    for other in tx.connection.scalars(select(SUBNETS.c.cidr).where(SUBNETS.c.network_id == network_id)):
        if is_overlapping(cidr, parse_cidr(other)):
            raise InvalidInput(
                f"Requested subnet with cidr: {cidr} for network: {network_id} overlaps with another subnet"
            )


def _record(
    tx: Transaction,
    network_id: str,
    wanted: Mapping[str, Any],
    *,
    cut: pooling.Cut,
    pools: Sequence[Pool],
) -> Subnet:
    return Subnet(
        id=SubnetId(tx.new_id()),
        project_id=wanted["project_id"],
        network_id=NetworkId(network_id),
        name=wanted["name"],
        description=wanted["description"],
        ip_version=cut.cidr.version,
        cidr=str(cut.cidr),
        gateway_ip=_canonical(cut.gateway_ip),
        enable_dhcp=wanted["enable_dhcp"],
        ipv6_ra_mode=wanted["ipv6_ra_mode"],
        ipv6_address_mode=wanted["ipv6_address_mode"],
        allocation_pools=_as_text(pools),
        dns_nameservers=tuple(wanted["dns_nameservers"] or ()),
        host_routes=_routes(wanted["host_routes"]),
        subnetpool_id=cut.pool_id,
        service_types=tuple(wanted.get("service_types") or ()),
        driver=wanted.get("driver") or (BUILT_IN if tx.hand is None else tx.hand.services.default),
        created_at=tx.now,
        updated_at=tx.now,
        revision_number=0,
    )


def _check_driver(tx: Transaction, subnet: Subnet, cidr: Cidr, pools: tuple[Pool, ...]) -> None:
    """Ask the service that is to give out a new subnet's addresses whether it can.

    Raises:
        AsksFirst, NoSuchIpamDriver, SubnetRefusedByDriver, AddressServiceUnavailable
    """
    if subnet.driver == BUILT_IN:
        return
    if tx.hand is None:
        raise AddressServiceUnavailable(subnet.driver, "it is not enabled (`weft serve --ipam-drivers`)")
    tx.hand.services.check_name(subnet.driver)
    tx.hand.check_subnet(subnet.driver, SubnetFacts(subnet_id=subnet.id, cidr=cidr, pools=pools))


def _insert(tx: Transaction, subnet: Subnet, cidr: Cidr, pools: tuple[Pool, ...]) -> None:
    row = {
        "id": subnet.id,
        "project_id": subnet.project_id,
        "network_id": subnet.network_id,
        "ip_version": subnet.ip_version,
        "cidr": subnet.cidr,
        "ipv6_ra_mode": subnet.ipv6_ra_mode,
        "ipv6_address_mode": subnet.ipv6_address_mode,
        "open_blocks": 0,
        "segment_id": subnet.segment_id,
        "created_at": tx.timestamp,
        "updated_at": tx.timestamp,
        "revision_number": subnet.revision_number,
    }
    row |= {name: getattr(subnet, name) for name in _PLAIN_ATTRIBUTES}
    row |= {name: json.dumps(getattr(subnet, name)) for name in _LISTS}
    tx.connection.execute(insert(SUBNETS), row)
    if subnet.driver != BUILT_IN:
        remote_addresses.set_driver(tx, subnet.id, subnet.driver)
    if subnet.subnetpool_id is not None:
        free_prefixes.note_subnet(tx, subnet.subnetpool_id, subnet.id, subnet.project_id, cidr)
    _insert_pools(tx, subnet.id, pools)
    if subnet.ipam != USUAL:
        store_ipam(tx, subnet.id, subnet.ipam)
    open_more(space_of(subnet.id, cidr, pools, 0, subnet.ipam), Allocations(tx))


def _insert_pools(tx: Transaction, subnet_id: str, pools: Sequence[Pool]) -> None:
    rows = [
        {"subnet_id": subnet_id, "position": position, "first": first, "last": last}
        for position, (first, last) in enumerate(_as_text(pools))
    ]
    if rows:
        tx.connection.execute(insert(ALLOCATION_POOLS), rows)


def _address_ports(tx: Transaction, subnet: Subnet) -> None:
    """Give every port of the network the address it makes itself on the new subnet (RFC 4862)."""
    ports = select(PORTS.c.id, PORTS.c.mac_address).where(
        PORTS.c.network_id == subnet.network_id, PORTS.c.device_owner.not_in(addressing.ROUTER_OWNERS)
    )
    if subnet.segment_id is not None:
        hosts = routed.hosts_taking(tx, subnet.network_id, subnet.segment_id)
        ports = ports.join(BINDINGS, and_(BINDINGS.c.port_id == PORTS.c.id, BINDINGS.c.active))
        ports = ports.where(BINDINGS.c.host.in_(hosts))
    if subnet.service_types:
        ports = ports.where(PORTS.c.device_owner.in_(subnet.service_types))
    on_network = tx.connection.execute(ports).all()
    place = addressing.load_place(tx, None, subnet.network_id, None)
    requests = {port.id: [Eui64Address(subnet_id=subnet.id, mac_address=port.mac_address)] for port in on_network}
    addressing.assign(tx, place, requests)
    _note_readdressed(tx, [port.id for port in on_network], subnet.network_id)


def _note_readdressed(tx: Transaction, port_ids: Sequence[str], network_id: str) -> None:
    for chunk in in_chunks(port_ids):
        tx.connection.execute(
            sql_update(PORTS)
            .where(PORTS.c.id.in_(chunk))
            .values(revision_number=PORTS.c.revision_number + 1, updated_at=tx.timestamp)
        )
    for port_id in port_ids:
        tx.journal("port", port_id, network_id)


def _changed_pools(old: Subnet, cidr: Cidr, changes: Mapping[str, Any]) -> tuple[Pool, ...]:
    gateway = subnet_rules.checked_gateway(cidr, changes.get("gateway_ip", old.gateway_ip))
    if changes.get("allocation_pools") is not None:
        return subnet_rules.checked_pools(cidr, changes["allocation_pools"], gateway)
    pools = subnet_rules.checked_pools(cidr, old.allocation_pools, None)
    if "gateway_ip" in changes:
        subnet_rules.check_new_gateway(gateway, pools)
    return pools


def _changed_values(old: Subnet, cidr: Cidr, changes: Mapping[str, Any]) -> dict[str, Any]:
    values = {name: changes[name] for name in _PLAIN_ATTRIBUTES if name in changes}
    if "gateway_ip" in values:
        values["gateway_ip"] = _canonical(values["gateway_ip"])
    if values.get("enable_dhcp") is True and not old.enable_dhcp:
        subnet_rules.check_dhcp(cidr)
    if values.get("enable_dhcp") is False and (old.ipv6_ra_mode or old.ipv6_address_mode):
        raise InvalidInput("Cannot disable enable_dhcp with ipv6 attributes set")
    subnet_rules.check_services(cidr.version, changes)
    if "dns_nameservers" in changes:
        values["dns_nameservers"] = tuple(changes["dns_nameservers"] or ())
    if "host_routes" in changes:
        values["host_routes"] = _routes(changes["host_routes"])
    if "service_types" in changes:
        values["service_types"] = tuple(changes["service_types"] or ())
    return values


def _as_text(pools: Sequence[Pool]) -> tuple[tuple[str, str], ...]:
    return tuple((text(pool.version, pool.first), text(pool.version, pool.last)) for pool in pools)


def _routes(routes: Sequence[Sequence[str]] | None) -> tuple[tuple[str, str], ...]:
    return tuple((destination, nexthop) for destination, nexthop in routes or ())


def _canonical(address: str | None) -> str | None:
    return None if address is None else text(*parse_address(address))
