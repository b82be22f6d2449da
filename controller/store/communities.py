"""Which number stands for a community of a private VLAN?

A community is a name in one network (RFC 5517 section 3). Its key comes from the counter of rule keys, is stored while
a port has it, and is never given twice: it lives in registers on every host.
"""

from sqlalchemy import bindparam, delete, exists, select

from controller.records import RuleKey
from controller.store.dialects import insert_or_ignore
from controller.store.rulesets import FIRST_KEY, next_key
from controller.store.schema import COMMUNITIES, PORTS
from controller.store.transaction import Transaction

# Whoever puts a port into a community holds its row: else another transaction could remove it with its last other port.
_FIND = (
    select(COMMUNITIES.c.key)
    .where(COMMUNITIES.c.network_id == bindparam("of_network"), COMMUNITIES.c.name == bindparam("wanted"))
    .with_for_update(read=True, key_share=True)
)
_ADD = insert_or_ignore(
    COMMUNITIES, conflict=(COMMUNITIES.c.network_id, COMMUNITIES.c.name), returning=(COMMUNITIES.c.key,)
)
_LOCK = select(COMMUNITIES.c.key).where(COMMUNITIES.c.key == bindparam("left")).with_for_update()
_REMOVE_UNUSED = delete(COMMUNITIES).where(
    COMMUNITIES.c.key == bindparam("left"), ~exists(select(PORTS.c.key).where(PORTS.c.role == COMMUNITIES.c.key))
)


def community_key(tx: Transaction, network_id: str, name: str) -> RuleKey:
    """Return the key of a community; one no port has yet is stored.

    Raises:
        RuleKeyExhausted: every number was given.
    """
    while True:
        key = tx.connection.execute(_FIND, {"of_network": network_id, "wanted": name}).scalar()
        if key is None:
            row = {"key": next_key(tx), "network_id": network_id, "name": name}
            key = tx.connection.execute(tx.variant(_ADD), row).scalar()
        if key is not None:  # else another transaction has just stored it
            return RuleKey(key)


def forget_unused_community(tx: Transaction, role: int) -> None:
    """Remove a community that a port has just left, unless other ports have it."""
    if role < FIRST_KEY or tx.connection.execute(_LOCK, {"left": role}).first() is None:
        return
    tx.connection.execute(_REMOVE_UNUSED, {"left": role})


def forget_communities(tx: Transaction, network_id: str) -> None:
    """Remove every community of a network whose ports have left them."""
    tx.connection.execute(delete(COMMUNITIES).where(COMMUNITIES.c.network_id == network_id))
