"""Is what is shared seen and used by those it is shared with, and by nobody else? Neutron, rbac-policies."""

from typing import Any

import pytest

from controller.store.database import Database
from tests.unit.api.identities import As, a_token, an_app


@pytest.fixture
def callers(database: Database) -> dict[str, As]:
    app = an_app(database)
    members = {
        project: As(app, a_token(database, "member", project_id=project)) for project in ("blue", "red", "green")
    }
    return members | {"admin": As(app, a_token(database, "admin", project_id="ops"))}


def made(caller: As, collection: str, member: str, **attributes: object) -> dict[str, Any]:
    reply = caller("POST", f"/{collection}", {member: attributes})
    assert reply.status_code == 201, reply.json
    return reply.json[member]  # type: ignore[index,no-any-return]


def shared(caller: As, kind: str, object_id: str, target: str, action: str = "access_as_shared") -> dict[str, Any]:
    values = {"object_type": kind, "object_id": object_id, "action": action, "target_tenant": target}
    return made(caller, "rbac-policies", "rbac_policy", **values)


def names(caller: As, path: str) -> list[str]:
    reply = caller("GET", path)
    assert reply.status_code == 200, reply.json
    (found,) = reply.json.values()  # type: ignore[union-attr]
    return sorted(one["name"] for one in found)


def error(caller: As, method: str, path: str, body: dict[str, Any] | None = None) -> tuple[int, str]:
    reply = caller(method, path, body)
    assert reply.json is not None, reply.status_code
    return reply.status_code, reply.json["NeutronError"]["type"]


def test_a_network_is_shared_with_one_project(callers: dict[str, As]) -> None:
    blue, red, green = callers["blue"], callers["red"], callers["green"]
    network = made(blue, "networks", "network", name="n")
    made(blue, "subnets", "subnet", name="s", network_id=network["id"], ip_version=4, cidr="10.0.0.0/24")
    path = f"/networks/{network['id']}"
    assert error(red, "GET", path) == (404, "NetworkNotFound")
    policy = shared(blue, "network", network["id"], "red")
    assert policy["target_tenant"] == "red"
    assert red("GET", path).json["network"]["shared"] is True  # type: ignore[index]
    assert blue("GET", path).json["network"]["shared"] is False  # type: ignore[index]
    assert names(red, "/networks?shared=true") == ["n"]
    assert names(red, "/subnets") == ["s"]
    assert names(blue, "/networks?shared=true") == names(green, "/networks") == []
    assert error(green, "GET", path) == (404, "NetworkNotFound")
    assert error(red, "DELETE", path) == (403, "PolicyNotAuthorized")
    port = made(red, "ports", "port", network_id=network["id"])
    assert blue("GET", f"/ports/{port['id']}").status_code == 200
    assert error(green, "POST", "/ports", {"port": {"network_id": network["id"]}}) == (404, "NetworkNotFound")


def test_a_policy_in_use_stays(callers: dict[str, As]) -> None:
    blue, red = callers["blue"], callers["red"]
    network = made(blue, "networks", "network")
    policy = shared(blue, "network", network["id"], "red")
    port = made(red, "ports", "port", network_id=network["id"])
    path = f"/rbac-policies/{policy['id']}"
    assert error(blue, "DELETE", path) == (409, "RbacPolicyInUse")
    assert error(blue, "PUT", path, {"rbac_policy": {"target_tenant": "green"}}) == (409, "RbacPolicyInUse")
    everybody = shared(callers["admin"], "network", network["id"], "*")
    assert blue("DELETE", path).status_code == 204
    assert error(callers["admin"], "DELETE", f"/rbac-policies/{everybody['id']}") == (409, "RbacPolicyInUse")
    assert red("DELETE", f"/ports/{port['id']}").status_code == 204
    assert callers["admin"]("DELETE", f"/rbac-policies/{everybody['id']}").status_code == 204
    assert error(red, "GET", f"/networks/{network['id']}") == (404, "NetworkNotFound")


def test_shared_is_the_policy_about_everybody_seen_from_the_network(callers: dict[str, As]) -> None:
    admin, red = callers["admin"], callers["red"]
    network = made(admin, "networks", "network", name="n", shared=True)
    path = f"/networks/{network['id']}"
    (policy,) = admin("GET", f"/rbac-policies?object_id={network['id']}").json["rbac_policies"]  # type: ignore[index]
    assert (policy["target_tenant"], policy["action"], policy["project_id"]) == ("*", "access_as_shared", "ops")
    assert names(red, "/networks") == ["n"]
    assert admin("DELETE", f"/rbac-policies/{policy['id']}").status_code == 204
    assert admin("GET", path).json["network"]["shared"] is False  # type: ignore[index]
    assert names(red, "/networks") == []
    shared(admin, "network", network["id"], "*")
    assert admin("GET", path).json["network"]["shared"] is True  # type: ignore[index]
    made(red, "ports", "port", network_id=network["id"])
    assert error(admin, "PUT", path, {"network": {"shared": False}}) == (409, "InvalidSharedSetting")
    shared(admin, "network", network["id"], "red")
    assert admin("PUT", path, {"network": {"shared": False}}).status_code == 200
    assert names(red, "/networks") == ["n"]


def test_an_external_network_is_seen_but_not_used(callers: dict[str, As]) -> None:
    admin, red = callers["admin"], callers["red"]
    network = made(admin, "networks", "network", name="out", **{"router:external": True})
    assert names(red, "/networks") == ["out"]
    assert error(red, "POST", "/ports", {"port": {"network_id": network["id"]}}) == (403, "PolicyNotAuthorized")
    assert admin("PUT", f"/networks/{network['id']}", {"network": {"router:external": False}}).status_code == 200
    assert names(red, "/networks") == []
    policy = shared(admin, "network", network["id"], "red", "access_as_external")
    assert red("GET", f"/networks/{network['id']}").json["network"]["router:external"] is True  # type: ignore[index]
    assert names(callers["green"], "/networks") == []
    assert admin("DELETE", f"/rbac-policies/{policy['id']}").status_code == 204
    assert admin("GET", f"/networks/{network['id']}").json["network"]["router:external"] is False  # type: ignore[index]


def test_subnets_are_found_by_the_sharing_of_their_network(callers: dict[str, As]) -> None:
    admin, red = callers["admin"], callers["red"]
    for name, is_shared in (("open", True), ("closed", False)):
        network = made(admin, "networks", "network", name=name, shared=is_shared)
        made(admin, "subnets", "subnet", name=name, network_id=network["id"], cidr="10.1.0.0/24", ip_version=4)
    assert names(admin, "/subnets?shared=True") == names(red, "/subnets") == ["open"]
    assert names(admin, "/subnets?shared=False") == ["closed"]
    assert names(admin, "/subnets?router:external=True") == []
    assert names(admin, "/subnets?router:external=False") == ["closed", "open"]


def test_groups_are_shared_and_used(callers: dict[str, As]) -> None:
    blue, red, green = callers["blue"], callers["red"], callers["green"]
    group = made(blue, "security-groups", "security_group", name="web")
    prefixes = made(blue, "address-groups", "address_group", name="office", addresses=["192.0.2.0/24"])
    for kind, one in (("security_group", group), ("address_group", prefixes)):
        shared(blue, kind, one["id"], "red")
    assert names(red, "/security-groups?shared=true") == ["web"]
    assert names(red, "/address-groups?shared=true") == ["office"]
    assert names(green, "/security-groups?shared=true") == names(green, "/address-groups") == []
    network = made(red, "networks", "network")
    port = made(red, "ports", "port", network_id=network["id"], security_groups=[group["id"]])
    policies = blue("GET", "/rbac-policies").json["rbac_policies"]  # type: ignore[index]
    of = {one["object_type"]: f"/rbac-policies/{one['id']}" for one in policies}
    assert error(blue, "DELETE", of["security_group"]) == (409, "RbacPolicyInUse")
    body = {"security_group_id": group["id"], "direction": "ingress"}
    reply = red("POST", "/security-group-rules", {"security_group_rule": body})
    assert reply.status_code == 403, reply.json
    changed = {"address_group": {"name": "mine"}}
    assert error(red, "PUT", f"/address-groups/{prefixes['id']}", changed) == (404, "AddressGroupNotFound")
    assert red("DELETE", f"/ports/{port['id']}").status_code == 204
    assert blue("DELETE", of["security_group"]).status_code == 204
    own = made(red, "security-groups", "security_group", name="own")
    rule = {"security_group_id": own["id"], "direction": "ingress", "remote_address_group_id": prefixes["id"]}
    made(red, "security-group-rules", "security_group_rule", **rule)
    assert error(blue, "DELETE", of["address_group"]) == (409, "RbacPolicyInUse")


def test_a_subnet_pool_is_shared_with_one_project_and_stays_so_while_it_is_used(callers: dict[str, As]) -> None:
    blue, red, green, admin = callers["blue"], callers["red"], callers["green"], callers["admin"]
    pool = made(blue, "subnetpools", "subnetpool", name="pool", prefixes=["10.0.0.0/16"])
    subnet = {
        "network_id": made(red, "networks", "network")["id"],
        "ip_version": 4,
        "subnetpool_id": pool["id"],
        "prefixlen": 26,
    }
    assert error(red, "POST", "/subnets", {"subnet": subnet}) == (404, "SubnetPoolNotFound")
    policy = shared(blue, "subnetpool", pool["id"], "red")
    path = f"/subnetpools/{pool['id']}"
    assert red("GET", path).json["subnetpool"]["shared"] is True  # type: ignore[index]
    assert blue("GET", path).json["subnetpool"]["shared"] is False  # type: ignore[index]
    assert names(red, "/subnetpools?shared=true") == names(blue, "/subnetpools?shared=false") == ["pool"]
    assert names(green, "/subnetpools") == names(blue, "/subnetpools?shared=true") == []
    assert error(red, "PUT", path, {"subnetpool": {"name": "mine"}}) == (403, "PolicyNotAuthorized")
    cut = made(red, "subnets", "subnet", **subnet)
    assert error(blue, "DELETE", f"/rbac-policies/{policy['id']}") == (409, "RbacPolicyInUse")
    everybody = shared(admin, "subnetpool", pool["id"], "*")
    assert blue("GET", path).json["subnetpool"]["shared"] is True  # type: ignore[index]
    assert names(green, "/subnetpools?sort_key=shared&sort_dir=asc") == ["pool"]
    assert blue("DELETE", f"/rbac-policies/{policy['id']}").status_code == 204
    assert error(admin, "DELETE", f"/rbac-policies/{everybody['id']}") == (409, "RbacPolicyInUse")
    assert red("DELETE", f"/subnets/{cut['id']}").status_code == 204
    assert blue("DELETE", path).status_code == 204
    assert admin("GET", "/rbac-policies").json == {"rbac_policies": []}


def test_an_address_scope_is_shared_before_the_pools_in_it(callers: dict[str, As]) -> None:
    blue, red, admin = callers["blue"], callers["red"], callers["admin"]
    scope = made(blue, "address-scopes", "address_scope", name="scope", ip_version=4)
    pool = made(blue, "subnetpools", "subnetpool", name="in", prefixes=["10.0.0.0/16"], address_scope_id=scope["id"])
    wanted = {
        "object_type": "subnetpool",
        "object_id": pool["id"],
        "action": "access_as_shared",
        "target_tenant": "red",
    }
    assert error(blue, "POST", "/rbac-policies", {"rbac_policy": wanted}) == (400, "RbacPolicyInitError")
    own = {"name": "own", "prefixes": ["10.1.0.0/16"], "address_scope_id": scope["id"]}
    assert error(red, "POST", "/subnetpools", {"subnetpool": own}) == (404, "AddressScopeNotFound")
    policy = shared(blue, "address_scope", scope["id"], "red")
    shared(blue, "subnetpool", pool["id"], "red")
    assert names(red, "/address-scopes?shared=true") == ["scope"]
    made(red, "subnetpools", "subnetpool", **own)
    assert error(blue, "DELETE", f"/rbac-policies/{policy['id']}") == (409, "RbacPolicyInUse")
    # Neutron lets nobody take it back this way; the policy about everybody may go.
    path = f"/address-scopes/{scope['id']}"
    assert admin("PUT", path, {"address_scope": {"shared": True}}).json["address_scope"]["shared"] is True  # type: ignore[index]
    assert error(admin, "PUT", path, {"address_scope": {"shared": False}}) == (400, "AddressScopeUpdateError")
    assert blue("DELETE", f"/rbac-policies/{policy['id']}").status_code == 204
    (everybody,) = admin("GET", f"/rbac-policies?object_id={scope['id']}").json["rbac_policies"]  # type: ignore[index]
    assert error(admin, "DELETE", f"/rbac-policies/{everybody['id']}") == (409, "RbacPolicyInUse")


def test_policies_that_make_no_sense_are_refused(callers: dict[str, As]) -> None:
    blue, red = callers["blue"], callers["red"]
    network = made(blue, "networks", "network")
    good = {"object_type": "network", "object_id": network["id"], "action": "access_as_shared", "target_tenant": "red"}

    def refused(caller: As = blue, **change: object) -> tuple[int, str]:
        return error(caller, "POST", "/rbac-policies", {"rbac_policy": good | change})

    assert refused(target_tenant="*") == (403, "PolicyNotAuthorized")
    assert refused(action="access_as_external", target_tenant="*") == (403, "PolicyNotAuthorized")
    assert refused(object_type="castle") == (400, "InvalidInput")
    assert refused(action="access_as_friend") == (400, "InvalidInput")
    assert refused(object_type="security_group", action="access_as_external") == (400, "InvalidInput")
    assert refused(target_tenant=None)[0] == 400
    assert refused(red) == (404, "NetworkNotFound")
    shared(blue, "network", network["id"], "red")
    assert refused() == (409, "DuplicateRbacPolicy")
    assert refused(red, target_tenant="green") == (400, "InvalidInput")
    assert error(red, "GET", "/rbac-policies/nope") == (404, "RbacPolicyNotFound")


def test_policies_go_with_their_object(callers: dict[str, As]) -> None:
    blue = callers["blue"]
    network = made(blue, "networks", "network")
    shared(blue, "network", network["id"], "red")
    assert blue("DELETE", f"/networks/{network['id']}").status_code == 204
    assert blue("GET", "/rbac-policies").json == {"rbac_policies": []}
