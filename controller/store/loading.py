"""How do rows become records?

Each resource has one select and one function that completes its rows with a fixed number of further queries, however
many rows there are. ``ids=None`` means the whole table, which needs no list of ids.
"""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from sqlalchemy import Column, ColumnElement, Connection, Row, RowMapping, Select, and_, bindparam, case, not_, select

from controller.ipam_drivers.settings import BUILT_IN
from controller.records import (
    AddressGroup,
    Binding,
    FixedIp,
    Host,
    HostName,
    Network,
    NetworkId,
    NetworkSegmentRange,
    OfPort,
    Physnet,
    Port,
    PortId,
    PortKey,
    PortStatus,
    RuleKey,
    SecurityGroup,
    SecurityGroupRule,
    Segment,
    SegmentId,
    SegmentKey,
    Subnet,
    SubnetId,
)
from controller.store import subnet_ipam
from controller.store.direct import Direct
from controller.store.ipam_driver_schema import SUBNET_DRIVERS
from controller.store.ipam_schema import SUBNET_IPAM
from controller.store.physnets import PHYSNETS, has_way
from controller.store.plugin_schema import is_host_of
from controller.store.pools_schema import POOLED_SUBNETS, SUBNETPOOLS
from controller.store.schema import (
    ADDRESS_GROUPS,
    ALLOCATION_POOLS,
    ALLOCATIONS,
    BINDINGS,
    HOSTS,
    NETWORK_SEGMENT_RANGES,
    NETWORKS,
    PORTS,
    SECURITY_GROUP_RULES,
    SECURITY_GROUP_SETS,
    SECURITY_GROUPS,
    SEGMENTS,
    SUBNETS,
)
from controller.store.sharing import is_shared_with_everybody
from controller.store.vnics_schema import VNICS

Each = TypeVar("Each")

IDS_PER_QUERY = 5_000
"""SQLite takes 32,766 parameters a statement, PostgreSQL 65,535."""

SELECT_NETWORKS = select(NETWORKS, is_shared_with_everybody(NETWORKS.c.id).label("shared"))
SELECT_SUBNETS = select(
    SUBNETS, POOLED_SUBNETS.c.subnetpool_id, SUBNET_DRIVERS.c.driver, *subnet_ipam.COLUMNS
).select_from(
    SUBNETS.outerjoin(POOLED_SUBNETS, POOLED_SUBNETS.c.subnet_id == SUBNETS.c.id)
    .outerjoin(SUBNET_DRIVERS, SUBNET_DRIVERS.c.subnet_id == SUBNETS.c.id)
    .outerjoin(SUBNET_IPAM, SUBNET_IPAM.c.subnet_id == SUBNETS.c.id)
)
SELECT_HOSTS = select(HOSTS)
_STANDBY = BINDINGS.alias("standby")
_STANDBY_HOST = HOSTS.alias("standby_host")
SELECT_PORTS = select(
    PORTS,
    BINDINGS.c.host,
    BINDINGS.c.vnic_type.label("bound_vnic_type"),
    BINDINGS.c.profile.label("bound_profile"),
    BINDINGS.c.ofport,
    case((has_way(PORTS.c.network_id, HOSTS.c.id), HOSTS.c.datapath_type)).label("datapath_type"),
    SECURITY_GROUPS.c.id.label("only_group_id"),
    SECURITY_GROUP_SETS.c.group_ids,
    _STANDBY.c.host.label("standby_host"),
    _STANDBY.c.vnic_type.label("standby_vnic_type"),
    _STANDBY.c.profile.label("standby_profile"),
    _STANDBY.c.ofport.label("standby_ofport"),
    case((has_way(PORTS.c.network_id, _STANDBY_HOST.c.id), _STANDBY_HOST.c.datapath_type)).label(
        "standby_datapath_type"
    ),
    NETWORKS.c.dns_domain.label("network_dns_domain"),
    VNICS.c.id.label("vnic_id"),
).select_from(
    PORTS.join(NETWORKS, NETWORKS.c.id == PORTS.c.network_id)
    .outerjoin(BINDINGS, and_(BINDINGS.c.port_id == PORTS.c.id, BINDINGS.c.active))
    .outerjoin(HOSTS, and_(HOSTS.c.name == BINDINGS.c.host, is_host_of(HOSTS, NETWORKS.c.plugin)))
    .outerjoin(SECURITY_GROUPS, SECURITY_GROUPS.c.key == PORTS.c.ruleset)
    .outerjoin(SECURITY_GROUP_SETS, SECURITY_GROUP_SETS.c.key == PORTS.c.ruleset)
    .outerjoin(_STANDBY, and_(_STANDBY.c.port_id == PORTS.c.id, not_(_STANDBY.c.active)))
    .outerjoin(
        _STANDBY_HOST, and_(_STANDBY_HOST.c.name == _STANDBY.c.host, is_host_of(_STANDBY_HOST, NETWORKS.c.plugin))
    )
    .outerjoin(VNICS, VNICS.c.port_id == PORTS.c.id)
)
SELECT_SECURITY_GROUPS = select(SECURITY_GROUPS, is_shared_with_everybody(SECURITY_GROUPS.c.id).label("shared"))
SELECT_SECURITY_GROUP_RULES = select(SECURITY_GROUP_RULES)
SELECT_ADDRESS_GROUPS = select(ADDRESS_GROUPS, is_shared_with_everybody(ADDRESS_GROUPS.c.id).label("shared"))
SELECT_SEGMENTS = select(SEGMENTS)
SELECT_NETWORK_SEGMENT_RANGES = select(NETWORK_SEGMENT_RANGES)

_SEGMENTS = select(SEGMENTS).order_by(SEGMENTS.c.network_id, SEGMENTS.c.position, SEGMENTS.c.key)
_SUBNET_IDS = select(SUBNETS.c.id, SUBNETS.c.network_id, SUBNETS.c.segment_id).order_by(SUBNETS.c.id)
_SCOPES = (
    select(SUBNETS.c.network_id, SUBNETS.c.ip_version, SUBNETPOOLS.c.address_scope_id)
    .join(POOLED_SUBNETS, POOLED_SUBNETS.c.subnet_id == SUBNETS.c.id)
    .join(SUBNETPOOLS, SUBNETPOOLS.c.id == POOLED_SUBNETS.c.subnetpool_id)
    .where(SUBNETPOOLS.c.address_scope_id.is_not(None))
    .distinct()
)
_POOLS = select(ALLOCATION_POOLS).order_by(ALLOCATION_POOLS.c.subnet_id, ALLOCATION_POOLS.c.position)
_FIXED_IPS = (
    select(ALLOCATIONS.c.port_id, ALLOCATIONS.c.subnet_id, ALLOCATIONS.c.address)
    .where(ALLOCATIONS.c.released_at.is_(None))
    .order_by(ALLOCATIONS.c.id)
)
_PHYSNETS = select(PHYSNETS).order_by(PHYSNETS.c.host_id, PHYSNETS.c.position)
_RULES = select(SECURITY_GROUP_RULES).order_by(SECURITY_GROUP_RULES.c.id)


def _among(column: Column[Any]) -> ColumnElement[bool]:
    return column.in_(bindparam("ids", expanding=True))


# Made once: SQLAlchemy takes longer to build a statement than SQLite to run it.
_SEGMENTS_AMONG = _SEGMENTS.where(_among(SEGMENTS.c.network_id))
_SUBNET_IDS_AMONG = _SUBNET_IDS.where(_among(SUBNETS.c.network_id))
_SCOPES_AMONG = _SCOPES.where(_among(SUBNETS.c.network_id))
_POOLS_AMONG = _POOLS.where(_among(ALLOCATION_POOLS.c.subnet_id))
_FIXED_IPS_AMONG = _FIXED_IPS.where(_among(ALLOCATIONS.c.port_id))
_FIXED_IPS_OF_ONE = Direct(_FIXED_IPS.where(ALLOCATIONS.c.port_id == bindparam("of_port")))
_PHYSNETS_AMONG = _PHYSNETS.where(_among(PHYSNETS.c.host_id))
_RULES_AMONG = _RULES.where(_among(SECURITY_GROUP_RULES.c.security_group_id))


def in_chunks(ids: Sequence[Each]) -> Iterator[Sequence[Each]]:
    """Yield the ids in parts that fit one statement."""
    for start in range(0, len(ids), IDS_PER_QUERY):
        yield ids[start : start + IDS_PER_QUERY]


def instant(seconds: int) -> datetime:
    """Return the time a stored number of seconds stands for."""
    return datetime.fromtimestamp(seconds, UTC)


def networks_of(connection: Connection, rows: Sequence[Row[Any]], *, is_all: bool = False) -> list[Network]:
    """Complete rows of ``SELECT_NETWORKS``."""
    ids = None if is_all else [row.id for row in rows]
    segments: dict[str, list[Segment]] = {}
    for row in _details(connection, _SEGMENTS, _SEGMENTS_AMONG, ids):
        segments.setdefault(row.network_id, []).append(segment_of(row))
    subnets: dict[str, list[SubnetId]] = {}
    routed: set[str] = set()
    for row in _details(connection, _SUBNET_IDS, _SUBNET_IDS_AMONG, ids):
        subnets.setdefault(row.network_id, []).append(SubnetId(row.id))
        if row.segment_id is not None:
            routed.add(row.network_id)
    scopes = {
        (row.network_id, row.ip_version): row.address_scope_id
        for row in _details(connection, _SCOPES, _SCOPES_AMONG, ids)
    }
    return [
        _network(
            row,
            segments.get(row.id, ()),
            subnets.get(row.id, ()),
            scopes=(scopes.get((row.id, 4)), scopes.get((row.id, 6))),
            l2_adjacency=row.id not in routed,
        )
        for row in rows
    ]


def subnets_of(connection: Connection, rows: Sequence[Row[Any]], *, is_all: bool = False) -> list[Subnet]:
    """Complete rows of ``SELECT_SUBNETS``."""
    pools: dict[str, list[tuple[str, str]]] = {}
    ids = None if is_all else [row.id for row in rows]
    for row in _details(connection, _POOLS, _POOLS_AMONG, ids):
        pools.setdefault(row.subnet_id, []).append((row.first, row.last))
    return [_subnet(row, pools.get(row.id, ())) for row in rows]


def ports_of(connection: Connection, rows: Sequence[Row[Any]], *, is_all: bool = False) -> list[Port]:
    """Complete rows of ``SELECT_PORTS``."""
    fixed_ips: dict[str, list[FixedIp]] = {}
    ids = None if is_all else [row.id for row in rows]
    details: Iterable[Any] = (
        _FIXED_IPS_OF_ONE.rows(connection, {"of_port": ids[0]})
        if ids is not None and len(ids) == 1
        else _details(connection, _FIXED_IPS, _FIXED_IPS_AMONG, ids)
    )
    for row in details:
        one = FixedIp(subnet_id=row.subnet_id, ip_address=row.address)
        fixed_ips.setdefault(row.port_id, []).append(one)
    return [_port(row, in_display_order(fixed_ips.get(row.id, ()))) for row in rows]


def security_groups_of(
    connection: Connection, rows: Sequence[Row[Any]], *, is_all: bool = False
) -> list[SecurityGroup]:
    """Complete rows of ``SELECT_SECURITY_GROUPS``."""
    rules: dict[str, list[SecurityGroupRule]] = {}
    ids = None if is_all else [row.id for row in rows]
    for row in _details(connection, _RULES, _RULES_AMONG, ids):
        rules.setdefault(row.security_group_id, []).append(security_group_rule_of(row))
    return [_security_group(row, rules.get(row.id, ())) for row in rows]


def in_display_order(fixed_ips: Collection[FixedIp]) -> tuple[FixedIp, ...]:
    """Return a port's addresses as they are shown: IPv4 first, else in the order they were given out."""
    return tuple(sorted(fixed_ips, key=lambda one: ":" in one.ip_address))


def hosts_of(connection: Connection, rows: Sequence[Row[Any]], *, is_all: bool = False) -> list[Host]:
    """Complete rows of ``SELECT_HOSTS``."""
    physnets: dict[str, list[Physnet]] = {}
    ids = None if is_all else [row.id for row in rows]
    for row in _details(connection, _PHYSNETS, _PHYSNETS_AMONG, ids):
        one = Physnet(name=row.name, bridge=row.bridge, ofport=OfPort(row.ofport))
        physnets.setdefault(row.host_id, []).append(one)
    return [_host(row, physnets.get(row.id, ())) for row in rows]


def _host(row: Row[Any], physnets: Sequence[Physnet]) -> Host:
    return Host(
        id=row.id,
        name=HostName(row.name),
        ovsdb=row.ovsdb,
        tunnel_ip=row.tunnel_ip,
        datapath_type=row.datapath_type,
        datapath_id=row.datapath_id,
        plugin=row.plugin,
        physnets=tuple(physnets),
        adopt=row.adopt,
        availability_zone=row.availability_zone,
        created_at=instant(row.created_at),
        updated_at=instant(row.updated_at),
        revision_number=row.revision_number,
    )


def segment_of(row: Row[Any]) -> Segment:
    """Turn a row of the segments table into a record."""
    return Segment(
        id=SegmentId(row.id),
        key=SegmentKey(row.key),
        network_id=NetworkId(row.network_id),
        network_type=row.network_type,
        physical_network=row.physical_network,
        segmentation_id=row.segmentation_id,
        name=row.name,
        description=row.description,
        created_at=instant(row.created_at),
        updated_at=instant(row.updated_at),
        revision_number=row.revision_number,
    )


def network_segment_range_of(row: Row[Any]) -> NetworkSegmentRange:
    """Turn a row of ``SELECT_NETWORK_SEGMENT_RANGES`` into a record."""
    return NetworkSegmentRange(
        id=row.id,
        project_id=row.project_id,
        name=row.name,
        description=row.description,
        default=row.default,
        shared=row.shared,
        network_type=row.network_type,
        physical_network=row.physical_network,
        minimum=row.minimum,
        maximum=row.maximum,
        created_at=instant(row.created_at),
        updated_at=instant(row.updated_at),
        revision_number=row.revision_number,
    )


def security_group_rule_of(row: Row[Any]) -> SecurityGroupRule:
    """Turn a row of ``SELECT_SECURITY_GROUP_RULES`` into a record."""
    return SecurityGroupRule(
        id=row.id,
        project_id=row.project_id,
        security_group_id=row.security_group_id,
        direction=row.direction,
        ethertype=row.ethertype,
        protocol=row.protocol,
        port_range_min=row.port_range_min,
        port_range_max=row.port_range_max,
        remote_ip_prefix=row.remote_ip_prefix,
        remote_group_id=row.remote_group_id,
        remote_address_group_id=row.remote_address_group_id,
        description=row.description,
        created_at=instant(row.created_at),
        updated_at=instant(row.updated_at),
        revision_number=row.revision_number,
    )


def address_group_of(row: Row[Any]) -> AddressGroup:
    """Turn a row of ``SELECT_ADDRESS_GROUPS`` into a record."""
    return AddressGroup(
        id=row.id,
        key=RuleKey(row.key),
        project_id=row.project_id,
        name=row.name,
        description=row.description,
        addresses=tuple(json.loads(row.addresses)),
        shared=bool(row.shared),
        created_at=instant(row.created_at),
        updated_at=instant(row.updated_at),
        revision_number=row.revision_number,
    )


def _details(
    connection: Connection, every: Select[Any], among: Select[Any], ids: Sequence[str] | None
) -> Iterator[Row[Any]]:
    """Run ``every`` for the whole table, or ``among`` for some ids."""
    if ids is None:
        yield from connection.execute(every)
        return
    for chunk in in_chunks(ids):
        yield from connection.execute(among, {"ids": chunk})


def _network(
    row: Row[Any],
    segments: Sequence[Segment],
    subnet_ids: Sequence[SubnetId],
    *,
    scopes: tuple[str | None, str | None],
    l2_adjacency: bool,
) -> Network:
    return Network(
        id=NetworkId(row.id),
        project_id=row.project_id,
        name=row.name,
        description=row.description,
        admin_state_up=row.admin_state_up,
        mtu=row.mtu,
        shared=bool(row.shared),
        router_external=row.router_external,
        port_security_enabled=row.port_security_enabled,
        plugin=row.plugin,
        segments=tuple(segments),
        subnet_ids=tuple(subnet_ids),
        pvlan=row.pvlan,
        dns_domain=row.dns_domain,
        ipv4_address_scope=scopes[0],
        ipv6_address_scope=scopes[1],
        l2_adjacency=l2_adjacency,
        availability_zone_hints=()
        if row.availability_zone_hints == "[]"
        else tuple(json.loads(row.availability_zone_hints)),
        created_at=instant(row.created_at),
        updated_at=instant(row.updated_at),
        revision_number=row.revision_number,
    )


def _subnet(row: Row[Any], pools: Sequence[tuple[str, str]]) -> Subnet:
    return Subnet(
        id=SubnetId(row.id),
        project_id=row.project_id,
        network_id=NetworkId(row.network_id),
        name=row.name,
        description=row.description,
        ip_version=row.ip_version,
        cidr=row.cidr,
        gateway_ip=row.gateway_ip,
        enable_dhcp=row.enable_dhcp,
        ipv6_ra_mode=row.ipv6_ra_mode,
        ipv6_address_mode=row.ipv6_address_mode,
        allocation_pools=tuple(pools),
        dns_nameservers=tuple(json.loads(row.dns_nameservers)),
        host_routes=_pairs(row.host_routes),
        segment_id=row.segment_id,
        subnetpool_id=row.subnetpool_id,
        service_types=tuple(json.loads(row.service_types)),
        driver=row.driver or BUILT_IN,
        ipam=subnet_ipam.chosen_of(row),
        created_at=instant(row.created_at),
        updated_at=instant(row.updated_at),
        revision_number=row.revision_number,
    )


def _security_group(row: Row[Any], rules: Sequence[SecurityGroupRule]) -> SecurityGroup:
    return SecurityGroup(
        id=row.id,
        key=RuleKey(row.key),
        shared=bool(row.shared),
        project_id=row.project_id,
        name=row.name,
        description=row.description,
        stateful=row.stateful,
        rules=tuple(rules),
        created_at=instant(row.created_at),
        updated_at=instant(row.updated_at),
        revision_number=row.revision_number,
    )


def _group_ids(values: RowMapping) -> tuple[str, ...]:
    if values["only_group_id"] is not None:
        return (values["only_group_id"],)
    return () if values["group_ids"] is None else tuple(json.loads(values["group_ids"]))


def _port(row: Row[Any], fixed_ips: tuple[FixedIp, ...]) -> Port:
    values: RowMapping = row._mapping  # noqa: SLF001  (SQLAlchemy's public name for a row by column)
    binding = None
    if values["host"] is not None:
        binding = Binding(
            host=values["host"],
            vnic_type=values["bound_vnic_type"],
            profile=_mapping(values["bound_profile"]),
            active=True,
            ofport=OfPort(values["ofport"]),
            datapath_type=values["datapath_type"],
        )
    standby = None
    if values["standby_host"] is not None:
        standby = Binding(
            host=values["standby_host"],
            vnic_type=values["standby_vnic_type"],
            profile=_mapping(values["standby_profile"]),
            active=False,
            ofport=OfPort(values["standby_ofport"]),
            datapath_type=values["standby_datapath_type"],
        )
    return Port(
        id=PortId(values["id"]),
        key=PortKey(values["key"]),
        project_id=values["project_id"],
        network_id=NetworkId(values["network_id"]),
        name=values["name"],
        description=values["description"],
        mac_address=values["mac_address"],
        admin_state_up=values["admin_state_up"],
        status=PortStatus(values["status"]),
        device_id=values["device_id"],
        device_owner=values["device_owner"],
        port_security_enabled=values["port_security_enabled"],
        fixed_ips=fixed_ips,
        allowed_address_pairs=_pairs(values["allowed_address_pairs"]),
        security_group_ids=_group_ids(values),
        ruleset=RuleKey(values["ruleset"]),
        extra_dhcp_opts=_triples(values["extra_dhcp_opts"]),
        vnic_type=values["vnic_type"],
        profile=_mapping(values["profile"]),
        binding=binding,
        standby=standby,
        pvlan_type=values["pvlan_type"],
        pvlan_community=values["pvlan_community"],
        role=RuleKey(values["role"]),
        dns_name=values["dns_name"],
        dns_domain=values["dns_domain"],
        network_dns_domain=values["network_dns_domain"],
        ip_allocation=values["ip_allocation"],
        vnic_id=values["vnic_id"],
        created_at=instant(values["created_at"]),
        updated_at=instant(values["updated_at"]),
        revision_number=values["revision_number"],
    )


def _pairs(stored: str) -> tuple[tuple[str, str], ...]:
    return () if stored == "[]" else tuple((one, other) for one, other in json.loads(stored))


def _triples(stored: str) -> tuple[tuple[str, str | None, int], ...]:
    return () if stored == "[]" else tuple((name, value, version) for name, value, version in json.loads(stored))


def _mapping(stored: str) -> Mapping[str, Any]:
    return {} if stored == "{}" else dict(json.loads(stored))
