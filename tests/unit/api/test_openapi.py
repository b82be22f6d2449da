"""Does the API describe itself truly, and completely?"""

import re
from types import SimpleNamespace
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from api.app import RESOURCES, create_app
from api.basic import BasicAuth
from api.openapi import OpenApi, is_local
from api.tokens import TokenAuth
from controller.caller import Caller
from controller.errors import PolicyNotAuthorized
from controller.policy.rights import Policy
from controller.store.database import Database
from tests.unit.api.conftest import NoController


@pytest.fixture
def document(client: FlaskClient) -> dict[str, Any]:
    reply = client.get("/openapi.json")
    assert (reply.status_code, reply.content_type) == (200, "application/json")
    found: dict[str, Any] = reply.json
    return found


def shape(path: str) -> str:
    return re.sub(r"<[^>]+>|{[^}]+}", "{}", path).replace("_", "-")


def component(document: dict[str, Any], name: str) -> Draft202012Validator:
    return Draft202012Validator({"$ref": f"#/components/schemas/{name}", "components": document["components"]})


def test_the_document_is_valid_openapi_3_1(document: dict[str, Any]) -> None:
    assert list(OpenAPIV31SpecValidator(document).iter_errors()) == []
    assert document["openapi"].startswith("3.1.")


def test_every_routed_path_is_described_once(client: FlaskClient, document: dict[str, Any]) -> None:
    described = [shape(path) for path in document["paths"]]
    assert sorted({shape(rule.rule) for rule in client.application.url_map.iter_rules()}) == sorted(described)


def test_operations_have_distinct_ids(document: dict[str, Any]) -> None:
    ids = [operation["operationId"] for verbs in document["paths"].values() for operation in verbs.values()]
    assert len(set(ids)) == len(ids)


def test_every_attribute_says_what_it_takes_and_what_it_shows(client: FlaskClient) -> None:
    """A rule without a schema is described with ``validators.described``, what is only shown by ``shows``."""
    silent = [
        f"{resource.collection}.{attribute.name}"
        for resource in client.application.extensions[RESOURCES]
        for attribute in resource.attributes
        if ((attribute.post or attribute.put) and not attribute.takes) or not attribute.shown_as
    ]
    assert silent == []


def test_what_is_created_fits_its_description(
    make: SimpleNamespace, client: FlaskClient, document: dict[str, Any]
) -> None:
    network = make.network(name="n")
    shown = {
        "Network": network,
        "Subnet": make.subnet(network["id"], host_routes=[{"destination": "10.9.0.0/16", "nexthop": "10.1.0.7"}]),
        "Port": make.port(network_id=network["id"], allowed_address_pairs=[{"ip_address": "10.1.0.9"}]),
        "Host": make.host(name="h1", ovsdb="unix:/run/x.sock", physnets=[{"physical_network": "p", "bridge": "b"}]),
        "SecurityGroup": client.get("/v2.0/security-groups").json["security_groups"][0],
        "SecurityGroupRule": client.get("/v2.0/security-group-rules").json["security_group_rules"][0],
        "Segment": client.get("/v2.0/segments").json["segments"][0],
        "NetworkSegmentRange": client.get("/v2.0/network-segment-ranges").json["network_segment_ranges"][0],
    }
    for name, one in shown.items():
        assert list(component(document, name).iter_errors(one)) == [], name
        properties = document["components"]["schemas"][name]["properties"]
        assert one.keys() <= properties.keys()


@pytest.mark.parametrize(
    ("name", "body", "fits"),
    [
        ("PortCreate", {"network_id": "6f1c1f5e-0f4b-4f0e-9d6a-0d7f0b1f0a11"}, True),
        ("PortCreate", {}, False),
        ("PortCreate", {"network_id": "6f1c1f5e-0f4b-4f0e-9d6a-0d7f0b1f0a11", "status": "ACTIVE"}, False),
        ("NetworkCreate", {"mtu": None, "segments": [{"provider:network_type": "vxlan"}]}, True),
        ("NetworkCreate", {"mtu": "big"}, False),
        ("SubnetUpdate", {"gateway_ip": None, "allocation_pools": [{"start": "10.0.0.2", "end": "10.0.0.9"}]}, True),
        ("SubnetUpdate", {"cidr": "10.0.0.0/24"}, False),
        ("SubnetUpdate", {"allocation_pools": [{"start": "10.0.0.2"}]}, False),
        ("SecurityGroupRuleCreate", {"security_group_id": "x", "direction": "ingress", "protocol": 6}, True),
        ("SecurityGroupRuleCreate", {"security_group_id": "x", "direction": "sideways"}, False),
    ],
)
def test_bodies_are_told_apart(document: dict[str, Any], name: str, body: dict[str, Any], fits: bool) -> None:
    assert component(document, name).is_valid(body) is fits


def test_actions_and_documents_of_one_object_are_there(document: dict[str, Any]) -> None:
    paths = document["paths"]
    action = paths["/v2.0/address-groups/{address_group_id}/add_addresses"]["put"]
    assert list(action["requestBody"]["content"]["application/json"]["schema"]["properties"]) == ["addresses"]
    for path in ("bindings/{host}/activate", "status", "network-data"):
        assert f"/v2.0/ports/{{port_id}}/{path}" in paths
    assert "delete" not in paths["/v2.0/ports/{port_id}/bindings/{host}/activate"]


def test_a_path_nobody_describes_is_described_by_its_route() -> None:
    def look(object_id: str) -> str:
        """Return a thing."""
        return object_id

    app = Flask("test")
    app.add_url_rule("/v2.0/things/<object_id>", view_func=look, methods=("GET", "PUT"))
    description = OpenApi(app.url_map, resources=(), operations=(), auth=NobodyMay())
    description.register(app)
    document: Any = description.document()
    assert list(OpenAPIV31SpecValidator(document).iter_errors()) == []
    thing = document["paths"]["/v2.0/things/{object_id}"]
    assert sorted(thing) == ["get", "put"]
    assert (thing["get"]["summary"], thing["get"]["tags"]) == ("Return a thing.", ["things"])


class NobodyMay:
    """Refuses every caller."""

    def caller(self, headers: object) -> Caller:
        raise PolicyNotAuthorized("see", "openapi")


@pytest.mark.parametrize(
    ("mode", "name", "scheme"),
    [
        (BasicAuth, "basic", {"type": "http", "scheme": "basic"}),
        (TokenAuth, "token", {"type": "apiKey", "in": "header", "name": "X-Auth-Token"}),
    ],
)
def test_what_a_client_must_show_and_what_it_hears_without_is_described(
    database: Database, document: dict[str, Any], mode: Any, name: str, scheme: dict[str, str]
) -> None:
    client = create_app(database, auth=mode(database, Policy()), control=NoController()).test_client()
    described: Any = client.get("/openapi.json").json
    assert list(OpenAPIV31SpecValidator(described).iter_errors()) == []
    assert described["components"]["securitySchemes"][name].items() >= scheme.items()
    assert described["security"] == [{name: []}]
    assert described["paths"]["/v2.0"]["get"]["security"] == []
    assert "security" not in described["paths"]["/v2.0/ports"]["get"]
    refused = described["paths"]["/v2.0/ports"]["get"]["responses"]["401"]["$ref"].rpartition("/")[2]
    schema = described["components"]["responses"][refused]["content"]["application/json"]["schema"]
    reply = client.get("/v2.0/ports")
    assert reply.status_code == 401
    assert list(Draft202012Validator(schema).iter_errors(reply.json)) == []
    assert "security" not in document
    assert "401" not in document["paths"]["/v2.0/ports"]["get"]["responses"]


def test_other_machines_must_say_who_they_are(client: FlaskClient) -> None:
    description = OpenApi(client.application.url_map, resources=(), operations=(), auth=NobodyMay())
    app = Flask("test")
    description.register(app)
    assert app.test_client().get("/openapi.json").status_code == 200
    elsewhere = app.test_request_context("/openapi.json", environ_base={"REMOTE_ADDR": "192.0.2.1"})
    with elsewhere, pytest.raises(PolicyNotAuthorized):
        description.show()
    assert not is_local(None)
    assert is_local("::1")
