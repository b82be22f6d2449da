"""What is done at ``/v2.0/quotas``? How many objects a project may have.

Neutron API reference, quotas; extensions quotas, quota_details, quota-check-limit, quota-check-limit-default. A
project's limits are no object with an id: there is no list machinery, and nothing to create.
"""

from collections.abc import Callable, Mapping

from flask import Flask, Response, request
from werkzeug import exceptions
from werkzeug.exceptions import MethodNotAllowed

from api.auth import Auth
from api.errors import InvalidAttribute, MalformedBody, MissingWrapper, UnknownAttributes
from api.machinery import METHODS, admit, read_body
from api.operations import Operation
from api.schema import BOOLEAN, INTEGER, TEXT, Schema, array, record
from api.validators import Refused, boolean, integer, schema_of
from api.wire import API_ROOT, answer, no_content
from controller.services import quotas
from controller.store.database import Database
from controller.store.quotas import HIGHEST_LIMIT, NO_LIMIT, QUOTA_RESOURCES

_READ = ("GET", "OPTIONS")
_LIMIT = integer(lowest=NO_LIMIT, highest=HIGHEST_LIMIT)
_EVERY = f"{API_ROOT}/quotas"
_ONE = f"{_EVERY}/<project_id>"
_DEFAULT = f"{_ONE}/default"
_DETAILS = f"{_ONE}/details"
_LIMITS: Mapping[str, Schema] = dict.fromkeys(QUOTA_RESOURCES, INTEGER)
_QUOTA = record({"quota": record(_LIMITS, required=QUOTA_RESOURCES)}, required=("quota",))
_OWN_ID = [record({name: record({f"{name}_id": TEXT})}, required=(name,)) for name in ("project", "tenant")]
_OPTIONS = {
    "force": {**BOOLEAN, "description": "Also below what the project has already."},
    "check_limit": {**BOOLEAN, "description": "Refuse a limit below what the project has; done anyway."},
}
_USAGE = record({"limit": INTEGER, "used": INTEGER, "reserved": INTEGER}, required=("limit", "used", "reserved"))

OPERATIONS = (
    Operation(
        method="GET",
        path=_EVERY,
        name="list_quotas",
        doc="List the limits of the projects that have some of their own.",
        answer=record(
            {"quotas": array(record({**_LIMITS, "project_id": TEXT, "tenant_id": TEXT}))}, required=("quotas",)
        ),
    ),
    Operation(
        method="GET",
        path=_ONE,
        name="show_quota",
        doc="Show a project's limits; project or tenant as its id answers with the caller's own.",
        answer={"anyOf": [_QUOTA, *_OWN_ID]},
    ),
    Operation(
        method="PUT",
        path=_ONE,
        name="update_quota",
        doc="Give a project limits of its own; -1 is no limit, and those not named stay.",
        body=record(
            {"quota": record({**dict.fromkeys(QUOTA_RESOURCES, schema_of(_LIMIT)), **_OPTIONS})},
            required=("quota",),
            is_closed=False,
        ),
        answer=_QUOTA,
    ),
    Operation(
        method="DELETE",
        path=_ONE,
        name="delete_quota",
        doc="Take a project's own limits away; the usual ones hold.",
        status=204,
    ),
    Operation(
        method="GET",
        path=_DEFAULT,
        name="show_default_quota",
        doc="Show the limits of a project that has none of its own.",
        answer=_QUOTA,
    ),
    Operation(
        method="GET",
        path=_DETAILS,
        name="show_quota_details",
        doc="Show a project's limits with what it has.",
        answer=record({"quota": record(dict.fromkeys(QUOTA_RESOURCES, _USAGE))}, required=("quota",)),
    ),
)


class Quotas:
    """The verbs under ``/v2.0/quotas``."""

    def __init__(self, *, database: Database, auth: Auth) -> None:
        self._database = database
        self._auth = auth

    def register(self, app: Flask) -> None:
        """Add the paths to the application."""
        views: tuple[tuple[str, Callable[..., Response]], ...] = (
            (_EVERY, self.every),
            (_ONE, self.one),
            (_DEFAULT, self.default),
            (_DETAILS, self.details),
        )
        for path, view in views:
            app.add_url_rule(path, endpoint=path, view_func=view, methods=METHODS, provide_automatic_options=False)

    def every(self) -> Response:
        """List the limits of projects that have some of their own."""
        caller = admit(self._auth)
        if request.method == "POST":
            raise exceptions.NotImplemented("POST requests are not supported on this resource.")
        _check_method(_READ)
        with self._database.read() as tx:
            found = quotas.find(tx, caller)
        owned = [dict(limits) | {"project_id": owner, "tenant_id": owner} for owner, limits in found.items()]
        return answer(200, {"quotas": owned})

    def one(self, project_id: str) -> Response:
        """Show, set or remove a project's limits; ``project`` and ``tenant`` stand for the caller's own id."""
        caller = admit(self._auth)
        match request.method:
            case "GET" | "OPTIONS" if project_id in {"project", "tenant"}:
                return answer(200, {project_id: {f"{project_id}_id": caller.project_id}})
            case "GET" | "OPTIONS":
                with self._database.read() as tx:
                    limits = quotas.get(tx, caller, project_id)
                return answer(200, {"quota": limits})
            case "PUT":
                wanted, force = _wanted(read_body())
                limits = self._database.carry_out(lambda tx: quotas.update(tx, caller, project_id, wanted, force=force))
                return answer(200, {"quota": limits})
            case "DELETE":
                self._database.carry_out(lambda tx: quotas.delete(tx, caller, project_id))
                return no_content()
        raise MethodNotAllowed((*_READ, "PUT", "DELETE"))

    def default(self, project_id: str) -> Response:
        """Show the limits of a project that has none of its own."""
        caller = admit(self._auth)
        _check_method(_READ)
        with self._database.read() as tx:
            limits = quotas.defaults(tx, caller, project_id)
        return answer(200, {"quota": limits})

    def details(self, project_id: str) -> Response:
        """Show a project's limits with what it has; nothing is ever reserved, as a request is one transaction."""
        caller = admit(self._auth)
        _check_method(_READ)
        with self._database.read() as tx:
            found = quotas.details(tx, caller, project_id)
        shown = {name: {"limit": one.limit, "used": one.used, "reserved": 0} for name, one in found.items()}
        return answer(200, {"quota": shown})


def _check_method(allowed: tuple[str, ...]) -> None:
    if request.method not in allowed:
        raise MethodNotAllowed(allowed)


def _wanted(body: Mapping[str, object]) -> tuple[Mapping[str, int], bool]:
    """Return the limits of a body, and whether they hold whatever the project has already.

    ``check_limit`` asks for what is done anyway (extension quota-check-limit-default).
    """
    given = body.get("quota")
    if given is None:
        raise MissingWrapper("quota")
    if not isinstance(given, dict):
        raise MalformedBody
    options = {name: given[name] for name in ("force", "check_limit") if given.get(name) is not None}
    limits = {name: value for name, value in given.items() if name not in {"force", "check_limit"}}
    if unknown := limits.keys() - set(QUOTA_RESOURCES):
        raise UnknownAttributes(sorted(unknown))
    flags = {name: bool(boolean(value)) for name, value in options.items()}
    return {name: _limit(name, value) for name, value in limits.items()}, flags.get("force", False)


def _limit(name: str, value: object) -> int:
    try:
        return int(str(_LIMIT(value)))
    except Refused as refused:
        raise InvalidAttribute(name, refused.reason) from None
