"""Which security groups does a port get, and what do port security and address pairs have to say?"""

from typing import Any

import pytest

from controller.errors import WeftError
from controller.security_errors import SecurityGroupNotFound
from controller.services import ports, security_groups
from controller.services.port_groups import Groups, of_new_port
from controller.services.query import Filter, Query
from controller.store.database import Database
from controller.store.rulesets import NO_GROUP
from controller.store.snapshot import journal_after
from tests.unit.controller.store.builders import (
    ADMIN,
    NOBODY,
    PORT,
    a_member,
    a_network,
    a_port,
    a_security_group,
    counted,
)

BLUE, RED = a_member("blue"), a_member("red")
PAIR = ((None, "10.20.0.99"),)


def test_a_port_gets_the_default_group_of_its_own_project(database: Database) -> None:
    with database.write() as tx:
        network = a_network(tx, shared=True)
        blue = a_port(tx, network, BLUE)
        for_red = a_port(tx, network, ADMIN, project_id="red")
        assert blue.security_group_ids == (security_groups.ensure_default(tx, "blue").id,)
        assert for_red.security_group_ids == (security_groups.ensure_default(tx, "red").id,)
        assert blue == ports.get(tx, BLUE, blue.id)
        assert blue.ruleset == security_groups.ensure_default(tx, "blue").key


@pytest.mark.parametrize(
    "wanted",
    [
        {"port_security_enabled": False},
        {"device_owner": "network:dhcp"},
        {"device_owner": "network:router_interface", "security_group_ids": [NOBODY]},
        {"security_group_ids": []},
        {"port_security_enabled": False, "security_group_ids": []},
    ],
)
def test_ports_that_are_not_guarded_or_want_none_get_no_group(database: Database, wanted: dict[str, Any]) -> None:
    """Neutron ignores what is asked for a port of the network itself (is_port_trusted)."""
    with database.write() as tx:
        port = a_port(tx, a_network(tx), **wanted)
        assert (port.security_group_ids, port.ruleset) == ((), NO_GROUP)
        assert port.port_security_enabled == (not port.device_owner and "port_security_enabled" not in wanted)
        assert security_groups.find(tx, ADMIN, Query()) == []


def test_a_port_of_a_network_without_port_security_gets_no_group(database: Database) -> None:
    with database.write() as tx:
        assert a_port(tx, a_network(tx, port_security_enabled=False)).security_group_ids == ()


def test_groups_a_caller_may_not_see_do_not_exist_and_all_of_them_are_named(database: Database) -> None:
    with database.write() as tx:
        network, mine, foreign = a_network(tx, BLUE), a_security_group(tx, BLUE), a_security_group(tx, RED)
        missing = ", ".join(sorted((foreign.id, NOBODY)))
        with pytest.raises(SecurityGroupNotFound, match=f"^Security group {missing} does not exist$"):
            a_port(tx, network, BLUE, security_group_ids=[mine.id, foreign.id, NOBODY])
        port = a_port(tx, network, BLUE, security_group_ids=[mine.id])
        with pytest.raises(SecurityGroupNotFound):
            ports.update(tx, BLUE, port.id, {"security_group_ids": [foreign.id]})
        assert ports.update(tx, ADMIN, port.id, {"security_group_ids": [foreign.id]}).security_group_ids == (
            foreign.id,
        )


@pytest.mark.parametrize(
    ("wanted", "error"),
    [
        ({"security_group_ids": [NOBODY]}, "PortSecurityAndIPRequiredForSecurityGroups"),
        ({"allowed_address_pairs": PAIR}, "AddressPairAndPortSecurityRequired"),
    ],
)
def test_groups_and_pairs_need_port_security_from_the_start(
    database: Database, wanted: dict[str, Any], error: str
) -> None:
    with database.write() as tx, pytest.raises(WeftError) as refused:
        a_port(tx, a_network(tx), port_security_enabled=False, **wanted)
    assert error == refused.value.neutron_type


@pytest.mark.parametrize(
    ("made", "changes", "error"),
    [
        ({}, {"port_security_enabled": False}, "PortSecurityPortHasSecurityGroup"),
        (
            {"security_group_ids": [], "allowed_address_pairs": PAIR},
            {"port_security_enabled": False},
            "AddressPairAndPortSecurityRequired",
        ),
        (
            {"allowed_address_pairs": PAIR},
            {"port_security_enabled": False, "security_group_ids": []},
            "AddressPairAndPortSecurityRequired",
        ),
        (
            {"port_security_enabled": False},
            {"security_group_ids": [NOBODY]},
            "PortSecurityAndIPRequiredForSecurityGroups",
        ),
        ({"port_security_enabled": False}, {"allowed_address_pairs": PAIR}, "AddressPairAndPortSecurityRequired"),
        ({}, {"port_security_enabled": False, "security_group_ids": []}, None),
        (
            {"allowed_address_pairs": PAIR},
            {"port_security_enabled": False, "security_group_ids": [], "allowed_address_pairs": ()},
            None,
        ),
        ({"port_security_enabled": False}, {"port_security_enabled": True}, None),
        ({"port_security_enabled": False}, {"name": "x"}, None),
    ],
)
def test_port_security_goes_off_only_after_what_needs_it(
    database: Database, made: dict[str, Any], changes: dict[str, Any], error: str | None
) -> None:
    with database.write() as tx:
        port = a_port(tx, a_network(tx), **made)
    if error is None:
        with database.write() as tx:
            changed = ports.update(tx, ADMIN, port.id, changes)
            assert changed == ports.get(tx, ADMIN, port.id)
            assert (changed.security_group_ids, changed.ruleset) == ((), NO_GROUP)
    else:
        with pytest.raises(WeftError) as refused, database.write() as tx:
            ports.update(tx, ADMIN, port.id, changes)
        assert error == refused.value.neutron_type
        with database.read() as tx:
            assert port == ports.get(tx, ADMIN, port.id)


def test_stateful_and_stateless_groups_do_not_mix_on_a_port(database: Database) -> None:
    with database.write() as tx:
        network, web = a_network(tx), a_security_group(tx)
        open_groups = [a_security_group(tx, stateful=False).id for _ in range(2)]
        assert a_port(tx, network, security_group_ids=open_groups).security_group_ids == tuple(sorted(open_groups))
        with pytest.raises(WeftError, match=r"^Error Cannot apply both stateful and stateless") as refused:
            a_port(tx, network, security_group_ids=[web.id, open_groups[0]])
    assert refused.value.neutron_type == "SecurityGroupConflict"


def test_a_change_of_groups_is_journalled_once_and_the_same_groups_are_no_change(database: Database) -> None:
    with database.write() as tx:
        network, web, db = a_network(tx), a_security_group(tx), a_security_group(tx)
        port = a_port(tx, network, security_group_ids=[web.id, db.id])
    with database.write() as tx:
        seen = len(journal_after(tx, 0))
        assert ports.update(tx, ADMIN, port.id, {"security_group_ids": [db.id, web.id]}) == port
        changed = ports.update(tx, ADMIN, port.id, {"security_group_ids": [db.id], "name": "x"})
        assert changed == ports.get(tx, ADMIN, port.id)
        assert (changed.security_group_ids, changed.ruleset, changed.revision_number) == ((db.id,), db.key, 2)
    with database.read() as tx:
        assert [("port", port.id)] == [(entry.kind, entry.object_id) for entry in journal_after(tx, 0)[seen:]]


def test_ports_of_one_transaction_that_ask_for_the_same_groups_cost_one_look(database: Database) -> None:
    with database.write() as tx:
        web, db = a_security_group(tx, BLUE), a_security_group(tx, BLUE)
        asked = (
            PORT | {"project_id": "blue"},
            PORT | {"project_id": "blue", "security_group_ids": [web.id]},
            PORT | {"project_id": "red"},
            PORT | {"project_id": "blue", "security_group_ids": [web.id, db.id]},
        )
        alone = [of_new_port(tx, ADMIN, one, port_security_enabled=True) for one in asked]
        known: dict[str | tuple[str, ...], Groups] = {}
        with counted(database) as first:
            together = [of_new_port(tx, ADMIN, one, port_security_enabled=True, known=known) for one in asked]
        with counted(database) as again:
            together += [of_new_port(tx, ADMIN, one, port_security_enabled=True, known=known) for one in asked]
    assert alone * 2 == together
    assert (len(first), len(again)) == (5, 0)


def test_ports_are_found_by_their_groups_alone_or_in_a_set(database: Database) -> None:
    with database.write() as tx:
        network, web, db = a_network(tx), a_security_group(tx), a_security_group(tx)
        alone = a_port(tx, network, security_group_ids=[web.id])
        both = a_port(tx, network, security_group_ids=[web.id, db.id])
        a_port(tx, network)
        a_port(tx, network, security_group_ids=[])

        def having(*group_ids: str) -> set[str]:
            query = Query(filters=(Filter(name="security_group_ids", values=group_ids),))
            return {port.id for port in ports.find(tx, ADMIN, query)}

        assert {alone.id, both.id} == having(web.id) == having(web.id, db.id)
        assert {both.id} == having(db.id)
        assert set() == having(NOBODY) == having("")
