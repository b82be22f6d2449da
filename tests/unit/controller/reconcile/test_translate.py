"""What is one bridge asked for? Guards, addresses, rules, and nothing of what an administrator has switched off."""

from typing import Any

import pytest

from controller.reconcile.addresses import prefix_of
from controller.reconcile.leases import lease_of
from controller.reconcile.translate import ipv4_number
from controller.records import NetworkId, Port
from flows.delta import Tables
from flows.intent import DENY_ALL, NO_RULES, AddressGroupIntent, Guard, Owned, SegmentIntent, Unit, UnitKind
from tests.unit.controller.reconcile.builders import (
    Cloud,
    a_group,
    a_host,
    a_network,
    a_port,
    a_rule,
    a_subnet,
    an_address_group,
)

MAC = 0xFA163E000001
VRRP_MAC = "00:00:5e:00:01:0a"
"""RFC 9568 section 7.3."""


def a_cloud(*ports: Port, **network: Any) -> Cloud:
    """Two hosts with one network."""
    cloud = Cloud()
    gateway = network.pop("gateway_ip", None)
    cloud.put(a_network(**network), a_subnet(gateway_ip=gateway), a_subnet(cidr="fd00::/64"), *ports)
    return cloud


def answered(cloud: Cloud, port: Port) -> dict[str, bool]:
    """Return for which of its addresses the network answers in a port's stead, the same on every host."""
    local = {one.prefix: one.answered for one in cloud.local(port).owned}
    return {f.ip_address: local[prefix_of(f.ip_address)] for f in port.fixed_ips}


def test_a_guarded_port_may_use_its_addresses_and_its_pairs() -> None:
    pairs = [("fa:16:3e:00:00:01", "10.9.0.7/16"), (VRRP_MAC, "10.0.0.100"), (VRRP_MAC, "fd00::100")]
    port = a_port(1, "10.0.0.5", "fd00::5", pairs=[*pairs, pairs[0]])
    local = a_cloud(port).local(port)
    assert local.guarded
    vrrp = int(VRRP_MAC.replace(":", ""), 16)
    assert local.guards == (
        Guard(vrrp, prefix_of("10.0.0.100")),
        Guard(vrrp, prefix_of("fd00::100")),
        Guard(MAC, prefix_of("10.0.0.5")),
        Guard(MAC, prefix_of("10.9.0.0/16")),
        Guard(MAC, prefix_of("fd00::5")),
    )
    assert (local.number, local.ofport) == (32769, 32769)


@pytest.mark.parametrize("given", [{"port_security_enabled": False}, {"device_owner": "network:router_interface"}])
def test_a_port_without_port_security_is_neither_guarded_nor_filtered(given: dict[str, Any]) -> None:
    port = a_port(1, "10.0.0.5", groups=["g16"], **given)
    cloud = a_cloud(port)
    cloud.put(a_group(16, a_rule()))
    local, remote = cloud.local(port), None
    assert (local.guarded, local.guards, local.ruleset, local.groups) == (False, (), NO_RULES, ())
    assert local.owned == (Owned(prefix_of("10.0.0.5"), MAC, answered=True),)
    cloud.put(a_port(2, host="h2"))
    remote = cloud.remote(port)
    assert (remote.ruleset, remote.groups, remote.owned) == (NO_RULES, (), local.owned)
    assert cloud.rules(16) is None


def test_a_guarded_port_without_addresses_has_no_guard_and_without_groups_no_traffic() -> None:
    port = a_port(1)
    local = a_cloud(port).local(port)
    assert (local.guarded, local.guards, local.owned) == (True, (), ())
    assert (local.ruleset, local.groups) == (DENY_ALL, ())


def test_a_port_knows_its_set_of_groups_on_every_host() -> None:
    port = a_port(1, "10.0.0.5", groups=["g17", "g16"], ruleset=40)
    cloud = a_cloud(port, a_port(2, host="h2"))
    cloud.put(a_group(16), a_group(17))
    for intent in (cloud.local(port), cloud.remote(port)):
        assert (intent.ruleset, intent.groups) == (40, (16, 17))


# who is answered for --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pair", "expected"),
    [
        ("10.0.0.5", {"10.0.0.5": False, "fd00::5": True}),
        ("10.0.0.0/29", {"10.0.0.5": False, "fd00::5": True}),
        ("0.0.0.0/0", {"10.0.0.5": True, "fd00::5": True}),  # a router: it forwards for all, it is not all
        ("fd00::/126", {"10.0.0.5": True, "fd00::5": True}),
        ("fd00::/64", {"10.0.0.5": True, "fd00::5": False}),
        ("10.0.0.6", {"10.0.0.5": True, "fd00::5": True}),
    ],
)
def test_an_address_another_port_may_claim_is_not_answered_for(pair: str, expected: dict[str, bool]) -> None:
    """A VRRP backup would never get the traffic."""
    port = a_port(1, "10.0.0.5", "fd00::5")
    rival = a_port(2, "10.0.0.6", host="h2", pairs=[("fa:16:3e:00:00:02", pair)])
    cloud = a_cloud(port, rival)
    assert answered(cloud, port) == expected
    assert cloud.remote(port).owned == cloud.local(port).owned
    cloud.put(a_port(2, "10.0.0.6", host="h2"))
    assert answered(cloud, port) == {"10.0.0.5": True, "fd00::5": True}


def test_pairs_are_owned_but_never_answered_for() -> None:
    port = a_port(1, "10.0.0.5", pairs=[(VRRP_MAC, "10.0.0.100"), ("fa:16:3e:00:00:01", "10.1.0.0/16")])
    vrrp = int(VRRP_MAC.replace(":", ""), 16)
    assert a_cloud(port).local(port).owned == (
        Owned(prefix_of("10.0.0.5"), MAC, answered=True),
        Owned(prefix_of("10.0.0.100"), vrrp, answered=False, pair=True),
        Owned(prefix_of("10.1.0.0/16"), MAC, answered=False, pair=True),
    )


@pytest.mark.parametrize(("mac", "expected"), [("fa:16:3e:00:00:01", True), (VRRP_MAC, False)])
def test_an_own_pair_of_an_own_address_is_one_address(mac: str, *, expected: bool) -> None:
    port = a_port(1, "10.0.0.5", pairs=[(mac, "10.0.0.5")])
    assert a_cloud(port).local(port).owned == (Owned(prefix_of("10.0.0.5"), MAC, answered=expected),)


@pytest.mark.parametrize(
    ("network", "expected"),
    [
        ({}, True),
        ({"gateway_ip": "10.0.0.5"}, True),
        ({"physical_network": "public"}, True),
        ({"physical_network": "public", "gateway_ip": "10.0.0.1"}, True),
        ({"physical_network": "public", "gateway_ip": "10.0.0.5"}, False),
        ({"router_external": True}, False),
    ],
)
def test_the_gateway_of_a_provider_network_is_not_answered_for(network: dict[str, Any], *, expected: bool) -> None:
    """Neither the addresses of pairs, nor those that pairs of others claim."""
    port = a_port(1, "10.0.0.5")
    assert answered(a_cloud(port, **network), port) == {"10.0.0.5": expected}


@pytest.mark.parametrize(
    ("port", "expected"),
    [
        (a_port(2, "10.0.0.9"), (0x0A000001,)),
        (a_port(2, "10.0.0.1"), ()),
        (a_port(2, "10.0.0.9", pairs=[(VRRP_MAC, "10.0.0.1")]), ()),
        (a_port(2, "10.0.0.9", pairs=[(VRRP_MAC, "10.0.0.0/24")]), (0x0A000001,)),
    ],
)
def test_the_network_gives_its_own_address_up_to_routers_that_have_or_share_it(
    port: Port, expected: tuple[int, ...]
) -> None:
    """Guests that are each other's standby (VRRP) have the gateway's address as an allowed pair."""
    intent = a_cloud(port, gateway_ip="10.0.0.1").view("h1").intent(Unit(UnitKind.SEGMENT, 1))
    assert isinstance(intent, SegmentIntent)
    assert intent.service_addresses == expected


@pytest.mark.parametrize(
    ("network", "server"),
    [
        ({"gateway_ip": "10.0.0.1"}, "10.0.0.1"),
        ({}, "169.254.0.1"),
        ({"physical_network": "public", "gateway_ip": "10.0.0.1"}, "169.254.0.1"),
    ],
)
def test_the_router_of_a_provider_network_is_not_the_dhcp_server_and_answers_for_itself(
    network: dict[str, Any], server: str
) -> None:
    """Were it the server, its address would be answered with the network's own MAC and guests lost their gateway."""
    port = a_port(1, "10.0.0.5")
    cloud = a_cloud(port, **network)
    cloud.put_host(a_host(1, physnets=("public",)))
    segment = cloud.view("h1").intent(Unit(UnitKind.SEGMENT, 1))
    assert isinstance(segment, SegmentIntent)
    assert segment.service_addresses == (ipv4_number(server),)
    lease = lease_of(cloud.model, port)
    assert lease is not None
    assert (lease.server_id, lease.router) == (server, network.get("gateway_ip"))


# rules ----------------------------------------------------------------------------------------------------------------


def test_rules_are_where_a_port_with_them_is_bound() -> None:
    cloud = a_cloud(a_port(1, groups=["g16"]), a_port(2, host="h2"))
    cloud.put(a_group(16, a_rule("r1"), a_rule("r2", direction="egress", protocol="udp")))
    rules = cloud.rules(16)
    assert rules is not None
    assert ([r.why for r in rules.to_port], [r.protocol for r in rules.from_port]) == (["security group rule r1"], [17])
    assert cloud.rules(16, "h2") is None
    cloud.put(a_port(2, host="h2", groups=["g16"]))
    assert cloud.rules(16, "h2") is rules, "translated once for all hosts"


def test_a_set_of_groups_has_the_rules_of_all_of_them() -> None:
    cloud = a_cloud(a_port(1, groups=["g16", "g17"], ruleset=40))
    cloud.put(
        a_group(16, a_rule("r1")), a_group(17, a_rule("r2", group="g17"), a_rule("r3", group="g17", protocol="6"))
    )
    rules = cloud.rules(40)
    assert rules is not None
    assert [r.why for r in rules.to_port] == ["security group rules r1, r2", "security group rule r3"]


@pytest.mark.parametrize(
    ("first", "second", "expected"), [(True, True, True), (True, False, True), (False, False, False)]
)
def test_rules_are_stateless_only_when_all_groups_are(*, first: bool, second: bool, expected: bool) -> None:
    cloud = a_cloud(a_port(1, groups=["g16", "g17"], ruleset=40))
    cloud.put(a_group(16, stateful=first), a_group(17, stateful=second))
    rules = cloud.rules(40)
    assert rules is not None
    assert rules.stateful is expected


def test_a_rule_for_a_group_counts_from_when_the_group_is_there() -> None:
    cloud = a_cloud(a_port(1, groups=["g16"]))
    cloud.put(a_group(16, a_rule("r1", remote_group_id="g17"), a_rule("r2", remote_address_group_id="a50")))
    assert (rules := cloud.rules(16)) is not None
    assert rules.to_port == ()
    cloud.put(a_group(17), an_address_group(50, "10.0.0.0/8"))
    assert (rules := cloud.rules(16)) is not None
    assert [r.group for r in rules.to_port] == [17, 1 << 31 | 50]
    cloud.remove(a_group(17), an_address_group(50))
    assert (rules := cloud.rules(16)) is not None
    assert rules.to_port == ()


def test_an_address_group_is_where_rules_refer_to_it() -> None:
    cloud = a_cloud(a_port(1, groups=["g16"]), a_port(2, host="h2", groups=["g17"]))
    cloud.put(an_address_group(50, "10.0.0.0/8", "fd00::/8", "10.0.0.0/8"))
    cloud.put(a_group(16, a_rule(remote_address_group_id="a50")), a_group(17))
    unit = Unit(UnitKind.ADDRESS_GROUP, 50)
    expected = AddressGroupIntent(key=50, prefixes=(prefix_of("10.0.0.0/8"), prefix_of("fd00::/8")))
    assert cloud.view("h1").intent(unit) == expected
    assert cloud.view("h2").intent(unit) is None


# administratively down ------------------------------------------------------------------------------------------------


def tables(cloud: Cloud) -> dict[str, Tables]:
    return {name: bridge.state.tables() for name, bridge in cloud.bridges.items()}


def four_ports(**first: Any) -> list[Port]:
    """Two ports on each host, with the same rules."""
    hosts = ("h1", "h1", "h2", "h2")
    return [
        a_port(n, f"10.0.0.{n}", f"fd00::{n}", host=host, groups=["g16"], **(first if n == 1 else {}))
        for n, host in enumerate(hosts, start=1)
    ]


def test_a_port_that_is_down_leaves_what_a_deleted_one_leaves_on_every_host() -> None:
    """Neither it can send, nor can anybody, here or elsewhere, send to it."""
    cloud = a_cloud(*four_ports())
    cloud.put(a_group(16, a_rule()))
    up = tables(cloud)
    cloud.put(four_ports(admin_state_up=False)[0])
    down = tables(cloud)
    cloud.remove(four_ports()[0])
    assert down == tables(cloud)
    assert all(down[name].flows.keys() < up[name].flows.keys() for name in ("h1", "h2"))
    cloud.put(four_ports()[0])
    assert tables(cloud) == up


def test_a_network_that_is_down_has_no_ports_on_any_host() -> None:
    cloud = a_cloud(*four_ports())
    cloud.put(a_group(16, a_rule()))
    up = tables(cloud)
    cloud.put(a_network(admin_state_up=False))
    assert not any(
        unit.kind in {UnitKind.LOCAL_PORT, UnitKind.REMOTE_PORT}
        for bridge in cloud.bridges.values()
        for unit in bridge.known_units()
    )
    assert not any(group.buckets for bridge in tables(cloud).values() for i, group in bridge.groups.items() if i & 1)
    cloud.put(a_network())
    assert tables(cloud) == up


def test_a_network_of_another_is_no_matter() -> None:
    """Overlapping subnets: claims of one network say nothing of another."""
    port = a_port(1, "10.0.0.5")
    cloud = a_cloud(port)
    cloud.put(a_network(2), a_port(2, "10.0.0.6", network=2, pairs=[("fa:16:3e:00:00:02", "10.0.0.5")]))
    assert answered(cloud, port) == {"10.0.0.5": True}
    assert not cloud.model.addresses.is_claimed(NetworkId("n1"), prefix_of("10.0.0.5"))
