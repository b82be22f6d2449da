"""Are tags kept, found and forgotten as Neutron does?

Extensions standard-attr-tag, tag-creation, tag-ports-during-bulk-creation.
"""

from types import SimpleNamespace
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select

from controller.store.database import Database
from controller.store.tags import TAGS


@pytest.fixture
def port(make: SimpleNamespace) -> dict[str, Any]:
    return make.port(network_id=make.network()["id"])


def stored(database: Database) -> int:
    with database.read() as tx:
        return int(tx.connection.execute(select(func.count()).select_from(TAGS)).scalar_one())


def made(client: FlaskClient, make: SimpleNamespace, collection: str) -> str:
    """Return the path of a new object of the collection."""
    if collection == "security-groups":
        one = client.post("/v2.0/security-groups", json={"security_group": {"name": "web"}}).json["security_group"]
    elif collection == "network-segment-ranges":
        wanted = {"network_type": "vxlan", "minimum": 7, "maximum": 9}
        one = client.post(f"/v2.0/{collection}", json={"network_segment_range": wanted}).json["network_segment_range"]
    elif collection in ADDED:
        member, wanted = ADDED[collection]
        one = client.post(f"/v2.0/{collection}", json={member: wanted}).json[member]
    else:
        network = make.network()
        one = {"networks": lambda: network, "subnets": lambda: make.subnet(network["id"])}.get(
            collection, lambda: make.port(network_id=network["id"])
        )()
    return f"/v2.0/{collection}/{one['id']}"


ADDED: dict[str, tuple[str, dict[str, Any]]] = {
    "address-groups": ("address_group", {"addresses": ["192.0.2.0/24"]}),
    "subnetpools": ("subnetpool", {"name": "pool", "prefixes": ["10.0.0.0/16"]}),
    "vnics": ("vnic", {}),
}
COLLECTIONS = ("networks", "subnets", "ports", "security-groups", "network-segment-ranges", *ADDED)


@pytest.mark.parametrize("collection", COLLECTIONS)
def test_tags_are_set_looked_for_and_removed(
    client: FlaskClient, make: SimpleNamespace, database: Database, collection: str
) -> None:
    path = made(client, make, collection)
    reply = client.put(f"{path}/tags/red")
    assert (reply.status_code, reply.data) == (201, b"null")
    assert (client.get(f"{path}/tags/red").status_code, client.get(f"{path}/tags/blue").status_code) == (204, 404)
    assert client.put(f"{path}/tags", json={"tags": ["green", "blue"]}).json == {"tags": ["green", "blue"]}
    assert client.post(f"{path}/tags", json={"tags": ["red", "blue"]}).status_code == 200
    assert client.get(f"{path}/tags").json == {"tags": ["blue", "green", "red"]}
    (shown,) = client.get(path).json.values()
    assert shown["tags"] == ["blue", "green", "red"]
    assert client.delete(f"{path}/tags/red").status_code == 204
    assert client.delete(f"{path}/tags/red").json["NeutronError"] == {
        "type": "TagNotFound",
        "message": "Tag red could not be found.",
        "detail": "",
    }
    assert client.delete(f"{path}/tags").status_code == 204
    assert client.get(f"{path}/tags").json == {"tags": []}
    client.put(f"{path}/tags/left")
    assert client.delete(path).status_code == 204
    assert stored(database) == 0


def test_tags_of_what_a_network_takes_with_it_go_too(
    client: FlaskClient, make: SimpleNamespace, database: Database
) -> None:
    network = make.network()["id"]
    client.put(f"/v2.0/subnets/{make.subnet(network)['id']}/tags/a")
    client.put(f"/v2.0/ports/{make.port(network_id=network, device_owner='network:dhcp')['id']}/tags/b")
    assert stored(database) == 2
    assert client.delete(f"/v2.0/networks/{network}").status_code == 204
    assert stored(database) == 0


def test_a_tag_is_a_change_of_its_object_once(client: FlaskClient, port: dict[str, Any]) -> None:
    path = f"/v2.0/ports/{port['id']}"

    def revision() -> int:
        return int(client.get(path).json["port"]["revision_number"])

    before = revision()
    client.put(f"{path}/tags/red")
    assert revision() == before + 1
    client.put(f"{path}/tags/red")
    client.put(f"{path}/tags", json={"tags": ["red"]})
    client.post(f"{path}/tags", json={"tags": ["red"]})
    assert revision() == before + 1
    client.put(f"{path}/tags", json={"tags": ["blue", "green"]})
    assert revision() == before + 2
    client.delete(f"{path}/tags")
    assert revision() == before + 3


def test_ports_are_made_with_tags_one_by_one_and_in_bulk(client: FlaskClient, make: SimpleNamespace) -> None:
    """Extension tag-ports-during-bulk-creation."""
    network = make.network()["id"]
    assert make.port(network_id=network, tags=["b", "a"])["tags"] == ["a", "b"]
    bulk = {"ports": [{"network_id": network, "tags": ["x"]}, {"network_id": network}]}
    assert [one["tags"] for one in client.post("/v2.0/ports", json=bulk).json["ports"]] == [["x"], []]


@pytest.mark.parametrize(
    ("request_line", "body", "message"),
    [
        ("PUT tags", {"tags": ["a", "a"]}, "Duplicate items in the list: 'a, a'"),
        ("PUT tags", {"tags": "a"}, "Invalid data format for tags: 'a'"),
        ("PUT tags", {"tags": [7]}, "'7' is not a valid string"),
        ("PUT tags", {"nope": []}, "Invalid tags body"),
        ("POST tags", {}, "Invalid tags body"),
        ("PUT tags/" + "t" * 256, None, f"'{'t' * 256}' exceeds maximum length of 255"),
    ],
)
def test_what_is_no_set_of_tags_is_refused(
    client: FlaskClient, port: dict[str, Any], request_line: str, body: object, message: str
) -> None:
    method, _, path = request_line.partition(" ")
    reply = client.open(f"/v2.0/ports/{port['id']}/{path}", method=method, json=body)
    assert reply.status_code == 400
    assert reply.json["NeutronError"]["type"] == "InvalidInput"
    assert reply.json["NeutronError"]["message"] == f"Invalid input for operation: {message}."


def test_an_object_that_is_not_there_has_no_tags(client: FlaskClient) -> None:
    reply = client.put("/v2.0/ports/nope/tags/red")
    assert (reply.status_code, reply.json["NeutronError"]["type"]) == (404, "TagResourceNotFound")


def test_a_network_cannot_be_made_with_tags(client: FlaskClient) -> None:
    reply = client.post("/v2.0/networks", json={"network": {"tags": ["red"]}})
    assert reply.json["NeutronError"]["message"] == "Attribute 'tags' not allowed in POST"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("tags=red", ["r", "rb", "rbg"]),
        ("tags=red,blue", ["rb", "rbg"]),
        ("tags=red&tags=blue", ["rb", "rbg"]),
        ("tags-any=blue,green", ["b", "rb", "rbg"]),
        ("not-tags=red", ["", "b"]),
        ("not-tags=red,blue", ["", "b", "r"]),
        ("not-tags-any=red,green", ["", "b"]),
        ("tags=red&not-tags-any=green", ["r", "rb"]),
        ("tags-any=nobody", []),
        ("tags=red,red", ["r", "rb", "rbg"]),
        ("tags=", [""]),
        ("not-tags=", ["b", "r", "rb", "rbg"]),
    ],
)
@pytest.mark.parametrize("collection", ["networks", "ports"])
def test_lists_are_filtered_by_tags(
    client: FlaskClient, make: SimpleNamespace, collection: str, query: str, expected: list[str]
) -> None:
    words = {"r": "red", "b": "blue", "g": "green"}
    for name in ("", "r", "b", "rb", "rbg"):
        network = make.network(name=name)["id"]
        port = make.port(network_id=network, name=name)["id"]
        for path in (f"networks/{network}", f"ports/{port}"):
            client.put(f"/v2.0/{path}/tags", json={"tags": [words[letter] for letter in name]})
    found = client.get(f"/v2.0/{collection}?{query}").json[collection]
    assert expected == sorted(one["name"] for one in found)


def test_both_spellings_of_a_collection_are_understood(client: FlaskClient, make: SimpleNamespace) -> None:
    path = made(client, make, "network-segment-ranges").replace("network-segment-ranges", "network_segment_ranges")
    assert client.put(f"{path}/tags/red").status_code == 201
    assert client.get(f"{path}/tags").json == {"tags": ["red"]}
