"""What does a request body ask for? From bytes to the values a service takes.

The order of the checks is Neutron's, so that a body with several faults gets the same answer: the wrapper, unknown
attributes, what may not or must be given, then each value.
"""

import json
from collections.abc import Mapping
from typing import TypeVar

from api.attributes import Action, Attribute, Resource
from api.errors import (
    InvalidAttribute,
    MalformedBody,
    MissingAttribute,
    MissingWrapper,
    NoMembers,
    NotAllowedInPost,
    ProjectMismatch,
    ProjectNotAllowed,
    ReadOnlyAttribute,
    UnknownAttributes,
)
from api.permission import asked
from api.validators import Refused
from controller.caller import Caller
from controller.services.rules import ASKED

R = TypeVar("R")
V = TypeVar("V")

_PROJECT = "project_id"
_SERVICE = "service"
"""The role that, beside admin, makes objects for other projects (neutron-lib, ``Context.can_set_project_id``)."""


def parse(content: bytes, content_type: str | None) -> Mapping[str, object]:
    """Return the JSON object of a body; an empty body is an empty object.

    A form or text content type is refused even around good JSON: a browser sends these without asking first
    (Fetch standard, "CORS-safelisted request-header"), so any web page could otherwise drive an API without tokens.

    Raises:
        MalformedBody: it is not JSON, or not an object, or of another content type.
    """
    if content_type and content_type.partition(";")[0].strip().lower() != "application/json":
        raise MalformedBody
    if not content.strip():
        return {}
    try:
        body = json.loads(content, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):  # bad UTF-8 and integers of thousands of digits are ValueErrors too
        raise MalformedBody from None
    if not isinstance(body, dict):
        raise MalformedBody
    return body


def _refuse_constant(_name: str) -> object:
    raise MalformedBody  # NaN and Infinity are no JSON (RFC 8259 section 6)


def members(resource: Resource[R, V], body: Mapping[str, object]) -> tuple[list[Mapping[str, object]], bool]:
    """Return the objects of a create request, and whether it is a bulk request.

    Raises:
        MissingWrapper, NoMembers, MalformedBody: the body does not have the shape of either.
    """
    if resource.collection not in body:
        return [member(resource, body)], False
    many = body[resource.collection]
    if not isinstance(many, list):
        raise MalformedBody
    if not many:
        raise NoMembers
    found: list[Mapping[str, object]] = []
    for item in many:
        # Neutron takes {"ports": [{"port": {...}}]} as well.
        inner = item.get(resource.member, item) if isinstance(item, dict) else None
        if not isinstance(inner, dict):
            raise MalformedBody
        found.append(inner)
    return found, True


def member(resource: Resource[R, V], body: Mapping[str, object]) -> Mapping[str, object]:
    """Return the one object of a request.

    Raises:
        MissingWrapper, MalformedBody: it is not there, or no object.
    """
    found = body.get(resource.member)
    if found is None:
        raise MissingWrapper(resource.member)
    if not isinstance(found, dict):
        raise MalformedBody
    return found


def wanted(resource: Resource[R, V], caller: Caller, given: Mapping[str, object]) -> dict[str, object]:
    """Return what a create request asks of the service, defaults filled in.

    Raises:
        WeftError: of kind INVALID or FORBIDDEN, with Neutron's sentence.
    """
    _refuse_unknown(resource, given)
    if not resource.not_in_post.isdisjoint(given) or not resource.required <= given.keys():
        raise _misplaced(resource, given)
    parsed = _parsed(resource, given)
    values = {**resource.defaults, **parsed}
    if resource.has_owner:
        if values.get(_PROJECT) is None:
            values[_PROJECT] = caller.project_id
        project_id = values[_PROJECT]
        if project_id != caller.project_id and not (caller.is_admin or _SERVICE in caller.roles):
            raise ProjectNotAllowed
    found = asked(resource, caller, "create", given, parsed)
    return values | {ASKED: found} if found else values


def changes(resource: Resource[R, V], caller: Caller, given: Mapping[str, object]) -> dict[str, object]:
    """Return what an update request asks of the service.

    Raises:
        WeftError: of kind INVALID or FORBIDDEN, with Neutron's sentence.
    """
    _refuse_unknown(resource, given)
    for attribute in resource.attributes:
        if attribute.name in given and not attribute.put:
            raise ReadOnlyAttribute(attribute.name)
    values = _parsed(resource, given)
    found = asked(resource, caller, "update", given, values)
    return values | {ASKED: found} if found else values


def arguments(action: Action, wrapper: str, given: Mapping[str, object]) -> dict[str, object]:
    """Return what the body of an action says, with or without the resource's wrapper; Neutron's have none.

    Raises:
        WeftError: of kind INVALID, with Neutron's sentence.
    """
    inner = given.get(wrapper)
    given = inner if isinstance(inner, dict) else given
    unknown = given.keys() - {argument.name for argument in action.arguments}
    if unknown:
        raise UnknownAttributes(sorted(unknown))
    values: dict[str, object] = {}
    for argument in action.arguments:
        if argument.name in given:
            try:
                values[argument.name] = argument.parse(given[argument.name])
            except Refused as refused:
                raise InvalidAttribute(argument.name, refused.reason) from None
        elif argument.required:
            raise MissingAttribute(argument.name)
    return values


def _misplaced(resource: Resource[R, V], given: Mapping[str, object]) -> NotAllowedInPost | MissingAttribute:
    """Return what is wrong with the first attribute that is given and may not be, or has to be and is not."""
    wrong = (resource.not_in_post & given.keys()) | (resource.required - given.keys())
    name = resource.given(wrong)[0].name
    return NotAllowedInPost(name) if name in given else MissingAttribute(name)


def _refuse_unknown(resource: Resource[R, V], given: Mapping[str, object]) -> None:
    unknown = given.keys() - resource.named.keys()
    if unknown:
        raise UnknownAttributes(sorted(unknown))


def _parsed(resource: Resource[R, V], given: Mapping[str, object]) -> dict[str, object]:
    values: dict[str, object] = {}
    for attribute in resource.given(given):
        value = _parse_one(attribute, given[attribute.name])
        if attribute.key is None:
            continue
        if attribute.key == _PROJECT and values.setdefault(_PROJECT, value) != value:
            raise ProjectMismatch
        values[attribute.key] = value
    return values


def _parse_one(attribute: Attribute[V], value: object) -> object:
    if attribute.parse is None:
        return value
    try:
        return attribute.parse(value)
    except Refused as refused:
        raise InvalidAttribute(attribute.name, refused.reason) from None
