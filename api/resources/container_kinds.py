"""What may be a member of a container? The API's own resources, with their attributes, rules and services."""

from collections.abc import Collection, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any

from api import body, permission
from api.attributes import Attribute, Default, Resource
from api.resources.networks import NETWORK
from api.resources.ports import PORT
from api.resources.security_group_rules import SECURITY_GROUP_RULE
from api.resources.security_groups import SECURITY_GROUP
from api.resources.subnets import SUBNET
from api.resources.vnics import VNIC
from api.validators import Refused, uuid
from controller.caller import Caller
from controller.containers.difference import Changeable
from controller.errors import WeftError
from controller.services import dhcp_options, ports
from controller.services.container_kinds import PLUG, Kind, Kinds, Views
from controller.services.query import Filter, Query
from controller.services.sentinels import Sentinel
from controller.store.loading import in_chunks
from controller.store.transaction import Transaction

_OWNER = frozenset({"project_id", "tenant_id"})
"""Members belong to the project of their container."""
_DHCP_OPTIONS = "extra_dhcp_opts"


def _has(resource: Resource[Any, Any], attributes: Mapping[str, Attribute[Any]], name: str) -> str:
    attribute = attributes.get(name)
    if name in _OWNER:
        return "is the container's"
    if attribute is None:
        return f"a {resource.member} has no such attribute; there are: {', '.join(sorted(attributes))}"
    if not attribute.post and not _is_plug(resource, name):
        return "cannot be given"
    return ""


def _refusal(resource: Resource[Any, Any], attributes: Mapping[str, Attribute[Any]], name: str, value: Any) -> str:
    fault = _has(resource, attributes, name)
    if fault:
        return fault
    parse = uuid if _is_plug(resource, name) else attributes[name].parse
    try:
        if parse is not None:
            parse(value)
    except Refused as refused:
        return refused.reason
    except WeftError as error:
        return str(error)
    return ""


def _is_plug(resource: Resource[Any, Any], name: str) -> bool:
    return resource is VNIC and name == PLUG


def _changes(
    resource: Resource[Any, Any],
    attributes: Mapping[str, Attribute[Any]],
    caller: Caller,
    given: Mapping[str, Any],
    reset: Collection[str],
) -> Mapping[str, Any]:
    defaults = {str(attributes[name].key): attributes[name].default for name in reset}
    return body.changes(resource, caller, given) | defaults


def _views(
    resource: Resource[Any, Any], tx: Transaction, caller: Caller, ids: Sequence[str], names: Collection[str]
) -> Views:
    """Return objects as the caller would be shown them."""
    shown, some = permission.shown(resource, caller, names)
    found: dict[str, dict[str, Any]] = {}
    for chunk in in_chunks(ids):
        query = Query(filters=(Filter(name="id", values=tuple(chunk)),))
        records = resource.service.find(tx, caller, query)
        for record, view in zip(records, resource.look(tx, caller, records), strict=True):
            one = {name: value for name, show in shown if (value := show(view)) is not Default.ABSENT}
            if some:
                permission.hide(caller, record, one, some)
            found[resource.identify(record)] = one
    return found


def _update_port(tx: Transaction, caller: Caller, object_id: str, changes: Mapping[str, Any]) -> object:
    """Update a port; a template says which DHCP options it has, a request for a port which of them change."""
    if _DHCP_OPTIONS in changes:
        old = ports.get(tx, caller, object_id).extra_dhcp_opts
        changes = {**changes, _DHCP_OPTIONS: dhcp_options.replacing(old, changes[_DHCP_OPTIONS])}
    return ports.update(tx, caller, object_id, changes)


def _is_resettable(attribute: Attribute[Any]) -> bool:
    special = isinstance(attribute.default, Default | Sentinel) or attribute.key is None
    return attribute.put and not special


def _kind(resource: Resource[Any, Any]) -> Kind:
    """Return what containers must know of a resource."""
    attributes = {one.name: one for one in resource.attributes}
    service = resource.service
    if service.create_many is None or service.update is None or service.delete is None:
        raise TypeError(f"{resource.member} cannot be a member: it is not made, changed and deleted")
    updatable = {one.name for one in resource.attributes if one.put}
    resettable = {one.name for one in resource.attributes if _is_resettable(one)}
    if resource is VNIC:
        updatable.add(PLUG)
        resettable.add(PLUG)
    return Kind(
        changeable=Changeable(updatable=frozenset(updatable), resettable=frozenset(resettable)),
        required=frozenset(one.name for one in resource.attributes if one.default is Default.REQUIRED),
        shown=frozenset(attributes),
        has=partial(_has, resource, attributes),
        refusal=partial(_refusal, resource, attributes),
        wanted=partial(body.wanted, resource),
        changes=partial(_changes, resource, attributes),
        create_many=service.create_many,
        update=_update_port if resource is PORT else service.update,
        delete=service.delete,
        views=partial(_views, resource),
    )


_RESOURCES: tuple[Resource[Any, Any], ...] = (NETWORK, SUBNET, PORT, SECURITY_GROUP, SECURITY_GROUP_RULE, VNIC)
KINDS: Kinds = MappingProxyType({one.member: _kind(one) for one in _RESOURCES})
"""Every type of member by its name in templates."""
