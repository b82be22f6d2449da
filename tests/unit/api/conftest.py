"""What do the API's tests stand on? A real database, the real services, Flask's client; only the switch is missing."""

import random
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from flask.testing import FlaskClient

from api.app import create_app
from api.auth import NoAuth
from api.errors import ControllerAbsent
from controller.store.database import Database
from tests.databases import a_database


class NoController:
    """A controller process that is not running."""

    def call(self, op: str, args: Mapping[str, object]) -> object:
        raise ControllerAbsent(f"no controller for {op} {args}")


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    """An empty database; its random choices are the same in every run."""
    database = a_database(tmp_path, rng=random.Random(7))
    yield database
    database.close()


@pytest.fixture
def client(database: Database) -> FlaskClient:
    return create_app(database, auth=NoAuth(), control=NoController()).test_client()


@pytest.fixture
def make(client: FlaskClient) -> SimpleNamespace:
    return builders(client)


def builders(client: FlaskClient) -> SimpleNamespace:
    """Return what creates through the API and returns the wire form."""

    def maker(collection: str, member: str) -> Callable[..., dict[str, Any]]:
        def one(**attributes: object) -> dict[str, Any]:
            body = {name.replace("__", ":"): value for name, value in attributes.items()}
            reply = client.post(f"/v2.0/{collection}", json={member: body})
            assert reply.status_code == 201, reply.json
            return reply.json[member]

        return one

    def subnet(network_id: str, cidr: str = "10.1.0.0/24", **attributes: object) -> dict[str, Any]:
        version = 6 if ":" in cidr else 4
        return maker("subnets", "subnet")(network_id=network_id, cidr=cidr, ip_version=version, **attributes)

    return SimpleNamespace(
        network=maker("networks", "network"),
        subnet=subnet,
        port=maker("ports", "port"),
        host=maker("hosts", "host"),
    )
