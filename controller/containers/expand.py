"""Which members does a template ask for with these values? Groups are counted out, nested containers taken in.

A member's path names it for good: ``web[2]``, and ``backend/db`` in the container ``backend``. Two expansions of one
flavor with the same values are equal, which is what differences are made of.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from controller.containers.expressions import Expression, Joined, Json, Reference, evaluate, pick, references
from controller.containers.parameters import values_of
from controller.containers.problems import Path, TemplateError, wrong
from controller.containers.template import CONTAINER, ENDPOINTS, INDEX, OUTPUTS, PARAMETERS, Declared, Template

MOST_MEMBERS = 10_000
DEEPEST = 8
"""Containers in containers."""


@dataclass(frozen=True, slots=True)
class Part:
    """A flavor as another one names it."""

    template: Template
    lookup: "Lookup"
    """Finds what it names itself."""


Lookup = Callable[[str], Part]
"""From the name of a flavor, ``name:version``, to the flavor."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One member as it should be."""

    path: str
    type: str
    properties: Mapping[str, Json]
    """Attributes as the API takes them, with references to other members."""
    where: Path = ()
    """In the template."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expansion:
    """What a container of a flavor has."""

    members: tuple[Wanted, ...]
    """Each after those it refers to."""
    outputs: Mapping[str, Json]


@dataclass(slots=True, kw_only=True)
class _Scope:
    """What expressions mean inside one template."""

    part: Part
    prefix: str
    where: Path
    values: Mapping[str, Any]
    endpoints: Mapping[str, Json]
    depth: int
    counts: dict[str, int | None] = field(default_factory=dict)
    nested: dict[str, list[Mapping[str, Json]]] = field(default_factory=dict)
    """The outputs of the containers of each name."""


def expand(template: Template, values: Mapping[str, Any], endpoints: Mapping[str, str], lookup: Lookup) -> Expansion:
    """Return the members of a container.

    Args:
        template: The flavor's.
        values: Of parameters; those not given have their default.
        endpoints: The id of what is there at each.
        lookup: Finds the flavors of nested containers; raises when there is none.

    Raises:
        TemplateError: a value does not fit, or what expressions name is not there.
    """
    members: list[Wanted] = []
    scope = _scope(Part(template, lookup), prefix="", where=(), given=values, endpoints=endpoints, depth=0)
    outputs = _expand(scope, members)
    return Expansion(members=in_order(members), outputs=outputs)


def in_order(members: Sequence[Wanted]) -> tuple[Wanted, ...]:
    """Return members so that each comes after those it needs, otherwise as they are."""
    return tuple(one for level in levels(members) for one in level)


def levels(members: Sequence[Wanted]) -> Iterator[list[Wanted]]:
    """Yield members in steps: those of a step need only those of earlier ones.

    A port needs the subnets of its network too, which it has addresses of without naming them.
    """
    by_path = {one.path: one for one in members}
    on_network = subnets_by_network(members)
    level: dict[str, int] = {}

    def level_of(one: Wanted) -> int:
        if one.path not in level:
            needed = {reference.path for reference in references(one.properties)} & by_path.keys()
            needed |= set(subnets_of(one, on_network)) - {one.path}
            level[one.path] = 1 + max((level_of(by_path[path]) for path in sorted(needed)), default=-1)
        return level[one.path]

    steps: dict[int, list[Wanted]] = {}
    for one in members:
        steps.setdefault(level_of(one), []).append(one)
    for number in sorted(steps):
        yield steps[number]


def subnets_by_network(members: Sequence[Wanted]) -> Mapping[Any, list[str]]:
    """Return the paths of subnets by what names their network."""
    found: dict[Any, list[str]] = {}
    for one in members:
        if one.type == "subnet":
            found.setdefault(_key(one.properties.get("network_id")), []).append(one.path)
    return found


def subnets_of(port: Wanted, on_network: Mapping[Any, list[str]]) -> Sequence[str]:
    """Return the paths of the subnets a port has addresses of."""
    return on_network.get(_key(port.properties.get("network_id")), ()) if port.type == "port" else ()


def _key(value: Json) -> Any:
    return value if isinstance(value, str | Reference | Joined) else None


def _scope(
    part: Part, *, prefix: str, where: Path, given: Mapping[str, Any], endpoints: Mapping[str, Json], depth: int
) -> _Scope:
    """Return what expressions mean in a template with these values."""
    template = part.template
    if depth > DEEPEST:
        raise wrong(where, f"containers are nested deeper than {DEEPEST}")
    values, problems = values_of(template.parameters, given, (*where, PARAMETERS))
    if problems:
        raise TemplateError(problems)
    for name in sorted({*template.endpoints} ^ {*endpoints}):
        said = "has to be given" if name in template.endpoints else "there is no such endpoint"
        raise wrong((*where, ENDPOINTS, name), said)
    return _Scope(part=part, prefix=prefix, where=where, values=values, endpoints=endpoints, depth=depth)


def _expand(scope: _Scope, members: list[Wanted]) -> Mapping[str, Json]:
    """Add a template's members to the list; return its outputs."""
    template, where = scope.part.template, scope.where
    for declared in template.resources.values():
        scope.counts[declared.name] = _count(scope, declared)
    for declared in template.resources.values():
        count = scope.counts[declared.name]
        for index in range(1 if count is None else count):
            _add(scope, declared, None if count is None else index, members)
            if len(members) > MOST_MEMBERS:
                raise wrong((*where, *declared.path), f"there are more than {MOST_MEMBERS} members")
    return {
        name: evaluate(value, (*where, OUTPUTS, name, "value"), lambda one, path: _meaning(scope, one, path, None))
        for name, value in template.outputs.items()
    }


def _count(scope: _Scope, declared: Declared) -> int | None:
    if declared.count is None:
        return None
    path = (*scope.where, *declared.path, "count")
    count = evaluate(declared.count, path, lambda one, at: _meaning(scope, one, at, None))
    if not isinstance(count, int) or isinstance(count, bool) or not 0 <= count <= MOST_MEMBERS:
        raise wrong(path, f"{count!r} is no number from 0 to {MOST_MEMBERS}")
    return count


def _add(scope: _Scope, declared: Declared, index: int | None, members: list[Wanted]) -> None:
    at = declared.path if index is None else (*declared.path, index)
    where = (*scope.where, *at)
    path = f"{scope.prefix}{declared.name}" + ("" if index is None else f"[{index}]")
    properties = evaluate(
        dict(declared.properties), (*where, "properties"), lambda one, place: _meaning(scope, one, place, index)
    )
    if declared.type != CONTAINER:
        members.append(Wanted(path=path, type=declared.type, properties=properties, where=where))
        return
    inner = _scope(
        scope.part.lookup(properties["flavor"]),
        prefix=f"{path}/",
        where=(*where, "properties"),
        given=properties.get(PARAMETERS, {}),
        endpoints=properties.get(ENDPOINTS, {}),
        depth=scope.depth + 1,
    )
    outputs = _expand(inner, members)
    scope.nested.setdefault(declared.name, []).append(outputs)


def _meaning(scope: _Scope, one: Expression, path: Path, index: int | None) -> Json:
    """Return what an expression stands for; the template's own check has seen that what it names is there."""
    if one.name == INDEX:
        return index
    if one.name == ENDPOINTS:
        return scope.endpoints[str(one.steps[0])]
    if one.name == PARAMETERS:
        return _inside(scope.values[str(one.steps[0])], one.steps[1:], one, path)
    count, steps = scope.counts.get(one.name), one.steps
    if count is None:
        return _of_member(scope, one, None, steps, path)
    if one.by_index:
        return _of_member(scope, one, index, steps, path)
    if steps and isinstance(steps[0], int):
        return _of_member(scope, one, steps[0], steps[1:], path)
    return [_of_member(scope, one, number, steps, path) for number in range(count)]


def _of_member(scope: _Scope, one: Expression, index: int | None, steps: tuple[str | int, ...], path: Path) -> Json:
    count = scope.counts.get(one.name)
    if count is not None and (index is None or index >= count):
        raise wrong(path, f"{one.text}: {one.name} has {count} members, and none has the index {index}")
    if scope.part.template.resources[one.name].type == CONTAINER:
        outputs = scope.nested.get(one.name, [])[index or 0]
        return _inside(outputs, steps, one, path)
    number = "" if index is None else f"[{index}]"
    return Reference(f"{scope.prefix}{one.name}{number}", steps)


def _inside(value: Json, steps: tuple[str | int, ...], one: Expression, path: Path) -> Json:
    for position, step in enumerate(steps):
        if isinstance(value, Reference):
            return Reference(value.path, (*value.steps, *steps[position:]))
        try:
            value = pick(value, (step,))
        except (KeyError, IndexError, TypeError):
            raise wrong(path, f"{one.text}: there is no {step}") from None
    return value
