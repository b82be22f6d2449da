"""Does a statement that goes to the driver as it is do what it does through SQLAlchemy?"""

import pytest
from sqlalchemy import BigInteger, Boolean, Column, MetaData, String, Table, bindparam, select, update

from controller.errors import DatabaseError
from controller.store.database import Database
from controller.store.dialects import insert_or_update
from controller.store.prepared import Prepared

THINGS = Table(
    "things",
    MetaData(),
    Column("name", String(9), primary_key=True),
    Column("size", BigInteger),
    Column("is_red", Boolean),
)
PLAIN = Table("things", MetaData(), Column("name", String(9), primary_key=True), Column("size", BigInteger))
PUT = Prepared(insert_or_update(PLAIN, conflict=(PLAIN.c.name,)))
ADD = Prepared(THINGS.insert(), keys=("name",))
GROW = Prepared(update(PLAIN).where(PLAIN.c.name == bindparam("of")).values(size=PLAIN.c.size + 1))
LARGER = Prepared(
    select(PLAIN.c.name, PLAIN.c.size.label("how_large")).where(PLAIN.c.size > bindparam("than")).limit(5)
)


@pytest.fixture
def things(database: Database) -> Database:
    with database.write() as tx:
        THINGS.create(tx.connection)
    return database


def test_rows_are_written_changed_and_found_by_name(things: Database) -> None:
    with things.write() as tx:
        PUT.run(tx.connection, [{"name": "a", "size": 1}, {"name": "b", "size": 2}])
        PUT.run(tx.connection, [{"name": "b", "size": 7}])
        ADD.run(tx.connection, [{"name": "c"}])
        GROW.run(tx.connection, [{"of": "a"}])
        PUT.run(tx.connection, [])
    with things.read() as tx:
        assert [(row.name, row.how_large) for row in LARGER.rows(tx.connection, than=1)] == [("a", 2), ("b", 7)]
        assert LARGER.rows(tx.connection, than=99) == []


def test_what_the_database_refuses_is_wefts_own_error_and_leaves_no_trace(things: Database) -> None:
    with pytest.raises(DatabaseError, match="refused"), things.write() as tx:
        ADD.run(tx.connection, [{"name": "a"}, {"name": "a"}])
    with things.write() as tx:
        ADD.run(tx.connection, [{"name": "a"}])


def test_a_type_the_driver_knows_nothing_of_is_refused(things: Database) -> None:
    with things.read() as tx, pytest.raises(TypeError, match="texts and whole numbers"):
        Prepared(select(THINGS.c.is_red)).rows(tx.connection)
