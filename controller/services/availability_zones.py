"""Which availability zones are there, and which is a network in?

A zone exists as long as a registered host is in it (Neutron: an agent). Every host realises every network that has a
port there, so a network is available in the zones it was wanted in, or else in all of them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Boolean, Integer, and_, cast, func, select

from controller.caller import Caller
from controller.errors import AvailabilityZoneNotFound, InvalidInput
from controller.policy.words import Target
from controller.services.listing import matches
from controller.services.query import Filter
from controller.services.rules import authorize
from controller.store.agents import AGENTS, OVS_AGENT
from controller.store.schema import HOSTS
from controller.store.transaction import Transaction

_IS_ENABLED = func.max(cast(func.coalesce(AGENTS.c.admin_state_up, True), Integer))
_ZONES = (
    select(HOSTS.c.availability_zone.label("name"), cast(_IS_ENABLED, Boolean).label("is_available"))
    .select_from(HOSTS.outerjoin(AGENTS, and_(AGENTS.c.host == HOSTS.c.name, AGENTS.c.agent_type == OVS_AGENT)))
    .group_by(HOSTS.c.availability_zone)
    .order_by(HOSTS.c.availability_zone)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Zone:
    """One availability zone."""

    name: str
    is_available: bool
    """False when every host in it was disabled."""


def find(tx: Transaction, caller: Caller, filters: Sequence[Filter] = ()) -> list[Zone]:
    """Return the zones that pass filters by ``name`` and ``is_available``.

    Raises:
        PolicyNotAuthorized: the caller may not list zones.
        InvalidInput: a filter is unknown.
    """
    authorize(caller, "get_availability_zone", Target())
    statement = _ZONES
    for one in filters:
        match one.name:
            case "name":
                statement = statement.where(matches(HOSTS.c.availability_zone, one.values))
            case "is_available":
                statement = statement.having(_IS_ENABLED.in_([int(bool(value)) for value in one.values]))
            case _:
                raise InvalidInput(f"{one.name} is invalid attribute for filtering")
    return [Zone(name=row.name, is_available=bool(row.is_available)) for row in tx.connection.execute(statement)]


def names(tx: Transaction) -> tuple[str, ...]:
    """Return the names of all zones."""
    return tuple(tx.connection.scalars(select(HOSTS.c.availability_zone).distinct().order_by("availability_zone")))


def check_hints(tx: Transaction, hints: Sequence[str]) -> None:
    """Refuse hints at a zone that does not exist.

    Raises:
        AvailabilityZoneNotFound: it does not.
    """
    known = names(tx) if hints else ()
    for hint in hints:
        if hint not in known:
            raise AvailabilityZoneNotFound(hint)


def of_network(hints: Sequence[str], known: Sequence[str]) -> tuple[str, ...]:
    """Return the zones a network is available in, of those that exist."""
    return tuple(zone for zone in known if not hints or zone in hints)


STATES: Mapping[bool, str] = {True: "available", False: "unavailable"}
"""Neutron's words for the state of a zone."""
