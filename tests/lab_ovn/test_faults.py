"""What becomes of an OVN cluster's rows when somebody meddles, and of Weft when the cluster is away?"""

import time
from pathlib import Path

import pytest

from controller.southbound.ovn.connection import Connection, use_tls, wait
from controller.southbound.ovn.tables import SOUTHBOUND
from tests.lab.cloud import address
from tests.lab.process import eventually
from tests.lab_ovn.conftest import Cloud, health, status


@pytest.fixture(scope="module")
def servers() -> int:
    """Three servers of each database."""
    return 3


@pytest.fixture(scope="module")
def has_tls() -> bool:
    """All of this module's faults are met by connections with TLS."""
    return True


def test_rows_deleted_or_changed_by_hand_come_back_within_seconds(cloud: Cloud) -> None:
    red = cloud.network()
    one, _ = cloud.vm(red, cloud.h1)
    _, port = cloud.vm(red, cloud.h2)
    one.ping_until_answered(address(port))
    cloud.cluster.nbctl("lsp-del", port["id"])
    one.ping_until_answered(address(port), timeout_s=15)
    cloud.cluster.nbctl("lsp-set-addresses", port["id"], "02:00:00:00:00:66")
    eventually(lambda: port["mac_address"] in cloud.cluster.nbctl("lsp-get-addresses", port["id"]), 5, "the address")
    cloud.cluster.nbctl("ls-del", f"weft-{red}")
    one.ping_until_answered(address(port), timeout_s=15)
    group = next(name for (name,) in cloud.cluster.rows("Port_Group") if "drop" in str(name))
    cloud.cluster.nbctl("pg-del", str(group))
    eventually(lambda: [group] in cloud.cluster.rows("Port_Group"), 5, "the port group that drops")


def test_rows_of_others_are_left_alone(cloud: Cloud) -> None:
    cloud.cluster.nbctl("ls-add", "theirs", "--", "lsp-add", "theirs", "their-port")
    red = cloud.network()
    cloud.cluster.nbctl("lsp-add", f"weft-{red}", "guest-of-ours")
    port = cloud.port(red)
    eventually(lambda: [port["id"]] in cloud.cluster.rows("Logical_Switch_Port"), 5, "our port")
    names = cloud.cluster.rows("Logical_Switch_Port")
    assert ["their-port"] in names
    assert ["guest-of-ours"] in names
    cloud.clear()
    eventually(lambda: [f"weft-{red}"] not in cloud.cluster.rows("Logical_Switch"), 5, "our switch goes")
    assert ["theirs"] in cloud.cluster.rows("Logical_Switch")
    cloud.cluster.nbctl("ls-del", "theirs")


def test_a_restart_of_weft_writes_nothing(cloud: Cloud) -> None:
    red = cloud.network()
    cloud.vm(red, cloud.h1, security_groups=[cloud.group({"direction": "ingress", "ethertype": "IPv4"})])
    cloud.port(red, cloud.h2, extra_dhcp_opts=[{"opt_name": "mtu", "opt_value": "1300"}])
    cloud.cluster.nbctl("--wait=hv", "sync")  # what northd writes of the port is there
    before = cloud.cluster.written()
    cloud.weft.restart()
    eventually(lambda: health(cloud)["state"] == "up", 15, lambda: f"{health(cloud)}")
    time.sleep(2)  # an audit takes less
    assert cloud.cluster.written() == before


def test_traffic_goes_on_and_changes_are_caught_up_when_the_leader_is_killed(cloud: Cloud) -> None:
    red = cloud.network()
    one, _ = cloud.vm(red, cloud.h1)
    _, port = cloud.vm(red, cloud.h2)
    one.ping_until_answered(address(port))
    leader = cloud.cluster.leader("nb")
    assert leader is not None
    with one.pinging(address(port), interval_s=0.05) as going:
        cloud.cluster.kill(f"nb{leader}")
        _, late = cloud.vm(red, cloud.h2)
        assert going.stop().lost == 0
    one.ping_until_answered(address(late))
    assert health(cloud)["state"] == "up"
    cloud.cluster.start("nb", leader)


def test_what_is_asked_while_the_northbound_database_is_away_is_done_when_it_is_back(cloud: Cloud) -> None:
    red = cloud.network()
    one, _ = cloud.vm(red, cloud.h1)
    for number in range(3):
        cloud.cluster.kill(f"nb{number}")
    said = eventually(lambda: (h := health(cloud))["state"] == "down" and h, 20, "the directory says it is down")
    assert "northbound" in said["detail"]
    port = cloud.port(red, cloud.h2)
    for number in range(3):
        cloud.cluster.start("nb", number)
    cloud.cluster.kill("northd")  # by itself it may wait up to 8 s for its next attempt to connect
    cloud.cluster.start_northd()
    vm = cloud.boot(cloud.h2, port)
    cloud.weft.wait_for_port(port["id"], timeout_s=40)
    vm.address_set(f"{address(port)}/24")
    one.ping_until_answered(address(port))
    eventually(lambda: health(cloud)["state"] == "up", 15, lambda: f"{health(cloud)}")


def test_ports_of_a_chassis_whose_controller_died_are_down_until_it_is_back(cloud: Cloud) -> None:
    red = cloud.network()
    _, near = cloud.vm(red, cloud.h1)
    _, port = cloud.vm(red, cloud.h2)
    cloud.cluster.kill("controller-h2")
    said = eventually(
        lambda: (s := status(cloud, port["id"]))["reason"] == "HOST_UNREACHABLE" and s, 20, "its host does not answer"
    )
    assert said["status"] == "DOWN"
    assert cloud.weft.api.show("port", port["id"])["status"] == "DOWN"
    assert (health(cloud)["state"], health(cloud)["detail"]) == ("degraded", "1 of 2 chassis give no answer: h2.")
    assert {one["name"]: one["status"] for one in cloud.weft.api.list("hosts")} == {"h1": "UP", "h2": "DOWN"}
    assert status(cloud, near["id"])["status"] == "ACTIVE"
    cloud.cluster.start_controller(cloud.h2)
    cloud.weft.wait_for_port(port["id"])
    eventually(lambda: health(cloud)["state"] == "up", 5, lambda: f"{health(cloud)}")


def test_a_northd_that_does_nothing_is_told(cloud: Cloud) -> None:
    cloud.cluster.kill("northd")
    said = eventually(lambda: (h := health(cloud))["state"] == "degraded" and h, 20, "the directory says it")
    assert "ovn-northd" in said["detail"]
    cloud.cluster.start_northd()
    eventually(lambda: health(cloud)["state"] == "up", 15, lambda: f"{health(cloud)}")


@pytest.mark.parametrize(("authority", "is_heard"), [("switch", True), ("controller", False)])
def test_a_server_is_believed_when_the_named_authority_signed_its_certificate(
    cloud: Cloud, authority: str, is_heard: bool
) -> None:
    told = cloud.cluster.settings()
    use_tls(told["private_key"], told["certificate"], str(cloud.cluster.authority(authority)))
    connection = Connection(told["southbound"], SOUTHBOUND, lambda *_: None)
    until = time.monotonic() + (10 if is_heard else 1.5)
    with Path("/dev/null").open("rb") as nothing:
        while not connection.is_whole and time.monotonic() < until:
            connection.run()
            wait([connection], nothing.fileno(), 0.1)
    assert connection.is_whole == is_heard
    assert is_heard or "ca_certificate" in connection.problem
    assert bool(connection.rows("Chassis")) == is_heard
    connection.close()
