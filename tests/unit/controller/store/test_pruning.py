"""Does the database stop growing? Of what comes again and again, only so much is kept."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, insert, select

from controller.pruner import Pruner
from controller.services import hosts, identities, ports
from controller.store import subnet_samples, usage
from controller.store.agents import AGENTS, CONTROLLER_AGENT, beat
from controller.store.database import Database, Settings
from controller.store.ipam_schema import SUBNET_SAMPLES
from controller.store.metadata import METADATA
from controller.store.pruning import AT_ONCE, STEPS, Keeping
from controller.store.schema import ALLOCATIONS, JOURNAL, OFPORT_CURSORS
from controller.store.snapshot import journal_after, journal_span
from controller.store.usage_schema import PROJECT_USAGE, USAGE_SAMPLES
from tests.databases import a_database
from tests.unit.controller.store.builders import ADMIN, a_host, a_network, a_port, a_subnet

HOUR, DAY = 3600, 86_400
START = datetime(2026, 1, 1, tzinfo=UTC)
KEEPING = Keeping(journal=100, samples_s=HOUR)


@dataclass
class Clock:
    """What time it is."""

    now: datetime = START

    def __call__(self) -> datetime:
        return self.now

    def pass_(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)


@dataclass
class Kept:
    """A database whose time passes as a test says."""

    database: Database
    clock: Clock
    steps: list[int] = field(default_factory=list)

    def forget(self, name: str) -> int:
        """Do one kind of step until nothing is left; return how many rows went."""
        self.steps = list(STEPS[name](self.database, KEEPING))
        return sum(self.steps)

    def count(self, table: str) -> int:
        with self.database.read() as tx:
            return tx.connection.execute(select(func.count()).select_from(METADATA.tables[table])).scalar_one()


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    clock = Clock()
    database = a_database(tmp_path, now=clock, rng=random.Random(7))
    yield Kept(database, clock)
    database.close()


def test_the_newest_changes_are_kept_and_the_rest_goes_in_small_steps(kept: Kept) -> None:
    with kept.database.write() as tx:
        row = {"kind": "network", "object_id": "n", "network_id": "n", "at": tx.timestamp}
        tx.connection.execute(insert(JOURNAL), [row] * (2 * AT_ONCE + 150))
    assert kept.forget("changes") == 2 * AT_ONCE + 50
    assert kept.steps == [AT_ONCE, AT_ONCE, 50]
    with kept.database.read() as tx:
        span = journal_span(tx)
        assert (span.last, span.last - span.first + 1) == (2 * AT_ONCE + 150, KEEPING.journal)
    assert kept.forget("changes") == 0


def test_a_journal_with_gaps_loses_only_what_is_too_old(kept: Kept) -> None:
    """On PostgreSQL a transaction that fails leaves its numbers unused."""
    with kept.database.write() as tx:
        row = {"kind": "network", "object_id": "n", "network_id": "n", "at": tx.timestamp}
        tx.connection.execute(insert(JOURNAL), [row | {"seq": number} for number in (1, 2, 5000, 5001, 5099, 5100)])
    assert kept.forget("changes") == 3
    with kept.database.read() as tx:
        assert [entry.seq for entry in journal_after(tx, 0)] == [5001, 5099, 5100]


def test_who_had_the_addresses_of_an_idle_subnet_is_forgotten_after_a_day(kept: Kept) -> None:
    with kept.database.write() as tx:
        network = a_network(tx)
        a_subnet(tx, network)
        made = [a_port(tx, network) for _ in range(3)]
        for port in made[:2]:
            ports.delete(tx, ADMIN, port.id)
    kept.clock.pass_(DAY)
    assert kept.forget("released_addresses") == 0
    kept.clock.pass_(1)
    assert kept.forget("released_addresses") == 2
    with kept.database.read() as tx:
        assert list(tx.connection.scalars(select(ALLOCATIONS.c.port_id))) == [made[2].id]


def test_every_held_address_whose_time_is_over_becomes_free_however_many_there_are(tmp_path: Path) -> None:
    clock = Clock()
    database = a_database(tmp_path, now=clock, settings=Settings(ipam_quarantine_s=60))
    kept = Kept(database, clock)
    with database.write() as tx:
        network = a_network(tx)
        a_subnet(tx, network, cidr="10.20.0.0/22")
        for port in [a_port(tx, network) for _ in range(300)]:
            ports.delete(tx, ADMIN, port.id)
    assert kept.forget("held_addresses") == 0
    clock.pass_(61)
    assert (kept.forget("held_addresses"), len(kept.steps)) == (300, 2)
    clock.pass_(DAY)
    assert kept.forget("released_addresses") == 300
    assert kept.count("allocations") == 0
    database.close()


def test_samples_are_kept_as_long_as_was_said_and_one_that_says_what_was_before(kept: Kept) -> None:
    with kept.database.write() as tx:
        subnet = a_subnet(tx, a_network(tx))
    for _ in range(5):
        kept.clock.pass_(HOUR // 2)
        with kept.database.write() as tx:
            usage.add_samples(tx, tx.timestamp, keep_s=KEEPING.samples_s)
            subnet_samples.add(tx, tx.timestamp, {subnet.id: tx.timestamp})
    now = int(kept.clock.now.timestamp())
    assert (kept.forget("project_samples"), kept.forget("subnet_samples")) == (2, 2)
    with kept.database.read() as tx:
        assert sorted(tx.connection.scalars(select(USAGE_SAMPLES.c.at))) == [now - HOUR, now - HOUR // 2, now]
        assert sorted(tx.connection.scalars(select(SUBNET_SAMPLES.c.at))) == [now - HOUR, now - HOUR // 2, now]
    kept.clock.pass_(2 * HOUR)
    assert (kept.forget("project_samples"), kept.forget("subnet_samples")) == (3, 2)
    with kept.database.read() as tx:
        assert list(tx.connection.scalars(select(SUBNET_SAMPLES.c.at))) == [now]


def test_a_project_that_has_nothing_any_more_is_not_sampled_for_ever_and_keeps_its_totals(kept: Kept) -> None:
    with kept.database.write() as tx:
        row = {"project_id": "gone", "updated_at": tx.timestamp, "bytes_in": 7}
        tx.connection.execute(insert(PROJECT_USAGE), row)
        usage.add_samples(tx, tx.timestamp, keep_s=HOUR)
    assert kept.count("usage_samples") == 1
    kept.clock.pass_(HOUR + 1)
    with kept.database.write() as tx:
        usage.add_samples(tx, tx.timestamp, keep_s=HOUR)
    assert kept.forget("project_samples") == 1
    assert (kept.count("usage_samples"), kept.count("project_usage")) == (0, 1)


def test_tokens_controllers_and_names_of_former_hosts_go(kept: Kept) -> None:
    with kept.database.write() as tx:
        for days in (1, 40):
            identities.create_token(tx, project_id="p", roles=["admin"], lifetime=timedelta(days=days))
        beat(tx, CONTROLLER_AGENT, "pod-1")
        host, network = a_host(tx), a_network(tx)
        port = a_port(tx, network, host=host.name)
        a_port(tx, network, host="elsewhere")
        ports.delete(tx, ADMIN, port.id)
    assert [kept.forget(name) for name in ("tokens", "controllers", "cursors")] == [0, 0, 0]
    kept.clock.pass_(32 * DAY)
    with kept.database.write() as tx:
        beat(tx, CONTROLLER_AGENT, "pod-2")
        hosts.delete(tx, ADMIN, "h1")
    assert [kept.forget(name) for name in ("tokens", "controllers", "cursors")] == [1, 1, 1]
    with kept.database.read() as tx:
        assert list(tx.connection.scalars(select(AGENTS.c.host))) == ["pod-2"]
        assert list(tx.connection.scalars(select(OFPORT_CURSORS.c.host))) == ["elsewhere"]


def test_the_pruner_does_all_of_it_and_stops_between_two_steps(kept: Kept) -> None:
    with kept.database.write() as tx:
        row = {"kind": "network", "object_id": "n", "network_id": "n", "at": tx.timestamp}
        tx.connection.execute(insert(JOURNAL), [row] * (3 * AT_ONCE + KEEPING.journal))
    stopped = Pruner(kept.database, KEEPING, pause_s=0.0)
    stopped.stop()
    assert stopped.prune() == {"changes": AT_ONCE}
    running = Pruner(kept.database, KEEPING, pause_s=0.0)
    assert running.prune() == {"changes": 2 * AT_ONCE}
    assert running.prune() == {}


PRUNED = {"journal", "allocations", "usage_samples", "subnet_samples", "tokens", "agents", "ofport_cursors"}
"""By the steps above."""
BOUNDED_WHERE_WRITTEN = {
    "address_sightings": "so many of a port and of a network, and forgotten when not seen",
    "port_events": "the last of each port",
    "address_blocks": "as many as addresses were ever taken at once, a 256th of them",
    "security_group_sets": "goes with the last port that has it",
    "security_group_set_members": "goes with its set",
    "communities": "goes with the last port in it",
    "ipam_asks": "gone with the transaction that uses what was given, or by the sweeper",
    "remote_addresses": "gone when the service has been told",
    "network_moves": "gone when the network has arrived",
    "given_up_moves": "one a network, until it is moved anew",
    "plugin_states": "one a plug-in",
    "plugin_hosts": "those a plug-in finds now",
    "port_counters": "one for each port and host it was on; goes with the port",
    "project_usage": "one a project, whatever becomes of it: what it consumed may still be charged for",
    "counters": "one a purpose",
    "meta": "one a purpose",
    "free_prefixes": "what is free between the subnets of a pool",
}
WITH_OBJECTS = {
    *("networks", "segments", "subnets", "allocation_pools", "ports", "bindings", "hosts", "security_groups"),
    *("security_group_rules", "address_groups", "default_security_group_rules", "network_segment_ranges", "vnics"),
    *("subnetpools", "subnetpool_prefixes", "address_scopes", "pooled_subnets", "rbac_policies", "tags", "quotas"),
    *("container_flavors", "container_flavor_parts", "containers", "container_members", "ip_reservations", "users"),
    *("subnet_ipam", "subnet_drivers", "port_states", "host_states", "port_usage", "physnets"),
}
"""Made by a user, an operator or with an object, and gone with it or by their request."""


def test_of_every_table_it_is_known_why_it_does_not_grow_for_ever() -> None:
    known = [*PRUNED, *BOUNDED_WHERE_WRITTEN, *WITH_OBJECTS]
    assert sorted(known) == sorted(METADATA.tables)
