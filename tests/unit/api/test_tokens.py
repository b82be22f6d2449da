"""Does mode token let in who has a token, for as long as it holds?"""

import logging
from pathlib import Path

import pytest

from controller.services import identities
from controller.store.database import Database
from tests.unit.api.identities import As, a_token, an_app, at


def test_a_token_speaks_for_its_project_and_roles(database: Database) -> None:
    member = As(an_app(database), a_token(database, "member"))
    reader = As(an_app(database), a_token(database, "reader"))
    made = member("POST", "/networks", {"network": {"name": "n"}})
    assert made.status_code == 201
    assert [one["name"] for one in reader("GET", "/networks").json["networks"]] == ["n"]  # type: ignore[index]
    assert reader("POST", "/networks", {"network": {"name": "n"}}).status_code == 403


def test_a_wrong_an_expired_and_a_revoked_token_let_nobody_in(database: Database) -> None:
    app = an_app(database)
    token = a_token(database, "admin")
    assert As(app, token)("GET", "/networks").status_code == 200
    for wrong in ("", "notused", token[:-1], token + "x"):
        assert As(app, wrong)("GET", "/networks").status_code == 401
    with at(database, 86_401):
        assert As(app, token)("GET", "/networks").status_code == 401
    with database.write() as tx:
        identities.revoke_token(tx, identities.tokens(tx)[0].id)
    reply = As(app, token)("GET", "/networks")
    assert (reply.status_code, reply.headers["WWW-Authenticate"]) == (401, 'Token realm="weft"')


def test_what_the_client_says_of_itself_is_not_believed(database: Database) -> None:
    claims = {"X-Roles": "admin", "X-Project-Id": "red", "X-Is-Admin-Project": "True", "X-Identity-Status": "Confirmed"}
    reply = As(an_app(database), a_token(database, "member"), **claims)("POST", "/networks", {"network": {}})
    assert reply.json["network"]["project_id"] == "blue"  # type: ignore[index]


def test_a_user_deletes_a_machines_port_through_a_service(database: Database) -> None:
    app = an_app(database)
    member, service = a_token(database, "member"), a_token(database, "service", project_id="services")
    network = As(app, member)("POST", "/networks", {"network": {}}).json["network"]  # type: ignore[index]
    body = {"port": {"network_id": network["id"], "device_owner": "compute:nova"}}
    port = As(app, member)("POST", "/ports", body).json["port"]  # type: ignore[index]
    path = f"/ports/{port['id']}"
    assert As(app, member)("DELETE", path).status_code == 403
    assert As(app, member, **{"X-Service-Token": member})("DELETE", path).status_code == 401
    assert As(app, member, **{"X-Service-Token": "wrong"})("DELETE", path).status_code == 401
    assert As(app, member, **{"X-Service-Token": service})("DELETE", path).status_code == 204


def test_no_token_is_logged_or_stored(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    token = a_token(database, "member")
    As(an_app(database), token)("GET", "/networks")
    As(an_app(database), token + "x")("GET", "/networks")
    assert token not in caplog.text
    database.close()
    path = database._engine.url.database
    assert path is not None
    assert token.encode() not in Path(path).read_bytes()
