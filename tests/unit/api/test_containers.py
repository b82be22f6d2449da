"""Are containers made, changed and deleted as a unit, through the whole API?"""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import text

from api.app import create_app
from api.auth import NoAuth
from controller.store.database import Database
from tests.unit.api.conftest import NoController
from tests.unit.api.identities import As, a_token, an_app

ROOT = Path(__file__).parents[3]
THREE_TIER = (ROOT / "examples" / "three-tier.yaml").read_text(encoding="utf-8")
MANUAL = (ROOT / "docs" / "containers.md").read_text(encoding="utf-8")
FLAVORS, CONTAINERS = "/v2.0/container-flavors", "/v2.0/containers"


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    path = tmp_path_factory.mktemp("containers")
    database = Database(f"sqlite:///{path}/weft.db", rng=random.Random(7))
    database.migrate()
    yield database
    database.close()


@pytest.fixture(scope="module")
def client(database: Database) -> FlaskClient:
    client = create_app(database, auth=NoAuth(), control=NoController()).test_client()
    flavor(client, "three-tier", template_yaml=THREE_TIER)
    # The project's default group, which the first group of a project brings along, stays.
    group = sent(client, "POST", "/v2.0/security-groups", {"security_group": {"name": "first"}}, 201)
    sent(client, "DELETE", f"/v2.0/security-groups/{group['security_group']['id']}", None, 204)
    return client


def sent(client: FlaskClient, method: str, path: str, body: Any, status: int) -> Any:
    reply = client.open(path, method=method, json=body)
    assert reply.status_code == status, reply.json
    return reply.json


def flavor(client: FlaskClient, name: str, resources: Any = None, **more: Any) -> dict[str, Any]:
    if resources is not None:
        top = {key: more.pop(key) for key in ("parameters", "endpoints", "outputs") if key in more}
        more["template"] = {"weft_template": 1, "resources": resources, **top}
    found = sent(client, "POST", FLAVORS, {"container_flavor": {"name": name, **more}}, 201)
    return dict(found["container_flavor"])


def container(client: FlaskClient, **attributes: Any) -> dict[str, Any]:
    return dict(sent(client, "POST", CONTAINERS, {"container": attributes}, 201)["container"])


def update(client: FlaskClient, one: dict[str, Any], **changes: Any) -> dict[str, Any]:
    found = sent(client, "PUT", f"{CONTAINERS}/{one['id']}", {"container": changes}, 200)
    return dict(found["container"])


def refused(client: FlaskClient, method: str, path: str, body: Any = None) -> tuple[int, str, str]:
    reply = client.open(path, method=method, json=body)
    fault = reply.json["NeutronError"]
    return reply.status_code, fault["type"], f"{fault['message']} [{fault['detail']}]"


def delete(client: FlaskClient, one: dict[str, Any]) -> None:
    sent(client, "DELETE", f"{CONTAINERS}/{one['id']}", None, 204)


def ids(one: dict[str, Any]) -> dict[str, str]:
    return {member["path"]: member["id"] for member in one["members"]}


def done(one: dict[str, Any]) -> list[str]:
    return [f"{change['change']} {change['path']}" for change in one["changes"]]


def drift(client: FlaskClient, one: dict[str, Any]) -> dict[str, Any]:
    return dict(sent(client, "GET", f"{CONTAINERS}/{one['id']}/drift", None, 200)["drift"])


def rows(database: Database) -> dict[str, int]:
    """Count the rows of every table but the journal, which only grows."""
    with database.read() as tx:
        names = tx.connection.scalars(text("SELECT name FROM sqlite_master WHERE type = 'table'")).all()
        counted = {name: tx.connection.scalar(text(f'SELECT count(*) FROM "{name}"')) for name in names}  # noqa: S608
    return {name: count for name, count in counted.items() if name not in ("journal", "sqlite_sequence")}


def test_a_container_is_made_scaled_and_deleted_and_keeps_what_need_not_change(
    client: FlaskClient, database: Database
) -> None:
    before = rows(database)
    one = container(client, name="shop", flavor="three-tier")
    other = container(client, name="shop2", flavor="three-tier:1", parameters={"web_servers": 1})
    assert (one["flavor"], one["flavor_version"], one["status"], len(one["members"])) == ("three-tier", 1, "ACTIVE", 16)
    assert {change["change"] for change in one["changes"]} == {"created"}
    port = sent(client, "GET", f"/v2.0/ports/{ids(one)['web[1]']}", None, 200)["port"]
    assert (port["name"], port["security_groups"]) == ("web-1", [ids(one)["web_group"]])
    assert one["outputs"]["web_addresses"][1] == port["fixed_ips"][0]["ip_address"]
    assert "changes" not in sent(client, "GET", f"{CONTAINERS}/{one['id']}", None, 200)["container"]

    grown = update(client, one, parameters={"web_servers": 3})
    assert done(grown) == ["created web[2]"]
    assert ids(one).items() < ids(grown).items()
    assert (grown["parameters"], len(grown["outputs"]["web_addresses"])) == ({"web_servers": 3}, 3)
    moved = update(client, one, parameters={"front_cidr": "10.1.0.0/25"})
    assert done(moved) == ["replaced front_addresses", *(f"changed web[{n}]" for n in range(3)), "changed app_front[0]"]
    kept = ids(grown).keys() - {"front_addresses"}
    assert {path: ids(moved)[path] for path in kept} == {path: ids(grown)[path] for path in kept}
    subnets = {
        fixed["subnet_id"]
        for path in ("web[0]", "web[2]", "app_front[0]")
        for fixed in sent(client, "GET", f"/v2.0/ports/{ids(moved)[path]}", None, 200)["port"]["fixed_ips"]
    }
    assert subnets == {ids(moved)["front_addresses"]}
    small = update(client, one, parameters={"web_servers": None, "front_cidr": None})
    assert (small["parameters"], done(small)[-1]) == ({}, "deleted web[2]")
    assert done(update(client, one, name="renamed")) == []
    assert drift(client, one) == {"missing": [], "changed": [], "foreign": []}
    for each in (one, other):
        delete(client, each)
    assert rows(database) == before


def test_what_fails_half_way_leaves_nothing_and_says_which_member(client: FlaskClient, database: Database) -> None:
    resources = {
        "red": {"type": "network"},
        "first": {"type": "subnet", "properties": {"network_id": "${red}", "cidr": "10.0.0.0/24"}},
        "second": {"type": "subnet", "properties": {"network_id": "${red}", "cidr": "${parameters.cidr}"}},
    }
    flavor(client, "overlap", resources, parameters={"cidr": {"type": "cidr", "default": "10.0.1.0/24"}})
    before = rows(database)
    body = {"container": {"flavor": "overlap", "parameters": {"cidr": "10.0.0.0/25"}}}
    status, kind, said = refused(client, "POST", CONTAINERS, body)
    assert (status, kind) == (400, "InvalidInput")
    assert said.endswith("overlaps with another subnet. [resources.second]")
    one = container(client, flavor="overlap")
    assert refused(client, "PUT", f"{CONTAINERS}/{one['id']}", body | {"container": {"parameters": {"cidr": "x"}}})[
        2
    ].startswith("Invalid container template: parameters.cidr: 'x' is no cidr")
    sent(client, "PUT", "/v2.0/quotas/fake_project_id", {"quota": {"network": 1}}, 200)
    assert refused(client, "POST", CONTAINERS, {"container": {"flavor": "overlap"}})[:2] == (409, "OverQuota")
    sent(client, "DELETE", "/v2.0/quotas/fake_project_id", None, 204)
    delete(client, one)
    assert rows(database) == before


@pytest.mark.parametrize(
    ("resources", "said"),
    [
        ({"s": {"type": "subnet", "properties": {"cidr": "10/8"}}}, "resources.s.properties.cidr"),
        ({"n": {"type": "network", "properties": {"nmae": "x"}}}, "a network has no such attribute; there are: admin"),
        ({"n": {"type": "network", "properties": {"project_id": "x"}}}, "project_id: is the container's"),
        ({"p": {"type": "port", "properties": {}}}, "resources.p.properties: network_id must be given"),
        ({"p": {"type": "port", "properties": {"network_id": "${n}"}}}, "there is no resource of this name"),
        (
            {"n": {"type": "network", "count": 2, "properties": {"mtu": "${index}x"}}},
            "resources.n[0].properties.mtu: Invalid input for operation: '0x' is not an integer",
        ),
        ({"c": {"type": "container", "properties": {"flavor": "none:1"}}}, "Container flavor none:1 could not be"),
        (
            {"n": {"type": "network", "properties": {"name": "a ${m[0].nmae}"}}, "m": {"type": "network", "count": 1}},
            "resources.n.properties.name: ${m[0].nmae}: a network has no nmae; it has admin_state_up",
        ),
    ],
)
def test_a_template_that_cannot_be_is_refused_when_it_is_offered(
    client: FlaskClient, resources: Any, said: str
) -> None:
    body = {"container_flavor": {"name": "bad", "template": {"weft_template": 1, "resources": resources}}}
    status, kind, message = refused(client, "POST", FLAVORS, body)
    assert (status, kind) == (400, "InvalidTemplate")
    assert said in message


def test_versions_are_numbered_kept_while_used_and_rolled_until_one_cannot_follow(client: FlaskClient) -> None:
    def version(cidr: str) -> dict[str, Any]:
        resources = {
            "red": {"type": "network"},
            "sub": {"type": "subnet", "properties": {"network_id": "${red}", "cidr": cidr}},
        }
        return flavor(client, "rolled", resources)

    first = version("10.0.0.0/24")
    made = [container(client, name=f"c{number}", flavor="rolled") for number in range(3)]
    second = version("10.0.1.0/24")
    assert (first["version"], second["version"]) == (1, 2)
    outside = sent(client, "POST", "/v2.0/ports", {"port": {"network_id": ids(made[1])["red"], "name": "x"}}, 201)
    order = [one["id"] for one in sorted(made, key=lambda one: (one["created_at"], one["id"]))]
    path = f"{FLAVORS}/{second['id']}/roll"
    plan = sent(client, "PUT", f"{path}?plan=true", None, 200)["plan"]
    roll = sent(client, "PUT", path, None, 200)["roll"]
    assert plan["answer"]["roll"] == roll
    affected = [(one["type"], one["change"]) for one in plan["affected"]]
    assert affected.count(("container", "changed")) == len(roll["rolled"])
    stopped = order.index(made[1]["id"])
    assert [one["id"] for one in roll["rolled"]] == order[:stopped]
    assert (roll["failed"]["id"], roll["failed"]["type"]) == (made[1]["id"], "ContainerInUse")
    assert f"port x ({outside['port']['id']}) of project fake_project_id stands on sub" in roll["failed"]["message"]
    assert [one["id"] for one in roll["left"]] == order[stopped + 1 :]
    sent(client, "DELETE", f"/v2.0/ports/{outside['port']['id']}", None, 204)
    roll = sent(client, "PUT", f"{FLAVORS}/{second['id']}/roll", None, 200)["roll"]
    assert ([one["id"] for one in roll["rolled"]], roll["failed"], roll["left"]) == (order[stopped:], None, [])
    assert [change["change"] for change in roll["rolled"][0]["changes"]] == ["replaced"]
    assert refused(client, "DELETE", f"{FLAVORS}/{second['id']}")[:2] == (409, "ContainerFlavorInUse")
    sent(client, "DELETE", f"{FLAVORS}/{first['id']}", None, 204)
    assert done(update(client, made[0], flavor="rolled:2")) == []
    assert refused(client, "POST", CONTAINERS, {"container": {"flavor": "rolled:1"}})[0] == 404


def test_drift_is_told_and_put_right_by_the_next_change(client: FlaskClient) -> None:
    one = container(client, flavor="three-tier")
    at = ids(one)
    sent(client, "DELETE", f"/v2.0/ports/{at['web[0]']}", None, 204)
    sent(client, "DELETE", f"/v2.0/security-group-rules/{at['app_to_db']}", None, 204)
    sent(client, "PUT", f"/v2.0/networks/{at['front']}", {"network": {"name": "mine"}}, 200)
    rule = {"security_group_id": at["db_group"], "direction": "ingress", "protocol": "udp"}
    rule_id = sent(client, "POST", "/v2.0/security-group-rules", {"security_group_rule": rule}, 201)
    foreign = sent(client, "POST", "/v2.0/ports", {"port": {"network_id": at["back"], "name": "spy"}}, 201)["port"]
    found = drift(client, one)
    assert [missing["path"] for missing in found["missing"]] == ["app_to_db", "web[0]"]
    assert found["changed"] == [
        {"path": "front", "type": "network", "id": at["front"], "attributes": {"name": ["front", "mine"]}}
    ]
    assert {(thing["type"], thing["id"], thing["on"]) for thing in found["foreign"]} == {
        ("port", foreign["id"], "back"),
        ("security_group_rule", rule_id["security_group_rule"]["id"], "db_group"),
    }
    shown = sent(client, "GET", f"{CONTAINERS}/{one['id']}", None, 200)["container"]
    assert (shown["status"], shown["status_reason"]) == ("DEGRADED", "missing: app_to_db, web[0]")
    assert {member["path"] for member in shown["members"] if member["state"] == "MISSING"} == {"app_to_db", "web[0]"}
    assert done(update(client, one, parameters={})) == ["changed front", "created app_to_db", "created web[0]"]
    assert drift(client, one)["changed"] == drift(client, one)["missing"] == []
    status, kind, said = refused(client, "DELETE", f"{CONTAINERS}/{one['id']}")
    assert (status, kind) == (409, "ContainerInUse")
    assert f"port spy ({foreign['id']}) of project fake_project_id stands on back" in said
    sent(client, "DELETE", f"/v2.0/ports/{foreign['id']}", None, 204)
    delete(client, one)


def test_vnics_are_plugged_and_follow_when_their_ports_are_replaced(client: FlaskClient) -> None:
    resources = {
        "red": {"type": "network"},
        "sub": {"type": "subnet", "properties": {"network_id": "${red}", "cidr": "10.0.0.0/24"}},
        "p": {"type": "port", "count": 2, "properties": {"network_id": "${red}", "dns_name": "${parameters.dns}"}},
        "nic": {
            "type": "vnic",
            "properties": {"owner": "vm", "port_id": "${p[0]}", "mac_address": "${parameters.mac}"},
        },
    }
    parameters = {
        "dns": {"type": "string", "default": ""},
        "mac": {"type": "mac", "default": "02:00:00:00:00:01"},
    }
    flavor(client, "plugged", resources, parameters=parameters)
    one = container(client, flavor="plugged")
    nic = sent(client, "GET", f"/v2.0/vnics/{ids(one)['nic']}", None, 200)["vnic"]
    assert (nic["port_id"], nic["mac_address"]) == (ids(one)["p[0]"], "02:00:00:00:00:01")
    assert drift(client, one)["changed"] == []
    changed = update(client, one, parameters={"mac": "02:00:00:00:00:02"})
    assert done(changed) == ["changed nic"]
    port = sent(client, "GET", f"/v2.0/ports/{nic['port_id']}", None, 200)["port"]
    assert (port["mac_address"], port["device_id"]) == ("02:00:00:00:00:02", "vm")
    stranger = sent(client, "POST", "/v2.0/vnics", {"vnic": {"name": "s"}}, 201)["vnic"]
    where = f"/v2.0/vnics/{stranger['id']}"
    sent(client, "PUT", f"{where}/plug", {"port_id": ids(one)["p[1]"]}, 200)
    assert "vnic s" in refused(client, "DELETE", f"{CONTAINERS}/{one['id']}")[2]
    sent(client, "PUT", f"{where}/unplug", None, 200)
    resources["p"]["properties"]["tags"] = ["new"]  # type: ignore[index]  # tags cannot be changed so
    flavor(client, "plugged", resources, parameters=parameters)
    rolled = update(client, one, flavor="plugged")
    assert done(rolled) == ["replaced p[0]", "replaced p[1]", "changed nic"]
    nic = sent(client, "GET", f"/v2.0/vnics/{ids(one)['nic']}", None, 200)["vnic"]
    assert (nic["port_id"], nic["mac_address"]) == (ids(rolled)["p[0]"], "02:00:00:00:00:02")
    delete(client, one)


def test_a_container_is_built_by_hand(client: FlaskClient, database: Database) -> None:
    before = rows(database)
    one = container(client, name="by hand")
    path = f"{CONTAINERS}/{one['id']}"
    network = sent(client, "POST", "/v2.0/networks", {"network": {"name": "old"}}, 201)["network"]
    added = {"type": "network", "name": "old", "object_id": network["id"]}
    sent(client, "PUT", f"{path}/add_member", added, 200)
    properties = {"network_id": network["id"], "cidr": "10.0.0.0/24"}
    new = {"type": "subnet", "name": "new", "properties": properties}
    found = sent(client, "PUT", f"{path}/add_member", new, 200)["container"]
    assert [(member["path"], member["added"]) for member in found["members"]] == [
        ("added/old", True),
        ("added/new", True),
    ]
    assert refused(client, "PUT", f"{path}/add_member", added | {"name": "again"})[:2] == (409, "AlreadyMember")
    assert refused(client, "PUT", f"{path}/add_member", {**new, "name": "x", "properties": {"cidr": 1}})[:2] == (
        400,
        "InvalidTemplate",
    )
    sent(client, "PUT", f"{path}/remove_member", {"member": "added/new", "delete": True}, 200)
    assert refused(client, "PUT", f"{path}/remove_member", {"member": "added/new"})[0] == 404
    assert refused(client, "PUT", path, {"container": {"parameters": {"a": 1}}})[:2] == (400, "InvalidInput")
    sent(client, "PUT", f"{path}/add_member", new, 200)
    delete(client, one)
    assert rows(database) == before


def test_nested_containers_are_wired_and_pinned_to_the_version_there_was(client: FlaskClient) -> None:
    def inner(name: str) -> dict[str, Any]:
        port = {"type": "port", "properties": {"network_id": "${endpoints.uplink}", "name": name}}
        return flavor(client, "db", {"p": port}, endpoints={"uplink": {"type": "network"}})

    inner("one")
    nested = {"type": "container", "count": 2, "properties": {"flavor": "db", "endpoints": {"uplink": "${red}"}}}
    outer = flavor(client, "outer", {"red": {"type": "network"}, "backend": nested})
    assert outer["template"]["resources"]["backend"]["properties"]["flavor"] == "db:1"
    inner("two")
    one = container(client, flavor="outer")
    assert list(ids(one)) == ["red", "backend[0]/p", "backend[1]/p"]
    assert sent(client, "GET", f"/v2.0/ports/{ids(one)['backend[1]/p']}", None, 200)["port"]["name"] == "one"
    elsewhere = container(client, flavor="db", endpoints={"uplink": ids(one)["red"]})
    assert "stands on red" in refused(client, "DELETE", f"{CONTAINERS}/{one['id']}")[2]
    for missing in ("00000000-0000-0000-0000-000000000000", 7):
        body = {"container": {"flavor": "db", "endpoints": {"uplink": missing}}}
        assert f"endpoints.uplink: there is no network {missing}" in refused(client, "POST", CONTAINERS, body)[2]
    delete(client, elsewhere)
    delete(client, one)


def test_a_project_sees_its_own_and_public_flavors_and_its_members_must_be_its_own(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/weft.db", rng=random.Random(7))
    database.migrate()
    app = an_app(database)
    red, blue = (As(app, a_token(database, "member", project_id=project)) for project in ("red", "blue"))
    admin = As(app, a_token(database, "admin", project_id="ops"))
    template = {"weft_template": 1, "resources": {"n": {"type": "network"}}}
    own = red("POST", "/container-flavors", {"container_flavor": {"name": "own", "template": template}}).json
    assert blue("GET", "/container-flavors").json == {"container_flavors": []}
    assert blue("POST", "/containers", {"container": {"flavor": "own"}}).status_code == 404
    assert own is not None
    path = f"/container-flavors/{own['container_flavor']['id']}"
    assert red("PUT", path, {"container_flavor": {"public": True}}).status_code == 403
    assert admin("PUT", path, {"container_flavor": {"public": True}}).status_code == 200
    made = blue("POST", "/containers", {"container": {"flavor": "own"}}).json
    assert made is not None
    one = f"/containers/{made['container']['id']}"
    network = blue("GET", f"/networks/{made['container']['members'][0]['id']}").json
    assert network is not None
    assert network["network"]["project_id"] == "blue"
    assert red("GET", one).status_code == red("DELETE", one).status_code == 404
    provider = {"type": "network", "properties": {"provider:network_type": "vxlan", "provider:segmentation_id": 7}}
    body = {"container_flavor": {"name": "p", "template": {"weft_template": 1, "resources": {"n": provider}}}}
    assert blue("POST", "/container-flavors", body).status_code == 201
    assert blue("POST", "/containers", {"container": {"flavor": "p"}}).status_code == 403
    reader = As(app, a_token(database, "reader", project_id="blue"))
    assert reader("PUT", f"{one}/remove_member", {"member": "n"}).status_code == 403
    database.close()


def test_the_schema_of_templates_is_published(client: FlaskClient) -> None:
    assert sent(client, "GET", f"{FLAVORS}/schema", None, 200)["title"] == "Weft container template"


def test_the_templates_of_the_manual_work_as_they_stand(client: FlaskClient) -> None:
    pairs, nested = (block.partition("```")[0] for block in MANUAL.split("```yaml\n")[1:])
    flavor(client, "pairs", template_yaml=pairs)
    flavor(client, "nested", template_yaml=nested)
    one = container(client, flavor="nested")
    assert len(one["members"]) == 1 + 2 * 6
    assert one["outputs"]["doors"] == [ids(one)["backend[0]/door"], ids(one)["backend[1]/door"]]
    wrong = {"container": {"flavor": "three-tier", "parameters": {"web_servers": 500}}}
    said = "Invalid container template: parameters.web_servers: 500 is more than 100"
    assert said in MANUAL
    assert refused(client, "POST", CONTAINERS, wrong) == (400, "InvalidTemplate", f"{said} []")
    delete(client, one)
