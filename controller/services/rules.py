"""Which rules hold for every use case? Revisions, ownership, bulk."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from controller.caller import Caller
from controller.errors import PolicyNotAuthorized, RevisionNumberConstraintFailed
from controller.store.transaction import Transaction

Made = TypeVar("Made")


def check_revision(expected: int | None, current: int) -> None:
    """Refuse a change by a caller who has not seen the latest revision (Neutron API reference, revision-if-match).

    Raises:
        RevisionNumberConstraintFailed: the object changed meanwhile.
    """
    if expected is not None and expected != current:
        raise RevisionNumberConstraintFailed(expected, current)


def check_owner(caller: Caller, project_id: str, rule: str) -> None:
    """Refuse a change of what a caller may see but does not own, such as another project's shared network.

    Raises:
        PolicyNotAuthorized: neither the owner nor an administrator.
    """
    if not caller.is_admin and project_id != caller.project_id:
        raise PolicyNotAuthorized(rule)


def each(
    create: Callable[[Transaction, Caller, Mapping[str, Any]], Made],
    tx: Transaction,
    caller: Caller,
    wanted: Sequence[Mapping[str, Any]],
) -> list[Made]:
    """Create objects one after the other; the first error ends the transaction, and with it all of them."""
    return [create(tx, caller, values) for values in wanted]
