"""What do the everyday commands of ``weft`` have to know of the API's resources?

The command line must start fast, so it does not import the API: it reads this, written as a file by ``scripts/docs``
(``controller/cli/everyday/resources.json``). What an option is called and which kind of value it takes follows from
the attribute map; the few words below are those a rule would get wrong.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from api.attributes import Attribute, Default, Resource
from api.operations import Operation
from api.resource_schemas import actions
from api.schema import Schema, without_null
from api.wire import API_ROOT

_WORDS: Mapping[str, str] = {
    "allowed_address_pairs": "allowed-address",
    "binding:host_id": "host",
    "binding:profile": "binding-profile",
    "binding:vnic_type": "vnic-type",
    "device_id": "device",
    "endpoints": "endpoint",
    "gateway_ip": "gateway",
    "parameters": "parameter",
    "project_id": "project",
    "router:external": "external",
}
"""Options that are not called as the rule would have it, by attribute."""
_REFERS: Mapping[str, str] = {"remote_group_id": "security_groups"}
"""What an attribute names when its own name does not say so."""
_TAKEN_AS_GIVEN = frozenset({("default_security_group_rules", "remote_group_id")})
"""Attributes that name an object, or something that is none (PARENT)."""
_NEVER = frozenset({"tenant_id"})
"""The older name of project_id."""
_DERIVED: Mapping[tuple[str, str], str] = {("subnets", "ip_version"): "cidr"}
"""Required attributes that another one says already."""
_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "container_flavors": ("id", "name", "version", "public", "description"),
    "containers": ("id", "name", "flavor", "flavor_version", "status", "status_reason"),
    "networks": ("id", "name", "status", "subnets", "shared", "mtu"),
    "subnets": ("id", "name", "network_id", "cidr", "gateway_ip", "enable_dhcp"),
    "ports": ("id", "name", "mac_address", "fixed_ips", "status", "device_owner"),
    "address_groups": ("id", "name", "addresses", "description"),
    "security_groups": ("id", "name", "description", "stateful", "project_id"),
    "security_group_rules": (
        "id",
        "security_group_id",
        "direction",
        "ethertype",
        "protocol",
        "port_range_min",
        "port_range_max",
        "remote_ip_prefix",
    ),
}
"""What a table shows where the rule of ``_columns`` would choose badly."""
_MOST_COLUMNS = 6
_LESS_TELLING = frozenset(
    {"id", "name", "description", "project_id", "tenant_id", "tags", "created_at", "updated_at", "revision_number"}
)
RESERVED = frozenset(
    {
        "all",
        "clear",
        "column",
        "filter",
        "format",
        "help",
        "if-revision",
        "limit",
        "long",
        "plan",
        "sort",
        "url",
        "wait",
    }
)
"""Options every verb may have of its own."""


def describe(resources: Sequence[Resource[Any, Any]], operations: Sequence[Operation]) -> dict[str, object]:
    """Return the map, ready for JSON."""
    names = _singulars(resources)
    return {
        "resources": [
            _one(resource, names, [*(one for one in operations if _is_action(one, resource)), *actions(resource)])
            for resource in resources
        ]
    }


def _singulars(resources: Iterable[Resource[Any, Any]]) -> dict[str, str]:
    """Return collections by what attributes call their members: ``address_group`` and ``addressgroup``."""
    found = {resource.member: resource.collection for resource in resources}
    return found | {member.replace("_", ""): collection for member, collection in found.items()}


def _one(resource: Resource[Any, Any], names: Mapping[str, str], told: Sequence[Operation]) -> dict[str, object]:
    return {
        "noun": resource.member.replace("_", "-"),
        "member": resource.member,
        "collection": resource.collection,
        "path": resource.path,
        "doc": resource.doc,
        "creates": resource.service.create is not None,
        "changes": resource.service.update is not None,
        "deletes": resource.service.delete is not None,
        "columns": _columns(resource),
        "delete_options": list(resource.delete_options),
        "filters": sorted(resource.filters),
        "attributes": [_attribute(resource, one, names) for one in resource.attributes if one.name not in _NEVER],
        "actions": [_action(one, names) for one in told],
    }


def _columns(resource: Resource[Any, Any]) -> list[str]:
    """Return what tells objects apart at a glance: name, what must be given, then what else is short."""
    if resource.collection in _COLUMNS:
        return list(_COLUMNS[resource.collection])
    shown = [one for one in resource.attributes if one.name not in _LESS_TELLING]
    required = [one.name for one in shown if one.default is Default.REQUIRED]
    short = [one.name for one in shown if _kind(one.shown_as) in ("text", "integer", "boolean")]
    first = [one.name for one in resource.attributes if one.name in ("id", "name")]
    return list(dict.fromkeys([*first, *required, *short]))[:_MOST_COLUMNS]


def _attribute(resource: Resource[Any, Any], one: Attribute[Any], names: Mapping[str, str]) -> dict[str, object]:
    takes = one.takes if one.post or one.put else one.shown_as
    derived = _DERIVED.get((resource.collection, one.name))
    known = {} if (resource.collection, one.name) in _TAKEN_AS_GIVEN else names
    found = _value(one.name, takes, known) | {
        "doc": one.doc,
        "create": one.post,
        "required": one.default is Default.REQUIRED and derived is None,
        "set": one.put,
        "filter": one.filter is not None,
        "sort": one.sort is not None,
        "null": without_null(takes) != takes,
        "means_something": one.default not in (None, (), {}, "", Default.ABSENT, Default.REQUIRED),
    }
    return _dense(found | {"derived_from": derived})


def _value(name: str, schema: Schema, names: Mapping[str, str]) -> dict[str, object]:
    """Return how a value is given: the option, its kind, its choices, what it names."""
    schema = without_null(schema)
    kind = _kind(schema)
    refers = _refers(name, names) if kind in ("text", "list") else None
    found: dict[str, object] = {"name": name, "option": _option(name, kind, refers), "kind": kind}
    items = schema.get("items")
    of: Schema = items if isinstance(items, Mapping) else schema
    choices = of.get("enum")
    properties = of.get("properties")
    if isinstance(choices, list):
        found["choices"] = [str(choice) for choice in choices if choice is not None]
    if kind in ("records", "record") and isinstance(properties, Mapping):
        found["keys"] = [_value(key, one, names) for key, one in properties.items()]
    return _dense(found | {"refers": refers})


def _dense(found: Mapping[str, object]) -> dict[str, object]:
    """Return what is not simply absent; the file is read at every start."""
    return {key: value for key, value in found.items() if value not in (None, False)}


def _kind(schema: Schema) -> str:
    schema = without_null(schema)
    match schema.get("type"):
        case "boolean" | "integer" as kind:
            return str(kind)
        case "array":
            items = schema.get("items")
            is_record = isinstance(items, Mapping) and "properties" in items
            return "records" if is_record else "list"
        case "object":
            return "record" if "properties" in schema else "object"
    choices = schema.get("enum")
    if isinstance(choices, list) and all(isinstance(one, int) for one in choices):
        return "integer"
    return "text"


def _option(name: str, kind: str, refers: str | None) -> str:
    """Return what an attribute is called on the command line.

    >>> _option("dns_nameservers", "list", None), _option("network_id", "text", "networks")
    ('dns-nameserver', 'network')
    >>> _option("prefixes", "list", None), _option("addresses", "list", None), _option("policies", "list", None)
    ('prefix', 'address', 'policy')
    >>> _option("provider:segmentation_id", "integer", None)
    'provider-segmentation-id'
    """
    if name in _WORDS:
        return _WORDS[name]
    stem = re.sub(r"[^A-Za-z0-9]+", "-", name)
    if refers is not None:
        stem = stem.removesuffix("-id")
    if kind in ("list", "records"):
        stem = re.sub(r"ies$", "y", stem)
        stem = re.sub(r"((?<=x)|(?<=ss))es$|(?<!s)s$", "", stem)
    return stem if stem and stem not in RESERVED else f"{stem}-value"


def _refers(name: str, names: Mapping[str, str]) -> str | None:
    """Return the collection whose objects an attribute names by id."""
    if name in _REFERS and _REFERS[name] in names.values():
        return _REFERS[name]
    if name in names.values():
        return name
    stem = name.removesuffix("_id")
    if stem == name:
        return None
    return names.get(stem) or names.get(stem.partition("_")[2])


def _is_action(operation: Operation, resource: Resource[Any, Any]) -> bool:
    """Say whether an operation does something to one object of the resource: ``PUT /v2.0/<path>/<id>/<verb>``."""
    inside = re.fullmatch(rf"{API_ROOT}/{resource.path}/<[^>]+>/([A-Za-z_-]+)", operation.path)
    return inside is not None and operation.method == "PUT" and operation.body is not None


def _action(operation: Operation, names: Mapping[str, str]) -> dict[str, object]:
    body = operation.body or {}
    properties, required = body.get("properties"), body.get("required")
    last = operation.path.rpartition("/")[2]
    given = properties if isinstance(properties, Mapping) else {}
    needed = required if isinstance(required, Sequence) else ()
    return {
        "verb": last.replace("_", "-"),
        "path": last,
        "doc": operation.doc,
        "attributes": [
            _dense(_value(name, one, names) | {"doc": one.get("description", ""), "required": name in needed})
            for name, one in given.items()
        ],
    }
