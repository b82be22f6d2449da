"""Do frames get to a physical network through ``physnets``, and is a host told to lack one until it has it?

The physical router is an address on the provider bridge, untagged for the flat network and behind VLAN 100.
"""

import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from tests.lab.cloud import Cloud, address
from tests.lab.process import eventually

ROUTER, VLAN = "10.10.0.254", 100


@pytest.fixture
def provider(cloud: Cloud) -> Iterator[str]:
    """A provider bridge on h1 with the router behind it; the host does not name it yet."""
    host, name = cloud.h1, "br-ex"
    host.vsctl("add-br", name, "--", "set", "bridge", name, "datapath_type=netdev")
    for device, tag in (("flat", []), ("tagged", [f"tag={VLAN}"])):
        host.vsctl("add-port", name, device, *tag, "--", "set", "interface", device, "type=internal")
    yield name
    cloud.clear()
    name_physnets(cloud)
    host.vsctl("del-br", name)


def name_physnets(cloud: Cloud, **bridges: str) -> None:
    given = [{"physical_network": name, "bridge": bridge} for name, bridge in bridges.items()]
    cloud.weft.api.put("/v2.0/hosts/h1", {"host": {"physnets": given}})


def stand(cloud: Cloud, device: str) -> None:
    """Let the router stand behind a device of the provider bridge."""
    for command in (("addr", "add", f"{ROUTER}/24", "dev", device), ("link", "set", device, "up")):
        subprocess.run(["ip", "-n", cloud.h1.namespace, *command], check=True)


def status(cloud: Cloud, port: dict[str, Any]) -> dict[str, Any]:
    return dict(cloud.weft.api.get(f"/v2.0/ports/{port['id']}/status")["port_status"])


@pytest.mark.parametrize(("kind", "device"), [("flat", "flat"), ("vlan", "tagged")])
def test_a_port_waits_for_its_physical_network_and_reaches_the_router_then(
    cloud: Cloud, provider: str, kind: str, device: str
) -> None:
    name_physnets(cloud, blue=provider)  # a network of it can be made once some host has it
    numbered = {"provider:segmentation_id": VLAN} if kind == "vlan" else {}
    network = cloud.network(**{"provider:network_type": kind, "provider:physical_network": "blue"}, **numbered)
    name_physnets(cloud)
    stand(cloud, device)
    port = cloud.port(network, cloud.h1)
    assert port["binding:vif_type"] == "binding_failed"
    vm = cloud.boot(cloud.h1, port)
    said = eventually(
        lambda: (s := status(cloud, port))["reason"] == "PHYSNET_MISSING" and s, 5, "the status says what is missing"
    )
    assert "no way to physical network blue" in said["detail"]
    vm.address_set(f"{address(port)}/24")
    assert vm.ping(ROUTER, count=1).received == 0

    name_physnets(cloud, blue=provider)

    port = cloud.weft.wait_for_port(port["id"])
    assert port["binding:vif_type"] == "ovs"
    vm.ping_until_answered(ROUTER)
    ofport = cloud.h1.vsctl("get", "interface", "wi-br-ex", "ofport").strip()
    cloud.h1.vsctl("add-br", "br-new", "--", "set", "bridge", "br-new", "datapath_type=netdev")
    try:
        with vm.pinging(ROUTER, interval_s=0.02) as running:
            name_physnets(cloud, new="br-new", blue=provider)
            eventually(lambda: "wi-br-new" in cloud.h1.vsctl("list-ports", "br-int"), 5, "the new way is made")
            eventually(lambda: running.received() > 20, 5, "pings go on")
            assert running.stop().lost <= 2
        assert cloud.h1.vsctl("get", "interface", "wi-br-ex", "ofport").strip() == ofport, "its number stays"
    finally:
        name_physnets(cloud, blue=provider)
        cloud.h1.vsctl("del-br", "br-new")
