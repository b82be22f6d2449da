"""What does DHCP tell each port? The binding itself is the lease: there is no lease file (RFC 2131 section 2.2)."""

from controller.dhcp.lease import Lease
from controller.reconcile.model import Model
from controller.reconcile.translate import IPV4, SERVICE_MAC, dhcp_subnet, server_id
from controller.records import Port

LEASE_S = 86_400


def lease_of(model: Model, port: Port) -> Lease | None:
    """Return the port's lease, or None when no DHCP serves it."""
    network = model.networks.get(port.network_id)
    found = dhcp_subnet(model, port)
    if network is None or found is None:
        return None
    subnet, address = found
    return Lease(
        mac=port.mac_address,
        address=address,
        prefix_length=int(subnet.cidr.rpartition("/")[2]),
        server_id=server_id(subnet),
        server_mac=SERVICE_MAC,
        router=subnet.gateway_ip,
        dns_servers=subnet.dns_nameservers,
        mtu=network.mtu,
        lease_s=LEASE_S,
        routes=subnet.host_routes,
        extra_options=tuple((name, value) for name, value, version in port.extra_dhcp_opts if version == IPV4),
    )
