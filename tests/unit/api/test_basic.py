"""Does mode basic let in who has the password, and nobody else? RFC 7617."""

import base64
import logging
import time
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from api.app import create_app
from api.basic import REMEMBERED_S, BasicAuth
from controller import passwords
from controller.policy.rights import Policy
from controller.services import identities
from controller.store.database import Database
from tests.unit.api.conftest import NoController

SECRET = "correct horse: staple"  # noqa: S105 - of this test


def basic(name: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()}


@pytest.fixture
def client(database: Database) -> FlaskClient:
    with database.write() as tx:
        identities.add_user(tx, name="ann", project_id="blue", roles=["member"], password=SECRET)
    return create_app(database, auth=BasicAuth(database, Policy()), control=NoController()).test_client()


def test_a_user_makes_objects_of_its_project(client: FlaskClient) -> None:
    made = client.post("/v2.0/networks", json={"network": {"name": "n"}}, headers=basic("ann", SECRET))
    assert made.status_code == 201
    assert made.json is not None
    assert made.json["network"]["project_id"] == "blue"
    assert "provider:network_type" not in made.json["network"]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        basic("ann", "wrong"),
        basic("ann", ""),
        basic("bob", SECRET),
        basic("bob", ""),
        basic("ann", SECRET * 100),
        {"Authorization": "Basic !!!"},
        {"Authorization": "Basic " + base64.b64encode(b"\xff\xfe").decode()},
        {"Authorization": "Basic " + base64.b64encode(b"ann").decode()},
        {"Authorization": "Bearer x"},
        {"X-Auth-Token": "notused", "X-Roles": "admin", "X-Project-Id": "blue"},
    ],
)
def test_everybody_else_gets_the_same_answer(client: FlaskClient, headers: dict[str, str]) -> None:
    reply = client.get("/v2.0/networks", headers=headers)
    assert reply.status_code == 401
    assert reply.json == {
        "error": {
            "code": 401,
            "title": "Unauthorized",
            "message": "The request you have made requires authentication.",
        }
    }
    assert reply.headers["WWW-Authenticate"] == 'Basic realm="weft", charset="UTF-8"'


def test_an_unknown_user_costs_as_much_work_as_a_wrong_password(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    derived: list[str] = []
    original = passwords.matches
    monkeypatch.setattr(passwords, "matches", lambda given, stored: derived.append(given) or original(given, stored))
    for name in ("ann", "nobody", "ann", "nobody"):
        client.get("/v2.0/networks", headers=basic(name, "wrong"))
    assert len(derived) == 4


def test_a_password_is_derived_once_for_many_requests(client: FlaskClient) -> None:
    client.get("/v2.0/networks", headers=basic("ann", SECRET))
    started = time.monotonic()
    for _ in range(20):
        assert client.get("/v2.0/networks", headers=basic("ann", SECRET)).status_code == 200
    assert time.monotonic() - started < 1.0


def test_what_was_remembered_is_forgotten_in_time(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    derived: list[str] = []
    original = passwords.matches
    monkeypatch.setattr(passwords, "matches", lambda given, stored: derived.append(given) or original(given, stored))
    auth = BasicAuth(database, Policy(), now=lambda: clock[0])
    stored = passwords.hashed(SECRET)
    assert auth._is_right("ann", SECRET, stored)
    assert auth._is_right("ann", SECRET, stored)
    clock[0] = REMEMBERED_S + 1
    assert auth._is_right("ann", SECRET, stored)
    assert len(derived) == 2


def test_a_changed_password_a_changed_role_and_a_removed_user_count_at_once(
    client: FlaskClient, database: Database
) -> None:
    old, new = basic("ann", SECRET), basic("ann", SECRET[::-1])
    assert client.get("/v2.0/networks", headers=old).status_code == 200
    with database.write() as tx:
        identities.set_user(tx, "ann", password=SECRET[::-1], roles=["admin"])
    assert client.get("/v2.0/networks", headers=old).status_code == 401
    assert client.post("/v2.0/networks", json={"network": {"shared": True}}, headers=new).status_code == 201
    with database.write() as tx:
        identities.remove_user(tx, "ann")
    assert client.get("/v2.0/networks", headers=new).status_code == 401


def test_no_password_is_logged_or_stored(
    client: FlaskClient, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for headers in (basic("ann", SECRET), basic("ann", SECRET + "x"), basic(SECRET, "x")):
        client.post("/v2.0/networks", json={"network": {"nope": 1}}, headers=headers)
    assert "request_unauthenticated" in caplog.text
    for secret in (SECRET, basic("ann", SECRET)["Authorization"].split()[1]):
        assert secret not in caplog.text
    database.close()
    path = database._engine.url.database
    assert path is not None
    assert SECRET.encode() not in Path(path).read_bytes()


def test_discovery_needs_no_credentials(client: FlaskClient) -> None:
    for path in ("/", "/v2.0", "/v2.0/"):
        assert client.get(path).status_code == 200
    assert client.get("/v2.0/extensions").status_code == 401
    assert client.get("/v2.0/no-such-thing").status_code == 401


@pytest.mark.parametrize("path", ["/healthz", "/metrics"])
def test_monitoring_is_open_only_when_told_so(database: Database, client: FlaskClient, path: str) -> None:
    assert client.get(path).status_code == 200
    auth = BasicAuth(database, Policy())
    closed = create_app(database, auth=auth, control=NoController(), is_monitoring_open=False).test_client()
    assert closed.get(path).status_code == 401
    assert closed.get(path, headers=basic("ann", SECRET)).status_code == 200
