"""What do GET, POST, PUT and DELETE do with any resource?

One ``Endpoint`` serves one declared ``Resource``; there is no code per verb per resource anywhere else.
"""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Generic, TypeVar

from flask import Response, g, request
from werkzeug.exceptions import MethodNotAllowed, NotAcceptable

from api import body, permission, query
from api.attributes import Action, Default, Resource
from api.auth import CALLER, Auth
from api.validators import boolean
from api.wire import API_ROOT, accepts_json, answer, base_url, no_content
from controller.caller import Caller
from controller.errors import BadRequest, PolicyNotAuthorized
from controller.policy.rights import Rights
from controller.store.database import Database, Transaction
from controller.store.tags import tags_of

R = TypeVar("R")
V = TypeVar("V")

METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS")
"""What is routed to an endpoint; it refuses what it does not know itself, with Neutron's body."""
_COLLECTION_METHODS = ("GET", "POST", "OPTIONS")
_ITEM_METHODS = ("GET", "PUT", "DELETE", "OPTIONS")
TAGS = "tags"
_ETAG = re.compile(r'(?:^|\s|,)(W/)?"([^"]*)"')
"""One of the entity tags of If-Match (RFC 9110 section 8.8.3), weak or strong."""
_CONSTRAINT = "revision_number="
_NUMBER = re.compile(r"\s*[+-]?[0-9]+\s*")


class Endpoint(Generic[R, V]):
    """The verbs of one resource."""

    def __init__(self, resource: Resource[R, V], *, database: Database, auth: Auth) -> None:
        self.resource = resource
        self._database = database
        self._auth = auth
        self._shown: dict[tuple[Rights, bool], permission.Shown[V]] = {}

    def collection(self) -> Response:
        """Serve ``/v2.0/<collection>``; OPTIONS lists like GET, as Neutron's does."""
        caller = admit(self._auth)
        service = self.resource.service
        match request.method:
            case "GET" | "OPTIONS":
                return self._list(caller)
            case "POST" if service.create is not None and service.create_many is not None:
                return self._create(caller, service.create, service.create_many)
            case "DELETE" if service.delete is not None:
                return self._delete(caller, "None", service.delete)  # Neutron: 404 "Port None could not be found."
        raise MethodNotAllowed(_COLLECTION_METHODS)

    def item(self, object_id: str) -> Response:
        """Serve ``/v2.0/<collection>/<id>``."""
        caller = admit(self._auth)
        match request.method:
            case "GET" | "OPTIONS":
                return self._show(caller, object_id)
            case "PUT" if self.resource.service.update is not None:
                return self._update(caller, object_id, self.resource.service.update)
            case "DELETE" if self.resource.service.delete is not None:
                return self._delete(caller, object_id, self.resource.service.delete)
        raise MethodNotAllowed(_ITEM_METHODS)

    def act(self, action: Action, object_id: str) -> Response:
        """Serve ``/v2.0/<collection>/<id>/<action>``."""
        caller = admit(self._auth)
        values = body.arguments(action, self.resource.member, read_body())

        def work(tx: Transaction) -> object:
            done = action.perform(tx, caller, object_id, values)
            if action.show is not None:
                return action.show(done)
            record: Any = done if action.is_record else self.resource.service.get(tx, caller, object_id)
            (view,) = self.views(tx, caller, [record])
            return {self.resource.member: view}

        return answer(200, self._database.carry_out(work))

    def _list(self, caller: Caller) -> Response:
        resource = self.resource
        parameters = query.pairs(request.query_string)
        listed = query.listing(resource, caller, parameters)
        records: Sequence[R] = ()
        views: list[dict[str, object]] = []
        if listed.query is not None:
            if resource.before_list is not None:
                resource.before_list(self._database, caller, listed.query)
            with self._database.read() as tx:
                records = resource.service.find(tx, caller, listed.query)
                views = self.views(tx, caller, records, query.fields(parameters))
        found: dict[str, object] = {resource.collection: views}
        if listed.limit:
            ids = [resource.identify(record) for record in records]
            url = f"{base_url(request)}{API_ROOT}/{resource.path}"
            links = query.links(url, parameters, listed, ids)
            if links:
                found[f"{resource.collection}_links"] = links
        return answer(200, found)

    def _show(self, caller: Caller, object_id: str) -> Response:
        fields = query.fields(query.pairs(request.query_string))
        with self._database.read() as tx:
            record = self.resource.service.get(tx, caller, object_id)
            (view,) = self.views(tx, caller, [record], fields)
        return answer(200, {self.resource.member: view})

    def _create(
        self,
        caller: Caller,
        create: Callable[[Transaction, Caller, Mapping[str, object]], R],
        create_many: Callable[[Transaction, Caller, Sequence[Mapping[str, object]]], Sequence[R]],
    ) -> Response:
        resource = self.resource
        given, bulk = body.members(resource, read_body())
        wanted = [body.wanted(resource, caller, one) for one in given]

        def work(tx: Transaction) -> list[dict[str, object]]:
            records = create_many(tx, caller, wanted) if bulk else [create(tx, caller, wanted[0])]
            # What is new has the tags it was given; nearly always none.
            return self.views(tx, caller, records, has_tags=any(one.get("tags") for one in wanted))

        views = self._database.carry_out(work)
        return answer(201, {resource.collection: views} if bulk else {resource.member: views[0]})

    def _update(self, caller: Caller, object_id: str, update: Callable[..., R]) -> Response:
        resource = self.resource
        given = body.member(resource, read_body())
        try:
            changes = body.changes(resource, caller, given)
            expected = if_revision()

            def work(tx: Transaction) -> dict[str, object]:
                (view,) = self.views(tx, caller, [update(tx, caller, object_id, changes, if_revision=expected)])
                return view

            view = self._database.carry_out(work)
        except PolicyNotAuthorized:
            with self._database.read() as tx:
                resource.service.get(tx, caller, object_id)  # what a caller may not see is not there: 404, not 403
            raise
        return answer(200, {resource.member: view})

    def _delete(self, caller: Caller, object_id: str, delete: Callable[..., None]) -> Response:
        options = {
            name: boolean(value)
            for name, value in query.pairs(request.query_string)
            if name in self.resource.delete_options
        }
        expected = if_revision()
        self._database.carry_out(lambda tx: delete(tx, caller, object_id, if_revision=expected, **options))
        return no_content()

    def views(
        self,
        tx: Transaction,
        caller: Caller,
        records: Sequence[R],
        fields: Collection[str] = (),
        *,
        has_tags: bool = True,
    ) -> list[dict[str, object]]:
        """Return the wire form of records; ``has_tags`` is false when none of them can have a tag."""
        shown, some = permission.shown(self.resource, caller, fields) if fields else self._shown_to(caller)
        looked = self.resource.look(tx, caller, records)
        absent = Default.ABSENT
        views = [{name: v for name, show in shown if (v := show(view)) is not absent} for view in looked]
        if has_tags and self.resource.tagged is not None and any(name == TAGS for name, _show in shown):
            self._add_tags(tx, records, views)
        if some:
            for record, view in zip(records, views, strict=True):
                permission.hide(caller, record, view, some)
        return views

    def _shown_to(self, caller: Caller) -> permission.Shown[V]:
        """Return the attributes a caller with these rights sees, worked out once; there are few kinds of rights."""
        kind = (caller.rights, caller.is_admin)
        found = self._shown.get(kind)
        if found is None:
            found = self._shown[kind] = permission.shown(self.resource, caller, ())
        return found

    def _add_tags(self, tx: Transaction, records: Sequence[R], views: Sequence[dict[str, object]]) -> None:
        ids = [self.resource.identify(record) for record in records]
        tags = tags_of(tx.connection, ids)
        for object_id, view in zip(ids, views, strict=True):
            view[TAGS] = list(tags.get(object_id, ()))


def admit(auth: Auth) -> Caller:
    """Return who sends the current request.

    Raises:
        NotAcceptable: the client does not take JSON.
    """
    caller: Caller | None = g.get(CALLER)
    if caller is None:
        caller = auth.caller(request.headers)
    if not accepts_json(request):
        raise NotAcceptable
    return caller


def read_body() -> Mapping[str, object]:
    """Return the JSON object of the current request's body."""
    return body.parse(request.get_data(cache=False), request.content_type)


def if_revision() -> int | None:
    """Return the revision of ``If-Match: revision_number=N``, with or without quotes; Neutron ignores other tags.

    Raises:
        BadRequest: what follows is no number, or there are two of them; to ignore it would overwrite unconstrained.
    """
    given = request.headers.get("If-Match", "").strip()
    tags = [found[2] for found in _ETAG.finditer(given) if not found[1]] if '"' in given else [given]
    numbers = [tag.removeprefix(_CONSTRAINT) for tag in tags if tag.startswith(_CONSTRAINT)]
    if len(numbers) > 1:
        raise BadRequest("if-match", "Multiple revision_number etags are not supported")
    if not numbers:
        return None
    if not _NUMBER.fullmatch(numbers[0]):
        raise BadRequest("if-match", "Revision number etag must be in the format of revision_number=<int>")
    return int(numbers[0])
