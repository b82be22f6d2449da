"""How do all containers of a flavor come to another version of it? One after the other, until one cannot."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import select

from controller.caller import Caller
from controller.containers.difference import Change
from controller.errors import WeftError
from controller.policy.words import Target
from controller.services import container_flavors, containers, listing
from controller.services.container_kinds import Kinds
from controller.services.rules import authorize
from controller.store.containers import Container, container_of
from controller.store.containers_schema import CONTAINER_FLAVORS, CONTAINERS
from controller.store.database import Database
from controller.store.transaction import Transaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Rolled:
    """A container that has the new version now."""

    id: str
    name: str
    changes: tuple[Change, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """The container that could not have it, and why."""

    id: str
    name: str
    error: WeftError


@dataclass(frozen=True, slots=True, kw_only=True)
class Roll:
    """What came of it."""

    flavor_id: str
    rolled: tuple[Rolled, ...]
    failed: Failed | None
    left: tuple[Container, ...]
    """Those that were not tried after it."""


def roll(database: Database, caller: Caller, flavor_id: str, *, kinds: Kinds) -> Roll:
    """Give this version to every container the caller sees that has another one of the same flavor.

    Each is a transaction of its own; what was done before a failure stays done. In a plan they are parts of one, so
    that it tells of all of them, and each meets what those before it did.

    Raises:
        ContainerFlavorNotFound, PolicyNotAuthorized
        NotPlannable: in a plan, when nothing can stand for addresses a service would have to be asked for.
    """
    with database.read() as tx:
        waiting = _others(tx, caller, flavor_id)

    def update(tx: Transaction, container: Container) -> Container:
        return containers.update(tx, caller, container.id, {"flavor_id": flavor_id}, kinds=kinds)

    def planned(tx: Transaction) -> Roll:
        def part(container: Container) -> Container:
            with tx.connection.begin_nested():
                return update(tx, container)

        return _in_turn(flavor_id, waiting, part)

    if database.is_planning:
        return database.carry_out(planned)
    return _in_turn(flavor_id, waiting, lambda container: database.carry_out(lambda tx: update(tx, container)))


def _in_turn(flavor_id: str, waiting: Sequence[Container], update: Callable[[Container], Container]) -> Roll:
    """Update containers until one cannot be."""
    rolled: list[Rolled] = []
    for position, container in enumerate(waiting):
        try:
            done = update(container)
        except WeftError as error:
            failed = Failed(id=container.id, name=container.name, error=error)
            return Roll(flavor_id=flavor_id, rolled=tuple(rolled), failed=failed, left=tuple(waiting[position + 1 :]))
        rolled.append(Rolled(id=container.id, name=container.name, changes=done.changes or ()))
    return Roll(flavor_id=flavor_id, rolled=tuple(rolled), failed=None, left=())


def _others(tx: Transaction, caller: Caller, flavor_id: str) -> list[Container]:
    flavor = container_flavors.get(tx, caller, flavor_id)
    authorize(caller, "roll_container_flavor", Target(project_id=flavor.project_id, shared=flavor.public))
    versions = select(CONTAINER_FLAVORS.c.id).where(
        CONTAINER_FLAVORS.c.project_id == flavor.project_id,
        CONTAINER_FLAVORS.c.name == flavor.name,
        CONTAINER_FLAVORS.c.id != flavor.id,
    )
    of_them = listing.visible(containers.RESOURCE, caller).where(CONTAINERS.c.flavor_id.in_(versions))
    rows = tx.connection.execute(of_them.order_by(CONTAINERS.c.created_at, CONTAINERS.c.id))
    return [container_of(row) for row in rows]
