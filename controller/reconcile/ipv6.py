"""Does the network itself advertise routers to a port, or answer it over DHCPv6? What its subnets' modes say."""

from controller.dhcp6.facts import Subnet6
from controller.reconcile.addresses import prefix_of
from controller.reconcile.model import Model
from controller.records import NetworkId, Port, Subnet

IPV6 = 6
"""Neutron's `ip_version`."""
ROUTER_OWNERS = frozenset(
    {
        "network:router_interface",
        "network:router_interface_distributed",
        "network:ha_router_replicated_interface",
    }
)
"""Ports of Neutron's routers inside a network (neutron_lib/constants.py, ROUTER_INTERFACE_OWNERS)."""


def subnet6(subnet: Subnet) -> Subnet6:
    """Return what an IPv6 subnet means for its guests' configuration."""
    return Subnet6(
        cidr=subnet.cidr,
        ra_mode=subnet.ipv6_ra_mode,
        address_mode=subnet.ipv6_address_mode,
        enable_dhcp=subnet.enable_dhcp,
        gateway_ip=subnet.gateway_ip,
        dns_nameservers=subnet.dns_nameservers,
    )


def subnets6(model: Model, network_id: NetworkId) -> tuple[Subnet6, ...]:
    """Return the IPv6 subnets of a network."""
    return tuple(subnet6(one) for one in model.subnets_of_network(network_id) if one.ip_version == IPV6)


def fixed6(model: Model, port: Port) -> tuple[tuple[str, Subnet6], ...]:
    """Return a port's fixed IPv6 addresses, each with its subnet."""
    found = ((fixed.ip_address, model.subnets.get(fixed.subnet_id)) for fixed in port.fixed_ips)
    return tuple((address, subnet6(one)) for address, one in found if one is not None and one.ip_version == IPV6)


def is_advertised(model: Model, network_id: NetworkId) -> bool:
    """Whether the network advertises anything by itself."""
    return any(subnet.is_advertised for subnet in subnets6(model, network_id))


def is_served(model: Model, port: Port) -> bool:
    """Whether the network answers a port's DHCPv6 requests."""
    return any(subnet.is_stateful or subnet.is_stateless for _, subnet in fixed6(model, port))


def is_router(model: Model, port: Port) -> bool:
    """Whether a port is a router of its network: whoever has an IPv6 gateway's address, or was made to be one.

    A router takes no configuration from advertisements (RFC 4861 section 6.2.7), least of all from those in its name.
    """
    if port.device_owner in ROUTER_OWNERS:
        return True
    own = {prefix_of(address) for address, _ in fixed6(model, port)}
    gateways = (subnet.gateway_ip for subnet in subnets6(model, port.network_id)) if own else ()
    return any(gateway is not None and prefix_of(gateway) in own for gateway in gateways)
