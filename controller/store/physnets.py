"""Which physical networks has a host, and which OpenFlow number has its way to each?

A number belongs to the way, the patch pair between our bridge and one provider bridge, and stays with it whatever is
added, removed or put into another order: flows that name it would else lead into another physical network for a moment.
For the same reason the number of a way that goes is not the one of a way that comes with the same change.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    CheckConstraint,
    Column,
    ColumnElement,
    ForeignKey,
    Integer,
    String,
    Table,
    UniqueConstraint,
    and_,
    delete,
    exists,
    insert,
    or_,
    select,
)

from controller.records import OfPort, Physnet
from controller.store.schema import METADATA, SEGMENTS
from controller.store.transaction import Transaction

PATCH_OFPORTS = range(65_200, 65_278)
"""Above the numbers of bindings, below those of tunnels; OVS assigns none of them by itself
(ovs-vswitchd.conf.db(5) Interface:ofport_request)."""
MOST_PHYSNETS = len(PATCH_OFPORTS)

PHYSNETS = Table(
    "physnets",
    METADATA,
    Column("host_id", ForeignKey("hosts.id", ondelete="CASCADE"), primary_key=True),
    Column("name", String(64), primary_key=True),
    Column("bridge", String(15), nullable=False),
    Column("ofport", Integer, nullable=False),
    # Place in the list the administrator gave.
    Column("position", Integer, nullable=False),
    UniqueConstraint("host_id", "bridge"),
    UniqueConstraint("host_id", "ofport"),
    CheckConstraint("ofport BETWEEN 65200 AND 65277", name="ofport_of_patches"),
)


def numbered(wanted: Sequence[tuple[str, str]], before: Sequence[Physnet] = ()) -> tuple[Physnet, ...]:
    """Return physical networks with the numbers of their ways.

    Args:
        wanted: Names and bridges, at most `MOST_PHYSNETS`, no bridge twice.
        before: What the host had until now.
    """
    kept = {physnet.bridge: physnet.ofport for physnet in before}
    staying = {kept[bridge] for _, bridge in wanted if bridge in kept}
    leaving = set(kept.values()) - staying
    free = iter(sorted(set(PATCH_OFPORTS) - staying, key=lambda ofport: (ofport in leaving, ofport)))
    return tuple(
        Physnet(name=name, bridge=bridge, ofport=kept[bridge] if bridge in kept else OfPort(next(free)))
        for name, bridge in wanted
    )


def store_physnets(tx: Transaction, host_id: str, physnets: Sequence[Physnet]) -> None:
    """Let these be the physical networks of a host."""
    tx.connection.execute(delete(PHYSNETS).where(PHYSNETS.c.host_id == host_id))
    rows = [
        {"host_id": host_id, "name": one.name, "bridge": one.bridge, "ofport": one.ofport, "position": position}
        for position, one in enumerate(physnets)
    ]
    if rows:
        tx.connection.execute(insert(PHYSNETS), rows)


def has_way(network_id: ColumnElement[Any], host_id: ColumnElement[Any]) -> ColumnElement[bool]:
    """Whether a host has a way to a network: one of its segments is an overlay, or on a physical network of the host.

    Neutron, too, binds a port only where some segment can be realised.
    """
    ways = SEGMENTS.outerjoin(
        PHYSNETS, and_(PHYSNETS.c.name == SEGMENTS.c.physical_network, PHYSNETS.c.host_id == host_id)
    )
    is_way = or_(SEGMENTS.c.physical_network.is_(None), PHYSNETS.c.name.is_not(None))
    return exists(select(SEGMENTS.c.key).select_from(ways).where(SEGMENTS.c.network_id == network_id, is_way))
