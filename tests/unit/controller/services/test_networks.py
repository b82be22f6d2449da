"""Do networks behave as Neutron's? Segments, revisions, deletion, errors word for word."""

import random
from pathlib import Path
from typing import Any

import pytest

from controller.errors import (
    InvalidInput,
    InvalidSharedSetting,
    NetworkInUse,
    NetworkNotFound,
    NoNetworkAvailable,
    PolicyNotAuthorized,
    PortNotFound,
    RevisionNumberConstraintFailed,
    SubnetNotFound,
    TunnelIdInUse,
)
from controller.services import networks, ports, subnets
from controller.store.database import Database, Settings
from controller.store.snapshot import journal_after
from controller.store.transaction import DefaultRange
from tests.databases import a_database
from tests.unit.controller.store.builders import ADMIN, NETWORK, NOBODY, SLAAC, a_member, a_network, a_port, a_subnet


def test_a_network_is_a_vxlan_segment_with_the_mtu_that_is_left(database: Database) -> None:
    """Sample 006."""
    with database.write() as tx:
        network = a_network(tx)
        assert network == networks.get(tx, ADMIN, network.id)
    (segment,) = network.segments
    assert (segment.network_type, segment.physical_network) == ("vxlan", None)
    assert segment.segmentation_id is not None
    assert 1 <= segment.segmentation_id <= 16_777_215
    assert 1 <= segment.key <= 16_777_215
    assert (network.mtu, network.revision_number, network.plugin) == (1450, 1, "openflow")


def test_a_segmentation_id_belongs_to_one_network_at_a_time(database: Database) -> None:
    """Sample 117."""
    asked = {"network_type": "vxlan", "segmentation_id": 99999}
    with database.write() as tx:
        network = a_network(tx, **asked)
        with pytest.raises(TunnelIdInUse, match=r"^Unable to create the network. The tunnel ID 99999 is in use.$"):
            a_network(tx, **asked)
        networks.delete(tx, ADMIN, network.id)
        assert a_network(tx, **asked).segments[0].segmentation_id == 99999


def test_every_segmentation_id_of_a_small_range_is_given_out_once(tmp_path: Path) -> None:
    settings = Settings(segment_ranges=(DefaultRange(network_type="vxlan", minimum=100, maximum=139),))
    database = a_database(tmp_path, settings=settings, rng=random.Random(3))
    with database.write() as tx:
        given = [a_network(tx).segments[0].segmentation_id for _ in range(40)]
        with pytest.raises(NoNetworkAvailable):
            a_network(tx)
    database.close()
    assert list(range(100, 140)) == sorted(number for number in given if number is not None)


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        ({"network_type": "nope"}, "Invalid input for operation: network_type value 'nope' not supported."),
        ({"network_type": "gre"}, "Invalid input for operation: network_type value 'gre' not supported."),
        ({"segmentation_id": 5}, "Invalid input for operation: network_type required."),
        (
            {"network_type": "vxlan", "physical_network": "x"},
            "Invalid input for operation: provider:physical_network specified for vxlan network.",
        ),
        (
            {"network_type": "vxlan", "segmentation_id": 1 << 24},
            "Invalid input for operation: segmentation_id out of range (1 through 16777215).",
        ),
        ({"mtu": 9000}, "Invalid input for operation: Requested MTU is too big, maximum is 1450."),
    ],
)
def test_a_network_that_cannot_be_is_refused(database: Database, wanted: dict[str, Any], message: str) -> None:
    """Sample 118."""
    with pytest.raises(InvalidInput) as refused, database.write() as tx:
        a_network(tx, **wanted)
    assert message == str(refused.value)


def test_subnets_coming_and_going_bump_the_networks_revision(database: Database) -> None:
    """Samples 006, 016 and 024: 1 when made, 4 with three subnets, 5 after an update."""
    with database.write() as tx:
        network = a_network(tx)
        made = [
            a_subnet(tx, network),
            a_subnet(tx, network, cidr="10.21.0.0/24"),
            a_subnet(tx, network, **SLAAC),
        ]
        read = networks.get(tx, ADMIN, network.id)
        assert (4, tuple(sorted(subnet.id for subnet in made))) == (read.revision_number, read.subnet_ids)
        changed = networks.update(tx, ADMIN, network.id, {"name": "renamed", "admin_state_up": False})
        assert (changed.revision_number, changed.name, changed.admin_state_up) == (5, "renamed", False)
        assert changed == networks.get(tx, ADMIN, network.id)
        assert changed == networks.update(tx, ADMIN, network.id, {"name": "renamed"})
        with pytest.raises(RevisionNumberConstraintFailed):
            networks.update(tx, ADMIN, network.id, {"name": "x"}, if_revision=4)
        subnets.delete(tx, ADMIN, made[0].id)
        assert networks.get(tx, ADMIN, network.id).revision_number == 6


def test_a_network_with_ports_stays(database: Database) -> None:
    """Sample 119."""
    with database.write() as tx:
        network = a_network(tx)
        both = [a_port(tx, network).id for _ in range(2)]
        with pytest.raises(NetworkInUse) as refused:
            networks.delete(tx, ADMIN, network.id)
    assert str(refused.value) == (
        f"Unable to complete operation on network {network.id}. There are one or more ports still in use on the "
        f"network, id for these ports is: {','.join(both)}."
    )


def test_a_network_takes_its_subnets_and_dhcp_ports_with_it(database: Database) -> None:
    """API.md row 3."""
    with database.write() as tx:
        network = a_network(tx)
        subnet = a_subnet(tx, network)
        ports.delete(tx, ADMIN, a_port(tx, network).id)
        dhcp = a_port(tx, network, device_owner="network:dhcp")
    with database.write() as tx:
        networks.delete(tx, ADMIN, network.id)
        for missing, use in (
            (NetworkNotFound, lambda: networks.get(tx, ADMIN, network.id)),
            (SubnetNotFound, lambda: subnets.get(tx, ADMIN, subnet.id)),
            (PortNotFound, lambda: ports.get(tx, ADMIN, dhcp.id)),
        ):
            with pytest.raises(missing):
                use()
    with database.read() as tx:
        last = {(entry.kind, entry.object_id) for entry in journal_after(tx, 0)[-3:]}
    assert {("port", dhcp.id), ("subnet", subnet.id), ("network", network.id)} == last


@pytest.mark.parametrize("network_id", ["nope", NOBODY])
def test_an_unknown_network_is_not_found(database: Database, network_id: str) -> None:
    """Samples 063 to 065."""
    with database.write() as tx:
        for use in (
            lambda: networks.get(tx, ADMIN, network_id),
            lambda: networks.update(tx, ADMIN, network_id, {}),
            lambda: networks.delete(tx, ADMIN, network_id),
        ):
            with pytest.raises(NetworkNotFound, match=rf"^Network {network_id} could not be found\.$"):
                use()


def test_another_projects_network_is_seen_only_when_shared_and_then_not_changed(database: Database) -> None:
    other = a_member("other")
    with database.write() as tx:
        private, shared = a_network(tx), a_network(tx, shared=True)
        assert [shared.id] == [network.id for network in networks.find(tx, other, networks.Query())]
        with pytest.raises(NetworkNotFound):
            networks.get(tx, other, private.id)
        with pytest.raises(PolicyNotAuthorized, match=r"^rule:update_network is disallowed by policy$"):
            networks.update(tx, other, shared.id, {"name": "x"})
        with pytest.raises(PolicyNotAuthorized):
            networks.delete(tx, other, shared.id)
        with pytest.raises(PolicyNotAuthorized):
            a_subnet(tx, shared, other)
        with pytest.raises(PolicyNotAuthorized):
            networks.create(tx, other, NETWORK | {"project_id": "p"})


def test_a_network_that_others_use_stays_shared(database: Database) -> None:
    with database.write() as tx:
        network = a_network(tx, shared=True)
        a_port(tx, network, a_member("other"))
        with pytest.raises(InvalidSharedSetting):
            networks.update(tx, ADMIN, network.id, {"shared": False})


def test_segments_are_not_changed_after_the_fact(database: Database) -> None:
    with database.write() as tx:
        network = a_network(tx)
        with pytest.raises(InvalidInput):
            networks.update(tx, ADMIN, network.id, {"segmentation_id": 7})
