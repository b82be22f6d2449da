"""One laboratory for all modules: two hosts on a physical network, a third without it, and who else is out there."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.lab import Lab, Weft
from tests.lab.cloud import Cloud, address
from tests.lab.guest import Vm
from tests.lab.hypervisor import Hypervisor
from tests.lab.packets import Capture
from tests.lab.physical import PhysicalNetwork

PHYSNET, BRIDGE = "phys", "br-phys"
FOUR, SIX = "10.10.0.0/24", "fd00:10::/64"
PATIENCE_S = 5.0


@dataclass(kw_only=True)
class Kinds(Cloud):
    """A cloud whose first two hosts have a physical network."""

    h3: Hypervisor
    physical: PhysicalNetwork

    @property
    def hosts(self) -> tuple[Hypervisor, ...]:
        """All of Weft's hosts."""
        return (self.h1, self.h2, self.h3)

    def provider(
        self, vlan: int | None, subnet: dict[str, Any] | None = None, cidr: str = FOUR, **attributes: Any
    ) -> str:
        """Create a network on the physical network, in a VLAN or (None) without tags; return its id."""
        wire: dict[str, Any] = {"provider:network_type": "flat" if vlan is None else "vlan"}
        if vlan is not None:
            wire["provider:segmentation_id"] = vlan
        return self.network(cidr, subnet, **wire, **{"provider:physical_network": PHYSNET}, **attributes)

    def guest(self, network: str, host: Hypervisor, **attributes: Any) -> tuple[Vm, dict[str, Any]]:
        """Create a bound port, start its VM and, once the port is ACTIVE, let it ask for its address; return both."""
        port = self.port(network, host, **attributes)
        vm = self.boot(host, port)
        port = self.weft.wait_for_port(port["id"])
        assert vm.dhcp().address == address(port)
        return vm, port

    def underlay(self, host: Hypervisor) -> Capture:
        """Begin to capture what arrives at a host for its tunnels; use it as a context manager."""
        return Capture(host.namespace, "ul")

    def clear(self) -> None:
        """End every VM, also those on the physical network, and delete everything that was asked for."""
        for vm in list(self.h3.vms.values()):
            self.h3.destroy_vm(vm)
        self.physical.clear()
        super().clear()


@pytest.fixture(scope="package")
def shared_kinds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kinds]:
    directory: Path = tmp_path_factory.mktemp("kinds")
    with Lab(directory / "lab") as lab, Weft(directory / "weft", lab=lab) as weft:
        h1, h2, h3 = (lab.hypervisor(name) for name in ("h1", "h2", "h3"))
        physical = PhysicalNetwork(lab)
        for host in (h1, h2):
            physical.connect(host, BRIDGE)
            weft.add_host(host, "--physnet", f"{PHYSNET}:{BRIDGE}")
        weft.add_host(h3)
        yield Kinds(lab=lab, weft=weft, h1=h1, h2=h2, h3=h3, physical=physical)


@pytest.fixture
def kinds(shared_kinds: Kinds) -> Iterator[Kinds]:
    """Give the package's laboratory, empty."""
    yield shared_kinds
    shared_kinds.clear()
