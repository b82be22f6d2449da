"""What is a container on the wire? Weft's own resource (extension ``weft-containers``)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from operator import attrgetter
from typing import Any

from flask import Flask, Response

from api.attributes import Action, Argument, Attribute, Default, Resource, Service, by, optional
from api.auth import Auth
from api.common import bookkeeping, identity
from api.machinery import admit
from api.operations import Operation
from api.resources.container_flavors import wire_changes, without_unindexed
from api.resources.container_kinds import KINDS
from api.schema import ANYTHING, INTEGER, OBJECT, TEXT, UUID, array, or_null, record
from api.validators import Refused, boolean, described, is_storable, nullable, one_of, shown, text, uuid
from api.wire import API_ROOT, answer
from controller.caller import Caller
from controller.services import container_drift, container_members, containers
from controller.services.container_drift import Report
from controller.services.container_kinds import TYPES
from controller.store.containers import Container, Member
from controller.store.database import Database
from controller.store.transaction import Transaction

ACTIVE, DEGRADED = "ACTIVE", "DEGRADED"
_MOST_NAMED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerView:
    """A container and how its members are."""

    container: Container
    members: Sequence[tuple[Member, str]]

    @property
    def missing(self) -> list[str]:
        """Paths of the members that somebody deleted."""
        return [member.path for member, state in self.members if state == container_members.MISSING]


def _look(tx: Transaction, _caller: Caller, records: Sequence[Container]) -> list[ContainerView]:
    states = container_members.states(tx, [one.id for one in records])
    return [ContainerView(container=one, members=states[one.id]) for one in records]


@described(OBJECT)
def _values(value: object) -> object:
    if isinstance(value, dict):
        return value
    raise Refused(f"'{shown(value)}' is not a JSON object")


@described({"type": "string", "pattern": r"^[^/\s\[\]]{1,255}$"})
def _member_name(value: object) -> object:
    if isinstance(value, str) and text(shortest=1)(value) and is_storable(value) and not {*value} & {*"/[] "}:
        return value
    raise Refused(f"'{shown(value)}' is no name of a member: 1 to 255 characters, none of them / [ ] or a space")


def _wire_members(view: ContainerView) -> object:
    return [
        {"path": member.path, "type": member.type, "id": member.object_id, "added": member.added, "state": state}
        for member, state in view.members
    ]


def _reason(view: ContainerView) -> str:
    missing = view.missing
    if not missing:
        return ""
    more = f" and {len(missing) - _MOST_NAMED} more" if len(missing) > _MOST_NAMED else ""
    return f"missing: {', '.join(missing[:_MOST_NAMED])}{more}"


def _wire_done(view: ContainerView) -> object:
    changes = view.container.changes
    return Default.ABSENT if changes is None else wire_changes(changes)


def _add(tx: Transaction, caller: Caller, object_id: str, values: Mapping[str, Any]) -> Container:
    return container_members.add(tx, caller, object_id, values, kinds=KINDS)


def _remove(tx: Transaction, caller: Caller, object_id: str, values: Mapping[str, Any]) -> Container:
    return container_members.remove(tx, caller, object_id, values, kinds=KINDS)


_CHANGES = array(record({"path": TEXT, "type": TEXT, "change": TEXT, "attributes": array(TEXT)}))
_MEMBER = record({"path": TEXT, "type": TEXT, "id": UUID, "added": {"type": "boolean"}, "state": TEXT})

CONTAINER: Resource[Container, ContainerView] = Resource(
    collection="containers",
    member="container",
    doc="Networks, ports, groups and vNICs that are made, changed and deleted together.",
    service=Service(
        create=partial(containers.create, kinds=KINDS),
        create_many=partial(containers.create_many, kinds=KINDS),
        get=containers.get,
        find=containers.find,
        update=partial(containers.update, kinds=KINDS),
        delete=partial(containers.delete, kinds=KINDS),
    ),
    look=_look,
    identify=attrgetter("id"),
    actions=(
        Action(
            name="add_member",
            doc="Adds an object there is, or a new one; it goes with the container then.",
            arguments=(
                Argument(name="type", doc="What it is.", parse=one_of(TYPES)),
                Argument(name="name", doc="Its path will be added/NAME.", parse=_member_name),
                Argument(name="object_id", doc="The object; or", parse=nullable(uuid), required=False),
                Argument(
                    name="properties",
                    doc="the attributes of a new one, as in a request for it.",
                    parse=nullable(_values),
                    required=False,
                ),
            ),
            perform=_add,
            is_record=True,
        ),
        Action(
            name="remove_member",
            doc="Lets go of a member that was added.",
            arguments=(
                Argument(name="member", doc="Its path, or the object's id.", parse=text(shortest=1, longest=1024)),
                Argument(name="delete", doc="True deletes the object too.", parse=boolean, required=False),
            ),
            perform=_remove,
            is_record=True,
        ),
    ),
    attributes=(
        *identity(lambda view: view.container),
        Attribute(
            name="flavor_id",
            doc="The flavor; null, none: built by hand.",
            show=attrgetter("container.flavor_id"),
            key="flavor_id",
            parse=nullable(uuid),
            default=None,
            post=True,
            put=True,
            filter=by("flavor_id", optional),
            shows=or_null(UUID),
        ),
        Attribute(
            name="flavor",
            doc="The flavor by name, or NAME:VERSION; without a version the newest.",
            show=attrgetter("container.flavor"),
            key="flavor",
            parse=nullable(text(longest=300, shortest=1)),
            default=None,
            post=True,
            put=True,
            filter=by("flavor", optional),
            shows=or_null(TEXT),
        ),
        Attribute(
            name="flavor_version",
            doc="The flavor's version.",
            show=attrgetter("container.flavor_version"),
            shows=or_null(INTEGER),
        ),
        Attribute(
            name="parameters",
            doc="Values of the flavor's parameters that are not the default; in an update laid over those there are, "
            "where null means the default.",
            show=lambda view: dict(view.container.parameters),
            key="parameters",
            parse=nullable(_values, null={}),
            default={},
            post=True,
            put=True,
        ),
        Attribute(
            name="endpoints",
            doc="The ids of what is at the flavor's endpoints.",
            show=lambda view: dict(view.container.endpoints),
            key="endpoints",
            parse=nullable(_values, null={}),
            default={},
            post=True,
            put=True,
        ),
        Attribute(
            name="members",
            doc="What it consists of; state is a port's status, else ACTIVE, or MISSING when somebody deleted it.",
            show=_wire_members,
            shows=array(_MEMBER),
        ),
        Attribute(
            name="outputs",
            doc="The values of the flavor's outputs, as they were after the last change.",
            show=lambda view: dict(view.container.outputs),
            shows=OBJECT,
        ),
        Attribute(
            name="status",
            doc="ACTIVE, or DEGRADED when members are missing.",
            show=lambda view: DEGRADED if view.missing else ACTIVE,
            shows={"enum": [ACTIVE, DEGRADED]},
        ),
        Attribute(name="status_reason", doc="Why it is degraded.", show=_reason, shows=TEXT),
        Attribute(
            name="changes",
            doc="In the answer to a change: which members were created, changed, replaced and deleted.",
            show=_wire_done,
            shows=_CHANGES,
        ),
        *without_unindexed(bookkeeping(lambda view: view.container)),
    ),
)

_ONE = record({"path": TEXT, "type": TEXT, "id": UUID})
OPERATIONS = (
    Operation(
        method="GET",
        path=f"{API_ROOT}/{CONTAINER.path}/<container_id>/drift",
        name="show_container_drift",
        doc="What others did to the members: missing, changed ([as left, as it is] by attribute) and foreign.",
        answer=record(
            {
                "drift": record(
                    {
                        "missing": array(_ONE),
                        "changed": array(record({"path": TEXT, "type": TEXT, "id": UUID, "attributes": ANYTHING})),
                        "foreign": array(
                            record({"type": TEXT, "id": UUID, "name": TEXT, "project_id": TEXT, "on": TEXT})
                        ),
                    }
                )
            },
            required=("drift",),
        ),
    ),
)


class ContainerDrift:
    """The document ``/v2.0/containers/ID/drift``."""

    def __init__(self, *, database: Database, auth: Auth) -> None:
        self._database, self._auth = database, auth

    def register(self, app: Flask) -> None:
        """Add it to the application."""
        path = f"{API_ROOT}/{CONTAINER.path}/<object_id>/drift"
        app.add_url_rule(path, endpoint=path, view_func=self.show, methods=("GET",), provide_automatic_options=False)

    def show(self, object_id: str) -> Response:
        """Return the drift of one container."""
        caller = admit(self._auth)
        with self._database.read() as tx:
            container = containers.get(tx, caller, object_id)
            report = container_drift.report(tx, caller, container, kinds=KINDS)
        return answer(200, {"drift": _wire(report)})


def _wire(report: Report) -> Mapping[str, object]:
    def place(member: Member) -> dict[str, object]:
        return {"path": member.path, "type": member.type, "id": member.object_id}

    return {
        "missing": [place(member) for member in report.drift.missing.values()],
        "changed": [
            place(report.members[path]) | {"attributes": {name: list(pair) for name, pair in attributes.items()}}
            for path, attributes in report.drift.changed.items()
        ],
        "foreign": [
            {"type": one.type, "id": one.id, "name": one.name, "project_id": one.project_id, "on": one.on}
            for one in report.foreign
        ],
    }
