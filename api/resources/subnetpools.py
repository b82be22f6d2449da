"""What is a subnet pool on the wire?

Neutron API reference, subnet pools; extensions address-scope, default-subnetpools, subnet_onboard,
subnetpool-prefix-ops. The prefix lengths are shown as text, as Neutron 29 does.
"""

import ipaddress
from collections.abc import Mapping
from dataclasses import replace
from operator import attrgetter
from typing import Any, cast

from api.attributes import (
    Action,
    Argument,
    Attribute,
    Audience,
    Default,
    Resource,
    Service,
    by,
    flag,
    number,
    optional,
)
from api.common import TAG_FILTERS, bookkeeping, identity
from api.schema import INTEGER, PREFIX, TEXT, array
from api.sharing import as_shared_with_caller
from api.validators import Refused, boolean, described, integer, nullable, shown, text, uuid
from controller.caller import Caller
from controller.pool_records import SubnetPool
from controller.records import Subnet
from controller.services import sharing, subnetpools
from controller.store.database import Transaction

_MOST_PREFIXES = 1_000
_LARGEST_QUOTA = 2**31 - 1
"""Neutron's column is an INTEGER of MySQL."""


def _record(pool: SubnetPool) -> SubnetPool:
    return pool


def _prefix(value: object) -> str:
    if isinstance(value, str) and "/" in value and "%" not in value:
        try:
            return str(ipaddress.ip_network(value, strict=False))
        except ValueError:
            pass
    raise Refused(f"'{shown(value)}' is not a valid IP subnet")


@described(array(PREFIX, longest=_MOST_PREFIXES, is_set=True))
def _prefixes(value: object) -> object:
    if not isinstance(value, list):
        raise Refused(f"'{shown(value)}' is not a list")
    if len(value) > _MOST_PREFIXES:
        raise Refused(f"More than {_MOST_PREFIXES} items are not accepted for prefixes")
    doubled = [item for position, item in enumerate(value) if item in value[:position]]
    if doubled:
        raise Refused(f"Duplicate items in the list: '{shown(', '.join(str(item) for item in doubled))}'")
    return [_prefix(item) for item in value]


def _add(tx: Transaction, caller: Caller, object_id: str, values: Mapping[str, Any]) -> SubnetPool:
    return subnetpools.add_prefixes(tx, caller, object_id, values["prefixes"])


def _remove(tx: Transaction, caller: Caller, object_id: str, values: Mapping[str, Any]) -> SubnetPool:
    return subnetpools.remove_prefixes(tx, caller, object_id, values["prefixes"])


def _onboard(tx: Transaction, caller: Caller, object_id: str, values: Mapping[str, Any]) -> list[Subnet]:
    return subnetpools.onboard(tx, caller, object_id, values["network_id"])


def _only_prefixes(pool: object) -> object:
    return {"prefixes": list(cast("SubnetPool", pool).prefixes)}


def _onboarded(moved: object) -> object:
    return [{"id": subnet.id, "cidr": subnet.cidr} for subnet in cast("list[Subnet]", moved)]


def _length(name: str, doc: str) -> Attribute[SubnetPool]:
    return Attribute(
        name=name,
        doc=doc,
        show=lambda pool: str(getattr(pool, name)),
        shows=TEXT,
        key=name,
        parse=integer(lowest=0),
        post=True,
        put=True,
        filter=by(name, number),
        sort=name,
    )


_PREFIXES = Argument(name="prefixes", doc="CIDRs of the pool's IP version.", parse=_prefixes)

SUBNETPOOL: Resource[SubnetPool, SubnetPool] = Resource(
    collection="subnetpools",
    member="subnetpool",
    doc="Prefixes that subnets are cut from.",
    service=Service(
        create=subnetpools.create,
        create_many=subnetpools.create_many,
        get=subnetpools.get,
        find=subnetpools.find,
        update=subnetpools.update,
        delete=subnetpools.delete,
    ),
    look=as_shared_with_caller(sharing.SUBNETPOOL, SubnetPool),
    identify=attrgetter("id"),
    extra_filters=TAG_FILTERS,
    tagged=subnetpools.RESOURCE,
    actions=(
        Action(
            name="add_prefixes",
            doc="Adds prefixes; the answer has all.",
            arguments=(_PREFIXES,),
            perform=_add,
            show=_only_prefixes,
        ),
        Action(
            name="remove_prefixes",
            doc="Removes prefixes, or parts of them, that no subnet has; the answer has what is left.",
            arguments=(_PREFIXES,),
            perform=_remove,
            show=_only_prefixes,
        ),
        Action(
            name="onboard_network_subnets",
            doc="Takes in a network's subnets of the pool's IP version; the answer lists their ids and CIDRs.",
            arguments=(Argument(name="network_id", doc="The network.", parse=uuid),),
            perform=_onboard,
            show=_onboarded,
        ),
    ),
    attributes=(
        *(
            replace(attribute, parse=text(shortest=1), default=Default.REQUIRED)
            if attribute.name == "name"
            else attribute
            for attribute in identity(_record)
        ),
        Attribute(
            name="prefixes",
            doc="CIDRs of one IP version; shown as the fewest that cover them. An update may only add.",
            show=lambda pool: list(pool.prefixes),
            shows=array(PREFIX),
            key="prefixes",
            parse=_prefixes,
            default=Default.REQUIRED,
            post=True,
            put=True,
        ),
        Attribute(
            name="ip_version",
            doc="4 or 6, that of the prefixes.",
            shows=INTEGER,
            show=attrgetter("ip_version"),
            filter=by("ip_version", number),
            sort="ip_version",
        ),
        _length("min_prefixlen", "Length of the largest subnet to be had; left out, 8 (IPv4) or 64 (IPv6)."),
        _length("max_prefixlen", "Length of the smallest subnet to be had; left out, 32 or 128."),
        _length("default_prefixlen", "Length of a subnet that asks for none; left out, min_prefixlen."),
        Attribute(
            name="default_quota",
            doc="What one project may have of it, in addresses (IPv4) or /64 prefixes (IPv6); null or 0, everything.",
            show=attrgetter("default_quota"),
            key="default_quota",
            parse=nullable(integer(lowest=0, highest=_LARGEST_QUOTA)),
            default=None,
            post=True,
            put=True,
            filter=by("default_quota", number),
            sort="default_quota",
        ),
        Attribute(
            name="is_default",
            doc="True for the pool that subnets with use_default_subnetpool get; one for each IP version.",
            show=attrgetter("is_default"),
            key="is_default",
            parse=boolean,
            default=False,
            post=True,
            put=True,
            set_by=Audience.ADMIN,
            filter=by("is_default", flag),
            sort="is_default",
        ),
        Attribute(
            name="shared",
            doc="True lets every project cut subnets from it; with one project it is shared by an RBAC policy.",
            show=attrgetter("shared"),
            key="shared",
            parse=boolean,
            default=False,
            post=True,
            set_by=Audience.ADMIN,
            filter=by("shared", flag),
            sort="shared",
        ),
        Attribute(
            name="address_scope_id",
            doc="The address scope it is in; no other pool there has any of its addresses.",
            show=attrgetter("address_scope_id"),
            key="address_scope_id",
            parse=nullable(uuid),
            default=None,
            post=True,
            put=True,
            filter=by("address_scope_id", optional),
            sort="address_scope_id",
        ),
        *bookkeeping(_record),
    ),
)
