"""How many frames does Open vSwitch itself send astray when two devices change places? No controller, two fixed flows.

Each sender has a flow to the OpenFlow number of its receiver, and the numbers stay with the receivers. But when both
receivers' devices go and come back within one reconfiguration of ovs-vswitchd, they may get each other's *datapath*
number, and cached flows name that until they are revalidated. What the stories find beyond this is Weft's.
"""

import threading
import time
from typing import NamedTuple

from tests.lab import Lab
from tests.lab.hypervisor import Hypervisor
from tests.lab.process import run

NUMBERS = {"red-sender": 1, "blue-sender": 2, "red": 10, "blue": 20}
ETHERTYPE = bytes.fromhex("88b5")
PAUSE_S = 0.25
"""Between two exchanges; revalidation takes some milliseconds."""


class Astray(NamedTuple):
    """Frames received by both receivers."""

    right: int
    wrong: int


def exchange(lab: Lab, times: int) -> Astray:
    """Let two receivers change their devices' names and places `times` times, while both senders send."""
    host = lab.hypervisor("floor")
    host.vsctl("add-br", "br-int", "--", "set", "Bridge", "br-int", "datapath_type=netdev", "fail_mode=secure")
    guests = {}
    for name, number in NUMBERS.items():
        guests[name] = host.boot_vm(name, device=f"x{number}", mac=f"02:00:00:00:dd:{number:02x}", ipv6=False)
        _add(host, {f"x{number}": number})
    for name in ("red", "blue"):
        flow = f"in_port={NUMBERS[f'{name}-sender']},actions=output:{NUMBERS[name]}"
        run(["ovs-ofctl", "add-flow", f"{host.place.state}/br-int.mgmt", flow])
    over = threading.Event()

    def send(name: str) -> None:
        head = b"\xff" * 6 + bytes.fromhex(f"02000000dd{NUMBERS[f'{name}-sender']:02x}") + ETHERTYPE
        while not over.wait(0.001):
            guests[f"{name}-sender"].send_frame(*[(head + name.encode()).ljust(60, b"\0")] * 5)

    senders = [threading.Thread(target=send, args=(name,), daemon=True) for name in ("red", "blue")]
    with guests["red"].capture() as red, guests["blue"].capture() as blue:
        for sender in senders:
            sender.start()
        devices = {"red": "x10", "blue": "x20"}
        for turn in range(times):
            devices = _change_places(host, devices, turn)
            time.sleep(PAUSE_S)
        over.set()
        for sender in senders:
            sender.join()
        got = {
            (at, of): len(capture.frames(lambda frame, of=of: frame[14:].startswith(of.encode())))  # type: ignore[misc]
            for at, capture in (("red", red), ("blue", blue))
            for of in ("red", "blue")
        }
    return Astray(
        right=got["red", "red"] + got["blue", "blue"],
        wrong=got["red", "blue"] + got["blue", "red"],
    )


def _change_places(host: Hypervisor, devices: dict[str, str], turn: int) -> dict[str, str]:
    """Give both devices new names and their ports new rows, in one transaction and the other order."""
    renamed = {name: f"{name[0]}{turn}" for name in devices}
    for name, device in devices.items():
        for change in (["down"], ["name", renamed[name]]):
            run(["ip", "-n", host.namespace, "link", "set", device, *change])
        run(["ip", "-n", host.namespace, "link", "set", renamed[name], "up"])
    order = ("red", "blue") if turn % 2 else ("blue", "red")
    gone = [word for device in devices.values() for word in ("--", "--if-exists", "del-port", "br-int", device)]
    host.vsctl("--no-wait", *gone[1:], *_added({renamed[name]: NUMBERS[name] for name in order}))
    return renamed


def _add(host: Hypervisor, devices: dict[str, int]) -> None:
    host.vsctl(*_added(devices)[1:])


def _added(devices: dict[str, int]) -> list[str]:
    words: list[str] = []
    for device, number in devices.items():
        words += ["--", "add-port", "br-int", device]
        words += ["--", "set", "Interface", device, f"ofport_request={number}"]
    return words
