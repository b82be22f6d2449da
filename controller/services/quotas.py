"""How many objects may a project have, and has it room for more?

Neutron API reference, quotas; extensions quotas, quota_details, quota-check-limit-default. What a project has is
counted where it is stored, in the transaction that adds to it, so that no counter can be wrong; the count ends where
the limit does, and where there is no limit nothing is counted.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import BindParameter, Table, bindparam, func, insert, literal, select
from sqlalchemy import delete as sql_delete

from controller.caller import Caller
from controller.errors import OverQuota, ProjectQuotaNotFound, QuotaBelowUsed
from controller.policy.words import Target
from controller.services.rules import authorize, check_owner
from controller.store.direct import Direct
from controller.store.ipam_schema import IP_RESERVATIONS
from controller.store.pools_schema import SUBNETPOOLS
from controller.store.quotas import NO_LIMIT, QUOTA_RESOURCES, QUOTAS
from controller.store.schema import NETWORKS, PORTS, SECURITY_GROUP_RULES, SECURITY_GROUPS, SUBNETS
from controller.store.sharing import RBAC_POLICIES
from controller.store.transaction import Transaction

_COUNTED: Mapping[str, Table] = {
    "network": NETWORKS,
    "subnet": SUBNETS,
    "port": PORTS,
    "security_group": SECURITY_GROUPS,
    "security_group_rule": SECURITY_GROUP_RULES,
    "subnetpool": SUBNETPOOLS,
    "rbac_policy": RBAC_POLICIES,
    "ip_reservation": IP_RESERVATIONS,
}
"""Where the objects of a resource are; what is not here does not exist yet, and nobody has any."""
_OWNER: BindParameter[str] = bindparam("owner")
_LIMIT = Direct(select(QUOTAS.c.limit).where(QUOTAS.c.project_id == _OWNER, QUOTAS.c.resource == bindparam("resource")))
_LIMITS = select(QUOTAS.c.resource, QUOTAS.c.limit).where(QUOTAS.c.project_id == _OWNER)
_AT_MOST = {
    name: select(func.count()).select_from(
        select(literal(1)).where(table.c.project_id == _OWNER).limit(bindparam("at_most")).subquery()
    )
    for name, table in _COUNTED.items()
}
_USED = {
    name: select(func.count()).select_from(table).where(table.c.project_id == _OWNER)
    for name, table in _COUNTED.items()
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """A project's limit of one resource, and how many it has."""

    limit: int
    used: int


def reserve(tx: Transaction, resource: str, project_id: str, count: int = 1) -> None:
    """Refuse to add ``count`` objects to a project that has no room for them; 0 when they are stored already.

    Raises:
        OverQuota: it has not.
    """
    own = _LIMIT.first(tx.connection, {"owner": project_id, "resource": resource})
    limit = dict(tx.settings.quotas).get(resource, NO_LIMIT) if own is None else own.limit
    if limit == NO_LIMIT:
        return
    if tx.connection.dialect.name == "postgresql":
        # Where writers do not queue, two could each count what the other is about to add to.
        tx.connection.execute(select(func.pg_advisory_xact_lock(func.hashtext(resource), func.hashtext(project_id))))
    room = max(0, limit - count) + 1
    used = tx.connection.execute(_AT_MOST[resource], {"owner": project_id, "at_most": room}).scalar_one()
    if used + count > limit:
        raise OverQuota(resource)


def defaults(tx: Transaction, caller: Caller, project_id: str) -> dict[str, int]:
    """Return the limits of a project that has none of its own.

    Raises:
        PolicyNotAuthorized: the limits of this project are not for the caller.
    """
    check_owner(caller, project_id, "get_quota")
    return dict.fromkeys(QUOTA_RESOURCES, NO_LIMIT) | dict(tx.settings.quotas)


def get(tx: Transaction, caller: Caller, project_id: str) -> dict[str, int]:
    """Return a project's limits; ``defaults`` says what may be raised."""
    own = {row.resource: row.limit for row in tx.connection.execute(_LIMITS, {"owner": project_id})}
    return defaults(tx, caller, project_id) | own


def details(tx: Transaction, caller: Caller, project_id: str) -> Mapping[str, Usage]:
    """Return a project's limits with what it has; ``defaults`` says what may be raised."""
    limits = get(tx, caller, project_id)
    return {name: Usage(limit=limit, used=_used(tx, name, project_id)) for name, limit in limits.items()}


def find(tx: Transaction, caller: Caller) -> Mapping[str, Mapping[str, int]]:
    """Return the limits of every project that has some of its own, by project.

    Raises:
        PolicyNotAuthorized: the limits of every project are not for the caller.
    """
    authorize(caller, "get_quota", Target())
    found: dict[str, dict[str, int]] = {}
    for row in tx.connection.execute(select(QUOTAS).order_by(QUOTAS.c.project_id)):
        usual = dict.fromkeys(QUOTA_RESOURCES, NO_LIMIT) | dict(tx.settings.quotas)
        found.setdefault(row.project_id, usual)[row.resource] = row.limit
    return found


def update(
    tx: Transaction, caller: Caller, project_id: str, limits: Mapping[str, int], *, force: bool = False
) -> dict[str, int]:
    """Give a project limits of its own; those not named stay.

    Raises:
        PolicyNotAuthorized: the caller may not change limits.
        QuotaBelowUsed: the project has more already, and no ``force``.
    """
    check_owner(caller, project_id, "update_quota")
    for name, limit in limits.items():
        used = 0 if force or limit == NO_LIMIT else _used(tx, name, project_id)
        if used > limit != NO_LIMIT:
            raise QuotaBelowUsed(name, limit, used)
    if limits:
        changed = QUOTAS.c.project_id == project_id, QUOTAS.c.resource.in_(sorted(limits))
        tx.connection.execute(sql_delete(QUOTAS).where(*changed))
        rows = [{"project_id": project_id, "resource": name, "limit": limit} for name, limit in limits.items()]
        tx.connection.execute(insert(QUOTAS), rows)
    return get(tx, caller, project_id)


def delete(tx: Transaction, caller: Caller, project_id: str) -> None:
    """Take a project's own limits away.

    Raises:
        PolicyNotAuthorized: the caller may not change limits.
        ProjectQuotaNotFound: it has none.
    """
    check_owner(caller, project_id, "delete_quota")
    if not tx.connection.execute(sql_delete(QUOTAS).where(QUOTAS.c.project_id == project_id)).rowcount:
        raise ProjectQuotaNotFound(project_id)


def _used(tx: Transaction, resource: str, project_id: str) -> int:
    counted = _USED.get(resource)
    return 0 if counted is None else int(tx.connection.execute(counted, {"owner": project_id}).scalar_one())
