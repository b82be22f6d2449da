"""Does ``weft trace`` say what packets do? Each verdict stands beside a real ping."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.lab.cloud import Cloud, address
from tests.lab.guest import Vm
from tests.lab.hypervisor import Hypervisor
from tests.lab.process import eventually

PING_S = 0.5


def trace(cloud: Cloud, *arguments: str) -> dict[str, Any]:
    """Return the answer of ``weft trace``; a drop is an answer too."""
    said = cloud.weft.command("trace", *arguments, "--format", "json", check=False)
    found = json.loads(said)
    assert isinstance(found, dict), said
    return found


def agrees(cloud: Cloud, sender: Vm, source: dict[str, Any], target: str, ip: str, *, verdict: str) -> dict[str, Any]:
    """Compare a trace, over the intent and over the switches, with three pings; return the trace."""
    found = trace(cloud, "--from", source["id"], "--to", target)
    live = trace(cloud, "--from", source["id"], "--to", target, "--live")
    assert (verdict, verdict) == (found["verdict"], live["verdict"]), (found["sentence"], live["sentence"])
    assert found["sentence"] == live["sentence"]
    assert {found["source"], live["source"]} == {"intent", "switches"}
    wanted = 3 if verdict == "delivered" else 0
    received = sender.ping(ip, count=3, interval_s=0.2, timeout_s=PING_S).received
    assert wanted == received, found["sentence"]
    return found


@pytest.fixture
def web(cloud: Cloud) -> Iterator[tuple[str, str]]:
    """Give a security group that lets everything out and echo requests in, and the id of that rule."""
    api = cloud.weft.api
    made = str(api.post("/v2.0/security-groups", {"security_group": {"name": "web"}})["security_group"]["id"])
    rule = {"security_group_id": made, "direction": "ingress", "ethertype": "IPv4", "protocol": "icmp"}
    added = api.post("/v2.0/security-group-rules", {"security_group_rule": rule})["security_group_rule"]["id"]
    yield made, str(added)
    cloud.clear()
    api.delete(f"/v2.0/security-groups/{made}")


@pytest.fixture(params=["one host", "two hosts"])
def far(request: pytest.FixtureRequest, cloud: Cloud) -> Hypervisor:
    """Give the host of the receiver; the sender is on the first."""
    return cloud.h1 if request.param == "one host" else cloud.h2


def test_what_a_rule_allows_is_delivered_and_what_none_allows_is_not(
    cloud: Cloud, far: Hypervisor, web: tuple[str, str]
) -> None:
    red = cloud.network(name="red")
    group, rule = web
    one, sender = cloud.vm(red, cloud.h1, name="one", security_groups=[group])
    _, open_port = cloud.vm(red, far, name="open", security_groups=[group])
    _, closed = cloud.vm(red, far, name="closed")  # its default group lets in its own members alone

    found = agrees(cloud, one, sender, open_port["id"], address(open_port), verdict="delivered")
    assert rule in found["rules"]
    assert [host["host"] for host in found["hosts"]] == ["h1"] if far is cloud.h1 else ["h1", "h2"]
    refused = agrees(cloud, one, sender, "closed", address(closed), verdict="dropped")
    assert "no ingress rule of port closed" in refused["sentence"]
    assert "default" in refused["sentence"]
    assert trace(cloud, "--from", "one", "--to", "open", "--tcp", "80")["verdict"] == "dropped"
    assert trace(cloud, "--from", "one", "--to", "open", "--tcp", "80", "--reply")["verdict"] == "delivered"


def test_a_forged_source_is_dropped_by_port_security(cloud: Cloud, far: Hypervisor) -> None:
    red = cloud.network()
    one, sender = cloud.vm(red, cloud.h1)
    _, receiver = cloud.vm(red, far)
    agrees(cloud, one, sender, receiver["id"], address(receiver), verdict="delivered")
    own = {address(sender), address(receiver)}
    forged = next(ip for ip in ("10.10.0.200", "10.10.0.201", "10.10.0.202") if ip not in own)
    one.address_set(f"{forged}/24")
    found = trace(cloud, "--from", sender["id"], "--to", receiver["id"], "--source-ip", forged)
    assert found["verdict"] == "dropped"
    assert f"port security: {forged}" in found["sentence"]
    assert one.ping(address(receiver), count=2, timeout_s=PING_S).received == 0


def test_a_port_that_is_administratively_down_sends_and_receives_nothing(cloud: Cloud, far: Hypervisor) -> None:
    red = cloud.network()
    one, sender = cloud.vm(red, cloud.h1, name="one")
    two, receiver = cloud.vm(red, far, name="two")
    cloud.weft.api.put(f"/v2.0/ports/{receiver['id']}", {"port": {"admin_state_up": False}})
    cloud.weft.wait_for_port(receiver["id"], "DOWN")
    eventually(lambda: trace(cloud, "--from", "one", "--to", "two", "--live")["verdict"] == "dropped", 5, "it is down")
    into = agrees(cloud, one, sender, receiver["id"], address(receiver), verdict="dropped")
    assert "port two" in into["sentence"]
    assert "administratively down" in into["sentence"]
    out_of = agrees(cloud, two, receiver, sender["id"], address(sender), verdict="dropped")
    assert "administratively down" in out_of["sentence"]


def test_networks_are_apart_also_where_their_addresses_are_the_same(cloud: Cloud, far: Hypervisor) -> None:
    red, blue = cloud.network(name="red"), cloud.network(name="blue")
    ip = "10.10.0.77"
    one, sender = cloud.vm(red, cloud.h1, name="red-1")
    two, other = cloud.vm(blue, cloud.h1, name="blue-1")
    _, red_77 = cloud.vm(red, far, name="red-77", fixed_ips=[{"ip_address": ip}])
    found = agrees(cloud, one, sender, ip, ip, verdict="delivered")
    assert "red-77" in found["sentence"]
    assert red_77["id"] == found["to"]["port_id"]
    lost = agrees(cloud, two, other, ip, ip, verdict="dropped")
    assert lost["to"] == {"address": ip}
    _, blue_77 = cloud.vm(blue, cloud.h2, name="blue-77", fixed_ips=[{"ip_address": ip}])
    found = agrees(cloud, two, other, ip, ip, verdict="delivered")
    assert blue_77["id"] == found["to"]["port_id"]
    assert "blue-77" in found["sentence"]
    across = trace(cloud, "--from", "blue-1", "--to", "red-77")
    assert across["verdict"] == "dropped"
    assert "nothing connects them" in across["sentence"]


def test_arp_is_answered_by_the_network(cloud: Cloud, far: Hypervisor) -> None:
    red = cloud.network()
    _, sender = cloud.vm(red, cloud.h1)
    _, receiver = cloud.vm(red, far)
    found = trace(cloud, "--from", sender["id"], "--to", receiver["id"], "--arp")
    assert found["verdict"] == "answered"
    assert receiver["mac_address"] in found["sentence"]


def test_a_flow_somebody_put_in_by_hand_is_seen_live_only(cloud: Cloud) -> None:
    red = cloud.network()
    _, sender = cloud.vm(red, cloud.h1)
    _, receiver = cloud.vm(red, cloud.h1)
    ends = ("--from", sender["id"], "--to", receiver["id"])
    cloud.h1.ofctl("add-flow", "br-int", "table=0,priority=60000,icmp actions=drop")
    try:
        assert trace(cloud, *ends)["verdict"] == "delivered"
        live = trace(cloud, *ends, "--live")
        assert live["verdict"] == "dropped"
        assert "not made by Weft" in json.dumps(live["hosts"])
    finally:
        cloud.h1.ofctl("del-flows", "br-int", "table=0,icmp")


def test_people_read_the_way_and_the_verdict(cloud: Cloud) -> None:
    red = cloud.network(name="red")
    cloud.vm(red, cloud.h1, name="one")
    cloud.vm(red, cloud.h2, name="two")
    began = time.monotonic()
    text = cloud.weft.command("trace", "--from", "one", "--to", "two")
    assert time.monotonic() - began < 5
    assert "host h1: from port one" in text
    assert "host h2: through the tunnel from host h1" in text
    assert text.splitlines()[-1].startswith("Delivered: it reaches port two")
