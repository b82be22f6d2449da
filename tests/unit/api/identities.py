"""Who calls in tests of what callers may do? Clients of one application, each with its own token."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from flask import Flask
from werkzeug.test import TestResponse

from api.app import create_app
from api.tokens import TokenAuth
from controller.policy.rights import Policy
from controller.services import identities
from controller.store.database import Database
from tests.unit.api.conftest import NoController


class As:
    """A client that sends one token."""

    def __init__(self, app: Flask, token: str, **headers: str) -> None:
        self._client = app.test_client()
        self._headers = {"X-Auth-Token": token, **headers}

    def __call__(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> TestResponse:
        return self._client.open(f"/v2.0{path}", method=method, json=body, headers=self._headers)


def an_app(database: Database, policy: Policy | None = None) -> Flask:
    return create_app(database, auth=TokenAuth(database, policy or Policy()), control=NoController())


def a_token(database: Database, *roles: str, project_id: str = "blue", lifetime: timedelta = timedelta(days=1)) -> str:
    with database.write() as tx:
        return identities.create_token(tx, project_id=project_id, roles=roles, lifetime=lifetime)[1]


@contextmanager
def at(database: Database, seconds: float) -> Iterator[None]:
    """Let the database's clock run ahead."""
    now = database._now
    database._now = lambda: now() + timedelta(seconds=seconds)
    try:
        yield
    finally:
        database._now = now
