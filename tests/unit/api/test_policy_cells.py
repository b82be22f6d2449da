"""Does every cell of the policy hold: each role, action, resource and attribute, as a request?

The expectation is worked out from the table's text and what is known of a small world; the request goes through the
whole application. A write is undone after it is answered, so that every cell meets the same world.
"""

import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from api.attributes import Resource
from api.machinery import Endpoint
from controller.ipam_drivers.hand import Hand
from controller.policy.expression import holds, parse
from controller.policy.table import PLAIN, RULES
from controller.policy.words import WORDS, effective
from controller.records import HostName, NetworkId
from controller.sighting_records import How, Sight
from controller.store import sightings
from controller.store.database import Database, Transaction
from tests.unit.api.identities import As, a_token, an_app

CALLERS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "reader": ("blue", ("reader",)),
    "member": ("blue", ("member",)),
    "manager": ("blue", ("manager",)),
    "admin": ("ops", ("admin",)),
    "service": ("services", ("service",)),
    "foreign member": ("red", ("member",)),
    "nobody": ("", ()),
}
OWNER = "blue"
DENIED = frozenset({401, 403, 404})
GONE = "00000000-0000-0000-0000-000000000000"
TAGGED = ("network", "subnet", "port", "security_group", "network_segment_range", "subnetpool", "address_group", "vnic")
ELSEWHERE: frozenset[str] = frozenset()
"""Resources of the table that are not made here, or have walks of their own."""
UNMADE: Mapping[str, str] = {
    "agent": "id",
    "network_ip_availability": "network_id",
    "address_conflict": "id",
}
"""Resources nobody creates: they are there with a host and a network. The attribute names them in a path."""
SPECIAL = frozenset(
    {"create_default_security_group", "plug_vnic:mac_address", "remove_container_member", "restore_address"}
)
LATER = frozenset(
    {
        "create_network:is_default",
        "update_network:is_default",
        "create_subnet:segment_id",
        "get_subnet:segment_id",
        "update_subnet:segment_id",
        "get_port:resource_request",
        "get_network:segments",
    }
)
"""Attributes that do not exist yet, or (segments) not on a network of one segment."""


class Rehearsal(Database):
    """A database in which nothing that is written stays, once the world is made."""

    is_rehearsing = False

    @contextmanager
    def write(self, *, hand: Hand | None = None) -> Iterator[Transaction]:
        with super().write(hand=hand) as tx:
            if not self.is_rehearsing:
                yield tx
                return
            savepoint = tx.connection.begin_nested()
            try:
                yield tx
            finally:
                savepoint.rollback()


@dataclass(frozen=True)
class World:
    """The application, who calls it, and one object of each resource."""

    app: Flask
    callers: Mapping[str, As]
    objects: Mapping[str, dict[str, Any]]
    resources: Mapping[str, Resource[Any, Any]]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    path: Path = tmp_path_factory.mktemp("cells")
    database = Rehearsal(f"sqlite:///{path}/weft.db", rng=random.Random(7))
    database.migrate()
    app = an_app(database)
    callers = {
        name: As(app, a_token(database, *roles, project_id=project) if roles else "")
        for name, (project, roles) in CALLERS.items()
    }
    resources = {
        view.__self__.resource.member: view.__self__.resource
        for view in app.view_functions.values()
        if isinstance(getattr(view, "__self__", None), Endpoint)
    }
    objects: dict[str, dict[str, Any]] = {}
    for member, body in _bodies(objects):
        resource = resources[member.partition(" ")[0]]
        reply = callers["admin"]("POST", f"/{resource.path}", {resource.member: body})
        assert reply.status_code == 201, (member, reply.json)
        objects[member] = reply.json[resource.member]  # type: ignore[index]
    with database.write() as tx:
        subnet = objects["subnet"]
        place = (NetworkId(subnet["network_id"]), subnet["id"], "10.0.0.77", "02:00:00:00:00:77")
        sightings.note(tx, [Sight(*place, how=How.USED, host=HostName("h1"), port_id=None)])
    del objects["container"]["changes"]  # only in the answer to a change
    for member in UNMADE:
        resource = resources[member]
        objects[member] = callers["admin"]("GET", f"/{resource.path}").json[resource.collection][0]  # type: ignore[index]
    limited = callers["admin"]("PUT", "/quotas/limited", {"quota": {"port": 1}})
    assert limited.status_code == 200, limited.json
    database.is_rehearsing = True
    yield World(app=app, callers=callers, objects=objects, resources=resources)
    database.close()


def _bodies(made: Mapping[str, dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield what makes the world; each body may name what was made before."""
    yield "host", {"name": "h1", "ovsdb": "tcp:192.0.2.1:6640", "tunnel_ip": "192.0.2.1"}
    yield "host second", {"name": "h2", "ovsdb": "tcp:192.0.2.2:6640", "tunnel_ip": "192.0.2.2"}
    yield "network", {"project_id": OWNER, "name": "n"}
    network = {"project_id": OWNER, "network_id": made["network"]["id"]}
    yield "subnet", network | {"ip_version": 4, "cidr": "10.0.0.0/24"}
    yield "ip_reservation", {"project_id": OWNER, "name": "r", "subnet_id": made["subnet"]["id"]}
    yield "security_group", {"project_id": OWNER, "name": "web"}
    yield "port", network | {"security_groups": [made["security_group"]["id"]]}
    yield "port of a machine", network | {"device_owner": "compute:nova", "device_id": "vm", "binding:host_id": "h1"}
    group = {"project_id": OWNER, "security_group_id": made["security_group"]["id"]}
    yield "security_group_rule", group | {"direction": "ingress", "ethertype": "IPv4", "protocol": "tcp"}
    yield "default_security_group_rule", {"direction": "ingress", "ethertype": "IPv4", "protocol": "udp"}
    yield "address_group", {"project_id": OWNER, "name": "office", "addresses": ["192.0.2.0/24"]}
    yield "network of segments", {"project_id": OWNER}
    yield "segment", {"network_id": made["network of segments"]["id"], "network_type": "vxlan", "name": "second"}
    bounds = {"minimum": 5_000_000, "maximum": 5_000_100}
    yield (
        "network_segment_range",
        {"name": "r", "network_type": "geneve", "shared": False, "project_id": OWNER} | bounds,
    )
    yield "vnic", {"project_id": OWNER, "name": "eth0"}
    template = {"weft_template": 1, "resources": {"red": {"type": "network"}}}
    yield "container_flavor", {"project_id": OWNER, "name": "f", "template": template}
    yield "container", {"project_id": OWNER, "name": "c", "flavor": "f"}
    yield "address_scope", {"project_id": OWNER, "name": "s", "ip_version": 4}
    yield "subnetpool", {"project_id": OWNER, "name": "p", "prefixes": ["10.64.0.0/16"]}
    policy = {"object_type": "network", "object_id": made["network"]["id"], "action": "access_as_shared"}
    yield "rbac_policy", policy | {"project_id": OWNER, "target_project": "green"}


def _new_body(world: World, member: str, caller: str) -> dict[str, Any]:
    """Return what a caller would create; the world's own body, for the caller's project."""
    body = dict(dict(_bodies(world.objects))[member])
    if "project_id" in body:
        body["project_id"] = CALLERS[caller][0] or OWNER
    fresh: dict[str, dict[str, Any]] = {
        "host": {"name": "h3", "ovsdb": "tcp:192.0.2.3:6640", "tunnel_ip": "192.0.2.3"},
        "subnet": {"cidr": "10.0.1.0/24"},
        "security_group_rule": {"protocol": "udp"},
        "default_security_group_rule": {"protocol": "tcp"},
        "rbac_policy": {"target_project": "yellow"},
        "port": {"security_groups": []},
        "container": {"flavor": None},
    }
    return body | fresh.get(member, {})


def _values(world: World) -> Mapping[str, object]:
    """Return a value for attributes whose present value would not do, or would not be asked about."""
    subnet_id = world.objects["subnet"]["id"]
    return {
        "flavor": None,
        "flavor_id": None,
        "public": True,
        "shared": True,
        "is_default": True,
        "use_default_subnetpool": False,
        "prefixlen": 24,
        "router:external": True,
        "provider:network_type": "vxlan",
        "provider:physical_network": None,
        "provider:segmentation_id": 4711,
        "segments": None,
        "mac_address": "02:00:00:00:00:01",
        "device_id": "vm2",
        "device_owner": "network:dhcp",
        "fixed_ips": [{"subnet_id": subnet_id, "ip_address": "10.0.0.99"}],
        "allowed_address_pairs": [{"ip_address": "10.0.0.98", "mac_address": "02:00:00:00:00:02"}],
        "port_security_enabled": False,
        "binding:vnic_type": "direct",
        "binding:host_id": "h2",
        "binding:profile": {"a": "b"},
        "target_project": "*",
        "target_tenant": "*",
        "pvlan_type": "isolated",
        "pvlan_community": "c",
        "service_types": [],
        "ipam:driver": "built-in",
        "availability_zone_hints": [],
        "ip_address": "10.0.0.77",
        "description": "d",
        "security_groups": [],
        "allocation_pools": [{"start": "10.0.0.2", "end": "10.0.0.200"}],
    }


def _facts(caller: str, *, owner: str | None, value: object = None, attribute: str = "") -> dict[str, bool]:
    """Return what is true of the world for a caller, by hand."""
    project, roles = CALLERS[caller]
    known = effective(roles)
    return {word: word in known for word in WORDS} | {
        "any": True,
        "nobody": False,
        "owner": owner == project,
        "network_owner": project == OWNER,
        "group_owner": project == OWNER,
        "network_device": attribute == "device_owner" and str(value).startswith("network:"),
        "wildcard": value == "*",
    }


def _allowed(caller: str, rule: str, facts: Mapping[str, bool]) -> bool:
    if caller == "nobody":
        return False
    text = RULES.get(rule)
    return CALLERS[caller][1] == ("admin",) if text is None else holds(parse(text, WORDS), facts.__getitem__)


def _own_rules(action: str, member: str, attribute: str, value: object) -> list[str]:
    """Return the rules an attribute needs beyond its object's."""
    name = f"{action}_{member}:{attribute}"
    if name not in RULES:
        return [] if attribute in PLAIN.get(member, "").split() else [name]
    parts = {key for item in value if isinstance(item, dict) for key in item} if isinstance(value, list) else set()
    return [name, *(f"{name}:{part}" for part in sorted(parts) if f"{name}:{part}" in RULES)]


def _sees(world: World, caller: str, member: str) -> bool:
    owner = world.objects[member].get("project_id")
    return _allowed(caller, f"get_{member}", _facts(caller, owner=owner))


def _parent_is_seen(world: World, caller: str, member: str) -> bool:
    parents = {
        "subnet": "network",
        "port": "network",
        "security_group_rule": "security_group",
        "rbac_policy": "network",
        "ip_reservation": "subnet",
    }
    return member not in parents or _sees(world, caller, parents[member])


def _check(world: World, caller: str, cell: str, request: tuple[str, str, Any], *, allowed: bool) -> list[str]:
    reply = world.callers[caller](*request)
    if (reply.status_code not in DENIED) is allowed:
        return []
    return [
        f"{caller}: {cell}: expected {'yes' if allowed else 'no'}, got {reply.status_code} {reply.get_data()[:160]!r}"
    ]


def _object_cells(world: World, member: str, caller: str) -> Iterator[tuple[str, tuple[str, str, Any], bool]]:
    resource, one = world.resources[member], world.objects[member]
    path = _path(world, member)
    facts = _facts(caller, owner=one.get("project_id"))
    sees = _sees(world, caller, member)
    yield f"get_{member}", ("GET", path, None), sees
    if resource.service.delete is not None:
        yield f"delete_{member}", ("DELETE", path, None), sees and _allowed(caller, f"delete_{member}", facts)
    if resource.service.create is not None:
        yield from _new_cells(world, member, caller)
    for attribute in resource.attributes:
        if attribute.put:
            value = _values(world).get(attribute.name, one.get(attribute.name))
            changed = _facts(caller, owner=one.get("project_id"), value=value, attribute=attribute.name)
            rules = [f"update_{member}", *_own_rules("update", member, attribute.name, value)]
            allowed = sees and all(_allowed(caller, rule, changed) for rule in rules)
            request = ("PUT", path, {resource.member: {attribute.name: value}})
            yield f"update_{member}:{attribute.name}", request, allowed


def _new_cells(world: World, member: str, caller: str) -> Iterator[tuple[str, tuple[str, str, Any], bool]]:
    resource, one = world.resources[member], world.objects[member]
    body = _new_body(world, member, caller)
    new = _facts(caller, owner=CALLERS[caller][0])
    new["wildcard"] = False
    may_create = _allowed(caller, f"create_{member}", new) and _parent_is_seen(world, caller, member)
    if member == "rbac_policy" and caller == "service":
        may_create = False
    yield f"create_{member}", ("POST", f"/{resource.path}", {resource.member: body}), may_create
    for attribute in resource.attributes:
        value = _values(world).get(attribute.name, one.get(attribute.name))
        if attribute.post and attribute.name not in {"project_id", "tenant_id"}:
            changed = _facts(caller, owner=CALLERS[caller][0], value=value, attribute=attribute.name)
            rules = _own_rules("create", member, attribute.name, value)
            allowed = may_create and all(_allowed(caller, rule, changed) for rule in rules)
            given = {k: v for k, v in body.items() if not (attribute.name == "target_tenant" and k == "target_project")}
            request = ("POST", f"/{resource.path}", {resource.member: given | {attribute.name: value}})
            yield f"create_{member}:{attribute.name}", request, allowed


def _path(world: World, member: str) -> str:
    return f"/{world.resources[member].path}/{world.objects[member][UNMADE.get(member, 'id')]}"


def _shown_cells(world: World, member: str, caller: str) -> Iterator[tuple[str, bool, bool]]:
    """Yield (rule, whether it is shown, whether it should be) for a caller who sees the object."""
    resource, one = world.resources[member], world.objects[member]
    view = world.callers[caller]("GET", _path(world, member)).json[resource.member]  # type: ignore[index]
    facts = _facts(caller, owner=one.get("project_id"))
    for attribute in resource.attributes:
        if attribute.name in one:
            rules = _own_rules("get", member, attribute.name, None)
            expected = all(_allowed(caller, rule, facts) for rule in rules)
            yield f"get_{member}:{attribute.name}", attribute.name in view, expected


def _other_cells(world: World, caller: str) -> Iterator[tuple[str, tuple[str, str, Any], bool]]:
    port, machine = world.objects["port"]["id"], world.objects["port of a machine"]["id"]
    group, host = world.objects["address_group"]["id"], "h1"
    facts = _facts(caller, owner=OWNER)
    of_machine = facts | {"instance_device": True}
    sees = _sees(world, caller, "port")
    bindings = f"/ports/{machine}/bindings"
    network, sees_network = f"/networks/{world.objects['network']['id']}", _sees(world, caller, "network")
    cells: list[tuple[str, tuple[str, str, Any], Mapping[str, bool], bool]] = [
        ("delete_port", ("DELETE", f"/ports/{machine}", None), of_machine, sees),
        ("get_port_binding", ("GET", bindings, None), of_machine, sees),
        ("create_port_binding", ("POST", bindings, {"binding": {"host": "h2"}}), of_machine, sees),
        ("update_port_binding", ("PUT", f"{bindings}/h1", {"binding": {"vnic_type": "normal"}}), of_machine, sees),
        ("delete_port_binding", ("DELETE", f"{bindings}/h1", None), of_machine, sees),
        ("activate", ("PUT", f"{bindings}/h1/activate", None), of_machine, sees),
        ("get_port_status", ("GET", f"/ports/{port}/status", None), facts, sees),
        ("get_network_data", ("GET", f"/ports/{port}/network-data", None), facts, sees),
        ("get_subnet_free", ("GET", f"/subnets/{world.objects['subnet']['id']}/free", None), facts, True),
        ("get_subnet_free", ("GET", f"/subnets/{world.objects['subnet']['id']}/forecast", None), facts, True),
        ("get_usage", ("GET", f"/usage?project_id={OWNER}", None), facts, True),
        ("create_trace", ("POST", "/traces", {"trace": {"from": port, "to": machine}}), facts, True),
        ("get_plugin", ("GET", "/plugins", None), facts, True),
        ("get_network_move", ("GET", f"{network}/move", None), facts, sees_network),
        ("move_network", ("PUT", f"{network}/move", {"plugin": "openflow"}), facts, sees_network),
        ("get_ipam_driver", ("GET", "/ipam-drivers", None), facts, True),
        ("create_import", ("POST", "/imports", {"import": {"objects": []}}), facts, True),
        ("get_host_flows", ("GET", f"/hosts/{host}/flows", None), facts, _sees(world, caller, "host")),
        ("update_host_reconcile", ("PUT", f"/hosts/{host}/reconcile", None), facts, _sees(world, caller, "host")),
    ]
    for rule, prefix in (("add_addresses", "198.51.100.0/24"), ("remove_addresses", "192.0.2.0/24")):
        request = ("PUT", f"/address-groups/{group}/{rule}", {"addresses": [prefix]})
        cells.append((rule, request, facts, _sees(world, caller, "address_group")))
    pool, of_pool = f"/subnetpools/{world.objects['subnetpool']['id']}", _sees(world, caller, "subnetpool")
    for rule, body in (
        ("add_prefixes", {"prefixes": ["10.65.0.0/16"]}),
        ("remove_prefixes", {"prefixes": ["10.64.0.0/24"]}),
        ("onboard_network_subnets", {"network_id": world.objects["network"]["id"]}),
    ):
        cells.append((rule, ("PUT", f"{pool}/{rule}", body), facts, of_pool))
    vnic = f"/vnics/{world.objects['vnic']['id']}"
    for rule, name in (("plug_vnic", "plug"), ("unplug_vnic", "unplug")):
        body = {"port_id": port} if name == "plug" else None  # unplugging what is not plugged in is 409, not refused
        cells.append((rule, ("PUT", f"{vnic}/{name}", body), facts, _sees(world, caller, "vnic")))
    flavor, container = _path(world, "container_flavor"), _path(world, "container")
    added = {"type": "vnic", "name": "n", "object_id": world.objects["vnic"]["id"]}
    of_container = _sees(world, caller, "container")
    cells += [
        ("roll_container_flavor", ("PUT", f"{flavor}/roll", None), facts, _sees(world, caller, "container_flavor")),
        ("get_container_drift", ("GET", f"{container}/drift", None), facts, of_container),
        ("add_container_member", ("PUT", f"{container}/add_member", added), facts, of_container),
    ]
    for rule, request, known, is_seen in cells:
        yield rule, request, is_seen and _allowed(caller, rule, known)


def _tag_cells(world: World, caller: str) -> Iterator[tuple[str, tuple[str, str, Any], bool]]:
    for member in TAGGED:
        tags = f"{_path(world, member)}/tags"
        facts = _facts(caller, owner=world.objects[member].get("project_id"))
        sees, collection = _sees(world, caller, member), world.resources[member].collection
        for action, request in (
            ("get", ("GET", tags, None)),
            ("create", ("POST", tags, {"tags": ["a"]})),
            ("update", ("PUT", tags, {"tags": ["a"]})),
            ("update", ("PUT", f"{tags}/a", None)),
            ("delete", ("DELETE", tags, None)),
        ):
            rule = f"{action}_{collection}_tags"
            yield rule, request, sees and _allowed(caller, rule, facts)


def _cloud_cells(world: World, caller: str) -> Iterator[tuple[str, tuple[str, str, Any], bool]]:
    own, every = _facts(caller, owner=OWNER), _facts(caller, owner=None)
    limits = {"quota": {"port": 100}}
    yield "get_quota", ("GET", "/quotas", None), _allowed(caller, "get_quota", every)
    for path in (f"/quotas/{OWNER}", f"/quotas/{OWNER}/default", f"/quotas/{OWNER}/details"):
        yield "get_quota", ("GET", path, None), _allowed(caller, "get_quota", own)
    yield "update_quota", ("PUT", f"/quotas/{OWNER}", limits), _allowed(caller, "update_quota", own)
    yield "delete_quota", ("DELETE", "/quotas/limited", None), _allowed(caller, "delete_quota", every)
    zones = ("GET", "/availability_zones", None)
    yield "get_availability_zone", zones, _allowed(caller, "get_availability_zone", every)


def test_every_cell_of_the_table_holds(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    wrong: list[str] = []
    walked: set[str] = set()
    cells = 0
    for caller in CALLERS:
        for member in world.resources:
            assert member in world.objects, f"{member} has no body in this test: give it one"
            for rule, request, allowed in _object_cells(world, member, caller):
                wrong += _check(world, caller, rule, request, allowed=allowed)
                walked |= {rule, *_own_rules(*_split(rule), (request[2] or {}).get(member, {}).get(_split(rule)[2]))}
                walked.add(rule.partition(":")[0])
                cells += 1
            if _sees(world, caller, member):
                for rule, shown, expected in _shown_cells(world, member, caller):
                    wrong += [] if shown is expected else [f"{caller}: {rule}: shown {shown}, expected {expected}"]
                    walked.add(rule)
                    cells += 1
        for rule, request, allowed in (
            *_other_cells(world, caller),
            *_tag_cells(world, caller),
            *_cloud_cells(world, caller),
        ):
            wrong += _check(world, caller, rule, request, allowed=allowed)
            walked.add(rule)
            cells += 1
    with capsys.disabled():
        print(  # noqa: T201 - the size is asked for
            f"\npolicy: {len(RULES)} rules, {len(CALLERS)} callers, {cells} cells walked"
        )
    assert not wrong, "\n".join(wrong)
    left = {rule for rule in RULES.keys() - walked - SPECIAL if _split(rule)[1] not in ELSEWHERE}
    assert left <= LATER, "rules that nothing asks for"


def _split(rule: str) -> tuple[str, str, str]:
    action, _, rest = rule.partition("_")
    member, _, attribute = rest.partition(":")
    return action, member, attribute


def test_every_attribute_of_the_api_is_in_the_table(world: World) -> None:
    """What is not is for administrators, which should be a decision and not an oversight."""
    missing = [
        f"{member}:{attribute.name}"
        for member, resource in world.resources.items()
        for attribute in resource.attributes
        if attribute.name not in PLAIN.get(member, "").split()
        and not any(f"{action}_{member}:{attribute.name}" in RULES for action in ("create", "get", "update"))
    ]
    assert missing == []
