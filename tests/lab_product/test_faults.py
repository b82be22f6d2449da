"""What users fear: restarts, cuts and kills in the middle of things."""

import shutil
import threading
import time

from flows.pipeline import L2_LOOKUP
from tests.lab.cloud import Cloud, address
from tests.lab.process import eventually


def flow_set(lines: list[str]) -> list[str]:
    """Return flows without their counters and ages."""
    moving = ("duration", "n_packets", "n_bytes", "idle_age", "hard_age")
    return sorted(", ".join(p for p in line.split(", ") if not p.strip().startswith(moving)) for line in lines)


def age_s(line: str) -> float:
    """Return how long ago a dumped flow was written."""
    return float(line.partition("duration=")[2].partition("s")[0])


def test_killing_weft_loses_no_packet_and_its_next_start_changes_no_flow(cloud: Cloud) -> None:
    red = cloud.network()
    one, _ = cloud.vm(red, cloud.h1)
    two, port = cloud.vm(red, cloud.h2)
    one.ping_until_answered(address(port))
    before = {host.name: flow_set(host.flows()) for host in (cloud.h1, cloud.h2)}
    with one.pinging(address(port), interval_s=0.02) as going:
        cloud.weft.kill()
        time.sleep(0.5)
        down_since = time.monotonic()
        cloud.weft.start()
        eventually(lambda: cloud.weft.api.show("host", "h1")["status"] == "UP", 20, "h1 is up again")
        eventually(lambda: cloud.weft.api.show("host", "h2")["status"] == "UP", 20, "h2 is up again")
        time.sleep(1)
        balance = going.stop()
    assert balance.sent > 50
    assert balance.lost == 0
    for host in (cloud.h1, cloud.h2):
        assert flow_set(host.flows()) == before[host.name]
        dumped = host.ofctl("dump-flows", "br-int").splitlines()[1:]
        assert min(map(age_s, dumped)) > time.monotonic() - down_since, "a flow was written again"
    assert cloud.weft.api.show("port", port["id"])["status"] == "ACTIVE"
    assert two.dhcp().address == address(port)


def test_intent_accepted_before_a_kill_is_realised_after_it(cloud: Cloud) -> None:
    red = cloud.network()
    one, _ = cloud.vm(red, cloud.h1)
    port = cloud.port(red, cloud.h1)
    cloud.weft.kill()
    vm = cloud.boot(cloud.h1, port)
    cloud.weft.start()
    cloud.weft.wait_for_port(port["id"])
    vm.address_set(f"{address(port)}/24")
    one.ping_until_answered(address(port))


def test_a_restarted_vswitchd_is_filled_again(cloud: Cloud) -> None:
    red = cloud.network()
    one, _ = cloud.vm(red, cloud.h1)
    _, port = cloud.vm(red, cloud.h1)
    before = flow_set(cloud.h1.flows())
    cloud.h1.kill_vswitchd()
    cloud.h1.start_vswitchd()
    eventually(lambda: flow_set(cloud.h1.flows()) == before, 15, "the flows are back")
    one.ping_until_answered(address(port))
    cloud.weft.wait_for_port(port["id"])


def test_changes_made_while_a_switch_is_away_are_there_when_it_returns(cloud: Cloud) -> None:
    red = cloud.network()
    one, _ = cloud.vm(red, cloud.h1)
    _, gone = cloud.vm(red, cloud.h1)
    cloud.h1.stop_vswitchd()
    cloud.weft.api.delete(f"/v2.0/ports/{gone['id']}")
    added = cloud.port(red, cloud.h1)
    vm = cloud.boot(cloud.h1, added)
    cloud.h1.start_vswitchd()
    cloud.weft.wait_for_port(added["id"])
    vm.address_set(f"{address(added)}/24")
    one.ping_until_answered(address(added))
    assert not [f for f in cloud.h1.flows() if gone["mac_address"] in f]


def test_a_switch_killed_in_the_middle_of_many_changes_is_repaired(cloud: Cloud) -> None:
    red = cloud.network(cidr="10.20.0.0/20")
    cloud.vm(red, cloud.h1)
    bodies = [{"network_id": red, "binding:host_id": "h1", "name": f"p{n}"} for n in range(200)]

    def create() -> None:
        for at in range(0, len(bodies), 20):
            cloud.weft.api.post("/v2.0/ports", {"ports": bodies[at : at + 20]})

    working = threading.Thread(target=create)
    working.start()
    time.sleep(0.1)
    cloud.h1.kill_vswitchd()
    cloud.h1.start_vswitchd()
    working.join()
    eventually(lambda: cloud.weft.api.show("host", "h1")["status"] == "UP", 20, "h1 is programmed again")
    macs = {p["mac_address"] for p in cloud.weft.api.list("ports", network_id=red)}
    assert len(macs) == 201
    flows = "\n".join(cloud.h1.flows())
    assert not [mac for mac in macs if mac not in flows]


def test_a_killed_ovsdb_server_is_watched_again(cloud: Cloud) -> None:
    red = cloud.network()
    one, _ = cloud.vm(red, cloud.h1)
    cloud.h1.kill_ovsdb()
    port = cloud.port(red, cloud.h1)
    eventually(lambda: cloud.weft.api.show("host", "h1")["status"] != "UP", 10, "the loss is seen")
    cloud.h1.start_ovsdb()
    vm = cloud.boot(cloud.h1, port)
    cloud.weft.wait_for_port(port["id"])
    vm.address_set(f"{address(port)}/24")
    one.ping_until_answered(address(port))


def test_an_unreachable_host_is_named_and_its_ports_stop_being_active(cloud: Cloud) -> None:
    red = cloud.network()
    _, port = cloud.vm(red, cloud.h2)
    cloud.h2.stop_vswitchd()
    cloud.h2.stop_ovsdb()
    try:
        eventually(lambda: cloud.weft.api.show("host", "h2")["status"] == "DOWN", 10, "h2 is down")
        assert cloud.weft.api.show("host", "h2")["problem"]
        eventually(lambda: cloud.weft.api.show("port", port["id"])["status"] == "DOWN", 15, "its port is down")
        why = cloud.weft.api.get(f"/v2.0/ports/{port['id']}/status")["port_status"]
        assert why["reason"] == "HOST_UNREACHABLE"
    finally:
        cloud.h2.start_ovsdb()
        cloud.h2.start_vswitchd()
    cloud.weft.wait_for_port(port["id"])


def test_foreign_flows_are_left_alone_and_ours_are_put_back_on_reconnect(cloud: Cloud) -> None:
    red = cloud.network()
    _, port = cloud.vm(red, cloud.h1)
    foreign = "table=99,priority=7,ip,nw_dst=192.0.2.1 actions=drop"
    cloud.h1.ofctl("add-flow", "br-int", f"cookie=0x1234,{foreign}")
    cloud.h1.ofctl("del-flows", "br-int", f"table={L2_LOOKUP.id},dl_dst={port['mac_address']}")
    cloud.weft.restart()
    eventually(lambda: [f for f in cloud.h1.flows() if f"dl_dst={port['mac_address']}" in f], 10, "our flow is back")
    assert [f for f in cloud.h1.flows() if "0x1234" in f]
    cloud.h1.ofctl("del-flows", "br-int", "cookie=0x1234/-1")


def test_a_flow_deleted_behind_our_back_is_put_back_and_counted(cloud: Cloud) -> None:
    red = cloud.network()
    one, _ = cloud.vm(red, cloud.h1)
    _, port = cloud.vm(red, cloud.h1)
    before = cloud.weft.api.show("host", "h1")["features"]["drift"]["openflow"]
    cloud.h1.ofctl("del-flows", "br-int", f"table={L2_LOOKUP.id},dl_dst={port['mac_address']}")
    eventually(lambda: [f for f in cloud.h1.flows() if f"dl_dst={port['mac_address']}" in f], 2, "the flow is back")
    one.ping_until_answered(address(port))
    eventually(lambda: cloud.weft.api.show("host", "h1")["features"]["drift"]["openflow"] > before, 3, "it is told")


def test_a_foreign_normal_flow_makes_the_host_degraded(cloud: Cloud) -> None:
    cloud.h1.ofctl("add-flow", "br-int", "table=9,priority=1,actions=NORMAL")
    try:
        eventually(lambda: cloud.weft.api.show("host", "h1")["status"] == "DEGRADED", 5, "the host is degraded")
        assert "NORMAL" in cloud.weft.api.show("host", "h1")["problem"]
    finally:
        cloud.h1.ofctl("del-flows", "br-int", "table=9")
    eventually(lambda: cloud.weft.api.show("host", "h1")["status"] == "UP", 15, "and well again")


def test_an_emptied_database_does_not_empty_the_switches_until_somebody_says_so(cloud: Cloud) -> None:
    """Deletes that no journal entry explains stop and ask."""
    red = cloud.network(cidr="10.20.0.0/20")
    one, _ = cloud.vm(red, cloud.h1, fixed_ips=[{"ip_address": "10.20.0.10"}])
    _, port = cloud.vm(red, cloud.h1, fixed_ips=[{"ip_address": "10.20.0.11"}])
    backup = cloud.weft.directory / "backup.db"
    cloud.weft.stop()
    shutil.copy(cloud.weft.directory / "weft.db", backup)
    cloud.weft.start()
    body = [{"network_id": red, "binding:host_id": "h1", "name": f"p{n}"} for n in range(60)]
    later = cloud.weft.api.post("/v2.0/ports", {"ports": body})["ports"][-1]["mac_address"]
    eventually(lambda: [f for f in cloud.h1.flows() if later in f], 10, "the later ports are there")
    cloud.weft.stop()
    for ending in ("-wal", "-shm"):
        (cloud.weft.directory / f"weft.db{ending}").unlink(missing_ok=True)
    shutil.copy(backup, cloud.weft.directory / "weft.db")
    cloud.weft.start()
    told = eventually(lambda: cloud.weft.api.show("host", "h1")["problem"], 10, "the host says what is withheld")
    assert "weft reconcile h1 --accept" in told
    assert [f for f in cloud.h1.flows() if later in f], "nothing was deleted"
    assert one.ping(address(port)).lost == 0
    assert "accepted" in cloud.weft.command("reconcile", "h1", "--accept")
    eventually(lambda: not [f for f in cloud.h1.flows() if later in f], 5, "now it is")
    eventually(lambda: cloud.weft.api.show("host", "h1")["status"] == "UP", 5, "and the host is well")
    assert one.ping(address(port)).lost == 0
