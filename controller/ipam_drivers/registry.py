"""Which IPAM drivers are there, and do they keep the contract?

They are found by entry points and checked when they are loaded. One that does not work is left out: what is wrong with
it is shown, subnets that have it can get no addresses, and Weft starts without it.
"""

import logging
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import EntryPoint, entry_points
from typing import cast

from controller.errors import ConfigurationError
from controller.extension_points import check_class
from controller.ipam_driver_errors import AddressServiceUnavailable, DriverRefused, NoSuchIpamDriver
from controller.ipam_drivers.settings import BUILT_IN
from ipam.remote import CONTRACT, ENTRY_POINTS, AddressService

_log = logging.getLogger(__name__)
OF_WEFT = (EntryPoint(name="netbox", value="controller.ipam_drivers.netbox:NetBox", group=ENTRY_POINTS),)
"""Those of Weft itself: they are there when it runs from its source, too, and nobody else's may take their names."""
MOST_ASKING = 6
"""Requests that may wait for one service at once: a slow one must not take every thread of the API."""
_FACE = ("check_subnet", "reserve", "commit", "release", "find")


class Services:
    """The address services of one process."""

    def __init__(
        self,
        loaded: Mapping[str, AddressService] | None = None,
        broken: Mapping[str, str] | None = None,
        *,
        default: str = BUILT_IN,
    ) -> None:
        self.loaded = dict(loaded or {})
        self.broken = dict(broken or {})
        """Why those that were asked for and do not work do not."""
        self.default = default
        """The driver of subnets that name none."""
        self._room = {name: threading.BoundedSemaphore(MOST_ASKING) for name in self.loaded}

    @property
    def is_alone(self) -> bool:
        """Whether the built-in driver is all there is."""
        return not self.loaded and not self.broken

    def check_name(self, name: str) -> None:
        """Refuse a driver for a new subnet that cannot serve it.

        Raises:
            NoSuchIpamDriver
        """
        if name != BUILT_IN and name not in self.loaded:
            raise NoSuchIpamDriver(name)

    def get(self, name: str) -> AddressService:
        """Return a driver.

        Raises:
            AddressServiceUnavailable: it is not enabled, or does not work.
        """
        service = self.loaded.get(name)
        if service is None:
            why = self.broken.get(name, f"it is not enabled (`weft serve --ipam-drivers {name}`)")
            raise AddressServiceUnavailable(name, why)
        return service

    @contextmanager
    def asking(self, name: str) -> Iterator[AddressService]:
        """Give a driver to one who may have to wait for it.

        Raises:
            AddressServiceUnavailable: as ``get``, or too many wait for it already.
        """
        service, room = self.get(name), self._room[name]
        if not room.acquire(blocking=False):
            raise AddressServiceUnavailable(name, f"{MOST_ASKING} requests wait for it already")
        try:
            yield service
        finally:
            room.release()


def load(names: Sequence[str], told: Mapping[str, Mapping[str, str]], *, default: str = BUILT_IN) -> Services:
    """Load the drivers an operator enabled, and check them.

    Args:
        names: as in the configuration; the built-in driver is always there.
        told: what the configuration says for each.
        default: the driver of subnets that name none.
    """
    found = {point.name: point for point in (*entry_points(group=ENTRY_POINTS), *OF_WEFT)}
    loaded: dict[str, AddressService] = {}
    broken: dict[str, str] = {}
    for name in dict.fromkeys(names):
        if name == BUILT_IN:
            continue
        try:
            loaded[name] = _load(name, found, told.get(name, {}))
        except (DriverRefused, ConfigurationError) as refused:
            broken[name] = str(refused)
        except Exception as error:  # noqa: BLE001 - somebody else's code: whatever it raises, Weft starts without it
            _log.exception("ipam_driver_not_loaded name=%s", name)
            broken[name] = f"IPAM driver '{name}' could not be loaded: {error!r}"
    for name, reason in broken.items():
        _log.error("ipam_driver_left_out name=%s reason=%s", name, reason)
    return Services(loaded, broken, default=default)


def check(factory: object, name: str) -> type[AddressService]:
    """Hold what an entry point names against the contract.

    Raises:
        DriverRefused: with what was expected and what was found.
    """
    check_class(factory, name, AddressService, contract=CONTRACT, methods=_FACE, refused=DriverRefused)
    if name == BUILT_IN:
        raise DriverRefused(name, f"a name that is not {BUILT_IN!r}", repr(name))
    return cast("type[AddressService]", factory)


def _load(name: str, found: Mapping[str, EntryPoint], settings: Mapping[str, str]) -> AddressService:
    point = found.get(name)
    if point is None:
        known = ", ".join(sorted(found)) or "none"
        raise DriverRefused(name, f"an entry point of that name in group {ENTRY_POINTS}", f"only {known}")
    return check(point.load(), name)(settings)
