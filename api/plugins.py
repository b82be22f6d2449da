"""What can each plug-in do, and how is it? The capability directory under ``/v2.0/plugins`` (extension weft-plugins).

What a plug-in can do is what its face advertises in this process; how it is, and which hosts it reaches, is what its
engine last told the database.
"""

from collections.abc import Mapping

from flask import Flask, Response

from api.attributes import wire_time
from api.auth import Auth
from api.machinery import admit
from api.operations import Operation
from api.schema import OBJECT, TEXT, TIME, Schema, array, or_null, record
from api.wire import API_ROOT, answer
from controller.plugin_errors import PluginNotFound
from controller.plugins.contract import Health
from controller.plugins.registry import Broken, Loaded
from controller.policy.words import Target
from controller.records import Host, HostState
from controller.services import hosts
from controller.services.query import Filter, Query
from controller.services.realisation import SILENT_S
from controller.services.rules import authorize
from controller.store.database import Database, Transaction
from controller.store.loading import instant
from controller.store.plugin_states import load_conditions
from controller.store.states import load_host_states

_READ = ("GET", "OPTIONS")
_COLLECTION, _ITEM = f"{API_ROOT}/plugins", f"{API_ROOT}/plugins/<name>"
FAILED = "failed"
"""The state of a plug-in that was enabled and could not be loaded."""
UNKNOWN = "down"


_SHOWN: Mapping[str, Schema] = {
    "name": TEXT,
    "summary": TEXT,
    "version": or_null(TEXT),
    "distribution": or_null(TEXT),
    "state": {"enum": ["up", "degraded", "down", FAILED]},
    "detail": TEXT,
    "versions": OBJECT,
    "seen_at": or_null(TIME),
    "network_types": array(TEXT),
    "features": array(record({"feature": TEXT, "limit": TEXT})),
    "missing": array(record({"feature": TEXT, "reason": TEXT})),
}
_HOSTS = array(record({"name": TEXT, "physical_networks": array(TEXT), "problem": or_null(TEXT), "features": OBJECT}))
OPERATIONS = (
    Operation(
        method="GET",
        path=_COLLECTION,
        name="list_plugins",
        doc="The plug-ins in the order in which they are asked, and last those that do not work.",
        answer=record({"plugins": array(record(_SHOWN))}),
    ),
    Operation(
        method="GET",
        path=_ITEM,
        name="show_plugin",
        doc="What one plug-in can do, what it cannot and why, and its hosts.",
        answer=record({"plugin": record({**_SHOWN, "hosts": _HOSTS}, required=tuple(_SHOWN))}),
    ),
)


class Plugins:
    """The directory, and one plug-in of it."""

    def __init__(self, *, database: Database, auth: Auth) -> None:
        self._database, self._auth = database, auth

    def register(self, app: Flask) -> None:
        """Add the routes."""
        for path, view in ((_COLLECTION, self.collection), (_ITEM, self.item)):
            app.add_url_rule(path, endpoint=path, view_func=view, methods=_READ, provide_automatic_options=False)

    def collection(self) -> Response:
        """List the plug-ins in the order in which they are asked, and last those that do not work."""
        caller = admit(self._auth)
        authorize(caller, "get_plugin", Target())
        with self._database.read() as tx:
            told = load_conditions(tx)
            registry = tx.faces.registry
            found = [_loaded(tx, one, told) for one in registry.loaded.values()]
            found += [_broken(one) for one in registry.broken]
        return answer(200, {"plugins": found})

    def item(self, name: str) -> Response:
        """Show one plug-in with what its hosts can do.

        Raises:
            PluginNotFound
        """
        caller = admit(self._auth)
        authorize(caller, "get_plugin", Target())
        with self._database.read() as tx:
            registry = tx.faces.registry
            broken = {one.name: one for one in registry.broken}
            if name in registry.loaded:
                shown = _loaded(tx, registry.loaded[name], load_conditions(tx))
                states = load_host_states(tx)
                of_plugin = hosts.find(tx, caller, Query(filters=(Filter(name="plugin", values=(name,)),)))
                shown["hosts"] = [_host(host, states.get(host.name)) for host in of_plugin]
            elif name in broken:
                shown = _broken(broken[name])
            else:
                raise PluginNotFound(name)
        return answer(200, {"plugin": shown})


def _loaded(tx: Transaction, one: Loaded, told: Mapping[str, tuple[Health, int]]) -> dict[str, object]:
    advertisement = one.advertisement
    health, seen_at = told.get(one.plugin.name, (None, None))
    is_silent = seen_at is None or tx.timestamp - seen_at > SILENT_S
    return {
        "name": one.plugin.name,
        "summary": advertisement.summary,
        "version": one.plugin.version,
        "distribution": one.distribution,
        "state": UNKNOWN if health is None or is_silent else health.condition.value,
        "detail": "Its engine has not been heard of for a while." if health is None or is_silent else health.detail,
        "versions": {} if health is None else dict(health.versions),
        "seen_at": None if seen_at is None else wire_time(instant(seen_at)),
        "network_types": list(advertisement.network_types),
        "features": [{"feature": str(one.feature), "limit": one.limit} for one in advertisement.capabilities],
        "missing": [
            {"feature": str(feature), "reason": reason} for feature, reason in sorted(advertisement.missing.items())
        ],
    }


def _broken(one: Broken) -> dict[str, object]:
    return {
        "name": one.name,
        "summary": "",
        "version": None,
        "distribution": None,
        "state": FAILED,
        "detail": one.reason,
        "versions": {},
        "seen_at": None,
        "network_types": [],
        "features": [],
        "missing": [],
    }


def _host(host: Host, state: HostState | None) -> dict[str, object]:
    return {
        "name": host.name,
        "physical_networks": [physnet.name for physnet in host.physnets],
        "problem": None if state is None else state.problem,
        "features": {} if state is None else dict(state.features),
    }
