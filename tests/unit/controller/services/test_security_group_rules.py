"""Do rules of security groups behave as Neutron's: whose they are, duplicates, bulk, what they refer to?"""

from typing import Any

import pytest

from controller.errors import RevisionNumberConstraintFailed
from controller.records import SecurityGroup
from controller.security_errors import (
    AddressGroupNotFound,
    DuplicateSecurityGroupRuleInPost,
    SecurityGroupNotFound,
    SecurityGroupNotSingleGroupRules,
    SecurityGroupRuleExists,
    SecurityGroupRuleNotFound,
    SecurityGroupRulesNotSingleProject,
)
from controller.services import security_group_rules, security_groups
from controller.services.query import Filter, Query, Sort
from controller.store.database import Database
from tests.unit.controller.store.builders import (
    ADMIN,
    NOBODY,
    RULE,
    a_member,
    a_rule,
    a_security_group,
    an_address_group,
    counted,
)

BLUE, RED = a_member("blue"), a_member("red")


def wanted(group: SecurityGroup, **values: Any) -> dict[str, Any]:
    return RULE | {"project_id": group.project_id, "security_group_id": group.id} | values


def test_a_rule_is_what_was_asked_for_and_its_group_s_revision_grows(database: Database) -> None:
    with database.write() as tx:
        group = a_security_group(tx, BLUE)
        rule = a_rule(
            tx, group, BLUE, protocol="tcp", port_range_min=80, port_range_max=81, remote_ip_prefix="10.0.0.7/8"
        )
        assert rule == security_group_rules.get(tx, BLUE, rule.id)
        after = security_groups.get(tx, BLUE, group.id)
        assert rule in after.rules
        assert after.revision_number == group.revision_number + 1
    assert (rule.protocol, rule.port_range_min, rule.port_range_max, rule.remote_ip_prefix) == (
        "tcp",
        80,
        81,
        "10.0.0.7/8",
    )
    assert (rule.project_id, rule.revision_number, rule.created_at) == ("blue", 0, rule.updated_at)


def test_a_rule_that_says_what_another_says_is_refused_and_the_other_is_named(database: Database) -> None:
    with database.write() as tx:
        group, other = a_security_group(tx), a_security_group(tx)
        rule = a_rule(tx, group, protocol="tcp")
        a_rule(tx, other, protocol="tcp")
        for again in ({"protocol": "6"}, {"protocol": "tcp", "remote_ip_prefix": "0.0.0.0/0"}):
            with pytest.raises(
                SecurityGroupRuleExists, match=f"^Security group rule already exists. Rule id is {rule.id}.$"
            ):
                a_rule(tx, group, **again)


def test_many_rules_are_made_with_few_statements_or_not_at_all(database: Database) -> None:
    with database.write() as tx:
        group = a_security_group(tx)
        many = [wanted(group, protocol="tcp", port_range_min=port, port_range_max=port) for port in range(1, 101)]
        with counted(database) as statements:
            made = security_group_rules.create_many(tx, ADMIN, many)
        assert len(statements) <= 5
        assert set(made) <= set(security_groups.get(tx, ADMIN, group.id).rules)
    with pytest.raises(SecurityGroupRuleExists), database.write() as tx:
        security_group_rules.create_many(tx, ADMIN, [wanted(group, protocol="udp"), many[0]])
    with database.read() as tx:
        assert len(security_groups.get(tx, ADMIN, group.id).rules) == 102


def test_rules_of_one_request_belong_to_one_group_and_project_and_differ(database: Database) -> None:
    with database.write() as tx:
        group, other = a_security_group(tx), a_security_group(tx)
        with pytest.raises(SecurityGroupNotSingleGroupRules):
            security_group_rules.create_many(tx, ADMIN, [wanted(group), wanted(other)])
        with pytest.raises(SecurityGroupRulesNotSingleProject):
            security_group_rules.create_many(tx, ADMIN, [wanted(group), wanted(group, project_id="q")])
        with pytest.raises(DuplicateSecurityGroupRuleInPost):
            security_group_rules.create_many(tx, ADMIN, [wanted(group), wanted(group)])


def test_a_rule_may_only_name_what_its_maker_may_see(database: Database) -> None:
    with database.write() as tx:
        group, foreign = a_security_group(tx, BLUE), a_security_group(tx, RED)
        office = an_address_group(tx, "10.0.0.0/8", caller=RED)
        with pytest.raises(SecurityGroupNotFound):
            a_rule(tx, foreign, BLUE)
        with pytest.raises(SecurityGroupNotFound):
            a_rule(tx, group, BLUE, remote_group_id=foreign.id)
        with pytest.raises(SecurityGroupNotFound):
            a_rule(tx, group, ADMIN, remote_group_id=NOBODY)
        with pytest.raises(AddressGroupNotFound, match=f"^Address group {office.id} could not be found.$"):
            a_rule(tx, group, BLUE, remote_address_group_id=office.id)
        assert a_rule(tx, group, ADMIN, project_id="blue", remote_group_id=foreign.id).remote_group_id == foreign.id


def test_a_rule_belongs_to_whoever_its_group_belongs_to(database: Database) -> None:
    """Neutron's policy admin_or_sg_owner: the project in which an administrator made the rule does not matter."""
    with database.write() as tx:
        group = a_security_group(tx, BLUE)
        rule = a_rule(tx, group, ADMIN, protocol="tcp")
        assert rule.project_id == ADMIN.project_id
        assert security_group_rules.get(tx, BLUE, rule.id) == rule
        assert rule in security_group_rules.find(tx, BLUE, Query())
        assert security_group_rules.find(tx, RED, Query()) == []
        for use_case in (security_group_rules.get, security_group_rules.delete):
            with pytest.raises(SecurityGroupRuleNotFound, match=f"^Security group rule {rule.id} does not exist$"):
                use_case(tx, RED, rule.id)
        security_group_rules.delete(tx, BLUE, rule.id)
        assert rule not in security_groups.get(tx, BLUE, group.id).rules


def test_only_the_description_of_a_rule_changes(database: Database) -> None:
    with database.write() as tx:
        group = a_security_group(tx)
        rule = group.rules[0]
        changed = security_group_rules.update(tx, ADMIN, rule.id, {"description": "why"}, if_revision=0)
        assert (changed.description, changed.revision_number) == ("why", 1)
        assert security_group_rules.get(tx, ADMIN, rule.id) == changed
        assert security_group_rules.update(tx, ADMIN, rule.id, {"description": "why"}) == changed
        with pytest.raises(RevisionNumberConstraintFailed):
            security_group_rules.delete(tx, ADMIN, rule.id, if_revision=0)


@pytest.mark.parametrize(
    ("name", "value", "ports"),
    [
        ("protocol", "tcp", [22, 80]),
        ("protocol", "udp", [53]),
        ("port_range_min", 80, [80]),
        ("normalized_cidr", "10.0.0.0/8", [80]),
        ("remote_ip_prefix", "10.0.0.7/8", [80]),
        ("belongs_to_default_sg", True, [53]),
    ],
)
def test_rules_are_found_by_what_they_say(database: Database, name: str, value: object, ports: list[int]) -> None:
    with database.write() as tx:
        group = a_security_group(tx)
        default = security_groups.get(tx, ADMIN, security_groups.ensure_default(tx, ADMIN.project_id).id)
        a_rule(tx, group, protocol="tcp", port_range_min=22, port_range_max=22)
        a_rule(tx, group, protocol="tcp", port_range_min=80, port_range_max=80, remote_ip_prefix="10.0.0.7/8")
        a_rule(tx, default, protocol="udp", port_range_min=53, port_range_max=53)
        query = Query(filters=(Filter(name=name, values=(value,)),), sorts=(Sort(name="port_range_min"),))
        found = security_group_rules.find(tx, ADMIN, query)
    assert ports == [rule.port_range_min for rule in found if rule.protocol]


def test_pages_of_rules_follow_each_other_even_where_values_are_missing(database: Database) -> None:
    with database.write() as tx:
        group = a_security_group(tx)
        a_rule(tx, group, protocol="tcp")
        sorts = (Sort(name="protocol"),)
        whole = security_group_rules.find(tx, ADMIN, Query(sorts=sorts))
        paged, marker = [], None
        while page := security_group_rules.find(tx, ADMIN, Query(sorts=sorts, limit=2, marker=marker)):
            paged += page
            marker = page[-1].id
    assert whole == paged
    assert len(whole) == 7
