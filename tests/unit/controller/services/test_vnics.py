"""Are a vNIC in a port and the port's device one fact, whoever states it, and is a port never two machines'?"""

from collections.abc import Callable
from typing import Any

import pytest

from controller.errors import InvalidInput, MacAddressInUse, PolicyNotAuthorized, PortNotFound, WeftError
from controller.services import networks, ports, vnics
from controller.services.query import Filter, Query
from controller.store.database import Database, Transaction
from controller.store.snapshot import journal_after, last_seq
from controller.vnic_errors import NoPortAvailable, PortHasVnicMac, PortInUse, VnicInUse, VnicNotFound, VnicNotPlugged
from tests.unit.controller.store.builders import ADMIN, a_host, a_member, a_network, a_port, a_subnet, a_vnic, addresses

MAC = "02:00:00:00:00:aa"


def test_a_plugged_vnic_is_its_ports_device(database: Database) -> None:
    with database.write() as tx:
        port = a_port(tx, a_network(tx))
        vnic = a_vnic(tx, owner="vm1", name="eth0")
        assert (vnic.mac_address, vnic.port_id, vnic.status, vnic.revision_number) == (None, None, "DOWN", 0)
    with database.write() as tx:
        before = last_seq(tx)
        plugged = vnics.plug(tx, ADMIN, vnic.id, {"port_id": port.id})
    with database.write() as tx:
        found = ports.get(tx, ADMIN, port.id)
        assert [entry.object_id for entry in journal_after(tx, before)] == [port.id]
        assert (found.vnic_id, found.device_id, found.device_owner) == (vnic.id, "vm1", "compute:weft")
        assert (plugged.port_id, plugged.network_id, plugged.mac_address) == (
            port.id,
            port.network_id,
            port.mac_address,
        )
        assert found.revision_number == 2
        unplugged = vnics.unplug(tx, ADMIN, vnic.id)
        free = ports.get(tx, ADMIN, port.id)
    assert (unplugged.port_id, unplugged.mac_address, unplugged.revision_number) == (None, None, 2)
    assert (free.vnic_id, free.device_id, free.device_owner, free.mac_address) == (None, "", "", port.mac_address)


def test_a_vnic_of_no_machine_is_named_by_its_own_id(database: Database) -> None:
    """An empty device_id would make the port seem free."""
    with database.write() as tx:
        port, vnic = a_port(tx, a_network(tx)), a_vnic(tx)
        vnics.plug(tx, ADMIN, vnic.id, {"port_id": port.id})
        assert ports.get(tx, ADMIN, port.id).device_id == vnic.id
        vnics.update(tx, ADMIN, vnic.id, {"owner": "vm1"})
        assert ports.get(tx, ADMIN, port.id).device_id == "vm1"


def test_a_mac_address_a_vnic_brings_is_its_ports_until_it_leaves(database: Database) -> None:
    with database.write() as tx:
        network = a_network(tx)
        a_subnet(tx, network, ip_version=6, cidr="2001:db8::/64", ipv6_ra_mode="slaac", ipv6_address_mode="slaac")
        one, other, vnic = a_port(tx, network), a_port(tx, network), a_vnic(tx, mac_address=MAC)
        for port in (one, other):
            assert vnics.plug(tx, ADMIN, vnic.id, {"port_id": port.id}).mac_address == MAC
            plugged = ports.get(tx, ADMIN, port.id)
            assert (plugged.mac_address, addresses(plugged)) == (MAC, ["2001:db8::ff:fe00:aa"])
            vnics.unplug(tx, ADMIN, vnic.id)
            free = ports.get(tx, ADMIN, port.id)
            assert (free.mac_address, addresses(free)) == (port.mac_address, addresses(port))


def test_a_port_whose_own_mac_address_was_taken_meanwhile_gets_a_new_one(database: Database) -> None:
    with database.write() as tx:
        network = a_network(tx)
        port, vnic = a_port(tx, network), a_vnic(tx, mac_address=MAC)
        vnics.plug(tx, ADMIN, vnic.id, {"port_id": port.id})
        a_port(tx, network, mac_address=port.mac_address)
        vnics.unplug(tx, ADMIN, vnic.id)
        assert ports.get(tx, ADMIN, port.id).mac_address not in {MAC, port.mac_address}


def test_a_mac_address_another_port_of_the_network_has_is_refused_and_nothing_is_plugged(database: Database) -> None:
    with database.write() as tx:
        network = a_network(tx)
        a_port(tx, network, mac_address=MAC)
        port, vnic = a_port(tx, network), a_vnic(tx, mac_address=MAC)
    with pytest.raises(MacAddressInUse), database.write() as tx:
        vnics.plug(tx, ADMIN, vnic.id, {"port_id": port.id})
    with database.read() as tx:
        assert (vnics.get(tx, ADMIN, vnic.id).port_id, ports.get(tx, ADMIN, port.id)) == (None, port)


def test_a_network_is_asked_for_its_first_available_port(database: Database) -> None:
    with database.write() as tx:
        network = a_network(tx)
        a_port(tx, network, device_id="vm0")
        a_port(tx, network, device_owner="network:dhcp")
        first, second = a_port(tx, network), a_port(tx, network)
        made = [a_vnic(tx) for _ in range(3)]
        plugged = [vnics.plug(tx, ADMIN, one.id, {"network_id": network.id}).port_id for one in made[:2]]
        assert plugged == [first.id, second.id]
        query = Query(filters=(Filter(name="network_id", values=(network.id,)),))
        assert {one.id for one in vnics.find(tx, ADMIN, query)} == {one.id for one in made[:2]}
    with pytest.raises(NoPortAvailable), database.write() as tx:
        vnics.plug(tx, ADMIN, made[2].id, {"network_id": network.id})


def _plug_again(tx: Transaction, vnic: str, other: str, port: str) -> None:
    vnics.plug(tx, ADMIN, vnic, {"port_id": port})


def _plug_other(tx: Transaction, vnic: str, other: str, port: str) -> None:
    vnics.plug(tx, ADMIN, other, {"port_id": port})


def _give_to_nova(tx: Transaction, vnic: str, other: str, port: str) -> None:
    ports.update(tx, ADMIN, port, {"device_id": "vm9", "device_owner": "compute:nova"})


def _change_mac(tx: Transaction, vnic: str, other: str, port: str) -> None:
    ports.update(tx, ADMIN, port, {"mac_address": "02:00:00:00:00:bb"})


@pytest.mark.parametrize(
    ("attempt", "error"),
    [
        (_plug_again, VnicInUse),
        (_plug_other, PortInUse),
        (_give_to_nova, PortInUse),
        (_change_mac, PortHasVnicMac),
        (lambda tx, vnic, _other, _port: vnics.delete(tx, ADMIN, vnic), VnicInUse),
        (lambda tx, vnic, _other, _port: vnics.update(tx, ADMIN, vnic, {"mac_address": None}), VnicInUse),
        (lambda tx, _vnic, other, _port: vnics.unplug(tx, ADMIN, other), VnicNotPlugged),
    ],
)
def test_a_port_has_one_attachment(
    database: Database, attempt: Callable[[Transaction, str, str, str], object], error: type[WeftError]
) -> None:
    with database.write() as tx:
        port, vnic, other = a_port(tx, a_network(tx)), a_vnic(tx, mac_address=MAC, owner="vm1"), a_vnic(tx)
        vnics.plug(tx, ADMIN, vnic.id, {"port_id": port.id})
        plugged = ports.get(tx, ADMIN, port.id)
    with pytest.raises(error), database.write() as tx:
        attempt(tx, vnic.id, other.id, port.id)
    with database.read() as tx:
        assert ports.get(tx, ADMIN, port.id) == plugged


def test_what_nova_does_to_a_port_is_an_attachment_and_its_end(database: Database) -> None:
    with database.write() as tx:
        a_host(tx)
        port, vnic = a_port(tx, a_network(tx)), a_vnic(tx, mac_address=MAC)
        ports.update(tx, ADMIN, port.id, {"device_id": "vm9", "device_owner": "compute:nova"})
    with pytest.raises(PortInUse, match="Port already has an attached device vm9"), database.write() as tx:
        vnics.plug(tx, ADMIN, vnic.id, {"port_id": port.id})
    detach: dict[str, Any] = {"device_id": "", "device_owner": "", "host": None, "profile": {}}
    with database.write() as tx:
        ports.update(tx, ADMIN, port.id, detach)
        vnics.plug(tx, ADMIN, vnic.id, {"port_id": port.id})
        ports.update(tx, ADMIN, port.id, {"host": "h1", "name": "named"})
        assert vnics.get(tx, ADMIN, vnic.id).port_id == port.id
        free = ports.update(tx, ADMIN, port.id, detach)
        assert (free.vnic_id, free.mac_address) == (None, port.mac_address)
        assert vnics.get(tx, ADMIN, vnic.id).port_id is None
        assert ports.get(tx, ADMIN, port.id) == free


def test_a_port_that_goes_leaves_its_vnic_free(database: Database) -> None:
    with database.write() as tx:
        network = a_network(tx)
        port, vnic = a_port(tx, network), a_vnic(tx, mac_address=MAC)
        vnics.plug(tx, ADMIN, vnic.id, {"port_id": port.id})
        ports.delete(tx, ADMIN, port.id)
        found = vnics.get(tx, ADMIN, vnic.id)
        assert (found.port_id, found.mac_address, found.revision_number) == (None, MAC, 2)
        vnics.plug(tx, ADMIN, vnic.id, {"port_id": a_port(tx, network).id})
        assert networks.get(tx, ADMIN, network.id).id == network.id


def test_an_unplugged_port_is_on_no_host(database: Database) -> None:
    with database.write() as tx:
        a_host(tx)
        port, vnic = a_port(tx, a_network(tx), host="h1"), a_vnic(tx)
        vnics.plug(tx, ADMIN, vnic.id, {"port_id": port.id})
        bound = ports.get(tx, ADMIN, port.id).binding
        assert bound is not None
        vnics.unplug(tx, ADMIN, vnic.id)
        assert ports.get(tx, ADMIN, port.id).binding is None


def test_projects_plug_their_own_vnics_into_their_own_ports(database: Database) -> None:
    blue, red = a_member("blue"), a_member("red")
    with database.write() as tx:
        network = a_network(tx, shared=True)
        port, foreign = a_port(tx, network, blue), a_port(tx, network, red)
        vnic = a_vnic(tx, blue)
        assert vnics.find(tx, red, Query()) == []
    for attempt, error in (
        (lambda tx: vnics.plug(tx, red, vnic.id, {"port_id": foreign.id}), VnicNotFound),
        (lambda tx: vnics.plug(tx, blue, vnic.id, {"port_id": foreign.id}), PortNotFound),
        (lambda tx: vnics.plug(tx, ADMIN, vnic.id, {"port_id": foreign.id}), PolicyNotAuthorized),
        (lambda tx: a_vnic(tx, blue, project_id="red"), PolicyNotAuthorized),
    ):
        with pytest.raises(error), database.write() as tx:
            attempt(tx)
    with database.write() as tx:
        assert vnics.plug(tx, blue, vnic.id, {"network_id": network.id}).port_id == port.id


def test_a_mac_address_of_its_own_needs_what_choosing_one_for_a_new_port_needs(database: Database) -> None:
    """In a network that is shared with it, a project does not choose addresses."""
    blue = a_member("blue")
    with database.write() as tx:
        network = a_network(tx, shared=True)
        port, own, plain = a_port(tx, network, blue), a_vnic(tx, blue, mac_address=MAC), a_vnic(tx, blue)
    with pytest.raises(PolicyNotAuthorized, match="plug_vnic:mac_address"), database.write() as tx:
        vnics.plug(tx, blue, own.id, {"port_id": port.id})
    with database.write() as tx:
        vnics.plug(tx, blue, plain.id, {"port_id": port.id})
        mine = a_port(tx, a_network(tx, blue), blue)
        assert vnics.plug(tx, blue, own.id, {"port_id": mine.id}).mac_address == MAC


def test_a_vnic_does_not_make_its_port_the_networks_own(database: Database) -> None:
    """Flows trust ports whose device_owner begins with network:."""
    with database.write() as tx:
        vnic = a_vnic(tx)
    for attempt in (
        lambda tx: a_vnic(tx, device_owner="network:dhcp"),
        lambda tx: vnics.update(tx, ADMIN, vnic.id, {"device_owner": "network:dhcp"}),
    ):
        with pytest.raises(InvalidInput), database.write() as tx:
            attempt(tx)
