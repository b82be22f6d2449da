"""How is a statement run that every change of a port needs, without working out each time how?

SQLAlchemy prepares the parameters, the cursor and the result of each execution. A thread that wakes up for one port
finds none of that in the processor's caches, and it costs several times what the database does. A `Prepared` statement
is compiled once a dialect and from then on given to the driver as it is.

For texts and whole numbers only, which need no translation, and without lists (``IN``). What looks at the statements of
a transaction (`controller.store.touched`) does not see these: they belong to the controller, which plans nothing.
"""

from collections import namedtuple
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Insert, Select, Update
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeEngine

from controller.errors import DatabaseError, TransactionConflict
from controller.store.repeating import is_conflict

Statement = Select[Any] | Insert | Update


@dataclass(frozen=True, slots=True, kw_only=True)
class _Compiled:
    """A statement in the words of one driver."""

    text: str
    fixed: Mapping[str, Any]
    """Every parameter by name; those that are not given have this value."""
    order: Sequence[str] | None
    """The parameters of a driver that takes them by place."""
    row: Callable[..., Any] | None
    """Makes a row of its columns; None where nothing comes back."""

    def parameters(self, values: Mapping[str, Any]) -> Any:
        """Return the values as the driver takes them."""
        if self.order is None:
            return {**self.fixed, **values}
        fixed = self.fixed
        return [values[name] if name in values else fixed[name] for name in self.order]


class Prepared:
    """One statement, or one in the words of each dialect."""

    def __init__(self, statement: Statement | Mapping[str, Statement], *, keys: Sequence[str] | None = None) -> None:
        """Take a statement; `keys` names the columns an insert gives values to, all of them when it is None."""
        self._statement, self._keys = statement, keys
        self._compiled: dict[str, _Compiled] = {}

    def rows(self, connection: Connection, **values: Any) -> list[Any]:
        """Return what a select finds; each row has its columns as attributes.

        Raises:
            DatabaseError: the database refused.
        """
        compiled = self._for(connection.dialect)
        found = _run(connection, lambda cursor: cursor.execute(compiled.text, compiled.parameters(values)).fetchall())
        return [] if compiled.row is None else [compiled.row(*row) for row in found]

    def run(self, connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
        """Insert or change some rows.

        Raises:
            DatabaseError: the database refused.
        """
        compiled = self._for(connection.dialect)
        told = [compiled.parameters(row) for row in rows]
        if len(told) == 1:
            _run(connection, lambda cursor: cursor.execute(compiled.text, told[0]))
        elif told:
            _run(connection, lambda cursor: cursor.executemany(compiled.text, told))

    def _for(self, dialect: Dialect) -> _Compiled:
        known = self._compiled.get(dialect.name)
        if known is None:
            self._compiled[dialect.name] = known = self._compile(dialect)
        return known

    def _compile(self, dialect: Dialect) -> _Compiled:
        statement = self._statement[dialect.name] if isinstance(self._statement, Mapping) else self._statement
        compiled: Any = statement.compile(dialect=dialect, column_keys=None if self._keys is None else list(self._keys))
        columns = statement.selected_columns.items() if isinstance(statement, Select) else []
        types = [bind.type for bind in compiled.binds.values()] + [column.type for _, column in columns]
        if any(_is_translated(one.dialect_impl(dialect), dialect) for one in types):
            raise TypeError(f"only texts and whole numbers can be in a prepared statement: {compiled}")
        return _Compiled(
            text=str(compiled),
            fixed=dict(compiled.params),
            order=compiled.positiontup,
            # Made anew for each statement, which says what its columns are called.
            row=namedtuple("Row", [name for name, _ in columns]) if columns else None,  # noqa: PYI024
        )


def _is_translated(one: TypeEngine[Any], dialect: Dialect) -> bool:
    return one.bind_processor(dialect) is not None or one.result_processor(dialect, None) is not None


def _run(connection: Connection, work: Callable[[Any], Any]) -> Any:
    cursor = connection.connection.cursor()
    try:
        return work(cursor)
    except connection.dialect.loaded_dbapi.Error as error:
        kind = TransactionConflict if is_conflict(error) else DatabaseError
        raise kind(f"The database refused: {error}. Nothing was stored.") from error
    finally:
        cursor.close()
