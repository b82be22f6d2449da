"""What does a test put into the store? Whole, valid requests, of which a test states only what matters to it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event

from controller.caller import Caller
from controller.pool_records import AddressScope, SubnetPool
from controller.records import AddressGroup, Host, Network, Port, SecurityGroup, SecurityGroupRule, Subnet
from controller.services import (
    address_groups,
    address_scopes,
    hosts,
    networks,
    ports,
    security_group_rules,
    security_groups,
    subnetpools,
    subnets,
    vnics,
)
from controller.services.sentinels import AUTO, DEFAULT_GATEWAY
from controller.store.database import Database, Transaction
from controller.store.vnics import Vnic

ADMIN = Caller(project_id="p", roles=frozenset({"admin"}), is_admin=True)
NOBODY = "00000000-0000-0000-0000-000000000000"

NETWORK: dict[str, Any] = {
    "project_id": "p",
    "name": "n",
    "description": "",
    "admin_state_up": True,
    "mtu": None,
    "shared": False,
    "router_external": False,
    "port_security_enabled": True,
    "network_type": None,
    "physical_network": None,
    "segmentation_id": None,
}
SUBNET: dict[str, Any] = {
    "project_id": "p",
    "name": "",
    "description": "",
    "ip_version": 4,
    "cidr": "10.20.0.0/24",
    "gateway_ip": DEFAULT_GATEWAY,
    "allocation_pools": None,
    "enable_dhcp": True,
    "ipv6_ra_mode": None,
    "ipv6_address_mode": None,
    "dns_nameservers": (),
    "host_routes": (),
}
PORT: dict[str, Any] = {
    "project_id": "p",
    "name": "",
    "description": "",
    "mac_address": None,
    "admin_state_up": True,
    "device_id": "",
    "device_owner": "",
    "port_security_enabled": None,
    "fixed_ips": AUTO,
    "allowed_address_pairs": (),
    "extra_dhcp_opts": (),
    "vnic_type": "normal",
    "profile": {},
    "host": None,
}
HOST: dict[str, Any] = {
    "name": "h1",
    "ovsdb": "tcp:192.0.2.1:6640",
    "tunnel_ip": "192.0.2.1",
    "datapath_type": "netdev",
    "physnets": (),
}
SECURITY_GROUP: dict[str, Any] = {"name": "web", "description": "", "stateful": True}
RULE: dict[str, Any] = {
    "direction": "ingress",
    "ethertype": "IPv4",
    "protocol": None,
    "port_range_min": None,
    "port_range_max": None,
    "remote_ip_prefix": None,
    "remote_group_id": None,
    "remote_address_group_id": None,
    "description": "",
}
SUBNETPOOL: dict[str, Any] = {
    "name": "pool",
    "description": "",
    "default_quota": None,
    "is_default": False,
    "shared": False,
    "address_scope_id": None,
}
VNIC: dict[str, Any] = {"name": "", "description": "", "mac_address": None, "owner": "", "device_owner": "compute:weft"}
ADDRESS_SCOPE: dict[str, Any] = {"name": "scope", "ip_version": 4, "shared": False}
ADDRESS_GROUP: dict[str, Any] = {"name": "office", "description": "", "addresses": ()}
SLAAC: dict[str, Any] = {
    "ip_version": 6,
    "cidr": "2001:db8::/64",
    "ipv6_ra_mode": "slaac",
    "ipv6_address_mode": "slaac",
}


def a_member(project_id: str) -> Caller:
    return Caller(project_id=project_id, roles=frozenset({"member"}), is_admin=False)


def a_network(tx: Transaction, caller: Caller = ADMIN, **wanted: Any) -> Network:
    return networks.create(tx, caller, NETWORK | {"project_id": caller.project_id} | wanted)


def a_subnet(tx: Transaction, network: Network, caller: Caller = ADMIN, **wanted: Any) -> Subnet:
    return subnets.create(tx, caller, SUBNET | {"project_id": caller.project_id, "network_id": network.id} | wanted)


def a_subnetpool(tx: Transaction, *prefixes: str, caller: Caller = ADMIN, **wanted: Any) -> SubnetPool:
    values = SUBNETPOOL | {"project_id": caller.project_id, "prefixes": prefixes or ("10.0.0.0/16",)} | wanted
    return subnetpools.create(tx, caller, values)


def an_address_scope(tx: Transaction, caller: Caller = ADMIN, **wanted: Any) -> AddressScope:
    return address_scopes.create(tx, caller, ADDRESS_SCOPE | {"project_id": caller.project_id} | wanted)


def a_vnic(tx: Transaction, caller: Caller = ADMIN, **wanted: Any) -> Vnic:
    return vnics.create(tx, caller, VNIC | {"project_id": caller.project_id} | wanted)


def a_port(tx: Transaction, network: Network, caller: Caller = ADMIN, **wanted: Any) -> Port:
    return ports.create(tx, caller, PORT | {"project_id": caller.project_id, "network_id": network.id} | wanted)


def a_security_group(tx: Transaction, caller: Caller = ADMIN, **wanted: Any) -> SecurityGroup:
    return security_groups.create(tx, caller, SECURITY_GROUP | {"project_id": caller.project_id} | wanted)


def a_rule(tx: Transaction, group: SecurityGroup, caller: Caller = ADMIN, **wanted: Any) -> SecurityGroupRule:
    values = RULE | {"project_id": caller.project_id, "security_group_id": group.id} | wanted
    return security_group_rules.create(tx, caller, values)


def an_address_group(tx: Transaction, *addresses: str, caller: Caller = ADMIN) -> AddressGroup:
    wanted = ADDRESS_GROUP | {"project_id": caller.project_id, "addresses": addresses}
    return address_groups.create(tx, caller, wanted)


def a_host(tx: Transaction, **wanted: Any) -> Host:
    return hosts.create(tx, ADMIN, HOST | wanted)


def addresses(port: Port) -> list[str]:
    return [one.ip_address for one in port.fixed_ips]


class Statements:
    """What a block of code sent to the database and got back."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def __len__(self) -> int:
        return len(self.texts)


@contextmanager
def counted(database: Database) -> Iterator[Statements]:
    """Record the statements of a block."""
    statements = Statements()

    def record(_connection: Any, _cursor: Any, text: str, *_rest: Any) -> None:
        statements.texts.append(text)

    event.listen(database._engine, "before_cursor_execute", record)
    try:
        yield statements
    finally:
        event.remove(database._engine, "before_cursor_execute", record)
