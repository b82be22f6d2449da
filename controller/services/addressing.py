"""Which addresses does a port ask for, and on what ground do they stand?

Turns Neutron's ``fixed_ips`` into typed requests for the address driver. Drivers: ``reserve`` comes first and
``commit`` stores; the built-in driver does both in the transaction, a remote one would be asked before it.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import islice
from typing import Any

from sqlalchemy import and_, bindparam, case, select

from controller.caller import Caller
from controller.errors import (
    AllocationOnAutoAddressSubnet,
    InvalidInput,
    InvalidIpForNetwork,
    InvalidIpForSubnet,
    IpAddressAlreadyAllocated,
    IpAddressGenerationFailure,
    IpAddressGenerationFailureNoMatchingSubnet,
    NetworkNotFound,
    SubnetNotFound,
)
from controller.ipam_drivers.settings import BUILT_IN
from controller.ipam_records import space_of
from controller.policy.expression import Expression
from controller.records import FixedIp, Port, SubnetId
from controller.services import address_holds, listing, remote_addressing, routed, visibility
from controller.services.sentinels import Sentinel
from controller.store import subnet_ipam
from controller.store.allocations import Allocations, attempt
from controller.store.direct import Direct
from controller.store.holds import expire
from controller.store.ipam_driver_schema import SUBNET_DRIVERS
from controller.store.ipam_schema import SUBNET_IPAM
from controller.store.physnets import has_way
from controller.store.plugin_schema import is_host_of
from controller.store.schema import ALLOCATION_POOLS, HOSTS, NETWORKS, SUBNETS
from controller.store.sightings import HAS_ANY
from controller.store.transaction import Transaction
from ipam.addresses import IPV4, Pool, eui64, parse_address, parse_cidr, text, usable
from ipam.allocator import BuiltInDriver, Strategy, SubnetSpace
from ipam.driver import AddressRequest, AnyAddress, Assigned, Eui64Address, Reservation, SpecificAddress
from ipam.errors import AddressesExhausted, AddressTaken

AUTO_ADDRESS_MODES = frozenset({"slaac", "dhcpv6-stateless"})
"""IPv6 modes in which hosts make their own addresses (Neutron API reference, subnets; RFC 4862)."""
ROUTER_OWNERS = frozenset(
    {
        "network:router_interface",
        "network:router_interface_distributed",
        "network:ha_router_replicated_interface",
        "network:router_centralized_snat",
    }
)
"""Routers get no automatic addresses (Neutron, device_owner)."""
COMMIT_TRIES = 32
"""Another transaction can take a drawn address before the commit only where writers do not queue (PostgreSQL)."""

_PLACE = (
    select(
        NETWORKS.c.id,
        NETWORKS.c.project_id,
        NETWORKS.c.port_security_enabled,
        NETWORKS.c.pvlan,
        NETWORKS.c.plugin,
        NETWORKS.c.dns_domain,
        SUBNETS.c.id.label("subnet_id"),
        SUBNETS.c.ip_version,
        SUBNETS.c.cidr,
        SUBNETS.c.ipv6_ra_mode,
        SUBNETS.c.ipv6_address_mode,
        SUBNETS.c.open_blocks,
        SUBNETS.c.segment_id,
        SUBNETS.c.service_types,
        HAS_ANY.label("has_seen"),
        SUBNET_DRIVERS.c.driver,
        *subnet_ipam.COLUMNS,
        ALLOCATION_POOLS.c.first,
        ALLOCATION_POOLS.c.last,
        case((has_way(NETWORKS.c.id, HOSTS.c.id), HOSTS.c.datapath_type)).label("datapath_type"),
    )
    .select_from(
        NETWORKS.outerjoin(SUBNETS, SUBNETS.c.network_id == NETWORKS.c.id)
        .outerjoin(SUBNET_DRIVERS, SUBNET_DRIVERS.c.subnet_id == SUBNETS.c.id)
        .outerjoin(SUBNET_IPAM, SUBNET_IPAM.c.subnet_id == SUBNETS.c.id)
        .outerjoin(ALLOCATION_POOLS, ALLOCATION_POOLS.c.subnet_id == SUBNETS.c.id)
        .outerjoin(HOSTS, and_(HOSTS.c.name == bindparam("host"), is_host_of(HOSTS, NETWORKS.c.plugin)))
    )
    .where(NETWORKS.c.id == bindparam("network"))
    .order_by(SUBNETS.c.key, ALLOCATION_POOLS.c.position)
)
_ANY_PLACE = Direct(_PLACE)
_FACTS = visibility.of_network(bindparam("project"))
_PLACE_FOR = _PLACE.add_columns(_FACTS["shared"].label("is_shared"), _FACTS["external"].label("is_external"))


@cache
def _visible_place(rule: Expression) -> Direct:
    return Direct(_PLACE_FOR.where(listing.where(rule, _FACTS)))


@dataclass(frozen=True, slots=True, kw_only=True)
class PortSubnet:
    """A subnet as a port sees it."""

    space: SubnetSpace
    is_automatic: bool
    """Hosts make their own addresses."""
    segment_id: str | None = None
    """Where the addresses can be used; None: on all of the network."""
    service_types: tuple[str, ...] = ()
    driver: str = BUILT_IN
    """Who gives out its addresses."""

    def serves(self, device_owner: str) -> bool:
        """Say whether ports of an owner get addresses of the subnet unasked (extension subnet-service-types)."""
        return not self.service_types or device_owner in self.service_types

    @property
    def id(self) -> str:
        """The subnet's id."""
        return self.space.subnet_id

    @property
    def version(self) -> int:
        """The subnet's IP version."""
        return self.space.cidr.version


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The network a port is on, its subnets in the order they were made, and the host it is bound to."""

    network_id: str
    project_id: str
    port_security_enabled: bool
    is_pvlan: bool
    plugin: str
    """Who realises the network."""
    host: str | None
    dns_domain: str
    subnets: tuple[PortSubnet, ...]
    datapath_type: str | None
    """The host's, None when no such host is registered or it has no way to the network."""
    shared: bool = False
    """With the caller's project; False for administrators, who need not know."""
    external: bool = False
    segment_id: str | None = None
    """The segment of a routed network that the host is on; None without a host, and where subnets have no segment."""

    @property
    def is_routed(self) -> bool:
        """Whether subnets belong to segments."""
        return any(subnet.segment_id is not None for subnet in self.subnets)

    @property
    def waits_for_host(self) -> bool:
        """Whether it is not known yet which addresses can be used."""
        return self.is_routed and self.segment_id is None

    @property
    def given(self) -> tuple[PortSubnet, ...]:
        """The subnets addresses are given out of unasked."""
        return tuple(subnet for subnet in self.subnets if subnet.segment_id == self.segment_id)

    @property
    def usable(self) -> tuple[PortSubnet, ...]:
        """The subnets that may be asked for; without a host, all."""
        return self.subnets if self.segment_id is None else self.given


def is_automatic(ra_mode: str | None, address_mode: str | None) -> bool:
    """Say whether hosts of a subnet make their own addresses; either mode decides, as in Neutron."""
    return ra_mode in AUTO_ADDRESS_MODES or address_mode in AUTO_ADDRESS_MODES


def load_place(tx: Transaction, caller: Caller | None, network_id: str, host: str | None) -> Place:
    """Read with one query all that a port's addresses and binding depend on; without a caller, of any network.

    Raises:
        NetworkNotFound: not for this caller.
        HostNotConnectedToAnySegment: the network is routed, and not to the host.
    """
    parameters = {"network": network_id, "host": host or ""}
    seen = True if caller is None else caller.rights.rule("get_network")
    is_weighed = caller is not None and not (caller.is_admin and seen is True)
    if caller is None or not is_weighed:
        rows = _ANY_PLACE.rows(tx.connection, parameters)
    else:
        rows = _visible_place(seen).rows(tx.connection, parameters | {"project": caller.project_id})
    if not rows:
        raise NetworkNotFound(network_id)
    by_subnet: dict[str, list[Any]] = {}
    for row in rows:
        if row.subnet_id is not None:
            by_subnet.setdefault(row.subnet_id, []).append(row)
    is_routed = any(row.segment_id is not None for row in rows)
    return Place(
        network_id=network_id,
        project_id=rows[0].project_id,
        port_security_enabled=rows[0].port_security_enabled,
        is_pvlan=rows[0].pvlan,
        plugin=rows[0].plugin,
        host=host,
        dns_domain=rows[0].dns_domain,
        subnets=tuple(_port_subnet(of_subnet) for of_subnet in by_subnet.values()),
        datapath_type=rows[0].datapath_type,
        segment_id=routed.segment_on(tx, network_id, host) if host and is_routed else None,
        shared=is_weighed and bool(rows[0].is_shared),
        external=is_weighed and bool(rows[0].is_external),
    )


def driver_for(tx: Transaction, place: Place) -> BuiltInDriver:
    """Return the driver that gives out addresses of the network's subnets."""
    return BuiltInDriver(spaces=[subnet.space for subnet in place.subnets], store=Allocations(tx), rng=tx.rng)


def manual_requests(
    tx: Transaction,
    place: Place,
    fixed_ips: Sequence[Mapping[str, Any]] | Sentinel,
    *,
    mac_address: str,
    device_owner: str,
) -> list[AddressRequest]:
    """Return what a caller's ``fixed_ips`` ask of the driver; AUTO asks for one address of each IP version.

    Raises:
        InvalidInput, InvalidIpForNetwork, InvalidIpForSubnet, SubnetNotFound, AllocationOnAutoAddressSubnet
        IpAddressGenerationFailureNoMatchingSubnet: every subnet is for other owners.
    """
    if isinstance(fixed_ips, Sentinel):
        serving = [subnet for subnet in place.given if subnet.serves(device_owner)]
        if place.given and not serving:
            raise IpAddressGenerationFailureNoMatchingSubnet
        manual = [subnet for subnet in serving if not subnet.is_automatic]
        return [
            AnyAddress(
                subnet_ids=tuple(subnet.id for subnet in manual if subnet.version == version), mac_address=mac_address
            )
            for version in sorted({subnet.version for subnet in manual})
        ]
    requests = (_requested(tx, place, wanted, mac_address, device_owner) for wanted in fixed_ips)
    return [request for request in requests if request is not None]


def automatic_requests(place: Place, *, mac_address: str, device_owner: str) -> list[Eui64Address]:
    """Return what subnets give by themselves: a host's own address on each automatic one."""
    if device_owner in ROUTER_OWNERS:
        return []
    return [
        Eui64Address(subnet_id=subnet.id, mac_address=mac_address)
        for subnet in place.given
        if subnet.is_automatic and subnet.serves(device_owner)
    ]


def assign(
    tx: Transaction, place: Place, requests: Mapping[str, Sequence[AddressRequest]]
) -> Mapping[str, tuple[FixedIp, ...]]:
    """Reserve and store addresses for the ports of one network, by port id; each has them in the order of its requests.

    Raises:
        IpAddressAlreadyAllocated: a requested address is another port's.
        IpAddressHeld: a requested address is held for another project.
        IpAddressGenerationFailure: no address is left.
        AsksFirst, and more that ``remote_addressing.assign`` raises: where a service outside gives out addresses.
    """
    if any(subnet.driver != BUILT_IN for subnet in place.subnets):
        return remote_addressing.assign(tx, place, requests, _assign_here)
    return _assign_here(tx, place, requests)


def _assign_here(
    tx: Transaction, place: Place, requests: Mapping[str, Sequence[AddressRequest]]
) -> Mapping[str, tuple[FixedIp, ...]]:
    """Give out addresses that Weft itself keeps; as ``assign``."""
    asked = [request for of_port in requests.values() for request in of_port]
    owners = [port_id for port_id, of_port in requests.items() for _ in of_port]
    if not asked:
        return dict.fromkeys(requests, ())
    driver = driver_for(tx, place)
    in_order = [one.id for one in place.subnets if one.space.strategy is Strategy.SEQUENTIAL]
    if in_order:
        expire(tx, in_order)  # the first free address may be one whose quarantine is over
    drawn_again = 0
    while True:
        try:
            reservation: Reservation = driver.reserve(asked)
        except AddressTaken as error:
            if address_holds.give_way(tx, requests, error.subnet_id, error.address):
                continue
            raise IpAddressAlreadyAllocated(error.address, error.subnet_id) from error
        except AddressesExhausted as error:
            if expire(tx, error.subnet_ids):
                continue
            raise IpAddressGenerationFailure(place.network_id) from error
        try:
            with attempt(tx):
                driver.commit(reservation, owners)
        except AddressTaken as error:
            drawn_again += 1
            if drawn_again == COMMIT_TRIES:
                raise IpAddressGenerationFailure(place.network_id) from error
            continue
        given = iter(reservation.addresses)
        return {
            port_id: tuple(_fixed_ip(one) for one in islice(given, len(of_port)))
            for port_id, of_port in requests.items()
        }


def _fixed_ip(one: Assigned) -> FixedIp:
    return FixedIp(subnet_id=SubnetId(one.subnet_id), ip_address=text(one.version, one.address))


def readdress(
    tx: Transaction, place: Place, port: Port, wanted: Sequence[Mapping[str, Any]] | Sentinel | None
) -> tuple[FixedIp, ...]:
    """Replace a port's addresses by the wanted ones (None: the same), keeping those it has already.

    AUTO gives a port that has none its first addresses.

    ``port`` has its new MAC address and owner, and its old addresses. Automatic addresses follow the MAC address.

    Raises:
        InvalidInput, InvalidIpForNetwork, InvalidIpForSubnet, SubnetNotFound, AllocationOnAutoAddressSubnet,
        IpAddressAlreadyAllocated, IpAddressGenerationFailure
    """
    automatic = {subnet.id: subnet for subnet in place.subnets if subnet.is_automatic}
    manual = [one for one in port.fixed_ips if one.subnet_id not in automatic or port.device_owner in ROUTER_OWNERS]
    own = [one for one in port.fixed_ips if one not in manual]
    kept: list[FixedIp]
    missing: Sequence[Mapping[str, Any]] | Sentinel
    if wanted is None:
        kept, missing = manual, []
    elif isinstance(wanted, Sentinel):
        kept, missing = [], wanted
    else:
        kept, missing = _match(manual, own, wanted)
    requests = manual_requests(tx, place, missing, mac_address=port.mac_address, device_owner=port.device_owner)
    for request in automatic_requests(place, mac_address=port.mac_address, device_owner=port.device_owner):
        cidr = automatic[request.subnet_id].space.cidr
        address = text(cidr.version, eui64(cidr, request.mac_address))
        held = next(
            (one for one in own if one == FixedIp(subnet_id=SubnetId(request.subnet_id), ip_address=address)), None
        )
        if held is None:
            requests.append(request)
        else:
            kept.append(held)
    give_back(tx, [one for one in port.fixed_ips if one not in kept])
    added = assign(tx, place, {port.id: requests})
    return tuple(one for one in port.fixed_ips if one in kept) + added[port.id]


def _match(
    manual: Sequence[FixedIp], own: Sequence[FixedIp], wanted: Sequence[Mapping[str, Any]]
) -> tuple[list[FixedIp], list[Mapping[str, Any]]]:
    """Return which addresses stay and which entries of ``fixed_ips`` none of them answers.

    Entries that name an address choose first; one that names only a subnet keeps any address of that subnet.
    """
    left, kept, missing = list(manual), [], []
    for entry in sorted(wanted, key=lambda entry: entry.get("ip_address") is None):
        answers = [one for one in left if _answers(one, entry)]
        if answers:
            left.remove(answers[0])
            kept.append(answers[0])
        elif not any(_answers(one, entry) for one in own):
            missing.append(entry)
    return kept, missing


def _answers(held: FixedIp, entry: Mapping[str, Any]) -> bool:
    subnet_id, ip_address = entry.get("subnet_id"), entry.get("ip_address")
    if ip_address is not None and text(*_parsed(ip_address)) != held.ip_address:
        return False
    return subnet_id in {None, held.subnet_id} and (subnet_id is not None or ip_address is not None)


def give_back(tx: Transaction, fixed_ips: Sequence[FixedIp]) -> None:
    """Release some of a port's addresses."""
    assigned = []
    for one in fixed_ips:
        version, address = parse_address(one.ip_address)
        assigned.append(Assigned(subnet_id=one.subnet_id, version=version, address=address))
    Allocations(tx).release(assigned)


def _port_subnet(rows: Sequence[Any]) -> PortSubnet:
    first = rows[0]
    pools = tuple(
        Pool(version=first.ip_version, first=parse_address(row.first)[1], last=parse_address(row.last)[1])
        for row in rows
        if row.first is not None
    )
    return PortSubnet(
        space=replace(
            space_of(first.subnet_id, parse_cidr(first.cidr), pools, first.open_blocks, subnet_ipam.chosen_of(first)),
            has_seen=first.has_seen,
        ),
        is_automatic=is_automatic(first.ipv6_ra_mode, first.ipv6_address_mode),
        segment_id=first.segment_id,
        service_types=() if first.service_types == "[]" else tuple(json.loads(first.service_types)),
        driver=first.driver or BUILT_IN,
    )


def _requested(
    tx: Transaction, place: Place, wanted: Mapping[str, Any], mac_address: str, device_owner: str
) -> AddressRequest | None:
    """Return the request for one entry of ``fixed_ips``, or None where the subnet gives an address anyway."""
    subnet_id, ip_address = wanted.get("subnet_id"), wanted.get("ip_address")
    if not place.subnets:
        raise InvalidInput("IP allocation requires subnets for network")
    if subnet_id is None and ip_address is None:
        raise InvalidInput("IP allocation requires subnet_id or ip_address")
    subnet = _subnet_of(tx, place, subnet_id, ip_address, device_owner)
    makes_its_own = subnet.is_automatic and device_owner not in ROUTER_OWNERS
    if ip_address is None:
        return None if makes_its_own else AnyAddress(subnet_ids=(subnet.id,), mac_address=mac_address)
    version, address = _parsed(ip_address)
    if not _is_assignable(subnet, version, address, device_owner):
        raise InvalidIpForSubnet(ip_address)
    if makes_its_own:
        raise AllocationOnAutoAddressSubnet(ip_address, subnet.id)
    return SpecificAddress(subnet_id=subnet.id, address=address)


def _subnet_of(
    tx: Transaction, place: Place, subnet_id: str | None, ip_address: str | None, device_owner: str
) -> PortSubnet:
    """Return the subnet that is named, or that has the address; only a named one may be for other owners."""
    if subnet_id is not None:
        for subnet in place.usable:
            if subnet.id == subnet_id:
                return subnet
        if tx.connection.execute(select(SUBNETS.c.id).where(SUBNETS.c.id == subnet_id)).first() is None:
            raise SubnetNotFound(subnet_id)
        raise InvalidInput(
            f"Failed to create port on network {place.network_id}, "
            f"because fixed_ips included invalid subnet {subnet_id}"
        )
    version, address = _parsed(str(ip_address))
    for subnet in place.usable:
        if _is_assignable(subnet, version, address, device_owner) and subnet.serves(device_owner):
            return subnet
    raise InvalidIpForNetwork(str(ip_address))


def _is_assignable(subnet: PortSubnet, version: int, address: int, device_owner: str) -> bool:
    """Say whether a port may have an address: a usable one, or as a router the one that means any router of the subnet.

    RFC 4291 section 2.6.1; it is the gateway of an IPv6 subnet when nothing else is said.
    """
    cidr = subnet.space.cidr
    if version != subnet.version:
        return False
    is_for_routers = version != IPV4 and address == cidr.first
    return address in usable(cidr) or (is_for_routers and device_owner in ROUTER_OWNERS)


def _parsed(ip_address: str) -> tuple[int, int]:
    try:
        return parse_address(ip_address)
    except ValueError as error:
        raise InvalidInput(f"'{ip_address}' is not a valid IP address") from error
