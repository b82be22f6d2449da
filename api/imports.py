"""How do objects of another Neutron, or of a file, come into this one with their ids? ``POST /v2.0/imports``.

Each object is given as an answer of the API shows it. All of them are stored in one transaction or none is, and what is
wrong is said of every one at once. What is there already under its id and says the same stays as it is, so that an
import can be repeated.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from flask import Flask, Response
from sqlalchemy import delete, select

from api import body
from api.attributes import Attribute, Default, Resource
from api.auth import Auth
from api.machinery import admit, read_body
from api.operations import Operation
from api.resources.address_groups import ADDRESS_GROUP
from api.resources.address_scopes import ADDRESS_SCOPE
from api.resources.ip_reservations import IP_RESERVATION, time_of
from api.resources.networks import NETWORK
from api.resources.ports import PORT
from api.resources.security_group_rules import SECURITY_GROUP_RULE
from api.resources.security_groups import SECURITY_GROUP
from api.resources.subnetpools import SUBNETPOOL
from api.resources.subnets import SUBNET
from api.schema import INTEGER, TEXT, array, record
from api.validators import Refused
from api.wire import API_ROOT, answer
from controller.caller import Caller
from controller.errors import InvalidInput, Kind, WeftError
from controller.ipam_drivers.hand import AsksFirst, Question
from controller.policy.words import Target
from controller.services import security_groups, subnets
from controller.services.addressing import is_automatic
from controller.services.rules import authorize
from controller.store.database import Database, Transaction
from controller.store.schema import SECURITY_GROUP_RULES, SECURITY_GROUPS, SUBNETS
from controller.store.tags import add_tags, tags_of

_PATH = f"{API_ROOT}/imports"
TYPES: Mapping[str, Resource[Any, Any]] = {
    resource.member: resource
    for resource in (
        ADDRESS_SCOPE,
        SUBNETPOOL,
        ADDRESS_GROUP,
        SECURITY_GROUP,
        SECURITY_GROUP_RULE,
        NETWORK,
        SUBNET,
        IP_RESERVATION,  # before ports, so that those that leave the choice of an address to Weft get another one
        PORT,
    )
}
"""In the order in which they refer to each other."""
_MOST_SAID = 200
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_MEANS_NONE = frozenset({"gateway_ip"})
"""Null says something: nothing else that is null is more than not given."""
_OWN_WORK = frozenset({"network:dhcp"})
"""Ports of agents whose work Weft does without a port."""
_OF_OTHERS = frozenset({"status", "subnets", "tenant_id", "security_group_rules", "standard_attr_id"})
"""Made anew here, or said by another object."""
_COUNTS = record(dict.fromkeys(TYPES, INTEGER), required=())
OPERATIONS = (
    Operation(
        method="POST",
        path=_PATH,
        name="import_objects",
        doc="Store objects with their ids as another Neutron shows them: all, or none and what is wrong with each.",
        status=201,
        body=record({"import": {"type": "object"}}),
        answer=record(
            {
                "import": record(
                    {"created": _COUNTS, "unchanged": _COUNTS, "left_out": array(TEXT), "ignored": array(TEXT)}
                )
            }
        ),
    ),
)


class ImportRefused(WeftError):  # noqa: N818 - as in controller.errors
    """Some objects cannot be stored as they are; nothing was."""

    kind = Kind.CONFLICT

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        said = "\n".join(problems[:_MOST_SAID])
        more = f"\nand {len(problems) - _MOST_SAID} more" if len(problems) > _MOST_SAID else ""
        super().__init__(f"{len(problems)} object(s) cannot be imported; nothing was stored:\n{said}{more}")


class _Planned(Exception):  # noqa: N818 - no error: it takes back what was done to see what would become of it
    """The end of an import that is only planned."""


@dataclass(slots=True, kw_only=True)
class _Outcome:
    created: dict[str, int] = field(default_factory=dict)
    unchanged: dict[str, int] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
    ignored: dict[str, None] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    @property
    def wire(self) -> dict[str, object]:
        return {
            "created": self.created,
            "unchanged": self.unchanged,
            "left_out": self.left_out,
            "ignored": list(self.ignored),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class _Given:
    type: str
    where: str
    attributes: Mapping[str, Any]

    def __str__(self) -> str:
        named = self.attributes.get("name") or self.attributes.get("id") or ""
        named = f"{self.type} {named}".rstrip()
        return self.where if named == self.where else f"{self.where}: {named}"


class Imports:
    """The path."""

    def __init__(self, *, database: Database, auth: Auth) -> None:
        self._database, self._auth = database, auth

    def register(self, app: Flask) -> None:
        """Add the route."""
        app.add_url_rule(
            _PATH, endpoint=_PATH, view_func=self.store, methods=("POST",), provide_automatic_options=False
        )

    def store(self) -> Response:
        """Store all that is given."""
        caller = admit(self._auth)
        authorize(caller, "create_import", Target())
        asked = read_body().get("import")
        if not isinstance(asked, dict) or not isinstance(asked.get("objects"), list):
            raise InvalidInput('the body must be {"import": {"objects": [...], "plan": false}}')
        given = [_given(position, one) for position, one in enumerate(asked["objects"])]
        outcome = _Outcome()

        def work(tx: Transaction) -> None:
            nonlocal outcome
            outcome = _Outcome()
            _store_all(tx, caller, given, outcome)
            if outcome.problems:
                raise ImportRefused(outcome.problems)
            if asked.get("plan") is True:
                raise _Planned

        try:
            self._database.carry_out(work)
        except _Planned:
            return answer(200, {"import": outcome.wire})
        return answer(201, {"import": outcome.wire})


def _given(position: int, one: object) -> _Given:
    where = f"object {position + 1}"
    if not isinstance(one, dict) or not isinstance(one.get("attributes"), dict):
        raise InvalidInput(f"{where} is no object with type and attributes")
    where = str(one.get("where") or where)
    if str(one.get("type")) not in TYPES:
        raise InvalidInput(f"{where}: there is no type {one.get('type')!r}; there are {', '.join(TYPES)}")
    attributes = one["attributes"]
    tags = attributes.get("tags") or []
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        raise InvalidInput(f"{where}: tags must be a list of texts")
    if attributes.get("id") is not None and not _UUID.fullmatch(str(attributes["id"])):
        raise InvalidInput(f"{where}: {attributes['id']!r} is no UUID; leave id out to have one made")
    return _Given(type=str(one["type"]), where=where, attributes=attributes)


def _store_all(tx: Transaction, caller: Caller, given: Sequence[_Given], outcome: _Outcome) -> None:
    questions: list[Question] = []
    for kind, resource in TYPES.items():
        of_kind = [one for one in given if one.type == kind]
        if resource is SECURITY_GROUP:  # any other group of a project makes its default group
            of_kind.sort(key=lambda one: one.attributes.get("name") != security_groups.DEFAULT_NAME)
        for one in of_kind:
            if why := _needless(tx, resource, one):
                outcome.left_out.append(f"{one}: {why}")
                continue
            try:
                with tx.connection.begin_nested():
                    is_new = _store(tx, caller, resource, one, outcome)
            except AsksFirst as needed:  # the others are asked for at the same time
                questions += needed.questions
            except WeftError as error:
                outcome.problems.append(f"{one}: {error}")
            else:
                counts = outcome.created if is_new else outcome.unchanged
                counts[kind] = counts.get(kind, 0) + 1
    if questions:
        raise AsksFirst(*questions)


def _needless(tx: Transaction, resource: Resource[Any, Any], one: _Given) -> str:
    """Return why an object need not be stored; empty when it must be."""
    if resource is PORT and str(one.attributes.get("device_owner")) in _OWN_WORK:
        return "Weft itself does what the port is for"
    if resource is IP_RESERVATION and isinstance(end := one.attributes.get("expires_at"), str):
        with suppress(Refused):  # what is no time is refused with the rest of its attributes
            if time_of(end) <= tx.now:
                return "its time is over"
    return ""


def _store(tx: Transaction, caller: Caller, resource: Resource[Any, Any], one: _Given, outcome: _Outcome) -> bool:
    """Store one object; say whether it is new.

    Raises:
        WeftError: it cannot be stored as it is.
    """
    wire = _settable(resource, one, outcome)
    if resource is PORT:
        wire = _with_own_addresses(tx, wire)
    object_id = one.attributes.get("id")
    found = None if object_id is None else _found(tx, caller, resource, str(object_id))
    if found is not None:
        different = _differences(tx, caller, resource, found, given=one.attributes, wire=wire)
        if different:
            raise InvalidInput(
                f"it is there already and differs in {', '.join(different)}; make them equal, or delete it here first"
            )
        return False
    create = resource.service.create
    if create is None:
        raise InvalidInput(f"{resource.member} cannot be created")
    if resource is SECURITY_GROUP and wire.get("name") == security_groups.DEFAULT_NAME:
        made: Any = _default_group(tx, caller, wire, object_id)
    else:
        wanted = body.wanted(resource, caller, wire)
        if resource in (SECURITY_GROUP, PORT):
            security_groups.ensure_default(tx, str(wanted["project_id"]))
        with _named(tx, object_id):
            made = create(tx, caller, wanted)
    _complete(tx, caller, resource, one, made)
    return True


def _complete(tx: Transaction, caller: Caller, resource: Resource[Any, Any], one: _Given, made: Any) -> None:
    """Give a new object what a request for one cannot say, and take from it what was not given."""
    if resource is SUBNET and one.attributes.get("allocation_pools") == []:
        subnets.update(tx, caller, made.id, {"allocation_pools": ()})  # without pools a new one gets the usual ones
    if resource is SECURITY_GROUP:  # its rules are objects of their own
        tx.connection.execute(delete(SECURITY_GROUP_RULES).where(SECURITY_GROUP_RULES.c.security_group_id == made.id))
    tags = one.attributes.get("tags") or ()
    if tags and resource.tagged is not None and resource is not PORT:
        add_tags(tx, resource.tagged.table.name, {made.id: tags})
    if resource is PORT:
        _check_addresses(made, one.attributes)


def _settable(resource: Resource[Any, Any], one: _Given, outcome: _Outcome) -> dict[str, Any]:
    """Return what a create request may say of what was given."""
    by_name: dict[str, Attribute[Any]] = {attribute.name: attribute for attribute in resource.attributes}
    wire = {}
    for name, value in one.attributes.items():
        attribute = by_name.get(name)
        if name in _OF_OTHERS:
            continue
        if attribute is None:
            if value not in (None, "", [], {}, False):
                outcome.ignored[f"{resource.member}.{name}"] = None
        elif attribute.post and (value is not None or name in _MEANS_NONE):
            wire[name] = value
    if resource is SUBNET and wire.get("cidr"):
        wire.pop("prefixlen", None)
    return wire


def _with_own_addresses(tx: Transaction, wire: Mapping[str, Any]) -> dict[str, Any]:
    """Ask for no address that a host makes itself: it is given anyway, and compared afterwards."""
    fixed_ips = wire.get("fixed_ips")
    if not isinstance(fixed_ips, list):
        return dict(wire)
    ids = {str(one.get("subnet_id")) for one in fixed_ips if isinstance(one, dict)}
    rows = tx.connection.execute(
        select(SUBNETS.c.id, SUBNETS.c.ipv6_ra_mode, SUBNETS.c.ipv6_address_mode).where(SUBNETS.c.id.in_(ids))
    )
    automatic = {row.id for row in rows if is_automatic(row.ipv6_ra_mode, row.ipv6_address_mode)}
    kept = [
        {"subnet_id": one["subnet_id"]} if isinstance(one, dict) and str(one.get("subnet_id")) in automatic else one
        for one in fixed_ips
    ]
    return {**wire, "fixed_ips": kept}


def _found(tx: Transaction, caller: Caller, resource: Resource[Any, Any], object_id: str) -> object | None:
    try:
        found: object = resource.service.get(tx, caller, object_id)
    except WeftError as error:
        if error.kind is Kind.NOT_FOUND:
            return None
        raise
    return found


def _differences(
    tx: Transaction,
    caller: Caller,
    resource: Resource[Any, Any],
    found: object,
    *,
    given: Mapping[str, Any],
    wire: Mapping[str, Any],
) -> list[str]:
    """Return the names of attributes that are not as given."""
    (view,) = resource.look(tx, caller, [found])
    different = []
    for attribute in resource.attributes:
        if attribute.name in wire and attribute.name != "tags":
            shown = attribute.show(view)
            if shown is not Default.ABSENT and _plain(shown) != _plain(given[attribute.name]):
                different.append(attribute.name)
    if resource.tagged is not None and "tags" in given:
        stored = tags_of(tx.connection, [resource.identify(found)]).get(resource.identify(found), ())
        if set(stored) != set(given["tags"] or ()):
            different.append("tags")
    return different


def _plain(value: object) -> object:
    """Return a value that is equal whatever the order of lists in it, and of what is null, empty or not given."""
    if isinstance(value, Mapping):
        return tuple(sorted((str(name), repr(_plain(one))) for name, one in value.items() if one is not None))
    if isinstance(value, list | tuple | set | frozenset):
        return tuple(sorted(repr(_plain(one)) for one in value))
    return (value.lower() or None) if isinstance(value, str) else value


def _default_group(tx: Transaction, caller: Caller, wire: Mapping[str, Any], object_id: object) -> Any:
    """Make a project's default group under its id; one that nobody uses yet makes room.

    Raises:
        SecurityGroupInUse: ports have the group that is there.
    """
    project_id = str(wire.get("project_id") or caller.project_id)
    there = tx.connection.scalar(
        select(SECURITY_GROUPS.c.id).where(SECURITY_GROUPS.c.project_id == project_id, SECURITY_GROUPS.c.is_default)
    )
    if there is not None:
        security_groups.delete(tx, caller, there)
    with _named(tx, object_id):
        made = security_groups.ensure_default(tx, project_id)
    plain = {name: wire[name] for name in ("description", "stateful") if name in wire}
    return security_groups.update(tx, caller, made.id, plain)


def _check_addresses(made: Any, given: Mapping[str, Any]) -> None:
    wanted = {str(one.get("ip_address")).lower() for one in given.get("fixed_ips") or () if one.get("ip_address")}
    got = {one.ip_address for one in made.fixed_ips}
    if wanted and wanted != got:
        raise InvalidInput(
            f"it has {', '.join(sorted(wanted))} but would get {', '.join(sorted(got)) or 'no address'}: on subnets "
            "whose hosts make their own addresses they follow from the MAC address (RFC 4862)"
        )


@contextmanager
def _named(tx: Transaction, object_id: object) -> Iterator[None]:
    """Let the next object that is made have an id chosen by others."""
    if object_id is None:
        yield
        return
    ordinary: Callable[[], str] = tx.new_id
    left = [str(object_id)]
    tx.new_id = lambda: left.pop() if left else ordinary()
    try:
        yield
    finally:
        tx.new_id = ordinary
