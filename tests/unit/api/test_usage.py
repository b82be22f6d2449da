"""Is what projects consume said to those who may know, now, over time, and port by port?"""

from types import SimpleNamespace

import pytest
from flask.testing import FlaskClient

from controller.records import HostName, PortId
from controller.store import usage as store
from controller.store.database import Database
from controller.usage.counters import Traffic

TRAFFIC = Traffic(packets_in=1, bytes_in=100, packets_out=2, bytes_out=200)
WIRE = {"packets_in": 1, "bytes_in": 100, "packets_out": 2, "bytes_out": 200}


@pytest.fixture
def port(database: Database, make: SimpleNamespace) -> str:
    network = make.network()
    make.subnet(network["id"])
    port_id = make.port(network_id=network["id"])["id"]
    with database.write() as tx:
        store.add_reading(tx, HostName("h1"), {PortId(port_id): TRAFFIC, PortId("gone"): TRAFFIC})
    return str(port_id)


def test_usage_now_has_what_a_project_has_and_what_passed(
    client: FlaskClient, port: str, make: SimpleNamespace
) -> None:
    make.network(project_id="other")
    mine, other = client.get("/v2.0/usage").json["usage"]
    assert mine | {"measured_at": None} == WIRE | {
        "project_id": "fake_project_id",
        "networks": 1,
        "subnets": 1,
        "ports": 1,
        "addresses": 1,
        "security_groups": 1,
        "security_group_rules": 4,
        "segments": 1,
        "hosts": 0,
        "flows": 0,
        "measured_at": None,
    }
    assert mine["measured_at"].endswith("Z")
    assert (other["project_id"], other["networks"], other["bytes_in"], other["measured_at"]) == ("other", 1, 0, None)
    assert client.get("/v2.0/usage?project_id=other").json["usage"] == [other]


def test_usage_over_time_has_samples_and_what_passed_between_them(
    client: FlaskClient, database: Database, port: str
) -> None:
    for at, factor in ((1_800_000_000, 1), (1_800_000_300, 3)):
        with database.write() as tx:
            store.add_reading(
                tx,
                HostName("h1"),
                {PortId(port): Traffic(bytes_in=100 * factor, bytes_out=200, packets_in=1, packets_out=2)},
            )
            store.add_samples(tx, at, keep_s=900)
    found = client.get("/v2.0/usage?start=2027-01-15T08:00:00Z&end=2027-01-15T09:05:00%2B01:00").json["usage"]
    (one,) = found
    assert (one["start"], one["end"]) == ("2027-01-15T08:00:00Z", "2027-01-15T08:05:00Z")
    assert one["bytes_in"] == 200
    assert [(sample["at"], sample["bytes_in"], sample["ports"]) for sample in one["samples"]] == [
        ("2027-01-15T08:00:00Z", 100, 1),
        ("2027-01-15T08:05:00Z", 300, 1),
    ]
    assert client.get("/v2.0/usage?start=2028-01-01&end=2028-01-02").json["usage"] == []


def test_the_traffic_of_ports_is_listed_and_paged(client: FlaskClient, port: str, make: SimpleNamespace) -> None:
    network = client.get(f"/v2.0/ports/{port}").json["port"]["network_id"]
    idle = make.port(network_id=network)["id"]
    found = {one["port_id"]: one for one in client.get("/v2.0/usage/ports").json["port_usage"]}
    assert found.keys() == {port, idle}
    assert {name: found[port][name] for name in WIRE} == WIRE
    assert (found[idle]["bytes_in"], found[idle]["measured_at"]) == (0, None)
    page = client.get("/v2.0/usage/ports?limit=1").json
    assert len(page["port_usage"]) == 1
    assert {link["rel"] for link in page["port_usage_links"]} == {"next", "previous"}
    assert client.get("/v2.0/usage/ports?project_id=nobody").json["port_usage"] == []


@pytest.mark.parametrize(
    ("question", "named"),
    [
        ("usage?start=yesterday", "yesterday"),
        ("usage?start=2027-01-02&end=2027-01-01", "is before start"),
        ("usage?colour=red", "colour"),
        ("usage/ports?colour=red", "colour"),
        ("usage?end=0001-01-01T00:00:00%2B23:59", "is no time"),
    ],
)
def test_a_question_that_makes_no_sense_is_a_bad_request(client: FlaskClient, question: str, named: str) -> None:
    reply = client.get(f"/v2.0/{question}")
    assert reply.status_code == 400
    assert named in reply.json["NeutronError"]["message"]
