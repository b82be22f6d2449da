"""Who gives out addresses, and how are they? The directory under ``/v2.0/ipam-drivers``."""

from flask import Flask, Response

from api.auth import Auth
from api.machinery import admit
from api.operations import Operation
from api.schema import INTEGER, TEXT, array, or_null, record
from api.wire import API_ROOT, answer
from controller.ipam_drivers.settings import BUILT_IN
from controller.policy.words import Target
from controller.services.rules import authorize
from controller.store.database import Database
from controller.store.remote_addresses import counts

_COLLECTION = f"{API_ROOT}/ipam-drivers"
_SHOWN = {
    "name": TEXT,
    "version": or_null(TEXT),
    "state": {"enum": ["up", "late", "failed"]},
    "detail": TEXT,
    "subnets": or_null(INTEGER),
    "unsettled_reservations": INTEGER,
    "late_addresses": INTEGER,
}
OPERATIONS = (
    Operation(
        method="GET",
        path=_COLLECTION,
        name="list_ipam_drivers",
        doc="The drivers subnets can have, what is not settled with their services, and those that do not work.",
        answer=record({"ipam_drivers": array(record(_SHOWN))}),
    ),
)


class IpamDrivers:
    """The directory."""

    def __init__(self, *, database: Database, auth: Auth) -> None:
        self._database, self._auth = database, auth

    def register(self, app: Flask) -> None:
        """Add the route."""
        app.add_url_rule(
            _COLLECTION,
            endpoint=_COLLECTION,
            view_func=self.collection,
            methods=("GET", "OPTIONS"),
            provide_automatic_options=False,
        )

    def collection(self) -> Response:
        """List the drivers; services are not asked, what they are owed tells how they are."""
        caller = admit(self._auth)
        authorize(caller, "get_ipam_driver", Target())
        services = self._database.services
        found = [_driver(BUILT_IN, version=None, state="up", detail="Weft's own database.")]
        with self._database.read() as tx:
            for name, service in services.loaded.items():
                count = counts(tx, name)
                is_late = count["late"] > 0
                detail = "It has not answered what it was told; that is tried again." if is_late else ""
                shown = _driver(name, version=service.version, state="late" if is_late else "up", detail=detail)
                found.append(
                    shown
                    | {
                        "subnets": count["subnets"],
                        "unsettled_reservations": count["asks"],
                        "late_addresses": count["late"],
                    }
                )
        found += [_driver(name, version=None, state="failed", detail=why) for name, why in services.broken.items()]
        return answer(200, {"ipam_drivers": found})


def _driver(name: str, *, version: str | None, state: str, detail: str) -> dict[str, object]:
    return {
        "name": name,
        "version": version,
        "state": state,
        "detail": detail,
        "subnets": None,
        "unsettled_reservations": 0,
        "late_addresses": 0,
    }
