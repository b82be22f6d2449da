"""What are a port's bindings on the wire?

Neutron API reference, port bindings; extension binding-extended. They have no id and no list machinery: a port has two
at most.
"""

from collections.abc import Callable, Mapping

from flask import Flask, Response, request
from werkzeug.exceptions import MethodNotAllowed

from api import query
from api.auth import Auth
from api.errors import (
    InvalidAttribute,
    MalformedBody,
    MissingAttribute,
    MissingWrapper,
    NotAllowedInPost,
    ReadOnlyAttribute,
    UnknownAttributes,
)
from api.machinery import METHODS, admit, read_body
from api.operations import Operation
from api.resources.port_values import VNIC_TYPES, profile, vif_details, vif_type
from api.schema import OBJECT, TEXT, array, record
from api.validators import Parse, Refused, nullable, one_of, schema_of, text
from api.wire import API_ROOT, answer, no_content
from controller.caller import Caller
from controller.records import Binding
from controller.services import bindings
from controller.services.realisation import bindings_with_vifs
from controller.store.database import Database, Transaction

_RULES: Mapping[str, Parse] = {
    "host": text(shortest=1),
    "vnic_type": one_of(VNIC_TYPES),
    "profile": nullable(profile, null={}),
    "project_id": text(),
}
_READ_ONLY = frozenset({"vif_type", "vif_details", "status"})
_ROOT = f"{API_ROOT}/ports/<port_id>/bindings"
_SHOWN = record(
    {
        "host": TEXT,
        "vif_type": TEXT,
        "vif_details": OBJECT,
        "vnic_type": schema_of(_RULES["vnic_type"]),
        "profile": OBJECT,
        "status": {"enum": ["ACTIVE", "INACTIVE"]},
    }
)
_ONE = record({"binding": _SHOWN}, required=("binding",))
_GIVEN = {name: schema_of(rule) for name, rule in _RULES.items()}
_FILTERS = dict.fromkeys(("host", "status", "vif_type", "vnic_type", "fields"), TEXT)

OPERATIONS = (
    Operation(
        method="GET",
        path=_ROOT,
        name="list_port_bindings",
        doc="List the bindings of a port.",
        query=_FILTERS,
        answer=record({"bindings": array(_SHOWN)}, required=("bindings",)),
    ),
    Operation(
        method="POST",
        path=_ROOT,
        name="create_port_binding",
        doc="Add an inactive binding on a further host, for a live migration.",
        body=record({"binding": record(_GIVEN, required=("host",))}, required=("binding",)),
        status=201,
        answer=_ONE,
    ),
    Operation(
        method="GET",
        path=f"{_ROOT}/<host>",
        name="show_port_binding",
        doc="Show a port's binding on one host.",
        query={"fields": TEXT},
        answer=_ONE,
    ),
    Operation(
        method="PUT",
        path=f"{_ROOT}/<host>",
        name="update_port_binding",
        doc="Change what is given of a binding.",
        body=record({"binding": record(_GIVEN)}, required=("binding",)),
        answer=_ONE,
    ),
    Operation(
        method="DELETE",
        path=f"{_ROOT}/<host>",
        name="delete_port_binding",
        doc="Remove a binding.",
        status=204,
    ),
    Operation(
        method="PUT",
        path=f"{_ROOT}/<host>/activate",
        name="activate_port_binding",
        doc="Make an inactive binding the active one.",
        answer=_ONE,
    ),
)


class Bindings:
    """The verbs under ``/v2.0/ports/ID/bindings``."""

    def __init__(self, *, database: Database, auth: Auth) -> None:
        self._database = database
        self._auth = auth

    def register(self, app: Flask) -> None:
        """Add the paths to the application."""
        root = _ROOT
        views: tuple[tuple[str, Callable[..., Response]], ...] = (
            (root, self.collection),
            (f"{root}/<host>", self.item),
            (f"{root}/<host>/activate", self.activate),
        )
        for path, view in views:
            app.add_url_rule(path, endpoint=path, view_func=view, methods=METHODS, provide_automatic_options=False)

    def collection(self, port_id: str) -> Response:
        """List a port's bindings, or add one."""
        caller = admit(self._auth)
        match request.method:
            case "GET" | "OPTIONS":
                return self._list(caller, port_id)
            case "POST":
                wanted = {"vnic_type": "normal", "profile": {}} | _given(NotAllowedInPost)
                if "host" not in wanted:
                    raise MissingAttribute("host")
                made = self._one(port_id, lambda tx: bindings.create(tx, caller, port_id, wanted))
                return answer(201, {"binding": made})
        raise MethodNotAllowed(("GET", "POST", "OPTIONS"))

    def item(self, port_id: str, host: str) -> Response:
        """Show, change or remove one binding."""
        caller = admit(self._auth)
        match request.method:
            case "GET" | "OPTIONS":
                with self._database.read() as tx:
                    found = bindings_with_vifs(tx, port_id, [bindings.get(tx, caller, port_id, host)])
                return answer(200, {"binding": _picked(found[0])})
            case "PUT":
                changes = _given(ReadOnlyAttribute)
                if changes.pop("host", host) != host:
                    raise ReadOnlyAttribute("host")
                changed = self._one(port_id, lambda tx: bindings.update(tx, caller, port_id, host, changes))
                return answer(200, {"binding": changed})
            case "DELETE":
                self._database.carry_out(lambda tx: bindings.delete(tx, caller, port_id, host))
                return no_content()
        raise MethodNotAllowed(("GET", "PUT", "DELETE", "OPTIONS"))

    def activate(self, port_id: str, host: str) -> Response:
        """Make an inactive binding the active one; the body does not matter."""
        caller = admit(self._auth)
        if request.method != "PUT":
            raise MethodNotAllowed(("PUT",))
        active = self._one(port_id, lambda tx: bindings.activate(tx, caller, port_id, host))
        return answer(200, {"binding": active})

    def _one(self, port_id: str, work: Callable[[Transaction], Binding]) -> dict[str, object]:
        """Do something to a binding and return how it is then shown."""
        return self._database.carry_out(lambda tx: _wire(bindings_with_vifs(tx, port_id, [work(tx)])[0]))

    def _list(self, caller: Caller, port_id: str) -> Response:
        asked = query.pairs(request.query_string)
        with self._database.read() as tx:
            found = bindings_with_vifs(tx, port_id, bindings.find(tx, caller, port_id))
        wanted = {name: value for name, value in asked if name in {"host", "status", "vif_type", "vnic_type"}}
        shown = [one for one in found if all(_wire(one)[name] == value for name, value in wanted.items())]
        return answer(200, {"bindings": [_picked(one) for one in shown]})


def _wire(binding: Binding) -> dict[str, object]:
    return {
        "host": binding.host,
        "vif_type": vif_type(binding),
        "vif_details": vif_details(binding),
        "vnic_type": binding.vnic_type,
        "profile": dict(binding.profile),
        "status": "ACTIVE" if binding.active else "INACTIVE",
    }


def _picked(binding: Binding) -> dict[str, object]:
    """Return the fields the query asks for; all when it asks for none."""
    fields = query.fields(query.pairs(request.query_string))
    return {name: value for name, value in _wire(binding).items() if not fields or name in fields}


def _given(read_only: Callable[[str], Exception]) -> dict[str, object]:
    """Return the checked attributes of the request's body."""
    body = read_body()
    given = body.get("binding")
    if given is None:
        raise MissingWrapper("binding")
    if not isinstance(given, dict):
        raise MalformedBody
    unknown = given.keys() - _RULES.keys() - _READ_ONLY
    if unknown:
        raise UnknownAttributes(sorted(unknown))
    for name in sorted(given.keys() & _READ_ONLY):
        raise read_only(name)
    values: dict[str, object] = {}
    for name, value in given.items():
        try:
            values[name] = _RULES[name](value)
        except Refused as refused:
            raise InvalidAttribute(name, refused.reason) from None
    values.pop("project_id", None)
    return values
