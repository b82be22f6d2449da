"""How does a network get from one plug-in to another, on the wire? ``/v2.0/networks/ID/move`` (extension weft-plugins).

``GET`` says how far it is, ``PUT`` lets it set out, or back; with ``plan`` in the body nothing is done but looked at:
that says what a move changes and all that is against it, where ``?plan=true`` is refused as the move would be.
"""

from dataclasses import asdict

from flask import Flask, Response, request
from werkzeug.exceptions import MethodNotAllowed

from api.attributes import wire_time
from api.auth import Auth
from api.errors import InvalidAttribute, MissingAttribute, UnknownAttributes
from api.machinery import METHODS, admit, read_body
from api.operations import Operation
from api.schema import TEXT, TIME, UUID, array, or_null, record
from api.validators import Refused, boolean, schema_of, text
from api.wire import API_ROOT, answer
from controller.services import network_moves
from controller.services.network_moves import ARRIVED, GIVEN_UP, PLANNED, PREPARING, SWITCHED, MoveView
from controller.store.database import Database

_PATH = f"{API_ROOT}/networks/<network_id>/move"
_PLUGIN = text(shortest=1, longest=64)
_SHOWN = record(
    {
        "move": record(
            {
                "network_id": UUID,
                "source": TEXT,
                "target": TEXT,
                "phase": {"enum": [PLANNED, PREPARING, SWITCHED, ARRIVED, GIVEN_UP]},
                "changes": array(TEXT),
                "objections": array(TEXT),
                "given_up_at": or_null(TIME),
                "ports": array(
                    record(
                        {
                            "id": UUID,
                            "name": TEXT,
                            "host": or_null(TEXT),
                            "status": TEXT,
                            "reason": TEXT,
                            "detail": TEXT,
                        }
                    )
                ),
            }
        )
    }
)
OPERATIONS = (
    Operation(
        method="GET",
        path=_PATH,
        name="show_network_move",
        doc="How far a network is on its way to another plug-in, and how each of its ports is.",
        answer=_SHOWN,
    ),
    Operation(
        method="PUT",
        path=_PATH,
        name="move_network",
        doc="Move a network to another plug-in, or take it back; with `plan` only say what changes, or forbids it.",
        body=record({"plugin": schema_of(_PLUGIN), "plan": schema_of(boolean)}, required=("plugin",)),
        answer=_SHOWN,
    ),
)


class NetworkMoves:
    """The verbs of a network's move."""

    def __init__(self, *, database: Database, auth: Auth) -> None:
        self._database, self._auth = database, auth

    def register(self, app: Flask) -> None:
        """Add the path to the application."""
        app.add_url_rule(_PATH, endpoint=_PATH, view_func=self.item, methods=METHODS, provide_automatic_options=False)

    def item(self, network_id: str) -> Response:
        """Show a network's move, or make one."""
        caller = admit(self._auth)
        match request.method:
            case "GET" | "OPTIONS":
                with self._database.read() as tx:
                    return answer(200, _wire(network_moves.show(tx, caller, network_id)))
            case "PUT":
                plugin, is_plan = _given()
                if is_plan:
                    with self._database.read() as tx:
                        return answer(200, _wire(network_moves.plan(tx, caller, network_id, plugin)))
                moved = self._database.carry_out(lambda tx: network_moves.move(tx, caller, network_id, plugin))
                return answer(200, _wire(moved))
        raise MethodNotAllowed(("GET", "PUT", "OPTIONS"))


def _wire(view: MoveView) -> dict[str, object]:
    return {"move": asdict(view) | {"given_up_at": wire_time(view.given_up_at)}}


def _given() -> tuple[str, bool]:
    """Return where a network is to go, and whether that is only asked."""
    body = read_body()
    unknown = body.keys() - {"plugin", "plan"}
    if unknown:
        raise UnknownAttributes(sorted(unknown))
    if "plugin" not in body:
        raise MissingAttribute("plugin")
    name = "plugin"
    try:
        plugin = str(_PLUGIN(body["plugin"]))
        name = "plan"
        is_plan = boolean(body.get("plan", False)) is True
    except Refused as refused:
        raise InvalidAttribute(name, refused.reason) from None
    return plugin, is_plan
