"""Which objects, fields and page does a query string ask for, and what are the links to the next pages?

Neutron API reference: filtering, column selection, sorting, pagination.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import parse_qsl, urlencode

from api import permission
from api.attributes import Resource
from api.errors import BadSortDirection, InvalidAttribute, UnevenSort, UnknownFilter, UnknownSortKey
from api.validators import Refused
from controller.caller import Caller
from controller.errors import BadRequest
from controller.services.query import Filter, Query, Sort

R = TypeVar("R")
V = TypeVar("V")

_CONTROLS = frozenset({"fields", "limit", "marker", "page_reverse", "sort_key", "sort_dir"})
_TRUE = frozenset({"true", "1", "t", "yes", "y", "on"})
_LARGEST_LIMIT = 2**31 - 1
_LIMIT_DIGITS = 18


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """A list request as asked."""

    query: Query | None
    """None when no object can match."""
    limit: int
    """0: no limit."""
    page_reverse: bool


def pairs(query_string: bytes) -> list[tuple[str, str]]:
    """Return the parameters in the order given, empty ones included.

    What no database can keep is replaced, so that it matches nothing: bytes that are no UTF-8, and NUL (PostgreSQL).
    """
    given = parse_qsl(query_string.decode("ascii", "replace"), keep_blank_values=True, errors="replace")
    return [(name, value.replace("\x00", "\ufffd")) for name, value in given]


def fields(parameters: Sequence[tuple[str, str]]) -> frozenset[str]:
    """Return the attributes asked for; empty means all."""
    return frozenset(value for name, value in parameters if name == "fields" and value)


def listing(resource: Resource[R, V], caller: Caller, parameters: Sequence[tuple[str, str]]) -> Listing:
    """Return the list request of a query string.

    Raises:
        WeftError: of kind INVALID, with Neutron's sentence.
    """
    values: dict[str, list[str]] = {}
    for name, value in parameters:
        values.setdefault(name, []).append(value)
    filters = _filters(resource, caller, values)
    sorts = _sorts(resource, caller, values.get("sort_key", []), values.get("sort_dir", []))
    limit = _limit(values.get("limit", ["0"])[-1])
    page_reverse = values.get("page_reverse", [""])[-1].lower() in _TRUE
    query = None
    if filters is not None:
        query = Query(
            filters=filters,
            sorts=sorts,
            limit=limit or None,
            marker=values.get("marker", [""])[-1] or None,
            page_reverse=page_reverse,
            rules=permission.rules_of(resource, caller, {*values, *values.get("sort_key", [])}),
        )
    return Listing(query=query, limit=limit, page_reverse=page_reverse)


def _filters(
    resource: Resource[R, V], caller: Caller, values: Mapping[str, Sequence[str]]
) -> tuple[Filter, ...] | None:
    known = dict(resource.filters)
    for attribute in resource.attributes:
        if attribute.filter is not None and permission.seen(resource, caller, attribute) is not False:
            known[attribute.name] = attribute.filter
    unknown = [name for name in values if name not in known and name not in _CONTROLS]
    if unknown:
        raise UnknownFilter(unknown)
    filters: list[Filter] = []
    impossible = False
    for name, given in values.items():
        if name in _CONTROLS:
            continue
        try:
            more = known[name](given)
        except Refused as refused:
            raise InvalidAttribute(name, refused.reason) from None
        if more is None:
            impossible = True
        else:
            filters.extend(more)
    return None if impossible else tuple(filters)


def _sorts(
    resource: Resource[R, V], caller: Caller, keys: Sequence[str], directions: Sequence[str]
) -> tuple[Sort, ...]:
    if len(keys) != len(directions):
        raise UnevenSort
    sortable = {
        attribute.name: attribute.sort
        for attribute in resource.attributes
        if attribute.sort and permission.seen(resource, caller, attribute) is not False
    }
    unknown = [key for key in keys if key not in sortable]
    if unknown:
        raise UnknownSortKey(unknown)
    bad = [direction for direction in directions if direction not in ("asc", "desc")]
    if bad:
        raise BadSortDirection(bad)
    return tuple(
        Sort(name=sortable[key], descending=direction == "desc")
        for key, direction in zip(keys, directions, strict=True)
    )


def _limit(value: str) -> int:
    if not (value.isascii() and value.isdigit()) or len(value) > _LIMIT_DIGITS:
        raise BadRequest("limit", f"Limit must be an integer 0 or greater and not '{value[: _LIMIT_DIGITS + 2]}'")
    return min(int(value), _LARGEST_LIMIT)


def links(url: str, parameters: Sequence[tuple[str, str]], listed: Listing, ids: Sequence[str]) -> list[dict[str, str]]:
    """Return the links to the next and the previous page.

    There is a link in the direction of travel while pages are full, and always one against it.
    """
    kept = [(name, value) for name, value in parameters if name not in ("marker", "page_reverse")]
    full = len(ids) >= listed.limit
    found = []
    if full or listed.page_reverse:
        marker = [("marker", ids[-1])] if ids else []
        found.append({"rel": "next", "href": f"{url}?{urlencode(kept + marker)}"})
    if full or not listed.page_reverse:
        marker = [("marker", ids[0])] if ids else []
        found.append({"rel": "previous", "href": f"{url}?{urlencode([*kept, *marker, ('page_reverse', 'True')])}"})
    return found
