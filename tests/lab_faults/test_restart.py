"""Does a restart of Weft cost anything? With unchanged intent: no packet, no connection, no modification, no number."""

import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

from tests.lab.dhcp import Lease
from tests.lab.guest import Vm
from tests.lab_faults import observe, traffic
from tests.lab_faults.observe import Wire
from tests.lab_faults.stage import Stage, address

PINGS_A_SECOND = 1000
CONNECTION_EVERY_MS = 20
NUMBERS = {
    "port key": "SELECT id, key FROM ports ORDER BY id",
    "segment key and VNI": "SELECT id, key, segmentation_id FROM segments ORDER BY id",
    "OpenFlow port": "SELECT port_id, host, ofport FROM bindings ORDER BY port_id",
    "datapath id": "SELECT name, datapath_id FROM hosts ORDER BY name",
}


def numbers(stage: Stage) -> dict[str, list[tuple[object, ...]]]:
    """Return every stored number, and the OpenFlow numbers the devices really have."""
    path = stage.weft.database.removeprefix("sqlite:///")
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as database:
        found = {name: list(database.execute(query)) for name, query in NUMBERS.items()}
    for name, host in stage.hosts.items():
        lines = host.vsctl("-f", "csv", "--columns=name,ofport", "list", "Interface").splitlines()
        found[f"ofports of {name}"] = [(line,) for line in sorted(lines) if line.startswith("tap")]
    return found


@contextmanager
def busy(stage: Stage) -> Iterator[tuple[Vm, Callable[[], dict[str, dict[str, Any]]]]]:
    """Keep 1,000 pings a second and new connections going, on one host and between two; give their balances.

    The VM that is given has a port and has not asked for its address yet.
    """
    red = stage.network()
    one, _ = stage.vm(red, "h1")
    two, near = stage.vm(red, "h1")
    three, far = stage.vm(red, "h2")
    four, _ = stage.vm(red, "h1")
    port = stage.port(red, "h1")
    asking = stage.boot("h1", port)
    stage.weft.wait_for_port(port["id"])
    for target in (near, far):
        one.ping_until_answered(address(target))
    half = str(PINGS_A_SECOND // 2)
    with ExitStack() as stack:
        stack.enter_context(traffic.running(three, "serve"))
        stack.enter_context(traffic.running(two, "serve"))
        time.sleep(0.4)
        going = {
            "pings on one host": stack.enter_context(traffic.running(one, "echo", address(near), half)),
            "pings between hosts": stack.enter_context(traffic.running(four, "echo", address(far), half)),
            "connections": stack.enter_context(traffic.running(one, "connect", address(far), str(CONNECTION_EVERY_MS))),
        }
        time.sleep(0.3)
        yield asking, lambda: {name: program.stop() for name, program in going.items()}


def check_nothing_lost(balances: dict[str, dict[str, Any]], seconds: float) -> None:
    for name in ("pings on one host", "pings between hosts"):
        assert balances[name]["sent"] > 0.4 * PINGS_A_SECOND * seconds, f"{name}: {balances[name]}"
        assert (balances[name]["lost"], balances[name]["refused"]) == (0, 0), f"{name}: {balances[name]}"
    opened = balances["connections"]
    assert opened["opened"] > 500 / CONNECTION_EVERY_MS * seconds, opened
    assert (opened["failures"], opened["slow"]) == (0, []), opened


def ask(vm: Vm, leases: list[Lease]) -> None:
    """Ask for an address as a guest does: a client that was offered one and then not heard begins anew."""
    for _ in range(3):
        with suppress(TimeoutError):
            leases.append(vm.dhcp(timeout_s=20))
            return


def test_weft_killed_twice_under_traffic_loses_nothing_and_changes_nothing(stage: Stage) -> None:
    leases: list[Lease] = []
    with busy(stage) as (asking, balances):
        stage.settle()
        before, contents = numbers(stage), {n: observe.contents(h) for n, h in stage.hosts.items()}
        wire, began = Wire(*stage.hosts.values()), time.monotonic()
        stage.weft.kill()
        # udhcpc asks again every few seconds: its lease comes when the controller is back
        client = threading.Thread(target=ask, args=(asking, leases))
        client.start()
        time.sleep(0.5)
        stage.weft.start()
        stage.settle()
        stage.weft.kill()
        stage.weft.start()
        stage.settle()
        client.join()
        modifications, seconds = wire.modifications(), time.monotonic() - began
        balance = balances()
        youngest = {name: observe.youngest_s(host) for name, host in stage.hosts.items()}
        wire.quiet()
    assert len(leases) == 1
    check_nothing_lost(balance, seconds)
    assert modifications == {name: Counter() for name in stage.hosts}
    assert min(youngest.values()) > seconds, "a flow, group or meter was made again"
    assert numbers(stage) == before
    assert {n: observe.contents(h) for n, h in stage.hosts.items()} == contents


def test_the_controller_child_killed_alone_loses_nothing_and_changes_nothing(stage: Stage) -> None:
    with busy(stage) as (_, balances):
        stage.settle()
        before = numbers(stage)
        wire, began = Wire(*stage.hosts.values()), time.monotonic()
        stage.restart_controller()
        modifications, seconds = wire.modifications(), time.monotonic() - began
        balance = balances()
        wire.quiet()
    check_nothing_lost(balance, seconds)
    assert modifications == {name: Counter() for name in stage.hosts}
    assert numbers(stage) == before


def test_the_count_of_modifications_sees_a_change(stage: Stage) -> None:
    """The measure of the two tests above is not blind."""
    red = stage.network()
    stage.settle()
    wire = Wire(*stage.hosts.values())
    stage.vm(red, "h1")
    modifications = wire.modifications()
    wire.quiet()
    assert modifications["h1"].total() > 0
