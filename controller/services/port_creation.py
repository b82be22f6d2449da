"""How does a new port come into the store, with its addresses, its groups and its host?

One transaction of at most ten statements, and nothing is read back: the project's limit, place (network, subnets,
pools, host), security groups, port, address candidates, addresses, block counter, OpenFlow port number, binding,
journal. The first port of a project makes its default group, and the first port with a set of groups stores the set.
Where the project has a limit its ports are counted, a community of a private VLAN is looked up, and tags are stored,
with one statement more each.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from controller.caller import Caller
from controller.dns_names import check_name, domain_of
from controller.errors import MacAddressGenerationFailure, MacAddressInUse
from controller.policy.words import Target
from controller.records import Binding, FixedIp, NetworkId, Port, PortId, PortKey, PortStatus, RuleKey
from controller.services import addressing, dhcp_options, port_groups, port_values, pvlan, quotas, realisation, routed
from controller.services.rules import authorize
from controller.services.sentinels import Sentinel
from controller.store.bindings import Unbound, bind_all
from controller.store.dialects import insert_or_ignore
from controller.store.direct import Direct
from controller.store.loading import in_display_order
from controller.store.schema import PORTS
from controller.store.tags import add_tags
from controller.store.transaction import Transaction
from ipam.driver import AddressRequest

_INSERT = Direct(
    insert_or_ignore(PORTS, conflict=(PORTS.c.network_id, PORTS.c.mac_address), returning=(PORTS.c.id, PORTS.c.key)),
    columns=[column.name for column in PORTS.columns if column is not PORTS.c.key],
)


def create_many(tx: Transaction, caller: Caller, wanted: Sequence[Mapping[str, Any]]) -> list[Port]:
    """Create all ports or none; ``ports.create`` says what may be raised.

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
    mac = port_values.canonical_mac(wanted["mac_address"]) if wanted["mac_address"] else port_values.generated_mac(tx)
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
        "allowed_address_pairs": port_values.as_json(port_values.pairs_of(wanted["allowed_address_pairs"], mac)),
        "extra_dhcp_opts": port_values.as_json(dhcp_options.kept(wanted["extra_dhcp_opts"])),
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
    for _ in range(port_values.MAC_TRIES):
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
        allowed_address_pairs=port_values.pairs_of(wanted["allowed_address_pairs"], row["mac_address"]),
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
