"""Who tells services outside Weft what they are owed, and finds what they hold for nobody?

One thread for each service, so that none waits for another. What is owed stands in the database and stays there until
the service has answered: addresses whose port or subnet has gone, owners of addresses, and reservations that nobody
used because a process died between asking and storing. Now and then everything the service holds for Weft is compared
with what Weft knows, which finds even what a service did long after it was asked.
"""

import logging
import threading
import time
from collections.abc import Callable

from controller.errors import DatabaseError
from controller.ipam_drivers.hand import Store
from controller.ipam_drivers.registry import Services
from controller.store import remote_addresses as store
from ipam.errors import ServiceUnavailable
from ipam.remote import AddressService

_log = logging.getLogger(__name__)
PERIOD_S = 5.0
PATIENCE_S = 120
"""How long a reservation may take to be used: longer than a service and a busy database together."""
CENSUS_S = 3600.0
_GATHER_S = 0.2
"""After a hint, for more of what belongs together."""


class Sweeper:
    """Keeps the services of one process level with the database."""

    def __init__(
        self,
        database: Store,
        services: Services,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        period_s: float = PERIOD_S,
        patience_s: int = PATIENCE_S,
        census_s: float = CENSUS_S,
    ) -> None:
        self._database, self._services = database, services
        self._monotonic, self._period_s = monotonic, period_s
        self._patience_s, self._census_s = patience_s, census_s
        self._stopping = False
        self._hints = {name: threading.Event() for name in services.loaded}
        self._swept: set[str] = set()
        self._counted: dict[str, float] = {}
        self.problems: dict[str, str] = {}
        """By driver, what went wrong the last time."""
        self._threads = [
            threading.Thread(target=self._run, args=(name,), name=f"ipam-{name}", daemon=True)
            for name in services.loaded
        ]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End; a thread that waits for its service ends with the process."""
        self._stopping = True
        self.wake()

    def wake(self) -> None:
        """Look soon: something has changed."""
        for hint in self._hints.values():
            hint.set()

    def sweep(self, name: str) -> None:
        """Tell one service all that it is owed now.

        Raises:
            ServiceUnavailable: it has to be told the rest later.
            DatabaseError
        """
        service = self._services.loaded[name]
        self._take_back(name, service)
        self._tell_owners(name, service)
        self._release(name, service)
        self._swept.add(name)
        if self._monotonic() - self._counted.get(name, -self._census_s) >= self._census_s:
            self._count(name, service)
            self._counted[name] = self._monotonic()

    def _run(self, name: str) -> None:
        while not self._stopping:
            if self._hints[name].wait(self._period_s):
                time.sleep(_GATHER_S)
                self._hints[name].clear()
            try:
                self.sweep(name)
            except (ServiceUnavailable, DatabaseError) as error:
                self._note(name, str(error))
            except Exception as error:  # noqa: BLE001 - somebody else's code: the next sweep must come all the same
                _log.exception("ipam_driver_failed driver=%s", name)
                self._note(name, repr(error))
            else:
                if self.problems.pop(name, None) is not None:
                    _log.info("ipam_driver_back driver=%s", name)

    def _note(self, name: str, problem: str) -> None:
        if name not in self.problems:
            _log.warning("ipam_driver_away driver=%s reason=%s", name, problem)
        self.problems[name] = problem

    def _take_back(self, name: str, service: AddressService) -> None:
        """Release what was reserved and never used."""
        with self._database.read() as tx:
            if store.counts(tx, name)["asks"] == 0:
                return
        with self._database.write() as tx:
            # What an earlier process asked for is used by nobody; what this one did meanwhile is asked for again.
            patience_s = self._patience_s if name in self._swept else 0
            asks = store.void_old(tx, name, patience_s=patience_s)
        for mark, asked_at in asks:
            held = service.find(mark)
            if held:
                service.release(held)
                _log.info("ipam_orphans_released driver=%s addresses=%s", name, ",".join(map(str, held)))
            with self._database.write() as tx:
                if tx.timestamp - asked_at >= self._patience_s:
                    store.drop(tx, [mark])
                else:  # a slow service may do it yet: it is looked for once more
                    store.void(tx, [mark], until=asked_at + self._patience_s)

    def _tell_owners(self, name: str, service: AddressService) -> None:
        with self._database.read() as tx:
            debts = store.owed_commits(tx, name)
        if not debts:
            return
        try:
            service.commit([debt.held for debt in debts], [debt.owner for debt in debts])
        except ServiceUnavailable:
            with self._database.write() as tx:
                store.postpone(tx, debts)
            raise
        with self._database.write() as tx:
            store.told(tx, debts)

    def _release(self, name: str, service: AddressService) -> None:
        while True:
            with self._database.read() as tx:
                debts = store.owed_releases(tx, name)
            if not debts:
                return
            try:
                service.release([debt.held for debt in debts])
            except ServiceUnavailable:
                with self._database.write() as tx:
                    store.postpone(tx, debts)
                raise
            with self._database.write() as tx:
                store.released(tx, debts)

    def _count(self, name: str, service: AddressService) -> None:
        """Release what the service holds for this Weft and Weft knows nothing of.

        The service is asked first: what it held then was asked for before, so that its ask or its port is seen here.
        """
        listed = service.find(None)
        with self._database.read() as tx:
            strangers = store.strangers(tx, name, listed)
        if strangers:
            service.release(strangers)
            _log.warning("ipam_strangers_released driver=%s addresses=%s", name, ",".join(map(str, strangers)))
