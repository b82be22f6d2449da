"""Does the store's and the API's main path work on PostgreSQL, where writers do not queue as on SQLite?"""

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from flask.testing import FlaskClient
from sqlalchemy import create_engine, text

from api.app import RESOURCES, create_app
from api.auth import NoAuth
from controller.errors import DatabaseError, TransactionConflict
from controller.records import PortState, PortStatus, Reason
from controller.services import networks, ports
from controller.store.database import Database, Settings, Transaction
from controller.store.metadata import METADATA
from controller.store.repeating import DEADLOCK_DETECTED, MOST_TRIES, SERIALIZATION_FAILURE
from controller.store.snapshot import journal_after, journal_span, load_networks, load_snapshot
from controller.store.states import load_port_state, save_port_states
from tests.postgresql.cluster import a_cluster, binaries
from tests.unit.api.conftest import NoController, builders
from tests.unit.controller.store.builders import ADMIN, a_network, a_port

PROGRAMS = binaries()
pytestmark = pytest.mark.skipif(PROGRAMS is None, reason="needs PostgreSQL's initdb (Debian: postgresql)")
WRITERS = 16


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    assert PROGRAMS is not None
    with a_cluster(PROGRAMS) as found:
        yield found


@pytest.fixture(scope="module")
def database(url: str) -> Iterator[Database]:
    """One database for all tests: each makes networks and projects of its own."""
    with opened(url) as database:
        yield database


@pytest.fixture(scope="module")
def client(database: Database) -> FlaskClient:
    return create_app(database, auth=NoAuth(), control=NoController()).test_client()


@pytest.fixture(scope="module")
def make(client: FlaskClient) -> SimpleNamespace:
    return builders(client)


@contextmanager
def opened(url: str, **options: Any) -> Iterator[Database]:
    database = Database(url, rng=random.Random(7), **options)
    database.migrate()
    yield database
    database.close()


def at_once(work: Callable[[int], None]) -> None:
    """Run something in as many threads as the API server has, all beginning together."""
    failures: list[BaseException] = []
    barrier = threading.Barrier(WRITERS)

    def run(number: int) -> None:
        try:
            barrier.wait()
            work(number)
        except BaseException as error:  # noqa: BLE001 - told to the test, whatever it is
            failures.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(WRITERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


def _is_compared(_object: object, name: str | None, kind: str, *_rest: object) -> bool:
    """PostgreSQL spells an expression with CASE its own way; SQLite's test compares that index."""
    return (kind, name) != ("index", "uq_segments_wire")


def test_migrations_make_the_schema_that_is_declared_also_when_two_processes_begin_at_once(url: str) -> None:
    engine = create_engine(url)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("CREATE DATABASE fresh"))
    engine.dispose()
    fresh = url.replace("/postgres?", "/fresh?")

    def migrate(number: int) -> None:
        if number < 2:
            with opened(fresh):
                pass

    at_once(migrate)
    engine = create_engine(fresh)
    with engine.connect() as connection:
        opts = {"compare_type": True, "include_object": _is_compared}
        context = MigrationContext.configure(connection, opts=opts)
        assert compare_metadata(context, METADATA) == []
    engine.dispose()


def test_objects_are_made_shown_changed_and_deleted(client: FlaskClient, make: SimpleNamespace) -> None:
    network = make.network(name="crud", shared=True, dns_domain="example.org.")
    subnet = make.subnet(network["id"], host_routes=[{"destination": "10.9.0.0/16", "nexthop": "10.1.0.7"}])
    port = make.port(network_id=network["id"], binding__host_id="h1", tags=["a"])
    assert port["fixed_ips"][0]["subnet_id"] == subnet["id"]
    changes = {"port": {"name": "new", "allowed_address_pairs": [{"ip_address": "10.1.0.99"}]}}
    changed = client.put(f"/v2.0/ports/{port['id']}", json=changes)
    assert (changed.status_code, changed.json["port"]["name"]) == (200, "new")
    twin = {"port": {"network_id": network["id"], "fixed_ips": port["fixed_ips"]}}
    assert client.post("/v2.0/ports", json=twin).json["NeutronError"]["type"] == "IpAddressAlreadyAllocated"
    stale = client.put(f"/v2.0/ports/{port['id']}", json=changes, headers={"If-Match": "revision_number=99"})
    assert stale.status_code == 412
    assert client.delete(f"/v2.0/networks/{network['id']}").status_code == 409
    assert client.get(f"/v2.0/ports?tags=a&network_id={network['id']}").json["ports"][0]["id"] == port["id"]
    for path in (f"ports/{port['id']}", f"networks/{network['id']}"):
        assert client.delete(f"/v2.0/{path}").status_code == 204
    assert client.get(f"/v2.0/subnets/{subnet['id']}").status_code == 404
    assert client.get("/v2.0/ports?tags=a").json == {"ports": []}


def test_every_filter_and_sort_key_of_every_resource_is_understood(client: FlaskClient, make: SimpleNamespace) -> None:
    make.port(network_id=make.network()["id"])
    for resource in client.application.extensions[RESOURCES]:
        filters = {one.name for one in resource.attributes if one.filter} | set(resource.filters)
        values = {"fixed_ips": "ip_address=10.0.0.7", "changed_since": "2026-11-21T00:00:00Z"}
        for name in sorted(filters):
            for value in (values.get(name, "1"), *(() if name in values else ("",))):
                reply = client.get(f"/v2.0/{resource.path}", query_string=[(name, value)])
                assert reply.status_code < 500, (resource.collection, name, value, reply.json)
        for attribute in resource.attributes:
            if attribute.sort:
                query = f"sort_key={attribute.name}&sort_dir=desc&limit=1"
                reply = client.get(f"/v2.0/{resource.path}?{query}")
                assert reply.status_code == 200, (resource.collection, query, reply.json)


def test_pages_lead_through_every_object_once(client: FlaskClient, make: SimpleNamespace) -> None:
    network = make.network()["id"]
    made = {make.port(network_id=network, name=f"p{number % 3}")["id"] for number in range(7)}
    query: str | None = f"/v2.0/ports?network_id={network}&limit=2&sort_key=name&sort_dir=desc"
    seen: list[str] = []
    while query:
        page = client.get(query).json
        seen += [port["id"] for port in page["ports"]]
        following = [link["href"] for link in page["ports_links"] if link["rel"] == "next"]
        query = following[0] if following and page["ports"] else None
    assert len(seen) == len(set(seen)) == len(made)
    assert set(seen) == made


def test_no_address_is_given_twice_by_writers_at_the_same_time(client: FlaskClient, make: SimpleNamespace) -> None:
    network = make.network()["id"]
    make.subnet(network, "10.7.0.0/25")
    statuses: list[int] = []

    def write(_number: int) -> None:
        own = client.application.test_client()
        body = {"port": {"network_id": network}}
        statuses.extend(own.post("/v2.0/ports", json=body).status_code for _ in range(8))

    at_once(write)
    ports = client.get(f"/v2.0/ports?network_id={network}").json["ports"]
    addresses = [one["ip_address"] for port in ports for one in port["fixed_ips"]]
    assert len(addresses) == len(set(addresses)) == 125  # a /25 without network, broadcast and gateway address
    assert (statuses.count(201), statuses.count(409)) == (125, 3)
    assert len({port["mac_address"] for port in ports}) == 125


def test_no_prefix_and_no_segment_is_given_twice_by_writers_at_the_same_time(client: FlaskClient) -> None:
    wanted = {"subnetpool": {"name": "pool", "prefixes": ["10.64.0.0/20"], "default_prefixlen": 26}}
    pool = client.post("/v2.0/subnetpools", json=wanted).json["subnetpool"]["id"]

    def write(_number: int) -> None:
        own = client.application.test_client()
        network = own.post("/v2.0/networks", json={"network": {"name": "pooled"}}).json["network"]["id"]
        subnet = {"network_id": network, "ip_version": 4, "subnetpool_id": pool}
        assert own.post("/v2.0/subnets", json={"subnet": subnet}).status_code == 201

    at_once(write)
    subnets = client.get(f"/v2.0/subnets?subnetpool_id={pool}").json["subnets"]
    assert len({subnet["cidr"] for subnet in subnets}) == WRITERS
    numbers = [one["provider:segmentation_id"] for one in client.get("/v2.0/networks?name=pooled").json["networks"]]
    assert len(set(numbers)) == WRITERS


def test_writers_at_the_same_time_do_not_get_past_a_quota(client: FlaskClient) -> None:
    assert client.put("/v2.0/quotas/small", json={"quota": {"network": 5}}).status_code == 200
    statuses: list[int] = []

    def write(_number: int) -> None:
        body = {"network": {"project_id": "small"}}
        statuses.append(client.application.test_client().post("/v2.0/networks", json=body).status_code)

    at_once(write)
    assert (statuses.count(201), statuses.count(409)) == (5, WRITERS - 5)
    assert len(client.get("/v2.0/networks?project_id=small").json["networks"]) == 5


def test_a_reader_of_the_journal_never_passes_over_a_change(database: Database) -> None:
    """Sequence numbers are handed out before the commit: a reader at N must have seen everything below N."""
    with database.read() as tx:
        begin = load_snapshot(tx).seq
    heard: list[str] = []
    done = threading.Event()

    def follow() -> None:
        at = begin
        while True:
            last = done.is_set()
            with database.read() as tx:
                entries = journal_after(tx, at)
            heard.extend(entry.object_id for entry in entries if entry.kind == "network")
            at = max([at, *(entry.seq for entry in entries)])
            if last:
                return

    follower = threading.Thread(target=follow)
    follower.start()
    made: list[str] = []

    def write(_number: int) -> None:
        for _ in range(4):
            with database.write() as tx:
                made.append(a_network(tx).id)

    at_once(write)
    done.set()
    follower.join()
    assert sorted(heard) == sorted(made)


def test_states_of_ports_are_stored_and_shown(database: Database) -> None:
    """These statements go to the driver as they are, one row at a time or many."""
    with database.write() as tx:
        network = a_network(tx)
        found = [a_port(tx, network) for _ in range(3)]
    wired = PortState(
        port_id=found[0].id, status=PortStatus.ACTIVE, reason=Reason.WIRED, host="h1", detail="", link_state="up"
    )
    for states in ([wired], [replace(wired, port_id=port.id) for port in found], [wired]):
        with database.write() as tx:
            save_port_states(tx, states)
    with database.read() as tx:
        assert [ports.get(tx, ADMIN, port.id).status for port in found] == [PortStatus.ACTIVE] * 3
        assert [len(load_port_state(tx, port.id).timeline) for port in found] == [1, 1, 1]
        assert journal_span(tx).last == load_snapshot(tx).seq


def test_what_one_writer_holds_another_waits_for(database: Database) -> None:
    with database.write() as tx:
        network = a_network(tx, name="counted")

    def write(number: int) -> None:
        with database.write() as tx:
            seen = networks.get(tx, ADMIN, network.id)
            networks.update(tx, ADMIN, network.id, {"name": f"{seen.name[:7]}{number}"})

    at_once(write)
    with database.read() as tx:
        assert networks.get(tx, ADMIN, network.id).revision_number == network.revision_number + WRITERS


def test_limits_of_the_settings_hold(url: str) -> None:
    with opened(url, settings=Settings(quotas=(("network", 0),))) as limited:
        app = create_app(limited, auth=NoAuth(), control=NoController())
        reply = app.test_client().post("/v2.0/networks", json={"network": {"project_id": "none"}})
        assert (reply.status_code, reply.json["NeutronError"]["type"]) == (409, "OverQuota")


def test_transactions_that_wait_for_each_other_are_all_done(database: Database) -> None:
    """Each holds a row and wants the other's: PostgreSQL ends one of them, which is done again."""
    with database.write() as tx:
        ids = [a_network(tx).id, a_network(tx).id]
    both_hold_one = threading.Barrier(2)
    runs: list[int] = []

    def write(number: int) -> None:
        if number >= 2:
            return

        def work(tx: Transaction) -> None:
            runs.append(number)
            networks.update(tx, ADMIN, ids[number], {"description": str(number)})
            if runs.count(number) == 1:
                both_hold_one.wait()
            networks.update(tx, ADMIN, ids[1 - number], {"name": str(number)})

        database.carry_out(work)

    at_once(write)
    assert len(runs) == 3, "one of the two was repeated"
    with database.read() as tx:
        found = [networks.get(tx, ADMIN, network_id) for network_id in ids]
    assert [one.description for one in found] == ["0", "1"]
    assert [one.name for one in found] == ["1", "0"]


def refused(tx: Transaction, sqlstate: str) -> None:
    """Let the database end a transaction with a code of its appendix A."""
    tx.connection.exec_driver_sql(f"DO $$ BEGIN RAISE EXCEPTION 'so it is' USING ERRCODE = '{sqlstate}'; END $$")


def test_what_cannot_be_put_into_an_order_is_tried_again_and_given_up_in_the_end(database: Database) -> None:
    runs: list[str] = []

    def once(tx: Transaction) -> str:
        runs.append(a_network(tx).id)
        if len(runs) == 1:
            refused(tx, SERIALIZATION_FAILURE)
        return runs[-1]

    assert database.carry_out(once) == runs[1]
    with database.read() as tx:
        assert load_networks(tx, runs).keys() == {runs[1]}, "of the first try nothing is left"
    runs.clear()

    def always(tx: Transaction) -> None:
        runs.append("")
        refused(tx, DEADLOCK_DETECTED)

    with pytest.raises(TransactionConflict, match="so it is"):
        database.carry_out(always)
    assert len(runs) == MOST_TRIES


def test_any_other_refusal_is_not_tried_again(database: Database) -> None:
    runs: list[str] = []

    def work(tx: Transaction) -> None:
        runs.append("")
        refused(tx, "53100")  # disk full

    with pytest.raises(DatabaseError, match="so it is"):
        database.carry_out(work)
    assert len(runs) == 1


def test_ports_of_several_networks_made_and_moved_at_once_never_fail(
    client: FlaskClient, make: SimpleNamespace
) -> None:
    """Each request takes addresses of many blocks, in another order than the next."""
    places = [make.network()["id"] for _ in range(2)]
    subnets = [make.subnet(network, f"10.{50 + number}.0.0/22")["id"] for number, network in enumerate(places)]
    replies: list[tuple[int, Any]] = []

    def write(number: int) -> None:
        own = client.application.test_client()
        order = places[:: 1 if number % 2 else -1]
        wanted = [{"network_id": network, "name": f"w{number}"} for network in order for _ in range(4)]
        made = own.post("/v2.0/ports", json={"ports": wanted})
        replies.append((made.status_code, made.json))
        for port in made.json.get("ports", ())[:4]:
            subnet = subnets[places.index(port["network_id"])]
            other = {"port": {"fixed_ips": [{"subnet_id": subnet}] * 3}}
            changed = own.put(f"/v2.0/ports/{port['id']}", json=other)
            replies.append((changed.status_code, changed.json))

    at_once(write)
    assert {status for status, _ in replies} == {201, 200}, [json for status, json in replies if status > 201][:3]
    for network in places:
        ports = client.get(f"/v2.0/ports?network_id={network}").json["ports"]
        addresses = [one["ip_address"] for port in ports for one in port["fixed_ips"]]
        assert len(addresses) == len(set(addresses))
