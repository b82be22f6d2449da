"""What is asked of the API before a machine boots? Its network, as cloud-init reads it.

``GET /v2.0/ports/ID/network-data`` and ``GET /v2.0/network-data?device_id=`` answer with the document itself, without
a wrapper, so that it can be written into a config drive as it is. ``static=true`` writes every address out.
"""

from flask import Flask, Response, request

from api import query
from api.auth import Auth
from api.errors import MissingAttribute, UnknownFilter
from api.machinery import admit
from api.operations import Operation
from api.schema import BOOLEAN, OBJECT, TEXT, array, record
from api.validators import boolean
from api.wire import API_ROOT, answer
from controller.services import network_data
from controller.store.database import Database

_OF_PORT = f"{API_ROOT}/ports/<port_id>/network-data"
_OF_DEVICE = f"{API_ROOT}/network-data"
_STATIC = {"static": {**BOOLEAN, "description": "Write every address out, also where there is DHCP."}}
_DOCUMENT = record(
    {"links": array(OBJECT), "networks": array(OBJECT), "services": array(OBJECT)},
    required=("links", "networks", "services"),
)

OPERATIONS = (
    Operation(
        method="GET",
        path=_OF_PORT,
        name="show_port_network_data",
        doc="The network of a port, as cloud-init's network_data.json.",
        query=_STATIC,
        answer=_DOCUMENT,
    ),
    Operation(
        method="GET",
        path=_OF_DEVICE,
        name="show_device_network_data",
        doc="The network of all ports of a device, as cloud-init's network_data.json.",
        query={"device_id": TEXT, **_STATIC},
        required_query=("device_id",),
        answer=_DOCUMENT,
    ),
)


class InstanceData:
    """The documents of ports and devices."""

    def __init__(self, *, database: Database, auth: Auth) -> None:
        self._database = database
        self._auth = auth

    def register(self, app: Flask) -> None:
        """Add the documents to the application."""
        for path, view in (
            (_OF_PORT, self.of_port),
            (_OF_DEVICE, self.of_device),
        ):
            app.add_url_rule(
                path, endpoint=path, view_func=view, methods=("GET", "OPTIONS"), provide_automatic_options=False
            )

    def of_port(self, port_id: str) -> Response:
        """Return the document of one port."""
        caller = admit(self._auth)
        asked = _asked("static")
        static = bool(boolean(asked.get("static", "false")))
        with self._database.read() as tx:
            return answer(200, network_data.of_port(tx, caller, port_id, static=static))

    def of_device(self) -> Response:
        """Return the document of all ports of a device."""
        caller = admit(self._auth)
        asked = _asked("static", "device_id")
        if not asked.get("device_id"):
            raise MissingAttribute("device_id")
        static = bool(boolean(asked.get("static", "false")))
        with self._database.read() as tx:
            return answer(200, network_data.of_device(tx, caller, asked["device_id"], static=static))


def _asked(*known: str) -> dict[str, str]:
    asked = dict(query.pairs(request.query_string))
    unknown = asked.keys() - set(known)
    if unknown:
        raise UnknownFilter(sorted(unknown))
    return asked
