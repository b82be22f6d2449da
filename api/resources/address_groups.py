"""What is an address group on the wire?

Neutron API reference, address groups; extension address-group.
"""

from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import cast

from flask import Flask, Response

from api.attributes import Attribute, Resource, Service, by, flag
from api.common import TAG_FILTERS, bookkeeping, identity
from api.errors import InvalidAttribute, MissingAttribute
from api.machinery import Endpoint, admit, if_revision, read_body
from api.operations import Operation
from api.resource_schemas import shown
from api.resources.security_group_values import block_or_address, cidr_block, items
from api.schema import BOOLEAN, record
from api.sharing import as_shared_with_caller
from api.validators import Refused, nullable, schema_of
from api.wire import API_ROOT, answer
from controller.records import AddressGroup
from controller.services import address_groups, sharing
from controller.store.transaction import Transaction

_MOST_ADDRESSES = 10_000
_ADDRESSES = items(cidr_block, longest=_MOST_ADDRESSES)
_MEMBERS = items(block_or_address, longest=_MOST_ADDRESSES)
"""What comes and goes by an action."""


def _record(group: AddressGroup) -> AddressGroup:
    return group


ADDRESS_GROUP: Resource[AddressGroup, AddressGroup] = Resource(
    collection="address_groups",
    member="address_group",
    doc="A named list of prefixes for security group rules.",
    service=Service(
        create=address_groups.create,
        create_many=address_groups.create_many,
        get=address_groups.get,
        find=address_groups.find,
        update=address_groups.update,
        delete=address_groups.delete,
    ),
    look=as_shared_with_caller(sharing.ADDRESS_GROUP, AddressGroup),
    identify=attrgetter("id"),
    extra_filters=TAG_FILTERS,
    tagged=address_groups.RESOURCE,
    attributes=(
        *identity(_record),
        Attribute(
            name="addresses",
            doc="Prefixes; changed by add_addresses and remove_addresses.",
            show=lambda group: list(group.addresses),
            key="addresses",
            parse=nullable(_ADDRESSES, null=[]),
            default=(),
            post=True,
        ),
        Attribute(
            name="shared",
            doc="True when the caller's project may use the address group, or every one may; see RBAC policies.",
            show=attrgetter("shared"),
            shows=BOOLEAN,
            filter=by("shared", flag),
        ),
        *bookkeeping(_record),
    ),
)

OPERATIONS = tuple(
    Operation(
        method="PUT",
        path=f"{API_ROOT}/{ADDRESS_GROUP.path}/<address_group_id>/{verb}_addresses",
        name=f"{verb}_addresses",
        doc=doc,
        body=record({"addresses": schema_of(_MEMBERS)}, required=("addresses",)),
        answer=record({ADDRESS_GROUP.member: shown(ADDRESS_GROUP)}, required=(ADDRESS_GROUP.member,)),
    )
    for verb, doc in (("add", "Add prefixes to an address group."), ("remove", "Take prefixes from an address group."))
)


class AddressGroupEndpoint(Endpoint[AddressGroup, AddressGroup]):
    """The verbs of address groups, and the two actions that change their addresses."""

    def register_actions(self, app: Flask) -> None:
        """Add ``/v2.0/address-groups/ID/add_addresses`` and ``.../remove_addresses``."""
        for name, view in (("add_addresses", self.add_addresses), ("remove_addresses", self.remove_addresses)):
            path = f"{API_ROOT}/{self.resource.path}/<object_id>/{name}"
            app.add_url_rule(path, endpoint=path, view_func=view, methods=("PUT",), provide_automatic_options=False)

    def add_addresses(self, object_id: str) -> Response:
        """Add prefixes."""
        return self._change(object_id, address_groups.add_addresses)

    def remove_addresses(self, object_id: str) -> Response:
        """Remove prefixes."""
        return self._change(object_id, address_groups.remove_addresses)

    def _change(self, object_id: str, change: Callable[..., AddressGroup]) -> Response:
        caller = admit(self._auth)
        addresses = _addresses(read_body())
        expected = if_revision()

        def work(tx: Transaction) -> object:
            (view,) = self.views(tx, caller, [change(tx, caller, object_id, addresses, if_revision=expected)])
            return view

        return answer(200, {self.resource.member: self._database.carry_out(work)})


def _addresses(body: Mapping[str, object]) -> list[str]:
    """Return the prefixes of an action's body, with or without the wrapper; Neutron's has none."""
    inner = body.get(ADDRESS_GROUP.member)
    given = inner if isinstance(inner, dict) else body
    if "addresses" not in given:
        raise MissingAttribute("addresses")
    try:
        return cast("list[str]", _MEMBERS(given["addresses"]))
    except Refused as refused:
        raise InvalidAttribute("addresses", refused.reason) from None
