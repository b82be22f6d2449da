"""Which attributes does every Neutron resource have?

Neutron calls them the standard attributes (neutron-lib, ``api/attributes.py``).
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Protocol, TypeVar

from api.attributes import (
    Attribute,
    Default,
    FilterBy,
    by,
    number,
    wire_time,
)
from api.schema import INTEGER, TEXT, TIME, UUID, array
from api.validators import Refused, described, list_of, nullable, shown, text
from controller.services.query import Filter


class Named(Protocol):
    """What a record needs for id, name and owner."""

    @property
    def id(self) -> str: ...  # noqa: D102 - the names speak
    @property
    def project_id(self) -> str: ...  # noqa: D102
    @property
    def name(self) -> str: ...  # noqa: D102


class Standard(Named, Protocol):
    """What a record needs for the standard attributes."""

    @property
    def description(self) -> str: ...  # noqa: D102
    @property
    def created_at(self) -> datetime: ...  # noqa: D102
    @property
    def updated_at(self) -> datetime: ...  # noqa: D102
    @property
    def revision_number(self) -> int: ...  # noqa: D102


S = TypeVar("S")
"""What the wire form is made from."""

LONGEST_TAG = 255
OWNER = nullable(text(shortest=1))
"""Null, which Ansible sends where there is no Keystone, is the caller's project, as if nothing were said."""


def by_tags(name: str) -> FilterBy:
    """Filter by a set of tags: with commas in one value, in several values, or both; empty means none at all."""

    def filters(values: Sequence[str]) -> tuple[Filter, ...]:
        asked = {tag for value in values for tag in value.split(",") if tag}
        return (Filter(name=name, values=tuple(sorted(asked))),)

    return filters


TAG_FILTERS: Mapping[str, FilterBy] = {name: by_tags(name) for name in ("tags-any", "not-tags", "not-tags-any")}
"""What filters by tags besides the attribute ``tags`` itself."""


def identity(record: Callable[[S], Named]) -> tuple[Attribute[S], ...]:
    """Return id, name and owner."""
    return (
        Attribute(
            name="id",
            doc="Identifier, chosen by the server.",
            show=lambda view: record(view).id,
            shows=UUID,
            filter=by("id"),
            sort="id",
        ),
        Attribute(
            name="name",
            doc="Name for people; need not be unique.",
            show=lambda view: record(view).name,
            key="name",
            parse=text(),
            default="",
            post=True,
            put=True,
            filter=by("name"),
            sort="name",
        ),
        *(
            Attribute(
                name=name,
                doc=doc,
                show=lambda view: record(view).project_id,
                key="project_id",
                parse=OWNER,
                shows=TEXT,
                post=True,
                filter=by("project_id"),
                sort="project_id",
            )
            for name, doc in (
                ("project_id", "The project that owns the object."),
                ("tenant_id", "The older name of project_id."),
            )
        ),
    )


@described(array({"type": "string", "maxLength": LONGEST_TAG}, is_set=True))
def tag_list(value: object) -> object:
    """Return a list of tags, no tag twice."""
    tags = list_of(text(longest=LONGEST_TAG), what="tags")(value)
    given = tags if isinstance(tags, list) else []
    if len(set(given)) < len(given):
        raise Refused(f"Duplicate items in the list: '{shown(', '.join(given))}'")
    return given


def bookkeeping(record: Callable[[S], Standard], *, tags_in_post: bool = False) -> tuple[Attribute[S], ...]:
    """Return description, tags, times and revision.

    Tags are set under ``ID/tags``; of ports in their create request too (extension tag-ports-during-bulk-creation).
    """
    return (
        Attribute(
            name="description",
            doc="Text for people.",
            show=lambda view: record(view).description,
            key="description",
            parse=text(),
            default="",
            post=True,
            put=True,
            filter=by("description"),
            sort="description",
        ),
        Attribute(
            name="tags",
            doc="Words to find the object by, in alphabetical order; changed under ID/tags.",
            show=lambda _view: [],  # the machinery looks them up, for a whole page at once
            key="tags" if tags_in_post else None,
            parse=tag_list if tags_in_post else None,
            default=() if tags_in_post else Default.ABSENT,
            post=tags_in_post,
            filter=by_tags("tags"),
            shows=array(TEXT),
        ),
        Attribute(
            name="created_at",
            doc="When the object was created.",
            show=lambda view: wire_time(record(view).created_at),
            sort="created_at",
            shows=TIME,
        ),
        Attribute(
            name="updated_at",
            doc="When the object last changed.",
            show=lambda view: wire_time(record(view).updated_at),
            sort="updated_at",
            shows=TIME,
        ),
        Attribute(
            name="revision_number",
            doc="Grows with every change; compare with If-Match.",
            show=lambda view: record(view).revision_number,
            filter=by("revision_number", number),
            sort="revision_number",
            shows=INTEGER,
        ),
    )
