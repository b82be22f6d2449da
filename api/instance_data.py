"""What is asked of the API before a machine boots? Its network, as cloud-init reads it.

``GET /v2.0/ports/ID/network-data`` and ``GET /v2.0/network-data?device_id=`` answer with the document itself, without
a wrapper, so that it can be written into a config drive as it is. ``static=true`` writes every address out.
"""

from flask import Flask, Response, request

from api import query
from api.auth import Auth
from api.errors import MissingAttribute, UnknownFilter
from api.machinery import admit
from api.validators import boolean
from api.wire import API_ROOT, answer
from controller.services import network_data
from controller.store.database import Database


class InstanceData:
    """The documents of ports and devices."""

    def __init__(self, *, database: Database, auth: Auth) -> None:
        self._database = database
        self._auth = auth

    def register(self, app: Flask) -> None:
        """Add the documents to the application."""
        for path, view in (
            (f"{API_ROOT}/ports/<port_id>/network-data", self.of_port),
            (f"{API_ROOT}/network-data", self.of_device),
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
