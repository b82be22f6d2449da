"""What is one hypervisor of the laboratory? A namespace with its own ovsdb-server, ovs-vswitchd and br-phy.

br-int is not made here: it belongs to the controller, or to a test that plays the controller.
"""

import json
import os
import shutil
import signal
import subprocess
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.lab import netns, process, registry
from tests.lab.guest import Vm
from tests.lab.process import LabError, eventually

if TYPE_CHECKING:
    from collections.abc import Sequence

OVSDB_PORT = 6640
"""The port IANA assigned to OVSDB (RFC 7047 section 8)."""
SCHEMA = Path("/usr/share/openvswitch/vswitch.ovsschema")
OPENFLOW = "OpenFlow14"
OPENFLOW_ANY = "OpenFlow10,OpenFlow13,OpenFlow14,OpenFlow15"
DAEMON_START_S = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a hypervisor stands in its laboratory."""

    lab_id: str
    name: str
    namespace: str
    management_ip: str
    tunnel_ip: str
    tunnel_prefix: int
    underlay_mtu: int
    state: Path
    """Sockets and the database: a short path, removed with the laboratory."""
    logs: Path


class Hypervisor:
    """A host with a real Open vSwitch, userspace datapath. Made by ``Lab.hypervisor``."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.name = place.name
        self.namespace = place.namespace
        self.tunnel_ip = place.tunnel_ip
        self.management_ip = place.management_ip
        self.ovsdb = f"tcp:{place.management_ip}:{OVSDB_PORT}"
        """What ``weft host add --ovsdb`` takes."""
        self.ovsdb_unix = f"unix:{place.state}/db.sock"
        """The same database without the network; it works from every namespace of the machine."""
        self.vms: dict[str, Vm] = {}
        self.environment = {
            **os.environ,
            registry.MARK: place.lab_id,
            "OVS_RUNDIR": str(place.state),
            "OVS_DBDIR": str(place.state),
            "OVS_LOGDIR": str(place.logs),
        }
        self._ovsdb_server: subprocess.Popen[bytes] | None = None
        self._vswitchd: subprocess.Popen[bytes] | None = None

    # ---- daemons

    def create(self) -> None:
        """Make the database, start both daemons and set up br-phy; the namespace and its cables exist already."""
        self.place.state.mkdir(parents=True)
        self.place.logs.mkdir(parents=True, exist_ok=True)
        process.run(["ovsdb-tool", "create", str(self._database), str(SCHEMA)], env=self.environment)
        self.start_ovsdb()
        identity = [f"external_ids:system-id={uuid.uuid4()}", f"external_ids:hostname={self.name}"]
        self.vsctl("--no-wait", "init", "--", "set", "Open_vSwitch", ".", *identity)
        self._launch_vswitchd()
        mac = self._device("ul")["address"]
        self.vsctl(
            *("add-br", "br-phy", "--", "set", "Bridge", "br-phy", "datapath_type=netdev"),
            f'other_config:hwaddr="{mac}"',
            *("--", "add-port", "br-phy", "ul"),
            *("--", "set", "Interface", "br-phy", f"mtu_request={self.place.underlay_mtu}"),
        )
        self._raise_bridge()

    @property
    def _database(self) -> Path:
        return self.place.state / "conf.db"

    def start_ovsdb(self) -> None:
        """Start ovsdb-server and wait until both its sockets answer."""
        self._ovsdb_server = self._start(
            [
                "ovsdb-server",
                str(self._database),
                f"--remote=punix:{self.place.state}/db.sock",
                f"--remote=ptcp:{OVSDB_PORT}:{self.management_ip}",
                "--remote=db:Open_vSwitch,Open_vSwitch,manager_options",
                f"--unixctl={self.place.state}/ovsdb-server.ctl",
            ],
        )
        for remote in (self.ovsdb_unix, self.ovsdb):
            self._wait_for(
                "ovsdb-server",
                netns.command(self.namespace, ["ovsdb-client", "--timeout=2", "list-dbs", remote]),
            )

    def start_vswitchd(self) -> None:
        """Start ovs-vswitchd again, and give br-phy its address back: the device went away with the old process."""
        self._launch_vswitchd()
        for bridge in self.vsctl("list-br").split():
            self._wait_for("ovs-vswitchd", ["ovs-ofctl", "--timeout=2", "-O", OPENFLOW_ANY, "show", bridge])
        self._raise_bridge()

    def _launch_vswitchd(self) -> None:
        self._vswitchd = self._start(
            # --disable-system: never a kernel datapath, whatever the machine has.
            ["ovs-vswitchd", self.ovsdb_unix, "--disable-system", f"--unixctl={self._vswitchd_control}"],
        )
        self._wait_for("ovs-vswitchd", ["ovs-appctl", "-t", self._vswitchd_control, "version"])

    @property
    def _vswitchd_control(self) -> str:
        return f"{self.place.state}/ovs-vswitchd.ctl"

    def _start(self, argv: "Sequence[str]") -> subprocess.Popen[bytes]:
        name = argv[0]
        options = [f"--log-file={self.place.logs}/{name}.log", "-vconsole:off", "-vsyslog:off"]
        with (self.place.logs / f"{name}.console.log").open("ab") as console:
            return process.start(
                netns.command(self.namespace, [*argv, *options]), env=self.environment, stdout=console, stderr=console
            )

    def _wait_for(self, daemon: str, probe: "Sequence[str]") -> None:
        def answers() -> bool:
            running = self._ovsdb_server if daemon == "ovsdb-server" else self._vswitchd
            if running is None or running.poll() is not None:
                log = self.place.logs / f"{daemon}.console.log"
                raise LabError(f"{self.name}: {daemon} did not start:\n{process.tail(log)}")
            return process.run(probe, env=self.environment, check=False, timeout_s=5).returncode == 0

        eventually(answers, DAEMON_START_S, f"{self.name}: {daemon} answers")

    def stop_vswitchd(self) -> None:
        """Stop ovs-vswitchd the polite way; its flows are gone with it."""
        self._end(self._vswitchd, signal.SIGTERM)
        self._vswitchd = None

    def kill_vswitchd(self) -> None:
        """Kill ovs-vswitchd (kill -9), as a crash would."""
        self._end(self._vswitchd, signal.SIGKILL)
        self._vswitchd = None

    def stop_ovsdb(self) -> None:
        """Stop ovsdb-server the polite way."""
        self._end(self._ovsdb_server, signal.SIGTERM)
        self._ovsdb_server = None

    def kill_ovsdb(self) -> None:
        """Kill ovsdb-server (kill -9), as a crash would."""
        self._end(self._ovsdb_server, signal.SIGKILL)
        self._ovsdb_server = None

    def hang_vswitchd(self) -> None:
        """Stop ovs-vswitchd in the middle of what it does (SIGSTOP): connections stay, nothing answers."""
        self._signal_vswitchd(signal.SIGSTOP)

    def resume_vswitchd(self) -> None:
        """Let a hung ovs-vswitchd go on."""
        self._signal_vswitchd(signal.SIGCONT)

    def _signal_vswitchd(self, signum: signal.Signals) -> None:
        if self._vswitchd is None:
            raise LabError(f"{self.name}: ovs-vswitchd does not run")
        self._vswitchd.send_signal(signum)

    def _end(self, daemon: subprocess.Popen[bytes] | None, signum: signal.Signals) -> None:
        if daemon is None:
            raise LabError(f"{self.name}: the daemon to stop does not run, or another process started it")
        daemon.send_signal(signum)
        daemon.wait(timeout=DAEMON_START_S)

    def reap(self) -> None:
        """Collect daemons that were ended from outside, so that no zombie is left."""
        for daemon in (self._ovsdb_server, self._vswitchd):
            if daemon is not None:
                daemon.wait(timeout=DAEMON_START_S)
        for vm in self.vms.values():
            vm.reap()

    # ---- the underlay

    def _raise_bridge(self) -> None:
        address = f"{self.tunnel_ip}/{self.place.tunnel_prefix}"
        process.run(["ip", "-n", self.namespace, "addr", "replace", address, "dev", "br-phy"])
        process.run(["ip", "-n", self.namespace, "link", "set", "br-phy", "up"])

    def learn_peer(self, peer: "Hypervisor") -> None:
        """Tell OVS's tunnel code the MAC of another host (ovs-appctl tnl/neigh/set).

        Without it the first packets of a tunnel are lost until an ARP answer has been seen on br-phy.
        """
        self.appctl("tnl/neigh/set", "br-phy", peer.tunnel_ip, peer.tunnel_mac)

    @property
    def tunnel_mac(self) -> str:
        """The MAC that carries the tunnel address."""
        return self._device("br-phy")["address"]

    def _device(self, name: str) -> dict[str, str]:
        found: list[dict[str, str]] = json.loads(
            process.run(["ip", "-n", self.namespace, "-j", "link", "show", "dev", name]).stdout
        )
        return found[0]

    # ---- Open vSwitch's own tools

    def vsctl(self, *arguments: str, timeout_s: float = 15.0) -> str:
        """Run ovs-vsctl(8) on this host's database."""
        argv = ["ovs-vsctl", f"--db={self.ovsdb_unix}", f"--timeout={timeout_s:.0f}", *arguments]
        return process.run(argv, env=self.environment, timeout_s=timeout_s + 5).stdout

    def ofctl(self, *arguments: str, stdin: str = "") -> str:
        """Run ovs-ofctl(8), OpenFlow 1.4; a flow file named ``-`` is read from `stdin`."""
        return process.run(["ovs-ofctl", "-O", OPENFLOW, *arguments], env=self.environment, stdin=stdin).stdout

    def appctl(self, *arguments: str) -> str:
        """Run ovs-appctl(8) on this host's ovs-vswitchd."""
        return process.run(["ovs-appctl", "-t", self._vswitchd_control, *arguments], env=self.environment).stdout

    def inventory(self) -> str:
        """Return what the switch is and does now: ports, meters, flows, and those the datapath has cached."""
        asked = (
            ("vsctl", ("show",)),
            ("ofctl", ("show", "br-int")),
            ("ofctl", ("meter-stats", "br-int")),
            ("ofctl", ("dump-flows", "br-int")),
            ("appctl", ("dpctl/dump-flows", "-m")),
        )
        found = []
        for tool, arguments in asked:
            try:
                found.append(f"== {tool} {' '.join(arguments)}\n{getattr(self, tool)(*arguments)}")
            except process.LabError as error:  # what is dead is part of the picture
                found.append(f"== {tool} {' '.join(arguments)}\n{error}")
        return "\n".join(found)

    def flows(self, bridge: str = "br-int", match: str = "") -> list[str]:
        """Return the bridge's flows as ovs-ofctl prints them, without counters, sorted."""
        wanted = [match] if match else []
        lines = self.ofctl("--no-stats", "--no-names", "dump-flows", bridge, *wanted).splitlines()
        return sorted(line.strip() for line in lines if "actions=" in line)

    def trace(self, flow: str, bridge: str = "br-int") -> str:
        """Return ovs-appctl ofproto/trace: the way of one packet through the live flows."""
        return self.appctl("ofproto/trace", bridge, flow)

    # ---- guests

    def boot_vm(self, name: str, *, device: str, mac: str, ipv6: bool = True) -> Vm:
        """Start a guest: its eth0 and, on this host, the other end named `device` appear together, both up.

        Args:
            name: unique in the laboratory.
            device: at most 15 characters (IFNAMSIZ); ``tap`` + 11 characters of the port id is the pre-wired name.
            mac: of eth0.
            ipv6: whether the guest's kernel speaks IPv6 (link-local address, MLD, router solicitations).
        """
        vm = Vm(
            name=name,
            namespace=f"{netns.NAMESPACE_PREFIX}{self.place.lab_id}-{name}",
            host_namespace=self.namespace,
            device=device,
            mac=mac,
            directory=self.place.logs / f"vm-{name}",
            mark=self.place.lab_id,
        )
        vm.create(ipv6=ipv6)
        self.vms[name] = vm
        return vm

    def plug(self, vm: Vm, port_id: str, bridge: str = "br-int") -> None:
        """Put the guest's device on a bridge as nova or os-vif do: one transaction with the port's identity."""
        self.vsctl(
            *("--", "--may-exist", "add-port", bridge, vm.device, "--", "set", "Interface", vm.device),
            f"external_ids:iface-id={port_id}",
            f'external_ids:attached-mac="{vm.mac}"',
            "external_ids:iface-status=active",
        )

    def unplug(self, vm: Vm, bridge: str = "br-int") -> None:
        """Take the guest's device off the bridge; the guest runs on."""
        self.vsctl("--", "--if-exists", "del-port", bridge, vm.device)

    def ofport(self, device: str) -> int:
        """Return the OpenFlow port number a device has, waiting until OVS gave it one."""

        def number() -> int:
            text = self.vsctl("--if-exists", "get", "Interface", device, "ofport").strip()
            return int(text) if text.lstrip("-").isdigit() and int(text) > 0 else 0

        return eventually(number, 10, lambda: f"{self.name}: an OpenFlow port number for {device}")

    def destroy_vm(self, vm: Vm) -> None:
        """End a guest and its device; the row in OVSDB, if any, is left as it is."""
        vm.destroy()
        self.vms.pop(vm.name, None)
        shutil.rmtree(vm.directory, ignore_errors=True)
