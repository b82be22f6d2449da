"""Does the API say why a port has its status, which flows a host has, and whether it is well?"""

from collections.abc import Mapping
from types import SimpleNamespace

import pytest
from flask.testing import FlaskClient
from sqlalchemy import update

from api.app import create_app
from api.auth import NoAuth
from api.errors import ControllerRefused, ControllerSilent
from controller.errors import Kind
from controller.records import PortId, PortState, PortStatus, Reason
from controller.store.database import Database
from controller.store.schema import NETWORKS
from controller.store.states import save_port_states


def test_a_port_s_status_has_a_reason_and_a_timeline(
    client: FlaskClient, make: SimpleNamespace, database: Database
) -> None:
    port = make.port(network_id=make.network()["id"])
    unseen = client.get(f"/v2.0/ports/{port['id']}/status").json["port_status"]
    assert (port["id"], "DOWN", "UNBOUND") == (unseen["port_id"], unseen["status"], unseen["reason"])
    state = PortState(
        port_id=PortId(port["id"]),
        status=PortStatus.ACTIVE,
        reason=Reason.WIRED,
        host="h1",
        detail="ofport 7",
        link_state="up",
    )
    with database.write() as tx:
        save_port_states(tx, [state])
    seen = client.get(f"/v2.0/ports/{port['id']}/status").json["port_status"]
    timeline = seen.pop("timeline")
    assert seen == {
        "port_id": port["id"],
        "status": "ACTIVE",
        "reason": "WIRED",
        "host": "h1",
        "detail": "ofport 7",
        "link_state": "up",
    }
    assert timeline[-1].keys() == {"at", "status", "reason", "host", "detail"}
    assert client.get(f"/v2.0/ports/{port['id']}").json["port"]["status"] == "ACTIVE"


def test_the_status_of_an_unknown_port_is_not_found(client: FlaskClient) -> None:
    assert client.get("/v2.0/ports/nope/status").json["NeutronError"]["type"] == "PortNotFound"


class Script:
    """A controller that answers as told, and remembers what it was asked."""

    def __init__(self, outcome: object) -> None:
        self.outcome = outcome
        self.asked: list[tuple[str, Mapping[str, object]]] = []

    def call(self, op: str, args: Mapping[str, object]) -> object:
        self.asked.append((op, args))
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


def flows(database: Database, outcome: object, path: str) -> tuple[object, Script]:
    script = Script(outcome)
    client = create_app(database, auth=NoAuth(), control=script).test_client()
    return client.get(path), script


def test_flows_are_asked_of_the_controller(database: Database, make: SimpleNamespace) -> None:
    host = make.host(name="h1", ovsdb="tcp:192.0.2.1:6640")
    reply, script = flows(database, {"flows": [{"table": "classify"}]}, f"/v2.0/hosts/{host['id']}/flows?port_id=p")
    assert reply.json == {"flows": [{"table": "classify"}]}
    assert script.asked == [("flows", {"host": "h1", "port_id": "p"})]


@pytest.mark.parametrize(
    ("outcome", "status", "error_type"),
    [
        (ControllerSilent("flows", 5), 504, "GatewayTimeout"),
        (ControllerRefused(error_type="HostNotFound", message="gone", kind=Kind.NOT_FOUND), 404, "HostNotFound"),
        (ControllerRefused(error_type="GatewayTimeout", message="slow", kind=Kind.UNAVAILABLE), 504, "GatewayTimeout"),
        (ControllerRefused(error_type="X", message="no switch", kind=Kind.UNAVAILABLE), 503, "X"),
    ],
)
def test_a_controller_that_fails_is_told_apart(
    database: Database, make: SimpleNamespace, outcome: Exception, status: int, error_type: str
) -> None:
    make.host(name="h1", ovsdb="tcp:192.0.2.1:6640")
    reply, _script = flows(database, outcome, "/v2.0/hosts/h1/flows")
    assert (status, error_type) == (reply.status_code, reply.json["NeutronError"]["type"])


def test_flows_of_what_another_plug_in_realises_are_refused_with_the_reason(
    database: Database, make: SimpleNamespace
) -> None:
    """The controller knows the networks of its own engine only."""
    make.host(name="h1", ovsdb="tcp:192.0.2.1:6640")
    port = make.port(network_id=make.network()["id"])
    with database.write() as tx:
        tx.connection.execute(update(NETWORKS).values(plugin="ovn"))
    gone = ControllerRefused(error_type="PortNotFound", message="gone", kind=Kind.NOT_FOUND)
    for asked in (f"port_id={port['id']}", f"network_id={port['network_id']}"):
        reply, _script = flows(database, gone, f"/v2.0/hosts/h1/flows?{asked}")
        assert (reply.status_code, "Plug-in 'ovn'" in reply.json["NeutronError"]["message"]) == (400, True)


def test_flows_without_a_controller_are_unavailable(client: FlaskClient, make: SimpleNamespace) -> None:
    make.host(name="h1", ovsdb="tcp:192.0.2.1:6640")
    reply = client.get("/v2.0/hosts/h1/flows")
    assert (reply.status_code, reply.json["NeutronError"]["type"]) == (503, "ServiceUnavailable")


def test_flows_of_an_unknown_host_are_not_found(client: FlaskClient) -> None:
    assert client.get("/v2.0/hosts/nope/flows").json["NeutronError"]["type"] == "HostNotFound"


def test_an_unknown_flow_filter_is_refused(client: FlaskClient, make: SimpleNamespace) -> None:
    make.host(name="h1", ovsdb="tcp:192.0.2.1:6640")
    assert client.get("/v2.0/hosts/h1/flows?nope=1").status_code == 400


def test_a_service_that_can_read_its_database_is_well(client: FlaskClient) -> None:
    reply = client.get("/healthz")
    assert (reply.status_code, reply.json) == (200, {"status": "ok"})
