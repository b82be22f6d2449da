"""Which of the things that Weft asks of a switch does this one do? Each is tried, and said with what was seen."""

import secrets
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from controller.host_check import scene
from controller.host_check.rig import Rig, RigError, run, standing
from controller.host_check.scene import RECEIVER, SENDER, Guest
from controller.southbound.openflow.events import Failed, SwitchEvent, Synced
from controller.southbound.openflow.service import OpenFlowService

GUESTS = (SENDER, RECEIVER)
PATIENCE_S = 10.0
"""For what the switch does by itself: open a device, connect, take its flows."""
OLDEST = (3, 1)
"""Of Open vSwitch."""
BRIDGE_S = 3.0
"""For a bridge: ovs-vsctl(8) has waited for it already."""
PINGS = 3
LARGE_OCTETS = 3000
"""More than a frame holds, so that the packet comes in fragments."""

_SERVER = f"""
import socket, threading
listeners = [socket.create_server(("{RECEIVER.address}", port)) for port in ({scene.OPEN_PORT}, {scene.CLOSED_PORT})]
def serve(listener):
    while True:
        client, _ = listener.accept()
        client.sendall(client.recv(9))
for listener in listeners:
    threading.Thread(target=serve, args=(listener,)).start()
print("ready", flush=True)
"""
_CLIENT = """
import socket, sys
with socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=1.5) as client:
    client.sendall(b"weft")
    sys.exit(client.recv(9) != b"weft")
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one trial found."""

    name: str
    ok: bool
    detail: str


def findings(datapath_type: str, database: str | None = None) -> Iterator[Finding]:
    """Yield what is found, until something is missing without which the rest cannot be tried.

    Args:
        datapath_type: ``system`` (the kernel's) or ``netdev``.
        database: where ovs-vsctl(8) finds the database of Open vSwitch; None where it always does.
    """
    try:
        with standing(GUESTS, database) as rig:
            yield from _tried(rig, datapath_type)
    except RigError as error:
        yield Finding(name="machine", ok=False, detail=str(error))


def _tried(rig: Rig, datapath_type: str) -> Iterator[Finding]:
    yield _version(rig)
    with _controller() as told:
        rig.make_bridge(datapath_type, told.dpid, told.target)
        bridge = _bridge(rig, datapath_type)
        yield bridge
        if not bridge.ok:
            return
        for guest in GUESTS:
            rig.make_guest(guest)
        plugged = _plugged(rig)
        yield plugged
        if not plugged.ok:
            return
        loaded = told.load()
        yield loaded
        if loaded.ok:
            yield from _sent(rig)


def _version(rig: Rig) -> Finding:
    noted = rig.vsctl("--if-exists", "get", "Open_vSwitch", ".", "ovs_version").strip().strip('"[]')
    text = noted or run(["ovs-vswitchd", "--version"]).split("\n")[0].split()[-1]  # ovs-ctl(8) notes it, if it is used
    numbers = tuple(int(part) for part in text.split(".")[:2] if part.isdigit())
    detail = text if numbers >= OLDEST else f"{text}; Weft needs {OLDEST[0]}.{OLDEST[1]} or later"
    return Finding(name="version", ok=numbers >= OLDEST, detail=detail)


def _bridge(rig: Rig, datapath_type: str) -> Finding:
    made = _eventually(lambda: rig.vsctl("get", "interface", rig.bridge, "ofport").strip() == "65534", BRIDGE_S)
    if made:
        return Finding(name="bridge", ok=True, detail=f"a bridge of datapath type {datapath_type} was made")
    error = rig.vsctl("get", "interface", rig.bridge, "error").strip()
    known = rig.vsctl("get", "Open_vSwitch", ".", "datapath_types").strip()
    why = f"{error}; this Open vSwitch knows the types {known}; its log says more"
    return Finding(name="bridge", ok=False, detail=f"no bridge of datapath type {datapath_type}: {why}")


def _plugged(rig: Rig) -> Finding:
    def numbers() -> list[str]:
        return [rig.vsctl("get", "interface", rig.device(guest), "ofport").strip() for guest in GUESTS]

    wanted = [str(guest.number) for guest in GUESTS]
    ok = _eventually(lambda: numbers() == wanted)
    found = ", ".join(numbers())
    return Finding(name="devices", ok=ok, detail=f"OpenFlow numbers {found}" + ("" if ok else f" for {wanted}"))


def _sent(rig: Rig) -> Iterator[Finding]:
    """Let the guests send; what must not arrive is tried after the same way was seen to carry what may."""
    with _server(rig):
        yield _ping(rig, "ARP, ping", SENDER, RECEIVER, passes=True)
        yield _ping(rig, "fragments", SENDER, RECEIVER, "-s", str(LARGE_OCTETS), passes=True)
        yield _tcp(rig, scene.OPEN_PORT, passes=True)
        yield _tcp(rig, scene.CLOSED_PORT, passes=False)
        yield _ping(rig, "security group", RECEIVER, SENDER, passes=False)
        rig.inside(SENDER, "ip", "addr", "add", f"{scene.FORGED}/24", "dev", "eth0")
        yield _ping(rig, "port security", SENDER, RECEIVER, "-I", scene.FORGED, passes=False)


def _ping(rig: Rig, name: str, source: Guest, target: Guest, *options: str, passes: bool) -> Finding:
    done = rig.inside(source, "ping", "-n", "-c", str(PINGS), "-i", "0.3", "-W", "1", *options, target.address)
    words = done.stdout.split(" received")[0].split() if " received" in done.stdout else []
    if not words:
        return Finding(name=name, ok=False, detail=f"ping did not run: {done.stderr.strip() or done.stdout.strip()}")
    came, wanted = int(words[-1]), PINGS if passes else 0
    return Finding(name=name, ok=came == wanted, detail=f"{came} of {PINGS} pings answered, {wanted} should be")


def _tcp(rig: Rig, port: int, *, passes: bool) -> Finding:
    done = rig.inside(SENDER, sys.executable, "-c", _CLIENT, RECEIVER.address, str(port))
    came = done.returncode == 0
    name = "connection tracking" if passes else "closed TCP port"
    said = "was there and back" if came else "did not get through"
    return Finding(name=name, ok=came is passes, detail=f"TCP to port {port} {said}")


@contextmanager
def _server(rig: Rig) -> Iterator[None]:
    server = rig.begin(RECEIVER, _SERVER)
    try:
        if server.stdout is None or server.stdout.readline().strip() != "ready":
            raise RigError("no TCP server could be started in the guest's namespace")
        yield
    finally:
        server.kill()
        server.communicate()


class _Controller:
    """What loads the bridge: the OpenFlow side of ``weft serve``, for one switch."""

    def __init__(self) -> None:
        listener = socket.create_server(("127.0.0.1", 0))
        self.dpid = secrets.randbits(63) | 1
        self.target = f"tcp:127.0.0.1:{listener.getsockname()[1]}"
        self._said: SwitchEvent | None = None
        self._changed = threading.Condition()
        self.service = OpenFlowService(
            listener,
            admit=lambda dpid: dpid == self.dpid,
            on_event=self._hear,
            packet_in=lambda *_: None,
            misnumbered=lambda _dpid, _devices: None,
        )

    def _hear(self, _dpid: int, event: SwitchEvent) -> None:
        if isinstance(event, Synced | Failed):
            with self._changed:
                self._said = event
                self._changed.notify_all()

    def load(self) -> Finding:
        """Give the bridge its flows, groups and meters, and say what it refused."""
        wanted = scene.wanted()
        self.service.switch(self.dpid).load(wanted, 1)
        with self._changed:
            self._changed.wait_for(lambda: self._said is not None, PATIENCE_S)
            said = self._said
        what = f"{len(wanted.flows)} flows, {len(wanted.groups)} groups and {len(wanted.meters)} meters"
        match said:
            case Synced():
                return Finding(name="flows", ok=True, detail=f"{what} are in")
            case Failed(_, refusals):
                return Finding(name="flows", ok=False, detail="refused: " + "; ".join(map(str, refusals[:3])))
        return Finding(name="flows", ok=False, detail=f"{what} were not confirmed within {PATIENCE_S:g} s")


@contextmanager
def _controller() -> Iterator[_Controller]:
    told = _Controller()
    told.service.start()
    try:
        yield told
    finally:
        told.service.stop()


def _eventually(is_so: Callable[[], bool], patience_s: float = PATIENCE_S) -> bool:
    deadline = time.monotonic() + patience_s
    while not is_so():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True
