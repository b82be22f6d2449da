"""Which security groups guard a port, and may they?

Neutron's rules about port security, security groups and allowed address pairs of a port. Ports of the network itself
(owner ``network:*``) are trusted and get no group when they are made.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from sqlalchemy import Select, bindparam, select

from controller.caller import Caller
from controller.policy.expression import Expression
from controller.records import Port, RuleKey
from controller.security_errors import (
    AddressPairAndPortSecurityRequired,
    PortSecurityAndIPRequiredForSecurityGroups,
    PortSecurityPortHasSecurityGroup,
    SecurityGroupConflict,
    SecurityGroupNotFound,
)
from controller.services import listing, sharing, visibility
from controller.services.security_groups import ensure_default
from controller.services.sentinels import AUTO, Sentinel
from controller.store.rulesets import NO_GROUP, GroupRef, ruleset_of
from controller.store.schema import SECURITY_GROUPS
from controller.store.transaction import Transaction

TRUSTED_OWNER = "network:"
"""Begin of the owners of the network's own ports (Neutron API reference, ports, device_owner)."""

# The rows are held until the commit: a group cannot be deleted while a port gets it.
_ASKED = (
    select(SECURITY_GROUPS.c.id, SECURITY_GROUPS.c.key, SECURITY_GROUPS.c.stateful)
    .where(SECURITY_GROUPS.c.id.in_(bindparam("asked", expanding=True)))
    .with_for_update(read=True, key_share=True)
)
_FACTS = visibility.of_shareable(SECURITY_GROUPS, sharing.SECURITY_GROUP, bindparam("project"))


@cache
def _asked_by(rule: Expression) -> Select[Any]:
    return _ASKED if rule is True else _ASKED.where(listing.where(rule, _FACTS))


@dataclass(frozen=True, slots=True, kw_only=True)
class Groups:
    """The security groups of a port."""

    ruleset: RuleKey
    ids: tuple[str, ...]
    """Sorted."""


NONE = Groups(ruleset=NO_GROUP, ids=())


def of_new_port(
    tx: Transaction,
    caller: Caller,
    wanted: Mapping[str, Any],
    *,
    port_security_enabled: bool,
    known: dict[str | tuple[str, ...], Groups] | None = None,
) -> Groups:
    """Return the groups of a port about to be made: those asked for, or its project's default group.

    Args:
        tx: The transaction the port is made in.
        caller: Whoever asks.
        wanted: What is asked for.
        port_security_enabled: The port's own, or its network's; never of a port of the network itself.
        known: What other ports of the same transaction asked for, with the answers; many ports that ask for the same
            groups cost one look.

    Raises:
        AddressPairAndPortSecurityRequired, PortSecurityAndIPRequiredForSecurityGroups, SecurityGroupNotFound,
        SecurityGroupConflict
    """
    asked = wanted.get("security_group_ids", AUTO)
    if not port_security_enabled:
        if wanted["allowed_address_pairs"]:
            raise AddressPairAndPortSecurityRequired
        is_trusted = wanted["device_owner"].startswith(TRUSTED_OWNER)
        if not isinstance(asked, Sentinel) and asked and not is_trusted:
            raise PortSecurityAndIPRequiredForSecurityGroups
        return NONE
    question = wanted["project_id"] if isinstance(asked, Sentinel) else tuple(asked)
    if known is not None and question in known:
        return known[question]
    groups = _default(tx, question) if isinstance(question, str) else _asked(tx, caller, question)
    if known is not None:
        known[question] = groups
    return groups


def of_changed_port(tx: Transaction, caller: Caller, port: Port, changes: Mapping[str, Any]) -> Port:
    """Return a port with the groups its changes ask for; everything else of it has been changed already.

    Raises:
        AddressPairAndPortSecurityRequired, PortSecurityAndIPRequiredForSecurityGroups,
        PortSecurityPortHasSecurityGroup, SecurityGroupNotFound, SecurityGroupConflict
    """
    asked = changes.get("security_group_ids")
    if not port.port_security_enabled:
        if port.allowed_address_pairs:
            raise AddressPairAndPortSecurityRequired
        if asked:
            raise PortSecurityAndIPRequiredForSecurityGroups
        if asked is None and port.security_group_ids:
            raise PortSecurityPortHasSecurityGroup
    if asked is None or sorted(set(asked)) == list(port.security_group_ids):
        return port
    groups = _asked(tx, caller, asked)
    return replace(port, ruleset=groups.ruleset, security_group_ids=groups.ids)


def _default(tx: Transaction, project_id: str) -> Groups:
    group = ensure_default(tx, project_id)
    return Groups(ruleset=group.key, ids=(group.id,))


def _asked(tx: Transaction, caller: Caller, asked: Sequence[str]) -> Groups:
    """Return groups by their ids, if the caller may see them all."""
    if not asked:
        return NONE
    seen = _asked_by(caller.rights.rule("get_security_group"))
    rows = tx.connection.execute(seen, {"asked": list(asked), "project": caller.project_id}).all()
    missing = set(asked) - {row.id for row in rows}
    if missing:
        raise SecurityGroupNotFound(", ".join(sorted(missing)))
    if len({bool(row.stateful) for row in rows}) > 1:
        raise SecurityGroupConflict(
            "Cannot apply both stateful and stateless security groups on the same port at the same time"
        )
    ruleset = ruleset_of(tx, [GroupRef(id=row.id, key=RuleKey(row.key)) for row in rows])
    return Groups(ruleset=ruleset, ids=tuple(sorted(row.id for row in rows)))
