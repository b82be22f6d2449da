"""May a subnet look like this? Neutron's checks of a subnet, with its messages; nothing here reads the database."""

import ipaddress
from collections.abc import Mapping, Sequence
from typing import Any

from controller.errors import (
    GatewayConflictWithAllocationPools,
    InvalidAllocationPool,
    InvalidInput,
    OutOfBoundsAllocationPool,
    OverlappingAllocationPools,
)
from controller.services.addressing import AUTO_ADDRESS_MODES
from ipam.addresses import (
    EUI64_PREFIX_LENGTH,
    IPV4,
    Cidr,
    Pool,
    check_gateway_outside,
    check_pools,
    default_gateway,
    default_pools,
    parse_address,
    parse_cidr,
    parse_pool,
    text,
)
from ipam.errors import CidrError, GatewayInPool, PoolInvalid, PoolOutOfBounds, PoolsOverlap

LEAST_HOST_BITS_FOR_DHCP = 2
"""A /31 or /32 has no room for a network, a broadcast and a leased address."""


def checked_cidr(value: str, ip_version: int) -> Cidr:
    """Return the prefix.

    Raises:
        InvalidInput: it is none, of another IP version, or everything.
    """
    try:
        cidr = parse_cidr(value)
    except CidrError as error:
        raise InvalidInput(f"{value} is not in a CIDR format") from error
    if cidr.version != ip_version:
        raise InvalidInput(f"cidr '{value}' does not match the ip_version '{ip_version}'")
    if cidr.prefix_length == 0:
        raise InvalidInput("0 is not allowed as CIDR prefix length")
    return cidr


def check_dhcp(cidr: Cidr) -> None:
    """Refuse DHCP where it cannot work.

    Raises:
        InvalidInput: too small, multicast or loopback.
    """
    network = ipaddress.ip_network(str(cidr))
    if network.is_multicast:
        raise InvalidInput("Multicast IP subnet is not supported if enable_dhcp is True")
    if network.is_loopback:
        raise InvalidInput("Loopback IP subnet is not supported if enable_dhcp is True")
    if cidr.host_bits < LEAST_HOST_BITS_FOR_DHCP:
        raise InvalidInput("Subnet has a prefix length that is incompatible with DHCP service enabled")


def checked_gateway(cidr: Cidr, gateway_ip: str | None) -> int | None:
    """Return the gateway as a number; it may lie outside the subnet, as in Neutron.

    Raises:
        InvalidInput: of another IP version, or the subnet's network or broadcast address.
    """
    if gateway_ip is None:
        return None
    version, gateway = _address(gateway_ip, "gateway_ip")
    check_version(cidr.version, gateway_ip, "gateway_ip", version)
    if version == IPV4 and cidr.host_bits >= LEAST_HOST_BITS_FOR_DHCP and gateway in {cidr.first, cidr.last}:
        raise InvalidInput("Gateway is not valid on subnet")
    return gateway


def default_gateway_ip(cidr: Cidr) -> str:
    """Return the gateway a subnet has when nothing is said."""
    return text(cidr.version, default_gateway(cidr))


def checked_pools(cidr: Cidr, wanted: Sequence[tuple[str, str]] | None, gateway: int | None) -> tuple[Pool, ...]:
    """Return the pools in the order of their addresses; None means everything but the gateway.

    Raises:
        InvalidAllocationPool, OutOfBoundsAllocationPool, OverlappingAllocationPools,
        GatewayConflictWithAllocationPools
    """
    if wanted is None:
        return default_pools(cidr, gateway)
    try:
        pools = tuple(parse_pool(start, end) for start, end in wanted)
        check_pools(cidr, pools, gateway)
    except PoolInvalid as error:
        raise InvalidAllocationPool(error.pool) from error
    except PoolOutOfBounds as error:
        raise OutOfBoundsAllocationPool(error.pool, error.cidr) from error
    except PoolsOverlap as error:
        raise OverlappingAllocationPools(error.pool, error.other, str(cidr)) from error
    except GatewayInPool as error:
        raise GatewayConflictWithAllocationPools(error.gateway, error.pool) from error
    return tuple(sorted(pools, key=lambda pool: pool.first))


def check_new_gateway(gateway: int | None, pools: Sequence[Pool]) -> None:
    """Refuse a gateway that lies in a pool the subnet has already.

    Raises:
        GatewayConflictWithAllocationPools
    """
    if gateway is None:
        return
    try:
        check_gateway_outside(gateway, pools)
    except GatewayInPool as error:
        raise GatewayConflictWithAllocationPools(error.gateway, error.pool) from error


def check_ipv6_modes(cidr: Cidr, ra_mode: str | None, address_mode: str | None, *, enable_dhcp: bool) -> None:
    """Refuse IPv6 modes that contradict the subnet or each other.

    Raises:
        InvalidInput
    """
    if ra_mode is None and address_mode is None:
        return
    if cidr.version == IPV4:
        attribute = "ipv6_address_mode" if ra_mode is None else "ipv6_ra_mode"
        raise InvalidInput(f"{attribute} is not valid when ip_version is 4")
    if not enable_dhcp:
        raise InvalidInput("ipv6_ra_mode or ipv6_address_mode cannot be set when enable_dhcp is set to False")
    if ra_mode is not None and address_mode is not None and ra_mode != address_mode:
        raise InvalidInput(
            f"ipv6_ra_mode set to '{ra_mode}' with ipv6_address_mode set to '{address_mode}' is not valid. "
            "If both attributes are set, they must be the same value"
        )
    if {ra_mode, address_mode} & AUTO_ADDRESS_MODES and cidr.prefix_length != EUI64_PREFIX_LENGTH:
        raise InvalidInput(
            f"Invalid CIDR {cidr} for IPv6 address mode. OpenStack uses the EUI-64 address format, "
            "which requires the prefix to be /64"
        )


def check_services(ip_version: int, values: Mapping[str, Any]) -> None:
    """Refuse name servers and routes of another IP version.

    Raises:
        InvalidInput
    """
    for server in values.get("dns_nameservers") or ():
        check_version(ip_version, server, "dns_nameserver", _address(server, "dns_nameserver")[0])
    for destination, nexthop in values.get("host_routes") or ():
        check_version(ip_version, nexthop, "nexthop", _address(nexthop, "nexthop")[0])
        try:
            version = parse_cidr(destination).version
        except CidrError as error:
            raise InvalidInput(f"Invalid route: {destination} is not in a CIDR format") from error
        check_version(ip_version, destination, "destination", version)


def check_version(wanted: int, value: str, name: str, version: int) -> None:
    """Refuse an address of the other IP version.

    Raises:
        InvalidInput
    """
    if version != wanted:
        raise InvalidInput(f"{name} '{value}' does not match the ip_version '{wanted}'")


def _address(value: str, name: str) -> tuple[int, int]:
    try:
        return parse_address(value)
    except ValueError as error:
        raise InvalidInput(f"{name} '{value}' is not a valid IP address") from error
