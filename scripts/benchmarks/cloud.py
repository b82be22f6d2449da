"""What is measured? A laboratory with Weft, hosts full of ports, and a bridge of Open vSwitch alone: the floor.

Other ports on a host are interfaces of type ``dummy``: ovs-vswitchd gives them OpenFlow numbers and polls them as any
other, but the kernel has no device for them, so a thousand of them measure Open vSwitch and not network namespaces.
"""

import contextlib
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks import processes
from tests.lab import Lab, Weft, eventually
from tests.lab.guest import Vm
from tests.lab.hypervisor import Hypervisor

Port = dict[str, Any]
BULK = 500
"""Ports created by one request, unless a measurement says otherwise."""
FLOOR_BRIDGE = "br-floor"


def enable_dummies(host: Hypervisor) -> None:
    """Start the host's ovs-vswitchd anew, from now on with interfaces of type dummy."""
    launch = host._start  # noqa: SLF001 - the laboratory has no such switch: products' tests never want it

    def with_dummies(argv: Sequence[str]) -> Any:
        more = ["--enable-dummy"] if argv[0] == "ovs-vswitchd" else []
        return launch([*argv, *more])

    host._start = with_dummies  # type: ignore[method-assign] # noqa: SLF001
    host.stop_vswitchd()
    host.start_vswitchd()


def vswitchd_pid(host: Hypervisor) -> int:
    """Return the process id of a host's ovs-vswitchd."""
    running = host._vswitchd  # noqa: SLF001 - only the laboratory itself needed it so far
    if running is None:
        raise RuntimeError(f"{host.name}: ovs-vswitchd does not run")
    return running.pid


def flow_count(host: Hypervisor, bridge: str = "br-int") -> int:
    """Return how many flows a bridge has."""
    return int(host.ofctl("dump-aggregate", bridge).split("flow_count=")[1].split()[0])


def dummy_words(bridge: str, names: Iterable[str], iface_ids: Iterable[str] | None = None) -> list[str]:
    """Return the words that make ovs-vsctl(8) add dummy interfaces in one transaction."""
    words: list[str] = []
    names = list(names)
    for name, iface_id in zip(names, iface_ids or [""] * len(names), strict=True):
        words += ["--", "add-port", bridge, name, "--", "set", "Interface", name, "type=dummy"]
        words += [f"external_ids:iface-id={iface_id}"] if iface_id else []
    return words


def introduce(one: Vm, one_ip: str, other: Vm, other_ip: str) -> None:
    """Tell two guests each other's MAC for good, so that ARP is not what is measured."""
    for guest, mac, address in ((one, other.mac, other_ip), (other, one.mac, one_ip)):
        guest.run(["ip", "neigh", "replace", address, "lladdr", mac, "dev", "eth0", "nud", "permanent"])


class Floor:
    """A NORMAL bridge on an Open vSwitch of its own."""

    def __init__(self, host: Hypervisor) -> None:
        self.host = host
        self.dummies = 0
        host.vsctl("add-br", FLOOR_BRIDGE, "--", "set", "bridge", FLOOR_BRIDGE, "datapath_type=netdev")

    def grow(self, count: int) -> float:
        """Add dummy interfaces until there are `count`; return the seconds ovs-vsctl took."""
        names = [f"d{number}" for number in range(self.dummies, count)]
        began = time.monotonic()
        if names:
            self.host.vsctl(*dummy_words(FLOOR_BRIDGE, names), timeout_s=120)
        self.dummies = max(self.dummies, count)
        return time.monotonic() - began


class Cloud:
    """Weft, its hosts, and what benchmarks ask of both."""

    def __init__(self, lab: Lab, weft: Weft, hosts: Sequence[Hypervisor]) -> None:
        self.lab, self.weft, self.hosts = lab, weft, tuple(hosts)
        self.h1 = self.hosts[0] if self.hosts else None

    @property
    def api(self) -> Any:
        """The client."""
        return self.weft.api

    @property
    def pids(self) -> dict[str, int]:
        """Process ids: ``controller``, ``api``, and ``vswitchd`` of the first host."""
        found = processes.children(self.weft.pid)
        named = {"controller": found["controller.main"], "api": found["api.serve"]}
        return named | ({"vswitchd": vswitchd_pid(self.hosts[0])} if self.hosts else {})

    def network(self, cidr: str = "10.99.0.0/16", name: str = "bench") -> str:
        """Create a network with a DHCP subnet and return its id."""
        network_id: str = self.api.create("network", name=name)["id"]
        self.api.create("subnet", network_id=network_id, ip_version=4, cidr=cidr, enable_dhcp=True)
        return network_id

    def port(self, network_id: str, host: str | None, **attributes: Any) -> Port:
        """Create one port."""
        created: Port = self.api.create(
            "port", network_id=network_id, **({"binding:host_id": host} if host else {}), **attributes
        )
        return created

    def bulk(self, bodies: Sequence[dict[str, Any]]) -> list[Port]:
        """Create ports with one request."""
        answer = self.api._session.post(  # noqa: SLF001 - the client's own limit of 30 s is for tests
            f"{self.api.url}/v2.0/ports", json={"ports": list(bodies)}, timeout=300
        )
        answer.raise_for_status()
        ports: list[Port] = answer.json()["ports"]
        return ports

    def ports(self, network_id: str, host: str | None, count: int) -> list[Port]:
        """Create `count` ports, some hundred a request."""
        body: dict[str, Any] = {"network_id": network_id} | ({"binding:host_id": host} if host else {})
        made: list[Port] = []
        while len(made) < count:
            made += self.bulk([body] * min(BULK, count - len(made)))
        return made

    def plug_dummies(self, host: Hypervisor, ports: Sequence[Port]) -> float:
        """Plug ports as dummy interfaces in one transaction; return the seconds ovs-vsctl took."""
        ids = [port["id"] for port in ports]
        began = time.monotonic()
        if ids:
            host.vsctl(*dummy_words("br-int", [f"d{i[:11]}" for i in ids], ids), timeout_s=170)
        return time.monotonic() - began

    def wait_active(self, count: int, timeout_s: float = 170.0) -> None:
        """Wait until so many ports are ACTIVE."""
        seen = [0]

        def enough() -> bool:
            seen[0] = len(self.api.get("/v2.0/ports", status="ACTIVE", fields="id")["ports"])
            return seen[0] >= count

        eventually(enough, timeout_s, lambda: f"{count} ports are ACTIVE; {seen[0]} are", every_s=0.05)

    def wait_flows(self, host: Hypervisor, at_least: int, timeout_s: float = 170.0) -> None:
        """Wait until a host's bridge has so many flows."""
        eventually(
            lambda: flow_count(host) >= at_least,
            timeout_s,
            lambda: f"{at_least} flows on {host.name}; there are {flow_count(host)}",
            every_s=0.01,
        )

    def settle(self, quiet_s: float = 0.6, timeout_s: float = 90.0) -> None:
        """Wait until Weft and the first host's switch use next to no processor time."""
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            before = processes.cpus_s(self.pids)
            time.sleep(quiet_s)
            if all(after - before[name] < 0.1 * quiet_s for name, after in processes.cpus_s(self.pids).items()):
                return
        raise TimeoutError(f"Weft or Open vSwitch is not at rest after {timeout_s:g} s")

    def guest(self, host: Hypervisor, name: str, mac: str, address: str) -> Vm:
        """Return a started guest whose device (named as it is) is on the host but on no bridge."""
        vm = host.boot_vm(name, device=name, mac=mac, ipv6=False)
        vm.address_set(address)
        return vm


@contextlib.contextmanager
def cloud(hosts: int = 1, *, dummies: bool = True) -> Iterator[Cloud]:
    """Run Weft with hosts ``h1``, ``h2``, ... in a laboratory of its own; everything is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="weft-bench-") as name, contextlib.ExitStack() as stack:
        directory = Path(name)
        lab = stack.enter_context(Lab(directory / "lab", warm=False))
        weft = stack.enter_context(Weft(directory / "weft", lab=lab if hosts else None))
        hypervisors = [lab.hypervisor(f"h{number}") for number in range(1, hosts + 1)]
        for host in hypervisors if dummies else ():
            enable_dummies(host)
        for host in hypervisors:
            register(weft, host)
        for host in hypervisors:
            weft.wait_for_host(host.name, 60)
        yield Cloud(lab, weft, hypervisors)


def register(weft: Weft, host: Hypervisor) -> None:
    """Register a host over the API, without waiting for it."""
    body = {"name": host.name, "ovsdb": host.ovsdb, "tunnel_ip": host.tunnel_ip, "datapath_type": "netdev"}
    weft.api.post("/v2.0/hosts", {"host": body})


@contextlib.contextmanager
def floor(lab: Lab) -> Iterator[Floor]:
    """Add a hypervisor of which Weft knows nothing."""
    host = lab.hypervisor("floor")
    enable_dummies(host)
    yield Floor(host)


def repeat(count: int, act: Callable[[int], float]) -> list[float]:
    """Run one measurement some times after one that does not count, and return milliseconds."""
    act(0)
    return [act(number) * 1000 for number in range(1, count + 1)]
