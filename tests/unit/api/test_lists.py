"""Do filters, columns, order and pages work for every resource?

Neutron API reference, API concepts.
"""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from urllib.parse import urlsplit

import pytest
from flask.testing import FlaskClient

from api.app import RESOURCES
from api.resources.hosts import HOST
from api.resources.networks import NETWORK
from api.resources.ports import PORT
from api.resources.subnets import SUBNET
from controller.store.database import Database


def names(client: FlaskClient, collection: str, query: object) -> list[str]:
    reply = client.get(f"/v2.0/{collection}", query_string=query)
    assert reply.status_code == 200, reply.json
    return [one["name"] for one in reply.json[collection]]


@pytest.fixture
def three(make: SimpleNamespace) -> SimpleNamespace:
    """Networks a, b, c; b is shared, down, external and has an MTU and a subnet."""
    a = make.network(name="a")
    b = make.network(
        name="b",
        shared=True,
        admin_state_up=False,
        mtu=1300,
        router__external=True,
        provider__network_type="vxlan",
        provider__segmentation_id=77,
    )
    c = make.network(name="c", description="third", project_id="other", port_security_enabled=False)
    return SimpleNamespace(a=a, b=b, c=c, subnet=make.subnet(b["id"], name="s", gateway_ip=None))


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ([("name", "a"), ("name", "c")], ["a", "c"]),
        ([("name", "a"), ("shared", "true")], []),
        ([("shared", "1")], ["b"]),
        ([("shared", "False"), ("shared", "true")], ["a", "b", "c"]),
        ([("admin_state_up", "false")], ["b"]),
        ([("mtu", "1300")], ["b"]),
        ([("router:external", "True")], ["b"]),
        ([("provider:segmentation_id", "77")], ["b"]),
        ([("provider:network_type", "vxlan"), ("provider:physical_network", "")], ["a", "b", "c"]),
        ([("project_id", "other")], ["c"]),
        ([("tenant_id", "other")], ["c"]),
        ([("description", "")], ["a", "b"]),
        ([("port_security_enabled", "false")], ["c"]),
        ([("status", "ACTIVE")], ["a", "b", "c"]),
        ([("status", "DOWN")], []),
        ([("tags", "red")], []),
        ([("not-tags", "red")], ["a", "b", "c"]),
        ([("tags-any", "red")], []),
    ],
)
def test_networks_are_filtered_by_any_attribute(
    client: FlaskClient, three: SimpleNamespace, query: list[tuple[str, str]], expected: list[str]
) -> None:
    assert expected == names(client, "networks", [*query, ("sort_key", "name"), ("sort_dir", "asc")])


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("cidr=10.1.0.7/24", True),  # compared in canonical form
        ("cidr=10.2.0.0/24", False),
        ("gateway_ip=", True),
        ("gateway_ip=10.1.0.1", False),
        ("ip_version=4", True),
        ("ip_version=6", False),
        ("enable_dhcp=true", True),
        ("ipv6_ra_mode=", True),
        ("subnetpool_id=", True),
        ("subnetpool_id=x", False),
    ],
)
def test_subnets_are_filtered_by_any_attribute(
    client: FlaskClient, three: SimpleNamespace, query: str, found: bool
) -> None:
    assert (["s"] if found else []) == names(client, "subnets", query)


def test_a_subnet_says_whether_its_network_is_external(
    client: FlaskClient, make: SimpleNamespace, three: SimpleNamespace
) -> None:
    inner = make.subnet(three.a["id"])
    listed = client.get("/v2.0/subnets").json["subnets"]
    assert {three.subnet["id"]: True, inner["id"]: False} == {one["id"]: one["router:external"] for one in listed}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("fixed_ips=ip_address%3D2001:DB8::5", ["six"]),
        ("fixed_ips=ip_address%3D10.1.0.5&fixed_ips=ip_address%3D10.1.0.6", ["five", "sixth"]),
        ("fixed_ips=ip_address_substr%3D.0.5", ["five"]),
        ("mac_address=02-00-00-00-00-05", ["five"]),
        ("binding:host_id=nowhere", ["sixth"]),
        ("binding%3Ahost_id=", ["five", "six"]),
        ("device_id=", ["five", "six"]),
        ("device_owner=compute:nova", ["sixth"]),
        ("status=ACTIVE", []),
        ("security_groups=x", []),
    ],
)
def test_ports_are_filtered_by_any_attribute(
    client: FlaskClient, make: SimpleNamespace, query: str, expected: list[str]
) -> None:
    network = make.network()["id"]
    make.subnet(network)
    make.subnet(network, "2001:db8::/64")
    make.port(network_id=network, name="five", mac_address="02:00:00:00:00:05", fixed_ips=[{"ip_address": "10.1.0.5"}])
    make.port(network_id=network, name="six", fixed_ips=[{"ip_address": "2001:db8::5"}])
    make.port(
        network_id=network,
        name="sixth",
        fixed_ips=[{"ip_address": "10.1.0.6"}],
        device_id="vm",
        device_owner="compute:nova",
        binding__host_id="nowhere",
    )
    assert expected == sorted(names(client, "ports", query))


@pytest.mark.parametrize("query", ["fixed_ips=10.0.0.1", "fixed_ips=ip%3D10.0.0.1"])
def test_a_fixed_ip_filter_of_unknown_form_is_refused(client: FlaskClient, query: str) -> None:
    assert client.get(f"/v2.0/ports?{query}").json["NeutronError"]["type"] == "InvalidInput"


def test_only_the_asked_columns_are_shown(client: FlaskClient, three: SimpleNamespace) -> None:
    path = f"/v2.0/networks/{three.a['id']}"
    assert client.get(f"{path}?fields=segments").json == {"network": {}}
    assert client.get(f"{path}?fields=name&fields=tenant_id&fields=nope").json == {
        "network": {"name": "a", "tenant_id": "fake_project_id"}
    }
    assert client.get(f"{path}?fields=").json == client.get(path).json


def test_pages_lead_through_every_object_once_and_back(client: FlaskClient, make: SimpleNamespace) -> None:
    made = [make.network(name=name)["name"] for name in "edcba"]
    path = "/v2.0/networks?limit=2&sort_key=name&sort_dir=asc&fields=name"
    seen: list[str] = []
    last = path
    while path:
        reply = client.get(path).json
        seen += [network["name"] for network in reply["networks"]]
        last = path
        links = {link["rel"]: urlsplit(link["href"]) for link in reply.get("networks_links", [])}
        path = f"{links['next'].path}?{links['next'].query}" if "next" in links else ""
    assert sorted(made) == seen
    back = {link["rel"]: urlsplit(link["href"]) for link in client.get(last).json["networks_links"]}["previous"]
    assert names(client, "networks", back.query) == ["c", "d"]


def test_no_links_without_a_limit(client: FlaskClient, three: SimpleNamespace) -> None:
    assert {"networks"} == client.get("/v2.0/networks?limit=0").json.keys()


def test_links_are_those_of_the_address_the_client_used(client: FlaskClient, three: SimpleNamespace) -> None:
    headers = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "api.example.org", "X-Forwarded-Prefix": "/weft/"}
    reply = client.get("/v2.0/networks?limit=1", headers=headers).json
    assert reply["networks_links"][0]["href"].startswith("https://api.example.org/weft/v2.0/networks?limit=1&marker=")


def test_what_changed_since_a_moment_is_found(client: FlaskClient, database: Database) -> None:
    def make(name: str) -> str:
        return str(client.post("/v2.0/networks", json={"network": {"name": name}}).json["network"]["id"])

    def changed(since: str, **more: str) -> list[str]:
        reply = client.get("/v2.0/networks", query_string={"changed_since": since} | more)
        assert reply.status_code == 200, reply.json
        return sorted(one["name"] for one in reply.json["networks"])

    start = datetime(2026, 11, 21, 12, tzinfo=UTC)
    database._now = lambda: start
    first, _second = make("a"), make("b")
    database._now = lambda: start + timedelta(hours=1)
    make("c")
    assert changed("2026-11-21T12:00:00Z") == ["a", "b", "c"]
    assert changed("2026-11-21T12:00:01Z") == changed("2026-11-21T12:00:00.5") == ["c"]
    assert changed("2026-11-21T14:00:00+02:00", name="a") == ["a"]
    client.put(f"/v2.0/networks/{first}/tags/red")
    assert changed("2026-11-21T13:00:00") == ["a", "c"]
    assert changed("2027-01-01") == []
    reply = client.get("/v2.0/networks?changed_since=yesterday")
    assert (reply.status_code, reply.json["NeutronError"]["type"]) == (400, "InvalidInput")
    assert "YYYY-MM-DDTHH:MM:SSZ" in reply.json["NeutronError"]["message"]


def test_everything_that_says_when_it_changed_is_found_by_it(client: FlaskClient) -> None:
    for resource in client.application.extensions[RESOURCES]:
        timed = any(attribute.name == "updated_at" for attribute in resource.attributes)
        reply = client.get(f"/v2.0/{resource.path}?changed_since=2026-11-21T12:00:00Z")
        assert reply.status_code == (200 if timed else 400), (resource.collection, reply.json)


@pytest.mark.parametrize("collection", ["networks", "subnets", "ports", "hosts"])
def test_every_declared_filter_and_sort_key_is_one_the_services_know(client: FlaskClient, collection: str) -> None:
    resource = {one.collection: one for one in (HOST, NETWORK, PORT, SUBNET)}[collection]
    for attribute in resource.attributes:
        if attribute.sort:
            query = f"sort_key={attribute.name}&sort_dir=desc"
            assert client.get(f"/v2.0/{collection}?{query}").status_code == 200, query
        if attribute.filter and attribute.name != "fixed_ips":
            reply = client.get(f"/v2.0/{collection}", query_string=[(attribute.name, "1")])
            assert reply.status_code == 200, reply.json
