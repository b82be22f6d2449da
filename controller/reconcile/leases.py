"""What do DHCP, DHCPv6 and router advertisements tell each port?

The binding itself is the lease: there is no lease file (RFC 2131 section 2.2).
"""

from controller.dhcp.lease import Lease
from controller.dhcp6.facts import RouterPort, lease6, router_facts
from controller.dhcp6.lease import Lease6
from controller.dhcp6.ra import RouterFacts
from controller.dns_names import domain_of, hostname_told, search_domains
from controller.reconcile.ipv6 import IPV6, ROUTER_OWNERS, fixed6, subnets6
from controller.reconcile.model import Model
from controller.reconcile.translate import IPV4, SERVICE_MAC, dhcp_subnet, server_id
from controller.records import NetworkId, Port

LEASE_S = 86_400


def lease_of(model: Model, port: Port) -> Lease | None:
    """Return the port's lease, or None when no DHCP serves it."""
    network = model.networks.get(port.network_id)
    found = dhcp_subnet(model, port)
    if network is None or found is None:
        return None
    subnet, address = found
    domain = domain_of(port.dns_domain, network.dns_domain)
    searched = search_domains([port.dns_domain or network.dns_domain])
    return Lease(
        mac=port.mac_address,
        address=address,
        prefix_length=int(subnet.cidr.rpartition("/")[2]),
        server_id=server_id(network, subnet),
        server_mac=SERVICE_MAC,
        router=subnet.gateway_ip,
        dns_servers=subnet.dns_nameservers,
        mtu=network.mtu,
        lease_s=LEASE_S,
        routes=subnet.host_routes,
        extra_options=_extra_options(port, IPV4),
        hostname=hostname_told(port.dns_name, domain),
        domain=searched[0] if searched else None,
        search_domains=searched,
    )


def lease6_of(model: Model, port: Port) -> Lease6 | None:
    """Return what the port is told over DHCPv6, or None when the network answers none of its requests."""
    network = model.networks.get(port.network_id)
    fixed = fixed6(model, port)
    if network is None or not fixed:
        return None
    return lease6(
        mac=port.mac_address,
        fixed_ips=fixed,
        subnets=subnets6(model, network.id),
        mtu=network.mtu,
        service_mac=SERVICE_MAC,
        search_domains=search_domains([port.dns_domain or network.dns_domain]),
        extra_options=_extra_options(port, IPV6),
    )


def router_facts_of(model: Model, network_id: NetworkId) -> tuple[RouterFacts, ...]:
    """Return what a network says of itself in router advertisements, nothing when it sends none."""
    network = model.networks.get(network_id)
    subnets = subnets6(model, network_id)
    if network is None or not network.admin_state_up or not any(subnet.is_advertised for subnet in subnets):
        return ()
    routers = sorted(
        (port for port in model.ports_of_network(network_id) if port.device_owner in ROUTER_OWNERS),
        key=lambda port: port.key,
    )
    return router_facts(
        subnets,
        mtu=network.mtu,
        service_mac=SERVICE_MAC,
        router_ports=[
            RouterPort(mac=port.mac_address, addresses=tuple(address for address, _ in fixed6(model, port)))
            for port in routers
        ],
        search_domains=search_domains([network.dns_domain]),
    )


def _extra_options(port: Port, version: int) -> tuple[tuple[str, str | None], ...]:
    return tuple((name, value) for name, value, of_version in port.extra_dhcp_opts if of_version == version)
