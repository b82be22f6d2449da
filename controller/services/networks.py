"""What can a caller do with networks?

A network has one segment, a VXLAN identifier of its own. Both numbers of a segment, the identifier on the wire and the
key in the registers, are drawn at random and the database's constraints decide; a number just given back is unlikely
to come again at once.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
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
    NoNetworkAvailable,
    TunnelIdInUse,
)
from controller.records import Network, NetworkId, Segment, SegmentId, SegmentKey
from controller.services import listing, ports
from controller.services.query import Query
from controller.services.rules import check_owner, check_revision, each
from controller.store.dialects import insert_or_ignore
from controller.store.loading import SELECT_NETWORKS, networks_of
from controller.store.schema import ALLOCATIONS, NETWORKS, PORTS, SEGMENTS, SUBNETS
from controller.store.transaction import Transaction

VXLAN = "vxlan"
VXLAN_OVERHEAD = 50
"""Outer Ethernet 14, IPv4 20, UDP 8, VXLAN 8 (RFC 7348 section 5)."""
LAST_VNI = 16_777_215
LAST_SEGMENT_KEY = 16_777_215
PLUGIN = "openflow"
AUTO_DELETED_OWNERS = frozenset({"network:dhcp"})
"""Ports that go with their network instead of keeping it (Neutron, delete network)."""
DRAWS = 32
WINDOW = 4096
PROVIDER_ATTRIBUTES = ("network_type", "physical_network", "segmentation_id")

_INSERT_SEGMENT = insert_or_ignore(SEGMENTS, returning=(SEGMENTS.c.key,))
_PLAIN_ATTRIBUTES = (
    "name",
    "description",
    "admin_state_up",
    "mtu",
    "shared",
    "router_external",
    "port_security_enabled",
)


def _segment_filter(name: str) -> listing.Condition:
    def condition(values: tuple[object, ...]) -> ColumnElement[bool]:
        return listing.exists_where(SEGMENTS.c.network_id == NETWORKS.c.id, listing.matches(SEGMENTS.c[name], values))

    return condition


RESOURCE = listing.Resource(
    rows=SELECT_NETWORKS,
    table=NETWORKS,
    columns={column.name: column for column in NETWORKS.columns},
    not_found=NetworkNotFound,
    scope=lambda caller: or_(NETWORKS.c.project_id == caller.project_id, NETWORKS.c.shared),
    conditions={f"segment:{name}": _segment_filter(name) for name in PROVIDER_ATTRIBUTES},
)


def create(tx: Transaction, caller: Caller, wanted: Mapping[str, Any]) -> Network:
    """Create a network with its segment.

    Raises:
        InvalidInput, TunnelIdInUse, NoNetworkAvailable, PolicyNotAuthorized
    """
    check_owner(caller, wanted["project_id"], "create_network:project_id")
    _check_provider(wanted)
    network = Network(
        id=NetworkId(tx.new_id()),
        project_id=wanted["project_id"],
        name=wanted["name"],
        description=wanted["description"],
        admin_state_up=wanted["admin_state_up"],
        mtu=_mtu(tx, wanted["mtu"]),
        shared=wanted["shared"],
        router_external=wanted["router_external"],
        port_security_enabled=wanted["port_security_enabled"],
        plugin=PLUGIN,
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
            "created_at": tx.timestamp,
            "updated_at": tx.timestamp,
            "revision_number": network.revision_number,
        }
        | {name: getattr(network, name) for name in _PLAIN_ATTRIBUTES},
    )
    segment = _create_segment(tx, network.id, wanted["segmentation_id"])
    tx.journal("network", network.id, network.id)
    return replace(network, segments=(segment,))


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
    """Return the networks a query asks for, with three statements whatever their number.

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
        NetworkNotFound, RevisionNumberConstraintFailed, InvalidInput, InvalidSharedSetting, PolicyNotAuthorized
    """
    old = networks_of(tx.connection, [listing.one(tx, caller, RESOURCE, object_id, lock=True)])[0]
    check_owner(caller, old.project_id, "update_network")
    check_revision(if_revision, old.revision_number)
    _check_provider_unchanged(old, changes)
    values = {name: changes[name] for name in _PLAIN_ATTRIBUTES if name in changes}
    if "mtu" in values:
        values["mtu"] = _mtu(tx, values["mtu"])
    if old.shared and values.get("shared") is False:
        _check_unused_by_others(tx, old)
    new = replace(old, **values)
    if new == old:
        return old
    new = replace(new, updated_at=tx.now, revision_number=old.revision_number + 1)
    values |= {"updated_at": tx.timestamp, "revision_number": new.revision_number}
    tx.connection.execute(sql_update(NETWORKS).where(NETWORKS.c.id == old.id).values(values))
    tx.journal("network", old.id, old.id)
    return new


def delete(tx: Transaction, caller: Caller, object_id: str, *, if_revision: int | None = None) -> None:
    """Delete a network with its subnets.

    Raises:
        NetworkNotFound, RevisionNumberConstraintFailed, PolicyNotAuthorized
        NetworkInUse: it has ports.
    """
    row = listing.one(tx, caller, RESOURCE, object_id, lock=True)
    check_owner(caller, row.project_id, "delete_network")
    check_revision(if_revision, row.revision_number)
    on_network = tx.connection.execute(
        select(PORTS.c.id, PORTS.c.device_owner).where(PORTS.c.network_id == row.id).order_by(PORTS.c.key)
    ).all()
    in_use = [port.id for port in on_network if port.device_owner not in AUTO_DELETED_OWNERS]
    if in_use:
        raise NetworkInUse(row.id, in_use)
    for port in on_network:
        ports.remove(tx, port.id, row.id)
    subnet_ids = list(tx.connection.scalars(select(SUBNETS.c.id).where(SUBNETS.c.network_id == row.id)))
    if subnet_ids:
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


def _check_provider(wanted: Mapping[str, Any]) -> None:
    network_type = wanted["network_type"]
    physical_network, segmentation_id = wanted["physical_network"], wanted["segmentation_id"]
    if network_type is None:
        if physical_network is not None or segmentation_id is not None:
            raise InvalidInput("network_type required")
        return
    if network_type != VXLAN:
        raise InvalidInput(f"network_type value '{network_type}' not supported")
    if physical_network is not None:
        raise InvalidInput(f"provider:physical_network specified for {network_type} network")
    if segmentation_id is not None and not 1 <= segmentation_id <= LAST_VNI:
        raise InvalidInput(f"segmentation_id out of range (1 through {LAST_VNI})")


def _check_provider_unchanged(network: Network, changes: Mapping[str, Any]) -> None:
    segment = network.segments[0]
    if any(name in changes and changes[name] != getattr(segment, name) for name in PROVIDER_ATTRIBUTES):
        raise InvalidInput("Plugin does not support updating provider attributes")


def _check_unused_by_others(tx: Transaction, network: Network) -> None:
    for table in (PORTS, SUBNETS):
        foreign = select(table.c.id).where(table.c.network_id == network.id, table.c.project_id != network.project_id)
        if tx.connection.execute(foreign.limit(1)).first() is not None:
            raise InvalidSharedSetting(network.name)


def _mtu(tx: Transaction, wanted: int | None) -> int:
    """Return the MTU; none or zero means the largest that fits the underlay (Neutron API reference, net-mtu)."""
    largest = tx.settings.underlay_mtu - VXLAN_OVERHEAD
    if not wanted:
        return largest
    if wanted > largest:
        raise InvalidInput(f"Requested MTU is too big, maximum is {largest}")
    return wanted


def _create_segment(tx: Transaction, network_id: NetworkId, vni: int | None) -> Segment:
    segment_id = SegmentId(tx.new_id())
    keys = _numbers(tx, 1, LAST_SEGMENT_KEY, SEGMENTS.c.key)
    if vni is None:
        vnis = _numbers(tx, tx.settings.first_vni, tx.settings.last_vni, SEGMENTS.c.segmentation_id)
    else:
        vnis = _asked(tx, vni)
    for key, candidate in zip(keys, vnis, strict=False):
        row = {
            "key": key,
            "id": segment_id,
            "network_id": network_id,
            "network_type": VXLAN,
            "physical_network": None,
            "segmentation_id": candidate,
        }
        if tx.connection.execute(tx.variant(_INSERT_SEGMENT), row).first() is not None:
            return Segment(
                id=segment_id,
                key=SegmentKey(key),
                network_id=network_id,
                network_type=VXLAN,
                physical_network=None,
                segmentation_id=candidate,
            )
    raise NoNetworkAvailable


def _asked(tx: Transaction, vni: int) -> Iterator[int]:
    """Yield the asked VNI as long as it can only have been the key that was taken.

    Raises:
        TunnelIdInUse: another segment has the VNI.
    """
    while True:
        yield vni
        taken = select(SEGMENTS.c.key).where(SEGMENTS.c.network_type == VXLAN, SEGMENTS.c.segmentation_id == vni)
        if tx.connection.execute(taken).first() is not None:
            raise TunnelIdInUse(vni)


def _numbers(tx: Transaction, first: int, last: int, column: ColumnElement[int]) -> Iterator[int]:
    """Yield numbers that may be free: some at random, then every one that is, once round from a random start."""
    for _ in range(DRAWS):
        yield tx.rng.randint(first, last)
    start = tx.rng.randint(first, last)
    for low, high in _windows(start, last, first):
        used = set(tx.connection.scalars(select(column).where(column.between(low, high))))
        yield from (number for number in range(low, high + 1) if number not in used)


def _windows(start: int, last: int, first: int) -> Iterable[tuple[int, int]]:
    for low in range(start, last + 1, WINDOW):
        yield low, min(low + WINDOW - 1, last)
    for low in range(first, start, WINDOW):
        yield low, min(low + WINDOW - 1, start - 1)
