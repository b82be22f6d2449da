"""Where do faults happen? Three hypervisors whose every connection to Weft goes through a proxy that can hurt it."""

import contextlib
import itertools
import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import requests

from tests.lab import Lab, Weft, subnets
from tests.lab.api import ApiError
from tests.lab.guest import Vm
from tests.lab.hypervisor import OVSDB_PORT, Hypervisor
from tests.lab.process import LabError, eventually
from tests.lab_faults import observe
from tests.lab_faults.proxy import Faults, Proxy

T = TypeVar("T")
HOSTS = ("h1", "h2", "h3")
RETRY_S = 40.0


class Stage:
    """A cloud whose wires can be cut. Use `standing`."""

    def __init__(self, directory: Path, lab: Lab, hosts: Sequence[str] = HOSTS) -> None:
        self.directory, self.lab = directory, lab
        self.hosts = {name: lab.hypervisor(name) for name in hosts}
        self.openflow = Proxy(lab.controller_ip)
        self.ovsdb = {
            name: Proxy(lab.controller_ip, (host.management_ip, OVSDB_PORT)) for name, host in self.hosts.items()
        }
        advertise = "{}:{}".format(*self.openflow.address)
        self.weft = Weft(directory / "weft", lab=lab, arguments=("--openflow-advertise", advertise))
        self._numbers = itertools.count(1)

    # ---- life

    def start(self) -> None:
        """Start Weft and register the hosts by their proxies."""
        self.weft.start()
        address, _, port = self.weft.openflow.rpartition(":")
        self.openflow.target = (address, int(port))
        self.register()

    def register(self) -> None:
        """Register every host and wait until it is programmed."""
        for name, host in self.hosts.items():
            self.weft.api.post("/v2.0/hosts", {"host": self._host_body(name, host)})
        for name in self.hosts:
            self.weft.wait_for_host(name)

    def _host_body(self, name: str, host: Hypervisor) -> dict[str, Any]:
        ovsdb = "tcp:{}:{}".format(*self.ovsdb[name].address)
        return {"name": name, "ovsdb": ovsdb, "tunnel_ip": host.tunnel_ip, "datapath_type": "netdev"}

    def close(self) -> None:
        """End Weft and the proxies; the laboratory is its maker's."""
        self.weft.kill()
        for proxy in (self.openflow, *self.ovsdb.values()):
            proxy.close()

    def heal(self) -> None:
        """Take every fault back."""
        for faults in [*self.openflow.faults.values(), *(f for p in self.ovsdb.values() for f in p.faults.values())]:
            faults.heal()

    def clear(self) -> None:
        """End every VM and delete everything that was asked for."""
        self.heal()
        if not self.weft.is_running:
            self.weft.kill()
            self.weft.start()
        for host in self.hosts.values():
            for vm in list(host.vms.values()):
                host.destroy_vm(vm)
                with contextlib.suppress(LabError):
                    host.vsctl("--if-exists", "--no-wait", "del-port", "br-int", vm.device)
        for port in self.weft.api.list("ports"):
            self.weft.api.delete(f"/v2.0/ports/{port['id']}")
        for network in self.weft.api.list("networks"):
            self.weft.api.delete(f"/v2.0/networks/{network['id']}")

    # ---- faults

    def switch(self, name: str) -> Faults:
        """Return the faults of a host's OpenFlow connection."""
        return self.openflow.of(self.hosts[name].management_ip)

    def database(self, name: str) -> Faults:
        """Return the faults of a host's OVSDB connection (Weft is the client)."""
        return self.ovsdb[name].of(self.lab.controller_ip)

    def cut_switch(self, name: str) -> int:
        """Cut a host's OpenFlow connection now."""
        return self.openflow.cut(self.hosts[name].management_ip)

    def part_from(self, name: str) -> None:
        """Cut both connections of a host, and let none be made until `heal`; its guests and tunnels go on."""
        self.switch(name).refused = self.database(name).refused = True
        self.cut_switch(name)
        self.ovsdb[name].cut()

    def kill_controller(self) -> None:
        """Kill the controller child alone (kill -9); the supervisor starts it again."""
        os.kill(observe.child(self.weft), signal.SIGKILL)

    def restart_controller(self) -> None:
        """Kill the controller child and wait until its successor has read every switch."""
        before = len(self._synced())
        self.kill_controller()
        eventually(
            lambda: len(self._synced()) >= before + len(self.hosts), 30, "a new controller has read every switch"
        )
        self.settle()

    def _synced(self) -> list[str]:
        return [line for line in self.weft.log.read_text(errors="replace").splitlines() if " switch_synced " in line]

    def settle(self, timeout_s: float = 30.0) -> None:
        """Wait until every host is UP: connected, read, and everything desired confirmed."""
        for name in self.hosts:
            self._settle(name, timeout_s)

    def _settle(self, name: str, timeout_s: float) -> None:
        eventually(lambda: self.host(name)["status"] == "UP", timeout_s, lambda: f"{name}: {self.host(name)}")

    # ---- what a compute service does

    def host(self, name: str) -> dict[str, Any]:
        """Return a host as the API shows it."""
        return self.persist(lambda: self.weft.api.list("hosts", name=name))[0]

    def persist(self, call: Callable[[], T]) -> T:
        """Repeat a call while nobody listens, as a client with retries does.

        Raises:
            TimeoutError: Nobody listened for long.
        """
        deadline = time.monotonic() + RETRY_S
        while True:
            try:
                return call()
            except (requests.ConnectionError, requests.Timeout) as error:
                if time.monotonic() >= deadline:
                    raise TimeoutError(f"the API did not answer for {RETRY_S:g} s") from error
                time.sleep(0.05)

    def network(self, cidr: str = "10.10.0.0/22", **attributes: Any) -> str:
        """Create a network with a subnet."""
        network = self.weft.api.create("network", **attributes)
        self.weft.api.create("subnet", **subnets.body(network["id"], cidr))
        return str(network["id"])

    def port(self, network: str, host: str, **attributes: Any) -> dict[str, Any]:
        """Create a bound port."""
        return self.weft.api.create("port", **{"network_id": network, "binding:host_id": host, **attributes})

    def boot(self, host: str, port: dict[str, Any]) -> Vm:
        """Start a VM whose device has the pre-wired name."""
        name = f"vm{next(self._numbers)}"
        device = f"tap{port['id'][:11]}"
        return self.hosts[host].boot_vm(name, device=device, mac=port["mac_address"], ipv6=False)

    def vm(self, network: str, host: str, **attributes: Any) -> tuple[Vm, dict[str, Any]]:
        """Create a port and its VM, wait for ACTIVE, give it its address by hand."""
        port = self.port(network, host, **attributes)
        vm = self.boot(host, port)
        port = self.weft.wait_for_port(port["id"])
        vm.address_set(f"{port['fixed_ips'][0]['ip_address']}/22")
        return vm, port

    def delete_port(self, port_id: str) -> None:
        """Delete a port; it may be gone already, when an earlier try was cut off before its answer came."""
        try:
            self.persist(lambda: self.weft.api.delete(f"/v2.0/ports/{port_id}"))
        except ApiError as error:
            if error.status != 404:
                raise


def address(port: dict[str, Any]) -> str:
    """Return a port's first address."""
    return str(port["fixed_ips"][0]["ip_address"])


@contextlib.contextmanager
def standing(directory: Path, hosts: Sequence[str] = HOSTS) -> Iterator[Stage]:
    """Give a stage with everything registered and up."""
    with Lab(directory / "lab") as lab:
        stage = Stage(directory, lab, hosts)
        try:
            lab.warm_up()
            stage.start()
            yield stage
        finally:
            stage.close()
