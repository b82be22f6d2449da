"""How long until N ports of one request are programmed on one host, and until N plugged devices are ACTIVE?

The floor: `ovs-ofctl --bundle add-flows` of the very flows Weft made, and `ovs-vsctl` with N times add-port, on an Open
vSwitch beside it.
"""

import argparse
import re
import time
from collections.abc import Iterator

from benchmarks import processes
from benchmarks.cloud import FLOOR_BRIDGE, Cloud, Floor, cloud, floor, flow_count
from benchmarks.report import Figure, Goal, at_most

GOALS_S = {500: 0.5, 1000: 1.0, 2000: 2.0}
FLOWS_A_PORT = 4


def run(args: argparse.Namespace) -> Iterator[Figure]:
    """Measure each size in a laboratory of its own."""
    for size in (100, 500) if args.quick else (100, 500, 1000, 2000):
        with cloud() as bed, floor(bed.lab) as base:
            yield from _batch(size, bed, base)


def _batch(size: int, bed: Cloud, base: Floor) -> Iterator[Figure]:
    host = bed.hosts[0]
    network_id = bed.network()
    bed.ports(network_id, host.name, 1)
    bed.settle()
    empty, before = flow_count(host), processes.cpus_s(bed.pids)
    body = {"network_id": network_id, "binding:host_id": host.name}
    began = time.monotonic()
    ports = bed.bulk([body] * size)
    posted = time.monotonic() - began
    bed.wait_flows(host, empty + FLOWS_A_PORT * size)
    programmed = time.monotonic() - began
    bed.settle()
    used = _spent(bed, before)
    limit = GOALS_S.get(size)
    flows_s = _floor_flows(base, host.flows())
    yield Figure(
        name=f"bulk POST of {size} ports -> all flows in the switch",
        value=programmed,
        unit="s",
        floor=flows_s,
        goal=None if limit is None else at_most(limit),
        note=f"POST answered after {posted:.2f} s; CPU {used}",
    )
    yield Figure(name=f"flows, {size} ports", value=flow_count(host) - empty, unit="flows", goal=Goal(limit=12 * size))
    before = processes.cpus_s(bed.pids)
    began = time.monotonic()
    vsctl = bed.plug_dummies(host, ports)
    bed.wait_active(size)
    active = time.monotonic() - began
    bed.settle()
    yield Figure(
        name=f"{size} devices plugged at once -> all ACTIVE",
        value=active,
        unit="s",
        floor=base.grow(size),
        note=f"ovs-vsctl returned after {vsctl:.2f} s; CPU {_spent(bed, before)}",
    )
    yield from _gone(size, bed, empty, [port["id"] for port in ports])


def _gone(size: int, bed: Cloud, empty: int, ids: list[str]) -> Iterator[Figure]:
    """Unplug and delete everything again; nothing may be left behind."""
    host = bed.hosts[0]
    host.vsctl(
        *(word for i in ids for word in ("--", "--if-exists", "del-port", "br-int", f"d{i[:11]}")), timeout_s=120
    )
    for port_id in ids:
        bed.api.delete(f"/v2.0/ports/{port_id}")
    bed.settle()
    yield Figure(
        name=f"flows left behind by {size} deleted ports", value=flow_count(host) - empty, unit="flows", goal=at_most(0)
    )


def _spent(bed: Cloud, before: dict[str, float]) -> str:
    after = processes.cpus_s(bed.pids)
    return ", ".join(f"{name} {after[name] - before[name]:.2f} s" for name in after)


def _floor_flows(base: Floor, flows: list[str]) -> float:
    """Return the seconds the same flows take with ovs-ofctl; those that need groups are left out, meters cut out."""
    text = "\n".join(re.sub(r"meter:\d+,", "", flow) for flow in flows if "group:" not in flow)
    base.host.ofctl("del-flows", FLOOR_BRIDGE)
    began = time.monotonic()
    base.host.ofctl("--bundle", "add-flows", FLOOR_BRIDGE, "-", stdin=text)
    taken = time.monotonic() - began
    base.host.ofctl("del-flows", FLOOR_BRIDGE)
    return taken
