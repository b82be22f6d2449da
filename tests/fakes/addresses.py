"""A service that gives out addresses, in memory, with a switch for everything that can go wrong with one.

``tests/unit/controller/ipam_drivers/test_compliance.py`` holds it against the contract like any other driver.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

from ipam.addresses import text
from ipam.errors import AddressesExhausted, AddressTaken, ServiceUnavailable, SubnetRefused
from ipam.remote import AddressService, Held, SubnetFacts, Wanted


class Ledger(AddressService):
    """Knows every address it gave, by handle."""

    name: ClassVar[str] = "ledger"
    version: ClassVar[str] = "1"

    def __init__(self, settings: Mapping[str, str]) -> None:
        super().__init__(settings)
        self.held: dict[str, Held] = {}
        self.owners: dict[str, str] = {}
        self.is_away = False
        self.refuses: str | None = None
        self.on_reserve: Callable[[], None] = lambda: None
        """Called when a reservation is made, before it is answered."""
        self.asked = 0
        self._lock = threading.Lock()
        self._last = 0

    def check_subnet(self, subnet: SubnetFacts) -> None:
        self._there()
        if self.refuses:
            raise SubnetRefused(str(subnet.cidr), self.refuses)

    def reserve(self, mark: str, wanted: Sequence[Wanted]) -> Sequence[Held]:
        self._there()
        self.asked += 1
        with self._lock:
            given: list[Held] = []
            for one in wanted:
                given.append(self._one(mark, one, given))
            self.held |= {held.handle: held for held in given}
        self.on_reserve()
        return given

    def commit(self, held: Sequence[Held], owners: Sequence[str]) -> None:
        self._there()
        self.owners |= {one.handle: owner for one, owner in zip(held, owners, strict=True)}

    def release(self, held: Sequence[Held]) -> None:
        self._there()
        for one in held:
            self.held.pop(one.handle, None)

    def find(self, mark: str | None) -> Sequence[Held]:
        self._there()
        return [held for held in self.held.values() if mark in {None, held.mark}]

    @property
    def addresses(self) -> list[str]:
        """What it holds now."""
        return sorted(str(held) for held in self.held.values())

    def _there(self) -> None:
        if self.is_away:
            raise ServiceUnavailable("nobody answers at ledger.example")

    def _one(self, mark: str, wanted: Wanted, also: Sequence[Held]) -> Held:
        taken = {(held.version, held.address) for held in (*self.held.values(), *also)}
        for subnet in wanted.subnets:
            version = subnet.cidr.version
            if wanted.address is not None:
                if (version, wanted.address) in taken:
                    raise AddressTaken(subnet.subnet_id, text(version, wanted.address))
                return self._made(mark, subnet, wanted.address)
            for pool in subnet.pools:
                for address in range(pool.first, pool.last + 1):
                    if (version, address) not in taken:
                        return self._made(mark, subnet, address)
        raise AddressesExhausted(tuple(subnet.subnet_id for subnet in wanted.subnets))

    def _made(self, mark: str, subnet: SubnetFacts, address: int) -> Held:
        self._last += 1
        return Held(
            subnet_id=subnet.subnet_id,
            version=subnet.cidr.version,
            address=address,
            handle=str(self._last),
            mark=mark,
        )
