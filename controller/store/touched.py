"""Which objects do the statements of a transaction touch? Watched as they go by, whatever service sends them.

An object is a row of a table with ids; a row that refers to one by a foreign key is a part of it. Nothing is told by
services: a new table is seen because it is there. What a statement does not change in the end is touched all the same,
so whoever asks compares.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, Delete, Insert, String, Table, Update, event, select, true

from controller.store.quotas import QUOTAS
from controller.store.schema import JOURNAL, METADATA

ANYTHING = ""
"""Stands for a table where a reference does not say which one it refers to: tags and shares are of objects of any
kind."""
_OBJECT = "object_id"
Links = tuple[tuple[Column[Any], str], ...]
"""Columns that hold ids, each with the table whose objects they name."""


class Touched:
    """The objects touched so far, by table."""

    def __init__(self) -> None:
        self._ids: dict[str, set[str]] = {}

    @classmethod
    def by(cls, connection: Connection) -> "Touched":
        """Watch a connection from now on."""
        touched = cls()
        event.listen(connection, "before_execute", touched._before)
        return touched

    def ids(self, table: str) -> frozenset[str]:
        """Return the ids of a table's objects that were touched, or of any table's (``ANYTHING``)."""
        return frozenset(self._ids.get(table, ()))

    def __bool__(self) -> bool:
        """Whether any was."""
        return bool(self._ids)

    def _before(
        self,
        connection: Connection,
        statement: object,
        many: Sequence[Mapping[str, Any]],
        single: Mapping[str, Any],
        _options: Mapping[str, Any],
    ) -> None:
        if not isinstance(statement, Insert | Update | Delete) or not isinstance(statement.table, Table):
            return
        links = links_of(statement.table)
        given = [dict(one) for one in many] or [dict(single)]
        if isinstance(statement, Insert | Update):
            self._given(connection, statement, links, given)
        if isinstance(statement, Update | Delete):
            where = statement.whereclause
            condition = true() if where is None else where
            for values in given:
                self._found(connection, links, condition, values)
                if isinstance(statement, Delete):
                    for inner, fallen in _fallen(statement.table, condition):
                        self._found(connection, inner, fallen, values)

    def _given(
        self, connection: Connection, statement: Insert | Update, links: Links, given: Sequence[Mapping[str, Any]]
    ) -> None:
        """Note what a statement names itself: what is new, and what an object is made a part of."""
        own = statement.compile(dialect=connection.dialect, column_keys=list(given[0])).params
        for values in given:
            for column, table in links:
                value = values.get(column.name, own.get(column.name))
                if isinstance(value, str):
                    self._ids.setdefault(table, set()).add(value)

    def _found(
        self, connection: Connection, links: Links, condition: ColumnElement[bool], values: Mapping[str, Any]
    ) -> None:
        """Note the objects of the rows that are about to be changed or deleted."""
        if not links:
            return
        for row in connection.execute(select(*(column for column, _ in links)).where(condition), dict(values)):
            for (_, table), value in zip(links, row, strict=True):
                if value is not None:
                    self._ids.setdefault(table, set()).add(value)


@cache
def links_of(table: Table) -> Links:
    """Return the columns of a table that name objects."""
    found: list[tuple[Column[Any], str]] = []
    if table is JOURNAL:
        return ()
    if table is QUOTAS:
        return ((QUOTAS.c.project_id, QUOTAS.name),)
    if "id" in table.c and isinstance(table.c.id.type, String):
        found.append((table.c.id, table.name))
    if _OBJECT in table.c:
        found.append((table.c[_OBJECT], ANYTHING))
    found.extend(
        (column, key.column.table.name)
        for column in table.columns
        for key in column.foreign_keys
        if key.column.name == "id"
    )
    return tuple(found)


def _fallen(table: Table, condition: ColumnElement[bool]) -> Iterator[tuple[Links, ColumnElement[bool]]]:
    """Yield which rows go, or lose their reference, with the rows of a table: its foreign keys say so."""
    for child, column, referred, goes in _children(table):
        fallen = column.in_(select(referred).where(condition))
        others = tuple(link for link in links_of(child) if link[0] is not column)
        if others:
            yield others, fallen
        if goes:
            yield from _fallen(child, fallen)


@cache
def _children(table: Table) -> tuple[tuple[Table, Column[Any], Column[Any], bool], ...]:
    return tuple(
        (child, column, key.column, key.ondelete == "CASCADE")
        for child in METADATA.sorted_tables
        for column in child.columns
        for key in column.foreign_keys
        if key.column.table is table and key.ondelete in {"CASCADE", "SET NULL"} and child is not table
    )
