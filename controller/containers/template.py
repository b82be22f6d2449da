"""What does a template say, and is it right as far as it can be known without any value?

Checked are its form (``template.schema.json``, shipped beside this module), every expression, what expressions name,
cycles among resources, and the defaults of parameters. What attributes resources have is the API's to say.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from jsonschema import Draft202012Validator

from controller.containers import parameters, source
from controller.containers.expressions import Expression, expressions
from controller.containers.parameters import Parameter
from controller.containers.problems import Path, Problem, TemplateError, dotted

PARAMETERS, ENDPOINTS, RESOURCES, OUTPUTS, INDEX = "parameters", "endpoints", "resources", "outputs", "index"
CONTAINER = "container"


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """One resource of a template, or a group of equal ones."""

    name: str
    type: str
    count: Any = None
    """None: one; else how many, or the expression that says so."""
    properties: Mapping[str, Any]

    @property
    def path(self) -> Path:
        """Where it stands."""
        return (RESOURCES, self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A template that has been checked."""

    description: str
    parameters: Mapping[str, Parameter]
    endpoints: Mapping[str, str]
    """The type of each."""
    resources: Mapping[str, Declared]
    """In an order in which each comes after those it names."""
    outputs: Mapping[str, Any]
    document: Mapping[str, Any]
    places: source.Places
    """Of the values in the text it was read from."""


@cache
def schema() -> Mapping[str, Any]:
    """Return the JSON Schema of templates."""
    found: Mapping[str, Any] = json.loads(files(__package__).joinpath("template.schema.json").read_text("utf-8"))
    return found


def read(text: str) -> Template:
    """Return the template a YAML or JSON text says.

    Raises:
        TemplateError: it says none, with every reason found and its line.
    """
    document, places = source.read(text)
    try:
        return of_document(document, places)
    except TemplateError as error:
        raise TemplateError([source.located(problem, places) for problem in error.problems]) from None


def of_document(document: Any, places: source.Places | None = None) -> Template:
    """Return the template a document is.

    Raises:
        TemplateError: it is none, with every reason found.
    """
    if source.is_deep(document):
        raise TemplateError([Problem(path=(), message=f"deeper than {source.DEEPEST} levels")])
    problems = [_of_schema(error) for error in sorted(_validator().iter_errors(document), key=_order)]
    if problems:
        raise TemplateError(problems)
    template = Template(
        description=document.get("description", ""),
        parameters={name: parameters.declared(one) for name, one in document.get(PARAMETERS, {}).items()},
        endpoints={name: one["type"] for name, one in document.get(ENDPOINTS, {}).items()},
        resources={name: _declared(name, one) for name, one in document.get(RESOURCES, {}).items()},
        outputs={name: one["value"] for name, one in document.get(OUTPUTS, {}).items()},
        document=document,
        places=places or {},
    )
    found = list(_problems(template))
    if found:
        raise TemplateError(found)
    return Template(
        description=template.description,
        parameters=template.parameters,
        endpoints=template.endpoints,
        resources=_ordered(template),
        outputs=template.outputs,
        document=document,
        places=template.places,
    )


@cache
def _validator() -> Draft202012Validator:
    return Draft202012Validator(schema())


def _order(error: Any) -> str:
    return dotted(tuple(error.absolute_path))


def _of_schema(error: Any) -> Problem:
    path: Path = tuple(error.absolute_path)
    if error.validator == "additionalProperties":
        allowed = ", ".join(error.schema.get("properties", {}))
        return Problem(path=path, message=f"{error.message.partition(' (')[2].rstrip(')')}; there are: {allowed}")
    if error.validator == "anyOf":
        return Problem(path=path, message=f"{error.instance!r} is neither a number nor an expression")
    if "propertyNames" in error.absolute_schema_path:
        return Problem(path=(*path, str(error.instance)), message="is no name, or one that is taken")
    return Problem(path=path, message=error.message)


def attributes_named(template: Template) -> Iterator[tuple[Path, str, str, str]]:
    """Yield every attribute of a member that an expression names: where, in which words, the type, the attribute."""
    for value, path, _declared_by in _values(template):
        for place, expression in expressions(value, path):
            target = template.resources.get(expression.name)
            words = [step for step in expression.steps if isinstance(step, str)]
            if target is not None and target.type != CONTAINER and words:
                yield place, expression.text, target.type, words[0]


def _declared(name: str, document: Mapping[str, Any]) -> Declared:
    return Declared(
        name=name, type=document["type"], count=document.get("count"), properties=document.get("properties", {})
    )


def _problems(template: Template) -> Iterator[Problem]:
    for name, parameter in template.parameters.items():
        yield from parameters.check_declaration(parameter, (PARAMETERS, name))
    for value, path, declared in _values(template):
        try:
            for place, expression in expressions(value, path):
                fault = _fault(template, expression, declared, is_count=place[-1] == "count")
                if fault:
                    yield Problem(path=place, message=f"{expression.text}: {fault}")
        except TemplateError as error:
            yield from error.problems


def _values(template: Template) -> Iterator[tuple[Any, Path, Declared | None]]:
    """Yield what expressions may be in, where, and of which resource."""
    for declared in template.resources.values():
        yield dict(declared.properties), (*declared.path, "properties"), declared
        yield declared.count, (*declared.path, "count"), None
    for name, value in template.outputs.items():
        yield value, (OUTPUTS, name, "value"), None


def _fault(template: Template, expression: Expression, declared: Declared | None, *, is_count: bool) -> str:
    """Return what is wrong with what an expression names; empty when nothing is."""
    name, steps = expression.name, expression.steps
    is_counted = declared is not None and declared.count is not None
    if is_count and not (name == PARAMETERS and steps and _type_of(template, str(steps[0])) == "integer"):
        return "a count is a number or a parameter of type integer"
    if name == INDEX:
        return "" if is_counted and not steps else "there is an index only where a resource has a count"
    if expression.by_index and not is_counted:
        return "there is an index only where a resource has a count"
    if name in (PARAMETERS, ENDPOINTS):
        of: Mapping[str, Any] = template.parameters if name == PARAMETERS else template.endpoints
        if expression.by_index or not steps or steps[0] not in of:
            return f"there is no such one among the {name}: {', '.join(of) or 'there are none'}"
        return "" if name == PARAMETERS or len(steps) == 1 else "an endpoint is an id and has no attributes"
    target = template.resources.get(name)
    if target is None:
        return f"there is no resource of this name; there are: {', '.join(template.resources)}"
    is_one_of = expression.by_index or (bool(steps) and isinstance(steps[0], int))
    if is_one_of and target.count is None:
        return f"{name} has no count, so it is one and has no members"
    if target.type == CONTAINER and len([step for step in steps if isinstance(step, str)]) == 0:
        return f"of the container {name} an output must be named: ${{{name}.OUTPUT}}"
    return ""


def _type_of(template: Template, name: str) -> str:
    parameter = template.parameters.get(name)
    return "" if parameter is None else parameter.type


def _ordered(template: Template) -> dict[str, Declared]:
    """Return the resources so that each comes after those it names."""
    needs = {
        name: {
            one.name
            for _path, one in expressions(dict(declared.properties), (*declared.path, "properties"))
            if one.name in template.resources
        }
        for name, declared in template.resources.items()
    }
    ordered: dict[str, Declared] = {}
    while len(ordered) < len(needs):
        ready = [name for name in needs if name not in ordered and needs[name] <= ordered.keys()]
        if not ready:
            circle = _circle({name: of - ordered.keys() for name, of in needs.items() if name not in ordered})
            raise TemplateError([Problem(path=(RESOURCES, circle[0]), message=f"a cycle: {' -> '.join(circle)}")])
        ordered |= {name: template.resources[name] for name in ready}
    return ordered


def _circle(needs: Mapping[str, set[str]]) -> list[str]:
    """Return one way round, when every resource waits for another."""
    way = [min(needs)]
    while True:
        following = min(needs[way[-1]])
        if following in way:
            return [*way[way.index(following) :], following]
        way.append(following)
