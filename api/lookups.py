"""What can be asked about an object besides what it is: why a port has its status, which flows a host has?

Weft's own (extensions ``weft-port-status``, ``weft-flows``, ``weft-traces``), and whether the service is well.
"""

from collections.abc import Mapping
from dataclasses import replace
from itertools import groupby
from operator import itemgetter

from flask import Flask, Response, request

from api import query
from api.attributes import wire_time
from api.auth import Auth
from api.control import Control
from api.errors import ControllerRefused, UnknownFilter
from api.machinery import admit
from api.operations import Operation
from api.plan_schema import PARAMETER
from api.resources.traces import Traces
from api.schema import BOOLEAN, OBJECT, TEXT, TIME, UUID, array, or_null, record
from api.validators import boolean
from api.wire import API_ROOT, answer
from controller.caller import Caller
from controller.errors import InvalidInput, Kind, WeftError
from controller.plugins.openflow import OpenFlowPlugin
from controller.policy.words import Target
from controller.records import PortState
from controller.services import hosts, network_moves, networks, ports
from controller.services.rules import authorize
from controller.store.database import Database
from controller.store.states import load_port_state

_READ = ("GET", "OPTIONS")
_FLOW_FILTERS = ("port_id", "network_id", "table")
_PORT_STATUS = f"{API_ROOT}/ports/<port_id>/status"
_HOST_FLOWS = f"{API_ROOT}/hosts/<host>/flows"
_HOST_RECONCILE = f"{API_ROOT}/hosts/<host>/reconcile"
_EVENT = {"status": TEXT, "reason": TEXT, "host": or_null(TEXT), "detail": or_null(TEXT)}

OPERATIONS = (
    Operation(
        method="GET",
        path=_PORT_STATUS,
        name="show_port_status",
        doc="Say where a port is plugged, its state, and why it is not ACTIVE.",
        answer=record(
            {
                "port_status": record(
                    {
                        "port_id": UUID,
                        **_EVENT,
                        "link_state": or_null(TEXT),
                        "timeline": array(record({"at": TIME, **_EVENT})),
                    }
                )
            },
            required=("port_status",),
        ),
    ),
    Operation(
        method="GET",
        path=_HOST_FLOWS,
        name="list_host_flows",
        doc="List the live flows of a host, with owners and reasons.",
        query=dict.fromkeys(_FLOW_FILTERS, TEXT),
        answer=record({"flows": array(OBJECT)}, required=("flows",)),
    ),
    Operation(
        method="PUT",
        path=_HOST_RECONCILE,
        name="reconcile_host",
        doc="Say what keeps a host from being as desired, and let it be done.",
        query={"accept": {**BOOLEAN, "description": "Carry out the deletes that no change explains."}},
        answer=record({"reconcile": OBJECT}, required=("reconcile",)),
    ),
    Operation(
        method="GET",
        path="/metrics",
        name="show_metrics",
        doc="What the service counts, as Prometheus reads it.",
        answer=TEXT,
        content_type="text/plain; version=0.0.4; charset=utf-8",
    ),
    Operation(
        method="GET",
        path="/healthz",
        name="show_health",
        doc="Say that the database answers.",
        answer=record({"status": {"const": "ok"}}, required=("status",)),
    ),
)


class Lookups:
    """Read-only documents about one object each."""

    def __init__(self, *, database: Database, auth: Auth, control: Control) -> None:
        self._database = database
        self._auth = auth
        self._control = control

    def register(self, app: Flask) -> None:
        """Add the documents to the application."""
        for path, view in (
            (_PORT_STATUS, self.port_status),
            (_HOST_FLOWS, self.host_flows),
        ):
            app.add_url_rule(
                path, endpoint=f"lookups:{path}", view_func=view, methods=_READ, provide_automatic_options=False
            )
        app.add_url_rule(
            _HOST_RECONCILE,
            endpoint=f"lookups:{_HOST_RECONCILE}",
            view_func=self.reconcile,
            methods=("PUT",),
            provide_automatic_options=False,
        )
        Traces(auth=self._auth, control=self._control).register(app)
        app.add_url_rule("/metrics", endpoint="metrics", view_func=self.metrics, methods=("GET",))
        app.add_url_rule("/healthz", endpoint="healthz", view_func=self.health, methods=("GET", "HEAD"))

    def port_status(self, port_id: str) -> Response:
        """Say where a port is plugged, its state, and why it is not ACTIVE."""
        caller = admit(self._auth)
        with self._database.read() as tx:
            port = ports.get(tx, caller, port_id)
            authorize(caller, "get_port_status", lambda: ports.target_of(tx, caller, port))
            state = load_port_state(tx, port.id)
            said = [state.detail, network_moves.note_of_port(tx, caller, port)]
            state = replace(state, detail="; ".join(filter(None, said)))
        return answer(200, {"port_status": _wire_state(state)})

    def host_flows(self, host: str) -> Response:
        """Return the live flows of a host, as the controller process reads and explains them."""
        caller = admit(self._auth)
        asked = query.pairs(request.query_string)
        unknown = [name for name, _value in asked if name not in _FLOW_FILTERS]
        if unknown:
            raise UnknownFilter(unknown)
        with self._database.read() as tx:
            name = hosts.get(tx, caller, host).name
        authorize(caller, "get_host_flows", Target())
        args: dict[str, object] = {"host": name}
        args |= {key: value for key, value in asked if value}
        try:
            found = self._control.call("flows", args)
        except ControllerRefused as error:
            if error.remote_kind is Kind.NOT_FOUND:
                self._check_plugin(caller, args)
            raise
        return answer(200, {"flows": _flows(found)})

    def _check_plugin(self, caller: Caller, args: Mapping[str, object]) -> None:
        """Say of a port or network that is there why the controller knows none of its flows.

        Raises:
            InvalidInput: another plug-in realises it.
            PortNotFound, NetworkNotFound: it is not there.
        """
        with self._database.read() as tx:
            port_id, network_id = args.get("port_id"), args.get("network_id")
            if isinstance(port_id, str):
                network_id = ports.get(tx, caller, port_id).network_id
            plugin = networks.get(tx, caller, network_id).plugin if isinstance(network_id, str) else OpenFlowPlugin.name
        if plugin != OpenFlowPlugin.name:
            raise InvalidInput(
                f"Plug-in '{plugin}' realises network {network_id}, and Weft has no flows for it: "
                "`weft trace` says what becomes of its packets"
            )

    def reconcile(self, host: str) -> Response:
        """Say what keeps a host from being as desired; ``?accept=true`` lets deletes that nothing explains be done."""
        caller = admit(self._auth)
        asked = dict(query.pairs(request.query_string))
        if unknown := asked.keys() - {"accept", PARAMETER}:
            raise UnknownFilter(sorted(unknown))
        with self._database.read() as tx:
            name = hosts.get(tx, caller, host).name
        authorize(caller, "update_host_reconcile", Target())
        accept = bool(boolean(asked.get("accept", "false"))) and not self._database.is_planning
        return answer(200, {"reconcile": self._control.call("reconcile", {"host": name, "accept": accept})})

    def metrics(self) -> Response:
        """Return what the controller counts, as Prometheus reads it (text format 0.0.4); never an error."""
        try:
            samples = self._control.call("metrics", {})
        except WeftError:
            samples = []
        found = [("weft_controller_up", {}, 1.0 if samples else 0.0), *(samples if isinstance(samples, list) else [])]
        lines: list[str] = []
        for name, group in groupby(sorted(found, key=itemgetter(0)), key=itemgetter(0)):
            lines.append(f"# TYPE {name} {'counter' if name.endswith('_total') else 'gauge'}")
            lines.extend(f"{name}{_labels(labels)} {value:.17g}" for _, labels, value in group)
        return Response("\n".join(lines) + "\n", content_type="text/plain; version=0.0.4; charset=utf-8")

    def health(self) -> Response:
        """Say that the database answers."""
        with self._database.read() as tx:
            hosts.names(tx)
        return answer(200, {"status": "ok"})


def _labels(labels: Mapping[str, str]) -> str:
    def escaped(value: str) -> str:
        return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")

    return "{" + ",".join(f'{name}="{escaped(value)}"' for name, value in labels.items()) + "}" if labels else ""


def _flows(result: object) -> object:
    return result.get("flows", []) if isinstance(result, Mapping) else result


def _wire_state(state: PortState) -> dict[str, object]:
    return {
        "port_id": state.port_id,
        "status": str(state.status),
        "reason": str(state.reason),
        "host": state.host,
        "detail": state.detail,
        "link_state": state.link_state,
        "timeline": [
            {
                "at": wire_time(event.at),
                "status": str(event.status),
                "reason": str(event.reason),
                "host": event.host,
                "detail": event.detail,
            }
            for event in state.timeline
        ],
    }
