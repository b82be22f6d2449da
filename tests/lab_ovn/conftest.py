"""A laboratory with an OVN cluster of two chassis, and Weft with both plug-ins."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.lab import Lab, Weft
from tests.lab import cloud as compute
from tests.lab.guest import Vm
from tests.lab.hypervisor import Hypervisor
from tests.lab.process import eventually
from tests.lab_ovn.cluster import Cluster

HEARTBEAT_S = "2"
"""Three may be missed, and the leader may change meanwhile."""


@dataclass(kw_only=True)
class Cloud(compute.Cloud):
    """A cloud whose networks are OVN's unless they say otherwise, and whose VMs are plugged as os-vif does."""

    cluster: Cluster

    def network(
        self, cidr: str | None = "10.10.0.0/24", subnet: dict[str, Any] | None = None, **attributes: Any
    ) -> str:
        """Create a network that OVN realises, with a subnet unless `cidr` is None, and return its id."""
        made = super().network(cidr, subnet, **{"weft:plugin": "ovn", **attributes})
        assert self.weft.api.show("network", made)["weft:plugin"] == attributes.get("weft:plugin", "ovn")
        return made

    def group(self, *rules: dict[str, Any], **attributes: Any) -> str:
        """Create a security group, with rules beside the default ones, and return its id."""
        body = {"security_group": {"name": "lab", **attributes}}
        group = str(self.weft.api.post("/v2.0/security-groups", body)["security_group"]["id"])
        for rule in rules:
            self.weft.api.post(
                "/v2.0/security-group-rules", {"security_group_rule": {"security_group_id": group, **rule}}
            )
        return group

    def boot(self, host: Hypervisor, port: dict[str, Any], *, device: str | None = None) -> Vm:
        """Start a VM and plug its device."""
        vm = super().boot(host, port, device=device)
        host.plug(vm, port["id"])
        return vm

    def end(self, host: Hypervisor, vm: Vm) -> None:
        """Unplug a VM and end it."""
        host.unplug(vm)
        super().end(host, vm)

    def clear(self) -> None:
        """End every VM and delete everything that was asked for."""
        super().clear()
        for group in self.weft.api.get("/v2.0/security-groups")["security_groups"]:
            if group["name"] != "default":
                self.weft.api.delete(f"/v2.0/security-groups/{group['id']}")


def status(cloud: Cloud, port_id: str) -> dict[str, str]:
    """Return why a port has its status."""
    return dict(cloud.weft.api.get(f"/v2.0/ports/{port_id}/status")["port_status"])


def health(cloud: Cloud) -> dict[str, Any]:
    """Return what the directory says of the plug-in."""
    return dict(cloud.weft.api.get("/v2.0/plugins/ovn")["plugin"])


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
def cloud(shared_cloud: Cloud) -> Iterator[Cloud]:
    """Give the module's laboratory, empty."""
    yield shared_cloud
    shared_cloud.clear()
