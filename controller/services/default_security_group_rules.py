"""What can a caller do with the template of new security groups?

Each of its rules says whether projects' default groups start with it, all other groups, or both (Neutron extension
security-groups-default-rules). Groups that exist do not change with the template. Only administrators change it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, insert, or_, select
from sqlalchemy import delete as sql_delete

from controller.caller import Caller
from controller.policy.words import Target
from controller.security_errors import DefaultSecurityGroupRuleExists, DefaultSecurityGroupRuleNotFound
from controller.services import listing, rule_checks
from controller.services.query import Query
from controller.services.rules import authorize, check_revision, each
from controller.services.security_group_rules import check_remotes
from controller.services.security_groups import PARENT
from controller.store.loading import instant
from controller.store.schema import DEFAULT_SECURITY_GROUP_RULES
from controller.store.transaction import Transaction

_USES = ("used_in_default_sg", "used_in_non_default_sg")


@dataclass(frozen=True, slots=True, kw_only=True)
class DefaultRule:
    """One rule of the template; what it matches by is as in ``SecurityGroupRule``."""

    id: str
    direction: str
    ethertype: str
    protocol: str | None
    port_range_min: int | None
    port_range_max: int | None
    remote_ip_prefix: str | None
    remote_group_id: str | None
    """A group's id, or PARENT: the new group itself."""
    remote_address_group_id: str | None
    used_in_default_sg: bool
    used_in_non_default_sg: bool
    description: str
    created_at: datetime
    updated_at: datetime
    revision_number: int


RESOURCE = listing.Resource(
    rows=select(DEFAULT_SECURITY_GROUP_RULES),
    table=DEFAULT_SECURITY_GROUP_RULES,
    columns={column.name: column for column in DEFAULT_SECURITY_GROUP_RULES.columns},
    not_found=DefaultSecurityGroupRuleNotFound,
    rule="get_default_security_group_rule",
)


def create(tx: Transaction, caller: Caller, wanted: Mapping[str, Any]) -> DefaultRule:
    """Add a rule to the template.

    Raises:
        PolicyNotAuthorized, SecurityGroupNotFound, AddressGroupNotFound, and what ``rule_checks.clause`` raises
        DefaultSecurityGroupRuleExists: a rule used for the same groups says the same.
    """
    authorize(caller, "create_default_security_group_rule", Target())
    clause = rule_checks.clause(wanted)
    if clause["remote_group_id"] != PARENT:
        check_remotes(tx, caller, clause)
    uses = {name: wanted[name] for name in _USES}
    _check_new(tx, clause, uses)
    rule = DefaultRule(
        id=tx.new_id(),
        **clause,
        **uses,
        description=wanted["description"],
        created_at=tx.now,
        updated_at=tx.now,
        revision_number=0,
    )
    row = clause | uses | {"id": rule.id, "description": rule.description, "revision_number": rule.revision_number}
    row |= {"created_at": tx.timestamp, "updated_at": tx.timestamp}
    tx.connection.execute(insert(DEFAULT_SECURITY_GROUP_RULES), row)
    return rule


def create_many(tx: Transaction, caller: Caller, wanted: Sequence[Mapping[str, Any]]) -> list[DefaultRule]:
    """Add all rules or none; ``create`` says what may be raised."""
    return each(create, tx, caller, wanted)


def get(tx: Transaction, caller: Caller, object_id: str) -> DefaultRule:
    """Return one rule of the template.

    Raises:
        DefaultSecurityGroupRuleNotFound: there is none.
    """
    return _record(listing.one(tx, caller, RESOURCE, object_id))


def find(tx: Transaction, caller: Caller, query: Query) -> list[DefaultRule]:
    """Return the rules a query asks for.

    Raises:
        DefaultSecurityGroupRuleNotFound: the marker is no rule of the template.
        InvalidInput: a filter or sort name is unknown.
    """
    return [_record(row) for row in listing.many(tx, caller, RESOURCE, query)]


def delete(tx: Transaction, caller: Caller, object_id: str, *, if_revision: int | None = None) -> None:
    """Remove a rule from the template; groups that have it keep it.

    Raises:
        DefaultSecurityGroupRuleNotFound, PolicyNotAuthorized, RevisionNumberConstraintFailed
    """
    row = listing.one(tx, caller, RESOURCE, object_id, lock=True)
    authorize(caller, "delete_default_security_group_rule", Target())
    check_revision(if_revision, row.revision_number)
    tx.connection.execute(sql_delete(DEFAULT_SECURITY_GROUP_RULES).where(DEFAULT_SECURITY_GROUP_RULES.c.id == row.id))


def _check_new(tx: Transaction, clause: Mapping[str, Any], uses: Mapping[str, bool]) -> None:
    """Two rules used for the same groups must not say the same: a new group could not have both."""
    shared = [DEFAULT_SECURITY_GROUP_RULES.c[name] for name, is_used in uses.items() if is_used]
    if not shared:
        return
    wanted = rule_checks.likeness(clause)
    for row in tx.connection.execute(select(DEFAULT_SECURITY_GROUP_RULES).where(or_(*shared))).mappings():
        if rule_checks.likeness(dict(row)) == wanted:
            raise DefaultSecurityGroupRuleExists(row["id"])


def _record(row: Row[Any]) -> DefaultRule:
    values = dict(row._mapping)  # noqa: SLF001  (SQLAlchemy's public name for a row by column)
    return DefaultRule(
        **values | {"created_at": instant(values["created_at"]), "updated_at": instant(values["updated_at"])}
    )
