"""Which attributes does every Neutron resource have?

Neutron calls them the standard attributes (neutron-lib, ``api/attributes.py``).
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Protocol, TypeVar

from api.attributes import (
    Attribute,
    FilterBy,
    by,
    by_emptiness,
    by_lacking,
    number,
    wire_time,
)
from api.schema import INTEGER, TEXT, TIME, UUID, array
from api.validators import text


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

TAG_FILTERS: Mapping[str, FilterBy] = {
    "tags-any": by_emptiness,
    "not-tags": by_lacking,
    "not-tags-any": by_lacking,
}
"""No object has a tag yet, and these answer accordingly."""


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
                parse=text(shortest=1),
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


def bookkeeping(record: Callable[[S], Standard]) -> tuple[Attribute[S], ...]:
    """Return description, tags, times and revision."""
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
            name="tags", doc="Tags; none can be set yet.", show=lambda _view: [], filter=by_emptiness, shows=array(TEXT)
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
