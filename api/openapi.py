"""How does the API describe itself? ``/openapi.json``, OpenAPI 3.1, put together from what the API is declared by.

Three sources, in this order: the resources' attribute maps, the ``Operation`` of other paths, and for a routed path
nobody describes its route and its docstring, so that no path is missing.
"""

import ipaddress
import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

from flask import Flask, Response, request
from werkzeug.routing import Map

from api.attributes import Resource
from api.auth import Auth
from api.machinery import admit
from api.operations import Operation
from api.plan_schema import DOC as PLAN_DOC
from api.plan_schema import MUTATING, PARAMETER
from api.plan_schema import SCHEMA as PLAN
from api.resource_schemas import (
    actions,
    camel,
    creates,
    delete_parameters,
    fields_parameter,
    list_parameters,
    listed,
    parameter,
    shown,
    updates,
)
from api.schema import BOOLEAN, TEXT, UUID, Schema, array, record
from api.security import secured
from api.wire import API_ROOT

PATH = "/openapi.json"
VERSION = "3.1.1"
_VARIABLE = re.compile(r"<(?:[^:<>]+:)?([^<>]+)>")
NOTHING_CHANGES = frozenset({f"{API_ROOT}/traces"})
"""Paths with a body that is a question."""
_DESCRIBED_METHODS = ("GET", "POST", "PUT", "DELETE")
_IF_MATCH = parameter(
    "If-Match",
    {"type": "string", "pattern": "^revision_number=[0-9]+$"},
    "Only while at this revision.",
    place="header",
)
_ERROR = record(
    {"NeutronError": record({"type": TEXT, "message": TEXT, "detail": TEXT}, required=("type", "message", "detail"))},
    required=("NeutronError",),
)
_FAULTS = {
    "4XX": {"$ref": "#/components/responses/Refused"},
    "5XX": {"$ref": "#/components/responses/Failed"},
}


class OpenApi:
    """The API's description of itself."""

    def __init__(
        self,
        routes: Map,
        *,
        resources: Sequence[Resource[Any, Any]],
        operations: Sequence[Operation],
        auth: Auth,
        open_paths: Collection[str] = (),
    ) -> None:
        """Describe what is routed.

        Args:
            routes: of the application; read when the description is asked for, when all paths are there.
            resources: served by the machinery.
            operations: what other paths do.
            auth: asked from everywhere but this machine.
            open_paths: those that nobody needs to authenticate for.
        """
        self._routes = routes
        self._resources = tuple(resources)
        self._operations = (*operations, *(one for resource in resources for one in actions(resource)))
        self._auth = auth
        self._open_paths = frozenset(open_paths)
        self._views: Mapping[str, Callable[..., object]] = {}

    def register(self, app: Flask) -> None:
        """Add the document to the application."""
        self._views = app.view_functions
        app.add_url_rule(PATH, endpoint=PATH, view_func=self.show, methods=("GET",), provide_automatic_options=False)

    def show(self) -> Response:
        """Return this description, as JSON."""
        if not is_local(request.remote_addr):
            admit(self._auth)
        return Response(self._text, content_type="application/json")

    @cached_property
    def _text(self) -> str:
        return json.dumps(self.document())

    def document(self) -> dict[str, object]:
        """Return the description."""
        paths: dict[str, dict[str, object]] = {}
        for path, method, operation in self._everything():
            planned = _with_plan(operation) if method in MUTATING and path not in NOTHING_CHANGES else operation
            paths.setdefault(path, {}).setdefault(method.lower(), planned)
        schemas: dict[str, Schema] = {"Error": _ERROR, "Plan": PLAN}
        for resource in self._resources:
            name = camel(resource.member)
            schemas[name] = shown(resource)
            if resource.service.create is not None:
                schemas[f"{name}Create"] = creates(resource)
            if resource.service.update is not None:
                schemas[f"{name}Update"] = updates(resource)
        document = {
            "openapi": VERSION,
            "info": {
                "title": "Weft",
                "version": "2.0",
                "summary": "Isolated layer-2 networks across Open vSwitch hosts.",
                "description": "Neutron's networking API v2.0, and Weft's own resources in the same style.",
            },
            "servers": [{"url": "/"}],
            "tags": [{"name": resource.collection, "description": resource.doc} for resource in self._resources],
            "paths": dict(sorted(paths.items())),
            "components": {"schemas": schemas, "responses": _responses()},
        }
        return secured(document, self._auth, open_paths=self._open_paths)

    def _everything(self) -> Iterator[tuple[str, str, dict[str, object]]]:
        known: set[str] = set()
        for resource in self._resources:
            for path, method, operation in _of_resource(resource):
                known.add(_shape(path))
                yield path, method, operation
        for one in self._operations:
            path = _braced(one.path)
            known.add(_shape(path))
            yield path, one.method, _of_operation(one)
        for rule in self._routes.iter_rules():
            path = _braced(rule.rule)
            if _shape(path) in known:
                continue
            view = self._views.get(rule.endpoint)
            for method in _DESCRIBED_METHODS:
                if method in (rule.methods or ()):
                    yield path, method, _undescribed(path, method, view)


def is_local(address: str | None) -> bool:
    """Say whether a client's address is of this machine."""
    try:
        return ipaddress.ip_address(address or "").is_loopback
    except ValueError:
        return False


def _braced(rule: str) -> str:
    return _VARIABLE.sub(r"{\1}", rule)


def _shape(path: str) -> str:
    """Return a path without the names of its variables, in one spelling: two paths of one shape are one."""
    return re.sub(r"{[^}]+}", "{}", path).replace("_", "-")


def _item_path(resource: Resource[Any, Any]) -> str:
    return f"{API_ROOT}/{resource.path}/{{{resource.member}_id}}"


def _responses() -> dict[str, object]:
    body = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    return {
        "Refused": {"description": "The request is not carried out; the message says why.", "content": body},
        "Failed": {"description": "The service, or the controller behind it, cannot answer.", "content": body},
    }


def _json(schema: Schema, content_type: str = "application/json") -> dict[str, object]:
    return {content_type: {"schema": schema}}


def _answer(schema: Schema, doc: str) -> dict[str, object]:
    return {"description": doc, "content": _json(schema)}


def _of_resource(resource: Resource[Any, Any]) -> Iterator[tuple[str, str, dict[str, object]]]:
    """Yield path, method and operation for every verb of a resource."""
    member, path, item = resource.member, f"{API_ROOT}/{resource.path}", _item_path(resource)
    words, ref = member.replace("_", " "), {"$ref": f"#/components/schemas/{camel(member)}"}
    one = record({member: ref}, required=(member,))
    its_id = _variable(f"{member}_id")

    def operation(name: str, doc: str, responses: Mapping[str, object], **more: object) -> dict[str, object]:
        head = {"operationId": name, "summary": doc, "tags": [resource.collection]}
        return head | more | {"responses": {**responses, **_FAULTS}}

    yield (
        path,
        "GET",
        operation(
            f"list_{resource.collection}",
            f"List {resource.collection.replace('_', ' ')}.",
            {"200": _answer(listed(resource, ref), "What matches.")},
            parameters=list_parameters(resource),
        ),
    )
    if resource.service.create is not None:
        wanted = {"$ref": f"#/components/schemas/{camel(member)}Create"}
        many = record({resource.collection: array(ref)}, required=(resource.collection,))
        # Members beside the wrapper are not looked at, as in Neutron.
        single = record({member: wanted}, required=(member,), is_closed=False)
        bulk_items = {**array(wanted), "minItems": 1}
        bulk = record({resource.collection: bulk_items}, required=(resource.collection,), is_closed=False)
        yield (
            path,
            "POST",
            operation(
                f"create_{member}",
                f"Create a {words}, or several: all or none.",
                {"201": _answer({"anyOf": [one, many]}, "What was created.") | {"links": _links(resource)}},
                requestBody={"required": True, "content": _json({"anyOf": [single, bulk]})},
            ),
        )
    yield (
        item,
        "GET",
        operation(
            f"show_{member}",
            f"Show a {words}.",
            {"200": _answer(one, f"The {words}.")},
            parameters=[its_id, fields_parameter(resource)],
        ),
    )
    if resource.service.update is not None:
        update = {"$ref": f"#/components/schemas/{camel(member)}Update"}
        changes = record({member: update}, required=(member,), is_closed=False)
        yield (
            item,
            "PUT",
            operation(
                f"update_{member}",
                f"Change what is given of a {words}.",
                {"200": _answer(one, f"The {words} as it is now.")},
                parameters=[its_id, _IF_MATCH],
                requestBody={"required": True, "content": _json(changes)},
            ),
        )
    if resource.service.delete is not None:
        yield (
            item,
            "DELETE",
            operation(
                f"delete_{member}",
                f"Delete a {words}.",
                {"204": {"description": "It is gone."}},
                parameters=[its_id, _IF_MATCH, *delete_parameters(resource)],
            ),
        )


def _links(resource: Resource[Any, Any]) -> dict[str, object]:
    """Return where the id in the answer to a creation leads."""
    verbs = ["show", "delete"] + (["update"] if resource.service.update is not None else [])
    place = {f"{resource.member}_id": f"$response.body#/{resource.member}/id"}
    return {verb: {"operationId": f"{verb}_{resource.member}", "parameters": place} for verb in verbs}


def _variable(name: str) -> dict[str, object]:
    return parameter(name, UUID if name.endswith("_id") else TEXT, "", place="path", required=True)


def _variables(path: str) -> list[dict[str, object]]:
    return [parameter(name, TEXT, "", place="path", required=True) for name in re.findall(r"{([^}]+)}", path)]


def _of_operation(one: Operation) -> dict[str, object]:
    path = _braced(one.path)
    good: dict[str, object] = {"description": one.doc}
    if one.answer is not None:
        good["content"] = _json(one.answer, one.content_type)
    faults = {str(status): _answer(schema, "Refused.") for status, schema in one.faults.items()}
    found: dict[str, object] = {"operationId": one.name, "summary": one.doc, "tags": _tags(path)}
    query = [
        parameter(name, schema, str(schema.get("description", "")), required=name in one.required_query)
        for name, schema in one.query.items()
    ]
    if parameters := [*_variables(path), *query]:
        found["parameters"] = parameters
    if one.body is not None:
        found["requestBody"] = {"required": True, "content": _json(one.body)}
    return found | {"responses": {str(one.status): good, **faults, **_FAULTS}}


def _undescribed(path: str, method: str, view: Callable[..., object] | None) -> dict[str, object]:
    """Return what a route and the docstring of its view say."""
    doc = ((view.__doc__ if view else None) or "").strip().partition("\n")[0]
    name = f"{method.lower()}_{re.sub(r'[^A-Za-z0-9]+', '_', path).strip('_')}"
    found: dict[str, object] = {"operationId": name, "summary": doc, "tags": _tags(path)}
    if parameters := _variables(path):
        found["parameters"] = parameters
    if method in ("POST", "PUT"):
        found["requestBody"] = {"content": _json({})}
    return found | {"responses": {"2XX": {"description": "Done."}, **_FAULTS}}


def _with_plan(operation: Mapping[str, Any]) -> dict[str, object]:
    """Return an operation that can be planned only: the parameter, and the plan as another answer."""
    wanted = parameter(PARAMETER, BOOLEAN, PLAN_DOC)
    responses = dict(operation["responses"])
    plan = {"$ref": "#/components/schemas/Plan"}
    usual = responses.get("200", {}).get("content", {}).get("application/json", {}).get("schema")
    doc = responses.get("200", {}).get("description", "")
    responses["200"] = _answer(plan, "The plan.") if usual is None else _answer({"anyOf": [usual, plan]}, doc)
    return {**operation, "parameters": [*operation.get("parameters", ()), wanted], "responses": responses}


def _tags(path: str) -> list[str]:
    """Return the collection a path belongs to."""
    if not path.startswith(f"{API_ROOT}/"):
        return ["service"]
    return [path.removeprefix(f"{API_ROOT}/").partition("/")[0].replace("-", "_")]
