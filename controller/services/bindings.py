"""What can a caller do with a port's bindings? Two of them make a live migration (Neutron extension binding-extended).

One binding is active: that is where the port is. A second, inactive one prepares another host, which then has the
port's flows already; activating it swaps the two. By the policy's table, administrators and
services may.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy import literal, select

from controller.caller import Caller
from controller.errors import BadRequest
from controller.network_errors import (
    PortBindingAlreadyActive,
    PortBindingAlreadyExists,
    PortBindingError,
    PortBindingNotFound,
)
from controller.records import Binding, Port
from controller.services import listing, ports, realisation, routed
from controller.services.rules import authorize
from controller.services.visibility import network_facts
from controller.store.bindings import activate_binding, bind, change_binding, unbind
from controller.store.loading import ports_of
from controller.store.physnets import has_way
from controller.store.plugin_schema import is_host_of
from controller.store.schema import HOSTS, NETWORKS
from controller.store.transaction import Transaction

OWNERS = ("compute:", "manila:")
"""Begin of the owners whose ports may have bindings of their own (Neutron, binding-extended)."""


def find(tx: Transaction, caller: Caller, port_id: str) -> list[Binding]:
    """Return a port's bindings, the active one first.

    Raises:
        PortNotFound, PolicyNotAuthorized
        BadRequest: no port of compute.
    """
    return _bindings(_port(tx, caller, port_id, "get_port_binding"))


def get(tx: Transaction, caller: Caller, port_id: str, host: str) -> Binding:
    """Return a port's binding to a host.

    Raises:
        PortNotFound, PortBindingNotFound, PolicyNotAuthorized, BadRequest
    """
    return _on_host(_port(tx, caller, port_id, "get_port_binding"), host)


def create(tx: Transaction, caller: Caller, port_id: str, wanted: Mapping[str, Any]) -> Binding:
    """Bind a port to another host; inactive, unless the port is on none, where the new binding becomes its only one.

    Raises:
        PortNotFound, PolicyNotAuthorized, BadRequest, OfPortExhausted
        PortBindingAlreadyExists: bound to the host already.
        PortBindingError: the host is not registered or has no way to the network, or the port has two bindings already.
    """
    port = _port(tx, caller, port_id, "create_port_binding", lock=True)
    host = wanted["host"]
    if any(one.host == host for one in _bindings(port)):
        raise PortBindingAlreadyExists(port.id, host)
    if port.binding is not None and port.standby is not None:
        raise PortBindingError(
            port.id, host, f"there is an inactive binding on host {port.standby.host} already, delete it first"
        )
    plugin = select(NETWORKS.c.plugin).where(NETWORKS.c.id == port.network_id).scalar_subquery()
    found = tx.connection.execute(
        select(HOSTS.c.datapath_type, has_way(literal(port.network_id), HOSTS.c.id).label("has_way")).where(
            HOSTS.c.name == host, is_host_of(HOSTS, plugin)
        )
    ).first()
    if found is None:
        raise PortBindingError(port.id, host, "the network's plug-in has no such host")
    if not found.has_way:
        raise PortBindingError(port.id, host, "it has none of the physical networks of the port's network")
    if port.binding is None:
        changes = {"host": host, "vnic_type": wanted["vnic_type"], "profile": wanted["profile"]}
        return _on_host(ports.update(tx, caller, port.id, changes), host)
    routed.check_host(tx, port, host)
    binding = bind(
        tx,
        port.id,
        host=host,
        vnic_type=wanted["vnic_type"],
        profile=wanted["profile"],
        datapath_type=found.datapath_type,
        active=False,
    )
    realisation.check_ports(tx, [replace(port, standby=binding)])
    ports.touch(tx, port)
    return binding


def update(tx: Transaction, caller: Caller, port_id: str, host: str, changes: Mapping[str, Any]) -> Binding:
    """Change what compute tells a binding.

    Raises:
        PortNotFound, PortBindingNotFound, PolicyNotAuthorized, BadRequest
    """
    port = _port(tx, caller, port_id, "update_port_binding", lock=True)
    old = _on_host(port, host)
    values = {name: changes[name] for name in ("vnic_type", "profile") if name in changes}
    new = replace(old, **values)
    if new == old:
        return old
    if old.active:
        return _on_host(ports.update(tx, caller, port.id, values), host)
    change_binding(tx, port.id, new)
    ports.touch(tx, port)
    return new


def delete(tx: Transaction, caller: Caller, port_id: str, host: str) -> None:
    """Remove a port's binding to a host; without the active one the port is on no host.

    Raises:
        PortNotFound, PortBindingNotFound, PolicyNotAuthorized, BadRequest
    """
    port = _port(tx, caller, port_id, "delete_port_binding", lock=True)
    binding = _on_host(port, host)
    unbind(tx, port.id, host)
    ports.touch(tx, port, down=binding.active)


def activate(tx: Transaction, caller: Caller, port_id: str, host: str) -> Binding:
    """Make a port's inactive binding the active one: the port is there now.

    Raises:
        PortNotFound, PortBindingNotFound, PolicyNotAuthorized, BadRequest
        PortBindingAlreadyActive: it is active already.
    """
    port = _port(tx, caller, port_id, "activate", lock=True)
    if port.binding is not None and port.binding.host == host:
        raise PortBindingAlreadyActive(port.id, host)
    binding = _on_host(port, host)
    activate_binding(tx, port.id, host)
    return replace(binding, active=True)


def _port(tx: Transaction, caller: Caller, port_id: str, rule: str, *, lock: bool = False) -> Port:
    port = ports_of(tx.connection, [listing.one(tx, caller, ports.RESOURCE, port_id, lock=lock)])[0]
    authorize(
        caller,
        rule,
        lambda: network_facts(tx, caller, port.network_id).target(port.project_id, device_owner=port.device_owner),
    )
    if not port.device_owner.startswith(OWNERS):
        raise BadRequest("port", f"Invalid port {port.id}. Operation only valid on compute and shared filesystem ports")
    return port


def _bindings(port: Port) -> list[Binding]:
    return [one for one in (port.binding, port.standby) if one is not None]


def _on_host(port: Port, host: str) -> Binding:
    for binding in _bindings(port):
        if binding.host == host:
            return binding
    raise PortBindingNotFound(port.id, host)
