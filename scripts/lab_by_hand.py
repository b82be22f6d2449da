"""How does a developer keep a laboratory for an afternoon? The commands behind ``scripts/lab``."""

import argparse
import contextlib
import random
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.lab import Lab, LabError, registry, sweep
from tests.lab import netns as namespaces
from tests.lab.process import CommandError


def up(arguments: argparse.Namespace) -> None:
    """Start hypervisors that outlive this process."""
    lab = Lab(Path(tempfile.mkdtemp(prefix="weft-lab-")), kept=True)
    lab.create()
    try:
        for number in range(1, arguments.count + 1):
            lab.hypervisor(f"h{number}")
            print(f"h{number} is up", flush=True)
    except BaseException:
        lab.close()
        raise
    describe(lab)
    print(f"\nOpenFlow must listen on {lab.controller_ip}: weft serve --openflow-listen {lab.controller_ip}:6653")


def describe(lab: Lab) -> None:
    """Print what a person needs to use a laboratory."""
    print(f"laboratory {lab.id}, logs in {lab.directory}")
    for host in lab.hypervisors.values():
        print(f"  weft host add {host.name} --ovsdb {host.ovsdb} --tunnel-ip {host.tunnel_ip} --datapath-type netdev")
        print(
            f"    export OVS_RUNDIR={host.place.state}   # then ovs-vsctl, ovs-ofctl, ovs-appctl speak to {host.name}"
        )
    for namespace in namespaces.names(f"{namespaces.NAMESPACE_PREFIX}{lab.id}-"):
        print(f"  namespace {namespace}")


def show_all(_: argparse.Namespace) -> None:
    """Print every laboratory that `up` made."""
    for lab_id in registry.kept():
        describe(Lab.attach(lab_id))


def vm(arguments: argparse.Namespace) -> None:
    """Boot a guest; with a port, under the port's own device name, plugged, and with an address by DHCP."""
    lab = Lab.attach(arguments.id)
    if arguments.host not in lab.hypervisors:
        raise LabError(f"no hypervisor {arguments.host}; there are {', '.join(lab.hypervisors)}")
    host = lab.hypervisors[arguments.host]
    mac = arguments.mac or "fa:16:3e:" + ":".join(f"{random.SystemRandom().randrange(256):02x}" for _ in range(3))
    device = f"tap{(arguments.port or arguments.name)[:11]}"
    guest = host.boot_vm(arguments.name, device=device, mac=mac)
    print(f"guest {guest.name}: device {device}, MAC {mac}, namespace {guest.namespace}")
    if arguments.port:
        host.plug(guest, arguments.port)
        lease = guest.dhcp()
        print(f"DHCP gave {lease.address}/{lease.prefix_length}, router {lease.router}, MTU {lease.mtu}")


def execute(arguments: argparse.Namespace) -> int:
    """Run a command in a namespace of the laboratory, on this terminal."""
    namespace = f"{namespaces.NAMESPACE_PREFIX}{arguments.id}-{arguments.name}"
    if namespace not in namespaces.names():
        raise LabError(f"no guest or hypervisor {arguments.name} in laboratory {arguments.id}")
    return subprocess.run(namespaces.command(namespace, arguments.command), check=False).returncode


def down(arguments: argparse.Namespace) -> None:
    """Remove one laboratory or all that `up` made."""
    kept = registry.kept()
    if arguments.id is not None and arguments.id not in kept:
        raise LabError(f"no laboratory {arguments.id}; there are: {', '.join(kept) or 'none'}")
    for lab_id in [arguments.id] if arguments.id else kept:
        with contextlib.suppress(LabError):  # one whose `up` was interrupted has nothing to attach to
            shutil.rmtree(Lab.attach(lab_id).directory, ignore_errors=True)
        registry.remove(lab_id)
        print(f"removed laboratory {lab_id}")


def sweep_remains(_: argparse.Namespace) -> None:
    """Remove what is left of dead laboratories."""
    for lab_id in sweep():
        print(f"removed the remains of laboratory {lab_id}")


def parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    root = argparse.ArgumentParser(prog="scripts/lab", description="A laboratory by hand.")
    commands = root.add_subparsers(required=True)
    command = commands.add_parser("up", help="start N hypervisors")
    command.add_argument("count", type=int, metavar="N")
    command.set_defaults(function=up)
    commands.add_parser("list", help="laboratories that up made").set_defaults(function=show_all)
    command = commands.add_parser("vm", help="boot a guest")
    command.add_argument("id", metavar="ID")
    command.add_argument("host", metavar="HOST")
    command.add_argument("name", metavar="NAME")
    command.add_argument("port", metavar="PORT_ID", nargs="?")
    command.add_argument("--mac", help="the port's mac_address (default: a random one)")
    command.set_defaults(function=vm)
    command = commands.add_parser("exec", help="run a command in a guest or on a hypervisor")
    command.add_argument("id", metavar="ID")
    command.add_argument("name", metavar="NAME")
    command.add_argument("command", nargs=argparse.REMAINDER)
    command.set_defaults(function=execute)
    command = commands.add_parser("down", help="remove one laboratory, or all that up made")
    command.add_argument("id", metavar="ID", nargs="?")
    command.set_defaults(function=down)
    commands.add_parser("sweep", help="remove remains of killed runs").set_defaults(function=sweep_remains)
    return root


def main() -> int:
    """Run one command."""
    arguments = parser().parse_args()
    try:
        return arguments.function(arguments) or 0
    except (LabError, CommandError, TimeoutError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
