"""A network moves from Weft's own flow tables to OVN and back while its guests talk: what do they lose?

Each hypervisor carries both engines: Weft's br-int, and br-ovn of ovn-controller with tunnels at an address of its own.
"""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.lab import Lab, Weft
from tests.lab.api import ApiError
from tests.lab.cloud import address
from tests.lab.guest import PingResult, Vm
from tests.lab.process import eventually
from tests.lab_matrix.stage import PHYSICAL_NETWORK, PROVIDER_BRIDGE, connect
from tests.lab_ovn.cluster import Cluster
from tests.lab_ovn.conftest import Cloud, serve

WEFT, OVN = "br-int", "br-ovn"
MOST_LOST_S = 3.0
"""Far more than is lost; on a machine that does nothing else it is some tenths of a second."""
INTERVAL_S = 0.01
ARRIVES_S = 30.0


@pytest.fixture(scope="module")
def shared_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    directory: Path = tmp_path_factory.mktemp("moves")
    with Lab(directory / "lab") as lab:
        cluster = Cluster(lab)
        try:
            cluster.create()
            ends = {"h1": "192.168.77.1", "h2": "192.168.77.2"}
            h1, h2 = (cluster.chassis(name, bridge=OVN, encap_ip=end) for name, end in ends.items())
            lab.warm_up()
            connect(lab, [h1, h2])
            for host, peer in ((h1, h2), (h2, h1)):
                host.appctl("tnl/neigh/set", "br-phy", ends[peer.name], peer.tunnel_mac)
                mapping = f"external_ids:ovn-bridge-mappings={PHYSICAL_NETWORK}:{PROVIDER_BRIDGE}"
                host.vsctl("set", "Open_vSwitch", ".", mapping)
            with serve(directory / "weft", lab, cluster, integration_bridge=OVN) as weft:
                for host in (h1, h2):
                    weft.add_host(host, "--physnet", f"{PHYSICAL_NETWORK}:{PROVIDER_BRIDGE}")
                eventually(lambda: "registered for another" in detail(weft), 20, lambda: detail(weft))
                yield Cloud(lab=lab, weft=weft, cluster=cluster, h1=h1, h2=h2)
        finally:
            cluster.close()


def detail(weft: Weft) -> str:
    return str(weft.api.get("/v2.0/plugins/ovn")["plugin"]["detail"])


GENEVE = {"provider:network_type": "geneve"}
VLAN = {
    "provider:network_type": "vlan",
    "provider:physical_network": PHYSICAL_NETWORK,
    "provider:segmentation_id": 77,
}


@pytest.fixture(params=[GENEVE], ids=["geneve"])
def kind(request: pytest.FixtureRequest) -> dict[str, Any]:
    """The provider attributes of the network that moves."""
    return dict(request.param)


@pytest.fixture
def guests(cloud: Cloud, kind: dict[str, Any]) -> Iterator[tuple[str, Vm, dict[str, Any], Vm, dict[str, Any]]]:
    """A network of Weft's own flow tables with a guest on each host, one pre-wired and one plugged by compute."""
    red = cloud.network(**{"weft:plugin": "openflow", **kind})
    group = cloud.group({"direction": "ingress"})
    one_port, two_port = (cloud.port(red, host, security_groups=[group]) for host in (cloud.h1, cloud.h2))
    one = cloud.h1.boot_vm("one", device=f"tap{one_port['id'][:11]}", mac=one_port["mac_address"])
    two = cloud.boot(cloud.h2, two_port)
    for vm, port in ((one, one_port), (two, two_port)):
        cloud.weft.wait_for_port(port["id"])
        vm.address_set(f"{address(port)}/24")
    one.ping_until_answered(address(two_port))
    yield red, one, one_port, two, two_port
    for host, vm in ((cloud.h1, one), (cloud.h2, two)):
        host.vsctl("--if-exists", "del-port", vm.device)  # from whichever bridge
        host.destroy_vm(vm)


def move(cloud: Cloud, network: str, plugin: str, **more: Any) -> dict[str, Any]:
    return dict(cloud.weft.api.put(f"/v2.0/networks/{network}/move", {"plugin": plugin, **more})["move"])


def phase(cloud: Cloud, network: str) -> str:
    return str(cloud.weft.api.get(f"/v2.0/networks/{network}/move")["move"]["phase"])


def settled(cloud: Cloud, network: str) -> None:
    def arrived() -> bool:
        seen = cloud.weft.api.get(f"/v2.0/networks/{network}/move")["move"]
        return seen["phase"] == "arrived" and all(port["status"] == "ACTIVE" for port in seen["ports"])

    eventually(arrived, ARRIVES_S, lambda: str(cloud.weft.api.get(f"/v2.0/networks/{network}/move")), every_s=0.1)


def bridges(cloud: Cloud, *ports: dict[str, Any]) -> list[str]:
    """Return where the devices of ports are, on h1 and on h2."""
    hosts = (cloud.h1, cloud.h2)
    return [host.vsctl("port-to-br", f"tap{port['id'][:11]}").strip() for host, port in zip(hosts, ports, strict=True)]


def losses(vm: Vm, to: dict[str, Any], act: Callable[[], None]) -> PingResult:
    """Return what a hundred requests a second lost while something was done, none of them answered twice."""
    with vm.pinging(address(to), interval_s=INTERVAL_S) as pinging:
        eventually(lambda: pinging.received() > 20, 10, "answers")
        act()
        seen = pinging.received()
        eventually(lambda: pinging.received() > seen + 50, 20, "answers afterwards")
        result = pinging.stop()
    assert result.duplicates == 0, "both engines delivered"
    return result


@pytest.mark.parametrize("kind", [GENEVE, VLAN], ids=["geneve", "vlan"], indirect=True)
def test_a_network_moves_to_ovn_and_back_while_its_guests_talk(cloud: Cloud, guests: Any) -> None:
    red, one, one_port, two, two_port = guests
    planned = move(cloud, red, "ovn", plan=True)
    assert (planned["phase"], planned["objections"]) == ("planned", [])
    assert any("from bridge br-int to br-ovn" in change for change in planned["changes"])
    assert bridges(cloud, one_port, two_port) == [WEFT, WEFT]
    for plugin, bridge in (("ovn", OVN), ("openflow", WEFT)):

        def there(plugin: str = plugin) -> None:
            move(cloud, red, plugin)
            settled(cloud, red)

        lost = losses(one, two_port, there).lost
        sys.stdout.write(f"moved to {plugin}: {lost} packets of 100/s lost ({lost * INTERVAL_S:.2f} s)\n")
        assert lost * INTERVAL_S < MOST_LOST_S
        assert bridges(cloud, one_port, two_port) == [bridge, bridge]
        shown = cloud.weft.api.show("port", one_port["id"])
        assert shown["binding:vif_details"]["bridge_name"] == bridge
        assert cloud.weft.api.show("network", red)["weft:plugin"] == plugin
        two.ping_until_answered(address(one_port))


def test_what_is_interrupted_goes_on_or_is_taken_back(cloud: Cloud, guests: Any) -> None:
    red, one, one_port, _two, two_port = guests
    cloud.cluster.kill("northd")  # so that OVN is never ready

    def begin_and_take_back() -> None:
        move(cloud, red, "ovn")
        assert phase(cloud, red) == "preparing"
        with pytest.raises(ApiError) as refused:
            move(cloud, red, "nobody")
        assert refused.value.status == 409
        assert move(cloud, red, "openflow")["phase"] == "arrived"

    assert losses(one, two_port, begin_and_take_back).lost == 0
    assert bridges(cloud, one_port, two_port) == [WEFT, WEFT]
    cloud.cluster.start_northd()
    move(cloud, red, "ovn")
    eventually(lambda: phase(cloud, red) != "preparing", ARRIVES_S, "OVN is ready", every_s=0.01)
    cloud.weft.kill()
    cloud.weft.start()
    settled(cloud, red)
    assert bridges(cloud, one_port, two_port) == [OVN, OVN]
    one.ping_until_answered(address(two_port))


def test_a_network_that_would_lose_something_stays_and_every_reason_is_told(cloud: Cloud) -> None:
    red = cloud.network(cidr=None, **{"weft:plugin": "openflow", "provider:network_type": "vxlan"})
    slaac = {"ip_version": 6, "cidr": "2001:db8::/64", "ipv6_ra_mode": "slaac", "ipv6_address_mode": "slaac"}
    cloud.weft.api.create("subnet", network_id=red, **slaac)
    with pytest.raises(ApiError) as refused:
        move(cloud, red, "ovn")
    assert refused.value.status == 409
    for reason in ("'vxlan' is not among geneve, vlan, flat", "logical routers"):
        assert reason in str(refused.value)
    assert cloud.weft.api.show("network", red)["weft:plugin"] == "openflow"
