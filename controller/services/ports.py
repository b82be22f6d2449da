"""What can a caller do with ports?

A port is created with one transaction of at most ten statements and nothing is read back: the project's limit, place
(network, subnets, pools, host), security groups, port, address candidates, addresses, block counter, OpenFlow port
number, binding, journal. The first port of a project makes its default group, and the first port with a set of groups
stores the set. Where the project has a limit its ports are counted, a community of a private VLAN is looked up, and
tags are stored, with one statement more each.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, Row, bindparam, select
from sqlalchemy import delete as sql_delete
from sqlalchemy import update as sql_update
from sqlalchemy.exc import IntegrityError

from controller.caller import Caller
from controller.dns_names import check_name, domain_of
from controller.errors import MacAddressGenerationFailure, MacAddressInUse, PortNotFound
from controller.policy.words import Target
from controller.records import Binding, FixedIp, NetworkId, Port, PortId, PortKey, PortStatus, RuleKey
from controller.services import (
    addressing,
    attachments,
    dhcp_options,
    listing,
    port_groups,
    pvlan,
    quotas,
    realisation,
    routed,
    tags,
    visibility,
)
from controller.services.query import Query
from controller.services.rules import authorize, check_revision
from controller.services.sentinels import AUTO, Sentinel
from controller.store.allocations import Allocations
from controller.store.bindings import Unbound, activate_binding, bind, bind_all, unbind_all
from controller.store.communities import forget_unused_community
from controller.store.dialects import insert_or_ignore
from controller.store.direct import Direct
from controller.store.loading import SELECT_PORTS, in_display_order, ports_of
from controller.store.rulesets import forget_unused, has_group
from controller.store.schema import ALLOCATIONS, BINDINGS, PORTS
from controller.store.tags import add_tags
from controller.store.transaction import Transaction
from controller.store.vnics import leave_port
from controller.vnic_errors import PortInUse
from ipam.driver import AddressRequest

BASE_MAC = "fa:16:3e"
"""Prefix of generated MAC addresses, Neutron's default ``base_mac``."""
MAC_TRIES = 16

_INSERT = Direct(
    insert_or_ignore(PORTS, conflict=(PORTS.c.network_id, PORTS.c.mac_address), returning=(PORTS.c.id, PORTS.c.key)),
    columns=[column.name for column in PORTS.columns if column is not PORTS.c.key],
)
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
    """Create all ports or none; ``create`` says what may be raised.

    The number of statements grows with the networks and hosts the ports are on, not with the ports.
    """
    drafts = _drafts(tx, caller, wanted)
    for project_id, count in sorted(Counter(one["project_id"] for one in wanted).items()):
        quotas.reserve(tx, "port", project_id, count)
    keys = _insert(tx, drafts)
    fixed_ips = _address(tx, drafts)
    bindings = _bind(tx, drafts)
    created = []
    for draft in drafts:
        port_id, network_id = draft.row["id"], draft.row["network_id"]
        tx.journal("port", port_id, network_id)
        created.append(_record(tx, draft, keys[port_id], fixed_ips[port_id], bindings.get(port_id)))
    add_tags(tx, PORTS.name, {draft.row["id"]: draft.wanted.get("tags") or () for draft in drafts})
    realisation.check_ports(tx, created, {draft.place.network_id: draft.place.plugin for draft in drafts})
    return created


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
        changes = {**changes, "mac_address": _free_mac(tx, old.network_id)}
    new = port_groups.of_changed_port(tx, caller, _with_plain_changes(old, changes), changes)
    if (new.dns_name, new.dns_domain) != (old.dns_name, old.dns_domain):
        check_name(new.dns_name, domain_of(new.dns_domain, new.network_dns_domain))
    if new.vnic_type != old.vnic_type and old.binding is not None:
        raise PortInUse(old.id, old.network_id, old.device_id)
    if old.vnic_id is not None:
        new = attachments.of_changed_port(tx, old, new, new_mac=_generated_mac(tx))
    if new.mac_address != old.mac_address:
        _check_mac_free(tx, new)
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


@dataclass(slots=True, kw_only=True)
class _Draft:
    """A port on its way into the store."""

    wanted: Mapping[str, Any]
    place: addressing.Place
    groups: port_groups.Groups
    row: dict[str, Any]


def _drafts(tx: Transaction, caller: Caller, wanted: Sequence[Mapping[str, Any]]) -> list[_Draft]:
    """Return what is to be stored; each network is read once."""
    places: dict[tuple[str, str | None], addressing.Place] = {}
    known: dict[str | tuple[str, ...], port_groups.Groups] = {}
    roles: dict[tuple[str, str], RuleKey] = {}
    drafts = []
    for one in wanted:
        where = (one["network_id"], one["host"] or None)
        if where not in places:
            places[where] = addressing.load_place(tx, caller, *where)
        place = places[where]
        authorize(caller, "create_port", partial(_new_target, place, one), one)
        security = _is_guarded(place, one)
        check_name(one.get("dns_name") or "", domain_of(one.get("dns_domain") or "", place.dns_domain))
        groups = port_groups.of_new_port(tx, caller, one, port_security_enabled=security, known=known)
        row = _row(tx, place, one, security=security, groups=groups)
        row |= _isolation(tx, place, row, one, roles)
        drafts.append(_Draft(wanted=one, place=place, groups=groups, row=row))
    return drafts


def _is_guarded(place: addressing.Place, wanted: Mapping[str, Any]) -> bool:
    """Say whether a new port has port security: a port of the network itself never has, as in Neutron."""
    if wanted["device_owner"].startswith(port_groups.TRUSTED_OWNER):
        return False
    asked: bool | None = wanted["port_security_enabled"]
    return place.port_security_enabled if asked is None else asked


def _new_target(place: addressing.Place, wanted: Mapping[str, Any]) -> Target:
    return Target(
        project_id=wanted["project_id"],
        network_project_id=place.project_id,
        shared=place.shared,
        external=place.external,
        device_owner=wanted["device_owner"],
    )


def _row(
    tx: Transaction,
    place: addressing.Place,
    wanted: Mapping[str, Any],
    *,
    security: bool,
    groups: port_groups.Groups,
) -> dict[str, Any]:
    mac = _canonical_mac(wanted["mac_address"]) if wanted["mac_address"] else _generated_mac(tx)
    return {
        "id": tx.new_id(),
        "project_id": wanted["project_id"],
        "network_id": place.network_id,
        "name": wanted["name"],
        "description": wanted["description"],
        "mac_address": mac,
        "admin_state_up": wanted["admin_state_up"],
        "status": PortStatus.DOWN.value,
        "device_id": wanted["device_id"],
        "device_owner": wanted["device_owner"],
        "port_security_enabled": security,
        "allowed_address_pairs": _as_json(_pairs(wanted["allowed_address_pairs"], mac)),
        "extra_dhcp_opts": _as_json(dhcp_options.kept(wanted["extra_dhcp_opts"])),
        "vnic_type": wanted["vnic_type"],
        "ruleset": groups.ruleset,
        "ip_allocation": _ip_allocation(place, wanted["fixed_ips"]),
        "dns_name": wanted.get("dns_name") or "",
        "dns_domain": wanted.get("dns_domain") or "",
        "profile": json.dumps(wanted["profile"]) if wanted["profile"] else "{}",
        "created_at": tx.timestamp,
        "updated_at": tx.timestamp,
        "revision_number": 1,
    }


def _ip_allocation(place: addressing.Place, fixed_ips: Sequence[object] | Sentinel) -> str:
    """Say how a new port comes to its addresses (extension ip_allocation)."""
    if isinstance(fixed_ips, Sentinel):
        return routed.DEFERRED if place.waits_for_host else routed.IMMEDIATE
    return routed.IMMEDIATE if fixed_ips else routed.NO_ADDRESS


def _isolation(
    tx: Transaction,
    place: addressing.Place,
    row: Mapping[str, Any],
    wanted: Mapping[str, Any],
    known: dict[tuple[str, str], RuleKey],
) -> dict[str, Any]:
    subject = pvlan.Subject(
        port_id=row["id"],
        network_id=place.network_id,
        is_pvlan=place.is_pvlan,
        port_security_enabled=row["port_security_enabled"],
        device_owner=row["device_owner"],
    )
    isolation = pvlan.isolation_of(subject, wanted, pvlan.Isolation())
    return {
        "pvlan_type": isolation.pvlan_type,
        "pvlan_community": isolation.pvlan_community,
        "role": pvlan.role_of(tx, place.network_id, isolation, known),
    }


def _insert(tx: Transaction, drafts: Sequence[_Draft]) -> Mapping[str, PortKey]:
    """Store the ports themselves; a generated MAC address that is taken is drawn again."""
    keys: dict[str, PortKey] = {}
    waiting = drafts
    for _ in range(MAC_TRIES):
        stored = _INSERT.rows_of_each(tx.connection, [draft.row for draft in waiting])
        keys |= {row.id: PortKey(row.key) for row in stored}
        waiting = [draft for draft in waiting if draft.row["id"] not in keys]
        if not waiting:
            return keys
        for draft in waiting:
            if draft.wanted["mac_address"]:
                raise MacAddressInUse(draft.place.network_id, draft.row["mac_address"])
            security = draft.row["port_security_enabled"]
            again = _row(tx, draft.place, draft.wanted, security=security, groups=draft.groups)
            draft.row = draft.row | again
    raise MacAddressGenerationFailure(waiting[0].place.network_id)


def _address(tx: Transaction, drafts: Sequence[_Draft]) -> Mapping[str, tuple[FixedIp, ...]]:
    """Give the ports their addresses, those of one network at once."""
    on_network: dict[str, list[_Draft]] = {}
    for draft in drafts:
        on_network.setdefault(draft.place.network_id, []).append(draft)
    given: dict[str, tuple[FixedIp, ...]] = {}
    for _, together in sorted(on_network.items()):  # whoever locks the same does so in the same order
        requests = {draft.row["id"]: _requests(tx, draft) for draft in together}
        given |= addressing.assign(tx, together[0].place, requests)
    return given


def _requests(tx: Transaction, draft: _Draft) -> list[AddressRequest]:
    place, mac, owner = draft.place, draft.row["mac_address"], draft.row["device_owner"]
    return [
        *addressing.manual_requests(tx, place, draft.wanted["fixed_ips"], mac_address=mac, device_owner=owner),
        *addressing.automatic_requests(place, mac_address=mac, device_owner=owner),
    ]


def _bind(tx: Transaction, drafts: Sequence[_Draft]) -> Mapping[str, Binding]:
    """Bind the ports that name a host, those of one host at once."""
    on_host: dict[str, list[_Draft]] = {}
    for draft in drafts:
        if draft.wanted["host"]:
            on_host.setdefault(draft.wanted["host"], []).append(draft)
    bindings: dict[str, Binding] = {}
    for host, together in on_host.items():
        unbound = [
            Unbound(
                port_id=draft.row["id"], vnic_type=draft.row["vnic_type"], profile=dict(draft.wanted["profile"] or {})
            )
            for draft in together
        ]
        bindings |= bind_all(tx, unbound, host=host, datapath_type=together[0].place.datapath_type)
    return bindings


def _record(
    tx: Transaction, draft: _Draft, key: PortKey, fixed_ips: tuple[FixedIp, ...], binding: Binding | None
) -> Port:
    row, wanted = draft.row, draft.wanted
    return Port(
        id=PortId(row["id"]),
        key=key,
        project_id=row["project_id"],
        network_id=NetworkId(row["network_id"]),
        name=row["name"],
        description=row["description"],
        mac_address=row["mac_address"],
        admin_state_up=row["admin_state_up"],
        status=PortStatus.DOWN,
        device_id=row["device_id"],
        device_owner=row["device_owner"],
        port_security_enabled=row["port_security_enabled"],
        fixed_ips=in_display_order(fixed_ips),
        allowed_address_pairs=_pairs(wanted["allowed_address_pairs"], row["mac_address"]),
        extra_dhcp_opts=dhcp_options.kept(wanted["extra_dhcp_opts"]),
        security_group_ids=draft.groups.ids,
        ruleset=draft.groups.ruleset,
        vnic_type=row["vnic_type"],
        profile=dict(wanted["profile"] or {}),
        binding=binding,
        pvlan_type=row["pvlan_type"],
        pvlan_community=row["pvlan_community"],
        role=row["role"],
        ip_allocation=row["ip_allocation"],
        dns_name=row["dns_name"],
        dns_domain=row["dns_domain"],
        network_dns_domain=draft.place.dns_domain,
        created_at=tx.now,
        updated_at=tx.now,
        revision_number=1,
    )


def _with_plain_changes(port: Port, changes: Mapping[str, Any]) -> Port:
    """Apply what concerns the port alone."""
    values = {name: changes[name] for name in _PLAIN_CHANGES if name in changes}
    mac = _canonical_mac(changes["mac_address"]) if changes.get("mac_address") else port.mac_address
    if "allowed_address_pairs" in changes:
        values["allowed_address_pairs"] = _pairs(changes["allowed_address_pairs"], mac)
    if "extra_dhcp_opts" in changes:
        values["extra_dhcp_opts"] = dhcp_options.changed(port.extra_dhcp_opts, changes["extra_dhcp_opts"])
    if "profile" in changes:
        values["profile"] = dict(changes["profile"] or {})
    return replace(port, mac_address=mac, **values)


def _free_mac(tx: Transaction, network_id: str) -> str:
    """Draw a MAC address that no port of the network has (extension port-mac-address-regenerate)."""
    for _ in range(MAC_TRIES):
        drawn = _generated_mac(tx)
        holder = select(PORTS.c.key).where(PORTS.c.network_id == network_id, PORTS.c.mac_address == drawn)
        if tx.connection.execute(holder).first() is None:
            return drawn
    raise MacAddressGenerationFailure(network_id)


def _check_mac_free(tx: Transaction, port: Port) -> None:
    """Refuse a taken MAC address before its automatic addresses are found taken, which would tell less."""
    holder = select(PORTS.c.key).where(PORTS.c.network_id == port.network_id, PORTS.c.mac_address == port.mac_address)
    if tx.connection.execute(holder).first() is not None:
        raise MacAddressInUse(port.network_id, port.mac_address)


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
        name: _as_json(getattr(new, name))
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


def _canonical_mac(mac: str) -> str:
    return mac.lower().replace("-", ":")


def _generated_mac(tx: Transaction) -> str:
    low = tx.rng.getrandbits(24)
    return f"{BASE_MAC}:{low >> 16:02x}:{low >> 8 & 0xFF:02x}:{low & 0xFF:02x}"


def _pairs(wanted: Sequence[tuple[str | None, str]], mac: str) -> tuple[tuple[str, str], ...]:
    """An allowed pair without a MAC address means the port's own (Neutron API reference, allowed_address_pairs)."""
    return tuple((_canonical_mac(pair_mac) if pair_mac else mac, ip_address) for pair_mac, ip_address in wanted)


def _as_json(pairs: Sequence[Sequence[object]]) -> str:
    return json.dumps([list(pair) for pair in pairs]) if pairs else "[]"
