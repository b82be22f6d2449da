"""What did the engines of plug-ins last tell, and which hosts did they find? Written by the controller process only.

A host that a plug-in finds becomes a host like a registered one: ports can be bound to it, and it is listed. One that
it no longer finds goes; bindings to it stay, and count again when it is back. One that is registered for another
plug-in stays what it is, and ports of either plug-in can be bound to it.
"""

import json
from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import delete, insert, select, update

from controller.plugins.contract import Condition, FoundHost, Health
from controller.records import Host, HostName, HostState
from controller.store.dialects import insert_or_update
from controller.store.loading import SELECT_HOSTS, hosts_of, in_chunks
from controller.store.physnets import numbered, store_physnets
from controller.store.plugin_schema import PLUGIN_HOSTS, PLUGIN_STATES
from controller.store.schema import HOSTS
from controller.store.states import save_host_state
from controller.store.transaction import Transaction

DATAPATH_ID_BITS = 48
"""As many as OVS itself takes from a MAC address (ovs-vswitchd.conf.db(5) Bridge:datapath_id)."""
NAMED = 3
"""Hosts that a sentence about many names."""

_UPSERT = insert_or_update(PLUGIN_STATES, conflict=(PLUGIN_STATES.c.name,))


def save_health(tx: Transaction, plugin: str, health: Health) -> bool:
    """Store how a plug-in is, and the hosts it found; return whether hosts came, went or changed."""
    shared = () if health.hosts is None else _registered_elsewhere(tx, plugin, health.hosts)
    tx.connection.execute(
        tx.variant(_UPSERT),
        {
            "name": plugin,
            "condition": health.condition.value,
            "detail": _with_shared(health.detail, shared),
            "versions": json.dumps(dict(health.versions), sort_keys=True),
            "seen_at": tx.timestamp,
        },
    )
    if health.hosts is None:
        return False
    is_news = _put_hosts(tx, plugin, {name: host for name, host in health.hosts.items() if name not in shared})
    is_news = _put_shared(tx, plugin, {name: health.hosts[name] for name in shared}) or is_news
    for name, host in health.hosts.items():
        if name in shared:
            continue  # what is said of it is what is said of the registered host
        save_host_state(
            tx,
            HostState(
                name=name,
                ovsdb_connected=host.is_alive,
                openflow_connected=host.is_alive,
                programmed=host.is_alive and host.problem is None,
                problem=host.problem,
                features=host.features,
            ),
        )
    return is_news


def load_conditions(tx: Transaction) -> dict[str, tuple[Health, int]]:
    """Return what each plug-in's engine told last, without hosts, and when (seconds since 1970)."""
    return {
        row.name: (
            Health(condition=Condition(row.condition), detail=row.detail, versions=json.loads(row.versions)),
            row.seen_at,
        )
        for row in tx.connection.execute(select(PLUGIN_STATES))
    }


def new_datapath_id(tx: Transaction) -> int:
    """Draw an id that is neither zero nor taken; of 2**48, a second draw is already a rarity."""
    while True:
        drawn = tx.rng.randrange(1, 1 << DATAPATH_ID_BITS)
        if tx.connection.execute(select(HOSTS.c.id).where(HOSTS.c.datapath_id == drawn)).first() is None:
            return drawn


def stand_beside(tx: Transaction, name: str) -> None:
    """Let a host that a plug-in found become one that another plug-in has, too: somebody registers it."""
    row = tx.connection.execute(SELECT_HOSTS.where(HOSTS.c.name == name)).first()
    if row is None or row.ovsdb != _unreached(row.plugin, name):
        return
    (host,) = hosts_of(tx.connection, [row])
    physnets = tuple((one.name, one.bridge) for one in host.physnets)
    found = FoundHost(datapath_type=host.datapath_type, tunnel_ip=host.tunnel_ip, physnets=physnets)
    tx.connection.execute(delete(HOSTS).where(HOSTS.c.id == host.id))
    tx.journal("host", host.id)
    tx.connection.execute(insert(PLUGIN_HOSTS), _shared_row(row.plugin, host.name, found))


def _registered_elsewhere(tx: Transaction, plugin: str, found: Collection[HostName]) -> frozenset[HostName]:
    named = select(HOSTS.c.name).where(HOSTS.c.plugin != plugin)
    return frozenset(
        name for chunk in in_chunks(list(found)) for name in tx.connection.scalars(named.where(HOSTS.c.name.in_(chunk)))
    )


def _with_shared(detail: str, shared: Collection[HostName]) -> str:
    if not shared:
        return detail
    names = ", ".join(sorted(shared)[:NAMED]) + (", ..." if len(shared) > NAMED else "")
    told = (
        f"{len(shared)} of its hosts are registered for another plug-in, too ({names}): "
        "each needs a bridge and a tunnel address of its own there."
    )
    return f"{detail} {told}".strip()


def _put_shared(tx: Transaction, plugin: str, found: Mapping[HostName, FoundHost]) -> bool:
    """Store the hosts that another plug-in has, too; return whether any of it is new."""
    of_plugin = PLUGIN_HOSTS.c.plugin == plugin
    stored = {row.host: dict(row._mapping) for row in tx.connection.execute(select(PLUGIN_HOSTS).where(of_plugin))}  # noqa: SLF001 - SQLAlchemy's public name
    wanted = {str(name): _shared_row(plugin, name, host) for name, host in found.items()}
    changed = [name for name in stored.keys() | wanted.keys() if stored.get(name) != wanted.get(name)]
    for name in changed:
        tx.connection.execute(delete(PLUGIN_HOSTS).where(of_plugin, PLUGIN_HOSTS.c.host == name))
        if name in wanted:
            tx.connection.execute(insert(PLUGIN_HOSTS), wanted[name])
        host_id = tx.connection.execute(select(HOSTS.c.id).where(HOSTS.c.name == name)).scalar()
        if host_id is not None:
            tx.journal("host", host_id)
    return bool(changed)


def _shared_row(plugin: str, name: HostName, host: FoundHost) -> dict[str, Any]:
    return {
        "plugin": plugin,
        "host": name,
        "datapath_type": host.datapath_type,
        "tunnel_ip": host.tunnel_ip,
        "physnets": json.dumps([list(pair) for pair in host.physnets]),
    }


def _unreached(plugin: str, name: str) -> str:
    """What stands where the address of a registered host's database would."""
    return f"{plugin}:{name}"


def _put_hosts(tx: Transaction, plugin: str, found: Mapping[HostName, FoundHost]) -> bool:
    rows = tx.connection.execute(SELECT_HOSTS.where(HOSTS.c.plugin == plugin)).all()
    stored = {host.name: host for host in hosts_of(tx.connection, rows)}
    is_news = False
    for name in stored.keys() - found.keys():
        tx.connection.execute(delete(HOSTS).where(HOSTS.c.id == stored[name].id))
        tx.journal("host", stored[name].id)
        is_news = True
    for name, host in found.items():
        old = stored.get(name)
        if old is not None and _is_as_stored(old, host):
            continue
        values = {"tunnel_ip": host.tunnel_ip, "datapath_type": host.datapath_type}
        if old is None:
            host_id = tx.new_id()
            tx.connection.execute(insert(HOSTS), _new_row(tx, plugin, name, host_id) | values)
        else:
            host_id = old.id
            bumped = {"updated_at": tx.timestamp, "revision_number": old.revision_number + 1}
            tx.connection.execute(update(HOSTS).where(HOSTS.c.id == host_id).values(values | bumped))
        store_physnets(tx, host_id, numbered(host.physnets, () if old is None else old.physnets))
        tx.journal("host", host_id)
        is_news = True
    return is_news


def _is_as_stored(old: Host, found: FoundHost) -> bool:
    physnets = tuple((physnet.name, physnet.bridge) for physnet in old.physnets)
    return (old.tunnel_ip, old.datapath_type, physnets) == (found.tunnel_ip, found.datapath_type, found.physnets)


def _new_row(tx: Transaction, plugin: str, name: str, host_id: str) -> dict[str, Any]:
    return {
        "id": host_id,
        "name": name,
        "ovsdb": _unreached(plugin, name),
        "datapath_id": new_datapath_id(tx),
        "plugin": plugin,
        "created_at": tx.timestamp,
        "updated_at": tx.timestamp,
        "revision_number": 1,
    }
