"""What do security groups cost: flows and time of members and rules, and how long until a change is enforced?

Members are ports without devices: their flows are there all the same. The floor of a change is `ovs-ofctl --bundle`
with the very flows it made, on an Open vSwitch beside it. Enforcement is measured by packets, one a millisecond, while
the datapath holds thousands of megaflows, which must all be looked at again after any change of the tables; its floor
is one flow put in and taken out by ovs-ofctl under as many megaflows.
"""

import argparse
import contextlib
import ipaddress
import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from benchmarks.cloud import BULK, FLOOR_BRIDGE, Cloud, Floor, cloud, floor, flow_count, introduce
from benchmarks.probe import Probe, ipv4, mac_bytes
from benchmarks.report import Figure, Goal, at_most, median, percentile
from tests.lab import eventually
from tests.lab.guest import Vm
from tests.lab.hypervisor import Hypervisor
from tests.lab.packets import open_socket

RULES, GROUPS = 20, 10
ENFORCED_MS = 10
PROBER, TARGET, FILLER = ("02:00:00:00:02:01", "10.99.255.1"), ("02:00:00:00:02:02", "10.99.255.2"), "02:00:00:00:02:03"
FILLER_IP = "10.99.255.3"
STRANGERS = ipaddress.IPv4Network("10.99.128.0/18")
"""Addresses the filler sends to: each is looked up, so each has megaflows of its own."""
ROUND_S = 3.0
"""The filler comes back to every address before its megaflows are idle (10 s, ovs-vswitchd.conf.db(5), max-idle)."""
GONE_S = 0.5
FLOOR_DENIED = f"priority=5,icmp,nw_dst={TARGET[1]},icmp_type=8,actions=drop"


def run(args: argparse.Namespace) -> Iterator[Figure]:
    """Measure flows and time, then enforcement, each in a laboratory of its own."""
    members, megaflows = (200, 1000) if args.quick else (1000, 5000)
    with cloud(2, dummies=False) as bed, floor(bed.lab) as base:
        yield from _size(members, args.repeat, bed, base)
    with cloud(1, dummies=False) as bed, floor(bed.lab) as base:
        yield from _enforced(megaflows, args.repeat, bed, base)


# flows and time -------------------------------------------------------------------------------------------------------


def group(bed: Cloud, *rules: dict[str, Any]) -> str:
    """Create a security group with these rules and return its id."""
    made = bed.api.post("/v2.0/security-groups", {"security_group": {"name": "bench"}})["security_group"]
    if rules:
        add_rules(bed, made["id"], *rules)
    return str(made["id"])


def add_rules(bed: Cloud, group_id: str, *rules: dict[str, Any]) -> list[str]:
    """Add rules with one request and return their ids."""
    bodies = [{"security_group_id": group_id, "direction": "ingress", "ethertype": "IPv4", **rule} for rule in rules]
    made = bed.api.post("/v2.0/security-group-rules", {"security_group_rules": bodies})["security_group_rules"]
    return [str(rule["id"]) for rule in made]


def tcp(port: int, **more: Any) -> dict[str, Any]:
    """Return a rule for one TCP port."""
    return {"protocol": "tcp", "port_range_min": port, "port_range_max": port, **more}


def _members(bed: Cloud, network: str, host: Hypervisor, count: int, group_id: str) -> None:
    body = {"network_id": network, "binding:host_id": host.name, "security_groups": [group_id]}
    for at in range(0, count, BULK):
        bed.bulk([body] * min(BULK, count - at))


def _timed(bed: Cloud, host: Hypervisor, base: Floor, act: Callable[[], object]) -> tuple[float, int, float]:
    """Return the seconds until a change is in the switch, the flows it added, and the floor's seconds for the same.

    What is waited for is known only afterwards, so the act is followed to the last change of the number of flows.
    """
    before = set(_flows(host))
    began = time.monotonic()
    act()
    last, count = time.monotonic(), len(before)
    while time.monotonic() - last < GONE_S:
        now = flow_count(host)
        if now != count:
            last, count = time.monotonic(), now
    bed.settle()
    added = [flow for flow in _flows(host) if flow not in before]
    return last - began, len(added), floor_s(base, added)


def _flows(host: Hypervisor) -> list[str]:
    """Return a host's flows but the one that says what intent they are made from."""
    return [flow for flow in host.flows() if "table=250" not in flow]


def floor_s(base: Floor, flows: Sequence[str]) -> float:
    """Return the seconds ovs-ofctl takes for the same flows; groups and meters are cut out."""
    text = "\n".join(re.sub(r"meter:\d+,?|group:\d+,?", "", flow) for flow in flows)
    began = time.monotonic()
    base.host.ofctl("--bundle", "add-flows", FLOOR_BRIDGE, "-", stdin=text)
    taken = time.monotonic() - began
    base.host.ofctl("del-flows", FLOOR_BRIDGE)
    return taken


def _size(members: int, repeat: int, bed: Cloud, base: Floor) -> Iterator[Figure]:
    here, there = bed.hosts
    network = bed.network()
    members_group = group(bed)
    first = {"network_id": network, "binding:host_id": here.name, "security_groups": [members_group]}
    bed.bulk([first])
    bed.settle()

    def fill() -> None:
        _members(bed, network, here, members // 2, members_group)
        _members(bed, network, there, members // 2, members_group)

    seconds, flows, base_s = _timed(bed, here, base, fill)
    yield Figure(
        name=f"{members} members on two hosts -> flows of one host",
        value=seconds,
        unit="s",
        floor=base_s,
        note=f"{flows} flows, {flows / members:.1f} a member",
    )
    rules = [tcp(port, remote_group_id=members_group) for port in range(1000, 1000 + RULES)]
    seconds, flows, base_s = _timed(bed, here, base, lambda: add_rules(bed, members_group, *rules))
    yield Figure(
        name=f"{RULES} rules for a group of {members} -> flows",
        value=seconds,
        unit="s",
        floor=base_s,
        note=f"{flows} flows, {flows / RULES:.2f} a rule",
    )
    yield Figure(
        name=f"flows of one host, {members} members x {RULES} rules",
        value=flow_count(here),
        unit="flows",
        note=f"without conjunctions the rules alone would be {members * RULES}",
    )
    yield from _one_more(members, repeat, bed, base, members_group)


def _one_more(members: int, repeat: int, bed: Cloud, base: Floor, members_group: str) -> Iterator[Figure]:
    here, there = bed.hosts
    network = str(bed.api.list("networks")[0]["id"])
    numbers = iter(range(2000, 60_000))

    def rule() -> None:
        add_rules(bed, members_group, tcp(next(numbers), remote_group_id=members_group))

    yield from _steps(f"one more rule, {members} members", repeat, bed, base, act=rule, goal=at_most(1))
    for number in range(GROUPS):
        other = group(bed, tcp(100 + number, remote_group_id=members_group))
        body = {"network_id": network, "binding:host_id": here.name, "security_groups": [other]}
        bed.bulk([body])
    bed.settle()
    name = f"one more member on {{}} host, {GROUPS} groups refer to its group"
    for which, host, goal in (("another", there, at_most(3)), ("its own", here, at_most(12))):

        def member(host: Hypervisor = host) -> None:
            _members(bed, network, host, 1, members_group)

        yield from _steps(name.format(which), repeat, bed, base, act=member, goal=goal)


def _steps(name: str, repeat: int, bed: Cloud, base: Floor, *, act: Callable[[], None], goal: Goal) -> Iterator[Figure]:
    host = bed.hosts[0]
    taken, flows, floors = [], [], []
    for number in range(max(3, repeat // 2) + 1):
        seconds, added, floor_seconds = _timed(bed, host, base, act)
        if number:  # the first round warms caches
            taken.append(seconds * 1000)
            flows.append(added)
            floors.append(floor_seconds * 1000)
    yield Figure(
        name=f"{name} -> flows",
        value=median(taken),
        unit="ms",
        floor=median(floors),
        note=f"worst {max(taken):.0f} ms; the number of flows is asked every few milliseconds",
    )
    yield Figure(name=f"{name}: flows", value=max(flows), unit="flows", goal=goal)


# enforcement ----------------------------------------------------------------------------------------------------------


class Filler:
    """Keeps as many megaflows in the datapath as are wanted."""

    def __init__(self, vm: Vm, mac: str, next_hop: str, addresses: int) -> None:
        self._raw = open_socket(vm.namespace, "eth0")
        head = mac_bytes(next_hop) + mac_bytes(mac) + b"\x08\0"
        payload = (4000).to_bytes(2, "big") + (9).to_bytes(2, "big") + b"\0\x10\0\0" + bytes(8)
        self._frames = [head + ipv4(FILLER_IP, str(STRANGERS[n + 1]), 17, payload) for n in range(addresses)]
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="filler", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        gap = ROUND_S / len(self._frames)
        while not self._stopping.is_set():
            due = time.monotonic()
            for frame in self._frames:
                with contextlib.suppress(OSError):  # its queue is full for a moment
                    self._raw.send(frame)
                due += gap
                if (rest := due - time.monotonic()) > 0:
                    time.sleep(rest)
                if self._stopping.is_set():
                    return

    def close(self) -> None:
        """Stop."""
        self._stopping.set()
        self._thread.join()
        self._raw.close()


def megaflows(host: Hypervisor) -> int:
    """Return how many megaflows the host's datapath has (ovs-vswitchd(8), upcall/show)."""
    found = re.search(r"flows\s*:\s*\(current (\d+)\)", host.appctl("upcall/show"))
    return int(found[1]) if found else 0


def _plugged(bed: Cloud, network: str, mac: str, address: str, groups: list[str]) -> Vm:
    (host,) = bed.hosts
    vm = bed.guest(host, f"g{mac[-2:]}", mac, f"{address}/16")
    body = {"mac_address": mac, "fixed_ips": [{"ip_address": address}], "security_groups": groups}
    port = bed.port(network, host.name, **body)
    host.plug(vm, port["id"])
    bed.weft.wait_for_port(port["id"])
    return vm


def _enforced(count: int, repeat: int, bed: Cloud, base: Floor) -> Iterator[Figure]:
    (host,) = bed.hosts
    network = bed.network()
    free = group(bed)
    served = group(bed)
    prober = _plugged(bed, network, *PROBER, [free])
    target = _plugged(bed, network, *TARGET, [served])
    # Its egress asks who has each address it sends to; nobody who is meant does, so nothing is committed.
    looks_up = bed.api.post("/v2.0/security-groups", {"security_group": {"name": "filler"}})["security_group"]
    for rule in looks_up["security_group_rules"]:
        bed.api.delete(f"/v2.0/security-group-rules/{rule['id']}")
    add_rules(bed, looks_up["id"], {"direction": "egress", "remote_group_id": free})
    filler = _plugged(bed, network, FILLER, FILLER_IP, [str(looks_up["id"])])
    introduce(prober, PROBER[1], target, TARGET[1])
    floor_probe = _floor_guests(bed, base)
    probe = Probe(prober, PROBER[1], *TARGET)
    icmp = {"protocol": "icmp"}
    made: list[str] = []

    def allow() -> None:
        made[:] = add_rules(bed, served, icmp)

    def deny() -> None:
        bed.api.delete(f"/v2.0/security-group-rules/{made[0]}")

    floor_filler = base.host.vms["f03"]
    for wanted in (0, count):
        with contextlib.ExitStack() as stack:
            if wanted:
                # Weft needs two megaflows an address, one before and one after conntrack; the floor has no conntrack.
                for vm, on, addresses in ((filler, host, wanted // 2), (floor_filler, base.host, wanted)):
                    stack.callback(Filler(vm, FILLER, TARGET[0], addresses).close)
                    eventually(
                        lambda on=on, wanted=wanted: megaflows(on) >= wanted, 60, f"{wanted} megaflows on {on.name}"
                    )
            mine = [_round(probe, allow, deny) for _ in range(repeat + 1)][1:]
            act_on, act_off = _floor_acts(base)
            theirs = [_round(floor_probe, act_on, act_off) for _ in range(repeat + 1)][1:]
            now = megaflows(host)
        for at, what in enumerate(("rule added -> first packet passes", "rule removed -> last packet passed")):
            values, base_values = [r[at] * 1000 for r in mine], [r[at] * 1000 for r in theirs]
            after = [r[at + 2] * 1000 for r in mine]
            yield Figure(
                name=f"{what}, {now} megaflows",
                value=median(values),
                unit="ms",
                floor=median(base_values),
                note=f"p99 {percentile(values, 0.99):.1f} ms (floor {percentile(base_values, 0.99):.1f}); from the "
                f"request on; after its answer: median {median(after):.1f}, worst {max(after):.1f} ms",
            )
            yield Figure(
                name=f"{what}, after the answer, {now} megaflows",
                value=max(after),
                unit="ms",
                floor=max(r[at + 2] * 1000 for r in theirs),
                goal=at_most(ENFORCED_MS),
                note="the worst of both; less than zero: before the answer, for the floor the end of ovs-ofctl",
            )
    probe.close()
    floor_probe.close()


def _round(probe: Probe, allow: Callable[[], None], deny: Callable[[], None]) -> tuple[float, float, float, float]:
    """Open and close once; return the seconds each took from its beginning, and the same from its answer."""
    row = probe.row(1000)
    time.sleep(0.1)
    began = time.monotonic()
    allow()
    answered = time.monotonic()
    eventually(lambda: row.answered, 10, "the first packet passes", every_s=0.0005)
    opened = row.sent[min(row.answered)]
    time.sleep(0.2)
    denied = time.monotonic()
    deny()
    deny_answered = time.monotonic()
    time.sleep(GONE_S)
    row.stop()
    last = row.sent[max(row.answered)]
    return opened - began, last - denied, opened - answered, last - deny_answered


def _floor_guests(bed: Cloud, base: Floor) -> Probe:
    """Set up the floor: the same three guests, one table that looks at every destination, and a deny to be lifted."""
    vms = [
        bed.guest(base.host, f"f{mac[-2:]}", mac, f"{address}/16")
        for mac, address in (PROBER, TARGET, (FILLER, FILLER_IP))
    ]
    for vm in vms:
        base.host.vsctl("add-port", FLOOR_BRIDGE, vm.device)
    introduce(vms[0], PROBER[1], vms[1], TARGET[1])
    base.host.ofctl("del-flows", FLOOR_BRIDGE)
    base.host.ofctl("add-flow", FLOOR_BRIDGE, "priority=1,actions=NORMAL")
    looked_up = f"priority=2,ip,dl_src={FILLER},actions=move:NXM_OF_IP_DST[]->NXM_NX_REG0[]"
    base.host.ofctl("add-flow", FLOOR_BRIDGE, looked_up)
    base.host.ofctl("add-flow", FLOOR_BRIDGE, FLOOR_DENIED)
    return Probe(vms[0], PROBER[1], *TARGET)


def _floor_acts(base: Floor) -> tuple[Callable[[], None], Callable[[], None]]:
    match = FLOOR_DENIED.removesuffix(",actions=drop")

    def allow() -> None:
        base.host.ofctl("--strict", "del-flows", FLOOR_BRIDGE, match)

    def deny() -> None:
        base.host.ofctl("add-flow", FLOOR_BRIDGE, FLOOR_DENIED)

    return allow, deny
