"""What can a caller do with ports?"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import ColumnElement, Row, bindparam, select
from sqlalchemy import delete as sql_delete
from sqlalchemy import update as sql_update
from sqlalchemy.exc import IntegrityError

from controller.caller import Caller
from controller.dns_names import check_name, domain_of
from controller.errors import MacAddressInUse, PortNotFound
from controller.policy.words import Target
from controller.records import Port, PortStatus
from controller.services import (
    addressing,
    attachments,
    dhcp_options,
    listing,
    port_creation,
    port_groups,
    port_values,
    pvlan,
    realisation,
    routed,
    tags,
    visibility,
)
from controller.services.query import Query
from controller.services.rules import authorize, check_revision
from controller.services.sentinels import AUTO, Sentinel
from controller.store.allocations import Allocations
from controller.store.bindings import activate_binding, bind, unbind_all
from controller.store.communities import forget_unused_community
from controller.store.loading import SELECT_PORTS, in_display_order, ports_of
from controller.store.rulesets import forget_unused, has_group
from controller.store.schema import ALLOCATIONS, BINDINGS, PORTS
from controller.store.transaction import Transaction
from controller.store.vnics import leave_port
from controller.vnic_errors import PortInUse

_UPDATE = sql_update(PORTS).where(PORTS.c.id == bindparam("changed"))
_DELETE = sql_delete(PORTS).where(PORTS.c.id == bindparam("gone")).returning(PORTS.c.ruleset, PORTS.c.role)
_PLAIN_CHANGES = (
    "name",
    "description",
    "admin_state_up",
    "device_id",
    "device_owner",
    "port_security_enabled",
    "vnic_type",
    "dns_name",
    "dns_domain",
)
_DERIVED_CHANGES = (
    "mac_address",
    "ruleset",
    "pvlan_type",
    "pvlan_community",
    "role",
    "ip_allocation",
    "revision_number",
)
_COLUMN_NAMES = (
    "id",
    "key",
    "project_id",
    "network_id",
    "name",
    "description",
    "mac_address",
    "admin_state_up",
    "status",
    "device_id",
    "device_owner",
    "port_security_enabled",
    "vnic_type",
    "pvlan_type",
    "pvlan_community",
    "ip_allocation",
    "created_at",
    "updated_at",
    "revision_number",
)


def _has_address(condition: ColumnElement[bool]) -> ColumnElement[bool]:
    # No EXISTS: SQLite would ask it of every port.
    return PORTS.c.id.in_(select(ALLOCATIONS.c.port_id).where(ALLOCATIONS.c.released_at.is_(None), condition))


def _on_host(values: tuple[object, ...]) -> ColumnElement[bool]:
    """An empty host finds the ports that are bound to none."""
    return listing.matches(BINDINGS.c.host, tuple(value or None for value in values))


RESOURCE = listing.Resource(
    rows=SELECT_PORTS,
    table=PORTS,
    columns={name: PORTS.c[name] for name in _COLUMN_NAMES},
    not_found=PortNotFound,
    rule="get_port",
    facts=visibility.of_ports,
    conditions={
        "host": _on_host,
        "security_group_ids": lambda values: has_group([str(value) for value in values]),
        "fixed_ips:ip_address": lambda values: _has_address(listing.matches(ALLOCATIONS.c.address, values)),
        "fixed_ips:subnet_id": lambda values: _has_address(listing.matches(ALLOCATIONS.c.subnet_id, values)),
        "fixed_ips:ip_address_substr": lambda values: _has_address(listing.contains(ALLOCATIONS.c.address, values)),
    }
    | dict(tags.conditions(PORTS)),
)


def create(tx: Transaction, caller: Caller, wanted: Mapping[str, Any]) -> Port:
    """Create a port with its addresses, and bind it when a host is given.

    Raises:
        NetworkNotFound, SubnetNotFound, InvalidInput, InvalidIpForNetwork, InvalidIpForSubnet, MacAddressInUse,
        IpAddressAlreadyAllocated, IpAddressGenerationFailure, MacAddressGenerationFailure, OfPortExhausted,
        PolicyNotAuthorized, OverQuota, and what ``port_groups.of_new_port`` and ``pvlan.isolation_of`` raise
    """
    return create_many(tx, caller, [wanted])[0]


def create_many(tx: Transaction, caller: Caller, wanted: Sequence[Mapping[str, Any]]) -> list[Port]:
    """Create all ports or none; ``create`` says what may be raised."""
    return port_creation.create_many(tx, caller, wanted)


def get(tx: Transaction, caller: Caller, object_id: str) -> Port:
    """Return one port.

    Raises:
        PortNotFound: not for this caller.
    """
    return ports_of(tx.connection, [listing.one(tx, caller, RESOURCE, object_id)])[0]


def find(tx: Transaction, caller: Caller, query: Query) -> list[Port]:
    """Return the ports a query asks for, with two statements whatever their number.

    Raises:
        PortNotFound: the marker is no port of this caller.
        InvalidInput: a filter or sort name is unknown.
    """
    return ports_of(tx.connection, listing.many(tx, caller, RESOURCE, query))


def update(
    tx: Transaction, caller: Caller, object_id: str, changes: Mapping[str, Any], *, if_revision: int | None = None
) -> Port:
    """Change a port; a change to the same values leaves its revision alone.

    Raises:
        PortNotFound, RevisionNumberConstraintFailed, InvalidInput, InvalidIpForNetwork, InvalidIpForSubnet,
        SubnetNotFound, MacAddressInUse, IpAddressAlreadyAllocated, IpAddressGenerationFailure, OfPortExhausted,
        PolicyNotAuthorized, PortInUse (another vnic_type while it is bound), and what
        ``port_groups.of_changed_port``, ``attachments.of_changed_port`` and ``pvlan.isolation_of`` raise
    """
    old = ports_of(tx.connection, [listing.one(tx, caller, RESOURCE, object_id, lock=True)])[0]
    authorize(caller, "update_port", lambda: target_of(tx, caller, old, changes), changes)
    check_revision(if_revision, old.revision_number)
    if changes.get("mac_address", old) is None:
        changes = {**changes, "mac_address": port_values.free_mac(tx, old.network_id)}
    new = port_groups.of_changed_port(tx, caller, _with_plain_changes(old, changes), changes)
    if (new.dns_name, new.dns_domain) != (old.dns_name, old.dns_domain):
        check_name(new.dns_name, domain_of(new.dns_domain, new.network_dns_domain))
    if new.vnic_type != old.vnic_type and old.binding is not None:
        raise PortInUse(old.id, old.network_id, old.device_id)
    if old.vnic_id is not None:
        new = attachments.of_changed_port(tx, old, new, new_mac=port_values.generated_mac(tx))
    if new.mac_address != old.mac_address:
        port_values.check_mac_free(tx, new)
    host = (changes["host"] or None) if "host" in changes else _host_of(old)
    moves = host != _host_of(old)
    if moves or "fixed_ips" in changes or new.mac_address != old.mac_address:
        place = addressing.load_place(tx, None, old.network_id, host)
        new = _with_addresses(tx, place, new, changes)
        if moves:
            new = _moved(tx, place, new, host)
    new = _isolated(tx, new, changes)
    if not moves and new.binding is not None:
        new = replace(new, binding=replace(new.binding, vnic_type=new.vnic_type, profile=new.profile))
    if new == old:
        return old
    new = replace(new, updated_at=tx.now, revision_number=old.revision_number + 1)
    _store(tx, old, new)
    realisation.check_ports(tx, [new])
    tx.journal("port", new.id, new.network_id)
    return new


def delete(tx: Transaction, caller: Caller, object_id: str, *, if_revision: int | None = None) -> None:
    """Delete a port and give its addresses back.

    Raises:
        PortNotFound, RevisionNumberConstraintFailed, PolicyNotAuthorized
    """
    row = listing.one(tx, caller, RESOURCE, object_id, lock=True)
    authorize(caller, "delete_port", lambda: target_of(tx, caller, row))
    check_revision(if_revision, row.revision_number)
    remove(tx, row.id, row.network_id)


def target_of(
    tx: Transaction, caller: Caller, port: Row[Any] | Port, changes: Mapping[str, Any] | None = None
) -> Target:
    """Return a port as it will be, as rules see it."""
    owner = (changes or {}).get("device_owner", port.device_owner)
    return visibility.network_facts(tx, caller, port.network_id).target(port.project_id, device_owner=owner)


def touch(tx: Transaction, port: Port, *, down: bool = False) -> None:
    """Note that a port's bindings changed; ``down`` when it has left its host."""
    values: dict[str, Any] = {"updated_at": tx.timestamp, "revision_number": port.revision_number + 1}
    if down:
        values["status"] = PortStatus.DOWN.value
    tx.connection.execute(_UPDATE.values(**values), {"changed": port.id})
    tx.journal("port", port.id, port.network_id)


def remove(tx: Transaction, port_id: str, network_id: str) -> None:
    """Remove a port whatever its state; its binding, states and timeline go with it."""
    Allocations(tx).release_all(port_id)
    leave_port(tx, port_id)
    left = tx.connection.execute(_DELETE, {"gone": port_id}).first()
    if left is not None:
        forget_unused(tx, left.ruleset)
        forget_unused_community(tx, left.role)
    tx.journal("port", port_id, network_id)


def _with_plain_changes(port: Port, changes: Mapping[str, Any]) -> Port:
    """Apply what concerns the port alone."""
    values = {name: changes[name] for name in _PLAIN_CHANGES if name in changes}
    mac = port_values.canonical_mac(changes["mac_address"]) if changes.get("mac_address") else port.mac_address
    if "allowed_address_pairs" in changes:
        values["allowed_address_pairs"] = port_values.pairs_of(changes["allowed_address_pairs"], mac)
    if "extra_dhcp_opts" in changes:
        values["extra_dhcp_opts"] = dhcp_options.changed(port.extra_dhcp_opts, changes["extra_dhcp_opts"])
    if "profile" in changes:
        values["profile"] = dict(changes["profile"] or {})
    return replace(port, mac_address=mac, **values)


def _with_addresses(tx: Transaction, place: addressing.Place, port: Port, changes: Mapping[str, Any]) -> Port:
    """Give a port the addresses it wants, or those it waited for until its host was known."""
    wanted = changes.get("fixed_ips")
    if isinstance(wanted, Sentinel):
        wanted = None
    allocation = port.ip_allocation
    if wanted is not None:
        allocation = routed.IMMEDIATE if wanted else routed.NO_ADDRESS
    elif allocation == routed.DEFERRED and not place.waits_for_host:
        wanted, allocation = AUTO, routed.IMMEDIATE
    elif place.segment_id is not None:
        automatic = {subnet.id for subnet in place.subnets if subnet.is_automatic}
        kept = [one for one in port.fixed_ips if one.subnet_id not in automatic]
        routed.check_compatible(tx, port.id, place.host or "", kept, place.segment_id)
    fixed_ips = in_display_order(addressing.readdress(tx, place, port, wanted))
    return replace(port, fixed_ips=fixed_ips, ip_allocation=allocation)


def _moved(tx: Transaction, place: addressing.Place, port: Port, host: str | None) -> Port:
    """Take a port from its host to another, or to none; it has to be proved ACTIVE there anew.

    Whatever second binding there was is over: a port that moves to that host takes it over.
    """
    binding = None
    if port.standby is not None and port.standby.host == host:
        activate_binding(tx, port.id, host)
        binding = replace(port.standby, active=True, vnic_type=port.vnic_type, profile=port.profile)
        unbind_all(tx, port.id, but=host)
        return replace(port, binding=binding, standby=None, status=PortStatus.DOWN)
    unbind_all(tx, port.id)
    if host is not None:
        binding = bind(
            tx,
            port.id,
            host=host,
            vnic_type=port.vnic_type,
            profile=port.profile,
            datapath_type=place.datapath_type,
        )
    return replace(port, binding=binding, standby=None, status=PortStatus.DOWN)


def _isolated(tx: Transaction, port: Port, changes: Mapping[str, Any]) -> Port:
    """Return a port with the isolation its changes leave it; everything else of it has been changed already."""
    asked = {name: changes[name] for name in ("pvlan_type", "pvlan_community") if name in changes}
    before = pvlan.Isolation(pvlan_type=port.pvlan_type, pvlan_community=port.pvlan_community)
    if before.pvlan_type is None and not any(asked.values()):
        return port  # an ordinary network, and nothing asked of it
    subject = pvlan.Subject(
        port_id=port.id,
        network_id=port.network_id,
        is_pvlan=before.pvlan_type is not None,
        port_security_enabled=port.port_security_enabled,
        device_owner=port.device_owner,
    )
    after = pvlan.isolation_of(subject, asked, before)
    if after == before:
        return port
    role = pvlan.role_of(tx, port.network_id, after)
    return replace(port, pvlan_type=after.pvlan_type, pvlan_community=after.pvlan_community, role=role)


def _store(tx: Transaction, old: Port, new: Port) -> None:
    values: dict[str, Any] = {
        name: getattr(new, name)
        for name in (*_PLAIN_CHANGES, *_DERIVED_CHANGES)
        if getattr(new, name) != getattr(old, name)
    }
    values |= {
        name: port_values.as_json(getattr(new, name))
        for name in ("allowed_address_pairs", "extra_dhcp_opts")
        if getattr(new, name) != getattr(old, name)
    }
    values |= {"profile": json.dumps(new.profile), "status": new.status.value, "updated_at": tx.timestamp}
    try:
        tx.connection.execute(_UPDATE.values(**values), {"changed": new.id})
    except IntegrityError as error:
        # The MAC address is the only unique value an update can break: taken since the check (PostgreSQL only).
        raise MacAddressInUse(new.network_id, new.mac_address) from error
    if new.ruleset != old.ruleset:
        forget_unused(tx, old.ruleset)
    if new.role != old.role:
        forget_unused_community(tx, old.role)
    if new.binding is not None and new.binding.host in {one.host for one in (old.binding, old.standby) if one}:
        stored = {"vnic_type": new.vnic_type, "profile": json.dumps(new.profile)}
        tx.connection.execute(
            sql_update(BINDINGS).where(BINDINGS.c.port_id == new.id, BINDINGS.c.active).values(stored)
        )


def _host_of(port: Port) -> str | None:
    return None if port.binding is None else port.binding.host
