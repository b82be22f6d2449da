"""What does Weft ask of a service that gives out addresses, and in which order?

The seam has three calls, so that a driver that asks a remote server never does so while the database is locked
for writing::

    before the transaction      reserve(requests) -> reservation      may be slow, may ask over the network
    inside the transaction      commit(reservation, owners)           local and short
    after a failed transaction  release(addresses)                    gives back what was reserved

``release`` also gives back addresses that were committed, when their port goes or changes. The built-in driver
(``ipam.allocator``) stores what it knows in the same database: all of its calls run inside the transaction, and a
rollback releases by itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class AnyAddress:
    """Any free address of the first of these subnets that has room."""

    subnet_ids: tuple[str, ...]
    mac_address: str | None = None
    """Whose it will be, for subnets whose strategy makes addresses of it; None where nobody knows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpecificAddress:
    """This address, inside a pool or not."""

    subnet_id: str
    address: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Eui64Address:
    """The address a host makes itself from its MAC address (RFC 4291 appendix A)."""

    subnet_id: str
    mac_address: str


AddressRequest = AnyAddress | SpecificAddress | Eui64Address


@dataclass(frozen=True, slots=True, kw_only=True)
class Assigned:
    """One address of one subnet."""

    subnet_id: str
    version: int
    address: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    """Addresses chosen for one owner or several, in the order of the requests."""

    addresses: tuple[Assigned, ...]


class Driver(Protocol):
    """A service that gives out addresses."""

    def reserve(self, requests: Sequence[AddressRequest]) -> Reservation:
        """Choose an address for each request, all different.

        Raises:
            AddressTaken: a requested address belongs to somebody else.
            AddressesExhausted: no subnet of a request has room.
        """

    def commit(self, reservation: Reservation, owners: Sequence[str]) -> None:
        """Make each reserved address its owner's (a port id).

        Raises:
            AddressTaken: somebody was faster; nothing was stored, and ``reserve`` may be asked again.
        """

    def release(self, addresses: Sequence[Assigned]) -> None:
        """Give addresses back, reserved or committed."""
