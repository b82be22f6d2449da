"""Is a trace asked of the controller as it was meant, and of administrators' callers only?"""

from typing import Any

import pytest
from werkzeug.datastructures import Headers

from api.app import create_app
from api.auth import NoAuth
from api.errors import ControllerSilent
from controller.caller import Caller
from controller.store.database import Database
from tests.unit.api.test_lookups import Script

ENDS = {"from": "web-1", "to": "10.0.0.2"}


class MemberAuth:
    """Everybody is a member of one project."""

    def caller(self, headers: Headers) -> Caller:
        return Caller(project_id="p", roles=frozenset({"member"}), is_admin=False)


def post(database: Database, body: object, outcome: object = None, auth: Any = None) -> tuple[Any, Script]:
    script = Script({"verdict": "delivered"} if outcome is None else outcome)
    client = create_app(database, auth=auth or NoAuth(), control=script).test_client()
    return client.post("/v2.0/traces", json=body), script


def test_a_trace_is_asked_of_the_controller_and_answered(database: Database) -> None:
    asked = ENDS | {"protocol": "tcp", "port": 80, "state": "reply", "live": "true", "source_mac": "FA-16-3E-00-00-01"}
    reply, script = post(database, {"trace": asked})
    assert (reply.status_code, reply.json) == (200, {"trace": {"verdict": "delivered"}})
    assert script.asked == [("trace", asked | {"live": True, "source_mac": "fa:16:3e:00:00:01"})]


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({}, "Unable to find 'trace'"),
        ({"trace": []}, "invalid data"),
        ({"trace": {"to": "x"}}, "Required attribute 'from'"),
        ({"trace": ENDS | {"hops": 1}}, "Unrecognized attribute(s) 'hops'"),
        ({"trace": ENDS | {"from": 7}}, "Invalid input for from"),
        ({"trace": ENDS | {"protocol": "gre"}}, "Invalid input for protocol. Reason: 'gre' is not in"),
        ({"trace": ENDS | {"port": 0}}, "Invalid input for port"),
        ({"trace": ENDS | {"port": True}}, "Invalid input for port"),
        ({"trace": ENDS | {"state": "old"}}, "Invalid input for state"),
        ({"trace": ENDS | {"source_ip": "10.0.0"}}, "Invalid input for source_ip"),
        ({"trace": ENDS | {"source_mac": "nope"}}, "Invalid input for source_mac"),
        ({"trace": ENDS | {"live": "perhaps"}}, "'perhaps' cannot be converted"),
    ],
)
def test_a_body_that_is_no_question_is_refused(database: Database, body: object, says: str) -> None:
    reply, script = post(database, body)
    assert reply.status_code == 400
    assert says in reply.json["NeutronError"]["message"]
    assert not script.asked


def test_only_an_administrator_may_trace(database: Database) -> None:
    reply, script = post(database, {"trace": ENDS}, auth=MemberAuth())
    assert (reply.status_code, reply.json["NeutronError"]["type"]) == (403, "PolicyNotAuthorized")
    assert not script.asked


def test_a_controller_that_says_nothing_is_a_timeout(database: Database) -> None:
    reply, _ = post(database, {"trace": ENDS}, ControllerSilent("trace", 5))
    assert reply.status_code == 504


def test_traces_are_asked_only(database: Database) -> None:
    client = create_app(database, auth=NoAuth(), control=Script({})).test_client()
    assert client.get("/v2.0/traces").status_code == 405


def test_the_extension_is_listed(database: Database) -> None:
    client = create_app(database, auth=NoAuth(), control=Script({})).test_client()
    assert client.get("/v2.0/extensions/weft-traces").status_code == 200
