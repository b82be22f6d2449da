"""How does a statement that is always the same reach SQLite without being put together anew?

For each execution SQLAlchemy looks up the text, orders the values, and makes objects of the execution, its result and
the rows: some ten times the processor time that SQLite itself needs for one row. Here all that is worked out when the
statement is declared. PostgreSQL, and whoever listens to what is executed (a plan does), is served by SQLAlchemy, which
is also who renders a statement that is another one each time, such as one with a list in it.
"""

import sqlite3
from collections import namedtuple
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import BindParameter, Connection, Delete, Insert, Select, Update
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.types import TypeEngine

from controller.errors import DatabaseError

Statement = Select[Any] | Insert | Update | Delete
Values = Mapping[str, Any]
_Convert = Callable[[Any], Any]
_DIALECT = SQLiteDialect_pysqlite()


class Direct:
    """One statement, ready for the values of its parameters."""

    __slots__ = ("_columns", "_given", "_make", "_names", "_text", "_variants")

    def __init__(self, statement: Statement | Mapping[str, Insert], *, columns: Sequence[str] = ()) -> None:
        """Work out what SQLite will be given.

        Args:
            statement: with a name for each parameter; or an insert in the words of each dialect.
            columns: of an insert, those it is given values for, each time the same.
        """
        self._variants: Mapping[str, Any] = (
            {"sqlite": statement, "postgresql": statement} if isinstance(statement, Statement) else statement
        )
        in_sqlite = self._variants["sqlite"]
        compiled: Any = in_sqlite.compile(dialect=_DIALECT, column_keys=list(columns) or None)
        is_same = not (compiled.prefetch or compiled.post_compile_params or compiled.literal_execute_params)
        self._text = str(compiled) if is_same else None
        self._given = tuple(_parameter(compiled.binds[name], name) for name in compiled.positiontup)
        self._names = frozenset(name for name, _constant, _convert in self._given if name is not None)
        returned = tuple(in_sqlite.exported_columns)
        converted = ((at, _from_sqlite(column.type)) for at, column in enumerate(returned))
        self._columns = tuple((at, convert) for at, convert in converted if convert is not None)
        self._make: _Convert = _row_type([column.key for column in returned])._make

    def rows(self, connection: Connection, values: Values) -> Sequence[Any]:
        """Run the statement and return its rows, each as much of SQLAlchemy's ``Row`` as is used here.

        Raises:
            DatabaseError: SQLite refused.
        """
        if self._text is None or values.keys() != self._names or _is_watched(connection):
            return connection.execute(self._variants[connection.dialect.name], dict(values)).all()
        found = self._run(connection, self._text, values).fetchall()
        if self._columns:
            found = [self._converted(row) for row in found]
        return [self._make(row) for row in found]

    def first(self, connection: Connection, values: Values) -> Any:
        """Run the statement and return its first row, or None; ``rows`` says what may be raised."""
        found = self.rows(connection, values)
        return found[0] if found else None

    def rows_of_each(self, connection: Connection, many: Sequence[Values]) -> Sequence[Any]:
        """Run an insert for any number of rows and return what comes back; ``rows`` says what may be raised."""
        if len(many) == 1:
            return self.rows(connection, many[0])
        if not many:
            return ()
        return connection.execute(self._variants[connection.dialect.name], many).all()

    def run(self, connection: Connection, many: Sequence[Values]) -> None:
        """Run a statement that returns nothing once for each of the values; ``rows`` says what may be raised."""
        if self._text is None or any(values.keys() != self._names for values in many) or _is_watched(connection):
            connection.execute(self._variants[connection.dialect.name], many)
        else:
            for values in many:
                self._run(connection, self._text, values)

    def _run(self, connection: Connection, statement: str, values: Values) -> sqlite3.Cursor:
        given = [
            constant if name is None else values[name] if convert is None else convert(values[name])
            for name, constant, convert in self._given
        ]
        driver = connection.connection.driver_connection
        if not isinstance(driver, sqlite3.Connection):
            raise DatabaseError("The database connection was lost.")
        try:
            return driver.execute(statement, given)
        except sqlite3.Error as error:
            raise DatabaseError(f"The database refused: {error}. Nothing was stored.") from error

    def _converted(self, row: Sequence[Any]) -> list[Any]:
        values = list(row)
        for at, convert in self._columns:
            values[at] = convert(values[at])
        return values


def _row_type(names: Sequence[str]) -> Any:
    """Return a type of rows that have what is used of SQLAlchemy's: columns as attributes, by place, and by name."""
    make_type: Any = namedtuple  # noqa: PYI024 - the fields are not known before
    return type("Row", (make_type("Row", names),), {"__slots__": (), "_mapping": property(lambda row: row._asdict())})


def _is_watched(connection: Connection) -> bool:
    """Say whether SQLAlchemy has to see what is executed: it sends it itself, or tells others of it."""
    if connection.dialect.name != "sqlite":
        return True
    return connection._has_events or connection.engine._has_events  # noqa: SLF001 - there is no public name for it


def _parameter(bind: BindParameter[Any], name: str) -> tuple[str | None, object, _Convert | None]:
    """Return a parameter's name, None for a constant; the constant; and what makes SQLite's value of what is given."""
    convert = bind.type.dialect_impl(_DIALECT).bind_processor(_DIALECT)
    if bind.required:
        return name, None, convert
    return None, bind.value if convert is None else convert(bind.value), convert


def _from_sqlite(kind: TypeEngine[Any]) -> _Convert | None:
    return kind.dialect_impl(_DIALECT).result_processor(_DIALECT, None)
