"""Which JSON schemas and query parameters follow from a declared resource?

The counterpart of ``api.body`` and ``api.query``: they read requests by the same declaration.
"""

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import TypeVar

from api.attributes import Attribute, Audience, Default, Resource
from api.operations import Operation
from api.schema import ANYTHING, BOOLEAN, TEXT, Schema, array, record, without_null
from api.validators import schema_of
from api.wire import API_ROOT

R = TypeVar("R")
V = TypeVar("V")

_LINKS = array(record({"rel": {"enum": ["next", "previous"]}, "href": TEXT}, required=("rel", "href")))
ADMIN_NOTE = "For administrators."


def shown(resource: Resource[R, V]) -> Schema:
    """Return the schema of an object in an answer; nothing is required, because ``fields`` picks."""
    properties = {
        attribute.name: _documented(attribute, attribute.shown_as, attribute.shown_to)
        for attribute in resource.attributes
    }
    return {**record(properties, is_closed=False), "description": resource.doc}


def creates(resource: Resource[R, V]) -> Schema:
    """Return the schema of an object to create."""
    properties: dict[str, Schema] = {}
    for attribute in resource.attributes:
        if attribute.post:
            schema = _documented(attribute, attribute.takes, attribute.set_by)
            properties[attribute.name] = {**schema, **_default(attribute.default)}
    required = [attribute.name for attribute in resource.attributes if attribute.default is Default.REQUIRED]
    return record(properties, required=required)


def updates(resource: Resource[R, V]) -> Schema:
    """Return the schema of the changes of an object."""
    return record(
        {
            attribute.name: _documented(attribute, attribute.takes, attribute.set_by)
            for attribute in resource.attributes
            if attribute.put
        }
    )


def listed(resource: Resource[R, V], one: Schema) -> Schema:
    """Return the schema of a list's answer."""
    properties = {resource.collection: array(one), f"{resource.collection}_links": _LINKS}
    return record(properties, required=(resource.collection,))


def list_parameters(resource: Resource[R, V]) -> list[dict[str, object]]:
    """Return the query parameters of a list."""
    sortable = [attribute.name for attribute in resource.attributes if attribute.sort]
    found = [
        parameter(
            attribute.name, array(_filter_value(attribute)), f"Only objects with one of these values: {attribute.doc}"
        )
        for attribute in resource.attributes
        if attribute.filter is not None
    ]
    found += [parameter(name, array(TEXT), "Only objects that match.") for name in resource.filters]
    found += [
        fields_parameter(resource),
        parameter("sort_key", array({"enum": sortable}), "Attributes to sort by; as many as sort_dir."),
        parameter("sort_dir", array({"enum": ["asc", "desc"]}), "Directions, one for each sort_key."),
        parameter("limit", {"type": "integer", "minimum": 0}, "Size of a page; 0 is everything."),
        parameter("marker", TEXT, "The id the page begins after."),
        parameter("page_reverse", BOOLEAN, "True goes back from the marker."),
    ]
    return found


def fields_parameter(resource: Resource[R, V]) -> dict[str, object]:
    """Return the query parameter that picks attributes."""
    names = [attribute.name for attribute in resource.attributes]
    return parameter("fields", array({"enum": names}), "Only these attributes in the answer.")


def delete_parameters(resource: Resource[R, V]) -> list[dict[str, object]]:
    """Return the query parameters of a deletion."""
    return [parameter(name, BOOLEAN, "Even when something stands against it.") for name in resource.delete_options]


def actions(resource: Resource[R, V]) -> tuple[Operation, ...]:
    """Return what can be done to one object besides the verbs every resource has."""
    whole = record({resource.member: shown(resource)}, required=(resource.member,))
    return tuple(
        Operation(
            method="PUT",
            path=f"{API_ROOT}/{resource.path}/<{resource.member}_id>/{action.name}",
            name=f"{action.name}_of_{resource.member}",
            doc=action.doc,
            body=record(
                {one.name: {**schema_of(one.parse), "description": one.doc} for one in action.arguments},
                required=[one.name for one in action.arguments if one.required],
                is_closed=False,
            ),
            answer=whole if action.show is None else ANYTHING,
        )
        for action in resource.actions
    )


def parameter(
    name: str, schema: Schema, doc: str, *, place: str = "query", required: bool = False
) -> dict[str, object]:
    """Return one parameter of an operation."""
    found: dict[str, object] = {"name": name, "in": place, "description": doc, "schema": schema}
    return found | {"required": True} if required else found


def _filter_value(attribute: Attribute[V]) -> Schema:
    kind = without_null(attribute.shown_as).get("type")
    return {"type": kind} if kind in ("boolean", "integer") else TEXT


def _documented(attribute: Attribute[V], schema: Schema, audience: Audience) -> dict[str, object]:
    doc = attribute.doc if audience is Audience.EVERYBODY else f"{attribute.doc} {ADMIN_NOTE}"
    return {**schema, "description": doc}


def _default(default: object) -> Mapping[str, object]:
    if isinstance(default, (bool, int, str)) and not isinstance(default, Enum):
        return {"default": default}
    if isinstance(default, Sequence) and not isinstance(default, str):
        return {"default": list(default)}
    return {}


def camel(member: str) -> str:
    """Return a resource's name as schemas are called.

    >>> camel("security_group_rule")
    'SecurityGroupRule'
    """
    return "".join(part.capitalize() for part in member.split("_"))
