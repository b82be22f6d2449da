"""What would this request do? ``?plan=true`` on whatever changes something: carried out, looked at, and taken back.

The request takes its ordinary way through the API, so that its errors are those it would have; what it writes is never
committed, and nobody is told of it. The answer says which objects would be others, as the caller may see them, what
switches would be sent, and who could talk to whom.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from flask import Flask, Response, request
from flask.typing import ResponseReturnValue

from api import plan_schema, plan_unknown, query
from api.auth import Auth
from api.errors import PlanOfNothing
from api.faults import is_api
from api.machinery import Endpoint, admit
from api.plan_schema import MUTATING, PARAMETER, Views
from api.resources.address_conflicts import ADDRESS_CONFLICT
from api.resources.ports import PORT
from api.validators import boolean
from api.wire import answer
from controller.caller import Caller
from controller.errors import PolicyNotAuthorized
from controller.planning.connectivity import Connectivity, connectivity
from controller.planning.journeys import arrived
from controller.planning.preview import Preview, models, preview
from controller.planning.realised import of_plugins
from controller.planning.scope import scope_of
from controller.plugins.openflow import OpenFlowPlugin
from controller.reconcile.feed import KINDS, Changes, load_changes
from controller.services import quotas
from controller.services.query import Filter, Query
from controller.store.containers import holders
from controller.store.containers_schema import CONTAINERS
from controller.store.database import Database
from controller.store.loading import in_chunks
from controller.store.metadata import METADATA
from controller.store.quotas import QUOTAS
from controller.store.schema import PORTS
from controller.store.sightings import ADDRESS_SIGHTINGS, contested
from controller.store.touched import ANYTHING, Touched
from controller.store.transaction import Transaction

_FIRST_ERROR = 400
_TABLES = {ADDRESS_CONFLICT.collection: ADDRESS_SIGHTINGS.name}
"""Where the objects of a collection are, when not in a table of its name."""

Endpoints = Sequence[Endpoint[Any, Any]]


class Planner:
    """Stands before every view of the application."""

    def __init__(self, *, endpoints: Endpoints, database: Database, auth: Auth) -> None:
        """Prepare; ``endpoints`` are those of the resources whose objects are named in a plan."""
        self._endpoints = endpoints
        self._database = database
        self._auth = auth

    def register(self, app: Flask) -> None:
        """Let every request come by here."""
        dispatch = app.dispatch_request

        def dispatch_planned() -> ResponseReturnValue:
            return self._dispatched(dispatch) if _is_asked_for() else dispatch()

        app.dispatch_request = dispatch_planned  # type: ignore[method-assign] # as wsgi_app: what Flask lets be wrapped

    def _dispatched(self, dispatch: Callable[[], ResponseReturnValue]) -> ResponseReturnValue:
        caller = admit(self._auth)
        seen = _Seen(self._endpoints, caller)
        with self._database.planning(seen.look) as imagined:
            done = dispatch()
            if not isinstance(done, Response) or done.status_code >= _FIRST_ERROR:
                return done
            planned = seen.told()
        status = {"action": f"{request.method} {request.path}", "status": done.status_code}
        found = status | {"answer": done.get_json(silent=True)} | planned
        found["addresses_unknown"] = plan_unknown.sentence(imagined)
        return answer(200, {PARAMETER: plan_unknown.without(found, imagined)})


class _Seen:
    """What one request would do, as it is found out."""

    def __init__(self, endpoints: Endpoints, caller: Caller) -> None:
        self._endpoints = endpoints
        self._caller = caller
        self._before: Transaction | None = None
        self._touched = Touched()
        self._changes = Changes()
        self._beside: Mapping[str, frozenset[str]] = {}
        self._after: Views = {}

    def look(self, before: Transaction, after: Transaction, touched: Touched) -> None:
        """Note what has to be known of the database as it would be; the rest can wait until it is let go."""
        if self._before is not None and not (after.is_journalled or touched):
            return
        self._before, self._touched = before, touched
        self._changes = arrived(before, after, load_changes(after, {kind: after.journalled(kind) for kind in KINDS}))
        was, now = self._find_beside(before), self._find_beside(after)
        self._beside = {table: was[table] | now[table] for table in was}
        self._after = self._views(after)

    def told(self) -> dict[str, object]:
        """Return what there is to say."""
        if self._before is None:
            nothing = {"affected": [], "ports": 0, "plugins": []}
            return nothing | plan_schema.flows(Preview()) | {"connectivity": plan_schema.pairs(Connectivity(), {})}
        scope = scope_of(self._before, self._changes)
        was = self._views(self._before)
        both = models(scope)
        sent = preview(scope, OpenFlowPlugin.name, both)
        others = of_plugins(scope, self._before.faces.registry.loaded)
        found = {
            "affected": list(plan_schema.affected(was, self._after)),
            "ports": scope.ports,
            **plan_schema.flows(sent),
            "plugins": plan_schema.plugins(others),
            "connectivity": self._pairs(self._before, connectivity(scope, both[0], both[1]), was),
        }
        if self._caller.rights.rule("get_host") is True:
            found["hosts"] = plan_schema.hosts(sent.hosts)
        return found

    def _pairs(self, before: Transaction, found: Connectivity, was: Views) -> dict[str, object]:
        named = {port_id for one in (*found.gained, *found.lost) for port_id in (one.source, one.target)}
        looked = {**was, **self._after}
        seen = {object_id: str(view["name"]) for (kind, object_id), view in looked.items() if kind == PORT.member}
        for endpoint in self._endpoints:
            if endpoint.resource.member == PORT.member:
                others = self._visible(before, endpoint, sorted(named - seen.keys()))[1]
                seen |= {str(view["id"]): str(view["name"]) for view in others}
        return plan_schema.pairs(found, seen)

    def _views(self, tx: Transaction) -> Views:
        """Return what the caller sees of the objects touched, as a transaction has them."""
        found: dict[tuple[str, str], Mapping[str, Any]] = {}
        for endpoint in self._endpoints:
            resource = endpoint.resource
            table = _TABLES.get(resource.collection, resource.collection)
            if table not in METADATA.tables:
                continue  # what is only counted from others, as the availability of addresses
            ids = self._touched.ids(table) | self._touched.ids(ANYTHING) | self._beside.get(table, frozenset())
            for record_, view in zip(*self._visible(tx, endpoint, sorted(ids)), strict=True):
                found[resource.member, resource.identify(record_)] = view
        for project_id in self._touched.ids(QUOTAS.name):
            try:
                found["quota", project_id] = quotas.get(tx, self._caller, project_id)
            except PolicyNotAuthorized:
                continue
        return found

    def _find_beside(self, tx: Transaction) -> Mapping[str, frozenset[str]]:
        """Return the ids of objects that say what has become of those touched, by table."""
        of_each = [self._touched.ids(endpoint.resource.collection) for endpoint in self._endpoints]
        objects = sorted({object_id for ids in of_each for object_id in ids})
        return {
            CONTAINERS.name: holders(tx, objects),
            ADDRESS_SIGHTINGS.name: contested(tx, sorted(self._touched.ids(PORTS.name))),
        }

    def _visible(
        self, tx: Transaction, endpoint: Endpoint[Any, Any], ids: Sequence[str]
    ) -> tuple[list[Any], list[dict[str, object]]]:
        records: list[Any] = []
        for chunk in in_chunks(ids):
            query_ = Query(filters=(Filter(name="id", values=tuple(chunk)),))
            try:
                records += endpoint.resource.service.find(tx, self._caller, query_)
            except PolicyNotAuthorized:
                return [], []
        return records, endpoint.views(tx, self._caller, records) if records else []


def _is_asked_for() -> bool:
    """Say whether the current request is to be planned only.

    Raises:
        InvalidInput: what is given is no boolean.
        PlanOfNothing: the request changes nothing.
    """
    if not request.query_string or request.routing_exception is not None or not is_api(request.path):
        return False
    given = [value for name, value in query.pairs(request.query_string) if name == PARAMETER]
    asked = [bool(boolean(value)) for value in given]
    if given and request.method not in MUTATING:
        raise PlanOfNothing
    return any(asked)
