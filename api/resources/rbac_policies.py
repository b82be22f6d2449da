"""What is a policy that shares an object on the wire?

Neutron API reference, RBAC policies; extensions rbac-policies, rbac-security-groups, rbac-address-group.
"""

from operator import attrgetter

from api.attributes import Attribute, Default, Resource, Service, by, itself
from api.common import OWNER
from api.schema import TEXT, UUID
from api.validators import text, uuid
from controller.services import rbac_policies
from controller.services.rbac_policies import RbacPolicy


def _attribute(name: str, doc: str, *, key: str | None = None, **how: object) -> Attribute[RbacPolicy]:
    stored = key or name
    settings: dict[str, object] = {"parse": text(shortest=1), "post": True, **how}
    return Attribute(
        name=name,
        doc=doc,
        show=attrgetter(stored),
        key=stored,
        filter=by(stored),
        sort=stored,
        **settings,  # type: ignore[arg-type]
    )


RBAC_POLICY: Resource[RbacPolicy, RbacPolicy] = Resource(
    collection="rbac_policies",
    member="rbac_policy",
    doc="One object, shared with one project or with every one.",
    service=Service(
        create=rbac_policies.create,
        create_many=rbac_policies.create_many,
        get=rbac_policies.get,
        find=rbac_policies.find,
        update=rbac_policies.update,
        delete=rbac_policies.delete,
    ),
    look=itself,
    identify=attrgetter("id"),
    weighs=True,
    attributes=(
        Attribute(
            name="id",
            doc="Identifier, chosen by the server.",
            show=attrgetter("id"),
            shows=UUID,
            filter=by("id"),
            sort="id",
        ),
        _attribute("project_id", "The project that made the policy.", parse=OWNER, shows=TEXT),
        _attribute("tenant_id", "The older name of project_id.", key="project_id", parse=OWNER, shows=TEXT),
        _attribute(
            "object_type",
            "network, security_group, address_group, subnetpool or address_scope.",
            default=Default.REQUIRED,
        ),
        _attribute("object_id", "What is shared.", parse=uuid, default=Default.REQUIRED),
        _attribute("action", "access_as_shared; for a network access_as_external, too.", default=Default.REQUIRED),
        _attribute(
            "target_tenant",
            "The project it is shared with, or * for every one.",
            key="target_project",
            default=None,
            put=True,
        ),
        Attribute(
            name="target_project",
            doc="Another name of target_tenant, taken and not shown.",
            show=lambda _policy: Default.ABSENT,
            shows=TEXT,
            key="target_project",
            parse=text(),
            default=None,
            post=True,
            put=True,
            filter=by("target_project"),
        ),
    ),
)
