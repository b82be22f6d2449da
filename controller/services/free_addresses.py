"""Which addresses of a subnet are free, for how long will they last, and how does a port get back the one it had?"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from controller.caller import Caller
from controller.errors import InvalidInput
from controller.ipam_errors import AddressNotQuarantined
from controller.ipam_records import HeldAs
from controller.records import Port, Subnet
from controller.services import addressing, listing, ports, subnets, visibility
from controller.services.rules import authorize
from controller.store import holds, subnet_samples
from controller.store.free_view import TakenRows, Totals, totals
from controller.store.loading import ports_of
from controller.store.transaction import Transaction
from ipam.addresses import parse_address, text
from ipam.allocator import SubnetSpace
from ipam.gaps import Page, free_page

RULE = "get_subnet_free"
MOST_RANGES = 1000
WINDOWS_D = (1, 7, 30)
_DAY_S = 86_400
LEAST_S = 3600
"""Over less than an hour a rate says nothing."""
_MOST_DAYS = 36_500
"""Beyond a hundred years no date is named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Free:
    """A page of a subnet's free ranges, and what all of its addresses are."""

    subnet: Subnet
    totals: Totals
    page: Page


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """How a subnet filled over the last days."""

    days: int
    since: datetime
    """The beginning, or when the subnet was made."""
    taken_then: int
    rate_per_day: float | None
    """None over less than an hour."""
    days_left: float | None
    """None when it does not fill."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """When will a subnet be full, if it goes on as it did?"""

    subnet: Subnet
    at: datetime
    free: int
    taken: int
    windows: tuple[Window, ...]
    samples: int

    @property
    def decisive(self) -> Window | None:
        """The window that leaves the least time; None when in none of them the subnet fills."""
        filling = [one for one in self.windows if one.days_left is not None]
        return min(filling, key=lambda one: (one.days_left or 0, one.days), default=None)

    @property
    def exhausted_at(self) -> datetime | None:
        """When the last address is taken; None for never, or beyond a hundred years."""
        left = None if self.decisive is None else self.decisive.days_left
        return None if left is None or left > _MOST_DAYS else self.at + timedelta(days=left)


def expire_due(tx: Transaction, subnet_id: str) -> None:
    """Make everything free in a subnet whose time is over, before it is looked at."""
    while holds.expire(tx, [subnet_id]):
        pass


def is_due(tx: Transaction, subnet_id: str) -> bool:
    """Say whether something in a subnet is still held whose time is over."""
    return holds.has_expired(tx, subnet_id)


def free(tx: Transaction, caller: Caller, subnet_id: str, *, start: str | None, limit: int) -> Free:
    """Return the next free ranges of a subnet from an address on.

    Raises:
        SubnetNotFound, PolicyNotAuthorized
        InvalidInput: the address is not in the subnet.
    """
    subnet, space, total = _seen(tx, caller, subnet_id)
    first: int | None = None
    if start is not None:
        try:
            version, first = parse_address(start)
        except ValueError as error:
            raise InvalidInput(f"start: '{start}' is not a valid IP address") from error
        if version != space.cidr.version or not any(first in pool for pool in space.pools):
            raise InvalidInput(f"start: {start} is in no allocation pool of subnet {subnet_id}, or excluded from it")
    page = free_page(space, TakenRows(tx), start=first, limit=limit)
    return Free(subnet=subnet, totals=totals(tx, space, total=total), page=page)


def forecast(tx: Transaction, caller: Caller, subnet_id: str) -> Forecast:
    """Return how fast a subnet fills, and when it is full if it goes on so.

    Raises:
        SubnetNotFound, PolicyNotAuthorized
    """
    subnet, space, total = _seen(tx, caller, subnet_id)
    now = totals(tx, space, total=total)
    taken = now.used + now.quarantined + now.reserved
    windows = tuple(_window(tx, subnet, days, taken=taken, left=now.free) for days in WINDOWS_D)
    return Forecast(
        subnet=subnet,
        at=tx.now,
        free=now.free,
        taken=taken,
        windows=windows,
        samples=subnet_samples.count(tx, subnet_id),
    )


def restore(tx: Transaction, caller: Caller, subnet_id: str, values: Mapping[str, Any]) -> Port:
    """Give a port an address out of quarantine, beside those it has.

    Raises:
        SubnetNotFound, PortNotFound, PolicyNotAuthorized, and what ``ports.update`` raises
        AddressNotQuarantined: the address is not.
        InvalidInput: the port is on another network.
    """
    subnet = listing.one(tx, caller, subnets.RESOURCE, subnet_id)
    port = ports_of(tx.connection, [listing.one(tx, caller, ports.RESOURCE, values["port_id"])])[0]
    address = text(*parse_address(values["ip_address"]))
    row = holds.held(tx, subnet_id, address)
    owner = subnet.project_id if row is None else row.held_for
    authorize(caller, "restore_address", lambda: visibility.network_facts(tx, caller, subnet.network_id).target(owner))
    if row is None or row.held_as != HeldAs.QUARANTINE.value or row.held_until <= tx.timestamp:
        raise AddressNotQuarantined(address, subnet_id)
    if port.network_id != subnet.network_id:
        raise InvalidInput(f"port {port.id} is on network {port.network_id}, and subnet {subnet_id} is not")
    holds.prolong(tx, row.id, whose=port.project_id, until=row.held_until)
    kept = [{"subnet_id": one.subnet_id, "ip_address": one.ip_address} for one in port.fixed_ips]
    wanted = [*kept, {"subnet_id": subnet_id, "ip_address": address}]
    return ports.update(tx, caller, port.id, {"fixed_ips": wanted})


def _window(tx: Transaction, subnet: Subnet, days: int, *, taken: int, left: int) -> Window:
    begin = max(tx.now - timedelta(days=days), subnet.created_at)
    then = 0 if begin == subnet.created_at else subnet_samples.taken_at(tx, subnet.id, int(begin.timestamp()))
    elapsed_s = (tx.now - begin).total_seconds()
    rate = (taken - then) / elapsed_s * _DAY_S if elapsed_s >= LEAST_S else None
    return Window(
        days=days,
        since=begin,
        taken_then=then,
        rate_per_day=rate,
        days_left=left / rate if rate is not None and rate > 0 else None,
    )


def _seen(tx: Transaction, caller: Caller, subnet_id: str) -> tuple[Subnet, SubnetSpace, int]:
    """Return a subnet the caller may look into, as a record and as the allocator sees it, and the size of its pools."""
    subnet = subnets.get(tx, caller, subnet_id)
    authorize(caller, RULE, lambda: visibility.network_facts(tx, caller, subnet.network_id).target(subnet.project_id))
    place = addressing.load_place(tx, None, subnet.network_id, None)
    space = next(one.space for one in place.subnets if one.id == subnet_id)
    total = sum(parse_address(last)[1] - parse_address(first)[1] + 1 for first, last in subnet.allocation_pools)
    return subnet, space, total
