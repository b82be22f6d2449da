"""What is an address scope on the wire?

Neutron API reference, address scopes; extension address-scope.
"""

from operator import attrgetter

from api.attributes import Attribute, Audience, Default, Resource, Service, by, flag, number
from api.common import identity
from api.sharing import as_shared_with_caller
from api.validators import boolean, integer, one_of
from controller.pool_records import AddressScope
from controller.services import address_scopes, sharing


def _record(scope: AddressScope) -> AddressScope:
    return scope


ADDRESS_SCOPE: Resource[AddressScope, AddressScope] = Resource(
    collection="address_scopes",
    member="address_scope",
    doc="A set of subnet pools in which an address means one thing.",
    service=Service(
        create=address_scopes.create,
        create_many=address_scopes.create_many,
        get=address_scopes.get,
        find=address_scopes.find,
        update=address_scopes.update,
        delete=address_scopes.delete,
    ),
    look=as_shared_with_caller(sharing.ADDRESS_SCOPE, AddressScope),
    identify=attrgetter("id"),
    attributes=(
        *identity(_record),
        Attribute(
            name="ip_version",
            doc="4 or 6.",
            show=attrgetter("ip_version"),
            key="ip_version",
            parse=one_of((4, 6), of=integer()),
            default=Default.REQUIRED,
            post=True,
            filter=by("ip_version", number),
            sort="ip_version",
        ),
        Attribute(
            name="shared",
            doc="True lets pools of every project be in it; cannot be taken back.",
            show=attrgetter("shared"),
            key="shared",
            parse=boolean,
            default=False,
            post=True,
            put=True,
            set_by=Audience.ADMIN,
            filter=by("shared", flag),
            sort="shared",
        ),
    ),
)
