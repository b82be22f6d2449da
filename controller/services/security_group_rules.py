"""What can a caller do with the rules of security groups?

A change of a rule is a change of its group: the group's revision grows and the journal names the group. Rules belong
to whoever the group belongs to, whatever project a rule itself was made in.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from sqlalchemy import Row, insert, select
from sqlalchemy import delete as sql_delete
from sqlalchemy import update as sql_update

from controller.caller import Caller
from controller.policy.words import Target
from controller.records import SecurityGroupRule
from controller.security_errors import (
    DuplicateSecurityGroupRuleInPost,
    SecurityGroupNotSingleGroupRules,
    SecurityGroupRuleExists,
    SecurityGroupRuleNotFound,
    SecurityGroupRulesNotSingleProject,
)
from controller.services import address_groups, listing, quotas, realisation, rule_checks, security_groups
from controller.services.query import Query
from controller.services.rules import authorize, check_revision
from controller.store.loading import security_group_rule_of
from controller.store.schema import ADDRESS_GROUPS, SECURITY_GROUP_RULES, SECURITY_GROUPS
from controller.store.transaction import Transaction

_RULES_OF_GROUP = select(SECURITY_GROUP_RULES)

RESOURCE = listing.Resource(
    rows=select(SECURITY_GROUP_RULES).select_from(
        SECURITY_GROUP_RULES.join(SECURITY_GROUPS, SECURITY_GROUPS.c.id == SECURITY_GROUP_RULES.c.security_group_id)
    ),
    table=SECURITY_GROUP_RULES,
    columns={column.name: column for column in SECURITY_GROUP_RULES.columns}
    | {"belongs_to_default_sg": SECURITY_GROUPS.c.is_default},
    not_found=SecurityGroupRuleNotFound,
    rule="get_security_group_rule",
    facts=lambda caller: {
        "owner": SECURITY_GROUP_RULES.c.project_id == caller.project_id,
        "group_owner": SECURITY_GROUPS.c.project_id == caller.project_id,
    },
)


def create(tx: Transaction, caller: Caller, wanted: Mapping[str, Any]) -> SecurityGroupRule:
    """Add a rule to a group; ``create_many`` says what may be raised."""
    return create_many(tx, caller, [wanted])[0]


def create_many(tx: Transaction, caller: Caller, wanted: Sequence[Mapping[str, Any]]) -> list[SecurityGroupRule]:
    """Add all rules to one group or none.

    Raises:
        SecurityGroupNotFound, AddressGroupNotFound, PolicyNotAuthorized, OverQuota
        and what ``rule_checks.clause`` raises
        SecurityGroupNotSingleGroupRules, SecurityGroupRulesNotSingleProject: not all go into one group.
        SecurityGroupRuleExists, DuplicateSecurityGroupRuleInPost: two rules say the same.
        FeatureNotSupportedByPlugin: ports have the group whose network's plug-in has no address groups.
    """
    if len({one["security_group_id"] for one in wanted}) > 1:
        raise SecurityGroupNotSingleGroupRules
    if len({one["project_id"] for one in wanted}) > 1:
        raise SecurityGroupRulesNotSingleProject
    group_id = wanted[0]["security_group_id"]
    made = [_checked(tx, caller, one) for one in wanted]
    group = listing.one(tx, caller, security_groups.RESOURCE, group_id, lock=True)
    target = Target(project_id=wanted[0]["project_id"], group_project_id=group.project_id)
    for one in wanted:
        authorize(caller, "create_security_group_rule", target, one)
    quotas.reserve(tx, "security_group_rule", wanted[0]["project_id"], len(made))
    _check_new(tx, group_id, made)
    rows = [asdict(rule) | _stored(tx, rule) for rule in made]
    tx.connection.execute(insert(SECURITY_GROUP_RULES), rows)
    if any(rule.remote_address_group_id for rule in made):
        realisation.check_rules(tx, [group_id])
    security_groups.bump(tx, group_id)
    return made


def get(tx: Transaction, caller: Caller, object_id: str) -> SecurityGroupRule:
    """Return one rule.

    Raises:
        SecurityGroupRuleNotFound: not for this caller.
    """
    return security_group_rule_of(listing.one(tx, caller, RESOURCE, object_id))


def find(tx: Transaction, caller: Caller, query: Query) -> list[SecurityGroupRule]:
    """Return the rules a query asks for, with one statement.

    Raises:
        SecurityGroupRuleNotFound: the marker is no rule of this caller.
        InvalidInput: a filter or sort name is unknown.
    """
    return [security_group_rule_of(row) for row in listing.many(tx, caller, RESOURCE, query)]


def in_default_groups(tx: Transaction, rules: Sequence[SecurityGroupRule]) -> frozenset[str]:
    """Return which of the rules' groups are default groups (extension security-groups-rules-belongs-to-default-sg)."""
    group_ids = {rule.security_group_id for rule in rules}
    found = select(SECURITY_GROUPS.c.id).where(SECURITY_GROUPS.c.is_default)
    if len(group_ids) == 1:
        found = found.where(SECURITY_GROUPS.c.id.in_(group_ids))
    return frozenset(tx.connection.scalars(found)) if group_ids else frozenset()


def update(
    tx: Transaction, caller: Caller, object_id: str, changes: Mapping[str, Any], *, if_revision: int | None = None
) -> SecurityGroupRule:
    """Change a rule's description; nothing else of a rule can change.

    Raises:
        SecurityGroupRuleNotFound, PolicyNotAuthorized, RevisionNumberConstraintFailed
    """
    old = security_group_rule_of(listing.one(tx, caller, RESOURCE, object_id, lock=True))
    authorize(caller, "update_security_group_rule", lambda: _target(tx, old), changes)
    check_revision(if_revision, old.revision_number)
    new = replace(old, description=changes.get("description", old.description))
    if new == old:
        return old
    new = replace(new, updated_at=tx.now, revision_number=old.revision_number + 1)
    values = {
        "description": new.description,
        "updated_at": tx.timestamp,
        "revision_number": new.revision_number,
    }
    tx.connection.execute(sql_update(SECURITY_GROUP_RULES).where(SECURITY_GROUP_RULES.c.id == old.id).values(values))
    security_groups.bump(tx, old.security_group_id)
    return new


def delete(tx: Transaction, caller: Caller, object_id: str, *, if_revision: int | None = None) -> None:
    """Remove a rule from its group.

    Raises:
        SecurityGroupRuleNotFound, PolicyNotAuthorized, RevisionNumberConstraintFailed
    """
    row = listing.one(tx, caller, RESOURCE, object_id, lock=True)
    authorize(caller, "delete_security_group_rule", lambda: _target(tx, row))
    check_revision(if_revision, row.revision_number)
    tx.connection.execute(sql_delete(SECURITY_GROUP_RULES).where(SECURITY_GROUP_RULES.c.id == row.id))
    security_groups.bump(tx, row.security_group_id)


def check_remotes(tx: Transaction, caller: Caller, clause: Mapping[str, Any]) -> None:
    """Refuse a rule about members of a group the caller may not see; the groups' rows are held until the commit.

    Raises:
        SecurityGroupNotFound, AddressGroupNotFound
    """
    for remote, resource, table in (
        (clause["remote_group_id"], security_groups.RESOURCE, SECURITY_GROUPS),
        (clause["remote_address_group_id"], address_groups.RESOURCE, ADDRESS_GROUPS),
    ):
        if remote is not None:
            seen = listing.visible(resource, caller).where(table.c.id == remote)
            if tx.connection.execute(seen.with_for_update(read=True, key_share=True)).first() is None:
                raise resource.not_found(remote)


def _target(tx: Transaction, rule: SecurityGroupRule | Row[Any]) -> Target:
    owner = select(SECURITY_GROUPS.c.project_id).where(SECURITY_GROUPS.c.id == rule.security_group_id)
    return Target(project_id=rule.project_id, group_project_id=tx.connection.scalar(owner))


def _checked(tx: Transaction, caller: Caller, wanted: Mapping[str, Any]) -> SecurityGroupRule:
    clause = rule_checks.clause(wanted)
    check_remotes(tx, caller, clause)
    return SecurityGroupRule(
        id=tx.new_id(),
        project_id=wanted["project_id"],
        security_group_id=wanted["security_group_id"],
        description=wanted["description"],
        created_at=tx.now,
        updated_at=tx.now,
        revision_number=0,
        **clause,
    )


def _stored(tx: Transaction, rule: SecurityGroupRule) -> dict[str, Any]:
    return {
        "normalized_cidr": rule_checks.normalized_cidr(rule.remote_ip_prefix),
        "created_at": tx.timestamp,
        "updated_at": tx.timestamp,
    }


def _check_new(tx: Transaction, group_id: str, rules: Sequence[SecurityGroupRule]) -> None:
    asked = {rule_checks.likeness(asdict(rule)) for rule in rules}
    if len(asked) < len(rules):
        raise DuplicateSecurityGroupRuleInPost
    of_group = _RULES_OF_GROUP.where(SECURITY_GROUP_RULES.c.security_group_id == group_id)
    for row in tx.connection.execute(of_group).mappings():
        if rule_checks.likeness(dict(row)) in asked:
            raise SecurityGroupRuleExists(row["id"])
