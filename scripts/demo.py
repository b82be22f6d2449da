"""Does Weft work on this machine? Two hypervisors, two networks with the same addresses, real packets, one table.

The part of ``scripts/run`` that comes after the set-up. Everything goes the way a user's own programs would: the
command line for hosts, REST for networks and ports, Open vSwitch's own tools or a bare tap device for plugging.
"""

import argparse
import contextlib
import ipaddress
import json
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from scripts import three_tier
from tests.lab import Api, ApiError, Capture, Lab, LabError, Lease, Vm, Weft, sweep
from tests.lab.packets import ipv4_addresses, is_echo_request
from tests.lab.process import eventually, tail
from tests.lab_ovn.cluster import Cluster

ROOT = Path(__file__).resolve().parents[1]
CIDR = "10.0.0.0/24"
HOSTS = ("h1", "h2")
PINGS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Guest:
    """One guest of the demonstration."""

    name: str
    network: str
    host: str
    address: str
    by_hand: bool = False
    """Plugged by ovs-vsctl; the others find their port wired before their device exists."""


GUESTS = (
    Guest(name="red-1", network="red", host="h1", address="10.0.0.11"),
    Guest(name="red-2", network="red", host="h1", address="10.0.0.12", by_hand=True),
    Guest(name="red-3", network="red", host="h2", address="10.0.0.13"),
    Guest(name="blue-1", network="blue", host="h1", address="10.0.0.11"),
    Guest(name="blue-2", network="blue", host="h2", address="10.0.0.22"),
)
"""blue-1 has red-1's address on purpose: only the network tells them apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """One ping of the table: who is asked, and who must hear it (nobody, when it is None)."""

    source: str
    address: str
    expected: str | None
    about: str


PROBES = (
    Probe(source="red-1", address="10.0.0.12", expected="red-2", about="one network, one host"),
    Probe(source="red-1", address="10.0.0.13", expected="red-3", about="one network, two hosts"),
    Probe(source="red-3", address="10.0.0.12", expected="red-2", about="one network, two hosts"),
    Probe(source="blue-1", address="10.0.0.22", expected="blue-2", about="one network, two hosts"),
    Probe(source="red-3", address="10.0.0.11", expected="red-1", about="same address in both: red answers red"),
    Probe(source="blue-2", address="10.0.0.11", expected="blue-1", about="same address in both: blue answers blue"),
    Probe(source="red-1", address="10.0.0.22", expected=None, about="between networks"),
    Probe(source="blue-1", address="10.0.0.12", expected=None, about="between networks, one host"),
    Probe(source="blue-2", address="10.0.0.13", expected=None, about="between networks, one host"),
)


class Interrupted(Exception):  # noqa: N818 - it is no error
    """The user, or the system, asked for the end."""


def tell(text: str) -> None:
    """Say what happens now."""
    print(text, flush=True)


# ---- intent, over REST


def ensure(api: Api, resource: str, name: str, **attributes: Any) -> dict[str, Any]:
    """Return the object of this name, made now or in an earlier run."""
    for found in api.list(f"{resource}s", name=name):
        return found
    return api.create(resource, name=name, **attributes)


def ensure_ports(api: Api) -> dict[str, dict[str, Any]]:
    """Return the demonstration's ports by name, with their networks and subnets made if they are missing."""
    ports = {}
    for guest in GUESTS:
        network = ensure(api, "network", guest.network)
        subnet = ensure(
            api,
            "subnet",
            f"{guest.network}-v4",
            network_id=network["id"],
            ip_version=4,
            cidr=CIDR,
            gateway_ip="10.0.0.1",
            dns_nameservers=["192.0.2.53"],
        )
        wanted: dict[str, Any] = {
            "network_id": network["id"],
            "fixed_ips": [{"subnet_id": subnet["id"], "ip_address": guest.address}],
        }
        if not guest.by_hand:
            wanted["binding:host_id"] = guest.host
        ports[guest.name] = ensure(api, "port", guest.name, **wanted)
    return ports


def register_hosts(weft: Weft, lab: Lab) -> None:
    """Add the hypervisors; those of an earlier run at the same address are only waited for, others are replaced."""
    known = {host["name"]: host for host in json.loads(weft.command("host", "list", "--format", "json"))}
    for hypervisor in lab.hypervisors.values():
        earlier = known.get(hypervisor.name)
        if earlier is not None and earlier["ovsdb"] != hypervisor.ovsdb:
            weft.command("host", "remove", hypervisor.name, "--force")
            earlier = None
        if earlier is None:
            weft.add_host(hypervisor)
        else:
            weft.wait_for_host(hypervisor.name)
        tell(f"  {hypervisor.name}: {hypervisor.ovsdb}, tunnel address {hypervisor.tunnel_ip}")


# ---- guests


def boot(weft: Weft, lab: Lab, ports: dict[str, dict[str, Any]]) -> dict[str, tuple[Vm, Lease | None]]:
    """Boot every guest, and let each ask for its address by DHCP."""
    guests: dict[str, tuple[Vm, Lease | None]] = {}
    for guest in GUESTS:
        port = ports[guest.name]
        host = lab.hypervisors[guest.host]
        # Neutron's device name is what the pre-wired row waits for; any other name needs the row to be written.
        device = guest.name if guest.by_hand else f"tap{port['id'][:11]}"
        vm = host.boot_vm(guest.name, device=device, mac=port["mac_address"])
        if guest.by_hand:
            host.plug(vm, port["id"])
        lease = None
        try:
            weft.wait_for_port(port["id"])
            lease = vm.dhcp()
        except TimeoutError as error:
            tell(f"  {guest.name}: {error}")
        guests[guest.name] = (vm, lease)
        got = f"{lease.address}/{lease.prefix_length}, MTU {lease.mtu}" if lease else "NO LEASE"
        how = "ovs-vsctl iface-id" if guest.by_hand else "pre-wired"
        tell(f"  {guest.name:7} on {guest.host} ({how}, {device}): DHCP gave {got}")
    return guests


def who_hears(probe: Probe, guests: dict[str, tuple[Vm, Lease | None]]) -> tuple[str, bool]:
    """Send a probe's pings; return who heard them, and how many answers came.

    Every guest is listened to, so that "nobody" means that no packet arrived anywhere.
    """
    with contextlib.ExitStack() as stack:
        ears: dict[str, Capture] = {
            name: stack.enter_context(vm.capture()) for name, (vm, _) in guests.items() if name != probe.source
        }
        result = guests[probe.source][0].ping(probe.address, count=PINGS)
        heard = [
            name
            for name, capture in ears.items()
            if any(ipv4_addresses(frame)[1] == probe.address for frame in capture.frames(is_echo_request))
        ]
    wanted = [probe.expected] if probe.expected else []
    answers = PINGS if probe.expected else 0
    seen = f"{', '.join(heard) or 'nobody'}, {result.received}/{result.sent} answers"
    return seen, heard == wanted and result.received == answers


def print_table(guests: dict[str, tuple[Vm, Lease | None]]) -> bool:
    """Probe everything, print the table, and say whether all of it was as expected."""
    rows: list[tuple[str, str, str, str, bool]] = []
    for guest in GUESTS:
        lease = guests[guest.name][1]
        got = f"{lease.address}/{lease.prefix_length}" if lease else "nothing"
        wanted = f"{guest.address}/{ipaddress.IPv4Network(CIDR).prefixlen}"
        rows.append((f"{guest.name} asks DHCP", f"network {guest.network}", wanted, got, got == wanted))
    for probe in PROBES:
        seen, passed = who_hears(probe, guests)
        expected = f"{probe.expected}, {PINGS}/{PINGS} answers" if probe.expected else f"nobody, 0/{PINGS} answers"
        rows.append((f"{probe.source} pings {probe.address}", probe.about, expected, seen, passed))
    head = ("what", "about", "expected", "seen")
    widths = [max(len(str(row[column])) for row in (head, *rows)) for column in range(len(head))]
    tell("")
    for row in (head, *rows):
        verdict = "result" if row is head else "ok" if row[-1] else "FAILED"
        tell("  ".join(str(cell).ljust(width) for cell, width in zip(row, widths, strict=False)) + f"  {verdict}")
    failed = sum(not row[-1] for row in rows)
    tell(f"\n{len(rows) - failed} of {len(rows)} as expected" + (f", {failed} FAILED" if failed else ""))
    return not failed


def print_what_next(weft: Weft, lab: Lab, ports: dict[str, dict[str, Any]]) -> None:
    """Print commands that work as they stand while this runs."""
    command = f"{ROOT}/.venv/bin/weft"
    a_port = ports["red-1"]["id"]
    tell(f"""
REST API: {weft.url}      log: {weft.log}

Try, in another terminal:
  export WEFT_URL={weft.url}
  {command} host list
  {command} flows h1
  {command} flows h1 --port {a_port}
  {command} port status {a_port}
  curl -s {weft.url}/v2.0/networks
  curl -s -X POST {weft.url}/v2.0/networks -H 'Content-Type: application/json' -d '{{"network": {{"name": "green"}}}}'
  curl -s -X PUT {weft.url}/v2.0/ports/{a_port} -H 'Content-Type: application/json' \\
    -d '{{"port": {{"admin_state_up": false}}}}'
  ip netns exec weft-{lab.id}-red-1 ping 10.0.0.13
  OVS_RUNDIR={lab.hypervisors["h1"].place.state} ovs-ofctl -O OpenFlow14 dump-flows br-int

Ctrl-C ends it and removes the laboratory.""")


# ---- the whole


@contextlib.contextmanager
def until_signalled() -> Iterator[threading.Event]:
    """Turn the first SIGINT or SIGTERM into `Interrupted`; while things are being removed, further ones are ignored."""
    ended = threading.Event()

    def end(_number: int, _frame: FrameType | None) -> None:
        if not ended.is_set():
            ended.set()
            raise Interrupted

    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield ended
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def earlier_network(memory: Path) -> ipaddress.IPv4Network | None:
    """Return the management network of the run before, so that hosts keep their addresses."""
    try:
        return ipaddress.IPv4Network(json.loads(memory.read_text())["management"])
    except (OSError, ValueError, KeyError):
        return None


def demonstrate(state: Path, arguments: argparse.Namespace, stack: contextlib.ExitStack) -> bool:
    """Build everything, print the table, and stay if asked; True when all was as expected."""
    memory = state / "demo.json"
    tell("starting a laboratory of two hypervisors (namespaces with Open vSwitch)")
    lab = stack.enter_context(Lab(state / "lab", management=earlier_network(memory)))
    memory.write_text(json.dumps({"management": str(lab.management)}))
    for name in HOSTS:
        lab.hypervisor(name)
    tell("starting weft serve")
    listen = arguments.api_listen or ("127.0.0.1:0" if arguments.once else "127.0.0.1:9696")
    weft = stack.enter_context(Weft(state, lab=lab, api_listen=listen))
    tell("registering the hypervisors")
    register_hosts(weft, lab)
    if arguments.example:
        return judged(weft, three_tier.demonstrate(weft, lab, tell))
    tell(f"making networks red and blue, both {CIDR}, and five ports over REST")
    ports = ensure_ports(weft.api)
    tell("booting five guests")
    guests = boot(weft, lab, ports)
    as_expected = print_table(guests)
    if not arguments.once:
        print_what_next(weft, lab, ports)
        while weft.is_running:
            time.sleep(1)
        raise LabError(f"weft serve ended by itself:\n{tail(weft.log)}")
    return judged(weft, as_expected)


def judged(weft: Weft, as_expected: bool) -> bool:
    """Show the end of the log if something was not as expected; return whether all was."""
    if not as_expected:
        print(f"\nthe end of weft's log:\n{tail(weft.log)}", file=sys.stderr)
    return as_expected


def example_on_ovn(state: Path, arguments: argparse.Namespace, stack: contextlib.ExitStack) -> bool:
    """Build a laboratory with an OVN cluster of two chassis, and show the example there."""
    tell("starting a laboratory of two hypervisors (namespaces with Open vSwitch), and OVN on it")
    lab = stack.enter_context(Lab(state / "lab"))
    cluster = Cluster(lab)
    stack.callback(cluster.close)
    cluster.create()
    for name in HOSTS:
        cluster.chassis(name)
    remotes = {"northbound": cluster.remotes("nb"), "southbound": cluster.remotes("sb")}
    settings = [f"--plugin-setting=ovn.{name}={value}" for name, value in remotes.items()]
    tell("starting weft serve --enabled-plugins=ovn,openflow")
    listen = arguments.api_listen or "127.0.0.1:0"
    enabled = "--enabled-plugins=ovn,openflow"
    weft = stack.enter_context(Weft(state, lab=lab, api_listen=listen, arguments=[enabled, *settings]))
    eventually(lambda: len(weft.api.list("hosts")) == len(HOSTS), 20, "OVN's chassis are hosts")
    return judged(weft, three_tier.demonstrate(weft, lab, tell))


def parse() -> argparse.Namespace:
    """Return what the command line asks for; end with its usage when that cannot be."""
    parser = argparse.ArgumentParser(prog="scripts/run", description="Show Weft at work on this machine.")
    parser.add_argument("--once", action="store_true", help="end after the table")
    parser.add_argument("--keep-state", action="store_true", help="with --once: use and keep ./var")
    parser.add_argument("--api-listen", metavar="HOST:PORT", help="where the REST API listens")
    parser.add_argument("--example", choices=["three-tier"], help="show this instead, end, and leave nothing behind")
    parser.add_argument("--plugin", choices=["openflow", "ovn"], default="openflow", help="with --example: on which")
    arguments = parser.parse_args()
    if arguments.plugin != "openflow" and not arguments.example:
        parser.error("--plugin goes with --example")
    if arguments.example and arguments.keep_state:
        parser.error("--example leaves nothing behind; it does not go with --keep-state")
    arguments.once = arguments.once or bool(arguments.example)
    return arguments


def main() -> int:
    """Run the demonstration; 0 when all was as expected."""
    arguments = parse()
    sweep()
    as_expected = False
    with until_signalled() as ended:
        try:
            with contextlib.ExitStack() as stack:
                if arguments.once and not arguments.keep_state:
                    state = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="weft-run-")))
                else:
                    state = ROOT / "var"
                    state.mkdir(exist_ok=True)
                try:
                    if arguments.example and arguments.plugin == "ovn":
                        as_expected = example_on_ovn(state, arguments, stack)
                    else:
                        as_expected = demonstrate(state, arguments, stack)
                finally:
                    ended.set()  # from here on things are removed, and a signal must not stop that half-way
        except Interrupted:
            tell("\nstopped; the laboratory is removed")
            return 0 if not arguments.once else 1
        except (ApiError, LabError, TimeoutError) as error:
            print(f"error: {error}", file=sys.stderr)
            return 1
    return 0 if as_expected else 1


if __name__ == "__main__":
    sys.exit(main())
