"""What is the network the hosts hang on? A VLAN switch that is not Weft's, a router in it, and who else is there.

    h1                                   the physical network's namespace                 a server
      br-int == patch == br-phys -- pn ===== trunk ===== br-trunk -- access port, VLAN -- eth0
    h2 ...                                              |    |
                                                      v100  v101   legs of the router, one for each VLAN

The switch is an Open vSwitch too, for it needs no VLAN support of the kernel; it learns addresses as switches do. A leg
is a port of the switch's own namespace that sees one VLAN without its tag: what a VLAN sub-interface is to a router.
"""

import json
from pathlib import Path

from tests.lab import netns, packets
from tests.lab.guest import PingResult, Vm
from tests.lab.hypervisor import Hypervisor
from tests.lab.laboratory import Lab
from tests.lab.process import run

BRIDGE = "br-trunk"
UNTAGGED = 0
"""As a VLAN: frames without a tag (ovs-vswitchd.conf.db(5) Port:tag)."""


class PhysicalNetwork:
    """A switch that joins provider bridges, and a router behind it."""

    def __init__(self, lab: Lab, name: str = "physical") -> None:
        """Start the switch; nothing is plugged into it."""
        self.switch = lab.hypervisor(name)
        self.switch.vsctl("add-br", BRIDGE, "--", "set", "Bridge", BRIDGE, "datapath_type=netdev")
        netns.inside(self.namespace, lambda: Path("/proc/sys/net/ipv4/ip_forward").write_text("1"))
        self._legs: list[str] = []

    @property
    def namespace(self) -> str:
        """Where the router lives."""
        return self.switch.namespace

    def connect(self, host: Hypervisor, bridge: str) -> None:
        """Make a host's provider bridge and lay a trunk from it to the switch, as an operator would."""
        trunk = f"t-{host.name}"
        peer = ["peer", "name", trunk, "netns", self.namespace]
        run(["ip", "-n", host.namespace, "link", "add", "pn", "type", "veth", *peer])
        run(["ip", "-n", host.namespace, "link", "set", "pn", "up"])
        run(["ip", "-n", self.namespace, "link", "set", trunk, "up"])
        made = ("--", "set", "Bridge", bridge, "datapath_type=netdev", "--", "add-port", bridge, "pn")
        host.vsctl("add-br", bridge, *made)
        self.switch.vsctl("add-port", BRIDGE, trunk)

    def leg(self, vlan: int, address: str) -> str:
        """Give the router, which forwards, a leg in a VLAN with an address and prefix length; return its device."""
        device = f"v{vlan}"
        row = ("--", "set", "Interface", device, "type=internal")
        self.switch.vsctl("add-port", BRIDGE, device, f"tag={vlan}", *row)
        self._legs.append(device)
        self.switch.ofport(device)
        run(["ip", "-n", self.namespace, "addr", "replace", address, "dev", device])
        run(["ip", "-n", self.namespace, "link", "set", device, "up"])
        return device

    def mac(self, device: str) -> str:
        """Return the MAC address of a leg."""
        found = json.loads(run(["ip", "-n", self.namespace, "-j", "link", "show", "dev", device]).stdout)
        return str(found[0]["address"])

    def machine(self, name: str, vlan: int, *, mac: str, address: str) -> Vm:
        """Start a machine on an access port of the switch: it knows nothing of VLANs, nor of Weft."""
        machine = self.switch.boot_vm(name, device=f"s-{name}", mac=mac, ipv6=False)
        self.switch.vsctl("add-port", BRIDGE, machine.device, f"tag={vlan}")
        self.switch.ofport(machine.device)
        machine.address_set(address)
        return machine

    def clear(self) -> None:
        """Take away every leg and every machine; the trunks stay."""
        for machine in list(self.switch.vms.values()):
            self.switch.unplug(machine, BRIDGE)
            self.switch.destroy_vm(machine)
        for leg in self._legs:
            self.switch.vsctl("--", "--if-exists", "del-port", BRIDGE, leg)
        self._legs.clear()

    def ping(self, address: str, device: str, *, count: int = 3, size: int = 56) -> PingResult:
        """Ping from a leg of the router, unfragmented."""
        argv = ["ping", "-n", "-c", str(count), "-i", "0.1", "-W", "1", "-s", str(size), "-M", "do", "-I", device]
        done = run(netns.command(self.namespace, [*argv, address]), check=False)
        received = done.stdout.count(" bytes from ")
        return PingResult(sent=count, received=received, rtts=())

    def capture(self, device: str) -> packets.Capture:
        """Begin to capture what a leg, or a trunk, receives; use it as a context manager."""
        return packets.Capture(self.namespace, device)
