"""What does the API say about names? Extensions dns-integration and dns-domain-ports."""

from types import SimpleNamespace
from typing import Any

import pytest
from flask.testing import FlaskClient


def assigned(port: dict[str, Any]) -> list[tuple[str, str]]:
    assert [one["ip_address"] for one in port["dns_assignment"]] == [one["ip_address"] for one in port["fixed_ips"]]
    return [(one["hostname"], one["fqdn"]) for one in port["dns_assignment"]]


def put(client: FlaskClient, path: str, member: str, **attributes: object) -> Any:
    return client.put(f"/v2.0/{path}", json={member: attributes})


def test_a_port_s_addresses_are_called_after_it_in_its_domain(client: FlaskClient, make: SimpleNamespace) -> None:
    network = make.network(dns_domain="Example.ORG.")
    assert network["dns_domain"] == "example.org."
    make.subnet(network["id"])
    make.subnet(network["id"], "fd00::/64")
    named = make.port(network_id=network["id"], dns_name="VM1")
    assert (named["dns_name"], named["dns_domain"]) == ("vm1", "")
    assert assigned(named) == [("vm1", "vm1.example.org.")] * 2
    own = make.port(network_id=network["id"], dns_name="vm2.a.net.", dns_domain="a.net.")
    assert assigned(own) == [("vm2.a.net.", "vm2.a.net.")] * 2
    shown = client.get(f"/v2.0/ports/{named['id']}").json["port"]
    assert (shown["dns_name"], shown["dns_assignment"]) == ("vm1", named["dns_assignment"])


def test_an_address_without_a_name_is_called_after_itself(client: FlaskClient, make: SimpleNamespace) -> None:
    network = make.network()
    assert network["dns_domain"] == ""
    make.subnet(network["id"])
    port = make.port(network_id=network["id"], fixed_ips=[{"ip_address": "10.1.0.7"}])
    assert (port["dns_name"], port["dns_domain"]) == ("", "")
    assert assigned(port) == [("host-10-1-0-7", "host-10-1-0-7.openstacklocal.")]
    assert put(client, f"networks/{network['id']}", "network", dns_domain="a.org.").status_code == 200
    listed = client.get(f"/v2.0/ports?id={port['id']}").json["ports"]
    assert assigned(listed[0]) == [("host-10-1-0-7", "host-10-1-0-7.a.org.")]


def test_names_change_and_go(client: FlaskClient, make: SimpleNamespace) -> None:
    network = make.network(dns_domain="a.org.")
    make.subnet(network["id"])
    port = make.port(network_id=network["id"], dns_name="one")
    path = f"ports/{port['id']}"
    changed = put(client, path, "port", dns_name="two", dns_domain="b.org.").json["port"]
    assert assigned(changed) == [("two", "two.b.org.")]
    assert changed["revision_number"] == port["revision_number"] + 1
    assert put(client, path, "port", dns_name="three.a.org.").status_code == 400
    gone = put(client, path, "port", dns_name="", dns_domain="").json["port"]
    assert gone["dns_name"] == ""
    assert assigned(gone)[0][1].endswith(".a.org.")


@pytest.mark.parametrize(
    ("attribute", "value", "reason"),
    [
        ("dns_name", "a..b", "Encountered an empty component"),
        ("dns_name", "-a", "must not start or end with a hyphen"),
        ("dns_name", "a_b", "can only be alphanumeric or a hyphen"),
        ("dns_name", "a" * 64, "must be 1-63 characters long"),
        ("dns_name", "vm\n", "can only be alphanumeric or a hyphen"),
        ("dns_name", "a.1", "TLD '1' must not be all numeric"),
        ("dns_name", ".".join(["a" * 60] * 5), "exceeds the 255 character FQDN limit"),
        ("dns_name", None, "Input value None must be string type"),
        ("dns_name", 7, "Input value 7 must be string type"),
        ("dns_name", "vm.other.org.", "higher level labels"),
        ("dns_domain", "a.org", "'a.org' is not a FQDN"),
        ("dns_domain", ".", "Encountered an empty component"),
        ("dns_domain", None, "'None' is not a valid string"),
        ("dns_domain", ".".join(["a" * 60] * 4) + "." + "a" * 9 + ".", "exceed the maximum length"),
    ],
)
def test_what_is_no_name_is_refused(
    client: FlaskClient, make: SimpleNamespace, attribute: str, value: object, reason: str
) -> None:
    """RFC 952, RFC 1123 section 2.1."""
    network = make.network()
    body = {"port": {"network_id": network["id"], attribute: value}}
    reply = client.post("/v2.0/ports", json=body)
    assert reply.status_code == 400
    assert reason in reply.json["NeutronError"]["message"]


def test_two_ports_may_have_one_name(make: SimpleNamespace) -> None:
    """Neutron keeps no name unique: several addresses of one name are several records."""
    network = make.network()
    names = [make.port(network_id=network["id"], dns_name="web")["dns_name"] for _ in range(2)]
    assert names == ["web", "web"]
