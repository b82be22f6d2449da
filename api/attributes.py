"""What is an attribute of a resource, and what is a resource?

One ``Resource`` with its tuple of ``Attribute`` declares everything the API knows about a collection: validation,
defaults, visibility, filtering, sorting and the wire form all follow from it. Verbs live in ``api.machinery``.
"""

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from typing import Generic, TypeVar

from api.schema import Schema
from api.validators import Parse, Refused, boolean, integer, ip_address, mac_address, schema_of
from controller.caller import Caller
from controller.errors import InvalidInput
from controller.services.listing import CHANGED_SINCE
from controller.services.listing import Resource as ListingResource
from controller.services.query import Filter, Query
from controller.store.database import Database, Transaction

R = TypeVar("R")
"""The record a service returns."""
_TO_SECONDS = len("2026-11-21T09:51:15")
_EPOCH = datetime.fromtimestamp(0, UTC)
V = TypeVar("V")
"""What the wire form is made from: the record, or the record with what belongs to it."""


class Audience(Enum):
    """Who sees, or may set, an attribute of which the policy's table says nothing."""

    EVERYBODY = "everybody"
    ADMIN = "admin"

    def includes(self, caller: Caller) -> bool:
        """Say whether the caller belongs to the audience."""
        return self is Audience.EVERYBODY or caller.is_admin


class Default(Enum):
    """What an attribute that is not given means, when that is not simply a value."""

    REQUIRED = "required"
    ABSENT = "absent"
    """The service does not hear of the attribute; as what is shown: the answer does not have it."""


FilterBy = Callable[[Sequence[str]], tuple[Filter, ...] | None]
"""From the values of a query parameter to filters; None when no stored object can match."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute(Generic[V]):
    """One attribute on the wire."""

    name: str
    doc: str
    show: Callable[[V], object]
    key: str | None = None
    """The name the service knows it by; None for what is checked but not stored."""
    parse: Parse | None = None
    default: object = Default.ABSENT
    post: bool = False
    put: bool = False
    shown_to: Audience = Audience.EVERYBODY
    set_by: Audience = Audience.EVERYBODY
    filter: FilterBy | None = None
    sort: str | None = None
    """The record attribute to sort by; None when the attribute is not sortable."""
    shows: Schema | None = None
    """What is shown; None when it is what ``parse`` takes."""

    @property
    def takes(self) -> Schema:
        """What a body may give, as a JSON schema."""
        return schema_of(self.parse)

    @property
    def shown_as(self) -> Schema:
        """What an answer has, as a JSON schema."""
        return self.takes if self.shows is None else self.shows


@dataclass(frozen=True, slots=True, kw_only=True)
class Service(Generic[R]):
    """The use cases of a resource, the functions of one module of ``controller.services``; None: there is none."""

    create: Callable[[Transaction, Caller, Mapping[str, object]], R] | None = None
    create_many: Callable[[Transaction, Caller, Sequence[Mapping[str, object]]], Sequence[R]] | None = None
    get: Callable[[Transaction, Caller, str], R]
    find: Callable[[Transaction, Caller, Query], Sequence[R]]
    update: Callable[..., R] | None = None
    """(tx, caller, id, changes, *, if_revision)."""
    delete: Callable[..., None] | None = None
    """(tx, caller, id, *, if_revision, **the resource's delete options)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Argument:
    """One value in the body of an action."""

    name: str
    doc: str
    parse: Parse
    required: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """What can be done to one object besides changing its attributes: ``PUT /v2.0/<collection>/<id>/<name>``."""

    name: str
    doc: str
    arguments: tuple[Argument, ...]
    perform: Callable[[Transaction, Caller, str, Mapping[str, object]], object]
    """The use case, given the arguments by name; those not required may be missing."""
    show: Callable[[object], object] | None = None
    """The answer's body, made from what ``perform`` returns; None when that is the object, shown as ever."""
    is_record: bool = False
    """``perform`` returns the very record to show, which says more than one that is read again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource(Generic[R, V]):
    """One collection under ``/v2.0``."""

    collection: str
    member: str
    doc: str
    service: Service[R]
    attributes: tuple[Attribute[V], ...]
    look: Callable[[Transaction, Caller, Sequence[R]], Sequence[V]]
    """Fetch, for a whole page of records at once, what their wire form needs besides them."""
    identify: Callable[[R], str]
    """The value ``marker`` takes."""
    extra_filters: Mapping[str, FilterBy] = field(default_factory=dict)
    """Query parameters that filter but are no attributes."""
    actions: tuple[Action, ...] = ()
    delete_options: tuple[str, ...] = ()
    """Boolean query parameters of DELETE, handed to the service as keywords."""
    weighs: bool = False
    """The service itself decides rules of attributes that depend on the object (``controller.services.rules.ASKED``);
    else they are refused unless the caller's project makes the object."""
    tagged: ListingResource | None = None
    """What the services list, where its objects have tags."""
    before_list: Callable[[Database, Caller, Query], None] | None = None
    """Makes what has to be there before the first look."""
    defaults: Mapping[str, object] = field(init=False, repr=False, compare=False)
    """What the service is told of attributes that are not given, by the names it knows; worked out once."""
    required: frozenset[str] = field(init=False, repr=False, compare=False)
    """The names of attributes a create request has to give."""
    not_in_post: frozenset[str] = field(init=False, repr=False, compare=False)
    """The names of attributes a create request may not give."""
    has_owner: bool = field(init=False, repr=False, compare=False)
    """Whether its objects belong to projects, and a create request may say to which."""
    named: Mapping[str, tuple[int, Attribute[V]]] = field(init=False, repr=False, compare=False)
    """The attributes by name, each with its place among them."""

    def __post_init__(self) -> None:
        """Work out what every request would have to."""
        usual = (one for one in self.attributes if one.key is not None and not isinstance(one.default, Default))
        tables = {
            "defaults": {one.key: one.default for one in usual},
            "required": frozenset(one.name for one in self.attributes if one.default is Default.REQUIRED),
            "not_in_post": frozenset(one.name for one in self.attributes if not one.post),
            "has_owner": any(one.key == "project_id" for one in self.attributes),
            "named": {one.name: (place, one) for place, one in enumerate(self.attributes)},
        }
        for name, table in tables.items():
            object.__setattr__(self, name, table)  # as dataclasses do it themselves where they are frozen

    def given(self, names: Collection[str]) -> list[Attribute[V]]:
        """Return the attributes of these names, all of them known, in the order they are declared."""
        places = sorted(self.named[name][0] for name in names)
        return [self.attributes[place] for place in places]

    @property
    def filters(self) -> Mapping[str, FilterBy]:
        """Query parameters that filter but are no attributes; by time wherever objects say when they changed."""
        is_timed = any(one.name == "updated_at" for one in self.attributes)
        return {**self.extra_filters, **({CHANGED_SINCE: _changed_since} if is_timed else {})}

    @property
    def path(self) -> str:
        """The collection's name in URLs, which have hyphens where bodies have underscores."""
        return self.collection.replace("_", "-")


def itself(_tx: Transaction, _caller: Caller, records: Sequence[R]) -> Sequence[R]:
    """Return the records as they are: their wire form needs nothing else."""
    return records


def wire_time(at: datetime | None) -> str | None:
    """Return a time as Neutron writes it: UTC, whole seconds, ``Z``."""
    if at is None:
        return None
    if at.tzinfo is UTC:  # as nearly all are, and a list has two of each object
        return f"{at.isoformat()[:_TO_SECONDS]}Z"
    if at.tzinfo is not None:
        at = at.astimezone(UTC).replace(tzinfo=None)
    return at.isoformat(timespec="seconds") + "Z"


def by(name: str, convert: Callable[[str], object] = str) -> FilterBy:
    """Filter by the record attribute ``name``; several values mean "one of them"."""

    def filters(values: Sequence[str]) -> tuple[Filter, ...]:
        return (Filter(name=name, values=tuple(convert(value) for value in values)),)

    return filters


def by_constant(constant: str | bool | None) -> FilterBy:
    """Filter by an attribute that has one value in every object."""

    def filters(values: Sequence[str]) -> tuple[Filter, ...] | None:
        if isinstance(constant, bool):
            return () if any(boolean(value) is constant for value in values) else None
        return () if (constant or "") in values else None

    return filters


def _changed_since(values: Sequence[str]) -> tuple[Filter, ...]:
    """Filter by when objects last changed; of several times the first counts (Neutron, standard-attr-timestamp)."""
    try:
        at = datetime.fromisoformat(values[0])
    except ValueError:
        raise InvalidInput(f"The input {CHANGED_SINCE} must be in the following format: YYYY-MM-DDTHH:MM:SSZ") from None
    since = (at if at.tzinfo is not None else at.replace(tzinfo=UTC)) - _EPOCH
    return (Filter(name=CHANGED_SINCE, values=(math.ceil(since.total_seconds()),)),)


def flag(value: str) -> object:
    """Return a filter value for a boolean."""
    return boolean(value)


def number(value: str) -> object:
    """Return a filter value for an integer; empty means unset (alias empty-string-filtering)."""
    return None if value == "" else integer()(value)


def optional(value: str) -> object:
    """Return a filter value for text that may be unset; empty means unset."""
    return value or None


def canonical(rule: Parse) -> Callable[[str], object]:
    """Return a filter value in the canonical form; what is not valid is compared as given, and matches nothing."""

    def convert(value: str) -> object:
        if not value:
            return None
        try:
            return rule(value)
        except (Refused, InvalidInput):
            return value

    return convert


mac = canonical(mac_address)
ip = canonical(ip_address)
