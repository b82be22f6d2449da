"""Is every bad request refused in Neutron's words, with nothing stored?"""

import json
from types import SimpleNamespace
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api.app import LARGEST_BODY
from api.resources.hosts import HOST
from api.resources.networks import NETWORK
from api.resources.ports import PORT
from api.resources.subnets import SUBNET

RESOURCES = {resource.collection: resource for resource in (NETWORK, SUBNET, PORT, HOST)}


def stored(client: FlaskClient) -> dict[str, Any]:
    return {name: client.get(f"/v2.0/{name}").json[name] for name in RESOURCES}


def refusal(reply: Any) -> tuple[int, str, str]:
    fault = reply.json["NeutronError"]
    assert fault.keys() == {"type", "message", "detail"}
    return reply.status_code, fault["type"], fault["message"]


@pytest.mark.parametrize(
    ("content", "content_type"),
    [
        (b"{nonsense", "application/json"),
        (b"[1]", "application/json"),
        (b"7", "application/json"),
        (b'"text"', "application/json"),
        (b'{"network": {"name": NaN}}', "application/json"),
        (b'{"network": {"mtu": ' + b"9" * 5000 + b"}}", "application/json"),
        (b'{"network": {"name": "\xff"}}', "application/json"),
        (b"[" * 100_000, "application/json"),
        (b'{"network": [1]}', "application/json"),
        (b'{"networks": {}}', "application/json"),
        (b'{"networks": [7]}', "application/json"),
        (b'{"network": {}}', "application/x-www-form-urlencoded"),
        (b'{"network": {}}', "text/plain"),
    ],
)
def test_a_body_that_is_no_json_object_is_refused(client: FlaskClient, content: bytes, content_type: str) -> None:
    before = stored(client)
    reply = client.post("/v2.0/networks", data=content, content_type=content_type)
    assert refusal(reply) == (400, "HTTPBadRequest", "Body contains invalid data")
    assert before == stored(client)


def test_a_body_without_content_type_is_read_as_json(client: FlaskClient) -> None:
    assert client.post("/v2.0/networks", data=b'{"network": {}}').status_code == 201


def test_an_empty_bulk_request_is_refused(client: FlaskClient) -> None:
    reply = client.post("/v2.0/networks", json={"networks": []})
    assert refusal(reply) == (400, "HTTPBadRequest", "Resources required")


def test_a_body_larger_than_the_limit_is_refused(client: FlaskClient) -> None:
    reply = client.post("/v2.0/networks", data=b" " * (LARGEST_BODY + 1), content_type="application/json")
    assert refusal(reply)[:2] == (413, "HTTPRequestEntityTooLarge")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"nope": 1, "also": 2}, "Unrecognized attribute(s) 'also, nope'"),
        ({"status": "ACTIVE"}, "Attribute 'status' not allowed in POST"),
        ({"tags": ["red"]}, "Attribute 'tags' not allowed in POST"),
        ({"name": None}, "Invalid input for name. Reason: 'None' is not a valid string."),
        ({"name": "\x00"}, "Invalid input for name. Reason: '\x00' is not a valid string."),
        ({"name": "\ud800"}, "Invalid input for name. Reason: '\ud800' is not a valid string."),
        ({"name": "x" * 256}, f"Invalid input for name. Reason: '{'x' * 256}' exceeds maximum length of 255."),
        ({"mtu": -1}, "Invalid input for mtu. Reason: '-1' is too small - must be at least '0'."),
        ({"mtu": 70000}, "Invalid input for mtu. Reason: '70000' is too large - must be no larger than '65535'."),
        ({"mtu": True}, "Invalid input for operation: 'True' is not an integer."),
        ({"mtu": 10**30}, f"Invalid input for operation: '{10**30}' is not an integer."),
        ({"mtu": "big"}, "Invalid input for operation: 'big' is not an integer."),
        ({"shared": "maybe"}, "Invalid input for operation: 'maybe' cannot be converted to boolean."),
        ({"shared": 2}, "Invalid input for operation: '2' cannot be converted to boolean."),
        ({"shared": None}, "Invalid input for operation: 'None' cannot be converted to boolean."),
        (
            {"project_id": "a", "tenant_id": "b"},
            "'project_id' and 'tenant_id' do not match",
        ),
        ({"project_id": " "}, "Invalid input for project_id. Reason: ' ' Blank strings are not permitted."),
        (
            {"availability_zone_hints": {}},
            "Invalid input for availability_zone_hints. Reason: Invalid data format for availability_zone_hints: '{}'.",
        ),
    ],
)
def test_a_bad_network_is_refused_in_neutron_s_words(
    client: FlaskClient, body: dict[str, object], message: str
) -> None:
    before = stored(client)
    status, _type, said = refusal(client.post("/v2.0/networks", json={"network": body}))
    assert (400, message) == (status, said)
    assert before == stored(client)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"cidr": 7}, "Invalid input for operation: 7 is not in a CIDR format."),
        ({"cidr": "10.0.0.0"}, "Invalid input for operation: 10.0.0.0 is not in a CIDR format."),
        ({"ip_version": 5}, "Invalid input for ip_version. Reason: '5' is not in [4, 6]."),
        ({"gateway_ip": "10.1.0.999"}, "Invalid input for gateway_ip. Reason: '10.1.0.999' is not a valid IP address."),
        (
            {"allocation_pools": [{"start": "10.1.0.5"}]},
            "Invalid input for allocation_pools. Reason: Invalid data format for IP pool: '{'start': '10.1.0.5'}'.",
        ),
        (
            {"dns_nameservers": ["x"]},
            "Invalid input for dns_nameservers. Reason: 'x' is not a valid nameserver. 'x' is not a valid IP address.",
        ),
        (
            {"dns_nameservers": ["192.0.2.1", "192.0.2.1"]},
            "Invalid input for dns_nameservers. Reason: Duplicate nameserver '192.0.2.1'.",
        ),
        (
            {"host_routes": [{"destination": "x", "nexthop": "10.1.0.1"}]},
            "Invalid input for host_routes. Reason: 'x' is not a valid CIDR.",
        ),
        (
            {"ipv6_ra_mode": "static"},
            "Invalid input for ipv6_ra_mode. Reason: "
            "'static' is not in ['dhcpv6-stateful', 'dhcpv6-stateless', 'slaac'].",
        ),
    ],
)
def test_a_bad_subnet_is_refused_in_neutron_s_words(
    client: FlaskClient, make: SimpleNamespace, changes: dict[str, object], reason: str
) -> None:
    network = make.network()
    body = {"network_id": network["id"], "ip_version": 4, "cidr": "10.1.0.0/24", **changes}
    before = stored(client)
    status, _type, said = refusal(client.post("/v2.0/subnets", json={"subnet": body}))
    assert (400, reason) == (status, said)
    assert before == stored(client)


@pytest.mark.parametrize(
    ("changes", "status", "error_type"),
    [
        ({"mac_address": "fa:16:3e:00:00"}, 400, "HTTPBadRequest"),
        ({"mac_address": "fa-16:3e:00:00:01"}, 400, "HTTPBadRequest"),
        ({"mac_address": "00:00:00:00:00:00"}, 400, "HTTPBadRequest"),
        ({"mac_address": "FFFF.ffff.FFFF"}, 400, "HTTPBadRequest"),
        ({"mac_address": "fa16.3e00.000"}, 400, "HTTPBadRequest"),
        ({"fixed_ips": "10.1.0.5"}, 400, "HTTPBadRequest"),
        ({"fixed_ips": [{}]}, 400, "HTTPBadRequest"),
        ({"fixed_ips": [{"ip": "10.1.0.5"}]}, 400, "HTTPBadRequest"),
        ({"fixed_ips": [{"ip_address": "10.1.0.5"}, {"ip_address": "10.1.0.5"}]}, 400, "HTTPBadRequest"),
        ({"fixed_ips": [{"subnet_id": "nope"}]}, 400, "HTTPBadRequest"),
        ({"allowed_address_pairs": [{}]}, 400, "AllowedAddressPairsMissingIP"),
        ({"allowed_address_pairs": [{"ip_address": "10.1.0.3", "mac": "fa:16:3e:00:00:01"}]}, 400, "HTTPBadRequest"),
        ({"allowed_address_pairs": [{"ip_address": "224.0.0.18"}]}, 400, "HTTPBadRequest"),
        ({"allowed_address_pairs": [{"ip_address": "ff02::/16"}]}, 400, "HTTPBadRequest"),
        (
            {"allowed_address_pairs": [{"ip_address": "10.1.0.3", "mac_address": "01:00:5e:00:00:12"}]},
            400,
            "HTTPBadRequest",
        ),
        ({"allowed_address_pairs": [{"ip_address": "10.1.0.300"}]}, 400, "HTTPBadRequest"),
        ({"allowed_address_pairs": [{"ip_address": "10.1.0.3"}] * 2}, 400, "DuplicateAddressPairInRequest"),
        (
            {"allowed_address_pairs": [{"ip_address": f"10.1.0.{n}"} for n in range(11)]},
            400,
            "AllowedAddressPairExhausted",
        ),
        ({"extra_dhcp_opts": [{"opt_value": "x"}]}, 400, "HTTPBadRequest"),
        ({"extra_dhcp_opts": [{"opt_name": "mtu"}]}, 400, "HTTPBadRequest"),
        ({"extra_dhcp_opts": [{"opt_name": "mtu", "opt_value": ""}]}, 400, "HTTPBadRequest"),
        ({"extra_dhcp_opts": [{"opt_name": "mtu", "opt_value": 1400}]}, 400, "HTTPBadRequest"),
        ({"binding:profile": [1]}, 400, "HTTPBadRequest"),
        ({"binding:profile": {"x": "y" * 5000}}, 400, "InvalidInput"),
        ({"binding:vnic_type": "strange"}, 400, "HTTPBadRequest"),
        ({"security_groups": ["not-an-id"]}, 400, "HTTPBadRequest"),
        ({"security_groups": {}}, 400, "HTTPBadRequest"),
        ({"security_groups": ["00000000-0000-0000-0000-000000000000"] * 2}, 400, "HTTPBadRequest"),
        ({"security_groups": [{}]}, 400, "HTTPBadRequest"),
        ({"security_groups": ["00000000-0000-0000-0000-000000000000"]}, 404, "SecurityGroupNotFound"),
        ({"binding:vif_type": "ovs"}, 400, "HTTPBadRequest"),
    ],
)
def test_a_bad_port_is_refused(
    client: FlaskClient, make: SimpleNamespace, changes: dict[str, object], status: int, error_type: str
) -> None:
    network = make.network()
    make.subnet(network["id"])
    before = stored(client)
    reply = client.post("/v2.0/ports", json={"port": {"network_id": network["id"], **changes}})
    assert (status, error_type) == refusal(reply)[:2]
    assert before == stored(client)


@pytest.mark.parametrize("name", ["project_id", "tenant_id"])
def test_no_project_is_the_caller_s_project(client: FlaskClient, name: str) -> None:
    """Ansible's openstack.cloud says so where there is no Keystone to ask."""
    reply = client.post("/v2.0/address-scopes", json={"address_scope": {"name": "s", "ip_version": 4, name: None}})
    assert (reply.status_code, reply.json["address_scope"]["project_id"]) == (201, "fake_project_id")


@pytest.mark.parametrize("attribute", ["id", "project_id", "network_id", "tenant_id", "status", "revision_number"])
def test_what_never_changes_is_refused_on_update(client: FlaskClient, make: SimpleNamespace, attribute: str) -> None:
    port = make.port(network_id=make.network()["id"])
    before = stored(client)
    reply = client.put(f"/v2.0/ports/{port['id']}", json={"port": {"name": "new", attribute: port[attribute]}})
    assert (400, "HTTPBadRequest", f"Cannot update read-only attribute {attribute}") == refusal(reply)
    assert before == stored(client)


def test_one_bad_member_of_a_bulk_request_leaves_nothing(client: FlaskClient, make: SimpleNamespace) -> None:
    network = make.network()
    make.subnet(network["id"], "10.1.0.0/30")
    before = stored(client)
    good = {"network_id": network["id"]}
    for bad in ({"network_id": network["id"], "name": 7}, {"network_id": network["id"]}):  # invalid; exhausted
        reply = client.post("/v2.0/ports", json={"ports": [good, bad]})
        assert reply.status_code in (400, 409)
        assert before == stored(client)


def test_values_that_are_echoed_are_cut(client: FlaskClient) -> None:
    reply = client.post("/v2.0/networks", json={"network": {"name": "x" * 1_000_000}})
    assert len(reply.data) < 2000


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@st.composite
def bodies(draw: st.DrawFn) -> tuple[str, str, object]:
    """A request with any JSON in any of the attributes the resource has, or any JSON at all."""
    collection = draw(st.sampled_from(sorted(RESOURCES)))
    resource = RESOURCES[collection]
    names = st.sampled_from([attribute.name for attribute in resource.attributes])
    likely = JSON | st.sampled_from(["10.0.0.0/8", "::/0", "fa:16:3e:00:00:01", 4, 6, "vxlan", "0.0.0.0/32", "tcp:"])
    member = draw(st.dictionaries(names, likely, max_size=6) | JSON)
    wrapped = draw(st.sampled_from([{resource.member: member}, {collection: [member]}, {collection: member}, member]))
    return collection, draw(st.sampled_from(["POST", "PUT"])), wrapped


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(request=bodies(), well_formed=st.booleans())
def test_no_json_makes_the_server_fail(
    client: FlaskClient, make: SimpleNamespace, request: tuple[str, str, object], well_formed: bool
) -> None:
    """Any JSON gets an answer of the API: never a 500."""
    collection, method, body = request
    path = f"/v2.0/{collection}"
    if well_formed and isinstance(body, dict):
        member = body.get(RESOURCES[collection].member)
        if isinstance(member, dict):  # past the required attributes, so that the services see the rest
            member.setdefault("network_id", make.network()["id"]) if collection in ("ports", "subnets") else None
            member.setdefault("ip_version", 4) if collection == "subnets" else None
    if method == "PUT":
        found = client.get(path).json[collection]
        path += f"/{found[0]['id']}" if found else "/nope"
    reply = client.open(path, method=method, data=json.dumps(body), content_type="application/json")
    assert reply.status_code in {200, 201, 400, 404, 405, 409}, reply.json
    if reply.status_code >= 400:
        assert reply.json["NeutronError"]["message"]


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(
    collection=st.sampled_from(sorted(RESOURCES)),
    query=st.lists(
        st.tuples(
            st.sampled_from(
                ["fields", "limit", "marker", "page_reverse", "sort_key", "sort_dir", "fixed_ips", "tags", "mtu"]
                + [attribute.name for attribute in PORT.attributes + SUBNET.attributes]
            ),
            st.text() | st.integers().map(str) | st.sampled_from(["id", "name", "asc", "desc", "true", ""]),
        ),
        max_size=5,
    ),
)
def test_no_query_string_makes_the_server_fail(
    client: FlaskClient, collection: str, query: list[tuple[str, str]]
) -> None:
    reply = client.get(f"/v2.0/{collection}", query_string=query)
    assert reply.status_code in {200, 400, 404}, reply.json
