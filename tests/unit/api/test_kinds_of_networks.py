"""What does the API say about private VLANs, network types, segments and their ranges?"""

from types import SimpleNamespace
from typing import Any

import pytest
from flask.testing import FlaskClient

VLAN = {"provider__network_type": "vlan", "provider__physical_network": "physnet1"}


@pytest.fixture
def host(make: SimpleNamespace) -> dict[str, Any]:
    """A host with two physical networks."""
    physnets = [{"physical_network": f"physnet{number}", "bridge": f"br-p{number}"} for number in (1, 2)]
    found: dict[str, Any] = make.host(name="h1", ovsdb="tcp:192.0.2.1:6640", tunnel_ip="192.0.2.1", physnets=physnets)
    return found


def fault(reply: Any) -> tuple[int, str]:
    return reply.status_code, reply.json["NeutronError"]["type"]


def put(client: FlaskClient, path: str, member: str, **attributes: object) -> Any:
    body = {name.replace("__", ":"): value for name, value in attributes.items()}
    return client.put(f"/v2.0/{path}", json={member: body})


def post(client: FlaskClient, path: str, member: str, **attributes: object) -> Any:
    body = {name.replace("__", ":"): value for name, value in attributes.items()}
    return client.post(f"/v2.0/{path}", json={member: body})


def test_a_port_of_a_private_network_is_promiscuous_unless_it_says_otherwise(make: SimpleNamespace) -> None:
    private, ordinary = make.network(pvlan=True), make.network()
    shown = [
        make.port(network_id=private["id"], **asked)
        for asked in (
            {},
            {"pvlan_type": "isolated"},
            {"pvlan_type": "community", "pvlan_community": "web"},
            {"pvlan_type": "isolated", "device_owner": "network:dhcp"},
        )
    ]
    assert [(one["pvlan_type"], one["pvlan_community"]) for one in shown] == [
        ("promiscuous", None),
        ("isolated", None),
        ("community", "web"),
        ("promiscuous", None),
    ]
    assert make.port(network_id=ordinary["id"])["pvlan_type"] is None
    assert (private["pvlan"], ordinary["pvlan"]) == (True, False)


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        ({"pvlan_type": "community"}, "PVLANCommunityNameRequired"),
        ({"pvlan_type": "isolated", "pvlan_community": "web"}, "PVLANCannotSetCommunityName"),
        ({"pvlan_community": "web"}, "PVLANCannotSetCommunityName"),
        ({"pvlan_type": "isolated", "port_security_enabled": False}, "PVLANPortSecurityDisabled"),
        ({"port_security_enabled": False}, "PVLANPortSecurityDisabled"),
        ({"pvlan_type": "nope"}, "HTTPBadRequest"),
        ({"pvlan_type": "community", "pvlan_community": "9x"}, "HTTPBadRequest"),
        ({"pvlan_type": "community", "pvlan_community": "a" * 233}, "HTTPBadRequest"),
        ({"pvlan_type": "community", "pvlan_community": "web\n"}, "HTTPBadRequest"),
    ],
)
def test_an_impossible_private_type_is_refused(
    client: FlaskClient, make: SimpleNamespace, asked: dict[str, Any], error: str
) -> None:
    network = make.network(pvlan=True)
    assert fault(post(client, "ports", "port", network_id=network["id"], **asked)) == (400, error)


def test_private_types_need_a_private_network(client: FlaskClient, make: SimpleNamespace) -> None:
    port = make.port(network_id=make.network()["id"])
    assert fault(put(client, f"ports/{port['id']}", "port", pvlan_type="isolated")) == (400, "PVLANNotEnabledOnNetwork")
    reply = post(client, "networks", "network", pvlan=True, port_security_enabled=False)
    assert fault(reply) == (400, "PVLANNetworkPortSecurityDisabled")


def test_changing_a_type_keeps_or_forgets_the_community(client: FlaskClient, make: SimpleNamespace) -> None:
    """As Neutron's pvlan plug-in: a name alone moves a community port, and another type drops the name."""
    network = make.network(pvlan=True)
    port = make.port(network_id=network["id"], pvlan_type="community", pvlan_community="web")
    path = f"ports/{port['id']}"
    seen = [
        put(client, path, "port", **asked).json["port"]
        for asked in (
            {"pvlan_community": "db"},
            {"name": "x"},
            {"pvlan_type": "isolated"},
            {"pvlan_type": None},
            {"device_owner": "network:dhcp"},
        )
    ]
    assert [(one["pvlan_type"], one["pvlan_community"]) for one in seen] == [
        ("community", "db"),
        ("community", "db"),
        ("isolated", None),
        ("promiscuous", None),
        ("promiscuous", None),
    ]
    assert put(client, path, "port", port_security_enabled=False).status_code == 409  # its groups come first
    body = {"port_security_enabled": False, "security_groups": [], "device_owner": "compute:a"}
    assert fault(put(client, path, "port", **body)) == (400, "PVLANPortSecurityDisabled")


def test_switching_a_network_sets_and_clears_the_types(client: FlaskClient, make: SimpleNamespace) -> None:
    network = make.network()
    port = make.port(network_id=network["id"])
    unguarded = make.port(network_id=network["id"], port_security_enabled=False)
    path = f"networks/{network['id']}"
    assert fault(put(client, path, "network", pvlan=True)) == (400, "PVLANPortSecurityDisabled")
    client.delete(f"/v2.0/ports/{unguarded['id']}")
    assert put(client, path, "network", pvlan=True).json["network"]["pvlan"] is True
    assert client.get(f"/v2.0/ports/{port['id']}").json["port"]["pvlan_type"] == "promiscuous"
    put(client, f"ports/{port['id']}", "port", pvlan_type="community", pvlan_community="web")
    assert fault(put(client, path, "network", port_security_enabled=False)) == (400, "PVLANNetworkPortSecurityDisabled")
    assert len(client.get("/v2.0/ports?pvlan_type=community").json["ports"]) == 1
    put(client, path, "network", pvlan=False)
    found = client.get(f"/v2.0/ports/{port['id']}").json["port"]
    assert (found["pvlan_type"], found["pvlan_community"]) == (None, None)


@pytest.mark.parametrize(
    ("asked", "mtu"),
    [
        ({"provider__network_type": "vxlan"}, 1450),
        ({"provider__network_type": "geneve", "provider__segmentation_id": 7}, 1450),
        (VLAN | {"provider__segmentation_id": 100}, 1500),
        (VLAN | {"provider__network_type": "flat"}, 1500),
    ],
)
def test_each_type_has_its_attributes_and_its_mtu(
    make: SimpleNamespace, host: dict[str, Any], asked: dict[str, Any], mtu: int
) -> None:
    network = make.network(**asked)
    given = {name.replace("__", ":"): value for name, value in asked.items()}
    assert given.items() <= network.items()
    assert network["mtu"] == mtu
    assert "segments" not in network


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"network_type": "gre"}, "network_type value 'gre' not supported"),
        ({"segmentation_id": 7}, "network_type required"),
        ({"network_type": "vlan", "segmentation_id": 7}, "segmentation_id requires physical_network for VLAN"),
        ({"network_type": "vlan", "physical_network": "nope"}, "physical_network 'nope' unknown for VLAN"),
        (
            {"network_type": "vlan", "physical_network": "physnet1", "segmentation_id": 4095},
            "segmentation_id out of range (1 through 4094)",
        ),
        ({"network_type": "flat"}, "physical_network required for flat provider network"),
        ({"network_type": "flat", "physical_network": "nope"}, "physical_network 'nope' unknown for flat"),
        (
            {"network_type": "flat", "physical_network": "physnet1", "segmentation_id": 3},
            "segmentation_id prohibited for flat provider network",
        ),
        ({"network_type": "geneve", "physical_network": "physnet1"}, "specified for geneve network"),
    ],
)
def test_an_impossible_provider_network_is_refused(
    client: FlaskClient, host: dict[str, Any], asked: dict[str, Any], message: str
) -> None:
    reply = post(client, "networks", "network", **{f"provider__{name}": value for name, value in asked.items()})
    assert fault(reply) == (400, "InvalidInput")
    assert message in reply.json["NeutronError"]["message"]


def test_what_another_network_has_is_a_conflict(
    client: FlaskClient, make: SimpleNamespace, host: dict[str, Any]
) -> None:
    taken = (
        (VLAN | {"provider__segmentation_id": 100}, "VlanIdInUse"),
        (VLAN | {"provider__network_type": "flat"}, "FlatNetworkInUse"),
        ({"provider__network_type": "geneve", "provider__segmentation_id": 5}, "TunnelIdInUse"),
    )
    for asked, error in taken:
        make.network(**asked)
        assert fault(post(client, "networks", "network", **asked)) == (409, error)
    make.network(provider__network_type="vxlan", provider__segmentation_id=5)  # a number space of its own
    make.network(**VLAN | {"provider__physical_network": "physnet2", "provider__segmentation_id": 100})


def test_a_network_may_have_several_segments(client: FlaskClient, make: SimpleNamespace, host: dict[str, Any]) -> None:
    wanted = [
        {
            "provider:network_type": "vlan",
            "provider:physical_network": "physnet1",
            "provider:segmentation_id": 5,
        },
        {"provider:network_type": "vxlan", "provider:physical_network": None, "provider:segmentation_id": 77},
    ]
    network = make.network(segments=wanted)
    assert network["segments"] == wanted
    assert "provider:network_type" not in network
    assert network["mtu"] == 1450
    assert client.get(f"/v2.0/networks/{network['id']}?fields=segments").json["network"] == {"segments": wanted}
    plain = make.network()
    assert client.get(f"/v2.0/networks/{plain['id']}?fields=segments").json == {"network": {}}
    both = {"segments": wanted, "provider__network_type": "vxlan"}
    assert fault(post(client, "networks", "network", **both)) == (400, "SegmentsSetInConjunctionWithProviders")
    assert fault(post(client, "networks", "network", segments=[wanted[1]] * 2)) == (
        400,
        "SegmentsContainDuplicateEntry",
    )
    listed = client.get(f"/v2.0/segments?network_id={network['id']}").json["segments"]
    assert sorted(one["segmentation_id"] for one in listed) == [5, 77]


def test_segments_come_and_go(client: FlaskClient, make: SimpleNamespace, host: dict[str, Any]) -> None:
    network = make.network(**VLAN | {"provider__segmentation_id": 9})
    first = client.get(f"/v2.0/segments?network_id={network['id']}").json["segments"][0]
    assert (first["network_type"], first["physical_network"], first["name"]) == ("vlan", "physnet1", None)
    assert fault(client.delete(f"/v2.0/segments/{first['id']}")) == (409, "SegmentInUse")
    reply = post(client, "segments", "segment", network_id=network["id"], network_type="vxlan", name="second")
    assert reply.status_code == 201
    second = reply.json["segment"]
    assert client.get(f"/v2.0/networks/{network['id']}").json["network"]["mtu"] == 1450
    renamed = put(client, f"segments/{second['id']}", "segment", name="other").json["segment"]
    assert (renamed["name"], renamed["revision_number"]) == ("other", 2)
    assert put(client, f"segments/{second['id']}", "segment", network_type="vlan").status_code == 400
    port = make.port(network_id=network["id"], binding__host_id="h1")
    assert fault(client.delete(f"/v2.0/segments/{first['id']}")) == (409, "SegmentInUse")
    client.delete(f"/v2.0/ports/{port['id']}")
    assert client.delete(f"/v2.0/segments/{second['id']}").status_code == 204
    assert fault(client.get(f"/v2.0/segments/{second['id']}")) == (404, "SegmentNotFound")
    assert client.get(f"/v2.0/networks/{network['id']}").json["network"]["mtu"] == 1500


def test_vlans_are_given_out_of_a_range(client: FlaskClient, make: SimpleNamespace, host: dict[str, Any]) -> None:
    assert fault(post(client, "networks", "network", **VLAN)) == (409, "NoNetworkAvailable")
    wanted = {"network_type": "vlan", "physical_network": "physnet1", "minimum": 10, "maximum": 11}
    made = post(client, "network-segment-ranges", "network_segment_range", name="r", **wanted)
    assert made.status_code == 201
    one = made.json["network_segment_range"]
    assert (one["available"], one["used"], one["shared"], one["default"]) == ([10, 11], {}, True, False)
    given = [make.network(**VLAN) for _ in range(2)]
    assert sorted(network["provider:segmentation_id"] for network in given) == [10, 11]
    assert fault(post(client, "networks", "network", **VLAN)) == (409, "NoNetworkAvailable")
    path = f"network-segment-ranges/{one['id']}"
    found = client.get(f"/v2.0/{path}").json["network_segment_range"]
    assert (found["available"], set(found["used"])) == ([], {"10", "11"})
    in_use = (409, "NetworkSegmentRangeReferencedByProject")
    assert fault(client.delete(f"/v2.0/{path}")) == in_use
    assert fault(put(client, path, "network_segment_range", maximum=10)) == in_use
    assert put(client, path, "network_segment_range", maximum=20).json["network_segment_range"]["maximum"] == 20
    for network in given:
        client.delete(f"/v2.0/networks/{network['id']}")
    assert client.delete(f"/v2.0/{path}").status_code == 204


def test_a_range_of_another_project_is_left_to_it(client: FlaskClient, make: SimpleNamespace) -> None:
    """Its own networks draw from it first, and nobody else's do although a shared range has the same numbers."""
    for wanted in (
        {"minimum": 100, "maximum": 5000, "shared": False, "project_id": "blue"},
        {"minimum": 5001, "maximum": 16777215, "shared": False, "project_id": "red"},
    ):
        reply = post(client, "network-segment-ranges", "network_segment_range", network_type="vxlan", **wanted)
        assert reply.status_code == 201
    blue = [make.network(project_id="blue")["provider:segmentation_id"] for _ in range(3)]
    others = [make.network()["provider:segmentation_id"] for _ in range(3)]
    assert all(100 <= vni <= 5000 for vni in blue)
    assert all(vni < 100 for vni in others)


@pytest.mark.parametrize(
    ("wanted", "error"),
    [
        ({"network_type": "flat"}, (400, "NetworkSegmentRangeNetTypeNotSupported")),
        ({"network_type": "vlan"}, (400, "BadRequest")),
        ({"network_type": "vlan", "physical_network": "p", "maximum": 4095}, (400, "NetworkVlanRangeError")),
        ({"network_type": "vxlan", "maximum": 2**24}, (400, "NetworkTunnelRangeError")),
        ({"network_type": "vxlan", "minimum": 30}, (400, "NetworkTunnelRangeError")),
        ({"network_type": "vxlan", "minimum": 5}, (409, "NetworkSegmentRangeOverlaps")),
    ],
)
def test_an_impossible_range_is_refused(client: FlaskClient, wanted: dict[str, Any], error: tuple[int, str]) -> None:
    path, member = "network-segment-ranges", "network_segment_range"
    assert post(client, path, member, network_type="vxlan", minimum=1, maximum=5).status_code == 201
    assert fault(post(client, path, member, **{"minimum": 10, "maximum": 20} | wanted)) == error


def test_ranges_of_the_configuration_are_shown_and_kept(client: FlaskClient) -> None:
    listed = client.get("/v2.0/network-segment-ranges?default=true").json["network_segment_ranges"]
    assert {(one["network_type"], one["minimum"], one["maximum"]) for one in listed} == {
        ("vxlan", 1, 16777215),
        ("geneve", 1, 16777215),
    }
    path = f"network-segment-ranges/{listed[0]['id']}"
    read_only = (400, "NetworkSegmentRangeDefaultReadOnly")
    assert fault(client.delete(f"/v2.0/{path}")) == read_only
    assert fault(put(client, path, "network_segment_range", name="x")) == read_only


def test_the_extensions_are_announced(client: FlaskClient) -> None:
    listed = {one["alias"] for one in client.get("/v2.0/extensions").json["extensions"]}
    assert listed >= {"pvlan", "multi-provider", "network-segment-range", "binding-extended", "weft-network-data"}


def test_a_binding_to_a_host_without_the_physical_network_fails_until_the_host_has_it(
    client: FlaskClient, make: SimpleNamespace, host: dict[str, Any]
) -> None:
    make.host(name="h2", ovsdb="tcp:192.0.2.2:6640", tunnel_ip="192.0.2.2")
    network = make.network(provider__network_type="flat", provider__physical_network="physnet1")
    port = make.port(network_id=network["id"], binding__host_id="h2", device_owner="compute:nova")
    assert (port["binding:vif_type"], port["binding:vif_details"]) == ("binding_failed", {})
    assert make.port(network_id=network["id"], binding__host_id=host["name"])["binding:vif_type"] == "ovs"
    physnets = [{"physical_network": "physnet1", "bridge": "br-ex"}]
    assert put(client, "hosts/h2", "host", physnets=physnets).status_code == 200
    found = client.get(f"/v2.0/ports/{port['id']}").json["port"]
    assert (found["binding:vif_type"], found["binding:vif_details"]["bridge_name"]) == ("ovs", "br-int")


def test_a_second_binding_to_a_host_without_the_physical_network_is_refused(
    client: FlaskClient, make: SimpleNamespace, host: dict[str, Any]
) -> None:
    make.host(name="h2", ovsdb="tcp:192.0.2.2:6640", tunnel_ip="192.0.2.2")
    network = make.network(provider__network_type="flat", provider__physical_network="physnet1")
    port = make.port(network_id=network["id"], binding__host_id=host["name"], device_owner="compute:nova")
    reply = post(client, f"ports/{port['id']}/bindings", "binding", host="h2")
    assert fault(reply) == (409, "PortBindingError")
    assert "physical network" in reply.json["NeutronError"]["message"]


@pytest.mark.parametrize(("cidr", "mtu", "least"), [("10.7.0.0/24", 67, 68), ("fd00:7::/64", 1279, 1280)])
def test_a_subnet_needs_packets_that_its_ip_version_can_live_with(
    client: FlaskClient, make: SimpleNamespace, cidr: str, mtu: int, least: int
) -> None:
    small = make.network(mtu=mtu)
    body = {"cidr": cidr, "ip_version": 6 if ":" in cidr else 4, "network_id": small["id"]}
    refused = client.post("/v2.0/subnets", json={"subnet": body})
    assert refused.status_code == 409
    assert refused.json["NeutronError"] == {
        "type": "NetworkMTUSubnetConflict",
        "message": f"MTU of {small['id']} is not valid, subnet requires a minimum of {least}",
        "detail": "",
    }
    network = make.network(mtu=least)
    make.subnet(network["id"], cidr)
    changed = client.put(f"/v2.0/networks/{network['id']}", json={"network": {"mtu": mtu}})
    assert (changed.status_code, changed.json["NeutronError"]["type"]) == (409, "NetworkMTUSubnetConflict")
