"""Does every legal pair of modes of a subnet lead to what the table in Neutron's networking guide says?"""

from typing import Any

import pytest

from controller.dhcp6.facts import RouterPort, Subnet6, lease6, router_facts
from controller.dhcp6.lease import Lease6
from controller.dhcp6.ra import RouterFacts
from tests.unit.controller.dhcp6.leases import PREFIX, SECOND_PREFIX, a_subnet
from tests.unit.controller.dhcp6.scapy_wire import GUEST, GUEST_MAC, SECOND, SERVICE_MAC

SLAAC, STATEFUL, STATELESS = "slaac", "dhcpv6-stateful", "dhcpv6-stateless"
ROUTER_MAC = "fa:16:3e:aa:bb:cc"
ROUTER = "fe80::f816:3eff:feaa:bbcc"

TABLE: list[tuple[str | None, str | None, tuple[int, int, int] | None, str | None]] = [
    (None, None, None, "addresses"),
    (None, SLAAC, None, None),
    (None, STATEFUL, None, "addresses"),
    (None, STATELESS, None, "options"),
    (SLAAC, None, (1, 0, 0), None),
    (STATEFUL, None, (0, 1, 1), None),
    (STATELESS, None, (1, 0, 1), None),
    (SLAAC, SLAAC, (1, 0, 0), None),
    (STATEFUL, STATEFUL, (0, 1, 1), "addresses"),
    (STATELESS, STATELESS, (1, 0, 1), "options"),
]
"""ipv6_ra_mode, ipv6_address_mode, (A, M, O) of the advertisement or none, what DHCPv6 gives."""


def advertised(*subnets: Subnet6, **changes: Any) -> tuple[RouterFacts, ...]:
    values: dict[str, Any] = {"mtu": 1450, "service_mac": SERVICE_MAC}
    return router_facts(subnets, **(values | changes))


def leased(*fixed_ips: tuple[str, Subnet6], **changes: Any) -> Lease6 | None:
    values: dict[str, Any] = {
        "mac": GUEST_MAC,
        "fixed_ips": fixed_ips,
        "subnets": [subnet for _, subnet in fixed_ips],
        "mtu": 1450,
        "service_mac": SERVICE_MAC,
    }
    return lease6(**(values | changes))


@pytest.mark.parametrize(("ra_mode", "address_mode", "flags", "dhcp"), TABLE)
def test_a_pair_of_modes_leads_to_what_the_table_says(
    ra_mode: str | None, address_mode: str | None, flags: tuple[int, int, int] | None, dhcp: str | None
) -> None:
    subnet = a_subnet(ra_mode, address_mode)

    all_facts, lease = advertised(subnet), leased((GUEST, subnet))

    seen = [(f.prefixes[0].autonomous, f.managed, f.other) for f in all_facts]
    assert seen == ([] if flags is None else [tuple(map(bool, flags))])
    given = None if lease is None else "addresses" if lease.addresses else "options"
    assert given == dhcp


@pytest.mark.parametrize(("ra_mode", "address_mode"), [row[:2] for row in TABLE])
def test_without_dhcp_nothing_is_sent(ra_mode: str | None, address_mode: str | None) -> None:
    subnet = a_subnet(ra_mode, address_mode, enable_dhcp=False)

    assert (advertised(subnet), leased((GUEST, subnet))) == ((), None)


def test_the_flags_are_the_links_whatever_subnet_asks_for_them() -> None:
    """RFC 4861 section 6.2.7."""
    mixed = (a_subnet(), a_subnet(STATEFUL, STATEFUL, cidr=SECOND_PREFIX), a_subnet(None, SLAAC, cidr="2001:db8::/64"))

    (facts,) = advertised(*mixed)

    assert [(prefix.cidr, prefix.autonomous, prefix.on_link) for prefix in facts.prefixes] == [
        (PREFIX, True, True),
        (SECOND_PREFIX, False, True),
    ]
    assert (facts.managed, facts.other) == (True, True)


def test_without_a_router_port_no_gateway_is_known() -> None:
    (facts,) = advertised(a_subnet(gateway_ip="2001:db8:1::1"))

    assert (facts.gateway, facts.gateway_mac, facts.service_mac) == (None, None, SERVICE_MAC)


def test_a_router_port_with_the_gateways_address_makes_it_known() -> None:
    """The address is compared, not its text."""
    ports = (
        RouterPort(mac="fa:16:3e:00:00:99", addresses=("2001:db8:1::2",)),
        RouterPort(mac=ROUTER_MAC, addresses=("2001:db8:1:0::1", "2001:db8:2::1")),
    )
    subnets = a_subnet(gateway_ip="2001:db8:1::1"), a_subnet(cidr=SECOND_PREFIX, gateway_ip="2001:db8:2::1")

    (facts,) = advertised(*subnets, router_ports=ports)

    assert (facts.gateway, facts.gateway_mac, len(facts.prefixes)) == (ROUTER, ROUTER_MAC, 2)


@pytest.mark.parametrize(
    ("ports", "mac"),
    [
        ((), None),
        ((RouterPort(mac=ROUTER_MAC, addresses=()),), ROUTER_MAC),
        ((RouterPort(mac=GUEST_MAC, addresses=(ROUTER,)),), GUEST_MAC),
        ((RouterPort(mac=GUEST_MAC, addresses=(GUEST,)),), None),
    ],
    ids=["no-port", "formed-from-its-mac", "given-to-a-port", "another-port"],
)
def test_a_link_local_gateway_is_known_by_itself(ports: tuple[RouterPort, ...], mac: str | None) -> None:
    (facts,) = advertised(a_subnet(gateway_ip=ROUTER), router_ports=ports)

    assert (facts.gateway, facts.gateway_mac) == (ROUTER, mac)


def test_subnets_behind_different_gateways_are_advertised_apart() -> None:
    """RFC 4861 section 6.3.4: one message makes one default router."""
    subnets = (
        a_subnet(gateway_ip="fe80::1", dns_nameservers=("2001:db8::53",)),
        a_subnet(STATEFUL, STATEFUL, cidr=SECOND_PREFIX, gateway_ip="fe80::2"),
        a_subnet(cidr="2001:db8:3::/64"),
    )

    found = advertised(*subnets)

    assert [(f.gateway, f.prefixes[0].cidr, f.managed, f.dns_servers) for f in found] == [
        ("fe80::1", PREFIX, True, ("2001:db8::53",)),
        ("fe80::2", SECOND_PREFIX, True, ()),
        (None, "2001:db8:3::/64", True, ()),
    ]


def test_name_servers_are_told_once_and_in_order() -> None:
    subnets = (
        a_subnet(STATELESS, STATELESS, dns_nameservers=("2001:db8::2", "2001:db8::1")),
        a_subnet(STATEFUL, STATEFUL, cidr=SECOND_PREFIX, dns_nameservers=("2001:db8::1", "2001:db8::3")),
    )

    (facts,) = advertised(*subnets, search_domains=("example.org",))
    lease = leased((GUEST, subnets[0]), (SECOND, subnets[1]))

    assert lease is not None
    assert facts.dns_servers == lease.dns_servers == ("2001:db8::2", "2001:db8::1", "2001:db8::3")
    assert facts.search_domains == ("example.org",)


def test_a_lease_holds_the_addresses_of_stateful_subnets_only() -> None:
    subnets = (
        a_subnet(STATEFUL, STATEFUL),
        a_subnet(STATELESS, STATELESS, cidr=SECOND_PREFIX),
        a_subnet(cidr="2001:db8:3::/64", dns_nameservers=("2001:db8::53",)),
    )

    lease = leased(*zip((GUEST, SECOND, "2001:db8:3::5"), subnets, strict=True), extra_options=(("59", "tftp://x"),))

    assert lease is not None
    assert [leased_address.address for leased_address in lease.addresses] == [GUEST]
    assert lease.on_link == (PREFIX, SECOND_PREFIX, "2001:db8:3::/64")
    assert (lease.mac, lease.server_mac, lease.dns_servers) == (GUEST_MAC, SERVICE_MAC, ())
    assert lease.extra_options == (("59", "tftp://x"),)


@pytest.mark.parametrize(("mtu", "told"), [(1450, 1450), (1000, 1280), (None, None)])
def test_answers_may_be_as_long_as_ipv6_needs(mtu: int | None, told: int | None) -> None:
    """RFC 8200 section 5."""
    lease = leased((GUEST, a_subnet(STATEFUL, STATEFUL)), mtu=mtu)

    assert lease is not None
    assert lease.mtu == told
