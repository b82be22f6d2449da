"""Are subnet pools and address scopes on the wire what Neutron's are?"""

from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_network
from itertools import combinations
from types import SimpleNamespace
from typing import Any

import pytest
from flask.testing import FlaskClient

POOLS = "/v2.0/subnetpools"
SCOPES = "/v2.0/address-scopes"


def _made(client: FlaskClient, path: str, member: str, **attributes: Any) -> dict[str, Any]:
    reply = client.post(path, json={member: attributes})
    assert reply.status_code == 201, reply.json
    return reply.json[member]


def _pool(client: FlaskClient, **attributes: Any) -> dict[str, Any]:
    return _made(client, POOLS, "subnetpool", **({"name": "p", "prefixes": ["10.0.0.0/16"]} | attributes))


def test_a_pool_and_a_scope_have_neutrons_attributes(client: FlaskClient) -> None:
    scope = _made(client, SCOPES, "address_scope", name="s", ip_version=4)
    pool = _pool(client, address_scope_id=scope["id"], default_prefixlen="24")
    project = {"project_id": "fake_project_id", "tenant_id": "fake_project_id"}
    assert scope == {"id": scope["id"], "name": "s", "ip_version": 4, "shared": False} | project
    assert pool == project | {
        "id": pool["id"],
        "name": "p",
        "prefixes": ["10.0.0.0/16"],
        "ip_version": 4,
        "min_prefixlen": "8",
        "max_prefixlen": "32",
        "default_prefixlen": "24",
        "default_quota": None,
        "is_default": False,
        "shared": False,
        "address_scope_id": scope["id"],
        "description": "",
        "tags": [],
        "created_at": pool["created_at"],
        "updated_at": pool["updated_at"],
        "revision_number": 0,
    }
    assert client.get(POOLS).json == {"subnetpools": [pool]}
    assert client.get(f"{SCOPES}?ip_version=6").json == {"address_scopes": []}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"prefixes": ["10.0.0.0/8"]}, "Failed to parse request. Required attribute 'name' not specified"),
        ({"name": "p"}, "Failed to parse request. Required attribute 'prefixes' not specified"),
        ({"name": " ", "prefixes": []}, "Invalid input for name. Reason: ' ' Blank strings are not permitted."),
        ({"name": "p", "prefixes": "x"}, "Invalid input for prefixes. Reason: 'x' is not a list."),
        (
            {"name": "p", "prefixes": ["10.0.0.1"]},
            "Invalid input for prefixes. Reason: '10.0.0.1' is not a valid IP subnet.",
        ),
        (
            {"name": "p", "prefixes": ["10.0.0.0/8", "10.0.0.0/8"]},
            "Invalid input for prefixes. Reason: Duplicate items in the list: '10.0.0.0/8'.",
        ),
        ({"name": "p", "prefixes": []}, "Empty subnet pool prefix list."),
        ({"name": "p", "prefixes": [], "ip_version": 4}, "Attribute 'ip_version' not allowed in POST"),
    ],
)
def test_what_is_no_pool_is_a_bad_request(client: FlaskClient, given: dict[str, Any], message: str) -> None:
    reply = client.post(POOLS, json={"subnetpool": given})
    assert (400, message) == (reply.status_code, reply.json["NeutronError"]["message"])


def test_prefixes_are_added_and_removed(client: FlaskClient) -> None:
    pool = _pool(client)
    path = f"{POOLS}/{pool['id']}"
    assert client.put(f"{path}/add_prefixes", json={"prefixes": ["10.1.0.0/16"]}).json == {"prefixes": ["10.0.0.0/15"]}
    removed = client.put(f"{path}/remove_prefixes", json={"subnetpool": {"prefixes": ["10.0.0.0/16"]}})
    assert (removed.status_code, removed.json) == (200, {"prefixes": ["10.1.0.0/16"]})
    assert client.get(path).json["subnetpool"]["prefixes"] == ["10.1.0.0/16"]
    for body, named in (({}, "prefixes"), ({"prefixes": 7}, "not a list"), ({"x": 1}, "'x'")):
        reply = client.put(f"{path}/add_prefixes", json=body)
        assert reply.status_code == 400
        assert named in reply.json["NeutronError"]["message"]
    assert client.post(f"{path}/add_prefixes", json={"prefixes": []}).status_code == 405
    assert client.put(f"{POOLS}/nope/add_prefixes", json={"prefixes": ["10.0.0.0/8"]}).status_code == 404


def test_a_networks_subnets_are_onboarded(client: FlaskClient, make: SimpleNamespace) -> None:
    pool, network = _pool(client), make.network()
    subnet = make.subnet(network["id"], "192.0.2.0/24")
    reply = client.put(f"{POOLS}/{pool['id']}/onboard_network_subnets", json={"network_id": network["id"]})
    assert (200, [{"id": subnet["id"], "cidr": "192.0.2.0/24"}]) == (reply.status_code, reply.json)
    (found,) = client.get(f"/v2.0/subnets?subnetpool_id={pool['id']}").json["subnets"]
    assert (found["id"], found["subnetpool_id"]) == (subnet["id"], pool["id"])
    assert client.get("/v2.0/subnets?subnetpool_id=").json["subnets"] == []


def test_an_exhausted_pool_is_a_conflict_and_its_subnets_hide_what_was_asked(
    client: FlaskClient, make: SimpleNamespace
) -> None:
    pool, network = _pool(client, prefixes=["10.0.0.0/24"]), make.network()
    wanted = {"network_id": network["id"], "ip_version": 4, "subnetpool_id": pool["id"], "prefixlen": 25}
    subnet = _made(client, "/v2.0/subnets", "subnet", **wanted)
    assert (subnet["cidr"], subnet["subnetpool_id"]) == ("10.0.0.0/25", pool["id"])
    assert {"prefixlen", "use_default_subnetpool"}.isdisjoint(subnet)
    reply = client.post("/v2.0/subnets", json={"subnet": wanted | {"prefixlen": 24}})
    assert (reply.status_code, reply.json["NeutronError"]["type"]) == (409, "SubnetAllocationError")
    assert client.delete(f"{POOLS}/{pool['id']}").status_code == 400


def test_subnets_cut_at_once_share_no_address(client: FlaskClient, make: SimpleNamespace) -> None:
    pool = _pool(client, prefixes=["10.0.0.0/22", "10.8.0.0/25"])
    networks = [make.network()["id"] for _ in range(24)]

    def cut(position: int) -> str:
        wanted = {"network_id": networks[position], "ip_version": 4, "subnetpool_id": pool["id"]}
        reply = client.application.test_client().post(
            "/v2.0/subnets", json={"subnet": wanted | {"prefixlen": 27 + position % 3}}
        )
        assert reply.status_code == 201, reply.json
        return str(reply.json["subnet"]["cidr"])

    with ThreadPoolExecutor(max_workers=8) as threads:
        cidrs = [ip_network(cidr) for cidr in threads.map(cut, range(24))]
    assert not [pair for pair in combinations(cidrs, 2) if pair[0].overlaps(pair[1])]


def test_a_subnet_of_a_large_pool_costs_as_much_as_one_of_a_small_pool(
    client: FlaskClient, make: SimpleNamespace
) -> None:
    """A pool stores what is free, not what is taken: 65,536 possible subnets are a handful of rows."""
    pool = _pool(client, prefixes=["10.0.0.0/8"], default_prefixlen=24)
    for expected in ("10.0.0.0/24", "10.0.1.0/24", "10.0.2.0/24"):
        network = make.network()["id"]
        subnet = _made(client, "/v2.0/subnets", "subnet", network_id=network, ip_version=4, subnetpool_id=pool["id"])
        assert subnet["cidr"] == expected


def test_every_alias_of_pools_and_scopes_is_advertised(client: FlaskClient) -> None:
    aliases = {one["alias"] for one in client.get("/v2.0/extensions").json["extensions"]}
    wanted = {"address-scope", "default-subnetpools", "subnet_allocation", "subnet_onboard", "subnetpool-prefix-ops"}
    assert wanted <= aliases
