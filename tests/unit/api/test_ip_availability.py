"""How many addresses are left?

Neutron API reference, network IP availability; extension network-ip-availability-details.
"""

from types import SimpleNamespace

import pytest
from flask.testing import FlaskClient


@pytest.fixture
def world(client: FlaskClient, make: SimpleNamespace) -> SimpleNamespace:
    a = make.network(name="a")["id"]
    four = make.subnet(a, "10.1.0.0/24", name="four", allocation_pools=[{"start": "10.1.0.10", "end": "10.1.0.19"}])[
        "id"
    ]
    six = make.subnet(a, "2001:db8::/64")["id"]
    make.port(network_id=a, fixed_ips=[{"ip_address": "10.1.0.10"}, {"ip_address": "10.1.0.200"}])
    gone = make.port(network_id=a)["id"]
    client.delete(f"/v2.0/ports/{gone}")
    b = make.network(name="b", project_id="other")["id"]
    bare = make.subnet(b, "10.2.0.0/30", gateway_ip=None)["id"]
    client.put(f"/v2.0/subnets/{bare}", json={"subnet": {"allocation_pools": []}})
    return SimpleNamespace(a=a, b=b, four=four, six=six)


def test_used_and_total_are_counted_inside_and_outside_the_pools(client: FlaskClient, world: SimpleNamespace) -> None:
    found = client.get(f"/v2.0/network-ip-availabilities/{world.a}").json["network_ip_availability"]
    four = {
        "subnet_id": world.four,
        "ip_version": 4,
        "cidr": "10.1.0.0/24",
        "subnet_name": "four",
        "used_ips": 2,
        "total_ips": 10,
        "ip_availability_details": {
            "total_ips_in_subnet": 254,
            "total_ips_in_allocation_pool": 10,
            "used_ips_in_subnet": 2,
            "used_ips_in_allocation_pool": 1,
        },
    }
    assert four in found["subnet_ip_availability"]
    (six,) = [one for one in found["subnet_ip_availability"] if one["subnet_id"] == world.six]
    assert (six["total_ips"], six["ip_availability_details"]["total_ips_in_subnet"]) == (2**64 - 1, 2**64)
    assert (found["used_ips"], found["total_ips"]) == (2, 2**64 + 9)
    assert found["ip_availability_details"]["used_ips_in_allocation_pool"] == 1
    assert (found["network_name"], found["project_id"]) == ("a", found["tenant_id"])


def test_a_subnet_without_pools_has_its_whole_prefix(client: FlaskClient, world: SimpleNamespace) -> None:
    found = client.get(f"/v2.0/network-ip-availabilities/{world.b}").json["network_ip_availability"]
    assert found["total_ips"] == 4
    assert found["ip_availability_details"] == {
        "total_ips_in_subnet": 2,
        "total_ips_in_allocation_pool": 0,
        "used_ips_in_subnet": 0,
        "used_ips_in_allocation_pool": 0,
    }


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["a", "b"]),
        ("network_name=a", ["a"]),
        ("project_id=other", ["b"]),
        ("tenant_id=other", ["b"]),
        ("ip_version=6", ["a"]),
        ("ip_version=4", ["a", "b"]),
        ("ip_version=", []),
        ("network_id=nope", []),
        ("sort_key=network_name&sort_dir=desc", ["b", "a"]),
        ("limit=1&sort_key=network_name&sort_dir=asc", ["a"]),
    ],
)
def test_availabilities_are_filtered(
    client: FlaskClient, world: SimpleNamespace, query: str, expected: list[str]
) -> None:
    reply = client.get(f"/v2.0/network-ip-availabilities?{query}")
    assert reply.status_code == 200, reply.json
    names = [one["network_name"] for one in reply.json["network_ip_availabilities"]]
    assert expected == (names if "sort" in query else sorted(names))


def test_with_an_ip_version_only_its_subnets_count(client: FlaskClient, world: SimpleNamespace) -> None:
    (found,) = client.get("/v2.0/network-ip-availabilities?ip_version=6").json["network_ip_availabilities"]
    assert [one["subnet_id"] for one in found["subnet_ip_availability"]] == [world.six]
    assert found["used_ips"] == 0


def test_nothing_is_created_there(client: FlaskClient, world: SimpleNamespace) -> None:
    assert client.post("/v2.0/network-ip-availabilities", json={}).status_code == 405
    assert client.delete(f"/v2.0/network-ip-availabilities/{world.a}").status_code == 405
    reply = client.get("/v2.0/network-ip-availabilities/nope")
    assert (reply.status_code, reply.json["NeutronError"]["type"]) == (404, "NetworkNotFound")
