"""What does the API say about networks whose subnets belong to segments? Extensions segment and ip_allocation."""

from types import SimpleNamespace
from typing import Any

import pytest
from flask.testing import FlaskClient

from controller.records import HostName
from controller.store.database import Database
from controller.store.states import bind_unbound


def test_a_routed_network_has_no_l2_adjacency(client: FlaskClient, make: SimpleNamespace) -> None:
    """Extension l2_adjacency."""
    routed = Routed(client, make)

    def shown() -> object:
        return client.get(f"/v2.0/networks/{routed.network}").json["network"]["l2_adjacency"]

    assert shown() is True
    for subnet in [*routed.subnets()]:
        assert shown() is False
        client.delete(f"/v2.0/subnets/{subnet}")
    assert shown() is True


class Routed:
    """A network with a VLAN in either of two racks; host h1 is in the first, h2 in the second, h3 in none."""

    def __init__(self, client: FlaskClient, make: SimpleNamespace) -> None:
        self.client, self.make = client, make
        for number in (1, 2, 3):
            physnets = [{"physical_network": f"rack{number}", "bridge": "br-p"}] if number < 3 else []
            address = f"192.0.2.{number}"
            make.host(name=f"h{number}", ovsdb=f"tcp:{address}:6640", tunnel_ip=address, physnets=physnets)
        vlans = [
            {
                "provider:network_type": "vlan",
                "provider:physical_network": f"rack{number}",
                "provider:segmentation_id": 100,
            }
            for number in (1, 2)
        ]
        self.network = make.network(segments=vlans)["id"]
        found = client.get(f"/v2.0/segments?network_id={self.network}").json["segments"]
        self.segments = [one["id"] for one in sorted(found, key=lambda one: str(one["physical_network"]))]

    def subnets(self, **attributes: object) -> list[str]:
        """Give each segment a subnet."""
        return [
            self.make.subnet(self.network, f"10.{number}.0.0/24", segment_id=segment, **attributes)["id"]
            for number, segment in enumerate(self.segments, 1)
        ]

    def port(self, host: str = "", **attributes: object) -> dict[str, Any]:
        found: dict[str, Any] = self.make.port(network_id=self.network, binding__host_id=host, **attributes)
        return found

    def send(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        reply = self.client.open(f"/v2.0/{path}", method=method, json=body)
        found = (reply.json or {}) if reply.status_code != 204 else {}
        return reply.status_code, found.get("NeutronError", {}).get("type") or found


@pytest.fixture
def routed(client: FlaskClient, make: SimpleNamespace) -> Routed:
    return Routed(client, make)


def nets(port: dict[str, Any]) -> list[str]:
    return [one["ip_address"].rpartition(".")[0] for one in port["fixed_ips"]]


def test_a_port_gets_addresses_that_can_be_used_on_its_host(routed: Routed) -> None:
    routed.subnets()
    for host, expected in (("h1", "10.1.0"), ("h2", "10.2.0")):
        port = routed.port(host)
        assert (nets(port), port["ip_allocation"]) == ([expected], "immediate")


def test_a_port_without_a_host_waits_for_its_addresses(routed: Routed) -> None:
    routed.subnets()
    port = routed.port()
    assert (port["fixed_ips"], port["ip_allocation"]) == ([], "deferred")
    assert [one["id"] for one in routed.client.get("/v2.0/ports?ip_allocation=deferred").json["ports"]] == [port["id"]]
    status, body = routed.send("PUT", f"ports/{port['id']}", {"port": {"binding:host_id": "h2"}})
    assert status == 200
    assert (nets(body["port"]), body["port"]["ip_allocation"]) == (["10.2.0"], "immediate")


def test_a_port_that_wants_no_address_or_a_certain_one_does_not_wait(routed: Routed) -> None:
    first, _ = routed.subnets()
    assert routed.port(fixed_ips=[])["ip_allocation"] == "none"
    port = routed.port(fixed_ips=[{"subnet_id": first}])
    assert (nets(port), port["ip_allocation"]) == (["10.1.0"], "immediate")
    path, to_h2 = f"ports/{port['id']}", {"port": {"binding:host_id": "h2"}}
    assert routed.send("PUT", path, to_h2) == (409, "HostNotCompatibleWithFixedIps")
    assert routed.send("PUT", path, {"port": {"binding:host_id": "h1"}})[0] == 200
    moved = routed.send("PUT", path, {"port": {"binding:host_id": "h2", "fixed_ips": [{"ip_address": "10.2.0.9"}]}})
    assert moved[1]["port"]["fixed_ips"][0]["ip_address"] == "10.2.0.9"


def test_addresses_of_another_segment_than_the_host_s_are_refused(routed: Routed) -> None:
    _, second = routed.subnets()
    for wanted in ({"subnet_id": second}, {"ip_address": "10.2.0.7"}):
        body = {"port": {"network_id": routed.network, "binding:host_id": "h1", "fixed_ips": [wanted]}}
        assert routed.send("POST", "ports", body)[0] == 400


@pytest.mark.parametrize("host", ["h3", "unknown"])
def test_a_host_that_reaches_no_segment_gets_no_port(routed: Routed, host: str) -> None:
    routed.subnets()
    body = {"port": {"network_id": routed.network, "binding:host_id": host}}
    assert routed.send("POST", "ports", body) == (409, "HostNotConnectedToAnySegment")


def test_a_port_migrates_within_its_segment_only(routed: Routed) -> None:
    routed.subnets()
    port = routed.port("h1", device_owner="compute:nova")
    path = f"ports/{port['id']}/bindings"
    assert routed.send("POST", path, {"binding": {"host": "h2"}}) == (409, "HostNotCompatibleWithFixedIps")


def test_guests_that_make_their_own_address_make_it_of_their_segment_s_prefix(routed: Routed) -> None:
    port = routed.port("h1")
    for number, segment in enumerate(routed.segments, 1):
        routed.make.subnet(routed.network, f"fd00:{number}::/64", segment_id=segment, ipv6_address_mode="slaac")
    shown = routed.client.get(f"/v2.0/ports/{port['id']}").json["port"]
    late = routed.port("h2")
    assert [one["ip_address"][:7] for one in (*shown["fixed_ips"], *late["fixed_ips"])] == ["fd00:1:", "fd00:2:"]


def test_all_subnets_of_a_network_have_a_segment_or_none_has(routed: Routed, make: SimpleNamespace) -> None:
    subnet, _ = routed.subnets()
    shown = routed.client.get(f"/v2.0/subnets?segment_id={routed.segments[0]}").json["subnets"]
    assert [(one["id"], one["segment_id"]) for one in shown] == [(subnet, routed.segments[0])]
    for segment, error in (
        (None, "SubnetsNotAllAssociatedWithSegments"),
        ("3f2a0000-0000-4000-8000-000000000000", "SegmentNotFound"),
    ):
        body = {"network_id": routed.network, "ip_version": 4, "cidr": "10.9.0.0/24", "segment_id": segment}
        assert routed.send("POST", "subnets", {"subnet": body})[1] == error
    other = make.network()["id"]
    body = {"network_id": other, "ip_version": 4, "cidr": "10.9.0.0/24", "segment_id": routed.segments[0]}
    assert routed.send("POST", "subnets", {"subnet": body}) == (400, "NetworkIdsDontMatch")
    own = routed.client.get(f"/v2.0/segments?network_id={other}").json["segments"][0]["id"]
    plain = make.subnet(other, "10.9.0.0/24")["id"]
    changed = routed.send("PUT", f"subnets/{plain}", {"subnet": {"segment_id": own}})
    assert changed[1]["subnet"]["segment_id"] == own
    again = routed.send("PUT", f"subnets/{plain}", {"subnet": {"segment_id": None}})
    assert again == (409, "SubnetSegmentAssociationChangeNotAllowed")


def test_a_subnet_of_a_segment_is_not_advertised_by_the_network(routed: Routed) -> None:
    modes = {"ipv6_ra_mode": "slaac", "ipv6_address_mode": "slaac"}
    body = {"network_id": routed.network, "ip_version": 6, "cidr": "fd00::/64", "segment_id": routed.segments[0]}
    assert routed.send("POST", "subnets", {"subnet": body | modes}) == (400, "InvalidInput")


def test_a_segment_stays_while_subnets_or_ports_need_it_and_no_longer(routed: Routed) -> None:
    port = routed.port("h1")
    assert routed.send("DELETE", f"segments/{routed.segments[0]}") == (409, "SegmentInUse")
    subnet = routed.make.subnet(routed.network, "10.2.0.0/24", segment_id=routed.segments[1])["id"]
    assert routed.send("DELETE", f"segments/{routed.segments[1]}") == (409, "SegmentInUse")
    assert routed.send("DELETE", f"subnets/{subnet}")[0] == 204
    assert routed.send("DELETE", f"segments/{routed.segments[1]}")[0] == 204
    assert routed.send("GET", f"ports/{port['id']}")[1]["port"]["binding:host_id"] == "h1"


def test_a_port_that_waits_for_its_addresses_is_not_bound_by_its_plug(routed: Routed, database: Database) -> None:
    waiting, there = routed.port(), routed.port(fixed_ips=[])
    routed.subnets()
    deferred = routed.port()
    with database.write() as tx:
        bound = [bind_unbound(tx, port["id"], HostName("h1")) for port in (waiting, there, deferred)]
    assert bound == [True, True, False]
