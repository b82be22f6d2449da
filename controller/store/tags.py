"""Which tags has an object? One table for every kind of object.

An object's tags go with it: a trigger on each table of taggable objects removes them, so that what a foreign key
removes (the subnets of a network) leaves none behind either. The migrations make the triggers.
"""

from collections.abc import Collection, Mapping, Sequence

from sqlalchemy import Column, Connection, Index, String, Table, bindparam, delete, insert, select

from controller.store.direct import Direct
from controller.store.loading import in_chunks
from controller.store.schema import METADATA, NAME_LENGTH, UUID_LENGTH
from controller.store.transaction import Transaction

TAGS = Table(
    "tags",
    METADATA,
    Column("object_id", String(UUID_LENGTH), primary_key=True),
    Column("tag", String(NAME_LENGTH), primary_key=True),
    Column("kind", String(32), nullable=False),
)
"""``kind`` is the name of the table the object is a row of."""
Index("ix_tags_kind_tag_object_id", TAGS.c.kind, TAGS.c.tag, TAGS.c.object_id)

_OF_OBJECTS = (
    select(TAGS.c.object_id, TAGS.c.tag)
    .where(TAGS.c.object_id.in_(bindparam("ids", expanding=True)))
    .order_by(TAGS.c.object_id, TAGS.c.tag)
)
_OF_ONE = Direct(select(TAGS.c.tag).where(TAGS.c.object_id == bindparam("of_object")).order_by(TAGS.c.tag))
_REMOVE = delete(TAGS).where(
    TAGS.c.object_id == bindparam("of_object"), TAGS.c.tag.in_(bindparam("gone", expanding=True))
)


def tags_of(connection: Connection, ids: Sequence[str]) -> Mapping[str, tuple[str, ...]]:
    """Return the tags of those objects that have any, in alphabetical order."""
    if len(ids) == 1:
        tags = tuple(row.tag for row in _OF_ONE.rows(connection, {"of_object": ids[0]}))
        return {ids[0]: tags} if tags else {}
    found: dict[str, list[str]] = {}
    for chunk in in_chunks(ids):
        for row in connection.execute(_OF_OBJECTS, {"ids": list(chunk)}):
            found.setdefault(row.object_id, []).append(row.tag)
    return {object_id: tuple(all_of) for object_id, all_of in found.items()}


def add_tags(tx: Transaction, kind: str, tags: Mapping[str, Collection[str]]) -> None:
    """Give objects of one kind tags they do not have yet."""
    rows = [{"object_id": object_id, "kind": kind, "tag": tag} for object_id, all_of in tags.items() for tag in all_of]
    if rows:
        tx.connection.execute(insert(TAGS), rows)


def remove_tags(tx: Transaction, object_id: str, tags: Collection[str]) -> None:
    """Take tags from an object."""
    if tags:
        tx.connection.execute(_REMOVE, {"of_object": object_id, "gone": sorted(tags)})
