"""What did the engines of plug-ins last tell, and which hosts did they find? Written by the controller process only.

A host that a plug-in finds becomes a host like a registered one: ports can be bound to it, and it is listed. One that
it no longer finds goes; bindings to it stay, and count again when it is back.
"""

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import delete, insert, select, update

from controller.plugins.contract import Condition, FoundHost, Health
from controller.records import Host, HostName, HostState
from controller.store.dialects import insert_or_update
from controller.store.loading import SELECT_HOSTS, hosts_of
from controller.store.physnets import numbered, store_physnets
from controller.store.plugin_schema import PLUGIN_STATES
from controller.store.schema import HOSTS
from controller.store.states import save_host_state
from controller.store.transaction import Transaction

DATAPATH_ID_BITS = 48

_UPSERT = insert_or_update(PLUGIN_STATES, conflict=(PLUGIN_STATES.c.name,))


def save_health(tx: Transaction, plugin: str, health: Health) -> bool:
    """Store how a plug-in is, and the hosts it found; return whether hosts came, went or changed."""
    tx.connection.execute(
        tx.variant(_UPSERT),
        {
            "name": plugin,
            "condition": health.condition.value,
            "detail": health.detail,
            "versions": json.dumps(dict(health.versions), sort_keys=True),
            "seen_at": tx.timestamp,
        },
    )
    if health.hosts is None:
        return False
    is_news = _put_hosts(tx, plugin, health.hosts)
    for name, host in health.hosts.items():
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


def _put_hosts(tx: Transaction, plugin: str, found: Mapping[HostName, FoundHost]) -> bool:
    rows = tx.connection.execute(SELECT_HOSTS.where(HOSTS.c.plugin == plugin)).all()
    stored = {host.name: host for host in hosts_of(tx.connection, rows)}
    is_news = False
    for name in stored.keys() - found.keys():
        tx.connection.execute(delete(HOSTS).where(HOSTS.c.id == stored[name].id))
        tx.journal("host", stored[name].id)
        is_news = True
    taken = set(tx.connection.scalars(select(HOSTS.c.name).where(HOSTS.c.name.in_(found), HOSTS.c.plugin != plugin)))
    for name, host in found.items():
        if name in taken:
            continue  # registered for another plug-in: it keeps its name, an administrator decides
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
        "ovsdb": f"{plugin}:{name}",
        "datapath_id": tx.rng.randrange(1, 1 << DATAPATH_ID_BITS),
        "plugin": plugin,
        "created_at": tx.timestamp,
        "updated_at": tx.timestamp,
        "revision_number": 1,
    }
