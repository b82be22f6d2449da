"""What can a caller do with the tags of an object, and how do lists ask for them? For every taggable kind alike.

Neutron extensions standard-attr-tag and tag-creation. A tag is a change of its object as a client sees it: the revision
grows and ``updated_at`` moves. It is none of what switches do: the journal is not written.
"""

import dataclasses
from collections.abc import Collection, Mapping, Sequence

from sqlalchemy import ColumnElement, Row, Table, and_, func, not_, select, true
from sqlalchemy import update as sql_update

from controller.caller import Caller
from controller.errors import PolicyNotAuthorized, TagNotFound, TagResourceNotFound
from controller.services import listing
from controller.store.tags import TAGS, add_tags, remove_tags, tags_of
from controller.store.transaction import Transaction


def conditions(table: Table) -> Mapping[str, listing.Condition]:
    """Return the filters ``tags``, ``tags-any``, ``not-tags`` and ``not-tags-any`` of a kind of object.

    Each takes a set of tags: has all of them, has any, lacks at least one, lacks every one. The empty set is that of an
    object without tags (extension empty-string-filtering).
    """
    own = TAGS.c.object_id == table.c.id

    def tagged(tags: Collection[object], at_least: int) -> ColumnElement[bool]:
        found = select(TAGS.c.object_id).where(TAGS.c.kind == table.name, TAGS.c.tag.in_(sorted(map(str, tags))))
        if at_least > 1:
            found = found.group_by(TAGS.c.object_id).having(func.count() >= at_least)
        return table.c.id.in_(found)

    def untagged() -> ColumnElement[bool]:
        return not_(listing.exists_where(own))

    def has_all(tags: tuple[object, ...]) -> ColumnElement[bool]:
        return tagged(tags, len(tags)) if tags else untagged()

    def has_any(tags: tuple[object, ...]) -> ColumnElement[bool]:
        return tagged(tags, 1) if tags else untagged()

    def lacks_one(tags: tuple[object, ...]) -> ColumnElement[bool]:
        has = [listing.exists_where(own, TAGS.c.tag == str(tag)) for tag in tags]
        return not_(and_(true(), *has)) if has else not_(untagged())

    def lacks_every(tags: tuple[object, ...]) -> ColumnElement[bool]:
        has = listing.exists_where(own, TAGS.c.tag.in_([str(tag) for tag in tags]))
        return not_(has) if tags else not_(untagged())

    return {"tags": has_all, "tags-any": has_any, "not-tags": lacks_one, "not-tags-any": lacks_every}


def get(tx: Transaction, caller: Caller, resource: listing.Resource, object_id: str) -> tuple[str, ...]:
    """Return an object's tags in alphabetical order.

    Raises:
        TagResourceNotFound: the object is not there for this caller.
        PolicyNotAuthorized: it is, without its tags.
    """
    row = _object(tx, caller, resource, object_id, "get")
    return tags_of(tx.connection, [row.id]).get(row.id, ())


def check(tx: Transaction, caller: Caller, resource: listing.Resource, object_id: str, tag: str) -> None:
    """Do nothing when the object has the tag.

    Raises:
        TagResourceNotFound: the object is not there for this caller.
        TagNotFound: it does not have the tag.
    """
    if tag not in get(tx, caller, resource, object_id):
        raise TagNotFound(tag)


def add(
    tx: Transaction,
    caller: Caller,
    resource: listing.Resource,
    object_id: str,
    tags: Sequence[str],
    *,
    is_posted: bool = False,
) -> None:
    """Give an object tags; those it has it keeps. What is posted has a rule of its own (extension tag-creation).

    Raises:
        TagResourceNotFound, PolicyNotAuthorized
    """
    row = _object(tx, caller, resource, object_id, "create" if is_posted else "update")
    missing = set(tags).difference(tags_of(tx.connection, [row.id]).get(row.id, ()))
    if missing:
        add_tags(tx, resource.table.name, {row.id: missing})
        _bump(tx, resource, row)


def replace(tx: Transaction, caller: Caller, resource: listing.Resource, object_id: str, tags: Sequence[str]) -> None:
    """Give an object exactly these tags; the same ones leave its revision alone.

    Raises:
        TagResourceNotFound, PolicyNotAuthorized
    """
    row = _object(tx, caller, resource, object_id, "update")
    _set(tx, resource, row, set(tags))


def remove_all(tx: Transaction, caller: Caller, resource: listing.Resource, object_id: str) -> None:
    """Take every tag from an object.

    Raises:
        TagResourceNotFound, PolicyNotAuthorized
    """
    _set(tx, resource, _object(tx, caller, resource, object_id, "delete"), set())


def remove(tx: Transaction, caller: Caller, resource: listing.Resource, object_id: str, tag: str) -> None:
    """Take one tag from an object.

    Raises:
        TagResourceNotFound, PolicyNotAuthorized
        TagNotFound: it does not have the tag.
    """
    row = _object(tx, caller, resource, object_id, "delete")
    if tag not in tags_of(tx.connection, [row.id]).get(row.id, ()):
        raise TagNotFound(tag)
    remove_tags(tx, row.id, [tag])
    _bump(tx, resource, row)


def _object(
    tx: Transaction, caller: Caller, resource: listing.Resource, object_id: str, action: str
) -> Row[tuple[object, ...]]:
    """Return the object whose tags are asked for, locked where they change; the rules are as Neutron names them."""
    is_change = action != "get"
    try:
        row = listing.one(tx, caller, resource, object_id, lock=is_change)
    except type(resource.not_found(object_id)) as error:
        raise TagResourceNotFound(resource.table.name, object_id) from error
    rule = f"{action}_{resource.table.name}_tags"
    try:
        listing.one(tx, caller, dataclasses.replace(resource, rule=rule), object_id)
    except type(resource.not_found(object_id)):
        raise PolicyNotAuthorized(rule) from None
    return row


def _set(tx: Transaction, resource: listing.Resource, row: Row[tuple[object, ...]], after: set[str]) -> None:
    before = set(tags_of(tx.connection, [row.id]).get(row.id, ()))
    if before != after:
        remove_tags(tx, row.id, before - after)
        add_tags(tx, resource.table.name, {row.id: after - before})
        _bump(tx, resource, row)


def _bump(tx: Transaction, resource: listing.Resource, row: Row[tuple[object, ...]]) -> None:
    table = resource.table
    tx.connection.execute(
        sql_update(table)
        .where(table.c.id == row.id)
        .values(revision_number=table.c.revision_number + 1, updated_at=tx.timestamp)
    )
