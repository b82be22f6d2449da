"""What does an address cost in a /24, a /8 and an IPv6 /64, empty and nearly full, and are a million ever given twice?

Below the API: the statements of an allocation alone, of addresses of one port. ``WEFT_BENCH_POSTGRESQL`` may name an
empty PostgreSQL database, which is measured beside SQLite; ``WEFT_BENCH_ADDRESSES`` says how many the clients take.
"""

import argparse
import multiprocessing
import os
import random
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import func, insert, select, update

from benchmarks.report import Figure, at_most, median
from controller.caller import Caller
from controller.services import addressing, networks, ports, subnets
from controller.services.sentinels import DEFAULT_GATEWAY
from controller.store.database import Database
from controller.store.schema import ADDRESS_BLOCKS, ALLOCATIONS
from controller.store.transaction import Transaction
from ipam.addresses import parse_address, parse_cidr, text
from ipam.driver import AnyAddress

SPAWN = multiprocessing.get_context("spawn")
ADMIN = Caller(project_id="bench", roles=frozenset({"admin"}), is_admin=True)
CLIENTS, PROCESSES, BATCH = 64, 8, 50
"""64 clients as 8 threads of each of 8 processes; each transaction takes 50 addresses, as a bulk request of ports."""
FILLED, LEFT = 65_536, 2
ROWS_AT_ONCE = 5_000
SUBNETS = (("/24", "10.0.0.0/24"), ("/8", "11.0.0.0/8"), ("/64", "2001:db8::/64"))
OCTETS = [{"octets": [0, 128, 255]}]


def run(args: argparse.Namespace) -> Iterator[Figure]:
    """Measure SQLite, and PostgreSQL if one is named."""
    count = int(os.environ.get("WEFT_BENCH_ADDRESSES", "20000" if args.quick else "1000000"))
    with tempfile.TemporaryDirectory(prefix="weft-bench-") as directory:
        urls = {"SQLite": f"sqlite:///{Path(directory) / 'weft.db'}"}
        if os.environ.get("WEFT_BENCH_POSTGRESQL"):
            urls["PostgreSQL"] = os.environ["WEFT_BENCH_POSTGRESQL"]
        for name, url in urls.items():
            database = Database(url, rng=random.Random(1))  # noqa: S311 - the same addresses in every run
            database.migrate()
            if name == "SQLite":
                yield from _costs(database, 100 if args.quick else 300)
            yield from _clients(database, name, url, count)
            database.close()


def _costs(database: Database, repeat: int) -> Iterator[Figure]:
    """Take and give back one address after the other, in a transaction that is not committed: no disk is measured."""
    floors: dict[str, float] = {}
    for filling in ("empty", "nearly full", "nearly full, with exclusions", "nearly full, sequential"):
        for name, cidr in SUBNETS:
            wanted: dict[str, Any] = {"ipam_strategy": "sequential" if "sequential" in filling else "random"}
            if "exclusions" in filling:
                wanted["ipam_exclusions"] = _excluded(cidr)
            network_id, port_id = _made(database, cidr, wanted)
            taken = 0 if filling == "empty" else _fill(database, network_id, port_id)
            times_us, statements = _timed(database, network_id, port_id, repeat)
            floor = floors.setdefault(filling, median(times_us))
            yield Figure(
                name=f"one address of a {name}, {filling}",
                value=median(times_us),
                unit="us of CPU",
                floor=floor,
                goal=None if name == "/24" else at_most(1.5 * floor),
                note=f"{taken} taken, {LEFT if taken else 'all'} free; {statements} statements at most; "
                "floor: the /24 of this run",
            )


def _excluded(cidr: str) -> list[dict[str, Any]]:
    """Return three ranges, and last octets in IPv4."""
    prefix = parse_cidr(cidr)
    bounds = [(prefix.first + at, prefix.first + at + 3) for at in (16, 64, 128)]
    ranges = [{"start": text(prefix.version, a), "end": text(prefix.version, b)} for a, b in bounds]
    return ranges if prefix.version != 4 else [*ranges, *OCTETS]  # noqa: PLR2004


def _made(database: Database, cidr: str, wanted: dict[str, Any]) -> tuple[str, str]:
    """Make a network with one subnet and one port without addresses; return their ids."""
    plain = {"project_id": ADMIN.project_id, "name": "", "description": ""}
    with database.write() as tx:
        network = networks.create(
            tx,
            ADMIN,
            plain
            | dict.fromkeys(("mtu", "network_type", "physical_network", "segmentation_id"))
            | {"admin_state_up": True, "shared": False, "router_external": False, "port_security_enabled": True},
        )
        subnets.create(
            tx,
            ADMIN,
            plain
            | {"network_id": network.id, "ip_version": 6 if ":" in cidr else 4, "cidr": cidr}
            | {"gateway_ip": DEFAULT_GATEWAY, "allocation_pools": None, "enable_dhcp": False}
            | {"ipv6_ra_mode": None, "ipv6_address_mode": None, "dns_nameservers": (), "host_routes": ()}
            | wanted,
        )
    return network.id, _port(database, network.id)


def _port(database: Database, network_id: str) -> str:
    wanted = {
        "project_id": ADMIN.project_id,
        "network_id": network_id,
        "name": "",
        "description": "",
        "mac_address": None,
        "admin_state_up": True,
        "device_id": "",
        "device_owner": "",
        "port_security_enabled": None,
        "fixed_ips": (),
        "allowed_address_pairs": (),
        "extra_dhcp_opts": (),
        "vnic_type": "normal",
        "profile": {},
        "host": None,
    }
    with database.write() as tx:
        return ports.create(tx, ADMIN, wanted).id


def _fill(database: Database, network_id: str, port_id: str) -> int:
    """Take every address of the open blocks but a few; return how many."""
    with database.write() as tx:
        space = addressing.load_place(tx, None, network_id, None).subnets[0].space
        every: list[int] = []
        for pool in space.pools:
            inside = range(pool.first, min(pool.last, pool.first + FILLED - len(every) - 1) + 1)
            every += [address for address in inside if space.block_of(address) is not None]
        blocks = {number: 0 for address in every if (number := space.block_of(address)) is not None}
        left = set(random.Random(3).sample(every, LEFT))  # noqa: S311
        rows = [
            {
                "subnet_id": space.subnet_id,
                "address": text(space.cidr.version, address),
                "block": space.block_of(address),
                "port_id": port_id,
            }
            for address in every
            if address not in left
        ]
        for start in range(0, len(rows), ROWS_AT_ONCE):
            tx.connection.execute(insert(ALLOCATIONS), rows[start : start + ROWS_AT_ONCE])
        for address in left:
            blocks[space.block_of(address) or 0] += 1
        # Every block of a huge subnet that is open counts, as if the rest had been filled, too.
        tx.connection.execute(
            update(ADDRESS_BLOCKS).where(ADDRESS_BLOCKS.c.subnet_id == space.subnet_id).values(free=0)
        )
        for number, free in blocks.items():
            if free:
                tx.connection.execute(
                    update(ADDRESS_BLOCKS)
                    .where(ADDRESS_BLOCKS.c.subnet_id == space.subnet_id, ADDRESS_BLOCKS.c.number == number)
                    .values(free=free)
                )
    return len(rows)


class _UndoneError(Exception):
    """Takes back what was measured."""


def _timed(database: Database, network_id: str, port_id: str, repeat: int) -> tuple[list[float], int]:
    times_us: list[float] = []
    statements: list[int] = []
    try:
        with database.write() as tx:
            place = addressing.load_place(tx, None, network_id, None)
            for _ in range(repeat):
                request = {port_id: [AnyAddress(subnet_ids=(place.subnets[0].id,))]}
                began = time.thread_time()
                with _counted(tx) as seen:
                    given = addressing.assign(tx, place, request)[port_id]
                times_us.append((time.thread_time() - began) * 1e6)
                statements.append(len(seen))
                addressing.give_back(tx, given)
            raise _UndoneError  # noqa: TRY301 - nothing is to stay
    except _UndoneError:
        return times_us, max(statements)


class _counted:  # noqa: N801 - read as a word of the sentence
    """The statements of a transaction while it is open."""

    def __init__(self, tx: Transaction) -> None:
        self._driver: Any = tx.connection.connection.driver_connection
        self.seen: list[str] = []

    def __enter__(self) -> list[str]:
        self._driver.set_trace_callback(self.seen.append)
        return self.seen

    def __exit__(self, *_: object) -> None:
        self._driver.set_trace_callback(None)


def _clients(database: Database, name: str, url: str, count: int) -> Iterator[Figure]:
    """Let 64 clients take addresses of one /8 at once until they have as many as asked."""
    network_id, _ = _made(database, "10.0.0.0/8", {"ipam_exclusions": OCTETS, "ipam_quarantine": 3600})
    each = -(-count // CLIENTS)
    began = time.monotonic()
    results = SPAWN.Queue()
    workers = [SPAWN.Process(target=_process, args=(url, network_id, each, results)) for _ in range(PROCESSES)]
    for worker in workers:
        worker.start()
    answers = [results.get() for _ in workers]
    seconds = time.monotonic() - began
    for worker in workers:
        worker.join()
    failures = [failure for some in answers for failure in some]
    if failures:
        raise RuntimeError(f"{len(failures)} clients failed, the first: {failures[0]}")
    with database.read() as tx:
        subnet_id = addressing.load_place(tx, None, network_id, None).subnets[0].id
        of_subnet = ALLOCATIONS.c.subnet_id == subnet_id
        stored = tx.connection.execute(
            select(func.count(), func.count(ALLOCATIONS.c.address.distinct())).where(of_subnet)
        ).one()
        spread = tx.connection.scalars(select(ALLOCATIONS.c.address).where(of_subnet))
        wrong = sum(1 for address in spread if parse_address(address)[1] % 256 in OCTETS[0]["octets"])
    duplicates = each * CLIENTS - stored[1]
    yield Figure(
        name=f"{each * CLIENTS:,} addresses by {CLIENTS} clients, {name}: given twice, or although excluded",
        value=duplicates + wrong,
        unit="",
        goal=at_most(0),
        note=f"{stored[0]:,} rows; {each * CLIENTS / seconds:,.0f} addresses/s, {BATCH} a transaction",
    )


def _process(url: str, network_id: str, each: int, results: Any) -> None:
    database = Database(url)
    failures: list[str] = []

    def client() -> None:
        try:
            port_id = _port(database, network_id)
            left = each
            while left:
                some = min(BATCH, left)
                given = _take(database, network_id, port_id, some)
                if len(set(given)) != some:
                    failures.append(f"{some - len(set(given))} of a batch twice")
                    return
                left -= some
        except Exception as error:  # noqa: BLE001 - whatever it is, the figure must not stand
            failures.append(f"{type(error).__name__}: {error}")

    threads = [threading.Thread(target=client) for _ in range(CLIENTS // PROCESSES)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    database.close()
    results.put(failures)


def _take(database: Database, network_id: str, port_id: str, some: int) -> Sequence[str]:
    with database.write() as tx:
        place = addressing.load_place(tx, None, network_id, None)
        request = AnyAddress(subnet_ids=(place.subnets[0].id,))
        return [one.ip_address for one in addressing.assign(tx, place, {port_id: [request] * some})[port_id]]
