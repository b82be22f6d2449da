"""How many ports a second does the API create, and how fast are lists, beside a bare Flask and SQLite in the same run?

Durable on both sides (synchronous=FULL); the client is the same on both sides and uses one processor with the server.
"""

import argparse
import contextlib
import json
import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks import processes
from benchmarks.cloud import Cloud, cloud
from benchmarks.http import FIRST_ERROR, Client, drive
from benchmarks.report import Figure, Goal, Of, at_least, at_most, median, percentile
from benchmarks.switchside import FIRST_DPID, OpenFlowSide, add_bridges, remote_flows, tables
from controller.southbound.openflow.events import Connected, Synced

PORTS = "/v2.0/ports"
CLIENTS = (1, 4, 16)


@contextlib.contextmanager
def bare(directory: Path) -> Iterator[str]:
    """Run the floor and return its URL."""
    command = [sys.executable, "-P", "-m", "benchmarks.bare_api", str(directory / "bare.db")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment
    ) as running:
        try:
            yield f"http://127.0.0.1:{int(running.stdout.readline())}"  # type: ignore[union-attr]
        finally:
            running.kill()


def run(args: argparse.Namespace) -> Iterator[Figure]:
    """Measure one Weft without hosts, and the floor beside it."""
    seconds = 2.0 if args.quick else 5.0
    with cloud(0) as bed, bare(bed.weft.directory) as floor_url:
        yield from _create(bed, floor_url, seconds)
        yield from _bulk(bed, floor_url, args.repeat)
    with cloud(0) as bed, bare(bed.weft.directory) as floor_url:
        yield from _get(bed, floor_url, args.repeat)
    with cloud(0) as bed:
        yield from _taken(bed, (0, 1_000) if args.quick else (0, 1_000, 10_000, 60_000))


def _body(network_id: str) -> bytes:
    return json.dumps({"port": {"network_id": network_id, "name": "p"}}).encode()


def _create(bed: Cloud, floor_url: str, seconds: float) -> Iterator[Figure]:
    goals: dict[int, Goal] = {16: at_least(1000)}
    network_id = bed.network("10.64.0.0/12")
    body = _body(network_id)
    drive(bed.weft.url, 2, 0.5, lambda _: ("POST", PORTS, body))
    for clients in CLIENTS:
        base = drive(floor_url, clients, seconds, lambda _: ("POST", PORTS, body))
        before = processes.cpus_s(bed.pids)
        load = drive(bed.weft.url, clients, seconds, lambda _: ("POST", PORTS, body))
        cpu_ms = (processes.cpus_s(bed.pids)["api"] - before["api"]) * 1000 / max(1, len(load.times_ms))
        _check(load.answers, load.errors)
        yield Figure(
            name=f"POST port, {clients} clients",
            value=load.per_second,
            unit="/s",
            floor=base.per_second,
            goal=goals.get(clients),
            note=f"p50 {median(load.times_ms):.1f} ms, p99 {percentile(load.times_ms, 0.99):.1f} ms; "
            f"API process {cpu_ms:.2f} ms of CPU a port",
        )
        if clients == CLIENTS[-1]:
            yield Figure(
                name="POST port, 16 clients, beside the floor",
                value=load.per_second,
                unit="/s",
                floor=base.per_second,
                goal=at_least(0.6, Of.RATIO),
            )
    with pushing(bed) as rounds:
        base = drive(floor_url, 16, seconds, lambda _: ("POST", PORTS, body))
        load = drive(bed.weft.url, 16, seconds, lambda _: ("POST", PORTS, body))
    yield Figure(
        name="POST port, 16 clients, while flows are pushed",
        value=load.per_second,
        unit="/s",
        floor=base.per_second,
        goal=at_least(0.4, Of.RATIO),
        note=f"another process changes 20,000 flows again and again, {rounds[0]} times in both runs",
    )


def _check(answers: list[bytes], errors: int) -> None:
    """Every port has an address of its own, and nothing was refused."""
    addresses = [json.loads(answer)["port"]["fixed_ips"][0]["ip_address"] for answer in answers]
    if errors or len(set(addresses)) != len(addresses):
        raise RuntimeError(f"{errors} refusals, {len(addresses) - len(set(addresses))} addresses given twice")


def _bulk(bed: Cloud, floor_url: str, repeat: int) -> Iterator[Figure]:
    network_id = bed.network("10.96.0.0/13")
    for size in (100, 1000):
        body = json.dumps({"ports": [{"network_id": network_id}] * size}).encode()
        base, mine = (_times_ms(url, repeat, "POST", PORTS, body) for url in (floor_url, bed.weft.url))
        yield Figure(
            name=f"bulk POST of {size} ports",
            value=size * 1000 / median(mine),
            unit="/s",
            floor=size * 1000 / median(base),
            goal=at_least(3000),
            note=f"{median(mine):.0f} ms a request",
        )


def _get(bed: Cloud, floor_url: str, repeat: int) -> Iterator[Figure]:
    network_id = bed.network("10.64.0.0/16")
    ports = bed.ports(network_id, None, 1000)
    floor_client = Client(floor_url)
    rows = floor_client.json("POST", PORTS, {"ports": ports})
    bed.settle()
    base, mine = (_times_ms(url, 2 * repeat, "GET", PORTS) for url in (floor_url, bed.weft.url))
    yield Figure(
        name="GET 1,000 ports",
        value=median(mine),
        unit="ms",
        floor=median(base),
        goal=at_most(40),
        note=f"p99 {percentile(mine, 0.99):.0f} ms; the floor sends back what was stored",
    )
    base = _times_ms(floor_url, 20 * repeat, "GET", f"{PORTS}/{rows[0]['id']}")
    mine = _times_ms(bed.weft.url, 20 * repeat, "GET", f"{PORTS}/{ports[500]['id']}")
    yield Figure(
        name="GET one port",
        value=median(mine),
        unit="ms",
        floor=median(base),
        note=f"p99 {percentile(mine, 0.99):.1f} ms",
    )


def _taken(bed: Cloud, sizes: tuple[int, ...]) -> Iterator[Figure]:
    """POST into one /16 that fills up; the empty one is the floor of the others."""
    network_id = bed.network("10.200.0.0/16")
    body, taken, empty = _body(network_id), 0, None
    for size in sizes:
        bed.ports(network_id, None, size - taken)
        bed.settle()
        times = _times_ms(bed.weft.url, 40, "POST", PORTS, body)
        taken = size + 41
        yield Figure(
            name=f"POST port, {size} addresses of its /16 taken",
            value=median(times),
            unit="ms",
            floor=empty,
            goal=None if empty is None else at_most(1.5, Of.RATIO),
            note=f"p99 {percentile(times, 0.99):.1f} ms; floor: none taken",
        )
        empty = empty or median(times)


def _times_ms(url: str, times: int, method: str, path: str, body: bytes = b"") -> list[float]:
    client, found = Client(url), []
    for number in range(times + 1):
        began = time.monotonic()
        status, answer = client.request(method, path, body)
        if status >= FIRST_ERROR:
            raise RuntimeError(f"{method} {path}: {status} {answer[:200]!r}")
        if number:  # the first warms caches
            found.append((time.monotonic() - began) * 1000)
    client.close()
    return found


@contextlib.contextmanager
def pushing(bed: Cloud) -> Iterator[list[int]]:
    """Push flows into a switch all the time in another process; afterwards the list says how often."""
    host = bed.lab.hypervisor("pushed")
    context = multiprocessing.get_context("spawn")
    pipe, theirs = context.Pipe()
    process = context.Process(target=_push, args=(theirs, bed.lab.controller_ip), daemon=True)
    process.start()
    add_bridges(host, range(FIRST_DPID, FIRST_DPID + 1), pipe.recv())
    pipe.recv()  # the first push is done
    rounds: list[int] = []
    try:
        yield rounds
        pipe.send("stop")
        rounds.append(pipe.recv())
    finally:
        process.kill()
        process.join()


def _push(pipe: Any, address: str) -> None:
    side = OpenFlowSide(range(FIRST_DPID, FIRST_DPID + 1), address)
    switch = side.service.switch(FIRST_DPID)
    side.service.start()
    pipe.send(side.target)
    states = [tables(remote_flows(20_000, first)) for first in (1, 20_001)]
    side.first(Connected)
    rounds = 0
    while not pipe.poll():
        side.forget()
        switch.load(states[rounds % 2], rounds)
        side.first(Synced)
        rounds += 1
        if rounds == 1:
            pipe.send("pushed")
    pipe.send(rounds)
