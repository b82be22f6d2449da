"""Which addresses stand, in a plan, for those that a service would choose?

A driver's contract has no way to ask what would be given without its being reserved (``ipam.remote``). In a plan free
addresses of the subnet's pools take that place, from their ends, where people name fewer: flows and connectivity are
then those of the request, and whoever shows the plan says which addresses nobody has chosen yet.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from controller.ipam_driver_errors import NotPlannable
from controller.store.allocations import Allocations
from controller.store.transaction import Transaction
from ipam.errors import AddressesExhausted
from ipam.remote import Held, SubnetFacts, Wanted

MARK = "planned"
LOOKED_AT_ONCE = 256
MOST_LOOKED_AT = 16_384
"""Addresses of one subnet; in one that is so full at the end of its pools nothing is planned."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StandIn:
    """One address of a plan that a service has not given."""

    driver: str
    held: Held
    is_named: bool
    """The request itself names it: it is known, and only whether the service gives it is not."""


def stand_ins(
    tx: Transaction, driver: str, wanted: Sequence[Wanted], used: Collection[tuple[str, int]]
) -> tuple[StandIn, ...]:
    """Return what stands for the answer of a service, in the order of what is wanted of it.

    Args:
        tx: where to look what is free; what it sees is what was there before.
        driver: whose addresses they would be.
        wanted: what the service would be asked for.
        used: (subnet id, address) pairs that the plan uses already.

    Raises:
        AddressesExhausted: none is free in any of the subnets; the service would say so, too.
        NotPlannable: too many addresses would have to be looked at.
    """
    gone = {*used, *((one.subnets[0].subnet_id, one.address) for one in wanted if one.address is not None)}
    found = []
    for one in wanted:
        if one.address is None:
            subnet, address = _free(tx, driver, one.subnets, gone)
            gone.add((subnet.subnet_id, address))
        else:
            subnet, address = one.subnets[0], one.address
        held = Held(subnet_id=subnet.subnet_id, version=subnet.cidr.version, address=address, handle=MARK, mark=MARK)
        found.append(StandIn(driver=driver, held=held, is_named=one.address is not None))
    return tuple(found)


def _free(
    tx: Transaction, driver: str, subnets: Sequence[SubnetFacts], gone: Collection[tuple[str, int | None]]
) -> tuple[SubnetFacts, int]:
    for subnet in subnets:
        looked_at = 0
        addresses = _backwards(subnet)
        while candidates := list(islice(addresses, LOOKED_AT_ONCE)):
            asked = [(subnet.subnet_id, subnet.cidr.version, address) for address in candidates]
            taken = Allocations(tx).taken(asked)
            for address in candidates:
                if (subnet.subnet_id, address) not in taken and (subnet.subnet_id, address) not in gone:
                    return subnet, address
            looked_at += len(candidates)
            if looked_at >= MOST_LOOKED_AT:
                raise NotPlannable(driver)
    raise AddressesExhausted(tuple(subnet.subnet_id for subnet in subnets))


def _backwards(subnet: SubnetFacts) -> Iterator[int]:
    for pool in reversed(subnet.pools):
        yield from range(pool.last, pool.first - 1, -1)
