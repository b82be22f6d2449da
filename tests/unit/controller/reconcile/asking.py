"""How do tests of the reconciler ask for something? By the use cases, with every default filled in."""

from collections.abc import Callable
from typing import Any

from controller.records import Port
from controller.services import (
    address_groups,
    networks,
    ports,
    security_group_rules,
    security_groups,
    subnets,
)
from controller.services.sentinels import AUTO, DEFAULT_GATEWAY
from controller.store.transaction import Transaction
from tests.unit.controller.reconcile.world import ADMIN, World


def create_network(tx: Transaction, **attributes: Any) -> Any:
    values = {
        "project_id": "p",
        "name": "",
        "description": "",
        "admin_state_up": True,
        "mtu": None,
        "shared": False,
        "router_external": False,
        "port_security_enabled": True,
        "network_type": None,
        "physical_network": None,
        "segmentation_id": None,
        **attributes,
    }
    return networks.create(tx, ADMIN, values)


def create_subnet(tx: Transaction, network_id: str, cidr: str, **attributes: Any) -> Any:
    values = {
        "project_id": "p",
        "network_id": network_id,
        "name": "",
        "description": "",
        "ip_version": 4,
        "cidr": cidr,
        "gateway_ip": DEFAULT_GATEWAY,
        "allocation_pools": None,
        "enable_dhcp": True,
        "ipv6_ra_mode": None,
        "ipv6_address_mode": None,
        "dns_nameservers": [],
        "host_routes": [],
        **attributes,
    }
    return subnets.create(tx, ADMIN, values)


def create_port(tx: Transaction, network_id: str, host: str | None = None, **attributes: Any) -> Port:
    values = {
        "project_id": "p",
        "network_id": network_id,
        "name": "",
        "description": "",
        "mac_address": None,
        "admin_state_up": True,
        "device_id": "",
        "device_owner": "",
        "port_security_enabled": None,
        "fixed_ips": AUTO,
        "allowed_address_pairs": [],
        "extra_dhcp_opts": [],
        "vnic_type": "normal",
        "profile": {},
        "host": host,
        **attributes,
    }
    return ports.create(tx, ADMIN, values)


def create_group(tx: Transaction, *, stateful: bool = True) -> Any:
    values = {"project_id": "p", "name": "", "description": "", "stateful": stateful}
    return security_groups.create(tx, ADMIN, values)


def create_rule(tx: Transaction, group_id: str, **attributes: Any) -> Any:
    values = {
        "project_id": "p",
        "security_group_id": group_id,
        "direction": "ingress",
        "ethertype": "IPv4",
        "protocol": None,
        "port_range_min": None,
        "port_range_max": None,
        "remote_ip_prefix": None,
        "remote_group_id": None,
        "remote_address_group_id": None,
        "description": "",
        **attributes,
    }
    return security_group_rules.create(tx, ADMIN, values)


def create_address_group(tx: Transaction, *addresses: str) -> Any:
    values = {"project_id": "p", "name": "", "description": "", "addresses": addresses}
    return address_groups.create(tx, ADMIN, values)


def write(world: World, call: Callable[[Transaction], Any]) -> Any:
    with world.database.write() as tx:
        return call(tx)
