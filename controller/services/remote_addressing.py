"""How do ports get addresses of subnets that a service outside Weft gives out?

A network may have subnets of several drivers; a port that asks for any address gets one of the first subnet that has
room, whosever it is. The service was asked before the transaction (``controller.ipam_drivers.hand``), here its answer
becomes allocations like those of the built-in driver, with a row beside each that says what the service is owed.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING

from controller.errors import IpAddressAlreadyAllocated, IpAddressGenerationFailure
from controller.ipam_driver_errors import AddressServiceInconsistent, AddressServiceUnavailable
from controller.ipam_drivers.settings import BUILT_IN
from controller.records import FixedIp, SubnetId
from controller.store import remote_addresses
from controller.store.allocations import Allocations
from controller.store.transaction import Transaction
from ipam.addresses import eui64, text
from ipam.allocator import Claim
from ipam.blocks import block_of
from ipam.driver import AddressRequest, AnyAddress, SpecificAddress
from ipam.errors import AddressesExhausted
from ipam.remote import Held, SubnetFacts, Wanted

if TYPE_CHECKING:
    from controller.services.addressing import Place, PortSubnet

Requests = Mapping[str, Sequence[AddressRequest]]
Here = Callable[[Transaction, "Place", Requests], Mapping[str, tuple[FixedIp, ...]]]
"""What the built-in driver does for its subnets."""


@dataclass(slots=True, kw_only=True)
class _Wish:
    """One request of one port, and whom to ask for it: the first of ``ways``."""

    owner: str
    ways: list[tuple[str, AddressRequest]]
    """(driver, request for its subnets alone)."""
    got: FixedIp | None = None


def assign(tx: Transaction, place: "Place", requests: Requests, here: Here) -> Mapping[str, tuple[FixedIp, ...]]:
    """Give addresses to the ports of a network some of whose subnets are not the built-in driver's.

    Raises:
        AsksFirst: a service has to be asked.
        IpAddressAlreadyAllocated, IpAddressGenerationFailure, AddressServiceUnavailable, AddressServiceInconsistent
    """
    subnets = {subnet.id: subnet for subnet in place.subnets}
    wishes = [
        _Wish(owner=port_id, ways=_ways(subnets, request))
        for port_id, of_port in requests.items()
        for request in of_port
    ]
    _refuse_taken(tx, subnets, wishes)
    while True:
        try:
            given = {driver: _take(tx, subnets, driver, _first(wishes, driver)) for driver in _drivers(wishes)}
            _give_here(tx, place, _first(wishes, BUILT_IN), here)
        except AddressesExhausted as exhausted:
            _go_on(place, wishes, exhausted.subnet_ids)
        else:
            break
    for driver, held in given.items():
        _keep(tx, subnets, driver, _first(wishes, driver), held)
    return {
        port_id: tuple(wish.got for wish in wishes if wish.owner == port_id and wish.got is not None)
        for port_id in requests
    }


def facts(subnet: "PortSubnet") -> SubnetFacts:
    """Return what a driver is told of a subnet."""
    return SubnetFacts(subnet_id=subnet.id, cidr=subnet.space.cidr, pools=subnet.space.pools)


def _ways(subnets: "Mapping[str, PortSubnet]", request: AddressRequest) -> list[tuple[str, AddressRequest]]:
    if not isinstance(request, AnyAddress):
        return [(subnets[request.subnet_id].driver, request)]
    in_turn = groupby(request.subnet_ids, key=lambda subnet_id: subnets[subnet_id].driver)
    return [(driver, replace(request, subnet_ids=tuple(ids))) for driver, ids in in_turn] or [(BUILT_IN, request)]


def _drivers(wishes: Sequence[_Wish]) -> list[str]:
    return sorted({wish.ways[0][0] for wish in wishes} - {BUILT_IN})


def _first(wishes: Sequence[_Wish], driver: str) -> list[_Wish]:
    return [wish for wish in wishes if wish.ways[0][0] == driver]


def _go_on(place: "Place", wishes: Sequence[_Wish], subnet_ids: tuple[str, ...]) -> None:
    """Let those whose subnets are full ask the next driver."""
    full = [
        wish
        for wish in wishes
        if isinstance(wish.ways[0][1], AnyAddress) and set(wish.ways[0][1].subnet_ids) <= set(subnet_ids)
    ]
    if not full or any(len(wish.ways) == 1 for wish in full):
        raise IpAddressGenerationFailure(place.network_id)
    for wish in full:
        wish.ways = wish.ways[1:]


def _refuse_taken(tx: Transaction, subnets: "Mapping[str, PortSubnet]", wishes: Sequence[_Wish]) -> None:
    """Refuse a named address that Weft itself knows to be somebody's; no service need be asked for that."""
    named = {}
    for wish in wishes:
        driver, request = wish.ways[0]
        if driver != BUILT_IN and not isinstance(request, AnyAddress):
            subnet = subnets[request.subnet_id]
            named[subnet.id, _named(subnet, request)] = subnet.version
    taken = Allocations(tx).taken([(subnet_id, version, address) for (subnet_id, address), version in named.items()])
    for subnet_id, address in taken:
        raise IpAddressAlreadyAllocated(text(named[subnet_id, address], address), subnet_id)


def _named(subnet: "PortSubnet", request: AddressRequest) -> int:
    if isinstance(request, SpecificAddress):
        return request.address
    if isinstance(request, AnyAddress):
        raise TypeError(f"{request} names no address")
    return eui64(subnet.space.cidr, request.mac_address)


def _take(tx: Transaction, subnets: "Mapping[str, PortSubnet]", driver: str, wishes: Sequence[_Wish]) -> Sequence[Held]:
    if tx.hand is None:
        raise AddressServiceUnavailable(
            driver, "it is not enabled (`weft serve --ipam-drivers`), or not for this request"
        )
    wanted = []
    for wish in wishes:
        request = wish.ways[0][1]
        if isinstance(request, AnyAddress):
            wanted.append(Wanted(subnets=tuple(facts(subnets[one]) for one in request.subnet_ids)))
        else:
            subnet = subnets[request.subnet_id]
            wanted.append(Wanted(subnets=(facts(subnet),), address=_named(subnet, request)))
    return tx.hand.take(driver, wanted)


def _give_here(tx: Transaction, place: "Place", wishes: Sequence[_Wish], here: Here) -> None:
    by_port: dict[str, list[AddressRequest]] = {}
    for wish in wishes:
        by_port.setdefault(wish.owner, []).append(wish.ways[0][1])
    try:
        given = here(tx, place, by_port)
    except IpAddressGenerationFailure as failure:
        if isinstance(failure.__cause__, AddressesExhausted):
            raise failure.__cause__ from failure
        raise
    left = {port_id: iter(addresses) for port_id, addresses in given.items()}
    for wish in wishes:
        wish.got = next(left[wish.owner])


def _keep(
    tx: Transaction,
    subnets: "Mapping[str, PortSubnet]",
    driver: str,
    wishes: Sequence[_Wish],
    held: Sequence[Held],
) -> None:
    """Store what a service gave as the ports'."""
    claims = [
        Claim(
            subnet_id=one.subnet_id,
            version=one.version,
            address=one.address,
            block=block_of(subnets[one.subnet_id].space.pools, one.address),
            owner=wish.owner,
        )
        for one, wish in zip(held, wishes, strict=True)
    ]
    stored = Allocations(tx).claim(claims)
    for one, wish in zip(held, wishes, strict=True):
        if (one.subnet_id, one.address) not in stored:
            raise AddressServiceInconsistent(driver, str(one), "which a port of the subnet has already")
        wish.got = FixedIp(subnet_id=SubnetId(one.subnet_id), ip_address=str(one))
    remote_addresses.keep(tx, driver, [(one, wish.owner) for one, wish in zip(held, wishes, strict=True)])
