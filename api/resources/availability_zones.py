"""What is an availability zone on the wire?

Neutron API reference, availability zones; extensions availability_zone, availability_zone_filter. A zone has a name
and no id, so there is a list only.
"""

from collections.abc import Mapping, Sequence

from flask import Flask, Response, request

from api import query
from api.attributes import FilterBy, by, by_constant
from api.auth import Auth
from api.errors import UnknownFilter
from api.machinery import admit
from api.operations import Operation
from api.schema import TEXT, array, record
from api.wire import API_ROOT, answer
from controller.services import availability_zones
from controller.services.availability_zones import STATES
from controller.services.query import Filter
from controller.store.database import Database

_RESOURCE = "network"
"""The only kind of resource that has zones."""
_AVAILABLE = {state: is_available for is_available, state in STATES.items()}


def _by_state(given: Sequence[str]) -> tuple[Filter, ...] | None:
    wanted = tuple(_AVAILABLE[state] for state in given if state in _AVAILABLE)
    return (Filter(name="is_available", values=wanted),) if wanted else None


_FILTERS: Mapping[str, FilterBy] = {"name": by("name"), "resource": by_constant(_RESOURCE), "state": _by_state}

_ZONE = record({"name": TEXT, "resource": {"enum": [_RESOURCE]}, "state": {"enum": list(_AVAILABLE)}})

OPERATIONS = (
    Operation(
        method="GET",
        path=f"{API_ROOT}/availability_zones",
        name="list_availability_zones",
        doc="List the availability zones: those that registered hosts are in.",
        query={name: array(TEXT) for name in ("name", "resource", "state", "fields")},
        answer=record({"availability_zones": array(_ZONE)}, required=("availability_zones",)),
    ),
)


class AvailabilityZones:
    """The document ``/v2.0/availability_zones``."""

    def __init__(self, *, database: Database, auth: Auth) -> None:
        self._database = database
        self._auth = auth

    def register(self, app: Flask) -> None:
        """Add the document to the application, under both spellings."""
        for name in ("availability_zones", "availability-zones"):
            path = f"{API_ROOT}/{name}"
            app.add_url_rule(
                path, endpoint=path, view_func=self.every, methods=("GET", "OPTIONS"), provide_automatic_options=False
            )

    def every(self) -> Response:
        """List the zones."""
        caller = admit(self._auth)
        parameters = query.pairs(request.query_string)
        fields = query.fields(parameters)
        filters = _filters([(name, value) for name, value in parameters if name != "fields"])
        found = []
        if filters is not None:
            with self._database.read() as tx:
                found = availability_zones.find(tx, caller, filters)
        shown = [{"name": one.name, "resource": _RESOURCE, "state": STATES[one.is_available]} for one in found]
        picked = [{name: value for name, value in zone.items() if not fields or name in fields} for zone in shown]
        return answer(200, {"availability_zones": picked})


def _filters(parameters: list[tuple[str, str]]) -> list[Filter] | None:
    """Return the filters of a query string; None when nothing can match."""
    values: dict[str, list[str]] = {}
    for name, value in parameters:
        values.setdefault(name, []).append(value)
    if unknown := values.keys() - _FILTERS.keys():
        raise UnknownFilter(sorted(unknown))
    filters: list[Filter] = []
    for name, given in values.items():
        more = _FILTERS[name](given)
        if more is None:
            return None
        filters.extend(more)
    return filters
