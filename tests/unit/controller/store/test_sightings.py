"""Is what was seen kept once, within its bounds, and as long as it may hold?"""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from controller.errors import IpAddressGenerationFailure
from controller.records import HostName, Network, NetworkId, PortId, Subnet
from controller.services import address_conflicts, ports
from controller.services.query import Query
from controller.sighting_records import How, Sight
from controller.store import sightings
from controller.store.database import Database, Transaction
from controller.store.snapshot import journal_after, load_snapshot
from tests.unit.controller.store.builders import ADMIN, a_network, a_port, a_subnet

MAC = "02:00:00:00:00:99"


def a_sight(
    network: Network, subnet: Subnet, ip_address: str, *, mac: str = MAC, port: str | None = None, how: How = How.USED
) -> Sight:
    return Sight(
        network_id=NetworkId(network.id),
        subnet_id=subnet.id,
        ip_address=ip_address,
        mac_address=mac,
        how=how,
        host=HostName("h1"),
        port_id=None if port is None else PortId(port),
    )


def a_ground(tx: Transaction, pool: tuple[str, str] = ("10.20.0.10", "10.20.0.12")) -> tuple[Network, Subnet]:
    network = a_network(tx)
    return network, a_subnet(tx, network, allocation_pools=[pool])


def test_one_row_is_kept_of_an_address_and_a_mac_and_a_probe_becomes_a_use(database: Database) -> None:
    with database.write() as tx:
        network, subnet = a_ground(tx)
        for how in (How.PROBED, How.USED, How.PROBED):
            assert sightings.note(tx, [a_sight(network, subnet, "10.20.0.11", how=how)])
        port = a_port(tx, network)
        sightings.note(tx, [a_sight(network, subnet, "10.20.0.11", port=port.id)])
    with database.read() as tx:
        [seen] = load_snapshot(tx).sightings
        assert (seen.how, seen.port_id) == (How.USED, port.id)
        assert [entry.kind for entry in journal_after(tx, 0)].count("sighting") == 1, "all of it is one transaction"
    with database.write() as tx:
        ports.delete(tx, ADMIN, port.id)
    with database.read() as tx:
        assert load_snapshot(tx).sightings == ()


def test_whoever_uses_ever_new_addresses_fills_no_more_than_its_share(
    database: Database, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sightings, "MOST_OF_A_NETWORK", 40)
    with database.write() as tx:
        network, subnet = a_ground(tx)
        port = a_port(tx, network)
        for number in range(50):
            sightings.note(tx, [a_sight(network, subnet, f"10.20.0.{100 + number}", port=port.id)])
        for number in range(50):
            sightings.note(tx, [a_sight(network, subnet, f"10.20.0.{160 + number}")])
        found = load_snapshot(tx).sightings
    assert len([one for one in found if one.port_id]) == sightings.MOST_OF_A_PORT
    assert len([one for one in found if not one.port_id]) == 40
    assert caplog.text.count("address_sightings_full") == 2, "it is said when it is full, once"


def test_what_was_not_seen_for_long_is_forgotten(tmp_path: Path) -> None:
    now = [datetime(2026, 1, 1, tzinfo=UTC)]
    database = Database(f"sqlite:///{tmp_path / 'weft.db'}", now=lambda: now[0])
    database.migrate()
    with database.write() as tx:
        network, subnet = a_ground(tx)
        sightings.note(tx, [a_sight(network, subnet, "10.20.0.11"), a_sight(network, subnet, "10.20.0.12")])
    now[0] = datetime(2026, 1, 1, 20, tzinfo=UTC)
    with database.write() as tx:
        sightings.note(tx, [a_sight(network, subnet, "10.20.0.12")])
    now[0] = datetime(2026, 1, 2, 1, tzinfo=UTC)
    with database.write() as tx:
        assert sightings.forget_older(tx, 86_400)
        assert not sightings.forget_older(tx, 86_400)
        assert [one.ip_address for one in load_snapshot(tx).sightings] == ["10.20.0.12"]
    database.close()


def test_what_is_seen_is_passed_over_until_the_pool_is_empty_and_free_again_when_it_is_removed(
    database: Database,
) -> None:
    with database.write() as tx:
        network, subnet = a_ground(tx)
        sightings.note(tx, [a_sight(network, subnet, "10.20.0.11")])
        given = {a_port(tx, network).fixed_ips[0].ip_address for _ in range(2)}
        assert given == {"10.20.0.10", "10.20.0.12"}
        with pytest.raises(IpAddressGenerationFailure):
            a_port(tx, network)
        [conflict] = address_conflicts.find(tx, ADMIN, Query())
        assert (conflict.kind, conflict.port_id) == ("outside", None)
        address_conflicts.delete(tx, ADMIN, conflict.id)
        assert a_port(tx, network).fixed_ips[0].ip_address == "10.20.0.11"


def test_what_it_means_follows_from_who_has_the_address(database: Database) -> None:
    with database.write() as tx:
        network, subnet = a_ground(tx)
        seen = ("10.20.0.1", "10.20.0.11", "10.20.0.12", "10.20.0.200")
        sightings.note(tx, [a_sight(network, subnet, ip_address) for ip_address in seen])
        other = a_port(tx, network, fixed_ips=[{"ip_address": "10.20.0.11"}])
        a_port(tx, network, mac_address=MAC, fixed_ips=[{"ip_address": "10.20.0.12"}])
        found = {one.ip_address: (one.kind, one.port_id) for one in address_conflicts.find(tx, ADMIN, Query())}
    assert found == {
        "10.20.0.1": ("gateway", None),
        "10.20.0.11": ("conflict", other.id),
        "10.20.0.200": ("outside", None),
    }, "who was seen with .12 has it now"
