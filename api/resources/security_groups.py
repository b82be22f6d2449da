"""What is a security group on the wire?

Neutron API reference, security groups; extensions stateful-security-group, security-groups-shared-filtering.
"""

from operator import attrgetter

from api.attributes import Attribute, Resource, Service, by, flag
from api.common import TAG_FILTERS, bookkeeping, identity
from api.resources.security_group_rules import embedded
from api.resources.security_group_values import group_name
from api.schema import BOOLEAN, OBJECT, array
from api.sharing import as_shared_with_caller
from api.validators import boolean
from controller.records import SecurityGroup
from controller.services import security_groups, sharing


def _record(group: SecurityGroup) -> SecurityGroup:
    return group


_ID, _NAME, *_OWNER = identity(_record)


SECURITY_GROUP: Resource[SecurityGroup, SecurityGroup] = Resource(
    collection="security_groups",
    member="security_group",
    doc="A set of rules for the traffic of its ports; what no rule allows is dropped.",
    service=Service(
        create=security_groups.create,
        create_many=security_groups.create_many,
        get=security_groups.get,
        find=security_groups.find,
        update=security_groups.update,
        delete=security_groups.delete,
    ),
    look=as_shared_with_caller(sharing.SECURITY_GROUP, SecurityGroup),
    identify=attrgetter("id"),
    extra_filters=TAG_FILTERS,
    tagged=security_groups.RESOURCE,
    before_list=security_groups.before_listing,
    attributes=(
        _ID,
        Attribute(
            name=_NAME.name,
            doc="Name for people; need not be unique, but no other group may be called default.",
            show=_NAME.show,
            key=_NAME.key,
            parse=group_name,
            default=_NAME.default,
            post=True,
            put=True,
            filter=_NAME.filter,
            sort=_NAME.sort,
        ),
        *_OWNER,
        Attribute(
            name="stateful",
            doc="True lets the answers to allowed traffic pass; cannot change while ports have the group.",
            show=attrgetter("stateful"),
            key="stateful",
            parse=boolean,
            default=True,
            post=True,
            put=True,
            filter=by("stateful", flag),
            sort="stateful",
        ),
        Attribute(
            name="shared",
            doc="True when the caller's project may use the security group, or every one may; see RBAC policies.",
            show=attrgetter("shared"),
            shows=BOOLEAN,
            filter=by("shared", flag),
        ),
        Attribute(
            name="security_group_rules",
            doc="The rules, whole.",
            show=lambda group: [embedded(rule) for rule in group.rules],
            shows=array(OBJECT),
        ),
        *bookkeeping(_record),
    ),
)
