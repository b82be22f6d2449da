"""What would a compute service do? Create ports, start VMs and plug them, on two registered hypervisors."""

import contextlib
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.lab import subnets
from tests.lab.guest import Vm
from tests.lab.hypervisor import Hypervisor
from tests.lab.laboratory import Lab
from tests.lab.weft import Weft


@dataclass(kw_only=True)
class Cloud:
    """Short ways to say "a VM on that network"."""

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

    def vm(
        self, network: str, host: Hypervisor, *, by_hand: bool = True, **attributes: Any
    ) -> tuple[Vm, dict[str, Any]]:
        """Create a bound port, start its VM, wait for ACTIVE, and (`by_hand`) give it its address."""
        port = self.port(network, host, **attributes)
        vm = self.boot(host, port)
        port = self.weft.wait_for_port(port["id"])
        if by_hand:
            vm.address_set(f"{address(port)}/24")
        return vm, port

    def clear(self) -> None:
        """End every VM and delete everything that was asked for."""
        for host in (self.h1, self.h2):
            for vm in list(host.vms.values()):
                self.end(host, vm)
        for vnic in self.weft.api.list("vnics"):
            if vnic["port_id"] is not None:
                self.weft.api.put(f"/v2.0/vnics/{vnic['id']}/unplug", {})
            self.weft.api.delete(f"/v2.0/vnics/{vnic['id']}")
        for port in self.weft.api.list("ports"):
            self.weft.api.delete(f"/v2.0/ports/{port['id']}")
        for network in self.weft.api.list("networks"):
            self.weft.api.delete(f"/v2.0/networks/{network['id']}")

    def end(self, host: Hypervisor, vm: Vm) -> None:
        """End a VM."""
        host.destroy_vm(vm)


def address(port: dict[str, Any]) -> str:
    """Return a port's first address."""
    return str(port["fixed_ips"][0]["ip_address"])


@contextlib.contextmanager
def two_hosts(directory: Path) -> Iterator[dict[str, Any]]:
    """Give what a `Cloud` is made of: a laboratory, Weft, and the registered hosts h1 and h2."""
    with Lab(directory / "lab") as lab, Weft(directory / "weft", lab=lab) as weft:
        h1, h2 = lab.hypervisor("h1"), lab.hypervisor("h2")
        lab.warm_up()
        weft.add_host(h1)
        weft.add_host(h2)
        yield {"lab": lab, "weft": weft, "h1": h1, "h2": h2}
