"""What can a caller do with the catalog of container flavors?

A flavor's versions are numbered by the server and never change, but for what is said about them. What a template names
without a version is the newest there is when the flavor is made, and stays that one.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Integer, cast, func, insert, select
from sqlalchemy import delete as sql_delete
from sqlalchemy import update as sql_update

from controller.caller import Caller
from controller.container_errors import ContainerFlavorInUse, ContainerFlavorNotFound, InvalidTemplate
from controller.containers import template as templates
from controller.containers.expand import Lookup, Part, Wanted, expand
from controller.containers.expressions import expressions
from controller.containers.problems import Problem, TemplateError
from controller.containers.source import located
from controller.containers.template import CONTAINER, Declared, Template
from controller.errors import InvalidInput
from controller.policy.words import Target
from controller.services import container_kinds, listing
from controller.services.container_kinds import Kinds
from controller.services.query import Query
from controller.services.rules import authorize, check_revision, each
from controller.store.containers import SELECT_FLAVORS, Flavor, flavor_of, load_flavor, parts_of
from controller.store.containers_schema import CONTAINER_FLAVOR_PARTS, CONTAINER_FLAVORS, CONTAINERS
from controller.store.transaction import Transaction

_PLAIN_CHANGES = ("description", "public")

RESOURCE = listing.Resource(
    rows=SELECT_FLAVORS,
    table=CONTAINER_FLAVORS,
    columns={column.name: column for column in CONTAINER_FLAVORS.columns},
    not_found=ContainerFlavorNotFound,
    rule="get_container_flavor",
    facts=lambda caller: {
        "owner": CONTAINER_FLAVORS.c.project_id == caller.project_id,
        "shared": CONTAINER_FLAVORS.c.public,
    },
)


def create(tx: Transaction, caller: Caller, wanted: Mapping[str, Any], *, kinds: Kinds) -> Flavor:
    """Add a flavor, or the next version of one.

    Raises:
        PolicyNotAuthorized
        InvalidInput: the template is given twice, or not at all.
        InvalidTemplate: it is none, or asks for what cannot be.
        ContainerFlavorNotFound: it names another flavor that is not there.
    """
    project_id, name = wanted["project_id"], wanted["name"]
    authorize(caller, "create_container_flavor", Target(project_id=project_id), wanted)
    source, document = wanted.get("template_yaml"), wanted.get("template")
    if (source is None) == (document is None):
        raise InvalidInput("either template or template_yaml must be given")
    template, parts = _checked(tx, caller, document if source is None else source, kinds)
    newest = select(func.max(CONTAINER_FLAVORS.c.version)).where(
        CONTAINER_FLAVORS.c.project_id == project_id, CONTAINER_FLAVORS.c.name == name
    )
    row = {
        "id": tx.new_id(),
        "project_id": project_id,
        "name": name,
        "version": (tx.connection.scalar(newest) or 0) + 1,
        "template": json.dumps(_pinned(template, parts)),
        "template_yaml": source,
        "created_at": tx.timestamp,
        "updated_at": tx.timestamp,
        "revision_number": 0,
    }
    row["description"] = wanted["description"] or template.description
    row["public"] = wanted["public"]
    tx.connection.execute(insert(CONTAINER_FLAVORS), row)
    if parts:
        rows = [
            {"flavor_id": row["id"], "name": pinned, "part_id": part.id}
            for pinned, part in {f"{part.name}:{part.version}": part for part in parts.values()}.items()
        ]
        tx.connection.execute(insert(CONTAINER_FLAVOR_PARTS), rows)
    return load_flavor(tx, str(row["id"]))


def create_many(tx: Transaction, caller: Caller, wanted: Sequence[Mapping[str, Any]], *, kinds: Kinds) -> list[Flavor]:
    """Add all flavors or none; ``create`` says what may be raised."""
    return each(lambda *args: create(*args, kinds=kinds), tx, caller, wanted)


def get(tx: Transaction, caller: Caller, object_id: str) -> Flavor:
    """Return one flavor.

    Raises:
        ContainerFlavorNotFound: not for this caller.
    """
    return flavor_of(listing.one(tx, caller, RESOURCE, object_id))


def find(tx: Transaction, caller: Caller, query: Query) -> list[Flavor]:
    """Return the flavors a query asks for, with one statement.

    Raises:
        ContainerFlavorNotFound: the marker is no flavor of this caller.
        InvalidInput: a filter or sort name is unknown.
    """
    return [flavor_of(row) for row in listing.many(tx, caller, RESOURCE, query)]


def named(tx: Transaction, caller: Caller, text: str, *, project_id: str) -> Flavor:
    """Return a flavor by ``name`` or ``name:version``: the project's own, else a public one; the newest.

    Raises:
        ContainerFlavorNotFound: there is none for this caller.
    """
    name, _, version = text.partition(":")
    found = listing.visible(RESOURCE, caller).where(CONTAINER_FLAVORS.c.name == name)
    if version:
        found = found.where(CONTAINER_FLAVORS.c.version == (int(version) if version.isdecimal() else 0))
    own = cast(CONTAINER_FLAVORS.c.project_id == project_id, Integer)
    reachable = (CONTAINER_FLAVORS.c.project_id == project_id) | CONTAINER_FLAVORS.c.public
    row = tx.connection.execute(
        found.where(reachable).order_by(own.desc(), CONTAINER_FLAVORS.c.version.desc()).limit(1)
    ).first()
    if row is None:
        raise ContainerFlavorNotFound(text)
    return flavor_of(row)


def update(
    tx: Transaction, caller: Caller, object_id: str, changes: Mapping[str, Any], *, if_revision: int | None = None
) -> Flavor:
    """Change what is said of a flavor, and for whom it is.

    Raises:
        ContainerFlavorNotFound, PolicyNotAuthorized, RevisionNumberConstraintFailed
    """
    old = flavor_of(listing.one(tx, caller, RESOURCE, object_id, lock=True))
    authorize(caller, "update_container_flavor", Target(project_id=old.project_id, shared=old.public), changes)
    check_revision(if_revision, old.revision_number)
    values = {name: changes[name] for name in _PLAIN_CHANGES if name in changes}
    if all(getattr(old, name) == value for name, value in values.items()):
        return old
    values |= {"updated_at": tx.timestamp, "revision_number": old.revision_number + 1}
    tx.connection.execute(sql_update(CONTAINER_FLAVORS).where(CONTAINER_FLAVORS.c.id == old.id).values(values))
    return load_flavor(tx, old.id)


def delete(tx: Transaction, caller: Caller, object_id: str, *, if_revision: int | None = None) -> None:
    """Take a version of a flavor from the catalog.

    Raises:
        ContainerFlavorNotFound, PolicyNotAuthorized, RevisionNumberConstraintFailed
        ContainerFlavorInUse: there are containers of it, or flavors that contain it.
    """
    old = flavor_of(listing.one(tx, caller, RESOURCE, object_id, lock=True))
    authorize(caller, "delete_container_flavor", Target(project_id=old.project_id, shared=old.public))
    check_revision(if_revision, old.revision_number)
    users = [
        f"container {row.name or row.id} ({row.id}) of project {row.project_id}"
        for row in tx.connection.execute(select(CONTAINERS).where(CONTAINERS.c.flavor_id == old.id).limit(50))
    ]
    parents = select(CONTAINER_FLAVORS).join(
        CONTAINER_FLAVOR_PARTS, CONTAINER_FLAVOR_PARTS.c.flavor_id == CONTAINER_FLAVORS.c.id
    )
    users += [
        f"container flavor {row.name}:{row.version} ({row.id})"
        for row in tx.connection.execute(parents.where(CONTAINER_FLAVOR_PARTS.c.part_id == old.id).limit(50))
    ]
    if users:
        raise ContainerFlavorInUse(f"{old.name}:{old.version}", users)
    tx.connection.execute(sql_delete(CONTAINER_FLAVORS).where(CONTAINER_FLAVORS.c.id == old.id))


def lookup(tx: Transaction, flavor_id: str) -> Lookup:
    """Return what finds the flavors that a flavor's template names; they were found when it was made."""
    parts = parts_of(tx, flavor_id)

    def find_part(name: str) -> Part:
        part = load_flavor(tx, parts[name])
        return Part(templates.of_document(part.template), lookup(tx, part.id))

    return find_part


def _checked(tx: Transaction, caller: Caller, given: Any, kinds: Kinds) -> tuple[Template, dict[str, Flavor]]:
    """Return a template and the flavors it names, by the names it has for them."""
    try:
        template = templates.read(given) if isinstance(given, str) else templates.of_document(given)
        _check_attributes(template, kinds)
        parts = {
            str(one.properties["flavor"]): _part(tx, caller, one)
            for one in template.resources.values()
            if one.type == CONTAINER
        }
        _rehearse(tx, template, parts, kinds)
    except TemplateError as error:
        raise InvalidTemplate(str(error)) from error
    return template, parts


def _part(tx: Transaction, caller: Caller, declared: Declared) -> Flavor:
    try:
        return named(tx, caller, str(declared.properties["flavor"]), project_id=caller.project_id)
    except ContainerFlavorNotFound as error:
        path = (*declared.path, "properties", "flavor")
        raise TemplateError([Problem(path=path, message=str(error))]) from error


def _check_attributes(template: Template, kinds: Kinds) -> None:
    problems = [problem for one in template.resources.values() for problem in _attribute_problems(one, kinds)]
    problems += [
        Problem(
            path=place, message=f"{text}: a {kind} has no {attribute}; it has {', '.join(sorted(kinds[kind].shown))}"
        )
        for place, text, kind, attribute in templates.attributes_named(template)
        if attribute not in kinds[kind].shown
    ]
    if problems:
        raise TemplateError([located(problem, template.places) for problem in problems])


def _attribute_problems(declared: Declared, kinds: Kinds) -> list[Problem]:
    """Return what is wrong with attributes as far as they depend on nothing."""
    if declared.type == CONTAINER:
        return []
    path = (*declared.path, "properties")
    found = []
    one = Wanted(path=declared.name, type=declared.type, properties=declared.properties)
    properties = container_kinds.given(one)
    kind = kinds[declared.type]
    for name, value in properties.items():
        is_open = next(expressions(value, (*path, name)), None) is not None
        fault = kind.has(name) if is_open else kind.refusal(name, value)
        if fault:
            found.append(Problem(path=(*path, name), message=fault))
    found += [Problem(path=path, message=f"{name} must be given") for name in sorted(kind.required - {*properties})]
    return found


def _rehearse(tx: Transaction, template: Template, parts: Mapping[str, Flavor], kinds: Kinds) -> None:
    """Expand a template whose parameters all have defaults: what is wrong then will always be."""
    if any(parameter.is_required for parameter in template.parameters.values()):
        return

    def find_part(name: str) -> Part:
        part = parts[name]
        return Part(templates.of_document(part.template), lookup(tx, part.id))

    nowhere = dict.fromkeys(template.endpoints, "00000000-0000-0000-0000-000000000000")
    try:
        container_kinds.check(kinds, expand(template, {}, nowhere, find_part).members)
    except TemplateError as error:
        raise TemplateError([located(problem, template.places) for problem in error.problems]) from None


def _pinned(template: Template, parts: Mapping[str, Flavor]) -> Mapping[str, Any]:
    """Return the template with the versions of the flavors it names."""
    if not parts:
        return template.document
    document: dict[str, Any] = json.loads(json.dumps(template.document))
    for one in template.resources.values():
        if one.type == CONTAINER:
            part = parts[str(one.properties["flavor"])]
            document["resources"][one.name]["properties"]["flavor"] = f"{part.name}:{part.version}"
    return document
