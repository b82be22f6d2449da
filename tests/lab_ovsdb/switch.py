"""What is a real Open vSwitch for one test? Its own namespace, database, daemons and directory, gone afterwards."""

import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from controller.southbound.ovsdb.model import (
    BridgeConfig,
    BridgeRow,
    HostDesired,
    HostView,
    InterfaceRow,
    PatchPair,
    PrewiredPort,
    TunnelPort,
)
from controller.southbound.ovsdb.service import OvsdbService

SCHEMA = Path("/usr/share/openvswitch/vswitch.ovsschema")
TARGET = "tcp:127.0.0.1:16653"
DATAPATH_ID = 0x0000_5EF7_0000_0001
VXLAN = TunnelPort(name="vxlan0", type="vxlan", ofport_request=10, options=(("remote_ip", "flow"), ("key", "flow")))
PORT_ID = "6f1a2b3c-4d5e-4f60-8a7b-9c0d1e2f3a4b"
MAC = "fa:16:3e:00:00:01"


def a_port(number: int = 0) -> PrewiredPort:
    if number == 0:
        return PrewiredPort(name="tap" + PORT_ID[:11], iface_id=PORT_ID, mac=MAC, ofport=32768)
    return PrewiredPort(
        name=f"tap{number:08x}-00",
        iface_id=f"{number:08x}-0000-4000-8000-000000000000",
        mac=f"fa:16:3e:01:{number >> 8:02x}:{number & 255:02x}",
        ofport=32768 + number,
    )


def a_desire(
    *ports: PrewiredPort,
    target: str = TARGET,
    tunnels: tuple[TunnelPort, ...] = (VXLAN,),
    patches: tuple[PatchPair, ...] = (),
) -> HostDesired:
    bridge = BridgeConfig(
        datapath_type="netdev",
        datapath_id=DATAPATH_ID,
        controller_target=target,
        tunnels=tunnels,
        patches=patches,
    )
    return HostDesired(bridge=bridge, prewired=frozenset(ports))


class Switch:
    """One private Open vSwitch."""

    def __init__(self) -> None:
        self.netns = "weft-" + uuid.uuid4().hex[:10]
        self.directory = Path(tempfile.mkdtemp(prefix="weft-ovsdb-"))
        self.database = self.directory / "conf.db"
        self.target = f"unix:{self.directory}/db.sock"
        self.remotes = [f"punix:{self.directory}/db.sock"]
        self._daemons: dict[str, int] = {}
        run("ip", "netns", "add", self.netns)
        run("ip", "-n", self.netns, "link", "set", "lo", "up")
        run("ovsdb-tool", "create", str(self.database), str(SCHEMA))

    def start(self, *, vswitchd: bool = True) -> None:
        self.start_database()
        # As ovs-ctl(8) does: ovs-vswitchd itself does not write its version.
        self.vsctl("--no-wait", "init", "--", "set", "open_vswitch", ".", "ovs_version=3.1.0")
        if vswitchd:
            self.start_vswitchd()

    def start_database(self, *, netns: bool = True) -> None:
        remotes = [f"--remote={remote}" for remote in self.remotes]
        self._start("ovsdb-server", str(self.database), *remotes, netns=netns)

    def start_vswitchd(self) -> None:
        # --disable-system: only the userspace datapath is ever touched.
        self._start("ovs-vswitchd", self.target, "--disable-system", netns=True)

    def signal(self, daemon: str, number: signal.Signals) -> None:
        os.kill(self._daemons[daemon], number)

    def kill(self, daemon: str) -> None:
        pid = self._daemons.pop(daemon)
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not _is_running(pid), "the killed daemon is gone")
        # Its last threads may hold the lock on this file for a moment longer.
        (self.directory / f"{daemon}.pid").unlink()

    def vsctl(self, *arguments: str) -> str:
        return run("ovs-vsctl", f"--db={self.target}", "--timeout=10", *arguments)

    def ofctl(self, command: str, *arguments: str) -> str:
        return run("ovs-ofctl", "-O", "OpenFlow14", command, f"unix:{self.directory}/br-int.mgmt", *arguments)

    def ip(self, *arguments: str) -> str:
        return run("ip", "-n", self.netns, *arguments)

    def inside(self, *command: str) -> str:
        return run("ip", "netns", "exec", self.netns, *command)

    def add_device(self, name: str) -> None:
        """Make a device as a hypervisor would; its other end is called ``far``."""
        # Up from its first moment: what is set up a moment later than OVS sees it, OVS may set down as it opens it.
        self.ip("link", "add", name, "up", "type", "veth", "peer", "name", "far")
        self.ip("link", "set", "far", "up")

    def transactions(self) -> str:
        """The database's log, once ovs-vswitchd is quiet: grows with every write to a column that is kept."""
        log, seen = "", None
        while log != seen:
            seen = log
            time.sleep(0.3)
            log = run("ovsdb-tool", "-mm", "show-log", str(self.database))
        return log

    def stop(self) -> None:
        for pid in reversed(self._daemons.values()):
            os.kill(pid, signal.SIGCONT)
            os.kill(pid, signal.SIGKILL)
        for pid in self._daemons.values():
            wait_until(lambda pid=pid: not _is_running(pid), "the daemon is gone")
        run("ip", "netns", "del", self.netns)
        shutil.rmtree(self.directory)

    def _start(self, daemon: str, *arguments: str, netns: bool) -> None:
        command = ["ip", "netns", "exec", self.netns] if netns else []
        pidfile = self.directory / f"{daemon}.pid"
        run(
            *command,
            daemon,
            *arguments,
            f"--pidfile={pidfile}",
            "--detach",
            "--no-chdir",
            f"--log-file={self.directory}/{daemon}.log",
            "-vconsole:off",
            f"--unixctl={self.directory}/{daemon}.ctl",
            environment={"OVS_RUNDIR": str(self.directory)},
        )
        self._daemons[daemon] = int(pidfile.read_text())


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A view together with the interfaces told so far, sorted by name."""

    view: HostView
    interfaces: tuple[InterfaceRow, ...]

    @property
    def connected(self) -> bool:
        return self.view.connected

    @property
    def synced(self) -> bool:
        return self.view.synced

    @property
    def bridge(self) -> BridgeRow | None:
        return self.view.bridge

    @property
    def error(self) -> str | None:
        return self.view.error


class Watch:
    """A service with the names of the hosts that changed."""

    def __init__(self) -> None:
        self.changes: list[str] = []
        self._rows: dict[str, dict[str, InterfaceRow]] = {}
        self._changed = threading.Condition()
        self.service = OvsdbService(self._on_change)
        self.service.start()

    def add(self, switch: Switch, name: str = "h1") -> None:
        self.service.add_host(name, switch.target)

    def until(self, is_met: Callable[[Seen], bool], what: str, *, name: str = "h1", within_s: float = 10.0) -> Seen:
        """Wait for the view to be so; returns it."""
        deadline = time.monotonic() + within_s
        with self._changed:
            while not is_met(view := self.see(name)):
                left = deadline - time.monotonic()
                if left <= 0 or not self._changed.wait(left):
                    raise AssertionError(f"not within {within_s} s: {what}; {view}; {self.service.write_error(name)}")
        return view

    def see(self, name: str = "h1") -> Seen:
        """Take in what became of the rows."""
        changes = self.service.take_changes(name)
        rows = {} if changes.whole else self._rows.get(name, {})
        self._rows[name] = {u: row for u, row in (rows | dict(changes.rows)).items() if row is not None}
        shown = sorted(self._rows[name].values(), key=lambda row: row.name)
        return Seen(view=changes.view, interfaces=tuple(shown))

    def until_complete(self, *ports: PrewiredPort, name: str = "h1") -> Seen:
        """Wait until bridge, controller, tunnel and pre-wired rows are there and ovs-vswitchd has looked at them."""
        names = {"br-int", VXLAN.name, *(port.name for port in ports)}

        def is_complete(view: Seen) -> bool:
            there = {row.name for row in view.interfaces if row.ofport is not None}
            return bool(view.synced and view.bridge and view.bridge.datapath_id and names <= there)

        return self.until(is_complete, f"{names} are there", name=name)

    def _on_change(self, name: str) -> None:
        with self._changed:
            self.changes.append(name)
            self._changed.notify_all()


def interface(view: Seen, name: str) -> InterfaceRow | None:
    return next((row for row in view.interfaces if row.name == name), None)


def is_live(view: Seen, name: str) -> bool:
    row = interface(view, name)
    return row is not None and row.live


def wait_until(is_met: Callable[[], bool], what: str, within_s: float = 10.0) -> None:
    deadline = time.monotonic() + within_s
    while not is_met():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within_s} s: {what}")
        time.sleep(0.005)


def run(*command: str, environment: dict[str, str] | None = None) -> str:
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=30, check=False, env={**os.environ, **(environment or {})}
    )
    if done.returncode:
        raise AssertionError(f"{' '.join(command)} failed: {done.stderr}")
    return done.stdout.strip()


def _is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"
