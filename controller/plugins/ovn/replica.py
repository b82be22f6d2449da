"""Which rows of ours are in the northbound database, and which did somebody touch? Kept as rows come and go."""

from collections.abc import Mapping
from typing import Any

from controller.plugins.ovn.rows import (
    CHILDREN,
    COLUMNS,
    FOREIGN,
    KEY,
    OWNER,
    UNIQUE_NAMES,
    Form,
    FoundRow,
    Member,
    RowKey,
    Value,
)

Columns = Mapping[str, Any]


class Replica:
    """The northbound database as one deployment sees it; fed row by row."""

    def __init__(self, owner: str) -> None:
        """Begin with nothing; `owner` is the mark of the deployment's rows."""
        self._owner = owner
        self.uuids: dict[RowKey, str] = {}
        """One row of each key; `found` returns all."""
        self.foreign_names: set[tuple[str, str]] = set()
        self.touched: set[RowKey] = set()
        """Keys of rows that changed since this was last emptied."""
        self._rows: dict[str, tuple[str, Columns]] = {}
        self._key_of: dict[str, RowKey] = {}
        self._uuids: dict[RowKey, set[str]] = {}
        self._parents: dict[str, set[tuple[str, str]]] = {}
        """By uuid of a member: (uuid of the parent, column)."""
        self._children: dict[tuple[str, str], frozenset[str]] = {}

    def put(self, table: str, uuid: str, columns: Columns | None) -> None:
        """Take in a row as it is now; None for one that is gone."""
        if table not in COLUMNS:
            return
        self._forget(table, uuid)
        if columns is not None:
            self._rows[uuid] = (table, columns)
            marks = columns.get("external_ids", {})
            if marks.get(OWNER) == self._owner and KEY in marks:
                self._note(uuid, RowKey(marks[KEY]))
            elif table in UNIQUE_NAMES:
                self.foreign_names.add((table, columns["name"]))
        for column in CHILDREN.get(table, ()):
            self._put_children(uuid, column, frozenset(columns[column] if columns else ()))

    def found(self, key: RowKey) -> list[FoundRow]:
        """Return the rows with a key."""
        return [self._found(uuid, key) for uuid in self._uuids.get(key, ())]

    def keys(self) -> set[RowKey]:
        """Return the keys of all rows of ours."""
        return set(self._uuids)

    def _note(self, uuid: str, key: RowKey) -> None:
        self._key_of[uuid] = key
        self._uuids.setdefault(key, set()).add(uuid)
        self.uuids[key] = uuid
        self.touched.add(key)

    def _forget(self, table: str, uuid: str) -> None:
        _, old = self._rows.pop(uuid, (table, None))
        key = self._key_of.pop(uuid, None)
        if old is None:
            return
        if key is None:
            self.foreign_names.discard((table, old.get("name", "")))
            return
        self.touched.add(key)
        left = self._uuids[key]
        left.discard(uuid)
        if left:
            self.uuids[key] = min(left)
        else:
            del self._uuids[key], self.uuids[key]

    def _put_children(self, uuid: str, column: str, now: frozenset[str]) -> None:
        place = (uuid, column)
        before = self._children.pop(place, frozenset())
        if now:
            self._children[place] = now
        for child in before - now:
            self._parents[child].discard(place)
            if not self._parents[child]:
                del self._parents[child]
        for child in now - before:
            self._parents.setdefault(child, set()).add(place)
        self.touched.update(self._key_of[child] for child in before ^ now if child in self._key_of)

    def _found(self, uuid: str, key: RowKey) -> FoundRow:
        table, columns = self._rows[uuid]
        return FoundRow(
            uuid=uuid,
            table=table,
            key=key,
            columns={name: self._value(columns[name], form) for name, form in COLUMNS[table].items()},
            members=frozenset(
                Member(self._rows[parent][0], self._key_of[parent], column)
                for parent, column in self._parents.get(uuid, ())
                if parent in self._key_of
            ),
            external_ids=columns["external_ids"],
        )

    def _value(self, value: Any, form: Form) -> Value:
        match form:
            case Form.SET:
                return frozenset(value)
            case Form.REFERENCE:
                return self._key_of.get(value[0], FOREIGN) if value else None
            case Form.SCALAR | Form.MAP:
                return value  # type: ignore[no-any-return]  # plain already
