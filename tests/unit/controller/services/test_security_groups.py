"""Do security groups behave as Neutron's: the default group, the template, what protects a group in use?"""

import threading

import pytest

from controller.errors import PolicyNotAuthorized, RevisionNumberConstraintFailed
from controller.records import SecurityGroup
from controller.security_errors import (
    SecurityGroupCannotRemoveDefault,
    SecurityGroupCannotUpdateDefault,
    SecurityGroupInUse,
    SecurityGroupNotFound,
)
from controller.services import ports, security_group_rules, security_groups
from controller.services.query import Filter, Query
from controller.store.database import Database
from controller.store.snapshot import journal_after, load_security_groups, load_snapshot
from tests.unit.controller.store.builders import (
    ADMIN,
    NOBODY,
    a_member,
    a_network,
    a_port,
    a_rule,
    a_security_group,
    counted,
)

BLUE, RED = a_member("blue"), a_member("red")


def _default(database: Database, project_id: str) -> SecurityGroup | None:
    with database.read() as tx:
        found = [group for group in load_snapshot(tx).security_groups if group.project_id == project_id]
    return next((group for group in found if group.name == "default"), None)


def _about(project_id: str) -> Query:
    return Query(filters=(Filter(name="project_id", values=(project_id,)),))


def test_the_first_look_makes_the_project_s_default_group_and_later_ones_only_read(database: Database) -> None:
    security_groups.before_listing(database, BLUE, Query())
    first = _default(database, "blue")
    assert first is not None
    assert (first.name, first.description, first.stateful) == ("default", "Default security group", True)
    with counted(database) as statements:
        security_groups.before_listing(database, BLUE, Query())
    assert [text for text in statements.texts if text.startswith("SELECT")] == statements.texts
    assert first == _default(database, "blue")


def test_an_administrator_s_look_makes_the_group_of_the_project_asked_for(database: Database) -> None:
    """API.md trap 9: the project need not exist."""
    security_groups.before_listing(database, ADMIN, _about("unheard-of"))
    assert _default(database, "unheard-of") is not None
    assert _default(database, ADMIN.project_id) is None


def test_a_member_s_look_at_another_project_makes_nothing(database: Database) -> None:
    security_groups.before_listing(database, BLUE, _about("red"))
    assert _default(database, "red") is None


def test_everything_may_leave_a_default_group_and_its_members_may_reach_each_other(database: Database) -> None:
    with database.write() as tx:
        group_id = security_groups.ensure_default(tx, "blue").id
        group = security_groups.get(tx, BLUE, group_id)
    assert {(rule.direction, rule.ethertype, rule.remote_group_id) for rule in group.rules} == {
        ("egress", "IPv4", None),
        ("egress", "IPv6", None),
        ("ingress", "IPv4", group_id),
        ("ingress", "IPv6", group_id),
    }
    assert [rule.id for rule in group.rules] == sorted(rule.id for rule in group.rules)


def test_many_first_ports_at_once_make_one_default_group(database: Database) -> None:
    with database.write() as tx:
        network = a_network(tx, shared=True)
    made: list[str] = []

    def plug() -> None:
        with database.write() as tx:
            made.extend(a_port(tx, network, BLUE).security_group_ids)

    writers = [threading.Thread(target=plug) for _ in range(8)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(30)
    assert len(made) == 8
    assert len(set(made)) == 1


def test_a_new_group_lets_everything_out_and_nothing_in(database: Database) -> None:
    with database.write() as tx:
        group = a_security_group(tx, BLUE, name="web", description="d", stateful=False)
        assert group == security_groups.get(tx, BLUE, group.id)
        assert {group.id: group} == load_security_groups(tx, [group.id, NOBODY])
    assert (group.name, group.description, group.stateful, group.revision_number) == ("web", "d", False, 1)
    assert [(rule.direction, rule.protocol) for rule in group.rules] == [("egress", None)] * 2
    assert {rule.ethertype for rule in group.rules} == {"IPv4", "IPv6"}
    assert _default(database, "blue") is not None, "whoever makes a group has a default group"


def test_a_group_of_another_project_is_not_there(database: Database) -> None:
    with database.write() as tx:
        group = a_security_group(tx, BLUE)
        assert security_groups.get(tx, ADMIN, group.id) == group
        assert security_groups.find(tx, RED, Query()) == []
        for use_case in (
            lambda: security_groups.get(tx, RED, group.id),
            lambda: security_groups.update(tx, RED, group.id, {"name": "mine"}),
            lambda: security_groups.delete(tx, RED, group.id),
        ):
            with pytest.raises(SecurityGroupNotFound, match=f"^Security group {group.id} does not exist$"):
                use_case()
        with pytest.raises(PolicyNotAuthorized):
            a_security_group(tx, RED, project_id="blue")


def test_a_list_costs_two_statements_whatever_its_length(database: Database) -> None:
    with database.write() as tx:
        for _ in range(5):
            a_security_group(tx)
    with database.read() as tx, counted(database) as statements:
        assert len(security_groups.find(tx, ADMIN, Query())) == 6
    assert len(statements) == 2


def test_a_change_grows_the_revision_and_the_same_values_do_not(database: Database) -> None:
    with database.write() as tx:
        group = a_security_group(tx)
    with database.write() as tx:
        assert security_groups.update(tx, ADMIN, group.id, {"name": "web"}) == group
        changed = security_groups.update(tx, ADMIN, group.id, {"name": "w", "stateful": False}, if_revision=1)
        assert (changed.name, changed.stateful, changed.revision_number) == ("w", False, 2)
        assert security_groups.get(tx, ADMIN, group.id) == changed
        with pytest.raises(RevisionNumberConstraintFailed):
            security_groups.update(tx, ADMIN, group.id, {"name": "x"}, if_revision=1)


def test_a_group_ports_have_stays_stateful_and_cannot_be_deleted(database: Database) -> None:
    with database.write() as tx:
        network, web, db = a_network(tx), a_security_group(tx), a_security_group(tx)
        port = a_port(tx, network, security_group_ids=[web.id, db.id])
        for group in (web, db):
            with pytest.raises(SecurityGroupInUse, match=f"^Security Group {group.id} in use.$"):
                security_groups.delete(tx, ADMIN, group.id)
            with pytest.raises(SecurityGroupInUse):
                security_groups.update(tx, ADMIN, group.id, {"stateful": False})
            security_groups.update(tx, ADMIN, group.id, {"stateful": True, "name": "renamed"})
        ports.update(tx, ADMIN, port.id, {"security_group_ids": [db.id]})
        security_groups.delete(tx, ADMIN, web.id)
        with pytest.raises(SecurityGroupInUse):
            security_groups.delete(tx, ADMIN, db.id)


def test_the_default_group_keeps_its_name_and_only_an_administrator_removes_it(database: Database) -> None:
    """Neutron, delete security group: the name decides nothing for an administrator; the next look makes a new one."""
    with database.write() as tx:
        group_id = security_groups.ensure_default(tx, "blue").id
        with pytest.raises(SecurityGroupCannotUpdateDefault):
            security_groups.update(tx, ADMIN, group_id, {"name": "other"})
        assert security_groups.update(tx, BLUE, group_id, {"description": "ours"}).description == "ours"
        with pytest.raises(SecurityGroupCannotRemoveDefault):
            security_groups.delete(tx, BLUE, group_id)
        security_groups.delete(tx, ADMIN, group_id)
        assert security_groups.ensure_default(tx, "blue").id != group_id


def test_rules_about_the_members_of_a_deleted_group_go_with_it(database: Database) -> None:
    with database.write() as tx:
        web, db = a_security_group(tx), a_security_group(tx)
        a_rule(tx, db, remote_group_id=web.id)
        before = security_groups.get(tx, ADMIN, db.id)
    with database.write() as tx:
        security_groups.delete(tx, ADMIN, web.id)
        after = security_groups.get(tx, ADMIN, db.id)
        assert (len(before.rules), len(after.rules)) == (3, 2)
        assert after.revision_number == before.revision_number + 1
        assert security_group_rules.find(tx, ADMIN, Query()) != []
    with database.read() as tx:
        changed = {entry.object_id for entry in journal_after(tx, 0)[-2:]}
    assert changed == {web.id, db.id}


def test_the_journal_names_a_group_whenever_it_or_a_rule_of_it_changes(database: Database) -> None:
    with database.write() as tx:
        group = a_security_group(tx)
    steps = (
        lambda tx: a_rule(tx, group, protocol="tcp"),
        lambda tx: security_groups.update(tx, ADMIN, group.id, {"name": "x"}),
        lambda tx: security_group_rules.delete(tx, ADMIN, group.rules[0].id),
        lambda tx: security_groups.delete(tx, ADMIN, group.id),
    )
    for step in steps:
        with database.read() as tx:
            seen = len(journal_after(tx, 0))
        with database.write() as tx:
            step(tx)
        with database.read() as tx:
            assert [("security_group", group.id)] == [
                (entry.kind, entry.object_id) for entry in journal_after(tx, 0)[seen:]
            ]
