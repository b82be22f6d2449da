"""Who works for the networks, who is alive, and which availability zones are there?

Neutron API reference, agents and availability zones.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from flask.testing import FlaskClient

from api.app import create_app
from api.auth import NoAuth
from controller.records import HostName, HostState
from controller.store.agents import CONTROLLER_AGENT, beat
from controller.store.database import Database
from controller.store.states import save_host_state
from tests.databases import a_database
from tests.unit.api.conftest import NoController

START = datetime(2026, 11, 21, 6, 0, 0, tzinfo=UTC)


class Clock:
    """A clock that stands still until it is told otherwise."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def passes(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def database(tmp_path: Path, clock: Clock) -> Iterator[Database]:
    database = a_database(tmp_path, now=clock)
    yield database
    database.close()


@pytest.fixture
def client(database: Database) -> FlaskClient:
    return create_app(database, auth=NoAuth(), control=NoController()).test_client()


def seen(database: Database, name: str, *, connected: bool = True) -> None:
    """Write what the controller writes of a host every few seconds."""
    state = HostState(
        name=HostName(name),
        ovsdb_connected=connected,
        openflow_connected=connected,
        programmed=connected,
        problem=None,
        features={"ovs_version": "3.1.0"},
    )
    with database.write() as tx:
        save_host_state(tx, state)


def register(make: SimpleNamespace, name: str, **attributes: object) -> None:
    make.host(name=name, ovsdb=f"unix:/run/{name}", **attributes)


def hosts(client: FlaskClient, query: str) -> list[str]:
    reply = client.get(f"/v2.0/agents?{query}")
    assert reply.status_code == 200, reply.json
    return [one["host"] for one in reply.json["agents"]]


def test_a_registered_host_is_an_agent_that_is_dead_until_it_is_heard_of(
    client: FlaskClient, make: SimpleNamespace, database: Database, clock: Clock
) -> None:
    register(make, "h1", tunnel_ip="10.0.0.1", physnets=[{"physical_network": "p", "bridge": "br-p"}])
    (agent,) = client.get("/v2.0/agents").json["agents"]
    assert not agent["alive"]
    clock.passes(5)
    seen(database, "h1")
    (agent,) = client.get("/v2.0/agents").json["agents"]
    assert agent == {
        "id": agent["id"],
        "agent_type": "Open vSwitch agent",
        "binary": "ovs-vswitchd",
        "host": "h1",
        "topic": "N/A",
        "admin_state_up": True,
        "created_at": "2026-11-21 06:00:00",
        "started_at": "2026-11-21 06:00:05",
        "heartbeat_timestamp": "2026-11-21 06:00:05",
        "alive": True,
        "configurations": {
            "integration_bridge": "br-int",
            "bridge_mappings": {"p": "br-p"},
            "tunnel_types": ["vxlan", "geneve"],
            "tunneling_ip": "10.0.0.1",
            "datapath_type": "system",
            "ovs_version": "3.1.0",
        },
        "description": None,
        "availability_zone": "nova",
    }
    assert client.get(f"/v2.0/agents/{agent['id']}").json == {"agent": agent}


def test_an_agent_is_alive_while_it_is_heard_of_and_connected(
    client: FlaskClient, make: SimpleNamespace, database: Database, clock: Clock
) -> None:
    register(make, "h1")
    with database.write() as tx:
        beat(tx, CONTROLLER_AGENT, "boss")
    seen(database, "h1")
    clock.passes(75)
    assert sorted(hosts(client, "alive=true")) == ["boss", "h1"]
    clock.passes(1)
    assert sorted(hosts(client, "alive=false")) == ["boss", "h1"]
    seen(database, "h1")
    assert hosts(client, "alive=1") == ["h1"]
    seen(database, "h1", connected=False)
    assert hosts(client, "alive=true") == []
    (agent,) = client.get("/v2.0/agents?host=h1").json["agents"]
    assert (agent["started_at"], agent["heartbeat_timestamp"]) == ("2026-11-21 06:01:16", "2026-11-21 06:01:16")


def test_agents_are_disabled_described_and_forgotten_until_they_are_heard_of(
    client: FlaskClient, make: SimpleNamespace, database: Database
) -> None:
    register(make, "h1")
    seen(database, "h1")
    (agent,) = client.get("/v2.0/agents").json["agents"]
    path = f"/v2.0/agents/{agent['id']}"
    change = {"admin_state_up": False, "description": "down for repair"}
    assert client.put(path, json={"agent": change}).json["agent"] == agent | change
    seen(database, "h1")
    assert client.get(path).json["agent"] == agent | change
    assert client.put(path, json={"agent": {"host": "h2"}}).status_code == 400
    assert client.post("/v2.0/agents", json={"agent": {}}).status_code == 405
    assert client.delete(path).status_code == 204
    reply = client.get(path)
    assert (reply.status_code, reply.json["NeutronError"]["type"]) == (404, "AgentNotFound")
    seen(database, "h1")
    (again,) = client.get("/v2.0/agents").json["agents"]
    assert again["id"] != agent["id"]
    assert again["admin_state_up"]


def test_the_agent_of_a_removed_host_is_gone(client: FlaskClient, make: SimpleNamespace) -> None:
    register(make, "h1")
    assert client.delete("/v2.0/hosts/h1").status_code == 204
    assert client.get("/v2.0/agents").json == {"agents": []}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("agent_type=Weft%20controller", ["boss"]),
        ("binary=ovs-vswitchd", ["h1", "h2"]),
        ("host=h1&host=boss", ["boss", "h1"]),
        ("availability_zone=west", ["h2"]),
        ("availability_zone=", ["boss"]),
        ("topic=N/A", ["boss", "h1", "h2"]),
        ("admin_state_up=false", []),
        ("sort_key=host&sort_dir=desc", ["h2", "h1", "boss"]),
        ("sort_key=host&sort_dir=asc&limit=1", ["boss"]),
    ],
)
def test_agents_are_found_and_sorted(
    client: FlaskClient, make: SimpleNamespace, database: Database, query: str, expected: list[str]
) -> None:
    register(make, "h1")
    register(make, "h2", availability_zone="west")
    with database.write() as tx:
        beat(tx, CONTROLLER_AGENT, "boss")
    found = hosts(client, query)
    assert expected == (found if "sort_key" in query else sorted(found))


def test_zones_are_those_of_the_hosts(client: FlaskClient, make: SimpleNamespace) -> None:
    assert client.get("/v2.0/availability_zones").json == {"availability_zones": []}
    register(make, "h1")
    register(make, "h2", availability_zone="west")
    register(make, "h3", availability_zone="west")
    west = {"name": "west", "resource": "network", "state": "available"}
    nova = {"name": "nova", "resource": "network", "state": "available"}
    assert client.get("/v2.0/availability_zones").json == {"availability_zones": [nova, west]}
    for host in ("h2", "h3"):
        (agent,) = client.get(f"/v2.0/agents?host={host}").json["agents"]
        client.put(f"/v2.0/agents/{agent['id']}", json={"agent": {"admin_state_up": False}})
    for query, expected in (
        ("state=unavailable", [west | {"state": "unavailable"}]),
        ("state=available", [nova]),
        ("name=west&state=available", []),
        ("resource=router", []),
        ("resource=network&name=nova&name=west&fields=name", [{"name": "nova"}, {"name": "west"}]),
    ):
        assert client.get(f"/v2.0/availability_zones?{query}").json == {"availability_zones": expected}
    assert client.get("/v2.0/availability_zones?nope=1").status_code == 400
    assert client.put("/v2.0/hosts/h1", json={"host": {"availability_zone": "east"}}).status_code == 200
    assert [one["name"] for one in client.get("/v2.0/availability_zones").json["availability_zones"]] == [
        "east",
        "west",
    ]


def test_a_network_is_in_the_zones_it_was_wanted_in_or_in_all(client: FlaskClient, make: SimpleNamespace) -> None:
    """Extension network_availability_zone."""
    assert make.network()["availability_zones"] == []
    register(make, "h1")
    register(make, "h2", availability_zone="west")
    everywhere = make.network()
    assert (everywhere["availability_zone_hints"], everywhere["availability_zones"]) == ([], ["nova", "west"])
    west = make.network(availability_zone_hints=["west"])
    assert (west["availability_zone_hints"], west["availability_zones"]) == (["west"], ["west"])
    assert client.get(f"/v2.0/networks/{west['id']}").json["network"] == west
    reply = client.post("/v2.0/networks", json={"network": {"availability_zone_hints": ["moon"]}})
    assert (reply.status_code, reply.json["NeutronError"]["message"]) == (
        404,
        "AvailabilityZone moon could not be found.",
    )


def test_nobody_is_a_dhcp_agent_and_nothing_is_routed(
    client: FlaskClient, make: SimpleNamespace, database: Database
) -> None:
    register(make, "h1")
    (agent,) = client.get("/v2.0/agents").json["agents"]
    assert client.get(f"/v2.0/networks/{make.network()['id']}/dhcp-agents").json == {"agents": []}
    assert client.get(f"/v2.0/agents/{agent['id']}/dhcp-networks").json == {"networks": []}
    assert client.get("/v2.0/networks/nope/dhcp-agents").status_code == 404
    assert client.get("/v2.0/agents/nope/dhcp-networks").status_code == 404
    for name in ("floatingips", "routers", "service_providers", "trunks"):
        assert client.get(f"/v2.0/{name.replace('_', '-')}?tenant_id=x").json == {name: []}
    assert client.get("/v2.0/service_profiles").json == client.get("/v2.0/service-profiles").json
    assert client.get("/v2.0/routers/nope").status_code == 404
    assert client.get("/v2.0/extensions/router").status_code == 404
