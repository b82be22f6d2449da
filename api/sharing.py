"""Is an object shared with the one who looks? One look at a page, for every resource that can be shared.

Neutron extensions rbac-policies, rbac-security-groups, rbac-address-group, rbac-subnetpool, rbac-address-scope.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from controller.caller import Caller
from controller.pool_records import AddressScope, SubnetPool
from controller.records import AddressGroup, SecurityGroup
from controller.services import sharing
from controller.store.transaction import Transaction

S = TypeVar("S", AddressGroup, AddressScope, SecurityGroup, SubnetPool)


def as_shared_with_caller(
    object_type: str, _record: type[S]
) -> Callable[[Transaction, Caller, Sequence[S]], Sequence[S]]:
    """Return what says of each record of a page whether it is shared with the caller's project."""

    def look(tx: Transaction, caller: Caller, records: Sequence[S]) -> Sequence[S]:
        shared = sharing.marked(tx, caller, object_type, records)
        return [replace(one, shared=shared[one.id]) if shared[one.id] != one.shared else one for one in records]

    return look
