"""What network engineers and operators are told: flows with names and reasons, ports and hosts with theirs."""

import json
from typing import Any

from tests.lab.cloud import Cloud
from tests.lab.process import eventually


def test_flows_are_shown_live_with_table_owner_and_reason(cloud: Cloud) -> None:
    red = cloud.network(name="red")
    one, port = cloud.vm(red, cloud.h1, name="web-1")
    flows = json.loads(cloud.weft.command("flows", "h1", "--port", port["id"], "--format", "json"))
    assert {f["table"] for f in flows} == {
        *("classify", "port_security", "answer", "from_state", "l2_lookup", "addresses"),
    }
    assert all("web-1" in f["owner"] and f["why"] for f in flows)
    before = next(f["packets"] for f in flows if f["table"] == "classify")
    one.ping("10.10.0.254", count=2, timeout_s=0.2)

    def counted() -> bool:
        [flow] = json.loads(
            cloud.weft.command("flows", "h1", "--port", port["id"], "--table", "classify", "--format", "json")
        )
        return bool(flow["packets"] > before)

    eventually(counted, 5, "the counters are the switch's own")
    text = cloud.weft.command("flows", "h1", "--network", red)
    assert "broadcast and multicast go to the members" in text
    assert "red" in text


def test_a_flow_somebody_added_by_hand_is_shown_as_foreign(cloud: Cloud) -> None:
    cloud.h1.ofctl("add-flow", "br-int", "table=99,priority=7,ip,nw_dst=192.0.2.1 actions=drop")
    try:
        [flow] = [f for f in json.loads(cloud.weft.command("flows", "h1", "--format", "json")) if f["table_id"] == 99]
        assert "foreign" in flow["owner"]
        assert "192.0.2.1" in flow["match"]
    finally:
        cloud.h1.ofctl("del-flows", "br-int", "table=99")


def reasons(cloud: Cloud, port: dict[str, Any]) -> set[str]:
    """Return the reasons in a port's timeline; what lasts for a moment only need not be there."""
    told = json.loads(cloud.weft.command("port", "status", port["id"], "--format", "json"))
    return {event["reason"] for event in told["timeline"]}


def test_port_status_says_where_and_why(cloud: Cloud) -> None:
    red = cloud.network()
    port = cloud.port(red)
    assert "UNBOUND" in cloud.weft.command("port", "status", port["id"])
    cloud.weft.api.put(f"/v2.0/ports/{port['id']}", {"port": {"binding:host_id": "nowhere"}})
    eventually(lambda: "HOST_NOT_REGISTERED" in reasons(cloud, port), 5, "the host is unknown")
    assert cloud.weft.api.show("port", port["id"])["binding:vif_type"] == "binding_failed"
    cloud.weft.api.put(f"/v2.0/ports/{port['id']}", {"port": {"binding:host_id": "h1"}})
    eventually(lambda: "NOT_PLUGGED" in reasons(cloud, port), 5, "no device yet")
    cloud.boot(cloud.h1, port)
    cloud.weft.wait_for_port(port["id"])
    assert {"HOST_NOT_REGISTERED", "NOT_PLUGGED", "WIRED"} <= reasons(cloud, port)


def test_hosts_are_listed_with_what_was_probed(cloud: Cloud) -> None:
    hosts = json.loads(cloud.weft.command("host", "list", "--format", "json"))
    assert {h["name"]: h["status"] for h in hosts} == {"h1": "UP", "h2": "UP"}
    shown = cloud.weft.command("host", "show", "h1")
    assert "3." in shown
    assert "netdev" in shown


def test_a_host_can_be_removed_and_added_again(cloud: Cloud) -> None:
    red = cloud.network()
    cloud.vm(red, cloud.h2)
    refused = cloud.weft.command("host", "remove", "h2", check=False)
    assert "1 bound port" in refused
    assert cloud.weft.api.show("host", "h2")["status"] == "UP"
    cloud.clear()
    cloud.weft.command("host", "remove", "h2")
    eventually(lambda: not cloud.h2.vsctl("get-controller", "br-int").strip(), 10, "the controller target is gone")
    cloud.weft.add_host(cloud.h2)
    cloud.vm(cloud.network(), cloud.h2)


def test_metrics_count_what_happened(cloud: Cloud) -> None:
    red = cloud.network()
    port = cloud.port(red, cloud.h1)
    cloud.boot(cloud.h1, port).dhcp()
    cloud.weft.wait_for_port(port["id"])
    text = cloud.weft.api.request("GET", "/metrics").text
    assert "weft_controller_up 1\n" in text
    assert 'weft_objects{kind="port"} 1\n' in text
    assert 'weft_ports{status="ACTIVE"} 1\n' in text
    assert 'weft_host_programmed{host="h1"} 1\n' in text
    assert int(text.partition('weft_dhcp_requests_total{outcome="ack"} ')[2].split()[0]) >= 1
