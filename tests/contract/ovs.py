"""What is a real Open vSwitch that shares nothing with anybody?

The dummy datapath (ovs-vswitchd --enable-dummy) is the userspace datapath with devices that exist only inside
ovs-vswitchd, made by OVS for its own tests. So there is no device, no network namespace and no port that two tests
could fight over; everything above the devices (OpenFlow, tables, bundles, meters, upcalls) is what runs in production.
"""

import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import time
from pathlib import Path

from tests.contract.driver import Identity, SwitchDriver

SCHEMA = Path("/usr/share/openvswitch/vswitch.ovsschema")
BRIDGE = "br0"
START_S = 20.0
PCAP_HEADER, PCAP_RECORD = 24, 16
_COOKIE = re.compile(r"cookie=0x([0-9a-f]+)")
_TABLE = re.compile(r"table=(\d+)")
_PRIORITY = re.compile(r"priority=(\d+)")


def is_installed() -> bool:
    """Whether Open vSwitch can be started here."""
    return shutil.which("ovs-vswitchd") is not None and SCHEMA.exists()


class OpenVSwitch(SwitchDriver):
    """One ovsdb-server, one ovs-vswitchd, one bridge with two ports."""

    def __init__(self, directory: Path, dpid: int) -> None:
        self.dpid = dpid
        self._directory = directory
        directory.mkdir(parents=True)
        self._environment = {
            **os.environ,
            "OVS_RUNDIR": str(directory),
            "OVS_DBDIR": str(directory),
            "OVS_LOGDIR": str(directory),
        }
        self._db = f"unix:{directory}/db.sock"
        self._control = f"{directory}/vswitchd.ctl"
        self._daemons: list[subprocess.Popen[bytes]] = []
        try:
            self._create()
        except BaseException:
            self.close()
            raise

    def _create(self) -> None:
        database = f"{self._directory}/conf.db"
        self._run("ovsdb-tool", "create", database, str(SCHEMA))
        self._start("ovsdb-server", database, f"--remote=p{self._db}")
        self._vsctl("--no-wait", "init")
        self._start("ovs-vswitchd", self._db, "--disable-system", "--enable-dummy", f"--unixctl={self._control}")
        self._vsctl(
            *("add-br", BRIDGE, "--", "set", "bridge", BRIDGE, "datapath_type=dummy", "fail_mode=secure"),
            *("protocols=OpenFlow14", f"other_config:datapath-id={self.dpid:016x}"),
            *(word for port in self.ports for word in self._port_words(port)),
        )

    def _port_words(self, ofport: int) -> list[str]:
        name = f"p{ofport}"
        return [
            *("--", "add-port", BRIDGE, name, "--", "set", "interface", name, "type=dummy"),
            *(f"ofport_request={ofport}", f"options:tx_pcap={self._pcap(ofport)}"),
        ]

    def _pcap(self, ofport: int) -> Path:
        return self._directory / f"p{ofport}.pcap"

    def _start(self, program: str, *arguments: str) -> None:
        # pdeathsig: a killed pytest leaves no daemon behind.
        command = ["setpriv", "--pdeathsig", "KILL", program, *arguments, "-vconsole:off", "-vsyslog:off"]
        daemon = subprocess.Popen(
            [*command, f"--log-file={self._directory}/{program}.log"], env=self._environment, stderr=subprocess.DEVNULL
        )
        self._daemons.append(daemon)
        sockets = {"ovsdb-server": self._directory / "db.sock", "ovs-vswitchd": self._directory / "vswitchd.ctl"}
        deadline = time.monotonic() + START_S
        while not _listens(sockets[program]):
            if daemon.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{program} did not start; see {self._directory}/{program}.log")
            time.sleep(0.01)

    def _run(self, *command: str) -> str:
        done = subprocess.run(command, env=self._environment, check=False, capture_output=True, text=True, timeout=60)
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)}: {done.stderr}{done.stdout}")
        return done.stdout

    def _vsctl(self, *words: str) -> str:
        return self._run("ovs-vsctl", f"--db={self._db}", "--timeout=20", *words)

    @property
    def management_socket(self) -> Path:
        """Where the bridge takes one more OpenFlow connection (ovs-vswitchd(8))."""
        return self._directory / f"{BRIDGE}.mgmt"

    def appctl(self, *words: str) -> str:
        """Run ovs-appctl on the daemon."""
        return self._run("ovs-appctl", "-t", self._control, *words)

    def ofctl(self, command: str, *words: str) -> str:
        """Run ovs-ofctl on the bridge."""
        options = [word for word in words if word.startswith("--")]
        rest = [word for word in words if not word.startswith("--")]
        return self._run("ovs-ofctl", "-O", "OpenFlow14", *options, command, BRIDGE, *rest)

    # ---- SwitchDriver

    def connect(self, host: str, port: int) -> None:
        self._vsctl(
            *("set-controller", BRIDGE, f"tcp:{host}:{port}", "--", "set", "controller", BRIDGE),
            *("connection_mode=out-of-band", "max_backoff=1000", "inactivity_probe=5000"),
        )

    def flows(self) -> set[Identity]:
        lines = self.ofctl("dump-flows", "--no-stats").splitlines()
        return {_identity(line) for line in lines if "actions=" in line}

    def groups(self) -> set[int]:
        return {int(number) for number in re.findall(r"group_id=(\d+)", self.ofctl("dump-groups"))}

    def meters(self) -> set[int]:
        return {int(number) for number in re.findall(r"meter=(\d+)", self.ofctl("dump-meters"))}

    def add_flow(self, table: int, priority: int, cookie: int, in_port: int) -> None:
        self.ofctl("add-flow", f"table={table},priority={priority},cookie={cookie:#x},in_port={in_port},actions=drop")

    def normal_flow(self, table: int, priority: int, cookie: int) -> None:
        self.ofctl("add-flow", f"table={table},priority={priority},cookie={cookie:#x},actions=NORMAL")

    def delete_flow(self, table: int, priority: int, in_port: int) -> None:
        self.ofctl("del-flows", "--strict", f"table={table},priority={priority},in_port={in_port}")

    def set_group(self, group_id: int, ofport: int) -> None:
        self.ofctl("mod-group", f"group_id={group_id},type=all,bucket=output:{ofport}")

    def delete_group(self, group_id: int) -> None:
        self.ofctl("del-groups", f"group_id={group_id}")

    def delete_meter(self, meter_id: int) -> None:
        self.ofctl("del-meter", f"meter={meter_id}")

    def delete_all(self) -> None:
        self.ofctl("del-flows")
        self.ofctl("del-groups")
        self.ofctl("del-meters")

    def hang(self) -> None:
        self._daemons[-1].send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._daemons[-1].send_signal(signal.SIGCONT)

    def inject(self, ofport: int, cookie: int, frame: bytes) -> None:
        self._run("ovs-appctl", "-t", self._control, "netdev-dummy/receive", f"p{ofport}", frame.hex())

    def transmitted(self, ofport: int) -> list[bytes]:
        octets, frames = self._pcap(ofport).read_bytes(), []
        at = PCAP_HEADER
        while at + PCAP_RECORD <= len(octets):
            length = struct.unpack_from("<8xI", octets, at)[0]
            frames.append(octets[at + PCAP_RECORD : at + PCAP_RECORD + length])
            at += PCAP_RECORD + length
        return frames

    def close(self) -> None:
        for daemon in reversed(self._daemons):
            daemon.send_signal(signal.SIGCONT)  # it may hang
            daemon.terminate()
            try:
                daemon.wait(10)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()


def _listens(path: Path) -> bool:
    """Whether somebody accepts on a unix socket; a bound one that does not listen yet is there as well."""
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0


def _identity(line: str) -> Identity:
    cookie, table, priority = _COOKIE.search(line), _TABLE.search(line), _PRIORITY.search(line)
    return (
        int(table[1]) if table else 0,
        int(priority[1]) if priority else 32768,
        int(cookie[1], 16) if cookie else 0,
    )
