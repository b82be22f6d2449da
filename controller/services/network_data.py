"""What does a machine have to know of its own network before it can ask anybody?

The document OpenStack calls ``network_data.json`` (Nova, doc/api_schemas/network_data.json), which cloud-init and its
kin read from a config drive: the links of a port or of all ports of a device, their addresses, routes, name servers
and MTU. With it a machine boots on a network without DHCP, or, asked for as static, while no controller runs.
"""

from collections.abc import Iterator, Mapping, Sequence
from ipaddress import ip_network

from controller.caller import Caller
from controller.records import FixedIp, Network, Port, Subnet
from controller.services import listing, ports
from controller.services.query import Filter, Query, Sort
from controller.services.rules import authorize
from controller.store.loading import ports_of
from controller.store.snapshot import load_networks, load_subnets
from controller.store.transaction import Transaction

LINK_NAME_LENGTH = 14
"""Of ``tap`` and the beginning of the port's id: Nova's name for the device, as long as Linux permits."""
SLAAC_MODES = frozenset({"slaac", "dhcpv6-stateless"})
_IPV4 = 4
_RULE = "get_network_data"


def of_port(tx: Transaction, caller: Caller, port_id: str, *, static: bool = False) -> dict[str, object]:
    """Return the document of one port.

    Raises:
        PortNotFound: not for this caller.
        PolicyNotAuthorized: the caller may see the port, but not this.
    """
    port = ports.get(tx, caller, port_id)
    authorize(caller, _RULE, lambda: ports.target_of(tx, caller, port))
    return _document(tx, [port], static=static)


def of_device(tx: Transaction, caller: Caller, device_id: str, *, static: bool = False) -> dict[str, object]:
    """Return the document of all ports of a device the caller may see, in the order they were made; empty for none."""
    wanted = (Filter(name="device_id", values=(device_id,)),)
    rows = listing.many(tx, caller, ports.RESOURCE, Query(filters=wanted, sorts=(Sort(name="key"),), rules=(_RULE,)))
    return _document(tx, ports_of(tx.connection, rows), static=static)


def _document(tx: Transaction, found: Sequence[Port], *, static: bool) -> dict[str, object]:
    networks = load_networks(tx, {port.network_id for port in found})
    subnets = load_subnets(tx, {fixed.subnet_id for port in found for fixed in port.fixed_ips})
    entries: list[dict[str, object]] = []
    services: list[Mapping[str, str]] = []
    for port in found:
        for entry, subnet in _addresses(port, subnets, static=static):
            entries.append({"id": f"network{len(entries)}", **entry})
            services += [server for server in _servers(subnet) if server not in services]
    return {
        "links": [_link(port, networks[port.network_id]) for port in found],
        "networks": entries,
        "services": services,
    }


def _link(port: Port, network: Network) -> dict[str, object]:
    return {
        "id": _link_name(port),
        "vif_id": port.id,
        "type": "ovs",
        "mtu": network.mtu,
        "ethernet_mac_address": port.mac_address,
    }


def _link_name(port: Port) -> str:
    return f"tap{port.id}"[:LINK_NAME_LENGTH]


def _addresses(
    port: Port, subnets: Mapping[str, Subnet], *, static: bool
) -> Iterator[tuple[dict[str, object], Subnet]]:
    """Yield one entry for each address; DHCP gives out one of a family, so a second one has to be set by hand."""
    asked: set[str] = set()
    for fixed in port.fixed_ips:
        subnet = subnets[fixed.subnet_id]
        how = f"ipv{subnet.ip_version}" if static else _how(subnet)
        if how.endswith("_dhcp"):
            how = f"ipv{subnet.ip_version}" if how in asked else how
            asked.add(how)
        entry: dict[str, object] = {"type": how, "link": _link_name(port), "network_id": port.network_id}
        if how in {"ipv4", "ipv6"}:
            entry |= _by_hand(fixed, subnet)
        yield entry, subnet


def _how(subnet: Subnet) -> str:
    """Return how a machine gets its address on a subnet, in the words of the schema."""
    if subnet.ip_version == _IPV4:
        return "ipv4_dhcp" if subnet.enable_dhcp else "ipv4"
    mode = subnet.ipv6_address_mode or subnet.ipv6_ra_mode
    if not subnet.enable_dhcp or mode is None:
        return "ipv6"
    return "ipv6_slaac" if mode in SLAAC_MODES else "ipv6_dhcp"


def _by_hand(fixed: FixedIp, subnet: Subnet) -> dict[str, object]:
    routes = [_route(destination, nexthop) for destination, nexthop in subnet.host_routes]
    everything = "0.0.0.0/0" if subnet.ip_version == _IPV4 else "::/0"
    if subnet.gateway_ip is not None and everything not in {destination for destination, _ in subnet.host_routes}:
        routes.insert(0, _route(everything, subnet.gateway_ip))
    return {
        "ip_address": fixed.ip_address,
        "netmask": str(ip_network(subnet.cidr).netmask),
        "routes": routes,
        "services": _servers(subnet),
    }


def _route(destination: str, nexthop: str) -> dict[str, str]:
    network = ip_network(destination, strict=False)
    return {"network": str(network.network_address), "netmask": str(network.netmask), "gateway": nexthop}


def _servers(subnet: Subnet) -> list[Mapping[str, str]]:
    return [{"type": "dns", "address": address} for address in subnet.dns_nameservers]
