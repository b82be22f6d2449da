"""A laboratory with an OVN cluster of two chassis, and Weft with both plug-ins."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.lab import Lab, Weft, subnets
from tests.lab.guest import Vm
from tests.lab.hypervisor import Hypervisor
from tests.lab.process import eventually
from tests.lab_ovn.cluster import Cluster

HEARTBEAT_S = "2"
"""Three may be missed, and the leader may change meanwhile."""


@dataclass
class Cloud:
    """What a compute service would do: create ports, start VMs, plug them."""

    lab: Lab
    weft: Weft
    cluster: Cluster
    h1: Hypervisor
    h2: Hypervisor
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def network(
        self, cidr: str | None = "10.10.0.0/24", subnet: dict[str, Any] | None = None, **attributes: Any
    ) -> str:
        """Create a network that OVN realises, with a subnet unless `cidr` is None, and return its id."""
        network = self.weft.api.create("network", **{"weft:plugin": "ovn", **attributes})
        assert network["weft:plugin"] == attributes.get("weft:plugin", "ovn")
        if cidr is not None:
            self.weft.api.create("subnet", **subnets.body(network["id"], cidr, **(subnet or {})))
        return str(network["id"])

    def group(self, *rules: dict[str, Any], **attributes: Any) -> str:
        """Create a security group, with rules beside the default ones, and return its id."""
        body = {"security_group": {"name": "lab", **attributes}}
        group = str(self.weft.api.post("/v2.0/security-groups", body)["security_group"]["id"])
        for rule in rules:
            self.weft.api.post(
                "/v2.0/security-group-rules", {"security_group_rule": {"security_group_id": group, **rule}}
            )
        return group

    def port(self, network: str, host: Hypervisor | None = None, **attributes: Any) -> dict[str, Any]:
        """Create a port, bound to a host if one is given; open to everybody unless groups are named."""
        bound = {} if host is None else {"binding:host_id": host.name}
        return self.weft.api.create("port", network_id=network, **bound, **attributes)

    def plug(self, host: Hypervisor, port: dict[str, Any]) -> Vm:
        """Start a VM and plug its device as os-vif does."""
        number = next(self.numbers)
        vm = host.boot_vm(f"vm{number}", device=f"tap{port['id'][:11]}", mac=port["mac_address"])
        host.plug(vm, port["id"])
        return vm

    def vm(self, network: str, host: Hypervisor, *, by_hand: bool = True, **attributes: Any) -> tuple[Vm, Any]:
        """Create a bound port, plug a VM, wait for ACTIVE, and give it its address by hand."""
        port = self.port(network, host, **attributes)
        vm = self.plug(host, port)
        port = self.weft.wait_for_port(port["id"])
        if by_hand:
            vm.address_set(f"{address(port)}/24")
        return vm, port

    def clear(self) -> None:
        """End every VM and delete everything that was asked for."""
        for host in (self.h1, self.h2):
            for vm in list(host.vms.values()):
                host.unplug(vm)
                host.destroy_vm(vm)
        for port in self.weft.api.list("ports"):
            self.weft.api.delete(f"/v2.0/ports/{port['id']}")
        for network in self.weft.api.list("networks"):
            self.weft.api.delete(f"/v2.0/networks/{network['id']}")
        for group in self.weft.api.get("/v2.0/security-groups")["security_groups"]:
            if group["name"] != "default":
                self.weft.api.delete(f"/v2.0/security-groups/{group['id']}")


def status(cloud: Cloud, port_id: str) -> dict[str, str]:
    """Return why a port has its status."""
    return dict(cloud.weft.api.get(f"/v2.0/ports/{port_id}/status")["port_status"])


def health(cloud: Cloud) -> dict[str, Any]:
    """Return what the directory says of the plug-in."""
    return dict(cloud.weft.api.get("/v2.0/plugins/ovn")["plugin"])


def address(port: dict[str, Any]) -> str:
    """Return a port's first address."""
    return str(port["fixed_ips"][0]["ip_address"])


def serve(directory: Path, lab: Lab, cluster: Cluster, *, plugins: str = "openflow,ovn", **more: str) -> Weft:
    """Return Weft with both plug-ins, not started; `more` are settings of OVN's."""
    settings = {**cluster.settings(), "heartbeat": HEARTBEAT_S, **more}
    flags = [f"--plugin-setting=ovn.{name}={value}" for name, value in settings.items()]
    return Weft(directory, lab=lab, arguments=[f"--enabled-plugins={plugins}", *flags])


@pytest.fixture(scope="module")
def servers() -> int:
    """How many servers each database has; a module may want a raft."""
    return 1


@pytest.fixture(scope="module")
def has_tls() -> bool:
    """Whether Weft speaks TLS with the databases."""
    return False


@pytest.fixture(scope="module")
def shared_cloud(tmp_path_factory: pytest.TempPathFactory, servers: int, has_tls: bool) -> Iterator[Cloud]:
    directory: Path = tmp_path_factory.mktemp("cloud")
    with Lab(directory / "lab") as lab:
        cluster = Cluster(lab, servers=servers, has_tls=has_tls)
        try:
            cluster.create()
            h1, h2 = cluster.chassis("h1", physnets=["physnet1"]), cluster.chassis("h2")
            lab.warm_up()
            with serve(directory / "weft", lab, cluster) as weft:
                eventually(lambda: len(weft.api.list("hosts")) == 2, 20, lambda: f"hosts: {weft.api.list('hosts')}")
                yield Cloud(lab=lab, weft=weft, cluster=cluster, h1=h1, h2=h2)
        finally:
            cluster.close()


@pytest.fixture
def lab(shared_cloud: Cloud) -> Lab:
    """Let a failing test show the laboratory's logs."""
    return shared_cloud.lab


@pytest.fixture
def weft(shared_cloud: Cloud) -> Weft:
    """Let a failing test show Weft's log."""
    return shared_cloud.weft


@pytest.fixture
def cloud(shared_cloud: Cloud, lab: Lab, weft: Weft) -> Iterator[Cloud]:
    """Give the module's laboratory, empty."""
    yield shared_cloud
    shared_cloud.clear()
