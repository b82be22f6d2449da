"""What is an OVN cluster of the laboratory? Databases (one server, or three in a raft), northd, and chassis.

The servers are in the root namespace, at the laboratory's own management address; hypervisors are the laboratory's,
with ovn-controller beside Open vSwitch.
"""

import json
import os
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.lab import Lab, netns, process, registry
from tests.lab.hypervisor import Hypervisor
from tests.lab.process import LabError, eventually

SCHEMAS = Path("/usr/share/ovn")
DATABASES = {"nb": "OVN_Northbound", "sb": "OVN_Southbound"}
START_S = 20.0
FIRST_PORT = {"nb": 16_641, "sb": 16_642}
RAFT_PORT = {"nb": 16_643, "sb": 16_644}
TLS_PORT = {"nb": 16_645, "sb": 16_646}
STEP = 10


class Cluster:
    """ovn-central with one server of each database, or several in a raft; the laboratory ends what it started.

    With certificates the servers speak TLS too, and Weft speaks it to them.
    """

    def __init__(self, lab: Lab, *, servers: int = 1, has_tls: bool = False) -> None:
        self.lab = lab
        self.servers, self.has_tls = servers, has_tls
        self.directory = registry.STATE_ROOT / lab.id / "ovn"
        self.logs = lab.directory / "ovn"
        self.environment = {
            **os.environ,
            registry.MARK: lab.id,
            "OVN_RUNDIR": str(self.directory),
            "OVS_RUNDIR": str(self.directory),
        }
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def create(self) -> None:
        """Make the databases and start everything."""
        self.directory.mkdir(parents=True)
        self.logs.mkdir(parents=True, exist_ok=True)
        if self.has_tls:
            self._make_certificates()
        for number in range(self.servers):
            for database in DATABASES:
                self._make(database, number)
                self.start(database, number)
        for database in DATABASES:
            eventually(lambda db=database: self.leader(db) is not None, START_S, f"{database} has a leader")  # type: ignore[misc]
        self.nbctl("init")
        self.ctl("ovn-sbctl", "init")
        self.start_northd()

    def remotes(self, database: str) -> str:
        """Return where all servers of a database are."""
        return ",".join(self._remote(database, number) for number in range(self.servers))

    def settings(self) -> dict[str, str]:
        """Return what Weft is told."""
        if not self.has_tls:
            return {"northbound": self.remotes("nb"), "southbound": self.remotes("sb")}
        return {
            "northbound": self._tls_remotes("nb"),
            "southbound": self._tls_remotes("sb"),
            "private_key": str(self.directory / "weft-privkey.pem"),
            "certificate": str(self.directory / "weft-cert.pem"),
            "ca_certificate": str(self.authority("switch")),
        }

    def authority(self, which: str) -> Path:
        """Return the certificate of an authority: ``switch``, who signed everybody's, or ``controller``, nobody's."""
        return self.directory / "pki" / f"{which}ca" / "cacert.pem"

    def _tls_remotes(self, database: str) -> str:
        ports = (TLS_PORT[database] + STEP * number for number in range(self.servers))
        return ",".join(f"ssl:{self.lab.controller_ip}:{port}" for port in ports)

    def _make_certificates(self) -> None:
        """As ovs-pki(8) says."""
        options = [f"--dir={self.directory}/pki", f"--log={self.directory}/pki.log"]
        for arguments in (
            ["init"],
            ["--unique", "req+sign", "ovsdb", "switch"],
            ["--unique", "req+sign", "weft", "switch"],
        ):
            process.run(["env", "-C", str(self.directory), "ovs-pki", *options, *arguments], env=self.environment)

    def _tls_options(self, database: str, number: int) -> list[str]:
        if not self.has_tls:
            return []
        return [
            f"--private-key={self.directory}/ovsdb-privkey.pem",
            f"--certificate={self.directory}/ovsdb-cert.pem",
            f"--ca-cert={self.authority('switch')}",
            f"--remote=pssl:{TLS_PORT[database] + STEP * number}:{self.lab.controller_ip}",
        ]

    def _remote(self, database: str, number: int) -> str:
        return f"tcp:{self.lab.controller_ip}:{FIRST_PORT[database] + STEP * number}"

    def _raft(self, database: str, number: int) -> str:
        return f"tcp:{self.lab.controller_ip}:{RAFT_PORT[database] + STEP * number}"

    def _file(self, database: str, number: int) -> Path:
        return self.directory / f"{database}{number}.db"

    def _control(self, database: str, number: int) -> str:
        return f"{self.directory}/{database}{number}.ctl"

    def _make(self, database: str, number: int) -> None:
        file, schema = str(self._file(database, number)), str(SCHEMAS / f"ovn-{database}.ovsschema")
        if self.servers == 1:
            argv = ["create", file, schema]
        elif number == 0:
            argv = ["create-cluster", file, schema, self._raft(database, 0)]
        else:
            argv = ["join-cluster", file, DATABASES[database], self._raft(database, number), self._raft(database, 0)]
        process.run(["ovsdb-tool", *argv], env=self.environment)

    def start(self, database: str, number: int = 0) -> None:
        """Start one server."""
        remote = self._remote(database, number).removeprefix("tcp:")
        host, _, port = remote.rpartition(":")
        name = f"{database}{number}"
        self._start(
            name,
            [
                *("ovsdb-server", str(self._file(database, number)), f"--remote=ptcp:{port}:{host}"),
                f"--unixctl={self._control(database, number)}",
                *self._tls_options(database, number),
            ],
        )
        probe = ["ovs-appctl", "-t", self._control(database, number), "version"]
        self._wait_for(name, probe)

    def start_northd(self) -> None:
        """Start ovn-northd."""
        databases = [f"--ovn{database}-db={self.remotes(database)}" for database in DATABASES]
        self._start("northd", ["ovn-northd", *databases, f"--unixctl={self.directory}/northd.ctl"])

    def kill(self, name: str, *, signum: signal.Signals = signal.SIGKILL) -> None:
        """End one daemon: ``nb0``, ``sb0``, ``northd``, ``controller-h1``, ..."""
        running = self._running.pop(name)
        running.send_signal(signum)
        running.wait(timeout=START_S)

    def leader(self, database: str) -> int | None:
        """Return which server of a database is the leader."""
        for number in range(self.servers):
            if f"{database}{number}" not in self._running:
                continue
            if self.servers == 1:
                return number
            argv = ["ovs-appctl", "-t", self._control(database, number), "cluster/status", DATABASES[database]]
            said = process.run(argv, env=self.environment, check=False).stdout
            if "Role: leader" in said:
                return number
        return None

    # ---- chassis

    def chassis(
        self, name: str, *, physnets: Sequence[str] = (), bridge: str = "br-int", encap_ip: str | None = None
    ) -> Hypervisor:
        """Start a hypervisor with ovn-controller on it.

        Args:
            name: of the hypervisor.
            physnets: physical networks, each with a bridge of its own.
            bridge: that of ovn-controller.
            encap_ip: where its tunnels end, if that is not where the hypervisor's own do.
        """
        host = self.lab.hypervisor(name)
        if encap_ip is not None:
            process.run(["ip", "-n", host.namespace, "addr", "add", f"{encap_ip}/24", "dev", "br-phy"])
        for physnet in physnets:
            provider = f"br-{physnet}"
            host.vsctl("add-br", provider, "--", "set", "Bridge", provider, "datapath_type=netdev")
        mappings = ",".join(f"{physnet}:br-{physnet}" for physnet in physnets)
        host.vsctl(
            *("set", "Open_vSwitch", ".", f'external_ids:ovn-remote="{self.remotes("sb")}"'),
            *("external_ids:ovn-encap-type=geneve", f"external_ids:ovn-encap-ip={encap_ip or host.tunnel_ip}"),
            *("external_ids:ovn-bridge-datapath-type=netdev", f"external_ids:ovn-bridge={bridge}"),
            *([f'external_ids:ovn-bridge-mappings="{mappings}"'] if mappings else []),
        )
        self.start_controller(host)
        return host

    def start_controller(self, host: Hypervisor) -> None:
        """Start ovn-controller on a host."""
        environment = {**host.environment, "OVN_RUNDIR": str(host.place.state)}
        argv = ["ovn-controller", host.ovsdb_unix, f"--log-file={self.logs}/controller-{host.name}.log"]
        with (self.logs / f"controller-{host.name}.console.log").open("ab") as console:
            self._running[f"controller-{host.name}"] = process.start(
                netns.command(host.namespace, [*argv, "-vconsole:off", "-vsyslog:off"]),
                env=environment,
                stdout=console,
                stderr=console,
            )

    # ---- tools

    def nbctl(self, *arguments: str) -> str:
        """Run ovn-nbctl(8)."""
        return self.ctl("ovn-nbctl", *arguments)

    def ctl(self, tool: str, *arguments: str) -> str:
        """Run ovn-nbctl(8) or ovn-sbctl(8)."""
        database = "nb" if tool == "ovn-nbctl" else "sb"
        argv = [tool, f"--db={self.remotes(database)}", "--timeout=15", *arguments]
        return process.run(argv, env=self.environment).stdout

    def rows(self, table: str, columns: str = "name") -> list[list[object]]:
        """Return some columns of every row of a northbound table."""
        said = json.loads(self.nbctl("--format=json", f"--columns={columns}", "list", table))
        return list(said["data"])

    def written(self) -> dict[str, list[str]]:
        """Return every row of the northbound database that Weft could have written, with its uuid."""
        tables = ("Logical_Switch", "Logical_Switch_Port", "DHCP_Options", "Port_Group", "ACL", "Address_Set")
        return {table: sorted(self.nbctl("--format=csv", "list", table).splitlines()) for table in tables}

    # ---- life

    def _start(self, name: str, argv: Sequence[str]) -> None:
        options = [f"--log-file={self.logs}/{name}.log", "-vconsole:off", "-vsyslog:off"]
        with (self.logs / f"{name}.console.log").open("ab") as console:
            self._running[name] = process.start([*argv, *options], env=self.environment, stdout=console, stderr=console)

    def _wait_for(self, name: str, probe: Sequence[str]) -> None:
        def answers() -> bool:
            if self._running[name].poll() is not None:
                raise LabError(f"{name} did not start:\n{process.tail(self.logs / f'{name}.console.log')}")
            return process.run(probe, env=self.environment, check=False, timeout_s=5).returncode == 0

        eventually(answers, START_S, f"{name} answers")

    def close(self) -> None:
        """End what still runs."""
        for running in self._running.values():
            if running.poll() is None:
                running.kill()
        for running in self._running.values():
            running.wait(timeout=START_S)
        self._running.clear()
