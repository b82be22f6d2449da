"""Does a switch get the flows that a plan announced? A rule is planned, then made, and the flows are counted."""

from tests.lab.cloud import Cloud
from tests.lab.hypervisor import Hypervisor
from tests.lab.process import eventually

SETTLED_S = 10.0


def flows(host: Hypervisor) -> list[str]:
    """Return the flows of a host's bridge but the one that says how far the intent is."""
    return [line for line in host.flows() if "table=250" not in line]


def test_a_planned_rule_adds_as_many_flows_as_its_plan_says(cloud: Cloud) -> None:
    network = cloud.network()
    made = cloud.weft.api.post("/v2.0/security-groups", {"security_group": {"name": "web"}})
    group = made["security_group"]["id"]
    for host in (cloud.h1, cloud.h1, cloud.h2):
        cloud.vm(network, host, security_groups=[group])
    wanted = {
        "security_group_id": group,
        "direction": "ingress",
        "ethertype": "IPv4",
        "protocol": "tcp",
        "port_range_min": 80,
        "port_range_max": 95,
    }
    before = {host.name: flows(host) for host in (cloud.h1, cloud.h2)}
    body = {"security_group_rule": wanted}
    plan = cloud.weft.api.post("/v2.0/security-group-rules?plan=true", body)["plan"]
    said = {one["host"]: one["flows_added"] for one in plan["hosts"]}
    assert said == {"h1": 1, "h2": 1}
    assert plan["ports"] == 3
    assert plan["connectivity"]["pairs_gained"] == 6
    assert {host.name: flows(host) for host in (cloud.h1, cloud.h2)} == before, "a plan sends nothing"
    cloud.weft.api.post("/v2.0/security-group-rules", body)
    for host in (cloud.h1, cloud.h2):
        expected = len(before[host.name]) + said[host.name]
        eventually(lambda h=host, n=expected: len(flows(h)) == n, SETTLED_S, f"{host.name} has not {expected} flows")  # type: ignore[misc]
        assert len(set(flows(host)) - set(before[host.name])) == said[host.name]
        assert set(before[host.name]) <= set(flows(host))
    cloud.clear()
    cloud.weft.api.delete(f"/v2.0/security-groups/{group}")
