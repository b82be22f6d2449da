"""Does every address have one holder, whatever strategy, exclusions, quarantine and reservations a subnet has?"""

import itertools
import random
import tempfile
import threading
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from controller.errors import IpAddressAlreadyAllocated, IpAddressGenerationFailure
from controller.ipam_errors import IpAddressHeld
from controller.services import free_addresses, ip_reservations, ports, subnets
from controller.store.database import Database
from ipam.addresses import parse_address, text
from tests.databases import a_database
from tests.unit.controller.store.builders import ADMIN, a_network, a_port, a_subnet, addresses

FIRST, LAST = 10, 18
SPACE = tuple(f"10.20.0.{last}" for last in range(FIRST - 1, LAST + 2))
QUARANTINE_S = 100
PROJECTS = ("p", "red")


class Held(RuleBasedStateMachine):
    """Ports come and go, addresses are reserved and excluded, and time passes, on a subnet of nine addresses."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = tempfile.TemporaryDirectory()
        ids = (str(uuid.UUID(int=number)) for number in itertools.count())
        self.now = datetime(2026, 11, 21, tzinfo=UTC)
        self.database = a_database(
            Path(self.directory.name), rng=random.Random(0), new_id=lambda: next(ids), now=lambda: self.now
        )
        self.ports: dict[str, tuple[str, str]] = {}
        """Address and project by port."""
        self.quarantined: dict[str, tuple[datetime, str]] = {}
        self.reserved: dict[str, tuple[str, str]] = {}
        """Reservation and project by address."""
        self.excluded: set[str] = set()
        self.is_sequential = False

    @initialize(is_sequential=st.booleans())
    def make(self, is_sequential: bool) -> None:
        self.is_sequential = is_sequential
        with self.database.write() as tx:
            self.network = a_network(tx)
            self.subnet = a_subnet(
                tx,
                self.network,
                allocation_pools=((f"10.20.0.{FIRST}", f"10.20.0.{LAST}"),),
                ipam_strategy="sequential" if is_sequential else "random",
                ipam_quarantine=QUARANTINE_S,
            )

    def teardown(self) -> None:
        self.database.close()
        self.directory.cleanup()

    @property
    def taken(self) -> set[str]:
        return {address for address, _ in self.ports.values()}

    @property
    def unavailable(self) -> set[str]:
        return self.taken | self.quarantined.keys() | self.reserved.keys()

    @property
    def free(self) -> list[str]:
        pool = [f"10.20.0.{last}" for last in range(FIRST, LAST + 1)]
        return [address for address in pool if address not in self.unavailable | self.excluded]

    @rule(project=st.sampled_from(PROJECTS))
    def ask_for_any(self, project: str) -> None:
        free = self.free
        try:
            with self.database.write() as tx:
                port = a_port(tx, self.network, project_id=project)
        except IpAddressGenerationFailure:
            assert free == []
            return
        (address,) = addresses(port)
        assert address == free[0] if self.is_sequential else address in free
        self.ports[port.id] = address, project

    @rule(address=st.sampled_from(SPACE), project=st.sampled_from(PROJECTS))
    def ask_for_one(self, address: str, project: str) -> None:
        owner = self.reserved.get(address, self.quarantined.get(address, (None, project)))[1]
        try:
            with self.database.write() as tx:
                port = a_port(tx, self.network, project_id=project, fixed_ips=[{"ip_address": address}])
        except IpAddressAlreadyAllocated:
            assert address in self.taken
        except IpAddressHeld:
            assert address not in self.taken
            assert owner != project
        else:
            assert address not in self.taken
            assert owner == project
            self.quarantined.pop(address, None)
            self.ports[port.id] = address, project

    @precondition(lambda self: self.ports)
    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        port_id = data.draw(st.sampled_from(sorted(self.ports)))
        with self.database.write() as tx:
            ports.delete(tx, ADMIN, port_id)
        address, project = self.ports.pop(port_id)
        if address not in self.reserved:
            self.quarantined[address] = self.now + timedelta(seconds=QUARANTINE_S), project

    @rule(address=st.none() | st.sampled_from(SPACE), project=st.sampled_from(PROJECTS))
    def reserve(self, address: str | None, project: str) -> None:
        wanted = {"name": "", "description": "", "project_id": project, "subnet_id": self.subnet.id}
        holders = {held: owner for held, owner in self.ports.values()}  # noqa: C416 - a pair has names
        holders |= {held: owner for held, (_, owner) in self.quarantined.items()}
        free = self.free
        try:
            with self.database.write() as tx:
                made = ip_reservations.create(tx, ADMIN, wanted | {"ip_address": address})
        except IpAddressGenerationFailure:
            assert (address, free) == (None, [])
            return
        except (IpAddressAlreadyAllocated, IpAddressHeld):
            assert address in self.reserved or holders.get(str(address), project) != project
            return
        assert made.ip_address in free if address is None else holders.get(address, project) == project
        self.quarantined.pop(made.ip_address, None)
        self.reserved[made.ip_address] = made.id, project

    @precondition(lambda self: self.reserved)
    @rule(data=st.data())
    def end_reservation(self, data: st.DataObject) -> None:
        address = data.draw(st.sampled_from(sorted(self.reserved)))
        with self.database.write() as tx:
            ip_reservations.delete(tx, ADMIN, self.reserved.pop(address)[0])

    @precondition(lambda self: self.ports and self.quarantined)
    @rule(data=st.data())
    def restore(self, data: st.DataObject) -> None:
        address = data.draw(st.sampled_from(sorted(self.quarantined)))
        port_id = data.draw(st.sampled_from(sorted(self.ports)))
        was, project = self.ports[port_id]
        with self.database.write() as tx:
            free_addresses.restore(tx, ADMIN, self.subnet.id, {"ip_address": address, "port_id": port_id})
            ports.update(tx, ADMIN, port_id, {"fixed_ips": [{"ip_address": address}]})
        del self.quarantined[address]
        self.ports[port_id] = address, project
        if was not in self.reserved:
            self.quarantined[was] = self.now + timedelta(seconds=QUARANTINE_S), project

    @rule(first=st.integers(FIRST, LAST), size=st.integers(0, 4), octets=st.sets(st.integers(FIRST, LAST), max_size=3))
    def exclude(self, first: int, size: int, octets: set[int]) -> None:
        ranges = [{"start": f"10.20.0.{first}", "end": f"10.20.0.{first + size}"}] if size else []
        wanted = [*ranges, {"octets": sorted(octets)}] if octets else ranges
        with self.database.write() as tx:
            subnets.update(tx, ADMIN, self.subnet.id, {"ipam_exclusions": wanted})
        self.excluded = {f"10.20.0.{last}" for last in {*octets, *(range(first, first + size + 1) if size else ())}}

    @rule(seconds=st.sampled_from((QUARANTINE_S // 2, QUARANTINE_S)))
    def wait(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)
        self.quarantined = {one: held for one, held in self.quarantined.items() if held[0] > self.now}

    @invariant()
    def what_is_shown_as_free_is_what_is_free(self) -> None:
        """The pages of two ranges together; totals without counting what is looked at."""
        with self.database.write() as tx:
            free_addresses.expire_due(tx, self.subnet.id)
            shown: list[str] = []
            start: str | None = None
            while True:
                found = free_addresses.free(tx, ADMIN, self.subnet.id, start=start, limit=2)
                for one in found.page.ranges:
                    shown += [text(4, address) for address in range(one.first, one.last + 1)]
                if found.page.next is None:
                    break
                start = text(4, found.page.next)
        assert shown == self.free
        totals = found.totals
        pool = {f"10.20.0.{last}" for last in range(FIRST, LAST + 1)}
        chosen_from = pool - self.excluded
        assert totals.free == len(self.free)
        assert totals.excluded == len(pool & self.excluded)
        assert totals.used == len(self.taken & chosen_from)
        assert totals.quarantined == len(self.quarantined.keys() & chosen_from)
        assert totals.reserved == len((self.reserved.keys() - self.taken) & chosen_from)
        assert totals.outside == len(self.unavailable - chosen_from)


TestHeld = Held.TestCase
TestHeld.settings = settings(max_examples=12, stateful_step_count=30, deadline=None)


def test_threads_share_a_quarantined_excluded_subnet_in_order_without_a_duplicate(database: Database) -> None:
    """As many addresses as there are, asked for by four at once; released ones rest, excluded ones never come."""
    with database.write() as tx:
        network = a_network(tx)
        wanted = [{"octets": [7, 9]}, {"start": "10.20.0.20", "end": "10.20.0.29"}]
        subnet = a_subnet(
            tx, network, cidr="10.20.0.0/26", ipam_strategy="sequential", ipam_quarantine=60, ipam_exclusions=wanted
        )
        for _ in range(5):
            ports.delete(tx, ADMIN, a_port(tx, network).id)
    given: list[str] = []
    failures: list[BaseException] = []

    def fill() -> None:
        try:
            while True:
                with database.write() as tx:
                    port = a_port(tx, network)
                given.append(addresses(port)[0])
        except IpAddressGenerationFailure:
            return
        except BaseException as error:  # noqa: BLE001  (whatever it is, the test must show it)
            failures.append(error)

    threads = [threading.Thread(target=fill) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    in_order = sorted(given, key=lambda address: parse_address(address)[1])
    rested = {f"10.20.0.{last}" for last in (2, 3, 4, 5, 6)}
    excluded = {"10.20.0.7", "10.20.0.9", *(f"10.20.0.{last}" for last in range(20, 30))}
    everything = [f"10.20.0.{last}" for last in range(2, 63)]
    assert in_order == [address for address in everything if address not in rested | excluded]
    with database.read() as tx:
        assert free_addresses.free(tx, ADMIN, subnet.id, start=None, limit=9).page.ranges == ()
