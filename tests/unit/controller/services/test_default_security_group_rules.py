"""Do new security groups start with what the template says, and who may change it?"""

from typing import Any

import pytest

from controller.errors import PolicyNotAuthorized
from controller.security_errors import (
    DefaultSecurityGroupRuleExists,
    DefaultSecurityGroupRuleNotFound,
    SecurityGroupNotFound,
)
from controller.services import default_security_group_rules as template
from controller.services import security_groups
from controller.services.query import Filter, Query
from controller.store.database import Database, Transaction
from tests.unit.controller.store.builders import ADMIN, NOBODY, RULE, a_member, a_security_group

BLUE = a_member("blue")
FOR_OTHERS: dict[str, Any] = {"used_in_default_sg": False, "used_in_non_default_sg": True}
FOR_DEFAULT: dict[str, Any] = {"used_in_default_sg": True, "used_in_non_default_sg": False}


def a_template(tx: Transaction, **wanted: Any) -> template.DefaultRule:
    return template.create(tx, ADMIN, RULE | FOR_OTHERS | wanted)


def _clauses(tx: Transaction, group_id: str) -> set[tuple[str, str, str | None]]:
    group = security_groups.get(tx, ADMIN, group_id)
    return {(rule.direction, rule.ethertype, rule.protocol) for rule in group.rules}


def test_the_template_starts_as_neutron_s(database: Database) -> None:
    with database.read() as tx:
        found = template.find(tx, BLUE, Query())
    assert {
        (rule.direction, rule.ethertype, rule.remote_group_id, rule.used_in_default_sg, rule.used_in_non_default_sg)
        for rule in found
    } == {
        ("egress", "IPv4", None, True, True),
        ("egress", "IPv6", None, True, True),
        ("ingress", "IPv4", "PARENT", True, False),
        ("ingress", "IPv6", "PARENT", True, False),
    }


def test_new_groups_follow_the_template_and_old_ones_stay(database: Database) -> None:
    with database.write() as tx:
        old = a_security_group(tx)
        ssh = a_template(tx, protocol="tcp", port_range_min=22, port_range_max=22)
        a_template(tx, **FOR_DEFAULT, protocol="udp")
        new, default = a_security_group(tx), security_groups.ensure_default(tx, "blue")
        assert ("ingress", "IPv4", "tcp") in _clauses(tx, new.id)
        assert ("ingress", "IPv4", "tcp") not in _clauses(tx, old.id) | _clauses(tx, default.id)
        assert ("ingress", "IPv4", "udp") in _clauses(tx, default.id)
        assert ("ingress", "IPv4", "udp") not in _clauses(tx, new.id)
        template.delete(tx, ADMIN, ssh.id)
        assert ("ingress", "IPv4", "tcp") not in _clauses(tx, a_security_group(tx).id)
        assert ("ingress", "IPv4", "tcp") in _clauses(tx, new.id)


def test_parent_is_the_new_group(database: Database) -> None:
    with database.write() as tx:
        a_template(tx, protocol="tcp", remote_group_id="PARENT")
        group = a_security_group(tx)
    assert [group.id] == [rule.remote_group_id for rule in group.rules if rule.protocol == "tcp"]


def test_a_template_can_be_empty(database: Database) -> None:
    with database.write() as tx:
        for rule in template.find(tx, ADMIN, Query()):
            template.delete(tx, ADMIN, rule.id)
        assert a_security_group(tx).rules == ()


def test_a_template_about_a_group_goes_with_the_group(database: Database) -> None:
    with database.write() as tx:
        monitoring = a_security_group(tx)
        rule = a_template(tx, remote_group_id=monitoring.id)
        with pytest.raises(SecurityGroupNotFound):
            a_template(tx, protocol="tcp", remote_group_id=NOBODY)
        user = a_security_group(tx)
        assert monitoring.id in {one.remote_group_id for one in user.rules}
        security_groups.delete(tx, ADMIN, monitoring.id)
        with pytest.raises(DefaultSecurityGroupRuleNotFound):
            template.get(tx, ADMIN, rule.id)
        assert len(a_security_group(tx).rules) == 2


def test_rules_for_the_same_groups_must_differ(database: Database) -> None:
    with database.write() as tx:
        rule = a_template(tx, protocol="tcp")
        with pytest.raises(DefaultSecurityGroupRuleExists, match=f"Rule id is {rule.id}.$"):
            a_template(tx, protocol="6")
        assert a_template(tx, **FOR_DEFAULT, protocol="tcp").id != rule.id
        assert a_template(tx, protocol="tcp", used_in_non_default_sg=False).used_in_default_sg is False


def test_only_an_administrator_changes_the_template_and_everybody_reads_it(database: Database) -> None:
    with database.write() as tx:
        rule = a_template(tx, protocol="tcp", description="d")
        assert template.get(tx, BLUE, rule.id) == rule
        query = Query(filters=(Filter(name="protocol", values=("tcp",)),))
        assert template.find(tx, BLUE, query) == [rule]
        with pytest.raises(
            PolicyNotAuthorized, match=r"^rule:create_default_security_group_rule is disallowed by policy"
        ):
            template.create(tx, BLUE, RULE | FOR_OTHERS)
        with pytest.raises(PolicyNotAuthorized):
            template.delete(tx, BLUE, rule.id)
        with pytest.raises(DefaultSecurityGroupRuleNotFound, match=f"^Default Security Group rule {NOBODY} does not"):
            template.delete(tx, ADMIN, NOBODY)
