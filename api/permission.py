"""Which attributes may a caller see and set?

The policy's table says so (``controller.policy.table``), by the names Neutron gives its rules. Actions on whole objects
are weighed by the services, which know the object.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TypeVar

from api.attributes import Attribute, Audience, Resource
from controller.caller import Caller
from controller.errors import PolicyNotAuthorized
from controller.policy.expression import Expression, holds
from controller.policy.words import Target
from controller.services.rules import Asked, authorize

R = TypeVar("R")
V = TypeVar("V")
Shown = tuple[Sequence[tuple[str, Callable[[V], object]]], Mapping[str, Expression]]
"""Attributes with what shows them, and the rules of those that depend on the object."""


def seen(resource: Resource[R, V], caller: Caller, attribute: Attribute[V]) -> Expression:
    """Return what must hold of an object so that the caller sees an attribute of it."""
    return _rule(resource, caller, "get", attribute.name, attribute.shown_to)


def shown(resource: Resource[R, V], caller: Caller, fields: Collection[str]) -> Shown[V]:
    """Return the attributes to show, and of those that depend on the object the rules; no fields means all."""
    found: list[tuple[str, Callable[[V], object]]] = []
    some: dict[str, Expression] = {}
    for attribute in resource.attributes:
        if fields and attribute.name not in fields:
            continue
        rule = seen(resource, caller, attribute)
        if rule is False:
            continue
        found.append((attribute.name, attribute.show))
        if rule is not True:
            some[attribute.name] = rule
    return found, some


def hide(caller: Caller, record: object, view: dict[str, object], some: Mapping[str, Expression]) -> None:
    """Take from a view what the caller may not see of this record; of the object, its owner is known here."""
    target = Target(project_id=getattr(record, "project_id", None))
    for name, rule in some.items():
        if not holds(rule, lambda word: target.is_true(word, caller.project_id)):
            view.pop(name, None)


def rules_of(resource: Resource[R, V], caller: Caller, names: Collection[str]) -> tuple[str, ...]:
    """Return the rules of attributes that a list is filtered or sorted by and that depend on the object."""
    return tuple(
        f"get_{resource.member}:{attribute.name}"
        for attribute in resource.attributes
        if attribute.name in names and not isinstance(seen(resource, caller, attribute), bool)
    )


def asked(
    resource: Resource[R, V], caller: Caller, action: str, given: Mapping[str, object], values: Mapping[str, object]
) -> tuple[Asked, ...]:
    """Return the rules of the attributes a request gives, if the service has to weigh any of them.

    Args:
        resource: What the request is about.
        caller: Whoever asks.
        action: create or update.
        given: The request's attributes.
        values: The same, parsed, by the names the service knows.

    Raises:
        PolicyNotAuthorized: one does not hold, and the service does not weigh them.
    """
    found: list[Asked] = []
    is_free = True
    for attribute in resource.given(given):
        if action == "create" and _is_default(attribute, values):
            continue
        rule = _rule(resource, caller, action, attribute.name, attribute.set_by)
        name = f"{action}_{resource.member}:{attribute.name}"
        if rule is True and not caller.rights.has_rule(name):
            continue
        parts = _parts(caller, name, given[attribute.name])
        found.append(Asked(rule=name, parts=parts))
        is_free = is_free and rule is True and all(caller.rights.rule(part) is True for part in parts)
    if is_free:
        return ()
    if not resource.weighs:
        made_for = values.get("project_id", caller.project_id) if action == "create" else None
        target = Target(project_id=made_for if isinstance(made_for, str) else None)
        _weigh(caller, f"{action}_{resource.member}", target, found)
        return ()
    return tuple(found)


def _weigh(caller: Caller, rule: str, target: Target, found: Sequence[Asked]) -> None:
    for one in found:
        try:
            for name in (one.rule, *one.parts):
                authorize(caller, name, target)
        except PolicyNotAuthorized:
            raise PolicyNotAuthorized(rule, *(str(other).removeprefix("rule:") for other in found)) from None


def _rule(resource: Resource[R, V], caller: Caller, action: str, attribute: str, audience: Audience) -> Expression:
    if audience is Audience.ADMIN and not caller.rights.has_rule(f"{action}_{resource.member}:{attribute}"):
        return caller.is_admin
    return caller.rights.attribute(action, resource.member, attribute)


def _is_default(attribute: Attribute[V], values: Mapping[str, object]) -> bool:
    """Say whether an attribute is given as what it would be anyway, which Neutron permits to everybody."""
    default = attribute.default
    return isinstance(default, bool | str) and attribute.key is not None and values.get(attribute.key) == default


def _parts(caller: Caller, rule: str, value: object) -> tuple[str, ...]:
    """Return the rules of the members of a list of objects, as far as there are such rules."""
    if not isinstance(value, list):
        return ()
    names = (f"{rule}:{name}" for item in value if isinstance(item, dict) for name in item)
    return tuple(name for name in names if caller.rights.has_rule(name))
