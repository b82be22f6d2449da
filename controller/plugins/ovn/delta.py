"""What must be written so that rows of ours become what is wanted? The least, as operations of RFC 7047 section 5.2.

Only rows with the deployment's mark are given here, so only those can be changed. What others put into a set column of
ours stays: members are added and removed one by one, a set is never written whole.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from controller.plugins.ovn.rows import (
    COLUMNS,
    DEFAULTS,
    GARBAGE_COLLECTED,
    KEY,
    MARK,
    OWNER,
    UNIQUE_NAMES,
    Form,
    FoundRow,
    Row,
    RowKey,
    Value,
    value_of,
)

Operation = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One transaction."""

    operations: tuple[Operation, ...]
    blocked: Mapping[RowKey, str]
    """Rows that cannot be written, and why: one sentence each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What a plan must know beyond the rows it is about."""

    owner: str
    """The deployment's mark."""
    uuids: Mapping[RowKey, str]
    """Of every row of ours that is there."""
    foreign_names: Collection[tuple[str, str]]
    """(table, name) of rows that are not ours, where names must be unique."""


def diff(
    keys: Iterable[RowKey], desired: Mapping[RowKey, Row], found: Mapping[RowKey, Collection[FoundRow]], place: Place
) -> Plan:
    """Return what makes the rows of some keys as desired.

    Args:
        keys: which rows to look at.
        desired: what is wanted of them, and of whatever they refer to.
        found: what is there of them; more than one row of a key is one too many.
        place: what else is there.
    """
    return _Diff(sorted(set(keys)), desired, found, place).plan()


class _Diff:
    def __init__(
        self,
        keys: list[RowKey],
        desired: Mapping[RowKey, Row],
        found: Mapping[RowKey, Collection[FoundRow]],
        place: Place,
    ) -> None:
        self._desired, self._place = desired, place
        self._blocked: dict[RowKey, str] = {}
        self._kept: dict[RowKey, FoundRow] = {}
        self._surplus: list[FoundRow] = []
        for key in keys:
            rows = sorted(found.get(key, ()), key=lambda row: row.uuid)
            wanted = desired.get(key)
            for row in rows:
                is_kept = wanted is not None and row.table == wanted.table and key not in self._kept
                if is_kept:
                    self._kept[key] = row
                else:
                    self._surplus.append(row)
        self._new = {key for key in keys if key in desired and key not in self._kept}
        for key in sorted(self._new):
            table, name = desired[key].table, str(desired[key].columns.get("name", ""))
            if table in UNIQUE_NAMES and (table, name) in place.foreign_names:
                self._blocked[key] = f"{table} {name} is there and is not Weft's: remove or rename it"
        self._new -= self._blocked.keys()
        self._gone = {row.uuid for row in self._surplus if row.table not in GARBAGE_COLLECTED}

    def plan(self) -> Plan:
        operations = [self._insert(self._desired[key]) for key in sorted(self._new)]
        for key, row in sorted(self._kept.items()):
            operations.extend(self._update(self._desired[key], row))
        operations.extend(self._memberships())
        operations.extend(
            {"op": "delete", "table": row.table, "where": _where(row.uuid)}
            for row in self._surplus
            if row.table not in GARBAGE_COLLECTED
        )
        return Plan(operations=tuple(operations), blocked=self._blocked)

    def _insert(self, row: Row) -> Operation:
        forms = COLUMNS[row.table]
        columns = {
            column: self._wire(value, forms[column])
            for column, value in sorted(row.columns.items())
            if value != DEFAULTS[forms[column]]
        }
        columns["external_ids"] = _map(_marks(row, self._place.owner))
        return {"op": "insert", "table": row.table, "uuid-name": _name(row.key), "row": columns}

    def _update(self, row: Row, found: FoundRow) -> Iterator[Operation]:
        columns: dict[str, Any] = {}
        for column, form in COLUMNS[row.table].items():
            wanted = value_of(row.columns, column, form)
            if wanted != value_of(found.columns, column, form):
                columns[column] = self._wire(wanted, form)
        marks = _marks(row, self._place.owner)
        ours = {key: value for key, value in found.external_ids.items() if key.startswith(MARK)}
        if ours != marks:
            others = {key: value for key, value in found.external_ids.items() if not key.startswith(MARK)}
            columns["external_ids"] = _map(others | marks)
        if columns:
            yield {"op": "update", "table": row.table, "where": _where(found.uuid), "row": columns}

    def _memberships(self) -> Iterator[Operation]:
        """Yield what takes members out of columns and puts them in, one operation for each parent."""
        changes: dict[tuple[str, RowKey, str, str], list[Any]] = {}
        for key in [*sorted(self._new), *sorted(self._kept)]:
            wanted = self._desired[key].members
            row = self._kept.get(key)
            has = row.members if row is not None else frozenset()
            for member in wanted - has:
                changes.setdefault((member.table, member.parent, member.column, "insert"), []).append(
                    self._reference(key)
                )
            for member in has - wanted:
                changes.setdefault((member.table, member.parent, member.column, "delete"), []).append(
                    self._reference(key)
                )
        for row in self._surplus:
            for member in row.members:
                changes.setdefault((member.table, member.parent, member.column, "delete"), []).append(
                    ["uuid", row.uuid]
                )
        for (table, parent, column, mutator), references in sorted(changes.items(), key=lambda item: item[0]):
            where = self._parent(parent)
            if where is not None:
                mutation = [column, mutator, ["set", references]]
                yield {"op": "mutate", "table": table, "where": where, "mutations": [mutation]}

    def _parent(self, key: RowKey) -> list[Any] | None:
        """Return the condition that finds a parent; None for one that goes, or is not there."""
        if key in self._new:
            return [["_uuid", "==", ["named-uuid", _name(key)]]]
        uuid = self._kept[key].uuid if key in self._kept else self._place.uuids.get(key)
        return None if uuid is None or uuid in self._gone else _where(uuid)

    def _reference(self, key: RowKey) -> list[str] | None:
        if key in self._new:
            return ["named-uuid", _name(key)]
        uuid = self._kept[key].uuid if key in self._kept else self._place.uuids.get(key)
        return None if uuid is None or uuid in self._gone else ["uuid", uuid]

    def _wire(self, value: Value, form: Form) -> Any:
        if form is Form.REFERENCE:
            reference = None if value is None else self._reference(RowKey(str(value)))
            return ["set", []] if reference is None else reference
        if isinstance(value, Mapping):
            return _map(value)
        if isinstance(value, frozenset):
            return ["set", sorted(value, key=str)]
        return value


def _marks(row: Row, owner: str) -> dict[str, str]:
    marks = {f"{MARK}{key}": value for key, value in row.external_ids.items()}
    return marks | {OWNER: owner, KEY: str(row.key)}


def _map(value: Mapping[str, str]) -> list[Any]:
    return ["map", [[key, value[key]] for key in sorted(value)]]


def _where(uuid: str) -> list[Any]:
    return [["_uuid", "==", ["uuid", uuid]]]


def _name(key: RowKey) -> str:
    """Return a row's name within its transaction: an identifier (RFC 7047 section 3.1)."""
    return "row_" + "".join(letter if letter.isalnum() else "_" for letter in key)
