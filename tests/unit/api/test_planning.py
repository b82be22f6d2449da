"""Does ``?plan=true`` say what the request then does, for every call that changes something, and do nothing?

Every such call is planned first and then made: the plan must leave the database's files as they were, byte for byte,
wake nobody, and name exactly what the call then changes, each attribute with its old and its new value.
"""

import random
import re
import threading
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from werkzeug.test import TestResponse

from api.app import RESOURCES, create_app
from api.auth import NoAuth
from api.plan_schema import MUTATING, SCHEMA, affected
from controller.plugins.faces import Faces
from controller.plugins.openflow import OpenFlowPlugin
from controller.plugins.registry import Loaded, Registry
from controller.records import HostName
from controller.sighting_records import How, Sight
from controller.store import sightings
from controller.store.database import Database
from tests.unit.api.identities import As, a_token, an_app
from tests.unit.api.test_network_moves import Cluster, find
from tests.unit.api.test_policy_cells import OWNER, TAGGED, _bodies

NOW = datetime(2031, 5, 6, 7, 8, 9, tzinfo=UTC)
GONE = "00000000-0000-0000-0000-000000000000"
UUIDS = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
PAIR = """
weft_template: 1
parameters: {guests: {type: integer, default: 2}}
resources:
  red: {type: network}
  addresses: {type: subnet, properties: {network_id: "${red}", cidr: 10.9.0.0/24}}
  guest: {type: port, count: "${parameters.guests}", properties: {network_id: "${red}"}}
"""
NEXT = PAIR.replace("10.9.0.0", "10.99.0.0")
NOT_STORED = {("POST", "/v2.0/traces")}
"""Sent with a body, but they change nothing."""
DERIVED = {"network_ip_availabilities"}
USED = {"used", "available", "configurations", "availability_zones"}
"""What is worked out from other objects at each look: resources, and attributes of them."""
Request = tuple[str, str, Any]


class Controller:
    """A controller process that answers whatever it is asked, and remembers it."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, Mapping[str, object]]] = []

    def call(self, op: str, args: Mapping[str, object]) -> object:
        self.calls.append((op, args))
        return {"host": "h1", "problem": None, "accepted": 0}


class Bench:
    """An application over files that can be compared."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        plugins = {
            one.name: Loaded(plugin=one, advertisement=one.advertise(), distribution="tests")
            for one in (OpenFlowPlugin({}), Cluster({"bridge": "br-other"}))
        }
        faces = Faces(Registry(plugins, ()))
        self.database = Database(f"sqlite:///{directory}/weft.db", rng=random.Random(7), now=lambda: NOW, faces=faces)
        self.database.migrate()
        find(self.database)
        self.controller = Controller()
        self.app = create_app(self.database, auth=NoAuth(), control=self.controller)
        self.client = self.app.test_client()
        self.woken = 0
        self.database.add_listener(self._wake)

    def stranger(self) -> tuple[str, str]:
        """Make a network, and let somebody be seen on it; return the ids of both."""
        wanted = {"name": "seen", "provider:network_type": "geneve"}
        network = self.ask(("POST", "/networks", {"network": wanted})).json["network"]["id"]  # type: ignore[index]
        subnet = {"network_id": network, "ip_version": 4, "cidr": "10.77.0.0/24"}
        subnet_id = self.ask(("POST", "/subnets", {"subnet": subnet})).json["subnet"]["id"]  # type: ignore[index]
        place = (network, subnet_id, "10.77.0.77", "02:00:00:00:00:77")
        with self.database.write() as tx:
            sightings.note(tx, [Sight(*place, how=How.USED, host=HostName("h1"), port_id=None)])
        (conflict,) = self.ask(("GET", "/address-conflicts", None)).json["address_conflicts"]  # type: ignore[index]
        return network, conflict["id"]

    def _wake(self) -> None:
        self.woken += 1

    def files(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in self.directory.iterdir() if not path.name.endswith("-shm")}

    def ask(self, request: Request, query: str = "", **headers: str) -> TestResponse:
        method, path, body = request
        return self.client.open(f"/v2.0{path}{query}", method=method, json=body, headers=headers)

    def objects(self, only: str = "") -> dict[tuple[str, str], Mapping[str, Any]]:
        """Return everything the API shows of everything, or of the objects under one path."""
        found: dict[tuple[str, str], Mapping[str, Any]] = {}
        for resource in self.app.extensions[RESOURCES]:
            if resource.collection not in DERIVED and only in {"", resource.path}:
                shown = self.client.get(f"/v2.0/{resource.path}").json[resource.collection]  # type: ignore[index]
                found |= {(resource.member, one["id"]): one for one in shown}
        for quota in self.client.get("/v2.0/quotas").json["quotas"]:  # type: ignore[index]
            limits = {name: value for name, value in quota.items() if name not in {"project_id", "tenant_id"}}
            found["quota", quota["project_id"]] = limits
        return found


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    bench = Bench(tmp_path_factory.mktemp("plans"))
    yield bench
    bench.database.close()


def calls(made: dict[str, dict[str, Any]]) -> Iterator[tuple[str, Request]]:
    """Yield calls one after the other, each with what its answer is remembered as; together they use every path."""
    for member, body in _bodies(made):
        name = member.partition(" ")[0]
        yield member, ("POST", f"/{_path(name)}", {name: body})
    port, machine = made["port"]["id"], made["port of a machine"]["id"]
    network, group = made["network"]["id"], made["security_group"]["id"]
    bulk = [{"network_id": network, "project_id": OWNER, "name": name, "binding:host_id": "h2"} for name in "ab"]
    yield "", ("POST", "/ports", {"ports": bulk})
    yield "", ("PUT", f"/ports/{port}", {"port": {"binding:host_id": "h2", "name": "moved"}})
    yield "", ("PUT", f"/networks/{network}", {"network": {"admin_state_up": False}})
    yield "", ("PUT", f"/networks/{network}", {"network": {"admin_state_up": True, "mtu": 1400}})
    yield "", ("PUT", f"/subnets/{made['subnet']['id']}", {"subnet": {"enable_dhcp": False}})
    yield "", ("PUT", f"/hosts/{made['host second']['id']}", {"host": {"tunnel_ip": "192.0.2.22"}})
    yield "", ("PUT", f"/hosts/{made['host']['id']}/reconcile", None)
    yield "", ("PUT", f"/security-groups/{group}", {"security_group": {"stateful": True, "description": "d"}})
    rule = made["security_group_rule"]["id"]
    yield "", ("PUT", f"/security-group-rules/{rule}", {"security_group_rule": {"description": "d"}})
    for name, changes in (
        ("address_group", {"name": "n"}),
        ("segment", {"name": "n"}),
        ("network_segment_range", {"maximum": 5_000_200}),
        ("vnic", {"name": "n"}),
        ("address_scope", {"name": "n"}),
        ("subnetpool", {"name": "n"}),
        ("rbac_policy", {"target_project": "yellow"}),
    ):
        yield "", ("PUT", f"/{_path(name)}/{made[name]['id']}", {name: changes})
    addresses = f"/address-groups/{made['address_group']['id']}"
    yield "", ("PUT", f"{addresses}/add_addresses", {"addresses": ["198.51.100.0/24"]})
    yield "", ("PUT", f"{addresses}/remove_addresses", {"addresses": ["192.0.2.0/24"]})
    pool = f"/subnetpools/{made['subnetpool']['id']}"
    yield "", ("PUT", f"{pool}/add_prefixes", {"prefixes": ["10.65.0.0/16"]})
    yield "", ("PUT", f"{pool}/remove_prefixes", {"prefixes": ["10.64.0.0/24"]})
    yield "", ("PUT", f"{pool}/onboard_network_subnets", {"network_id": made["network of segments"]["id"]})
    vnic = f"/vnics/{made['vnic']['id']}"
    yield "", ("PUT", f"{vnic}/plug", {"port_id": port})
    yield "", ("PUT", f"{vnic}/unplug", {})
    bindings = f"/ports/{machine}/bindings"
    yield "", ("POST", bindings, {"binding": {"host": "h2"}})
    yield "", ("PUT", f"{bindings}/h2", {"binding": {"vnic_type": "direct"}})
    yield "", ("PUT", f"{bindings}/h2/activate", None)
    yield "", ("DELETE", f"{bindings}/h1", None)
    yield "", ("PUT", f"/quotas/{OWNER}", {"quota": {"port": 100}})
    yield "", ("DELETE", f"/quotas/{OWNER}", None)
    agent = made["agent"]["id"]
    yield "", ("PUT", f"/agents/{agent}", {"agent": {"description": "d"}})
    yield "", ("DELETE", f"/agents/{agent}", None)
    yield from _containers(made)
    yield from _addresses(made)
    yield from _tags(made)
    for one in made["left"]["ports"]:
        yield "", ("DELETE", f"/ports/{one}", None)
    for member in reversed([member for member, _ in _bodies(made)]):
        path = f"/{_path(member.partition(' ')[0])}/{made[member]['id']}"
        yield "", ("DELETE", path, None)


def _tags(made: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, Request]]:
    for member in TAGGED:
        tags = f"/{_path(member)}/{made[member]['id']}/tags"
        yield "", ("POST", tags, {"tags": ["a"]})
        yield "", ("PUT", tags, {"tags": ["b"]})
        yield "", ("PUT", f"{tags}/c", None)
        yield "", ("DELETE", f"{tags}/b", None)
        yield "", ("DELETE", tags, None)


def _containers(made: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, Request]]:
    """Yield a life of containers: rolled, two at a time, given members, degraded, and deleted."""
    flavors, yaml = "/container-flavors", {"project_id": OWNER, "name": "pair", "template_yaml": PAIR}
    yield "container_flavor pair", ("POST", flavors, {"container_flavor": yaml})
    for name in ("first", "second"):
        wanted = {"project_id": OWNER, "name": name, "flavor": "pair"}
        yield f"container {name}", ("POST", "/containers", {"container": wanted})
    first = f"/containers/{made['container first']['id']}"
    yield "", ("PUT", first, {"container": {"parameters": {"guests": 3}, "description": "d"}})
    yield "container_flavor next", ("POST", flavors, {"container_flavor": yaml | {"template_yaml": NEXT}})
    newest = f"{flavors}/{made['container_flavor next']['id']}"
    yield "", ("PUT", newest, {"container_flavor": {"description": "d", "public": True}})
    yield "", ("PUT", f"{newest}/roll", None)
    new = {"type": "network", "name": "late", "properties": {"name": "late"}}
    yield "", ("PUT", f"{first}/add_member", new)
    yield "", ("PUT", f"{first}/add_member", {"type": "port", "name": "door", "object_id": made["port"]["id"]})
    yield "", ("PUT", f"{first}/remove_member", {"member": "added/late", "delete": True})
    yield "", ("PUT", f"{first}/remove_member", {"member": "added/door"})
    lost = next(one["id"] for one in made["container second"]["members"] if one["type"] == "port")
    yield "", ("DELETE", f"/ports/{lost}", None)
    for name in ("second", "first"):
        yield "", ("DELETE", f"/containers/{made[f'container {name}']['id']}", None)


def _addresses(made: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, Request]]:
    """Yield what is done with addresses that nobody has, with objects as somebody else shows them, and a move."""
    subnet, reservation = made["subnet"], made["ip_reservation"]["id"]
    yield "", ("PUT", f"/ip-reservations/{reservation}", {"ip_reservation": {"expires_at": "2031-06-01T00:00:00Z"}})
    yield "", ("PUT", f"/subnets/{subnet['id']}", {"subnet": {"ipam:quarantine": 3600}})
    wanted = {"network_id": subnet["network_id"], "project_id": OWNER, "fixed_ips": [{"ip_address": "10.0.0.200"}]}
    yield "port that goes", ("POST", "/ports", {"port": wanted})
    yield "", ("DELETE", f"/ports/{made['port that goes']['id']}", None)
    back = {"ip_address": "10.0.0.200", "port_id": made["port"]["id"]}
    yield "", ("PUT", f"/subnets/{subnet['id']}/restore", back)
    ids = {name: f"00000000-0000-0000-0000-00000000000{number}" for number, name in enumerate(("net", "sub", "prt"), 1)}
    net = {"id": ids["net"], "name": "imported", "project_id": OWNER}
    sub = {"id": ids["sub"], "network_id": ids["net"], "cidr": "10.88.0.0/24", "ip_version": 4, "project_id": OWNER}
    port = {"id": ids["prt"], "network_id": ids["net"], "project_id": OWNER, "tags": ["a"]}
    objects = [{"type": kind, "attributes": one} for kind, one in (("network", net), ("subnet", sub), ("port", port))]
    yield "", ("POST", "/imports", {"import": {"objects": objects}})
    contested = {"network_id": made["network seen"]["id"], "fixed_ips": [{"ip_address": "10.77.0.77"}]}
    yield "port contested", ("POST", "/ports", {"port": contested})
    yield "", ("DELETE", f"/ports/{made['port contested']['id']}", None)
    yield "", ("DELETE", f"/address-conflicts/{made['address_conflict']['id']}", None)
    for plugin in ("cluster", "openflow"):
        yield "", ("PUT", f"/networks/{made['network seen']['id']}/move", {"plugin": plugin})


def _path(member: str) -> str:
    collection = "rbac_policies" if member == "rbac_policy" else f"{member}s"
    return collection.replace("_", "-")


def alike(value: object, known: frozenset[str]) -> Any:
    """Return a value in which ids that are drawn anew in every try are all alike, and lists of them sorted."""
    match value:
        case dict():
            return {alike(k, known): alike(v, known) for k, v in value.items() if k not in USED}
        case list() | tuple():
            return sorted((alike(one, known) for one in value), key=repr)
        case str():
            return UUIDS.sub(lambda found: found[0] if found[0] in known else "new", value)
    return value


def changes(found: Any, known: frozenset[str]) -> list[Any]:
    """Return what changes, comparable between two tries."""
    listed = []
    for one in found:
        attributes = {
            name: [alike(old, known), alike(new, known)]
            for name, (old, new) in one["attributes"].items()
            if name not in USED
        }
        if attributes and one["type"] != "quota":
            listed.append(alike({**one, "attributes": None}, known) | {"attributes": attributes})
    return sorted(listed, key=repr)


def test_a_plan_of_every_call_names_what_the_call_changes_and_changes_nothing(bench: Bench) -> None:
    used: set[tuple[str, str]] = set()
    seen, conflict = bench.stranger()
    made: dict[str, dict[str, Any]] = {
        "agent": {"id": GONE},
        "left": {"ports": []},
        "network seen": {"id": seen},
        "address_conflict": {"id": conflict},
    }
    described = bench.client.get("/openapi.json").json["paths"]  # type: ignore[index]
    was = bench.objects()
    schema = Draft202012Validator(SCHEMA)
    for name, request in calls(made):
        chance, files, woken = bench.database._rng.getstate(), bench.files(), bench.woken
        planned = bench.ask(request, "?plan=true")
        assert planned.status_code == 200, (request, planned.json)
        assert bench.files() == files, request
        assert bench.woken == woken
        plan = planned.json["plan"]  # type: ignore[index]
        assert list(schema.iter_errors(planned.json)) == []
        bench.database._rng.setstate(chance)
        done = bench.ask(request)
        assert (plan["status"], plan["action"]) == (done.status_code, f"{request[0]} /v2.0{request[1]}"), request
        assert done.status_code < 300, (request, done.json)
        now = was | bench.objects(request[1].split("/")[1]) if "/tags" in request[1] else bench.objects()
        known = frozenset(object_id for _, object_id in was)
        assert changes(plan["affected"], known) == changes(affected(was, now), known), request
        assert alike(plan["answer"], known) == alike(done.get_json(silent=True), known)
        if request[1].startswith("/quotas"):
            limits = [one["attributes"] for one in plan["affected"]]
            assert limits == [{"port": [-1, 100] if request[0] == "PUT" else [100, -1]}]
        was = now
        used.add((request[0], next(path for path in described if _fits(path, f"/v2.0{request[1]}"))))
        if name:
            made[name] = done.json[name.partition(" ")[0]]  # type: ignore[index]
            made["agent"] = next((one for (kind, _), one in now.items() if kind == "agent"), made["agent"])  # type: ignore[assignment]
        mine = {made[one]["id"] for one in made if one.startswith("port")}
        made["left"] = {"ports": [i for kind, i in now if kind == "port" and i not in mine]}
    changing = {
        (method.upper(), path) for path, verbs in described.items() for method in verbs if method.upper() in MUTATING
    }
    assert changing - used - NOT_STORED == set(), "calls that nobody planned here"
    assert all(not args.get("accept") for _, args in bench.controller.calls)


def _fits(path: str, used: str) -> bool:
    return re.fullmatch(re.sub(r"{[^}]+}", "[^/]+", path), used) is not None


def test_a_plan_of_what_is_refused_is_refused_alike(bench: Bench) -> None:
    network = bench.ask(("POST", "/networks", {"network": {}})).json["network"]  # type: ignore[index]
    bench.ask(("POST", "/ports", {"port": {"network_id": network["id"]}}))
    bench.ask(("PUT", "/quotas/poor", {"quota": {"network": 0}}))
    refused: tuple[tuple[Request, dict[str, str]], ...] = (
        (("DELETE", f"/networks/{network['id']}", None), {}),
        (("DELETE", f"/networks/{GONE}", None), {}),
        (("PUT", f"/networks/{network['id']}", {"network": {"mtu": "big"}}), {}),
        (("PUT", f"/networks/{network['id']}", {"network": {"name": "n"}}), {"If-Match": "revision_number=99"}),
        (("POST", "/networks", {"network": {"project_id": "poor"}}), {}),
        (("POST", "/networks", {"net": {}}), {}),
        (("PATCH", "/networks", {}), {}),
        (("PUT", "/nothing", {}), {}),
    )
    for request, headers in refused:
        files = bench.files()
        planned, done = bench.ask(request, "?plan=true", **headers), bench.ask(request, **headers)
        assert planned.status_code >= 400
        assert (planned.status_code, planned.json) == (done.status_code, done.json)
        assert bench.files() == files


@pytest.mark.parametrize(
    ("method", "query", "status"),
    [
        ("POST", "?plan=perhaps", 400),
        ("GET", "?plan=true", 400),
        ("GET", "?plan=false", 400),
        ("POST", "?plan=no", 201),
    ],
)
def test_plan_is_a_boolean_of_what_changes_something(bench: Bench, method: str, query: str, status: int) -> None:
    body = {"network": {}} if method == "POST" else None
    assert bench.ask((method, "/networks", body), query).status_code == status


def test_false_is_no_plan(bench: Bench) -> None:
    assert bench.ask(("POST", "/networks", {"network": {}}), "?plan=false").status_code == 201


def test_a_plan_shows_a_project_what_it_may_see_and_no_hosts(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/weft.db")
    database.migrate()
    app = an_app(database)
    admin = As(app, a_token(database, "admin", project_id="ops"))
    blue, red = (As(app, a_token(database, "member", project_id=name)) for name in ("blue", "red"))
    admin("POST", "/hosts", {"host": {"name": "h1", "ovsdb": "tcp:192.0.2.1:6640", "tunnel_ip": "192.0.2.1"}})
    network = admin("POST", "/networks", {"network": {"shared": True, "project_id": "ops"}}).json["network"]  # type: ignore[index]
    cidr = {"network_id": network["id"], "ip_version": 4, "cidr": "10.0.0.0/24"}
    admin("POST", "/subnets", {"subnet": cidr})
    ports = {}
    for name, client in (("red", red), ("blue", blue), ("blue 2", blue)):
        made = client("POST", "/ports", {"port": {"network_id": network["id"], "name": name}})
        ports[name] = made.json["port"]  # type: ignore[index]
        place = {"binding:host_id": "h1"}
        admin("PUT", f"/ports/{ports[name]['id']}", {"port": place})
    path = f"/ports/{ports['blue']['id']}?plan=true"
    closed = {"port": {"security_groups": [], "admin_state_up": False}}
    plan = blue("PUT", path, closed).json["plan"]  # type: ignore[index]
    assert plan["hosts"] == []
    assert plan["flows"]["deleted"] > 0
    assert [one["type"] for one in plan["affected"]] == ["port"]
    assert "binding:host_id" not in plan["affected"][0]["attributes"]
    assert red("PUT", path, closed).status_code == 404
    ways = {(one["from"], one["to"]) for one in plan["connectivity"]["lost"]}
    blue_ids = {ports["blue"]["id"], ports["blue 2"]["id"]}
    assert {frozenset(way) for way in ways} == {frozenset(blue_ids)}
    assert [one["host"] for one in admin("PUT", path, closed).json["plan"]["hosts"]] == ["h1"]  # type: ignore[index]
    database.close()


def test_writers_and_planners_at_once_store_what_was_written(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    failed: list[object] = []

    def act(number: int) -> None:
        client = bench.app.test_client()
        for turn in range(8):
            query = "?plan=true" if number % 2 else ""
            reply = client.post(f"/v2.0/networks{query}", json={"network": {"name": f"{number} {turn}"}})
            if reply.status_code != (200 if number % 2 else 201):
                failed.append(reply.json)

    threads = [threading.Thread(target=act, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    names = {one["name"] for one in bench.client.get("/v2.0/networks").json["networks"]}  # type: ignore[index]
    assert failed == []
    assert names == {f"{number} {turn}" for number in (0, 2, 4) for turn in range(8)}
    bench.database.close()
