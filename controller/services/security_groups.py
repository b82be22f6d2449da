"""What can a caller do with security groups?

Every project has one group called ``default``, made when somebody first looks at the project's groups or makes its
first port. New groups start with the rules of the template (``default_security_group_rules``).
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import bindparam, insert, select
from sqlalchemy import delete as sql_delete
from sqlalchemy import update as sql_update

from controller.caller import Caller
from controller.policy.words import Target
from controller.records import RuleKey, SecurityGroup
from controller.security_errors import (
    SecurityGroupCannotRemoveDefault,
    SecurityGroupCannotUpdateDefault,
    SecurityGroupInUse,
    SecurityGroupNotFound,
)
from controller.services import listing, quotas, rule_checks, sharing, tags, visibility
from controller.services.query import Query
from controller.services.rules import authorize, check_revision, each, may
from controller.store.database import Database
from controller.store.dialects import insert_or_ignore
from controller.store.direct import Direct
from controller.store.loading import SELECT_SECURITY_GROUPS, security_groups_of
from controller.store.rulesets import GroupRef, forget_sets_with, has_group, next_key
from controller.store.schema import (
    DEFAULT_SECURITY_GROUP_RULES,
    IS_DEFAULT,
    NAME_LENGTH,
    PORTS,
    SECURITY_GROUP_RULES,
    SECURITY_GROUPS,
)
from controller.store.transaction import Transaction

DEFAULT_NAME = "default"
DEFAULT_DESCRIPTION = "Default security group"
PARENT = "PARENT"
"""In the template: the new group itself (Neutron extension security-groups-default-rules)."""

_PLAIN_CHANGES = ("name", "description", "stateful")
# Whoever gives a port a group holds the group's row, or it could be deleted meanwhile; so here.
_FIND_DEFAULT = Direct(
    select(SECURITY_GROUPS.c.id, SECURITY_GROUPS.c.key)
    .where(SECURITY_GROUPS.c.project_id == bindparam("owner"), SECURITY_GROUPS.c.is_default)
    .with_for_update(read=True, key_share=True)
)
_LOOK_FOR_DEFAULT = select(SECURITY_GROUPS.c.key).where(
    SECURITY_GROUPS.c.project_id == bindparam("owner"), SECURITY_GROUPS.c.is_default
)
_ADD_DEFAULT = insert_or_ignore(
    SECURITY_GROUPS, conflict=(SECURITY_GROUPS.c.project_id,), where=IS_DEFAULT, returning=(SECURITY_GROUPS.c.key,)
)

RESOURCE = listing.Resource(
    rows=SELECT_SECURITY_GROUPS,
    table=SECURITY_GROUPS,
    columns={column.name: column for column in SECURITY_GROUPS.columns},
    not_found=SecurityGroupNotFound,
    rule="get_security_group",
    facts=visibility.of_shared(SECURITY_GROUPS, sharing.SECURITY_GROUP),
    caller_conditions={"shared": sharing.filter_shared(sharing.SECURITY_GROUP, SECURITY_GROUPS.c.id)},
    conditions=tags.conditions(SECURITY_GROUPS),
)


def create(tx: Transaction, caller: Caller, wanted: Mapping[str, Any]) -> SecurityGroup:
    """Create a security group with the rules of the template.

    Raises:
        PolicyNotAuthorized, RuleKeyExhausted
        OverQuota: of groups, or of the rules it starts with.
    """
    authorize(caller, "create_security_group", Target(project_id=wanted["project_id"]), wanted)
    quotas.reserve(tx, "security_group", wanted["project_id"])
    ensure_default(tx, wanted["project_id"])
    row = _row(tx, wanted["project_id"]) | {name: wanted[name] for name in _PLAIN_CHANGES} | {"is_default": False}
    tx.connection.execute(insert(SECURITY_GROUPS), row)
    _add_template(tx, row, used_in=DEFAULT_SECURITY_GROUP_RULES.c.used_in_non_default_sg.name)
    quotas.reserve(tx, "security_group_rule", wanted["project_id"], 0)
    tx.journal("security_group", row["id"])
    return _load(tx, row["id"])


def create_many(tx: Transaction, caller: Caller, wanted: Sequence[Mapping[str, Any]]) -> list[SecurityGroup]:
    """Create all groups or none; ``create`` says what may be raised."""
    return each(create, tx, caller, wanted)


def get(tx: Transaction, caller: Caller, object_id: str) -> SecurityGroup:
    """Return one security group with its rules.

    Raises:
        SecurityGroupNotFound: not for this caller.
    """
    return security_groups_of(tx.connection, [listing.one(tx, caller, RESOURCE, object_id)])[0]


def find(tx: Transaction, caller: Caller, query: Query) -> list[SecurityGroup]:
    """Return the groups a query asks for with their rules, with two statements whatever their number.

    Raises:
        SecurityGroupNotFound: the marker is no group of this caller.
        InvalidInput: a filter or sort name is unknown.
    """
    return security_groups_of(tx.connection, listing.many(tx, caller, RESOURCE, query))


def before_listing(database: Database, caller: Caller, query: Query) -> None:
    """Make the default group of the project a list is about, when somebody first looks.

    An administrator may look at any project, which need not exist (Neutron does so too).
    """
    asked = [str(value) for one in query.filters if one.name == "project_id" for value in one.values]
    project_id = asked[0] if asked else caller.project_id
    target = Target(project_id=project_id)
    if not _may_own(project_id) or not may(caller, "create_default_security_group", target):
        return
    with database.read() as tx:
        if tx.connection.execute(_LOOK_FOR_DEFAULT, {"owner": project_id}).first() is not None:
            return
    database.carry_out(lambda tx: ensure_default(tx, project_id))


def _may_own(project_id: str) -> bool:
    """Say whether text from a query can be the id of a project at all; what cannot be stored owns nothing."""
    return bool(project_id.strip()) and len(project_id) <= NAME_LENGTH and not {"\x00", "\ufffd"} & set(project_id)


def update(
    tx: Transaction, caller: Caller, object_id: str, changes: Mapping[str, Any], *, if_revision: int | None = None
) -> SecurityGroup:
    """Change a security group; a change to the same values leaves its revision alone.

    Raises:
        SecurityGroupNotFound, PolicyNotAuthorized, RevisionNumberConstraintFailed, SecurityGroupCannotUpdateDefault
        SecurityGroupInUse: ports have the group, so that it stays stateful, or stateless.
    """
    row = listing.one(tx, caller, RESOURCE, object_id, lock=True)
    old = security_groups_of(tx.connection, [row])[0]
    authorize(caller, "update_security_group", Target(project_id=old.project_id), changes)
    check_revision(if_revision, old.revision_number)
    values = {name: changes[name] for name in _PLAIN_CHANGES if name in changes}
    if values.get("stateful", old.stateful) != old.stateful:
        _check_unused(tx, old.id)
    if row.is_default and "name" in values:
        raise SecurityGroupCannotUpdateDefault
    new = replace(old, **values)
    if new == old:
        return old
    tx.connection.execute(sql_update(SECURITY_GROUPS).where(SECURITY_GROUPS.c.id == old.id).values(values))
    bump(tx, old.id)
    return replace(new, updated_at=tx.now, revision_number=old.revision_number + 1)


def delete(tx: Transaction, caller: Caller, object_id: str, *, if_revision: int | None = None) -> None:
    """Delete a security group with its rules, and the rules of other groups whose peers are its members.

    Raises:
        SecurityGroupNotFound, PolicyNotAuthorized, RevisionNumberConstraintFailed
        SecurityGroupInUse: ports have it.
        SecurityGroupCannotRemoveDefault: the caller is no administrator.
    """
    row = listing.one(tx, caller, RESOURCE, object_id, lock=True)
    authorize(caller, "delete_security_group", Target(project_id=row.project_id))
    check_revision(if_revision, row.revision_number)
    _check_unused(tx, row.id)
    if row.is_default and not caller.is_admin:
        raise SecurityGroupCannotRemoveDefault
    refers = SECURITY_GROUP_RULES.c.remote_group_id == row.id
    referring = select(SECURITY_GROUP_RULES.c.security_group_id).distinct().where(refers)
    for group_id in list(tx.connection.scalars(referring)):
        bump(tx, group_id)
    template = DEFAULT_SECURITY_GROUP_RULES
    tx.connection.execute(sql_delete(template).where(template.c.remote_group_id == row.id))
    forget_sets_with(tx, row.id)
    sharing.forget(tx, row.id)
    tx.connection.execute(sql_delete(SECURITY_GROUPS).where(SECURITY_GROUPS.c.id == row.id))
    tx.journal("security_group", row.id)


def ensure_default(tx: Transaction, project_id: str) -> GroupRef:
    """Return the project's default group, made now if there is none; one indexed statement when there is."""
    found = _FIND_DEFAULT.first(tx.connection, {"owner": project_id})
    if found is None:
        row = _row(tx, project_id) | {
            "name": DEFAULT_NAME,
            "description": DEFAULT_DESCRIPTION,
            "stateful": True,
            "is_default": True,
        }
        if tx.connection.execute(tx.variant(_ADD_DEFAULT), row).first() is not None:
            _add_template(tx, row, used_in=DEFAULT_SECURITY_GROUP_RULES.c.used_in_default_sg.name)
            tx.journal("security_group", row["id"])
        # Only PostgreSQL lets another transaction make it in between; its row is there now.
        found = _FIND_DEFAULT.first(tx.connection, {"owner": project_id})
    return GroupRef(id=found.id, key=RuleKey(found.key))


def bump(tx: Transaction, group_id: str) -> None:
    """Note in a group's revision that it or one of its rules changed, as Neutron does."""
    tx.connection.execute(
        sql_update(SECURITY_GROUPS)
        .where(SECURITY_GROUPS.c.id == group_id)
        .values(revision_number=SECURITY_GROUPS.c.revision_number + 1, updated_at=tx.timestamp)
    )
    tx.journal("security_group", group_id)


def _load(tx: Transaction, group_id: str) -> SecurityGroup:
    rows = tx.connection.execute(SELECT_SECURITY_GROUPS.where(SECURITY_GROUPS.c.id == group_id)).all()
    return security_groups_of(tx.connection, rows)[0]


def _row(tx: Transaction, project_id: str) -> dict[str, Any]:
    return {
        "key": next_key(tx),
        "id": tx.new_id(),
        "project_id": project_id,
        "created_at": tx.timestamp,
        "updated_at": tx.timestamp,
        "revision_number": 1,
    }


def _add_template(tx: Transaction, group: Mapping[str, Any], *, used_in: str) -> None:
    template = DEFAULT_SECURITY_GROUP_RULES
    rows = [
        {name: values[name] for name in rule_checks.CLAUSE}
        | {
            "id": tx.new_id(),
            "project_id": group["project_id"],
            "security_group_id": group["id"],
            "normalized_cidr": rule_checks.normalized_cidr(values["remote_ip_prefix"]),
            "remote_group_id": group["id"] if values["remote_group_id"] == PARENT else values["remote_group_id"],
            "description": "",
            "created_at": tx.timestamp,
            "updated_at": tx.timestamp,
            "revision_number": 0,
        }
        for values in tx.connection.execute(select(template).where(template.c[used_in])).mappings()
    ]
    if rows:
        tx.connection.execute(insert(SECURITY_GROUP_RULES), rows)


def _check_unused(tx: Transaction, group_id: str) -> None:
    if tx.connection.execute(select(PORTS.c.key).where(has_group([group_id])).limit(1)).first() is not None:
        raise SecurityGroupInUse(group_id)
