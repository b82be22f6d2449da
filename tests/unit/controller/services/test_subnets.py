"""Do subnets behave as Neutron's? Pools, gateways, automatic addresses, errors word for word."""

from typing import Any

import pytest

from controller.errors import (
    InvalidInput,
    IpAddressGenerationFailure,
    RevisionNumberConstraintFailed,
    SubnetInUse,
    SubnetNotFound,
    WeftError,
)
from controller.services import ports, subnets
from controller.store.database import Database
from tests.unit.controller.store.builders import (
    ADMIN,
    NOBODY,
    SLAAC,
    a_member,
    a_network,
    a_port,
    a_subnet,
    addresses,
)


@pytest.mark.parametrize(
    ("wanted", "gateway", "pools"),
    [
        pytest.param({}, "10.20.0.1", (("10.20.0.2", "10.20.0.254"),), id="007"),
        pytest.param({"gateway_ip": None}, None, (("10.20.0.1", "10.20.0.254"),), id="no-gateway"),
        pytest.param(
            {"gateway_ip": "10.20.0.9"},
            "10.20.0.9",
            (("10.20.0.1", "10.20.0.8"), ("10.20.0.10", "10.20.0.254")),
            id="gateway-amid",
        ),
        pytest.param(SLAAC, "2001:db8::", (("2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff"),), id="009"),
        pytest.param(
            {"cidr": "10.97.0.0/24", "gateway_ip": "10.96.0.1"},
            "10.96.0.1",
            (("10.97.0.1", "10.97.0.254"),),
            id="111",
        ),
        pytest.param({"cidr": "10.30.0.0/30"}, "10.30.0.1", (("10.30.0.2", "10.30.0.2"),), id="123"),
        pytest.param({"cidr": "10.99.0.5/24"}, "10.99.0.1", (("10.99.0.2", "10.99.0.254"),), id="108"),
        pytest.param(
            {"cidr": "10.91.0.0/31", "enable_dhcp": False}, "10.91.0.1", (("10.91.0.0", "10.91.0.0"),), id="slash-31"
        ),
    ],
)
def test_gateway_and_pools_have_neutrons_defaults(
    database: Database, wanted: dict[str, Any], gateway: str | None, pools: tuple[tuple[str, str], ...]
) -> None:
    with database.write() as tx:
        subnet = a_subnet(tx, a_network(tx), **wanted)
        assert subnet == subnets.get(tx, ADMIN, subnet.id)
    assert (gateway, pools, 0) == (subnet.gateway_ip, subnet.allocation_pools, subnet.revision_number)


INVALID = "Invalid input for operation: "


@pytest.mark.parametrize(
    ("wanted", "message", "neutron_type"),
    [
        pytest.param(
            {"cidr": "10.20.0.0/25"},
            INVALID + "Requested subnet with cidr: 10.20.0.0/25 for network: {network} overlaps with another subnet.",
            "InvalidInput",
            id="106",
        ),
        pytest.param(
            {"cidr": "10.300.0.0/24"}, INVALID + "10.300.0.0/24 is not in a CIDR format.", "InvalidInput", id="107"
        ),
        pytest.param(
            {"cidr": None},
            "Bad subnets request: a subnetpool must be specified in the absence of a cidr.",
            "BadRequest",
            id="109",
        ),
        pytest.param(
            {"cidr": "10.98.0.0/24", "ip_version": 6},
            INVALID + "cidr '10.98.0.0/24' does not match the ip_version '6'.",
            "InvalidInput",
            id="110",
        ),
        pytest.param(
            {"cidr": "10.94.0.0/24", "gateway_ip": "10.94.0.5", "allocation_pools": [("10.94.0.2", "10.94.0.9")]},
            "Gateway ip 10.94.0.5 conflicts with allocation pool 10.94.0.2-10.94.0.9.",
            "GatewayConflictWithAllocationPools",
            id="112",
        ),
        pytest.param(
            {"cidr": "10.93.0.0/24", "allocation_pools": [("10.92.0.2", "10.92.0.9")]},
            "The allocation pool 10.92.0.2-10.92.0.9 spans beyond the subnet cidr 10.93.0.0/24.",
            "OutOfBoundsAllocationPool",
            id="113",
        ),
        pytest.param(
            {
                "cidr": "10.93.0.0/24",
                "allocation_pools": [("10.93.0.2", "10.93.0.9"), ("10.93.0.5", "10.93.0.12")],
            },
            "Found overlapping allocation pools: 10.93.0.2-10.93.0.9 10.93.0.5-10.93.0.12 for subnet 10.93.0.0/24.",
            "OverlappingAllocationPools",
            id="114",
        ),
        pytest.param(
            {"cidr": "10.91.0.0/31"},
            INVALID + "Subnet has a prefix length that is incompatible with DHCP service enabled.",
            "InvalidInput",
            id="115",
        ),
        pytest.param(
            {"cidr": "10.91.0.4/32"},
            INVALID + "Subnet has a prefix length that is incompatible with DHCP service enabled.",
            "InvalidInput",
            id="116",
        ),
        pytest.param(
            {"cidr": "0.0.0.0/0"}, INVALID + "0 is not allowed as CIDR prefix length.", "InvalidInput", id="everything"
        ),
        pytest.param(
            {"cidr": "224.0.0.0/24"},
            INVALID + "Multicast IP subnet is not supported if enable_dhcp is True.",
            "InvalidInput",
            id="multicast",
        ),
        pytest.param(
            {"cidr": "10.94.0.0/24", "gateway_ip": "10.94.0.255"},
            INVALID + "Gateway is not valid on subnet.",
            "InvalidInput",
            id="gateway-broadcast",
        ),
        pytest.param(
            {"cidr": "10.94.0.0/24", "gateway_ip": "2001:db8::1"},
            INVALID + "gateway_ip '2001:db8::1' does not match the ip_version '4'.",
            "InvalidInput",
            id="gateway-version",
        ),
        pytest.param(
            {"cidr": "10.94.0.0/24", "dns_nameservers": ["2001:db8::1"]},
            INVALID + "dns_nameserver '2001:db8::1' does not match the ip_version '4'.",
            "InvalidInput",
            id="dns-version",
        ),
        pytest.param(
            {"cidr": "10.94.0.0/24", "allocation_pools": [("10.94.0.9", "10.94.0.2")]},
            "The allocation pool 10.94.0.9-10.94.0.2 is not valid.",
            "InvalidAllocationPool",
            id="pool-backwards",
        ),
        pytest.param(
            SLAAC | {"ipv6_ra_mode": "dhcpv6-stateful"},
            INVALID + "ipv6_ra_mode set to 'dhcpv6-stateful' with ipv6_address_mode set to 'slaac' is not valid. "
            "If both attributes are set, they must be the same value.",
            "InvalidInput",
            id="modes-differ",
        ),
        pytest.param(
            SLAAC | {"cidr": "2001:db8::/80"},
            INVALID + "Invalid CIDR 2001:db8::/80 for IPv6 address mode. OpenStack uses the EUI-64 address format, "
            "which requires the prefix to be /64.",
            "InvalidInput",
            id="slaac-prefix",
        ),
        pytest.param(
            SLAAC | {"enable_dhcp": False},
            INVALID + "ipv6_ra_mode or ipv6_address_mode cannot be set when enable_dhcp is set to False.",
            "InvalidInput",
            id="slaac-without-dhcp",
        ),
        pytest.param({"network_id": NOBODY}, f"Network {NOBODY} could not be found.", "NetworkNotFound", id="network"),
    ],
)
def test_a_refused_subnet_is_answered_in_neutrons_words_and_leaves_nothing(
    database: Database, wanted: dict[str, Any], message: str, neutron_type: str
) -> None:
    with database.write() as tx:
        network = a_network(tx)
        kept = a_subnet(tx, network)
    with pytest.raises(WeftError) as refused, database.write() as tx:
        a_subnet(tx, network, **wanted)
    assert message.format(network=network.id) == str(refused.value)
    assert neutron_type == refused.value.neutron_type
    with database.read() as tx:
        assert [kept] == subnets.find(tx, ADMIN, subnets.Query())


def test_the_same_range_may_be_used_on_two_networks(database: Database) -> None:
    with database.write() as tx:
        for _ in range(2):
            a_subnet(tx, a_network(tx))


def test_a_subnet_in_use_stays(database: Database) -> None:
    """Sample 120."""
    with database.write() as tx:
        network = a_network(tx)
        subnet = a_subnet(tx, network)
        port = a_port(tx, network)
        with pytest.raises(SubnetInUse) as refused:
            subnets.delete(tx, ADMIN, subnet.id)
        assert str(refused.value) == (
            f"Unable to complete operation on subnet {subnet.id}: One or more ports have an IP allocation from this "
            "subnet."
        )
        ports.delete(tx, ADMIN, port.id)
        subnets.delete(tx, ADMIN, subnet.id)
        with pytest.raises(SubnetNotFound, match=f"^Subnet {subnet.id} could not be found.$"):
            subnets.get(tx, ADMIN, subnet.id)


def test_addresses_hosts_make_themselves_come_and_go_with_their_subnet(database: Database) -> None:
    with database.write() as tx:
        network = a_network(tx)
        port = a_port(tx, network, mac_address="02:00:00:00:00:77")
        subnet = a_subnet(tx, network, **SLAAC)
        with_address = ports.get(tx, ADMIN, port.id)
        subnets.delete(tx, ADMIN, subnet.id)
        without = ports.get(tx, ADMIN, port.id)
    assert (addresses(with_address), with_address.revision_number) == (["2001:db8::ff:fe00:77"], 2)
    assert (addresses(without), without.revision_number) == ([], 3)


def test_an_update_changes_what_was_asked_and_the_revision(database: Database) -> None:
    """Sample 025."""
    with database.write() as tx:
        subnet = a_subnet(tx, a_network(tx))
        changes = {
            "name": "renamed",
            "dns_nameservers": ["192.0.2.3"],
            "host_routes": [("192.0.2.0/24", "10.20.0.9")],
            "gateway_ip": None,
            "enable_dhcp": False,
        }
        changed = subnets.update(tx, ADMIN, subnet.id, changes)
        assert changed == subnets.get(tx, ADMIN, subnet.id)
        assert changed == subnets.update(tx, ADMIN, subnet.id, changes)
        with pytest.raises(RevisionNumberConstraintFailed):
            subnets.update(tx, ADMIN, subnet.id, {"name": "x"}, if_revision=0)
    assert (
        changed.name,
        changed.dns_nameservers,
        changed.host_routes,
        changed.gateway_ip,
        changed.enable_dhcp,
        changed.revision_number,
    ) == ("renamed", ("192.0.2.3",), (("192.0.2.0/24", "10.20.0.9"),), None, False, 1)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"gateway_ip": "10.20.0.9"}, "Gateway ip 10.20.0.9 conflicts with allocation pool 10.20.0.2-10.20.0.254."),
        (
            {"allocation_pools": [("10.20.0.1", "10.20.0.9")]},
            "Gateway ip 10.20.0.1 conflicts with allocation pool 10.20.0.1-10.20.0.9.",
        ),
        (
            {"allocation_pools": [("10.20.0.9", "10.20.1.9")]},
            "The allocation pool 10.20.0.9-10.20.1.9 spans beyond the subnet cidr 10.20.0.0/24.",
        ),
    ],
)
def test_an_update_is_checked_like_a_creation(database: Database, changes: dict[str, Any], message: str) -> None:
    with database.write() as tx:
        subnet = a_subnet(tx, a_network(tx))
        with pytest.raises(WeftError) as refused:
            subnets.update(tx, ADMIN, subnet.id, changes)
    assert message == str(refused.value)


def test_new_pools_count_the_addresses_that_are_taken_already(database: Database) -> None:
    with database.write() as tx:
        network = a_network(tx)
        subnet = a_subnet(tx, network)
        for last in (10, 11, 200):
            a_port(tx, network, fixed_ips=[{"ip_address": f"10.20.0.{last}"}])
        subnets.update(tx, ADMIN, subnet.id, {"allocation_pools": [("10.20.0.10", "10.20.0.14")]})
        given = {addresses(a_port(tx, network))[0] for _ in range(3)}
        assert {"10.20.0.12", "10.20.0.13", "10.20.0.14"} == given
        with pytest.raises(IpAddressGenerationFailure):
            a_port(tx, network)
        subnets.update(
            tx, ADMIN, subnet.id, {"allocation_pools": [("10.20.0.10", "10.20.0.14"), ("10.20.0.200", "10.20.0.201")]}
        )
        assert addresses(a_port(tx, network)) == ["10.20.0.201"]
        with pytest.raises(IpAddressGenerationFailure):
            a_port(tx, network)


def test_a_subnet_with_no_pool_gives_nothing_by_itself(database: Database) -> None:
    with database.write() as tx:
        network = a_network(tx)
        subnets.update(tx, ADMIN, a_subnet(tx, network).id, {"allocation_pools": []})
        with pytest.raises(IpAddressGenerationFailure):
            a_port(tx, network)
        assert addresses(a_port(tx, network, fixed_ips=[{"ip_address": "10.20.0.5"}])) == ["10.20.0.5"]


def test_another_projects_subnet_is_not_found(database: Database) -> None:
    with database.write() as tx:
        subnet = a_subnet(tx, a_network(tx))
        with pytest.raises(SubnetNotFound):
            subnets.get(tx, a_member("other"), subnet.id)
        with pytest.raises(SubnetNotFound):
            subnets.delete(tx, a_member("other"), subnet.id)


MODES = (None, "slaac", "dhcpv6-stateful", "dhcpv6-stateless")


@pytest.mark.parametrize("ra_mode", MODES)
@pytest.mark.parametrize("address_mode", MODES)
def test_two_ipv6_modes_are_legal_when_they_are_equal_or_one_is_left_out(
    database: Database, ra_mode: str | None, address_mode: str | None
) -> None:
    """Neutron API reference, subnets. Hosts of an automatic one get their EUI-64 address whatever they ask for."""
    modes = {"ipv6_ra_mode": ra_mode, "ipv6_address_mode": address_mode}
    wanted = {"ip_version": 6, "cidr": "2001:db8::/64"} | modes
    with database.write() as tx:
        network = a_network(tx)
        if ra_mode and address_mode and ra_mode != address_mode:
            with pytest.raises(InvalidInput, match="they must be the same value"):
                a_subnet(tx, network, **wanted)
            return
        subnet = a_subnet(tx, network, **wanted)
        port = a_port(tx, network, mac_address="fa:16:3e:00:00:01", fixed_ips=[])
        assert (subnet.ipv6_ra_mode, subnet.ipv6_address_mode) == (ra_mode, address_mode)
    automatic = {"slaac", "dhcpv6-stateless"} & {ra_mode, address_mode}
    assert addresses(port) == (["2001:db8::f816:3eff:fe00:1"] if automatic else [])
