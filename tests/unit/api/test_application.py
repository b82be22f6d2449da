"""What Flask is spared, it is not missed for."""

from types import SimpleNamespace

import pytest
from flask.testing import FlaskClient


@pytest.mark.parametrize("host", ["a" * 64 + ".example", "bad..name", "-.é"])
def test_a_host_that_can_be_none_is_no_failure(client: FlaskClient, host: str) -> None:
    """Flask refuses such a name before it looks for a view (RFC 9110 section 7.2)."""
    assert client.get("/v2.0/networks", headers={"Host": host}).status_code in {200, 400}


def test_a_path_outside_ascii_is_read_as_utf_8(client: FlaskClient, make: SimpleNamespace) -> None:
    make.network(name="n")
    reply = client.get("/v2.0/networks/%C3%A9")
    assert reply.status_code == 404
    assert "é" in reply.json["NeutronError"]["message"]


def test_an_application_mounted_under_a_prefix_finds_its_views(client: FlaskClient) -> None:
    reply = client.get("/v2.0/networks", base_url="http://weft.example/network")
    assert reply.status_code == 200


def test_the_first_attribute_that_is_wrong_is_the_one_named(client: FlaskClient) -> None:
    """Attributes are looked at in the order they are declared, as if each were checked in turn."""
    reply = client.post("/v2.0/ports", json={"port": {"status": "ACTIVE"}})
    assert reply.status_code == 400
    assert "network_id" in reply.json["NeutronError"]["message"]
    reply = client.post("/v2.0/ports", json={"port": {"status": "ACTIVE", "network_id": "x"}})
    assert "status" in reply.json["NeutronError"]["message"]
