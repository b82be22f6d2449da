"""Does mode keystone believe Keystone, and nothing else? A Keystone of a few lines answers on a real socket."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from api.app import create_app
from api.keystone import KeystoneAuth
from controller.errors import ConfigurationError
from controller.policy.rights import Policy
from controller.store.database import Database
from tests.unit.api.conftest import NoController

pytestmark = pytest.mark.filterwarnings("ignore")

TOKENS = {
    "of-admin": ("blue", ["admin", "manager", "member", "reader"]),
    "of-member": ("blue", ["member", "reader"]),
    "of-nova": ("services", ["service"]),
    "unscoped": (None, []),
}


class FakeKeystone(BaseHTTPRequestHandler):
    """Discovery, a token for the middleware itself, and the validation of those in TOKENS (Identity API v3)."""

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base's name
        pass

    def do_GET(self) -> None:
        root = f"http://{self.headers['Host']}/v3/"
        if self.path.startswith("/v3/auth/tokens"):
            self._token(self.headers.get("X-Subject-Token", ""))
        else:
            link = {"rel": "self", "href": root}
            version = {"id": "v3.14", "status": "stable", "links": [link], "media-types": []}
            self._answer(300 if self.path == "/" else 200, {"versions": {"values": [version]}, "version": version})

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._token("of-nova", 201)

    def _token(self, token: str, status: int = 200) -> None:
        found = TOKENS.get(token)
        if found is None:
            self._answer(404, {"error": {"code": 404, "title": "Not Found", "message": "no such token"}})
            return
        project, roles = found
        body: dict[str, Any] = {
            "methods": ["password"],
            "user": {"id": "u", "name": "u", "domain": {"id": "default", "name": "Default"}},
            "expires_at": "2099-01-01T00:00:00.000000Z",
            "issued_at": "2026-01-01T00:00:00.000000Z",
            "audit_ids": [token],
        }
        if project:
            body |= {
                "project": {"id": project, "name": project, "domain": {"id": "default", "name": "Default"}},
                "roles": [{"id": role, "name": role} for role in roles],
                "catalog": [{"id": "k", "type": "identity", "name": "keystone", "endpoints": [self._endpoint()]}],
            }
        self._answer(status, {"token": body}, token)

    def _endpoint(self) -> dict[str, str]:
        root = f"http://{self.headers['Host']}"
        return {"id": "e", "interface": "internal", "region": "r", "region_id": "r", "url": root}

    def _answer(self, status: int, body: object, token: str = "") -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        if token:
            self.send_header("X-Subject-Token", token)
        self.end_headers()
        self.wfile.write(content)


@pytest.fixture
def keystone() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), FakeKeystone)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def client(database: Database, keystone: str, tmp_path: Path) -> FlaskClient:
    config = tmp_path / "keystone.conf"
    config.write_text(
        "[keystone_authtoken]\n"
        f"www_authenticate_uri = {keystone}\nauth_url = {keystone}\nauth_type = password\n"
        "username = weft\npassword = secret\nproject_name = services\n"
        "user_domain_id = default\nproject_domain_id = default\n"
    )
    return create_app(database, auth=KeystoneAuth(Policy(), config), control=NoController()).test_client()


def get(client: FlaskClient, **headers: str) -> int:
    return client.get("/v2.0/networks", headers={k.replace("_", "-"): v for k, v in headers.items()}).status_code


def test_keystone_says_which_project_and_roles_a_token_has(client: FlaskClient) -> None:
    body = {"network": {"shared": True}}
    made = client.post("/v2.0/networks", json=body, headers={"X-Auth-Token": "of-admin"})
    assert made.status_code == 201
    assert made.json is not None
    assert made.json["network"]["project_id"] == "blue"
    assert client.post("/v2.0/networks", json=body, headers={"X-Auth-Token": "of-member"}).status_code == 403


def test_a_token_keystone_does_not_know_lets_nobody_in(client: FlaskClient, keystone: str) -> None:
    reply = client.get("/v2.0/networks", headers={"X-Auth-Token": "forged"})
    assert reply.status_code == 401
    assert reply.headers["WWW-Authenticate"] == f'Keystone uri="{keystone}"'
    assert get(client) == 401
    assert get(client, X_Auth_Token="unscoped") == 401  # noqa: S106 - a name in the table above


def test_identity_headers_of_the_client_are_worth_nothing(client: FlaskClient) -> None:
    claims = {
        "X-Identity-Status": "Confirmed",
        "X-Project-Id": "blue",
        "X-Roles": "admin",
        "X-Service-Roles": "service",
        "X-Service-Identity-Status": "Confirmed",
    }
    assert client.get("/v2.0/networks", headers=claims).status_code == 401
    body = {"network": {"shared": True}}
    as_member = client.post("/v2.0/networks", json=body, headers=claims | {"X-Auth-Token": "of-member"})
    assert as_member.status_code == 403


def test_a_service_token_lets_a_service_act_for_the_user(client: FlaskClient) -> None:
    member = {"X-Auth-Token": "of-member"}
    network = client.post("/v2.0/networks", json={"network": {}}, headers=member).json
    assert network is not None
    body = {"port": {"network_id": network["network"]["id"], "device_owner": "compute:nova"}}
    port = client.post("/v2.0/ports", json=body, headers=member).json
    assert port is not None
    path = f"/v2.0/ports/{port['port']['id']}"
    assert client.delete(path, headers=member).status_code == 403
    assert client.delete(path, headers=member | {"X-Service-Token": "of-member"}).status_code == 401
    assert client.delete(path, headers=member | {"X-Service-Token": "forged"}).status_code == 401
    assert client.delete(path, headers=member | {"X-Service-Token": "of-nova"}).status_code == 204


def test_versions_are_for_everybody(client: FlaskClient) -> None:
    assert client.get("/").status_code == 200


def test_a_file_that_is_not_there_is_a_configuration_error(database: Database, tmp_path: Path) -> None:
    auth = KeystoneAuth(Policy(), tmp_path / "none.conf")
    with pytest.raises(ConfigurationError, match=r"keystone-config: there is no file .*none\.conf"):
        create_app(database, auth=auth, control=NoController())
