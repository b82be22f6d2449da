"""What is free in a subnet, and when will it be full, on the wire? Weft's own documents (extension ``weft-ipam``)."""

from dataclasses import asdict

from flask import Flask, Response, request

from api import query
from api.attributes import wire_time
from api.auth import Auth
from api.errors import InvalidAttribute, UnknownFilter
from api.machinery import admit
from api.operations import Operation
from api.schema import ADDRESS, INTEGER, NUMBER, TEXT, TIME, UUID, array, or_null, record
from api.wire import API_ROOT, answer
from controller.services import free_addresses
from controller.store.database import Database
from ipam.addresses import text

_FREE = f"{API_ROOT}/subnets/<subnet_id>/free"
_FORECAST = f"{API_ROOT}/subnets/<subnet_id>/forecast"
_TOTALS = dict.fromkeys(("total", "free", "used", "quarantined", "reserved", "excluded", "outside"), INTEGER)
_RANGE = record({"start": ADDRESS, "end": ADDRESS, "size": INTEGER})
_WINDOW = record(
    {
        "days": INTEGER,
        "since": TIME,
        "taken_then": INTEGER,
        "rate_per_day": or_null(NUMBER),
        "days_left": or_null(NUMBER),
    }
)
USUAL_LIMIT = 100

OPERATIONS = (
    Operation(
        method="GET",
        path=_FREE,
        name="show_subnet_free",
        doc="Say which ranges of a subnet are free, a page at a time, and what all its addresses are.",
        query={
            "limit": {**INTEGER, "description": f"Ranges at most, up to {free_addresses.MOST_RANGES}."},
            "start": {**TEXT, "description": "From this address on: the next of the page before."},
        },
        answer=record(
            {
                "free": record(
                    {
                        "subnet_id": UUID,
                        "cidr": TEXT,
                        **_TOTALS,
                        "ranges": array(_RANGE),
                        "next": or_null(ADDRESS),
                    }
                )
            },
            required=("free",),
        ),
    ),
    Operation(
        method="GET",
        path=_FORECAST,
        name="show_subnet_forecast",
        doc="Say how fast a subnet fills, and when it will be full if it goes on so.",
        answer=record(
            {
                "forecast": record(
                    {
                        "subnet_id": UUID,
                        "cidr": TEXT,
                        "at": TIME,
                        "free": INTEGER,
                        "taken": INTEGER,
                        "days_left": or_null(NUMBER),
                        "exhausted_at": or_null(TIME),
                        "basis": TEXT,
                        "samples": INTEGER,
                        "windows": array(_WINDOW),
                    }
                )
            },
            required=("forecast",),
        ),
    ),
)


class FreeAddresses:
    """The documents about one subnet's addresses."""

    def __init__(self, *, database: Database, auth: Auth) -> None:
        self._database = database
        self._auth = auth

    def register(self, app: Flask) -> None:
        """Add the documents to the application."""
        for path, view in ((_FREE, self.free), (_FORECAST, self.forecast)):
            app.add_url_rule(
                path, endpoint=path, view_func=view, methods=("GET", "OPTIONS"), provide_automatic_options=False
            )

    def free(self, subnet_id: str) -> Response:
        """Return free ranges and totals."""
        caller = admit(self._auth)
        asked = dict(query.pairs(request.query_string))
        if unknown := asked.keys() - {"limit", "start"}:
            raise UnknownFilter(sorted(unknown))
        limit = _limit(asked.get("limit"))
        self._expire(subnet_id)
        with self._database.read() as tx:
            found = free_addresses.free(tx, caller, subnet_id, start=asked.get("start") or None, limit=limit)
        version = found.subnet.ip_version
        ranges = [
            {"start": text(version, one.first), "end": text(version, one.last), "size": one.size}
            for one in found.page.ranges
        ]
        following = None if found.page.next is None else text(version, found.page.next)
        document = {"subnet_id": subnet_id, "cidr": found.subnet.cidr, **asdict(found.totals)}
        return answer(200, {"free": {**document, "ranges": ranges, "next": following}})

    def forecast(self, subnet_id: str) -> Response:
        """Return rates over some windows, and what they mean."""
        caller = admit(self._auth)
        if unknown := {name for name, _value in query.pairs(request.query_string)}:
            raise UnknownFilter(sorted(unknown))
        self._expire(subnet_id)
        with self._database.read() as tx:
            found = free_addresses.forecast(tx, caller, subnet_id)
        return answer(200, {"forecast": _forecast(found)})

    def _expire(self, subnet_id: str) -> None:
        with self._database.read() as tx:
            due = free_addresses.is_due(tx, subnet_id)
        if due:
            self._database.carry_out(lambda tx: free_addresses.expire_due(tx, subnet_id))


def _limit(given: str | None) -> int:
    if not given:
        return USUAL_LIMIT
    if not (given.isascii() and given.isdigit() and int(given[:9]) >= 1 and len(given) <= len("999999999")):
        raise InvalidAttribute("limit", f"'{given[:32]}' is no number from 1 on")
    return min(int(given), free_addresses.MOST_RANGES)


def _forecast(found: free_addresses.Forecast) -> dict[str, object]:
    decisive = found.decisive
    basis = (
        "in no window do its addresses become fewer"
        if decisive is None
        else f"the last {decisive.days} days, in which it filled fastest"
    )
    return {
        "subnet_id": found.subnet.id,
        "cidr": found.subnet.cidr,
        "at": wire_time(found.at),
        "free": found.free,
        "taken": found.taken,
        "days_left": None if decisive is None else _rounded(decisive.days_left),
        "exhausted_at": wire_time(found.exhausted_at),
        "basis": basis,
        "samples": found.samples,
        "windows": [
            {
                "days": one.days,
                "since": wire_time(one.since),
                "taken_then": one.taken_then,
                "rate_per_day": _rounded(one.rate_per_day),
                "days_left": _rounded(one.days_left),
            }
            for one in found.windows
        ],
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)
