"""What does a generated request need to get past the door? Ids of things that exist.

Schemathesis makes requests of the API's own description; ids it draws at random would all end with 404.
"""

import random
from collections import Counter
from collections.abc import Mapping
from typing import Any

import schemathesis
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from api.app import RESOURCES

CHECKS = (
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
)
_UNAVAILABLE = (503, 504)
"""The controller process is not there: an answer, not a fault."""
_NOBODY = "00000000-0000-4000-8000-000000000000"
_NEEDS: Mapping[str, tuple[str, ...]] = {
    "subnets": ("networks",),
    "ports": ("networks", "subnets"),
    "segments": ("networks",),
    "security_group_rules": ("security_groups",),
}


class World:
    """Things that exist, made when they are asked for."""

    def __init__(self, client: FlaskClient, rng: random.Random) -> None:
        self._client = client
        self._rng = rng
        self._made = 0

    def an_id(self, collection: str) -> str:
        """Return the id of an object of a collection; one that is not there where none can be made so simply."""
        path = f"/v2.0/{collection.replace('_', '-')}"
        found = self._client.get(f"{path}?limit=5&fields=id").json[collection]
        if found:
            return str(self._rng.choice(found)["id"])
        wanted = self._wanted(collection)
        member = collection.removesuffix("s")
        reply = self._client.post(path, json={member: wanted})
        return str(reply.json[member]["id"]) if reply.status_code == 201 else _NOBODY

    def _wanted(self, collection: str) -> dict[str, object]:
        self._made += 1
        wanted: dict[str, object] = {
            f"{one.removesuffix('s')}_id": self.an_id(one) for one in _NEEDS.get(collection, ())
        }
        wanted.pop("subnet_id", None)
        more: dict[str, dict[str, object]] = {
            "subnets": {"ip_version": 4, "cidr": f"10.{self._made % 256}.0.0/24"},
            "hosts": {"name": f"h{self._made}", "ovsdb": "unix:/run/nobody.sock"},
            "security_group_rules": {"direction": "ingress", "protocol": self._made % 256},
            "default_security_group_rules": {"direction": "ingress", "protocol": self._made % 256},
            "segments": {"network_type": "vxlan"},
            "network_segment_ranges": {"network_type": "vxlan", "minimum": 5000, "maximum": 5009},
        }
        return wanted | more.get(collection, {})

    def put_into(self, case: Case, collections: Mapping[str, str]) -> None:
        """Replace the ids of a request by ids of things that exist, most of the time.

        Args:
            case: the request.
            collections: by the name of the attribute or path variable that has an id.
        """
        for name in case.path_parameters or {}:
            if name in collections and self._rng.random() < 0.9:
                case.path_parameters[name] = self.an_id(collections[name])
        case.body = self._resolved(case.body, collections)

    def _resolved(self, value: Any, collections: Mapping[str, str]) -> Any:
        if isinstance(value, list):
            return [self._resolved(one, collections) for one in value]
        if not isinstance(value, dict):
            return value
        return {
            name: self.an_id(collections[name])
            if name in collections and isinstance(one, str) and self._rng.random() < 0.9
            else self._resolved(one, collections)
            for name, one in value.items()
        }


def fuzz(application: Flask, *, examples: int, rng: random.Random) -> Counter[int]:
    """Send requests that the application's description makes up; returns how many answers of each status came.

    Args:
        application: with a database that may be filled.
        examples: requests for each operation.
        rng: chooses among the things that exist, and the seed of what is made up.

    Raises:
        Failure: an answer is a 500, or not what the description says.
    """
    description = schemathesis.openapi.from_wsgi("/openapi.json", application)
    resources = application.extensions[RESOURCES]
    collections = {f"{one.member}_id": one.collection for one in resources} | {
        "remote_group_id": "security_groups",
        "network_ip_availability_id": "networks",
    }
    world, tally = World(application.test_client(), rng), Counter[int]()
    for result in description.get_all_operations():
        cases = st.one_of(
            result.ok().as_strategy(generation_mode=mode) for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
        )

        @seed(rng.randrange(2**32))
        @settings(
            max_examples=examples,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=cases)
        def try_all(case: Case) -> None:
            world.put_into(case, collections)
            tally[_try_out(case)] += 1

        try_all()
    return tally


def _try_out(case: Case) -> int:
    reply = case.call()
    case.validate_response(reply, checks=[check for check in CHECKS if not _is_expected(check, reply.status_code)])
    return int(reply.status_code)


def _is_expected(check: object, status: int) -> bool:
    return check is not_a_server_error and status in _UNAVAILABLE
