"""What can a caller do with networks?

A network has one segment of the default type unless its provider attributes or its list of segments say otherwise;
``controller.services.network_types`` knows which there are. Segments of one network are not bridged.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import ColumnElement, insert, or_, select
from sqlalchemy import delete as sql_delete
from sqlalchemy import update as sql_update

from controller.caller import Caller
from controller.errors import (
    InvalidInput,
    InvalidSharedSetting,
    NetworkInUse,
    NetworkNotFound,
)
from controller.network_errors import PVLANNetworkPortSecurityDisabled
from controller.policy.words import Target
from controller.records import Network, NetworkId
from controller.services import (
    availability_zones,
    listing,
    network_types,
    ports,
    pvlan,
    quotas,
    realisation,
    sharing,
    tags,
    visibility,
)
from controller.services.query import Query
from controller.services.rules import authorize, check_revision, each
from controller.store import free_prefixes
from controller.store.loading import SELECT_NETWORKS, networks_of
from controller.store.pools_schema import POOLED_SUBNETS, SUBNETPOOLS
from controller.store.schema import ALLOCATIONS, NETWORKS, PORTS, SEGMENTS, SUBNETS
from controller.store.sharing import EVERYBODY, EXTERNAL, SHARED
from controller.store.transaction import Transaction

AUTO_DELETED_OWNERS = frozenset({"network:dhcp"})
"""Ports that go with their network instead of keeping it (Neutron, delete network)."""
_PLAIN_ATTRIBUTES = (
    "name",
    "description",
    "admin_state_up",
    "mtu",
    "router_external",
    "port_security_enabled",
    "pvlan",
    "dns_domain",
)


def _segment_filter(name: str) -> listing.Condition:
    def condition(values: tuple[object, ...]) -> ColumnElement[bool]:
        # No EXISTS: SQLite would ask it of every network.
        return NETWORKS.c.id.in_(select(SEGMENTS.c.network_id).where(listing.matches(SEGMENTS.c[name], values)))

    return condition


def _scope_filter(version: int) -> listing.Condition:
    """Networks have the scope of their subnets' pools; a missing one is asked for by None."""

    def condition(values: tuple[object, ...]) -> ColumnElement[bool]:
        in_scope = (
            select(SUBNETS.c.network_id)
            .join(POOLED_SUBNETS, POOLED_SUBNETS.c.subnet_id == SUBNETS.c.id)
            .join(SUBNETPOOLS, SUBNETPOOLS.c.id == POOLED_SUBNETS.c.subnetpool_id)
            .where(SUBNETS.c.ip_version == version, SUBNETPOOLS.c.address_scope_id.is_not(None))
        )
        named = [value for value in values if value is not None]
        alternatives = [NETWORKS.c.id.in_(in_scope.where(SUBNETPOOLS.c.address_scope_id.in_(named)))]
        if None in values:
            alternatives.append(NETWORKS.c.id.not_in(in_scope))
        return or_(*alternatives)

    return condition


RESOURCE = listing.Resource(
    rows=SELECT_NETWORKS,
    table=NETWORKS,
    columns={column.name: column for column in NETWORKS.columns},
    not_found=NetworkNotFound,
    rule="get_network",
    facts=visibility.of_networks,
    caller_conditions={"shared": sharing.filter_shared(sharing.NETWORK, NETWORKS.c.id)},
    conditions={f"segment:{name}": _segment_filter(name) for name in network_types.PROVIDER_ATTRIBUTES}
    | {f"ipv{version}_address_scope": _scope_filter(version) for version in (4, 6)}
    | dict(tags.conditions(NETWORKS)),
)


def create(tx: Transaction, caller: Caller, wanted: Mapping[str, Any]) -> Network:
    """Create a network with its segments.

    Raises:
        InvalidInput, PVLANNetworkPortSecurityDisabled, PolicyNotAuthorized, OverQuota,
        AvailabilityZoneNotFound
        and what ``network_types`` raises
    """
    authorize(caller, "create_network", Target(project_id=wanted["project_id"]), wanted)
    quotas.reserve(tx, "network", wanted["project_id"])
    network_id = NetworkId(tx.new_id())
    if wanted.get("pvlan") and not wanted["port_security_enabled"]:
        raise PVLANNetworkPortSecurityDisabled(network_id)
    hints = tuple(wanted.get("availability_zone_hints") or ())
    availability_zones.check_hints(tx, hints)
    plugin, wires = realisation.of_new_network(tx, wanted)
    network = Network(
        id=network_id,
        project_id=wanted["project_id"],
        name=wanted["name"],
        description=wanted["description"],
        admin_state_up=wanted["admin_state_up"],
        mtu=network_types.checked_mtu(tx, wires, wanted["mtu"]),
        shared=wanted["shared"],
        router_external=wanted["router_external"],
        port_security_enabled=wanted["port_security_enabled"],
        pvlan=bool(wanted.get("pvlan")),
        dns_domain=wanted.get("dns_domain") or "",
        availability_zone_hints=hints,
        plugin=plugin,
        segments=(),
        subnet_ids=(),
        created_at=tx.now,
        updated_at=tx.now,
        revision_number=1,
    )
    tx.connection.execute(
        insert(NETWORKS),
        {
            "id": network.id,
            "project_id": network.project_id,
            "plugin": network.plugin,
            "availability_zone_hints": json.dumps(hints),
            "created_at": tx.timestamp,
            "updated_at": tx.timestamp,
            "revision_number": network.revision_number,
        }
        | {name: getattr(network, name) for name in _PLAIN_ATTRIBUTES},
    )
    segments = tuple(
        network_types.create_segment(tx, network.id, network.project_id, wire, position=position)
        for position, wire in enumerate(wires)
    )
    _share(tx, network, {name: True for name in ("shared", "router_external") if wanted[name]})
    tx.journal("network", network.id, network.id)
    return replace(network, segments=segments)


def create_many(tx: Transaction, caller: Caller, wanted: Sequence[Mapping[str, Any]]) -> list[Network]:
    """Create all networks or none; ``create`` says what may be raised."""
    return each(create, tx, caller, wanted)


def get(tx: Transaction, caller: Caller, object_id: str) -> Network:
    """Return one network.

    Raises:
        NetworkNotFound: not for this caller.
    """
    return networks_of(tx.connection, [listing.one(tx, caller, RESOURCE, object_id)])[0]


def find(tx: Transaction, caller: Caller, query: Query) -> list[Network]:
    """Return the networks a query asks for, with four statements whatever their number.

    Raises:
        NetworkNotFound: the marker is no network of this caller.
        InvalidInput: a filter or sort name is unknown.
    """
    return networks_of(tx.connection, listing.many(tx, caller, RESOURCE, query))


def update(
    tx: Transaction, caller: Caller, object_id: str, changes: Mapping[str, Any], *, if_revision: int | None = None
) -> Network:
    """Change a network; a change to the same values leaves its revision alone.

    Raises:
        NetworkNotFound, RevisionNumberConstraintFailed, InvalidInput, InvalidSharedSetting, PolicyNotAuthorized,
        PVLANNetworkPortSecurityDisabled, PVLANPortSecurityDisabled
    """
    old = networks_of(tx.connection, [listing.one(tx, caller, RESOURCE, object_id, lock=True)])[0]
    authorize(caller, "update_network", lambda: _target(tx, caller, old.id), changes)
    check_revision(if_revision, old.revision_number)
    _check_provider_unchanged(old, changes)
    values = {name: changes[name] for name in _PLAIN_ATTRIBUTES if name in changes}
    if "mtu" in values:
        values["mtu"] = network_types.checked_mtu(tx, old.segments, values["mtu"])
        versions = select(SUBNETS.c.ip_version).where(SUBNETS.c.network_id == old.id).distinct()
        network_types.check_mtu_of_subnets(old.id, values["mtu"], tx.connection.scalars(versions))
    if old.shared and changes.get("shared") is False and _dependants(tx, old):
        raise InvalidSharedSetting(old.name)
    new = replace(old, **values, shared=changes.get("shared", old.shared))
    if new == old:
        return old
    if new.pvlan and not new.port_security_enabled:
        raise PVLANNetworkPortSecurityDisabled(new.id)
    tx.faces.check_network(new)
    if new.pvlan != old.pvlan:
        pvlan.switch(tx, new)
    new = replace(new, updated_at=tx.now, revision_number=old.revision_number + 1)
    values |= {"updated_at": tx.timestamp, "revision_number": new.revision_number}
    tx.connection.execute(sql_update(NETWORKS).where(NETWORKS.c.id == old.id).values(values))
    _share(tx, new, changes)
    tx.journal("network", old.id, old.id)
    return new


def delete(tx: Transaction, caller: Caller, object_id: str, *, if_revision: int | None = None) -> None:
    """Delete a network with its subnets.

    Raises:
        NetworkNotFound, RevisionNumberConstraintFailed, PolicyNotAuthorized
        NetworkInUse: it has ports.
    """
    row = listing.one(tx, caller, RESOURCE, object_id, lock=True)
    authorize(caller, "delete_network", lambda: _target(tx, caller, row.id))
    check_revision(if_revision, row.revision_number)
    on_network = tx.connection.execute(
        select(PORTS.c.id, PORTS.c.device_owner).where(PORTS.c.network_id == row.id).order_by(PORTS.c.key)
    ).all()
    in_use = [port.id for port in on_network if port.device_owner not in AUTO_DELETED_OWNERS]
    if in_use:
        raise NetworkInUse(row.id, in_use)
    for port in on_network:
        ports.remove(tx, port.id, row.id)
    sharing.forget(tx, row.id)
    subnet_ids = list(tx.connection.scalars(select(SUBNETS.c.id).where(SUBNETS.c.network_id == row.id)))
    if subnet_ids:
        free_prefixes.give_back(tx, subnet_ids)
        tx.connection.execute(sql_delete(ALLOCATIONS).where(ALLOCATIONS.c.subnet_id.in_(subnet_ids)))
    tx.connection.execute(sql_delete(NETWORKS).where(NETWORKS.c.id == row.id))
    for subnet_id in subnet_ids:
        tx.journal("subnet", subnet_id, row.id)
    tx.journal("network", row.id, row.id)


def bump(tx: Transaction, network_id: str) -> None:
    """Note in the network's revision that one of its subnets came, changed place or went, as Neutron does."""
    tx.connection.execute(
        sql_update(NETWORKS)
        .where(NETWORKS.c.id == network_id)
        .values(revision_number=NETWORKS.c.revision_number + 1, updated_at=tx.timestamp)
    )
    tx.journal("network", network_id, network_id)


def _target(tx: Transaction, caller: Caller, network_id: str) -> Target:
    facts = visibility.network_facts(tx, caller, network_id)
    return facts.target(facts.project_id)


def _check_provider_unchanged(network: Network, changes: Mapping[str, Any]) -> None:
    segment = network.segments[0] if len(network.segments) == 1 else None
    shown = {name: getattr(segment, name, None) for name in network_types.PROVIDER_ATTRIBUTES}
    if "segments" in changes or any(name in changes and changes[name] != shown[name] for name in shown):
        raise InvalidInput("Plugin does not support updating provider attributes")


def _dependants(tx: Transaction, network: Network) -> list[str]:
    return sharing.dependants(tx, sharing.NETWORK, network.id, network.project_id, target=EVERYBODY)


def _share(tx: Transaction, network: Network, wanted: Mapping[str, Any]) -> None:
    """Write ``shared`` and ``router:external`` as the policies they are short for."""
    if wanted.get("shared"):
        sharing.share(tx, sharing.NETWORK, network.id, network.project_id, SHARED)
    elif "shared" in wanted:
        sharing.unshare(tx, network.id, SHARED, target=EVERYBODY)
    if wanted.get("router_external"):
        sharing.share(tx, sharing.NETWORK, network.id, network.project_id, EXTERNAL)
    elif "router_external" in wanted:
        sharing.unshare(tx, network.id, EXTERNAL)
