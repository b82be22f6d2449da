"""Is the underlay proved before guests need it, and is it told which hosts it does not join?

A laboratory of its own: Open vSwitch is not told the peers' MAC addresses, as nobody does on a real host.
"""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from controller.reconcile.underlay import INTERVAL_S, MISSES
from tests.lab import Lab, Weft
from tests.lab.cloud import Cloud, address
from tests.lab.guest import Vm
from tests.lab.hypervisor import Hypervisor
from tests.lab.process import eventually

DEAD_S = (MISSES + 1) * INTERVAL_S + 3
"""A path is dead one interval after the last probe that counts, the first of which is due within another."""
HEALED_S = INTERVAL_S + 5


@pytest.fixture(scope="module")
def shared_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    directory: Path = tmp_path_factory.mktemp("underlay")
    with Lab(directory / "lab", warm=False) as lab, Weft(directory / "weft", lab=lab) as weft:
        h1, h2 = lab.hypervisor("h1"), lab.hypervisor("h2")
        weft.add_host(h1)
        weft.add_host(h2)
        yield Cloud(lab=lab, weft=weft, h1=h1, h2=h2)


def quiet_vm(cloud: Cloud, network: str, host: Hypervisor) -> tuple[Vm, dict[str, Any]]:
    """Boot a VM that sends nothing by itself, as one with IPv6 would."""
    port = cloud.port(network, host)
    vm = host.boot_vm(f"vm{next(cloud.numbers)}", device=f"tap{port['id'][:11]}", mac=port["mac_address"], ipv6=False)
    port = cloud.weft.wait_for_port(port["id"])
    vm.address_set(f"{address(port)}/24")
    return vm, port


def paths(cloud: Cloud) -> dict[str, int]:
    """Return how many paths are in which state, as Prometheus sees it."""
    text = cloud.weft.api.request("GET", "/metrics").text
    return {state: int(count) for state, count in re.findall(r'weft_underlay_paths\{state="(\w+)"\} (\d+)', text)}


def proved(cloud: Cloud) -> None:
    alive = {"unproved": 0, "alive": 2, "dead": 0}
    eventually(lambda: paths(cloud) == alive, HEALED_S, lambda: f"both paths are proved: {paths(cloud)}")


def shown(cloud: Cloud, host: str) -> dict[str, Any]:
    return dict(json.loads(cloud.weft.command("host", "show", host, "--format", "json")))


def problem(cloud: Cloud, host: str) -> str:
    return shown(cloud, host)["problem"] or ""


def status(cloud: Cloud, port: dict[str, Any]) -> dict[str, Any]:
    return dict(cloud.weft.api.get(f"/v2.0/ports/{port['id']}/status")["port_status"])


def ul(host: Hypervisor, state: str) -> None:
    """Pull the cable of a host's underlay, or plug it in; that to the controller is another."""
    subprocess.run(["ip", "-n", host.namespace, "link", "set", "ul", state], check=True)


def test_the_first_packet_to_a_new_peer_is_not_lost_once_the_path_is_proved(cloud: Cloud) -> None:
    for host, peer in ((cloud.h1, cloud.h2), (cloud.h2, cloud.h1)):
        assert peer.tunnel_ip not in host.appctl("tnl/neigh/show"), "nobody has sent anything yet"
    red = cloud.network()
    (one, _), (_, port) = quiet_vm(cloud, red, cloud.h1), quiet_vm(cloud, red, cloud.h2)
    proved(cloud)
    assert one.ping(address(port), count=1).lost == 0


def test_a_dead_underlay_is_told_of_hosts_and_ports_until_it_is_mended(cloud: Cloud) -> None:
    red, blue = cloud.network(), cloud.network()
    (one, here), (_, there) = quiet_vm(cloud, red, cloud.h1), quiet_vm(cloud, red, cloud.h2)
    _, alone = quiet_vm(cloud, blue, cloud.h1)
    proved(cloud)
    ul(cloud.h2, "down")
    try:
        eventually(lambda: "reach h2" in problem(cloud, "h1"), DEAD_S, "the dead paths are shown of h1")
        eventually(lambda: "reach h1" in problem(cloud, "h2"), DEAD_S, "the dead paths are shown of h2")
        told = shown(cloud, "h1")
        assert told["problem"].startswith(
            "no VXLAN frames arrive from h2, no VXLAN frames reach h2: check the underlay"
        )
        assert told["status"] == "DEGRADED"
        for port, peer in ((here, "h2"), (there, "h1")):
            said = eventually(
                lambda p=port: (s := status(cloud, p))["detail"].count("VXLAN") and s, 3, "a port is told"
            )
            assert (said["status"], said["reason"]) == ("ACTIVE", "WIRED")
            assert f"reach {peer}" in said["detail"]
            assert said["timeline"][-1]["detail"] == said["detail"]
        assert "VXLAN" not in status(cloud, alone)["detail"], "its network is on no other host"
        assert one.ping(address(there), count=1).received == 0
    finally:
        ul(cloud.h2, "up")
    eventually(lambda: not problem(cloud, "h1") + problem(cloud, "h2"), HEALED_S, "the hosts are well again")
    eventually(
        lambda: "VXLAN" not in status(cloud, here)["detail"] + status(cloud, there)["detail"], 3, "and the ports"
    )
    assert "VXLAN" not in status(cloud, here)["timeline"][-1]["detail"]
    one.ping_until_answered(address(there))
    log = cloud.weft.log.read_text()
    assert "underlay_broken host=h1 dead_paths=2" in log
    assert "underlay_unbroken host=h1" in log


def test_a_firewall_that_lets_frames_through_one_way_is_told_as_such(cloud: Cloud) -> None:
    red = cloud.network()
    quiet_vm(cloud, red, cloud.h1)
    quiet_vm(cloud, red, cloud.h2)
    proved(cloud)
    # RFC 7348 section 5: UDP 4789.
    cloud.h1.ofctl("add-flow", "br-phy", f"priority=9,udp,nw_dst={cloud.h2.tunnel_ip},tp_dst=4789,actions=drop")
    try:
        eventually(lambda: problem(cloud, "h2"), DEAD_S, "the dead path is shown")
        assert problem(cloud, "h2").startswith("no VXLAN frames arrive from h1: check")
        eventually(lambda: problem(cloud, "h1").startswith("no VXLAN frames reach h2: check"), 3, "of both its ends")
    finally:
        cloud.h1.ofctl("--strict", "del-flows", "br-phy", f"priority=9,udp,nw_dst={cloud.h2.tunnel_ip},tp_dst=4789")
    eventually(lambda: not problem(cloud, "h1") + problem(cloud, "h2"), HEALED_S, "all is well again")
