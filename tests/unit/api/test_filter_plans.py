"""Does the database find what a list is filtered by, or look at everything it has?

Every documented filter of every resource is asked through the API; the plan of the statement it became is SQLite's own
(EXPLAIN QUERY PLAN). A plan does not depend on how many rows there are, as Weft keeps no statistics.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import event

from api.attributes import Resource
from api.resources.address_conflicts import ADDRESS_CONFLICT
from api.resources.address_groups import ADDRESS_GROUP
from api.resources.agents import AGENT
from api.resources.default_security_group_rules import DEFAULT_SECURITY_GROUP_RULE
from api.resources.hosts import HOST
from api.resources.ip_availability import IP_AVAILABILITY
from api.resources.network_segment_ranges import NETWORK_SEGMENT_RANGE
from api.resources.networks import NETWORK
from api.resources.ports import PORT
from api.resources.security_group_rules import SECURITY_GROUP_RULE
from api.resources.security_groups import SECURITY_GROUP
from api.resources.segments import SEGMENT
from api.resources.subnets import SUBNET
from controller.store.database import Database

MANY: tuple[Resource[Any, Any], ...] = (
    NETWORK,
    SUBNET,
    PORT,
    SECURITY_GROUP,
    SECURITY_GROUP_RULE,
    ADDRESS_GROUP,
    SEGMENT,
    IP_AVAILABILITY,
    ADDRESS_CONFLICT,
)
FEW: tuple[Resource[Any, Any], ...] = (HOST, AGENT, NETWORK_SEGMENT_RANGE, DEFAULT_SECURITY_GROUP_RULE)
"""As many rows as there are machines, or lines of configuration: they are looked through on purpose."""

BOOLEANS = {
    "admin_state_up": "false",
    "shared": "true",
    "port_security_enabled": "false",
    "router:external": "true",
    "pvlan": "true",
    "enable_dhcp": "false",
    "stateful": "false",
    "belongs_to_default_sg": "true",
}
"""The value that few objects have; the other one is nearly the whole list."""
VALUES = BOOLEANS | {
    "ip_version": "6",
    "fixed_ips": "ip_address=10.0.0.7",
    "mtu": "1300",
    "binding:vnic_type": "direct",
    "status": "DOWN",
    "protocol": "tcp",
    "pvlan_type": "isolated",
    "changed_since": "2026-11-21T00:00:00Z",
}
SCANS = {
    "revision_number": "moves with every change and is looked for by nobody: an index would cost each of them",
    "direction": "two values, each half of the list",
    "ethertype": "two values, each half of the list",
    "not-tags": "what lacks a tag is nearly the whole list",
    "not-tags-any": "what lacks tags is nearly the whole list",
    "belongs_to_default_sg": "one group a project: found through the groups, which are few against their rules",
}
"""Filters that look through the list on purpose, and why."""


def filters(resource: Resource[Any, Any]) -> list[str]:
    declared = [attribute.name for attribute in resource.attributes if attribute.filter is not None]
    return [name for name in (*declared, *resource.filters) if name not in SCANS]


@contextmanager
def plans(database: Database) -> Iterator[list[tuple[str, str]]]:
    """Collect statements and SQLite's plans for them."""
    found: list[tuple[str, str]] = []
    engine = database._engine

    def explain(_connection: Any, cursor: Any, statement: str, parameters: Sequence[Any], *_: Any) -> None:
        if statement.lstrip().startswith("SELECT"):
            rows = cursor.connection.execute(f"EXPLAIN QUERY PLAN {statement}", parameters).fetchall()
            found.append((statement, "\n".join(row[3] for row in rows)))

    event.listen(engine, "before_cursor_execute", explain)
    yield found
    event.remove(engine, "before_cursor_execute", explain)


@pytest.mark.parametrize(
    ("resource", "name"),
    [pytest.param(one, name, id=f"{one.collection}-{name}") for one in MANY for name in filters(one)],
)
def test_a_filter_finds_and_does_not_look_through_everything(
    client: FlaskClient, database: Database, resource: Resource[Any, Any], name: str
) -> None:
    query = [(name, VALUES.get(name, "7"))]
    with plans(database) as found:
        reply = client.get(f"/v2.0/{resource.path}", query_string=query)
    assert reply.status_code == 200, reply.json
    scanned = re.compile(rf"^SCAN {table_of(resource)}\b", re.MULTILINE)
    lists = [(statement, plan) for statement, plan in found if f"FROM {table_of(resource)}" in statement]
    for statement, plan in lists:
        assert not scanned.search(plan), f"{statement}\n{plan}"


def table_of(resource: Resource[Any, Any]) -> str:
    return "networks" if resource is IP_AVAILABILITY else resource.collection


@pytest.mark.parametrize("resource", FEW, ids=lambda one: one.collection)
def test_what_is_looked_through_is_still_one_statement_a_page(
    client: FlaskClient, database: Database, resource: Resource[Any, Any]
) -> None:
    for attribute in resource.attributes:
        if attribute.filter is not None:
            with plans(database) as found:
                reply = client.get(f"/v2.0/{resource.path}", query_string=[(attribute.name, "1")])
            assert reply.status_code == 200, reply.json
            assert sum(f"FROM {resource.collection}" in statement for statement, _plan in found) <= 1


@pytest.mark.parametrize("key", ["name", "project_id", "device_id", "mac_address", "network_id", "id"])
def test_a_page_is_found_by_the_index_of_its_sort_key(client: FlaskClient, database: Database, key: str) -> None:
    with plans(database) as found:
        client.get(f"/v2.0/ports?sort_key={key}&sort_dir=asc&limit=2")
    ((_statement, plan),) = [one for one in found if "FROM ports" in one[0]]
    assert re.search(r"^SCAN ports USING (COVERING )?INDEX", plan, re.MULTILINE) or key == "network_id", plan


def test_the_next_page_begins_where_the_last_one_ended(
    client: FlaskClient, make: SimpleNamespace, database: Database
) -> None:
    network = make.network()["id"]
    names = ["b", "a", "c", "b", "a"]
    made = [make.port(network_id=network, name=name) for name in names]
    in_order = sorted(made, key=lambda port: (port["name"], port["id"]))
    with plans(database) as found:
        reply = client.get(f"/v2.0/ports?sort_key=name&sort_dir=asc&limit=2&marker={in_order[1]['id']}")
    assert [port["id"] for port in reply.json["ports"]] == [port["id"] for port in in_order[2:4]]
    statement, plan = next(one for one in found if "ORDER BY ports.name" in one[0])
    assert "SEARCH ports USING INDEX ix_ports_name (name>?)" in plan, f"{statement}\n{plan}"
    descending = client.get(f"/v2.0/ports?sort_key=name&sort_dir=desc&limit=9&marker={in_order[2]['id']}")
    assert {port["name"] for port in descending.json["ports"]} == {"a", "b"}


def test_no_list_reads_more_rows_than_it_shows(client: FlaskClient, make: SimpleNamespace, database: Database) -> None:
    network = make.network()["id"]
    make.subnet(network)
    body = {"ports": [{"network_id": network, "name": f"p{number}"} for number in range(200)]}
    assert client.post("/v2.0/ports", json=body).status_code == 201
    fetched: list[int] = []

    def count(_connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        if statement.lstrip().startswith("SELECT"):
            fetched.append(len(cursor.connection.execute(statement, _[0]).fetchall()))

    event.listen(database._engine, "before_cursor_execute", count)
    shown = client.get("/v2.0/ports?limit=10&sort_key=name&sort_dir=asc").json["ports"]
    event.remove(database._engine, "before_cursor_execute", count)
    assert len(shown) == 10
    assert max(fetched) == 10
