"""Which kind of network does one get, with which number and how large packets?"""

import random
from pathlib import Path

import pytest

from controller.errors import InvalidInput, NoNetworkAvailable
from controller.services import network_segment_ranges, networks
from controller.services.query import Query
from controller.store.database import Database, Settings
from controller.store.transaction import DefaultRange
from tests.databases import a_database
from tests.unit.controller.store.builders import ADMIN, a_host, a_network

VLANS = (
    DefaultRange(network_type="vlan", physical_network="p1", minimum=5, maximum=6),
    DefaultRange(network_type="vlan", physical_network="p2", minimum=5, maximum=5),
)


def test_the_default_type_draws_from_every_physical_network_it_has(tmp_path: Path) -> None:
    settings = Settings(default_network_type="vlan", segment_ranges=VLANS)
    database = a_database(tmp_path, settings=settings, rng=random.Random(1))
    with database.write() as tx:
        given = [a_network(tx).segments[0] for _ in range(3)]
        with pytest.raises(NoNetworkAvailable):
            a_network(tx)
        networks.delete(tx, ADMIN, given[1].network_id)
        again = a_network(tx).segments[0]
    database.close()
    assert {(one.physical_network, one.segmentation_id) for one in given} == {("p1", 5), ("p1", 6), ("p2", 5)}
    assert (again.physical_network, again.segmentation_id) == (given[1].physical_network, given[1].segmentation_id)
    assert {one.network_type for one in given} == {"vlan"}


@pytest.mark.parametrize(
    ("settings", "network_type", "physical_network", "mtu"),
    [
        (Settings(underlay_mtu=9000), "vxlan", None, 8950),
        (Settings(underlay_mtu=9000, overlay_ip_version=6), "geneve", None, 8930),
        (Settings(underlay_mtu=9000, segment_ranges=VLANS), "vlan", "p1", 9000),
        (Settings(physnet_mtus=(("p3", 4000),), physical_networks=("p3",)), "flat", "p3", 4000),
    ],
)
def test_the_mtu_is_what_the_underlay_leaves(
    tmp_path: Path, settings: Settings, network_type: str, physical_network: str | None, mtu: int
) -> None:
    """RFC 7348 section 5, RFC 8926 section 3.4; Neutron's numbers for both."""
    database = a_database(tmp_path, settings=settings)
    with database.write() as tx:
        wire = {"network_type": network_type, "physical_network": physical_network}
        network = a_network(tx, **wire)
        assert network.mtu == mtu
        networks.delete(tx, ADMIN, network.id)
        with pytest.raises(InvalidInput, match=f"Requested MTU is too big, maximum is {mtu}"):
            a_network(tx, **wire, mtu=mtu + 1)
    database.close()


def test_a_physical_network_is_known_once_a_host_has_it(database: Database) -> None:
    flat = {"network_type": "flat", "physical_network": "p9"}
    with database.write() as tx:
        with pytest.raises(InvalidInput):
            a_network(tx, **flat)
        a_host(tx, physnets=(("p9", "br-p9"),))
        assert a_network(tx, **flat).segments[0].physical_network == "p9"


def test_the_order_of_segments_is_the_one_they_were_asked_in(database: Database) -> None:
    wanted = [{"network_type": "vxlan", "segmentation_id": number} for number in (9, 3, 7, 1)]
    with database.write() as tx:
        made = a_network(tx, segments=wanted)
        found = networks.get(tx, ADMIN, made.id)
    assert [one.segmentation_id for one in found.segments] == [9, 3, 7, 1]
    assert found == made


def test_starting_with_another_configuration_changes_the_default_ranges_only(tmp_path: Path) -> None:
    first = a_database(tmp_path, settings=Settings(segment_ranges=VLANS))
    own = {"project_id": "p", "name": "own", "description": "", "shared": True, "network_type": "vxlan"}
    with first.write() as tx:
        kept = network_segment_ranges.find(tx, ADMIN, Query())
        network_segment_ranges.create(tx, ADMIN, own | {"physical_network": None, "minimum": 7, "maximum": 9})
    first.close()
    second = a_database(tmp_path, settings=Settings(segment_ranges=VLANS[:1]))
    with second.write() as tx:
        found = network_segment_ranges.find(tx, ADMIN, Query())
    second.close()
    stays = next(one for one in kept if one.physical_network == "p1")
    assert {(one.id, one.default) for one in found} == {(stays.id, True)} | {
        (one.id, False) for one in found if one.name == "own"
    }
    assert len(found) == 2
