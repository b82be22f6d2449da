"""Do address groups behave as Neutron's: canonical prefixes, additions, removals, groups in use?"""

import pytest

from controller.errors import PolicyNotAuthorized, RevisionNumberConstraintFailed
from controller.security_errors import (
    AddressesAlreadyExist,
    AddressesNotFound,
    AddressGroupInUse,
    AddressGroupNotFound,
)
from controller.services import address_groups, default_security_group_rules, security_group_rules
from controller.services.query import Query
from controller.store.database import Database
from controller.store.snapshot import journal_after, load_address_groups, load_snapshot
from tests.unit.controller.store.builders import (
    ADDRESS_GROUP,
    ADMIN,
    NOBODY,
    RULE,
    a_member,
    a_rule,
    a_security_group,
    an_address_group,
)

BLUE, RED = a_member("blue"), a_member("red")


def test_prefixes_are_kept_without_host_bits_each_once_and_sorted(database: Database) -> None:
    with database.write() as tx:
        group = an_address_group(tx, "2001:DB8::1/32", "192.0.2.7/24", "10.0.0.1/32", "192.0.2.0/24")
        assert group.addresses == ("10.0.0.1/32", "192.0.2.0/24", "2001:db8::/32")
        assert group == address_groups.get(tx, ADMIN, group.id)
        assert {group.id: group} == load_address_groups(tx, [group.id, NOBODY])
        assert load_snapshot(tx).address_groups == (group,)


def test_addresses_come_and_go_all_or_none(database: Database) -> None:
    with database.write() as tx:
        group = an_address_group(tx, "10.0.0.0/8")
        more = address_groups.add_addresses(tx, ADMIN, group.id, ["192.0.2.7/24", "192.0.2.9/24"])
        assert more.addresses == ("10.0.0.0/8", "192.0.2.0/24")
        assert more.revision_number == group.revision_number + 1
        with pytest.raises(AddressesAlreadyExist, match=r"^Addresses \['10.0.0.0/8'\] already exist in the address"):
            address_groups.add_addresses(tx, ADMIN, group.id, ["10.1.2.3/8", "198.51.100.0/24"])
        with pytest.raises(AddressesNotFound, match=r"^Addresses \['198.51.100.0/24'\] not found in the address"):
            address_groups.remove_addresses(tx, ADMIN, group.id, ["10.0.0.0/8", "198.51.100.0/24"])
        less = address_groups.remove_addresses(tx, ADMIN, group.id, ["10.9.9.9/8"])
        assert less.addresses == ("192.0.2.0/24",)
        assert less == address_groups.get(tx, ADMIN, group.id)


def test_every_change_is_journalled(database: Database) -> None:
    with database.write() as tx:
        group = an_address_group(tx)
    for change in (
        lambda tx: address_groups.add_addresses(tx, ADMIN, group.id, ["10.0.0.0/8"]),
        lambda tx: address_groups.remove_addresses(tx, ADMIN, group.id, ["10.0.0.0/8"]),
        lambda tx: address_groups.update(tx, ADMIN, group.id, {"name": "x"}),
        lambda tx: address_groups.delete(tx, ADMIN, group.id),
    ):
        with database.write() as tx:
            before = len(journal_after(tx, 0))
            change(tx)
        with database.read() as tx:
            assert [("address_group", group.id)] == [
                (entry.kind, entry.object_id) for entry in journal_after(tx, 0)[before:]
            ]


def test_name_and_description_change_and_the_same_values_are_no_change(database: Database) -> None:
    with database.write() as tx:
        group = an_address_group(tx, "10.0.0.0/8")
        assert address_groups.update(tx, ADMIN, group.id, {"name": group.name}) == group
        changed = address_groups.update(tx, ADMIN, group.id, {"name": "n", "description": "d"}, if_revision=0)
        assert (changed.name, changed.description, changed.addresses) == ("n", "d", group.addresses)
        with pytest.raises(RevisionNumberConstraintFailed):
            address_groups.delete(tx, ADMIN, group.id, if_revision=0)


def test_a_group_rules_refer_to_stays(database: Database) -> None:
    with database.write() as tx:
        group = an_address_group(tx, "10.0.0.0/8")
        rule = a_rule(tx, a_security_group(tx), remote_address_group_id=group.id)
        with pytest.raises(AddressGroupInUse, match=r"is in use on one or more security group rules\.$"):
            address_groups.delete(tx, ADMIN, group.id)
        security_group_rules.delete(tx, ADMIN, rule.id)
        template = default_security_group_rules.create(
            tx,
            ADMIN,
            RULE | {"remote_address_group_id": group.id, "used_in_default_sg": False, "used_in_non_default_sg": True},
        )
        with pytest.raises(AddressGroupInUse):
            address_groups.delete(tx, ADMIN, group.id)
        default_security_group_rules.delete(tx, ADMIN, template.id)
        address_groups.delete(tx, ADMIN, group.id)
        assert address_groups.find(tx, ADMIN, Query()) == []


def test_another_project_s_group_is_not_there(database: Database) -> None:
    with database.write() as tx:
        group = an_address_group(tx, "10.0.0.0/8", caller=BLUE)
        assert address_groups.find(tx, RED, Query()) == []
        for use_case in (
            lambda: address_groups.get(tx, RED, group.id),
            lambda: address_groups.update(tx, RED, group.id, {}),
            lambda: address_groups.add_addresses(tx, RED, group.id, []),
            lambda: address_groups.remove_addresses(tx, RED, group.id, []),
            lambda: address_groups.delete(tx, RED, group.id),
        ):
            with pytest.raises(AddressGroupNotFound, match=f"^Address group {group.id} could not be found.$"):
                use_case()
        with pytest.raises(PolicyNotAuthorized):
            address_groups.create(tx, RED, ADDRESS_GROUP | {"project_id": "blue"})
