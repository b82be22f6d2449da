"""A laboratory with two registered hypervisors, and a short way to say "a VM on that network"."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.lab import Lab, Weft, subnets
from tests.lab.guest import Vm
from tests.lab.hypervisor import Hypervisor


@dataclass
class Cloud:
    """What a compute service would do: create ports, start VMs, plug them."""

    lab: Lab
    weft: Weft
    h1: Hypervisor
    h2: Hypervisor
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def network(
        self, cidr: str | None = "10.10.0.0/24", subnet: dict[str, Any] | None = None, **attributes: Any
    ) -> str:
        """Create a network, with a subnet unless `cidr` is None, and return its id."""
        network = self.weft.api.create("network", **attributes)
        if cidr is not None:
            self.weft.api.create("subnet", **subnets.body(network["id"], cidr, **(subnet or {})))
        return str(network["id"])

    def port(self, network: str, host: Hypervisor | None = None, **attributes: Any) -> dict[str, Any]:
        """Create a port, bound to a host if one is given."""
        bound = {} if host is None else {"binding:host_id": host.name}
        return self.weft.api.create("port", network_id=network, **bound, **attributes)

    def boot(self, host: Hypervisor, port: dict[str, Any], *, device: str | None = None) -> Vm:
        """Start a VM whose device has the pre-wired name; nobody else is told."""
        return host.boot_vm(
            f"vm{next(self.numbers)}", device=device or f"tap{port['id'][:11]}", mac=port["mac_address"]
        )

    def vm(self, network: str, host: Hypervisor, **attributes: Any) -> tuple[Vm, dict[str, Any]]:
        """Create a bound port, start its VM, wait for ACTIVE, and give it its address by hand."""
        port = self.port(network, host, **attributes)
        vm = self.boot(host, port)
        port = self.weft.wait_for_port(port["id"])
        vm.address_set(f"{address(port)}/24")
        return vm, port

    def clear(self) -> None:
        """End every VM and delete everything that was asked for."""
        for host in (self.h1, self.h2):
            for vm in list(host.vms.values()):
                host.destroy_vm(vm)
        for vnic in self.weft.api.list("vnics"):
            if vnic["port_id"] is not None:
                self.weft.api.put(f"/v2.0/vnics/{vnic['id']}/unplug", {})
            self.weft.api.delete(f"/v2.0/vnics/{vnic['id']}")
        for port in self.weft.api.list("ports"):
            self.weft.api.delete(f"/v2.0/ports/{port['id']}")
        for network in self.weft.api.list("networks"):
            self.weft.api.delete(f"/v2.0/networks/{network['id']}")


def address(port: dict[str, Any]) -> str:
    """Return a port's first address."""
    return str(port["fixed_ips"][0]["ip_address"])


@pytest.fixture(scope="module")
def shared_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    directory: Path = tmp_path_factory.mktemp("cloud")
    with Lab(directory / "lab") as lab, Weft(directory / "weft", lab=lab) as weft:
        h1, h2 = lab.hypervisor("h1"), lab.hypervisor("h2")
        lab.warm_up()
        weft.add_host(h1)
        weft.add_host(h2)
        yield Cloud(lab=lab, weft=weft, h1=h1, h2=h2)


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
