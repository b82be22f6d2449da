"""What do roles give?"""

import pytest

from controller.caller import Caller
from controller.errors import PolicyNotAuthorized
from controller.policy.expression import parse
from controller.policy.rights import Policy, default_policy, is_rule
from controller.policy.table import PLAIN, RULES
from controller.policy.words import WORDS, Target
from controller.services.rules import ASKED, Asked, authorize, check_owner, may


def a_caller(*roles: str, project_id: str = "p") -> Caller:
    return Caller(project_id=project_id, roles=frozenset(roles), is_admin="admin" in roles)


OWN, FOREIGN = Target(project_id="p"), Target(project_id="q")


@pytest.mark.parametrize(
    ("roles", "target", "expected"),
    [
        (("admin",), FOREIGN, True),
        (("member",), OWN, True),
        (("manager",), OWN, True),
        (("member",), FOREIGN, False),
        (("reader",), OWN, False),
        (("service",), OWN, False),
        ((), OWN, False),
    ],
)
def test_an_object_is_changed_by_members_of_its_project_and_administrators(
    roles: tuple[str, ...], target: Target, expected: bool
) -> None:
    assert may(a_caller(*roles), "update_network", target) is expected


def test_an_empty_project_owns_nothing() -> None:
    assert not may(a_caller("member", project_id=""), "update_network", Target(project_id=""))


def test_what_the_table_does_not_know_is_for_administrators() -> None:
    assert may(a_caller("admin"), "create_castle", OWN)
    assert not may(a_caller("member"), "create_castle", OWN)
    with pytest.raises(PolicyNotAuthorized):
        check_owner(a_caller("member"), "p", "create_castle:project_id")


def test_an_attribute_that_nothing_names_is_for_administrators() -> None:
    assert a_caller("member").rights.attribute("update", "network", "moat") is False
    assert a_caller("admin").rights.attribute("update", "network", "moat") is True
    assert a_caller("member").rights.attribute("update", "network", "name") is True


def test_a_project_that_is_not_the_callers_is_refused_to_check_owner() -> None:
    check_owner(a_caller("member"), "p", "create_network:project_id")
    with pytest.raises(PolicyNotAuthorized, match=r"^rule:create_network is disallowed by policy$"):
        check_owner(a_caller("member"), "q", "create_network:project_id")


def test_a_refusal_names_all_rules_as_neutron_does() -> None:
    asked = (
        Asked(rule="create_port:fixed_ips", parts=("create_port:fixed_ips:ip_address",)),
        Asked(rule="create_port:mac_address"),
    )
    with pytest.raises(PolicyNotAuthorized) as refused:
        authorize(a_caller("member"), "create_port", Target(shared=True), {ASKED: asked})
    assert str(refused.value) == (
        "((rule:create_port and (rule:create_port:fixed_ips and (rule:create_port:fixed_ips:ip_address))) "
        "and rule:create_port:mac_address) is disallowed by policy"
    )


def test_the_object_is_not_looked_at_when_roles_decide() -> None:
    def look() -> Target:
        raise AssertionError("looked")

    authorize(a_caller("admin"), "update_port", look)
    with pytest.raises(PolicyNotAuthorized):
        authorize(a_caller("reader"), "update_port", look)


@pytest.mark.parametrize("owner", ["network:dhcp", "network:router_interface"])
def test_only_the_networks_owner_services_and_administrators_make_trusted_ports(owner: str) -> None:
    asked = {ASKED: (Asked(rule="create_port:device_owner"),)}
    on_shared = Target(project_id="p", network_project_id="q", shared=True, device_owner=owner)
    on_own = Target(project_id="p", network_project_id="p", device_owner=owner)
    for allowed in (a_caller("admin"), a_caller("service")):
        authorize(allowed, "create_port", on_shared, asked)
    authorize(a_caller("member"), "create_port", on_own, asked)
    with pytest.raises(PolicyNotAuthorized):
        authorize(a_caller("member"), "create_port", on_shared, asked)


def test_a_machines_port_is_deleted_by_its_user_through_a_service_only() -> None:
    port = Target(project_id="p", device_owner="compute:nova")
    member = a_caller("member")
    through = Caller(
        project_id="p",
        roles=member.roles,
        is_admin=False,
        granted=default_policy().rights(member.roles, service_token=True),
    )
    assert not may(member, "delete_port", port)
    assert may(through, "delete_port", port)
    assert may(member, "delete_port", OWN)


def test_an_operators_rule_takes_the_tables_place() -> None:
    policy = Policy({"create_network": parse("admin", WORDS), "update_network:mtu": parse("nobody", WORDS)})
    rights = policy.rights(frozenset({"member"}))
    assert rights.rule("create_network") is False
    assert policy.rights(frozenset({"admin"})).attribute("update", "network", "mtu") is False
    assert rights.rule("update_network") == default_policy().rights(frozenset({"member"})).rule("update_network")


def test_roles_the_policy_does_not_know_make_no_new_rights() -> None:
    policy = Policy()
    assert policy.rights(frozenset({"member", "gardener"})) is policy.rights(frozenset({"member"}))


def test_every_line_of_the_table_is_an_expression_over_its_words() -> None:
    for text in RULES.values():
        parse(text, WORDS)


def test_rules_that_would_never_be_asked_are_known_as_such() -> None:
    assert is_rule("create_network")
    assert is_rule("update_network:mtu")
    assert not is_rule("create_network:moat")
    assert not is_rule("create_castle")
    assert not is_rule("delete_network:mtu")


def test_no_attribute_is_named_twice_for_a_resource() -> None:
    for names in PLAIN.values():
        assert len(names.split()) == len(set(names.split()))
