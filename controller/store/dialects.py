"""How does one statement say "insert unless it is there" to each supported database?

SQLite and PostgreSQL have the same words for it, SQLAlchemy has a class for each. Statements are built once, at
import, so that a use case pays for none of it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Column, Connection, Insert, Row, Table, TextClause
from sqlalchemy.dialects import postgresql, sqlite


def insert_or_ignore(
    table: Table,
    *,
    conflict: Sequence[Column[Any]] | None = None,
    where: TextClause | None = None,
    returning: Sequence[Column[Any]] = (),
) -> Mapping[str, Insert]:
    """Return an insert that leaves out rows which break a unique constraint.

    ``conflict`` and ``where`` name the constraint or partial index; without them any will do. With ``returning``, the
    rows that were stored come back.
    """
    in_sqlite = sqlite.insert(table).on_conflict_do_nothing(index_elements=conflict, index_where=where)
    in_postgresql = postgresql.insert(table).on_conflict_do_nothing(index_elements=conflict, index_where=where)
    return _both(in_sqlite, in_postgresql, returning)


def insert_or_update(
    table: Table,
    *,
    conflict: Sequence[Column[Any]],
    update: Mapping[str, Any] | None = None,
    returning: Sequence[Column[Any]] = (),
) -> Mapping[str, Insert]:
    """Return an insert that changes the row already there; by default to the values that were to be inserted."""
    one, other = sqlite.insert(table), postgresql.insert(table)
    names = [column.name for column in table.columns if column not in set(conflict)]
    in_sqlite = one.on_conflict_do_update(
        index_elements=conflict, set_=update or {name: one.excluded[name] for name in names}
    )
    in_postgresql = other.on_conflict_do_update(
        index_elements=conflict, set_=update or {name: other.excluded[name] for name in names}
    )
    return _both(in_sqlite, in_postgresql, returning)


def insert_all(connection: Connection, statement: Insert, rows: Sequence[Mapping[str, Any]]) -> Sequence[Row[Any]]:
    """Run an insert that returns something for any number of rows, and return what came back."""
    if not rows:
        return ()
    # One row alone is half as dear when SQLAlchemy is not told that there could be more.
    return connection.execute(statement, rows if len(rows) > 1 else rows[0]).all()


def _both(in_sqlite: Insert, in_postgresql: Insert, returning: Sequence[Column[Any]]) -> Mapping[str, Insert]:
    if not returning:
        return {"sqlite": in_sqlite, "postgresql": in_postgresql}
    return {"sqlite": in_sqlite.returning(*returning), "postgresql": in_postgresql.returning(*returning)}
