"""May a project have so many objects and no more?

Neutron API reference, quotas.
"""

import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from flask.testing import FlaskClient

from api.app import create_app
from api.auth import NoAuth
from controller.store.database import Database, Settings
from tests.unit.api.conftest import NoController

PROJECT = "fake_project_id"
UNLIMITED = {
    "network": -1,
    "subnet": -1,
    "subnetpool": -1,
    "port": -1,
    "rbac_policy": 10,
    "security_group": -1,
    "security_group_rule": -1,
    "ip_reservation": -1,
}


def limit(client: FlaskClient, **limits: object) -> None:
    reply = client.put(f"/v2.0/quotas/{PROJECT}", json={"quota": limits})
    assert reply.status_code == 200, reply.json


def over(client: FlaskClient, collection: str, body: object) -> str:
    """Return what a refused request says."""
    reply = client.post(f"/v2.0/{collection}", json=body)
    assert (reply.status_code, reply.json["NeutronError"]["type"]) == (409, "OverQuota"), reply.json
    return str(reply.json["NeutronError"]["message"])


def test_nothing_is_limited_unless_somebody_says_so(client: FlaskClient) -> None:
    for path in (PROJECT, f"{PROJECT}/default", "nobody"):
        assert client.get(f"/v2.0/quotas/{path}").json == {"quota": UNLIMITED}
    assert client.get("/v2.0/quotas").json == {"quotas": []}


def test_policies_that_share_are_counted(client: FlaskClient) -> None:
    network = client.post("/v2.0/networks", json={"network": {}}).json["network"]["id"]
    policy = {"object_type": "network", "object_id": network, "action": "access_as_shared"}
    limit(client, rbac_policy=1)
    assert client.post("/v2.0/rbac-policies", json={"rbac_policy": policy | {"target_project": "a"}}).status_code == 201
    said = over(client, "rbac-policies", {"rbac_policy": policy | {"target_project": "b"}})
    assert "rbac_policy" in said
    used = client.get(f"/v2.0/quotas/{PROJECT}/details").json["quota"]["rbac_policy"]
    assert used == {"limit": 1, "used": 1, "reserved": 0}


def test_limits_are_set_shown_listed_and_taken_away(client: FlaskClient) -> None:
    reply = client.put("/v2.0/quotas/blue", json={"quota": {"port": 5, "network": 0}})
    assert reply.json == {"quota": UNLIMITED | {"port": 5, "network": 0}}
    client.put("/v2.0/quotas/blue", json={"quota": {"port": "7"}})
    shown = UNLIMITED | {"port": 7, "network": 0}
    assert client.get("/v2.0/quotas/blue").json == {"quota": shown}
    assert client.get("/v2.0/quotas").json == {"quotas": [shown | {"project_id": "blue", "tenant_id": "blue"}]}
    assert client.get("/v2.0/quotas/blue/default").json == {"quota": UNLIMITED}
    assert client.delete("/v2.0/quotas/blue").status_code == 204
    assert client.get("/v2.0/quotas/blue").json == {"quota": UNLIMITED}
    reply = client.delete("/v2.0/quotas/blue")
    assert (reply.status_code, reply.json["NeutronError"]["message"]) == (
        404,
        "Quota for tenant blue could not be found.",
    )


def test_details_count_what_a_project_has(client: FlaskClient, make: SimpleNamespace) -> None:
    network = make.network()["id"]
    make.subnet(network)
    make.port(network_id=network)
    make.network(project_id="other")
    limit(client, network=3)
    for suffix in ("details", "details.json"):
        found = client.get(f"/v2.0/quotas/{PROJECT}/{suffix}").json["quota"]
        assert {name: one["used"] for name, one in found.items()} == {
            "network": 1,
            "subnet": 1,
            "subnetpool": 0,
            "port": 1,
            "rbac_policy": 0,
            "security_group": 1,
            "security_group_rule": 4,
            "ip_reservation": 0,
        }
        assert found["network"] == {"limit": 3, "used": 1, "reserved": 0}


def test_a_project_gets_as_much_as_its_limit_and_not_more(client: FlaskClient, make: SimpleNamespace) -> None:
    limit(client, network=2, subnet=1, port=2, security_group=2, security_group_rule=7)
    network = make.network()["id"]
    make.network()
    assert over(client, "networks", {"network": {}}) == "Quota exceeded for resources: ['network']."
    make.subnet(network)
    body = {"subnet": {"network_id": network, "cidr": "10.2.0.0/24", "ip_version": 4}}
    assert over(client, "subnets", body) == "Quota exceeded for resources: ['subnet']."
    make.port(network_id=network)
    port = make.port(network_id=network)["id"]
    assert over(client, "ports", {"port": {"network_id": network}}) == "Quota exceeded for resources: ['port']."
    client.delete(f"/v2.0/ports/{port}")
    make.port(network_id=network)
    # The default group has four rules, every other starts with two.
    group = client.post("/v2.0/security-groups", json={"security_group": {"name": "a"}}).json["security_group"]["id"]
    message = over(client, "security-groups", {"security_group": {"name": "b"}})
    assert message == "Quota exceeded for resources: ['security_group']."
    rules = [
        {
            "security_group_id": group,
            "direction": "ingress",
            "protocol": "tcp",
            "port_range_min": n,
            "port_range_max": n,
        }
        for n in (1, 2)
    ]
    message = over(client, "security-group-rules", {"security_group_rules": rules})
    assert message == "Quota exceeded for resources: ['security_group_rule']."
    reply = client.post("/v2.0/security-group-rules", json={"security_group_rules": rules[:1]})
    assert reply.status_code == 201


def test_reservations_of_addresses_are_counted_with_all_that_are_kept(
    client: FlaskClient, make: SimpleNamespace
) -> None:
    subnet = make.subnet(make.network()["id"])["id"]
    limit(client, ip_reservation=2)
    wanted = {"subnet_id": subnet, "name": "r"}
    over(client, "ip-reservations", {"ip_reservations": [wanted] * 3})
    made = client.post("/v2.0/ip-reservations", json={"ip_reservations": [wanted] * 2})
    assert made.status_code == 201
    said = over(client, "ip-reservations", {"ip_reservation": wanted})
    assert said == "Quota exceeded for resources: ['ip_reservation']."
    used = client.get(f"/v2.0/quotas/{PROJECT}/details").json["quota"]["ip_reservation"]
    assert used == {"limit": 2, "used": 2, "reserved": 0}
    client.delete(f"/v2.0/ip-reservations/{made.json['ip_reservations'][0]['id']}")
    assert client.post("/v2.0/ip-reservations", json={"ip_reservation": wanted}).status_code == 201


def test_a_new_group_s_own_rules_count(client: FlaskClient) -> None:
    client.get("/v2.0/security-groups")
    limit(client, security_group_rule=5)
    message = over(client, "security-groups", {"security_group": {"name": "b"}})
    assert message == "Quota exceeded for resources: ['security_group_rule']."
    assert len(client.get("/v2.0/security-groups").json["security_groups"]) == 1


def test_a_bulk_request_counts_as_a_whole(client: FlaskClient, make: SimpleNamespace) -> None:
    network = make.network()["id"]
    limit(client, network=3, port=2)
    over(client, "networks", {"networks": [{}, {}, {}]})
    assert len(client.get("/v2.0/networks").json["networks"]) == 1
    over(client, "ports", {"ports": [{"network_id": network}] * 3})
    mixed = [{"network_id": network}, {"network_id": network, "project_id": "other"}, {"network_id": network}]
    assert client.post("/v2.0/ports", json={"ports": mixed}).status_code == 201
    over(client, "ports", {"port": {"network_id": network}})


def test_the_owner_s_limit_holds_and_not_the_asker_s(client: FlaskClient, make: SimpleNamespace) -> None:
    limit(client, network=0)
    make.network(project_id="other")
    client.put("/v2.0/quotas/other", json={"quota": {"network": 1}})
    over(client, "networks", {"network": {"project_id": "other"}})


def test_a_limit_below_what_is_used_needs_force(client: FlaskClient, make: SimpleNamespace) -> None:
    make.network()
    make.network()
    path = f"/v2.0/quotas/{PROJECT}"
    for options in ({}, {"check_limit": True}, {"force": False}):
        reply = client.put(path, json={"quota": {"network": 1, **options}})
        assert (reply.status_code, reply.json["NeutronError"]) == (
            400,
            {
                "type": "HTTPBadRequest",
                "message": "Quota limit 1 for network must be greater than or equal to already used 2",
                "detail": "",
            },
        )
    assert client.put(path, json={"quota": {"network": 1, "force": True}}).json["quota"]["network"] == 1
    over(client, "networks", {"network": {}})
    assert client.put(path, json={"quota": {"network": -1}}).status_code == 200
    make.network()


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"quota": {"router": 1}}, "Unrecognized attribute(s) 'router'"),
        ({"quota": {"port": -2}}, "Invalid input for port. Reason: '-2' is too small - must be at least '-1'."),
        ({"quota": {"port": 2**31}}, "'2147483648' is too large - must be no larger than '2147483647'"),
        ({"quota": {"port": "many"}}, "'many' is not an integer"),
        ({"quota": []}, "Body contains invalid data"),
        ({}, "Unable to find 'quota' in request body"),
    ],
)
def test_what_is_no_limit_is_refused(client: FlaskClient, body: object, message: str) -> None:
    reply = client.put("/v2.0/quotas/blue", json=body)
    assert reply.status_code == 400
    assert message in reply.json["NeutronError"]["message"]


def test_quotas_are_not_created(client: FlaskClient) -> None:
    assert client.post("/v2.0/quotas", json={"quota": {}}).status_code == 501
    assert client.get("/v2.0/quotas/tenant").json == {"tenant": {"tenant_id": PROJECT}}
    assert client.get("/v2.0/quotas/project").json == {"project": {"project_id": PROJECT}}


@pytest.fixture
def limited(tmp_path: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{tmp_path}/weft.db", settings=Settings(quotas=(("port", 10), ("network", 1))))
    database.migrate()
    yield database
    database.close()


def test_configured_limits_hold_for_every_project_without_its_own(limited: Database) -> None:
    client = create_app(limited, auth=NoAuth(), control=NoController()).test_client()
    assert client.get("/v2.0/quotas/new/default").json["quota"] == UNLIMITED | {
        "port": 10,
        "network": 1,
        "rbac_policy": -1,
    }
    client.put("/v2.0/quotas/rich", json={"quota": {"network": 2}})
    for project, count in (("new", 1), ("rich", 2)):
        for _ in range(count):
            assert client.post("/v2.0/networks", json={"network": {"project_id": project}}).status_code == 201
        over(client, "networks", {"network": {"project_id": project}})


def test_writers_at_the_same_time_do_not_get_past_the_limit(limited: Database) -> None:
    app = create_app(limited, auth=NoAuth(), control=NoController())
    network = app.test_client().post("/v2.0/networks", json={"network": {}}).json["network"]["id"]
    statuses: list[int] = []

    def write() -> None:
        client = app.test_client()
        body = {"port": {"network_id": network}}
        statuses.extend(client.post("/v2.0/ports", json=body).status_code for _ in range(4))

    threads = [threading.Thread(target=write) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (statuses.count(201), statuses.count(409)) == (10, 22)
    assert len(app.test_client().get("/v2.0/ports").json["ports"]) == 10
