"""A prepared statement gives what SQLAlchemy gives, to whoever sends it."""

from typing import Any

import pytest
from sqlalchemy import Connection, bindparam, event, insert, select, update

from controller.errors import DatabaseError
from controller.services import addressing, port_creation, ports, quotas, security_groups
from controller.store import allocations, bindings, blocks, loading, snapshot, states, tags, transaction
from controller.store.database import Database
from controller.store.dialects import insert_or_ignore
from controller.store.direct import Direct
from controller.store.schema import META, SECURITY_GROUPS
from tests.unit.controller.store.builders import ADMIN, a_host, a_network, a_port, a_subnet, counted

_ADD = Direct(
    insert_or_ignore(META, conflict=(META.c.name,), returning=(META.c.name, META.c.value)), columns=("name", "value")
)
_ADD_OR_FAIL = Direct(insert(META), columns=("name", "value"))
_VALUE = select(META.c.value, (META.c.value == "one").label("is_one")).where(META.c.name == bindparam("asked"))
_FIND = Direct(_VALUE)
_FIND_AMONG = Direct(select(META.c.name).where(META.c.name.in_(bindparam("names", expanding=True))))
_CHANGE = Direct(update(META).where(META.c.name == bindparam("asked")).values(value="two"))


def test_rows_are_those_of_sqlalchemy_with_booleans_and_names(database: Database) -> None:
    with database.write() as tx:
        assert [tuple(row) for row in _ADD.rows(tx.connection, {"name": "a", "value": "one"})] == [("a", "one")]
        (prepared,) = _FIND.rows(tx.connection, {"asked": "a"})
        (ordinary,) = tx.connection.execute(_VALUE, {"asked": "a"}).all()
    assert prepared._asdict() == dict(ordinary._mapping) == {"value": "one", "is_one": True}
    assert isinstance(prepared.is_one, bool)


def test_what_is_not_stored_does_not_come_back(database: Database) -> None:
    with database.write() as tx:
        rows = [{"name": "a", "value": "one"}, {"name": "b", "value": "one"}]
        assert len(_ADD.rows_of_each(tx.connection, rows)) == 2
        assert _ADD.rows_of_each(tx.connection, rows[:1]) == []
        assert _ADD.rows_of_each(tx.connection, []) == ()
        assert _FIND.first(tx.connection, {"asked": "c"}) is None


def test_a_constant_of_the_statement_is_kept(database: Database) -> None:
    with database.write() as tx:
        _ADD_OR_FAIL.run(tx.connection, [{"name": name, "value": "one"} for name in "ab"])
        _CHANGE.run(tx.connection, [{"asked": "a"}])
        assert [_FIND.first(tx.connection, {"asked": name}).value for name in "ab"] == ["two", "one"]


def test_a_list_of_any_length_and_columns_nobody_foresaw_go_through_sqlalchemy(database: Database) -> None:
    with database.write() as tx:
        _ADD_OR_FAIL.run(tx.connection, [{"name": name, "value": "one"} for name in "ab"])
        assert {row.name for row in _FIND_AMONG.rows(tx.connection, {"names": ["a", "b", "c"]})} == {"a", "b"}
        forgetful = Direct(insert(SECURITY_GROUPS).returning(SECURITY_GROUPS.c.id), columns=("id", "key"))
        group = dict.fromkeys(("created_at", "updated_at", "revision_number"), 0)
        group |= {"id": "1", "key": 2**30, "project_id": "p", "name": "n", "description": ""}
        group |= {"stateful": True, "is_default": False}
        assert forgetful.first(tx.connection, group).id == "1"


def test_a_refusal_takes_back_the_transaction_alone(database: Database) -> None:
    with database.write() as tx:
        _ADD_OR_FAIL.run(tx.connection, [{"name": "a", "value": "one"}])
    with pytest.raises(DatabaseError, match="UNIQUE constraint failed"), database.write() as tx:
        _ADD_OR_FAIL.run(tx.connection, [{"name": "b", "value": "one"}, {"name": "a", "value": "two"}])
    with database.read() as tx:
        assert _FIND.first(tx.connection, {"asked": "b"}) is None
        assert _FIND.first(tx.connection, {"asked": "a"}).value == "one"


def test_who_listens_to_statements_hears_of_prepared_ones(database: Database) -> None:
    with counted(database) as statements, database.read() as tx:
        assert _FIND.first(tx.connection, {"asked": "epoch"}) is not None
    assert len(statements) == 1
    heard = []
    with database.write() as tx:
        event.listen(tx.connection, "before_execute", lambda _connection, statement, *_: heard.append(statement))
        _ADD_OR_FAIL.run(tx.connection, [{"name": "a", "value": "one"}])
    assert len(heard) == 1


def test_the_statements_of_one_port_are_the_same_each_time() -> None:
    """What SQLAlchemy had to render anew would still be right, and cost as before: nobody would notice."""
    hot = (
        addressing._ANY_PLACE, bindings._ADVANCE, bindings._BIND, blocks._COUNT, allocations._CLAIM,
        allocations._taken_among(8), loading._FIXED_IPS_OF_ONE, port_creation._INSERT, quotas._LIMIT,
        security_groups._FIND_DEFAULT, tags._OF_ONE, transaction._NOTE, snapshot._JOURNAL_SPAN, snapshot._JOURNAL_AFTER,
        states._UPSERT_PORT_STATE, states._SHOW_STATUS, states._ADD_EVENT, states._BEFORE_ONE,
    )  # fmt: skip
    assert [one for one in hot if one._text is None] == []


def test_a_bound_port_is_made_and_shown_without_sqlalchemy(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """With one value more or less than were declared SQLAlchemy would serve, and nobody would notice either."""
    ordinary: list[str] = []
    execute = Connection.execute

    def noted(self: Connection, statement: Any, *given: Any, **options: Any) -> Any:
        ordinary.append(str(statement))
        return execute(self, statement, *given, **options)

    with database.write() as tx:
        network = a_network(tx)
        a_subnet(tx, network)
        a_host(tx, name="h")
        a_port(tx, network)
    monkeypatch.setattr(Connection, "execute", noted)
    with database.write() as tx:
        port = a_port(tx, network, host="h")
    with database.read() as tx:
        assert ports.get(tx, ADMIN, port.id) == port
    assert ordinary == []
