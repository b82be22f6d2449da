"""What do security groups, their rules and address groups look like on the wire, and what is refused?"""

from types import SimpleNamespace
from typing import Any

import pytest
from flask.testing import FlaskClient

NOBODY = "00000000-0000-0000-0000-000000000000"
GROUPS, RULES, ADDRESSES = "/v2.0/security-groups", "/v2.0/security-group-rules", "/v2.0/address-groups"
TEMPLATE = "/v2.0/default-security-group-rules"


def refusal(reply: Any) -> tuple[int, str, str]:
    fault = reply.json["NeutronError"]
    return reply.status_code, fault["type"], fault["message"]


@pytest.fixture
def group(client: FlaskClient) -> dict[str, Any]:
    reply = client.post(GROUPS, json={"security_group": {"name": "web", "description": "d"}})
    assert reply.status_code == 201
    made: dict[str, Any] = reply.json["security_group"]
    return made


def a_rule(client: FlaskClient, group: dict[str, Any], **attributes: object) -> Any:
    body = {"security_group_id": group["id"], "direction": "ingress", **attributes}
    return client.post(RULES, json={"security_group_rule": body})


def test_a_group_has_neutron_s_attributes(group: dict[str, Any], client: FlaskClient) -> None:
    """API.md section 2 and sample 128."""
    assert (group["name"], group["description"], group["stateful"], group["shared"]) == ("web", "d", True, False)
    assert (group["project_id"], group["tenant_id"]) == ("fake_project_id", "fake_project_id")
    assert (group["tags"], group["revision_number"]) == ([], 1)
    assert {(rule["direction"], rule["ethertype"]) for rule in group["security_group_rules"]} == {
        ("egress", "IPv4"),
        ("egress", "IPv6"),
    }
    assert client.get(f"{GROUPS}/{group['id']}").json == {"security_group": group}
    assert client.get(f"{GROUPS}/{group['id']}?fields=name").json == {"security_group": {"name": "web"}}
    changed = client.put(f"{GROUPS}/{group['id']}", json={"security_group": {"stateful": False}}).json
    assert (changed["security_group"]["stateful"], changed["security_group"]["revision_number"]) == (False, 2)
    assert client.delete(f"{GROUPS}/{group['id']}").status_code == 204
    assert refusal(client.get(f"{GROUPS}/{group['id']}")) == (
        404,
        "SecurityGroupNotFound",
        f"Security group {group['id']} does not exist",
    )


def test_the_first_look_shows_the_default_group(client: FlaskClient) -> None:
    (default,) = client.get(GROUPS).json["security_groups"]
    assert (default["name"], default["description"]) == ("default", "Default security group")
    assert client.get(GROUPS).json["security_groups"] == [default]
    listed = client.get(RULES).json["security_group_rules"]
    assert [(rule["belongs_to_default_sg"], rule["description"]) for rule in listed] == [(True, None)] * 4
    assert {rule["belongs_to_default_sg"] for rule in default["security_group_rules"]} == {None}


def test_rules_looked_at_first_show_those_of_the_default_group(client: FlaskClient) -> None:
    assert len(client.get(RULES).json["security_group_rules"]) == 4


@pytest.mark.parametrize("project_id", ["%00", "p" * 256, "+", ""])
def test_what_can_be_no_project_gets_no_default_group(client: FlaskClient, project_id: str) -> None:
    listed = client.get(f"/v2.0/security-groups?project_id={project_id}")
    assert (listed.status_code, listed.json) == (200, {"security_groups": []})


def test_a_look_at_any_project_shows_its_default_group(client: FlaskClient) -> None:
    """API.md trap 9."""
    (default,) = client.get(f"{GROUPS}?tenant_id=unheard-of").json["security_groups"]
    assert (default["name"], default["project_id"]) == ("default", "unheard-of")


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("name=web", ["web"]),
        ("stateful=false", ["open"]),
        ("shared=false&sort_key=name&sort_dir=asc", ["default", "open", "web"]),
        ("shared=true", []),
        ("tags-any=red", []),
    ],
)
def test_groups_are_filtered(client: FlaskClient, group: dict[str, Any], query: str, names: list[str]) -> None:
    assert group["name"] == "web"
    client.post(GROUPS, json={"security_group": {"name": "open", "stateful": "False"}})
    assert names == [found["name"] for found in client.get(f"{GROUPS}?{query}").json["security_groups"]]


def test_links_to_pages_have_hyphens(client: FlaskClient, group: dict[str, Any]) -> None:
    found = client.get(f"{GROUPS}?limit=1").json
    assert "/v2.0/security-groups?" in found["security_groups_links"][0]["href"]
    pages, url = [], f"{GROUPS}?limit=1"
    while url:
        page = client.get(url).json
        pages += page["security_groups"]
        url = next((link["href"] for link in page.get("security_groups_links", ()) if link["rel"] == "next"), "")
    assert group["id"] in {one["id"] for one in pages}
    assert len(pages) == 2


@pytest.mark.parametrize("name", ["default", "Default"])
def test_there_is_one_default_group(client: FlaskClient, group: dict[str, Any], name: str) -> None:
    expected = (409, "SecurityGroupDefaultAlreadyExists", "Default security group already exists.")
    assert expected == refusal(client.post(GROUPS, json={"security_group": {"name": name}}))
    assert expected == refusal(client.put(f"{GROUPS}/{group['id']}", json={"security_group": {"name": name}}))


def test_the_default_group_is_not_renamed(client: FlaskClient) -> None:
    (default,) = client.get(GROUPS).json["security_groups"]
    reply = client.put(f"{GROUPS}/{default['id']}", json={"security_group": {"name": "mine"}})
    assert refusal(reply) == (
        409,
        "SecurityGroupCannotUpdateDefault",
        "Updating default security group not allowed.",
    )


def test_a_group_in_use_is_neither_deleted_nor_made_stateless(
    client: FlaskClient, make: SimpleNamespace, group: dict[str, Any]
) -> None:
    port = make.port(network_id=make.network()["id"], security_groups=[group["id"]])
    assert port["security_groups"] == [group["id"]]
    expected = (409, "SecurityGroupInUse", f"Security Group {group['id']} in use.")
    assert expected == refusal(client.delete(f"{GROUPS}/{group['id']}"))
    assert expected == refusal(client.put(f"{GROUPS}/{group['id']}", json={"security_group": {"stateful": False}}))


def test_groups_are_made_in_bulk_or_not_at_all(client: FlaskClient) -> None:
    reply = client.post(GROUPS, json={"security_groups": [{"name": "a"}, {"name": "default"}]})
    assert reply.status_code == 409
    assert client.get(f"{GROUPS}?name=a").json == {"security_groups": []}
    reply = client.post(GROUPS, json={"security_groups": [{"name": "a"}, {"name": "b"}]})
    assert [one["name"] for one in reply.json["security_groups"]] == ["a", "b"]


def test_a_rule_has_neutron_s_attributes(client: FlaskClient, group: dict[str, Any]) -> None:
    reply = a_rule(client, group, protocol="TCP", port_range_min="80", port_range_max=90, remote_ip_prefix="10.1.2.3/8")
    assert reply.status_code == 201
    rule = reply.json["security_group_rule"]
    assert rule == {
        "id": rule["id"],
        "project_id": "fake_project_id",
        "tenant_id": "fake_project_id",
        "security_group_id": group["id"],
        "ethertype": "IPv4",
        "direction": "ingress",
        "protocol": "tcp",
        "port_range_min": 80,
        "port_range_max": 90,
        "remote_ip_prefix": "10.1.2.3/8",
        "remote_address_group_id": None,
        "normalized_cidr": "10.0.0.0/8",
        "remote_group_id": None,
        "belongs_to_default_sg": False,
        "description": None,
        "created_at": rule["created_at"],
        "updated_at": rule["updated_at"],
        "revision_number": 0,
    }
    assert client.get(f"{RULES}/{rule['id']}").json == {"security_group_rule": rule}
    shown = client.get(f"{GROUPS}/{group['id']}").json["security_group"]
    assert rule | {"belongs_to_default_sg": None, "tags": []} in shown["security_group_rules"]
    found = client.get(f"{RULES}?normalized_cidr=10.0.0.0/8&protocol=tcp&port_range_min=80").json
    assert found == {"security_group_rules": [rule]}
    assert client.delete(f"{RULES}/{rule['id']}").status_code == 204
    assert refusal(client.get(f"{RULES}/{rule['id']}"))[1] == "SecurityGroupRuleNotFound"


@pytest.mark.parametrize(
    ("attributes", "status", "error"),
    [
        ({"protocol": "nope"}, 400, "SecurityGroupRuleInvalidProtocol"),
        ({"protocol": 256}, 400, "SecurityGroupRuleInvalidProtocol"),
        ({"protocol": -1}, 400, "SecurityGroupRuleInvalidProtocol"),
        ({"protocol": ["tcp"]}, 400, "SecurityGroupRuleInvalidProtocol"),
        ({"protocol": True}, 400, "SecurityGroupRuleInvalidProtocol"),
        ({"protocol": "tcp", "port_range_min": "x", "port_range_max": 3}, 400, "SecurityGroupInvalidPortValue"),
        ({"protocol": "tcp", "port_range_min": 1, "port_range_max": 65536}, 400, "SecurityGroupInvalidPortValue"),
        ({"protocol": "tcp", "port_range_min": -1, "port_range_max": 3}, 400, "SecurityGroupInvalidPortValue"),
        ({"protocol": "tcp", "port_range_min": 4, "port_range_max": 3}, 400, "SecurityGroupInvalidPortRange"),
        ({"protocol": "icmp", "port_range_min": 300}, 400, "SecurityGroupInvalidIcmpValue"),
        ({"protocol": "icmp", "port_range_max": 3}, 400, "SecurityGroupMissingIcmpType"),
        ({"port_range_min": 1, "port_range_max": 2}, 400, "SecurityGroupProtocolRequiredWithPorts"),
        ({"ethertype": "IPX"}, 400, "SecurityGroupRuleInvalidEtherType"),
        ({"ethertype": 4}, 400, "SecurityGroupRuleInvalidEtherType"),
        ({"direction": "sideways"}, 400, "HTTPBadRequest"),
        ({"direction": None}, 400, "HTTPBadRequest"),
        ({"remote_ip_prefix": "10.0.0.300"}, 400, "InvalidCIDR"),
        ({"remote_ip_prefix": 7}, 400, "InvalidCIDR"),
        ({"remote_ip_prefix": "fe80::1%eth0"}, 400, "InvalidCIDR"),
        ({"remote_ip_prefix": "2001:db8::/32"}, 400, "SecurityGroupRuleParameterConflict"),
        ({"remote_group_id": "nope"}, 404, "SecurityGroupNotFound"),
        ({"remote_address_group_id": NOBODY}, 404, "AddressGroupNotFound"),
        (
            {"remote_address_group_id": NOBODY, "remote_ip_prefix": "10.0.0.0/8"},
            400,
            "SecurityGroupMultipleRemoteEntites",
        ),
        ({"security_group_id": NOBODY}, 404, "SecurityGroupNotFound"),
        ({"security_group_id": None}, 400, "HTTPBadRequest"),
        ({"normalized_cidr": "10.0.0.0/8"}, 400, "HTTPBadRequest"),
    ],
)
def test_a_bad_rule_is_refused(
    client: FlaskClient, group: dict[str, Any], attributes: dict[str, object], status: int, error: str
) -> None:
    assert (status, error) == refusal(a_rule(client, group, **attributes))[:2]
    assert len(client.get(f"{GROUPS}/{group['id']}").json["security_group"]["security_group_rules"]) == 2


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ({"protocol": "any"}, {"protocol": None}),
        ({"protocol": "ANY"}, {"protocol": None}),
        ({"protocol": 6}, {"protocol": "6"}),
        ({"protocol": "0"}, {"protocol": "0"}),
        ({"protocol": 255}, {"protocol": "255"}),
        ({"protocol": "icmp", "ethertype": "ipv6"}, {"protocol": "ipv6-icmp", "ethertype": "IPv6"}),
        ({"remote_ip_prefix": "10.0.0.1"}, {"remote_ip_prefix": "10.0.0.1/32", "normalized_cidr": "10.0.0.1/32"}),
        ({"remote_ip_prefix": ""}, {"remote_ip_prefix": None, "normalized_cidr": None}),
        (
            {"remote_ip_prefix": "2001:DB8:0::1/64", "ethertype": "IPv6"},
            {"remote_ip_prefix": "2001:db8::1/64", "normalized_cidr": "2001:db8::/64"},
        ),
        ({"protocol": "tcp", "port_range_min": 1, "port_range_max": 65535}, {"port_range_min": None}),
        ({"description": "why"}, {"description": "why"}),
    ],
)
def test_values_are_kept_in_neutron_s_form(
    client: FlaskClient, group: dict[str, Any], given: dict[str, object], kept: dict[str, object]
) -> None:
    rule = a_rule(client, group, **given).json["security_group_rule"]
    assert kept == {name: rule[name] for name in kept}


def test_an_unknown_protocol_is_answered_with_those_known(client: FlaskClient, group: dict[str, Any]) -> None:
    said = refusal(a_rule(client, group, protocol="nope"))[2]
    assert said.startswith("Security group rule protocol nope not supported. Only protocol values (None, 'any', 'ah',")
    assert said.endswith(" and integer representations [0 to 255] are supported.")


def test_only_the_description_of_a_rule_is_updated(client: FlaskClient, group: dict[str, Any]) -> None:
    rule = a_rule(client, group).json["security_group_rule"]
    changed = client.put(f"{RULES}/{rule['id']}", json={"security_group_rule": {"description": "x"}})
    assert (changed.status_code, changed.json["security_group_rule"]["description"]) == (200, "x")
    refused = client.put(f"{RULES}/{rule['id']}", json={"security_group_rule": {"protocol": "tcp"}})
    assert refusal(refused) == (400, "HTTPBadRequest", "Cannot update read-only attribute protocol")


def test_rules_come_in_bulk(client: FlaskClient, group: dict[str, Any]) -> None:
    def rules(*protocols: str) -> dict[str, object]:
        return {
            "security_group_rules": [
                {"security_group_id": group["id"], "direction": "ingress", "protocol": protocol}
                for protocol in protocols
            ]
        }

    reply = client.post(RULES, json=rules("tcp", "udp"))
    assert [rule["protocol"] for rule in reply.json["security_group_rules"]] == ["tcp", "udp"]
    assert refusal(client.post(RULES, json=rules("gre", "6")))[:2] == (409, "SecurityGroupRuleExists")
    assert refusal(client.post(RULES, json=rules("gre", "47")))[:2] == (409, "DuplicateSecurityGroupRuleInPost")


def test_address_groups_live_and_die(client: FlaskClient) -> None:
    reply = client.post(ADDRESSES, json={"address_group": {"name": "office", "addresses": ["10.0.0.0/8"]}})
    assert reply.status_code == 201
    made = reply.json["address_group"]
    assert (made["addresses"], made["shared"], made["project_id"]) == (["10.0.0.0/8"], False, "fake_project_id")
    url = f"{ADDRESSES}/{made['id']}"
    added = client.put(f"{url}/add_addresses", json={"addresses": ["2001:db8::1/128", "192.0.2.0/24"]})
    assert (added.status_code, added.json["address_group"]["addresses"]) == (
        200,
        ["10.0.0.0/8", "192.0.2.0/24", "2001:db8::1/128"],
    )
    again = client.put(f"{url}/add_addresses", json={"addresses": ["10.0.0.0/8"]})
    assert refusal(again)[:2] == (400, "AddressesAlreadyExist")
    gone = client.put(f"{url}/remove_addresses", json={"address_group": {"addresses": ["10.0.0.0/8"]}})
    assert gone.json["address_group"]["addresses"] == ["192.0.2.0/24", "2001:db8::1/128"]
    missing = client.put(f"{url}/remove_addresses", json={"addresses": ["10.0.0.0/8"]})
    assert refusal(missing) == (
        404,
        "AddressesNotFound",
        f"Addresses ['10.0.0.0/8'] not found in the address group {made['id']}.",
    )
    bare = client.put(f"{url}/remove_addresses", json={"addresses": ["2001:db8::1"]})
    assert bare.json["address_group"]["addresses"] == ["192.0.2.0/24"]
    assert refusal(client.put(f"{url}/add_addresses", json={"addresses": ["office"]}))[:2] == (400, "HTTPBadRequest")
    assert client.put(url, json={"address_group": {"name": "n"}}).json["address_group"]["name"] == "n"
    assert refusal(client.put(url, json={"address_group": {"addresses": []}}))[:2] == (400, "HTTPBadRequest")
    assert [one["id"] for one in client.get(f"{ADDRESSES}?name=n").json["address_groups"]] == [made["id"]]
    assert client.delete(url).status_code == 204
    assert refusal(client.get(url)) == (
        404,
        "AddressGroupNotFound",
        f"Address group {made['id']} could not be found.",
    )


@pytest.mark.parametrize(
    "addresses", [["10.0.0.256"], ["10.0.0.0/33"], "10.0.0.0/8", [7], [["10.0.0.0/8"]], ["10.0.0.0/8"] * 2, ["a/b"], {}]
)
def test_bad_addresses_are_refused(client: FlaskClient, addresses: object) -> None:
    made = client.post(ADDRESSES, json={"address_group": {}}).json["address_group"]
    assert made["addresses"] == []
    assert refusal(client.post(ADDRESSES, json={"address_group": {"addresses": ["10.0.0.1"]}}))[0] == 400
    for reply in (
        client.post(ADDRESSES, json={"address_group": {"addresses": addresses}}),
        client.put(f"{ADDRESSES}/{made['id']}/add_addresses", json={"addresses": addresses}),
    ):
        assert refusal(reply)[:2] == (400, "HTTPBadRequest")
    assert client.put(f"{ADDRESSES}/{made['id']}/add_addresses", json={}).status_code == 400
    assert client.get(f"{ADDRESSES}/{made['id']}/add_addresses").status_code == 405


def test_an_address_group_in_a_rule_is_in_use(client: FlaskClient, group: dict[str, Any]) -> None:
    made = client.post(ADDRESSES, json={"address_group": {"addresses": ["10.0.0.0/8"]}}).json["address_group"]
    rule = a_rule(client, group, remote_address_group_id=made["id"]).json["security_group_rule"]
    assert rule["remote_address_group_id"] == made["id"]
    assert refusal(client.delete(f"{ADDRESSES}/{made['id']}"))[:2] == (409, "AddressGroupInUse")


def test_the_template_of_new_groups_is_read_added_to_and_removed_from(client: FlaskClient) -> None:
    legacy = client.get(TEMPLATE).json["default_security_group_rules"]
    assert sorted((one["direction"], one["description"]) for one in legacy) == [
        (direction, f"Legacy default SG rule for {direction} traffic")
        for direction in ("egress", "egress", "ingress", "ingress")
    ]
    body = {"direction": "ingress", "protocol": "tcp", "port_range_min": 22, "port_range_max": 22}
    reply = client.post(TEMPLATE, json={"default_security_group_rule": body})
    assert reply.status_code == 201
    rule = reply.json["default_security_group_rule"]
    assert (rule["used_in_default_sg"], rule["used_in_non_default_sg"], rule["ethertype"]) == (False, True, "IPv4")
    assert refusal(client.post(TEMPLATE, json={"default_security_group_rule": body}))[:2] == (
        409,
        "DefaultSecurityGroupRuleExists",
    )
    made = client.post(GROUPS, json={"security_group": {}}).json["security_group"]
    assert 22 in {one["port_range_min"] for one in made["security_group_rules"]}
    url = f"{TEMPLATE}/{rule['id']}"
    assert client.get(url).json == {"default_security_group_rule": rule}
    assert client.put(url, json={"default_security_group_rule": {"description": "x"}}).status_code == 405
    assert client.delete(url).status_code == 204
    assert refusal(client.get(url))[:2] == (404, "DefaultSecurityGroupRuleNotFound")


def test_ports_show_take_and_are_found_by_their_groups(
    client: FlaskClient, make: SimpleNamespace, group: dict[str, Any]
) -> None:
    """Samples 010, 045, 101."""
    network = make.network()["id"]
    port = make.port(network_id=network)
    (default,) = client.get(f"{GROUPS}?name=default").json["security_groups"]
    assert port["security_groups"] == [default["id"]]
    url = f"/v2.0/ports/{port['id']}"
    both = sorted((default["id"], group["id"]))
    changed = client.put(url, json={"port": {"security_groups": both[::-1]}}).json["port"]
    assert changed["security_groups"] == both
    assert client.get(url).json["port"] == changed
    found = client.get(f"/v2.0/ports?security_groups={group['id']}").json["ports"]
    assert [one["id"] for one in found] == [port["id"]]
    assert client.get("/v2.0/ports?security_groups=nope").json == {"ports": []}
    for none in (None, []):
        emptied = client.put(url, json={"port": {"security_groups": none}}).json["port"]
        assert emptied["security_groups"] == []
    assert make.port(network_id=network, security_groups=None)["security_groups"] == []
