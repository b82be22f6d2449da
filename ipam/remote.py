"""What must a service outside Weft be able to do to give out addresses? The contract for authors of drivers.

The order is that of ``ipam.driver``: ``reserve`` before the transaction, Weft's own commit inside it, and then either
``commit`` (the address is a port's) or ``release``. What a driver does may be slow; it is never called while the
database is locked for writing. Each call is all or nothing, may be repeated after a failure, and is made from any
thread, from several at once.

An author subclasses ``AddressService`` and names the subclass in the entry-point group ``weft.ipam``. A *mark* is
written to the remote service with every reservation, and to Weft's database before the service is asked: whatever dies
in between, what was reserved and never used is found by its mark and released.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from ipam.addresses import Cidr, Pool, text

CONTRACT = 1
"""Grows when a driver written for the number before would no longer work."""
ENTRY_POINTS = "weft.ipam"


@dataclass(frozen=True, slots=True, kw_only=True)
class SubnetFacts:
    """What a driver is told of a subnet."""

    subnet_id: str
    cidr: Cidr
    pools: tuple[Pool, ...]
    """Where addresses nobody asked for by name must be from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One address that is wanted."""

    subnets: tuple[SubnetFacts, ...]
    """Of the first of these that has room; exactly one when an address is named."""
    address: int | None = None
    """This one, inside a pool or not; None: any from a pool."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """One address that the service holds for Weft."""

    subnet_id: str
    """Empty where the service lists what it holds and does not know."""
    version: int
    address: int
    handle: str
    """The service's own name of this reservation; another reservation of the same address has another one."""
    mark: str
    """What it was reserved with."""

    def __str__(self) -> str:
        """Return the address as text."""
        return text(self.version, self.address)


class AddressService(ABC):
    """A driver: what stands between Weft and a service that gives out addresses."""

    name: ClassVar[str]
    version: ClassVar[str]
    contract: ClassVar[int] = CONTRACT

    def __init__(self, settings: Mapping[str, str]) -> None:
        """Take what the operator set (``--ipam-setting NAME.KEY=VALUE``); nothing is asked of the service yet.

        Raises:
            ConfigurationError (``controller.errors``): a setting is missing or wrong.
        """
        self.settings = settings

    @abstractmethod
    def check_subnet(self, subnet: SubnetFacts) -> None:
        """Say whether the service can give out addresses of a new subnet.

        Raises:
            SubnetRefused: it cannot; with what to do.
            ServiceUnavailable
        """

    @abstractmethod
    def reserve(self, mark: str, wanted: Sequence[Wanted]) -> Sequence[Held]:
        """Reserve one address for each that is wanted, in their order; all or none.

        Raises:
            AddressTaken, AddressesExhausted, SubnetRefused
            ServiceUnavailable: it is not known whether anything was reserved; Weft looks for the mark later.
        """

    @abstractmethod
    def commit(self, held: Sequence[Held], owners: Sequence[str]) -> None:
        """Note that reserved addresses are ports' now, for whoever looks at the service; by port id.

        Raises:
            ServiceUnavailable: it is called again later.
        """

    @abstractmethod
    def release(self, held: Sequence[Held]) -> None:
        """Give addresses back by their handles; those that are gone already do not matter.

        Raises:
            ServiceUnavailable: it is called again later.
        """

    @abstractmethod
    def find(self, mark: str | None) -> Sequence[Held]:
        """Return what the service holds for this Weft: under one mark, or all (None).

        Raises:
            ServiceUnavailable
        """
