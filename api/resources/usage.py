"""What does a project consume, on the wire? Weft's own documents (extension ``weft-usage``).

``GET /v2.0/usage`` is now; with ``start`` and perhaps ``end`` (ISO 8601) it is over time, from stored samples;
``GET /v2.0/usage/ports`` is the traffic of each port. *in* is what the guest received.
"""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime

from flask import Flask, Response, request

from api import query
from api.attributes import wire_time
from api.auth import Auth
from api.errors import InvalidAttribute, UnknownFilter
from api.machinery import admit
from api.operations import Operation
from api.resources.ports import PORT
from api.schema import INTEGER, TEXT, TIME, UUID, array, or_null, record
from api.validators import shown
from api.wire import API_ROOT, answer, base_url
from controller.services import usage
from controller.store.database import Database
from controller.store.usage_schema import COUNTED, TRAFFIC

_PORT_FILTERS = ("project_id", "tenant_id", "network_id", "id", "limit", "marker", "page_reverse")


_PROJECTS = f"{API_ROOT}/usage"
_PORTS = f"{API_ROOT}/usage/ports"
_TRAFFIC = dict.fromkeys(TRAFFIC, INTEGER)
_COUNTED = dict.fromkeys(COUNTED, INTEGER)
_SAMPLE = record({"at": TIME, **_COUNTED, **_TRAFFIC})
_PROJECT = {"project_id": TEXT, **_TRAFFIC, **_COUNTED, "measured_at": or_null(TIME)}
_OVER_TIME = {"start": TIME, "end": TIME, "samples": array(_SAMPLE)}
_PORT = {"port_id": UUID, "project_id": TEXT, "network_id": UUID, **_TRAFFIC, "measured_at": or_null(TIME)}

OPERATIONS = (
    Operation(
        method="GET",
        path=_PROJECTS,
        name="list_usage",
        doc="Say what projects have and have consumed now, or with start or end over time, from stored samples.",
        query={"project_id": TEXT, "start": TIME, "end": TIME},
        answer=record({"usage": array(record({**_PROJECT, **_OVER_TIME}))}, required=("usage",)),
    ),
    Operation(
        method="GET",
        path=_PORTS,
        name="list_port_usage",
        doc="Say what passed through each port.",
        query={**dict.fromkeys(("project_id", "tenant_id", "network_id", "id", "marker"), TEXT), "limit": INTEGER},
        answer=record({"port_usage": array(record(_PORT))}, required=("port_usage",), is_closed=False),
    ),
)


class UsageDocuments:
    """The documents of projects and ports."""

    def __init__(self, *, database: Database, auth: Auth) -> None:
        self._database = database
        self._auth = auth

    def register(self, app: Flask) -> None:
        """Add the documents to the application."""
        for path, view in ((_PROJECTS, self.of_projects), (_PORTS, self.of_ports)):
            app.add_url_rule(
                path, endpoint=path, view_func=view, methods=("GET", "OPTIONS"), provide_automatic_options=False
            )

    def of_projects(self) -> Response:
        """Return what projects have now, or had over time."""
        caller = admit(self._auth)
        asked = dict(query.pairs(request.query_string))
        if unknown := asked.keys() - {"project_id", "start", "end"}:
            raise UnknownFilter(sorted(unknown))
        project_id = asked.get("project_id") or None
        with self._database.read() as tx:
            if "start" not in asked and "end" not in asked:
                return answer(200, {"usage": [_project(one) for one in usage.now(tx, caller, project_id)]})
            start = _moment(asked, "start", datetime.fromtimestamp(0, UTC))
            end = _moment(asked, "end", tx.now)
            found = usage.over(tx, caller, project_id, start=start, end=end)
        body = [
            {
                "project_id": one.project_id,
                "start": wire_time(start),
                "end": wire_time(end),
                **asdict(one.traffic),
                "samples": [
                    {"at": wire_time(sample.at), **sample.counted, **asdict(sample.traffic)} for sample in one.samples
                ],
            }
            for one in found
        ]
        return answer(200, {"usage": body})

    def of_ports(self) -> Response:
        """Return the traffic of ports, a page at a time if asked."""
        caller = admit(self._auth)
        parameters = query.pairs(request.query_string)
        if unknown := {name for name, _value in parameters} - set(_PORT_FILTERS):
            raise UnknownFilter(sorted(unknown))
        listed = query.listing(PORT, caller, parameters)
        with self._database.read() as tx:
            found = [] if listed.query is None else usage.of_ports(tx, caller, listed.query)
        document: dict[str, object] = {"port_usage": [_port(one) for one in found]}
        if listed.limit:
            links = query.links(
                f"{base_url(request)}{API_ROOT}/usage/ports", parameters, listed, [one.port_id for one in found]
            )
            document |= {"port_usage_links": links} if links else {}
        return answer(200, document)


def _project(one: usage.ProjectUsage) -> dict[str, object]:
    return {
        "project_id": one.project_id,
        **one.counted,
        **asdict(one.traffic),
        "measured_at": wire_time(one.measured_at),
    }


def _port(one: usage.PortUsage) -> dict[str, object]:
    return {
        "port_id": one.port_id,
        "project_id": one.project_id,
        "network_id": one.network_id,
        **asdict(one.traffic),
        "measured_at": wire_time(one.measured_at),
    }


def _moment(asked: Mapping[str, str], name: str, otherwise: datetime) -> datetime:
    """Return a moment; without an offset it is UTC."""
    given = asked.get(name)
    if not given:
        return otherwise
    try:
        found = datetime.fromisoformat(given)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        raise InvalidAttribute(name, f"'{shown(given)}' is no time, write for example 2026-11-21T06:35:57Z") from None
