"""Which number stands for the security groups of a port?

Keys of security groups, of sets of groups and of address groups come from one counter and are never given twice: they
live in registers, conjunctions and cookies. A port's *ruleset* is 1 without a group, the group's key with one, and the
key of its set with several; a set is stored while a port has it.
"""

import hashlib
import json
from collections.abc import Collection
from dataclasses import dataclass

from sqlalchemy import ColumnElement, bindparam, delete, exists, insert, select

from controller.errors import RuleKeyExhausted
from controller.records import RuleKey
from controller.store.dialects import insert_or_ignore, insert_or_update
from controller.store.schema import (
    COUNTERS,
    PORTS,
    SECURITY_GROUP_SET_MEMBERS,
    SECURITY_GROUP_SETS,
    SECURITY_GROUPS,
)
from controller.store.transaction import Transaction

NO_GROUP = RuleKey(1)
"""The ruleset of a port without a security group (``flows.intent``)."""
FIRST_KEY = 16
LAST_KEY = 2**31 - 1
_COUNTER = "rule_key"

_ADVANCE = insert_or_update(
    COUNTERS,
    conflict=(COUNTERS.c.name,),
    update={"last": COUNTERS.c.last + 1},
    returning=(COUNTERS.c.last,),
)
# Whoever gives a port a set holds its row: else another transaction could remove it with its last other port.
_FIND_SET = (
    select(SECURITY_GROUP_SETS.c.key)
    .where(SECURITY_GROUP_SETS.c.digest == bindparam("wanted"))
    .with_for_update(read=True, key_share=True)
)
_ADD_SET = insert_or_ignore(
    SECURITY_GROUP_SETS, conflict=(SECURITY_GROUP_SETS.c.digest,), returning=(SECURITY_GROUP_SETS.c.key,)
)
_LOCK_SET = select(SECURITY_GROUP_SETS.c.key).where(SECURITY_GROUP_SETS.c.key == bindparam("left")).with_for_update()
_REMOVE_UNUSED_SET = delete(SECURITY_GROUP_SETS).where(
    SECURITY_GROUP_SETS.c.key == bindparam("left"),
    ~exists(select(PORTS.c.key).where(PORTS.c.ruleset == SECURITY_GROUP_SETS.c.key)),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupRef:
    """What a ruleset needs to know of a security group."""

    id: str
    key: RuleKey


def next_key(tx: Transaction) -> RuleKey:
    """Take the next number.

    Raises:
        RuleKeyExhausted: two thousand million were given.
    """
    key = tx.connection.execute(tx.variant(_ADVANCE), {"name": _COUNTER, "last": FIRST_KEY}).scalar_one()
    if key > LAST_KEY:
        raise RuleKeyExhausted
    return RuleKey(key)


def ruleset_of(tx: Transaction, groups: Collection[GroupRef]) -> RuleKey:
    """Return the ruleset of a port with these groups; a set no port has yet is stored."""
    if not groups:
        return NO_GROUP
    if len(groups) == 1:
        return next(iter(groups)).key
    group_ids = sorted(group.id for group in groups)
    digest = hashlib.sha256(",".join(group_ids).encode()).hexdigest()
    while True:
        key = tx.connection.execute(_FIND_SET, {"wanted": digest}).scalar()
        if key is not None:
            return RuleKey(key)
        row = {"key": next_key(tx), "group_ids": json.dumps(group_ids), "digest": digest}
        key = tx.connection.execute(tx.variant(_ADD_SET), row).scalar()
        if key is not None:  # else another transaction has just stored it
            members = [{"set_key": key, "security_group_id": group_id} for group_id in group_ids]
            tx.connection.execute(insert(SECURITY_GROUP_SET_MEMBERS), members)
            return RuleKey(key)


def forget_unused(tx: Transaction, ruleset: int) -> None:
    """Remove a set that a port has just left, unless other ports have it; a group's own key is left alone."""
    if ruleset < FIRST_KEY or tx.connection.execute(_LOCK_SET, {"left": ruleset}).first() is None:
        return
    tx.connection.execute(_REMOVE_UNUSED_SET, {"left": ruleset})


def forget_sets_with(tx: Transaction, group_id: str) -> None:
    """Remove every set that contains a group no port has any more."""
    of_group = select(SECURITY_GROUP_SET_MEMBERS.c.set_key).where(
        SECURITY_GROUP_SET_MEMBERS.c.security_group_id == group_id
    )
    tx.connection.execute(delete(SECURITY_GROUP_SETS).where(SECURITY_GROUP_SETS.c.key.in_(of_group)))


def has_group(group_ids: Collection[str]) -> ColumnElement[bool]:
    """Return the condition "the port has one of these groups", alone or in a set."""
    alone = select(SECURITY_GROUPS.c.key).where(SECURITY_GROUPS.c.id.in_(group_ids))
    in_set = select(SECURITY_GROUP_SET_MEMBERS.c.set_key).where(
        SECURITY_GROUP_SET_MEMBERS.c.security_group_id.in_(group_ids)
    )
    return PORTS.c.ruleset.in_(alone.union_all(in_set))
