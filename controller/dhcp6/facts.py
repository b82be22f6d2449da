"""What do a subnet's modes mean for router advertisements and DHCPv6?

Neutron, "ipv6_ra_mode and ipv6_address_mode combinations" (Networking guide, IPv6). N/S: not set. A, M and O are the
flags of the advertisement; A stands in the subnet's prefix, M and O in the message.

================  =================  ===============  =============  ====================================
ipv6_ra_mode      ipv6_address_mode  Weft's RA A,M,O  Weft's DHCPv6  who does the rest
================  =================  ===============  =============  ====================================
N/S               N/S                none             addresses      a router of the network's, or nobody
N/S               slaac              none             none           an external router: A,M,O = 1,0,0
N/S               dhcpv6-stateful    none             addresses      an external router: A,M,O = 0,1,1
N/S               dhcpv6-stateless   none             options only   an external router: A,M,O = 1,0,1
slaac             N/S                1,0,0            none           nobody
dhcpv6-stateful   N/S                0,1,1            none           an external DHCPv6 server
dhcpv6-stateless  N/S                1,0,1            none           an external DHCPv6 server
slaac             slaac              1,0,0            none           nobody
dhcpv6-stateful   dhcpv6-stateful    0,1,1            addresses      nobody
dhcpv6-stateless  dhcpv6-stateless   1,0,1            options only   nobody
================  =================  ===============  =============  ====================================

Each mode speaks for itself: ``ipv6_ra_mode`` says whether the network advertises and with which flags,
``ipv6_address_mode`` whether it answers DHCPv6 and with what. Two that are set and differ are refused by the API, and
so is either without ``enable_dhcp``. With neither set and ``enable_dhcp``, addresses are handed out to who asks and
nothing is advertised, as Neutron's DHCP agent does. Whatever the modes, ``enable_dhcp=False`` turns everything off.

Records and the model are not known here; the caller picks the values.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv6Address, IPv6Network
from typing import Final

from controller.dhcp6.frame import LINK_LOCAL, MTU_MIN, link_local
from controller.dhcp6.lease import Lease6, LeasedAddress
from controller.dhcp6.ra import PrefixFacts, RouterFacts

SLAAC: Final = "slaac"
STATEFUL: Final = "dhcpv6-stateful"
STATELESS: Final = "dhcpv6-stateless"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subnet6:
    """An IPv6 subnet, as far as its guests' configuration goes (Neutron API reference, subnets)."""

    cidr: str
    ra_mode: str | None
    address_mode: str | None
    enable_dhcp: bool = True
    gateway_ip: str | None = None
    dns_nameservers: tuple[str, ...] = ()

    @property
    def is_advertised(self) -> bool:
        """Whether the network itself sends router advertisements for it."""
        return self.enable_dhcp and self.ra_mode is not None

    @property
    def is_stateful(self) -> bool:
        """Whether the network itself hands out its addresses over DHCPv6."""
        is_unset = self.ra_mode is None and self.address_mode is None
        return self.enable_dhcp and (self.address_mode == STATEFUL or is_unset)

    @property
    def is_stateless(self) -> bool:
        """Whether the network itself answers DHCPv6 for it with options only."""
        return self.enable_dhcp and self.address_mode == STATELESS


@dataclass(frozen=True, slots=True, kw_only=True)
class RouterPort:
    """A port in the network with ``device_owner`` ``network:router_interface``."""

    mac: str
    addresses: tuple[str, ...]


def router_facts(
    subnets: Iterable[Subnet6],
    *,
    mtu: int | None,
    service_mac: str,
    router_ports: Sequence[RouterPort] = (),
    search_domains: tuple[str, ...] = (),
) -> tuple[RouterFacts, ...]:
    """Give the advertisements of a network, one for each gateway its subnets have; none when nothing is advertised.

    One message has one source, and with it one default router, so subnets behind different gateways need a message
    each. M and O are the link's, not a subnet's, and the same in all of them (RFC 4861 section 6.2.7).
    """
    advertised = [subnet for subnet in subnets if subnet.is_advertised]
    modes = {subnet.ra_mode for subnet in advertised}
    by_gateway: dict[tuple[str | None, str | None], list[Subnet6]] = {}
    for subnet in advertised:
        by_gateway.setdefault(gateway_of(subnet, router_ports), []).append(subnet)
    return tuple(
        RouterFacts(
            service_mac=service_mac,
            gateway=gateway,
            gateway_mac=gateway_mac,
            mtu=mtu,
            prefixes=tuple(
                PrefixFacts(cidr=subnet.cidr, autonomous=subnet.ra_mode in (SLAAC, STATELESS)) for subnet in members
            ),
            managed=STATEFUL in modes,
            other=bool(modes & {STATEFUL, STATELESS}),
            dns_servers=_servers(members),
            search_domains=search_domains,
        )
        for (gateway, gateway_mac), members in by_gateway.items()
    )


def gateway_of(subnet: Subnet6, router_ports: Sequence[RouterPort]) -> tuple[str | None, str | None]:
    """Give the link-local address and the MAC of a subnet's gateway, None for what is not known.

    A gateway address that is link-local is known by itself. Of a router's port with the gateway's address the
    link-local one is formed from its MAC, as Neutron's routers do; no other could leave a guarded port.
    """
    if subnet.gateway_ip is None:
        return None, None
    gateway = IPv6Address(subnet.gateway_ip)
    owner = next((port for port in router_ports if gateway in map(IPv6Address, port.addresses)), None)
    if gateway in LINK_LOCAL:
        own = next((port for port in router_ports if IPv6Address(link_local(port.mac)) == gateway), owner)
        return str(gateway), None if own is None else own.mac
    return (None, None) if owner is None else (link_local(owner.mac), owner.mac)


def lease6(
    *,
    mac: str,
    fixed_ips: Iterable[tuple[str, Subnet6]],
    subnets: Iterable[Subnet6],
    mtu: int | None,
    service_mac: str,
    search_domains: tuple[str, ...] = (),
    extra_options: tuple[tuple[str, str | None], ...] = (),
) -> Lease6 | None:
    """Give what a port is told over DHCPv6, None when the network answers none of its requests.

    Args:
        mac: The port's.
        fixed_ips: (address, subnet) pairs, IPv6 ones only.
        subnets: All IPv6 subnets of the network, the port's among them.
        mtu: The network's.
        service_mac: The network's own MAC.
        search_domains: For option 24.
        extra_options: (opt_name, opt_value) pairs of IP version 6.
    """
    pairs = list(fixed_ips)
    served = [subnet for _, subnet in pairs if subnet.is_stateful or subnet.is_stateless]
    if not served:
        return None
    return Lease6(
        mac=mac,
        server_mac=service_mac,
        addresses=tuple(LeasedAddress(address=address) for address, subnet in pairs if subnet.is_stateful),
        on_link=tuple(sorted({str(IPv6Network(subnet.cidr)) for subnet in subnets})),
        dns_servers=_servers(served),
        search_domains=search_domains,
        # RFC 8200 section 5: where IPv6 works at all, a datagram of 1280 octets arrives.
        mtu=None if mtu is None else max(mtu, MTU_MIN),
        extra_options=extra_options,
    )


def _servers(subnets: Iterable[Subnet6]) -> tuple[str, ...]:
    """Give the name servers of some subnets, each once, in order."""
    return tuple(dict.fromkeys(server for subnet in subnets for server in subnet.dns_nameservers))
