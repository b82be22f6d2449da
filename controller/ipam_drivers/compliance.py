"""Does a driver keep the contract? Asked of any driver, the built-in one included.

The suite takes addresses of one small, empty subnet through ``ipam.driver.Driver`` (reserve, commit, release) and
leaves it empty. ``weft ipam check MODULE:CLASS`` runs it for authors.
"""

import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from controller.ipam_driver_errors import DriverRefused
from ipam.addresses import text
from ipam.driver import AddressRequest, AnyAddress, Assigned, Driver, Reservation, SpecificAddress
from ipam.errors import AddressesExhausted, AddressTaken, IpamError
from ipam.remote import AddressService, Held, SubnetFacts, Wanted

MOST_ADDRESSES = 512
"""Every address of the subnet's pools is taken once."""
THREADS = 8
_TRIES = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A driver, a subnet nobody else uses, and who may hold addresses of it."""

    name: str
    driver: Driver
    subnet: SubnetFacts
    new_owner: Callable[[], str]
    held: Callable[[], Sequence[str]] | None = None
    """What the service holds for Weft as it says itself; None: the driver keeps no service."""

    @property
    def size(self) -> int:
        """How many addresses the pools have."""
        return sum(pool.size for pool in self.subnet.pools)


def check(trial: Trial) -> Iterator[str]:
    """Yield a sentence for each thing that holds.

    Raises:
        DriverRefused: with what was expected and what was found.
    """
    if trial.size > MOST_ADDRESSES:
        raise DriverRefused(trial.name, f"a subnet of at most {MOST_ADDRESSES} addresses", str(trial.size))
    if trial.held is not None and (found := list(trial.held())):
        raise DriverRefused(trial.name, "nothing held for this owner before the check", ", ".join(found))
    for part in (_specific, _rolled_back, _unique_and_exhausted, _all_or_none, _clean):
        try:
            yield part(trial)
        except IpamError as error:
            raise DriverRefused(trial.name, _expectation(part), repr(error)) from error


def _expectation(part: Callable[[Trial], str]) -> str:
    said = str(part.__doc__).rstrip(".")
    return said[0].lower() + said[1:]


def of_service(service: AddressService, subnet: SubnetFacts) -> Trial:
    """Return the trial of a driver that stands before a service outside."""
    return Trial(
        name=service.name,
        driver=_Asked(service, subnet),
        subnet=subnet,
        new_owner=lambda: str(uuid.uuid4()),
        held=lambda: [str(held) for held in service.find(None)],
    )


class _Asked:
    """A service as the driver of one subnet; implements ``ipam.driver.Driver``."""

    def __init__(self, service: AddressService, subnet: SubnetFacts) -> None:
        self._service, self._subnet = service, subnet
        self._held: dict[Assigned, Held] = {}
        self._gone: dict[Assigned, Held] = {}

    def reserve(self, requests: Sequence[AddressRequest]) -> Reservation:
        """Ask the service."""
        mark = str(uuid.uuid4())
        wanted = [
            Wanted(subnets=(self._subnet,), address=one.address if isinstance(one, SpecificAddress) else None)
            for one in requests
        ]
        held = self._service.reserve(mark, wanted)
        listed = {one.handle for one in self._service.find(mark)}
        if listed != {one.handle for one in held}:
            raise DriverRefused(
                self._service.name,
                f"find(mark) to list what was reserved with it: {sorted(one.handle for one in held)}",
                str(sorted(listed)),
            )
        given = [Assigned(subnet_id=one.subnet_id, version=one.version, address=one.address) for one in held]
        twice = [str(one) for place, one in zip(given, held, strict=True) if place in self._held]
        if twice:
            raise DriverRefused(self._service.name, "no address given twice", f"{', '.join(twice)} given again")
        self._held |= dict(zip(given, held, strict=True))
        return Reservation(addresses=tuple(given))

    def commit(self, reservation: Reservation, owners: Sequence[str]) -> None:
        """Tell the service whose the addresses are."""
        self._service.commit([self._held[one] for one in reservation.addresses], owners)

    def release(self, addresses: Sequence[Assigned]) -> None:
        """Give addresses back, and what was given back once more: handles are what counts."""
        self._gone |= {one: self._held.pop(one) for one in addresses if one in self._held}
        self._service.release([self._gone[one] for one in addresses])


def _take(trial: Trial, *requests: AddressRequest) -> Reservation:
    """Reserve and commit; another may be faster in between where reserving only chooses (``ipam.driver``)."""
    for _ in range(_TRIES):
        reservation = trial.driver.reserve(requests)
        try:
            trial.driver.commit(reservation, [trial.new_owner() for _ in requests])
        except AddressTaken:
            continue
        return reservation
    raise DriverRefused(trial.name, "a reservation that can be committed", f"{_TRIES} that could not")


def _any(trial: Trial) -> AnyAddress:
    return AnyAddress(subnet_ids=(trial.subnet.subnet_id,))


def _refuses(trial: Trial, expected: type[IpamError], what: str, ask: Callable[[], object]) -> None:
    try:
        ask()
    except expected:
        return
    except IpamError as error:
        raise DriverRefused(trial.name, f"{expected.__name__} {what}", repr(error)) from error
    raise DriverRefused(trial.name, f"{expected.__name__} {what}", "no error")


def _specific(trial: Trial) -> str:
    """An address asked for by name to be had once, and again after its release."""
    pool = trial.subnet.pools[0]
    wanted = SpecificAddress(subnet_id=trial.subnet.subnet_id, address=pool.last)
    (given,) = _take(trial, wanted).addresses
    if given.address != pool.last:
        raise DriverRefused(trial.name, text(pool.version, pool.last), text(given.version, given.address))
    _refuses(trial, AddressTaken, "for an address that is somebody's", lambda: trial.driver.reserve([wanted]))
    trial.driver.release([given])
    trial.driver.release([given])
    (again,) = _take(trial, wanted).addresses
    trial.driver.release([again])
    return "an address asked for by name is given once, and again after its release, which may be repeated"


def _rolled_back(trial: Trial) -> str:
    """A reservation that is never committed to be released."""
    reservation = trial.driver.reserve([_any(trial)])
    trial.driver.release(reservation.addresses)
    return "a reservation that is never committed can be released"


def _unique_and_exhausted(trial: Trial) -> str:
    """Every address of the pools to be had once, by several threads."""
    with ThreadPoolExecutor(THREADS) as threads:
        taken = list(threads.map(lambda _: _take(trial, _any(trial)).addresses[0], range(trial.size)))
    addresses = {one.address for one in taken}
    if len(addresses) != trial.size:
        raise DriverRefused(trial.name, f"{trial.size} different addresses", f"{len(addresses)}")
    outside = [one for one in taken if not any(one.address in pool for pool in trial.subnet.pools)]
    if outside:
        raise DriverRefused(trial.name, "addresses of the pools", text(outside[0].version, outside[0].address))
    _refuses(trial, AddressesExhausted, "when nothing is left", lambda: trial.driver.reserve([_any(trial)]))
    trial.driver.release(taken[:1])
    (again,) = _take(trial, _any(trial)).addresses
    if again.address != taken[0].address:
        raise DriverRefused(trial.name, "the one address that was released", text(again.version, again.address))
    trial.driver.release([again, *taken[1:]])
    return f"{THREADS} threads get {trial.size} different addresses, then the error that says there are no more"


def _all_or_none(trial: Trial) -> str:
    """A request for several addresses to get all of them or none."""
    several = [_any(trial)] * (trial.size + 1)
    _refuses(
        trial, AddressesExhausted, "when a request wants more than there is", lambda: trial.driver.reserve(several)
    )
    whole = _take(trial, *several[1:])
    trial.driver.release(whole.addresses)
    return "a request for several addresses gets all of them or none"


def _clean(trial: Trial) -> str:
    """What is held to be listed."""
    if trial.held is None:
        return "what is released leaves nothing"
    left = list(trial.held())
    if left:
        raise DriverRefused(trial.name, "nothing held when everything was released", ", ".join(left))
    return "what the service holds can be listed, and is nothing when everything was released"
