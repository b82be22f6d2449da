"""How does a list request become one SELECT? Scope, filters, sort order and pages, for every resource alike.

Pages are found by key, not by offset: the marker's sort values are compared, so that a page costs the same at the end
of a long list as at its beginning.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Row,
    Select,
    Table,
    and_,
    bindparam,
    cast,
    false,
    func,
    not_,
    or_,
    select,
    true,
)
from sqlalchemy.types import BigInteger, Boolean, Integer

from controller.caller import Caller
from controller.errors import InvalidInput, WeftError
from controller.policy.expression import And, Expression, Not, Or, Word
from controller.services.query import Filter, Query
from controller.store.direct import Direct
from controller.store.transaction import Transaction
from controller.store.uncommon import predicate

_BEYOND_BIGINT = 1 << 63
CHANGED_SINCE = "changed_since"
"""A filter of everything that says when it changed; its value is a number of seconds."""

Condition = Callable[[tuple[object, ...]], ColumnElement[bool]]
Facts = Callable[[Caller], Mapping[str, ColumnElement[bool]]]
"""The words of the policy about an object, as conditions on its row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """What the list machinery must know of a resource."""

    rows: Select[Any]
    """Every row with what a record needs."""
    table: Table
    """The table whose rows the resource's objects are; its ``id`` names them."""
    columns: Mapping[str, ColumnElement[Any]]
    """Record attributes that may be filtered and sorted by."""
    not_found: Callable[[str], WeftError]
    conditions: Mapping[str, Condition] = field(default_factory=dict)
    """Filters that are more than a comparison of one column."""
    caller_conditions: Mapping[str, Callable[[Caller, tuple[object, ...]], ColumnElement[bool]]] = field(
        default_factory=dict
    )
    """Filters whose meaning depends on who asks."""
    rule: str
    """The rule of the policy that says which rows a caller may see; words about rows need ``facts``."""
    facts: Facts | None = None
    by_id: dict[bool, Direct] = field(init=False, repr=False, compare=False, default_factory=dict)
    """The statements that find any one row, and lock it or not; worked out when they are first needed."""


def visible(resource: Resource, caller: Caller) -> Select[Any]:
    """Return the select over the rows this caller may see."""
    return _ruled(resource.rows, resource, caller, resource.rule)


def where(rule: Expression, facts: Mapping[str, ColumnElement[bool]]) -> ColumnElement[bool]:
    """Return a rule as a condition on rows; a word that has no fact is not true of any."""
    match rule:
        case Word(name):
            return facts.get(name, false())
        case Not(of):
            return not_(where(of, facts))
        case And(parts):
            return and_(*(where(part, facts) for part in parts))
        case Or(parts):
            return or_(*(where(part, facts) for part in parts))
    return true() if rule else false()


def _ruled(statement: Select[Any], resource: Resource, caller: Caller, rule: str) -> Select[Any]:
    remaining = caller.rights.rule(rule)
    if remaining is True:
        return statement
    return statement.where(where(remaining, {} if resource.facts is None else resource.facts(caller)))


def one(tx: Transaction, caller: Caller, resource: Resource, object_id: str, *, lock: bool = False) -> Row[Any]:
    """Return one row; ``lock`` it against other writers when it is about to change (SQLite has locked everything).

    Raises:
        NetworkNotFound, SubnetNotFound, PortNotFound, HostNotFound: it does not exist for this caller.
    """
    if caller.rights.rule(resource.rule) is True:
        row: Row[Any] | None = _by_id(resource, lock=lock).first(tx.connection, {"wanted_id": object_id})
    else:
        statement = visible(resource, caller).where(resource.table.c.id == object_id)
        if lock:
            statement = statement.with_for_update(of=resource.table)
        row = tx.connection.execute(statement).first()
    if row is None:
        raise resource.not_found(object_id)
    return row


def _by_id(resource: Resource, *, lock: bool) -> Direct:
    found = resource.by_id.get(lock)
    if found is None:
        statement = resource.rows.where(resource.table.c.id == bindparam("wanted_id"))
        found = Direct(statement.with_for_update(of=resource.table) if lock else statement)
        resource.by_id[lock] = found
    return found


def many(tx: Transaction, caller: Caller, resource: Resource, query: Query) -> Sequence[Row[Any]]:
    """Return the rows of a list request, in order.

    Raises:
        NetworkNotFound, SubnetNotFound, PortNotFound, HostNotFound: the marker does not exist for this caller.
        InvalidInput: a filter or sort name is unknown.
    """
    statement = visible(resource, caller)
    for wanted in query.filters:
        statement = statement.where(_condition(resource, caller, wanted))
    for rule in query.rules:
        statement = _ruled(statement, resource, caller, rule)
    keys = _sort_keys(resource, query)
    if query.marker is not None:
        statement = statement.where(_beyond(tx, caller, resource, query.marker, keys))
    statement = statement.order_by(*(key.desc() if descending else key.asc() for key, descending in keys))
    if query.limit:
        statement = statement.limit(query.limit)
    rows = tx.connection.execute(statement).all()
    return rows[::-1] if query.page_reverse else rows


def _sort_keys(resource: Resource, query: Query) -> list[tuple[ColumnElement[Any], bool]]:
    """Return (expression, descending) pairs ending with the id, turned round for a page that ends at the marker."""
    keys = []
    for sort in query.sorts:
        column = resource.columns.get(sort.name)
        if column is None:
            raise InvalidInput(f"{sort.name} is invalid attribute for sort_keys")
        keys.append((_without_null(column), sort.descending))
    keys.append((resource.table.c.id, False))
    return [(key, descending != query.page_reverse) for key, descending in keys]


def _beyond(
    tx: Transaction,
    caller: Caller,
    resource: Resource,
    marker: str,
    keys: Sequence[tuple[ColumnElement[Any], bool]],
) -> ColumnElement[bool]:
    """Return the condition "comes after the marker" in the order of the keys."""
    at = visible(resource, caller).with_only_columns(*(key for key, _ in keys)).where(resource.table.c.id == marker)
    values = tx.connection.execute(at).first()
    if values is None:
        raise resource.not_found(marker)
    alternatives = []
    equal: list[ColumnElement[bool]] = []
    for (key, descending), value in zip(keys, values, strict=True):
        alternatives.append(and_(*equal, key < value if descending else key > value))
        equal.append(key == value)
    # What the first key alone rules out is said apart: no index helps to find what one of several conditions holds for.
    (first, descending), value = keys[0], values[0]
    return and_(first <= value if descending else first >= value, or_(*alternatives))


def _without_null(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """Sort NULL as the empty value: databases disagree on its place, and it cannot be compared with a marker."""
    if isinstance(column.type, Boolean):
        return cast(column, Integer)  # a truth value has no "less than" in SQLAlchemy
    if isinstance(column.type, Integer | BigInteger):
        return column
    if isinstance(column, Column) and not column.nullable:
        return column  # bare, an index can give the order
    return func.coalesce(column, "")


def _condition(resource: Resource, caller: Caller, wanted: Filter) -> ColumnElement[bool]:
    of_caller = resource.caller_conditions.get(wanted.name)
    if of_caller is not None:
        return of_caller(caller, wanted.values)
    special = resource.conditions.get(wanted.name)
    if special is not None:
        return special(wanted.values)
    if wanted.name == CHANGED_SINCE:
        # In a select of its own: SQLite, asked for an order by another column, would rather read the whole table.
        recent = resource.table.alias()
        return resource.table.c.id.in_(select(recent.c.id).where(recent.c.updated_at >= wanted.values[0]))
    column = resource.columns.get(wanted.name)
    if column is None:
        raise InvalidInput(f"{wanted.name} is invalid attribute for filtering")
    found = matches(column, wanted.values)
    uncommon = predicate(resource.table, wanted.name, wanted.values)
    return found if uncommon is None else and_(found, uncommon)


def matches(column: ColumnElement[Any], values: tuple[object, ...]) -> ColumnElement[bool]:
    """Return "the column equals one of the values"; None means that there is no value."""
    stored = [_stored(column, value) for value in values]
    present = [value for value in stored if value is not None]
    alternatives: list[ColumnElement[bool]] = []
    if present:
        alternatives.append(column.in_(present))
    if None in values:
        alternatives.append(column.is_(None))
    return or_(*alternatives) if alternatives else false()


def contains(column: ColumnElement[str], values: tuple[object, ...]) -> ColumnElement[bool]:
    """Return "the column contains one of the texts"."""
    return or_(*(column.contains(str(value), autoescape=True) for value in values)) if values else false()


def exists_where(*conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    """Return "there is a related row"."""
    return select(1).where(*conditions).exists()


def _stored(column: ColumnElement[Any], value: object) -> object:
    """Return the value as the column holds it, or None when it cannot be in the column."""
    if isinstance(value, datetime):
        return int(value.timestamp())
    if isinstance(column.type, Boolean):
        return value if isinstance(value, bool) else None
    if isinstance(column.type, Integer | BigInteger):
        try:
            number = int(str(value))
        except ValueError:
            return None
        return number if -_BEYOND_BIGINT <= number < _BEYOND_BIGINT else None
    return None if value is None else str(value)
