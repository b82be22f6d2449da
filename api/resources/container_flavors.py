"""What is a container flavor on the wire? Weft's own resource (extension ``weft-containers``)."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from operator import attrgetter
from typing import Any

from flask import Flask, Response

from api.attributes import Attribute, Default, Resource, Service, by, flag, itself, number
from api.auth import Auth
from api.common import bookkeeping, identity
from api.machinery import admit
from api.operations import Operation
from api.resources.container_kinds import KINDS
from api.schema import ANYTHING, INTEGER, OBJECT, TEXT, array, or_null, record
from api.validators import Refused, boolean, described, is_storable, nullable, shown
from api.wire import API_ROOT, answer
from controller.containers import template
from controller.containers.difference import Change
from controller.containers.source import LONGEST
from controller.services import container_flavors, container_rolls
from controller.services.container_rolls import Roll
from controller.store.containers import Flavor
from controller.store.database import Database

_LONGEST_NAME = 255
NAME = rf"^[^:$\s][^:$]{{0,{_LONGEST_NAME - 1}}}$"
"""A colon parts name and version."""


def _record(flavor: Flavor) -> Flavor:
    return flavor


@described({"type": "string", "pattern": NAME})
def flavor_name(value: object) -> object:
    """Return the name of a flavor."""
    is_name = isinstance(value, str) and 0 < len(value) <= _LONGEST_NAME and is_storable(value)
    if is_name and isinstance(value, str) and value.strip() and not {*value} & {":", "$"}:
        return value
    raise Refused(f"'{shown(value)}' is no name of a flavor: 1 to {_LONGEST_NAME} characters, none of them : or $")


@described({"type": "string", "maxLength": LONGEST})
def _source(value: object) -> object:
    if isinstance(value, str) and is_storable(value):
        return value
    raise Refused(f"'{shown(value)}' is not a valid string")


@described(OBJECT)
def _template(value: object) -> object:
    if isinstance(value, dict):
        return value
    raise Refused(f"'{shown(value)}' is not a JSON object; YAML text is given as template_yaml")


def without_unindexed(attributes: tuple[Attribute[Any], ...]) -> tuple[Attribute[Any], ...]:
    """Return the standard attributes, without filters that no index would answer."""
    return tuple(
        replace(one, filter=None) if one.name in ("description", "revision_number") else one
        for one in attributes
        if one.name != "tags"
    )


CONTAINER_FLAVOR: Resource[Flavor, Flavor] = Resource(
    collection="container_flavors",
    member="container_flavor",
    doc="A version of a template from which containers are made.",
    service=Service(
        create=partial(container_flavors.create, kinds=KINDS),
        create_many=partial(container_flavors.create_many, kinds=KINDS),
        get=container_flavors.get,
        find=container_flavors.find,
        update=container_flavors.update,
        delete=container_flavors.delete,
    ),
    look=itself,
    identify=attrgetter("id"),
    attributes=(
        *(
            replace(
                one, parse=flavor_name, default=Default.REQUIRED, put=False, doc="Name, which all its versions share."
            )
            if one.name == "name"
            else one
            for one in identity(_record)
        ),
        Attribute(
            name="version",
            doc="1, 2 and so on, given by the server to each template of the name.",
            show=attrgetter("version"),
            shows=INTEGER,
            filter=by("version", number),
            sort="version",
        ),
        Attribute(
            name="public",
            doc="True lets every project make containers of it.",
            show=attrgetter("public"),
            key="public",
            parse=boolean,
            default=False,
            post=True,
            put=True,
            filter=by("public", flag),
        ),
        Attribute(
            name="template",
            doc="What its containers have, as an object; see docs/containers.md and container-flavors/schema.",
            show=lambda flavor: dict(flavor.template),
            key="template",
            parse=nullable(_template),
            default=None,
            post=True,
            shows=OBJECT,
        ),
        Attribute(
            name="template_yaml",
            doc="The same as YAML or JSON text, instead.",
            show=attrgetter("template_yaml"),
            key="template_yaml",
            parse=nullable(_source),
            default=None,
            post=True,
            shows=or_null(TEXT),
        ),
        *without_unindexed(bookkeeping(_record)),
    ),
)

_CHANGE = record({"path": TEXT, "type": TEXT, "change": TEXT, "attributes": array(TEXT)})
_CONTAINER = record({"id": TEXT, "name": TEXT, "changes": array(_CHANGE)}, is_closed=False)
_ROOT = f"{API_ROOT}/{CONTAINER_FLAVOR.path}"
OPERATIONS = (
    Operation(
        method="GET",
        path=f"{_ROOT}/schema",
        name="show_container_template_schema",
        doc="The JSON Schema of templates.",
        answer=ANYTHING,
    ),
    Operation(
        method="PUT",
        path=f"{_ROOT}/<container_flavor_id>/roll",
        name="roll_container_flavor",
        doc="Give this version to every container of the flavor, one after the other; stops at the first that fails.",
        answer=record(
            {
                "roll": record(
                    {
                        "container_flavor_id": TEXT,
                        "rolled": array(_CONTAINER),
                        "failed": or_null(
                            record({"id": TEXT, "name": TEXT, "type": TEXT, "message": TEXT, "detail": TEXT})
                        ),
                        "left": array(record({"id": TEXT, "name": TEXT})),
                    }
                )
            },
            required=("roll",),
        ),
        body=record({}),
    ),
)


def wire_changes(changes: tuple[Change, ...]) -> list[dict[str, object]]:
    """Return what was done to members."""
    return [
        {"path": one.path, "type": one.type, "change": one.change, "attributes": list(one.attributes)}
        for one in changes
    ]


class ContainerFlavorDocuments:
    """The schema of templates, and the roll."""

    def __init__(self, *, database: Database, auth: Auth) -> None:
        self._database, self._auth = database, auth

    def register(self, app: Flask) -> None:
        """Add both to the application."""
        for path, view, method in (
            (f"{_ROOT}/schema", self.schema, "GET"),
            (f"{_ROOT}/<object_id>/roll", self.roll, "PUT"),
        ):
            app.add_url_rule(path, endpoint=path, view_func=view, methods=(method,), provide_automatic_options=False)

    def schema(self) -> Response:
        """Return the JSON Schema of templates."""
        admit(self._auth)
        return answer(200, template.schema())

    def roll(self, object_id: str) -> Response:
        """Bring every container of a flavor to this version."""
        caller = admit(self._auth)
        return answer(200, {"roll": _wire(container_rolls.roll(self._database, caller, object_id, kinds=KINDS))})


def _wire(roll: Roll) -> Mapping[str, object]:
    failed = roll.failed
    return {
        "container_flavor_id": roll.flavor_id,
        "rolled": [{"id": one.id, "name": one.name, "changes": wire_changes(one.changes)} for one in roll.rolled],
        "failed": None
        if failed is None
        else {
            "id": failed.id,
            "name": failed.name,
            "type": failed.error.neutron_type,
            "message": str(failed.error),
            "detail": failed.error.detail,
        },
        "left": [{"id": one.id, "name": one.name} for one in roll.left],
    }
