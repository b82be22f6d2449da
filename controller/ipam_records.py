"""What was chosen about a subnet's addresses, what is reserved in it, and what does the allocator make of that?"""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from functools import lru_cache

from ipam.addresses import Cidr, Pool, parse_pool
from ipam.allocator import Strategy, SubnetSpace
from ipam.exclusions import without

LONGEST_QUARANTINE_S = 366 * 86_400


class HeldAs(Enum):
    """Why is an address given to nobody although nobody has it?"""

    QUARANTINE = "quarantine"
    RESERVATION = "reservation"


@dataclass(frozen=True, slots=True, kw_only=True)
class SubnetIpam:
    """How addresses of a subnet are chosen, as the store has it; the usual, where nothing was chosen."""

    strategy: Strategy = Strategy.RANDOM
    quarantine_s: int | None = None
    """Seconds for which a released address is given to nobody; None: as configured."""
    excluded_ranges: tuple[tuple[str, str], ...] = ()
    """Inclusive (start, end) pairs."""
    excluded_octets: tuple[int, ...] = ()
    """Last octets of IPv4 addresses, in order."""


USUAL = SubnetIpam()


@dataclass(frozen=True, slots=True, kw_only=True)
class IpReservation:
    """An address kept for ports of a project, by a name."""

    id: str
    project_id: str
    name: str
    description: str
    subnet_id: str
    network_id: str
    ip_address: str
    port_id: str | None
    """The port that has it now."""
    expires_at: datetime | None
    created_at: datetime
    updated_at: datetime
    revision_number: int


def space_of(subnet_id: str, cidr: Cidr, pools: tuple[Pool, ...], open_blocks: int, chosen: SubnetIpam) -> SubnetSpace:
    """Return a subnet as the allocator sees it."""
    if chosen is USUAL:
        return SubnetSpace(subnet_id=subnet_id, cidr=cidr, pools=pools, open_blocks=open_blocks)
    return SubnetSpace(
        subnet_id=subnet_id,
        cidr=cidr,
        pools=_left(pools, chosen.excluded_ranges),
        open_blocks=open_blocks,
        strategy=chosen.strategy,
        octets=frozenset(chosen.excluded_octets),
    )


@lru_cache(maxsize=1024)  # every port asks for its subnets'
def _left(pools: tuple[Pool, ...], ranges: tuple[tuple[str, str], ...]) -> tuple[Pool, ...]:
    return without(pools, [parse_pool(first, last) for first, last in ranges])
