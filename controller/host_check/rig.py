"""What stands on a machine while it is tried? A bridge, and two namespaces with a cable to it each; then nothing."""

import contextlib
import secrets
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from controller.host_check.scene import Guest

COMMAND_S = 30.0
CHECKSUMS_OFF = """
import fcntl, socket, struct
from ctypes import addressof, create_string_buffer
value = create_string_buffer(struct.pack("II", 0x17, 0))  # ETHTOOL_STXCSUM, off (linux/ethtool.h)
with socket.socket() as any_socket:  # SIOCETHTOOL
    fcntl.ioctl(any_socket, 0x8946, struct.pack("16sP8x", b"eth0", addressof(value)))
"""
"""A userspace datapath passes a frame on as it is; the guest's kernel must not leave checksums to a card."""


class RigError(Exception):
    """A command failed; the message is what it said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rig:
    """Names are random, so that nothing of the machine's own is touched."""

    mark: str
    database: str | None
    """Where ovs-vsctl(8) finds the database; None where it always does."""

    @property
    def bridge(self) -> str:
        """The bridge that is tried."""
        return f"weft-{self.mark}"

    def namespace(self, guest: Guest) -> str:
        """Return the name of a guest's namespace."""
        return f"weft-{self.mark}-{guest.name}"

    def device(self, guest: Guest) -> str:
        """Return the name of the bridge's end of a guest's cable."""
        return f"wc{self.mark}{guest.name}"

    def vsctl(self, *arguments: str) -> str:
        """Run ovs-vsctl(8)."""
        where = [] if self.database is None else [f"--db={self.database}"]
        return run(["ovs-vsctl", *where, f"--timeout={COMMAND_S / 2:.0f}", *arguments])

    def inside(self, guest: Guest, *command: str) -> "subprocess.CompletedProcess[str]":
        """Run a command as a guest, whatever becomes of it."""
        argv = ["ip", "netns", "exec", self.namespace(guest), *command]
        return subprocess.run(argv, capture_output=True, text=True, timeout=COMMAND_S, check=False)

    def begin(self, guest: Guest, script: str) -> "subprocess.Popen[str]":
        """Start a Python script as a guest."""
        argv = ["ip", "netns", "exec", self.namespace(guest), sys.executable, "-c", script]
        return subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)

    def make_bridge(self, datapath_type: str, datapath_id: int, controller: str) -> None:
        """Make the bridge, with a controller of this process."""
        settings = (
            f"datapath_type={datapath_type}",
            "fail_mode=secure",
            "protocols=OpenFlow14",
            f"other_config:datapath-id={datapath_id:016x}",
            "other_config:disable-in-band=true",
        )
        self.vsctl("add-br", self.bridge, "--", "set", "bridge", self.bridge, *settings)
        self.vsctl("set-controller", self.bridge, controller)

    def make_guest(self, guest: Guest) -> None:
        """Make a guest and plug it in; it has its address when this returns."""
        space, device = self.namespace(guest), self.device(guest)
        run(["ip", "netns", "add", space])
        cable = ["link", "add", device, "up", "type", "veth", "peer", "name", "eth0", "address", guest.mac]
        run(["ip", *cable, "netns", space])
        self.inside(guest, sys.executable, "-c", CHECKSUMS_OFF)
        run(["ip", "-n", space, "addr", "add", f"{guest.address}/24", "dev", "eth0"])
        for name in ("lo", "eth0"):
            run(["ip", "-n", space, "link", "set", name, "up"])
        number = f"ofport_request={guest.number}"
        self.vsctl("add-port", self.bridge, device, "--", "set", "interface", device, number)

    def remove(self, guests: Sequence[Guest]) -> list[str]:
        """Remove everything that was made, and return what could not be and why."""
        removals = [partial(self.vsctl, "--if-exists", "del-br", self.bridge)]
        removals += [partial(_forget_namespace, self.namespace(guest)) for guest in guests]
        left = []
        for remove in removals:
            try:
                remove()
            except RigError as error:
                left.append(str(error))
        return left


@contextlib.contextmanager
def standing(guests: Sequence[Guest], database: str | None) -> Iterator[Rig]:
    """Give a rig of which nothing is made yet, and remove whatever was made of it.

    Raises:
        RigError: Something could not be removed; it says what.
    """
    rig = Rig(mark=secrets.token_hex(3), database=database)
    try:
        yield rig
    finally:
        if left := rig.remove(guests):
            raise RigError("not removed: " + "; ".join(left))


def _forget_namespace(name: str) -> str:
    known = run(["ip", "netns", "list"]).split()
    return run(["ip", "netns", "del", name]) if name in known else ""  # takes both ends of its cable


def run(argv: Sequence[str]) -> str:
    """Run a command and return what it printed.

    Raises:
        RigError: It is not installed, it failed, or it took too long.
    """
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=COMMAND_S, check=False)
    except FileNotFoundError as error:
        raise RigError(f"{argv[0]} is not installed") from error
    except subprocess.TimeoutExpired as error:
        raise RigError(f"{' '.join(argv)}: no answer within {COMMAND_S:g} s") from error
    if done.returncode:
        raise RigError(f"{' '.join(argv)}: {done.stderr.strip() or f'exit status {done.returncode}'}")
    return done.stdout
