"""Does every combination of security groups in use have one number, and is no number given twice?"""

import pytest
from sqlalchemy import func, select, text, update

from controller.errors import RuleKeyExhausted
from controller.services import ports, security_groups
from controller.store.database import Database, Transaction
from controller.store.rulesets import FIRST_KEY, LAST_KEY, NO_GROUP, GroupRef, next_key, ruleset_of
from controller.store.schema import COUNTERS, PORTS, SECURITY_GROUP_SET_MEMBERS, SECURITY_GROUP_SETS
from controller.store.snapshot import load_ports
from tests.unit.controller.store.builders import (
    ADMIN,
    a_network,
    a_port,
    a_security_group,
    an_address_group,
    counted,
)


def _sets(tx: Transaction) -> int:
    return int(tx.connection.execute(select(func.count()).select_from(SECURITY_GROUP_SETS)).scalar_one())


def test_groups_sets_and_address_groups_are_numbered_by_one_counter(database: Database) -> None:
    with database.write() as tx:
        web = a_security_group(tx)  # after its project's default group
        office = an_address_group(tx)
        db = a_security_group(tx)
        port = a_port(tx, a_network(tx), security_group_ids=[web.id, db.id])
    assert [web.key, office.key, db.key, port.ruleset] == [FIRST_KEY + 1, FIRST_KEY + 2, FIRST_KEY + 3, FIRST_KEY + 4]


def test_a_number_given_back_is_not_given_again(database: Database) -> None:
    with database.write() as tx:
        first = a_security_group(tx)
        security_groups.delete(tx, ADMIN, first.id)
    with database.write() as tx:
        assert a_security_group(tx).key > first.key


def test_when_the_numbers_are_used_up_nothing_is_made(database: Database) -> None:
    with database.write() as tx:
        next_key(tx)
        tx.connection.execute(update(COUNTERS).values(last=LAST_KEY - 1))
        assert next_key(tx) == LAST_KEY
    with pytest.raises(RuleKeyExhausted), database.write() as tx:
        an_address_group(tx)


def test_a_port_without_a_group_has_ruleset_1_and_with_one_the_group_s_own(database: Database) -> None:
    with database.write() as tx:
        network, web = a_network(tx), a_security_group(tx)
        assert a_port(tx, network, security_group_ids=[]).ruleset == NO_GROUP == 1
        assert a_port(tx, network, security_group_ids=[web.id]).ruleset == web.key
        assert _sets(tx) == 0


def test_ports_with_the_same_groups_in_any_order_share_a_set(database: Database) -> None:
    with database.write() as tx:
        network = a_network(tx)
        web, db, ssh = (a_security_group(tx) for _ in range(3))
        one = a_port(tx, network, security_group_ids=[web.id, db.id])
        other = a_port(tx, network, security_group_ids=[db.id, web.id])
        third = a_port(tx, network, security_group_ids=[db.id, web.id, ssh.id])
        assert one.ruleset == other.ruleset != third.ruleset
        assert one.security_group_ids == tuple(sorted((web.id, db.id)))
        assert _sets(tx) == 2
        assert load_ports(tx, [port.id for port in (one, other, third)]) == {
            port.id: ports.get(tx, ADMIN, port.id) for port in (one, other, third)
        }
        assert ports.get(tx, ADMIN, third.id).security_group_ids == tuple(sorted((web.id, db.id, ssh.id)))


def test_a_set_is_stored_while_a_port_has_it(database: Database) -> None:
    with database.write() as tx:
        network, web, db = a_network(tx), a_security_group(tx), a_security_group(tx)
        one, other = (a_port(tx, network, security_group_ids=[web.id, db.id]) for _ in range(2))
    with database.write() as tx:
        ports.delete(tx, ADMIN, one.id)
        assert _sets(tx) == 1
        ports.update(tx, ADMIN, other.id, {"security_group_ids": [web.id]})
        assert _sets(tx) == 0
        assert tx.connection.execute(select(func.count()).select_from(SECURITY_GROUP_SET_MEMBERS)).scalar() == 0
        again = a_port(tx, network, security_group_ids=[web.id, db.id])
        assert again.ruleset > one.ruleset, "a set that comes back is another number"


def test_a_group_nobody_has_takes_its_sets_along(database: Database) -> None:
    with database.write() as tx:
        web, db = a_security_group(tx), a_security_group(tx)
        ruleset_of(tx, [GroupRef(id=group.id, key=group.key) for group in (web, db)])
        security_groups.delete(tx, ADMIN, web.id)
        assert _sets(tx) == 0


def test_a_port_with_groups_known_already_costs_as_many_statements_as_one_with_its_default(
    database: Database,
) -> None:
    with database.write() as tx:
        network, web, db = a_network(tx), a_security_group(tx), a_security_group(tx)
        a_port(tx, network, security_group_ids=[web.id, db.id])
        with counted(database) as of_default:
            a_port(tx, network)
        with counted(database) as of_one:
            a_port(tx, network, security_group_ids=[web.id])
        with counted(database) as of_set:
            a_port(tx, network, security_group_ids=[web.id, db.id])
    assert len(of_default) == len(of_one) == len(of_set) - 1


def test_the_ports_of_a_group_are_found_by_indexes_alone(database: Database) -> None:
    with database.write() as tx:
        web = a_security_group(tx)
        condition = ports.RESOURCE.conditions["security_group_ids"]((web.id,))
        statement = select(PORTS.c.id).where(condition).compile(compile_kwargs={"literal_binds": True})
        plan = [row[3] for row in tx.connection.execute(text(f"EXPLAIN QUERY PLAN {statement}"))]
    assert any("ix_ports_ruleset" in line for line in plan), plan
    assert not any(line.startswith("SCAN") for line in plan), plan
