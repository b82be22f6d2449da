"""What can a caller do with hosts? Administrators only: to anybody else there are none."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import delete as sql_delete
from sqlalchemy import func, insert, or_, select
from sqlalchemy import update as sql_update
from sqlalchemy.exc import IntegrityError

from controller.caller import Caller
from controller.errors import HostAlreadyExists, HostInUse, HostNotFound, InvalidInput
from controller.policy.words import Target
from controller.records import Host, HostName
from controller.services import listing
from controller.services.query import Query
from controller.services.rules import authorize, check_revision, each
from controller.store.agents import OVS_AGENT, add_agent, forget_agent
from controller.store.loading import SELECT_HOSTS, hosts_of
from controller.store.physnets import MOST_PHYSNETS, PHYSNETS, numbered, store_physnets
from controller.store.plugin_states import new_datapath_id, stand_beside
from controller.store.schema import BINDINGS, HOSTS, PORTS
from controller.store.transaction import Transaction

DATAPATH_TYPES = frozenset({"system", "netdev"})
"""ovs-vswitchd.conf.db(5) Bridge:datapath_type."""
_PLAIN_CHANGES = ("ovsdb", "tunnel_ip", "adopt", "availability_zone")
DEFAULT_ZONE = "nova"
"""Neutron's."""

RESOURCE = listing.Resource(
    rows=SELECT_HOSTS,
    table=HOSTS,
    columns={column.name: column for column in HOSTS.columns},
    not_found=HostNotFound,
    rule="get_host",
)


def create(tx: Transaction, caller: Caller, wanted: Mapping[str, Any]) -> Host:
    """Register a host; ports bound to its name already become its ports.

    Raises:
        InvalidInput, HostAlreadyExists, PolicyNotAuthorized
    """
    authorize(caller, "create_host", Target())
    host = Host(
        id=tx.new_id(),
        name=HostName(wanted["name"]),
        ovsdb=wanted["ovsdb"],
        tunnel_ip=wanted["tunnel_ip"],
        datapath_type=_datapath_type(wanted["datapath_type"]),
        datapath_id=new_datapath_id(tx),
        physnets=numbered(_physnets(wanted["physnets"])),
        adopt=wanted.get("adopt", False),
        availability_zone=wanted.get("availability_zone") or DEFAULT_ZONE,
        created_at=tx.now,
        updated_at=tx.now,
        revision_number=1,
    )
    if not host.name or not host.ovsdb:
        raise InvalidInput("a host needs a name and an OVSDB address")
    stand_beside(tx, host.name)
    _check_unique(tx, host)
    row = {
        "id": host.id,
        "name": host.name,
        "datapath_id": host.datapath_id,
        "created_at": tx.timestamp,
        "updated_at": tx.timestamp,
        "revision_number": host.revision_number,
    } | _changeable(host)
    try:
        tx.connection.execute(insert(HOSTS), row)
    except IntegrityError as error:
        # Only where writers do not queue can another host come between the check and the insert.
        raise HostAlreadyExists("name or OVSDB address", f"{host.name}, {host.ovsdb}") from error
    store_physnets(tx, host.id, host.physnets)
    add_agent(tx, OVS_AGENT, host.name)
    tx.journal("host", host.id)
    return host


def create_many(tx: Transaction, caller: Caller, wanted: Sequence[Mapping[str, Any]]) -> list[Host]:
    """Register all hosts or none; ``create`` says what may be raised."""
    return each(create, tx, caller, wanted)


def get(tx: Transaction, caller: Caller, object_id: str) -> Host:
    """Return one host by its name or id.

    Raises:
        HostNotFound: not for this caller.
    """
    statement = listing.visible(RESOURCE, caller).where(or_(HOSTS.c.name == object_id, HOSTS.c.id == object_id))
    row = tx.connection.execute(statement).first()
    if row is None:
        raise HostNotFound(object_id)
    return hosts_of(tx.connection, [row])[0]


def find(tx: Transaction, caller: Caller, query: Query) -> list[Host]:
    """Return the hosts a query asks for.

    Raises:
        HostNotFound: the marker is no host.
        InvalidInput: a filter or sort name is unknown.
    """
    return hosts_of(tx.connection, listing.many(tx, caller, RESOURCE, query))


def names(tx: Transaction) -> frozenset[str]:
    """Return the names of all registered hosts."""
    return frozenset(tx.connection.scalars(select(HOSTS.c.name)))


def physical_networks(tx: Transaction) -> frozenset[str]:
    """Return the physical networks registered hosts have."""
    return frozenset(tx.connection.scalars(select(PHYSNETS.c.name).distinct()))


def update(
    tx: Transaction, caller: Caller, object_id: str, changes: Mapping[str, Any], *, if_revision: int | None = None
) -> Host:
    """Change where a host is reached and what it has; its name and datapath id stay.

    Raises:
        HostNotFound, RevisionNumberConstraintFailed, InvalidInput, HostAlreadyExists, PolicyNotAuthorized
    """
    old = get(tx, caller, object_id)
    authorize(caller, "update_host", Target(), changes)
    check_revision(if_revision, old.revision_number)
    if changes.get("name", old.name) != old.name:
        raise InvalidInput(f"host {old.name} cannot be renamed, ports are bound to the name")
    values = {name: changes[name] for name in _PLAIN_CHANGES if name in changes}
    if "datapath_type" in changes:
        values["datapath_type"] = _datapath_type(changes["datapath_type"])
    if "physnets" in changes:
        values["physnets"] = numbered(_physnets(changes["physnets"]), old.physnets)
    new = replace(old, **values)
    if new == old:
        return old
    _check_unique(tx, new)
    new = replace(new, updated_at=tx.now, revision_number=old.revision_number + 1)
    row = _changeable(new) | {"updated_at": tx.timestamp, "revision_number": new.revision_number}
    tx.connection.execute(sql_update(HOSTS).where(HOSTS.c.id == old.id).values(row))
    if new.physnets != old.physnets:
        store_physnets(tx, old.id, new.physnets)
    tx.journal("host", old.id)
    return new


def delete(
    tx: Transaction, caller: Caller, object_id: str, *, if_revision: int | None = None, force: bool = False
) -> None:
    """Remove a host; with ``force`` the ports bound to it become unbound.

    Raises:
        HostNotFound, RevisionNumberConstraintFailed, PolicyNotAuthorized
        HostInUse: ports are bound to it, and no force.
    """
    host = get(tx, caller, object_id)
    authorize(caller, "delete_host", Target())
    check_revision(if_revision, host.revision_number)
    bound = select(BINDINGS.c.port_id).where(BINDINGS.c.host == host.name)
    count = tx.connection.execute(select(func.count()).select_from(bound.subquery())).scalar_one()
    if count and not force:
        raise HostInUse(host.name, count)
    if count:
        _unbind_all(tx, host.name)
    tx.connection.execute(sql_delete(HOSTS).where(HOSTS.c.id == host.id))
    forget_agent(tx, OVS_AGENT, host.name)
    tx.journal("host", host.id)


def _unbind_all(tx: Transaction, name: str) -> None:
    """Remove every binding to a host; a port that is active elsewhere only loses its second one."""
    of_host = select(BINDINGS.c.port_id).where(BINDINGS.c.host == name)
    on_host = PORTS.c.id.in_(of_host)
    bound = tx.connection.execute(select(PORTS.c.id, PORTS.c.network_id).where(on_host)).all()
    tx.connection.execute(
        sql_update(PORTS)
        .where(PORTS.c.id.in_(of_host.where(BINDINGS.c.active)))
        .values(status="DOWN", revision_number=PORTS.c.revision_number + 1, updated_at=tx.timestamp)
    )
    tx.connection.execute(sql_delete(BINDINGS).where(BINDINGS.c.host == name))
    for port in bound:
        tx.journal("port", port.id, port.network_id)


def _check_unique(tx: Transaction, host: Host) -> None:
    """Refuse a name, an OVSDB address or a tunnel endpoint that another host has."""
    same = [HOSTS.c.name == host.name, HOSTS.c.ovsdb == host.ovsdb]
    if host.tunnel_ip is not None:
        same.append(HOSTS.c.tunnel_ip == host.tunnel_ip)
    others = select(HOSTS.c.name, HOSTS.c.ovsdb).where(or_(*same), HOSTS.c.id != host.id)
    other = tx.connection.execute(others).first()
    if other is None:
        return
    if other.name == host.name:
        raise HostAlreadyExists("name", host.name)
    if other.ovsdb == host.ovsdb:
        raise HostAlreadyExists("OVSDB address", host.ovsdb)
    raise HostAlreadyExists("tunnel address", str(host.tunnel_ip))


def _changeable(host: Host) -> dict[str, Any]:
    return {
        "ovsdb": host.ovsdb,
        "tunnel_ip": host.tunnel_ip,
        "datapath_type": host.datapath_type,
        "adopt": host.adopt,
        "availability_zone": host.availability_zone,
    }


def _datapath_type(wanted: str) -> str:
    if wanted not in DATAPATH_TYPES:
        raise InvalidInput(f"datapath_type '{wanted}' is not one of {', '.join(sorted(DATAPATH_TYPES))}")
    return wanted


def _physnets(wanted: Sequence[Sequence[str]] | None) -> tuple[tuple[str, str], ...]:
    pairs = tuple((name, bridge) for name, bridge in wanted or ())
    if len({name for name, _ in pairs}) != len(pairs):
        raise InvalidInput("a physical network is given twice")
    if len(pairs) > MOST_PHYSNETS:
        raise InvalidInput(f"{len(pairs)} physical networks are given, a host may have {MOST_PHYSNETS}")
    of_bridge: dict[str, str] = {}
    for name, bridge in pairs:
        if bridge in of_bridge:
            both = f"{of_bridge[bridge]} and {name}"
            raise InvalidInput(f"bridge {bridge} is given for two physical networks, {both}: it would join them")
        of_bridge[bridge] = name
    return pairs
