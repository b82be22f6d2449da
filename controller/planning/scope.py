"""Which part of the intent does a change concern, and how is it before and after?

What is read grows with what the change concerns: the networks whose ports, subnets or hosts change, whole; of others
only *witnesses*, ports that are why something is on a bridge already and stays there: rules that another network's
port has too, a group another ruleset refers to.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar

from sqlalchemy import and_, func, select

from controller.reconcile.feed import Changes, load_changes
from controller.reconcile.places import hosts_of
from controller.reconcile.rules import ruleset_of
from controller.reconcile.rulesets import references
from controller.reconcile.translate import is_up
from controller.reconcile.ways import GENEVE_TYPE
from controller.records import AddressGroup, Host, HostName, Network, NetworkId, Port, SecurityGroup, Snapshot, Subnet
from controller.store import snapshot as store
from controller.store.loading import in_chunks
from controller.store.schema import (
    BINDINGS,
    HOSTS,
    NETWORKS,
    PORTS,
    SECURITY_GROUP_RULES,
    SECURITY_GROUP_SET_MEMBERS,
    SECURITY_GROUP_SETS,
    SECURITY_GROUPS,
    SEGMENTS,
    SUBNETS,
)
from controller.store.transaction import Transaction
from flows.intent import DENY_ALL

MOST_PORTS = 20_000
"""In the networks that are read whole; beyond, a plan says how many there are and no more."""

_MOST_NEIGHBOURS = 8

_Record = TypeVar("_Record", Network, Subnet, Port, Host, SecurityGroup, AddressGroup)
_TOLD: Mapping[str, object] = {
    "name": "",
    "description": "",
    "project_id": "",
    "shared": False,
    "created_at": None,
    "updated_at": None,
    "revision_number": 0,
    "availability_zone": "",
    "availability_zone_hints": (),
    "availability_zones": (),
    "mtu": 0,
    "dns_name": "",
    "dns_domain": "",
    "network_dns_domain": "",
    "subnet_ids": (),
    "ipv4_address_scope": None,
    "ipv6_address_scope": None,
    "l2_adjacency": True,
    "service_types": (),
    "subnetpool_id": None,
    "allocation_pools": (),
    "dns_nameservers": (),
    "host_routes": (),
    "extra_dhcp_opts": (),
    "status": "",
    "device_id": "",
    "vnic_id": None,
    "vnic_type": "",
    "profile": {},
    "ip_allocation": "",
    "adopt": False,
}
"""Attributes that no flow and no rule depends on, with what stands for any value of theirs. A host keeps its name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What a change concerns."""

    before: Snapshot
    """The networks concerned whole, the witnesses, the groups they have, and every host."""
    changes: Changes
    """What becomes of the objects that decide over flows or over who may talk to whom."""
    whole: frozenset[NetworkId]
    """The networks of which every port is there."""
    ports: int = 0
    """How many ports are concerned."""
    too_many: int = 0
    """How many ports would have to be read for the flows, when that is more than is read; then none was."""
    unread: int = 0
    """How many ports there are whose connectivity changes, when that is more than is read."""
    geneve: tuple[bool, bool] = (False, False)
    """Whether there is any Geneve network, before and after."""


def scope_of(before: Transaction, after: Changes) -> Scope:
    """Return what a change concerns.

    Args:
        before: sees the database without the change.
        after: the objects whose change was noted, as they would be.
    """
    ids: Mapping[str, Mapping[Any, object]] = {
        "network": after.networks,
        "subnet": after.subnets,
        "port": after.ports,
        "host": after.hosts,
        "security_group": after.security_groups,
        "address_group": after.address_groups,
    }
    old = load_changes(before, {kind: tuple(of_kind) for kind, of_kind in ids.items()})
    changes = Changes(
        networks=_material(old.networks, after.networks),
        subnets=_material(old.subnets, after.subnets),
        ports=_material(old.ports, after.ports),
        hosts=_material(old.hosts, after.hosts),
        security_groups=_material(old.security_groups, after.security_groups),
        address_groups=_material(old.address_groups, after.address_groups),
    )
    compiled = _networks_of(before, old, changes)
    members = _networks_with(before, _rulesets_of(before, changes))
    unread = _beyond(_count(before, compiled | members))
    too_many = _beyond(_count(before, compiled))
    if too_many:
        nothing = Snapshot(epoch="", seq=0, networks=(), subnets=(), ports=(), hosts=())
        count = max(len(after.ports), unread)
        return Scope(before=nothing, changes=changes, whole=frozenset(), ports=count, too_many=too_many, unread=unread)
    if unread:
        members = set()
    snapshot = _read(before, compiled, members, old, changes)
    return Scope(
        before=snapshot,
        changes=changes,
        whole=frozenset(NetworkId(i) for i in compiled | members),
        ports=max(unread, _concerned(snapshot, old, after, changes)),
        unread=unread,
        geneve=_geneve(before, old, after),
    )


def _material(old: Mapping[Any, _Record | None], new: Mapping[Any, _Record | None]) -> dict[Any, _Record | None]:
    return {i: one for i, one in new.items() if _bare(one) != _bare(old.get(i))}


def _bare(record: _Record | None) -> _Record | None:
    """Return a record with nothing that is told to people and services only."""
    if record is None:
        return None
    kept = ("name",) if isinstance(record, Host) else ()
    told: dict[str, Any] = {
        one.name: _TOLD[one.name] for one in fields(record) if one.name in _TOLD and one.name not in kept
    }
    return replace(record, **told)


def _both(old: Mapping[Any, _Record | None], changed: Mapping[Any, _Record | None]) -> list[_Record]:
    """Return what changes, as it was and as it would be."""
    found = [one for i in changed if (one := old.get(i)) is not None]
    return found + [one for one in changed.values() if one is not None]


def _networks_of(tx: Transaction, old: Changes, changes: Changes) -> set[str]:
    """Return the networks of which units have to be compiled anew, other than those of rules."""
    found: set[str] = set(changes.networks)
    found.update(one.network_id for one in _both(old.subnets, changes.subnets))
    found.update(one.network_id for one in _both(old.ports, changes.ports))
    return found | _networks_on(tx, {host.name for host in _both(old.hosts, changes.hosts)})


def _read(tx: Transaction, compiled: set[str], members: set[str], old: Changes, changes: Changes) -> Snapshot:
    whole = compiled | members
    ports = store.load_ports(tx, store.ids_in_networks(tx, PORTS, whole))
    hosts = store.load_hosts(tx, list(tx.connection.scalars(select(HOSTS.c.id))))
    touched = _both(old.ports, changes.ports)
    turned = set(changes.networks) | _networks_on(tx, {host.name for host in _both(old.hosts, changes.hosts)})
    needs = _needs([port for port in ports.values() if port.network_id in compiled], touched, turned, changes)
    rulesets = _rulesets(tx, needs, touched, old, changes)
    ports |= store.load_ports(tx, _witnesses(tx, rulesets, set(changes.ports), turned))
    networks = store.load_networks(tx, {*whole, *(port.network_id for port in ports.values())})
    there = {
        (host, ruleset_of(port))
        for port in ports.values()
        if port.id not in changes.ports and port.network_id not in turned
        if is_up(networks.get(port.network_id), port)
        for host in hosts_of(port)
    }
    near = {host for port in (*ports.values(), *touched) if port.network_id in compiled for host in hosts_of(port)}
    own = [*_both(old.networks, changes.networks), *(networks[i] for i in compiled & networks.keys())]
    neighbours = store.load_ports(tx, _neighbours(tx, sorted(needs - there), whole) | _beside(tx, own, near, compiled))
    ports |= neighbours
    networks |= store.load_networks(tx, {port.network_id for port in neighbours.values()} - networks.keys())
    group_ids = {i for port in (*ports.values(), *touched) for i in port.security_group_ids}
    group_ids |= changes.security_groups.keys()
    groups = store.load_security_groups(tx, group_ids)
    changed = [one for one in changes.security_groups.values() if one is not None]
    referred = {i for group in (*groups.values(), *changed) for i in references(group)}
    groups |= store.load_security_groups(tx, referred - groups.keys())
    return Snapshot(
        epoch="",
        seq=0,
        networks=tuple(networks.values()),
        subnets=tuple(store.load_subnets(tx, store.ids_in_networks(tx, SUBNETS, whole)).values()),
        ports=tuple(ports.values()),
        hosts=tuple(hosts.values()),
        security_groups=tuple(groups.values()),
        address_groups=tuple(store.load_address_groups(tx, referred | changes.address_groups.keys()).values()),
    )


def _needs(
    ports: Collection[Port], touched: Collection[Port], turned: Collection[str], changes: Changes
) -> set[tuple[HostName, int]]:
    """Return of which rulesets the members may come to be known on which hosts, or cease to be.

    Of a changed port's, on all hosts with ports of its network; of every port of a network that changes itself, or
    whose first port on a host comes or last one goes.
    """
    stays: dict[str, set[HostName]] = {}
    rulesets: dict[str, set[int]] = {}
    for port in ports:
        rulesets.setdefault(port.network_id, set()).add(ruleset_of(port))
        if port.id not in changes.ports:
            stays.setdefault(port.network_id, set()).update(hosts_of(port))
    found: set[tuple[HostName, int]] = set()
    for port in touched:
        here = set(hosts_of(port))
        found.update((host, ruleset_of(port)) for host in stays.get(port.network_id, set()) | here)
        found.update(
            (host, ruleset)
            for host in here - stays.get(port.network_id, set())
            for ruleset in rulesets.get(port.network_id, ())
        )
    for network_id in turned:
        found.update((host, ruleset) for host in stays.get(network_id, ()) for ruleset in rulesets.get(network_id, ()))
    return {(host, ruleset) for host, ruleset in found if ruleset > DENY_ALL}


def _rulesets(
    tx: Transaction, needs: Collection[tuple[HostName, int]], touched: Iterable[Port], old: Changes, changes: Changes
) -> set[int]:
    """Return the rulesets that may come to a host or leave it, or change, and those that share flows with them."""
    mine = {ruleset for _, ruleset in needs} | _rulesets_with(tx, changes.security_groups)
    group_ids = {i for port in touched for i in port.security_group_ids} | set(changes.security_groups)
    group_ids |= _groups_of(tx, mine)
    referred = set(changes.address_groups)
    changing = _both(old.security_groups, changes.security_groups)
    for group in (*store.load_security_groups(tx, group_ids).values(), *changing):
        referred |= references(group)
    has_addresses = bool(store.load_address_groups(tx, referred))
    return mine | _rulesets_with(tx, _referring(tx, referred, every_address_group=has_addresses))


def _groups_of(tx: Transaction, rulesets: Collection[int]) -> set[str]:
    """Return the security groups of some rulesets."""
    keys = sorted(rulesets)
    found = set(tx.connection.scalars(select(SECURITY_GROUPS.c.id).where(SECURITY_GROUPS.c.key.in_(keys))))
    members = SECURITY_GROUP_SET_MEMBERS.c
    found.update(tx.connection.scalars(select(members.security_group_id).where(members.set_key.in_(keys))))
    return found


def _concerned(snapshot: Snapshot, old: Changes, after: Changes, changes: Changes) -> int:
    """Return how many ports are concerned: changed, or in what changes, or with rules that change."""
    networks = {*changes.networks, *(one.network_id for one in _both(old.subnets, changes.subnets))}
    hosts = {host.name for host in _both(old.hosts, changes.hosts)}
    groups = set(changes.security_groups)
    for group in snapshot.security_groups:
        if references(group) & changes.address_groups.keys():
            groups.add(group.id)
    inside = (
        port.id
        for port in snapshot.ports
        if port.network_id in networks or groups & set(port.security_group_ids) or hosts & set(hosts_of(port))
    )
    return len({*after.ports, *inside})


def _rulesets_of(tx: Transaction, changes: Changes) -> set[int]:
    """Return the rulesets whose rules change."""
    groups = set(changes.security_groups) | _referring(tx, set(changes.address_groups), every_address_group=False)
    return _rulesets_with(tx, groups)


def _rulesets_with(tx: Transaction, group_ids: Iterable[str]) -> set[int]:
    """Return the rulesets that contain some security groups: each group's own, and sets with it."""
    ids = list(group_ids)
    found = {group.key for group in store.load_security_groups(tx, ids).values()}
    of_set = select(SECURITY_GROUP_SETS.c.key).join(
        SECURITY_GROUP_SET_MEMBERS, SECURITY_GROUP_SET_MEMBERS.c.set_key == SECURITY_GROUP_SETS.c.key
    )
    for chunk in in_chunks(ids):
        sets = of_set.where(SECURITY_GROUP_SET_MEMBERS.c.security_group_id.in_(chunk))
        found.update(tx.connection.scalars(sets))
    return {int(key) for key in found}


def _referring(tx: Transaction, ids: Collection[str], *, every_address_group: bool) -> set[str]:
    """Return the security groups with rules that refer to one of some groups, or to any address group."""
    rules = SECURITY_GROUP_RULES.c
    found: set[str] = set()
    for chunk in in_chunks(list(ids)):
        for column in (rules.remote_group_id, rules.remote_address_group_id):
            found.update(tx.connection.scalars(select(rules.security_group_id).where(column.in_(chunk)).distinct()))
    if every_address_group:
        any_of_them = select(rules.security_group_id).where(rules.remote_address_group_id.is_not(None)).distinct()
        found.update(tx.connection.scalars(any_of_them))
    return found


def _networks_with(tx: Transaction, rulesets: Collection[int]) -> set[str]:
    if not rulesets:
        return set()
    return set(tx.connection.scalars(select(PORTS.c.network_id).where(PORTS.c.ruleset.in_(rulesets)).distinct()))


def _networks_on(tx: Transaction, hosts: Collection[HostName]) -> set[str]:
    if not hosts:
        return set()
    bound = select(PORTS.c.network_id).join(BINDINGS, BINDINGS.c.port_id == PORTS.c.id)
    return set(tx.connection.scalars(bound.where(BINDINGS.c.host.in_(hosts)).distinct()))


def _count(tx: Transaction, network_ids: Collection[str]) -> int:
    found = 0
    for chunk in in_chunks(list(network_ids)):
        counted = select(func.count()).select_from(PORTS).where(PORTS.c.network_id.in_(chunk))
        found += int(tx.connection.execute(counted).scalar_one())
    return found


def _beyond(count: int) -> int:
    return count if count > MOST_PORTS else 0


def _witnesses(
    tx: Transaction, rulesets: Collection[int], changed: Collection[str], turned: Collection[str]
) -> set[str]:
    """Return for each ruleset and host a port that has it there, other than those that change; best one that is up."""
    found: dict[tuple[int, str], tuple[bool, str]] = {}
    bound = (
        select(
            PORTS.c.id,
            PORTS.c.ruleset,
            PORTS.c.network_id,
            BINDINGS.c.host,
            and_(PORTS.c.admin_state_up, NETWORKS.c.admin_state_up).label("is_up"),
        )
        .join(BINDINGS, BINDINGS.c.port_id == PORTS.c.id)
        .join(NETWORKS, NETWORKS.c.id == PORTS.c.network_id)
    )
    for row in tx.connection.execute(bound.where(PORTS.c.ruleset.in_(sorted(rulesets)))):
        if row.id not in changed:
            key = row.ruleset, row.host
            found[key] = max(found.get(key, (False, "")), (bool(row.is_up) and row.network_id not in turned, row.id))
    return {port_id for _, port_id in found.values()}


def _neighbours(tx: Transaction, missing: Iterable[tuple[HostName, int]], whole: Collection[str]) -> set[str]:
    """Return ports that make the members of a ruleset known on a host, although no port with it is there.

    Each is a port of another network that has the ruleset on another host, together with one of that network on the
    host. Of some networks, should the hosts have no way to each other in one of them.
    """
    here, inside, with_rules = BINDINGS.alias("here"), PORTS.alias("inside"), PORTS.alias("with_rules")
    elsewhere, far = BINDINGS.alias("elsewhere"), HOSTS.alias("far")
    pair = (
        select(func.min(inside.c.id), func.min(with_rules.c.id))
        .select_from(here)
        .join(inside, inside.c.id == here.c.port_id)
        .join(NETWORKS, NETWORKS.c.id == inside.c.network_id)
        .join(with_rules, with_rules.c.network_id == inside.c.network_id)
        .join(elsewhere, elsewhere.c.port_id == with_rules.c.id)
        .join(far, far.c.name == elsewhere.c.host)
        .where(NETWORKS.c.admin_state_up, with_rules.c.admin_state_up, with_rules.c.port_security_enabled)
        .where(elsewhere.c.host != here.c.host, inside.c.network_id.not_in(list(whole)))
        .group_by(inside.c.network_id, elsewhere.c.host)
        .limit(_MOST_NEIGHBOURS)
    )
    found: set[str] = set()
    for host, ruleset in missing:
        for row in tx.connection.execute(pair.where(here.c.host == host, with_rules.c.ruleset == ruleset)):
            found.update(row)
    return found


def _beside(
    tx: Transaction, networks: Iterable[Network], hosts: Iterable[HostName], compiled: Collection[str]
) -> set[str]:
    """Return ports of other networks that leave some hosts by the same physical networks as these do."""
    physnets = {one.physical_network for network in networks for one in network.segments if one.physical_network}
    bound = (
        select(PORTS.c.id)
        .join(BINDINGS, BINDINGS.c.port_id == PORTS.c.id)
        .join(SEGMENTS, SEGMENTS.c.network_id == PORTS.c.network_id)
        .where(PORTS.c.network_id.not_in(list(compiled)))
        .limit(1)
    )
    found: set[str] = set()
    for physnet in sorted(physnets):
        for host in hosts:
            beside = bound.where(SEGMENTS.c.physical_network == physnet, BINDINGS.c.host == host)
            found.update(tx.connection.scalars(beside))
    return found


def _geneve(tx: Transaction, old: Changes, after: Changes) -> tuple[bool, bool]:
    changed = list(after.networks)
    others = select(SEGMENTS.c.key).where(SEGMENTS.c.network_type == GENEVE_TYPE).limit(1)
    stays = tx.connection.execute(others.where(SEGMENTS.c.network_id.not_in(changed))).first() is not None

    def among(networks: Iterable[Network | None]) -> bool:
        return any(one.network_type == GENEVE_TYPE for network in networks if network for one in network.segments)

    return stays or among(old.networks.values()), stays or among(after.networks.values())
