"""What is done at ``/v2.0/<collection>/<id>/tags`` and below? One endpoint for every taggable resource.

Neutron extensions standard-attr-tag and tag-creation. The answers are Neutron's: one tag set is 201 with the body
``null``, a set of them answers with the set as it was given.
"""

from collections.abc import Callable, Collection, Mapping
from typing import Any

from flask import Flask, Response, request
from werkzeug.exceptions import MethodNotAllowed

from api.attributes import Resource
from api.auth import Auth
from api.common import LONGEST_TAG, tag_list
from api.machinery import METHODS, admit, read_body
from api.operations import Operation
from api.schema import TEXT, array, record
from api.validators import Refused, schema_of, text
from api.wire import API_ROOT, answer, no_content
from controller.errors import InvalidInput
from controller.services import listing, tags
from controller.store.database import Database

_TAG = text(longest=LONGEST_TAG)
_GIVEN = record({"tags": schema_of(tag_list)}, required=("tags",), is_closed=False)
_FOUND = record({"tags": array(TEXT)}, required=("tags",))
_NULL = {"type": "null"}


def operations(resource: Resource[Any, Any]) -> tuple[Operation, ...]:
    """Return what is done with the tags of a resource's objects; nothing where they have none."""
    if resource.tagged is None:
        return ()
    member, words = resource.member, resource.member.replace("_", " ")
    every = f"{API_ROOT}/{resource.path}/<{member}_id>/tags"
    one = f"{every}/<path:tag>"
    return (
        Operation(
            method="GET", path=every, name=f"list_{member}_tags", doc=f"List the tags of a {words}.", answer=_FOUND
        ),
        Operation(
            method="POST",
            path=every,
            name=f"add_{member}_tags",
            doc=f"Give a {words} more tags.",
            body=_GIVEN,
            answer=_FOUND,
        ),
        Operation(
            method="PUT",
            path=every,
            name=f"replace_{member}_tags",
            doc=f"Give a {words} these tags and no others.",
            body=_GIVEN,
            answer=_FOUND,
        ),
        Operation(
            method="DELETE",
            path=every,
            name=f"remove_{member}_tags",
            doc=f"Take every tag from a {words}.",
            status=204,
        ),
        Operation(
            method="GET", path=one, name=f"check_{member}_tag", doc=f"Ask whether a {words} has a tag.", status=204
        ),
        Operation(
            method="PUT",
            path=one,
            name=f"add_{member}_tag",
            doc=f"Give a {words} one tag.",
            status=201,
            answer=_NULL,
        ),
        Operation(
            method="DELETE", path=one, name=f"remove_{member}_tag", doc=f"Take one tag from a {words}.", status=204
        ),
    )


class Tags:
    """The verbs of the tags of one resource's objects."""

    def __init__(self, tagged: listing.Resource, *, names: Collection[str], database: Database, auth: Auth) -> None:
        """Prepare; ``names`` are the spellings of the collection in a path."""
        self._names = names
        self._tagged = tagged
        self._database = database
        self._auth = auth

    def register(self, app: Flask) -> None:
        """Add the paths to the application."""
        for name in self._names:
            root = f"{API_ROOT}/{name}/<object_id>/tags"
            views: tuple[tuple[str, Callable[..., Response]], ...] = (
                (root, self.every),
                (f"{root}/<path:tag>", self.one),
            )
            for path, view in views:
                app.add_url_rule(path, endpoint=path, view_func=view, methods=METHODS, provide_automatic_options=False)

    def every(self, object_id: str) -> Response:
        """List, add, replace or remove all tags of an object."""
        caller = admit(self._auth)
        match request.method:
            case "GET" | "OPTIONS":
                with self._database.read() as tx:
                    found = tags.get(tx, caller, self._tagged, object_id)
                return answer(200, {"tags": list(found)})
            case "PUT":
                given = _given(read_body())
                self._database.carry_out(lambda tx: tags.replace(tx, caller, self._tagged, object_id, given))
                return answer(200, {"tags": given})
            case "POST":
                given = _given(read_body())
                self._database.carry_out(
                    lambda tx: tags.add(tx, caller, self._tagged, object_id, given, is_posted=True)
                )
                return answer(200, {"tags": given})
            case "DELETE":
                self._database.carry_out(lambda tx: tags.remove_all(tx, caller, self._tagged, object_id))
                return no_content()
        raise MethodNotAllowed(("GET", "POST", "PUT", "DELETE", "OPTIONS"))

    def one(self, object_id: str, tag: str) -> Response:
        """Look for, set or remove one tag of an object."""
        caller = admit(self._auth)
        tag = str(_checked(tag))
        match request.method:
            case "GET" | "OPTIONS":
                with self._database.read() as tx:
                    tags.check(tx, caller, self._tagged, object_id, tag)
                return no_content()
            case "PUT":
                self._database.carry_out(lambda tx: tags.add(tx, caller, self._tagged, object_id, [tag]))
                return answer(201, None)
            case "DELETE":
                self._database.carry_out(lambda tx: tags.remove(tx, caller, self._tagged, object_id, tag))
                return no_content()
        raise MethodNotAllowed(("GET", "PUT", "DELETE", "OPTIONS"))


def _checked(tag: object) -> object:
    try:
        return _TAG(tag)
    except Refused as refused:
        raise InvalidInput(refused.reason) from None


def _given(body: Mapping[str, object]) -> list[str]:
    """Return the tags of a body.

    Raises:
        InvalidInput: there is no list of tags, or it has one twice.
    """
    if "tags" not in body:
        raise InvalidInput("Invalid tags body")
    try:
        given = tag_list(body["tags"])
    except Refused as refused:
        raise InvalidInput(refused.reason) from None
    return list(given) if isinstance(given, list) else []
