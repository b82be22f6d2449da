"""Are spellings, methods, headers and unforeseen errors handled as Neutron handles them?"""

import logging
from types import SimpleNamespace

import pytest
from flask.testing import FlaskClient
from werkzeug.datastructures import Headers

from api.app import create_app
from api.auth import NoAuth
from controller.caller import Caller
from controller.store.database import Database


@pytest.mark.parametrize(
    "path", ["/v2.0/networks", "/v2.0/networks/", "/v2.0/networks.json", "/v2.0/networks.json/", "/v2.0/networks//"]
)
def test_every_spelling_of_a_path_is_understood(client: FlaskClient, path: str) -> None:
    assert client.get(path).json == {"networks": []}


def test_collections_are_spelt_with_hyphens_or_underscores(client: FlaskClient) -> None:
    """Neutron's clients ask for security-groups, but for network_segment_ranges."""
    for spelt in ("network-segment-ranges", "network_segment_ranges"):
        (one,) = client.get(f"/v2.0/{spelt}?limit=1").json["network_segment_ranges"]
        assert client.get(f"/v2.0/{spelt}/{one['id']}").json == {"network_segment_range": one}


def test_a_path_with_a_character_no_database_keeps_names_nothing(client: FlaskClient) -> None:
    assert client.get("/v2.0/networks/%00").status_code == 404
    assert client.get("/v2.0/networks?name=%00").json == {"networks": []}


def test_one_object_is_found_under_its_json_path(client: FlaskClient, make: SimpleNamespace) -> None:
    network = make.network()
    assert {"network": network} == client.get(f"/v2.0/networks/{network['id']}.json").json


@pytest.mark.parametrize("path", ["/v2.0", "/v2.0/"])
def test_the_versioned_root_can_be_discovered_too(client: FlaskClient, path: str) -> None:
    """API discovery of keystoneauth accepts a single ``version`` (an endpoint that ends in /v2.0)."""
    body = client.get(path, headers={"Host": "h:1"}).json
    assert body["version"] == {
        "id": "v2.0",
        "status": "CURRENT",
        "links": [{"rel": "self", "href": "http://h:1/v2.0/"}],
    }
    assert [one["collection"] for one in body["resources"]] == ["networks", "subnets", "subnetpools", "ports", "hosts"]


def test_a_deletion_has_no_body_but_a_length(client: FlaskClient, make: SimpleNamespace) -> None:
    reply = client.delete(f"/v2.0/networks/{make.network()['id']}")
    assert (reply.status_code, reply.data, reply.headers["Content-Length"]) == (204, b"", "0")
    assert "Content-Type" not in reply.headers


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PATCH", "/v2.0/ports/x"),
        ("POST", "/v2.0/ports/x"),
        ("PUT", "/v2.0/ports"),
        ("HEAD", "/v2.0/ports/x"),
        ("DELETE", "/v2.0/extensions"),
        ("TRACE", "/v2.0/ports"),
    ],
)
def test_other_methods_are_not_allowed(client: FlaskClient, method: str, path: str) -> None:
    reply = client.open(path, method=method)
    assert reply.status_code == 405
    assert reply.headers["Allow"]
    if method != "HEAD":
        assert reply.json["NeutronError"]["type"] == "HTTPMethodNotAllowed"


@pytest.mark.parametrize("accept", ["*/*", "application/json", "application/*;q=0.5", "text/html, */*;q=0.1"])
def test_clients_that_take_json_are_served(client: FlaskClient, accept: str) -> None:
    assert client.get("/v2.0/networks", headers={"Accept": accept}).status_code == 200


@pytest.mark.parametrize("accept", ["application/xml", "text/html", "application/json;q=0"])
def test_clients_that_do_not_take_json_are_told_so(client: FlaskClient, accept: str) -> None:
    assert client.get("/v2.0/networks", headers={"Accept": accept}).status_code == 406


@pytest.mark.parametrize("verb", ["put", "delete"])
def test_if_match_guards_changes(client: FlaskClient, make: SimpleNamespace, verb: str) -> None:
    network = make.network()
    path = f"/v2.0/networks/{network['id']}"
    json = {"network": {"name": "new"}} if verb == "put" else None
    stale = getattr(client, verb)(path, json=json, headers={"If-Match": "revision_number=99"})
    assert (stale.status_code, stale.json["NeutronError"]["type"]) == (412, "RevisionNumberConstraintFailed")
    assert {"network": network} == client.get(path).json
    fresh = {"If-Match": f"revision_number={network['revision_number']}"}
    assert getattr(client, verb)(path, json=json, headers=fresh).status_code in (200, 204)


@pytest.mark.parametrize(
    ("given", "status"),
    [
        ("revision_number=-1", 412),
        ("revision_number=99999999999999999999", 412),
        ('"revision_number=99"', 412),
        ('"abc", "revision_number=99"', 412),
        ("revision_number=", 400),
        ("revision_number=x", 400),
        ('"revision_number=1", "revision_number=2"', 400),
        ("99", 200),
        ("*", 200),
        ('W/"revision_number=99"', 200),
        ('"revision_number=1"', 200),
    ],
)
def test_a_constraint_is_never_overlooked(client: FlaskClient, make: SimpleNamespace, given: str, status: int) -> None:
    path = f"/v2.0/networks/{make.network()['id']}"
    assert client.put(path, json={"network": {"name": "new"}}, headers={"If-Match": given}).status_code == status


def test_requests_have_ids_of_their_own(client: FlaskClient) -> None:
    ids = {client.get("/v2.0/networks").headers["x-openstack-request-id"] for _ in range(3)}
    assert len(ids) == 3
    assert all(one.startswith("req-") for one in ids)


def test_what_nobody_foresaw_is_logged_under_the_request_s_id_and_not_shown(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(NoAuth):
        def caller(self, headers: Headers) -> Caller:
            raise RuntimeError(f"the secret of {headers.get('Host')}")

    client = create_app(database, auth=Broken(), control=SimpleNamespace()).test_client()
    with caplog.at_level(logging.ERROR):
        reply = client.get("/v2.0/networks")
    assert (reply.status_code, reply.json["NeutronError"]["type"]) == (500, "HTTPInternalServerError")
    assert b"secret" not in reply.data
    request_id = reply.headers["x-openstack-request-id"]
    assert request_id in reply.text
    assert request_id in caplog.text
    assert "the secret of localhost" in caplog.text
