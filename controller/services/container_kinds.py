"""What may a member of a container be, and how is it made, changed, looked at and removed?

The types are the API's resources, so that what a template says of a port is what a request for one says; the API hands
them in (``api.resources.container_kinds``), because only it knows their attributes.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from controller.caller import Caller
from controller.containers.difference import Changeable
from controller.containers.expand import Wanted
from controller.containers.expressions import references
from controller.containers.problems import Problem, TemplateError
from controller.store.transaction import Transaction

NETWORK, SUBNET, PORT, VNIC = "network", "subnet", "port", "vnic"
GROUP, RULE = "security_group", "security_group_rule"
TYPES = (NETWORK, GROUP, SUBNET, RULE, PORT, VNIC)
PLUG = "port_id"
"""The attribute of a vNIC that is not set but plugged."""

Views = Mapping[str, Mapping[str, Any]]
"""Objects as the API shows them, by id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One type of member."""

    changeable: Changeable
    required: frozenset[str]
    """Attributes a new one must be given."""
    shown: frozenset[str]
    """Attributes that expressions may name."""
    refusal: Callable[[str, Any], str]
    """Why an attribute cannot be given to a new one, or not with a value; empty when it can."""
    has: Callable[[str], str]
    """The same of the attribute alone."""
    wanted: Callable[[Caller, Mapping[str, Any]], Mapping[str, Any]]
    """From attributes on the wire to what the service takes, for a new object."""
    changes: Callable[[Caller, Mapping[str, Any], Collection[str]], Mapping[str, Any]]
    """The same for changes; the names last go back to their defaults."""
    create_many: Callable[[Transaction, Caller, Sequence[Mapping[str, Any]]], Sequence[Any]]
    update: Callable[[Transaction, Caller, str, Mapping[str, Any]], object]
    delete: Callable[[Transaction, Caller, str], None]
    views: Callable[[Transaction, Caller, Sequence[str], Collection[str]], Views]
    """Those of the objects the caller may see, with these attributes."""


Kinds = Mapping[str, Kind]


def changeable(kinds: Kinds) -> dict[str, Changeable]:
    """Return what can change of each type."""
    return {name: kind.changeable for name, kind in kinds.items()}


def check(kinds: Kinds, members: Sequence[Wanted]) -> None:
    """Refuse members that no object can be, before anything is made; references are taken to be right.

    Raises:
        TemplateError: with every problem found.
    """
    problems = [problem for one in members for problem in _problems(kinds[one.type], one)]
    if problems:
        raise TemplateError(problems)


def given(one: Wanted) -> dict[str, Any]:
    """Return a member's attributes with what they say without saying it: the version of a prefix."""
    properties = dict(one.properties)
    cidr = properties.get("cidr")
    if one.type == SUBNET and "ip_version" not in properties and isinstance(cidr, str):
        properties["ip_version"] = 6 if ":" in cidr else 4
    return properties


def _problems(kind: Kind, one: Wanted) -> list[Problem]:
    properties = given(one)
    path = (*one.where, "properties")
    problems = []
    for name, value in properties.items():
        is_open = next(references(value), None) is not None
        fault = kind.has(name) if is_open else kind.refusal(name, value)
        if fault:
            problems.append(Problem(path=(*path, name), message=fault))
    problems += [Problem(path=path, message=f"{name} must be given") for name in sorted(kind.required - {*properties})]
    return problems
