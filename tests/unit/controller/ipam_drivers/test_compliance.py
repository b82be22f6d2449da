"""Do Weft's own drivers, and the fake that stands for others, keep the contract? Is it noticed who does not?"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from controller.ipam_driver_errors import DriverRefused
from controller.ipam_drivers.compliance import Trial, check, of_service
from controller.ipam_drivers.netbox import NetBox
from controller.services import addressing
from controller.store.database import Database
from ipam.addresses import Pool, parse_cidr
from ipam.driver import AddressRequest, Assigned, Reservation
from ipam.remote import Held, SubnetFacts, Wanted
from tests.databases import a_database
from tests.fakes.addresses import Ledger
from tests.fakes.netbox import TOKEN, NetBoxStub
from tests.unit.controller.store.builders import a_network, a_port, a_subnet

CIDR = parse_cidr("198.51.100.0/27")
SUBNET = SubnetFacts(subnet_id="s1", cidr=CIDR, pools=(Pool(version=4, first=CIDR.first + 2, last=CIDR.first + 30),))
SENTENCES = 5


class BuiltIn:
    """The built-in driver, each call in a transaction of its own, as nobody uses it: commits meet each other."""

    def __init__(self, database: Database, network_id: str) -> None:
        self.database, self.network_id = database, network_id

    def reserve(self, requests: Sequence[AddressRequest]) -> Reservation:
        with self.database.write() as tx:
            return addressing.driver_for(tx, addressing.load_place(tx, None, self.network_id, None)).reserve(requests)

    def commit(self, reservation: Reservation, owners: Sequence[str]) -> None:
        with self.database.write() as tx:
            place = addressing.load_place(tx, None, self.network_id, None)
            addressing.driver_for(tx, place).commit(reservation, owners)

    def release(self, addresses: Sequence[Assigned]) -> None:
        with self.database.write() as tx:
            place = addressing.load_place(tx, None, self.network_id, None)
            addressing.driver_for(tx, place).release(addresses)


@pytest.fixture
def netbox(tmp_path: Path) -> Iterator[tuple[NetBoxStub, NetBox]]:
    stub = NetBoxStub("198.51.100.0/27")
    (tmp_path / "token").write_text(TOKEN)
    yield stub, NetBox({"url": stub.url, "token_file": str(tmp_path / "token"), "timeout": "5"})
    stub.close()


def test_the_built_in_driver_keeps_the_contract(tmp_path: Path) -> None:
    database = a_database(tmp_path)
    with database.write() as tx:
        network = a_network(tx)
        subnet = a_subnet(tx, network, cidr=str(CIDR))
        owners = iter([a_port(tx, network, fixed_ips=[]).id for _ in range(1)] * 10_000)
    trial = Trial(
        name="built-in",
        driver=BuiltIn(database, network.id),
        subnet=SubnetFacts(subnet_id=subnet.id, cidr=CIDR, pools=SUBNET.pools),
        new_owner=lambda: next(owners),
    )
    assert len(list(check(trial))) == SENTENCES
    database.close()


def test_the_fake_keeps_the_contract() -> None:
    assert len(list(check(of_service(Ledger({}), SUBNET)))) == SENTENCES


@pytest.mark.parametrize("is_range", [False, True])
def test_netbox_keeps_the_contract(netbox: tuple[NetBoxStub, NetBox], is_range: bool) -> None:
    stub, service = netbox
    if is_range:
        stub.ranges[7] = ("198.51.100.2/27", "198.51.100.30/27")
    else:
        stub.add("198.51.100.1/27", description="the router")
    assert len(list(check(of_service(service, SUBNET)))) == SENTENCES
    assert stub.held == ([] if is_range else ["198.51.100.1"])


class Twice(Ledger):
    """Gives the first address to everybody."""

    def _one(self, mark: str, wanted: Wanted, also: Sequence[Held]) -> Held:
        subnet = wanted.subnets[0]
        return self._made(mark, subnet, wanted.address or subnet.pools[0].first)


class Keeps(Ledger):
    """Never lets go."""

    def release(self, held: Sequence[Held]) -> None:
        pass


class Hides(Ledger):
    """Does not list what it holds."""

    def find(self, mark: str | None) -> Sequence[Held]:
        return []


@pytest.mark.parametrize(
    ("factory", "found"),
    [
        (Twice, "expected AddressTaken for an address that is somebody's|expected no address given twice"),
        (
            Keeps,
            "to be had once, and again after its release, found AddressTaken",
        ),
        (Hides, r"expected find\(mark\) to list what was reserved with it"),
    ],
)
def test_who_does_not_is_told_what_was_expected_and_found(factory: type[Ledger], found: str) -> None:
    with pytest.raises(DriverRefused, match=found):
        list(check(of_service(factory({}), SUBNET)))
