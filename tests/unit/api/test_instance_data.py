"""Is a device's network written as cloud-init reads it?

The checks are those of OpenStack's schema, doc/api_schemas/network_data.json of Nova.
"""

import re
from collections.abc import Mapping
from ipaddress import ip_address, ip_network
from types import SimpleNamespace
from typing import Any

import pytest
from flask.testing import FlaskClient

LINK_TYPES = {"bridge", "dvs", "hw_veb", "hyperv", "ovs", "tap", "vhostuser", "vif", "phy"}
NETWORK_TYPES = {4: {"ipv4", "ipv4_dhcp"}, 6: {"ipv6", "ipv6_dhcp", "ipv6_slaac"}}


def check(document: Mapping[str, Any]) -> None:
    """Refuse what the schema refuses."""
    assert {"links", "networks", "services"} == document.keys()
    names = set()
    for link in document["links"]:
        assert re.fullmatch(r"(?i)([0-9a-f]{2}[:-]){5}[0-9a-f]{2}", link["ethernet_mac_address"])
        assert link["type"] in LINK_TYPES
        assert 1 <= link["mtu"] <= 65535
        assert isinstance(link["vif_id"], str)
        names.add(link["id"])
    assert len(names) == len(document["links"])
    for network in document["networks"]:
        assert {"id", "link", "network_id", "type"} <= network.keys()
        assert network["link"] in names
        version = 4 if network["type"].startswith("ipv4") else 6
        assert network["type"] in NETWORK_TYPES[version]
        if "ip_address" in network:
            assert ip_address(network["ip_address"]).version == version
            assert ip_address(network["netmask"]).version == version
        for route in network.get("routes", ()):
            assert {"gateway", "netmask", "network"} == route.keys()
            assert all(ip_address(value).version == version for value in route.values())
        for service in network.get("services", ()):
            _check_service(service)
    for service in document["services"]:
        _check_service(service)


def _check_service(service: Mapping[str, str]) -> None:
    assert service["type"] == "dns"
    ip_address(service["address"])


def test_a_static_port_boots_with_its_address_and_routes(client: FlaskClient, make: SimpleNamespace) -> None:
    network = make.network(mtu=1400)
    make.subnet(
        network["id"],
        enable_dhcp=False,
        dns_nameservers=["10.1.0.53"],
        host_routes=[{"destination": "10.9.0.0/16", "nexthop": "10.1.0.9"}],
    )
    port = make.port(network_id=network["id"])
    document = client.get(f"/v2.0/ports/{port['id']}/network-data").json
    check(document)
    server = {"type": "dns", "address": "10.1.0.53"}
    assert document == {
        "links": [
            {
                "id": f"tap{port['id'][:11]}",
                "vif_id": port["id"],
                "type": "ovs",
                "mtu": 1400,
                "ethernet_mac_address": port["mac_address"],
            }
        ],
        "networks": [
            {
                "id": "network0",
                "type": "ipv4",
                "link": f"tap{port['id'][:11]}",
                "network_id": network["id"],
                "ip_address": port["fixed_ips"][0]["ip_address"],
                "netmask": "255.255.255.0",
                "routes": [
                    {"network": "0.0.0.0", "netmask": "0.0.0.0", "gateway": "10.1.0.1"},
                    {"network": "10.9.0.0", "netmask": "255.255.0.0", "gateway": "10.1.0.9"},
                ],
                "services": [server],
            }
        ],
        "services": [server],
    }


@pytest.mark.parametrize(
    ("cidr", "attributes", "how"),
    [
        ("10.1.0.0/24", {}, "ipv4_dhcp"),
        ("10.1.0.0/24", {"enable_dhcp": False, "gateway_ip": None}, "ipv4"),
        ("2001:db8::/64", {}, "ipv6"),
        ("2001:db8::/64", {"enable_dhcp": False}, "ipv6"),
        ("2001:db8::/64", {"ipv6_ra_mode": "slaac", "ipv6_address_mode": "slaac"}, "ipv6_slaac"),
        ("2001:db8::/64", {"ipv6_address_mode": "dhcpv6-stateless"}, "ipv6_slaac"),
        ("2001:db8::/64", {"ipv6_ra_mode": "dhcpv6-stateful", "ipv6_address_mode": "dhcpv6-stateful"}, "ipv6_dhcp"),
    ],
)
def test_the_type_says_how_a_machine_gets_its_address(
    client: FlaskClient, make: SimpleNamespace, cidr: str, attributes: dict[str, Any], how: str
) -> None:
    network = make.network()
    make.subnet(network["id"], cidr, **attributes)
    port = make.port(network_id=network["id"])
    document = client.get(f"/v2.0/ports/{port['id']}/network-data").json
    check(document)
    (entry,) = document["networks"]
    assert entry["type"] == how
    written = client.get(f"/v2.0/ports/{port['id']}/network-data?static=true").json
    check(written)
    (entry,) = written["networks"]
    assert entry["type"] in {"ipv4", "ipv6"}
    assert ip_address(entry["ip_address"]) in ip_network(cidr)
    assert ip_address(entry["netmask"]) == ip_network(cidr).netmask
    assert bool(entry["routes"]) == (attributes.get("gateway_ip", "default") is not None)


def test_a_device_has_all_its_ports_in_the_order_they_were_made(client: FlaskClient, make: SimpleNamespace) -> None:
    ports = []
    for number in range(3):
        network = make.network()
        make.subnet(network["id"], f"10.{number}.0.0/24", dns_nameservers=["9.9.9.9"])
        ports.append(make.port(network_id=network["id"], device_id="vm"))
    make.port(network_id=ports[0]["network_id"], device_id="other")
    document = client.get("/v2.0/network-data?device_id=vm").json
    check(document)
    assert [link["vif_id"] for link in document["links"]] == [port["id"] for port in ports]
    assert [entry["id"] for entry in document["networks"]] == ["network0", "network1", "network2"]
    assert len(document["services"]) == 1
    assert client.get("/v2.0/network-data?device_id=nobody").json == {"links": [], "networks": [], "services": []}


def test_only_one_address_of_a_family_is_asked_of_dhcp(client: FlaskClient, make: SimpleNamespace) -> None:
    network = make.network()
    subnet = make.subnet(network["id"])
    two = [{"subnet_id": subnet["id"], "ip_address": f"10.1.0.{number}"} for number in (5, 6)]
    port = make.port(network_id=network["id"], fixed_ips=two)
    entries = client.get(f"/v2.0/ports/{port['id']}/network-data").json["networks"]
    assert [(one["type"], one.get("ip_address")) for one in entries] == [("ipv4_dhcp", None), ("ipv4", "10.1.0.6")]


@pytest.mark.parametrize("path", ["network-data", "network-data?device_id=", "network-data?device_id=a&nope=1"])
def test_a_question_about_no_device_is_refused(client: FlaskClient, path: str) -> None:
    assert client.get(f"/v2.0/{path}").status_code == 400


def test_a_port_of_nobody_is_not_found(client: FlaskClient, make: SimpleNamespace) -> None:
    assert client.get(f"/v2.0/ports/{make.network()['id']}/network-data").status_code == 404
