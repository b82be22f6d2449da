"""Do ports behave as Neutron's? Addresses, MAC addresses, bindings, errors word for word."""

import random
from pathlib import Path
from typing import Any

import pytest

from controller.errors import (
    InvalidIpForNetwork,
    InvalidIpForSubnet,
    IpAddressAlreadyAllocated,
    IpAddressGenerationFailure,
    Kind,
    MacAddressInUse,
    NetworkNotFound,
    PortNotFound,
    RevisionNumberConstraintFailed,
    SubnetNotFound,
    WeftError,
)
from controller.records import PortStatus
from controller.services import networks, ports, subnets
from controller.store.database import Database
from controller.store.snapshot import journal_after
from tests.databases import a_database
from tests.unit.controller.store.builders import (
    ADMIN,
    NOBODY,
    PORT,
    SLAAC,
    a_host,
    a_member,
    a_network,
    a_port,
    a_subnet,
    addresses,
    counted,
)


def test_what_was_created_is_what_is_read_back(database: Database) -> None:
    with database.write() as tx:
        a_host(tx)
        network = a_network(tx)
        a_subnet(tx, network)
        a_subnet(tx, network, **SLAAC)
        created = a_port(
            tx,
            network,
            host="h1",
            profile={"a": [1]},
            allowed_address_pairs=[(None, "10.20.0.200"), ("02-00-00-00-00-0A", "10.20.0.201")],
            extra_dhcp_opts=[("mtu", "1400", 4), ("router", "", 4)],
        )
    with database.read() as tx:
        assert created == ports.get(tx, ADMIN, created.id)
    assert created.allowed_address_pairs == (
        (created.mac_address, "10.20.0.200"),
        ("02:00:00:00:00:0a", "10.20.0.201"),
    )
    assert created.binding is not None
    assert created.binding.datapath_type == "netdev"
    assert created.revision_number == 1


def test_a_dual_stack_bound_port_costs_at_most_ten_statements(database: Database) -> None:
    """One transaction, at most 10 statements, no refetch; the project's first port made its default group."""
    with database.write() as tx:
        a_host(tx)
        a_port(tx, a_network(tx))
        network = a_network(tx)
        a_subnet(tx, network)
        a_subnet(tx, network, **SLAAC)
        a_subnet(tx, network, ip_version=6, cidr="2001:db8:1::/64")
    with counted(database) as statements, database.write() as tx:
        port = a_port(tx, network, host="h1")
    assert len(port.fixed_ips) == 3
    assert len(statements) <= 10, statements.texts
    assert port.security_group_ids


def test_a_port_gets_one_address_of_each_version_and_one_of_every_slaac_subnet(database: Database) -> None:
    with database.write() as tx:
        network = a_network(tx)
        first = a_subnet(tx, network)
        a_subnet(tx, network, cidr="10.21.0.0/24")
        slaac = a_subnet(tx, network, **SLAAC)
        stateful = a_subnet(tx, network, ip_version=6, cidr="2001:db8:1::/64")
        port = a_port(tx, network, mac_address="fa:16:3e:46:0f:2e")
    assert {first.id, stateful.id, slaac.id} == {one.subnet_id for one in port.fixed_ips}
    assert "2001:db8::f816:3eff:fe46:f2e" in addresses(port)


def test_a_port_that_wants_no_address_still_gets_those_it_makes_itself(database: Database) -> None:
    """Sample 013."""
    with database.write() as tx:
        network = a_network(tx)
        a_subnet(tx, network)
        a_subnet(tx, network, **SLAAC)
        port = a_port(tx, network, fixed_ips=[], mac_address="fa:16:3e:90:e0:14")
    assert addresses(port) == ["2001:db8::f816:3eff:fe90:e014"]


def test_a_router_alone_may_have_the_subnet_router_address_which_is_the_usual_gateway(database: Database) -> None:
    """RFC 4291 section 2.6.1; Neutron lets ports of routers have it."""
    with database.write() as tx:
        network = a_network(tx)
        subnet = a_subnet(tx, network, ip_version=6, cidr="2001:db8::/64")
        assert subnet.gateway_ip == "2001:db8::"
        for wanted in ({"ip_address": subnet.gateway_ip}, {"ip_address": subnet.gateway_ip, "subnet_id": subnet.id}):
            with pytest.raises((InvalidIpForNetwork, InvalidIpForSubnet)):
                a_port(tx, network, fixed_ips=[wanted])
            router = a_port(tx, network, fixed_ips=[wanted], device_owner="network:router_interface")
            assert addresses(router) == [subnet.gateway_ip]
            ports.delete(tx, ADMIN, router.id)


def test_a_port_of_a_network_without_subnets_has_no_address(database: Database) -> None:
    """Sample 122."""
    with database.write() as tx:
        assert a_port(tx, a_network(tx)).fixed_ips == ()


def test_automatic_addresses_go_on_to_the_next_subnet_when_the_first_is_full(database: Database) -> None:
    with database.write() as tx:
        network = a_network(tx)
        a_subnet(tx, network, cidr="10.30.0.0/30")
        second = a_subnet(tx, network, cidr="10.31.0.0/30")
        a_port(tx, network)
        port = a_port(tx, network)
        assert second.id == port.fixed_ips[0].subnet_id
        with pytest.raises(IpAddressGenerationFailure):
            a_port(tx, network)


def test_several_addresses_of_one_subnet_are_all_different(database: Database) -> None:
    """Sample 100; with nothing to spare, so that the allocator must count its own choices."""
    with database.write() as tx:
        network = a_network(tx)
        subnet = a_subnet(tx, network, allocation_pools=[("10.20.0.10", "10.20.0.12"), ("10.20.0.20", "10.20.0.25")])
        port = a_port(tx, network, fixed_ips=[{"subnet_id": subnet.id}] * 9)
    assert len(set(addresses(port))) == 9


def test_a_fixed_address_may_be_the_gateway_or_outside_the_pools(database: Database) -> None:
    """Sample 097."""
    with database.write() as tx:
        network = a_network(tx)
        a_subnet(tx, network, allocation_pools=[("10.20.0.10", "10.20.0.12")])
        port = a_port(tx, network, fixed_ips=[{"ip_address": "10.20.0.1"}, {"ip_address": "10.20.0.99"}])
    assert addresses(port) == ["10.20.0.1", "10.20.0.99"]


CASES = [
    pytest.param(
        {"mac_address": "02:00:00:00:00:77"},
        "Unable to complete operation for network {network}. The mac address 02:00:00:00:00:77 is in use.",
        "MacAddressInUse",
        id="092",
    ),
    pytest.param(
        {"fixed_ips": [{"ip_address": "10.20.0.77"}]},
        "IP address 10.20.0.77 already allocated in subnet {subnet}",
        "IpAddressAlreadyAllocated",
        id="093",
    ),
    pytest.param(
        {"fixed_ips": [{"ip_address": "192.0.2.9"}]},
        "IP address 192.0.2.9 is not a valid IP for any of the subnets on the specified network.",
        "InvalidIpForNetwork",
        id="094",
    ),
    pytest.param(
        {"fixed_ips": [{"subnet_id": "{subnet}", "ip_address": "192.0.2.9"}]},
        "IP address 192.0.2.9 is not a valid IP for the specified subnet.",
        "InvalidIpForSubnet",
        id="095",
    ),
    pytest.param(
        {"fixed_ips": [{"subnet_id": "{subnet}", "ip_address": "10.20.0.255"}]},
        "IP address 10.20.0.255 is not a valid IP for the specified subnet.",
        "InvalidIpForSubnet",
        id="098-broadcast",
    ),
    pytest.param(
        {"fixed_ips": [{"subnet_id": "{subnet}", "ip_address": "10.20.0.0"}]},
        "IP address 10.20.0.0 is not a valid IP for the specified subnet.",
        "InvalidIpForSubnet",
        id="098-network",
    ),
    pytest.param(
        {"fixed_ips": [{"subnet_id": NOBODY}]},
        f"Subnet {NOBODY} could not be found.",
        "SubnetNotFound",
        id="099",
    ),
    pytest.param(
        {"network_id": "{tiny}"},
        "No more IP addresses available on network {tiny}.",
        "IpAddressGenerationFailure",
        id="125",
    ),
    pytest.param(
        {"network_id": "{tiny}", "fixed_ips": [{"subnet_id": "{subnet}"}]},
        "Invalid input for operation: Failed to create port on network {tiny}, because fixed_ips included invalid "
        "subnet {subnet}.",
        "InvalidInput",
        id="126",
    ),
    pytest.param({"network_id": NOBODY}, f"Network {NOBODY} could not be found.", "NetworkNotFound", id="089"),
    pytest.param(
        {"fixed_ips": [{"ip_address": "2001:db8::5"}]},
        "IPv6 address 2001:db8::5 cannot be directly assigned to a port on subnet {slaac} as the subnet is "
        "configured for automatic addresses",
        "AllocationOnAutoAddressSubnet",
        id="slaac",
    ),
]


def _filled(value: Any, names: dict[str, str]) -> Any:
    if isinstance(value, str):
        return value.format(**names)
    if isinstance(value, list):
        return [_filled(entry, names) for entry in value]
    if isinstance(value, dict):
        return {key: _filled(entry, names) for key, entry in value.items()}
    return value


@pytest.mark.parametrize(("wanted", "message", "neutron_type"), CASES)
def test_a_refused_port_is_answered_in_neutrons_words_and_leaves_nothing(
    database: Database, wanted: dict[str, Any], message: str, neutron_type: str
) -> None:
    with database.write() as tx:
        network = a_network(tx)
        subnet = a_subnet(tx, network)
        slaac = a_subnet(tx, network, **SLAAC)
        tiny = a_network(tx)
        a_subnet(tx, tiny, cidr="10.30.0.0/30")
        a_port(tx, tiny)
        a_port(tx, network, mac_address="02:00:00:00:00:77", fixed_ips=[{"ip_address": "10.20.0.77"}])
    names = {"network": network.id, "subnet": subnet.id, "tiny": tiny.id, "slaac": slaac.id}
    with database.read() as tx:
        before = journal_after(tx, 0)
    with pytest.raises(WeftError) as refused, database.write() as tx:
        a_port(tx, network, **_filled(wanted, names))
    assert message.format(**names) == str(refused.value)
    assert neutron_type == refused.value.neutron_type
    with database.read() as tx:
        assert before == journal_after(tx, 0)
        assert len(ports.find(tx, ADMIN, ports.Query())) == 2


def test_one_failure_in_a_bulk_request_creates_none(database: Database) -> None:
    """Sample 127."""
    with database.write() as tx:
        network, tiny = a_network(tx), a_network(tx)
        a_subnet(tx, tiny, cidr="10.30.0.0/30")
        a_port(tx, tiny)
    with pytest.raises(IpAddressGenerationFailure, match=tiny.id), database.write() as tx:
        ports.create_many(tx, ADMIN, [PORT | {"project_id": "p", "network_id": each.id} for each in (network, tiny)])
    with database.read() as tx:
        assert len(ports.find(tx, ADMIN, ports.Query())) == 1


def test_a_bulk_request_costs_as_many_statements_for_fifty_ports_as_for_two(database: Database) -> None:
    with database.write() as tx:
        a_host(tx)
        network = a_network(tx)
        a_subnet(tx, network, cidr="10.20.0.0/16")
        a_subnet(tx, network, **SLAAC)
    wanted = PORT | {"project_id": "p", "network_id": network.id, "host": "h1"}
    with database.write() as tx:
        ports.create(tx, ADMIN, wanted)  # the project's first port makes its default security group
    counts = []
    for size in (2, 50):
        with counted(database) as statements, database.write() as tx:
            created = ports.create_many(tx, ADMIN, [wanted] * size)
        counts.append(len(statements))
        with database.read() as tx:
            assert created == [ports.get(tx, ADMIN, port.id) for port in created]
    assert counts[0] <= counts[1] <= counts[0] + 1, "one more when a drawn address was taken"


def test_a_bulk_request_gives_each_port_what_it_alone_asked_for(database: Database) -> None:
    """Ports of several networks and hosts; an address asked for is not given to a port that takes any."""
    with database.write() as tx:
        a_host(tx)
        small, other = a_network(tx), a_network(tx, port_security_enabled=False)
        a_subnet(tx, small, cidr="10.30.0.0/29")
        a_subnet(tx, other)
        any_of_small = PORT | {"project_id": "p", "network_id": small.id}
        wanted = [
            *[any_of_small] * 3,
            any_of_small | {"fixed_ips": [{"ip_address": "10.30.0.4"}], "host": "h1", "profile": {"a": 1}},
            any_of_small | {"fixed_ips": [], "mac_address": "02-00-00-00-00-0A"},
            any_of_small | {"network_id": other.id, "host": "h1", "device_owner": "compute:x"},
            any_of_small | {"network_id": other.id, "host": "elsewhere", "name": "last"},
        ]
        created = ports.create_many(tx, ADMIN, wanted)
        assert created == [ports.get(tx, ADMIN, port.id) for port in created]
    assert {"10.30.0.2", "10.30.0.3", "10.30.0.5", "10.30.0.6"} > {addresses(port)[0] for port in created[:3]}
    assert addresses(created[3]) == ["10.30.0.4"]
    assert (addresses(created[4]), created[4].mac_address) == ([], "02:00:00:00:00:0a")
    assert [port.port_security_enabled for port in created] == [True] * 5 + [False] * 2
    hosts = [
        port.binding and (port.binding.host, port.binding.ofport, port.binding.datapath_type is not None)
        for port in created
    ]
    assert hosts == [*[None] * 3, ("h1", 32768, True), None, ("h1", 32769, True), ("elsewhere", 32768, False)]


def test_a_bulk_request_that_names_one_thing_twice_is_refused(database: Database) -> None:
    with database.write() as tx:
        network = a_network(tx)
        a_subnet(tx, network)
    for twice, error in (
        ({"mac_address": "02:00:00:00:00:0a"}, MacAddressInUse),
        ({"fixed_ips": [{"ip_address": "10.20.0.9"}]}, IpAddressAlreadyAllocated),
    ):
        wanted = PORT | {"project_id": "p", "network_id": network.id} | twice
        with pytest.raises(error), database.write() as tx:
            ports.create_many(tx, ADMIN, [wanted, wanted])
    with database.read() as tx:
        assert ports.find(tx, ADMIN, ports.Query()) == []


def test_a_bulk_request_can_use_up_a_subnet_to_its_last_address(database: Database) -> None:
    with database.write() as tx:
        network = a_network(tx)
        a_subnet(tx, network)
        wanted = PORT | {"project_id": "p", "network_id": network.id}
        created = ports.create_many(tx, ADMIN, [wanted] * 253)
        assert {f"10.20.0.{last}" for last in range(2, 255)} == {addresses(port)[0] for port in created}
        with pytest.raises(IpAddressGenerationFailure):
            ports.create_many(tx, ADMIN, [wanted])


def test_a_generated_mac_address_that_is_taken_is_drawn_again(tmp_path: Path) -> None:
    class Stuck(random.Random):
        """Draws every MAC address twice."""

        def getrandbits(self, k: int) -> int:
            self.calls = getattr(self, "calls", -1) + 1
            return self.calls // 2 if k == 24 else super().getrandbits(k)

    database = a_database(tmp_path, rng=Stuck(1))
    with database.write() as tx:
        network = a_network(tx)
        macs = {a_port(tx, network).mac_address for _ in range(10)}
    database.close()
    assert len(macs) == 10


def test_the_same_mac_address_is_allowed_on_another_network(database: Database) -> None:
    with database.write() as tx:
        for _ in range(2):
            a_port(tx, a_network(tx), mac_address="02:00:00:00:00:01")


def test_new_fixed_ips_replace_the_old_and_keep_what_stays(database: Database) -> None:
    with database.write() as tx:
        network = a_network(tx)
        subnet = a_subnet(tx, network)
        a_subnet(tx, network, **SLAAC)
        port = a_port(
            tx,
            network,
            mac_address="02:00:00:00:00:77",
            fixed_ips=[{"ip_address": "10.20.0.7"}, {"ip_address": "10.20.0.8"}],
        )
        changed = ports.update(
            tx,
            ADMIN,
            port.id,
            {"fixed_ips": [{"subnet_id": subnet.id, "ip_address": "10.20.0.9"}, {"ip_address": "10.20.0.8"}]},
        )
        a_port(tx, network, fixed_ips=[{"ip_address": "10.20.0.7"}])
    assert addresses(changed) == ["10.20.0.8", "10.20.0.9", "2001:db8::ff:fe00:77"]
    with database.read() as tx:
        assert set(changed.fixed_ips) == set(ports.get(tx, ADMIN, port.id).fixed_ips)


def test_a_port_updated_with_its_own_answer_does_not_change(database: Database) -> None:
    """As openstacksdk sends the whole list back, automatic addresses too."""
    with database.write() as tx:
        network = a_network(tx)
        a_subnet(tx, network)
        a_subnet(tx, network, **SLAAC)
        port = a_port(tx, network)
        same = [{"subnet_id": one.subnet_id, "ip_address": one.ip_address} for one in port.fixed_ips]
        by_subnet = [{"subnet_id": one.subnet_id} for one in port.fixed_ips]
        assert port == ports.update(tx, ADMIN, port.id, {"fixed_ips": same, "name": port.name})
        assert port == ports.update(tx, ADMIN, port.id, {"fixed_ips": by_subnet})


def test_an_update_to_a_taken_address_changes_nothing(database: Database) -> None:
    """Sample 023."""
    with database.write() as tx:
        network = a_network(tx)
        subnet = a_subnet(tx, network)
        a_port(tx, network, fixed_ips=[{"ip_address": "10.20.0.88"}])
        port = a_port(tx, network)
    with (
        pytest.raises(
            IpAddressAlreadyAllocated, match=f"IP address 10.20.0.88 already allocated in subnet {subnet.id}"
        ),
        database.write() as tx,
    ):
        ports.update(tx, ADMIN, port.id, {"fixed_ips": [{"subnet_id": subnet.id, "ip_address": "10.20.0.88"}]})
    with database.read() as tx:
        assert port == ports.get(tx, ADMIN, port.id)


def test_automatic_addresses_follow_a_new_mac_address(database: Database) -> None:
    with database.write() as tx:
        network = a_network(tx)
        a_subnet(tx, network)
        a_subnet(tx, network, **SLAAC)
        port = a_port(tx, network)
        changed = ports.update(tx, ADMIN, port.id, {"mac_address": "02:00:00:00:00:77"})
        assert [addresses(port)[0], "2001:db8::ff:fe00:77"] == addresses(changed)


def test_an_update_to_a_taken_mac_address_is_refused(database: Database) -> None:
    with database.write() as tx:
        network = a_network(tx)
        a_subnet(tx, network, **SLAAC)
        a_port(tx, network, mac_address="02:00:00:00:00:77")
        port = a_port(tx, network)
    with pytest.raises(MacAddressInUse), database.write() as tx:
        ports.update(tx, ADMIN, port.id, {"mac_address": "02:00:00:00:00:77"})


def test_a_moved_port_has_a_number_of_its_own_on_the_new_host_and_is_down(database: Database) -> None:
    with database.write() as tx:
        a_host(tx)
        network = a_network(tx)
        a_port(tx, network, host="h2")
        port = a_port(tx, network, host="h1")
        moved = ports.update(tx, ADMIN, port.id, {"host": "h2"})
        freed = ports.update(tx, ADMIN, port.id, {"host": ""})
    assert port.binding is not None
    assert moved.binding is not None
    assert (port.binding.host, port.binding.ofport, port.binding.datapath_type is not None) == ("h1", 32768, True)
    assert (moved.binding.host, moved.binding.ofport, moved.binding.datapath_type is not None) == ("h2", 32769, False)
    assert (moved.status, moved.revision_number) == (PortStatus.DOWN, 2)
    assert freed.binding is None


def test_a_host_registered_later_turns_its_ports_bindings_good(database: Database) -> None:
    """binding_failed is worked out again when the host registers."""
    with database.write() as tx:
        port = a_port(tx, a_network(tx), host="h1")
        a_host(tx)
        read = ports.get(tx, ADMIN, port.id)
    assert port.binding is not None
    assert read.binding is not None
    assert (port.binding.datapath_type, read.binding.datapath_type) == (None, "netdev")


def test_every_change_bumps_the_revision_and_a_stale_one_is_refused(database: Database) -> None:
    """Sample 104."""
    with database.write() as tx:
        port = a_port(tx, a_network(tx))
        for number in range(7):
            port = ports.update(tx, ADMIN, port.id, {"name": f"n{number}"}, if_revision=number + 1)
        with pytest.raises(RevisionNumberConstraintFailed, match=r"^Constrained to 1, but current revision is 8$"):
            ports.update(tx, ADMIN, port.id, {"name": "y"}, if_revision=1)
        with pytest.raises(RevisionNumberConstraintFailed):
            ports.delete(tx, ADMIN, port.id, if_revision=1)
        ports.delete(tx, ADMIN, port.id, if_revision=8)


def test_a_deleted_ports_address_and_mac_address_can_be_used_again(database: Database) -> None:
    with database.write() as tx:
        network = a_network(tx)
        a_subnet(tx, network, cidr="10.30.0.0/30")
        for _ in range(3):
            port = a_port(tx, network, mac_address="02:00:00:00:00:77", host="h1")
            assert addresses(port) == ["10.30.0.2"]
            ports.delete(tx, ADMIN, port.id)
        with pytest.raises(PortNotFound):
            ports.get(tx, ADMIN, port.id)


@pytest.mark.parametrize("port_id", ["nope", NOBODY, ""])
def test_an_unknown_port_is_not_found_whatever_its_id_looks_like(database: Database, port_id: str) -> None:
    """Samples 069 to 072."""
    with database.write() as tx:
        for use in (
            lambda: ports.get(tx, ADMIN, port_id),
            lambda: ports.update(tx, ADMIN, port_id, {}),
            lambda: ports.delete(tx, ADMIN, port_id),
        ):
            with pytest.raises(PortNotFound, match=rf"^Port {port_id} could not be found\.$") as missing:
                use()
            assert missing.value.kind is Kind.NOT_FOUND


def test_another_projects_port_is_not_found(database: Database) -> None:
    with database.write() as tx:
        one, other = a_member("one"), a_member("other")
        network = a_network(tx, one)
        port = a_port(tx, network, one)
        assert port == ports.get(tx, one, port.id)
        for use in (
            lambda: ports.get(tx, other, port.id),
            lambda: ports.update(tx, other, port.id, {"name": "x"}),
            lambda: ports.delete(tx, other, port.id),
        ):
            with pytest.raises(PortNotFound):
                use()
        assert ports.find(tx, other, ports.Query()) == []
        with pytest.raises(NetworkNotFound):
            a_port(tx, network, other)


def test_a_shared_network_takes_ports_of_other_projects(database: Database) -> None:
    with database.write() as tx:
        other = a_member("other")
        network = a_network(tx, shared=True)
        subnet = a_subnet(tx, network)
        port = a_port(tx, network, other)
        assert subnet.id == port.fixed_ips[0].subnet_id
        assert network.id == networks.get(tx, other, network.id).id
        assert subnet == subnets.get(tx, other, subnet.id)


def test_a_subnet_of_the_port_may_be_named_only_if_it_exists(database: Database) -> None:
    with database.write() as tx:
        network = a_network(tx)
        a_subnet(tx, network)
        port = a_port(tx, network)
        with pytest.raises(SubnetNotFound):
            ports.update(tx, ADMIN, port.id, {"fixed_ips": [{"subnet_id": NOBODY}]})
