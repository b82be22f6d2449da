"""What is a whole laboratory? An id, two cables' worth of Linux bridges, hypervisors, and the duty to leave nothing."""

import ipaddress
import json
import random
import socket
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.lab import netns, registry
from tests.lab.hypervisor import Hypervisor, Place
from tests.lab.process import LabError, run

UNDERLAY = ipaddress.IPv4Network("172.31.0.0/24")
"""Inside namespaces only, so the same in every laboratory."""
FIRST_HOST = 11
"""Last octet of the first hypervisor, in both networks; the controller has 1 in the management network."""
DEFAULT_UNDERLAY_MTU = 1600
"""Leaves 1500 octets to guests under VXLAN or Geneve over IPv4 (RFC 7348 section 5: 50 octets of headers)."""
BRIDGE_MTU = 9000


class Lab:
    """A laboratory. Use it as a context manager: leaving the block removes everything."""

    def __init__(
        self,
        directory: Path,
        *,
        rng: random.Random | None = None,
        management: ipaddress.IPv4Network | None = None,
        kept: bool = False,
        warm: bool = True,
        underlay_mtu: int = DEFAULT_UNDERLAY_MTU,
    ) -> None:
        """Say what is wanted; nothing exists before `create` (or ``with``).

        Args:
            directory: for logs and lease files; stays when the laboratory goes.
            rng: for the id and the management network.
            management: a /24 to take if it is free, as an earlier run had it.
            kept: outlive this process (``scripts/lab up``).
            warm: tell each host the MAC of every other, so that the first tunnel packet is not lost.
            underlay_mtu: of br-phy.
        """
        self.directory = directory
        self.hypervisors: dict[str, Hypervisor] = {}
        self._rng = rng or random.SystemRandom()
        self._wanted = management
        self._kept = kept
        self._warm = warm
        self._underlay_mtu = underlay_mtu
        self._claim: registry.Claim | None = None

    def __enter__(self) -> Self:
        self.create()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    # ---- life

    @property
    def id(self) -> str:
        """Six characters that are in the name of everything the laboratory makes."""
        return self._claimed.id

    @property
    def controller_ip(self) -> str:
        """The address in the root namespace that hypervisors reach: where OpenFlow must listen."""
        return str(self.management[1])

    @property
    def management(self) -> ipaddress.IPv4Network:
        """The network of OVSDB and OpenFlow."""
        return self._claimed.management

    @property
    def _claimed(self) -> registry.Claim:
        if self._claim is None:
            raise LabError("the laboratory does not exist: call create() or use it in a with statement")
        return self._claim

    def create(self) -> None:
        """Claim an id, make both networks and the controller's end of the management network."""
        self.directory.mkdir(parents=True, exist_ok=True)
        self._claim = registry.claim(rng=self._rng, wanted=self._wanted, kept=self._kept)
        try:
            with registry.machine_lock():  # the very first namespace of a machine mounts /run/netns
                netns.add(self._network)
            for bridge in ("underlay", "management"):
                self._ip(self._network, "link", "add", bridge, "type", "bridge")
                self._ip(self._network, "link", "set", bridge, "mtu", str(BRIDGE_MTU), "up")
            self._connect_root()
        except BaseException:
            self.close()
            raise

    def _connect_root(self) -> None:
        device = registry.root_device(self.id)
        run(["ip", "link", "add", device, "type", "veth", "peer", "name", "root", "netns", self._network])
        self._ip(self._network, "link", "set", "root", "master", "management", "up")
        switch = Path(f"/proc/sys/net/ipv6/conf/{device}/disable_ipv6")
        if switch.exists():
            switch.write_text("1")
        run(["ip", "addr", "add", f"{self.controller_ip}/{self.management.prefixlen}", "dev", device])
        run(["ip", "link", "set", device, "up"])

    def close(self) -> None:
        """Remove everything; may be called again, and in the middle of a failed `create`."""
        if self._claim is None:
            return
        registry.remove(self.id)
        for hypervisor in self.hypervisors.values():
            hypervisor.reap()
        self.hypervisors.clear()
        self._claim = None

    @property
    def _network(self) -> str:
        return f"{netns.NAMESPACE_PREFIX}{self.id}-net"

    @staticmethod
    def _ip(namespace: str, *arguments: str) -> None:
        run(["ip", "-n", namespace, *arguments])

    # ---- hosts

    def hypervisor(self, name: str) -> Hypervisor:
        """Start one more hypervisor; it is reachable from the controller when this returns."""
        if name in self.hypervisors or name == "net":
            raise LabError(f"the name {name} is in use in this laboratory")
        number = len(self.hypervisors) + 1
        hypervisor = Hypervisor(self._place(name, number))
        namespace = hypervisor.namespace
        netns.add(namespace)
        self._cable(namespace, "ul", f"u{number}", "underlay", self._underlay_mtu)
        self._cable(namespace, "mgmt", f"m{number}", "management", 1500)
        address = f"{hypervisor.management_ip}/{self.management.prefixlen}"
        self._ip(namespace, "addr", "add", address, "dev", "mgmt")
        self._ip(namespace, "link", "set", "mgmt", "up")
        run(netns.command(namespace, ["ethtool", "-K", "ul", "tx", "off"]))
        self.hypervisors[name] = hypervisor
        hypervisor.create()
        self._prove_management(hypervisor)
        self._remember()
        if self._warm:
            self.warm_up()
        return hypervisor

    def _place(self, name: str, number: int) -> Place:
        octet = FIRST_HOST + number - 1
        return Place(
            lab_id=self.id,
            name=name,
            namespace=f"{netns.NAMESPACE_PREFIX}{self.id}-{name}",
            management_ip=str(self.management[octet]),
            tunnel_ip=str(UNDERLAY[octet]),
            tunnel_prefix=UNDERLAY.prefixlen,
            underlay_mtu=self._underlay_mtu,
            state=self._claimed.directory / name,
            logs=self.directory / name,
        )

    def _cable(self, namespace: str, device: str, port: str, bridge: str, mtu: int) -> None:
        """Lay a veth from a hypervisor's device to a port of one of the two bridges."""
        size = ("mtu", str(mtu))
        peer = ("peer", "name", port, *size, "netns", self._network)
        self._ip(namespace, "link", "add", device, *size, "type", "veth", *peer)
        self._ip(self._network, "link", "set", port, "master", bridge, "up")
        self._ip(namespace, "link", "set", device, "up")

    def _prove_management(self, hypervisor: Hypervisor) -> None:
        """Connect from the hypervisor to the controller's address once, so that a firewall is named and not guessed."""
        with socket.create_server((self.controller_ip, 0)) as listener:
            target = listener.getsockname()

            def connect() -> None:
                socket.create_connection(target, timeout=5).close()

            try:
                netns.inside(hypervisor.namespace, connect)
            except OSError as error:
                device = registry.root_device(self.id)
                raise LabError(
                    f"{hypervisor.name} cannot reach {self.controller_ip} in the root namespace ({error}): "
                    f"allow incoming TCP on device {device} in this machine's firewall"
                ) from error

    def warm_up(self) -> None:
        """Tell every host's tunnel code the MAC of every other host; again after a restart of ovs-vswitchd."""
        everybody = list(self.hypervisors.values())
        for host in everybody:
            for peer in everybody:
                if peer is not host:
                    host.learn_peer(peer)

    # ---- laboratories that outlive their process

    def _remember(self) -> None:
        """Write down what `attach` needs."""
        memory = {"directory": str(self.directory), "hypervisors": list(self.hypervisors)}
        (self._claimed.directory / "lab.json").write_text(json.dumps(memory))

    @classmethod
    def attach(cls, lab_id: str) -> Self:
        """Return a handle on a laboratory that another process made and left running.

        Raises:
            LabError: there is no such laboratory.
        """
        state = registry.STATE_ROOT / lab_id
        try:
            memory = json.loads((state / "lab.json").read_text())
            owner = json.loads((state / "owner.json").read_text())
        except OSError as error:
            raise LabError(f"no laboratory {lab_id}: scripts/lab list shows those that exist") from error
        lab = cls(Path(memory["directory"]), kept=True)
        lab._claim = registry.Claim(id=lab_id, directory=state, management=ipaddress.IPv4Network(owner["management"]))
        for number, name in enumerate(memory["hypervisors"], 1):
            lab.hypervisors[name] = Hypervisor(lab._place(name, number))
        return lab
