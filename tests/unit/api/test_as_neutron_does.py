"""Is what Neutron's clients may write taken as Neutron takes it? Held against a running Neutron 29."""

from types import SimpleNamespace
from typing import Any

import pytest
from flask.testing import FlaskClient


def put(client: FlaskClient, port: dict[str, Any], **changes: object) -> Any:
    body = {"port": {name.replace("__", ":"): value for name, value in changes.items()}}
    return client.put(f"/v2.0/ports/{port['id']}", json=body)


@pytest.mark.parametrize(("word", "meant"), [("yes", True), ("On", True), ("T", True), ("no", False), ("OFF", False)])
def test_words_for_booleans_are_booleans(client: FlaskClient, make: SimpleNamespace, word: str, meant: bool) -> None:
    """oslo.utils, bool_from_string."""
    network = make.network(admin_state_up=word)
    assert network["admin_state_up"] is meant
    found = client.get(f"/v2.0/networks?admin_state_up={word}").json["networks"]
    assert [one["id"] for one in found] == [network["id"]]


@pytest.mark.parametrize("given", ["02AA.bb00.0001", "02-aa-bb-00-00-01", "02aabb000001", "02:AA:BB:00:00:01"])
def test_mac_addresses_may_be_written_in_any_usual_form(make: SimpleNamespace, given: str) -> None:
    port = make.port(network_id=make.network()["id"], mac_address=given)
    assert port["mac_address"] == "02:aa:bb:00:00:01"


def test_dhcp_options_are_changed_one_by_one(client: FlaskClient, make: SimpleNamespace) -> None:
    """Extension extra_dhcp_opt."""
    port = make.port(
        network_id=make.network()["id"],
        extra_dhcp_opts=[
            {"opt_name": "mtu", "opt_value": "1400"},
            {"opt_name": "router", "opt_value": ""},
            {"opt_name": "ntp-server", "opt_value": None},
        ],
    )
    changes = [
        {"opt_name": "mtu", "opt_value": None},
        {"opt_name": "bootfile-name", "opt_value": "a"},
        {"opt_name": "nowhere", "opt_value": None, "ip_version": 6},
    ]
    changed = put(client, port, extra_dhcp_opts=changes).json["port"]
    assert changed["extra_dhcp_opts"] == [
        {"opt_name": "router", "opt_value": "", "ip_version": 4},
        {"opt_name": "bootfile-name", "opt_value": "a", "ip_version": 4},
    ]


@pytest.mark.parametrize("pools", [[], None])
def test_a_new_subnet_without_pools_gets_the_usual_ones(make: SimpleNamespace, pools: object) -> None:
    subnet = make.subnet(make.network()["id"], "10.1.0.0/29", allocation_pools=pools)
    assert subnet["allocation_pools"] == [{"start": "10.1.0.2", "end": "10.1.0.6"}]


@pytest.mark.parametrize("pools", [[], None])
def test_a_subnet_may_be_left_without_pools(client: FlaskClient, make: SimpleNamespace, pools: object) -> None:
    subnet = make.subnet(make.network()["id"], "10.1.0.0/29")
    reply = client.put(f"/v2.0/subnets/{subnet['id']}", json={"subnet": {"allocation_pools": pools}})
    assert (reply.status_code, reply.json["subnet"]["allocation_pools"]) == (200, [])


def test_a_bound_port_keeps_its_kind_of_interface(client: FlaskClient, make: SimpleNamespace) -> None:
    """Compute has been told of it already."""
    port = make.port(network_id=make.network()["id"], binding__host_id="h1")
    refused = put(client, port, binding__vnic_type="direct")
    assert (refused.status_code, refused.json["NeutronError"]["type"]) == (409, "PortInUse")
    put(client, port, binding__host_id=None)
    assert put(client, port, binding__vnic_type="direct").json["port"]["binding:vnic_type"] == "direct"
