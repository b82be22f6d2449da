"""What can a caller do with containers: make one of a flavor, or an empty one, change it while it runs, delete it?

All of a request is one transaction of the members' own services: quotas, policy and plug-ins hold for each, and what
fails leaves nothing behind.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import delete as sql_delete
from sqlalchemy import insert
from sqlalchemy import update as sql_update

from controller.caller import Caller
from controller.container_errors import ContainerFlavorNotFound, ContainerInUse, ContainerNotFound, InvalidTemplate
from controller.containers import template as templates
from controller.containers.difference import Change, Found, Plan, difference
from controller.containers.expand import Expansion, expand
from controller.containers.parameters import OBJECTS
from controller.containers.problems import Problem, TemplateError
from controller.containers.template import ENDPOINTS, PARAMETERS, Template
from controller.errors import InvalidInput
from controller.policy.words import Target
from controller.services import container_flavors, container_kinds, listing, visibility
from controller.services.container_changes import Work
from controller.services.container_dependents import dependents
from controller.services.container_drift import drifted
from controller.services.container_kinds import Kinds
from controller.services.query import Query
from controller.services.rules import authorize, check_revision, each
from controller.store.containers import (
    SELECT_CONTAINERS,
    Container,
    Flavor,
    container_of,
    load,
    load_flavor,
    members_of,
)
from controller.store.containers_schema import CONTAINER_FLAVORS, CONTAINERS
from controller.store.transaction import Transaction

_PLAIN_CHANGES = ("name", "description")
_OF_FLAVOR = ("flavor_id", "flavor", "parameters", "endpoints")

RESOURCE = listing.Resource(
    rows=SELECT_CONTAINERS,
    table=CONTAINERS,
    columns={column.name: column for column in CONTAINERS.columns} | {"flavor": CONTAINER_FLAVORS.c.name},
    not_found=ContainerNotFound,
    rule="get_container",
    facts=visibility.of_owned(CONTAINERS),
)


def create(tx: Transaction, caller: Caller, wanted: Mapping[str, Any], *, kinds: Kinds) -> Container:
    """Make a container with everything its flavor asks for; without a flavor, an empty one.

    Raises:
        PolicyNotAuthorized, ContainerFlavorNotFound
        InvalidInput: parameters or endpoints without a flavor, or two flavors.
        InvalidTemplate: they do not fit the flavor.
        and whatever the services of the members raise
    """
    project_id = wanted["project_id"]
    authorize(caller, "create_container", Target(project_id=project_id), wanted)
    flavor = _flavor(tx, caller, wanted, project_id)
    row = {
        "id": tx.new_id(),
        "project_id": project_id,
        "flavor_id": None if flavor is None else flavor.id,
        "parameters": "{}",
        "endpoints": "{}",
        "outputs": "{}",
        "created_at": tx.timestamp,
        "updated_at": tx.timestamp,
        "revision_number": 0,
    }
    tx.connection.execute(insert(CONTAINERS), row | {name: wanted[name] for name in _PLAIN_CHANGES})
    container = load(tx, str(row["id"]))
    given = {name: _laid_over({}, wanted.get(name)) for name in (PARAMETERS, ENDPOINTS)}
    if flavor is None:
        if given[PARAMETERS] or given[ENDPOINTS]:
            raise InvalidInput("parameters and endpoints need a flavor")
        return load(tx, container.id, ())
    values, plan = _become(tx, caller, kinds, container=container, flavor=flavor, given=given)
    tx.connection.execute(sql_update(CONTAINERS).where(CONTAINERS.c.id == container.id).values(values))
    return load(tx, container.id, plan.changes)


def create_many(
    tx: Transaction, caller: Caller, wanted: Sequence[Mapping[str, Any]], *, kinds: Kinds
) -> list[Container]:
    """Make all containers or none; ``create`` says what may be raised."""
    return each(lambda *args: create(*args, kinds=kinds), tx, caller, wanted)


def get(tx: Transaction, caller: Caller, object_id: str) -> Container:
    """Return one container.

    Raises:
        ContainerNotFound: not for this caller.
    """
    return container_of(listing.one(tx, caller, RESOURCE, object_id))


def find(tx: Transaction, caller: Caller, query: Query) -> list[Container]:
    """Return the containers a query asks for, with one statement.

    Raises:
        ContainerNotFound: the marker is no container of this caller.
        InvalidInput: a filter or sort name is unknown.
    """
    return [container_of(row) for row in listing.many(tx, caller, RESOURCE, query)]


def update(
    tx: Transaction,
    caller: Caller,
    object_id: str,
    changes: Mapping[str, Any],
    *,
    if_revision: int | None = None,
    kinds: Kinds,
) -> Container:
    """Change a container while it runs.

    Parameters and endpoints are laid over those there are; null takes one back to its default. Whatever of the flavor
    is given, even as it is, drift of the members is put right with it.

    Raises:
        ContainerNotFound, PolicyNotAuthorized, RevisionNumberConstraintFailed, ContainerFlavorNotFound
        InvalidTemplate, InvalidInput: the flavor cannot be so.
        ContainerInUse: something outside stands on a member that would go.
        and whatever the services of the members raise
    """
    old = held(tx, caller, object_id, "update_container", changes)
    check_revision(if_revision, old.revision_number)
    values: dict[str, Any] = {name: changes[name] for name in _PLAIN_CHANGES if name in changes}
    done: tuple[Change, ...] = ()
    asks = [changes[name] for name in _OF_FLAVOR if name in changes]
    if asks and (old.flavor_id is not None or any(asks)):
        flavor = _flavor(tx, caller, changes, old.project_id)
        if flavor is None:
            if old.flavor_id is None:
                raise InvalidInput("a container without a flavor has no parameters or endpoints")
            flavor = load_flavor(tx, old.flavor_id)
        given = {name: _laid_over(getattr(old, name), changes.get(name)) for name in (PARAMETERS, ENDPOINTS)}
        of_flavor, plan = _become(tx, caller, kinds, container=old, flavor=flavor, given=given)
        values |= of_flavor | {"flavor_id": flavor.id}
        done = plan.changes
    values |= {"updated_at": tx.timestamp, "revision_number": old.revision_number + 1}
    tx.connection.execute(sql_update(CONTAINERS).where(CONTAINERS.c.id == old.id).values(values))
    return load(tx, old.id, done)


def delete(tx: Transaction, caller: Caller, object_id: str, *, if_revision: int | None = None, kinds: Kinds) -> None:
    """Delete a container with all its members, also those that were added.

    Raises:
        ContainerNotFound, PolicyNotAuthorized, RevisionNumberConstraintFailed
        ContainerInUse: something outside stands on a member.
        and whatever the services of the members raise
    """
    old = held(tx, caller, object_id, "delete_container")
    check_revision(if_revision, old.revision_number)
    members = members_of(tx, old.id)
    outside = dependents(tx, members, members)
    if outside:
        raise ContainerInUse(old.name or old.id, [str(one) for one in outside])
    missing = drifted(tx, caller, kinds, members).missing
    there = [one for one in members if one.path not in missing]
    work = Work(tx, caller, kinds, container_id=old.id, project_id=old.project_id, members=there)
    work.remove(there, with_=there)
    tx.connection.execute(sql_delete(CONTAINERS).where(CONTAINERS.c.id == old.id))


def held(
    tx: Transaction, caller: Caller, object_id: str, rule: str, changes: Mapping[str, Any] | None = None
) -> Container:
    """Return a container the caller may change, kept from others until the transaction ends.

    Raises:
        ContainerNotFound, PolicyNotAuthorized
    """
    container = container_of(listing.one(tx, caller, RESOURCE, object_id, lock=True))
    authorize(caller, rule, Target(project_id=container.project_id), changes)
    return container


def _flavor(tx: Transaction, caller: Caller, given: Mapping[str, Any], project_id: str) -> Flavor | None:
    """Return the flavor a request names, by id or as ``name:version``."""
    flavor_id, text = given.get("flavor_id"), given.get("flavor")
    if flavor_id is not None and text is not None:
        raise InvalidInput("either flavor or flavor_id must be given, not both")
    if flavor_id is not None:
        flavor = container_flavors.get(tx, caller, flavor_id)
        if flavor.project_id != project_id and not flavor.public:
            raise ContainerFlavorNotFound(flavor_id)
        return flavor
    return None if text is None else container_flavors.named(tx, caller, text, project_id=project_id)


def _become(
    tx: Transaction,
    caller: Caller,
    kinds: Kinds,
    *,
    container: Container,
    flavor: Flavor,
    given: Mapping[str, Mapping[str, Any]],
) -> tuple[dict[str, Any], Plan]:
    """Make a container what a flavor asks for with these values; return what is to be stored of it."""
    try:
        template = templates.of_document(flavor.template)
        _check_objects(tx, caller, kinds, template, given)
        expansion = expand(template, given[PARAMETERS], given[ENDPOINTS], container_flavors.lookup(tx, flavor.id))
        container_kinds.check(kinds, expansion.members)
    except TemplateError as error:
        raise InvalidTemplate(str(error)) from error
    work, plan = _changed(tx, caller, kinds, container, expansion)
    outputs = {name: work.value(value) for name, value in expansion.outputs.items()}
    stored = {PARAMETERS: given[PARAMETERS], ENDPOINTS: given[ENDPOINTS], "outputs": outputs}
    return {name: json.dumps(value) for name, value in stored.items()}, plan


def _changed(
    tx: Transaction, caller: Caller, kinds: Kinds, container: Container, expansion: Expansion
) -> tuple[Work, Plan]:
    """Compare a container with what is wanted, and make it so; what somebody added stays."""
    members = members_of(tx, container.id)
    asked_for = [one for one in members if not one.added]
    drift = drifted(tx, caller, kinds, members)
    found = Found(
        members=[one.wanted for one in asked_for],
        missing=frozenset(drift.missing) & {one.path for one in asked_for},
        drifted={path: tuple(attributes) for path, attributes in drift.changed.items()},
    )
    plan = difference(found, expansion.members, container_kinds.changeable(kinds))
    there = [one for one in members if one.path not in drift.missing]
    work = Work(tx, caller, kinds, container_id=container.id, project_id=container.project_id, members=there)
    work.carry_out(container.name or container.id, expansion.members, plan, gone=sorted(found.missing))
    return work, plan


def _check_objects(
    tx: Transaction,
    caller: Caller,
    kinds: Kinds,
    template: Template,
    given: Mapping[str, Mapping[str, Any]],
) -> None:
    """Refuse ids of what the caller does not see, at endpoints and as parameters."""
    asked = [((ENDPOINTS, name), kind, given[ENDPOINTS].get(name)) for name, kind in template.endpoints.items()]
    asked += [
        ((PARAMETERS, name), one.type, given[PARAMETERS].get(name))
        for name, one in template.parameters.items()
        if one.type in OBJECTS
    ]
    problems = [
        Problem(path=path, message=f"there is no {kind} {object_id}")
        for path, kind, object_id in asked
        if object_id is not None
        and (not isinstance(object_id, str) or not kinds[kind].views(tx, caller, [object_id], ("id",)))
    ]
    if problems:
        raise TemplateError(problems)


def _laid_over(old: Mapping[str, Any], changes: Mapping[str, Any] | None) -> dict[str, Any]:
    return {name: value for name, value in {**old, **(changes or {})}.items() if value is not None}
