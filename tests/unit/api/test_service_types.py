"""Which subnets give addresses to whom, and does a port get another MAC address when asked?

Extensions subnet-service-types and port-mac-address-regenerate.
"""

from types import SimpleNamespace
from typing import Any

import pytest
from flask.testing import FlaskClient


@pytest.fixture
def world(make: SimpleNamespace) -> SimpleNamespace:
    network = make.network()["id"]
    return SimpleNamespace(
        network=network,
        guests=make.subnet(network, "10.1.0.0/24", service_types=["compute:nova", "compute:zed"])["id"],
        agents=make.subnet(network, "10.2.0.0/24", service_types=["network:dhcp"])["id"],
        slaac=make.subnet(
            network,
            "2001:db8::/64",
            ipv6_ra_mode="slaac",
            ipv6_address_mode="slaac",
            service_types=["compute:nova"],
        )["id"],
    )


def subnets(port: dict[str, Any]) -> set[str]:
    return {fixed["subnet_id"] for fixed in port["fixed_ips"]}


def test_ports_get_addresses_of_the_subnets_for_their_owner(make: SimpleNamespace, world: SimpleNamespace) -> None:
    nova = make.port(network_id=world.network, device_owner="compute:nova")
    assert subnets(nova) == {world.guests, world.slaac}
    assert subnets(make.port(network_id=world.network, device_owner="compute:zed")) == {world.guests}
    assert subnets(make.port(network_id=world.network, device_owner="network:dhcp")) == {world.agents}


def test_a_port_no_subnet_is_for_is_refused_unless_one_is_for_everybody(
    client: FlaskClient, make: SimpleNamespace, world: SimpleNamespace
) -> None:
    reply = client.post("/v2.0/ports", json={"port": {"network_id": world.network}})
    assert (reply.status_code, reply.json["NeutronError"]["type"]) == (
        409,
        "IpAddressGenerationFailureNoMatchingSubnet",
    )
    everybody = make.subnet(world.network, "10.3.0.0/24")["id"]
    assert subnets(make.port(network_id=world.network)) == {everybody}


def test_a_named_subnet_gives_to_anybody_and_a_bare_address_does_not(
    client: FlaskClient, make: SimpleNamespace, world: SimpleNamespace
) -> None:
    named = make.port(network_id=world.network, fixed_ips=[{"subnet_id": world.guests}])
    assert subnets(named) == {world.guests}
    body = {"port": {"network_id": world.network, "fixed_ips": [{"ip_address": "10.1.0.9"}]}}
    assert client.post("/v2.0/ports", json=body).json["NeutronError"]["type"] == "InvalidIpForNetwork"


def test_service_types_are_shown_and_changed(client: FlaskClient, world: SimpleNamespace) -> None:
    path = f"/v2.0/subnets/{world.guests}"
    assert client.get(path).json["subnet"]["service_types"] == ["compute:nova", "compute:zed"]
    assert client.put(path, json={"subnet": {"service_types": []}}).json["subnet"]["service_types"] == []
    assert client.get(path).json["subnet"]["service_types"] == []


@pytest.mark.parametrize(
    ("service_types", "error_type"),
    [
        (["nova"], "InvalidSubnetServiceType"),
        (["Compute:nova"], "InvalidSubnetServiceType"),
        ([7], "InvalidInputSubnetServiceType"),
        ("compute:nova", "HTTPBadRequest"),
        (["compute:a", "compute:a"], "HTTPBadRequest"),
    ],
)
def test_what_is_no_device_owner_is_refused(
    client: FlaskClient, make: SimpleNamespace, service_types: object, error_type: str
) -> None:
    body = {"network_id": make.network()["id"], "cidr": "10.1.0.0/24", "ip_version": 4}
    reply = client.post("/v2.0/subnets", json={"subnet": body | {"service_types": service_types}})
    assert (reply.status_code, reply.json["NeutronError"]["type"]) == (400, error_type)


def test_a_port_gets_another_mac_address_and_its_own_addresses_follow(
    client: FlaskClient, make: SimpleNamespace, world: SimpleNamespace
) -> None:
    before = make.port(network_id=world.network, device_owner="compute:nova", mac_address="02:00:00:00:00:01")
    reply = client.put(f"/v2.0/ports/{before['id']}", json={"port": {"mac_address": None}})
    after = reply.json["port"]
    assert after["mac_address"].startswith("fa:16:3e:")
    assert after["revision_number"] == before["revision_number"] + 1
    (old,) = [fixed["ip_address"] for fixed in before["fixed_ips"] if fixed["subnet_id"] == world.slaac]
    (new,) = [fixed["ip_address"] for fixed in after["fixed_ips"] if fixed["subnet_id"] == world.slaac]
    assert old != new
