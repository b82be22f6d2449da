"""Does mode keystone believe Keystone, and nothing else? A Keystone of a few lines answers on a real socket."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from api.app import create_app
from api.keystone import KeystoneAuth
from controller.errors import ConfigurationError
from controller.policy.rights import Policy
from controller.store.database import Database
from tests.fakes.keystone import a_keystone, a_keystone_config
from tests.unit.api.conftest import NoController

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture
def keystone() -> Iterator[str]:
    with a_keystone() as url:
        yield url


@pytest.fixture
def client(database: Database, keystone: str, tmp_path: Path) -> FlaskClient:
    config = a_keystone_config(tmp_path, keystone)
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


def test_the_description_says_whose_tokens_are_taken(client: FlaskClient) -> None:
    document: Any = client.get("/openapi.json").json
    assert list(document["components"]["securitySchemes"]) == ["keystone"]
    assert document["security"] == [{"keystone": []}]


def test_versions_are_for_everybody(client: FlaskClient) -> None:
    assert client.get("/").status_code == 200


def test_a_file_that_is_not_there_is_a_configuration_error(database: Database, tmp_path: Path) -> None:
    auth = KeystoneAuth(Policy(), tmp_path / "none.conf")
    with pytest.raises(ConfigurationError, match=r"keystone-config: there is no file .*none\.conf"):
        create_app(database, auth=auth, control=NoController())
