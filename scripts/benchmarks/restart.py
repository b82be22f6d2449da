"""What does a guest notice when Weft or ovs-vswitchd is killed and started again on a host with 500 ports?

One hundred pings a second run through each kill -9. The floor: the same ovs-vswitchd with a NORMAL bridge alone.
"""

import argparse
import re
import time
from collections.abc import Callable, Iterator

from benchmarks.cloud import Cloud, cloud, floor
from benchmarks.latency import OnFloor, OnWeft
from benchmarks.probe import Balance, Probe
from benchmarks.report import Figure, at_most, median
from tests.lab import eventually
from tests.lab.hypervisor import Hypervisor

PER_SECOND = 100
SYNCED = re.compile(r"switch_synced .*flows=(\d+) sent=(\d+)")


def run(args: argparse.Namespace) -> Iterator[Figure]:
    """Measure both restarts and the floor some times in turn."""
    size, times = (100, 2) if args.quick else (500, max(3, args.repeat // 3))
    with cloud() as bed, floor(bed.lab) as base:
        network_id = bed.network()
        on_floor, on_weft = OnFloor(bed, base), OnWeft(bed, network_id)
        port = on_weft.ready()
        on_weft.host.plug(on_weft.vm, port["id"])
        on_floor.host.plug(on_floor.vm, "floor", "br-floor")
        base.grow(size)
        bed.plug_dummies(bed.hosts[0], bed.ports(network_id, "h1", size))
        bed.wait_active(size + 2)
        bed.settle()
        weft = [_disturbed(on_weft.probe, lambda: _restart_weft(bed)) for _ in range(times)]
        sent = _mods_sent(bed)
        yield Figure(
            name=f"weft killed, {size} ports: packets lost",
            value=max(b.lost for b in weft),
            unit="packets",
            goal=at_most(0),
            note=f"worst of {times}",
        )
        yield Figure(name=f"weft killed, {size} ports: flow-mods sent", value=sent, unit="messages", goal=at_most(0))
        bare = [_disturbed(on_floor.probe, lambda: _restart_vswitchd(on_floor.host)) for _ in range(times)]
        full = [_disturbed(on_weft.probe, lambda: _restart_vswitchd(bed.hosts[0])) for _ in range(times)]
        spread = " ".join(f"{b.outage_s:.2f}" for b in full)
        yield Figure(
            name=f"ovs-vswitchd killed, {size} ports: outage",
            value=median([b.outage_s for b in full]),
            unit="s",
            floor=median([b.outage_s for b in bare]),
            goal=at_most(0.5),
            note=f"each: {spread}",
        )
        yield Figure(
            name=f"ovs-vswitchd killed, {size} ports: packets lost",
            value=median([b.lost for b in full]),
            unit="packets",
            floor=median([b.lost for b in bare]),
        )


def _disturbed(probe: Probe, act: Callable[[], object]) -> Balance:
    """Return what a row of pings through `act` lost, when two seconds after it have been without loss."""
    row = probe.row(PER_SECOND)
    time.sleep(0.5)
    act()
    time.sleep(1.0)
    eventually(lambda: row.is_well(1.5), 60, "pings pass again")
    return row.stop()


def _restart_weft(bed: Cloud) -> None:
    bed.weft.kill()
    bed.weft.start()
    bed.weft.wait_for_host("h1")
    time.sleep(2.0)  # ovs-vswitchd waits a second at most before it connects again


def _restart_vswitchd(host: Hypervisor) -> None:
    host.kill_vswitchd()
    host.start_vswitchd()


def _mods_sent(bed: Cloud) -> int:
    """Return what the last start of Weft sent to its switch, as its log says."""
    found = SYNCED.findall(bed.weft.log.read_text())
    return int(found[-1][1])
